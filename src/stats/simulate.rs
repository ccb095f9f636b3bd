//! What a gate would say: simulated runs of paired pass/fail outcomes.
//!
//! Owns the model of the outcomes (rates, drop, correlation, trials) and the counting of how
//! often each test rejects and the rule says pass, fail or inconclusive. A result depends on the
//! seed alone, not on the number of threads.

use serde::{Deserialize, Serialize};

use super::error::{self, Error};
use super::mean::{self, Sample};
use super::paired::{PairedCounts, mcnemar_exact, mcnemar_mid_p, mcnemar_z, tango_noninferior};
use super::proportion::two_proportion_z;
use super::random::{Stream, in_blocks, threads};

/// Mean tests below this many cases flip signs instead of using t.
const FEW_CASES: u32 = 20;

/// More draws are refused.
const MOST_DRAWS: f64 = 1e7;

/// A comparison to simulate.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Design {
    /// Number of cases.
    pub cases: u32,
    /// Trials per case and arm, at least 1.
    pub trials: u32,
    /// Pass rate of the baseline.
    pub rate: f64,
    /// True loss of the candidate: its rate is `rate − drop`. Negative for a gain.
    pub drop: f64,
    /// With one trial: correlation φ of the arms' outcomes over cases. With more: intraclass
    /// correlation of the trials of a case, which the arms share.
    pub correlation: f64,
}

impl Design {
    fn candidate_rate(&self) -> f64 {
        self.rate - self.drop
    }

    /// The range of possible correlations for one trial; `None` if an arm has no variance.
    fn correlations(&self) -> Option<(f64, f64)> {
        let (p, q) = (self.rate, self.candidate_rate());
        let spread = (p * (1.0 - p) * q * (1.0 - q)).sqrt();
        let low = (p + q - 1.0).max(0.0);
        (spread > 0.0).then(|| ((low - p * q) / spread, (p.min(q) - p * q) / spread))
    }

    fn check(&self) -> Result<(), Error> {
        error::at_least("cases", 1, self.cases as usize)?;
        error::at_least("trials", 1, self.trials as usize)?;
        error::unit("pass rate", self.rate)?;
        error::finite("drop", self.drop)?;
        error::unit("pass rate of the candidate", self.candidate_rate())?;
        error::finite("correlation", self.correlation)?;
        let (low, high) = if self.trials > 1 {
            (0.0, 1.0)
        } else {
            self.correlations().unwrap_or((0.0, 0.0))
        };
        if (low - 1e-12..=high + 1e-12).contains(&self.correlation) {
            Ok(())
        } else {
            Err(Error::ImpossibleCorrelation {
                correlation: self.correlation,
                low,
                high,
            })
        }
    }
}

/// A test whose rejections are counted, one-sided for a regression.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Test {
    /// McNemar mid-p; decides with one trial.
    MidP,
    /// Exact McNemar.
    Exact,
    /// McNemar score z.
    ScoreZ,
    /// Two-proportion z on the arms' rates.
    TwoProportion,
    /// Paired t on case means, below 20 cases the exact sign-flip test; decides with more trials.
    Mean,
    /// No test: the candidate's rate is more than a fixed number of points below the baseline's.
    FixedThreshold,
}

impl Test {
    /// Its name in results.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MidP => "mcnemar-midp",
            Self::Exact => "mcnemar-exact",
            Self::ScoreZ => "mcnemar-score",
            Self::TwoProportion => "two-proportion-z",
            Self::Mean => "paired-t",
            Self::FixedThreshold => "fixed-threshold",
        }
    }
}

/// What the simulated runs are judged by.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Criteria {
    /// One-sided level of the tests.
    pub alpha: f64,
    /// Allowed loss.
    pub margin: f64,
    /// Largest observed loss that a naive fixed threshold lets pass.
    pub threshold: f64,
}

