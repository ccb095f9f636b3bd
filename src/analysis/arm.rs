//! Sums over one arm of a run, as reports print them.

use std::collections::BTreeMap;

use super::compare::number_clusters;
use crate::chat::{AnswerFault, ErrorClass};
use crate::record::{Arm, Outcome, Run, TrialRecord};
use crate::stats::mean::{self, Sample};
use crate::stats::proportion::wilson_interval;
use crate::stats::resample::percentile;

/// The level of the intervals that describe an arm; the floor of a policy has its own.
const LEVEL: f64 = 0.95;

/// One arm, summed up.
#[derive(Debug, Clone, PartialEq)]
pub struct ArmSummary {
    /// Which side.
    pub arm: Arm,
    /// Trials planned: `passed + failed + errored + skipped`.
    pub trials: u64,
    /// Trials that passed.
    pub passed: u64,
    /// Trials that failed, answer faults included.
    pub failed: u64,
    /// Trials without a usable answer.
    pub errored: u64,
    /// Trials not run.
    pub skipped: u64,
    /// Failed trials by fault of the answer.
    pub answer_faults: BTreeMap<AnswerFault, u64>,
    /// Errored trials by class.
    pub errors: BTreeMap<ErrorClass, u64>,
    /// Mean over finished case-arms that are not quarantined of the share of passed trials.
    pub pass_rate: Option<f64>,
    /// Its interval.
    pub ci: Option<RateInterval>,
    /// Tokens of the answers.
    pub usage: UsageSummary,
    /// What the answers cost, cached or not; `None` where one is unknown.
    pub cost_usd: Option<f64>,
    /// What the judges' answers cost.
    pub judge_cost_usd: Option<f64>,
    /// What was paid by this command.
    pub spent_usd: f64,
    /// Latency of the answers.
    pub latency_ms: LatencySummary,
    /// Answers from the cache, judges' included.
    pub cache_hits: u64,
    /// Requests sent, retries and judges' included.
    pub requests: u64,
    /// Requests sent again.
    pub retries: u64,
    /// Answers by reason to stop.
    pub finish_reasons: BTreeMap<String, u64>,
}

/// An interval of a rate, with how it was made.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RateInterval {
    /// Lower bound.
    pub low: f64,
    /// Upper bound.
    pub high: f64,
    /// Two-sided confidence level.
    pub level: f64,
    /// `wilson`.
    pub method: &'static str,
}

/// Sums of tokens; `None` where one answer's count is unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct UsageSummary {
    /// Tokens of the questions.
    pub input_tokens: Option<u64>,
    /// Tokens of the answers.
    pub output_tokens: Option<u64>,
    /// Tokens read from the provider's prompt cache.
    pub cached_input_tokens: Option<u64>,
}

/// Nearest-rank percentiles in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct LatencySummary {
    /// The median.
    pub p50: Option<f64>,
    /// The 95th percentile.
    pub p95: Option<f64>,
}

impl ArmSummary {
    /// Sums up an arm of a run. An arm that the run has not is empty.
    #[must_use]
    pub fn of_run(run: &Run, arm: Arm) -> Self {
        let totals = run.totals(arm);
        let mut summary = Self {
            arm,
            trials: 0,
            passed: 0,
            failed: 0,
            errored: 0,
            skipped: 0,
            answer_faults: BTreeMap::new(),
            errors: BTreeMap::new(),
            pass_rate: None,
            ci: None,
            usage: UsageSummary {
                input_tokens: Some(0),
                output_tokens: Some(0),
                cached_input_tokens: Some(0),
            },
            cost_usd: Some(0.0),
            judge_cost_usd: totals.judge_cost_usd,
            spent_usd: totals.spent_usd,
            latency_ms: LatencySummary::default(),
            cache_hits: totals.cache_hits,
            requests: totals.requests,
            retries: totals.retries,
            finish_reasons: BTreeMap::new(),
        };
        let mut latencies = Vec::new();
        for case in 0..run.cases.len() {
            for trial in run.repeats(case, arm) {
                summary.count(trial);
                if trial.answer.answered {
                    summary.add_answer(trial, run.finish_of(trial));
                    latencies.extend(trial.latency_ms.get());
                }
            }
        }
        summary.latency_ms = LatencySummary {
            p50: percentile(&latencies, 0.50).ok(),
            p95: percentile(&latencies, 0.95).ok(),
        };
        let rate = RateSample::of_run(run, arm);
        summary.pass_rate = rate.mean();
        summary.ci = rate.interval(LEVEL);
        summary
    }

