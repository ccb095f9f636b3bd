//! Drift: whether a distribution or a weekly rate moved.
//!
//! Owns the population stability index, the chi-square test of homogeneity, the two-sample
//! Kolmogorov–Smirnov test (all advisory) and the EWMA alarm of weekly differences.

use serde::{Deserialize, Serialize};

use super::distribution::chi_square_sf;
use super::error::{self, Error};

/// Shares of a bin below this are raised to it in the stability index.
const PSI_FLOOR: f64 = 1e-4;

/// Population stability index of two histograms over the same bins: `Σ(a − e)·ln(a/e)` over their
/// shares, each at least 1e-4.
///
/// A description, not a test; 0.1 and 0.25 are customary marks. Symmetric. Source: Siddiqi (2006),
/// *Credit Risk Scorecards*.
///
/// # Errors
/// [`Error::LengthMismatch`] if the bins differ in number; [`Error::TooFew`] if a histogram is
/// empty.
pub fn stability_index(reference: &[u64], current: &[u64]) -> Result<f64, Error> {
    error::same_length("current histogram", reference.len(), current.len())?;
    let reference = shares(reference)?;
    let current = shares(current)?;
    let index = reference
        .iter()
        .zip(&current)
        .map(|(&before, &now)| {
            let (before, now) = (before.max(PSI_FLOOR), now.max(PSI_FLOOR));
            (now - before) * (now / before).ln()
        })
        .sum();
    Ok(index)
}

fn shares(counts: &[u64]) -> Result<Vec<f64>, Error> {
    let total = sum(counts);
    if total <= 0.0 {
        return Err(Error::TooFew {
            what: "observations",
            needed: 1,
            found: 0,
        });
    }
    Ok(counts.iter().map(|&count| count as f64 / total).collect())
}

fn sum(counts: &[u64]) -> f64 {
    counts.iter().map(|&count| count as f64).sum()
}

/// Result of a chi-square test.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ChiSquareTest {
    /// Pearson's statistic, without continuity correction.
    pub statistic: f64,
    /// Degrees of freedom.
    pub df: f64,
    /// p of a difference.
    pub p: f64,
    /// Whether some expected cell is below 5, where the approximation is weak.
    pub weak: bool,
}

/// Pearson's chi-square test that two histograms come from one distribution.
///
/// Assumes independent observations. Bins empty in both are left out. `None` if a histogram is
/// empty, the bins differ in number, or fewer than two bins are in use. Source: Pearson (1900);
/// Agresti, *Categorical Data Analysis*, 3rd ed., §3.2.
pub fn chi_square(first: &[u64], second: &[u64]) -> Option<ChiSquareTest> {
    let (n1, n2) = (sum(first), sum(second));
    if first.len() != second.len() || n1 <= 0.0 || n2 <= 0.0 {
        return None;
    }
    let (mut statistic, mut bins, mut weak) = (0.0, 0.0, false);
    for (&a, &b) in first.iter().zip(second) {
        let (a, b) = (a as f64, b as f64);
        let both = a + b;
        if both <= 0.0 {
            continue;
        }
        bins += 1.0;
        for (count, size) in [(a, n1), (b, n2)] {
            let expected = both * (size / (n1 + n2));
            statistic += (count - expected) * ((count - expected) / expected);
            weak |= expected < 5.0;
        }
    }
    let df = bins - 1.0;
    (df > 0.0).then(|| ChiSquareTest {
        statistic,
        df,
        p: chi_square_sf(statistic, df),
        weak,
    })
}

/// Products of the sample sizes up to which the Kolmogorov–Smirnov p is exact.
const EXACT_PATHS: usize = 10_000;

/// Result of the two-sample Kolmogorov–Smirnov test.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct KsTest {
    /// Largest distance of the empirical distribution functions.
    pub statistic: f64,
    /// p of a difference.
    pub p: f64,
    /// Whether p is exact; otherwise it is asymptotic.
    pub exact: bool,
}

/// Two-sample Kolmogorov–Smirnov test, two-sided.
///
/// Assumes independent observations of a continuous quantity; with ties it is conservative. p by
/// counting lattice paths while the product of the sizes is at most 10,000, else by the limiting
/// distribution at `√(n1·n2/(n1 + n2))·D`. Source: Hodges (1958), Arkiv för Matematik 3, 469–486;
/// Smirnov (1948).
///
/// # Errors
/// [`Error::TooFew`] if a sample is empty; [`Error::NotFinite`] if a value is not finite.
pub fn ks_two_sample(first: &[f64], second: &[f64]) -> Result<KsTest, Error> {
    error::all_finite("value", first)?;
    error::all_finite("value", second)?;
    error::at_least("observations", 1, first.len().min(second.len()))?;
    let (n1, n2) = (first.len(), second.len());
    let distance = lattice_distance(first, second);
    let product = n1 as u128 * n2 as u128;
    let statistic = distance as f64 / product as f64;
    let exact = product <= EXACT_PATHS as u128;
    let p = if exact {
        path_probability(n1, n2, distance)
    } else {
        let (n1, n2) = (n1 as f64, n2 as f64);
        kolmogorov_sf((n1 * (n2 / (n1 + n2))).sqrt() * statistic)
    };
    Ok(KsTest {
        statistic,
        p: p.clamp(0.0, 1.0),
        exact,
    })
}

