//! Means of paired differences: repeated trials, graded scores, clustered cases.
//!
//! Owns the paired t-test, its clustered form (CR1), the guard against too-good standard errors,
//! the sign-flip permutation test and the effective sample size of a rate. Differences are
//! candidate − baseline on the scale of the scores. Ratio metrics belong to `ratio`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::distribution::{t_sf, t_two_sided, t_upper_quantile};
use super::error::{self, Error};
use super::proportion::Interval;
use super::random::Stream;

/// Below this share of the scale (at least 1) a number is a rounding error and counts as 0.
const ROUNDING: f64 = 1e-12;

/// Larger magnitudes are refused, so that squares cannot overflow.
const LARGEST: f64 = 1e100;

/// Differences other than 0 up to which the sign-flip test enumerates all flips.
const EXACT_FLIPS: usize = 16;

/// Seeded flips of a longer list.
const RANDOM_FLIPS: u32 = 10_000;

/// One number per case, with the case's cluster where cases are grouped.
///
/// Numbers are finite and at most 1e100 in magnitude; those within 1e-12 of 0 are taken as 0,
/// being what rounding leaves of equal scores.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    values: Vec<f64>,
    clusters: Option<Vec<usize>>,
    units: usize,
}

impl Sample {
    /// Independent cases.
    ///
    /// # Errors
    /// If a value is not finite or above 1e100 in magnitude.
    pub fn independent(values: &[f64]) -> Result<Self, Error> {
        Ok(Self {
            values: cleaned(values)?,
            clusters: None,
            units: values.len(),
        })
    }

    /// Cases in clusters; `clusters` names the cluster of each case by any number.
    ///
    /// # Errors
    /// If a value is not finite or above 1e100 in magnitude, or the lists differ in length.
    pub fn clustered(values: &[f64], clusters: &[usize]) -> Result<Self, Error> {
        error::same_length("list of clusters", values.len(), clusters.len())?;
        let mut numbers = BTreeMap::new();
        let mut dense = Vec::with_capacity(clusters.len());
        for &cluster in clusters {
            let next = numbers.len();
            dense.push(*numbers.entry(cluster).or_insert(next));
        }
        Ok(Self {
            values: cleaned(values)?,
            clusters: Some(dense),
            units: numbers.len(),
        })
    }

    /// The numbers, in the order given.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// Number of cases.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether there is no case.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Number of clusters; `None` if the cases are independent.
    pub fn clusters(&self) -> Option<usize> {
        self.clusters.is_some().then_some(self.units)
    }

    /// Number of independent units: clusters, or cases where there are none.
    pub fn units(&self) -> usize {
        self.units
    }

    /// The sample with two cases added, +1 and −1, each a cluster of its own.
    fn guarded(&self) -> Self {
        let mut guarded = self.clone();
        guarded.values.extend([1.0, -1.0]);
        if let Some(clusters) = &mut guarded.clusters {
            clusters.extend([self.units, self.units + 1]);
        }
        guarded.units += 2;
        guarded
    }

    fn scale(&self) -> f64 {
        self.values
            .iter()
            .fold(1.0, |scale, value| value.abs().max(scale))
    }
}

fn cleaned(values: &[f64]) -> Result<Vec<f64>, Error> {
    values
        .iter()
        .map(|&value| {
            error::check("value", "at most 1e100 in magnitude", value, |v| {
                v.abs() <= LARGEST
            })
            .map(|value| if value.abs() < ROUNDING { 0.0 } else { value })
        })
        .collect()
}

/// A mean with its standard error.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// Mean of the cases.
    pub mean: f64,
    /// Standard error of the mean, exactly 0 where the units do not vary.
    pub standard_error: f64,
    /// Degrees of freedom: units − 1.
    pub df: f64,
    /// Independent units: clusters, or cases where there are none.
    pub units: usize,
}

/// Mean and standard error of independent cases, or with the CR1 standard error of clusters.
///
/// CR1: `√(G/(G−1)·Σ_g(Σ_{i∈g}(d_i − d̄))²)/n`, which for clusters of one case is `s/√n`. Assumes
/// independent clusters. Source: Cameron and Miller (2015), Journal of Human Resources 50, 317–372.
///
/// # Errors
/// [`Error::TooFew`] below two units.
pub fn estimate(sample: &Sample) -> Result<Estimate, Error> {
    let what = if sample.clusters.is_some() {
        "clusters"
    } else {
        "cases"
    };
    error::at_least(what, 2, sample.units)?;
    let n = sample.len() as f64;
    let units = sample.units as f64;
    let scale = sample.scale();
    let mean = sample.values.iter().sum::<f64>() / n;
    let residuals = sample.values.iter().map(|value| value - mean);
    let squares: f64 = match &sample.clusters {
        None => residuals.map(|residual| residual * residual).sum(),
        Some(clusters) => {
            let mut sums = vec![0.0; sample.units];
            for (residual, &cluster) in residuals.zip(clusters) {
                if let Some(sum) = sums.get_mut(cluster) {
                    *sum += residual;
                }
            }
            sums.iter().map(|sum| sum * sum).sum()
        }
    };
    let standard_error = (units / (units - 1.0) * squares).sqrt() / n;
    let zero_below = |value: f64| {
        if value.abs() <= ROUNDING * scale {
            0.0
        } else {
            value
        }
    };
    Ok(Estimate {
        mean: zero_below(mean),
        standard_error: zero_below(standard_error),
        df: units - 1.0,
        units: sample.units,
    })
}

