//! Many p-values at once: family-wise and false-discovery corrections, and the gate's family.
//!
//! Owns Holm, weighted Holm, Benjamini–Hochberg and the screen that leaves out rules with too few
//! differing pairs to fail. Input order is kept; adjusted p are at most 1.

use serde::{Deserialize, Serialize};

use super::error::{self, Error};

/// Holm's step-down adjusted p-values.
///
/// Controls the family-wise error under any dependence. Empty in, empty out. Source: Holm (1979),
/// Scandinavian Journal of Statistics 6, 65–70.
///
/// # Errors
/// If a p is not in [0, 1].
pub fn holm(p: &[f64]) -> Result<Vec<f64>, Error> {
    weighted_holm(p, &vec![1.0; p.len()])
}

/// Weighted Holm adjusted p-values: hypotheses in order of p/w, the running maximum of p/w times
/// the sum of the weights from here on.
///
/// Controls the family-wise error under any dependence. Source: Holm (1979), §4; Benjamini and
/// Hochberg (1997), Scandinavian Journal of Statistics 24, 407–418.
///
/// # Errors
/// If a p is not in [0, 1], a weight is not above 0, or the lists differ in length.
pub fn weighted_holm(p: &[f64], weights: &[f64]) -> Result<Vec<f64>, Error> {
    error::same_length("list of weights", p.len(), weights.len())?;
    let mut entries = Vec::with_capacity(p.len());
    for (index, (&p, &weight)) in p.iter().zip(weights).enumerate() {
        error::unit("p", p)?;
        error::positive("weight", weight)?;
        entries.push((p / weight, weight, index));
    }
    entries.sort_by(|left, right| left.0.total_cmp(&right.0));
    let mut left = 0.0;
    for entry in entries.iter_mut().rev() {
        left += entry.1;
        entry.1 = left;
    }
    let mut running: f64 = 0.0;
    let mut adjusted: Vec<(usize, f64)> = Vec::with_capacity(entries.len());
    for (ratio, weight_left, index) in entries {
        running = running.max(ratio * weight_left).min(1.0);
        adjusted.push((index, running));
    }
    Ok(in_input_order(adjusted))
}

/// Benjamini–Hochberg step-up adjusted p-values.
///
/// Controls the false discovery rate of independent or positively dependent tests. Empty in,
/// empty out. Source: Benjamini and Hochberg (1995), JRSS B 57, 289–300.
///
/// # Errors
/// If a p is not in [0, 1].
pub fn benjamini_hochberg(p: &[f64]) -> Result<Vec<f64>, Error> {
    for &p in p {
        error::unit("p", p)?;
    }
    let mut entries: Vec<(usize, f64)> = p.iter().copied().enumerate().collect();
    entries.sort_by(|left, right| left.1.total_cmp(&right.1));
    let size = entries.len() as f64;
    let mut running: f64 = 1.0;
    for (rank, entry) in entries.iter_mut().enumerate().rev() {
        running = running.min(entry.1 * (size / (rank + 1) as f64));
        entry.1 = running;
    }
    Ok(in_input_order(entries))
}

fn in_input_order(mut adjusted: Vec<(usize, f64)>) -> Vec<f64> {
    adjusted.sort_unstable_by_key(|&(index, _)| index);
    adjusted.into_iter().map(|(_, p)| p).collect()
}

/// What the screen needs to know of a rule that could fail the gate.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct FamilyRule {
    /// The rule's p of a regression.
    pub p: f64,
    /// The p that its test would give had all its differing pairs been regressions
    /// ([`minimal_p`](super::paired::minimal_p)); 0 for tests on means, ratios and percentiles.
    pub minimal_p: f64,
}

/// The screened family of failing rules, with family-wise adjusted p.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Family {
    /// Number of rules in the family besides the main one.
    pub size: usize,
    /// Adjusted p of the main rule.
    pub main: f64,
    /// Adjusted p of the other rules in input order; `None` for a rule outside the family, which
    /// cannot fail.
    pub others: Vec<Option<f64>>,
}

/// Screens the rules that could fail the gate and adjusts their p by weighted Holm.
///
/// `main` is the pass rate (or the score), always in the family. With k the smallest integer ≥ 1
/// such that at most k of `others` have a minimal p ≤ α/(2k), exactly those s rules join it. The
/// main rule weighs max(s, 1), the others 1, so half of α is the main rule's own. The family
/// depends on minimal p alone, so the family-wise error stays at α. Source: Tarone (1990),
/// Biometrics 46, 515–522; Holm (1979).
///
/// # Errors
/// If `alpha` is not in (0, 1) or some p is not in [0, 1].
pub fn screened_family(main: f64, others: &[FamilyRule], alpha: f64) -> Result<Family, Error> {
    error::open_unit("alpha", alpha)?;
    error::unit("p", main)?;
    for rule in others {
        error::unit("p", rule.p)?;
        error::unit("minimal p", rule.minimal_p)?;
    }
    let members = screen(others, alpha);
    let size = members.iter().filter(|&&member| member).count();
    let mut p = vec![main];
    let mut weights = vec![size.max(1) as f64];
    for (rule, _) in others.iter().zip(&members).filter(|&(_, &member)| member) {
        p.push(rule.p);
        weights.push(1.0);
    }
    let mut adjusted = weighted_holm(&p, &weights)?.into_iter();
    let main = adjusted.next().unwrap_or(main);
    let others = members
        .into_iter()
        .map(|member| if member { adjusted.next() } else { None })
        .collect();
    Ok(Family { size, main, others })
}

