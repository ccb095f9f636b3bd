//! Findings about a file of the user's: what is wrong, where (file, line, column, snippet), and
//! what to do about it. A whole file, and all files of a command, are checked before the findings
//! are shown together.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use super::{Source, Span, text};

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The file can not be used.
    Error,
    /// The file can be used, and the author probably wants to know.
    Warning,
}

/// How a finding is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// As text alone.
    Plain,
    /// With colour, which adds nothing to the words.
    Colored,
}

/// One finding.
#[derive(Debug, Clone)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// The rule that was broken, such as `unknown-key`; stable, for searching.
    pub rule: &'static str,
    /// What is wrong: a lower-case fragment without a full stop.
    pub message: String,
    /// Where; absent for what is missing as a whole.
    pub place: Option<(Arc<Source>, Span)>,
    /// What to do.
    pub help: Option<String>,
    /// The further rows of the file that have the same finding.
    pub more: Option<Box<MoreRows>>,
}

impl Diagnostic {
    /// An error without a place.
    #[must_use]
    pub fn error(rule: &'static str, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            rule,
            message: message.into(),
            place: None,
            help: None,
            more: None,
        }
    }

    /// A warning without a place.
    #[must_use]
    pub fn warning(rule: &'static str, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(rule, message)
        }
    }

    /// The same finding at a place.
    #[must_use]
    pub fn at(mut self, source: &Arc<Source>, span: Span) -> Self {
        self.place = Some((Arc::clone(source), span));
        self
    }

    /// The same finding with advice.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Whether another finding says the same of the same file, be it at another place.
    fn is_same(&self, other: &Self) -> bool {
        self.rule == other.rule
            && self.message == other.message
            && self.help == other.help
            && self.file() == other.file()
    }

    fn file(&self) -> Option<&str> {
        self.place.as_ref().map(|(source, _)| source.name.as_str())
    }

    /// File, line and column, where known.
    #[must_use]
    pub fn location(&self) -> Option<(&str, usize, usize)> {
        let (source, span) = self.place.as_ref()?;
        let (line, column) = source.position(span.start);
        Some((&source.name, line, column))
    }

    /// The finding as text with a snippet, without colour and safe for a terminal.
    #[must_use]
    pub fn render(&self) -> String {
        self.render_as(Look::Plain)
    }

    /// The finding as text with a snippet, safe for a terminal.
    #[must_use]
    pub fn render_as(&self, look: Look) -> String {
        let level = match self.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let message = text::visible(&self.message);
        let more = self
            .more
            .as_deref()
            .map_or_else(String::new, MoreRows::phrase);
        let title = level
            .primary_title(format!("{message}{more}"))
            .id(self.rule);
        let mut groups = Vec::new();
        let window = self
            .place
            .as_ref()
            .map(|(source, span)| Window::around(source, *span));
        let mut group = match &window {
            Some(window) => title.element(
                Snippet::source(&window.text)
                    .path(window.name.as_str())
                    .line_start(window.first_line)
                    .annotation(AnnotationKind::Primary.span(window.span.clone())),
            ),
            None => Group::with_title(title),
        };
        let help = self.help.as_deref().map(text::visible);
        if let Some(help) = help {
            group = group.element(Level::HELP.message(help));
        }
        groups.push(group);
        let renderer = match look {
            Look::Plain => Renderer::plain(),
            Look::Colored => Renderer::styled(),
        };
        let rendered = renderer.decor_style(DecorStyle::Ascii).render(&groups);
        let mut lines: Vec<Cow<'_, str>> = rendered
            .lines()
            .map(|line| line.trim_end().into())
            .collect();
        if let Some((window, (name, line, column))) = window.as_ref().zip(self.location()) {
            // The renderer counts in the line as it is shown, which may have been cut.
            let (shown, told) = (
                format!("{name}:{line}:{}", window.column()),
                format!("{name}:{line}:{column}"),
            );
            let is_place = |text: &&mut Cow<'_, str>| text.contains("--> ");
            let place = lines.iter_mut().skip(1).find(is_place);
            if let Some(place) = place.filter(|_| shown != told) {
                *place = place.replacen(&shown, &told, 1).into();
            }
        }
        lines.join("\n")
    }
}

/// Rows that share a finding with the one that is shown: how many, and the first of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MoreRows {
    count: usize,
    lines: Vec<usize>,
}

impl MoreRows {
    const NAMED: usize = 5;

    fn add(&mut self, diagnostic: &Diagnostic) {
        self.count += 1;
        if let (true, Some((_, line, _))) = (self.lines.len() < Self::NAMED, diagnostic.location())
        {
            self.lines.push(line);
        }
    }

