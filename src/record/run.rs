//! A run as its events leave it: compact enough that a hundred thousand cases fit in memory. Texts
//! stay in the log; a trial knows where.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;

use smallvec::SmallVec;

use super::event::{BatchSubmitted, TrialError};
use super::{Amount, Arm, Count, FinishReason, Outcome, RunHeader, Skip, TrialId};
use crate::base::Timestamp;
use crate::chat::{AnswerFault, Usage};
use crate::dataset::Case;
use crate::score::judge::Position;

/// Where a line of the log stands, newline excluded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogSpan {
    /// The byte at which the line begins.
    pub offset: u64,
    /// Never 0, so that a span that is not there takes no space of its own.
    length: NonZeroU32,
}

impl LogSpan {
    /// The place of a line that begins at `offset` and has so many bytes.
    #[must_use]
    pub fn new(offset: u64, length: usize) -> Self {
        let length = u32::try_from(length).unwrap_or(u32::MAX);
        Self {
            offset,
            length: NonZeroU32::new(length).unwrap_or(NonZeroU32::MIN),
        }
    }

    /// The line's length in bytes.
    #[must_use]
    pub fn length(self) -> usize {
        self.length.get() as usize
    }
}

/// The score of one scorer, without its reason.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ScoreSummary {
    /// The index of the scorer's name in [`Run::scorers`].
    pub scorer: u16,
    /// Whether it passes.
    pub pass: bool,
    /// Whether the scorer decides if the trial passes.
    pub gating: bool,
    /// 0 to 1.
    pub score: f64,
    /// The place that a judge chose in both orders, where the score is of a comparison.
    pub position: Option<Position>,
}

/// The attempts at one call, summed up so that folding an attempt twice changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct CallRecord {
    /// Requests sent, retries included; 0 where the cache had the answer.
    pub sends: u32,
    /// The number of the last attempt that ended.
    pub ended: u32,
    /// Whether there is an answer.
    pub answered: bool,
    /// The line with the answer's text.
    pub reply_at: Option<LogSpan>,
    /// Whether the answer comes from the response cache.
    pub cached: bool,
    /// What the answer cost; unknown is `None`.
    pub cost_usd: Amount,
    /// What was paid for answers in the command of `paid_in`.
    pub paid_usd: f64,
    /// Whether an answer was paid for whose price is unknown.
    pub paid_unknown: bool,
    /// The command that paid: 0 for the first, 1 after the first resume, and so on.
    pub paid_in: u16,
}

/// A call of a judge with its attempts.
#[derive(Debug, Clone, PartialEq)]
pub struct JudgeCall {
    /// The index of the scorer's name in [`Run::scorers`].
    pub scorer: u16,
    /// Which of the scorer's calls it is, where a scorer makes several.
    pub name: Option<Box<str>>,
    /// Its attempts, summed up.
    pub record: CallRecord,
}

/// The tokens of an answer, as far as reports need them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TrialUsage {
    /// All tokens of the question, cached ones included.
    pub input_tokens: Count,
    /// Those read from the provider's prompt cache.
    pub cached_input_tokens: Count,
    /// All tokens of the answer, reasoning included.
    pub output_tokens: Count,
}

impl From<Usage> for TrialUsage {
    fn from(usage: Usage) -> Self {
        Self {
            input_tokens: usage.input_tokens.into(),
            cached_input_tokens: usage.cached_input_tokens.into(),
            output_tokens: usage.output_tokens.into(),
        }
    }
}

/// A trial that has ended, or has begun to.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TrialRecord {
    /// How it ended; `None` while it has not.
    pub outcome: Option<Outcome>,
    /// The fault of the answer that failed it.
    pub fault: Option<AnswerFault>,
    /// Why it was not run.
    pub skipped: Option<Skip>,
    /// The fault that made it errored.
    pub error: Option<Box<TrialError>>,
    /// The scores.
    pub scores: SmallVec<[ScoreSummary; 1]>,
    /// Why the model stopped, where it answered: the index of the word in [`Run::finishes`].
    pub finish: Option<u16>,
    /// Tokens of the answer.
    pub usage: TrialUsage,
    /// How long the answer took.
    pub latency_ms: Amount,
    /// The calls for the answer.
    pub answer: CallRecord,
    /// The calls of judges.
    pub judges: Box<[JudgeCall]>,
    /// The line with the scores' reasons.
    pub result_at: Option<LogSpan>,
}

impl TrialRecord {
    /// The mean of the gating scorers' scores; 0 for a fault of the answer; `None` without a result.
    #[must_use]
    pub fn score(&self) -> Option<f64> {
        match self.outcome? {
            Outcome::Errored | Outcome::Skipped => None,
            Outcome::Failed if self.fault.is_some() => Some(0.0),
            Outcome::Passed | Outcome::Failed => {
                let gating = || self.scores.iter().filter(|score| score.gating);
                #[expect(clippy::cast_precision_loss, reason = "a trial has few scorers")]
                let count = gating().count() as f64;
                (count > 0.0).then(|| gating().map(|score| score.score).sum::<f64>() / count)
            }
        }
    }
}

