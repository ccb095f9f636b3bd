//! A case as a person wants to see it: what was asked, what was expected, what each side answered,
//! and which assertions failed. Read from the run's log for one case at a time; unescaped.

use serde_json::Value;

use super::content::SuiteReport;
use crate::analysis::{CaseRow, Transition};
use crate::base::text::shorten;
use crate::dataset::Case;
use crate::record::{Arm, Outcome, TrialRecord};

/// A case to show.
pub struct Exhibit {
    /// What became of it, on one line.
    pub message: String,
    /// The values of the prompt's variables.
    pub input: Vec<(String, String)>,
    /// What the answer should be.
    pub expected: Option<String>,
    /// An answer of each side.
    pub answers: Vec<Answer>,
}

/// One answer of a side.
pub struct Answer {
    /// The side and how its trial ended: `v8, failed`.
    pub heading: String,
    /// The answer, or why there is none.
    pub text: String,
    /// The assertions that failed, or the fault, in a line each.
    pub problems: Vec<String>,
}

/// The case of a row with the answers that explain it: of each side the first repeat that was
/// lost, else the first.
#[must_use]
pub fn of(
    suite: &SuiteReport<'_>,
    index: usize,
    row: &CaseRow<'_>,
    case: Option<&Case>,
) -> Exhibit {
    let vars = case.into_iter().flat_map(|case| case.vars.iter());
    let arms = suite.run.arms();
    Exhibit {
        message: message(suite, index, row),
        input: vars
            .map(|(key, value)| (key.to_owned(), plain(value)))
            .collect(),
        expected: case.and_then(|case| case.expected.as_ref()).map(plain),
        answers: arms.filter_map(|arm| answer(suite, index, arm)).collect(),
    }
}

/// Text as it is, all else as JSON.
#[must_use]
pub fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            value.to_string()
        }
    }
}

/// The trial of a side that explains it, with its number.
fn telling<'a>(
    suite: &'a SuiteReport<'_>,
    index: usize,
    arm: Arm,
) -> Option<(usize, &'a TrialRecord)> {
    let trials = || suite.run.repeats(index, arm).iter().enumerate();
    let lost = trials().find(|(_, trial)| trial.outcome == Some(Outcome::Failed));
    let errored = || trials().find(|(_, trial)| trial.outcome == Some(Outcome::Errored));
    lost.or_else(errored).or_else(|| trials().next())
}

fn answer(suite: &SuiteReport<'_>, index: usize, arm: Arm) -> Option<Answer> {
    let (number, trial) = telling(suite, index, arm)?;
    let repeats = suite.run.header.repeat;
    let repeat = if repeats > 1 {
        format!(", repeat {} of {repeats}", number + 1)
    } else {
        String::new()
    };
    let outcome = trial.outcome.unwrap_or(Outcome::Skipped).as_str();
    Some(Answer {
        heading: format!("{}, {outcome}{repeat}", suite.label(arm)),
        text: match suite.answer(trial) {
            Ok(answer) => answer.reply,
            Err(words) => format!("({words})"),
        },
        problems: problems(suite, trial),
    })
}

/// What is wrong with a trial: its fault, its error, why it was not run, or the assertions that
/// failed.
#[must_use]
pub fn problems(suite: &SuiteReport<'_>, trial: &TrialRecord) -> Vec<String> {
    if let Some(skip) = suite.skip_of(trial) {
        return vec![format!("not run: {}", skip.as_str())];
    }
    if let Some(error) = &trial.error {
        return vec![format!("{}: {}", error.class.as_str(), error.message)];
    }
    let fault = trial
        .fault
        .map(|fault| format!("the answer is faulty: {}", fault.as_str()));
    let failed: Vec<String> = match suite.scores(trial) {
        Some(scores) => {
            let failed = scores.into_iter().filter(|s| !s.pass && s.gating);
            failed
                .map(|score| format!("{}: {}", score.scorer, score.reason))
                .collect()
        }
        None => unread_problems(suite, trial),
    };
    fault.into_iter().chain(failed).collect()
}

/// The assertions that failed, where the log does not say why.
fn unread_problems(suite: &SuiteReport<'_>, trial: &TrialRecord) -> Vec<String> {
    let failed = trial
        .scores
        .iter()
        .filter(|score| !score.pass && score.gating);
    let names = failed.filter_map(|score| suite.run.scorers.get(usize::from(score.scorer)));
    names.map(|name| format!("{name}: does not pass")).collect()
}

/// The longest message that common readers show whole.
const MESSAGE: usize = 300;

/// What became of a case, on one line of at most 300 characters.
#[must_use]
pub fn message(suite: &SuiteReport<'_>, index: usize, row: &CaseRow<'_>) -> String {
    let (old, new) = (suite.label(Arm::Baseline), suite.label(Arm::Candidate));
    let message = match row.transition() {
        Transition::Kept => format!("passes on {old} and on {new}"),
        Transition::Fixed => format!("fails on {old}, passes on {new}"),
        Transition::KnownFailure => format!("fails on {old} as well"),
        Transition::Regression => {
            let reason = reason(suite, index, Arm::Candidate);
            format!("passes on {old}, fails on {new}{reason}")
        }
        Transition::New if row.candidate.pass() == Some(true) => format!("passes on {new}"),
        Transition::New => format!("fails on {new}{}", reason(suite, index, Arm::Candidate)),
        Transition::Missing => {
            let open = suite.run.arms().find(|arm| is_open(row, *arm));
            let arm = open.unwrap_or(Arm::Candidate);
            format!(
                "no result on {}{}",
                suite.label(arm),
                reason(suite, index, arm)
            )
        }
    };
    let lead = if row.is_held_out() {
        "quarantined as flaky, in no rule: "
    } else {
        ""
    };
    one_line(&format!("{lead}{message}"))
}

/// A message on one line, as long as common readers show it.
#[must_use]
pub fn one_line(text: &str) -> String {
    shorten(&text.replace(['\n', '\r', '\t'], " "), MESSAGE).into_owned()
}

fn is_open(row: &CaseRow<'_>, arm: Arm) -> bool {
    match arm {
        Arm::Baseline => row
            .baseline
            .as_ref()
            .is_some_and(|cell| !cell.is_finished()),
        Arm::Candidate => !row.candidate.is_finished(),
    }
}

fn reason(suite: &SuiteReport<'_>, index: usize, arm: Arm) -> String {
    let trial = telling(suite, index, arm).map(|(_, trial)| trial);
    let first = trial.and_then(|trial| problems(suite, trial).into_iter().next());
    first.map_or_else(String::new, |first| format!(": {first}"))
}