/// Differences this close to the naive threshold count as equal to it.
const EQUAL: f64 = 1e-9;

/// How often a test rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rejections {
    /// The test.
    pub test: Test,
    /// Runs with a regression p below α.
    pub runs: usize,
}

/// What the simulated runs said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Simulation {
    /// Number of runs.
    pub draws: usize,
    /// Runs that say pass.
    pub pass: usize,
    /// Runs that say fail.
    pub fail: usize,
    /// Runs that say inconclusive.
    pub inconclusive: usize,
    /// Rejections of a regression, by test: four with one trial, else the mean test; and beside
    /// them what a naive fixed threshold blocks.
    pub rejections: Vec<Rejections>,
}

impl Simulation {
    /// Share of the runs in which `test` rejected; `None` if it was not computed.
    pub fn rejection_rate(&self, test: Test) -> Option<f64> {
        let found = self.rejections.iter().find(|entry| entry.test == test)?;
        (self.draws > 0).then(|| found.runs as f64 / self.draws as f64)
    }
}

/// Simulates `draws` runs of `design` and applies the rule of a pass/fail metric: fail if
/// the regression p < `alpha`, else pass if the non-inferiority p (with repeats also the guard's) at
/// `margin` < `alpha`, else inconclusive.
///
/// One trial: pairs with the given rates and correlation φ; mid-p and Tango decide. More trials:
/// the case's pass probability is beta-distributed with the given rate and intraclass
/// correlation, shared by the arms, and a drop takes away passes (a gain, failures) at random;
/// t on case means decides. Source for the beta-binomial as an urn: Johnson and Kotz (1977), *Urn
/// Models and Their Application*, ch. 4.
///
/// # Errors
/// If a rate is not in [0, 1], there is no case, trial or draw, or more than 10 million draws,
/// `alpha` or `margin` is not in (0, 1), or the threshold not in [0, 1);
/// [`Error::ImpossibleCorrelation`] if no outcomes have these rates and correlation. An arm that
/// always passes or always fails has correlation 0.
pub fn simulate(
    design: &Design,
    criteria: Criteria,
    draws: usize,
    seed: u64,
) -> Result<Simulation, Error> {
    simulate_on(design, criteria, draws, seed, threads())
}

fn simulate_on(
    design: &Design,
    criteria: Criteria,
    draws: usize,
    seed: u64,
    threads: usize,
) -> Result<Simulation, Error> {
    design.check()?;
    error::open_unit("alpha", criteria.alpha)?;
    error::open_unit("margin", criteria.margin)?;
    error::check(
        "threshold",
        "0 or more and below 1",
        criteria.threshold,
        |t| (0.0..1.0).contains(&t),
    )?;
    error::at_least("draws", 1, draws)?;
    error::check(
        "number of draws",
        "at most 10 million",
        draws as f64,
        |draws| draws <= MOST_DRAWS,
    )?;
    let blocks = in_blocks(draws, seed, threads, |stream, size| {
        let mut tally = Outcomes::default();
        for _ in 0..size {
            if design.trials == 1 {
                tally.add_single(&single(design, stream), criteria);
            } else {
                tally.add_repeated(&repeated(design, stream), design, criteria);
            }
        }
        tally
    });
    let total = blocks.iter().fold(Outcomes::default(), Outcomes::plus);
    let mut tests = if design.trials == 1 {
        vec![
            (Test::MidP, total.mid_p),
            (Test::Exact, total.exact),
            (Test::ScoreZ, total.score_z),
            (Test::TwoProportion, total.two_proportion),
        ]
    } else {
        vec![(Test::Mean, total.mean)]
    };
    tests.push((Test::FixedThreshold, total.threshold));
    Ok(Simulation {
        draws,
        pass: total.pass,
        fail: total.fail,
        inconclusive: draws - total.pass - total.fail,
        rejections: tests
            .into_iter()
            .map(|(test, runs)| Rejections { test, runs })
            .collect(),
    })
}

