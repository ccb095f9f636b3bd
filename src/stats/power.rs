//! Planning: how many cases a comparison needs, and what loss it could see.
//!
//! Owns sample sizes and smallest detectable effects (MDE) for paired, unpaired, graded and
//! clustered comparisons, and the choice between more cases and more trials. All use normal
//! approximations with a one-sided `alpha`; halve it for a two-sided test.

use serde::{Deserialize, Serialize};

use super::distribution::{bisect, normal_upper_quantile};
use super::error::{self, Error};

/// The risks of a planned one-sided test, both in (0, 1).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Risk {
    z_alpha: f64,
    z_power: f64,
}

impl Risk {
    /// A one-sided test at level `alpha` with probability `power` of finding the effect.
    ///
    /// # Errors
    /// If one of them is not in (0, 1), or the power is not above alpha.
    pub fn new(alpha: f64, power: f64) -> Result<Self, Error> {
        error::open_unit("alpha", alpha)?;
        error::open_unit("power", power)?;
        error::check("power", "above alpha", power, |power| power > alpha)?;
        Ok(Self {
            z_alpha: normal_upper_quantile(alpha),
            z_power: -normal_upper_quantile(power),
        })
    }

    fn sum(&self) -> f64 {
        self.z_alpha + self.z_power
    }
}

/// A required number of cases.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SampleSize {
    /// What the formula gives.
    pub exact: f64,
    /// The next whole number, at least 1; `u64::MAX` if it is out of reach.
    pub cases: u64,
}

