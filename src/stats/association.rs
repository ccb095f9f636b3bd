//! How two measurements of the same items go together, and how far two groups lie apart.
//!
//! Owns Spearman's rank correlation and Welch's interval for a difference of means. Agreement of
//! raters, who use one scale, belongs to `agreement`.

use serde::{Deserialize, Serialize};

use super::distribution::{normal_upper_quantile, t_upper_quantile};
use super::error::{self, Error};
use super::proportion::Interval;

/// Larger magnitudes are refused, so that squares cannot overflow.
const LARGEST: f64 = 1e100;

/// A number with its interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// The number.
    pub value: f64,
    /// Its interval; `None` where too few items allow none.
    pub interval: Option<Interval>,
    /// Items that it is made from.
    pub items: usize,
}

/// Spearman's rank correlation, ties at their mid-ranks.
///
/// `None` if one of the lists does not vary. The interval is that of Fisher's z with the standard
/// error `√((1 + ρ²/2)/(n − 3))`; it needs four items and is approximate below ten. Source: Bonett
/// and Wright (2000), Psychometrika 65, 23–28.
///
/// # Errors
/// If the lists differ in length, a number is not finite or above 1e100 in magnitude, or `level`
/// is not in (0, 1).
pub fn spearman(first: &[f64], second: &[f64], level: f64) -> Result<Option<Measured>, Error> {
    error::open_unit("confidence level", level)?;
    error::same_length("second list", first.len(), second.len())?;
    check(first)?;
    check(second)?;
    let Some(value) = correlation(&mid_ranks(first), &mid_ranks(second)) else {
        return Ok(None);
    };
    let items = first.len();
    Ok(Some(Measured {
        value,
        interval: (items > 3).then(|| fisher_interval(value, items, level)),
        items,
    }))
}

fn fisher_interval(rho: f64, items: usize, level: f64) -> Interval {
    // At ±1 the transform has no value; the nearest double keeps the bound at ±1.
    let z = rho.clamp(-1.0 + f64::EPSILON, 1.0 - f64::EPSILON).atanh();
    let error = ((1.0 + 0.5 * rho * rho) / (items as f64 - 3.0)).sqrt();
    let half = normal_upper_quantile(0.5 * (1.0 - level)) * error;
    Interval {
        low: (z - half).tanh().min(rho),
        high: (z + half).tanh().max(rho),
        level,
    }
}

/// Mean of the first group minus mean of the second, with Welch's interval.
///
/// Assumes independent items; the variances may differ. `None` with an empty group; without an
/// interval if a group has one item or neither varies. Source: Welch (1947), Biometrika 34, 28–35.
///
/// # Errors
/// If a number is not finite or above 1e100 in magnitude, or `level` is not in (0, 1).
pub fn mean_difference(
    first: &[f64],
    second: &[f64],
    level: f64,
) -> Result<Option<Measured>, Error> {
    error::open_unit("confidence level", level)?;
    check(first)?;
    check(second)?;
    if first.is_empty() || second.is_empty() {
        return Ok(None);
    }
    let value = mean(first) - mean(second);
    let parts = [first, second].map(|group| variance(group) / group.len() as f64);
    let squared: f64 = parts.iter().sum();
    let enough = first.len() > 1 && second.len() > 1 && squared > 0.0;
    let interval = enough.then(|| {
        let below: f64 = [first, second]
            .iter()
            .zip(parts)
            // Shares of the sum, so that squares of small variances stay above zero.
            .map(|(group, part)| (part / squared).powi(2) / (group.len() as f64 - 1.0))
            .sum();
        let half = t_upper_quantile(0.5 * (1.0 - level), 1.0 / below) * squared.sqrt();
        Interval {
            low: value - half,
            high: value + half,
            level,
        }
    });
    Ok(Some(Measured {
        value,
        interval,
        items: first.len() + second.len(),
    }))
}

fn check(values: &[f64]) -> Result<(), Error> {
    for &value in values {
        error::check("value", "at most 1e100 in magnitude", value, |v| {
            v.abs() <= LARGEST
        })?;
    }
    Ok(())
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

/// Variance with divisor n − 1.
fn variance(values: &[f64]) -> f64 {
    let mean = mean(values);
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    squares / (values.len().max(2) as f64 - 1.0)
}

/// The rank of each number from 1; equal numbers share the mean of their ranks.
fn mid_ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<(usize, f64)> = values.iter().copied().enumerate().collect();
    order.sort_by(|a, b| a.1.total_cmp(&b.1));
    let mut ranks = vec![0.0; values.len()];
    let mut start = 0;
    // `chunk_by` compares neighbours, so −0 and 0 fall into one group.
    for group in order.chunk_by(|a, b| a.1 <= b.1 && b.1 <= a.1) {
        let rank = start as f64 + 0.5 * (group.len() as f64 + 1.0);
        for (place, _) in group {
            if let Some(slot) = ranks.get_mut(*place) {
                *slot = rank;
            }
        }
        start += group.len();
    }
    ranks
}

