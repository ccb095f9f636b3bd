//! The `BCa` bootstrap of a ratio of totals.

use serde::{Deserialize, Serialize};

use super::super::distribution::{normal_cdf, normal_upper_quantile};
use super::super::error::{self, Error};
use super::super::proportion::Interval;
use super::super::random::{in_blocks, threads};
use super::{Amounts, DRAWS, MANY, analytic, check_amounts, index, ratio};

/// Result of the `BCa` bootstrap of a ratio of totals.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct TotalsRatio {
    /// The candidate's total over the baseline's.
    pub ratio: f64,
    /// `BCa` or ABC interval; a bound is `f64::MAX` where draws have a baseline total of 0.
    pub interval: Interval,
    /// Number of draws; 0 of the ABC interval.
    pub draws: usize,
}

/// `BCa` (bias-corrected and accelerated) bootstrap over cases of the ratio of the arms' totals.
///
/// Assumes independent cases. 10,000 draws seeded by `seed`; acceleration by the jackknife, 0 if
/// it is undefined; draws equal to the estimate count half in the bias correction. A single pair
/// gives a single point. Source: Efron (1987), JASA 82, 171–185. From 5,000 pairs on the interval is
/// its analytic form, ABC (`DiCiccio` and Efron 1992), which takes no draw.
///
/// # Errors
/// If there is no pair, an amount is negative or not finite or above 1e100, or `level` is not in
/// (0, 1); [`Error::ZeroBaseline`] if only the baseline's total is 0.
pub fn totals_ratio(pairs: &[Amounts], level: f64, seed: u64) -> Result<TotalsRatio, Error> {
    totals_ratio_on(pairs, level, seed, threads())
}

pub(super) fn totals_ratio_on(
    pairs: &[Amounts],
    level: f64,
    seed: u64,
    threads: usize,
) -> Result<TotalsRatio, Error> {
    check_amounts(pairs)?;
    error::open_unit("confidence level", level)?;
    error::at_least("cases", 1, pairs.len())?;
    let (above, below) = totals(pairs.iter());
    let estimate = ratio(above, below);
    if estimate >= f64::MAX {
        return Err(Error::ZeroBaseline { what: "total" });
    }
    if let Some(interval) = (pairs.len() >= MANY)
        .then(|| analytic::interval(pairs, level))
        .flatten()
    {
        return Ok(TotalsRatio {
            ratio: estimate,
            interval,
            draws: 0,
        });
    }
    let mut draws: Vec<f64> = in_blocks(DRAWS, seed, threads, |stream, size| {
        (0..size)
            .map(|_| {
                let drawn = (0..pairs.len()).filter_map(|_| pairs.get(stream.below(pairs.len())));
                let (above, below) = totals(drawn);
                ratio(above, below)
            })
            .collect::<Vec<f64>>()
    })
    .concat();
    draws.sort_unstable_by(f64::total_cmp);
    let bias = bias(&draws, estimate);
    let acceleration = acceleration(pairs, above, below);
    let z = normal_upper_quantile(0.5 * (1.0 - level));
    let bound = |z: f64| quantile(&draws, normal_cdf(corrected(z, bias, acceleration)));
    Ok(TotalsRatio {
        ratio: estimate,
        interval: Interval {
            low: bound(-z),
            high: bound(z),
            level,
        },
        draws: DRAWS,
    })
}

fn totals<'a>(pairs: impl Iterator<Item = &'a Amounts>) -> (f64, f64) {
    pairs.fold((0.0, 0.0), |(above, below), pair| {
        (above + pair.candidate, below + pair.baseline)
    })
}

/// z₀ of `BCa`, with the share of draws below the estimate kept half a draw inside (0, 1).
fn bias(sorted: &[f64], estimate: f64) -> f64 {
    let slack = 1e-12 * estimate;
    let less = sorted.partition_point(|&draw| draw < estimate - slack);
    let up_to = sorted.partition_point(|&draw| draw <= estimate + slack);
    let size = sorted.len() as f64;
    let share = 0.5 * (less as f64 + up_to as f64);
    -normal_upper_quantile(share.clamp(0.5, size - 0.5) / size)
}

/// Acceleration by the jackknife; 0 where leaving out a case makes the ratio undefined.
fn acceleration(pairs: &[Amounts], above: f64, below: f64) -> f64 {
    let left_out: Vec<f64> = pairs
        .iter()
        .map(|pair| ((above - pair.candidate).max(0.0)) / (below - pair.baseline))
        .collect();
    if left_out.iter().any(|value| !value.is_finite()) {
        return 0.0;
    }
    let mean = left_out.iter().sum::<f64>() / left_out.len() as f64;
    let (mut squares, mut cubes) = (0.0, 0.0);
    for value in left_out {
        let distance = mean - value;
        squares += distance * distance;
        cubes += distance * distance * distance;
    }
    let result = cubes / (6.0 * squares.powf(1.5));
    if result.is_finite() { result } else { 0.0 }
}

/// The normal quantile that `BCa` takes in place of `z`.
fn corrected(z: f64, bias: f64, acceleration: f64) -> f64 {
    let sum = bias + z;
    let scale = 1.0 - acceleration * sum;
    if scale > 0.0 {
        bias + sum / scale
    } else {
        sum.signum() * f64::INFINITY
    }
}

/// Linear interpolation between order statistics.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let last = sorted.len().saturating_sub(1);
    let position = share * last as f64;
    let lower = index(position.floor()).min(last);
    let low = sorted.get(lower).copied().unwrap_or_default();
    let high = sorted.get(lower + 1).copied().unwrap_or(low);
    let part = position - lower as f64;
    if high > low && part > 0.0 {
        low + (high - low) * part.min(1.0)
    } else {
        low
    }
}