/// Result of a t-test of a mean difference.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct MeanTest {
    /// Mean difference with its standard error and degrees of freedom.
    pub estimate: Estimate,
    /// t; `None` where the differences do not vary.
    pub statistic: Option<f64>,
    /// p of the candidate being worse.
    pub p_regression: f64,
    /// p of the candidate being better.
    pub p_improvement: f64,
    /// p of a difference in either direction.
    pub p_two_sided: f64,
    /// t interval of the mean; a single point where the differences do not vary.
    pub interval: Interval,
}

impl MeanTest {
    /// Whether the differences did not vary, so that p comes from the sign-flip rule.
    pub fn zero_variance(&self) -> bool {
        self.statistic.is_none()
    }
}

/// Paired t-test of the mean difference, with CR1 standard error and G − 1 degrees of freedom
/// where cases are clustered.
///
/// Assumes independent units and a mean that is near normal. Where the standard error is 0: a
/// mean of 0 gives one-sided ½ and two-sided 1; any other mean gives the sign-flip p of its
/// direction, 2⁻ⁿ (2⁻ᴳ), and 1 for the other. Source: Student (1908), Biometrika 6, 1–25; Cameron
/// and Miller (2015) for clusters.
///
/// # Errors
/// [`Error::TooFew`] below two units; [`Error::OutOfRange`] if `level` is not in (0, 1).
pub fn paired_t(differences: &Sample, level: f64) -> Result<MeanTest, Error> {
    error::open_unit("confidence level", level)?;
    let estimate = estimate(differences)?;
    let Estimate {
        mean,
        standard_error,
        df,
        units,
    } = estimate;
    let half = t_upper_quantile(0.5 * (1.0 - level), df) * standard_error;
    let interval = Interval {
        low: mean - half,
        high: mean + half,
        level,
    };
    if standard_error > 0.0 {
        let t = mean / standard_error;
        return Ok(MeanTest {
            estimate,
            statistic: Some(t),
            p_regression: t_sf(-t, df),
            p_improvement: t_sf(t, df),
            p_two_sided: t_two_sided(t, df),
            interval,
        });
    }
    let p_regression = p_without_variance(mean, units);
    let p_improvement = p_without_variance(-mean, units);
    Ok(MeanTest {
        estimate,
        statistic: None,
        p_regression,
        p_improvement,
        p_two_sided: (2.0 * p_regression.min(p_improvement)).min(1.0),
        interval,
    })
}

/// One-sided p of a negative mean over `units` units that do not vary.
fn p_without_variance(mean: f64, units: usize) -> f64 {
    if mean < 0.0 {
        (-(units as f64)).exp2()
    } else if mean > 0.0 {
        1.0
    } else {
        0.5
    }
}

/// The p of a regression of [`paired_t`], without its interval.
pub(super) fn p_regression(differences: &Sample) -> Result<f64, Error> {
    let estimate = estimate(differences)?;
    if estimate.standard_error > 0.0 {
        Ok(t_sf(-estimate.mean / estimate.standard_error, estimate.df))
    } else {
        Ok(p_without_variance(estimate.mean, estimate.units))
    }
}

/// p of H0: Δ ≤ −`margin` by the t-test of [`paired_t`]; below α means non-inferior.
///
/// Where the differences do not vary it is [`p_guarded`].
///
/// # Errors
/// [`Error::TooFew`] below two units; [`Error::OutOfRange`] if `margin` is negative.
pub fn p_noninferior(differences: &Sample, margin: f64) -> Result<f64, Error> {
    error::non_negative("margin", margin)?;
    let estimate = estimate(differences)?;
    if estimate.standard_error > 0.0 {
        Ok(shifted(&estimate, margin))
    } else {
        p_guarded(differences, margin)
    }
}

/// The guard: p of H0: Δ ≤ −`margin` with two cases added, +1 and −1, each its own cluster.
///
/// Mostly-zero differences make the standard error too small, and t then finds non-inferiority
/// too easily; the added cases undo that as Agresti and Caffo's (2000, The American Statistician
/// 54, 280–288) pseudo-observations do for counts. Assumes differences of unit scale (scores in
/// 0..1). Also defined for a single unit.
///
/// # Errors
/// [`Error::TooFew`] without a case; [`Error::OutOfRange`] if `margin` is negative.
pub fn p_guarded(differences: &Sample, margin: f64) -> Result<f64, Error> {
    error::non_negative("margin", margin)?;
    error::at_least("cases", 1, differences.len())?;
    let estimate = estimate(&differences.guarded())?;
    Ok(shifted(&estimate, margin))
}

