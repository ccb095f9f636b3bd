//! Reads located values into types: each reader reports what it finds wrong and goes on, so that a
//! file's errors come all at once. Unknown keys are errors with a suggestion.

use std::sync::Arc;

use super::{Diagnostic, Diagnostics, Entry, Node, Source, Span, Value, text};

/// What a reader needs besides the value: the source that spans refer to, and the findings so far.
#[derive(Debug)]
pub struct Reader<'a> {
    /// The source of the values being read.
    pub source: Arc<Source>,
    /// Where findings go.
    pub diagnostics: &'a mut Diagnostics,
}

impl Reader<'_> {
    /// Reports an error at a place.
    pub fn error(
        &mut self,
        span: Span,
        rule: &'static str,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        let diagnostic = Diagnostic::error(rule, message)
            .at(&self.source, span)
            .help(help);
        self.diagnostics.push(diagnostic);
    }

    /// Reports a warning at a place.
    pub fn warning(
        &mut self,
        span: Span,
        rule: &'static str,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        let diagnostic = Diagnostic::warning(rule, message)
            .at(&self.source, span)
            .help(help);
        self.diagnostics.push(diagnostic);
    }

    fn wrong_kind(&mut self, node: &Node, what: &str, wanted: &str) {
        let message = format!("{what} must be {wanted}, this is {}", node.kind());
        let help = match (&node.value, wanted) {
            (Value::Number(_) | Value::Bool(_) | Value::Null, "text") => "quote it".to_owned(),
            _ => format!("write {wanted}"),
        };
        self.error(node.span, "wrong-type", message, help);
    }

    /// A text value.
    pub fn text<'n>(&mut self, node: &'n Node, what: &str) -> Option<&'n str> {
        let text = node.as_text();
        if text.is_none() {
            self.wrong_kind(node, what, "text");
        }
        text
    }

    /// A text value that is not empty.
    pub fn nonempty<'n>(&mut self, node: &'n Node, what: &str) -> Option<&'n str> {
        let text = self.text(node, what)?;
        if text.is_empty() {
            self.error(
                node.span,
                "empty",
                format!("{what} may not be empty"),
                "write a value or remove the key",
            );
            return None;
        }
        Some(text)
    }

    /// `true` or `false`.
    pub fn boolean(&mut self, node: &Node, what: &str) -> Option<bool> {
        match node.value {
            Value::Bool(value) => Some(value),
            _ => {
                self.wrong_kind(node, what, "true or false");
                None
            }
        }
    }

    /// A number within a closed range.
    pub fn number(&mut self, node: &Node, what: &str, low: f64, high: f64) -> Option<f64> {
        let Value::Number(number) = node.value else {
            self.wrong_kind(node, what, "a number");
            return None;
        };
        if number >= low && number <= high {
            return Some(number);
        }
        let range = match (low.is_finite(), high.is_finite()) {
            (true, true) => format!("from {low} to {high}"),
            (true, false) => format!("{low} or more"),
            _ => format!("{high} or less"),
        };
        self.error(
            node.span,
            "out-of-range",
            format!("{what} is {number}"),
            format!("it must be {range}"),
        );
        None
    }

    /// A whole number of at least `low` (and at most 2^53 - 1).
    pub fn whole(&mut self, node: &Node, what: &str, low: u64) -> Option<u64> {
        #[expect(clippy::cast_precision_loss, reason = "limits are small")]
        let number = self.number(node, what, low as f64, super::node::MAX_SAFE_INTEGER)?;
        if number.fract() != 0.0 {
            self.error(
                node.span,
                "wrong-type",
                format!("{what} must be a whole number"),
                "remove the fraction",
            );
            return None;
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "checked above"
        )]
        let whole = number as u64;
        Some(whole)
    }

    /// A whole number that fits 32 bits.
    pub fn whole_u32(&mut self, node: &Node, what: &str, low: u64) -> Option<u32> {
        let whole = self.whole(node, what, low)?;
        if let Ok(small) = u32::try_from(whole) {
            return Some(small);
        }
        self.error(
            node.span,
            "out-of-range",
            format!("{what} is too large"),
            "write a smaller number",
        );
        None
    }

    /// A list.
    pub fn list<'n>(&mut self, node: &'n Node, what: &str) -> Option<&'n [Node]> {
        match &node.value {
            Value::List(items) => Some(items),
            _ => {
                self.wrong_kind(node, what, "a list");
                None
            }
        }
    }

    /// A list of text.
    pub fn texts(&mut self, node: &Node, what: &str) -> Option<Vec<String>> {
        let items = self.list(node, what)?;
        let item = format!("an item of {what}");
        let texts: Vec<String> = items
            .iter()
            .filter_map(|node| self.text(node, &item))
            .map(str::to_owned)
            .collect();
        (texts.len() == items.len()).then_some(texts)
    }

    /// The entries of a map.
    pub fn map<'n>(&mut self, node: &'n Node, what: &str) -> Option<&'n [Entry]> {
        match &node.value {
            Value::Map(entries) => Some(entries),
            _ => {
                self.wrong_kind(node, what, "a map");
                None
            }
        }
    }

    /// One of a fixed set of words.
    pub fn word<T: Copy>(&mut self, node: &Node, what: &str, words: &[(&str, T)]) -> Option<T> {
        let text = self.text(node, what)?;
        let found = words
            .iter()
            .find(|(word, _)| *word == text)
            .map(|(_, value)| *value);
        if found.is_none() {
            let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            let message = format!("{what} can not be `{text}`");
            self.error(node.span, "unknown-word", message, choices(text, &known));
        }
        found
    }

    /// Reads the `gate:` key of a document and checks kind and version.
    pub fn check_format(&mut self, node: &Node, expected: &str) -> bool {
        let Some(found) = self.text(node, "`gate`") else {
            return false;
        };
        if found == expected {
            return true;
        }
        let (kind, _) = expected.split_once('/').unwrap_or((expected, ""));
        let (message, help) = match found.split_once('/') {
            Some((found_kind, _)) if found_kind == kind => (
                format!("this file has format `{found}`, this program reads `{expected}`"),
                "use the version of gate that the file was written for, or convert the file"
                    .to_owned(),
            ),
            _ => (
                format!("expected a file of format `{expected}`, this says `{found}`"),
                format!("write `gate: {expected}`"),
            ),
        };
        self.error(node.span, "format", message, help);
        false
    }
}

