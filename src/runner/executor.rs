//! Drives one trial from question to scores. A panic in a scorer makes the trial errored; it never
//! takes the run down.

use std::any::Any;
use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::FutureExt;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::asking::{Asking, Message, NoAnswer, Told};
use super::batch::Gathered;
use super::budget::Budget;
use super::circuit::Stop;
use super::gate::Gate;
use super::job::{ArmJob, Job, RunOptions};
use super::scoring::{self, Seat};
use crate::chat::{AnswerFault, ErrorClass, Request, Role};
use crate::dataset::Case;
use crate::provider::{Call, Endpoint, Sealed, Subject, Version};
use crate::record::event::TrialError;
use crate::record::{Event, Outcome, ScoreRecord, Skip, TrialFinished, TrialId};
use crate::score::{Answer, Context};
use crate::store::cache::{CacheReader, CachedReply};

/// What all trials share.
pub struct Shared {
    /// The plan.
    pub job: Job,
    /// How to run.
    pub options: RunOptions,
    /// Cancelled when nothing more may be sent.
    pub stopped: CancellationToken,
    /// Why, once it is.
    pub stop: Mutex<Option<Stop>>,
    /// The response cache, to read.
    pub cache: Mutex<CacheReader>,
    /// The answers that come in batches.
    pub batches: Gathered,
    /// The ways to the endpoints, by the endpoint's place in memory.
    pub gates: HashMap<usize, Gate>,
    /// To the dispatcher.
    pub messages: mpsc::Sender<Message>,
}

/// The identity of an endpoint within one run.
#[must_use]
pub fn endpoint_id(endpoint: &Arc<Endpoint>) -> usize {
    Arc::as_ptr(endpoint) as usize
}

impl Shared {
    /// Tells the dispatcher.
    ///
    /// # Errors
    /// When the dispatcher has gone.
    pub async fn send(&self, message: Message) -> Result<(), NoAnswer> {
        Ok(self.messages.send(message).await?)
    }

    /// The money of the command.
    pub fn budget(&self) -> std::sync::MutexGuard<'_, Budget> {
        self.options
            .budget
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// The stored answer of a call.
    #[must_use]
    pub fn cached(&self, sealed: &Sealed) -> Option<CachedReply> {
        self.cache
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&sealed.key(), sealed.request())
    }

    /// Ends all sending; the first reason stays.
    pub fn stop(&self, stop: Stop) {
        self.stop
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get_or_insert(stop);
        self.stopped.cancel();
    }

    /// Why a trial that is not sent any more is skipped.
    #[must_use]
    pub fn skip_reason(&self) -> Skip {
        let stop = self.stop.lock().unwrap_or_else(PoisonError::into_inner);
        stop.as_ref().map_or(Skip::Cancelled, |stop| stop.skip)
    }
}

/// Runs one trial and reports its result.
pub async fn run_trial(shared: Arc<Shared>, trial: TrialId) {
    // The state of a call is large: on the heap it is not copied from task to task.
    let result = AssertUnwindSafe(Box::pin(conclude(&shared, trial)))
        .catch_unwind()
        .await;
    let result = result.unwrap_or_else(|panic| panicked(trial, panic.as_ref()));
    // Without a dispatcher there is nobody left to tell.
    let _ = shared
        .send(Message::Happened(Event::TrialFinished(Box::new(result))))
        .await;
}

/// The result of a trial in which this program panicked.
pub(super) fn panicked(trial: TrialId, panic: &(dyn Any + Send)) -> TrialFinished {
    let said = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let said = said
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_default();
    let message = format!("a fault of this program: {said}");
    errored(
        trial,
        TrialError {
            class: ErrorClass::Internal,
            message,
        },
    )
}

fn finished(trial: TrialId, outcome: Outcome) -> TrialFinished {
    TrialFinished {
        trial,
        outcome,
        fault: None,
        error: None,
        skipped: None,
        scores: Vec::new(),
    }
}

fn errored(trial: TrialId, error: TrialError) -> TrialFinished {
    TrialFinished {
        error: Some(error),
        ..finished(trial, Outcome::Errored)
    }
}

/// A trial that was not run.
#[must_use]
pub fn skipped(trial: TrialId, skip: Skip) -> TrialFinished {
    TrialFinished {
        skipped: Some(skip),
        ..finished(trial, Outcome::Skipped)
    }
}

fn failed_by(trial: TrialId, fault: AnswerFault) -> TrialFinished {
    TrialFinished {
        fault: Some(fault),
        ..finished(trial, Outcome::Failed)
    }
}

async fn conclude(shared: &Shared, trial: TrialId) -> TrialFinished {
    concluded(trial, score_alone(shared, trial).await)
}

/// The result that an answer with all its scores means, or the want of one.
pub(super) fn concluded(trial: TrialId, half: Result<Half, NoAnswer>) -> TrialFinished {
    let result = half.and_then(|half| match half {
        Half::Faulty(fault) => Ok(failed_by(trial, fault)),
        Half::Scored(scored) => conclude_scores(trial, scored.scores),
    });
    match result {
        Ok(result) => result,
        Err(NoAnswer::Skipped(skip)) => skipped(trial, skip),
        Err(NoAnswer::Fault(fault, _)) => failed_by(trial, fault),
        Err(NoAnswer::Errored(error)) => errored(trial, error),
    }
}

/// An answer as far as it can be scored without another one.
pub(super) enum Half {
    /// The answer has a fault that fails the trial.
    Faulty(AnswerFault),
    /// The answer with its scores.
    Scored(Box<Scored>),
}

