//! The ABC interval of a ratio of totals: what `BCa` gives in the limit of many draws, without a draw.
//!
//! For thousands of cases the resampled totals are sums of so many terms that the limit is nearer
//! to the truth than 10,000 draws are.

use super::super::distribution::{normal_cdf, normal_upper_quantile};
use super::super::proportion::Interval;
use super::Amounts;

/// The interval of Σ candidate / Σ baseline at a two-sided `level`; `None` where the estimate has no
/// spread or its derivatives are not finite.
///
/// ABC, "approximate bootstrap confidence": the estimate's first and second derivatives with respect
/// to the weights of the cases give its standard error, acceleration, bias and curvature. Second-order
/// accurate, as `BCa` is. Source: `DiCiccio` and Efron (1992), Biometrika 79, 231–245; Efron and
/// Tibshirani (1993), *An Introduction to the Bootstrap*, §14.4 and §22.6.
pub(super) fn interval(pairs: &[Amounts], level: f64) -> Option<Interval> {
    let n = pairs.len() as f64;
    let mean = |of: fn(&Amounts) -> f64| pairs.iter().map(of).sum::<f64>() / n;
    let above = mean(|pair| pair.candidate);
    let below = mean(|pair| pair.baseline);
    let ratio = above / below;
    let (mut squares, mut cubes, mut seconds) = (0.0, 0.0, 0.0);
    for pair in pairs {
        let influence = (pair.candidate - ratio * pair.baseline) / below;
        squares += influence * influence;
        cubes += influence * influence * influence;
        seconds -= 2.0 * influence * (pair.baseline - below) / below;
    }
    let sigma = squares.sqrt() / n;
    let acceleration = cubes / (6.0 * squares.powf(1.5));
    let bias = seconds / (2.0 * n * n);
    // The least favourable direction: weights move by the influence of their case.
    let (mut along_above, mut along_below) = (0.0, 0.0);
    for pair in pairs {
        let step = (pair.candidate - ratio * pair.baseline) / below / (n * n * sigma);
        along_above += step * pair.candidate;
        along_below += step * pair.baseline;
    }
    let second = -2.0 * (along_above * below - above * along_below) * along_below / below.powi(3);
    let curvature = bias / sigma - second / (2.0 * sigma);
    let shift = 2.0 * normal_cdf(acceleration) * normal_cdf(-curvature);
    let z0 = -normal_upper_quantile(shift.clamp(1e-300, 1.0 - 1e-16));
    let bound = |z: f64| {
        let sum = z0 + z;
        let scale = 1.0 - acceleration * sum;
        let step = sum / (scale * scale);
        let (above, below) = (above + step * along_above, below + step * along_below);
        (scale > 0.0 && below > 0.0).then(|| (above / below).max(0.0))
    };
    let z = normal_upper_quantile(0.5 * (1.0 - level));
    let (low, high) = (bound(-z)?, bound(z)?);
    let is_usable = low.is_finite() && high.is_finite() && low <= high;
    is_usable.then_some(Interval { low, high, level })
}