impl SampleSize {
    fn new(exact: f64) -> Self {
        let exact = if exact.is_finite() { exact } else { f64::MAX };
        Self {
            exact,
            cases: whole(exact.ceil().max(1.0)),
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the cast saturates, and the value is at least 0"
)]
fn whole(value: f64) -> u64 {
    value as u64
}

/// Pairs needed to find a change of `effect` in a pass/fail metric with churn `churn`:
/// `(z_{1−α}√ψ + z_{1−β}√(ψ − Δ²))²/Δ²`.
///
/// Assumes McNemar's score test or the mid-p test. The sign of `effect` does not matter. Source:
/// Connor (1987), Biometrics 43, 207–211; Miettinen (1968).
///
/// # Errors
/// If `churn` is not in (0, 1], `effect` is 0, or its square exceeds `churn`.
pub fn paired_cases(churn: f64, effect: f64, risk: Risk) -> Result<SampleSize, Error> {
    churn_in_range(churn)?;
    let square = effect * effect;
    error::check(
        "effect",
        "other than 0, its square at most the churn",
        effect,
        |_| square > 0.0 && square <= churn,
    )?;
    let root = risk.z_alpha * churn.sqrt() + risk.z_power * (churn - square).sqrt();
    Ok(SampleSize::new(root * root / square))
}

/// The smallest loss that `n` pairs find, given the churn `churn` that is there without any loss:
/// Δ of [`paired_cases`] with ψ = κ + Δ.
///
/// `None` if no loss up to 1 − κ can be found. For κ without a run's own figure use
/// [`planning_churn`](super::paired::PairedCounts::planning_churn). Assumptions and source as
/// there.
///
/// # Errors
/// If `churn` is not in [0, 1].
pub fn paired_mde(churn: f64, n: u64, risk: Risk) -> Result<Option<f64>, Error> {
    error::unit("churn", churn)?;
    let root = (n as f64).sqrt();
    let short = |effect: f64| {
        let total = churn + effect;
        let spread = (total - effect * effect).max(0.0);
        root * effect < risk.z_alpha * total.sqrt() + risk.z_power * spread.sqrt()
    };
    Ok(smallest(1.0 - churn, short))
}

/// Pairs needed to prove non-inferiority within `margin` when nothing changed:
/// `(z_{1−α} + z_{1−β})²ψ/δ²`.
///
/// Source: Tango (1998), Statistics in Medicine 17, 891–908, in its large-sample form.
///
/// # Errors
/// If `churn` is not in (0, 1] or `margin` not in (0, 1].
pub fn noninferior_cases(churn: f64, margin: f64, risk: Risk) -> Result<SampleSize, Error> {
    churn_in_range(churn)?;
    error::check("margin", "above 0 and at most 1", margin, |m| {
        m > 0.0 && m <= 1.0
    })?;
    let root = risk.sum() / margin;
    Ok(SampleSize::new(root * root * churn))
}

fn churn_in_range(churn: f64) -> Result<f64, Error> {
    error::check("churn", "above 0 and at most 1", churn, |c| {
        c > 0.0 && c <= 1.0
    })
}

/// Independent cases per arm to tell the rates `first` and `second` apart with the two-proportion
/// z-test: `(z_{1−α}√(2p̄q̄) + z_{1−β}√(p1q1 + p2q2))²/(p1 − p2)²`.
///
/// Source: Fleiss, Levin and Paik, *Statistical Methods for Rates and Proportions*, 3rd ed., §4.2.
///
/// # Errors
/// If a rate is not in [0, 1] or the rates are equal.
pub fn unpaired_cases(first: f64, second: f64, risk: Risk) -> Result<SampleSize, Error> {
    error::unit("rate", first)?;
    error::unit("rate", second)?;
    let difference = first - second;
    error::check("difference of the rates", "other than 0", difference, |d| {
        d != 0.0
    })?;
    let root = unpaired_root(first, second, risk) / difference;
    Ok(SampleSize::new(root * root))
}

/// The smallest loss from `rate` that `n` independent cases per arm find: Δ of [`unpaired_cases`]
/// for the rates p and p − Δ. `None` if not even a loss of all passes is found.
///
/// # Errors
/// If `rate` is not in [0, 1].
pub fn unpaired_mde(rate: f64, n: u64, risk: Risk) -> Result<Option<f64>, Error> {
    error::unit("rate", rate)?;
    let root = (n as f64).sqrt();
    let short = |effect: f64| root * effect < unpaired_root(rate, rate - effect, risk);
    Ok(smallest(rate, short))
}

fn unpaired_root(first: f64, second: f64, risk: Risk) -> f64 {
    let mean = 0.5 * (first + second);
    let own = first * (1.0 - first) + second * (1.0 - second);
    risk.z_alpha * (2.0 * mean * (1.0 - mean)).max(0.0).sqrt() + risk.z_power * own.max(0.0).sqrt()
}

/// The smallest effect up to `largest` that is not `short` of being found.
fn smallest(largest: f64, short: impl Fn(f64) -> bool) -> Option<f64> {
    if largest <= 0.0 || short(largest) {
        return None;
    }
    Some(bisect(0.0, largest, short))
}

/// Pairs needed to find a mean change of `effect` in graded scores whose paired differences have
/// standard deviation `sd`: `((z_{1−α} + z_{1−β})·σ/Δ)²`.
///
/// Normal approximation to the paired t-test; add two or three pairs below 30. Source: Julious
/// (2004), Statistics in Medicine 23, 1921–1986.
///
/// # Errors
/// If `sd` is negative, or `effect` is 0 or not finite.
pub fn graded_cases(sd: f64, effect: f64, risk: Risk) -> Result<SampleSize, Error> {
    error::non_negative("standard deviation", sd)?;
    error::check("effect", "other than 0", effect, |effect| effect != 0.0)?;
    let root = risk.sum() * (sd / effect);
    Ok(SampleSize::new(root * root))
}

/// The smallest mean change that `n` pairs of graded scores find: `(z_{1−α} + z_{1−β})·σ/√n`.
/// `None` without a pair.
///
/// # Errors
/// If `sd` is negative or not finite.
pub fn graded_mde(sd: f64, n: u64, risk: Risk) -> Result<Option<f64>, Error> {
    error::non_negative("standard deviation", sd)?;
    Ok((n > 0).then(|| (risk.sum() * (sd / (n as f64).sqrt())).min(f64::MAX)))
}

/// Design effect of clusters of `cluster_size` cases with intraclass correlation `icc`:
/// `1 + (m − 1)·ρ`, never below 0.
///
/// Assumes clusters of equal size. Source: Kish (1965), *Survey Sampling*, §5.4.
///
/// # Errors
/// If `cluster_size` is below 1 or `icc` not in [−1, 1].
pub fn design_effect(cluster_size: f64, icc: f64) -> Result<f64, Error> {
    error::check("cluster size", "1 or more", cluster_size, |m| m >= 1.0)?;
    correlation_in_range(icc)?;
    Ok((1.0 + (cluster_size - 1.0) * icc).max(0.0))
}

fn correlation_in_range(icc: f64) -> Result<f64, Error> {
    error::check("intraclass correlation", "between -1 and 1", icc, |icc| {
        (-1.0..=1.0).contains(&icc)
    })
}

/// The size that clustered cases need in place of `independent` ones: times the design effect.
///
/// # Errors
/// As [`design_effect`].
pub fn clustered_cases(
    independent: SampleSize,
    cluster_size: f64,
    icc: f64,
) -> Result<SampleSize, Error> {
    let effect = design_effect(cluster_size, icc)?;
    Ok(SampleSize::new(independent.exact * effect))
}

/// Where the variance of a paired difference comes from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct VarianceComponents {
    between: f64,
    within: f64,
}