/// The largest |i·n2 − j·n1| over the values, i and j being how many are at most it.
fn lattice_distance(first: &[f64], second: &[f64]) -> u128 {
    let sorted = |values: &[f64]| {
        let mut values: Vec<f64> = values.iter().map(|value| value + 0.0).collect();
        values.sort_unstable_by(f64::total_cmp);
        values
    };
    let (first, second) = (sorted(first), sorted(second));
    let (n1, n2) = (first.len() as u128, second.len() as u128);
    let (mut left, mut right) = (first.iter().peekable(), second.iter().peekable());
    let (mut i, mut j, mut largest) = (0_u128, 0_u128, 0);
    while let (Some(&&a), Some(&&b)) = (left.peek(), right.peek()) {
        let value = a.min(b);
        while left.next_if(|&&x| x <= value).is_some() {
            i += 1;
        }
        while right.next_if(|&&x| x <= value).is_some() {
            j += 1;
        }
        largest = largest.max((i * n2).abs_diff(j * n1));
    }
    largest
}

/// P(a random lattice path reaches a distance ≥ `distance`), summed over its first such point.
fn path_probability(n1: usize, n2: usize, distance: u128) -> f64 {
    let reached =
        |i: usize, j: usize| (i as u128 * n2 as u128).abs_diff(j as u128 * n1 as u128) >= distance;
    if reached(0, 0) {
        return 1.0;
    }
    let total = (n1 + n2) as f64;
    let mut out = 0.0;
    let mut row: Vec<f64> = vec![0.0; n2 + 1];
    for i in 0..=n1 {
        let mut left = 0.0;
        for (j, cell) in row.iter_mut().enumerate() {
            let from_left = if j > 0 {
                left * (n2 - j + 1) as f64 / (total - (i + j - 1) as f64)
            } else {
                0.0
            };
            let from_above = if i > 0 {
                *cell * (n1 - i + 1) as f64 / (total - (i + j - 1) as f64)
            } else {
                0.0
            };
            let here = if i + j == 0 {
                1.0
            } else {
                from_left + from_above
            };
            *cell = if reached(i, j) {
                out += here;
                0.0
            } else {
                here
            };
            left = *cell;
        }
    }
    out
}

/// P(K > x) of the Kolmogorov distribution.
fn kolmogorov_sf(x: f64) -> f64 {
    if x <= 0.0 {
        return 1.0;
    }
    if x < 1.0 {
        let square = std::f64::consts::PI.powi(2) / (8.0 * x * x);
        let sum: f64 = (1..=20)
            .map(|k| (-f64::from(2 * k - 1).powi(2) * square).exp())
            .sum();
        return 1.0 - (2.0 * std::f64::consts::PI).sqrt() / x * sum;
    }
    let terms = (1..=20).map(|k: u8| {
        let sign = if k % 2 == 1 { 2.0 } else { -2.0 };
        sign * (-2.0 * f64::from(k).powi(2) * x * x).exp()
    });
    terms.sum()
}

/// Weeks whose mean is the centre of the EWMA.
const CENTRE_WEEKS: usize = 4;

/// Weight of what was, in the EWMA.
const MEMORY: f64 = 0.8;

/// Standard errors below the centre at which the EWMA alarms.
const ALARM_WIDTH: f64 = 3.0;

/// One week's comparison with the pinned run.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Week {
    /// Estimated difference Δ̂.
    pub effect: f64,
    /// Estimated churn.
    pub churn: f64,
    /// Number of pairs.
    pub pairs: u64,
}

/// The EWMA of one week.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct EwmaPoint {
    /// Z, the smoothed difference from the centre.
    pub value: f64,
    /// The limit, below 0.
    pub limit: f64,
    /// Whether Z is below the limit.
    pub alarm: bool,
}

/// EWMA control chart of weekly differences from one pinned run; a point for each week, `None`
/// for the first four, whose mean is the centre.
///
/// From week 5 (i = 1) `Z = 0.8Z + 0.2(Δ̂ − m)`, alarm at
/// `Z < −3√(ψ̂/2n·(v/9 + (1 − √(1 − v))²/4))`, `v = 1 − 0.8^(2i)`, ψ̂ the mean churn so far and at
/// least 1/n. The first term is the variance of the EWMA, the second that of the centre; only half
/// of a pair's variance is the week's, the other half is the pinned run's. Assumes independent
/// weeks. Source: Roberts (1959), Technometrics 1, 239–250; Lucas and Saccucci (1990).
///
/// # Errors
/// If a number is not finite, a churn is not in [0, 1], an effect not in [−1, 1], or a week has no
/// pair.
pub fn ewma(weeks: &[Week]) -> Result<Vec<Option<EwmaPoint>>, Error> {
    let mut value = 0.0;
    let mut churn = 0.0;
    let mut centre = 0.0;
    let mut remaining = 1.0;
    let mut points = Vec::with_capacity(weeks.len());
    for (index, week) in weeks.iter().enumerate() {
        error::unit("churn", week.churn)?;
        error::check("effect", "between -1 and 1", week.effect, |effect| {
            effect.abs() <= 1.0
        })?;
        if week.pairs == 0 {
            return Err(Error::TooFew {
                what: "pairs",
                needed: 1,
                found: 0,
            });
        }
        churn += week.churn;
        if index < CENTRE_WEEKS {
            centre += week.effect / CENTRE_WEEKS as f64;
            points.push(None);
            continue;
        }
        value = MEMORY * value + (1.0 - MEMORY) * (week.effect - centre);
        remaining *= MEMORY;
        let n = week.pairs as f64;
        let psi = (churn / (index + 1) as f64).max(1.0 / n);
        let own = (1.0 - remaining * remaining) / 9.0;
        let of_centre = (1.0 - remaining).powi(2) / CENTRE_WEEKS as f64;
        let limit = -ALARM_WIDTH * (psi / (2.0 * n) * (own + of_centre)).sqrt();
        points.push(Some(EwmaPoint {
            value,
            limit,
            alarm: value < limit,
        }));
    }
    Ok(points)
}

#[cfg(test)]
mod tests;
