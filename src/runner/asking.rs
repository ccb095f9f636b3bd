//! One call of a model: cache, permit, intent, attempt, retry. What happened goes to the dispatcher
//! as events; the intent is on disk before its request is sent.

use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::batch::Given;
use super::budget::{self, Reservation};
use super::circuit::Stop;
use super::executor::Shared;
use super::gate::{Gate, Next};
use super::retry::{self, Failures};
use crate::base::Digest;
use crate::chat::{AnswerFault, ErrorClass, Price, Response};
use crate::provider::{Answered, Call, CallError, Endpoint, Sealed};
use crate::record::event::TrialError;
use crate::record::{AttemptFinished, Event, Skip, TrialId};
use crate::store::cache::CachedReply;

/// What the executor tells the dispatcher.
#[derive(Debug)]
pub enum Message {
    /// Something happened.
    Happened(Event),
    /// Something is about to be sent; the sender waits until that is on disk.
    Intent(Event, oneshot::Sender<()>),
    /// An answer that the cache may keep.
    Keep(Box<Keep>),
}

/// An answer for the response cache.
#[derive(Debug)]
pub struct Keep {
    /// The key with the request that it is the digest of.
    pub sealed: Sealed,
    /// The answer.
    pub reply: CachedReply,
}

/// What is asked, and on whose behalf.
pub struct Asking<'a> {
    /// The trial.
    pub trial: TrialId,
    /// The scorer whose judge is asked; `None` for the answer itself.
    pub scorer: Option<&'a str>,
    /// Which of the scorer's calls it is, where a scorer makes several.
    pub name: Option<&'a str>,
    /// The call.
    pub call: Call<'a>,
    /// The model.
    pub endpoint: &'a Endpoint,
    /// The way to it.
    pub gate: &'a Gate,
    /// The price of its answers.
    pub price: Option<Price>,
    /// The most tokens that the model answers with, where known.
    pub most_output: Option<u32>,
    /// Attempts made before the run was interrupted.
    pub attempts_before: u32,
    /// The reply that an interrupted run got and did not score.
    pub reply_before: Option<AttemptFinished>,
}

/// An answer with what reports need of it.
#[derive(Debug)]
pub struct Told {
    /// The answer.
    pub response: Response,
    /// How long it took when it was made; unknown where it came in a batch.
    pub latency_ms: Option<f64>,
    /// What it cost, where known.
    pub cost_usd: Option<f64>,
    /// For the cache, where the answer did not come from it.
    pub keep: Option<Box<Keep>>,
}

impl Told {
    /// The answer of an attempt that was recorded before.
    #[must_use]
    pub fn of_attempt(attempt: &AttemptFinished) -> Self {
        let response = Response {
            text: attempt.reply.clone(),
            finish: attempt.finish.clone().unwrap_or_default(),
            tool_calls: attempt.tool_calls.clone(),
            usage: attempt.usage,
            served_model: attempt.served_model.clone(),
            fingerprint: attempt.fingerprint.clone(),
            token_choices: attempt.token_choices.clone(),
            ..Response::default()
        };
        Self {
            response,
            latency_ms: attempt.latency_ms,
            cost_usd: attempt.cost_usd,
            keep: None,
        }
    }
}

/// Why there is no answer.
#[derive(Debug)]
pub enum NoAnswer {
    /// The call was not made, or not to its end.
    Skipped(Skip),
    /// The question was refused for what it says: a fault of the prompt.
    Fault(AnswerFault, String),
    /// The wire's fault.
    Errored(TrialError),
}

