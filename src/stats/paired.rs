//! Paired pass/fail outcomes of one trial per case: four counts.
//!
//! Owns McNemar's tests (exact, mid-p, score), Tango's interval and non-inferiority test, and the
//! smallest p that a rule's differing pairs could give. Graded or repeated scores belong to
//! `mean`, sample sizes to `power`.

use serde::{Deserialize, Serialize};

use super::distribution::{HalfBinomial, bisect, normal_cdf, normal_sf, normal_two_sided};
use super::error::{self, Error};
use super::proportion::{Interval, Tally, level_quantile, two_proportion_z};

/// The pairs of a pass/fail metric by what each arm did. The difference Δ is candidate − baseline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PairedCounts {
    /// Pairs that both arms pass.
    pub both_pass: u64,
    /// Pairs that the baseline passes and the candidate fails (b).
    pub regressions: u64,
    /// Pairs that the baseline fails and the candidate passes (c).
    pub fixes: u64,
    /// Pairs that both arms fail.
    pub both_fail: u64,
}

impl PairedCounts {
    /// Number of pairs.
    pub fn n(&self) -> u64 {
        self.both_pass
            .saturating_add(self.both_fail)
            .saturating_add(self.discordant())
    }

    /// Number of pairs whose arms differ, m = b + c.
    pub fn discordant(&self) -> u64 {
        self.regressions.saturating_add(self.fixes)
    }

    /// Estimated difference (c − b)/n; `None` without a pair.
    pub fn effect(&self) -> Option<f64> {
        let n = self.n();
        (n > 0).then(|| self.gain() / n as f64)
    }

    /// Estimated churn (b + c)/n; `None` without a pair.
    pub fn churn(&self) -> Option<f64> {
        let n = self.n();
        (n > 0).then(|| self.discordant() as f64 / n as f64)
    }

    /// Churn to plan with, (b + c + 1)/(n + 2): above 0 even when nothing differed.
    pub fn planning_churn(&self) -> f64 {
        (self.discordant() as f64 + 1.0) / (self.n() as f64 + 2.0)
    }

    /// Correlation φ of the arms; `None` if an arm passed all its pairs or none.
    pub fn correlation(&self) -> Option<f64> {
        let pass = self.both_pass as f64;
        let fail = self.both_fail as f64;
        let (b, c) = (self.regressions as f64, self.fixes as f64);
        let square = (pass + b) * (fail + c) * (pass + c) * (fail + b);
        (square > 0.0).then(|| ((pass * fail - b * c) / square.sqrt()).clamp(-1.0, 1.0))
    }

    /// The same pairs with the arms exchanged.
    #[must_use]
    pub fn swapped(&self) -> Self {
        Self {
            regressions: self.fixes,
            fixes: self.regressions,
            ..*self
        }
    }

    /// Passes of the candidate.
    pub fn candidate(&self) -> Tally {
        self.arm(self.fixes)
    }

    /// Passes of the baseline.
    pub fn baseline(&self) -> Tally {
        self.arm(self.regressions)
    }

    fn arm(&self, own: u64) -> Tally {
        Tally::capped(self.both_pass.saturating_add(own), self.n())
    }

    fn gain(&self) -> f64 {
        self.fixes as f64 - self.regressions as f64
    }
}

/// The p-values of a test of paired pass/fail outcomes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct McNemar {
    /// p of the candidate being worse (H0: Δ ≥ 0).
    pub p_regression: f64,
    /// p of the candidate being better (H0: Δ ≤ 0).
    pub p_improvement: f64,
    /// p of a difference in either direction, twice the smaller tail.
    pub p_two_sided: f64,
}

impl McNemar {
    fn from_tails(p_regression: f64, p_improvement: f64) -> Self {
        Self {
            p_regression,
            p_improvement,
            p_two_sided: (2.0 * p_regression.min(p_improvement)).min(1.0),
        }
    }
}

/// Exact McNemar test: of m differing pairs, each is a regression with probability ½.
///
/// Assumes independent pairs; conditions on m, never above its level. No differing pair: all p
/// are 1. Source: McNemar (1947), Psychometrika 12, 153–157.
pub fn mcnemar_exact(counts: &PairedCounts) -> McNemar {
    let (worse, better) = tails(counts);
    McNemar::from_tails(worse.ln_upper.exp(), better.ln_upper.exp())
}

/// Mid-p McNemar test: the exact tail less half the probability of the observed table.
///
/// Assumes independent pairs; its level stays near α and rarely exceeds it, with clearly more
/// power than the exact test. No differing pair: one-sided ½, two-sided 1. Source: Fagerland,
/// Lydersen and Laake (2013), BMC Medical Research Methodology 13:91.
pub fn mcnemar_mid_p(counts: &PairedCounts) -> McNemar {
    let (worse, better) = tails(counts);
    McNemar::from_tails(mid_p(&worse), mid_p(&better))
}

fn tails(counts: &PairedCounts) -> (HalfBinomial, HalfBinomial) {
    let m = counts.discordant();
    (
        HalfBinomial::new(counts.regressions.min(m), m),
        HalfBinomial::new(counts.fixes.min(m), m),
    )
}

