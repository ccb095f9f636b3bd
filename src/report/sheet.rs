//! One case of a run in full, for a terminal: what was asked and expected, every answer of both sides
//! with its scores and their reasons, and the difference between the answers, word by word.
//!
//! Whatever comes from the dataset or a model is made visible, and is never a command to a runner.

use std::fmt::Write as _;

use super::content::SuiteReport;
use super::contrast::{self, Marks, Side};
use super::escape::{terminal, terminal_line, workflow_lines};
use super::exhibit;
use crate::record::{Arm, Outcome, TrialRecord};

/// The sheet of the case with this index, on a screen of this width: both answers side by side where
/// there are two and room for them, else one below the other.
#[must_use]
pub fn render(suite: &SuiteReport<'_>, index: usize, width: usize, marks: Marks) -> String {
    let mut sheet = String::new();
    let Some((_, row, Some(case))) = suite.rows().nth(index) else {
        return sheet;
    };
    let exhibit = exhibit::of(suite, index, row, Some(case));
    let mut facts = vec![format!("{}:{}", suite.run.header.dataset.path, row.line)];
    let segments = row.segment.iter();
    facts.extend(segments.map(|(key, value)| format!("{key}={value}")));
    facts.extend(case.tags.iter().map(|tag| format!("#{tag}")));
    facts.extend(row.must_pass.then(|| "must pass".to_owned()));
    facts.extend(row.is_held_out().then(|| "quarantined as flaky".to_owned()));
    // Writing to a `String` can not fail.
    let id = marks.heading(&terminal_line(row.id));
    let _ = writeln!(sheet, "{id}  ({})", terminal_line(&facts.join(", ")));
    let _ = writeln!(sheet, "{}\n", terminal(&exhibit.message));
    for (name, value) in &exhibit.input {
        block(&mut sheet, name, value, marks);
    }
    if let Some(expected) = &exhibit.expected {
        block(&mut sheet, "expected", expected, marks);
    }
    let pair = pair(suite, index).filter(|_| width >= contrast::LEAST_WIDTH);
    let has_pair = pair.is_some();
    if let Some([old, new]) = &pair {
        let (old, new) = (old.side(), new.side());
        sheet.push_str(&contrast::side_by_side(old, new, width, marks));
        sheet.push('\n');
    }
    for arm in suite.run.arms() {
        for (number, trial) in suite.run.repeats(index, arm).iter().enumerate() {
            if has_pair {
                let label = terminal_line(suite.label(arm));
                let _ = writeln!(sheet, "{}", marks.heading(&label));
            } else {
                answer(&mut sheet, suite, (arm, number), trial, marks);
            }
            scores(&mut sheet, suite, trial, marks);
        }
    }
    if !has_pair {
        difference(&mut sheet, suite, index, marks);
    }
    workflow_lines(&sheet).into_owned()
}

/// A heading with an indented text below it.
fn block(sheet: &mut String, heading: &str, content: &str, marks: Marks) {
    let _ = writeln!(sheet, "{}", marks.heading(&terminal_line(heading)));
    indented(sheet, content);
    sheet.push('\n');
}

fn indented(sheet: &mut String, content: &str) {
    let content = terminal(content);
    if content.is_empty() {
        sheet.push_str("  (empty)\n");
    }
    for line in content.lines() {
        let _ = writeln!(sheet, "  {line}");
    }
}

/// An answer as it is shown.
struct Shown {
    heading: String,
    text: String,
}

impl Shown {
    fn of(suite: &SuiteReport<'_>, (arm, number): (Arm, usize), trial: &TrialRecord) -> Self {
        let repeats = suite.run.header.repeat;
        let repeat = if repeats > 1 {
            format!(", repeat {} of {repeats}", number + 1)
        } else {
            String::new()
        };
        let outcome = trial.outcome.unwrap_or(Outcome::Skipped).as_str();
        Self {
            heading: terminal_line(&format!("{}, {outcome}{repeat}", suite.label(arm))),
            text: match suite.answer(trial) {
                Ok(answer) => answer.reply,
                Err(words) => format!("({words})"),
            },
        }
    }

