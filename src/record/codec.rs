//! Events as lines of a log, formats.md section 10. Each line ends with `sum`, the first 16 hex
//! digits of SHA-256 over the bytes before `,"sum"`: a torn or changed line is noticed.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io::Write as _;

use serde::{Deserialize, Serialize};

use super::event::{AttemptFinished, BatchCost, Event, TrialError, TrialFinished};
use super::{Arm, FinishReason, Outcome, Reply, RunHeader, ScoreRecord, Skip, TrialId};
use crate::base::digest::LINE_SUM_DIGITS;
use crate::base::{Diagnostics, Digest, Source, Timestamp, json};
use crate::chat::{AnswerFault, ErrorClass, Finish, TokenChoice, ToolCall, Usage};
use crate::dataset::{Case, decode};

/// The form of the log that this program writes and reads.
pub const FORMAT: &str = "run/1";

/// Why a line of a log can not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum CodecError {
    /// The line does not end with its own sum: it was torn or changed.
    #[error("the line's sum does not match its content")]
    Sum,
    /// The line is no event of this form.
    #[error("the line is no event: {0}")]
    Json(#[from] serde_json::Error),
    /// A case that the plan does not have.
    #[error("the plan has no case `{0}`")]
    UnknownCase(String),
    /// A case that can not be read.
    #[error("the planned case can not be read: {0}")]
    Case(String),
    /// The log is of another form.
    #[error("the log has format `{found}`, this program reads `{FORMAT}`")]
    Format {
        /// The form found.
        found: String,
    },
}

/// A line that was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// Its number, from 0.
    pub seq: u64,
    /// When it was written.
    pub at: Timestamp,
    /// What happened.
    pub event: Event,
}

/// The planned cases by id, which a reader needs to understand a trial.
pub type CaseIndex = HashMap<Box<str>, u32>;

/// The index of a list of planned cases.
#[must_use]
pub fn index_cases(cases: &[Case]) -> CaseIndex {
    cases
        .iter()
        .zip(0u32..)
        .map(|(case, index)| (case.id.as_str().into(), index))
        .collect()
}

#[derive(Serialize, Deserialize)]
struct TrialBody<'a> {
    #[serde(borrow)]
    case: Cow<'a, str>,
    arm: Arm,
    repeat: u32,
}

#[derive(Serialize, Deserialize)]
struct StartedBody<'a> {
    #[serde(borrow)]
    trial: TrialBody<'a>,
    scorer: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    call: Option<Cow<'a, str>>,
    attempt: u32,
    key: Digest,
}

#[derive(Serialize, Deserialize)]
struct FinishedBody<'a> {
    #[serde(borrow)]
    trial: TrialBody<'a>,
    scorer: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    call: Option<Cow<'a, str>>,
    attempt: u32,
    key: Digest,
    class: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    message: Option<Cow<'a, str>>,
    #[serde(default, borrow)]
    reply: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    finish: Option<Finish>,
    #[serde(default, skip_serializing_if = "Cow::is_empty_list")]
    tool_calls: Cow<'a, [ToolCall]>,
    #[serde(default, skip_serializing_if = "Cow::is_empty_list")]
    token_choices: Cow<'a, [TokenChoice]>,
    #[serde(default)]
    usage: Usage,
    #[serde(default)]
    cost_usd: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    served_model: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    fingerprint: Option<Cow<'a, str>>,
    #[serde(default)]
    latency_ms: Option<f64>,
    cached: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    batch: Option<BatchCost>,
}

/// Lets serde ask a borrowed list whether it is empty.
trait IsEmptyList {
    fn is_empty_list(&self) -> bool;
}

impl<T: Clone> IsEmptyList for Cow<'_, [T]> {
    fn is_empty_list(&self) -> bool {
        self.is_empty()
    }
}

#[derive(Serialize, Deserialize)]
struct ResultBody<'a> {
    #[serde(borrow)]
    trial: TrialBody<'a>,
    outcome: Outcome,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    fault: Option<AnswerFault>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    error: Option<Cow<'a, TrialError>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    skipped: Option<Skip>,
    #[serde(default, skip_serializing_if = "Cow::is_empty_list")]
    scores: Cow<'a, [ScoreRecord]>,
}

