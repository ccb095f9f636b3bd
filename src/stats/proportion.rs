//! Rates of passes: one rate, two independent rates, and what repeated trials say of one case.
//!
//! Owns the pooled two-proportion z-test, Wilson's and Newcombe's intervals, Fisher's exact test,
//! the bound for no failure seen, and the estimators pass^k and pass@k. Pairs belong to `paired`,
//! sample sizes to `power`.

use serde::{Deserialize, Serialize};

use super::distribution::{ln_binomial_pmf, normal_cdf, normal_two_sided, normal_upper_quantile};
use super::error::{self, Error};

/// Fisher's test sums over the support; above this total it is not computed.
const FISHER_LIMIT: u64 = 1 << 40;

/// Factors up to which a ratio of binomial coefficients is multiplied out.
const PRODUCT_STEPS: u64 = 4096;

/// Probabilities this close above the observed one count as equal to it.
const FISHER_TOLERANCE: f64 = 1e-7;

/// A confidence interval, `low` ≤ `high`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Lower bound.
    pub low: f64,
    /// Upper bound.
    pub high: f64,
    /// Confidence level, such as 0.90.
    pub level: f64,
}

impl Interval {
    /// Whether `value` lies in the closed interval.
    pub fn contains(&self, value: f64) -> bool {
        self.low <= value && value <= self.high
    }
}

/// Passes among independent trials of one arm; never more passes than trials.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Tally {
    successes: u64,
    trials: u64,
}

impl Tally {
    /// `successes` among `trials`.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] if there are more successes than trials.
    pub fn new(successes: u64, trials: u64) -> Result<Self, Error> {
        if successes > trials {
            return Err(Error::OutOfRange {
                name: "number of successes",
                expected: "at most the number of trials",
                value: successes as f64,
            });
        }
        Ok(Self { successes, trials })
    }

    /// As [`Tally::new`], with the successes cut to the trials.
    pub(super) fn capped(successes: u64, trials: u64) -> Self {
        Self {
            successes: successes.min(trials),
            trials,
        }
    }

    /// Number of passes.
    pub fn successes(&self) -> u64 {
        self.successes
    }

    /// Number of failures.
    pub fn failures(&self) -> u64 {
        self.trials - self.successes
    }

    /// Number of trials.
    pub fn trials(&self) -> u64 {
        self.trials
    }

    /// Share of passes; `None` without a trial.
    pub fn rate(&self) -> Option<f64> {
        (self.trials > 0).then(|| self.successes as f64 / self.trials as f64)
    }
}

/// Result of the two-proportion z-test.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ZTest {
    /// z, negative when the candidate is worse.
    pub statistic: f64,
    /// p of a difference in either direction.
    pub p_two_sided: f64,
    /// p of the candidate being worse.
    pub p_regression: f64,
}

/// Pooled two-proportion z-test of candidate − baseline.
///
/// Assumes two independent samples of independent trials, large enough for the normal
/// approximation (see [`weak_normal`]). If the pooled rate is 0 or 1 then z = 0, the two-sided p
/// is 1 and the one-sided 0.5. `None` if an arm is empty. Source: Fleiss, Levin and Paik,
/// *Statistical Methods for Rates and Proportions*, 3rd ed., §3.1, without continuity correction.
pub fn two_proportion_z(candidate: Tally, baseline: Tally) -> Option<ZTest> {
    let (n1, n2) = (candidate.trials as f64, baseline.trials as f64);
    let difference = candidate.rate()? - baseline.rate()?;
    let successes = candidate.successes as f64 + baseline.successes as f64;
    let failures = candidate.failures() as f64 + baseline.failures() as f64;
    let total = n1 + n2;
    let variance = (successes / total) * (failures / total) * (1.0 / n1 + 1.0 / n2);
    let statistic = if variance > 0.0 {
        difference / variance.sqrt()
    } else {
        0.0
    };
    Some(ZTest {
        statistic,
        p_two_sided: normal_two_sided(statistic),
        p_regression: normal_cdf(statistic),
    })
}