/// Advice that lists the words allowed, and the nearest one first.
#[must_use]
pub fn choices(word: &str, known: &[&str]) -> String {
    if known.is_empty() {
        return "there is none to choose from".to_owned();
    }
    let list = known.join(", ");
    match text::suggestion(word, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`? (one of: {list})"),
        None => format!("one of: {list}"),
    }
}

/// A map that is read key by key; what nobody asked for is unknown.
#[derive(Debug)]
pub struct Table<'n> {
    what: String,
    span: Span,
    entries: &'n [Entry],
    known: Vec<&'static str>,
    foreign: &'static [(&'static str, &'static str)],
}

impl<'n> Table<'n> {
    /// Starts to read a map. Anything else is reported.
    pub fn new(reader: &mut Reader<'_>, node: &'n Node, what: &str) -> Option<Self> {
        let entries = reader.map(node, what)?;
        Some(Self {
            what: what.to_owned(),
            span: node.span,
            entries,
            known: Vec::new(),
            foreign: &[],
        })
    }

    /// Words of other tools with ours, for suggestions.
    pub fn expect_foreign(&mut self, foreign: &'static [(&'static str, &'static str)]) {
        self.foreign = foreign;
    }

    /// Where the map stands.
    #[must_use]
    pub fn span(&self) -> Span {
        self.span
    }

    /// The value of a key; a null counts as absent.
    pub fn get(&mut self, key: &'static str) -> Option<&'n Node> {
        self.get_or_null(key).filter(|node| !node.is_null())
    }

    /// The value of a key, null included.
    pub fn get_or_null(&mut self, key: &'static str) -> Option<&'n Node> {
        if !self.known.contains(&key) {
            self.known.push(key);
        }
        self.entries
            .iter()
            .find(|entry| entry.key == key)
            .map(|entry| &entry.value)
    }

    /// The value of a key that must be there.
    pub fn require(&mut self, reader: &mut Reader<'_>, key: &'static str) -> Option<&'n Node> {
        let value = self.get(key);
        if value.is_none() {
            let message = format!("{} has no `{key}`", self.what);
            reader.error(self.span, "missing-key", message, format!("add `{key}:`"));
        }
        value
    }

    /// Reports every key that was never asked for.
    pub fn finish(self, reader: &mut Reader<'_>) {
        for entry in self.entries {
            if self.known.contains(&entry.key.as_str()) {
                continue;
            }
            let foreign = self.foreign.iter().find(|(theirs, _)| *theirs == entry.key);
            let near = foreign.map(|(_, ours)| *ours);
            let near = near.or_else(|| text::suggestion(&entry.key, self.known.iter().copied()));
            let help = near.map_or_else(
                || format!("{} takes: {}", self.what, self.known.join(", ")),
                |near| format!("did you mean `{near}`?"),
            );
            let message = format!("unknown key `{}` in {}", entry.key, self.what);
            reader.error(entry.key_span, "unknown-key", message, help);
        }
    }

    /// The keys asked for so far, for the check of the published schemas against the readers.
    #[must_use]
    pub fn known(&self) -> &[&'static str] {
        &self.known
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_all_errors_of_a_map_at_once() {
        let source = Source::new("t.yaml", "nme: x\nsize: [1]\nrate: 7\n");
        let node = super::super::yaml::parse(&source).unwrap();
        let mut diagnostics = Diagnostics::new();
        let mut reader = Reader {
            source,
            diagnostics: &mut diagnostics,
        };
        let mut table = Table::new(&mut reader, &node, "the suite").unwrap();
        assert!(table.require(&mut reader, "name").is_none());
        let size = table
            .get("size")
            .and_then(|node| reader.whole(node, "`size`", 0));
        let rate = table
            .get("rate")
            .and_then(|node| reader.number(node, "`rate`", 0.0, 1.0));
        table.finish(&mut reader);
        assert_eq!((size, rate), (None, None));
        let rules: Vec<&str> = diagnostics.iter().map(|d| d.rule).collect();
        assert_eq!(
            rules,
            ["missing-key", "wrong-type", "out-of-range", "unknown-key"]
        );
        let help = diagnostics.iter().last().and_then(|d| d.help.clone());
        assert_eq!(help.as_deref(), Some("did you mean `name`?"));
    }
}
