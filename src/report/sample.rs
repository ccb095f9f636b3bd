//! Reports made by hand for the tests of the renderers: six cases with hostile answers, a run
//! without a baseline, one without a verdict, and one that is inconclusive.

use super::content::{
    ExitNote, MemoryTexts, NextStep, Report, SuiteNote, SuiteOutcome, SuiteReport,
};
use crate::record::{Arm, FinishReason, Run};
use crate::verdict::{Decision, FamilyNote, MissingNote, RuleVerdict, Verdict};

mod decision;
mod run;

pub use decision::{failing, rule, undecided};
pub use run::{Said, case, fold, header, summary, table};

pub const XML: &str = "]]></failure></testcase><testcase name=\"forged\"/><![CDATA[ &amp; <b>";
pub const SHELL: &str =
    "\u{1b}[31mred\u{1b}[0m @team #1\n::error::forged\n##[add-mask]x\n````\n~~~\n=1+1";
pub const BYTES: &str = "nul \0 fffe \u{fffe} bidi \u{202e}evil\u{202c} csi \u{9b}2J";

/// A run with its texts, from which reports are made.
pub struct Sample {
    pub run: Run,
    pub texts: MemoryTexts,
    pub decision: Decision,
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
    floor.margin = None;
    floor.required = Some(0.9);
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
            corrected: Vec::new(),
            spent_usd: Some(0.003),
            notes: vec![],
        }))
    }

    pub fn report(&self) -> Report<'_> {
        let (code, name) = match self.decision.verdict {
            Verdict::Fail => (1, "gate_failed"),
            Verdict::Error => (3, "infra"),
            Verdict::Inconclusive if self.decision.blocks_inconclusive => (4, "inconclusive"),
            Verdict::Inconclusive | Verdict::Pass | Verdict::Skipped => (0, "ok"),
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
