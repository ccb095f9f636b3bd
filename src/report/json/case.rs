//! A case in the result document: both sides with their trials, answers and scores.

use serde::Serialize;
use serde_json::Value;

use crate::analysis::{ArmCell, CaseRow};
use crate::dataset::Case;
use crate::record::{Arm, Outcome, TrialRecord};
use crate::report::content::SuiteReport;
use crate::score::Part;

/// A case's entry, built when its turn comes.
#[derive(Serialize)]
pub struct CaseEntry<'a> {
    id: &'a str,
    line: u32,
    segment: Value,
    transition: &'static str,
    must_pass: bool,
    quarantined: bool,
    cluster: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    baseline: Option<Side>,
    candidate: Side,
}

#[derive(Serialize)]
struct Side {
    pass: Option<bool>,
    score: Option<f64>,
    trials: Vec<Trial>,
}

#[derive(Serialize)]
struct Trial {
    repeat: usize,
    outcome: &'static str,
    output: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<ToolCall>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scores: Option<Vec<Score>>,
    latency_ms: Option<f64>,
    cost_usd: Option<f64>,
    finish_reason: Option<String>,
    attempts: u32,
    cached: bool,
    fault: Option<&'static str>,
    error: Option<Error>,
    #[serde(skip_serializing_if = "Option::is_none")]
    skipped: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unreadable: Option<&'static str>,
}

#[derive(Serialize)]
struct ToolCall {
    name: String,
    arguments: Value,
}

#[derive(Serialize)]
#[expect(clippy::struct_field_names, reason = "the names are the format's")]
struct Score {
    scorer: String,
    pass: bool,
    score: f64,
    reason: Option<String>,
    gating: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    parts: Vec<Part>,
}

#[derive(Serialize)]
struct Error {
    class: &'static str,
    message: String,
}

impl<'a> CaseEntry<'a> {
    /// The entry of a row of the table.
    pub fn of(
        suite: &'a SuiteReport<'a>,
        (index, row, _): (usize, &'a CaseRow<'a>, Option<&'a Case>),
    ) -> Self {
        let segment = row.segment.iter();
        let segment = segment.map(|(key, value)| (key.to_owned(), Value::from(value.as_ref())));
        let baseline = row.baseline.as_ref();
        Self {
            id: row.id,
            line: row.line,
            segment: Value::Object(segment.collect()),
            transition: row.transition().as_str(),
            must_pass: row.must_pass,
            quarantined: row.is_held_out(),
            cluster: row.cluster,
            baseline: baseline.map(|cell| side(suite, index, Arm::Baseline, cell)),
            candidate: side(suite, index, Arm::Candidate, &row.candidate),
        }
    }
}

fn side(suite: &SuiteReport<'_>, index: usize, arm: Arm, cell: &ArmCell) -> Side {
    let trials = suite.run.repeats(index, arm).iter().zip(1..);
    Side {
        pass: cell.pass(),
        score: cell.score.filter(|_| cell.is_finished()),
        trials: trials
            .map(|(record, repeat)| trial(suite, record, repeat))
            .collect(),
    }
}

fn trial(suite: &SuiteReport<'_>, record: &TrialRecord, repeat: usize) -> Trial {
    let answer = suite.answer(record);
    let unreadable = match (&answer, record.answer.reply_at) {
        (Err(words), Some(_)) => Some(*words),
        (Ok(_), _) | (Err(_), None) => None,
    };
    let error = record.error.as_ref().map(|error| Error {
        class: error.class.as_str(),
        message: error.message.clone(),
    });
    let (output, calls) = match answer {
        Ok(answer) => (Some(answer.reply), answer.tool_calls),
        Err(_) => (None, Vec::new()),
    };
    Trial {
        repeat,
        outcome: record.outcome.unwrap_or(Outcome::Skipped).as_str(),
        output,
        tool_calls: calls
            .into_iter()
            .map(|call| ToolCall {
                name: call.name,
                arguments: call.arguments,
            })
            .collect(),
        scores: scores(suite, record),
        latency_ms: record.latency_ms.get(),
        cost_usd: record.answer.cost_usd.get(),
        finish_reason: suite.run.finish_of(record).map(str::to_owned),
        attempts: record.answer.sends,
        cached: record.answer.cached,
        fault: record.fault.map(crate::chat::AnswerFault::as_str),
        error,
        skipped: suite.skip_of(record).map(crate::record::Skip::as_str),
        unreadable,
    }
}

/// The scores of a trial with a result; without reasons where the log can not be read.
fn scores(suite: &SuiteReport<'_>, record: &TrialRecord) -> Option<Vec<Score>> {
    match record.outcome? {
        Outcome::Errored | Outcome::Skipped => return None,
        Outcome::Passed | Outcome::Failed => {}
    }
    if let Some(scores) = suite.scores(record) {
        let scores = scores.into_iter().map(|score| Score {
            scorer: score.scorer,
            pass: score.pass,
            score: score.score,
            reason: Some(score.reason),
            gating: score.gating,
            parts: score.parts,
        });
        return Some(scores.collect());
    }
    let name = |index: u16| suite.run.scorers.get(usize::from(index));
    let scores = record.scores.iter().map(|score| Score {
        scorer: name(score.scorer)
            .map(ToString::to_string)
            .unwrap_or_default(),
        pass: score.pass,
        score: score.score,
        reason: None,
        gating: score.gating,
        parts: Vec::new(),
    });
    Some(scores.collect())
}