fn shifted(estimate: &Estimate, margin: f64) -> f64 {
    t_sf(
        (estimate.mean + margin) / estimate.standard_error,
        estimate.df,
    )
}

/// Whether graded differences need the guard: more than half of them are 0, or they do not vary.
/// Pass/fail metrics need it always. False without a case.
pub fn needs_guard(differences: &Sample) -> bool {
    let zeros = differences.values.iter().filter(|&&d| d == 0.0).count();
    2 * zeros > differences.len()
        || estimate(differences).is_ok_and(|estimate| estimate.standard_error <= 0.0)
}

/// Result of a sign-flip permutation test.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SignFlip {
    /// p of the candidate being worse.
    pub p_regression: f64,
    /// p of the candidate being better.
    pub p_improvement: f64,
    /// p of a difference in either direction.
    pub p_two_sided: f64,
    /// Whether all flips were enumerated; otherwise 10,000 were drawn.
    pub exact: bool,
}

/// Sign-flip permutation test of a mean difference of 0, for few graded pairs.
///
/// Assumes independent pairs whose differences are symmetric about 0 under the null. Up to 16
/// differences other than 0 all flips are enumerated, so 16 pairs are always exact; beyond that
/// 10,000 seeded flips, p = (1 + hits)/10,001. Source: Fisher (1935), *The Design of Experiments*,
/// §21; Phipson and Smyth (2010) for the added one.
///
/// # Errors
/// [`Error::TooFew`] without a pair.
pub fn sign_flip(differences: &Sample, seed: u64) -> Result<SignFlip, Error> {
    error::at_least("pairs", 1, differences.len())?;
    let moving: Vec<f64> = differences
        .values
        .iter()
        .copied()
        .filter(|&d| d != 0.0)
        .collect();
    let mut hits = Hits::new(&moving);
    if moving.len() <= EXACT_FLIPS {
        for flips in 0..1_u64 << moving.len() {
            hits.count(flipped_sum(&moving, |_| flips));
        }
        return Ok(hits.result(0, true));
    }
    let mut stream = Stream::new(seed, 0);
    for _ in 0..RANDOM_FLIPS {
        let words: Vec<u64> = (0..moving.len().div_ceil(64))
            .map(|_| stream.bits())
            .collect();
        hits.count(flipped_sum(&moving, |word| {
            words.get(word).copied().unwrap_or_default()
        }));
    }
    Ok(hits.result(1, false))
}

fn flipped_sum(values: &[f64], word: impl Fn(usize) -> u64) -> f64 {
    values
        .chunks(64)
        .enumerate()
        .map(|(index, chunk)| {
            let mut bits = word(index);
            let mut sum = 0.0;
            for value in chunk {
                sum += if bits & 1 == 0 { *value } else { -value };
                bits >>= 1;
            }
            sum
        })
        .sum()
}

/// How many flipped sums are as extreme as the observed one.
struct Hits {
    observed: f64,
    tolerance: f64,
    flips: u32,
    low: u32,
    high: u32,
    either: u32,
}

impl Hits {
    fn new(values: &[f64]) -> Self {
        Self {
            observed: values.iter().sum(),
            tolerance: ROUNDING * values.iter().map(|value| value.abs()).sum::<f64>(),
            flips: 0,
            low: 0,
            high: 0,
            either: 0,
        }
    }

    fn count(&mut self, sum: f64) {
        self.flips += 1;
        self.low += u32::from(sum <= self.observed + self.tolerance);
        self.high += u32::from(sum >= self.observed - self.tolerance);
        self.either += u32::from(sum.abs() >= self.observed.abs() - self.tolerance);
    }

    fn result(&self, added: u32, exact: bool) -> SignFlip {
        let share = |hits: u32| f64::from(added + hits) / f64::from(added + self.flips);
        SignFlip {
            p_regression: share(self.low),
            p_improvement: share(self.high),
            p_two_sided: share(self.either),
            exact,
        }
    }
}

/// Units below which a standard error is too rough for an effective sample size.
const FEW_UNITS: usize = 50;

/// Effective sample size n* of a rate over repeated or clustered trials: p̂(1 − p̂)/SE², within
/// 1 and the number of trials.
///
/// `rate` is the estimate over case means in 0..1. With a standard error of 0, or below 50 units,
/// it is the number of units. For the Wilson interval of a floor. Source: Kish (1965), *Survey
/// Sampling*, §8.2.
///
/// # Errors
/// If the mean is not in [0, 1] or the standard error is negative or not finite.
pub fn effective_n(rate: &Estimate, trials: u64) -> Result<f64, Error> {
    error::unit("rate", rate.mean)?;
    error::non_negative("standard error", rate.standard_error)?;
    let variance = rate.standard_error * rate.standard_error;
    if variance <= 0.0 || rate.units < FEW_UNITS {
        return Ok(rate.units as f64);
    }
    let size = rate.mean * (1.0 - rate.mean) / variance;
    Ok(size.min(trials as f64).max(1.0))
}

#[cfg(test)]
mod tests;
