//! Markdown for the step summary and for the comment on a pull request (ci-and-cli.md section 4).
//!
//! It is a list of sections in the order of their worth. What does not fit the budget is left out
//! as whole sections from the end, and the text says so. Each section is bounded by itself, so
//! neither memory nor text grows with the number of cases.

use std::fmt::Write as _;
use std::io::{self, Write};

use super::content::{Report, SuiteOutcome, SuiteReport};
use super::escape::{markdown, markdown_code};
use super::words;

mod details;
mod lost;
mod method;
mod policy;

/// Where the text goes, which decides how long it may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A file of its own, or the summary of a step: 1,000,000 bytes.
    Summary,
    /// A comment, found again by its id: 60,000 characters.
    Comment {
        /// The id in its marker.
        id: String,
    },
}

const SUMMARY_BYTES: usize = 1_000_000;
const COMMENT_CHARS: usize = 60_000;
/// Bytes kept free for the sentence about what was left out.
const RESERVE: usize = 200;

impl Place {
    fn has_room(&self, bytes: usize, chars: usize) -> bool {
        match self {
            Self::Summary => bytes + RESERVE <= SUMMARY_BYTES,
            Self::Comment { .. } => chars + RESERVE <= COMMENT_CHARS,
        }
    }

    /// The bytes of an answer that is shown.
    fn answer_limit(&self) -> usize {
        match self {
            Self::Summary => 16_000,
            Self::Comment { .. } => 1_500,
        }
    }
}

/// The first line of a comment, by which it is found again.
#[must_use]
pub fn marker(id: &str) -> String {
    let is_plain = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '/');
    let id: String = id
        .chars()
        .map(|c| if is_plain(&c) { c } else { '_' })
        .collect();
    format!("<!-- gate:comment:{id} -->")
}

/// Writes the text.
///
/// # Errors
/// Those of the writer.
pub fn write(report: &Report<'_>, place: &Place, into: &mut dyn Write) -> io::Result<()> {
    let (mut bytes, mut chars) = (0, 0);
    if let Place::Comment { id } = place {
        let marker = marker(id);
        (bytes, chars) = (marker.len() + 1, marker.len() + 1);
        writeln!(into, "{marker}")?;
    }
    let sections = sections(report);
    for (number, section) in sections.iter().enumerate() {
        let text = section.render(report, place);
        bytes += text.len();
        chars += text.chars().count();
        if !place.has_room(bytes, chars) {
            let left = sections.len() - number;
            let what = if left == 1 {
                "section is"
            } else {
                "sections are"
            };
            return writeln!(
                into,
                "\n_{left} more {what} left out here for length; the JSON report has everything._"
            );
        }
        into.write_all(text.as_bytes())?;
    }
    Ok(())
}

/// The verdict alone, on one line: what a comment shrinks to when there is nothing to do.
///
/// `**Fail: v8 is worse than v7.** Of 200 cases it loses 10 that v7 gets right, and wins 2.`
#[must_use]
pub fn headline(report: &Report<'_>) -> String {
    sentence(words::title(report.verdict), &report.exit.message)
}

/// A verdict with its message, whose first clause is bold.
fn sentence(word: &str, message: &str) -> String {
    match message.split_once(": ") {
        Some((clause, rest)) => {
            let rest = capitalised(rest);
            format!("**{word}: {}.** {}", markdown(clause), markdown(&rest))
        }
        None => format!("**{word}: {}**", markdown(message)),
    }
}

/// A sentence with a capital, unless its first word is a name such as `v8`.
fn capitalised(sentence: &str) -> String {
    let first = sentence.split(' ').next().unwrap_or_default();
    let mut letters = sentence.chars();
    match letters.next() {
        Some(letter) if first.chars().all(char::is_alphabetic) => {
            letter.to_uppercase().chain(letters).collect()
        }
        Some(_) | None => sentence.to_owned(),
    }
}

/// What the text says but for what differs between two runs of one plan with equal answers: times,
/// money, ids. Two reports with one essence need not both be read.
#[must_use]
pub fn essence(report: &Report<'_>) -> String {
    let place = Place::Comment { id: String::new() };
    let sections = sections(report);
    let lasting = sections.iter().filter(|section| match section {
        Section::Head | Section::Policy(_) | Section::Lost(_) => true,
        Section::Details(_, detail) => detail.is_lasting(),
        Section::Next | Section::Reproduce => false,
    });
    let mut text: String = lasting
        .map(|section| section.render(report, &place))
        .collect();
    for suite in report.ran() {
        let _ = writeln!(text, "{}", suite.run.header.plan_digest);
    }
    text
}

/// A section, rendered when its turn comes.
enum Section<'a> {
    Head,
    Next,
    Policy(&'a SuiteOutcome<'a>),
    Lost(&'a SuiteReport<'a>),
    Details(&'a SuiteReport<'a>, details::Detail),
    Reproduce,
}

/// The sections in the order of their worth: what all suites say before what one says at length.
fn sections<'a>(report: &'a Report<'a>) -> Vec<Section<'a>> {
    let mut sections = vec![Section::Head];
    if !report.next.is_empty() {
        sections.push(Section::Next);
    }
    sections.extend(report.suites.iter().map(Section::Policy));
    sections.extend(report.ran().map(Section::Lost));
    for suite in report.ran() {
        let details = details::Detail::ALL.into_iter();
        sections.extend(details.map(|detail| Section::Details(suite, detail)));
    }
    if report.reproduce.is_some() {
        sections.push(Section::Reproduce);
    }
    sections
}

impl Section<'_> {
    fn render(&self, report: &Report<'_>, place: &Place) -> String {
        let heading = |suite: &SuiteReport<'_>| match report.suites.len() {
            0 | 1 => String::new(),
            _ => format!(", {}", markdown(&suite.run.header.title)),
        };
        match self {
            Self::Head => head(report),
            Self::Next => next(report),
            Self::Policy(outcome) => policy::render(outcome, report.suites.len() > 1),
            Self::Lost(suite) => lost::render(suite, &heading(suite), place.answer_limit()),
            Self::Details(suite, detail) => detail.render(suite, &heading(suite)),
            Self::Reproduce => {
                let command = report.reproduce.as_deref().unwrap_or_default();
                folded("Reproduce", &format!("{}\n", markdown_code(command)))
            }
        }
    }
}

fn head(report: &Report<'_>) -> String {
    let mut text = format!("{}\n", headline(report));
    let suite = match report.suites.as_slice() {
        [outcome] => outcome.ran(),
        [] | [_, _, ..] => None,
    };
    let decision = suite.map(|suite| suite.decision.notes.as_slice());
    let decision = decision.unwrap_or_default();
    let others = suite.map(SuiteReport::all_notes).unwrap_or_default();
    for note in report.notes.iter().chain(decision).chain(&others) {
        let _ = writeln!(text, "\n{}", markdown(note));
    }
    text
}

fn next(report: &Report<'_>) -> String {
    let mut text = "\n**Next**\n\n".to_owned();
    for step in &report.next {
        let note = markdown(&step.note);
        let gap = if note.is_empty() { "" } else { " \u{2013} " };
        let _ = writeln!(text, "- {}{gap}{note}", markdown_code(&step.command));
    }
    text
}

/// A section that is folded until someone opens it.
fn folded(summary: &str, body: &str) -> String {
    format!("\n<details>\n<summary>{summary}</summary>\n\n{body}\n</details>\n")
}

#[cfg(test)]
mod tests;