fn mid_p(tail: &HalfBinomial) -> f64 {
    let half = 0.5 * (tail.ln_point - tail.ln_upper).exp();
    (tail.ln_upper.exp() * (1.0 - half)).clamp(0.0, 1.0)
}

/// Result of McNemar's score test.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ScoreTest {
    /// z = (c − b)/√(b + c), negative when the candidate is worse.
    pub statistic: f64,
    /// p of the candidate being worse.
    pub p_regression: f64,
    /// p of the candidate being better.
    pub p_improvement: f64,
    /// p of a difference in either direction.
    pub p_two_sided: f64,
}

/// McNemar's score test, which is the z-test of paired proportions, without continuity correction.
///
/// Assumes independent pairs and enough differing ones for the normal approximation. No differing
/// pair: z = 0. Source: McNemar (1947).
pub fn mcnemar_z(counts: &PairedCounts) -> ScoreTest {
    let m = counts.discordant() as f64;
    let statistic = if m > 0.0 {
        counts.gain() / m.sqrt()
    } else {
        0.0
    };
    ScoreTest {
        statistic,
        p_regression: normal_cdf(statistic),
        p_improvement: normal_sf(statistic),
        p_two_sided: normal_two_sided(statistic),
    }
}

/// Tango's score interval of Δ.
///
/// Assumes independent pairs; close to its level also for few differing pairs. Bounds by
/// bisection of the score statistic, inside [−1, 1]. Source: Tango (1998), Statistics in Medicine
/// 17, 891–908.
///
/// # Errors
/// [`Error::TooFew`] without a pair; [`Error::OutOfRange`] if `level` is not in (0, 1).
pub fn tango_interval(counts: &PairedCounts, level: f64) -> Result<Interval, Error> {
    let z = level_quantile(level)?;
    let effect = counts.effect().ok_or(NO_PAIR)?;
    Ok(Interval {
        low: bisect(-1.0, effect, |d| score(counts, d) > z).min(effect),
        high: bisect(effect, 1.0, |d| score(counts, d) > -z).max(effect),
        level,
    })
}

/// p of H0: Δ ≤ −`margin` by Tango's score test; below α means non-inferior.
///
/// Agrees with the lower bound of [`tango_interval`] at level 1 − 2α. Margin 0 is McNemar's score
/// test for improvement. Assumptions and source as there.
///
/// # Errors
/// [`Error::TooFew`] without a pair; [`Error::OutOfRange`] if `margin` is not in [0, 1].
pub fn tango_noninferior(counts: &PairedCounts, margin: f64) -> Result<f64, Error> {
    error::unit("margin", margin)?;
    if counts.n() == 0 {
        return Err(NO_PAIR);
    }
    Ok(normal_sf(score(counts, -margin)))
}

const NO_PAIR: Error = Error::TooFew {
    what: "pairs",
    needed: 1,
    found: 0,
};

/// Tango's score statistic z(D), falling in D; ±∞ where its variance vanishes.
fn score(counts: &PairedCounts, difference: f64) -> f64 {
    let n = counts.n() as f64;
    let (b, c) = (counts.regressions as f64, counts.fixes as f64);
    let numerator = c - b - n * difference;
    let linear = (2.0 * n + b - c) * difference - b - c;
    let constant = -b * difference * (1.0 - difference);
    let root = (linear * linear - 8.0 * n * constant).max(0.0).sqrt();
    let nuisance = if linear > 0.0 {
        -2.0 * constant / (root + linear)
    } else {
        (root - linear) / (4.0 * n)
    };
    let variance = n * (2.0 * nuisance + difference * (1.0 - difference));
    if variance > 0.0 {
        numerator / variance.sqrt()
    } else if numerator == 0.0 {
        0.0
    } else {
        numerator.signum() * f64::INFINITY
    }
}

/// The tests that may decide a regression of paired pass/fail outcomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum PairedTest {
    /// [`mcnemar_mid_p`].
    MidP,
    /// [`mcnemar_exact`].
    Exact,
    /// [`mcnemar_z`].
    ScoreZ,
    /// [`two_proportion_z`] on the arms' rates.
    TwoProportion,
}

/// The regression p that `test` would give had all differing pairs been regressions.
///
/// It depends on how many pairs differ, not on which arm won them; a rule whose smallest p is
/// above its share of α cannot fail (Tarone 1990, Biometrics 46, 515–522). Without a differing
/// pair: exact 1, the others ½.
pub fn minimal_p(counts: &PairedCounts, test: PairedTest) -> f64 {
    let m = counts.discordant();
    match test {
        PairedTest::MidP => (-(m as f64 + 1.0)).exp2(),
        PairedTest::Exact => (-(m as f64)).exp2(),
        PairedTest::ScoreZ => normal_sf((m as f64).sqrt()),
        PairedTest::TwoProportion => {
            let worst = PairedCounts {
                regressions: m,
                fixes: 0,
                ..*counts
            };
            two_proportion_z(worst.candidate(), worst.baseline())
                .map_or(0.5, |test| test.p_regression)
        }
    }
}

#[cfg(test)]
mod tests;
