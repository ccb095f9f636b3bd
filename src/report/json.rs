//! The result document, schema `gate/result@1` (formats.md section 6).
//!
//! It is written case by case: the texts of a case are read from the log when its turn comes, so the
//! document is never in memory. Unknown numbers are null; characters that could deceive a terminal
//! are escapes.

use std::io::{self, Write};

use serde::Serialize;
use serde::ser::{SerializeMap as _, Serializer};
use serde_json::Value;

use super::content::{ExitNote, Report, SuiteNote, SuiteOutcome, SuiteReport};
use super::escape::JsonFormatter;
use crate::analysis::{flaky_cases, position_bias};
use crate::record::Arm;

mod arm;
mod calibration;
mod case;
mod rule;

/// The form of the document.
pub const SCHEMA: &str = "gate/result@1";

/// The JSON Schema (draft 2020-12) of the document.
pub const JSON_SCHEMA: &str = include_str!("../../schema/result.json");

/// Writes the document and a newline.
///
/// # Errors
/// Those of the writer.
pub fn write(report: &Report<'_>, into: &mut dyn Write) -> io::Result<()> {
    let mut serializer = serde_json::Serializer::with_formatter(&mut *into, JsonFormatter);
    Document::of(report).serialize(&mut serializer)?;
    into.write_all(b"\n")
}

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    command: &'a str,
    verdict: &'static str,
    exit: Exit<'a>,
    tool: &'a str,
    notes: &'a [String],
    #[serde(serialize_with = "suites")]
    suites: &'a [SuiteOutcome<'a>],
}

#[derive(Serialize)]
struct Exit<'a> {
    code: u8,
    name: &'a str,
    reason: &'a str,
    message: &'a str,
}

impl<'a> Document<'a> {
    fn of(report: &'a Report<'a>) -> Self {
        let ExitNote {
            code,
            name,
            reason,
            message,
        } = &report.exit;
        Self {
            schema: SCHEMA,
            command: &report.command,
            verdict: report.verdict.as_str(),
            exit: Exit {
                code: *code,
                name,
                reason,
                message,
            },
            tool: &report.tool,
            notes: &report.notes,
            suites: &report.suites,
        }
    }
}

fn suites<S: Serializer>(suites: &[SuiteOutcome<'_>], to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(suites.iter().map(Suite))
}

struct Suite<'a>(&'a SuiteOutcome<'a>);

impl Serialize for Suite<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            SuiteOutcome::Ran(suite) => Ran::of(suite).serialize(to),
            SuiteOutcome::Skipped(note) => NotRun::of(note, self.0, true).serialize(to),
            SuiteOutcome::Failed(note) => NotRun::of(note, self.0, false).serialize(to),
        }
    }
}

#[derive(Serialize)]
struct Ran<'a> {
    name: &'a str,
    title: &'a str,
    verdict: &'static str,
    reason: &'a str,
    message: &'a str,
    run_id: &'a str,
    seed: u64,
    repeat: u32,
    complete: bool,
    spent_usd: Option<f64>,
    prompt: &'a str,
    suite_path: &'a str,
    suite_digest: String,
    plan_digest: String,
    dataset: Dataset<'a>,
    model: Model<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    candidate_model: Option<Model<'a>>,
    judges: Vec<Judge<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    calibrations: Vec<calibration::Calibration<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    corrected: Vec<calibration::Corrected<'a>>,
    filter: Option<&'a str>,
    sample: Option<&'a str>,
    offline: bool,
    tool: &'a str,
    registry_head: Option<String>,
    preset: &'a str,
    notes: Vec<&'a str>,
    missing: Option<Missing>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    quarantined: Vec<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    flaky: Vec<Flaky<'a>>,
    family: Family,
    arms: arm::Arms<'a>,
    #[serde(serialize_with = "rules")]
    rules: &'a SuiteReport<'a>,
    #[serde(serialize_with = "cases")]
    cases: &'a SuiteReport<'a>,
}

#[derive(Serialize)]
struct Dataset<'a> {
    path: &'a str,
    digest: String,
    cases: usize,
    selected: usize,
}

#[derive(Serialize)]
#[expect(clippy::struct_field_names, reason = "the names are the format's")]
struct Model<'a> {
    name: &'a str,
    provider: &'a str,
    model: Option<&'a str>,
    served: Vec<&'a str>,
}

#[derive(Serialize)]
struct Judge<'a> {
    scorer: String,
    version: &'a str,
    hash: String,
    model: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    position_bias: Option<Bias>,
}

/// How often the order of two answers decided.
#[derive(Serialize)]
struct Bias {
    pairs: u64,
    flips: u64,
    first: u64,
    second: u64,
}

/// A case whose repeats disagree on one side.
#[derive(Serialize)]
struct Flaky<'a> {
    id: &'a str,
    arm: &'static str,
    passed: u32,
    finished: u32,
    pass_hat_k: Option<f64>,
    pass_at_k: Option<f64>,
}

#[derive(Serialize)]
struct Family {
    rules: usize,
    could_fail: usize,
    comparisons: usize,
}

#[derive(Serialize)]
#[expect(clippy::struct_field_names, reason = "the names are the format's")]
struct Missing {
    planned: u64,
    missing: u64,
    offline: u64,
    stopped: u64,
    verdict_without: &'static str,
}

fn rules<S: Serializer>(suite: &SuiteReport<'_>, to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(suite.decision.rules.iter().map(rule::Rule::of))
}

