//! The words of ci-and-cli.md section 6 that more than one renderer uses: of verdicts, of the rows
//! of the table, of the line below it. Unescaped: each renderer makes them safe for its format.

use super::content::SuiteReport;
use super::number::{Scale, count, level, percent, points, probability, test_name};
use crate::analysis::correction::CorrectedRate;
use crate::verdict::{Decision, RuleResult, RuleVerdict, Verdict};

/// The verdict as the word before a sentence: `FAIL`.
#[must_use]
pub fn shout(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "PASS",
        Verdict::Fail => "FAIL",
        Verdict::Inconclusive => "INCONCLUSIVE",
        Verdict::Skipped => "SKIPPED",
        Verdict::Error => "ERROR",
    }
}

/// The verdict as the first word of a sentence: `Fail`.
#[must_use]
pub fn title(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "Pass",
        Verdict::Fail => "Fail",
        Verdict::Inconclusive => "Inconclusive",
        Verdict::Skipped => "Skipped",
        Verdict::Error => "Error",
    }
}

/// What a row of the table is about.
#[must_use]
pub fn row_label(rule: &RuleResult) -> &str {
    match (rule.id.as_str(), rule.metric.as_str(), &rule.segment) {
        ("pass-rate", _, _) => "all cases",
        (_, "pass", Some(segment)) => segment,
        (id, _, _) => id,
    }
}

/// What a row of the table concludes.
#[must_use]
pub fn row_verdict(rule: &RuleResult) -> String {
    let word = match rule.verdict {
        RuleVerdict::Pass => "pass",
        RuleVerdict::Fail => "fail",
        RuleVerdict::Inconclusive => "undecided",
        RuleVerdict::Skipped if rule.n == 0 => "no data",
        RuleVerdict::Skipped if rule.reason.contains("too few differing") => "too few differ",
        RuleVerdict::Skipped if rule.reason.contains("are not tested") => "too few cases",
        RuleVerdict::Skipped if !rule.gating => return "watched".to_owned(),
        RuleVerdict::Skipped => "not decided",
    };
    if rule.gating {
        word.to_owned()
    } else {
        format!("{word} (watched)")
    }
}

/// The pass rates by judges, corrected for what they get wrong: a sentence for each judge.
#[must_use]
pub fn corrected(suite: &SuiteReport<'_>) -> Vec<String> {
    let mut scorers: Vec<&str> = Vec::new();
    for rate in &suite.corrected {
        if !scorers.contains(&rate.scorer.as_str()) {
            scorers.push(&rate.scorer);
        }
    }
    let sentence = |scorer: &str| {
        let rates = suite.corrected.iter().filter(|rate| rate.scorer == scorer);
        let arms: Vec<String> = rates.map(|rate| corrected_arm(suite, rate)).collect();
        format!("Pass rate by judge {scorer}: {}.", arms.join("; "))
    };
    scorers.into_iter().map(sentence).collect()
}

/// The calibration record of each judge with the digest of its file.
pub fn records<'a>(suite: &'a SuiteReport<'_>) -> impl Iterator<Item = String> + 'a {
    suite.run.header.calibrations.iter().map(|judge| {
        let digest = judge.digest.map(|digest| digest.to_string());
        let digest = digest.unwrap_or_else(|| "not usable".to_owned());
        format!(
            "{} on {}: {} {digest}",
            judge.judge, judge.model, judge.path
        )
    })
}

fn corrected_arm(suite: &SuiteReport<'_>, rate: &CorrectedRate) -> String {
    let raw = format!("{} {} as judged", suite.label(rate.arm), percent(rate.raw));
    let (Some(corrected), Some(interval)) = (rate.corrected, rate.interval) else {
        return format!("{raw}, not corrected: the judge is no better than chance");
    };
    format!(
        "{raw}, {} corrected for the judge's errors ({} interval {} to {}; {} on {} labels)",
        percent(corrected),
        level(interval.level),
        percent(interval.low),
        percent(interval.high),
        rate.method.words(),
        rate.labels
    )
}

/// The cases a row is about.
#[must_use]
pub fn row_count(rule: &RuleResult) -> String {
    if rule.n == 0 {
        return String::new();
    }
    count(Some(rule.n))
}

/// The head of the column of intervals.
#[must_use]
pub fn interval_head(decision: &Decision) -> String {
    let first = decision.rules.iter().find_map(|rule| rule.ci);
    first.map_or_else(
        || "interval".to_owned(),
        |ci| format!("{} interval", level(ci.level)),
    )
}

