//! Tests of `drift`.

use proptest::prelude::*;

use super::super::reference::{assert_close, assert_printed, assert_within, cases};
use super::*;

#[test]
fn stability_index_of_worked_example_12() {
    let index = stability_index(&[120, 300, 80], &[150, 260, 90]).unwrap();
    assert_printed(index, 0.027_192);
}

#[test]
fn stability_index_floors_empty_bins_and_refuses_empty_histograms() {
    assert!(stability_index(&[10, 0], &[5, 5]).unwrap().is_finite());
    assert!(stability_index(&[0, 0], &[5, 5]).is_err());
    assert!(stability_index(&[1], &[5, 5]).is_err());
    assert!(stability_index(&[], &[]).is_err());
}

#[test]
fn chi_square_agrees_with_the_reference() {
    for case in cases("chi_square") {
        let test = chi_square(&case.counts("first"), &case.counts("second")).unwrap();
        assert_close(test.statistic, case.number("statistic"));
        assert_close(test.df, case.number("df"));
        assert_close(test.p, case.number("p"));
    }
}

#[test]
fn chi_square_says_when_it_is_weak_or_undefined() {
    assert!(chi_square(&[3, 4], &[30, 40]).unwrap().weak);
    assert!(!chi_square(&[30, 40], &[30, 40]).unwrap().weak);
    assert_eq!(chi_square(&[5, 0], &[9, 0]), None);
    assert_eq!(chi_square(&[0, 0], &[9, 1]), None);
    assert_eq!(chi_square(&[1, 2], &[9]), None);
    assert!(
        chi_square(&[u64::MAX, 1], &[1, u64::MAX])
            .unwrap()
            .p
            .is_finite()
    );
}

#[test]
fn ks_agrees_with_the_reference() {
    for case in cases("ks") {
        let test = ks_two_sample(&case.numbers("first"), &case.numbers("second")).unwrap();
        assert_eq!(test.exact, case.is("exact"));
        assert_close(test.statistic, case.number("statistic"));
        assert_close(test.p, case.number("p"));
    }
}

#[test]
fn ks_of_equal_samples_is_one_and_of_nothing_an_error() {
    let same = ks_two_sample(&[1.0, 2.0, 0.0], &[2.0, -0.0, 1.0]).unwrap();
    assert_within(same.statistic, 0.0, 0.0);
    assert_within(same.p, 1.0, 0.0);
    assert!(ks_two_sample(&[], &[1.0]).is_err());
    assert!(ks_two_sample(&[f64::NAN], &[1.0]).is_err());
    assert_close(
        kolmogorov_sf(0.999_999),
        kolmogorov_sf(1.000_001) + 1.072e-6 * 2.0,
    );
}

fn weeks(effects: &[f64]) -> Vec<Week> {
    effects
        .iter()
        .map(|&effect| Week {
            effect,
            churn: 0.08,
            pairs: 150,
        })
        .collect()
}

#[test]
fn ewma_starts_in_week_five_and_follows_its_formula() {
    let points = ewma(&weeks(&[0.01, -0.01, 0.02, 0.02, -0.04, -0.04])).unwrap();
    assert!(points[..4].iter().all(Option::is_none));
    let first = points[4].unwrap();
    assert_close(first.value, 0.2 * -0.05);
    let spread: f64 = 0.08 / 300.0 * (0.36 / 9.0 + 0.04 / 4.0);
    assert_close(first.limit, -3.0 * spread.sqrt());
    let second = points[5].unwrap();
    assert_close(second.value, 0.8 * first.value + 0.2 * -0.05);
    assert!(!first.alarm);
}

#[test]
fn ewma_alarms_on_a_lasting_loss_and_not_on_luck_that_all_weeks_share() {
    let mut effects = vec![-0.04; 12];
    assert!(
        ewma(&weeks(&effects))
            .unwrap()
            .iter()
            .flatten()
            .all(|point| !point.alarm)
    );
    effects[6..].fill(-0.12);
    assert!(
        ewma(&weeks(&effects))
            .unwrap()
            .last()
            .unwrap()
            .unwrap()
            .alarm
    );
}

#[test]
fn ewma_without_churn_still_has_a_limit() {
    let quiet = [Week {
        effect: 0.0,
        churn: 0.0,
        pairs: 50,
    }; 5];
    assert!(ewma(&quiet).unwrap()[4].unwrap().limit < 0.0);
    assert!(ewma(&[]).unwrap().is_empty());
    assert!(
        ewma(&[Week {
            effect: f64::NAN,
            churn: 0.0,
            pairs: 5
        }])
        .is_err()
    );
    assert!(
        ewma(&[Week {
            effect: 0.0,
            churn: 0.0,
            pairs: 0
        }])
        .is_err()
    );
}

proptest! {
    #[test]
    fn swapping_the_samples_changes_nothing(
        first in prop::collection::vec(-5.0..5.0_f64, 1..30),
        second in prop::collection::vec(-5.0..5.0_f64, 1..30),
    ) {
        let there = ks_two_sample(&first, &second).unwrap();
        let back = ks_two_sample(&second, &first).unwrap();
        prop_assert!((there.p - back.p).abs() < 1e-9);
        prop_assert!((0.0..=1.0).contains(&there.p));
    }

    #[test]
    fn the_stability_index_is_symmetric_and_not_negative(
        bins in prop::collection::vec((0_u64..99, 0_u64..99), 1..8),
    ) {
        let (mut first, mut second): (Vec<u64>, Vec<u64>) = bins.into_iter().unzip();
        first[0] += 1;
        second[0] += 1;
        let there = stability_index(&first, &second).unwrap();
        prop_assert!(there >= 0.0);
        prop_assert!((there - stability_index(&second, &first).unwrap()).abs() < 1e-12);
    }
}
