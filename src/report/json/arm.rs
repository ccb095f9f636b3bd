//! The arms of a suite in the result document, each with every key.

use std::collections::BTreeMap;

use serde::Serialize;
use serde::ser::{SerializeMap as _, Serializer};

use crate::analysis::{ArmSummary, reliability};
use crate::record::{Arm, ArmHeader};
use crate::report::content::SuiteReport;

/// The arms by name, the baseline first.
pub struct Arms<'a>(pub &'a SuiteReport<'a>);

impl Serialize for Arms<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut arms = to.serialize_map(None)?;
        for arm in [Arm::Baseline, Arm::Candidate] {
            if let Some(summary) = self.0.arm(arm) {
                let header = self.0.run.header.arm(arm);
                arms.serialize_entry(arm.as_str(), &ArmEntry::of(self.0, summary, header))?;
            }
        }
        arms.end()
    }
}

#[derive(Serialize)]
struct ArmEntry<'a> {
    r#ref: Option<&'a str>,
    label: Option<&'a str>,
    version: Option<u32>,
    hash: Option<String>,
    trials: u64,
    passed: u64,
    failed: u64,
    errored: u64,
    skipped: u64,
    answer_faults: BTreeMap<&'static str, u64>,
    errors: BTreeMap<&'static str, u64>,
    pass_rate: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reliability: Option<Reliable>,
    ci: Option<Interval>,
    usage: Usage,
    cost_usd: Option<f64>,
    judge_cost_usd: Option<f64>,
    latency_ms: Latency,
    cache_hits: u64,
    requests: u64,
    retries: u64,
    finish_reasons: &'a BTreeMap<String, u64>,
}

/// An interval with how it was made.
#[derive(Serialize)]
pub struct Interval {
    /// Lower bound.
    pub low: f64,
    /// Upper bound.
    pub high: f64,
    /// Two-sided confidence level.
    pub level: f64,
    /// The method's name.
    pub method: &'static str,
}

#[derive(Serialize)]
#[expect(clippy::struct_field_names, reason = "the names are the format's")]
struct Usage {
    input_tokens: Option<u64>,
    output_tokens: Option<u64>,
    cached_input_tokens: Option<u64>,
}

/// How sure an arm passes over its repeats.
#[derive(Serialize)]
struct Reliable {
    k: u32,
    pass_hat_k: f64,
    pass_at_k: f64,
    cases: u64,
}

#[derive(Serialize)]
struct Latency {
    p50: Option<f64>,
    p95: Option<f64>,
}

impl<'a> ArmEntry<'a> {
    fn of(suite: &SuiteReport<'_>, summary: &'a ArmSummary, header: Option<&'a ArmHeader>) -> Self {
        let words = summary.answer_faults.iter();
        let answer_faults = words.map(|(fault, count)| (fault.as_str(), *count));
        let classes = summary.errors.iter();
        let errors = classes.map(|(class, count)| (class.as_str(), *count));
        Self {
            r#ref: header.map(|header| header.reference.as_str()),
            label: header.map(|header| header.label.as_str()),
            version: header.and_then(|header| header.version),
            hash: header.map(|header| header.hash.to_string()),
            trials: summary.trials,
            passed: summary.passed,
            failed: summary.failed,
            errored: summary.errored,
            skipped: summary.skipped,
            answer_faults: answer_faults.collect(),
            errors: errors.collect(),
            pass_rate: summary.pass_rate,
            reliability: reliability(&suite.table, summary.arm).map(|found| Reliable {
                k: found.k,
                pass_hat_k: found.pass_hat_k,
                pass_at_k: found.pass_at_k,
                cases: found.cases,
            }),
            ci: summary.ci.map(|ci| Interval {
                low: ci.low,
                high: ci.high,
                level: ci.level,
                method: ci.method,
            }),
            usage: Usage {
                input_tokens: summary.usage.input_tokens,
                output_tokens: summary.usage.output_tokens,
                cached_input_tokens: summary.usage.cached_input_tokens,
            },
            cost_usd: summary.cost_usd,
            judge_cost_usd: summary.judge_cost_usd,
            latency_ms: Latency {
                p50: summary.latency_ms.p50,
                p95: summary.latency_ms.p95,
            },
            cache_hits: summary.cache_hits,
            requests: summary.requests,
            retries: summary.retries,
            finish_reasons: &summary.finish_reasons,
        }
    }
}