#[derive(Serialize, Deserialize)]
struct ResumedBody<'a> {
    gate: Cow<'a, str>,
    tool: Cow<'a, str>,
    #[serde(default)]
    offline: bool,
}

#[derive(Serialize, Deserialize)]
struct CaseBody {
    line: u32,
    case: serde_json::Value,
}

/// Appends an event as one line, newline included.
///
/// # Errors
/// When the event names a case that the plan does not have.
pub fn write_line(
    seq: u64,
    at: Timestamp,
    event: &Event,
    cases: &[Case],
    into: &mut Vec<u8>,
) -> Result<(), CodecError> {
    let start = into.len();
    // Writing to a `Vec` can not fail.
    let _ = write!(
        into,
        "{{\"seq\":{seq},\"at\":\"{at}\",\"type\":\"{}\"",
        type_name(event)
    );
    let body = into.len();
    write_body(event, cases, into)?;
    // The body is a JSON object: its brace becomes a comma after the common keys, its last one gives
    // way to the sum.
    if let Some(brace) = into.get_mut(body) {
        *brace = b',';
    }
    into.pop();
    let digest = Digest::of_bytes(into.get(start..).unwrap_or_default());
    into.extend_from_slice(SUM_KEY);
    into.extend_from_slice(&digest.line_sum());
    into.extend_from_slice(b"\"}\n");
    Ok(())
}

const SUM_KEY: &[u8] = b",\"sum\":\"";

fn type_name(event: &Event) -> &'static str {
    match event {
        Event::RunStarted(_) => "run_started",
        Event::CasePlanned(_) => "case_planned",
        Event::RunResumed { .. } => "run_resumed",
        Event::AttemptStarted { .. } => "attempt_started",
        Event::BatchSubmitted(_) => "batch_submitted",
        Event::AttemptFinished(_) => "attempt_finished",
        Event::TrialFinished(_) => "trial_finished",
        Event::RunFinished(_) => "run_finished",
    }
}

fn trial_body(trial: TrialId, cases: &[Case]) -> Result<TrialBody<'_>, CodecError> {
    let case = usize::try_from(trial.case)
        .ok()
        .and_then(|index| cases.get(index));
    let case = case.ok_or_else(|| CodecError::UnknownCase(format!("#{}", trial.case)))?;
    Ok(TrialBody {
        case: Cow::Borrowed(case.id.as_str()),
        arm: trial.arm,
        repeat: trial.repeat,
    })
}

fn write_body(event: &Event, cases: &[Case], into: &mut Vec<u8>) -> Result<(), CodecError> {
    let trial_of = |trial| trial_body(trial, cases);
    match event {
        Event::RunStarted(header) => serde_json::to_writer(into, header)?,
        Event::CasePlanned(case) => {
            serde_json::to_writer(
                into,
                &CaseBody {
                    line: case.line,
                    case: case.to_json(),
                },
            )?;
        }
        Event::RunResumed { tool, offline } => {
            let body = ResumedBody {
                gate: FORMAT.into(),
                tool: tool.into(),
                offline: *offline,
            };
            serde_json::to_writer(into, &body)?;
        }
        Event::AttemptStarted {
            trial,
            scorer,
            call,
            attempt,
            key,
        } => {
            let trial = trial_of(*trial)?;
            let body = StartedBody {
                trial,
                scorer: scorer.as_deref().map(Cow::Borrowed),
                call: call.as_deref().map(Cow::Borrowed),
                attempt: *attempt,
                key: *key,
            };
            serde_json::to_writer(into, &body)?;
        }
        Event::BatchSubmitted(batch) => serde_json::to_writer(into, batch)?,
        Event::AttemptFinished(done) => {
            serde_json::to_writer(into, &finished_body(done, trial_of(done.trial)?))?;
        }
        Event::TrialFinished(result) => {
            let body = ResultBody {
                trial: trial_of(result.trial)?,
                outcome: result.outcome,
                fault: result.fault,
                error: result.error.as_ref().map(Cow::Borrowed),
                skipped: result.skipped,
                scores: Cow::Borrowed(&result.scores),
            };
            serde_json::to_writer(into, &body)?;
        }
        Event::RunFinished(reason) => serde_json::to_writer(into, reason)?,
    }
    Ok(())
}

