//! Judges in the result document: how well they agree with people, by which record, and the pass rates
//! corrected for what they get wrong.

use serde::Serialize;

use super::arm::Interval;
use crate::analysis::preference::AgreementSummary;
use crate::report::content::SuiteReport;

/// What is known of a judge.
#[derive(Serialize)]
pub struct Calibration<'a> {
    scorer: &'a str,
    judge: &'a str,
    model: &'a str,
    gating: bool,
    threshold: Option<f64>,
    /// Where the record is, with the digest of its file; null where it can not be used.
    record: &'a str,
    digest: Option<String>,
    date: Option<String>,
    fault: Option<&'a str>,
    labels: u64,
    kappa: Option<f64>,
    ac1: Option<f64>,
    sensitivity: Option<f64>,
    specificity: Option<f64>,
}

/// A pass rate as judged and corrected.
#[derive(Serialize)]
#[expect(clippy::struct_field_names, reason = "the names are the format's")]
pub struct Corrected<'a> {
    scorer: &'a str,
    arm: &'static str,
    cases: u64,
    pass_rate: f64,
    corrected: Option<f64>,
    ci: Option<Interval>,
    method: &'static str,
    labels: u64,
}

/// What is known of the judges of a suite.
pub fn known<'a>(suite: &'a SuiteReport<'_>) -> Vec<Calibration<'a>> {
    let judges = suite.run.header.calibrations.iter();
    judges
        .map(|judge| {
            let agreement = AgreementSummary::of(&judge.items, judge.threshold);
            Calibration {
                scorer: &judge.scorer,
                judge: &judge.judge,
                model: &judge.model,
                gating: judge.gating,
                threshold: judge.threshold,
                record: &judge.path,
                digest: judge.digest.map(|digest| digest.to_string()),
                date: judge.date.map(|date| date.to_string()),
                fault: judge.fault.as_deref(),
                labels: agreement.examples,
                kappa: agreement.kappa,
                ac1: agreement.ac1,
                sensitivity: agreement.sensitivity,
                specificity: agreement.specificity,
            }
        })
        .collect()
}

/// The corrected pass rates of a suite.
pub fn corrected<'a>(suite: &'a SuiteReport<'_>) -> Vec<Corrected<'a>> {
    let rates = suite.corrected.iter();
    rates
        .map(|rate| Corrected {
            scorer: &rate.scorer,
            arm: rate.arm.as_str(),
            cases: rate.cases,
            pass_rate: rate.raw,
            corrected: rate.corrected,
            ci: rate.interval.map(|interval| Interval {
                low: interval.low,
                high: interval.high,
                level: interval.level,
                method: rate.method.as_str(),
            }),
            method: rate.method.as_str(),
            labels: rate.labels,
        })
        .collect()
}
