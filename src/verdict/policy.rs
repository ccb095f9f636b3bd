//! The policy of a suite: what the candidate has to show, with presets and defaults resolved.
//! Reading it from a file is `decode`'s.

mod decode;

use serde_json::{Map, Value, json};

use super::calibration::RequireCalibration;
use crate::analysis::{Amount, Measure};
use crate::base::node::json_number;
use crate::chat::AnswerFault;

/// A resolved policy (formats.md section 5).
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// The preset that set the defaults.
    pub preset: Preset,
    /// One-sided probability of a false alarm, over the whole family.
    pub alpha: f64,
    /// Power that planning figures are made for.
    pub power: f64,
    /// Allowed loss of the pass rate.
    pub margin: f64,
    /// What `pass` takes.
    pub require: Require,
    /// The test of the pass rate.
    pub test: TestChoice,
    /// What an inconclusive verdict does.
    pub on_inconclusive: OnInconclusive,
    /// The segments.
    pub segments: SegmentPolicy,
    /// Largest share of planned pairs that may be missing.
    pub max_missing: f64,
    /// Whether a significant loss within the margin passes.
    pub tolerate_within_margin: bool,
    /// Whether a loss may end the run before all cases are asked.
    pub early_stop: EarlyStop,
    /// How well gating judges have to agree with people; `None` asks for nothing.
    pub require_calibration: Option<RequireCalibration>,
    /// Absolute floor of the candidate's pass rate.
    pub min_pass_rate: Option<f64>,
    /// Further metrics, by name.
    pub metrics: Vec<MetricRule>,
}

/// A named set of defaults.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preset {
    /// A pull request of about 50 cases: block on evidence of harm.
    Smoke,
    /// Block unless shown not to be worse.
    Promote,
    /// Pass only when significantly better.
    Improve,
}

/// What `pass` takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Require {
    /// Not worse than the margin allows.
    NonInferior,
    /// Significantly better.
    Better,
}

/// The test that decides on a regression of pass or fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TestChoice {
    /// By the data: mid-p, or t where cases have repeats or clusters.
    Auto,
    /// `McNemar`'s mid-p test.
    McnemarMidP,
    /// `McNemar`'s exact test.
    McnemarExact,
    /// `McNemar`'s score test.
    McnemarScore,
    /// The two-proportion z-test.
    Z,
    /// The paired t-test.
    PairedT,
}

/// What an inconclusive verdict does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnInconclusive {
    /// Exit 4.
    Block,
    /// Exit 0, said loudly.
    Warn,
}

/// Whether a loss may end the run before all cases are asked, and how its level is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EarlyStop {
    /// It may not.
    None,
    /// Five looks with the spending function of O'Brien and Fleming.
    ObrienFleming,
    /// An e-process, valid at any time, looked at ten times.
    EProcess,
}

/// Whether a rule decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// It decides.
    Gate,
    /// It is shown.
    Watch,
}

/// The segments that are looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentPolicy {
    /// Their keys; `None` for every key.
    pub keys: Option<Vec<String>>,
    /// Whether a segment can fail the gate.
    pub mode: Mode,
    /// Fewest cases for a test.
    pub min_cases: u64,
}

/// A further metric.
#[derive(Debug, Clone, PartialEq)]
pub struct MetricRule {
    /// Which.
    pub metric: Metric,
    /// What is allowed.
    pub limit: Limit,
    /// Whether it decides.
    pub mode: Mode,
}

/// A metric besides the pass rate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Metric {
    /// The mean score of a scorer.
    Score(String),
    /// The share of answers with a fault.
    Fault(AnswerFault),
    /// Money, time or tokens.
    Amount(Amount),
}

/// What is allowed of a metric.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Limit {
    /// A loss, for scores and shares.
    Margin(f64),
    /// A ratio, for amounts.
    MaxRatio(f64, Statistic),
}

/// What of an amount is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Statistic {
    /// The mean of the log ratios.
    Mean,
    /// The median of each arm.
    P50,
    /// The 95th percentile of each arm.
    P95,
}

impl Default for Policy {
    fn default() -> Self {
        Self::preset(Preset::Smoke)
    }
}

impl Policy {
    /// The defaults of a preset.
    #[must_use]
    pub fn preset(preset: Preset) -> Self {
        let (margin, require, on_inconclusive) = match preset {
            Preset::Smoke => (0.10, Require::NonInferior, OnInconclusive::Warn),
            Preset::Promote => (0.05, Require::NonInferior, OnInconclusive::Block),
            Preset::Improve => (0.05, Require::Better, OnInconclusive::Block),
        };
        Self {
            preset,
            alpha: 0.05,
            power: 0.8,
            margin,
            require,
            test: TestChoice::Auto,
            on_inconclusive,
            segments: SegmentPolicy {
                keys: None,
                mode: Mode::Watch,
                min_cases: 20,
            },
            max_missing: 0.05,
            tolerate_within_margin: false,
            early_stop: EarlyStop::None,
            require_calibration: None,
            min_pass_rate: None,
            metrics: Vec::new(),
        }
    }

