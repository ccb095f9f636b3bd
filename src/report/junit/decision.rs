//! The decision suite: one test case for each rule of the policy, and one more, `run`, where no
//! verdict could be formed or there was nothing to do.

use std::io;

use super::File;
use super::count::{Counts, seconds};
use super::group::{Names, part};
use super::mark::{self, Mark};
use super::xml::Xml;
use crate::analysis::reliability;
use crate::record::Arm;
use crate::report::content::{Report, SuiteOutcome, SuiteReport};
use crate::report::exhibit::one_line;
use crate::report::{number, words};
use crate::verdict::{Quarantine, RuleResult, RuleVerdict, Verdict};

/// Counts the rules of a suite.
pub fn count(outcome: &SuiteOutcome<'_>) -> Counts {
    let mut counts = Counts::default();
    if let Some(suite) = outcome.ran() {
        for rule in &suite.decision.rules {
            counts.take(mark::of_rule(&suite.decision, rule), 0.0);
        }
    }
    if let Some(mark) = of_run(outcome) {
        counts.take(mark, 0.0);
    }
    counts
}

/// What the test case `run` is, where there is one.
fn of_run(outcome: &SuiteOutcome<'_>) -> Option<Mark<'static>> {
    let has_rules = outcome
        .ran()
        .is_some_and(|suite| !suite.decision.rules.is_empty());
    match outcome.verdict() {
        Verdict::Error => Some(Mark::Error("infra")),
        Verdict::Skipped if !has_rules => Some(Mark::Skipped("skipped")),
        Verdict::Pass | Verdict::Fail | Verdict::Inconclusive if !has_rules => Some(Mark::Passed),
        Verdict::Pass | Verdict::Fail | Verdict::Inconclusive | Verdict::Skipped => None,
    }
}

/// Counts the one case of a report without suites.
pub fn count_alone(report: &Report<'_>) -> Counts {
    let mut counts = Counts::default();
    counts.take(alone(report), 0.0);
    counts
}

fn alone(report: &Report<'_>) -> Mark<'static> {
    match report.verdict {
        Verdict::Error => Mark::Error("infra"),
        Verdict::Skipped => Mark::Skipped("skipped"),
        Verdict::Fail => Mark::Failure("verdict"),
        Verdict::Pass | Verdict::Inconclusive => Mark::Passed,
    }
}

/// Writes the suite of a report without suites: readers refuse a file without one.
pub fn write_alone(file: &File<'_>, xml: &mut Xml<'_>) -> io::Result<()> {
    let command = part(&file.report.command);
    let counts = count_alone(file.report);
    xml.start(
        "testsuite",
        &counts.suite_attributes(&format!("gate/{command}/decision")),
    )?;
    let class = format!("gate.{command}.decision");
    write_case(
        xml,
        &class,
        "run",
        alone(file.report),
        &file.report.exit.message,
        "",
    )?;
    xml.end("testsuite")
}

/// Writes the decision suite of a suite.
pub fn write(
    file: &File<'_>,
    outcome: &SuiteOutcome<'_>,
    names: &mut Names,
    xml: &mut Xml<'_>,
) -> io::Result<()> {
    let title = part(outcome.title());
    let class = format!("gate.{title}.decision");
    let name = format!("gate/{title}/decision");
    xml.start("testsuite", &count(outcome).suite_attributes(&name))?;
    if let Some(suite) = outcome.ran() {
        let mut properties = properties(suite);
        let left_out = file.level.note().map(str::to_owned);
        properties.push(("gate.left_out".to_owned(), left_out));
        xml.properties(properties)?;
        for rule in &suite.decision.rules {
            let name = names.unique(&class, &rule_name(suite, rule));
            let mark = mark::of_rule(&suite.decision, rule);
            let (message, body) = (rule_message(rule), rule_body(suite, rule));
            write_case(xml, &class, &name, mark, &message, &body)?;
        }
    }
    if let Some(mark) = of_run(outcome) {
        let name = names.unique(&class, "run");
        write_case(xml, &class, &name, mark, outcome.message(), "")?;
    }
    xml.end("testsuite")
}

fn write_case(
    xml: &mut Xml<'_>,
    class: &str,
    name: &str,
    mark: Mark<'_>,
    message: &str,
    body: &str,
) -> io::Result<()> {
    let attributes = [
        ("classname", class.to_owned()),
        ("name", name.to_owned()),
        ("time", seconds(0.0)),
    ];
    let message = one_line(message);
    let text = format!("{message}\n{body}");
    let text = text.trim_end();
    let (element, kind) = match mark {
        Mark::Passed => return xml.empty("testcase", &attributes),
        Mark::Quoted => {
            xml.start("testcase", &attributes)?;
            xml.element("system-out", &[], text)?;
            return xml.end("testcase");
        }
        Mark::Failure(kind) => ("failure", kind),
        Mark::Error(kind) => ("error", kind),
        Mark::Skipped(kind) => ("skipped", kind),
    };
    xml.start("testcase", &attributes)?;
    let attributes = [("message", message), ("type", kind.to_owned())];
    xml.element(element, &attributes, text)?;
    xml.end("testcase")
}

/// `pass-rate: v8 not worse than v7`
fn rule_name(suite: &SuiteReport<'_>, rule: &RuleResult) -> String {
    let (old, new) = (suite.label(Arm::Baseline), suite.label(Arm::Candidate));
    let id = &rule.id;
    let kind = id.split(['[', ':']).next().unwrap_or(id);
    match kind {
        "must-pass" => format!("{id}: {new} passes every case that it has to"),
        "min-pass-rate" => format!("{id}: {new} passes as many cases as it has to"),
        "calibration" => format!("{id}: the judge agrees with people"),
        _ if rule.max_ratio.is_some() => format!("{id}: {new} not above the limit over {old}"),
        _ => format!("{id}: {new} not worse than {old}"),
    }
}

fn rule_message(rule: &RuleResult) -> String {
    let is_aside = !rule.gating && rule.verdict != RuleVerdict::Pass;
    let watched = if is_aside { "watched: " } else { "" };
    format!("{watched}{}", rule.reason)
}

fn rule_body(suite: &SuiteReport<'_>, rule: &RuleResult) -> String {
    let decision = &suite.decision;
    let mut lines: Vec<String> = words::evidence(decision, rule).into_iter().collect();
    if let Some(pairs) = rule.pairs {
        lines.push(format!(
            "pairs {}: both pass {}, lost {}, won {}, both fail {}; missing {}",
            pairs.n,
            pairs.both_pass,
            pairs.regressions,
            pairs.fixes,
            pairs.both_fail,
            pairs.missing
        ));
    }
    for (what, value) in [
        ("allowed loss", rule.margin),
        ("allowed ratio", rule.max_ratio),
        ("smallest loss found with the policy's power", rule.mde),
    ] {
        lines.extend(value.map(|value| format!("{what}: {value:.4}")));
    }
    lines.extend(
        rule.cases_needed
            .map(|cases| format!("cases needed to decide: about {cases}")),
    );
    let raw = match decision.p_name() {
        "p" => "",
        _ => ", not adjusted",
    };
    for test in &rule.tests {
        let p = number::probability(test.p_regression);
        lines.push(format!("{}: one-sided p {p}{raw}", test.name));
    }
    if !rule.case_ids.is_empty() {
        lines.push(format!("cases: {}", rule.case_ids.join(", ")));
    }
    lines.join("\n")
}

fn properties(suite: &SuiteReport<'_>) -> Vec<(String, Option<String>)> {
    let header = &suite.run.header;
    let rule = suite.pass_rate().or_else(|| suite.decision.rules.first());
    let of = |value: fn(&RuleResult) -> Option<f64>| rule.and_then(value).map(|v| v.to_string());
    let pairs = rule.and_then(|rule| rule.pairs);
    let hash = |arm| header.arm(arm).map(|arm| arm.hash.to_string());
    let label = |arm| header.arm(arm).map(|arm| arm.label.clone());
    let judges: Vec<String> = header
        .judges()
        .map(|(_, judge)| format!("{} {} on {}", judge.version, judge.hash, judge.model))
        .collect();
    let hits: u64 = suite.arms.iter().map(|arm| arm.cache_hits).sum();
    [
        ("verdict", Some(suite.decision.verdict.as_str().to_owned())),
        ("candidate", label(Arm::Candidate)),
        ("candidate_hash", hash(Arm::Candidate)),
        ("baseline", label(Arm::Baseline)),
        ("baseline_hash", hash(Arm::Baseline)),
        ("suite_digest", Some(header.suite_digest.to_string())),
        ("plan_digest", Some(header.plan_digest.to_string())),
        ("dataset_digest", Some(header.dataset.digest.to_string())),
        (
            "model",
            header
                .model
                .model
                .clone()
                .or(Some(header.model.name.clone())),
        ),
        ("judges", (!judges.is_empty()).then(|| judges.join("; "))),
        (
            "test",
            rule.and_then(|rule| rule.decided_by).map(str::to_owned),
        ),
        ("n", pairs.map(|pairs| pairs.n.to_string())),
        (
            "discordant",
            pairs.map(|pairs| (pairs.regressions + pairs.fixes).to_string()),
        ),
        ("effect", of(|rule| rule.estimate)),
        ("ci_low", of(|rule| rule.ci.map(|ci| ci.low))),
        ("ci_high", of(|rule| rule.ci.map(|ci| ci.high))),
        (
            "p_value",
            of(|rule| rule.p_regression_adjusted.or(rule.p_regression)),
        ),
        ("p_value_unadjusted", of(|rule| rule.p_regression)),
        ("alpha", of(|rule| rule.alpha)),
        ("mde", of(|rule| rule.mde)),
        ("cost_usd", suite.spent_usd.map(|cost| cost.to_string())),
        ("tokens", tokens(suite).map(|tokens| tokens.to_string())),
        ("cache_hits", Some(hits.to_string())),
        ("seed", Some(header.seed.to_string())),
        ("run_id", Some(header.run_id.to_string())),
    ]
    .into_iter()
    .chain(steadiness(suite))
    .map(|(name, value)| (format!("gate.{name}"), value))
    .collect()
}

/// How reliable the candidate is over its repeats, and how many cases are kept out for that.
fn steadiness(suite: &SuiteReport<'_>) -> [(&'static str, Option<String>); 3] {
    let reliable = reliability(&suite.table, Arm::Candidate);
    let held_out = Quarantine::of_table(&suite.table).cases;
    let number = |value: Option<f64>| value.map(|value| value.to_string());
    [
        ("pass_hat_k", number(reliable.map(|found| found.pass_hat_k))),
        ("pass_at_k", number(reliable.map(|found| found.pass_at_k))),
        ("quarantined", (held_out > 0).then(|| held_out.to_string())),
    ]
}

/// Tokens of questions and answers; unknown where one is.
fn tokens(suite: &SuiteReport<'_>) -> Option<u64> {
    let arms = suite.arms.iter().map(|arm| arm.usage);
    arms.map(|usage| Some(usage.input_tokens? + usage.output_tokens?))
        .sum()
}