impl Asking<'_> {
    /// Gets the answer from the cache or the model.
    ///
    /// # Errors
    /// When there is none.
    pub async fn ask(&self, shared: &Shared) -> Result<Told, NoAnswer> {
        let sealed = self.endpoint.seal(&self.call).map_err(|error| {
            NoAnswer::Errored(TrialError {
                class: ErrorClass::BadRequest,
                message: error.to_string(),
            })
        })?;
        if let Some(reply) = self
            .reply_before
            .as_ref()
            .filter(|reply| reply.key == sealed.key())
        {
            return Ok(Told::of_attempt(reply));
        }
        if self.scorer.is_none()
            && let Some(given) = shared.batches.take(self.trial)
        {
            return given_by_batch(shared, given);
        }
        if let Some(told) = self.ask_cache(shared, &sealed).await? {
            return Ok(told);
        }
        if shared.options.offline && self.endpoint.leaves_the_machine() {
            return Err(NoAnswer::Skipped(Skip::Offline));
        }
        self.gate.first_attempt();
        let mut failures = Failures::default();
        let mut attempt = self.attempts_before;
        loop {
            attempt += 1;
            let reservation = self.reserve(shared)?;
            let ended = self.attempt(shared, &sealed, attempt).await;
            self.settle(shared, reservation, &ended);
            let error = match ended? {
                Ok(answered) => return self.told(shared, sealed, attempt, answered).await,
                Err(error) => error,
            };
            self.report_failure(shared, &sealed, attempt, &error)
                .await?;
            retry::count(&mut failures, error.class);
            match self.gate.failed(&error, failures, shared.options.retries) {
                Next::Again(wait) => self.wait(shared, wait).await?,
                Next::GiveUp => return Err(no_answer(&error)),
                Next::Stop(stop) => {
                    shared.stop(stop);
                    return Err(no_answer(&error));
                }
            }
        }
    }

    /// The tokens of the question and of the longest answer; nobody counts them where no rate of
    /// tokens is set.
    fn tokens(&self, shared: &Shared) -> f64 {
        if shared.options.token_rate.is_none() {
            return 0.0;
        }
        let request = self.call.request;
        let longest = request.params.max_tokens.map_or(0.0, f64::from);
        self.endpoint.tokenizer.request_tokens(request) + longest
    }

    /// Sets aside what the request can cost; stops the run when there is not enough.
    fn reserve(&self, shared: &Shared) -> Result<Reservation, NoAnswer> {
        let price = self.price.unwrap_or_default();
        let tokenizer = &self.endpoint.tokenizer;
        let worst = budget::worst_usd(self.call.request, tokenizer, &price, self.most_output);
        let mut money = shared.budget();
        if let Some(reservation) = money.reserve(worst) {
            return Ok(reservation);
        }
        drop(money);
        Err(over_budget(shared))
    }

    /// Settles what was set aside by how the attempt ended. A reply that was lost on the way may have
    /// been billed; one that never was on the way, or was refused, was not.
    fn settle(
        &self,
        shared: &Shared,
        reservation: Reservation,
        ended: &Result<Result<Answered, CallError>, NoAnswer>,
    ) {
        let mut money = shared.budget();
        match ended {
            Ok(Ok(answered)) => {
                let free = self.endpoint.is_free() && self.price.is_none();
                let cost = self
                    .price
                    .and_then(|price| price.cost_usd(&answered.response.usage));
                money.settle(reservation, if free { Some(0.0) } else { cost });
            }
            Ok(Err(error))
                if matches!(
                    error.class,
                    ErrorClass::Timeout | ErrorClass::BadBody | ErrorClass::ReplyTooLarge
                ) =>
            {
                money.lose(reservation);
            }
            Ok(Err(_)) | Err(_) => money.release(reservation),
        }
    }

    async fn ask_cache(&self, shared: &Shared, sealed: &Sealed) -> Result<Option<Told>, NoAnswer> {
        let Some(reply) = shared.cached(sealed) else {
            return Ok(None);
        };
        let (response, latency_ms) = reply.into_response();
        let cost_usd = self.price.and_then(|price| price.cost_usd(&response.usage));
        let mut finished = self.finished(sealed, 0);
        fill(&mut finished, &response, latency_ms, cost_usd);
        finished.cached = true;
        shared
            .send(Message::Happened(Event::AttemptFinished(Box::new(
                finished,
            ))))
            .await?;
        Ok(Some(Told {
            response,
            latency_ms,
            cost_usd,
            keep: None,
        }))
    }

    /// One attempt: permit, intent, request.
    async fn attempt(
        &self,
        shared: &Shared,
        sealed: &Sealed,
        attempt: u32,
    ) -> Result<Result<Answered, CallError>, NoAnswer> {
        if !self.gate.enter(self.tokens(shared), &shared.stopped).await {
            return Err(NoAnswer::Skipped(shared.skip_reason()));
        }
        let intent = Event::AttemptStarted {
            trial: self.trial,
            scorer: self.scorer.map(str::to_owned),
            call: self.name.map(str::to_owned),
            attempt,
            key: sealed.key(),
        };
        let (written, wait) = oneshot::channel();
        if let Err(gone) = shared.send(Message::Intent(intent, written)).await {
            self.gate.left();
            return Err(gone);
        }
        if wait.await.is_err() {
            self.gate.left();
            return Err(NoAnswer::Skipped(shared.skip_reason()));
        }
        let timeout = self.endpoint.spec.timeout.unwrap_or(shared.options.timeout);
        Ok(self
            .endpoint
            .send(sealed, &self.call, attempt, timeout)
            .await)
    }

    async fn told(
        &self,
        shared: &Shared,
        sealed: Sealed,
        attempt: u32,
        answered: Answered,
    ) -> Result<Told, NoAnswer> {
        let Answered {
            response,
            latency,
            hold,
        } = answered;
        self.gate.answered(hold);
        let latency_ms = Some(millis(latency));
        let cost_usd = self.price.and_then(|price| price.cost_usd(&response.usage));
        let mut finished = self.finished(&sealed, attempt);
        fill(&mut finished, &response, latency_ms, cost_usd);
        shared
            .send(Message::Happened(Event::AttemptFinished(Box::new(
                finished,
            ))))
            .await?;
        let reply = CachedReply::of_response(&response, latency_ms);
        let keep = Some(Box::new(Keep { sealed, reply }));
        Ok(Told {
            response,
            latency_ms,
            cost_usd,
            keep,
        })
    }

    async fn report_failure(
        &self,
        shared: &Shared,
        sealed: &Sealed,
        attempt: u32,
        error: &CallError,
    ) -> Result<(), NoAnswer> {
        let mut finished = self.finished(sealed, attempt);
        finished.class = Some(error.class);
        finished.message = Some(error.message.clone());
        shared
            .send(Message::Happened(Event::AttemptFinished(Box::new(
                finished,
            ))))
            .await
    }

    fn finished(&self, sealed: &Sealed, attempt: u32) -> AttemptFinished {
        AttemptFinished {
            scorer: self.scorer.map(str::to_owned),
            call: self.name.map(str::to_owned),
            ..attempt_without_answer(self.trial, sealed.key(), attempt)
        }
    }

    async fn wait(&self, shared: &Shared, time: Duration) -> Result<(), NoAnswer> {
        tokio::select! {
            () = tokio::time::sleep(time) => Ok(()),
            () = shared.stopped.cancelled() => Err(NoAnswer::Skipped(shared.skip_reason())),
        }
    }
}

