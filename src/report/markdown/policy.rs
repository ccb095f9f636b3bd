//! The evidence of a suite: a sentence, the table of the policy's rules, and the line below it.

use super::sentence;
use crate::record::Arm;
use crate::report::content::{SuiteOutcome, SuiteReport};
use crate::report::escape::markdown;
use crate::report::number::{Scale, probability};
use crate::report::words;
use crate::verdict::{RuleResult, RuleVerdict};
use std::fmt::Write as _;

/// The most rules in a table; a suite with a rule for each of many segments has more.
const MAX_ROWS: usize = 200;

/// The section; with the suite's verdict where there are several suites.
pub fn render(outcome: &SuiteOutcome<'_>, is_one_of_several: bool) -> String {
    let mut text = String::new();
    if is_one_of_several {
        let verdict = sentence(words::title(outcome.verdict()), outcome.message());
        let _ = writeln!(text, "\n### {}\n\n{verdict}", markdown(outcome.title()));
    }
    let Some(suite) = outcome.ran() else {
        return text;
    };
    if is_one_of_several {
        for note in suite.decision.notes.iter().chain(&suite.all_notes()) {
            let _ = writeln!(text, "\n{}", markdown(note));
        }
    }
    if let Some(evidence) = suite
        .pass_rate()
        .and_then(|rule| words::evidence(&suite.decision, rule))
    {
        let _ = writeln!(text, "\n{}", markdown(&evidence));
    }
    if !suite.decision.rules.is_empty() {
        text.push_str(&table(suite));
    }
    text
}

fn table(suite: &SuiteReport<'_>) -> String {
    let label = |arm| markdown(suite.label(arm));
    let mut text = format!(
        "\n| | cases | {} | {} | change | {} | {} | |\n| --- | ---: | ---: | ---: | ---: | ---: | ---: | --- |\n",
        label(Arm::Baseline),
        label(Arm::Candidate),
        words::interval_head(&suite.decision),
        suite.decision.p_name(),
    );
    let rules = &suite.decision.rules;
    for rule in rules.iter().take(MAX_ROWS) {
        text.push_str(&row(rule));
    }
    if rules.len() > MAX_ROWS {
        let _ = writeln!(text, "\n{} more rules.", rules.len() - MAX_ROWS);
    }
    let footnote = words::footnote(suite);
    if !footnote.is_empty() {
        let _ = writeln!(text, "\n{}", markdown(&footnote));
    }
    text
}

fn row(rule: &RuleResult) -> String {
    let scale = Scale::of(rule);
    let verdict = words::row_verdict(rule);
    let decides = match rule.verdict {
        RuleVerdict::Fail | RuleVerdict::Inconclusive => rule.gating,
        RuleVerdict::Pass | RuleVerdict::Skipped => false,
    };
    let verdict = if decides {
        format!("**{verdict}**")
    } else {
        verdict
    };
    format!(
        "| {} | {} | {} | {} | {} | {} | {} | {verdict} |\n",
        markdown(words::row_label(rule)),
        words::row_count(rule),
        scale.value(&rule.metric, rule.baseline_value),
        scale.value(&rule.metric, rule.candidate_value),
        scale.change(rule.estimate),
        scale.interval(rule),
        markdown(&probability(rule.p_regression_adjusted)),
    )
}