impl VarianceComponents {
    /// `between` cases (the case's own true change) and `within` a case (one trial of each arm).
    ///
    /// # Errors
    /// If one is negative or not finite.
    pub fn new(between: f64, within: f64) -> Result<Self, Error> {
        error::non_negative("variance between cases", between)?;
        error::non_negative("variance within a case", within)?;
        Ok(Self { between, within })
    }

    /// Splits the variance `sd²` of single-trial differences by their intraclass correlation.
    ///
    /// # Errors
    /// If `sd` is negative or `icc` not in [0, 1].
    pub fn from_icc(sd: f64, icc: f64) -> Result<Self, Error> {
        error::non_negative("standard deviation", sd)?;
        error::unit("intraclass correlation", icc)?;
        let variance = sd * sd;
        Self::new(variance * icc, variance * (1.0 - icc))
    }

    /// Standard error of the mean difference over `cases` cases of `trials` trials; `None` if one
    /// of them is 0.
    pub fn standard_error(&self, cases: u64, trials: u64) -> Option<f64> {
        if cases == 0 || trials == 0 {
            return None;
        }
        let variance = self.between + self.within / trials as f64;
        Some((variance / cases as f64).sqrt().min(f64::MAX))
    }
}

/// Prices of a design, in any one currency.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Price {
    /// A case, whatever its trials: writing and reviewing it; 0 if calls alone cost.
    pub case: f64,
    /// One trial of both arms.
    pub trial: f64,
}

/// A design that the money buys.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct RepeatPlan {
    /// Trials per case and arm.
    pub trials: u64,
    /// Cases.
    pub cases: u64,
    /// Standard error of the mean difference.
    pub standard_error: f64,
    /// Smallest mean change that the design finds.
    pub mde: f64,
}

