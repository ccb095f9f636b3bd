//! The folded sections: segments, cost and latency, fixed cases, known failures, method and digests.

use super::{folded, method};
use crate::analysis::Transition;
use crate::report::content::SuiteReport;
use crate::report::escape::{markdown, markdown_code};
use crate::report::flaky;
use crate::report::number;
use crate::report::words;
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
    /// Cases kept out of the gate.
    Quarantined,
    /// Cases whose repeats disagree.
    Flaky,
    /// Tests, digests, seed.
    Method,
}

impl Detail {
    /// All of them, in order.
    pub const ALL: [Self; 9] = [
        Self::Segments,
        Self::Cost,
        Self::Latency,
        Self::Fixed,
        Self::KnownFailures,
        Self::Missing,
        Self::Quarantined,
        Self::Flaky,
        Self::Method,
    ];

    /// Whether it is the same for two runs of one plan with equal answers.
    pub fn is_lasting(self) -> bool {
        match self {
            Self::Segments
            | Self::Fixed
            | Self::KnownFailures
            | Self::Missing
            | Self::Quarantined
            | Self::Flaky => true,
            Self::Cost | Self::Latency | Self::Method => false,
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::Segments => "Segments",
            Self::Cost => "Cost",
            Self::Latency => "Latency",
            Self::Fixed => "Fixed",
            Self::KnownFailures => "Known failures",
            Self::Missing => "Without a result",
            Self::Quarantined => "Quarantined",
            Self::Flaky => "Flaky",
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
            Self::Quarantined => list(flaky::quarantined(suite)),
            Self::Flaky => list(flaky::flaky(suite)),
            Self::Method => method::render(suite),
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
    let rows = || suite.rows().filter(|(_, row, _)| row.counts_as(transition));
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

/// Cases with what is said of each, one a line.
fn list(cases: Vec<(&str, String)>) -> String {
    let more = cases.len().saturating_sub(MAX_CASES);
    let mut text = String::new();
    for (id, what) in cases.into_iter().take(MAX_CASES) {
        let _ = writeln!(text, "- {}: {}", markdown_code(id), markdown(&what));
    }
    if more > 0 {
        let _ = writeln!(text, "\nAnd {more} more.");
    }
    text
}
