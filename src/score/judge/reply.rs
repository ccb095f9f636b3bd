//! Reads the reply of a judge, strictly: one JSON object with exactly the keys of its form and
//! nothing around it. Whatever else a judge says is its own fault, never the answer's.

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::super::answer::{Finding, MAX_REASON, Score, quote};
use super::super::spec::{Kind, ScorerSpec};
use super::form::{Class, VerdictForm};
use crate::base::text;
use crate::chat::Finish;

/// Why a judge's reply gives no score.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum JudgeError {
    /// The judge did not finish its reply.
    #[error("the judge stopped with `{0}`")]
    Unfinished(String),
    /// The reply is not the JSON object asked for.
    #[error("the judge's reply {reply} is no verdict: {message}")]
    NoVerdict {
        /// The reply, shortened.
        reply: String,
        /// What is wrong with it.
        message: String,
    },
    /// The score is none of those allowed.
    #[error("the judge's score is {0}, not one of {1}")]
    NoScore(f64, &'static str),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rubric {
    reason: String,
    pass: bool,
    score: f64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Classified {
    reason: String,
    class: Class,
}

/// The score that a judge's reply gives: by `threshold` where the scorer has one, else by the
/// verdict itself.
///
/// # Errors
/// When the reply is anything but a complete verdict.
pub fn read_reply(spec: &ScorerSpec, reply: &str, finish: &Finish) -> Result<Score, JudgeError> {
    let form = match &spec.kind {
        Kind::Judge(judge) => &judge.form,
        Kind::Assertion(_) | Kind::Panel(_) | Kind::Exec(_) => &VerdictForm::Rubric,
    };
    read_verdict(form, reply, finish).map(|finding| conclude(spec, finding))
}

/// The score that a verdict means under the scorer's threshold.
#[must_use]
pub fn conclude(spec: &ScorerSpec, verdict: Finding) -> Score {
    Score {
        pass: spec
            .threshold
            .map_or(verdict.pass, |least| verdict.score >= least),
        score: verdict.score,
        reason: verdict.reason,
        parts: Vec::new(),
    }
}

/// What a reply of a form says.
///
/// # Errors
/// When the reply is anything but a complete verdict.
pub fn read_verdict(
    form: &VerdictForm,
    reply: &str,
    finish: &Finish,
) -> Result<Finding, JudgeError> {
    check_finish(finish)?;
    match form {
        VerdictForm::Rubric => {
            let verdict: Rubric = parse(reply)?;
            if ![0.0, 0.25, 0.5, 0.75, 1.0].contains(&verdict.score) {
                return Err(JudgeError::NoScore(verdict.score, "0, 0.25, 0.5, 0.75, 1"));
            }
            Ok(Finding {
                pass: verdict.pass,
                ..Finding::graded(verdict.score.abs(), shown(&verdict.reason))
            })
        }
        VerdictForm::Factuality(scores) => {
            let verdict: Classified = parse(reply)?;
            let score = scores.of(verdict.class);
            let reason = format!("{}: {}", verdict.class.meaning(), shown(&verdict.reason));
            Ok(Finding {
                pass: score > 0.0,
                ..Finding::graded(score, text::shorten(&reason, MAX_REASON))
            })
        }
    }
}

fn check_finish(finish: &Finish) -> Result<(), JudgeError> {
    match finish {
        Finish::Stop => Ok(()),
        Finish::Length
        | Finish::Tool
        | Finish::Refusal
        | Finish::Filtered
        | Finish::ToolFault
        | Finish::Error(_)
        | Finish::Other(_) => {
            let word = text::visible_line(&text::shorten(finish.as_str(), 40));
            Err(JudgeError::Unfinished(word))
        }
    }
}

/// A judge's reason as reports show it.
fn shown(reason: &str) -> String {
    let shown = text::visible_line(text::byte_prefix(reason, 4 * MAX_REASON));
    match shown.trim() {
        "" => "the judge gave no reason".to_owned(),
        shown => text::shorten(shown, MAX_REASON).into_owned(),
    }
}

fn parse<T: DeserializeOwned>(reply: &str) -> Result<T, JudgeError> {
    let no_verdict = |message: String| JudgeError::NoVerdict {
        reply: quote(reply),
        message,
    };
    // A list of the values would be read as the object too.
    if !reply
        .trim_start_matches([' ', '\t', '\n', '\r'])
        .starts_with('{')
    {
        return Err(no_verdict("it is no JSON object".to_owned()));
    }
    serde_json::from_str(reply).map_err(|error| no_verdict(text::visible_line(&error.to_string())))
}
