//! Tests of `proportion`: worked examples, reference values, properties.

use proptest::prelude::*;

use super::super::reference::{Case, assert_close, assert_printed, assert_within, cases};
use super::*;

fn tally(successes: u64, trials: u64) -> Tally {
    Tally::new(successes, trials).unwrap()
}

fn arms(case: &Case) -> (Tally, Tally) {
    (
        tally(case.count("x1"), case.count("n1")),
        tally(case.count("x2"), case.count("n2")),
    )
}

#[test]
fn z_test_of_worked_example_1() {
    let test = two_proportion_z(tally(430, 500), tally(455, 500)).unwrap();
    assert_printed(test.statistic, -2.478_104);
    assert_printed(test.p_two_sided, 0.013_208);
    assert_printed(test.p_regression, 0.006_604);
}

#[test]
fn z_test_agrees_with_the_reference() {
    for case in cases("two_proportion_z") {
        let (candidate, baseline) = arms(&case);
        let test = two_proportion_z(candidate, baseline).unwrap();
        assert_close(test.statistic, case.number("statistic"));
        assert_close(test.p_two_sided, case.number("p_two_sided"));
        assert_close(test.p_regression, case.number("p_regression"));
    }
}

#[test]
fn z_test_without_a_failure_or_without_a_pass_says_nothing() {
    for passes in [0, 20] {
        let test = two_proportion_z(tally(passes, 20), tally(passes, 20)).unwrap();
        assert_within(test.statistic, 0.0, 0.0);
        assert_within(test.p_two_sided, 1.0, 0.0);
        assert_within(test.p_regression, 0.5, 0.0);
    }
}

#[test]
fn an_empty_arm_has_no_test() {
    assert_eq!(two_proportion_z(tally(0, 0), tally(3, 5)), None);
    assert_eq!(fisher_exact(tally(3, 5), tally(0, 0)), None);
    assert!(weak_normal(tally(0, 0), tally(3, 5)));
    assert!(newcombe_interval(tally(0, 0), tally(3, 5), 0.9).is_err());
    assert_eq!(tally(0, 0).rate(), None);
}

#[test]
fn more_successes_than_trials_are_refused() {
    assert!(Tally::new(3, 2).is_err());
}

#[test]
fn normal_approximation_is_weak_below_five_expected() {
    assert!(!weak_normal(tally(45, 50), tally(45, 50)));
    assert!(weak_normal(tally(46, 50), tally(45, 50)));
    assert!(weak_normal(tally(5, 50), tally(4, 50)));
}

#[test]
fn wilson_of_worked_example_2() {
    let interval = wilson_interval(46.0, 50.0, 0.95).unwrap();
    assert_printed(interval.low, 0.811_618);
    assert_printed(interval.high, 0.968_450);
    let perfect = wilson_interval(50.0, 50.0, 0.95).unwrap();
    assert_printed(perfect.low, 0.928_652);
    assert_within(perfect.high, 1.0, 0.0);
    let none = wilson_interval(0.0, 50.0, 0.95).unwrap();
    assert_within(none.low, 0.0, 0.0);
}

#[test]
fn wilson_agrees_with_the_reference() {
    for case in cases("wilson") {
        let interval =
            wilson_interval(case.number("x"), case.number("n"), case.number("level")).unwrap();
        assert_close(interval.low, case.number("low"));
        assert_close(interval.high, case.number("high"));
    }
}

#[test]
fn wilson_refuses_what_is_no_rate() {
    for (successes, n, level) in [
        (1.0, 0.0, 0.9),
        (-1.0, 5.0, 0.9),
        (6.0, 5.0, 0.9),
        (f64::NAN, 5.0, 0.9),
        (1.0, f64::INFINITY, 0.9),
        (1.0, 5.0, 1.0),
        (1.0, 5.0, f64::NAN),
    ] {
        assert!(wilson_interval(successes, n, level).is_err());
    }
}

#[test]
fn newcombe_of_worked_example_3() {
    let interval = newcombe_interval(tally(430, 500), tally(455, 500), 0.95).unwrap();
    assert_printed(interval.low, -0.089_832);
    assert_printed(interval.high, -0.010_409);
}

#[test]
fn newcombe_agrees_with_the_reference() {
    for case in cases("newcombe") {
        let (candidate, baseline) = arms(&case);
        let interval = newcombe_interval(candidate, baseline, case.number("level")).unwrap();
        assert_close(interval.low, case.number("low"));
        assert_close(interval.high, case.number("high"));
    }
}

#[test]
fn fisher_agrees_with_the_reference() {
    for case in cases("fisher") {
        let (candidate, baseline) = arms(&case);
        let test = fisher_exact(candidate, baseline).unwrap();
        assert_close(test.p_two_sided, case.number("p_two_sided"));
        assert_close(test.p_regression, case.number("p_regression"));
        assert_close(test.p_improvement, case.number("p_improvement"));
    }
}

