//! What a rule on pairs found, in numbers, and what may keep it from deciding.

use crate::stats;
use crate::stats::power::{self, Risk};
use crate::verdict::rule::{Estimate, PairsTable, TestResult};

/// Clusters below which a rule never passes.
pub(in crate::verdict) const FEW_CLUSTERS: usize = 20;

/// Pairs below which an amount is never shown to be within its limit, and a mean of scores is
/// tested by flipping signs.
pub(in crate::verdict) const FEW_PAIRS: usize = 20;

/// What keeps a rule from deciding, or from passing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::verdict) enum Barrier {
    /// There is no pair.
    NoPair,
    /// All cases are in one cluster, or there is one case.
    OneUnit,
    /// Fewer than 20 clusters: no pass.
    FewClusters(u64),
    /// Fewer than 20 pairs of amounts; percentiles can not fail either.
    FewPairs {
        /// Pairs there are.
        pairs: u64,
        /// Whether a loss can be shown all the same.
        may_fail: bool,
    },
    /// Too many pairs have no value on one side.
    LeftOut {
        /// Pairs without a value.
        left_out: u64,
        /// Pairs in all.
        of: u64,
    },
    /// No case was scored by this scorer.
    NoScore,
    /// The statistic is undefined on this data.
    Undefined(String),
}

impl Barrier {
    /// Whether the rule can fail in spite of it.
    pub(in crate::verdict) fn may_fail(&self) -> bool {
        match self {
            Self::FewClusters(_) => true,
            Self::FewPairs { may_fail, .. } => *may_fail,
            Self::NoPair
            | Self::OneUnit
            | Self::LeftOut { .. }
            | Self::NoScore
            | Self::Undefined(_) => false,
        }
    }
}

/// How much cases differ, from which planning figures follow.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(in crate::verdict) enum Spread {
    /// Unknown.
    #[default]
    Unknown,
    /// Planning churn of passes.
    Churn(f64),
    /// Standard deviation of the differences, clusters accounted for.
    Deviation(f64),
}

/// What a rule on pairs found.
#[derive(Debug, Clone, PartialEq, Default)]
pub(in crate::verdict) struct Evidence {
    pub n: u64,
    pub left_out: u64,
    pub pairs: Option<PairsTable>,
    /// Cases that are worse, and better.
    pub moved: (u64, u64),
    /// The arms' values, the baseline's first.
    pub values: Option<(f64, f64)>,
    pub estimate: Option<f64>,
    pub ci: Option<Estimate>,
    pub decided_by: Option<&'static str>,
    pub p_regression: Option<f64>,
    /// The p that pays for earlier looks, where the policy may stop early.
    pub p_sequential: Option<f64>,
    pub p_improvement: Option<f64>,
    pub p_noninferior: Option<f64>,
    pub p_guarded: Option<f64>,
    /// The p had all differing pairs been regressions (statistics.md section 4).
    pub minimal_p: f64,
    pub tests: Vec<TestResult>,
    pub clusters: Option<u64>,
    pub barrier: Option<Barrier>,
    pub spread: Spread,
    pub totals: Option<(f64, Estimate)>,
}

impl Evidence {
    /// Nothing but what keeps the rule from deciding.
    pub(in crate::verdict) fn barred(barrier: Barrier) -> Self {
        Self {
            barrier: Some(barrier),
            ..Self::default()
        }
    }

    /// The p of a regression where the rule can fail.
    pub(in crate::verdict) fn testable_p(&self) -> Option<f64> {
        let may_fail = self.barrier.as_ref().is_none_or(Barrier::may_fail);
        self.p_sequential.or(self.p_regression).filter(|_| may_fail)
    }

    /// Whether the candidate is shown not to be worse than the limit allows.
    pub(in crate::verdict) fn is_noninferior(&self, alpha: f64) -> bool {
        self.barrier.is_none()
            && self.p_noninferior.is_some_and(|p| p < alpha)
            && self.p_guarded.is_none_or(|p| p < alpha)
    }

    /// The least loss that these cases find at `alpha` with `power`.
    pub(in crate::verdict) fn mde(&self, alpha: f64, power: f64) -> Option<f64> {
        let risk = Risk::new(alpha, power).ok()?;
        match self.spread {
            Spread::Churn(churn) => power::paired_mde(churn, self.n, risk).ok()?,
            Spread::Deviation(sd) if sd > 0.0 => power::graded_mde(sd, self.n, risk).ok()?,
            Spread::Deviation(_) | Spread::Unknown => None,
        }
    }

    /// About how many cases decide whether the candidate is within `margin`: those that show an
    /// unchanged one, or if there are so many already, those that show the present estimate.
    pub(in crate::verdict) fn cases_needed(&self, margin: f64, risk: (f64, f64)) -> Option<u64> {
        let risk = Risk::new(risk.0, risk.1).ok()?;
        let cases = |distance: f64| {
            let size = match self.spread {
                Spread::Unknown => None,
                Spread::Churn(churn) => power::noninferior_cases(churn, distance, risk).ok(),
                Spread::Deviation(sd) => power::graded_cases(sd, distance, risk).ok(),
            };
            size.map(|size| size.cases).filter(|cases| *cases > self.n)
        };
        let shown = self.estimate.map(|estimate| margin + estimate.min(0.0));
        cases(margin).or_else(|| shown.filter(|distance| *distance > 0.0).and_then(cases))
    }
}

/// An interval with the method that made it.
pub(in crate::verdict) fn estimate(interval: stats::Interval, method: &'static str) -> Estimate {
    Estimate {
        low: interval.low,
        high: interval.high,
        level: interval.level,
        method,
    }
}
