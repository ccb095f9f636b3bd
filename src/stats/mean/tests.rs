//! Tests of `mean`: worked examples, reference values, the zero-variance rules, properties.

use proptest::prelude::*;

use super::super::reference::{Case, assert_close, assert_printed, assert_within, cases};
use super::*;

fn independent(values: &[f64]) -> Sample {
    Sample::independent(values).unwrap()
}

fn differences(case: &Case) -> Sample {
    let candidate = case.numbers("candidate");
    let baseline = case.numbers("baseline");
    let values: Vec<f64> = candidate
        .iter()
        .zip(&baseline)
        .map(|(c, b)| c - b)
        .collect();
    independent(&values)
}

#[expect(clippy::cast_possible_truncation, reason = "small numbers")]
fn clustered(case: &Case) -> Sample {
    let clusters: Vec<usize> = case
        .counts("clusters")
        .iter()
        .map(|&g| g as usize)
        .collect();
    Sample::clustered(&case.numbers("values"), &clusters).unwrap()
}

#[test]
fn paired_t_of_worked_example_7() {
    let candidate = [0.8, 0.7, 0.9, 0.4, 0.6, 1.0, 0.5, 0.75];
    let baseline = [0.9, 0.7, 0.95, 0.6, 0.65, 0.9, 0.7, 0.8];
    let values: Vec<f64> = candidate.iter().zip(baseline).map(|(c, b)| c - b).collect();
    let test = paired_t(&independent(&values), 0.95).unwrap();
    assert_printed(test.estimate.mean, -0.068_750);
    assert_printed(test.estimate.standard_error, 0.035_276);
    assert_printed(test.statistic.unwrap(), -1.948_899);
    assert_within(test.estimate.df, 7.0, 0.0);
    assert_printed(test.p_regression, 0.046_159);
    assert_printed(test.interval.low, -0.152_165);
    assert_printed(test.interval.high, 0.014_665);
}

#[test]
fn paired_t_agrees_with_the_reference() {
    for case in cases("paired_t") {
        let sample = differences(&case);
        let test = paired_t(&sample, case.number("level")).unwrap();
        assert_close(test.estimate.mean, case.number("mean"));
        assert_close(test.estimate.standard_error, case.number("se"));
        assert_close(test.statistic.unwrap(), case.number("statistic"));
        assert_close(test.p_two_sided, case.number("p_two_sided"));
        assert_close(test.p_regression, case.number("p_regression"));
        assert_close(test.p_improvement, case.number("p_improvement"));
        assert_close(test.interval.low, case.number("low"));
        assert_close(test.interval.high, case.number("high"));
        let margin = case.number("margin");
        assert_close(
            p_noninferior(&sample, margin).unwrap(),
            case.number("p_noninferior"),
        );
        assert_close(
            p_guarded(&sample, margin).unwrap(),
            case.number("p_guarded"),
        );
    }
}

#[test]
fn clustered_t_of_worked_example_8() {
    let values = [-1.0, 0.0, 0.0, 0.0, -1.0, -1.0, 1.0, 0.0, 0.0, 0.0];
    let clusters = [0, 0, 0, 1, 2, 2, 3, 3, 4, 4];
    let sample = Sample::clustered(&values, &clusters).unwrap();
    let test = paired_t(&sample, 0.95).unwrap();
    assert_printed(test.estimate.mean, -0.2);
    assert_printed(test.estimate.standard_error, 0.246_982);
    assert_printed(test.estimate.standard_error * 0.8_f64.sqrt(), 0.220_907);
    assert_printed(test.statistic.unwrap(), -0.809_776);
    assert_within(test.estimate.df, 4.0, 0.0);
    assert_printed(test.p_regression, 0.231_745);
    assert_eq!((sample.clusters(), sample.units()), (Some(5), 5));
}

#[test]
fn clustered_t_agrees_with_the_reference() {
    for case in cases("clustered_t") {
        let sample = clustered(&case);
        let test = paired_t(&sample, case.number("level")).unwrap();
        assert_close(test.estimate.mean, case.number("mean"));
        assert_close(test.estimate.standard_error, case.number("se"));
        assert_close(test.estimate.df, case.number("df"));
        assert_close(test.statistic.unwrap(), case.number("statistic"));
        assert_close(test.p_two_sided, case.number("p_two_sided"));
        assert_close(test.p_regression, case.number("p_regression"));
        assert_close(test.interval.low, case.number("low"));
        assert_close(test.interval.high, case.number("high"));
        let guarded = p_guarded(&sample, case.number("margin")).unwrap();
        assert_close(guarded, case.number("p_guarded"));
    }
}

