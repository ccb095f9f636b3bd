//! The answers that carried a version's promotion, from `evidence/` in the registry.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::Value;

use crate::base::{CaseId, Digest, RunId};
use crate::chat::{Finish, ModelSpec, ToolCall, Usage};
use crate::command::versions::{Resolved, Stored, Versions};
use crate::command::{CommandError, Project};
use crate::record::{Arm, AttemptFinished, TrialId};
use crate::runner::StoredAnswers;
use crate::suite::Suite;

const MAX_EVIDENCE: u64 = 1 << 30;

/// What a version is compared with.
pub(super) struct Pinned {
    /// The version with the stored answers.
    pub resolved: Resolved,
    /// The content hash that they are of.
    pub hash: Option<Digest>,
    /// The dataset as it was.
    pub dataset: Option<Digest>,
    /// The models that answered.
    pub served: Vec<String>,
    /// The run that they come from.
    pub run: String,
}

/// The evidence of the active version for one suite with one model.
pub(super) fn of_evidence(
    project: &Project,
    versions: &Versions<'_>,
    suite: &Suite,
    model: &ModelSpec,
    active: &Resolved,
) -> Result<Pinned, CommandError> {
    let number = active
        .prompt
        .number
        .ok_or_else(|| no_evidence(active, suite, ""))?;
    let name = if suite.models.len() > 1 {
        format!("{}@{}.json", suite.name, model.name)
    } else {
        format!("{}.json", suite.name)
    };
    let slug = suite.prompt.slug();
    let folder = versions.backend()?;
    let path = folder.name_of(slug, &format!("evidence/v{number}/{name}"));
    if !project.has(&path) {
        return Err(no_evidence(active, suite, &path));
    }
    let source = project.read(&path, MAX_EVIDENCE)?;
    let document: Value = serde_json::from_str(&source.text).map_err(|error| {
        CommandError::usage(
            format!("{path} is no result: {error}"),
            "restore the file from the repository's history",
        )
    })?;
    read(&document, active).ok_or_else(|| {
        CommandError::usage(
            format!("{path} holds no answers of a candidate"),
            "restore the file from the repository's history, or name a run with --baseline run:ID",
        )
    })
}

fn no_evidence(active: &Resolved, suite: &Suite, path: &str) -> CommandError {
    let there = if path.is_empty() {
        String::new()
    } else {
        format!(" ({path})")
    };
    CommandError::usage(
        format!(
            "there are no pinned answers of {} for suite `{}`{there}",
            active.label, suite.name
        ),
        "promote with `gate prompt promote`, which keeps them, or name a run with --baseline run:ID",
    )
}

fn read(document: &Value, active: &Resolved) -> Option<Pinned> {
    let suite = document.get("suites")?.as_array()?.first()?;
    let text = |pointer: &str| suite.pointer(pointer)?.as_str().map(str::to_owned);
    let served: Vec<String> = suite
        .pointer("/model/served")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|model| Some(model.as_str()?.to_owned()))
        .collect();
    let mut answers = HashMap::new();
    for case in suite.get("cases")?.as_array()? {
        let id = case.get("id")?.as_str()?;
        let trials = case.pointer("/candidate/trials").and_then(Value::as_array);
        for trial in trials.into_iter().flatten() {
            let repeat = trial.get("repeat").and_then(Value::as_u64)?;
            if let Some(answer) = answer(trial, served.first()) {
                answers.insert((CaseId::new(id), u32::try_from(repeat).ok()?), answer);
            }
        }
    }
    if answers.is_empty() {
        return None;
    }
    let run = text("/run_id").unwrap_or_default();
    let mut resolved = active.clone();
    resolved.reference = format!("run:{run}");
    resolved.label = format!("{} at its promotion", active.label);
    resolved.stored = Some(Stored {
        run: RunId::from_folder(&run)?,
        answers: Arc::new(Answers(answers)),
    });
    Some(Pinned {
        resolved,
        hash: text("/arms/candidate/hash").and_then(|hash| hash.parse().ok()),
        dataset: text("/dataset/digest").and_then(|digest| digest.parse().ok()),
        served,
        run,
    })
}

/// Answers by case and repeat.
struct Answers(HashMap<(CaseId, u32), AttemptFinished>);

impl StoredAnswers for Answers {
    fn answer(&self, case: &CaseId, repeat: u32) -> Option<AttemptFinished> {
        self.0.get(&(case.clone(), repeat)).cloned()
    }
}

fn answer(trial: &Value, served: Option<&String>) -> Option<AttemptFinished> {
    let reply = trial.get("output")?.as_str()?.to_owned();
    let finish = trial.get("finish_reason").and_then(Value::as_str);
    let calls = trial.get("tool_calls").and_then(Value::as_array);
    let number = |key: &str| trial.get(key).and_then(Value::as_f64);
    Some(AttemptFinished {
        trial: TrialId {
            case: 0,
            arm: Arm::Baseline,
            repeat: 1,
        },
        token_choices: Vec::new(),
        scorer: None,
        call: None,
        attempt: 1,
        key: Digest::of_bytes(reply.as_bytes()),
        class: None,
        message: None,
        finish: Some(finish.map_or(Finish::Stop, Finish::from_word)),
        tool_calls: calls.into_iter().flatten().filter_map(tool_call).collect(),
        usage: Usage::default(),
        cost_usd: number("cost_usd"),
        served_model: served.cloned(),
        fingerprint: None,
        latency_ms: number("latency_ms"),
        cached: true,
        batch: None,
        reply,
    })
}

fn tool_call(call: &Value) -> Option<ToolCall> {
    serde_json::from_value(call.clone()).ok()
}
