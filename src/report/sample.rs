//! Reports made by hand for the tests of the renderers: six cases with hostile answers, a run
//! without a baseline, one without a verdict, and one that is inconclusive.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::json;

use super::content::{
    ExitNote, MemoryTexts, NextStep, Report, SuiteNote, SuiteOutcome, SuiteReport,
};
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
use crate::verdict::{
    Decision, Estimate, FamilyNote, MissingNote, PairsTable, RuleResult, RuleVerdict, TestResult,
    Verdict,
};

pub const XML: &str = "]]></failure></testcase><testcase name=\"forged\"/><![CDATA[ &amp; <b>";
pub const SHELL: &str =
    "\u{1b}[31mred\u{1b}[0m @team #1\n::error::forged\n##[add-mask]x\n````\n~~~\n=1+1";
pub const BYTES: &str = "nul \0 fffe \u{fffe} bidi \u{202e}evil\u{202c} csi \u{9b}2J";

/// One trial of the sample: what the model said, and whether that was right.
#[derive(Clone, Copy)]
pub enum Said {
    Right(&'static str),
    Wrong(&'static str),
    TimedOut,
    Nothing,
}

/// A run with its texts, from which reports are made.
pub struct Sample {
    pub run: Run,
    pub texts: MemoryTexts,
    pub decision: Decision,
}

fn case(id: &str, line: u32, tier: Option<&str>, ticket: &str) -> Case {
    let segment = tier.map(|tier| (Arc::from("tier"), Box::from(tier)));
    Case {
        id: CaseId::new(id),
        line,
        vars: Fields::new(vec![(Arc::from("ticket"), json!(ticket))]),
        expected: Some(json!("billing")),
        segment: Fields::new(segment.into_iter().collect()),
        tags: Box::default(),
        must_pass: id == "c-2",
        cluster: None,
        scorers: Box::default(),
        note: None,
        explicit_defaults: Box::default(),
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
        scorers: vec![ScorerHeader {
            name: "equals".into(),
            kind: "equals".into(),
            gating: true,
            judge: None,
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
                let span = |offset| LogSpan { offset, length: 1 };
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
        LogSpan { offset, length: 1 },
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
        scorer: None,
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
    };
    let passed = outcome == Outcome::Passed;
    let scores = vec![ScoreRecord {
        scorer: "equals".into(),
        pass: passed,
        score: f64::from(u8::from(passed)),
        reason: format!("output is {reply:?}, expected \"billing\""),
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
    cell.cost_usd = Some(0.000_25);
    cell
}

fn summary(run: &Run, arm: Arm) -> ArmSummary {
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

/// A rule about the pass rate: values in percent, counts as (n, both, lost, won), p and verdict.
pub fn rule(
    segment: Option<&str>,
    pairs: (u64, u64, u64, u64),
    ci: (f64, f64),
    p: Option<f64>,
    verdict: RuleVerdict,
) -> RuleResult {
    let (n, both_pass, regressions, fixes) = pairs;
    let both_fail = n - both_pass - regressions - fixes;
    let share = |passed: u64| passed as f64 / n as f64;
    let id = segment.map_or("pass-rate".into(), |segment| {
        format!("pass-rate[{segment}]")
    });
    let reason = match verdict {
        RuleVerdict::Pass => "not worse than v7 within the allowed loss",
        RuleVerdict::Fail => "a significant loss",
        RuleVerdict::Inconclusive => "too little evidence",
        RuleVerdict::Skipped => "too few differing answers to show a loss",
    };
    RuleResult {
        id,
        metric: "pass".into(),
        segment: segment.map(str::to_owned),
        verdict,
        reason: reason.into(),
        gating: true,
        pairs: Some(PairsTable {
            n,
            both_pass,
            regressions,
            fixes,
            both_fail,
            missing: 0,
        }),
        baseline_value: Some(share(both_pass + regressions)),
        candidate_value: Some(share(both_pass + fixes)),
        estimate: Some(share(both_pass + fixes) - share(both_pass + regressions)),
        ci: Some(Estimate {
            low: ci.0,
            high: ci.1,
            level: 0.9,
            method: "tango",
        }),
        decided_by: Some("mcnemar-midp"),
        alpha: Some(0.05),
        margin: Some(0.05),
        max_ratio: None,
        p_regression: p,
        p_regression_adjusted: p,
        p_noninferior: Some(0.289_122),
        p_improvement: Some(0.988_77),
        p_guarded: None,
        tests: vec![],
        mde: Some(0.062_228),
        cases_needed: None,
        clusters: None,
        case_ids: vec![],
    }
}

/// The decision of the first screen in ci-and-cli.md section 6.
pub fn failing() -> Decision {
    use RuleVerdict::{Fail, Skipped};
    let mut all = rule(
        None,
        (200, 178, 10, 2),
        (-0.073_27, -0.013_068),
        Some(0.011_23),
        Fail,
    );
    all.tests = vec![
        TestResult {
            name: "two-proportion-z",
            statistic: Some(-1.474_42),
            p_two_sided: Some(0.140_369),
            p_regression: Some(0.070_184),
            note: None,
        },
        TestResult {
            name: "mcnemar-exact",
            statistic: None,
            p_two_sided: Some(0.038_574),
            p_regression: Some(0.019_287),
            note: None,
        },
    ];
    let segments = [
        rule(
            Some("tier=enterprise"),
            (45, 33, 9, 0),
            (-0.314, -0.12),
            Some(0.002),
            Fail,
        ),
        rule(
            Some("tier=free"),
            (80, 74, 1, 1),
            (-0.043, 0.043),
            None,
            Skipped,
        ),
        rule(
            Some("tier=pro"),
            (75, 71, 0, 1),
            (-0.022, 0.058),
            None,
            Skipped,
        ),
    ];
    Decision {
        verdict: Verdict::Fail,
        reason: "pass-rate".into(),
        message: "v8 is worse than v7: of 200 cases it loses 10 that v7 gets right, and wins 2."
            .into(),
        notes: vec![
            "9 of the 10 are in tier=enterprise: 1 in 5 of those customers' cases broke.".into(),
        ],
        rules: std::iter::once(all).chain(segments).collect(),
        family: FamilyNote {
            rules: 4,
            could_fail: 2,
        },
        missing: None,
        blocks_inconclusive: true,
        preset: "promote",
    }
}

/// The decision of the third screen there.
pub fn undecided(blocks: bool) -> Decision {
    let verdict = RuleVerdict::Inconclusive;
    let mut all = rule(None, (50, 43, 3, 1), (-0.125, 0.034), Some(0.1875), verdict);
    all.margin = Some(0.1);
    all.cases_needed = Some(60);
    all.tests = vec![TestResult {
        name: "two-proportion-z",
        statistic: Some(-0.667),
        p_two_sided: Some(0.505),
        p_regression: Some(0.252),
        note: Some("normal approximation weak"),
    }];
    let preset = if blocks { "promote" } else { "smoke" };
    Decision {
        verdict: Verdict::Inconclusive,
        reason: "pass-rate".into(),
        message: "50 cases are too few to tell: v8 loses 3 that v7 gets right, and wins 1.".into(),
        notes: vec!["This is not a pass.".into()],
        rules: vec![all],
        family: FamilyNote {
            rules: 1,
            could_fail: 1,
        },
        missing: None,
        blocks_inconclusive: blocks,
        preset,
    }
}

/// Six cases, of which the candidate loses two, wins one, and leaves one without an answer.
pub fn hostile() -> Sample {
    let cases = vec![
        case("c-1", 1, Some("pro"), "I was charged twice"),
        case(
            "c-2",
            2,
            Some("enterprise"),
            "<script>alert(1)</script> @team",
        ),
        case("ent|`4`\u{1b}[0m\n@all", 4, Some("a.b/c"), SHELL),
        case("c-4", 5, None, "won"),
        case("c-5", 6, Some("pro"), "fails on both"),
        case("c-6", 7, Some("enterprise"), "never answered"),
    ];
    let header = header(&[(Arm::Baseline, "v7"), (Arm::Candidate, "v8")], 6, 1);
    let said = [
        Said::Right("billing"),
        Said::Right(XML),
        Said::Right("billing"),
        Said::Wrong(XML),
        Said::Right(BYTES),
        Said::Wrong(SHELL),
        Said::Wrong(BYTES),
        Said::Right("billing"),
        Said::Wrong(XML),
        Said::Wrong(SHELL),
        Said::Right("billing"),
        Said::TimedOut,
    ];
    let (run, texts) = fold(header, cases, &said);
    Sample {
        run,
        texts,
        decision: failing(),
    }
}

/// Two cases three times each: one flaky, one not reached.
pub fn repeated() -> Sample {
    let cases = vec![case("flaky", 1, None, "a"), case("late", 2, None, "b")];
    let header = header(&[(Arm::Baseline, "v7"), (Arm::Candidate, "v8")], 2, 3);
    let ok = Said::Right("billing");
    let said = [ok, ok, ok, ok, Said::Wrong("Billing!"), ok];
    let (run, texts) = fold(header, cases, &said);
    Sample {
        run,
        texts,
        decision: undecided(false),
    }
}

/// A run of one arm.
pub fn single() -> Sample {
    let cases = vec![case("c-1", 1, None, "a"), case("c-2", 2, None, "b")];
    let header = header(&[(Arm::Candidate, "v8")], 2, 1);
    let said = [Said::Right("billing"), Said::Wrong("bug")];
    let (run, texts) = fold(header, cases, &said);
    let mut floor = rule(
        None,
        (2, 1, 1, 0),
        (0.09, 0.9),
        None,
        RuleVerdict::Inconclusive,
    );
    floor.id = "min-pass-rate".into();
    floor.pairs = None;
    floor.baseline_value = None;
    floor.candidate_value = Some(0.5);
    floor.estimate = None;
    floor.decided_by = None;
    let decision = Decision {
        message: "2 cases are too few to tell if v8 passes 90 % of them.".into(),
        reason: "min-pass-rate".into(),
        notes: vec![],
        rules: vec![floor],
        ..undecided(true)
    };
    Sample {
        run,
        texts,
        decision,
    }
}

/// A run that the provider broke.
pub fn broken() -> Sample {
    let cases = vec![case("c-1", 1, None, "a"), case("c-2", 2, None, "b")];
    let header = header(&[(Arm::Baseline, "v7"), (Arm::Candidate, "v8")], 2, 1);
    let ok = Said::Right("billing");
    let (mut run, texts) = fold(header, cases, &[ok, Said::TimedOut, Said::TimedOut]);
    run.finished = Some(FinishReason {
        reason: "provider_down".into(),
        message: Some("ten attempts in a row timed out".into()),
    });
    let decision = Decision {
        verdict: Verdict::Error,
        reason: "provider_down".into(),
        message: "no verdict: ten attempts in a row timed out.".into(),
        notes: vec!["`gate compare --resume` sends the rest.".into()],
        rules: vec![],
        family: FamilyNote::default(),
        missing: Some(MissingNote {
            planned: 2,
            missing: 2,
            offline: 0,
            stopped: 0,
            without: Verdict::Inconclusive,
        }),
        blocks_inconclusive: false,
        preset: "smoke",
    };
    Sample {
        run,
        texts,
        decision,
    }
}

impl Sample {
    pub fn suite(&self) -> SuiteOutcome<'_> {
        SuiteOutcome::Ran(Box::new(SuiteReport {
            run: &self.run,
            table: table(&self.run),
            arms: self.run.arms().map(|arm| summary(&self.run, arm)).collect(),
            decision: self.decision.clone(),
            texts: &self.texts,
            spent_usd: Some(0.003),
            notes: vec![],
        }))
    }

    pub fn report(&self) -> Report<'_> {
        let (code, name) = match self.decision.verdict {
            Verdict::Pass | Verdict::Skipped => (0, "ok"),
            Verdict::Fail => (1, "gate_failed"),
            Verdict::Error => (3, "infra"),
            Verdict::Inconclusive if self.decision.blocks_inconclusive => (4, "inconclusive"),
            Verdict::Inconclusive => (0, "ok"),
        };
        Report {
            command: self.run.header.command.clone(),
            tool: "0.1.0".into(),
            verdict: self.decision.verdict,
            exit: ExitNote {
                code,
                name,
                reason: self.decision.reason.clone(),
                message: self.decision.message.clone(),
            },
            suites: vec![self.suite()],
            notes: vec![],
            next: vec![
                NextStep {
                    command: "gate show last ent-004".into(),
                    note: "a lost case, both answers side by side (8 more in enterprise)".into(),
                },
                NextStep {
                    command: "mend the prompt as v9, then: gate compare v7 v9".into(),
                    note: String::new(),
                },
            ],
            reproduce: Some("gate compare v7 v8 --suite support-triage".into()),
        }
    }
}

/// The failing sample beside a suite that had nothing to do and one that could not begin.
pub fn several(sample: &Sample) -> Report<'_> {
    let note = |name: &str, reason: &str, message: &str| SuiteNote {
        name: name.into(),
        reason: reason.into(),
        message: message.into(),
    };
    let mut report = sample.report();
    report
        .notes
        .push("gate definition changed: evals/support-triage.yaml".into());
    report.suites.push(SuiteOutcome::Skipped(note(
        "smoke",
        "skipped",
        "the two versions have equal content; the dataset changed.",
    )));
    report.suites.push(SuiteOutcome::Failed(note(
        "safety",
        "auth",
        "OPENAI_API_KEY is not set.",
    )));
    report
}

/// What a renderer writes, as text.
pub fn rendered(write: impl FnOnce(&mut dyn std::io::Write) -> std::io::Result<()>) -> String {
    let mut bytes = Vec::new();
    write(&mut bytes).unwrap();
    String::from_utf8(bytes).unwrap()
}

/// Compares a report with its snapshot in `src/report/snapshots`.
pub fn assert_snapshot(name: &str, text: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(concat!(env!("CARGO_MANIFEST_DIR"), "/src/report/snapshots"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, text));
}
