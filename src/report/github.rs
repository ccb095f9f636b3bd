//! What GitHub Actions shows besides the log: annotations on the lines of lost cases, and the
//! outputs of the step. The summary of the step is [`super::markdown`].

use std::io::{self, Write};

use super::content::{Report, SuiteReport};
use super::escape::{workflow_lines, workflow_message, workflow_property};
use super::{exhibit, markdown};
use crate::analysis::Transition;
use crate::base::text::{byte_prefix, visible_line};
use crate::verdict::Verdict;

/// The runner keeps ten of a kind for the whole action; the tenth says how many more there are.
const MOST: usize = 9;
/// The runner cuts longer messages.
const MESSAGE_BYTES: usize = 4_000;

/// Writes the summary of the step.
///
/// # Errors
/// Those of the writer.
pub fn write_summary(report: &Report<'_>, into: &mut dyn Write) -> io::Result<()> {
    markdown::write(report, &markdown::Place::Summary, into)
}

/// Writes the annotations as workflow commands: the lost cases where they stand in their dataset.
/// They are errors where the gate fails, else warnings.
///
/// # Errors
/// Those of the writer.
pub fn write_annotations(report: &Report<'_>, into: &mut dyn Write) -> io::Result<()> {
    let level = if report.exit.code == 0 {
        "warning"
    } else {
        "error"
    };
    let mut given = 0;
    for outcome in &report.suites {
        let message = format!("{}: {}", outcome.title(), outcome.message());
        let has_case = outcome
            .ran()
            .is_some_and(|suite| lost(suite).next().is_some());
        if is_bad(outcome.verdict()) && !has_case {
            given += 1;
            if given <= MOST {
                annotate(into, level, "", "gate", &message)?;
            }
        }
        for (suite, index) in outcome.ran().into_iter().flat_map(lost) {
            given += 1;
            if given <= MOST {
                annotate_case(into, level, suite, index)?;
            }
        }
    }
    if given > MOST {
        annotate(
            into,
            level,
            "",
            "gate",
            &format!("and {} more", given - MOST),
        )?;
    }
    Ok(())
}

fn is_bad(verdict: Verdict) -> bool {
    match verdict {
        Verdict::Fail | Verdict::Error | Verdict::Inconclusive => true,
        Verdict::Pass | Verdict::Skipped => false,
    }
}

fn lost<'a>(suite: &'a SuiteReport<'a>) -> impl Iterator<Item = (&'a SuiteReport<'a>, usize)> {
    let rows = suite.rows().filter(|(_, row, _)| row.is_lost());
    rows.map(move |(index, _, _)| (suite, index))
}

fn annotate_case(
    into: &mut dyn Write,
    level: &str,
    suite: &SuiteReport<'_>,
    index: usize,
) -> io::Result<()> {
    let Some(row) = suite.table.rows.get(index) else {
        return Ok(());
    };
    let header = &suite.run.header;
    let file = workflow_property(&header.dataset.path);
    let place = format!("file={file},line={},", row.line);
    let message = exhibit::message(suite, index, row);
    annotate(
        into,
        level,
        &place,
        &header.title,
        &format!("{}: {message}", row.id),
    )
}

fn annotate(
    into: &mut dyn Write,
    level: &str,
    place: &str,
    title: &str,
    message: &str,
) -> io::Result<()> {
    let title = workflow_property(title);
    let message = workflow_message(&visible_line(message));
    // A cut in the middle of an encoded character would leave its beginning.
    let mut message = byte_prefix(&message, MESSAGE_BYTES);
    for start in ["%", "%0", "%2"] {
        message = message.strip_suffix(start).unwrap_or(message);
    }
    writeln!(into, "::{level} {place}title={title}::{message}")
}

/// Writes a text between marks that switch workflow commands off; `token` is random.
///
/// # Errors
/// Those of the writer.
pub fn write_quoted(text: &str, token: &str, into: &mut dyn Write) -> io::Result<()> {
    writeln!(into, "::stop-commands::{token}")?;
    writeln!(into, "{}", workflow_lines(text))?;
    writeln!(into, "::{token}::")
}

/// Where the report files were written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Paths {
    /// The JUnit file.
    pub junit: Option<String>,
    /// The result document.
    pub json: Option<String>,
    /// The HTML page.
    pub html: Option<String>,
    /// The Markdown text.
    pub markdown: Option<String>,
}

/// Writes the step's outputs in the form of `$GITHUB_OUTPUT`; `delimiter` is random.
///
/// # Errors
/// Those of the writer.
pub fn write_outputs(
    report: &Report<'_>,
    paths: &Paths,
    delimiter: &str,
    into: &mut dyn Write,
) -> io::Result<()> {
    let rule = report.deciding().and_then(SuiteReport::pass_rate);
    let p = rule.and_then(|rule| rule.p_regression_adjusted.or(rule.p_regression));
    let effect = rule.and_then(|rule| rule.estimate);
    let number = |value: Option<f64>| value.map_or_else(String::new, |value| value.to_string());
    let path = |path: &Option<String>| path.as_deref().map_or_else(String::new, visible_line);
    let outputs = [
        ("verdict", report.verdict.as_str().to_owned()),
        ("exit-code", report.exit.code.to_string()),
        ("p-value", number(p)),
        ("effect", number(effect)),
        (
            "regressions",
            cases(report, Transition::Regression).to_string(),
        ),
        ("fixed", cases(report, Transition::Fixed).to_string()),
        ("cost-usd", number(cost(report))),
        ("junit-path", path(&paths.junit)),
        ("json-path", path(&paths.json)),
        ("html-path", path(&paths.html)),
        ("markdown-path", path(&paths.markdown)),
    ];
    for (name, value) in outputs {
        writeln!(into, "{name}<<{delimiter}\n{value}\n{delimiter}")?;
    }
    Ok(())
}

fn cases(report: &Report<'_>, transition: Transition) -> usize {
    let rows = report.ran().flat_map(SuiteReport::rows);
    rows.filter(|(_, row, _)| row.counts_as(transition)).count()
}

/// What the command paid; unknown where one suite's part is.
fn cost(report: &Report<'_>) -> Option<f64> {
    report.ran().map(|suite| suite.spent_usd).sum()
}

#[cfg(test)]
mod tests;