/// Sums over the calls of an arm, judges' calls included unless said.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CallTotals {
    /// Requests sent, retries included.
    pub requests: u64,
    /// Requests sent again after a fault.
    pub retries: u64,
    /// Answers that came from the response cache.
    pub cache_hits: u64,
    /// What the judges' answers cost, cached or not; `None` when one is unknown.
    pub judge_cost_usd: Option<f64>,
    /// What was paid since the command began: answers that were not cached.
    pub spent_usd: f64,
    /// Answers paid for whose price is unknown.
    pub unknown_cost: u64,
}

impl CallTotals {
    fn add(&mut self, call: &CallRecord, command: u16) {
        self.requests += u64::from(call.sends);
        self.retries += u64::from(call.sends.saturating_sub(1));
        self.cache_hits += u64::from(call.cached);
        if call.paid_in == command {
            self.spent_usd += call.paid_usd;
            self.unknown_cost += u64::from(call.paid_unknown);
        }
    }
}

/// Everything that is known of a run.
#[derive(Debug, Clone)]
pub struct Run {
    /// What the run is about.
    pub header: RunHeader,
    /// The planned cases, in the dataset's order.
    pub cases: Arc<Vec<Case>>,
    /// The names of all scorers met, the suite's first.
    pub scorers: Vec<Arc<str>>,
    /// The words for why models stopped, in the order in which they were met.
    pub finishes: Vec<Arc<str>>,
    /// The trials by [`Run::index`].
    pub trials: Vec<TrialRecord>,
    /// The models that answered, by their own word, with their backend configurations, by arm.
    pub served: BTreeMap<Arm, Vec<String>>,
    /// The models that judged, by their own word.
    pub judges_served: Vec<String>,
    /// How the run ended; `None` while it has not.
    pub finished: Option<FinishReason>,
    /// When it began.
    pub started_at: Timestamp,
    /// When its last event happened.
    pub last_at: Timestamp,
    /// How often the run was resumed.
    pub resumes: u16,
    /// The batches that the provider took in, in their order.
    pub batches: Vec<BatchSubmitted>,
}

impl Run {
    /// Where a trial stands in [`Run::trials`].
    #[must_use]
    pub fn index(&self, trial: TrialId) -> Option<usize> {
        let arm = self
            .header
            .arms
            .iter()
            .position(|header| header.arm == trial.arm)?;
        let repeats = self.header.repeat as usize;
        let repeat = (trial.repeat as usize)
            .checked_sub(1)
            .filter(|repeat| *repeat < repeats)?;
        Some((trial.case as usize * self.header.arms.len() + arm) * repeats + repeat)
    }

    /// A trial.
    #[must_use]
    pub fn trial(&self, trial: TrialId) -> Option<&TrialRecord> {
        self.trials.get(self.index(trial)?)
    }

    /// The repeats of a case in an arm, in order; empty for an arm that the run has not.
    #[must_use]
    pub fn repeats(&self, case: usize, arm: Arm) -> &[TrialRecord] {
        let case = u32::try_from(case).unwrap_or(u32::MAX);
        let start = self.index(TrialId {
            case,
            arm,
            repeat: 1,
        });
        let range = start.map(|start| start..start + self.header.repeat as usize);
        range
            .and_then(|range| self.trials.get(range))
            .unwrap_or_default()
    }

    /// The word for why the model stopped, where it answered.
    #[must_use]
    pub fn finish_of(&self, trial: &TrialRecord) -> Option<&str> {
        let word = self.finishes.get(usize::from(trial.finish?))?;
        Some(word)
    }

    /// The cases that have a say in the gate, with their indices.
    pub fn gated_cases(&self) -> impl Iterator<Item = (usize, &Case)> {
        let cases = self.cases.iter().enumerate();
        cases.filter(|(_, case)| !case.is_held_out())
    }

    /// Sums over the calls of an arm.
    #[must_use]
    pub fn totals(&self, arm: Arm) -> CallTotals {
        let mut totals = CallTotals {
            judge_cost_usd: Some(0.0),
            ..CallTotals::default()
        };
        for case in 0..self.cases.len() {
            for trial in self.repeats(case, arm) {
                totals.add(&trial.answer, self.resumes);
                for call in trial.judges.iter().map(|call| &call.record) {
                    totals.add(call, self.resumes);
                    if call.answered {
                        totals.judge_cost_usd = totals
                            .judge_cost_usd
                            .zip(call.cost_usd.get())
                            .map(|(a, b)| a + b);
                    }
                }
            }
        }
        totals
    }

    /// The arms of the run, the candidate last.
    pub fn arms(&self) -> impl Iterator<Item = Arm> {
        self.header.arms.iter().map(|header| header.arm)
    }

    /// Whether the run did all that was planned.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.finished
            .as_ref()
            .is_some_and(FinishReason::is_complete)
    }

    /// Whether the run compares two arms.
    #[must_use]
    pub fn is_comparison(&self) -> bool {
        self.header.arms.len() > 1
    }
}
