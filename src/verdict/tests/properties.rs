//! Properties of the decision over many tables.

use proptest::prelude::*;

use super::*;
use crate::base::rng::Stream;
use crate::verdict::Verdict;

fn table() -> impl Strategy<Value = [usize; 4]> {
    (0..80_usize, 0..15_usize, 0..15_usize, 0..40_usize).prop_map(|(a, b, c, d)| [a, b, c, d])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn swapping_the_arms_turns_a_failure_into_an_improvement([n11, b, c, n00] in table()) {
        let policy = policy("preset: promote");
        let decision = compare(&counts([n11, b, c, n00]), &policy);
        let swapped = compare(&counts([n11, c, b, n00]), &policy);
        let (worse, better) = (&decision.rules[0], &swapped.rules[0]);
        prop_assert!((worse.estimate.unwrap_or(0.0) + better.estimate.unwrap_or(0.0)).abs() < 1e-12);
        prop_assert_eq!(worse.p_regression, better.p_improvement);
        if decision.verdict == Verdict::Fail {
            prop_assert_ne!(swapped.verdict, Verdict::Fail);
            prop_assert!(better.p_improvement.unwrap() < 0.05);
        }
    }

    #[test]
    fn the_order_of_cases_changes_nothing(table in table(), seed in any::<u64>()) {
        let policy = policy("segments: { mode: gate }");
        let mut rows = in_segment(counts(table), "tier", "pro");
        let decision = compare(&rows, &policy);
        Stream::new(seed, "order").shuffle(&mut rows);
        prop_assert_eq!(compare(&rows, &policy), decision);
    }

    #[test]
    fn missing_pairs_never_turn_a_failure_into_a_pass(
        table in table(),
        more in 0..60_usize,
        sides in any::<u64>(),
    ) {
        let policy = policy("preset: promote\nmax_missing: 1");
        let mut rows = counts(table);
        let before = compare(&rows, &policy);
        for (index, mut row) in counts([more, 0, 0, 0]).into_iter().enumerate() {
            row.id = format!("m-{index}");
            if sides >> (index % 64) & 1 == 0 {
                lost(&mut row.baseline);
            } else {
                lost(&mut row.candidate);
            }
            rows.push(row);
        }
        let after = compare(&rows, &policy);
        prop_assert_eq!(&after.rules[0].p_regression, &before.rules[0].p_regression);
        match before.verdict {
            Verdict::Fail => prop_assert_ne!(after.verdict, Verdict::Pass),
            Verdict::Pass => prop_assert_ne!(after.verdict, Verdict::Fail),
            _ => prop_assert_eq!(after.verdict, before.verdict),
        }
    }

    #[test]
    fn without_a_pair_there_is_no_pass(n in 0..30_usize, offline in any::<bool>()) {
        let mut rows = counts([n, 0, 0, 0]);
        for row in &mut rows {
            if offline {
                row.candidate = ArmCell { skipped: 1, offline: 1, ..ArmCell::default() };
            } else {
                lost(&mut row.baseline);
            }
        }
        for yaml in ["preset: smoke", "max_missing: 1", "max_missing: 1\nmin_pass_rate: 0.1"] {
            prop_assert_ne!(compare(&rows, &policy(yaml)).verdict, Verdict::Pass);
        }
    }

    #[test]
    fn one_more_lost_case_never_makes_a_failure_a_pass([n11, b, c, n00] in table()) {
        let policy = policy("preset: promote");
        let before = compare(&counts([n11 + 1, b, c, n00]), &policy);
        let after = compare(&counts([n11, b + 1, c, n00]), &policy);
        if before.verdict == Verdict::Fail {
            prop_assert_eq!(after.verdict, Verdict::Fail);
        }
        if after.verdict == Verdict::Pass {
            prop_assert_eq!(before.verdict, Verdict::Pass);
        }
    }
}