    fn side(&self) -> Side<'_> {
        Side {
            heading: &self.heading,
            text: &self.text,
        }
    }
}

/// Both answers, where each arm has one.
fn pair(suite: &SuiteReport<'_>, index: usize) -> Option<[Shown; 2]> {
    let only = |arm| match suite.run.repeats(index, arm) {
        [trial] if suite.answer(trial).is_ok() => Some(Shown::of(suite, (arm, 0), trial)),
        _ => None,
    };
    Some([only(Arm::Baseline)?, only(Arm::Candidate)?])
}

fn answer(
    sheet: &mut String,
    suite: &SuiteReport<'_>,
    place: (Arm, usize),
    trial: &TrialRecord,
    marks: Marks,
) {
    let shown = Shown::of(suite, place, trial);
    let _ = writeln!(sheet, "{}", marks.heading(&shown.heading));
    indented(sheet, &shown.text);
}

/// The scores of a trial with their reasons, or why it has none.
fn scores(sheet: &mut String, suite: &SuiteReport<'_>, trial: &TrialRecord, marks: Marks) {
    let scores = suite.scores(trial).filter(|scores| !scores.is_empty());
    let Some(scores) = scores else {
        for problem in exhibit::problems(suite, trial) {
            let _ = writeln!(sheet, "  - {}", terminal_line(&problem));
        }
        sheet.push('\n');
        return;
    };
    if let Some(fault) = trial.fault {
        let _ = writeln!(sheet, "  - the answer is faulty: {}", fault.as_str());
    }
    for score in scores {
        let watched = if score.gating {
            ""
        } else {
            ", does not decide"
        };
        let line = format!(
            "{} ({:.2}{watched}): {}",
            score.scorer, score.score, score.reason
        );
        let word = marks.passing(score.pass);
        let _ = writeln!(sheet, "  - {word}  {}", terminal_line(&line));
    }
    sheet.push('\n');
}

/// What the candidate's first answer changes in the baseline's.
fn difference(sheet: &mut String, suite: &SuiteReport<'_>, index: usize, marks: Marks) {
    let first = |arm| {
        let trial = suite.run.repeats(index, arm).first()?;
        Some(suite.answer(trial).ok()?.reply)
    };
    let arms = (first(Arm::Baseline), first(Arm::Candidate));
    let (Some(before), Some(after)) = arms else {
        return;
    };
    let (old, new) = (suite.label(Arm::Baseline), suite.label(Arm::Candidate));
    if before == after {
        let _ = writeln!(
            sheet,
            "{} and {} answer the same",
            terminal_line(old),
            terminal_line(new)
        );
        return;
    }
    let _ = writeln!(sheet, "{} to {}", terminal_line(old), terminal_line(new));
    for line in contrast::edit(&before, &after, marks).lines() {
        let _ = writeln!(sheet, "  {line}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn shows_a_case_in_full_and_hostile_text_harmless() {
        let sample = sample::hostile();
        let report = sample.report();
        let suite = report.ran().next().unwrap();
        for index in 0..suite.run.cases.len() {
            let (narrow, wide) = (
                render(suite, index, 40, Marks::Plain),
                render(suite, index, 100, Marks::Plain),
            );
            let styled = render(suite, index, 100, Marks::Styled);
            assert!(styled.starts_with("\u{1b}[1m"), "{styled:?}");
            let stripped = anstream::adapter::strip_str(&styled).to_string();
            let sheet = format!("{narrow}{wide}{stripped}");
            assert!(
                sheet.contains("expected") || sheet.contains("passed"),
                "{sheet}"
            );
            let harmful = |c: char| c == '\u{1b}' || c == '\u{202e}' || c == '\r';
            assert!(!sheet.contains(harmful), "{sheet:?}");
            assert!(wide.lines().all(|line| line.chars().count() < 400));
            assert!(
                !sheet
                    .lines()
                    .any(|line| line.trim_start().starts_with("::")),
                "{sheet}"
            );
        }
    }
}