/// An attempt at the answer of a trial, of which nothing is known yet.
pub(super) fn attempt_without_answer(trial: TrialId, key: Digest, attempt: u32) -> AttemptFinished {
    AttemptFinished {
        trial,
        token_choices: Vec::new(),
        scorer: None,
        call: None,
        attempt,
        key,
        class: None,
        message: None,
        reply: String::new(),
        finish: None,
        tool_calls: Vec::new(),
        usage: crate::chat::Usage::default(),
        cost_usd: None,
        served_model: None,
        fingerprint: None,
        latency_ms: None,
        cached: false,
        batch: None,
    }
}

/// What a batch gave in place of a call.
fn given_by_batch(shared: &Shared, given: Given) -> Result<Told, NoAnswer> {
    match given {
        Given::Answer(told) => Ok(*told),
        Given::Failed(error) => Err(no_answer(&error)),
        Given::NotSent => Err(over_budget(shared)),
    }
}

/// Stops a run whose money does not cover another request.
fn over_budget(shared: &Shared) -> NoAnswer {
    let money = shared.budget();
    let message = format!(
        "the budget of {} USD does not cover another request ({:.6} USD are spent)",
        money.limit_usd().unwrap_or_default(),
        money.spent_usd()
    );
    drop(money);
    shared.stop(Stop {
        skip: Skip::Budget,
        reason: "budget",
        message,
    });
    NoAnswer::Skipped(Skip::Budget)
}

pub(super) fn fill(
    finished: &mut AttemptFinished,
    response: &Response,
    latency_ms: Option<f64>,
    cost_usd: Option<f64>,
) {
    finished.reply.clone_from(&response.text);
    finished.finish = Some(response.finish.clone());
    finished.tool_calls.clone_from(&response.tool_calls);
    finished.token_choices.clone_from(&response.token_choices);
    finished.usage = response.usage;
    finished.cost_usd = cost_usd;
    finished.served_model.clone_from(&response.served_model);
    finished.fingerprint.clone_from(&response.fingerprint);
    finished.latency_ms = latency_ms;
}

fn no_answer(error: &CallError) -> NoAnswer {
    match error.answer_fault() {
        Some(fault) => NoAnswer::Fault(fault, error.message.clone()),
        None => NoAnswer::Errored(TrialError {
            class: error.class,
            message: error.message.clone(),
        }),
    }
}

/// Milliseconds to the microsecond, so that a log stays readable.
fn millis(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}

impl From<mpsc::error::SendError<Message>> for NoAnswer {
    fn from(_: mpsc::error::SendError<Message>) -> Self {
        Self::Skipped(Skip::Cancelled)
    }
}
