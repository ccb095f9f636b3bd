//! Tests of tables and sums on a run made by hand.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::*;
use crate::base::{CaseId, Digest, Fields, RunId, Timestamp};
use crate::chat::{AnswerFault, ErrorClass};
use crate::dataset::Case;
use crate::record::event::TrialError;
use crate::record::run::ScoreSummary;
use crate::record::{
    Arm, ArmHeader, CallRecord, DatasetHeader, ModelHeader, Outcome, Run, RunHeader, ScorerHeader,
    Skip, TrialRecord, TrialUsage,
};

fn header(repeat: u32, cases: usize) -> RunHeader {
    let digest = Digest::of_bytes(b"");
    let arm = |arm, label: &str| ArmHeader {
        arm,
        reference: label.to_owned(),
        label: label.to_owned(),
        version: None,
        hash: digest,
        file: String::new(),
        text: String::new(),
    };
    let scorer = |name: &str| ScorerHeader {
        name: name.to_owned(),
        kind: "equals".to_owned(),
        gating: true,
        judge: None,
        members: Vec::new(),
    };
    RunHeader {
        gate: "run/1".to_owned(),
        tool: "test".to_owned(),
        run_id: RunId::new(Timestamp::from_millis(0), &[0; 10]),
        command: "compare".to_owned(),
        suite: "s".to_owned(),
        title: "s".to_owned(),
        suite_path: "evals/s.yaml".to_owned(),
        prompt: "s".to_owned(),
        suite_digest: digest,
        plan_digest: digest,
        resolved: serde_json::Value::Null,
        arms: vec![arm(Arm::Baseline, "v7"), arm(Arm::Candidate, "v8")],
        model: ModelHeader {
            name: "main".to_owned(),
            provider: "mock".to_owned(),
            model: None,
        },
        candidate_model: None,
        matrix: Vec::new(),
        calibrations: Vec::new(),
        scorers: vec![scorer("equals"), scorer("polite")],
        dataset: DatasetHeader {
            path: "d.jsonl".to_owned(),
            digest,
            cases,
            selected: cases,
        },
        seed: 1,
        repeat,
        filter: None,
        shard: None,
        sample: None,
        offline: false,
        registry_head: None,
        notes: Vec::new(),
    }
}

fn case(id: &str) -> Case {
    Case {
        id: CaseId::new(id),
        line: 1,
        vars: Fields::default(),
        expected: None,
        segment: Fields::default(),
        tags: Box::default(),
        must_pass: false,
        quarantined: false,
        cluster: None,
        scorers: Box::default(),
        note: None,
        explicit_defaults: crate::dataset::case::ExplicitDefaults::default(),
    }
}

/// A run of which every trial is given: case by case, baseline then candidate, repeats in order.
fn run(repeat: u32, cases: &[&str], trials: Vec<TrialRecord>) -> Run {
    assert_eq!(trials.len(), cases.len() * 2 * repeat as usize);
    let header = header(repeat, cases.len());
    Run {
        scorers: header
            .scorers
            .iter()
            .map(|s| s.name.as_str().into())
            .collect(),
        header,
        finishes: vec!["stop".into()],
        cases: Arc::new(cases.iter().map(|id| case(id)).collect()),
        trials,
        served: BTreeMap::new(),
        judges_served: Vec::new(),
        finished: None,
        started_at: Timestamp::from_millis(0),
        last_at: Timestamp::from_millis(0),
        resumes: 0,
        batches: Vec::new(),
    }
}

fn answered(outcome: Outcome, score: f64, cost: Option<f64>) -> TrialRecord {
    let summary = |scorer| ScoreSummary {
        scorer,
        pass: outcome == Outcome::Passed,
        position: None,
        gating: true,
        score,
    };
    TrialRecord {
        outcome: Some(outcome),
        scores: [summary(0), summary(1)].as_slice().into(),
        finish: Some(0),
        usage: TrialUsage {
            input_tokens: Some(10).into(),
            output_tokens: Some(2).into(),
            ..TrialUsage::default()
        },
        latency_ms: Some(100.0 * score + 1.0).into(),
        answer: CallRecord {
            sends: 1,
            ended: 1,
            answered: true,
            cost_usd: cost.into(),
            ..CallRecord::default()
        },
        ..TrialRecord::default()
    }
}