fn screen(others: &[FamilyRule], alpha: f64) -> Vec<bool> {
    let mut limit = 0.0;
    for k in 1..=others.len().max(1) {
        limit = alpha / (2.0 * k as f64);
        let count = others.iter().filter(|rule| rule.minimal_p <= limit).count();
        if count <= k {
            break;
        }
    }
    others.iter().map(|rule| rule.minimal_p <= limit).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::reference::{assert_close, assert_printed, cases};
    use super::*;

    fn assert_all_close(actual: &[f64], expected: &[f64]) {
        assert_eq!(actual.len(), expected.len());
        for (&actual, &expected) in actual.iter().zip(expected) {
            assert_close(actual, expected);
        }
    }

    fn rule(p: f64, minimal_p: f64) -> FamilyRule {
        FamilyRule { p, minimal_p }
    }

    #[test]
    fn corrections_agree_with_the_reference() {
        for case in cases("multiple") {
            let p = case.numbers("p");
            assert_all_close(&holm(&p).unwrap(), &case.numbers("holm"));
            assert_all_close(&benjamini_hochberg(&p).unwrap(), &case.numbers("bh"));
        }
    }

    #[test]
    fn corrections_of_worked_example_9() {
        let p = [0.004, 0.030, 0.020, 0.600];
        assert_all_close(&holm(&p).unwrap(), &[0.016, 0.060, 0.060, 0.600]);
        assert_all_close(
            &benjamini_hochberg(&p).unwrap(),
            &[0.016, 0.040, 0.040, 0.600],
        );
    }

    #[test]
    fn family_of_worked_example_9() {
        use super::super::paired::{PairedCounts, PairedTest, mcnemar_mid_p, minimal_p};
        let counts = |regressions, fixes| PairedCounts {
            both_pass: 100,
            regressions,
            fixes,
            both_fail: 0,
        };
        let of = |counts: PairedCounts| {
            rule(
                mcnemar_mid_p(&counts).p_regression,
                minimal_p(&counts, PairedTest::MidP),
            )
        };
        let main = of(counts(10, 2)).p;
        assert_printed(main, 0.011_230);
        let others = [
            of(counts(9, 0)),
            of(counts(1, 1)),
            of(counts(0, 1)),
            rule(0.030, 0.0),
        ];
        let family = screened_family(main, &others, 0.05).unwrap();
        assert_eq!(family.size, 2);
        assert_printed(family.main, 0.016_846);
        assert_printed(family.others[0].unwrap(), 0.003_906);
        assert_eq!((family.others[1], family.others[2]), (None, None));
        assert_printed(family.others[3].unwrap(), 0.030_000);
    }

    #[test]
    fn a_family_of_one_keeps_its_p() {
        let family = screened_family(0.04, &[], 0.05).unwrap();
        assert_eq!((family.size, family.others.len()), (0, 0));
        assert_close(family.main, 0.04);
        let family = screened_family(0.04, &[rule(0.5, 0.5)], 0.05).unwrap();
        assert_eq!((family.size, family.others), (0, vec![None]));
        assert_close(family.main, 0.04);
    }

    #[test]
    fn bad_input_is_an_error_and_none_is_empty() {
        assert_eq!(holm(&[]).unwrap(), Vec::<f64>::new());
        assert_eq!(benjamini_hochberg(&[]).unwrap(), Vec::<f64>::new());
        assert!(holm(&[f64::NAN]).is_err());
        assert!(benjamini_hochberg(&[1.1]).is_err());
        assert!(weighted_holm(&[0.1], &[0.0]).is_err());
        assert!(weighted_holm(&[0.1], &[1.0, 1.0]).is_err());
        assert!(screened_family(0.1, &[], 0.0).is_err());
        assert!(screened_family(0.1, &[rule(0.1, f64::NAN)], 0.05).is_err());
    }

    fn p_values() -> impl Strategy<Value = Vec<f64>> {
        prop::collection::vec(0.0..=1.0_f64, 0..12)
    }

    proptest! {
        #[test]
        fn adjusted_p_are_between_p_and_one_and_bh_is_milder(p in p_values()) {
            let (holm, bh) = (holm(&p).unwrap(), benjamini_hochberg(&p).unwrap());
            for ((&p, holm), bh) in p.iter().zip(holm).zip(bh) {
                prop_assert!(p <= bh * (1.0 + 1e-12) && bh <= holm * (1.0 + 1e-12) && holm <= 1.0);
            }
        }

        #[test]
        fn the_order_of_input_does_not_matter(p in p_values()) {
            let reversed: Vec<f64> = p.iter().rev().copied().collect();
            let there = holm(&p).unwrap();
            let back: Vec<f64> = holm(&reversed).unwrap().into_iter().rev().collect();
            prop_assert_eq!(there, back);
        }

        #[test]
        fn half_of_alpha_is_the_main_rules_own(p in 0.0..0.025_f64, smallest in p_values()) {
            let others: Vec<FamilyRule> = smallest.iter().map(|&m| rule(1.0, m * m * m)).collect();
            prop_assert!(screened_family(p, &others, 0.05).unwrap().main <= 0.05);
        }

        #[test]
        fn the_family_holds_at_most_k_rules_that_could_reach_their_share(smallest in p_values()) {
            let others: Vec<FamilyRule> = smallest.iter().map(|&m| rule(m.powi(4), m.powi(4))).collect();
            let family = screened_family(0.5, &others, 0.05).unwrap();
            for (rule, adjusted) in others.iter().zip(&family.others) {
                let could = rule.minimal_p <= 0.025 / others.len() as f64;
                prop_assert!(adjusted.is_some() || !could);
            }
        }
    }
}
