//! The worked examples of statistics.md, formats.md and ci-and-cli.md.

use super::*;
use crate::verdict::{RuleVerdict, Verdict};

fn verdict_of(b: usize, c: usize, n: usize, yaml: &str) -> Verdict {
    compare(&counts([n - b - c, b, c, 0]), &policy(yaml)).verdict
}

#[test]
fn verdicts_of_worked_example_6() {
    let promote = "preset: promote";
    assert_eq!(verdict_of(9, 2, 120, promote), Verdict::Fail);
    assert_eq!(verdict_of(4, 0, 50, promote), Verdict::Fail);
    assert_eq!(verdict_of(3, 0, 50, promote), Verdict::Inconclusive);
    assert_eq!(verdict_of(0, 0, 50, promote), Verdict::Inconclusive);
    assert_eq!(verdict_of(3, 4, 300, promote), Verdict::Pass);
    for (margin, least) in [(0.10, 25), (0.05, 52), (0.03, 88), (0.02, 133)] {
        let yaml = format!("margin: {margin}");
        assert_eq!(verdict_of(0, 0, least, &yaml), Verdict::Pass);
        assert_eq!(verdict_of(0, 0, least - 1, &yaml), Verdict::Inconclusive);
    }
}

#[test]
fn numbers_of_the_result_in_formats_section_6() {
    let decision = compare(&counts([178, 10, 2, 10]), &policy("preset: promote"));
    assert_eq!(
        (decision.verdict, decision.reason.as_str()),
        (Verdict::Fail, "pass-rate")
    );
    let found = rule(&decision, "pass-rate");
    assert_near(found.estimate, -0.04);
    let ci = found.ci.unwrap();
    assert_near(Some(ci.low), -0.073_270);
    assert_near(Some(ci.high), -0.013_068);
    assert_eq!((ci.level, ci.method), (0.9, "tango"));
    assert_near(found.p_regression, 0.011_230);
    assert_near(found.p_regression_adjusted, 0.011_230);
    assert_near(found.p_noninferior, 0.289_122);
    assert_near(found.p_improvement, 0.988_770);
    assert_near(found.mde, 0.062_228);
    assert_eq!(
        (found.cases_needed, found.decided_by),
        (None, Some("mcnemar-midp"))
    );
    let names: Vec<&str> = found.tests.iter().map(|test| test.name).collect();
    assert_eq!(
        names,
        [
            "two-proportion-z",
            "mcnemar-exact",
            "mcnemar-midp",
            "mcnemar-score"
        ]
    );
    assert_near(found.tests[0].statistic, -1.474_420);
    assert_near(found.tests[0].p_two_sided, 0.140_369);
    assert_near(found.tests[1].p_regression, 0.019_287);
    assert_near(found.tests[3].statistic, -2.309_401);
}

fn tiers() -> Vec<Row> {
    let mut rows = in_segment(counts([33, 9, 0, 3]), "tier", "enterprise");
    rows.extend(in_segment(counts([74, 1, 1, 4]), "tier", "free"));
    rows.extend(in_segment(counts([71, 0, 1, 3]), "tier", "pro"));
    rows
}

#[test]
fn the_screen_of_a_failed_comparison() {
    let decision = compare(&tiers(), &policy("segments: { keys: [tier], mode: gate }"));
    assert_eq!(
        decision.message,
        "v8 is worse than v7: of 200 cases it loses 10 that v7 gets right, and wins 2."
    );
    assert_eq!(
        decision.notes[0],
        "9 of the 10 are in tier=enterprise: 1 in 5 of the cases there broke."
    );
    assert_eq!((decision.family.rules, decision.family.could_fail), (4, 2));
    assert_near(
        rule(&decision, "pass-rate").p_regression_adjusted,
        0.011_230,
    );
    let enterprise = rule(&decision, "pass-rate[tier=enterprise]");
    assert_near(enterprise.p_regression_adjusted, 0.001_953);
    assert_eq!(enterprise.verdict, RuleVerdict::Fail);
    let ci = enterprise.ci.unwrap();
    assert!((ci.low + 0.314).abs() < 5e-4 && (ci.high + 0.120).abs() < 5e-4);
    for id in ["pass-rate[tier=free]", "pass-rate[tier=pro]"] {
        let outside = rule(&decision, id);
        assert_eq!(outside.verdict, RuleVerdict::Skipped);
        assert_eq!(outside.p_regression_adjusted, None);
        assert!(
            outside.reason.contains("too few differing answers"),
            "{}",
            outside.reason
        );
    }
}

