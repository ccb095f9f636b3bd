//! Tests of `paired`: worked examples, reference values, properties, level and coverage.

use proptest::prelude::*;

use super::super::random::Stream;
use super::super::reference::{assert_close, assert_printed, assert_within, cases};
use super::*;

fn counts(b: u64, c: u64, n: u64) -> PairedCounts {
    PairedCounts {
        both_pass: n - b - c,
        regressions: b,
        fixes: c,
        both_fail: 0,
    }
}

#[test]
fn mcnemar_of_worked_example_4() {
    let counts = counts(9, 2, 11);
    assert_printed(mcnemar_exact(&counts).p_two_sided, 0.065_430);
    assert_printed(mcnemar_exact(&counts).p_regression, 0.032_715);
    assert_printed(mcnemar_mid_p(&counts).p_regression, 0.019_287);
    assert_printed(mcnemar_mid_p(&counts).p_two_sided, 0.038_574);
    assert_printed(mcnemar_z(&counts).statistic, -2.110_579);
}

#[test]
fn mcnemar_agrees_with_the_reference() {
    for case in cases("mcnemar") {
        let (b, c) = (case.count("b"), case.count("c"));
        let counts = counts(b, c, b + c);
        let exact = mcnemar_exact(&counts);
        assert_close(exact.p_regression, case.number("exact_regression"));
        assert_close(exact.p_improvement, case.number("exact_improvement"));
        assert_close(exact.p_two_sided, case.number("exact_two_sided"));
        let mid_p = mcnemar_mid_p(&counts);
        assert_close(mid_p.p_regression, case.number("mid_regression"));
        assert_close(mid_p.p_improvement, case.number("mid_improvement"));
        assert_close(mid_p.p_two_sided, case.number("mid_two_sided"));
        let score = mcnemar_z(&counts);
        assert_close(score.statistic, case.number("z"));
        assert_close(score.p_regression, case.number("z_regression"));
    }
}

#[test]
fn without_a_differing_pair_nothing_is_significant() {
    let counts = counts(0, 0, 30);
    assert_within(mcnemar_exact(&counts).p_regression, 1.0, 0.0);
    assert_within(mcnemar_mid_p(&counts).p_regression, 0.5, 0.0);
    assert_within(mcnemar_mid_p(&counts).p_two_sided, 1.0, 0.0);
    assert_within(mcnemar_z(&counts).statistic, 0.0, 0.0);
}

#[test]
fn tango_of_worked_example_5() {
    let interval = tango_interval(&counts(9, 2, 120), 0.9).unwrap();
    assert_printed(interval.low, -0.110_530);
    assert_printed(interval.high, -0.014_683);
    for (n, bound) in [(50, 0.051_333), (53, 0.048_569)] {
        let interval = tango_interval(&counts(0, 0, n), 0.9).unwrap();
        assert_printed(interval.low, -bound);
        assert_printed(interval.high, bound);
        let square = level_quantile(0.9).unwrap().powi(2);
        assert_close(interval.high, square / (n as f64 + square));
    }
}

#[test]
fn tango_agrees_with_the_reference() {
    for case in cases("tango") {
        let counts = counts(case.count("b"), case.count("c"), case.count("n"));
        let interval = tango_interval(&counts, case.number("level")).unwrap();
        assert_close(interval.low, case.number("low"));
        assert_close(interval.high, case.number("high"));
        let p = tango_noninferior(&counts, case.number("margin")).unwrap();
        assert_close(p, case.number("p_noninferior"));
    }
}

#[test]
fn verdicts_of_worked_example_6_follow() {
    let p = |b, c, n| {
        let counts = counts(b, c, n);
        (
            mcnemar_mid_p(&counts).p_regression,
            tango_noninferior(&counts, 0.05).unwrap(),
        )
    };
    assert!(p(9, 2, 120).0 < 0.05);
    assert_printed(p(4, 0, 50).0, 0.031_250);
    assert_printed(p(3, 0, 50).0, 0.062_500);
    assert!(p(3, 0, 50).1 >= 0.05);
    assert_printed(p(0, 0, 50).1, 0.052_379);
    assert!(p(3, 4, 300).0 >= 0.05 && p(3, 4, 300).1 < 0.05);
    assert_printed(
        tango_interval(&counts(3, 4, 300), 0.9).unwrap().low,
        -0.013_153,
    );
}

#[test]
fn cases_that_never_differ_pass_from_the_sizes_in_the_specification() {
    for (n, margin) in [(25, 0.10), (52, 0.05), (88, 0.03), (133, 0.02)] {
        let p = |n| tango_noninferior(&counts(0, 0, n), margin).unwrap();
        assert!(p(n) < 0.05, "{n} cases at {margin}");
        assert!(p(n - 1) >= 0.05, "{} cases at {margin}", n - 1);
    }
}

