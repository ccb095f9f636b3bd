//! What the screen shows (ci-and-cli.md section 6): the verdict in plain words, where it broke, the
//! evidence as a table, and what to do next.
//!
//! Colour comes from a [`Palette`] alone and never carries meaning. No line of it is a command to a
//! workflow runner.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};

use super::content::{NextStep, Report, SuiteNote, SuiteOutcome, SuiteReport};
use super::escape::{terminal_line, workflow_lines};
use super::{number, words};
use crate::base::text::{self, shorten};
use crate::record::Arm;
use crate::verdict::Verdict;

mod table;

/// The styles of a screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Palette {
    /// A pass.
    pub pass: Style,
    /// A fail, an error.
    pub fail: Style,
    /// Neither.
    pub undecided: Style,
    /// Heads of columns, names of suites.
    pub head: Style,
    /// What is beside the point.
    pub dim: Style,
}

impl Palette {
    /// No styles.
    #[must_use]
    pub fn plain() -> Self {
        Self::default()
    }

    /// The sixteen colours of every terminal.
    #[must_use]
    pub fn ansi() -> Self {
        Self {
            pass: AnsiColor::Green.on_default().bold(),
            fail: AnsiColor::Red.on_default().bold(),
            undecided: AnsiColor::Yellow.on_default().bold(),
            head: Style::new().bold(),
            dim: Style::new().dimmed(),
        }
    }

    fn of(self, verdict: Verdict) -> Style {
        match verdict {
            Verdict::Pass => self.pass,
            Verdict::Fail | Verdict::Error => self.fail,
            Verdict::Inconclusive => self.undecided,
            Verdict::Skipped => self.dim,
        }
    }
}

/// How much is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Detail {
    /// Verdict, table, next steps.
    #[default]
    Normal,
    /// `-v`: intervals of the arms, digests and cost too.
    Verbose,
}

/// How a screen is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Screen {
    /// Its styles.
    pub palette: Palette,
    /// Its width in columns; fewer than 60 count as 60.
    pub width: usize,
    /// How much it shows.
    pub detail: Detail,
}

const MIN_WIDTH: usize = 60;
const INDENT: &str = "      ";
/// The most lost cases that are named, and the most characters of an id that are.
const MOST_LOST: usize = 20;
const MAX_ID: usize = 40;

/// Writes the screen.
///
/// # Errors
/// Those of the writer.
pub fn write(report: &Report<'_>, screen: Screen, into: &mut dyn Write) -> io::Result<()> {
    let mut out = Lines {
        screen: Screen {
            width: screen.width.max(MIN_WIDTH),
            ..screen
        },
        into,
    };
    match report.suites.as_slice() {
        [SuiteOutcome::Ran(suite)] => {
            out.verdict(report.verdict, "", &report.exit.message)?;
            out.notes(report.notes.iter().map(String::as_str))?;
            suite_block(&mut out, suite)?;
        }
        [] | [SuiteOutcome::Skipped(_) | SuiteOutcome::Failed(_)] => {
            out.verdict(report.verdict, "", &report.exit.message)?;
            out.notes(report.notes.iter().map(String::as_str))?;
        }
        several => {
            out.verdict(report.verdict, "", &report.exit.message)?;
            out.notes(report.notes.iter().map(String::as_str))?;
            for outcome in several {
                out.line("")?;
                one_of_several(&mut out, outcome)?;
            }
        }
    }
    next_block(&mut out, &report.next)
}

fn one_of_several(out: &mut Lines<'_>, outcome: &SuiteOutcome<'_>) -> io::Result<()> {
    out.verdict(outcome.verdict(), outcome.title(), outcome.message())?;
    match outcome {
        SuiteOutcome::Ran(suite) => suite_block(out, suite),
        SuiteOutcome::Skipped(SuiteNote { .. }) | SuiteOutcome::Failed(SuiteNote { .. }) => Ok(()),
    }
}

fn suite_block(out: &mut Lines<'_>, suite: &SuiteReport<'_>) -> io::Result<()> {
    out.notes(suite.decision.notes.iter().map(String::as_str))?;
    out.notes(suite.all_notes().iter().map(String::as_str))?;
    errors(out, suite)?;
    if !suite.decision.rules.is_empty() {
        out.line("")?;
        table::write(out, suite)?;
        let footnote = words::footnote(suite);
        if !footnote.is_empty() {
            out.wrapped(&footnote, "")?;
        }
    }
    lost(out, suite)?;
    match out.screen.detail {
        Detail::Normal => Ok(()),
        Detail::Verbose => verbose(out, suite),
    }
}