#[test]
fn the_family_of_worked_example_9() {
    let mut rows = tiers();
    // A cost ratio whose t-test has p = .03 or so: what matters is that it is in the family.
    for (index, row) in rows.iter_mut().enumerate() {
        row.baseline.cost_usd = Some(1.0).into();
        row.candidate.cost_usd = Some(if index % 2 == 0 { 1.2 } else { 0.85 }).into();
    }
    let yaml = "segments: { mode: gate }\nmetrics: [{ metric: cost_usd, max_ratio: 1.10 }]";
    let decision = compare(&rows, &policy(yaml));
    assert_eq!(decision.family.could_fail, 3);
    assert_near(
        rule(&decision, "pass-rate").p_regression_adjusted,
        0.016_846,
    );
    let enterprise = rule(&decision, "pass-rate[tier=enterprise]");
    assert_near(enterprise.p_regression_adjusted, 0.003_906);
    assert_eq!(
        rule(&decision, "pass-rate[tier=free]").p_regression_adjusted,
        None
    );
}

#[test]
fn the_screens_of_a_pass_and_of_doubt() {
    let gated = policy("preset: promote\nsegments: { keys: [tier], mode: gate }");
    let rows = in_segment(counts([187, 1, 2, 10]), "tier", "free");
    let decision = compare(&rows, &gated);
    assert_eq!(decision.verdict, Verdict::Pass);
    assert_eq!(
        decision.message,
        "v8 is not worse than v7: of 200 cases it loses 1 that v7 gets right, and wins 2."
    );
    assert_eq!(
        decision.notes,
        ["At worst (95 % sure) it is 1.3 points below v7; 5 are allowed. No segment fails."]
    );

    let decision = compare(&counts([43, 3, 1, 3]), &policy("preset: smoke"));
    assert_eq!(decision.verdict, Verdict::Inconclusive);
    assert_eq!(
        decision.message,
        "50 cases are too few to tell: v8 loses 3 that v7 gets right, and wins 1."
    );
    assert_eq!(
        decision.notes,
        ["This is not a pass. It does not block here (preset smoke, exit 0); `promote` would."]
    );
    let found = rule(&decision, "pass-rate");
    assert_eq!(found.cases_needed, Some(60));
    assert!((found.mde.unwrap() - 0.18).abs() < 5e-3);
    assert_eq!(
        found.reason,
        "of 50 cases v8 loses 3 that v7 gets right, and wins 1; a loss of 12.5 points is still \
         possible, 10 may be lost"
    );
}

#[test]
fn the_smallest_project_is_undecided() {
    let decision = compare(&counts([2, 1, 0, 0]), &Policy::default());
    assert_eq!(decision.verdict, Verdict::Inconclusive);
    assert!(!decision.blocks_inconclusive);
    assert_near(rule(&decision, "pass-rate").p_regression, 0.25);
}

#[test]
fn the_guard_of_worked_example_13() {
    let mut rows: Vec<Row> = counts([30, 0, 0, 0]);
    for row in &mut rows {
        (row.baseline, row.candidate) = (cell(3, 0), cell(3, 0));
    }
    rows[0].candidate = cell(2, 1);
    let decision = compare(&rows, &policy("preset: promote"));
    assert_eq!(decision.verdict, Verdict::Inconclusive);
    let found = rule(&decision, "pass-rate");
    assert_near(found.p_noninferior, 0.000_762);
    assert_near(found.p_guarded, 0.198_533);
    for row in &mut rows {
        row.candidate = cell(0, 3);
    }
    let decision = compare(&rows, &policy("preset: promote"));
    assert_eq!(decision.verdict, Verdict::Fail);
    let found = rule(&decision, "pass-rate");
    assert!((found.p_regression.unwrap() - 9.313_226e-10).abs() < 1e-15);
    assert_eq!(found.tests.last().unwrap().note, Some("zero variance"));
}

#[test]
fn better_is_said_and_can_be_required() {
    let rows = counts([180, 1, 9, 10]);
    let decision = compare(&rows, &policy("preset: improve"));
    assert_eq!(decision.verdict, Verdict::Pass);
    assert_eq!(
        decision.message,
        "v8 is better than v7: of 200 cases it loses 1 that v7 gets right, and wins 9."
    );
    let decision = compare(&counts([188, 1, 2, 9]), &policy("preset: improve"));
    assert_eq!(
        (decision.verdict, decision.blocks_inconclusive),
        (Verdict::Inconclusive, true)
    );
    assert_eq!(
        decision.message,
        "v8 is not shown to be better than v7: of 200 cases it loses 1 that v7 gets right, and \
         wins 2."
    );
}

#[test]
fn a_proven_loss_within_the_margin_fails_unless_tolerated() {
    let rows = counts([985, 12, 2, 1]);
    let decision = compare(&rows, &policy("preset: promote"));
    assert_eq!(decision.verdict, Verdict::Fail);
    assert!(
        rule(&decision, "pass-rate")
            .reason
            .ends_with("loss within the margin")
    );
    assert!(decision.notes[0].starts_with("The loss is within the margin of 5 points"));
    let decision = compare(
        &rows,
        &policy("preset: promote\ntolerate_within_margin: true"),
    );
    assert_eq!(decision.verdict, Verdict::Pass);
    assert!(
        decision.message.contains("within what is allowed"),
        "{}",
        decision.message
    );
    let strict = policy("preset: improve\ntolerate_within_margin: true");
    assert_eq!(compare(&rows, &strict).verdict, Verdict::Inconclusive);
}
