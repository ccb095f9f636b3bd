//! Tests of `sequential`.

use proptest::prelude::*;

use super::super::paired::mcnemar_mid_p;
use super::super::random::Stream;
use super::super::reference::{assert_close, assert_printed, assert_within, cases};
use super::*;

fn counts(regressions: u64, fixes: u64) -> PairedCounts {
    PairedCounts {
        both_pass: 9,
        regressions,
        fixes,
        both_fail: 0,
    }
}

#[test]
fn e_process_of_worked_example_12() {
    let value = e_process(&counts(9, 2));
    assert_printed(value.ln_e, 1.806_051);
    assert_printed(value.p_anytime, 0.164_302);
    assert!(!value.stops(0.05) && value.stops(0.2));
}

#[test]
fn e_process_agrees_with_the_reference() {
    for case in cases("e_process") {
        let value = e_process(&counts(case.count("b"), case.count("c")));
        assert_close(value.ln_e, case.number("ln_e"));
    }
}

#[test]
fn e_process_without_a_differing_pair_is_one_and_never_breaks() {
    assert_within(e_process(&counts(0, 0)).ln_e, 0.0, 0.0);
    assert_within(e_process(&counts(0, 0)).p_anytime, 1.0, 0.0);
    assert!(e_process(&counts(u64::MAX, u64::MAX)).ln_e.is_finite());
    assert!(e_process(&counts(1 << 50, 3)).ln_e.is_finite());
    assert!(!e_process(&counts(9, 0)).stops(f64::NAN));
    assert!(!e_process(&counts(9, 0)).stops(0.0));
}

#[test]
fn the_e_process_keeps_its_level_at_any_time() {
    let mut stream = Stream::new(17, 0);
    let stopped = (0..300)
        .filter(|_| {
            let mut so_far = counts(0, 0);
            (0..120).any(|_| {
                if stream.uniform() < 0.5 {
                    so_far.regressions += 1;
                } else {
                    so_far.fixes += 1;
                }
                e_process(&so_far).stops(0.05)
            })
        })
        .count();
    assert!(stopped <= 20, "{stopped} of 300");
}

#[test]
fn boundaries_agree_with_the_reference() {
    for case in cases("obrien_fleming") {
        let looks = obrien_fleming(case.number("alpha"), &case.numbers("fractions")).unwrap();
        for (index, look) in looks.iter().enumerate() {
            assert_close(look.spent, case.numbers("spent")[index]);
            assert_within(look.boundary, case.numbers("boundary")[index], 1e-6);
            let nominal = case.numbers("nominal_p")[index];
            assert_within(look.nominal_p, nominal, 1e-6 * nominal);
        }
    }
}

#[test]
fn boundaries_match_the_published_table() {
    let looks = obrien_fleming(0.025, &FIVE_LOOKS).unwrap();
    let published = [4.8769, 3.3569, 2.6803, 2.2898, 2.0310];
    for (look, expected) in looks.iter().zip(published) {
        assert_within(look.boundary, expected, 1.5e-4);
    }
}

#[test]
fn one_look_at_the_end_spends_alpha_plainly() {
    let looks = obrien_fleming(0.05, &[1.0]).unwrap();
    assert_close(looks[0].nominal_p, 0.05);
    assert_close(looks[0].spent, 0.05);
}

#[test]
fn an_early_look_that_can_spend_nothing_never_stops() {
    let looks = obrien_fleming(0.001, &[0.01, 1.0]).unwrap();
    assert!(looks[0].nominal_p < 1e-200);
    assert_within(looks[1].nominal_p, 0.001, 1e-8);
}

#[test]
fn a_hundred_looks_still_spend_alpha() {
    let fractions: Vec<f64> = (1..=100).map(|look| f64::from(look) / 100.0).collect();
    let looks = obrien_fleming(0.05, &fractions).unwrap();
    assert!(
        looks
            .windows(2)
            .all(|pair| pair[1].boundary < pair[0].boundary)
    );
    assert_close(looks[99].spent, 0.05);
}

#[test]
fn bad_looks_are_errors() {
    for fractions in [
        &[][..],
        &[0.5, 0.5],
        &[0.5, 0.4],
        &[0.005],
        &[1.1],
        &[f64::NAN],
    ] {
        assert!(obrien_fleming(0.05, fractions).is_err());
    }
    assert!(obrien_fleming(0.0, &[1.0]).is_err());
}

#[test]
fn five_looks_at_mid_p_keep_the_level() {
    let looks = obrien_fleming(0.05, &FIVE_LOOKS).unwrap();
    let mut stream = Stream::new(23, 0);
    let runs = 2000;
    let stopped = (0..runs)
        .filter(|_| {
            let mut so_far = counts(0, 0);
            looks.iter().any(|look| {
                for _ in 0..40 {
                    let place = stream.uniform();
                    if place < 0.06 {
                        so_far.regressions += 1;
                    } else if place < 0.12 {
                        so_far.fixes += 1;
                    }
                }
                mcnemar_mid_p(&so_far).p_regression < look.nominal_p
            })
        })
        .count();
    let share = stopped as f64 / f64::from(runs);
    assert!((0.03..=0.062).contains(&share), "{share}");
}

proptest! {
    #[test]
    fn more_regressions_are_more_evidence(b in 0_u64..200, c in 0_u64..200) {
        let (less, more) = (e_process(&counts(b, c)), e_process(&counts(b + 1, c)));
        prop_assert!(b < c || more.ln_e > less.ln_e);
        prop_assert!((0.0..=1.0).contains(&more.p_anytime));
    }
}