/// The lost cases, in the dataset's order.
fn lost(out: &mut Lines<'_>, suite: &SuiteReport<'_>) -> io::Result<()> {
    let lost: Vec<String> = suite
        .table
        .rows
        .iter()
        .filter(|row| row.is_lost())
        .map(|row| terminal_line(&shorten(row.id, MAX_ID)))
        .collect();
    if lost.is_empty() {
        return Ok(());
    }
    let shown = lost.iter().take(MOST_LOST).map(String::as_str);
    let more = match lost.len().saturating_sub(MOST_LOST) {
        0 => String::new(),
        more => format!(" and {} more", text::thousands(more)),
    };
    let text = shown.collect::<Vec<_>>().join(", ") + &more;
    // Alone, a version has nothing to lose a case to.
    let (head, indent) = if suite.table.has_baseline {
        ("Lost  ", INDENT)
    } else {
        ("Failed  ", "        ")
    };
    out.line("")?;
    let style = out.screen.palette.head;
    let lines = wrap(&text, out.screen.width, indent, indent);
    for (number, line) in lines.iter().enumerate() {
        match line.strip_prefix(indent).filter(|_| number == 0) {
            Some(ids) => out.line(&format!("{}{ids}", styled(style, head)))?,
            None => out.line(line)?,
        }
    }
    Ok(())
}

/// Errored trials of each arm by class, which explain a verdict that could not be formed.
fn errors(out: &mut Lines<'_>, suite: &SuiteReport<'_>) -> io::Result<()> {
    for arm in &suite.arms {
        if arm.errors.is_empty() {
            continue;
        }
        let classes = arm.errors.iter();
        let classes = classes.map(|(class, count)| format!("{count} {}", class.as_str()));
        let classes = classes.collect::<Vec<_>>().join(", ");
        let label = suite.label(arm.arm);
        out.wrapped(&format!("Errored trials of {label}: {classes}."), INDENT)?;
    }
    Ok(())
}

fn next_block(out: &mut Lines<'_>, next: &[NextStep]) -> io::Result<()> {
    if next.is_empty() {
        return Ok(());
    }
    out.line("")?;
    let longest = next.iter().filter(|step| !step.note.is_empty());
    let longest = longest
        .map(|step| width(&terminal_line(&step.command)))
        .max();
    for (step, lead) in next
        .iter()
        .zip(["Next  "].into_iter().chain(std::iter::repeat(INDENT)))
    {
        let command = terminal_line(&step.command);
        let note = terminal_line(&step.note);
        let lead = styled(out.screen.palette.head, lead);
        if note.is_empty() {
            out.line(&format!("{lead}{command}"))?;
            continue;
        }
        let gap = longest.unwrap_or(0) - width(&command).min(longest.unwrap_or(0)) + 4;
        let fits = INDENT.len() + width(&command) + gap + width(&note) <= out.screen.width;
        if fits {
            out.line(&format!("{lead}{command}{}{note}", " ".repeat(gap)))?;
        } else {
            out.line(&format!("{lead}{command}"))?;
            out.wrapped(&note, "          ")?;
        }
    }
    Ok(())
}

fn verbose(out: &mut Lines<'_>, suite: &SuiteReport<'_>) -> io::Result<()> {
    let header = &suite.run.header;
    out.line("")?;
    for arm in [Arm::Baseline, Arm::Candidate] {
        if let Some(summary) = suite.arm(arm) {
            for line in arm_lines(suite.label(arm), summary) {
                out.wrapped_with(&line, "", INDENT)?;
            }
        }
    }
    let models = std::iter::once(&header.model).chain(&header.candidate_model);
    let models: Vec<String> = models
        .map(|model| {
            let id = model.model.as_deref().unwrap_or(&model.name);
            format!("{id} ({})", model.provider)
        })
        .collect();
    let hashes = header
        .arms
        .iter()
        .map(|arm| format!("{} {}", arm.label, arm.hash));
    for line in [
        format!("spent    {}", number::usd(suite.spent_usd)),
        format!(
            "run      {}, seed {}, repeat {}",
            header.run_id, header.seed, header.repeat
        ),
        format!("model    {}", models.join(", then ")),
        format!("suite    {} {}", header.title, header.suite_digest),
        format!("plan     {}", header.plan_digest),
        format!("dataset  {} {}", header.dataset.path, header.dataset.digest),
    ]
    .into_iter()
    .chain(hashes.map(|hash| format!("prompt   {hash}")))
    .chain(header.registry_head.map(|head| format!("registry {head}")))
    .chain(words::records(suite).map(|record| format!("judge    {record}")))
    {
        out.wrapped_with(&line, "", "         ")?;
    }
    Ok(())
}

