//! Ratio metrics (cost, tokens, latency): the candidate's amount over the baseline's.
//!
//! Owns the paired t-test on the logarithm of the ratio and the rules for pairs without one.
//! Lower is better. Resampled ratios of totals and percentiles belong to `resample`.

use serde::{Deserialize, Serialize};

use super::distribution::t_sf;
use super::error::{self, Error};
use super::mean::{MeanTest, Sample, paired_t};
use super::proportion::Interval;

/// Logarithms this close are equal.
const ROUNDING: f64 = 1e-12;

/// One case's amounts; `None` where an amount is unknown.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct RatioPair {
    /// The candidate's amount.
    pub candidate: Option<f64>,
    /// The baseline's amount.
    pub baseline: Option<f64>,
}

/// Result of the t-test of log ratios.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct RatioTest {
    /// Pairs with a ratio.
    pub used: usize,
    /// Pairs left out: an unknown amount, or zero on one side only.
    pub left_out: usize,
    /// Geometric mean of candidate/baseline.
    pub ratio: f64,
    /// Interval of the geometric mean.
    pub interval: Interval,
    /// p of the candidate being dearer (ratio above 1).
    pub p_regression: f64,
    /// p of the candidate being cheaper (ratio below 1).
    pub p_improvement: f64,
    /// p of a ratio other than 1.
    pub p_two_sided: f64,
    /// p of H0: ratio ≥ `max_ratio`; below α means within the limit.
    pub p_noninferior: f64,
    /// The test behind it, of −ln(candidate/baseline): negative when the candidate is dearer.
    pub test: MeanTest,
}

/// Paired t-test of ln(candidate/baseline), with CR1 standard errors if `clusters` are given.
///
/// Assumes independent units and log ratios with a near-normal mean; tests the geometric mean of
/// the ratios, not the ratio of the totals. A pair with an unknown amount, or with zero on one
/// side, is left out and counted; zero on both sides is ratio 1. Where the log ratios do not vary,
/// `p_noninferior` is ½ at the limit, 2⁻ⁿ (2⁻ᴳ) inside and 1 outside. Source: Bland and Altman
/// (1996), BMJ 312, 1079; Student (1908).
///
/// # Errors
/// If an amount is negative or not finite, `max_ratio` is not above 0, `level` is not in (0, 1),
/// `clusters` differs in length, or fewer than two units have a ratio.
pub fn ratio_test(
    pairs: &[RatioPair],
    clusters: Option<&[usize]>,
    max_ratio: f64,
    level: f64,
) -> Result<RatioTest, Error> {
    error::positive("largest ratio", max_ratio)?;
    if let Some(clusters) = clusters {
        error::same_length("list of clusters", pairs.len(), clusters.len())?;
    }
    let mut gains = Vec::with_capacity(pairs.len());
    let mut groups = Vec::with_capacity(pairs.len());
    for (index, pair) in pairs.iter().enumerate() {
        if let Some(log) = log_ratio(pair)? {
            gains.push(-log);
            groups.push(
                clusters
                    .and_then(|list| list.get(index).copied())
                    .unwrap_or(index),
            );
        }
    }
    let sample = if clusters.is_some() {
        Sample::clustered(&gains, &groups)?
    } else {
        Sample::independent(&gains)?
    };
    let test = paired_t(&sample, level)?;
    Ok(RatioTest {
        used: gains.len(),
        left_out: pairs.len() - gains.len(),
        ratio: exp(-test.estimate.mean),
        interval: Interval {
            low: exp(-test.interval.high),
            high: exp(-test.interval.low),
            level,
        },
        p_regression: test.p_regression,
        p_improvement: test.p_improvement,
        p_two_sided: test.p_two_sided,
        p_noninferior: p_within(&test, max_ratio),
        test,
    })
}

fn p_within(test: &MeanTest, max_ratio: f64) -> f64 {
    let estimate = &test.estimate;
    let room = estimate.mean + max_ratio.ln();
    if estimate.standard_error > 0.0 {
        return t_sf(room / estimate.standard_error, estimate.df);
    }
    if room.abs() <= ROUNDING {
        0.5
    } else if room > 0.0 {
        (-(estimate.units as f64)).exp2()
    } else {
        1.0
    }
}

