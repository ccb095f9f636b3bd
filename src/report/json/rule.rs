//! A rule in the result document: every number that its verdict is based on.

use serde::Serialize;

use super::arm::Interval;
use crate::verdict::{Estimate, PairsTable, RuleResult, TestResult};

/// A rule's entry.
#[derive(Serialize)]
pub struct Rule<'a> {
    id: &'a str,
    metric: &'a str,
    segment: Option<&'a str>,
    verdict: &'static str,
    reason: &'a str,
    gating: bool,
    n: u64,
    left_out: u64,
    pairs: Option<Pairs>,
    baseline_value: Option<f64>,
    candidate_value: Option<f64>,
    estimate: Option<f64>,
    ci: Option<Interval>,
    decided_by: Option<&'static str>,
    alpha: Option<f64>,
    margin: Option<f64>,
    max_ratio: Option<f64>,
    p_regression: Option<f64>,
    p_regression_adjusted: Option<f64>,
    p_noninferior: Option<f64>,
    p_improvement: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    p_guarded: Option<f64>,
    tests: Vec<Test>,
    mde: Option<f64>,
    cases_needed: Option<u64>,
    clusters: Option<u64>,
    totals: Option<Totals>,
    case_ids: &'a [String],
}

#[derive(Serialize)]
struct Pairs {
    n: u64,
    both_pass: u64,
    regressions: u64,
    fixes: u64,
    both_fail: u64,
    missing: u64,
}

/// The ratio of the arms' totals, which does not decide.
#[derive(Serialize)]
struct Totals {
    ratio: f64,
    ci: Interval,
}

#[derive(Serialize)]
struct Test {
    name: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    statistic: Option<f64>,
    p_two_sided: Option<f64>,
    p_regression: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<&'static str>,
}

impl<'a> Rule<'a> {
    /// The entry of a rule.
    pub fn of(rule: &'a RuleResult) -> Self {
        Self {
            id: &rule.id,
            metric: &rule.metric,
            segment: rule.segment.as_deref(),
            verdict: rule.verdict.as_str(),
            reason: &rule.reason,
            gating: rule.gating,
            n: rule.n,
            left_out: rule.left_out,
            pairs: rule.pairs.as_ref().map(Pairs::of),
            baseline_value: rule.baseline_value,
            candidate_value: rule.candidate_value,
            estimate: rule.estimate,
            ci: rule.ci.map(interval),
            decided_by: rule.decided_by,
            alpha: rule.alpha,
            margin: rule.margin,
            max_ratio: rule.max_ratio,
            p_regression: rule.p_regression,
            p_regression_adjusted: rule.p_regression_adjusted,
            p_noninferior: rule.p_noninferior,
            p_improvement: rule.p_improvement,
            p_guarded: rule.p_guarded,
            tests: rule.tests.iter().map(Test::of).collect(),
            mde: rule.mde,
            cases_needed: rule.cases_needed,
            clusters: rule.clusters,
            totals: rule.totals.map(|(ratio, ci)| Totals {
                ratio,
                ci: interval(ci),
            }),
            case_ids: &rule.case_ids,
        }
    }
}

fn interval(ci: Estimate) -> Interval {
    Interval {
        low: ci.low,
        high: ci.high,
        level: ci.level,
        method: ci.method,
    }
}

impl Pairs {
    fn of(pairs: &PairsTable) -> Self {
        Self {
            n: pairs.n,
            both_pass: pairs.both_pass,
            regressions: pairs.regressions,
            fixes: pairs.fixes,
            both_fail: pairs.both_fail,
            missing: pairs.missing,
        }
    }
}

impl Test {
    fn of(test: &TestResult) -> Self {
        Self {
            name: test.name,
            statistic: test.statistic,
            p_two_sided: test.p_two_sided,
            p_regression: test.p_regression,
            note: test.note,
        }
    }
}
