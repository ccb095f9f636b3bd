//! Sums over one arm of a run, as reports print them.

use std::collections::BTreeMap;

use crate::chat::{AnswerFault, ErrorClass};
use crate::record::Arm;

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
    /// Mean over finished case-arms of the share of passed trials.
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