#[test]
fn every_pair_regressed_or_fixed_stays_inside_the_scale() {
    for (b, c) in [(7, 0), (0, 7), (1, 0), (0, 1)] {
        let counts = counts(b, c, b + c);
        let interval = tango_interval(&counts, 0.9).unwrap();
        assert!(interval.low >= -1.0 && interval.high <= 1.0);
        assert!(interval.contains(counts.effect().unwrap()));
        let p = tango_noninferior(&counts, 1.0).unwrap();
        assert!((0.0..=1.0).contains(&p));
    }
}

#[test]
fn tango_refuses_no_pair_and_no_number() {
    assert!(tango_interval(&PairedCounts::default(), 0.9).is_err());
    assert!(tango_noninferior(&PairedCounts::default(), 0.05).is_err());
    assert!(tango_noninferior(&counts(1, 0, 9), f64::NAN).is_err());
    assert!(tango_noninferior(&counts(1, 0, 9), -0.1).is_err());
    assert!(tango_interval(&counts(1, 0, 9), 0.0).is_err());
}

#[test]
fn the_largest_counts_do_not_overflow() {
    let counts = PairedCounts {
        both_pass: u64::MAX,
        regressions: u64::MAX,
        fixes: u64::MAX,
        both_fail: u64::MAX,
    };
    assert_eq!(counts.n(), u64::MAX);
    for test in [
        PairedTest::MidP,
        PairedTest::Exact,
        PairedTest::ScoreZ,
        PairedTest::TwoProportion,
    ] {
        assert!((0.0..=1.0).contains(&minimal_p(&counts, test)));
    }
    assert!((0.0..=1.0).contains(&mcnemar_mid_p(&counts).p_regression));
    assert!((0.0..=1.0).contains(&mcnemar_exact(&counts).p_regression));
    assert!(tango_interval(&counts, 0.9).is_ok());
}

#[test]
fn the_smallest_p_is_that_of_regressions_alone() {
    let mixed = counts(3, 6, 40);
    let worst = counts(9, 0, 40);
    let expected = [
        (PairedTest::MidP, mcnemar_mid_p(&worst).p_regression),
        (PairedTest::Exact, mcnemar_exact(&worst).p_regression),
        (PairedTest::ScoreZ, mcnemar_z(&worst).p_regression),
        (
            PairedTest::TwoProportion,
            two_proportion_z(worst.candidate(), worst.baseline())
                .unwrap()
                .p_regression,
        ),
    ];
    for (test, p) in expected {
        assert_close(minimal_p(&mixed, test), p);
    }
    assert_close(minimal_p(&mixed, PairedTest::MidP), 0.5_f64.powi(10));
    assert_within(minimal_p(&counts(0, 0, 9), PairedTest::Exact), 1.0, 0.0);
    assert_within(
        minimal_p(&PairedCounts::default(), PairedTest::TwoProportion),
        0.5,
        0.0,
    );
}

#[test]
fn counts_describe_themselves() {
    let counts = PairedCounts {
        both_pass: 80,
        regressions: 9,
        fixes: 2,
        both_fail: 9,
    };
    assert_close(counts.effect().unwrap(), -0.07);
    assert_close(counts.churn().unwrap(), 0.11);
    assert_close(counts.planning_churn(), 12.0 / 102.0);
    assert_eq!(
        (
            counts.candidate().successes(),
            counts.baseline().successes()
        ),
        (82, 89)
    );
    assert!(counts.correlation().unwrap() > 0.5);
    assert_eq!(PairedCounts::default().effect(), None);
    assert_eq!(PairedCounts::default().correlation(), None);
}

/// P(m of `n` pairs differ and b of m are regressions) at `p` a pair, summed where `hit`.
fn probability(n: u64, churn: f64, effect: f64, hit: impl Fn(&PairedCounts) -> bool) -> f64 {
    use super::super::distribution::ln_binomial_pmf;
    let share = 0.5 * (1.0 - effect / churn);
    let mut total = 0.0;
    for m in 0..=n {
        let of_m = ln_binomial_pmf(m, n, churn).exp();
        if of_m < 1e-9 {
            continue;
        }
        for b in 0..=m {
            if hit(&counts(b, m - b, n)) {
                total += of_m * ln_binomial_pmf(b, m, share).exp();
            }
        }
    }
    total
}

