//! Reads the reply of a judge, strictly: one JSON object with exactly the keys of its form and
//! nothing around it. Whatever else a judge says is its own fault, never the answer's.

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::super::answer::{Finding, MAX_REASON, Score, quote};
use super::super::spec::{Kind, ScorerSpec};
use super::form::{Class, Preference, VerdictForm};
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

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Scaled {
    score: f64,
    reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Preferred {
    reason: String,
    better: Preference,
}

/// The least expected score of a scale, from 0 to 1, that passes without a threshold, as promptfoo's.
const SCALE_PASSES: f64 = 0.7;

/// The score that a judge's reply gives: by `threshold` where the scorer has one, else by the
/// verdict itself.
///
/// # Errors
/// When the reply is anything but a complete verdict.
pub fn read_reply(spec: &ScorerSpec, reply: &str, finish: &Finish) -> Result<Score, JudgeError> {
    let form = match &spec.kind {
        Kind::Judge(judge) => &judge.form,
        Kind::Assertion(_) | Kind::Panel(_) | Kind::Exec(_) | Kind::Similar(_) => {
            &VerdictForm::Rubric
        }
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
        VerdictForm::Scale(_) => {
            let verdict: Scaled = parse(reply)?;
            if ![1.0, 2.0, 3.0, 4.0, 5.0].contains(&verdict.score) {
                return Err(JudgeError::NoScore(verdict.score, "1, 2, 3, 4, 5"));
            }
            Ok(scaled(verdict.score, &shown(&verdict.reason)))
        }
        VerdictForm::Preference => {
            let (preference, reason) = read_preference(reply, finish)?;
            let score = match preference {
                Preference::First => 1.0,
                Preference::Second => 0.0,
                Preference::Tie => 0.5,
            };
            Ok(Finding {
                pass: score >= 0.5,
                ..Finding::graded(score, reason)
            })
        }
    }
}

/// A score from 1 to 5 as one from 0 to 1.
fn scaled(score: f64, reason: &str) -> Finding {
    let score = (score - 1.0) / 4.0;
    Finding {
        pass: score >= SCALE_PASSES,
        ..Finding::graded(score, text::shorten(reason, MAX_REASON))
    }
}

/// The verdict on a scale by the expected score, from 1 to 5.
#[must_use]
pub fn by_expected(expected: f64, verdict: &Finding) -> Finding {
    let reason = format!(
        "expected score {expected:.2} of 5 by the tokens' probabilities: {}",
        verdict.reason
    );
    scaled(expected, &reason)
}

/// The verdict on a scale by the mean of several.
#[must_use]
pub fn by_samples(verdicts: &[Finding]) -> Finding {
    let scores: Vec<f64> = verdicts.iter().map(|v| 1.0 + 4.0 * v.score).collect();
    let count = scores.len().max(1) as f64;
    let mean = scores.iter().sum::<f64>() / count;
    let list: Vec<String> = scores.iter().map(|score| format!("{score:.0}")).collect();
    let list = list.join(", ");
    let first = verdicts
        .first()
        .map_or("", |verdict| verdict.reason.as_str());
    let reason = match verdicts {
        [_] => format!("score {list} of 5: {first}"),
        _ => format!("mean {mean:.2} of 5 over {list}: {first}"),
    };
    scaled(mean, &reason)
}

/// Which of two answers a reply prefers, and why.
///
/// # Errors
/// When the reply is anything but a complete verdict.
pub fn read_preference(reply: &str, finish: &Finish) -> Result<(Preference, String), JudgeError> {
    check_finish(finish)?;
    let verdict: Preferred = parse(reply)?;
    Ok((verdict.better, shown(&verdict.reason)))
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