fn finished_body<'a>(done: &'a AttemptFinished, trial: TrialBody<'a>) -> FinishedBody<'a> {
    FinishedBody {
        trial,
        scorer: done.scorer.as_deref().map(Cow::Borrowed),
        call: done.call.as_deref().map(Cow::Borrowed),
        attempt: done.attempt,
        key: done.key,
        class: done.class.map_or("ok", ErrorClass::as_str).into(),
        message: done.message.as_deref().map(Cow::Borrowed),
        reply: Cow::Borrowed(&done.reply),
        finish: done.finish.clone(),
        tool_calls: Cow::Borrowed(&done.tool_calls),
        token_choices: Cow::Borrowed(&done.token_choices),
        usage: done.usage,
        cost_usd: done.cost_usd,
        served_model: done.served_model.as_deref().map(Cow::Borrowed),
        fingerprint: done.fingerprint.as_deref().map(Cow::Borrowed),
        latency_ms: done.latency_ms,
        cached: done.cached,
        batch: done.batch,
    }
}

/// Checks that a line (without its newline) ends with its own sum.
///
/// # Errors
/// When it does not.
pub fn check_sum(line: &[u8]) -> Result<(), CodecError> {
    let tail = SUM_KEY.len() + LINE_SUM_DIGITS + b"\"}".len();
    let split = line.len().checked_sub(tail).ok_or(CodecError::Sum)?;
    let (content, end) = line.split_at_checked(split).ok_or(CodecError::Sum)?;
    let sum = Digest::of_bytes(content).line_sum();
    let found = end
        .strip_prefix(SUM_KEY)
        .and_then(|end| end.strip_suffix(b"\"}"));
    if found == Some(&sum) {
        Ok(())
    } else {
        Err(CodecError::Sum)
    }
}

/// Reads one line, without its newline, and checks its sum.
///
/// # Errors
/// When the sum is wrong, the line is no event, or it names a case that `cases` does not have.
pub fn read_line(line: &[u8], cases: &CaseIndex) -> Result<Line, CodecError> {
    #[derive(Deserialize)]
    struct Peek<'a> {
        seq: u64,
        at: Timestamp,
        #[serde(rename = "type", borrow)]
        kind: Cow<'a, str>,
        #[serde(default, borrow)]
        gate: Option<Cow<'a, str>>,
    }
    check_sum(line)?;
    let peek: Peek<'_> = serde_json::from_slice(line)?;
    if let Some(found) = peek.gate.filter(|format| format != FORMAT) {
        return Err(CodecError::Format {
            found: found.into_owned(),
        });
    }
    let event = read_event(&peek.kind, line, cases)?;
    Ok(Line {
        seq: peek.seq,
        at: peek.at,
        event,
    })
}

fn trial_of(trial: &TrialBody<'_>, cases: &CaseIndex) -> Result<TrialId, CodecError> {
    let case = cases.get(trial.case.as_ref());
    let case = *case.ok_or_else(|| CodecError::UnknownCase(trial.case.to_string()))?;
    Ok(TrialId {
        case,
        arm: trial.arm,
        repeat: trial.repeat,
    })
}

/// Reads the line of an attempt at a known trial, whose sum was checked before.
///
/// # Errors
/// When the line is none.
pub fn read_attempt(line: &[u8], trial: TrialId) -> Result<AttemptFinished, CodecError> {
    Ok(read_finished(serde_json::from_slice(line)?, trial))
}

/// Reads what was answered from the line of an attempt, whose sum was checked before.
///
/// # Errors
/// When the line is none.
pub fn read_reply(line: &[u8]) -> Result<Reply, CodecError> {
    #[derive(Deserialize)]
    struct Body {
        reply: String,
        #[serde(default)]
        tool_calls: Vec<ToolCall>,
    }
    let Body { reply, tool_calls } = serde_json::from_slice(line)?;
    Ok(Reply { reply, tool_calls })
}

/// Reads the scores from the line of a result, whose sum was checked before.
///
/// # Errors
/// When the line is none.
pub fn read_scores(line: &[u8]) -> Result<Vec<ScoreRecord>, CodecError> {
    #[derive(Deserialize)]
    struct Body {
        #[serde(rename = "outcome")]
        _outcome: Outcome,
        #[serde(default)]
        scores: Vec<ScoreRecord>,
    }
    Ok(serde_json::from_slice::<Body>(line)?.scores)
}