/// Pearson's correlation; `None` if a list does not vary.
fn correlation(first: &[f64], second: &[f64]) -> Option<f64> {
    let (a, b) = (mean(first), mean(second));
    let sum = |left: &[f64], m: f64, right: &[f64], n: f64| -> f64 {
        left.iter().zip(right).map(|(x, y)| (x - m) * (y - n)).sum()
    };
    let both = sum(first, a, first, a) * sum(second, b, second, b);
    (both > 0.0).then(|| (sum(first, a, second, b) / both.sqrt()).clamp(-1.0, 1.0))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::reference::{assert_close, assert_within};
    use super::*;

    /// Hours of television and IQ of ten people: ρ = −29/165, the worked example of the English
    /// Wikipedia's article on the coefficient.
    #[test]
    fn spearman_of_the_published_example() {
        let iq = [106., 100., 86., 101., 99., 103., 97., 113., 112., 110.];
        let hours = [7., 27., 2., 50., 28., 29., 20., 12., 6., 17.];
        let found = spearman(&iq, &hours, 0.95).unwrap().unwrap();
        assert_close(found.value, -29.0 / 165.0);
        // atanh(−29/165) ∓ 1.959964·√((1 + ρ²/2)/7), turned back.
        let interval = found.interval.unwrap();
        assert_within(interval.low, -0.727_830, 1e-6);
        assert_within(interval.high, 0.514_547, 1e-6);
    }

    /// Weight gain of rats on two diets, Snedecor and Cochran (1980), *Statistical Methods*, 7th
    /// ed., table 6.9.1; by Welch t = 1.9107 on 13.08 degrees of freedom, the interval as R gives it.
    #[test]
    fn welch_interval_of_the_published_example() {
        let high = [
            134., 146., 104., 119., 124., 161., 107., 83., 113., 129., 97., 123.,
        ];
        let low = [70., 118., 101., 85., 107., 132., 94.];
        let found = mean_difference(&high, &low, 0.95).unwrap().unwrap();
        assert_close(found.value, 19.0);
        let interval = found.interval.unwrap();
        assert_within(interval.low, -2.469_073, 1e-6);
        assert_within(interval.high, 40.469_073, 1e-6);
    }

    #[test]
    fn ties_share_their_rank() {
        assert_eq!(mid_ranks(&[2.0, 1.0, 2.0, 3.0]), [2.5, 1.0, 2.5, 4.0]);
        assert_eq!(mid_ranks(&[0.0, -0.0]), [1.5, 1.5]);
    }

    #[test]
    fn what_is_undefined_is_none() {
        assert_eq!(spearman(&[1.0, 1.0], &[1.0, 2.0], 0.95).unwrap(), None);
        assert_eq!(spearman(&[], &[], 0.95).unwrap(), None);
        assert_eq!(mean_difference(&[], &[1.0], 0.95).unwrap(), None);
        let same = mean_difference(&[1.0, 1.0], &[0.0, 0.0], 0.95).unwrap();
        assert_eq!(same.unwrap().interval, None);
        assert!(spearman(&[1.0], &[1.0, 2.0], 0.95).is_err());
        assert!(spearman(&[f64::NAN], &[1.0], 0.95).is_err());
        assert!(mean_difference(&[1.0], &[f64::INFINITY], 0.95).is_err());
        assert!(spearman(&[1.0], &[1.0], 1.0).is_err());
    }

    fn pairs() -> impl Strategy<Value = (Vec<f64>, Vec<f64>)> {
        prop::collection::vec((-9_i32..9, -9_i32..9), 2..40).prop_map(|pairs| {
            pairs
                .into_iter()
                .map(|(a, b)| (f64::from(a), f64::from(b)))
                .unzip()
        })
    }

    proptest! {
        #[test]
        fn a_rising_transform_changes_nothing((first, second) in pairs()) {
            let cubed: Vec<f64> = first.iter().map(|x| x.powi(3) + 1.0).collect();
            let (plain, moved) = (spearman(&first, &second, 0.9).unwrap(), spearman(&cubed, &second, 0.9).unwrap());
            prop_assert_eq!(plain, moved);
            if let Some(found) = plain {
                prop_assert!((-1.0..=1.0).contains(&found.value));
                prop_assert!(found.interval.is_none_or(|i| i.low <= found.value && found.value <= i.high));
            }
        }

        #[test]
        fn swapping_the_groups_turns_the_difference_over((first, second) in pairs()) {
            let there = mean_difference(&first, &second, 0.9).unwrap().unwrap();
            let back = mean_difference(&second, &first, 0.9).unwrap().unwrap();
            prop_assert!((there.value + back.value).abs() < 1e-9);
            if let (Some(a), Some(b)) = (there.interval, back.interval) {
                prop_assert!((a.low + b.high).abs() < 1e-6);
            }
        }
    }
}
