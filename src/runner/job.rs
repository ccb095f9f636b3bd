//! What the runner is given: the plan with everything that is needed to carry it out.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::base::{CaseId, Clock};
use crate::chat::{AnswerFault, Price};
use crate::dataset::Case;
use crate::prompt::PromptVersion;
use crate::provider::Endpoint;
use crate::provider::exec::Exec;
use crate::record::{Arm, AttemptFinished, JudgeCall, LogSpan, Run, TrialId};
use crate::score::{Answer, Context, Judge, Score, ScorerError, ScorerSpec};
use crate::suite::validate::CaseScorers;

use super::budget::Budget;

/// A plan, ready to be carried out.
pub struct Job {
    /// The planned cases, in the dataset's order.
    pub cases: Arc<Vec<Case>>,
    /// The trials in the order in which they are sent.
    pub order: Vec<TrialId>,
    /// The arms.
    pub arms: Vec<ArmJob>,
    /// The suite's scorers.
    pub scorers: Vec<ScorerSpec>,
    /// The scorers of cases that have their own, by the case's index.
    pub own_scorers: HashMap<u32, Vec<ScorerSpec>>,
    /// How an answer is scored by an assertion.
    pub scoring: Scoring,
    /// The judges, by scorer name.
    pub judges: HashMap<String, JudgeJob>,
    /// The models that give embeddings, by name.
    pub embedders: HashMap<String, EmbedderJob>,
    /// The commands of scorers, by their words.
    pub commands: HashMap<Vec<String>, Exec>,
    /// Faults of the answer that are scored instead of failing the trial.
    pub score_faults: Vec<AnswerFault>,
    /// When the run is looked at before its end, where the policy may stop it.
    pub looks: Option<Looks>,
    /// What an interrupted run has done already.
    pub prior: Option<Prior>,
}

impl Job {
    /// Whether a scorer compares the answers of both arms, so that their trials run together.
    #[must_use]
    pub fn compares(&self) -> bool {
        let own = self.own_scorers.values().flatten();
        let mut scorers = self.scorers.iter().chain(own);
        self.arms.len() > 1 && scorers.any(ScorerSpec::is_pairwise)
    }

    /// The scorers of a case.
    #[must_use]
    pub fn scorers_of(&self, case: u32) -> CaseScorers<'_> {
        let own = self.own_scorers.get(&case).map_or(&[][..], Vec::as_slice);
        CaseScorers::new(&self.scorers, own)
    }

    /// What an interrupted run knows of a call: the requests sent, and the reply that nobody scored
    /// yet. `judge` is the scorer with the name of its call; `None` is the answer itself.
    #[must_use]
    pub fn prior_call(
        &self,
        trial: TrialId,
        judge: Option<(&str, Option<&str>)>,
    ) -> (u32, Option<AttemptFinished>) {
        let prior = self.prior.as_ref();
        let found = prior.and_then(|prior| Some((prior, prior.run.trial(trial)?)));
        let Some((prior, record)) = found else {
            return (0, None);
        };
        let call = match judge {
            None => Some(&record.answer),
            Some((scorer, name)) => {
                let mut names = prior.run.scorers.iter();
                let index = names.position(|known| known.as_ref() == scorer);
                let is_it = |call: &&JudgeCall| {
                    Some(usize::from(call.scorer)) == index && call.name.as_deref() == name
                };
                record.judges.iter().find(is_it).map(|call| &call.record)
            }
        };
        let Some(call) = call else { return (0, None) };
        // A judge's reply that led to an error is not a verdict: the judge is asked again.
        let usable = judge.is_none() || record.outcome.is_none();
        let reply = call
            .reply_at
            .filter(|_| usable)
            .and_then(|span| prior.replies.reply(trial, span));
        (call.sends, reply)
    }
}

/// How an answer is scored by an assertion: [`crate::score::score`], or a stand-in of a test.
pub type Scoring = fn(&ScorerSpec, &Answer<'_>, &Context<'_>) -> Result<Score, ScorerError>;

/// When a run is looked at before its end.
pub struct Looks {
    /// The trials, in the order of the plan, after which a look is taken; the end is none.
    pub after: Vec<usize>,
    /// Why the run stops at a look, where it does; trials that have not begun have no outcome.
    pub stops: StopRule,
}

/// Why a run stops with the answers it has, if it does.
pub type StopRule = Box<dyn Fn(&Run) -> Option<String> + Send + Sync>;

/// What an interrupted run has done already.
pub struct Prior {
    /// The run up to its interruption.
    pub run: Run,
    /// Its replies, read from its log.
    pub replies: Arc<dyn StoredReplies>,
}

/// The replies of a run's log.
pub trait StoredReplies: Send + Sync {
    /// The attempt at a trial whose line stands there.
    fn reply(&self, trial: TrialId, span: LogSpan) -> Option<AttemptFinished>;
}

/// One arm of a plan.
pub struct ArmJob {
    /// Which side.
    pub arm: Arm,
    /// The version asked.
    pub prompt: Arc<PromptVersion>,
    /// The version's content hash as text.
    pub hash: String,
    /// What is added to a repeat's number: of two arms with the same version, the candidate's
    /// repeats are numbered on from the baseline's, so that the answers are independent.
    pub repeat_offset: u32,
    /// The model asked.
    pub endpoint: Arc<Endpoint>,
    /// The price of its answers, where known.
    pub price: Option<Price>,
    /// The most tokens that the model answers with, where known.
    pub most_output: Option<u32>,
    /// The answers of a stored run in place of calls.
    pub stored: Option<Arc<dyn StoredAnswers>>,
}

/// A judge with the model that it asks.
pub struct JudgeJob {
    /// The judge.
    pub judge: Judge,
    /// The version's content hash as text.
    pub hash: String,
    /// The most verdicts that a trial takes.
    pub most_verdicts: u32,
    /// The model asked.
    pub endpoint: Arc<Endpoint>,
    /// The price of its answers, where known.
    pub price: Option<Price>,
    /// The most tokens that the model answers with, where known.
    pub most_output: Option<u32>,
}

/// A model that gives embeddings.
pub struct EmbedderJob {
    /// The model asked.
    pub endpoint: Arc<Endpoint>,
    /// The price of its tokens, where known.
    pub price: Option<Price>,
}

/// The answers of a stored run.
pub trait StoredAnswers: Send + Sync {
    /// The answer to a case's repeat (from 1).
    fn answer(&self, case: &CaseId, repeat: u32) -> Option<AttemptFinished>;
}

/// How to run; nothing here can change a score.
pub struct RunOptions {
    /// Most requests in flight.
    pub concurrency: u32,
    /// Retries of ordinary faults.
    pub retries: u32,
    /// Time for one request.
    pub timeout: Duration,
    /// Time for the whole run.
    pub deadline: Option<Duration>,
    /// Requests a minute at most.
    pub rate: Option<f64>,
    /// Tokens a minute at most.
    pub token_rate: Option<f64>,
    /// The money of the command, shared by all its runs.
    pub budget: Arc<Mutex<Budget>>,
    /// Nothing may leave the machine.
    pub offline: bool,
    /// A lost must-pass case ends the run.
    pub fail_fast: bool,
    /// Answers are asked for in batches, and a batch is looked at this often at most.
    pub batch: Option<Duration>,
    /// The seed of jitter.
    pub seed: u64,
    /// The wall clock, for the record.
    pub clock: Arc<dyn Clock>,
}

/// A signal that stops a run: the first lets the requests in flight end, the second does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interrupt {
    /// SIGINT.
    Interrupted,
    /// SIGTERM.
    Terminated,
}