/// One run of single trials.
fn single(design: &Design, stream: &mut Stream) -> PairedCounts {
    let (p, q) = (design.rate, design.candidate_rate());
    let both = both_pass(design);
    let mut counts = PairedCounts::default();
    for _ in 0..design.cases {
        let place = stream.uniform();
        if place < both {
            counts.both_pass += 1;
        } else if place < p {
            counts.regressions += 1;
        } else if place < p + q - both {
            counts.fixes += 1;
        } else {
            counts.both_fail += 1;
        }
    }
    counts
}

/// The probability that both arms pass a case.
fn both_pass(design: &Design) -> f64 {
    let (p, q) = (design.rate, design.candidate_rate());
    let spread = (p * (1.0 - p) * q * (1.0 - q)).sqrt();
    (p * q + design.correlation * spread)
        .max(p + q - 1.0)
        .clamp(0.0, p.min(q))
}

/// One run of repeated trials: passes of the candidate less passes of the baseline, per case.
fn repeated(design: &Design, stream: &mut Stream) -> Vec<i64> {
    (0..design.cases)
        .map(|_| {
            let (baseline, candidate) = repeated_case(design, stream);
            i64::from(candidate) - i64::from(baseline)
        })
        .collect()
}

/// One case of repeated trials: passes of the baseline and of the candidate.
fn repeated_case(design: &Design, stream: &mut Stream) -> (u32, u32) {
    let (p, q) = (design.rate, design.candidate_rate());
    let kept = if design.drop > 0.0 { q / p } else { 1.0 };
    let gained = if design.drop < 0.0 {
        1.0 - (1.0 - q) / (1.0 - p)
    } else {
        0.0
    };
    let mut urn = Urn::new(p, design.correlation.clamp(0.0, 1.0));
    let (mut baseline, mut candidate) = (0, 0);
    for _ in 0..design.trials {
        baseline += u32::from(urn.draw(stream));
    }
    for _ in 0..design.trials {
        let luck = stream.uniform();
        let passes = if urn.draw(stream) {
            luck < kept
        } else {
            luck < gained
        };
        candidate += u32::from(passes);
    }
    (baseline, candidate)
}

/// Draws the cases of a design one by one, for tables that need each of them.
pub struct CaseSampler {
    design: Design,
    both: f64,
    stream: Stream,
}

impl CaseSampler {
    /// Stream number `block` of `seed` for `design`.
    ///
    /// # Errors
    /// As [`simulate`], for the design.
    pub fn new(design: &Design, seed: u64, block: u64) -> Result<Self, Error> {
        design.check()?;
        Ok(Self {
            design: *design,
            both: both_pass(design),
            stream: Stream::new(seed, block),
        })
    }

    /// The next case: passed trials of the baseline and of the candidate.
    pub fn draw(&mut self) -> (u32, u32) {
        if self.design.trials > 1 {
            return repeated_case(&self.design, &mut self.stream);
        }
        let place = self.stream.uniform();
        let (p, q) = (self.design.rate, self.design.candidate_rate());
        let baseline = place < p;
        let candidate = place < self.both || (place >= p && place < p + q - self.both);
        (u32::from(baseline), u32::from(candidate))
    }
}

/// Pólya's urn: beta-binomial trials of one case without drawing the beta.
struct Urn {
    rate: f64,
    icc: f64,
    trials: f64,
    passes: f64,
}

impl Urn {
    fn new(rate: f64, icc: f64) -> Self {
        Self {
            rate,
            icc,
            trials: 0.0,
            passes: 0.0,
        }
    }

    fn draw(&mut self, stream: &mut Stream) -> bool {
        let weight = 1.0 - self.icc + self.trials * self.icc;
        let chance = if weight > 0.0 {
            (self.rate * (1.0 - self.icc) + self.passes * self.icc) / weight
        } else {
            self.rate
        };
        let passes = stream.uniform() < chance;
        self.trials += 1.0;
        self.passes += f64::from(u8::from(passes));
        passes
    }
}

