//! The folded sections: segments, cost and latency, fixed cases, known failures, method and digests.

use super::folded;
use crate::analysis::Transition;
use crate::record::Arm;
use crate::report::content::SuiteReport;
use crate::report::escape::{markdown, markdown_code};
use crate::report::number;
use crate::report::words;
use crate::verdict::RuleResult;
use std::fmt::Write as _;

/// The most cases in a list.
const MAX_CASES: usize = 100;

/// A folded section.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// Reasons of the rules about segments.
    Segments,
    /// Cost and tokens.
    Cost,
    /// Latency and requests.
    Latency,
    /// Cases that pass now.
    Fixed,
    /// Cases that fail on both sides.
    KnownFailures,
    /// Cases without a result.
    Missing,
    /// Tests, digests, seed.
    Method,
}

impl Detail {
    /// All of them, in order.
    pub const ALL: [Self; 7] = [
        Self::Segments,
        Self::Cost,
        Self::Latency,
        Self::Fixed,
        Self::KnownFailures,
        Self::Missing,
        Self::Method,
    ];

    fn title(self) -> &'static str {
        match self {
            Self::Segments => "Segments",
            Self::Cost => "Cost",
            Self::Latency => "Latency",
            Self::Fixed => "Fixed",
            Self::KnownFailures => "Known failures",
            Self::Missing => "Without a result",
            Self::Method => "Method and digests",
        }
    }

    /// The section; empty where there is nothing to say.
    pub fn render(self, suite: &SuiteReport<'_>, heading: &str) -> String {
        let body = match self {
            Self::Segments => segments(suite),
            Self::Cost => cost(suite),
            Self::Latency => latency(suite),
            Self::Fixed => cases(suite, Transition::Fixed),
            Self::KnownFailures => cases(suite, Transition::KnownFailure),
            Self::Missing => cases(suite, Transition::Missing),
            Self::Method => method(suite),
        };
        if body.is_empty() {
            return body;
        }
        folded(&format!("{}{heading}", self.title()), &body)
    }
}

fn segments(suite: &SuiteReport<'_>) -> String {
    let rules = suite
        .decision
        .rules
        .iter()
        .filter(|rule| rule.segment.is_some());
    let lines = rules.take(MAX_CASES).map(|rule| {
        let label = markdown(&rule.id);
        format!(
            "- {label}: {}. {}\n",
            words::row_verdict(rule),
            markdown(&rule.reason)
        )
    });
    lines.collect()
}

fn cost(suite: &SuiteReport<'_>) -> String {
    let mut text = "| | answers | judges | input tokens | output tokens | cached input |\n| --- | ---: | ---: | ---: | ---: | ---: |\n".to_owned();
    for arm in &suite.arms {
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} |",
            markdown(suite.label(arm.arm)),
            number::usd(arm.cost_usd),
            number::usd(arm.judge_cost_usd),
            number::count(arm.usage.input_tokens),
            number::count(arm.usage.output_tokens),
            number::count(arm.usage.cached_input_tokens),
        );
    }
    let _ = writeln!(
        text,
        "\nPaid by this command: {}.",
        number::usd(suite.spent_usd)
    );
    text
}

fn latency(suite: &SuiteReport<'_>) -> String {
    let mut text = "| | p50 | p95 | requests | retries | from the cache |\n| --- | ---: | ---: | ---: | ---: | ---: |\n".to_owned();
    for arm in &suite.arms {
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} |",
            markdown(suite.label(arm.arm)),
            number::millis(arm.latency_ms.p50),
            number::millis(arm.latency_ms.p95),
            number::count(Some(arm.requests)),
            number::count(Some(arm.retries)),
            number::count(Some(arm.cache_hits)),
        );
    }
    text
}

fn cases(suite: &SuiteReport<'_>, transition: Transition) -> String {
    let rows = || {
        suite
            .rows()
            .filter(|(_, row, _)| row.transition() == transition)
    };
    let ids: Vec<String> = rows()
        .take(MAX_CASES)
        .map(|(_, row, _)| markdown_code(row.id))
        .collect();
    if ids.is_empty() {
        return String::new();
    }
    let more = rows().skip(MAX_CASES).count();
    let more = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    format!("{}{more}\n", ids.join(", "))
}

fn method(suite: &SuiteReport<'_>) -> String {
    let header = &suite.run.header;
    let mut lines: Vec<(&str, String)> = Vec::new();
    for arm in &suite.arms {
        lines.push((suite.label(arm.arm), trials(suite, arm.arm)));
    }
    if let Some(rule) = suite.pass_rate() {
        lines.extend(numbers(rule));
    }
    let model = header.model.model.as_deref().unwrap_or(&header.model.name);
    lines.push(("model", format!("{model} ({})", header.model.provider)));
    lines.push(("served", suite.served().join(", ")));
    for judge in header
        .scorers
        .iter()
        .filter_map(|scorer| scorer.judge.as_ref())
    {
        lines.push((
            "judge",
            format!("{} {} on {}", judge.version, judge.hash, judge.model),
        ));
    }
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
    let line =
        |(what, value): (&str, String)| format!("- {}: {}\n", markdown(what), markdown(&value));
    lines.into_iter().map(line).collect()
}

fn trials(suite: &SuiteReport<'_>, arm: Arm) -> String {
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

/// Every number of the rule about all cases that the table has no column for.
fn numbers(rule: &RuleResult) -> Vec<(&'static str, String)> {
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
        ("p, raw", rule.p_regression),
        ("p, adjusted", rule.p_regression_adjusted),
        ("p against non-inferiority", rule.p_noninferior),
        ("p of an improvement", rule.p_improvement),
        ("p, guarded", rule.p_guarded),
    ] {
        lines.extend(value.map(|p| (what, number::probability(Some(p)))));
    }
    let points = |share: f64| format!("{} points", number::points(share));
    lines.extend(rule.margin.map(|margin| ("allowed loss", points(margin))));
    lines.extend(rule.alpha.map(|alpha| ("alpha", alpha.to_string())));
    lines.extend(
        rule.mde
            .map(|mde| ("smallest loss it would find", points(mde))),
    );
    lines.extend(
        rule.cases_needed
            .map(|n| ("cases needed to decide", n.to_string())),
    );
    lines.extend(rule.clusters.map(|n| ("clusters", n.to_string())));
    lines
}