fn read_result(line: &[u8], cases: &CaseIndex) -> Result<TrialFinished, CodecError> {
    let body: ResultBody<'_> = serde_json::from_slice(line)?;
    Ok(TrialFinished {
        trial: trial_of(&body.trial, cases)?,
        outcome: body.outcome,
        fault: body.fault,
        error: body.error.map(Cow::into_owned),
        skipped: body.skipped,
        scores: body.scores.into_owned(),
    })
}

fn read_event(kind: &str, line: &[u8], cases: &CaseIndex) -> Result<Event, CodecError> {
    Ok(match kind {
        "run_started" => Event::RunStarted(serde_json::from_slice(line)?),
        "case_planned" => Event::CasePlanned(Box::new(read_case(&serde_json::from_slice(line)?)?)),
        "run_resumed" => {
            let body: ResumedBody<'_> = serde_json::from_slice(line)?;
            Event::RunResumed {
                tool: body.tool.into_owned(),
                offline: body.offline,
            }
        }
        "attempt_started" => {
            let body: StartedBody<'_> = serde_json::from_slice(line)?;
            Event::AttemptStarted {
                trial: trial_of(&body.trial, cases)?,
                scorer: body.scorer.map(Cow::into_owned),
                call: body.call.map(Cow::into_owned),
                attempt: body.attempt,
                key: body.key,
            }
        }
        "batch_submitted" => Event::BatchSubmitted(serde_json::from_slice(line)?),
        "attempt_finished" => {
            let body: FinishedBody<'_> = serde_json::from_slice(line)?;
            let trial = trial_of(&body.trial, cases)?;
            Event::AttemptFinished(Box::new(read_finished(body, trial)))
        }
        "trial_finished" => Event::TrialFinished(Box::new(read_result(line, cases)?)),
        "run_finished" => Event::RunFinished(serde_json::from_slice::<FinishReason>(line)?),
        other => {
            use serde::de::Error as _;
            return Err(serde_json::Error::custom(format!("unknown type `{other}`")).into());
        }
    })
}

fn read_finished(body: FinishedBody<'_>, trial: TrialId) -> AttemptFinished {
    let class = ErrorClass::WORDS
        .iter()
        .find(|(word, _)| *word == body.class);
    AttemptFinished {
        trial,
        scorer: body.scorer.map(Cow::into_owned),
        call: body.call.map(Cow::into_owned),
        attempt: body.attempt,
        key: body.key,
        class: class.map(|(_, class)| *class),
        message: body.message.map(Cow::into_owned),
        reply: body.reply.into_owned(),
        finish: body.finish,
        tool_calls: body.tool_calls.into_owned(),
        token_choices: body.token_choices.into_owned(),
        usage: body.usage,
        cost_usd: body.cost_usd,
        served_model: body.served_model.map(Cow::into_owned),
        fingerprint: body.fingerprint.map(Cow::into_owned),
        latency_ms: body.latency_ms,
        cached: body.cached,
        batch: body.batch,
    }
}

fn read_case(body: &CaseBody) -> Result<Case, CodecError> {
    let source = Source::row("run log", &body.case.to_string(), 1);
    let mut found = Diagnostics::new();
    let case = match json::parse(&source) {
        Ok(node) => decode::decode_case(&source, &node, &mut HashMap::new(), &mut found),
        Err(errors) => {
            found.extend(errors);
            None
        }
    };
    let mut case = case.ok_or_else(|| CodecError::Case(found.to_string()))?;
    case.line = body.line;
    Ok(case)
}

/// The header and the planned cases at the beginning of a log, and how many bytes they take.
///
/// # Errors
/// When the log does not begin with them.
pub fn header_of(first_line: &[u8]) -> Result<(Timestamp, RunHeader), CodecError> {
    let line = read_line(first_line, &CaseIndex::new())?;
    match line.event {
        Event::RunStarted(header) => Ok((line.at, *header)),
        Event::CasePlanned(_)
        | Event::RunResumed { .. }
        | Event::AttemptStarted { .. }
        | Event::BatchSubmitted(_)
        | Event::AttemptFinished(_)
        | Event::TrialFinished(_)
        | Event::RunFinished(_) => Err(CodecError::Format {
            found: "a log without a beginning".to_owned(),
        }),
    }
}
