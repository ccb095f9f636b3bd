//! Reads the reply of a judge, strictly: one JSON object with exactly three keys and nothing
//! around it. Whatever else a judge says is its own fault, never the answer's.

use serde::Deserialize;

use super::super::answer::{MAX_REASON, Score, quote};
use super::super::spec::ScorerSpec;
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
    #[error("the judge's score is {0}, not one of 0, 0.25, 0.5, 0.75, 1")]
    NoScore(f64),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Verdict {
    reason: String,
    pass: bool,
    score: f64,
}

/// The score that a judge's reply gives: by `threshold` where the scorer has one, else by `pass`.
///
/// # Errors
/// When the reply is anything but a complete verdict.
pub fn read_reply(spec: &ScorerSpec, reply: &str, finish: &Finish) -> Result<Score, JudgeError> {
    match finish {
        Finish::Stop => {}
        Finish::Length
        | Finish::Tool
        | Finish::Refusal
        | Finish::Filtered
        | Finish::ToolFault
        | Finish::Error(_)
        | Finish::Other(_) => {
            let word = text::visible_line(&text::shorten(finish.as_str(), 40));
            return Err(JudgeError::Unfinished(word));
        }
    }
    let verdict = parse(reply).map_err(|message| JudgeError::NoVerdict {
        reply: quote(reply),
        message,
    })?;
    if ![0.0, 0.25, 0.5, 0.75, 1.0].contains(&verdict.score) {
        return Err(JudgeError::NoScore(verdict.score));
    }
    let shown = text::visible_line(text::byte_prefix(&verdict.reason, 4 * MAX_REASON));
    let reason = match shown.trim() {
        "" => "the judge gave no reason".to_owned(),
        shown => text::shorten(shown, MAX_REASON).into_owned(),
    };
    Ok(Score {
        pass: spec
            .threshold
            .map_or(verdict.pass, |least| verdict.score >= least),
        score: verdict.score.abs(),
        reason,
    })
}

fn parse(reply: &str) -> Result<Verdict, String> {
    // A list of the three values would be read as the object too.
    if !reply
        .trim_start_matches([' ', '\t', '\n', '\r'])
        .starts_with('{')
    {
        return Err("it is no JSON object".to_owned());
    }
    serde_json::from_str(reply).map_err(|error| error.to_string())
}