    /// The confidence level that goes with `alpha` on each side.
    #[must_use]
    pub fn level(&self) -> f64 {
        1.0 - 2.0 * self.alpha
    }

    /// The scorers that metrics name, for the suite to check.
    pub fn scorers(&self) -> impl Iterator<Item = &str> {
        self.metrics.iter().filter_map(|rule| match &rule.metric {
            Metric::Score(scorer) => Some(scorer.as_str()),
            Metric::Fault(_) | Metric::Amount(_) => None,
        })
    }

    /// The resolved policy with all defaults; it decodes to the same policy.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut segments = Map::new();
        if let Some(keys) = &self.segments.keys {
            segments.insert("keys".to_owned(), json!(keys));
        }
        segments.insert("mode".to_owned(), self.segments.mode.as_str().into());
        segments.insert("min_cases".to_owned(), self.segments.min_cases.into());
        let mut policy = json!({
            "preset": self.preset.as_str(),
            "alpha": json_number(self.alpha),
            "power": json_number(self.power),
            "margin": json_number(self.margin),
            "require": self.require.as_str(),
            "test": self.test.as_str(),
            "on_inconclusive": self.on_inconclusive.as_str(),
            "segments": segments,
            "max_missing": json_number(self.max_missing),
            "tolerate_within_margin": self.tolerate_within_margin,
            "early_stop": self.early_stop.as_str(),
        });
        if let Some(object) = policy.as_object_mut() {
            if let Some(required) = self.require_calibration {
                object.insert("require_calibration".to_owned(), required.to_json());
            }
            if let Some(floor) = self.min_pass_rate {
                object.insert("min_pass_rate".to_owned(), json_number(floor));
            }
            if !self.metrics.is_empty() {
                let metrics = self.metrics.iter().map(MetricRule::to_json).collect();
                object.insert("metrics".to_owned(), metrics);
            }
        }
        policy
    }
}

impl MetricRule {
    fn to_json(&self) -> Value {
        let mut rule = json!({"metric": self.metric.name(), "mode": self.mode.as_str()});
        if let Some(object) = rule.as_object_mut() {
            match self.limit {
                Limit::Margin(margin) => {
                    object.insert("margin".to_owned(), json_number(margin));
                }
                Limit::MaxRatio(ratio, statistic) => {
                    object.insert("max_ratio".to_owned(), json_number(ratio));
                    object.insert("statistic".to_owned(), statistic.as_str().into());
                }
            }
        }
        rule
    }
}

impl Metric {
    /// Its name in files and results.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Score(scorer) => format!("score.{scorer}"),
            Self::Fault(fault) => format!("rate.{}", fault.as_str()),
            Self::Amount(amount) => amount_name(*amount).to_owned(),
        }
    }

    /// The measure of a share of faults, turned over so that higher is better.
    pub(super) fn no_fault(fault: AnswerFault) -> Measure {
        let index = AnswerFault::WORDS
            .iter()
            .position(|(_, word)| *word == fault);
        Measure::NoFault(index.unwrap_or(usize::MAX))
    }
}

/// The metrics that are amounts, by name.
const AMOUNTS: [(&str, Amount); 4] = [
    ("cost_usd", Amount::CostUsd),
    ("latency_ms", Amount::LatencyMs),
    ("input_tokens", Amount::InputTokens),
    ("output_tokens", Amount::OutputTokens),
];

fn amount_name(amount: Amount) -> &'static str {
    match amount {
        Amount::CostUsd => "cost_usd",
        Amount::LatencyMs => "latency_ms",
        Amount::InputTokens => "input_tokens",
        Amount::OutputTokens => "output_tokens",
    }
}

/// The word of a value among the words that are read.
fn word_of<T: PartialEq>(words: &[(&'static str, T)], value: &T) -> &'static str {
    let found = words.iter().find(|(_, known)| known == value);
    found.map_or("", |(word, _)| word)
}

/// Gives an enum its words: a table for reading, and `as_str`.
macro_rules! words {
    ($name:ident, $($word:literal => $variant:ident),+ $(,)?) => {
        impl $name {
            /// All values by their words.
            pub const WORDS: &'static [(&'static str, Self)] = &[$(($word, Self::$variant)),+];

            /// The word in files and results.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                word_of(Self::WORDS, &self)
            }
        }
    };
}

words!(Preset, "smoke" => Smoke, "promote" => Promote, "improve" => Improve);
words!(Require, "non-inferior" => NonInferior, "better" => Better);
words!(TestChoice,
    "auto" => Auto, "mcnemar-midp" => McnemarMidP, "mcnemar-exact" => McnemarExact,
    "mcnemar-score" => McnemarScore, "z" => Z, "paired-t" => PairedT);
words!(OnInconclusive, "block" => Block, "warn" => Warn);
words!(EarlyStop,
    "none" => None, "obrien-fleming" => ObrienFleming, "e-process" => EProcess);
words!(Mode, "gate" => Gate, "watch" => Watch);
words!(Statistic, "mean" => Mean, "p50" => P50, "p95" => P95);