#[test]
fn fisher_holds_at_large_counts_and_ends_at_huge_ones() {
    let large = fisher_exact(tally(9_000_000, 10_000_000), tally(9_000_500, 10_000_000)).unwrap();
    let z = two_proportion_z(tally(9_000_000, 10_000_000), tally(9_000_500, 10_000_000)).unwrap();
    assert_within(large.p_two_sided, z.p_two_sided, 1e-3);
    assert_eq!(fisher_exact(tally(1, u64::MAX), tally(1, 9)), None);
    assert_eq!(fisher_exact(tally(1, 1 << 41), tally(1, 9)), None);
}

#[test]
fn no_failure_in_fifty_leaves_almost_six_percent() {
    let bound = zero_failure_bound(50, 0.05).unwrap();
    assert_within(bound, 0.058, 5e-4);
    assert_within(zero_failure_bound(0, 0.05).unwrap(), 1.0, 0.0);
    assert!(zero_failure_bound(5, 0.0).is_err());
}

#[test]
fn repeated_trials_of_worked_example_12() {
    assert_close(pass_hat_k(tally(4, 5), 3).unwrap(), 0.4);
    assert_close(pass_at_k(tally(4, 5), 3).unwrap(), 1.0);
}

#[test]
fn repeated_trials_agree_with_the_reference() {
    for case in cases("pass_k") {
        let tally = tally(case.count("c"), case.count("n"));
        assert_close(
            pass_hat_k(tally, case.count("k")).unwrap(),
            case.number("hat"),
        );
        assert_close(
            pass_at_k(tally, case.count("k")).unwrap(),
            case.number("at"),
        );
    }
}

#[test]
fn repeated_trials_need_k_of_them() {
    assert_eq!(pass_hat_k(tally(2, 3), 0), None);
    assert_eq!(pass_hat_k(tally(2, 3), 4), None);
    assert_eq!(pass_at_k(tally(0, 0), 1), None);
    let huge = pass_hat_k(tally(u64::MAX - 10_000, u64::MAX), 1 << 40).unwrap();
    assert_within(huge, 1.0, 1e-3);
}

fn any_tally() -> impl Strategy<Value = Tally> {
    (1_u64..500)
        .prop_flat_map(|trials| (0..=trials, Just(trials)))
        .prop_map(|(successes, trials)| tally(successes, trials))
}

proptest! {
    #[test]
    fn swapping_the_arms_turns_the_tests_over(first in any_tally(), second in any_tally()) {
        let there = two_proportion_z(first, second).unwrap();
        let back = two_proportion_z(second, first).unwrap();
        prop_assert!((there.statistic + back.statistic).abs() < 1e-9);
        prop_assert!((there.p_regression + back.p_regression - 1.0).abs() < 1e-9);
        let there = fisher_exact(first, second).unwrap();
        let back = fisher_exact(second, first).unwrap();
        prop_assert!((there.p_two_sided - back.p_two_sided).abs() < 1e-9);
        prop_assert!((there.p_regression - back.p_improvement).abs() < 1e-9);
        let there = newcombe_interval(first, second, 0.9).unwrap();
        let back = newcombe_interval(second, first, 0.9).unwrap();
        prop_assert!((there.low + back.high).abs() < 1e-12);
    }

    #[test]
    fn intervals_hold_their_estimate(first in any_tally(), second in any_tally(), level in 0.01..0.999) {
        let rate = first.rate().unwrap();
        let wilson =
            wilson_interval(first.successes() as f64, first.trials() as f64, level).unwrap();
        prop_assert!(wilson.contains(rate) && wilson.low >= 0.0 && wilson.high <= 1.0);
        let newcombe = newcombe_interval(first, second, level).unwrap();
        prop_assert!(newcombe.contains(rate - second.rate().unwrap()));
    }

    #[test]
    fn wilson_narrows_with_n(passes in 0_u64..50, factor in 2_u64..20) {
        let width = |factor: u64| {
            let interval =
                wilson_interval((passes * factor) as f64, (50 * factor) as f64, 0.95).unwrap();
            interval.high - interval.low
        };
        prop_assert!(width(factor) < width(1));
    }

    #[test]
    fn fisher_is_total_and_its_tails_overlap(first in any_tally(), second in any_tally()) {
        let test = fisher_exact(first, second).unwrap();
        prop_assert!((0.0..=1.0).contains(&test.p_two_sided));
        prop_assert!(test.p_regression + test.p_improvement >= 1.0 - 1e-9);
        prop_assert!(test.p_two_sided >= test.p_regression.min(test.p_improvement) - 1e-9);
    }
}