#[test]
fn the_mid_p_test_keeps_its_level() {
    for (n, churns) in [
        (50, &[0.02, 0.06, 0.12, 0.3][..]),
        (200, &[0.02, 0.06, 0.12]),
        (1000, &[0.03, 0.06]),
    ] {
        for &churn in churns {
            let level = probability(n, churn, 0.0, |counts| {
                mcnemar_mid_p(counts).p_regression < 0.05
            });
            assert!(level <= 0.055, "{level} at {n} pairs, churn {churn}");
        }
    }
}

#[test]
fn tango_covers_the_truth() {
    for (n, churn, effect) in [
        (50, 0.1, 0.0),
        (50, 0.1, -0.05),
        (200, 0.06, -0.02),
        (200, 0.12, 0.05),
    ] {
        let z = level_quantile(0.9).unwrap();
        let covered = probability(n, churn, effect, |counts| score(counts, effect).abs() <= z);
        assert!(
            (0.875..=0.94).contains(&covered),
            "{covered} at {n}, {churn}, {effect}"
        );
    }
}

#[test]
fn the_score_and_the_interval_agree_on_simulated_counts() {
    let mut stream = Stream::new(11, 0);
    for _ in 0..200 {
        let (b, c) = (stream.below(12) as u64, stream.below(12) as u64);
        let counts = counts(b, c, 60);
        let low = tango_interval(&counts, 0.9).unwrap().low;
        let margin = 0.1 * stream.uniform();
        let noninferior = tango_noninferior(&counts, margin).unwrap() < 0.05;
        assert_eq!(noninferior, low > -margin, "{counts:?} {margin}");
    }
}

fn any_counts() -> impl Strategy<Value = PairedCounts> {
    (0_u64..300, 0_u64..60, 0_u64..60, 0_u64..300).prop_map(
        |(both_pass, regressions, fixes, both_fail)| PairedCounts {
            both_pass,
            regressions,
            fixes,
            both_fail,
        },
    )
}

proptest! {
    #[test]
    fn swapping_the_arms_turns_everything_over(counts in any_counts()) {
        let swapped = counts.swapped();
        prop_assert_eq!(
            mcnemar_mid_p(&counts).p_regression.to_bits(),
            mcnemar_mid_p(&swapped).p_improvement.to_bits()
        );
        prop_assert!((mcnemar_z(&counts).statistic + mcnemar_z(&swapped).statistic).abs() < 1e-12);
        if counts.n() > 0 {
            let there = tango_interval(&counts, 0.9).unwrap();
            let back = tango_interval(&swapped, 0.9).unwrap();
            prop_assert!((there.low + back.high).abs() < 1e-9);
        }
    }

    #[test]
    fn more_regressions_are_worse(counts in any_counts(), margin in 0.01..0.2) {
        let mut worse = counts;
        worse.regressions += 1;
        prop_assert!(mcnemar_mid_p(&worse).p_regression <= mcnemar_mid_p(&counts).p_regression);
        prop_assert!(mcnemar_exact(&worse).p_regression <= mcnemar_exact(&counts).p_regression);
        if counts.both_pass > 0 {
            worse.both_pass -= 1;
            let before = tango_noninferior(&counts, margin).unwrap();
            prop_assert!(tango_noninferior(&worse, margin).unwrap() >= before);
        }
    }

    #[test]
    fn mid_p_is_below_exact_and_tails_add_up(counts in any_counts()) {
        let (exact, mid_p) = (mcnemar_exact(&counts), mcnemar_mid_p(&counts));
        prop_assert!(mid_p.p_regression <= exact.p_regression);
        prop_assert!((mid_p.p_regression + mid_p.p_improvement - 1.0).abs() < 1e-9);
        prop_assert!(minimal_p(&counts, PairedTest::MidP) <= mid_p.p_regression * (1.0 + 1e-9));
    }

    #[test]
    fn tango_holds_the_estimate_and_narrows_with_n(counts in any_counts(), level in 0.5..0.999) {
        prop_assume!(counts.n() > 0);
        let interval = tango_interval(&counts, level).unwrap();
        prop_assert!(interval.contains(counts.effect().unwrap()));
        prop_assert!((-1.0..=1.0).contains(&interval.low) && (-1.0..=1.0).contains(&interval.high));
        let fourfold = PairedCounts {
            both_pass: 4 * counts.both_pass,
            regressions: 4 * counts.regressions,
            fixes: 4 * counts.fixes,
            both_fail: 4 * counts.both_fail,
        };
        let narrow = tango_interval(&fourfold, level).unwrap();
        prop_assert!(narrow.high - narrow.low < interval.high - interval.low + 1e-12);
    }
}