    /// `, and in 2 further rows: 8, 12`
    fn phrase(&self) -> String {
        let lines: Vec<String> = self.lines.iter().map(usize::to_string).collect();
        let dots = if self.count > lines.len() {
            ", …"
        } else {
            ""
        };
        let rows = text::count(self.count, "further row");
        format!(", and in {rows}: {}{dots}", lines.join(", "))
    }
}

/// The lines of a source that a snippet shows, made harmless and cut to a readable width.
struct Window {
    name: String,
    text: String,
    first_line: usize,
    span: std::ops::Range<usize>,
}

const WINDOW_BEFORE: usize = 60;
const WINDOW_AFTER: usize = 60;

impl Window {
    /// Where the span begins in the line as it is shown, from 1.
    fn column(&self) -> usize {
        let before = self.text.get(..self.span.start).unwrap_or_default();
        before.chars().count() + 1
    }

    fn around(source: &Source, span: Span) -> Self {
        let whole = source.text.as_str();
        let floor = |at: usize| {
            (0..=at.min(whole.len()))
                .rev()
                .find(|i| whole.is_char_boundary(*i))
        };
        let start = floor(span.start).unwrap_or(0);
        let end = floor(span.end.max(start)).unwrap_or(start).max(start);
        let line_start = whole
            .get(..start)
            .and_then(|s| s.rfind('\n'))
            .map_or(0, |i| i + 1);
        let line_end = whole
            .get(start..)
            .and_then(|s| s.find('\n'))
            .map_or(whole.len(), |i| start + i);
        let from = floor(start.saturating_sub(WINDOW_BEFORE))
            .unwrap_or(0)
            .max(line_start);
        let to = floor(end.min(line_end).saturating_add(WINDOW_AFTER)).unwrap_or(line_end);
        let to = to.min(line_end).max(start);
        let piece = |a: usize, b: usize| text::visible_line(whole.get(a..b).unwrap_or_default());
        let (lead, marked) = (piece(from, start), piece(start, end.min(to)));
        let cut = if from > line_start { "\u{2026}" } else { "" };
        let (line, _) = source.position(start);
        let begin = cut.len() + lead.len();
        let shown = format!("{cut}{lead}{marked}{}", piece(end.min(to), to));
        let span = begin..(begin + marked.len()).max(begin);
        Self {
            name: source.name.clone(),
            text: shown,
            first_line: line,
            span,
        }
    }
}

/// All findings of a check, in the order in which they were made.
#[derive(Debug, Clone, Default)]
pub struct Diagnostics(Vec<Diagnostic>);

impl Diagnostics {
    /// No findings yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a finding; beyond the first thousand they only make the list longer, and are dropped.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        const MOST: usize = 1_000;
        if self.0.len() < MOST {
            self.0.push(diagnostic);
        }
    }

    /// Adds the findings of one row of a file. What a row above has too is counted there, so that a
    /// misspelt key is one finding however many rows have it.
    pub fn extend_by_row(&mut self, row: Self) {
        for diagnostic in row.0 {
            match self.0.iter_mut().find(|known| known.is_same(&diagnostic)) {
                Some(known) => known.more.get_or_insert_default().add(&diagnostic),
                None => self.push(diagnostic),
            }
        }
    }

    /// Adds all findings of another check.
    pub fn extend(&mut self, other: Self) {
        for diagnostic in other.0 {
            self.push(diagnostic);
        }
    }

    /// Whether a finding is an error.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.count(Severity::Error) > 0
    }

    /// How many findings are of this severity.
    #[must_use]
    pub fn count(&self, severity: Severity) -> usize {
        self.0.iter().filter(|d| d.severity == severity).count()
    }

    /// How many errors there are, and in how many files: `3 errors in 2 files`.
    #[must_use]
    pub fn summary(&self) -> String {
        let errors = || self.0.iter().filter(|d| d.severity == Severity::Error);
        let files: std::collections::BTreeSet<&str> =
            errors().filter_map(Diagnostic::file).collect();
        let count = text::count(errors().count(), "error");
        match files.len() {
            0 => count,
            files => format!("{count} in {}", text::count(files, "file")),
        }
    }

    /// The findings as text.
    #[must_use]
    pub fn render_as(&self, look: Look) -> String {
        let findings = self.0.iter().map(|diagnostic| diagnostic.render_as(look));
        findings.collect::<Vec<_>>().join("\n\n")
    }

    /// The findings.
    pub fn iter(&self) -> impl Iterator<Item = &Diagnostic> {
        self.0.iter()
    }

    /// Whether there is no finding at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The value if there is no error among the findings, else the findings.
    ///
    /// # Errors
    /// When one of the findings is an error, or there is no value.
    pub fn finish<T>(self, value: Option<T>) -> Result<(T, Self), Self> {
        match value {
            Some(value) if !self.has_errors() => Ok((value, self)),
            _ => Err(self),
        }
    }
}