fn arm_lines(label: &str, arm: &crate::analysis::ArmSummary) -> [String; 2] {
    let rate = arm
        .pass_rate
        .map_or_else(|| number::UNKNOWN.to_owned(), number::percent);
    let ci = arm.ci.map_or_else(String::new, |ci| {
        let (low, high) = (number::percent(ci.low), number::percent(ci.high));
        format!(
            " ({} interval {low} to {high}, {})",
            number::level(ci.level),
            ci.method
        )
    });
    let counts = [
        ("passed", arm.passed),
        ("failed", arm.failed),
        ("errored", arm.errored),
        ("skipped", arm.skipped),
    ];
    let counts = counts
        .map(|(word, count)| format!("{count} {word}"))
        .join(", ");
    [
        format!(
            "{label}: pass rate {rate}{ci}; {} trials: {counts}",
            arm.trials
        ),
        format!(
            "{label}: cost {}, judges {}; latency p50 {}, p95 {}; {} requests, {} retries, {} from the cache",
            number::usd(arm.cost_usd),
            number::usd(arm.judge_cost_usd),
            number::millis(arm.latency_ms.p50),
            number::millis(arm.latency_ms.p95),
            arm.requests,
            arm.retries,
            arm.cache_hits,
        ),
    ]
}

/// The columns that a text takes: one a character.
fn width(text: &str) -> usize {
    text.chars().count()
}

fn styled(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}

/// A screen under way.
pub struct Lines<'a> {
    screen: Screen,
    into: &'a mut dyn Write,
}

impl Lines<'_> {
    /// Writes a line that is safe but for workflow commands.
    fn line(&mut self, line: &str) -> io::Result<()> {
        writeln!(self.into, "{}", workflow_lines(line.trim_end()))
    }

    fn verdict(&mut self, verdict: Verdict, title: &str, message: &str) -> io::Result<()> {
        let word = words::shout(verdict);
        let title = terminal_line(title);
        let title = if title.is_empty() {
            title
        } else {
            format!("{title}: ")
        };
        let text = format!("{word}  {title}{}", terminal_line(message));
        let style = self.screen.palette.of(verdict);
        for (number, line) in wrap(&text, self.screen.width, "", INDENT)
            .iter()
            .enumerate()
        {
            match line.strip_prefix(word).filter(|_| number == 0) {
                Some(rest) => self.line(&format!("{}{rest}", styled(style, word)))?,
                None => self.line(line)?,
            }
        }
        Ok(())
    }

    fn notes<'b>(&mut self, notes: impl Iterator<Item = &'b str>) -> io::Result<()> {
        for note in notes {
            self.wrapped(note, INDENT)?;
        }
        Ok(())
    }

    /// Writes a text in lines that all begin with `indent`.
    fn wrapped(&mut self, text: &str, indent: &str) -> io::Result<()> {
        self.wrapped_with(text, indent, indent)
    }

    fn wrapped_with(&mut self, text: &str, first: &str, indent: &str) -> io::Result<()> {
        for line in wrap(&terminal_line(text), self.screen.width, first, indent) {
            self.line(&line)?;
        }
        Ok(())
    }
}

/// Breaks a text between words so that no line is wider than `columns`, unless a word alone is.
/// White space at the beginning of a line and between words is kept.
fn wrap(text: &str, columns: usize, first: &str, indent: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = first.to_owned();
    let mut gap = String::new();
    let mut has_word = false;
    for word in text.split(' ') {
        if word.is_empty() {
            gap.push(' ');
            continue;
        }
        if has_word && width(&line) + width(&gap) + width(word) > columns {
            lines.push(std::mem::replace(&mut line, indent.to_owned()));
            gap.clear();
        }
        line.push_str(&gap);
        line.push_str(word);
        has_word = true;
        " ".clone_into(&mut gap);
    }
    lines.push(line);
    lines
}

#[cfg(test)]
mod tests;