fn passed() -> TrialRecord {
    answered(Outcome::Passed, 1.0, Some(0.5))
}

fn failed() -> TrialRecord {
    answered(Outcome::Failed, 0.5, Some(0.5))
}

fn errored() -> TrialRecord {
    TrialRecord {
        outcome: Some(Outcome::Errored),
        error: Some(Box::new(TrialError {
            class: ErrorClass::Timeout,
            message: "no answer".to_owned(),
        })),
        ..TrialRecord::default()
    }
}

fn skipped(why: Skip) -> TrialRecord {
    TrialRecord {
        outcome: Some(Outcome::Skipped),
        skipped: Some(why),
        ..TrialRecord::default()
    }
}

fn refused() -> TrialRecord {
    TrialRecord {
        fault: Some(AnswerFault::Refused),
        scores: smallvec::SmallVec::new(),
        ..failed()
    }
}

#[test]
fn every_trial_is_counted_once() {
    let open = TrialRecord::default();
    let unknown = answered(Outcome::Passed, 1.0, None);
    let trials = vec![
        passed(),
        passed(),
        failed(),
        refused(),
        errored(),
        skipped(Skip::Budget),
        open,
        unknown,
    ];
    let run = run(1, &["a", "b", "c", "d"], trials);
    for arm in [Arm::Baseline, Arm::Candidate] {
        let sum = ArmSummary::of_run(&run, arm);
        assert_eq!(sum.trials, 4);
        assert_eq!(
            sum.trials,
            sum.passed + sum.failed + sum.errored + sum.skipped
        );
    }
    let baseline = ArmSummary::of_run(&run, Arm::Baseline);
    assert_eq!((baseline.errored, baseline.skipped), (1, 1));
    assert_eq!(baseline.errors[&ErrorClass::Timeout], 1);
    assert_eq!(
        (baseline.pass_rate, baseline.cost_usd),
        (Some(0.5), Some(1.0))
    );
    let candidate = ArmSummary::of_run(&run, Arm::Candidate);
    assert_eq!(candidate.answer_faults[&AnswerFault::Refused], 1);
    assert_eq!(candidate.cost_usd, None);
    assert_eq!(candidate.usage.input_tokens, Some(30));
    assert_eq!(candidate.usage.cached_input_tokens, None);
    assert_eq!(candidate.latency_ms.p50, Some(101.0));
    assert_eq!(candidate.finish_reasons["stop"], 3);
    let table = CaseTable::of_run(&run);
    let transitions: Vec<&str> = table
        .rows
        .iter()
        .map(|row| row.transition().as_str())
        .collect();
    assert_eq!(transitions, ["kept", "known_failure", "missing", "missing"]);
}

#[test]
fn the_rate_has_wilsons_interval() {
    let mut trials = Vec::new();
    for index in 0..200 {
        trials.push(if index < 188 { passed() } else { failed() });
        trials.push(if index < 180 { passed() } else { failed() });
    }
    let ids: Vec<String> = (0..200).map(|index| index.to_string()).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let run = run(1, &ids, trials);
    for (arm, low, high) in [
        (Arm::Baseline, 0.898_068, 0.965_348),
        (Arm::Candidate, 0.850_594, 0.934_330),
    ] {
        let ci = ArmSummary::of_run(&run, arm).ci.unwrap();
        assert!((ci.low - low).abs() < 1e-6 && (ci.high - high).abs() < 1e-6);
        assert_eq!((ci.level, ci.method), (0.95, "wilson"));
    }
}