/// An answer with the scores of all scorers that look at it alone.
pub(super) struct Scored {
    /// The answer.
    pub text: String,
    /// The last user message as it was sent.
    pub question: String,
    /// The scores.
    pub scores: Vec<ScoreRecord>,
}

/// The arm and the case of a trial.
pub(super) fn place(shared: &Shared, trial: TrialId) -> Result<(&ArmJob, &Case), NoAnswer> {
    let job = &shared.job;
    let case = job.cases.get(trial.case as usize);
    let case = case.ok_or_else(|| internal("the plan has no such case"))?;
    let arm = job.arms.iter().find(|arm| arm.arm == trial.arm);
    Ok((
        arm.ok_or_else(|| internal("the plan has no such arm"))?,
        case,
    ))
}

/// A fault of this program.
pub(super) fn internal(message: &str) -> NoAnswer {
    NoAnswer::Errored(TrialError {
        class: ErrorClass::Internal,
        message: message.to_owned(),
    })
}

/// The answer of a trial with the scores of all scorers that look at it alone.
pub(super) async fn score_alone(shared: &Shared, trial: TrialId) -> Result<Half, NoAnswer> {
    let (arm, case) = place(shared, trial)?;
    let request = request(arm, case)?;
    let mut told = answer(shared, trial, arm, case, &request).await?;
    if let Some(fault) = told
        .response
        .finish
        .answer_fault()
        .filter(|fault| !shared.job.score_faults.contains(fault))
    {
        keep(shared, told).await?;
        return Ok(Half::Faulty(fault));
    }
    let question = request
        .messages
        .iter()
        .rev()
        .find(|message| message.role == Role::User);
    let context = Context {
        case,
        question: question.map_or("", |message| message.content.as_str()),
        tools: &request.tools,
    };
    let answer = Answer {
        text: &told.response.text,
        finish: &told.response.finish,
        tool_calls: &told.response.tool_calls,
        usage: told.response.usage,
        latency_ms: told.latency_ms,
        cost_usd: told.cost_usd,
    };
    let seat = Seat {
        shared,
        trial,
        arm,
        case,
    };
    let scores = scoring::score_all(&seat, &answer, &context).await;
    let question = context.question.to_owned();
    let text = std::mem::take(&mut told.response.text);
    keep(shared, told).await?;
    Ok(Half::Scored(Box::new(Scored {
        text,
        question,
        scores: scores?,
    })))
}

/// The result that the scores of an answer mean: all gating ones must pass.
fn conclude_scores(trial: TrialId, scores: Vec<ScoreRecord>) -> Result<TrialFinished, NoAnswer> {
    let mut gating = scores.iter().filter(|score| score.gating).peekable();
    if gating.peek().is_none() {
        return Err(internal("no gating scorer gave a score"));
    }
    let outcome = if gating.all(|score| score.pass) {
        Outcome::Passed
    } else {
        Outcome::Failed
    };
    Ok(TrialFinished {
        scores,
        ..finished(trial, outcome)
    })
}

/// The question of a case to an arm.
pub(super) fn request(arm: &ArmJob, case: &Case) -> Result<Request, NoAnswer> {
    let messages = arm
        .prompt
        .render(&case.vars)
        .map_err(|error| internal(&error.to_string()))?;
    Ok(Request {
        messages,
        params: arm.prompt.params.overlaid(&arm.endpoint.spec.params),
        tools: arm.prompt.tools.clone(),
        response_format: arm.prompt.response_format.clone(),
    })
}

/// Leaves an answer to the response cache.
pub(super) async fn keep(shared: &Shared, told: Told) -> Result<(), NoAnswer> {
    match told.keep {
        Some(keep) => shared.send(Message::Keep(keep)).await,
        None => Ok(()),
    }
}

async fn answer(
    shared: &Shared,
    trial: TrialId,
    arm: &ArmJob,
    case: &Case,
    request: &Request,
) -> Result<Told, NoAnswer> {
    if let Some(stored) = &arm.stored {
        return stored_answer(shared, trial, case, stored.as_ref()).await;
    }
    let subject = subject(arm, case, trial.repeat);
    let (attempts_before, reply_before) = shared.job.prior_call(trial, None);
    let gate = shared
        .gates
        .get(&endpoint_id(&arm.endpoint))
        .ok_or_else(|| internal("the endpoint has no gate"))?;
    let asking = Asking {
        trial,
        scorer: None,
        name: None,
        call: Call { request, subject },
        endpoint: &arm.endpoint,
        gate,
        price: arm.price,
        most_output: arm.most_output,
        attempts_before,
        reply_before,
    };
    asking.ask(shared).await
}

async fn stored_answer(
    shared: &Shared,
    trial: TrialId,
    case: &Case,
    stored: &dyn super::StoredAnswers,
) -> Result<Told, NoAnswer> {
    let Some(mut attempt) = stored.answer(&case.id, trial.repeat) else {
        let message = format!(
            "the stored run has no answer to case `{}`, repeat {}",
            case.id, trial.repeat
        );
        return Err(NoAnswer::Errored(TrialError {
            class: ErrorClass::NoRecording,
            message,
        }));
    };
    attempt.trial = trial;
    attempt.attempt = 0;
    attempt.cached = true;
    let told = Told::of_attempt(&attempt);
    shared
        .send(Message::Happened(Event::AttemptFinished(Box::new(attempt))))
        .await?;
    Ok(told)
}

pub(super) fn subject<'a>(arm: &'a ArmJob, case: &'a Case, repeat: u32) -> Subject<'a> {
    let version = Version {
        number: arm.prompt.number,
        hash: &arm.hash,
    };
    Subject {
        case,
        repeat: repeat + arm.repeat_offset,
        scorer: None,
        version,
    }
}
