//! Decisions with the numbers of ci-and-cli.md section 6.

use crate::verdict::{
    Decision, Estimate, FamilyNote, PairsTable, RuleResult, RuleVerdict, TestResult, Verdict,
};

/// A rule about the pass rate: values in percent, counts as (n, both, lost, won), p and verdict.
pub fn rule(
    segment: Option<&str>,
    pairs: (u64, u64, u64, u64),
    ci: (f64, f64),
    p: Option<f64>,
    verdict: RuleVerdict,
) -> RuleResult {
    let (n, both_pass, regressions, fixes) = pairs;
    let both_fail = n - both_pass - regressions - fixes;
    let share = |passed: u64| passed as f64 / n as f64;
    let id = segment.map_or("pass-rate".into(), |segment| {
        format!("pass-rate[{segment}]")
    });
    let reason = match verdict {
        RuleVerdict::Pass => "not worse than v7 within the allowed loss",
        RuleVerdict::Fail => "a significant loss",
        RuleVerdict::Inconclusive => "too little evidence",
        RuleVerdict::Skipped => "too few differing answers to show a loss",
    };
    RuleResult {
        id,
        metric: "pass".into(),
        segment: segment.map(str::to_owned),
        verdict,
        reason: reason.into(),
        gating: true,
        pairs: Some(PairsTable {
            n,
            both_pass,
            regressions,
            fixes,
            both_fail,
            missing: 0,
        }),
        baseline_value: Some(share(both_pass + regressions)),
        candidate_value: Some(share(both_pass + fixes)),
        estimate: Some(share(both_pass + fixes) - share(both_pass + regressions)),
        ci: Some(Estimate {
            low: ci.0,
            high: ci.1,
            level: 0.9,
            method: "tango",
        }),
        decided_by: Some("mcnemar-midp"),
        alpha: Some(0.05),
        margin: Some(0.05),
        max_ratio: None,
        p_regression: p,
        p_regression_adjusted: p,
        p_noninferior: Some(0.289_122),
        p_improvement: Some(0.988_77),
        p_guarded: None,
        tests: vec![],
        required: None,
        mde: Some(0.062_228),
        cases_needed: None,
        clusters: None,
        n,
        left_out: 0,
        totals: None,
        case_ids: vec![],
    }
}

/// The decision of the first screen in ci-and-cli.md section 6.
pub fn failing() -> Decision {
    let mut all = rule(
        None,
        (200, 178, 10, 2),
        (-0.073_27, -0.013_068),
        Some(0.011_23),
        RuleVerdict::Fail,
    );
    all.tests = vec![
        TestResult {
            name: "two-proportion-z",
            statistic: Some(-1.474_42),
            p_two_sided: Some(0.140_369),
            p_regression: Some(0.070_184),
            note: None,
        },
        TestResult {
            name: "mcnemar-exact",
            statistic: None,
            p_two_sided: Some(0.038_574),
            p_regression: Some(0.019_287),
            note: None,
        },
    ];
    Decision {
        verdict: Verdict::Fail,
        reason: "pass-rate".into(),
        message: "v8 is worse than v7: of 200 cases it loses 10 that v7 gets right, and wins 2."
            .into(),
        notes: vec![
            "9 of the 10 are in tier=enterprise: 1 in 5 of those customers' cases broke.".into(),
        ],
        rules: std::iter::once(all).chain(segments()).collect(),
        family: FamilyNote {
            rules: 4,
            could_fail: 2,
            comparisons: 1,
        },
        missing: None,
        blocks_inconclusive: true,
        preset: "promote",
    }
}

fn segments() -> [RuleResult; 3] {
    use RuleVerdict::{Fail, Skipped};
    [
        RuleResult {
            p_regression: Some(0.000_977),
            ..rule(
                Some("tier=enterprise"),
                (45, 33, 9, 0),
                (-0.314, -0.12),
                Some(0.001_953),
                Fail,
            )
        },
        rule(
            Some("tier=free"),
            (80, 74, 1, 1),
            (-0.043, 0.043),
            None,
            Skipped,
        ),
        rule(
            Some("tier=pro"),
            (75, 71, 0, 1),
            (-0.022, 0.058),
            None,
            Skipped,
        ),
    ]
}

/// The decision of the third screen there.
pub fn undecided(blocks: bool) -> Decision {
    let verdict = RuleVerdict::Inconclusive;
    let mut all = rule(None, (50, 43, 3, 1), (-0.125, 0.034), Some(0.1875), verdict);
    all.margin = Some(0.1);
    all.cases_needed = Some(60);
    all.tests = vec![TestResult {
        name: "two-proportion-z",
        statistic: Some(-0.667),
        p_two_sided: Some(0.505),
        p_regression: Some(0.252),
        note: Some("normal approximation weak"),
    }];
    let preset = if blocks { "promote" } else { "smoke" };
    Decision {
        verdict: Verdict::Inconclusive,
        reason: "pass-rate".into(),
        message: "50 cases are too few to tell: v8 loses 3 that v7 gets right, and wins 1.".into(),
        notes: vec!["This is not a pass.".into()],
        rules: vec![all],
        family: FamilyNote {
            rules: 1,
            could_fail: 1,
            comparisons: 1,
        },
        missing: None,
        blocks_inconclusive: blocks,
        preset,
    }
}