#[test]
fn repeats_make_a_case_of_their_majority() {
    let trials = vec![
        passed(),
        passed(),
        errored(),
        passed(),
        refused(),
        failed(),
        passed(),
        errored(),
        errored(),
        passed(),
        passed(),
        skipped(Skip::Offline),
    ];
    let run = run(3, &["a", "b"], trials);
    let table = CaseTable::of_run(&run);
    let (a, b) = (&table.rows[0], &table.rows[1]);
    assert_eq!(
        (a.transition(), b.transition()),
        (Transition::Regression, Transition::Missing)
    );
    assert_eq!(a.candidate.pass_share(), Some(1.0 / 3.0));
    assert_eq!(a.candidate.faults, [1, 0, 0, 0, 0]);
    // A refusal scores 0 with each of the suite's scorers.
    assert_eq!(a.candidate.score, Some(0.5));
    assert_eq!(&a.candidate.scorer_scores[..], [(0, 0.5), (1, 0.5)]);
    assert_eq!(
        (
            b.candidate.offline,
            b.candidate.lost(),
            b.baseline.as_ref().unwrap().lost()
        ),
        (1, 0, 2)
    );
    assert!(a.candidate.is_flaky() && !b.candidate.is_flaky());
    let flaky = flaky_cases(&table, Arm::Candidate);
    assert_eq!(
        (flaky.len(), flaky[0].id, flaky[0].pass_hat_k),
        (1, "a", Some(0.0))
    );
    assert_eq!(flaky[0].pass_at_k, Some(1.0));
    let sure = reliability(&table, Arm::Candidate).unwrap();
    assert_eq!((sure.k, sure.cases), (3, 1));

    let pairing = Pairing::new(&table);
    assert_eq!(pairing.states, [PairState::Complete, PairState::Missing]);
    let left_out = pairing.pairs(&pairing.all, Measure::Pass, Fill::LeaveOut);
    assert_eq!((left_out.n(), left_out.missing), (1, 1));
    let worst = pairing.pairs(&pairing.all, Measure::Pass, Fill::Worst);
    assert_eq!(worst.baseline, [1.0, 1.0]);
    assert_eq!(worst.candidate, [1.0 / 3.0, 1.0]);
    let best = pairing.pairs(&pairing.all, Measure::Pass, Fill::Best);
    assert_eq!(best.baseline, [2.0 / 3.0, 1.0 / 3.0]);
}

#[test]
fn clusters_count_only_where_two_cases_share_one() {
    let number = |names: &[Option<&'static str>]| compare::number_clusters(names.iter().copied());
    assert_eq!(number(&[Some("a"), Some("b"), None]), None);
    assert_eq!(
        number(&[Some("a"), None, Some("a"), None]),
        Some(vec![0, 1, 0, 2])
    );
}

#[test]
fn an_effective_number_of_cases_stands_for_repeats() {
    let few = RateSample {
        shares: vec![1.0; 20],
        clusters: None,
        trials: 60,
        repeated: true,
    };
    let once = RateSample {
        trials: 20,
        repeated: false,
        ..few.clone()
    };
    assert_eq!(few.interval(0.9), once.interval(0.9));
    let empty = RateSample::default();
    assert_eq!((empty.mean(), empty.interval(0.9)), (None, None));
}

#[test]
fn segments_are_sets_by_key_and_value() {
    let tier = Fields::new(vec![
        ("tier".into(), "pro".into()),
        ("locale".into(), "en".into()),
    ]);
    let none = Fields::default();
    let row = |segment| CaseRow {
        id: "a",
        line: 1,
        segment,
        cluster: None,
        must_pass: false,
        quarantined: false,
        baseline: None,
        candidate: ArmCell::default(),
    };
    let table = CaseTable {
        rows: vec![row(&tier), row(&none), row(&tier)],
        has_baseline: false,
        repeat: 1,
        graded: false,
    };
    let found = segments(&table, None, 20);
    let names: Vec<&str> = found.iter().map(|segment| segment.name.as_str()).collect();
    assert_eq!(names, ["locale=en", "tier=pro"]);
    assert_eq!(found[1].rows, [0, 2]);
    assert_eq!(segments(&table, Some(&["tier".to_owned()]), 20).len(), 1);
}
