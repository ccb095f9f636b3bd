//! The events of a run, in memory. Cases are named by their index in the plan, so that an event is
//! small; the codec writes their ids.

use serde::{Deserialize, Serialize};

use super::RunHeader;
use crate::base::{Digest, Timestamp};
use crate::chat::{AnswerFault, ErrorClass, Finish, Usage};
use crate::dataset::Case;
use crate::score::Part;

/// One side of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Arm {
    /// The version that is there.
    Baseline,
    /// The version that may replace it.
    Candidate,
}

impl Arm {
    /// The side that it is compared with.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::Baseline => Self::Candidate,
            Self::Candidate => Self::Baseline,
        }
    }

    /// The word in files and results.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Baseline => "baseline",
            Self::Candidate => "candidate",
        }
    }
}

/// Case x arm x repeat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TrialId {
    /// The index of the case in the plan's list, which has the dataset's order.
    pub case: u32,
    /// The side.
    pub arm: Arm,
    /// From 1.
    pub repeat: u32,
}

/// How a trial ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// All gating scorers pass.
    Passed,
    /// A gating scorer does not pass, or the answer has a fault.
    Failed,
    /// No usable answer: the wire's or a judge's fault.
    Errored,
    /// Not run.
    Skipped,
}

impl Outcome {
    /// The word in files and results.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Errored => "errored",
            Self::Skipped => "skipped",
        }
    }
}

/// Why a trial was not run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Skip {
    /// The money was used up.
    Budget,
    /// The time was used up.
    Deadline,
    /// A signal stopped the run.
    Cancelled,
    /// The verdict could no longer change, or early stopping had decided it.
    Stopped,
    /// The answer is not in the cache, and nothing may leave the machine.
    Offline,
    /// The run was given up.
    Infra,
}

impl Skip {
    /// The word in files and results.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Budget => "budget",
            Self::Deadline => "deadline",
            Self::Cancelled => "cancelled",
            Self::Stopped => "stopped",
            Self::Offline => "offline",
            Self::Infra => "infra",
        }
    }
}

/// Why a run ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FinishReason {
    /// `complete`, or a word of reliability-security.md such as `budget`, `auth`, `interrupted`.
    pub reason: String,
    /// A sentence for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

impl FinishReason {
    /// The run did all that was planned.
    #[must_use]
    pub fn complete() -> Self {
        Self {
            reason: "complete".to_owned(),
            message: None,
        }
    }

    /// Whether the run did all that was planned.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.reason == "complete"
    }
}

/// An attempt that has ended, well or not; a cache hit is one without an intent.
#[derive(Debug, Clone, PartialEq)]
pub struct AttemptFinished {
    /// The trial.
    pub trial: TrialId,
    /// The scorer whose judge was asked; `None` for the answer itself.
    pub scorer: Option<String>,
    /// Which of the scorer's calls it was, where a scorer makes several.
    pub call: Option<String>,
    /// From 1 within the trial, scorer and call.
    pub attempt: u32,
    /// The cache key of the call.
    pub key: Digest,
    /// The class of the fault; `None` for an answer.
    pub class: Option<ErrorClass>,
    /// What happened, for people, where there was a fault.
    pub message: Option<String>,
    /// The text of the answer.
    pub reply: String,
    /// Why the model stopped, where it answered.
    pub finish: Option<Finish>,
    /// The calls of tools asked for.
    pub tool_calls: Vec<crate::chat::ToolCall>,
    /// Tokens.
    pub usage: Usage,
    /// What the answer cost, cached or not; unknown where price or usage is.
    pub cost_usd: Option<f64>,
    /// The model that answered, by its own word.
    pub served_model: Option<String>,
    /// The backend configuration, by the vendor's word.
    pub fingerprint: Option<String>,
    /// How long the answer took when it was made.
    pub latency_ms: Option<f64>,
    /// The likeliest tokens, where they were asked for.
    pub token_choices: Vec<crate::chat::TokenChoice>,
    /// Whether the answer comes from the response cache.
    pub cached: bool,
    /// What was paid, where the answer came in a batch; such an answer has no latency.
    pub batch: Option<BatchCost>,
}

/// What an answer out of a batch cost, which is less than its price alone.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct BatchCost {
    /// USD; unknown where the price of a batch or the usage is.
    pub paid_usd: Option<f64>,
}

/// A batch that the provider has taken in: whoever goes on with the run asks for this one again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchSubmitted {
    /// The model, by its name in the suite.
    pub model: String,
    /// The provider's id of the batch.
    pub id: String,
    /// The requests in it.
    pub requests: usize,
}

/// What a model answered, without what is known about the answer.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Reply {
    /// The text of the answer.
    pub reply: String,
    /// The calls of tools asked for.
    pub tool_calls: Vec<crate::chat::ToolCall>,
}

/// The score of one scorer on one trial.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScoreRecord {
    /// The scorer's name.
    pub scorer: String,
    /// Whether it passes.
    pub pass: bool,
    /// 0 to 1.
    pub score: f64,
    /// Why, in a sentence.
    pub reason: String,
    /// What it was made of, where several judgements were.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<Part>,
    /// Whether the scorer decides if the trial passes.
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    pub gating: bool,
}

fn yes() -> bool {
    true
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the form that serde calls"
)]
fn is_true(value: &bool) -> bool {
    *value
}

/// The fault of an errored trial.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrialError {
    /// Its class.
    pub class: ErrorClass,
    /// What happened, for people.
    pub message: String,
}

/// The end of a trial.
#[derive(Debug, Clone, PartialEq)]
pub struct TrialFinished {
    /// The trial.
    pub trial: TrialId,
    /// How it ended.
    pub outcome: Outcome,
    /// The fault of the answer, where it is one that fails the trial.
    pub fault: Option<AnswerFault>,
    /// The fault that made the trial errored.
    pub error: Option<TrialError>,
    /// Why the trial was not run.
    pub skipped: Option<Skip>,
    /// The scores; none where the trial is errored or skipped.
    pub scores: Vec<ScoreRecord>,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// The run begins.
    RunStarted(Box<RunHeader>),
    /// A case of the plan; all of them follow the beginning, in the dataset's order.
    CasePlanned(Box<Case>),
    /// The run goes on after an interruption.
    RunResumed {
        /// The version of the program that goes on.
        tool: String,
        /// Whether nothing may leave the machine from here on.
        offline: bool,
    },
    /// The intent: a request is about to be sent.
    AttemptStarted {
        /// The trial.
        trial: TrialId,
        /// The scorer whose judge is asked; `None` for the answer itself.
        scorer: Option<String>,
        /// Which of the scorer's calls it is, where a scorer makes several.
        call: Option<String>,
        /// From 1 within the trial, scorer and call.
        attempt: u32,
        /// The cache key of the call.
        key: Digest,
    },
    /// The intents before this were sent, as one batch.
    BatchSubmitted(BatchSubmitted),
    /// An attempt has ended.
    AttemptFinished(Box<AttemptFinished>),
    /// The result: a trial has ended.
    TrialFinished(Box<TrialFinished>),
    /// The run has ended.
    RunFinished(FinishReason),
}

/// Takes the events of a run, one after the other.
pub trait EventSink {
    /// Why the sink could not take an event.
    type Error;

    /// Takes an event that happened at a time.
    ///
    /// # Errors
    /// When the sink can not go on, such as when a disk is full.
    fn take(&mut self, at: Timestamp, event: &Event) -> Result<(), Self::Error>;
}