/// Whether the normal approximation of [`two_proportion_z`] is weak: some expected cell of the
/// pooled 2×2 table is below 5 (Cochran 1954). True if an arm is empty.
pub fn weak_normal(candidate: Tally, baseline: Tally) -> bool {
    let (n1, n2) = (candidate.trials as f64, baseline.trials as f64);
    let total = n1 + n2;
    if total <= 0.0 {
        return true;
    }
    let successes = candidate.successes as f64 + baseline.successes as f64;
    let failures = candidate.failures() as f64 + baseline.failures() as f64;
    n1.min(n2) * successes.min(failures) / total < 5.0
}

/// Wilson's score interval of a rate, both bounds in [0, 1].
///
/// `successes` and `n` may be fractional, as with an effective sample size. The bound is exactly
/// 0 at no success and exactly 1 at no failure. Assumes independent trials (of effective number
/// `n`). Source: Wilson (1927), JASA 22, 209–212.
///
/// # Errors
/// If a number is not finite, `n` is not above 0, `successes` is not in [0, n], or `level` is not
/// in (0, 1).
pub fn wilson_interval(successes: f64, n: f64, level: f64) -> Result<Interval, Error> {
    error::positive("sample size", n)?;
    error::check("number of successes", "between 0 and n", successes, |x| {
        (0.0..=n).contains(&x)
    })?;
    let z = level_quantile(level)?;
    let failures = n - successes;
    let square = z * z;
    let centre = successes + 0.5 * square;
    let half = z * (successes * (failures / n) + 0.25 * square).sqrt();
    let scale = n + square;
    let (low, high) = if scale.is_finite() {
        ((centre - half) / scale, (centre + half) / scale)
    } else {
        (successes / n, successes / n)
    };
    Ok(Interval {
        low: if successes > 0.0 { low.max(0.0) } else { 0.0 },
        high: if failures > 0.0 { high.min(1.0) } else { 1.0 },
        level,
    })
}

/// Newcombe's hybrid score interval (method 10) of candidate − baseline.
///
/// Assumes two independent samples; combines the Wilson intervals of the arms. Source: Newcombe
/// (1998), Statistics in Medicine 17, 873–890.
///
/// # Errors
/// [`Error::TooFew`] if an arm is empty; [`Error::OutOfRange`] if `level` is not in (0, 1).
pub fn newcombe_interval(candidate: Tally, baseline: Tally, level: f64) -> Result<Interval, Error> {
    let (p1, first) = arm(candidate, level)?;
    let (p2, second) = arm(baseline, level)?;
    let difference = p1 - p2;
    Ok(Interval {
        low: difference - (p1 - first.low).hypot(second.high - p2),
        high: difference + (first.high - p1).hypot(p2 - second.low),
        level,
    })
}

fn arm(tally: Tally, level: f64) -> Result<(f64, Interval), Error> {
    let rate = tally.rate().ok_or(Error::TooFew {
        what: "trials",
        needed: 1,
        found: 0,
    })?;
    let interval = wilson_interval(tally.successes as f64, tally.trials as f64, level)?;
    Ok((rate, interval))
}

/// Result of Fisher's exact test.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct FisherTest {
    /// Sum of the probabilities of all tables no likelier than the observed one.
    pub p_two_sided: f64,
    /// P(candidate passes ≤ observed), the p of the candidate being worse.
    pub p_regression: f64,
    /// P(candidate passes ≥ observed), the p of the candidate being better.
    pub p_improvement: f64,
}