/// The line below the table: allowed loss, what p is, the family, the z-test.
#[must_use]
pub fn footnote(suite: &SuiteReport<'_>) -> String {
    let decision = &suite.decision;
    let Some(rule) = suite.pass_rate() else {
        return family(decision).map_or_else(String::new, |family| format!("p: {family}."));
    };
    let mut sentences = Vec::new();
    sentences.extend(allowance(rule));
    if let Some(test) = rule.decided_by.filter(|_| rule.p_regression.is_some()) {
        let family = family(decision).map_or_else(String::new, |family| format!(", {family}"));
        let name = decision.p_name();
        let name = if name == "p" { "p" } else { "Adjusted p" };
        sentences.push(format!("{name}: {}, one-sided{family}.", test_name(test)));
    }
    sentences.extend(z_test(rule));
    if is_borderline(rule) {
        sentences.push("The interval is approximate; mid-p decides.".to_owned());
    }
    if let Some(missing) = decision.missing.filter(|missing| missing.missing > 0) {
        sentences.push(format!(
            "Missing: {} of {} pairs.",
            count(Some(missing.missing)),
            count(Some(missing.planned))
        ));
    }
    sentences.join(" ")
}

/// `Allowed loss: 10 points; 12.5 are still possible.`
fn allowance(rule: &RuleResult) -> Option<String> {
    let margin = rule.margin?;
    let possible = rule
        .ci
        .filter(|ci| rule.verdict == RuleVerdict::Inconclusive && -ci.low > margin)
        .map(|ci| match Scale::of(rule) {
            Scale::Rate => points(-ci.low),
            Scale::Score | Scale::Ratio => format!("{:.3}", -ci.low),
        });
    let still = possible.map_or_else(String::new, |loss| format!("; {loss} are still possible"));
    Some(format!(
        "Allowed loss: {}{still}.",
        Scale::of(rule).size(margin)
    ))
}

/// `weighted Holm over the 2 of 4 rules that could show a loss`, where there is more than one; that
/// nothing had to be corrected, where only one of them could.
fn family(decision: &Decision) -> Option<String> {
    let family = decision.family;
    let rules = (family.rules > 1).then(|| match family.could_fail {
        0 | 1 => format!(
            "not corrected: at most 1 of {} rules could show a loss",
            family.rules
        ),
        several => format!(
            "weighted Holm over the {several} of {} rules that could show a loss",
            family.rules
        ),
    });
    let comparisons =
        (family.comparisons > 1).then(|| format!("Holm over {} comparisons", family.comparisons));
    let words: Vec<String> = rules.into_iter().chain(comparisons).collect();
    (!words.is_empty()).then(|| words.join(", "))
}

fn z_test(rule: &RuleResult) -> Option<String> {
    let mut tests = rule.tests.iter();
    let test = tests.find(|test| test.name == "two-proportion-z")?;
    let note = test
        .note
        .map_or_else(String::new, |note| format!(" ({note})"));
    let p = probability(test.p_two_sided);
    Some(format!("z-test (unpaired, two-sided): {p}{note}."))
}

/// Whether the interval excludes 0 although the deciding mid-p sees no loss.
fn is_borderline(rule: &RuleResult) -> bool {
    let excludes = rule.ci.is_some_and(|ci| ci.high < 0.0);
    let sees_none = rule
        .p_regression
        .zip(rule.alpha)
        .is_some_and(|(p, alpha)| p >= alpha);
    rule.decided_by == Some("mcnemar-midp") && excludes && sees_none
}

/// The evidence in one sentence: `−4.0 points, 90 % CI −7.3 to −1.3; adjusted p = 0.011, one-sided
/// McNemar mid-p`.
#[must_use]
pub fn evidence(decision: &Decision, rule: &RuleResult) -> Option<String> {
    let scale = Scale::of(rule);
    let change = scale.change_in_words(Some(rule.estimate?));
    let ci = rule.ci.map_or_else(String::new, |ci| {
        format!(", {} CI {}", level(ci.level), scale.interval(rule))
    });
    let (name, p) = match rule.p_regression_adjusted {
        Some(p) => (decision.p_name(), Some(p)),
        None => ("p", rule.p_regression),
    };
    let test = rule.decided_by.zip(p).map(|(test, p)| {
        let p = probability(Some(p));
        let equals = if p.starts_with('<') { "" } else { "= " };
        format!("; {name} {equals}{p}, one-sided {}", test_name(test))
    });
    Some(format!("{change}{ci}{}", test.unwrap_or_default()))
}