fn cases<S: Serializer>(suite: &SuiteReport<'_>, to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(suite.rows().map(|row| case::CaseEntry::of(suite, row)))
}

impl<'a> Ran<'a> {
    fn of(suite: &'a SuiteReport<'a>) -> Self {
        let header = &suite.run.header;
        let decision = &suite.decision;
        let held_out = suite.table.rows.iter().filter(|row| row.is_held_out());
        Self {
            name: &header.suite,
            title: &header.title,
            verdict: decision.verdict.as_str(),
            reason: &decision.reason,
            message: &decision.message,
            run_id: header.run_id.as_str(),
            seed: header.seed,
            repeat: header.repeat,
            complete: suite.is_complete(),
            spent_usd: suite.spent_usd,
            prompt: &header.prompt,
            suite_path: &header.suite_path,
            suite_digest: header.suite_digest.to_string(),
            plan_digest: header.plan_digest.to_string(),
            dataset: Dataset {
                path: &header.dataset.path,
                digest: header.dataset.digest.to_string(),
                cases: header.dataset.cases,
                selected: header.dataset.selected,
            },
            model: model(suite, Arm::Baseline),
            candidate_model: header
                .candidate_model
                .is_some()
                .then(|| model(suite, Arm::Candidate)),
            judges: judges(suite),
            calibrations: calibration::known(suite),
            corrected: calibration::corrected(suite),
            filter: header.filter.as_deref(),
            sample: header.sample.as_deref(),
            offline: header.offline,
            tool: &header.tool,
            registry_head: header.registry_head.map(|head| head.to_string()),
            preset: decision.preset,
            notes: notes(suite),
            missing: decision.missing.map(|missing| Missing {
                planned: missing.planned,
                missing: missing.missing,
                offline: missing.offline,
                stopped: missing.stopped,
                verdict_without: missing.without.as_str(),
            }),
            quarantined: held_out.map(|row| row.id).collect(),
            flaky: flaky(suite),
            family: Family {
                rules: decision.family.rules,
                could_fail: decision.family.could_fail,
                comparisons: decision.family.comparisons.max(1),
            },
            arms: arm::Arms(suite),
            rules: suite,
            cases: suite,
        }
    }
}

fn model<'a>(suite: &'a SuiteReport<'a>, arm: Arm) -> Model<'a> {
    let header = suite.run.header.model_of(arm);
    let served = if suite.run.header.candidate_model.is_some() {
        let own = suite.run.served.get(&arm).into_iter().flatten();
        own.map(String::as_str).collect()
    } else {
        suite.served()
    };
    Model {
        name: &header.name,
        provider: &header.provider,
        model: header.model.as_deref(),
        served,
    }
}

fn judges<'a>(suite: &'a SuiteReport<'a>) -> Vec<Judge<'a>> {
    let biases = position_bias(suite.run);
    let judges = suite.run.header.judges();
    judges
        .map(|(scorer, judge)| Judge {
            position_bias: biases
                .iter()
                .find(|bias| bias.scorer == scorer)
                .map(|bias| Bias {
                    pairs: bias.pairs,
                    flips: bias.flips(),
                    first: bias.first,
                    second: bias.second,
                }),
            scorer,
            version: &judge.version,
            hash: judge.hash.to_string(),
            model: &judge.model,
        })
        .collect()
}

fn flaky<'a>(suite: &'a SuiteReport<'a>) -> Vec<Flaky<'a>> {
    let of_arm = |arm: Arm| {
        let cases = flaky_cases(&suite.table, arm).into_iter();
        cases.map(move |case| Flaky {
            id: case.id,
            arm: arm.as_str(),
            passed: case.passed,
            finished: case.finished,
            pass_hat_k: case.pass_hat_k,
            pass_at_k: case.pass_at_k,
        })
    };
    of_arm(Arm::Baseline)
        .chain(of_arm(Arm::Candidate))
        .collect()
}

fn notes<'a>(suite: &'a SuiteReport<'a>) -> Vec<&'a str> {
    let notes = suite.decision.notes.iter();
    let notes = notes.chain(&suite.run.header.notes).chain(&suite.notes);
    notes.map(String::as_str).collect()
}

/// An entry without a run: the keys of one with a run, without values.
struct NotRun<'a> {
    note: &'a SuiteNote,
    verdict: &'static str,
    complete: bool,
}

impl<'a> NotRun<'a> {
    fn of(note: &'a SuiteNote, outcome: &SuiteOutcome<'_>, complete: bool) -> Self {
        Self {
            note,
            verdict: outcome.verdict().as_str(),
            complete,
        }
    }
}

impl Serialize for NotRun<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut entry = to.serialize_map(None)?;
        entry.serialize_entry("name", &self.note.name)?;
        entry.serialize_entry("title", &self.note.name)?;
        entry.serialize_entry("verdict", self.verdict)?;
        entry.serialize_entry("reason", &self.note.reason)?;
        entry.serialize_entry("message", &self.note.message)?;
        entry.serialize_entry("complete", &self.complete)?;
        for key in [
            "run_id",
            "seed",
            "prompt",
            "suite_digest",
            "plan_digest",
            "dataset",
            "model",
        ] {
            entry.serialize_entry(key, &Value::Null)?;
        }
        entry.serialize_entry("spent_usd", &0.0)?;
        entry.serialize_entry("arms", &serde_json::Map::new())?;
        entry.serialize_entry("rules", &[(); 0])?;
        entry.serialize_entry("cases", &[(); 0])?;
        entry.end()
    }
}

#[cfg(test)]
mod tests;