    fn count(&mut self, trial: &TrialRecord) {
        self.trials += 1;
        match trial.outcome {
            Some(Outcome::Passed) => self.passed += 1,
            Some(Outcome::Failed) => {
                self.failed += 1;
                if let Some(fault) = trial.fault {
                    *self.answer_faults.entry(fault).or_default() += 1;
                }
            }
            Some(Outcome::Errored) => {
                self.errored += 1;
                let class = trial.error.as_ref().map(|error| error.class);
                let class = class.unwrap_or(ErrorClass::Internal);
                *self.errors.entry(class).or_default() += 1;
            }
            Some(Outcome::Skipped) | None => self.skipped += 1,
        }
    }

    fn add_answer(&mut self, trial: &TrialRecord, finish: Option<&str>) {
        let add = |sum: Option<u64>, count: Option<u64>| Some(sum?.saturating_add(count?));
        self.usage = UsageSummary {
            input_tokens: add(self.usage.input_tokens, trial.usage.input_tokens.get()),
            output_tokens: add(self.usage.output_tokens, trial.usage.output_tokens.get()),
            cached_input_tokens: add(
                self.usage.cached_input_tokens,
                trial.usage.cached_input_tokens.get(),
            ),
        };
        self.cost_usd = self
            .cost_usd
            .zip(trial.answer.cost_usd.get())
            .map(|(sum, cost)| sum + cost);
        if let Some(word) = finish {
            *self.finish_reasons.entry(word.to_owned()).or_default() += 1;
        }
    }
}

/// The finished case-arms of one arm: what a pass rate and its interval are made from.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RateSample {
    /// The share of passed trials of each finished case-arm.
    pub shares: Vec<f64>,
    /// The cluster of each, where cases are grouped.
    pub clusters: Option<Vec<usize>>,
    /// Finished trials behind them.
    pub trials: u64,
    /// Whether cases have repeats.
    pub repeated: bool,
}

impl RateSample {
    fn of_run(run: &Run, arm: Arm) -> Self {
        let names = run.cases.iter().map(|case| case.cluster.as_deref());
        let clusters = number_clusters(names);
        let mut sample = Self {
            repeated: run.header.repeat > 1,
            ..Self::default()
        };
        let mut groups = Vec::new();
        for (case, _) in run.gated_cases() {
            let repeats = run.repeats(case, arm);
            let count = |wanted| {
                let found = repeats.iter().filter(|trial| trial.outcome == Some(wanted));
                found.count()
            };
            let (passed, failed) = (count(Outcome::Passed), count(Outcome::Failed));
            let finished = passed + failed;
            if 2 * finished <= repeats.len() {
                continue;
            }
            sample.shares.push(passed as f64 / finished as f64);
            sample.trials += finished as u64;
            groups.extend(clusters.as_ref().and_then(|list| list.get(case)));
        }
        sample.clusters = clusters.is_some().then_some(groups);
        sample
    }

    /// The rate: the mean of the shares; `None` without a finished case.
    #[must_use]
    pub fn mean(&self) -> Option<f64> {
        let n = self.shares.len();
        (n > 0).then(|| self.shares.iter().sum::<f64>() / n as f64)
    }

    /// Independent units: clusters, or cases where there are none.
    #[must_use]
    pub fn units(&self) -> usize {
        match &self.clusters {
            None => self.shares.len(),
            Some(groups) => {
                let distinct: std::collections::BTreeSet<usize> = groups.iter().copied().collect();
                distinct.len()
            }
        }
    }

    /// Wilson's interval of the rate; with repeats or clusters on n* cases (statistics.md section 3).
    #[must_use]
    pub fn interval(&self, level: f64) -> Option<RateInterval> {
        let mean = self.mean()?;
        let n = self.size();
        let interval = wilson_interval((mean * n).min(n), n, level).ok()?;
        Some(RateInterval {
            low: interval.low,
            high: interval.high,
            level,
            method: "wilson",
        })
    }

    /// The number of independent trials that are worth as much as these; the cases, where each has one
    /// and stands alone.
    #[must_use]
    pub fn size(&self) -> f64 {
        if self.repeated || self.clusters.is_some() {
            self.effective_n()
        } else {
            self.shares.len() as f64
        }
    }

    /// The number of independent trials that are worth as much as these.
    fn effective_n(&self) -> f64 {
        let sample = match &self.clusters {
            None => Sample::independent(&self.shares),
            Some(groups) => Sample::clustered(&self.shares, groups),
        };
        let estimate = sample.and_then(|sample| mean::estimate(&sample));
        estimate
            .and_then(|estimate| mean::effective_n(&estimate, self.trials))
            .unwrap_or_else(|_| self.units().max(1) as f64)
    }
}