#[test]
fn guard_of_worked_example_13() {
    let mut values = vec![0.0; 30];
    values[0] = -1.0 / 3.0;
    let sample = independent(&values);
    assert_printed(p_noninferior(&sample, 0.05).unwrap(), 0.000_762);
    assert_printed(p_guarded(&sample, 0.05).unwrap(), 0.198_533);
    assert!(needs_guard(&sample));
    let broken = paired_t(&independent(&[-1.0; 30]), 0.9).unwrap();
    assert_close(broken.p_regression, 0.5_f64.powi(30));
    assert_within(broken.p_regression, 9.313_226e-10, 1e-15);
    assert!(broken.zero_variance());
}

#[test]
fn effective_size_of_worked_example_13() {
    let rate = Estimate {
        mean: 0.96,
        standard_error: 0.02,
        df: 49.0,
        units: 50,
    };
    let size = effective_n(&rate, 150).unwrap();
    assert_close(size, 96.0);
    let interval = super::super::proportion::wilson_interval(0.96 * size, size, 0.9).unwrap();
    assert_printed(interval.low, 0.912_584);
    assert_printed(interval.high, 0.982_198);
}

#[test]
fn effective_size_stays_between_units_and_trials() {
    let rate = |standard_error, units| Estimate {
        mean: 0.9,
        standard_error,
        df: 1.0,
        units,
    };
    assert_within(effective_n(&rate(0.0, 80), 240).unwrap(), 80.0, 0.0);
    assert_within(effective_n(&rate(0.01, 49), 147).unwrap(), 49.0, 0.0);
    assert_within(effective_n(&rate(1e-9, 80), 240).unwrap(), 240.0, 0.0);
    assert_within(effective_n(&rate(0.9, 80), 240).unwrap(), 1.0, 0.0);
    assert!(effective_n(&rate(f64::NAN, 80), 240).is_err());
}

#[test]
fn sign_flip_agrees_with_the_reference() {
    for case in cases("sign_flip") {
        let test = sign_flip(&independent(&case.numbers("values")), 1).unwrap();
        assert!(test.exact);
        assert_close(test.p_regression, case.number("p_regression"));
        assert_close(test.p_improvement, case.number("p_improvement"));
        assert_close(test.p_two_sided, case.number("p_two_sided"));
    }
}

#[test]
fn drawn_flips_come_near_the_t_test_and_repeat_with_the_seed() {
    let values: Vec<f64> = (0..80).map(|i| f64::from(i % 7) / 10.0 - 0.35).collect();
    let sample = independent(&values);
    let flips = sign_flip(&sample, 5).unwrap();
    assert!(!flips.exact);
    assert_eq!(flips, sign_flip(&sample, 5).unwrap());
    assert_ne!(flips, sign_flip(&sample, 6).unwrap());
    let t = paired_t(&sample, 0.9).unwrap();
    assert_within(flips.p_regression, t.p_regression, 0.02);
    let all = sign_flip(&independent(&[-0.5; 40]), 1).unwrap();
    assert_close(all.p_regression, 1.0 / 10_001.0);
}

#[test]
fn without_variance_the_direction_alone_decides() {
    let test = |value: f64| paired_t(&independent(&[value; 5]), 0.9).unwrap();
    let expected = |p_regression, p_improvement, p_two_sided, test: MeanTest| {
        assert_within(test.p_regression, p_regression, 0.0);
        assert_within(test.p_improvement, p_improvement, 0.0);
        assert_within(test.p_two_sided, p_two_sided, 0.0);
        assert_eq!(test.statistic, None);
    };
    expected(0.5, 0.5, 1.0, test(0.0));
    expected(1.0 / 32.0, 1.0, 1.0 / 16.0, test(-0.2));
    expected(1.0, 1.0 / 32.0, 1.0 / 16.0, test(0.2));
    let same = independent(&[-0.2; 5]);
    let guarded = p_guarded(&same, 0.05).unwrap();
    assert_within(p_noninferior(&same, 0.05).unwrap(), guarded, 0.0);
}

#[test]
fn rounding_is_no_variance_and_no_difference() {
    let thirds = [
        2.0 / 3.0 - 1.0,
        1.0 / 3.0 - 2.0 / 3.0,
        0.0 - 1.0 / 3.0,
        0.1 - (0.1 + 1.0 / 3.0),
    ];
    let test = paired_t(&independent(&thirds), 0.9).unwrap();
    assert!(test.zero_variance());
    assert_within(test.p_regression, 1.0 / 16.0, 0.0);
    let nothing = [0.1 + 0.2 - 0.3, 0.1 + 0.2 - 0.3, 0.0];
    let test = paired_t(&independent(&nothing), 0.9).unwrap();
    assert_within(test.p_regression, 0.5, 0.0);
}

