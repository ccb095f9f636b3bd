//! What a judge's errors mean for a measured rate.
//!
//! Owns sensitivity and specificity, the Rogan–Gladen correction and the prediction-powered
//! (PPI++) mean. Agreement coefficients belong to `agreement`.

use serde::{Deserialize, Serialize};

use super::error::{self, Error};
use super::proportion::{Interval, Tally, level_quantile, wilson_interval};

/// How a judge did on items whose true label is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JudgeRecord {
    /// True passes: how many of them the judge passed.
    pub passes: Tally,
    /// True failures: how many of them the judge failed.
    pub failures: Tally,
}

/// A rate with its interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct RateEstimate {
    /// The rate.
    pub rate: f64,
    /// Its Wilson interval.
    pub interval: Interval,
}

/// Share of true passes that the judge passes; Wilson interval.
///
/// # Errors
/// [`Error::TooFew`] without a true pass; [`Error::OutOfRange`] if `level` is not in (0, 1).
pub fn sensitivity(record: &JudgeRecord, level: f64) -> Result<RateEstimate, Error> {
    rate_estimate(record.passes, "true passes", level)
}

/// Share of true failures that the judge fails; Wilson interval.
///
/// # Errors
/// [`Error::TooFew`] without a true failure; [`Error::OutOfRange`] if `level` is not in (0, 1).
pub fn specificity(record: &JudgeRecord, level: f64) -> Result<RateEstimate, Error> {
    rate_estimate(record.failures, "true failures", level)
}

fn rate_estimate(tally: Tally, what: &'static str, level: f64) -> Result<RateEstimate, Error> {
    let rate = rate(tally, what)?;
    let interval = wilson_interval(tally.successes() as f64, tally.trials() as f64, level)?;
    Ok(RateEstimate { rate, interval })
}

fn rate(tally: Tally, what: &'static str) -> Result<f64, Error> {
    tally.rate().ok_or(Error::TooFew {
        what,
        needed: 1,
        found: 0,
    })
}

/// A rate corrected for a judge's errors.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CorrectedRate {
    /// The corrected rate, cut to [0, 1].
    pub rate: f64,
    /// What the formula gives, perhaps outside [0, 1].
    pub uncut: f64,
    /// Delta-method standard error of `uncut`.
    pub standard_error: f64,
}

/// Rogan–Gladen correction of the rate at which a judge passes: `(p̂ + sp − 1)/(se + sp − 1)`.
///
/// Assumes that the judge errs on the judged items as on the labelled ones, and that the three
/// samples are independent. Standard error by the delta method over all three. Source: Rogan and
/// Gladen (1978), American Journal of Epidemiology 107, 71–76.
///
/// # Errors
/// [`Error::UselessJudge`] if sensitivity + specificity ≤ 1; [`Error::TooFew`] if a sample is
/// empty.
pub fn rogan_gladen(judged: Tally, record: &JudgeRecord) -> Result<CorrectedRate, Error> {
    let measured = rate(judged, "judged items")?;
    rogan_gladen_rate(measured, judged.trials() as f64, record)
}

/// As [`rogan_gladen`], of a rate over so many independent items, which with repeats or clusters is
/// the effective number.
///
/// # Errors
/// As for [`rogan_gladen`], and if the rate is not in [0, 1] or the number not positive.
pub fn rogan_gladen_rate(
    measured: f64,
    items: f64,
    record: &JudgeRecord,
) -> Result<CorrectedRate, Error> {
    error::unit("rate", measured)?;
    error::positive("number of items", items)?;
    let sensitivity = rate(record.passes, "true passes")?;
    let specificity = rate(record.failures, "true failures")?;
    let power = sensitivity + specificity - 1.0;
    if power <= 1e-12 {
        return Err(Error::UselessJudge {
            sensitivity,
            specificity,
        });
    }
    let uncut = (measured + specificity - 1.0) / power;
    let variance = |rate: f64, tally: Tally| rate * (1.0 - rate) / tally.trials() as f64;
    let sum = measured * (1.0 - measured) / items
        + uncut * uncut * variance(sensitivity, record.passes)
        + (1.0 - uncut).powi(2) * variance(specificity, record.failures);
    Ok(CorrectedRate {
        rate: uncut.clamp(0.0, 1.0),
        uncut,
        standard_error: sum.sqrt() / power,
    })
}

/// An item that both a person and the judge scored.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LabelledItem {
    /// The person's score.
    pub human: f64,
    /// The judge's score.
    pub judge: f64,
}

/// A prediction-powered mean.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PoweredMean {
    /// Estimate of the mean human score.
    pub mean: f64,
    /// Its standard error.
    pub standard_error: f64,
    /// Normal interval.
    pub interval: Interval,
    /// Weight λ of the judge in [0, 1]: 0 ignores it.
    pub weight: f64,
}

