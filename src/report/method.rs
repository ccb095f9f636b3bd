//! How a verdict came about, number by number (statistics.md section 5), and the digests of everything
//! that went into it: what every format prints as its last section. Unescaped.

use super::content::SuiteReport;
use super::number::{self, Scale};
use crate::record::Arm;
use crate::verdict::RuleResult;

/// What the run was made of: model, judges, prompts, suite, dataset, run.
#[must_use]
pub fn origins(suite: &SuiteReport<'_>) -> Vec<(&'static str, String)> {
    let header = &suite.run.header;
    let mut lines = Vec::new();
    for model in std::iter::once(&header.model).chain(&header.candidate_model) {
        let id = model.model.as_deref().unwrap_or(&model.name);
        lines.push(("model", format!("{id} ({})", model.provider)));
    }
    lines.push(("served", suite.served().join(", ")));
    for (_, judge) in header.judges() {
        lines.push((
            "judge",
            format!("{} {} on {}", judge.version, judge.hash, judge.model),
        ));
    }
    let records = super::words::records(suite);
    lines.extend(records.map(|record| ("calibration", record)));
    for arm in &header.arms {
        lines.push((
            "prompt",
            format!("{} {} {}", header.prompt, arm.label, arm.hash),
        ));
    }
    lines.push((
        "suite",
        format!("{} {}", header.suite_path, header.suite_digest),
    ));
    lines.push(("plan", header.plan_digest.to_string()));
    lines.push((
        "dataset",
        format!("{} {}", header.dataset.path, header.dataset.digest),
    ));
    lines.extend(
        header
            .registry_head
            .map(|head| ("registry", head.to_string())),
    );
    lines.push((
        "run",
        format!(
            "{}, seed {}, tool {}",
            header.run_id, header.seed, header.tool
        ),
    ));
    lines
}

/// What became of an arm's trials, in one sentence; empty for an arm that the run has not.
#[must_use]
pub fn trials(suite: &SuiteReport<'_>, arm: Arm) -> String {
    let Some(arm) = suite.arm(arm) else {
        return String::new();
    };
    let rate = arm
        .pass_rate
        .map_or_else(|| number::UNKNOWN.to_owned(), number::percent);
    let ci = arm.ci.map_or_else(String::new, |ci| {
        let (low, high) = (number::percent(ci.low), number::percent(ci.high));
        format!(
            " ({} {} interval {low} to {high})",
            number::level(ci.level),
            ci.method
        )
    });
    let errors = arm
        .errors
        .iter()
        .map(|(class, count)| format!(", {count} {}", class.as_str()));
    format!(
        "pass rate {rate}{ci}; {} trials: {} passed, {} failed, {} errored, {} skipped{}",
        arm.trials,
        arm.passed,
        arm.failed,
        arm.errored,
        arm.skipped,
        errors.collect::<String>(),
    )
}

/// Every number of a rule that the table has no column for.
#[must_use]
pub fn numbers(rule: &RuleResult) -> Vec<(&'static str, String)> {
    let mut lines = Vec::new();
    if let Some(pairs) = rule.pairs {
        let table = format!(
            "{}: both pass {}, lost {}, won {}, both fail {}; missing {}",
            pairs.n,
            pairs.both_pass,
            pairs.regressions,
            pairs.fixes,
            pairs.both_fail,
            pairs.missing
        );
        lines.push(("pairs", table));
    }
    for test in &rule.tests {
        let p = number::probability(test.p_regression);
        let both = number::probability(test.p_two_sided);
        let statistic = test
            .statistic
            .map_or_else(String::new, |s| format!("statistic {s:.4}, "));
        let note = test
            .note
            .map_or_else(String::new, |note| format!(" ({note})"));
        lines.push((
            test.name,
            format!("{statistic}one-sided p {p}, two-sided p {both}{note}"),
        ));
    }
    for (what, value) in [
        ("p", rule.p_regression),
        ("adjusted p", rule.p_regression_adjusted),
        ("p against non-inferiority", rule.p_noninferior),
        ("p of an improvement", rule.p_improvement),
        ("p guarded against non-inferiority", rule.p_guarded),
    ] {
        lines.extend(value.map(|p| (what, number::probability(Some(p)))));
    }
    lines.extend(limits(rule));
    lines
}

/// What the policy asked of a rule, and what so many cases can show.
fn limits(rule: &RuleResult) -> Vec<(&'static str, String)> {
    let mut lines = Vec::new();
    let scale = Scale::of(rule);
    lines.extend(
        rule.margin
            .map(|margin| ("allowed loss", scale.size(margin))),
    );
    lines.extend(
        rule.max_ratio
            .map(|ratio| ("allowed ratio", ratio.to_string())),
    );
    let required = rule.required;
    lines.extend(required.map(|value| ("required", scale.value(&rule.metric, Some(value)))));
    lines.extend(rule.alpha.map(|alpha| ("alpha", alpha.to_string())));
    let mde = rule
        .mde
        .map(|mde| ("smallest loss it would find", scale.size(mde)));
    lines.extend(mde);
    lines.extend(
        rule.cases_needed
            .map(|n| ("cases needed to decide", n.to_string())),
    );
    lines.extend(rule.clusters.map(|n| ("clusters", n.to_string())));
    if rule.left_out > 0 {
        lines.push(("pairs without a value", rule.left_out.to_string()));
    }
    lines.extend(rule.totals.map(|(ratio, ci)| {
        let level = number::level(ci.level);
        let interval = format!("{:.4} to {:.4}, {}", ci.low, ci.high, ci.method);
        (
            "ratio of the totals",
            format!("{ratio:.4} ({level} interval {interval})"),
        )
    }));
    lines
}