/// Fisher's exact test of two independent rates.
///
/// Conditions on both margins; valid at any size. Probabilities by Loader's saddle-point form of
/// the hypergeometric mass, which keeps full precision at large counts. Two-sided p: the sum of
/// the probabilities ≤ the observed one, with a relative tolerance of 1e-7 as in R. `None` if an
/// arm is empty or the arms hold more than 2⁴⁰ trials. Source: Fisher (1935); Agresti,
/// *Categorical Data Analysis*, 3rd ed., §3.5.
pub fn fisher_exact(candidate: Tally, baseline: Tally) -> Option<FisherTest> {
    let total = candidate.trials.checked_add(baseline.trials)?;
    if candidate.trials == 0 || baseline.trials == 0 || total > FISHER_LIMIT {
        return None;
    }
    let table = Hypergeometric {
        drawn: candidate.trials,
        successes: candidate.successes + baseline.successes,
        total,
    };
    let observed = candidate.successes;
    let point = table.pmf(observed);
    let lower = table.lower_tail(observed);
    let upper = table.upper_tail(observed);
    let limit = table.ln_pmf(observed) + FISHER_TOLERANCE;
    let p_two_sided = if observed <= table.mode() {
        lower
            + table
                .first_unlikely_above(limit)
                .map_or(0.0, |at| table.upper_tail(at))
    } else {
        upper
            + table
                .last_unlikely_below(limit)
                .map_or(0.0, |at| table.lower_tail(at))
    };
    Some(FisherTest {
        p_two_sided: p_two_sided.clamp(point.min(1.0), 1.0),
        p_regression: lower.min(1.0),
        p_improvement: upper.min(1.0),
    })
}

/// Number of successes among `drawn` of `total` items, `successes` of which are successes.
struct Hypergeometric {
    drawn: u64,
    successes: u64,
    total: u64,
}

impl Hypergeometric {
    fn low(&self) -> u64 {
        (self.drawn + self.successes).saturating_sub(self.total)
    }

    fn high(&self) -> u64 {
        self.drawn.min(self.successes)
    }

    fn mode(&self) -> u64 {
        let product = (u128::from(self.drawn) + 1) * (u128::from(self.successes) + 1);
        let mode = product / (u128::from(self.total) + 2);
        u64::try_from(mode)
            .unwrap_or(u64::MAX)
            .clamp(self.low(), self.high())
    }

    fn ln_pmf(&self, k: u64) -> f64 {
        let failures = self.total - self.successes;
        let misses = self.drawn - k;
        if self.successes == 0 || failures == 0 || self.drawn == self.total {
            return 0.0;
        }
        let share = self.drawn as f64 / self.total as f64;
        ln_binomial_pmf(k, self.successes, share) + ln_binomial_pmf(misses, failures, share)
            - ln_binomial_pmf(self.drawn, self.total, share)
    }

    fn pmf(&self, k: u64) -> f64 {
        self.ln_pmf(k).exp()
    }

    /// P(k + 1) / P(k).
    fn ratio(&self, k: u64) -> f64 {
        let up = (self.successes - k) as f64 * (self.drawn - k) as f64;
        let rest = self.total - self.successes + k + 1 - self.drawn;
        up / ((k + 1) as f64 * rest as f64)
    }

    fn lower_tail(&self, k: u64) -> f64 {
        if k >= self.mode() && k < self.high() {
            return 1.0 - self.sum_up(k + 1);
        }
        if k >= self.high() {
            return 1.0;
        }
        self.sum_down(k)
    }

    fn upper_tail(&self, k: u64) -> f64 {
        if k <= self.low() {
            return 1.0;
        }
        if k <= self.mode() {
            return 1.0 - self.sum_down(k - 1);
        }
        self.sum_up(k)
    }

    /// P(X ≥ k) for k above the mode.
    fn sum_up(&self, k: u64) -> f64 {
        let mut term = self.pmf(k);
        let mut sum = term;
        for at in k..self.high() {
            term *= self.ratio(at);
            sum += term;
            if term < 1e-18 * sum {
                break;
            }
        }
        sum
    }