/// ln(candidate/baseline), or `None` for a pair that has none.
fn log_ratio(pair: &RatioPair) -> Result<Option<f64>, Error> {
    let amount = |name, value: Option<f64>| match value {
        Some(value) => error::non_negative(name, value).map(Some),
        None => Ok(None),
    };
    let candidate = amount("candidate's amount", pair.candidate)?;
    let baseline = amount("baseline's amount", pair.baseline)?;
    let (Some(candidate), Some(baseline)) = (candidate, baseline) else {
        return Ok(None);
    };
    if candidate <= 0.0 && baseline <= 0.0 {
        return Ok(Some(0.0));
    }
    if candidate <= 0.0 || baseline <= 0.0 {
        return Ok(None);
    }
    let quotient = candidate / baseline;
    if quotient.is_normal() {
        Ok(Some(quotient.ln()))
    } else {
        Ok(Some(candidate.ln() - baseline.ln()))
    }
}

fn exp(value: f64) -> f64 {
    value.exp().min(f64::MAX)
}

#[cfg(test)]
mod tests {
    use super::super::mean::p_noninferior;
    use super::super::reference::{assert_close, assert_within};
    use super::*;

    fn pairs(amounts: &[(f64, f64)]) -> Vec<RatioPair> {
        amounts
            .iter()
            .map(|&(candidate, baseline)| RatioPair {
                candidate: Some(candidate),
                baseline: Some(baseline),
            })
            .collect()
    }

    #[test]
    fn a_dearer_candidate_is_a_regression() {
        let pairs = pairs(&[(1.3, 1.0), (2.2, 2.0), (3.6, 3.0), (1.1, 1.0), (5.9, 5.0)]);
        let test = ratio_test(&pairs, None, 1.1, 0.9).unwrap();
        assert!(test.ratio > 1.0 && test.interval.contains(test.ratio));
        assert!(test.p_regression < 0.05 && test.p_noninferior > 0.05);
        let logs: Vec<f64> = [1.3_f64, 1.1, 1.2, 1.1, 1.18]
            .iter()
            .map(|ratio| -ratio.ln())
            .collect();
        let sample = Sample::independent(&logs).unwrap();
        let t = paired_t(&sample, 0.9).unwrap();
        assert_close(test.p_regression, t.p_regression);
        assert_close(test.interval.low, (-t.interval.high).exp());
        let within = p_noninferior(&sample, 1.1_f64.ln()).unwrap();
        assert_close(test.p_noninferior, within);
    }

    #[test]
    fn pairs_without_a_ratio_are_left_out_and_counted() {
        let mut list = pairs(&[(0.0, 0.0), (0.0, 1.0), (1.0, 0.0), (2.0, 1.0), (3.0, 1.0)]);
        list.push(RatioPair {
            candidate: None,
            baseline: Some(1.0),
        });
        let test = ratio_test(&list, None, 1.1, 0.9).unwrap();
        assert_eq!((test.used, test.left_out), (3, 3));
        assert_close(test.ratio, 6.0_f64.cbrt());
    }

    #[test]
    fn ratios_that_do_not_vary_follow_the_limit() {
        let p = |candidate: f64| {
            ratio_test(&pairs(&[(candidate, 1.0); 6]), None, 1.1, 0.9)
                .unwrap()
                .p_noninferior
        };
        assert_within(p(1.1), 0.5, 0.0);
        assert_within(p(1.05), 1.0 / 64.0, 0.0);
        assert_within(p(1.2), 1.0, 0.0);
        let grouped = ratio_test(
            &pairs(&[(1.05, 1.0); 6]),
            Some(&[1, 1, 2, 2, 3, 3]),
            1.1,
            0.9,
        )
        .unwrap();
        assert_within(grouped.p_noninferior, 0.125, 0.0);
        assert_within(grouped.p_regression, 0.125, 0.0);
    }

    #[test]
    fn extreme_amounts_stay_finite() {
        let list = pairs(&[
            (1e300, 1e-300),
            (1e-300, 1e300),
            (f64::MAX, f64::MIN_POSITIVE),
        ]);
        let test = ratio_test(&list, None, 1.1, 0.9).unwrap();
        assert!(test.ratio.is_finite() && test.interval.high.is_finite());
        assert!((0.0..=1.0).contains(&test.p_regression));
    }

    #[test]
    fn bad_amounts_and_too_few_are_errors() {
        assert!(ratio_test(&pairs(&[(-1.0, 1.0), (1.0, 1.0)]), None, 1.1, 0.9).is_err());
        assert!(ratio_test(&pairs(&[(f64::NAN, 1.0), (1.0, 1.0)]), None, 1.1, 0.9).is_err());
        assert!(ratio_test(&pairs(&[(1.0, 1.0)]), None, 1.1, 0.9).is_err());
        assert!(ratio_test(&[], None, 1.1, 0.9).is_err());
        assert!(ratio_test(&pairs(&[(1.0, 1.0); 3]), None, 0.0, 0.9).is_err());
        assert!(ratio_test(&pairs(&[(1.0, 1.0); 3]), Some(&[1]), 1.1, 0.9).is_err());
    }
}
