//! Makes a run of matched rows, so that outcome files are decided and reported like answers of our
//! own. It has no log: it was never sent, cost nothing here, and holds no texts.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Value, json};
use smallvec::smallvec;

use super::matched::{Matched, Pair};
use super::row::Row;
use crate::base::{CaseId, Digest, Fields, RunId, Timestamp};
use crate::chat::ErrorClass;
use crate::dataset::{Case, dataset_digest};
use crate::record::event::TrialError;
use crate::record::run::ScoreSummary;
use crate::record::{
    Arm, ArmHeader, CallRecord, DatasetHeader, FinishReason, Fold, ModelHeader, Outcome, Run,
    RunHeader, ScorerHeader, Skip, TrialId, TrialRecord, TrialUsage,
};
use crate::verdict::Policy;

/// What a side is called, and the digest of what was read.
pub(super) struct Side {
    /// The name in reports.
    pub label: String,
    /// What the caller wrote.
    pub written: String,
    /// Digest of the file, or of the stored version.
    pub digest: Digest,
}

/// The scorer of rows with a score.
const SCORER: &str = "score";

/// The run of matched rows.
pub(super) fn run(
    matched: &Matched,
    sides: [Side; 2],
    policy: &Policy,
    seed: u64,
    id: RunId,
    at: Timestamp,
) -> Run {
    let mut keys = HashMap::new();
    let pairs = matched.pairs.iter();
    let cases: Vec<Case> = pairs.map(|pair| case(pair, &mut keys)).collect();
    let scored = matched
        .pairs
        .iter()
        .any(|pair| rows(pair).any(|row| row.score.is_some()));
    let header = header(matched, sides, &cases, policy, (seed, id, scored));
    let mut run = Fold::new(header, Arc::new(cases), at).finish();
    for (pair, index) in matched.pairs.iter().zip(0u32..) {
        let arms = [
            (Arm::Baseline, &pair.baseline),
            (Arm::Candidate, &pair.candidate),
        ];
        for (arm, rows) in arms {
            for (row, repeat) in rows.iter().zip(1u32..) {
                let place = run.index(TrialId {
                    case: index,
                    arm,
                    repeat,
                });
                if let Some(record) = place.and_then(|place| run.trials.get_mut(place)) {
                    *record = trial(row);
                }
            }
        }
    }
    run.finished = Some(FinishReason::complete());
    run
}

fn rows(pair: &Pair) -> impl Iterator<Item = &Row> {
    pair.baseline.iter().chain(&pair.candidate)
}

fn case(pair: &Pair, keys: &mut HashMap<String, Arc<str>>) -> Case {
    let mut segment: Vec<(Arc<str>, Box<str>)> = Vec::new();
    for (key, value) in rows(pair).flat_map(|row| &row.segment) {
        if segment.iter().any(|(known, _)| known.as_ref() == key) {
            continue;
        }
        let shared = keys
            .entry(key.clone())
            .or_insert_with(|| Arc::from(key.as_str()));
        segment.push((Arc::clone(shared), value.as_str().into()));
    }
    let first = pair.candidate.first().or(pair.baseline.first());
    Case {
        id: CaseId::new(first.map_or("", |row| row.id.as_str())),
        line: first.map_or(1, |row| row.line),
        vars: Fields::new(Vec::new()),
        expected: None,
        segment: Fields::new(segment),
        tags: Box::default(),
        must_pass: rows(pair).any(|row| row.must_pass),
        quarantined: rows(pair).any(|row| row.quarantined),
        cluster: rows(pair).find_map(|row| row.cluster.as_deref().map(Into::into)),
        scorers: Box::default(),
        note: None,
        explicit_defaults: crate::dataset::case::ExplicitDefaults::default(),
    }
}

fn header(
    matched: &Matched,
    sides: [Side; 2],
    cases: &[Case],
    policy: &Policy,
    (seed, run_id, scored): (u64, RunId, bool),
) -> RunHeader {
    let resolved = json!({"policy": policy.to_json(), "graded": matched.graded});
    let digests = sides.iter().map(|side| json!(side.digest.to_string()));
    let digests: Vec<Value> = digests.collect();
    let plan_digest = Digest::of_json(&json!([resolved, digests, seed]));
    let path = sides
        .last()
        .map_or(String::new(), |side| side.written.clone());
    let arms = arms(sides);
    let scorer = ScorerHeader {
        name: SCORER.to_owned(),
        kind: "outcome".to_owned(),
        gating: true,
        judge: None,
        members: Vec::new(),
    };
    RunHeader {
        gate: crate::record::codec::FORMAT.to_owned(),
        tool: env!("CARGO_PKG_VERSION").to_owned(),
        run_id,
        command: "decide".to_owned(),
        suite: "decide".to_owned(),
        title: "decide".to_owned(),
        suite_path: String::new(),
        prompt: "outcomes".to_owned(),
        suite_digest: Digest::of_json(&resolved),
        plan_digest,
        resolved,
        arms,
        model: ModelHeader {
            name: "outcomes".to_owned(),
            provider: "file".to_owned(),
            model: None,
        },
        candidate_model: None,
        matrix: Vec::new(),
        calibrations: Vec::new(),
        scorers: if scored { vec![scorer] } else { Vec::new() },
        dataset: DatasetHeader {
            path,
            digest: dataset_digest(cases),
            cases: cases.len(),
            selected: cases.len(),
        },
        seed,
        repeat: matched.repeat,
        filter: None,
        shard: None,
        sample: None,
        offline: false,
        registry_head: None,
        notes: matched.notes.clone(),
    }
}

fn arms(sides: [Side; 2]) -> Vec<ArmHeader> {
    [Arm::Baseline, Arm::Candidate]
        .into_iter()
        .zip(sides)
        .map(|(arm, side)| ArmHeader {
            arm,
            reference: side.written.clone(),
            label: side.label,
            version: None,
            hash: side.digest,
            file: side.written,
            text: String::new(),
        })
        .collect()
}

fn trial(row: &Row) -> TrialRecord {
    let mut record = TrialRecord {
        usage: TrialUsage {
            input_tokens: row.input_tokens.into(),
            output_tokens: row.output_tokens.into(),
            ..TrialUsage::default()
        },
        latency_ms: row.latency_ms.into(),
        ..TrialRecord::default()
    };
    if let Some(message) = &row.error {
        record.outcome = Some(Outcome::Errored);
        record.error = Some(Box::new(TrialError {
            class: ErrorClass::Server,
            message: message.clone(),
        }));
        return record;
    }
    let Some(pass) = row.pass.filter(|_| !row.skipped) else {
        record.outcome = Some(Outcome::Skipped);
        record.skipped = Some(Skip::Infra);
        return record;
    };
    record.outcome = Some(if pass {
        Outcome::Passed
    } else {
        Outcome::Failed
    });
    record.answer = CallRecord {
        answered: true,
        cost_usd: row.cost_usd.into(),
        ..CallRecord::default()
    };
    if let Some(score) = row.score {
        record.scores = smallvec![ScoreSummary {
            scorer: 0,
            pass,
            position: None,
            gating: true,
            score,
        }];
    }
    record
}