    /// P(X ≤ k) for k below the mode.
    fn sum_down(&self, k: u64) -> f64 {
        let mut term = self.pmf(k);
        let mut sum = term;
        for at in (self.low()..k).rev() {
            term /= self.ratio(at);
            sum += term;
            if term < 1e-18 * sum {
                break;
            }
        }
        sum
    }

    /// The first count above the mode with ln probability ≤ `limit`.
    fn first_unlikely_above(&self, limit: f64) -> Option<u64> {
        let (mut low, mut high) = (self.mode(), self.high());
        if self.ln_pmf(high) > limit {
            return None;
        }
        while low < high {
            let middle = low + (high - low) / 2;
            if self.ln_pmf(middle) <= limit {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        Some(high)
    }

    /// The last count below the mode with ln probability ≤ `limit`.
    fn last_unlikely_below(&self, limit: f64) -> Option<u64> {
        let (mut low, mut high) = (self.low(), self.mode());
        if self.ln_pmf(low) > limit {
            return None;
        }
        while low < high {
            let middle = low + (high - low).div_ceil(2);
            if self.ln_pmf(middle) <= limit {
                low = middle;
            } else {
                high = middle - 1;
            }
        }
        Some(low)
    }
}

/// Upper 1 − α confidence bound of a failure rate when `n` trials show no failure: 1 − α^(1/n).
///
/// Assumes independent trials. Exact (Clopper and Pearson 1934). `n` = 0 gives 1.
///
/// # Errors
/// [`Error::OutOfRange`] if `alpha` is not in (0, 1).
pub fn zero_failure_bound(n: u64, alpha: f64) -> Result<f64, Error> {
    error::open_unit("alpha", alpha)?;
    if n == 0 {
        return Ok(1.0);
    }
    Ok(-(alpha.ln() / n as f64).exp_m1())
}

/// pass^k: the unbiased estimate of the probability that k further trials of a case all pass,
/// C(successes, k) / C(trials, k).
///
/// Assumes exchangeable trials. `None` if k is 0 or exceeds the trials. Source: Yao et al. (2024),
/// τ-bench.
pub fn pass_hat_k(tally: Tally, k: u64) -> Option<f64> {
    if k == 0 || k > tally.trials {
        return None;
    }
    Some(choose_ratio(tally.successes, tally.trials, k))
}

/// pass@k: the unbiased estimate of the probability that at least one of k further trials of a
/// case passes, 1 − C(failures, k) / C(trials, k).
///
/// Assumes exchangeable trials. `None` if k is 0 or exceeds the trials. Source: Chen et al.
/// (2021), *Evaluating large language models trained on code*.
pub fn pass_at_k(tally: Tally, k: u64) -> Option<f64> {
    if k == 0 || k > tally.trials {
        return None;
    }
    Some(1.0 - choose_ratio(tally.failures(), tally.trials, k))
}

/// C(part, k) / C(whole, k), for part ≤ whole and 1 ≤ k ≤ whole.
fn choose_ratio(part: u64, whole: u64, k: u64) -> f64 {
    if part < k {
        return 0.0;
    }
    let missing = whole - part;
    let (steps, from) = if missing < k {
        (missing, k)
    } else {
        (k, missing)
    };
    if steps > PRODUCT_STEPS {
        let table = Hypergeometric {
            drawn: k,
            successes: part,
            total: whole,
        };
        return table.pmf(k);
    }
    (0..steps)
        .map(|step| 1.0 - from as f64 / (whole - step) as f64)
        .product()
}

/// The z that leaves (1 − level)/2 in each tail.
///
/// # Errors
/// [`Error::OutOfRange`] if `level` is not in (0, 1).
pub fn level_quantile(level: f64) -> Result<f64, Error> {
    error::open_unit("confidence level", level)?;
    Ok(normal_upper_quantile(0.5 * (1.0 - level)))
}

#[cfg(test)]
mod tests;