/// Repeats against cases at equal money: for 1 to `max_trials` trials, the cases that `budget`
/// buys and what they find. Designs without a whole case are left out.
///
/// The variance of the mean is `(between + within/k)/n` (one-way random effects). Source: Snedecor
/// and Cochran, *Statistical Methods*, 8th ed., §13.
///
/// # Errors
/// If a price is negative, the price of a trial is 0, or the budget is negative or not finite.
pub fn repeat_plans(
    components: VarianceComponents,
    price: Price,
    budget: f64,
    max_trials: u16,
    risk: Risk,
) -> Result<Vec<RepeatPlan>, Error> {
    error::non_negative("price of a case", price.case)?;
    error::positive("price of a trial", price.trial)?;
    error::non_negative("budget", budget)?;
    let plans = (1..=u64::from(max_trials)).filter_map(|trials| {
        let cases = whole((budget / (price.case + price.trial * trials as f64)).floor());
        let standard_error = components.standard_error(cases, trials)?;
        Some(RepeatPlan {
            trials,
            cases,
            standard_error,
            mde: (risk.sum() * standard_error).min(f64::MAX),
        })
    });
    Ok(plans.collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::reference::{assert_close, assert_printed, assert_within, cases};
    use super::*;

    fn usual() -> Risk {
        Risk::new(0.05, 0.8).unwrap()
    }

    #[test]
    fn sizes_of_worked_example_10() {
        let paired = paired_cases(0.10, 0.05, usual()).unwrap();
        assert_printed(paired.exact, 245.200_857);
        assert_eq!(paired.cases, 246);
        let unpaired = unpaired_cases(0.90, 0.85, usual()).unwrap();
        assert_printed(unpaired.exact, 539.926_431);
        assert_eq!(unpaired.cases, 540);
        let noninferior = noninferior_cases(0.10, 0.05, usual()).unwrap();
        assert_printed(noninferior.exact, 247.302_289);
        assert_eq!(noninferior.cases, 248);
        let mde = paired_mde(0.05, 200, usual()).unwrap().unwrap();
        assert_printed(mde, 0.057_290);
    }

    #[test]
    fn sizes_and_effects_agree_with_the_reference() {
        for case in cases("paired_mde") {
            let risk = Risk::new(case.number("alpha"), case.number("power")).unwrap();
            let mde = paired_mde(case.number("churn"), case.count("n"), risk).unwrap();
            assert_close(mde.unwrap(), case.number("mde"));
        }
        for case in cases("unpaired_cases") {
            let risk = Risk::new(case.number("alpha"), case.number("power")).unwrap();
            let size = unpaired_cases(case.number("p1"), case.number("p2"), risk).unwrap();
            assert_close(size.exact, case.number("n"));
        }
    }

    #[test]
    fn effects_invert_sizes() {
        let mde = paired_mde(0.05, 300, usual()).unwrap().unwrap();
        assert_close(paired_cases(0.05 + mde, mde, usual()).unwrap().exact, 300.0);
        let mde = unpaired_mde(0.9, 400, usual()).unwrap().unwrap();
        assert_close(
            unpaired_cases(0.9, 0.9 - mde, usual()).unwrap().exact,
            400.0,
        );
        let mde = graded_mde(0.3, 120, usual()).unwrap().unwrap();
        assert_close(graded_cases(0.3, mde, usual()).unwrap().exact, 120.0);
    }

    #[test]
    fn what_cannot_be_reached_is_none() {
        assert_eq!(paired_mde(0.05, 0, usual()).unwrap(), None);
        assert_eq!(paired_mde(0.05, 2, usual()).unwrap(), None);
        assert_eq!(paired_mde(1.0, 1000, usual()).unwrap(), None);
        assert_eq!(unpaired_mde(0.0, 1000, usual()).unwrap(), None);
        assert_eq!(unpaired_mde(0.9, 1, usual()).unwrap(), None);
        assert_eq!(graded_mde(0.3, 0, usual()).unwrap(), None);
    }

    #[test]
    fn impossible_plans_are_errors() {
        assert!(paired_cases(0.01, 0.2, usual()).is_err());
        assert!(paired_cases(0.1, 0.0, usual()).is_err());
        assert!(paired_cases(f64::NAN, 0.1, usual()).is_err());
        assert!(unpaired_cases(0.5, 0.5, usual()).is_err());
        assert!(noninferior_cases(0.1, 0.0, usual()).is_err());
        assert!(graded_cases(-1.0, 0.1, usual()).is_err());
        assert!(Risk::new(0.0, 0.8).is_err());
        assert!(Risk::new(0.5, 0.4).is_err());
        assert!(design_effect(0.5, 0.1).is_err());
        assert!(design_effect(5.0, f64::INFINITY).is_err());
    }

    #[test]
    fn clusters_cost_their_design_effect() {
        assert_close(design_effect(5.0, 0.25).unwrap(), 2.0);
        let size = paired_cases(0.10, 0.05, usual()).unwrap();
        assert_eq!(clustered_cases(size, 5.0, 0.25).unwrap().cases, 491);
        let endless = SampleSize::new(f64::INFINITY);
        assert_eq!(endless.cases, u64::MAX);
    }

    #[test]
    fn repeats_pay_only_where_cases_cost_or_trials_differ() {
        let components = VarianceComponents::from_icc(0.4, 0.3).unwrap();
        let free = Price {
            case: 0.0,
            trial: 1.0,
        };
        let plans = repeat_plans(components, free, 300.0, 5, usual()).unwrap();
        assert_eq!((plans[0].cases, plans[2].cases), (300, 100));
        assert!(plans[0].mde < plans[2].mde);
        assert_within(plans[0].standard_error, 0.4 / 300_f64.sqrt(), 1e-12);
        let dear = Price {
            case: 20.0,
            trial: 1.0,
        };
        let plans = repeat_plans(components, dear, 3000.0, 8, usual()).unwrap();
        let best = plans.iter().min_by(|a, b| a.mde.total_cmp(&b.mde)).unwrap();
        assert!(best.trials > 3);
        assert!(
            repeat_plans(components, dear, 5.0, 8, usual())
                .unwrap()
                .is_empty()
        );
        assert!(
            repeat_plans(
                components,
                Price {
                    case: 0.0,
                    trial: 0.0
                },
                5.0,
                8,
                usual()
            )
            .is_err()
        );
    }

    proptest! {
        #[test]
        fn more_cases_find_smaller_losses(churn in 0.0..0.3, n in 40_u64..3000) {
            let fewer = paired_mde(churn, n, usual()).unwrap();
            let more = paired_mde(churn, 2 * n, usual()).unwrap();
            if let (Some(fewer), Some(more)) = (fewer, more) {
                prop_assert!(more < fewer);
            }
        }

        #[test]
        fn bigger_losses_need_fewer_cases(churn in 0.05..0.5_f64, effect in 0.01..0.1_f64) {
            let small = paired_cases(churn, effect, usual()).unwrap();
            let large = paired_cases(churn, -2.0 * effect, usual()).unwrap();
            prop_assert!(large.exact < small.exact);
        }
    }
}