/// Mean human score of all items, from a few items with human labels and many with the judge's
/// score only (PPI++).
///
/// `mean(human) + λ·(mean(unlabelled judge) − mean(labelled judge))` with the λ in [0, 1] that
/// minimises the variance; λ = 0 if the judge's scores do not vary. Assumes that the labelled
/// items are a random sample of the same population; large-sample normal interval. Source:
/// Angelopoulos, Duchi and Zrnic (2023), *PPI++*, arXiv:2311.01453.
///
/// # Errors
/// [`Error::TooFew`] below two labelled items or without an unlabelled one; if a score is not
/// finite or above 1e100 in magnitude, or `level` is not in (0, 1).
pub fn powered_mean(
    labelled: &[LabelledItem],
    unlabelled: &[f64],
    level: f64,
) -> Result<PoweredMean, Error> {
    let z = level_quantile(level)?;
    error::at_least("labelled items", 2, labelled.len())?;
    error::at_least("unlabelled items", 1, unlabelled.len())?;
    let human: Vec<f64> = labelled.iter().map(|item| item.human).collect();
    let judge: Vec<f64> = labelled.iter().map(|item| item.judge).collect();
    for &score in human.iter().chain(&judge).chain(unlabelled) {
        error::check("score", "at most 1e100 in magnitude", score, |v| {
            v.abs() <= 1e100
        })?;
    }
    let (n, more) = (human.len() as f64, unlabelled.len() as f64);
    let (human_mean, judge_mean) = (mean(&human), mean(&judge));
    let covariance = human
        .iter()
        .zip(&judge)
        .map(|(h, j)| (h - human_mean) * (j - judge_mean))
        .sum::<f64>()
        / n;
    let all = [judge.as_slice(), unlabelled].concat();
    let spread = variance(&all) * (n + more) / (n + more - 1.0) * (1.0 + n / more);
    let weight = if spread > 0.0 {
        (covariance / spread).clamp(0.0, 1.0)
    } else {
        0.0
    };
    let residuals: Vec<f64> = human
        .iter()
        .zip(&judge)
        .map(|(h, j)| h - weight * j)
        .collect();
    let mean = mean(&residuals) + weight * mean(unlabelled);
    let standard_error =
        (variance(&residuals) / n + weight * weight * variance(unlabelled) / more).sqrt();
    Ok(PoweredMean {
        mean,
        standard_error,
        interval: Interval {
            low: mean - z * standard_error,
            high: mean + z * standard_error,
            level,
        },
        weight,
    })
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

/// Variance with divisor n.
fn variance(values: &[f64]) -> f64 {
    let mean = mean(values);
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    squares / values.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::super::reference::{assert_close, assert_printed, assert_within, cases};
    use super::*;

    fn tally(successes: u64, trials: u64) -> Tally {
        Tally::new(successes, trials).unwrap()
    }

    fn record() -> JudgeRecord {
        JudgeRecord {
            passes: tally(46, 50),
            failures: tally(35, 50),
        }
    }

    #[test]
    fn corrected_rate_of_worked_example_11() {
        let corrected = rogan_gladen(tally(164, 200), &record()).unwrap();
        assert_printed(corrected.rate, 0.838_710);
        assert_printed(corrected.standard_error, 0.069_984);
    }

    #[test]
    fn sensitivity_and_specificity_carry_wilson_intervals() {
        let sensitivity = sensitivity(&record(), 0.95).unwrap();
        assert_close(sensitivity.rate, 0.92);
        assert_printed(sensitivity.interval.low, 0.811_618);
        assert_close(specificity(&record(), 0.95).unwrap().rate, 0.7);
        let blind = JudgeRecord {
            passes: tally(0, 0),
            failures: tally(1, 2),
        };
        assert!(super::sensitivity(&blind, 0.95).is_err());
    }

    #[test]
    fn a_useless_judge_is_an_error() {
        let coin = JudgeRecord {
            passes: tally(5, 10),
            failures: tally(5, 10),
        };
        assert!(matches!(
            rogan_gladen(tally(5, 10), &coin),
            Err(Error::UselessJudge { .. })
        ));
        assert!(rogan_gladen(tally(0, 0), &record()).is_err());
    }

    #[test]
    fn a_corrected_rate_stays_between_zero_and_one() {
        let corrected = rogan_gladen(tally(200, 200), &record()).unwrap();
        assert_within(corrected.rate, 1.0, 0.0);
        assert!(corrected.uncut > 1.0);
    }

    #[test]
    fn powered_mean_agrees_with_the_reference() {
        for case in cases("powered_mean") {
            let items: Vec<LabelledItem> = case
                .numbers("human")
                .into_iter()
                .zip(case.numbers("judge"))
                .map(|(human, judge)| LabelledItem { human, judge })
                .collect();
            let result =
                powered_mean(&items, &case.numbers("unlabelled"), case.number("level")).unwrap();
            assert_close(result.mean, case.number("mean"));
            assert_close(result.interval.low, case.number("low"));
            assert_close(result.interval.high, case.number("high"));
        }
    }

    #[test]
    fn a_judge_that_never_varies_is_ignored() {
        let items: Vec<LabelledItem> = [0.0, 1.0, 1.0]
            .into_iter()
            .map(|human| LabelledItem { human, judge: 1.0 })
            .collect();
        let result = powered_mean(&items, &[1.0; 40], 0.9).unwrap();
        assert_within(result.weight, 0.0, 0.0);
        assert_close(result.mean, 2.0 / 3.0);
    }

    #[test]
    fn too_few_items_and_bad_scores_are_errors() {
        let item = LabelledItem {
            human: 1.0,
            judge: 0.5,
        };
        assert!(powered_mean(&[item], &[1.0], 0.9).is_err());
        assert!(powered_mean(&[item, item], &[], 0.9).is_err());
        assert!(powered_mean(&[item, item], &[f64::NAN], 0.9).is_err());
        assert!(powered_mean(&[item, item], &[1.0], 1.0).is_err());
    }
}