impl From<Diagnostic> for Diagnostics {
    fn from(diagnostic: Diagnostic) -> Self {
        Self(vec![diagnostic])
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render_as(Look::Plain))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_file_line_column_snippet_and_help() {
        let source = Source::new("evals/a.yaml", "gate: suite/1\nasserts: []\n");
        let shown = Diagnostic::error("unknown-key", "unknown key `asserts`")
            .at(&source, Span { start: 14, end: 21 })
            .help("did you mean `scorers`?")
            .render();
        insta::assert_snapshot!(shown, @r"
        error[unknown-key]: unknown key `asserts`
         --> evals/a.yaml:2:1
          |
        2 | asserts: []
          | ^^^^^^^
          |
          = help: did you mean `scorers`?
        ");
    }

    #[test]
    fn shows_hostile_text_without_control_characters_and_cuts_long_lines() {
        let long = format!("{{\"id\": \"\u{1b}[31m\u{202e}x{}\"}}", "y".repeat(5_000));
        let source = Source::row("d.jsonl", &long, 9);
        let shown = Diagnostic::error("x", "bad")
            .at(
                &source,
                Span {
                    start: 7,
                    end: 4_000,
                },
            )
            .render();
        assert!(
            !shown.contains('\u{1b}') && !shown.contains('\u{202e}'),
            "{shown:?}"
        );
        assert!(shown.contains("d.jsonl:9:8"), "{shown}");
    }

    #[test]
    fn a_place_far_to_the_right_is_told_by_its_own_column() {
        let source = Source::row("d.jsonl", &format!("{}x", "\u{e9}".repeat(500)), 9);
        let span = Span {
            start: 1_000,
            end: 1_001,
        };
        let found = Diagnostic::error("x", "bad").at(&source, span);
        for look in [Look::Plain, Look::Colored] {
            let shown = found.render_as(look);
            assert!(shown.contains("d.jsonl:9:501"), "{shown}");
        }
    }

    #[test]
    fn colour_adds_nothing_but_colour() {
        let source = Source::row("d.jsonl", "{\"id\": \"\u{1b}[31mx\"}", 9);
        let found = Diagnostic::error("x", "bad \u{1b}]0;t\u{7}")
            .at(&source, Span { start: 7, end: 12 })
            .help("mend it");
        let colored = Diagnostics::from(found.clone()).render_as(Look::Colored);
        assert!(colored.contains("\u{1b}["), "{colored:?}");
        let stripped = anstream::adapter::strip_str(&colored).to_string();
        let trimmed = |text: &str| {
            text.lines()
                .map(str::trim_end)
                .collect::<Vec<_>>()
                .join("\n")
        };
        assert_eq!(trimmed(&stripped), found.render());
    }

    #[test]
    fn what_many_rows_have_is_one_finding_that_names_the_first_of_them() {
        let mut found = Diagnostics::new();
        let row = |line: usize, message: &str| -> Diagnostics {
            let source = Source::row("d.jsonl", "{}", line);
            Diagnostic::error("x", message)
                .at(&source, Span { start: 0, end: 2 })
                .into()
        };
        for line in [2, 5] {
            found.extend_by_row(row(line, "bad"));
        }
        found.extend_by_row(row(6, "worse"));
        assert_eq!(found.iter().count(), 2);
        let said = found.to_string();
        assert!(
            said.contains("bad, and in 1 further row: 5\n --> d.jsonl:2:1"),
            "{said}"
        );
        assert!(said.contains("error[x]: worse\n"), "{said}");
        for line in 7..2_000 {
            found.extend_by_row(row(line, "bad"));
        }
        let said = found.to_string();
        assert!(
            said.contains("and in 1,994 further rows: 5, 7, 8, 9, 10, …\n"),
            "{said}"
        );
        assert_eq!(found.summary(), "2 errors in 1 file");
    }

    proptest::proptest! {
        #[test]
        fn renders_any_text_and_span_without_a_panic(text in ".{0,80}", start in 0usize..300, length in 0usize..300) {
            let source = Source::row("d", &text, 1);
            let shown = Diagnostic::error("x", text.clone()).at(&source, Span { start, end: start + length }).render();
            proptest::prop_assert!(shown.contains("error[x]"));
        }
    }
}