/// Counts of a block of runs.
#[derive(Debug, Clone, Copy, Default)]
struct Outcomes {
    pass: usize,
    fail: usize,
    mid_p: usize,
    exact: usize,
    score_z: usize,
    two_proportion: usize,
    mean: usize,
    threshold: usize,
}

impl Outcomes {
    fn plus(self, other: &Self) -> Self {
        Self {
            pass: self.pass + other.pass,
            fail: self.fail + other.fail,
            mid_p: self.mid_p + other.mid_p,
            exact: self.exact + other.exact,
            score_z: self.score_z + other.score_z,
            two_proportion: self.two_proportion + other.two_proportion,
            mean: self.mean + other.mean,
            threshold: self.threshold + other.threshold,
        }
    }

    fn add_single(&mut self, counts: &PairedCounts, criteria: Criteria) {
        let Criteria { alpha, margin, .. } = criteria;
        let loss = -counts.effect().unwrap_or(0.0);
        self.threshold += usize::from(loss > criteria.threshold + EQUAL);
        let mid_p = mcnemar_mid_p(counts).p_regression;
        let unpaired = two_proportion_z(counts.candidate(), counts.baseline());
        self.mid_p += usize::from(mid_p < alpha);
        self.exact += usize::from(mcnemar_exact(counts).p_regression < alpha);
        self.score_z += usize::from(mcnemar_z(counts).p_regression < alpha);
        self.two_proportion += usize::from(unpaired.is_some_and(|test| test.p_regression < alpha));
        let p_noninferior = tango_noninferior(counts, margin).unwrap_or(1.0);
        self.decide(mid_p, p_noninferior, alpha);
    }

    fn add_repeated(&mut self, sums: &[i64], design: &Design, criteria: Criteria) {
        let Criteria { alpha, margin, .. } = criteria;
        let trials = f64::from(design.trials);
        let means: Vec<f64> = sums.iter().map(|&sum| sum as f64 / trials).collect();
        let loss = -means.iter().sum::<f64>() / f64::from(design.cases);
        self.threshold += usize::from(loss > criteria.threshold + EQUAL);
        let Ok(sample) = Sample::independent(&means) else {
            return;
        };
        let p_regression = if design.cases < FEW_CASES {
            sign_flip_of_integers(sums)
        } else {
            mean::p_regression(&sample).unwrap_or(1.0)
        };
        self.mean += usize::from(p_regression < alpha);
        let plain = mean::p_noninferior(&sample, margin).unwrap_or(1.0);
        let guarded = mean::p_guarded(&sample, margin).unwrap_or(1.0);
        self.decide(p_regression, plain.max(guarded), alpha);
    }

    fn decide(&mut self, p_regression: f64, p_noninferior: f64, alpha: f64) {
        if p_regression < alpha {
            self.fail += 1;
        } else if p_noninferior < alpha {
            self.pass += 1;
        }
    }
}

/// Exact one-sided sign-flip p of whole differences, by the distribution of the flipped sum.
fn sign_flip_of_integers(differences: &[i64]) -> f64 {
    let mut masses = std::collections::BTreeMap::from([(0_i64, 1.0)]);
    for &difference in differences.iter().filter(|&&difference| difference != 0) {
        let mut next = std::collections::BTreeMap::new();
        for (sum, mass) in masses {
            *next.entry(sum + difference).or_insert(0.0) += 0.5 * mass;
            *next.entry(sum - difference).or_insert(0.0) += 0.5 * mass;
        }
        masses = next;
    }
    let observed: i64 = differences.iter().sum();
    masses
        .range(..=observed)
        .map(|(_, mass)| mass)
        .sum::<f64>()
        .min(1.0)
}

#[cfg(test)]
mod tests;