#[test]
fn clusters_without_variance_count_as_units() {
    let values = [-1.0, 0.0, 0.0, -1.0, -1.0, 0.0];
    let sample = Sample::clustered(&values, &[7, 7, 3, 3, 9, 9]).unwrap();
    let test = paired_t(&sample, 0.9).unwrap();
    assert_within(test.p_regression, 0.125, 0.0);
}

#[test]
fn too_few_units_and_bad_numbers_are_errors() {
    assert!(matches!(
        paired_t(&independent(&[]), 0.9),
        Err(Error::TooFew { found: 0, .. })
    ));
    assert!(matches!(
        paired_t(&independent(&[0.1]), 0.9),
        Err(Error::TooFew { found: 1, .. })
    ));
    let one_cluster = Sample::clustered(&[0.1, 0.2], &[4, 4]).unwrap();
    assert!(matches!(
        paired_t(&one_cluster, 0.9),
        Err(Error::TooFew {
            what: "clusters",
            ..
        })
    ));
    assert!(Sample::independent(&[f64::NAN]).is_err());
    assert!(Sample::independent(&[f64::INFINITY]).is_err());
    assert!(Sample::independent(&[1e200]).is_err());
    assert!(Sample::clustered(&[0.0], &[]).is_err());
    assert!(sign_flip(&independent(&[]), 1).is_err());
    assert!(p_guarded(&independent(&[]), 0.05).is_err());
    assert!(p_noninferior(&independent(&[0.1, 0.2]), f64::NAN).is_err());
    assert!(paired_t(&independent(&[0.1, 0.2]), 1.5).is_err());
    assert!(!needs_guard(&independent(&[])));
}

#[test]
fn mostly_zero_differences_need_the_guard() {
    assert!(needs_guard(&independent(&[0.0, 0.0, 0.0, 0.1, 0.2])));
    assert!(!needs_guard(&independent(&[0.0, 0.0, 0.3, 0.1])));
    assert!(needs_guard(&independent(&[0.1, 0.1, 0.1])));
}

fn scores() -> impl Strategy<Value = Vec<f64>> {
    prop::collection::vec(
        (-20_i32..=20).prop_map(|tick| f64::from(tick) / 20.0),
        2..40,
    )
}

proptest! {
    #[test]
    fn clusters_of_one_are_independent_cases(values in scores()) {
        let clusters: Vec<usize> = (0..values.len()).rev().collect();
        let grouped = paired_t(&Sample::clustered(&values, &clusters).unwrap(), 0.9).unwrap();
        let plain = paired_t(&independent(&values), 0.9).unwrap();
        prop_assert!((grouped.p_regression - plain.p_regression).abs() < 1e-9);
        prop_assert!((grouped.interval.low - plain.interval.low).abs() < 1e-9);
    }

    #[test]
    fn swapping_the_arms_turns_the_tests_over(values in scores()) {
        let turned: Vec<f64> = values.iter().map(|value| -value).collect();
        let (there, back) = (independent(&values), independent(&turned));
        let (t, u) = (paired_t(&there, 0.9).unwrap(), paired_t(&back, 0.9).unwrap());
        prop_assert!((t.p_regression - u.p_improvement).abs() < 1e-12);
        prop_assert!((t.interval.low + u.interval.high).abs() < 1e-12);
        if values.len() <= 12 {
            let (t, u) = (sign_flip(&there, 1).unwrap(), sign_flip(&back, 1).unwrap());
            prop_assert!((t.p_regression - u.p_improvement).abs() < 1e-12);
        }
    }

    #[test]
    fn the_order_of_cases_does_not_matter(values in scores(), seed in 0_u64..1000) {
        let mut shuffled = values.clone();
        let mut stream = Stream::new(seed, 0);
        for last in (1..shuffled.len()).rev() {
            shuffled.swap(last, stream.below(last + 1));
        }
        let p = |values: &[f64]| paired_t(&independent(values), 0.9).unwrap().p_regression;
        prop_assert!((p(&values) - p(&shuffled)).abs() < 1e-9);
    }

    #[test]
    fn the_interval_holds_the_mean_and_the_guard_is_a_probability(values in scores(), margin in 0.0..0.3) {
        let sample = independent(&values);
        let test = paired_t(&sample, 0.9).unwrap();
        prop_assert!(test.interval.contains(test.estimate.mean));
        let guarded = p_guarded(&sample, margin).unwrap();
        prop_assert!((0.0..=1.0).contains(&guarded));
        prop_assert!(p_guarded(&sample, margin + 0.05).unwrap() <= guarded);
    }
}
