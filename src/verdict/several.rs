//! Several comparisons of one command under one error rate: Holm over the comparisons.
//!
//! A command of several comparisons says fail when any of them does, so their p of a regression are
//! corrected together; it says pass only when all do, which needs no correction (statistics.md
//! section 4, where the same holds for the rules of one comparison).

use super::rule::Decision;
use crate::stats::multiple::holm;

/// What a comparison pays for standing among several: its p are multiplied, and none falls below
/// what a comparison with a smaller p has come to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Among {
    /// How many comparisons there are.
    pub comparisons: usize,
    factor: f64,
    floor: f64,
}

impl Default for Among {
    /// A comparison that stands alone.
    fn default() -> Self {
        Self {
            comparisons: 1,
            factor: 1.0,
            floor: 0.0,
        }
    }
}

impl Among {
    /// The p of a rule after the correction over all comparisons; `p` is the one within its own.
    #[must_use]
    pub fn adjust(self, p: f64) -> f64 {
        (p * self.factor).max(self.floor).min(1.0)
    }

    /// What a comparison pays while the others are not known: the bound of Bonferroni, which Holm's
    /// correction never exceeds.
    #[must_use]
    pub fn bonferroni(comparisons: usize) -> Self {
        let comparisons = comparisons.max(1);
        Self {
            comparisons,
            factor: comparisons as f64,
            floor: 0.0,
        }
    }

    /// What each of several comparisons pays, from the decisions on each alone, in their order.
    ///
    /// The p of a comparison is the least adjusted p of its gating rules, which is valid for "no
    /// rule of this comparison is broken" since its own family is corrected. Source of the step-down
    /// rule: Holm (1979), Scandinavian Journal of Statistics 6, 65–70.
    #[must_use]
    pub fn holm(alone: &[&Decision]) -> Vec<Self> {
        let p: Vec<f64> = alone.iter().map(|decision| least_p(decision)).collect();
        let Ok(adjusted) = holm(&p) else {
            return vec![Self::default(); alone.len()];
        };
        let mut order: Vec<usize> = (0..p.len()).collect();
        order.sort_by(|left, right| {
            p.get(*left)
                .partial_cmp(&p.get(*right))
                .unwrap_or(std::cmp::Ordering::Equal)
        });
        let mut found = vec![Self::default(); p.len()];
        for (rank, index) in order.into_iter().enumerate() {
            if let (Some(among), Some(floor)) = (found.get_mut(index), adjusted.get(index)) {
                *among = Self {
                    comparisons: p.len(),
                    factor: (p.len() - rank) as f64,
                    floor: *floor,
                };
            }
        }
        found
    }
}

/// The least adjusted p of a decision's gating rules; 1 where none could fail by a test.
fn least_p(decision: &Decision) -> f64 {
    let gating = decision.rules.iter().filter(|rule| rule.gating);
    gating
        .filter_map(|rule| rule.p_regression_adjusted)
        .fold(1.0, f64::min)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::tests::{compare, compare_in, context, counts};
    use crate::verdict::{DecisionContext, Policy, Verdict};

    /// Three comparisons with 4, 5 and 0 losses in 60 cases: mid-p ½^5 = .03125, ½^6 = .015625, ½.
    fn decisions(policy: &Policy) -> Vec<Decision> {
        [4, 5, 0]
            .map(|losses| compare(&counts([60 - losses, losses, 0, 0]), policy))
            .to_vec()
    }

    #[test]
    fn the_p_of_three_comparisons_are_those_of_holm() {
        let alone = decisions(&Policy::default());
        let among = Among::holm(&alone.iter().collect::<Vec<_>>());
        let adjusted: Vec<f64> = among
            .iter()
            .zip([0.031_25, 0.015_625, 0.5])
            .map(|(among, p)| among.adjust(p))
            .collect();
        assert_eq!(adjusted, [0.0625, 0.046_875, 0.5]);
    }

    #[test]
    fn a_loss_that_fails_alone_does_not_fail_among_three() {
        let policy = Policy::default();
        let alone = decisions(&policy);
        assert_eq!(alone.first().map(|d| d.verdict), Some(Verdict::Fail));
        let among = Among::holm(&alone.iter().collect::<Vec<_>>());
        let verdicts: Vec<Verdict> = [4, 5, 0]
            .into_iter()
            .zip(among)
            .map(|(losses, among)| {
                let context = DecisionContext { among, ..context() };
                compare_in(&counts([60 - losses, losses, 0, 0]), &policy, &context).verdict
            })
            .collect();
        assert_ne!(verdicts.first(), Some(&Verdict::Fail));
        assert_eq!(verdicts.get(1), Some(&Verdict::Fail));
    }

    #[test]
    fn a_must_pass_case_lost_among_many_comparisons_stays_a_failure() {
        let mut rows = counts([60, 1, 0, 0]);
        if let Some(lost) = rows.last_mut() {
            lost.must_pass = true;
        }
        let context = DecisionContext {
            among: Among::bonferroni(50),
            ..context()
        };
        let decision = compare_in(&rows, &Policy::default(), &context);
        assert_eq!(decision.verdict, Verdict::Fail);
    }

    #[test]
    fn a_comparison_alone_pays_nothing() {
        let alone = decisions(&Policy::default());
        let among = Among::holm(&alone.iter().skip(2).collect::<Vec<_>>());
        assert_eq!(among.first().map(|among| among.adjust(0.5)), Some(0.5));
        assert_eq!(Among::default(), Among::bonferroni(0));
    }
}
