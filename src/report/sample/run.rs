//! Runs made of what the models said, with the table and the sums that belong to them.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::json;

use crate::analysis::{
    ArmCell, ArmSummary, CaseRow, CaseTable, LatencySummary, RateInterval, UsageSummary,
};
use crate::base::{CaseId, Digest, Fields, RunId, Timestamp};
use crate::chat::{ErrorClass, Finish, Usage};
use crate::dataset::Case;
use crate::record::event::TrialError;
use crate::record::{
    Arm, ArmHeader, AttemptFinished, DatasetHeader, Event, FinishReason, Fold, LogSpan,
    ModelHeader, Outcome, Run, RunHeader, ScoreRecord, ScorerHeader, TrialFinished, TrialId,
};
use crate::report::content::MemoryTexts;

/// One trial of the sample: what the model said, and whether that was right.
#[derive(Clone, Copy)]
pub enum Said {
    Right(&'static str),
    Wrong(&'static str),
    TimedOut,
    Nothing,
}

pub fn case(id: &str, line: u32, tier: Option<&str>, ticket: &str) -> Case {
    let segment = tier.map(|tier| (Arc::from("tier"), Box::from(tier)));
    Case {
        id: CaseId::new(id),
        line,
        vars: Fields::new(vec![(Arc::from("ticket"), json!(ticket))]),
        expected: Some(json!("billing")),
        segment: Fields::new(segment.into_iter().collect()),
        tags: Box::default(),
        must_pass: id == "c-2",
        quarantined: false,
        cluster: None,
        scorers: Box::default(),
        note: None,
        explicit_defaults: crate::dataset::case::ExplicitDefaults::default(),
    }
}

fn digest(text: &str) -> Digest {
    Digest::of_bytes(text.as_bytes())
}

pub fn header(arms: &[(Arm, &str)], selected: usize, repeat: u32) -> RunHeader {
    let version = |label: &str| label.strip_prefix('v').and_then(|n| n.parse().ok());
    let arms = arms.iter().map(|(arm, label)| ArmHeader {
        arm: *arm,
        reference: (*label).to_owned(),
        label: (*label).to_owned(),
        version: version(label),
        hash: digest(label),
        file: format!("{label}.yaml"),
        text: String::new(),
    });
    let at = Timestamp::from_millis(1_790_000_000_000);
    RunHeader {
        gate: "run/1".into(),
        tool: "0.1.0".into(),
        run_id: RunId::new(at, &[7; 10]),
        command: "compare".into(),
        suite: "support-triage".into(),
        title: "support-triage".into(),
        suite_path: "evals/support-triage.yaml".into(),
        prompt: "support-triage".into(),
        suite_digest: digest("suite"),
        plan_digest: digest("plan"),
        resolved: json!({"policy": {"segments": {"keys": ["tier"]}}}),
        arms: arms.collect(),
        model: ModelHeader {
            name: "main".into(),
            provider: "openai".into(),
            model: Some("gpt-4o-2024-08-06".into()),
        },
        candidate_model: None,
        matrix: Vec::new(),
        calibrations: Vec::new(),
        scorers: vec![ScorerHeader {
            name: "equals".into(),
            kind: "equals".into(),
            gating: true,
            judge: None,
            members: Vec::new(),
        }],
        dataset: DatasetHeader {
            path: "fixtures/support-triage.jsonl".into(),
            digest: digest("data"),
            cases: selected,
            selected,
        },
        seed: 7,
        repeat,
        filter: None,
        shard: None,
        sample: None,
        offline: false,
        registry_head: Some(digest("head")),
        notes: vec![],
    }
}

/// Folds what was said into a run; `said` has, by case and arm in order, the repeats.
pub fn fold(header: RunHeader, cases: Vec<Case>, said: &[Said]) -> (Run, MemoryTexts) {
    let at = Timestamp::from_millis(1_790_000_000_000);
    let mut texts = MemoryTexts::default();
    let arms: Vec<Arm> = header.arms.iter().map(|arm| arm.arm).collect();
    let repeat = header.repeat;
    let count = u32::try_from(cases.len()).unwrap();
    let mut fold = Fold::new(header, Arc::new(cases), at);
    let mut said = said.iter();
    let mut offset = 0;
    for case in 0..count {
        for arm in &arms {
            for repeat in 1..=repeat {
                let trial = TrialId {
                    case,
                    arm: *arm,
                    repeat,
                };
                let said = *said.next().unwrap_or(&Said::Nothing);
                let Some((attempt, result)) = events(trial, said) else {
                    continue;
                };
                let span = |offset| LogSpan::new(offset, 1);
                fold.take(
                    at,
                    &Event::AttemptFinished(Box::new(attempt.clone())),
                    span(offset),
                );
                fold.take(
                    at,
                    &Event::TrialFinished(Box::new(result.clone())),
                    span(offset + 1),
                );
                texts.replies.insert(offset, attempt);
                texts.results.insert(offset + 1, result);
                offset += 2;
            }
        }
    }
    fold.take(
        at,
        &Event::RunFinished(FinishReason::complete()),
        LogSpan::new(offset, 1),
    );
    (fold.finish(), texts)
}

fn events(trial: TrialId, said: Said) -> Option<(AttemptFinished, TrialFinished)> {
    let (reply, outcome) = match said {
        Said::Right(text) => (text, Outcome::Passed),
        Said::Wrong(text) => (text, Outcome::Failed),
        Said::TimedOut => ("", Outcome::Errored),
        Said::Nothing => return None,
    };
    let errored = outcome == Outcome::Errored;
    let attempt = AttemptFinished {
        trial,
        token_choices: Vec::new(),
        scorer: None,
        call: None,
        attempt: 1,
        key: digest("key"),
        class: errored.then_some(ErrorClass::Timeout),
        message: errored.then(|| "no reply within 120 s".to_owned()),
        reply: reply.to_owned(),
        finish: (!errored).then_some(Finish::Stop),
        tool_calls: vec![],
        usage: Usage {
            input_tokens: Some(100),
            output_tokens: Some(2),
            ..Usage::default()
        },
        cost_usd: Some(0.000_25),
        served_model: (!errored).then(|| "gpt-4o-2024-08-06".to_owned()),
        fingerprint: None,
        latency_ms: (!errored).then_some(120.0),
        cached: false,
        batch: None,
    };
    let passed = outcome == Outcome::Passed;
    let scores = vec![ScoreRecord {
        scorer: "equals".into(),
        pass: passed,
        score: f64::from(u8::from(passed)),
        reason: format!("output is {reply:?}, expected \"billing\""),
        parts: Vec::new(),
        gating: true,
    }];
    let result = TrialFinished {
        trial,
        outcome,
        fault: None,
        error: errored.then(|| TrialError {
            class: ErrorClass::Timeout,
            message: "no reply within 120 s".to_owned(),
        }),
        skipped: None,
        scores: if errored { vec![] } else { scores },
    };
    Some((attempt, result))
}

/// The table of a run, counted by hand.
pub fn table(run: &Run) -> CaseTable<'_> {
    let rows = run.cases.iter().enumerate().map(|(index, case)| CaseRow {
        id: case.id.as_str(),
        line: case.line,
        segment: &case.segment,
        cluster: case.cluster.as_deref(),
        must_pass: case.must_pass,
        quarantined: case.quarantined,
        baseline: run.is_comparison().then(|| cell(run, index, Arm::Baseline)),
        candidate: cell(run, index, Arm::Candidate),
    });
    CaseTable {
        rows: rows.collect(),
        has_baseline: run.is_comparison(),
        repeat: run.header.repeat,
        graded: false,
    }
}

fn cell(run: &Run, case: usize, arm: Arm) -> ArmCell {
    let mut cell = ArmCell::default();
    for trial in run.repeats(case, arm) {
        match trial.outcome {
            Some(Outcome::Passed) => cell.passed += 1,
            Some(Outcome::Failed) => cell.failed += 1,
            Some(Outcome::Errored) => cell.errored += 1,
            Some(Outcome::Skipped) | None => cell.skipped += 1,
        }
    }
    cell.score = cell.pass_share();
    cell.cost_usd = Some(0.000_25).into();
    cell
}

pub fn summary(run: &Run, arm: Arm) -> ArmSummary {
    let mut cells = (0..run.cases.len()).map(|case| cell(run, case, arm));
    let mut sum = ArmCell::default();
    for cell in &mut cells {
        sum.passed += cell.passed;
        sum.failed += cell.failed;
        sum.errored += cell.errored;
        sum.skipped += cell.skipped;
    }
    let errors = (sum.errored > 0).then(|| (ErrorClass::Timeout, u64::from(sum.errored)));
    ArmSummary {
        arm,
        trials: u64::from(sum.planned()),
        passed: sum.passed.into(),
        failed: sum.failed.into(),
        errored: sum.errored.into(),
        skipped: sum.skipped.into(),
        answer_faults: BTreeMap::new(),
        errors: errors.into_iter().collect(),
        pass_rate: sum.pass_share(),
        ci: Some(RateInterval {
            low: 0.25,
            high: 0.9,
            level: 0.95,
            method: "wilson",
        }),
        usage: UsageSummary {
            input_tokens: Some(600),
            output_tokens: Some(12),
            cached_input_tokens: None,
        },
        cost_usd: Some(0.0015),
        judge_cost_usd: Some(0.0),
        spent_usd: 0.0015,
        latency_ms: LatencySummary {
            p50: Some(120.0),
            p95: Some(120.0),
        },
        cache_hits: 0,
        requests: 6,
        retries: 0,
        finish_reasons: [("stop".to_owned(), 5)].into(),
    }
}
