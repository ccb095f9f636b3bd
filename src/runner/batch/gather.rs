//! Sends batches, waits for them and joins their lines to the questions by id: missing lines and
//! faults that pass are sent again, foreign lines are noted, the rest ends as it would have directly.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;

use super::gathered::Given;
use super::wanted::{Questions, Wanted};
use crate::base::text::{self, shorten, visible_line};
use crate::chat::{ErrorClass, Response};
use crate::provider::batch::{BatchState, Batches, LineResult};
use crate::provider::{CallError, Endpoint, Sealed};
use crate::record::{BatchCost, BatchSubmitted, Event, Skip, TrialId};
use crate::runner::asking::{Keep, Message, Told, attempt_without_answer, fill};
use crate::runner::budget::Reservation;
use crate::runner::circuit::{self, Stop};
use crate::runner::executor::Shared;
use crate::runner::retry::{self, Failures, Retry};
use crate::store::cache::CachedReply;

/// The first wait between two looks at a batch; it doubles up to the one that the user sets.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const DEFAULT_WAIT: Duration = Duration::from_secs(30);
/// Failures in a row after which the provider is given up.
const IN_A_ROW: u32 = 10;
/// Bytes that a line takes beside the body of its request.
const FRAME: usize = 160;

/// Why no more is gathered.
enum Halt {
    /// The run was stopped.
    Stopped,
    /// The run is to be stopped.
    Stop(Stop),
}

/// Gathers the answers of a run, then lets its trials begin.
pub async fn gather(shared: Arc<Shared>) {
    let _open = Open(&shared);
    let pending = crate::runner::dispatcher::pending(&shared.job);
    let places = pending.into_iter().rev();
    let order = places.filter_map(|place| shared.job.order.get(place as usize).copied());
    let order: Vec<TrialId> = order.collect();
    let mut asked: Vec<&Arc<Endpoint>> = Vec::new();
    for arm in shared.job.arms.iter().filter(|arm| arm.stored.is_none()) {
        if !asked.iter().any(|known| Arc::ptr_eq(known, &arm.endpoint)) {
            asked.push(&arm.endpoint);
        }
    }
    for endpoint in asked {
        let Some(api) = endpoint.batches() else {
            continue;
        };
        let mut gatherer = Gatherer {
            questions: Questions::of(&shared, endpoint, &order),
            shared: &shared,
            endpoint,
            api,
            answered: 0,
            refused: 0,
        };
        if let Err(Halt::Stop(stop)) = gatherer.run().await {
            shared.stop(stop);
        }
        gatherer.give_up_money();
    }
}

/// Lets the trials begin when the gathering ends, whatever way: a fault of this program stops the run,
/// so that nothing is bought twice.
struct Open<'s>(&'s Shared);

impl Drop for Open<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.stop(Stop {
                skip: Skip::Infra,
                reason: "internal",
                message: "a fault of this program while it waited for a batch".to_owned(),
            });
        }
        self.0.batches.done();
    }
}

struct Gatherer<'s> {
    questions: Questions,
    shared: &'s Shared,
    endpoint: &'s Endpoint,
    api: Batches<'s>,
    answered: usize,
    refused: u32,
}

impl Gatherer<'_> {
    async fn run(&mut self) -> Result<(), Halt> {
        self.go_on().await?;
        if self.shared.options.batch.is_none() {
            return Ok(());
        }
        for _ in 0..=self.shared.options.retries {
            let places = self.afford();
            if places.is_empty() {
                break;
            }
            let mut batches = Vec::new();
            for part in self.parts(&places) {
                batches.push((self.submit(&part).await?, part));
            }
            for (id, part) in batches {
                let state = self.wait_for(&id).await?;
                let addresses = match state {
                    BatchState::Ended(addresses) => addresses,
                    BatchState::Refused(why) => return Err(refused(&id, &why)),
                    BatchState::Working { .. } => Vec::new(),
                };
                self.fetch(&id, &addresses, &part).await?;
            }
        }
        for place in self.questions.open() {
            self.fail_for_good(place);
        }
        Ok(())
    }

    /// Fetches the batches of the interrupted run, as long as something is wanted that may be in them.
    async fn go_on(&mut self) -> Result<(), Halt> {
        let prior = self.shared.job.prior.as_ref();
        let batches = prior.map_or(&[][..], |prior| prior.run.batches.as_slice());
        for batch in batches {
            let mine = batch.model == self.endpoint.spec.name.as_str();
            let open = self.questions.open();
            let sent = |place: &usize| self.at(*place).is_some_and(|wanted| wanted.attempts > 0);
            if !mine || !open.iter().any(sent) {
                continue;
            }
            match self.wait_for(&batch.id).await {
                Ok(BatchState::Ended(addresses)) => self.fetch(&batch.id, &addresses, &[]).await?,
                Ok(BatchState::Refused(why)) => self.note_lost(&batch.id, &why),
                Ok(BatchState::Working { .. }) => {}
                // The provider keeps results for some weeks only.
                Err(Halt::Stop(stop)) if stop.reason == "model_missing" => {
                    self.note_lost(&batch.id, &stop.message);
                }
                Err(halt) => return Err(halt),
            }
        }
        Ok(())
    }

    fn note_lost(&self, id: &str, why: &str) {
        let note = format!(
            "batch {} is lost, its requests are sent again: {why}",
            name(id)
        );
        self.shared.batches.note(note);
    }

    fn at(&self, place: usize) -> Option<&Wanted> {
        self.questions.list.get(place)
    }

    /// The open questions that the budget covers; the others are not sent.
    fn afford(&mut self) -> Vec<usize> {
        let mut places = Vec::new();
        for place in self.questions.open() {
            let Some(wanted) = self.questions.list.get_mut(place) else {
                continue;
            };
            wanted.reservation = self.shared.budget().reserve(wanted.worst_usd);
            if wanted.reservation.is_some() {
                places.push(place);
                continue;
            }
            wanted.settled = true;
            for trial in wanted.trials() {
                self.shared.batches.give(trial, Given::NotSent);
            }
        }
        places
    }

    /// The questions in parts that the provider takes as one batch.
    fn parts(&self, places: &[usize]) -> Vec<Vec<usize>> {
        let limits = self.api.limits();
        let mut parts: Vec<Vec<usize>> = Vec::new();
        let mut bytes = 0;
        for place in places {
            let size = FRAME
                + self
                    .at(*place)
                    .map_or(0, |wanted| wanted.sealed.request().len());
            match parts.last_mut() {
                Some(part) if part.len() < limits.requests && bytes + size <= limits.bytes => {
                    part.push(*place);
                    bytes += size;
                }
                _ => {
                    parts.push(vec![*place]);
                    bytes = size;
                }
            }
        }
        parts
    }

    /// Makes a batch: intents on disk, then the request, then the batch's id on disk.
    async fn submit(&mut self, part: &[usize]) -> Result<String, Halt> {
        let mut last = None;
        for place in part {
            let Some(wanted) = self.questions.list.get_mut(*place) else {
                continue;
            };
            wanted.attempts += 1;
            let intent = Event::AttemptStarted {
                trial: wanted.trial,
                scorer: None,
                call: None,
                attempt: wanted.attempts,
                key: wanted.sealed.key(),
            };
            if let Some(before) = last.replace(intent) {
                self.tell(Message::Happened(before)).await?;
            }
        }
        if let Some(last) = last {
            self.write(last).await?;
        }
        let count = text::count(part.len(), "request");
        self.shared
            .batches
            .say(format!("sending a batch of {count}"));
        let id = self.make(part).await?;
        self.write(Event::BatchSubmitted(BatchSubmitted {
            model: self.endpoint.spec.name.to_string(),
            id: id.clone(),
            requests: part.len(),
        }))
        .await?;
        Ok(id)
    }

    async fn make(&self, part: &[usize]) -> Result<String, Halt> {
        let sealed = part.iter().filter_map(|place| self.at(*place));
        let sealed: Vec<&Sealed> = sealed.map(|wanted| &wanted.sealed).collect();
        let mut failures = Failures::default();
        loop {
            if self.shared.stopped.is_cancelled() {
                return Err(Halt::Stopped);
            }
            let fault = match self.api.submit(&sealed).await {
                Ok(id) => return Ok(id),
                Err(fault) => fault,
            };
            if fault.perhaps_made {
                return Err(stop(
                    "provider_down",
                    format!(
                        "no reply says whether a batch was made ({}): look at the provider's list of batches before --resume, which sends its requests again",
                        fault.error.message
                    ),
                ));
            }
            retry::count(&mut failures, fault.error.class);
            self.pause(&fault.error, failures).await?;
        }
    }

    /// Waits before a step of the protocol is tried again, or gives up.
    async fn pause(&self, error: &CallError, failures: Failures) -> Result<(), Halt> {
        if let Some(stop) = circuit::fatal(error) {
            return Err(Halt::Stop(stop));
        }
        match retry::decide(error, failures, self.shared.options.retries, 1.0) {
            Retry::After(wait) | Retry::Paced(wait) => self.sleep(wait).await,
            Retry::Never | Retry::TooLong(_) => {
                let reason = circuit::reason(error.class);
                Err(stop(reason, format!("the batch failed: {}", error.message)))
            }
        }
    }

    async fn sleep(&self, time: Duration) -> Result<(), Halt> {
        tokio::select! {
            () = tokio::time::sleep(time) => Ok(()),
            () = self.shared.stopped.cancelled() => Err(Halt::Stopped),
        }
    }

    /// Waits until nothing more comes from a batch. A look that fails is taken again: the batch goes
    /// on meanwhile.
    async fn wait_for(&self, id: &str) -> Result<BatchState, Halt> {
        let longest = self.shared.options.batch.unwrap_or(DEFAULT_WAIT);
        let mut wait = FIRST_WAIT.min(longest);
        let mut in_a_row = 0;
        loop {
            let seen = tokio::select! {
                seen = self.api.look(id) => seen,
                () = self.shared.stopped.cancelled() => return Err(Halt::Stopped),
            };
            match seen {
                Ok(BatchState::Working { done }) => {
                    in_a_row = 0;
                    let done = text::thousands(usize::try_from(done).unwrap_or(usize::MAX));
                    let status = format!("batch {}: {done} done", name(id));
                    self.shared.batches.say(status);
                }
                Ok(ended) => return Ok(ended),
                Err(error) => {
                    in_a_row += 1;
                    bear(id, &error, in_a_row)?;
                    wait = wait.max(error.retry_after.unwrap_or_default());
                }
            }
            self.sleep(wait).await?;
            wait = wait.saturating_mul(2).min(longest);
        }
    }

    /// Fetches the results of a batch and joins them. `part` are the questions that it holds, where
    /// that is known.
    async fn fetch(&mut self, id: &str, addresses: &[String], part: &[usize]) -> Result<(), Halt> {
        let (mut foreign, mut unreadable) = (0, 0);
        let mut open: Vec<usize> = part.to_vec();
        for address in addresses {
            let (results, bad) = self.results(id, address).await?;
            unreadable += bad;
            for result in results {
                let Some(place) = self.questions.place(&result.id) else {
                    foreign += 1;
                    continue;
                };
                open.retain(|other| *other != place);
                self.join(place, result).await?;
            }
        }
        // Of an interrupted run's batch the lines of what is answered already are not foreign.
        if foreign > 0 && !part.is_empty() {
            self.note_lines(id, foreign, "with an id that was not asked for");
        }
        if unreadable > 0 {
            self.note_lines(id, unreadable, "that can not be read");
        }
        for place in open {
            let error = CallError::new(
                ErrorClass::BadBody,
                format!("batch {} has no line for this request", name(id)),
            );
            self.failed(place, error).await?;
        }
        Ok(())
    }

    fn note_lines(&self, id: &str, lines: usize, what: &str) {
        let (name, lines) = (name(id), text::count(lines, "line"));
        let note = format!("batch {name} came back with {lines} {what}: ignored");
        self.shared.batches.note(note);
    }

    async fn results(&self, id: &str, address: &str) -> Result<(Vec<LineResult>, usize), Halt> {
        let mut in_a_row = 0;
        let mut wait = FIRST_WAIT.min(self.shared.options.batch.unwrap_or(DEFAULT_WAIT));
        loop {
            let fetched = tokio::select! {
                fetched = self.api.results(address) => fetched,
                () = self.shared.stopped.cancelled() => return Err(Halt::Stopped),
            };
            let error = match fetched {
                Ok(results) => return Ok(results),
                Err(error) => error,
            };
            in_a_row += 1;
            bear(id, &error, in_a_row)?;
            self.sleep(wait.max(error.retry_after.unwrap_or_default()))
                .await?;
            wait = wait.saturating_mul(2).min(DEFAULT_WAIT);
        }
    }

    async fn join(&mut self, place: usize, result: LineResult) -> Result<(), Halt> {
        if self.at(place).is_none_or(|wanted| wanted.settled) {
            return Ok(());
        }
        match result.answer {
            Ok(response) => self.answer(place, response).await,
            Err(error) => self.failed(place, error).await,
        }
    }

    /// Records an answer, for the log, the cache and the trials that wait for it.
    async fn answer(&mut self, place: usize, response: Response) -> Result<(), Halt> {
        let Some(wanted) = self.questions.list.get_mut(place) else {
            return Ok(());
        };
        wanted.settled = true;
        let cost_usd = wanted
            .price
            .and_then(|price| price.cost_usd(&response.usage));
        let batch_price = wanted.price.and_then(|price| price.in_batch());
        let paid_usd = batch_price.and_then(|price| price.cost_usd(&response.usage));
        settle(self.shared, wanted.reservation.take(), paid_usd);
        self.answered += 1;
        let Some(wanted) = self.at(place) else {
            return Ok(());
        };
        for (index, trial) in wanted.trials().enumerate() {
            let attempt = if index == 0 { wanted.attempts } else { 0 };
            let mut finished = attempt_without_answer(trial, wanted.key(), attempt);
            fill(&mut finished, &response, None, cost_usd);
            finished.cached = index > 0;
            finished.batch = (index == 0).then_some(BatchCost { paid_usd });
            let told = Told {
                response: response.clone(),
                latency_ms: None,
                cost_usd,
                keep: None,
            };
            self.shared
                .batches
                .give(trial, Given::Answer(Box::new(told)));
            self.tell(Message::Happened(Event::AttemptFinished(Box::new(
                finished,
            ))))
            .await?;
        }
        let keep = Keep {
            sealed: wanted.sealed.clone(),
            reply: CachedReply::of_response(&response, None),
        };
        self.tell(Message::Keep(Box::new(keep))).await
    }

    /// Records a failure. The question stays open if it is worth another batch.
    async fn failed(&mut self, place: usize, error: CallError) -> Result<(), Halt> {
        let retries = self.shared.options.retries;
        let Some(wanted) = self.questions.list.get_mut(place) else {
            return Ok(());
        };
        if let Some(reservation) = wanted.reservation.take() {
            self.shared.budget().release(reservation);
        }
        retry::count(&mut wanted.failures, error.class);
        let decision = retry::decide(&error, wanted.failures, retries, 1.0);
        let mut finished = attempt_without_answer(wanted.trial, wanted.key(), wanted.attempts);
        finished.class = Some(error.class);
        finished.message = Some(error.message.clone());
        wanted.error = Some(error.clone());
        self.tell(Message::Happened(Event::AttemptFinished(Box::new(
            finished,
        ))))
        .await?;
        if let Some(stop) = circuit::fatal(&error) {
            return Err(Halt::Stop(stop));
        }
        if matches!(decision, Retry::After(_) | Retry::Paced(_)) {
            return Ok(());
        }
        self.fail_for_good(place);
        self.refused += 1;
        if self.answered == 0 && self.refused >= IN_A_ROW {
            let message = format!(
                "the first {IN_A_ROW} of the batch all failed: {}",
                error.message
            );
            return Err(stop(circuit::reason(error.class), message));
        }
        Ok(())
    }

    fn fail_for_good(&mut self, place: usize) {
        let Some(wanted) = self.questions.list.get_mut(place) else {
            return;
        };
        wanted.settled = true;
        let error = wanted.error.take().unwrap_or_else(|| {
            CallError::new(
                ErrorClass::BadBody,
                "the batch has no line for this request",
            )
        });
        for trial in wanted.trials() {
            self.shared
                .batches
                .give(trial, Given::Failed(error.clone()));
        }
    }

    /// What is still set aside when the gathering ends may be billed: it counts as spent.
    fn give_up_money(&mut self) {
        let reservations = self.questions.list.iter_mut();
        for reservation in reservations.filter_map(|wanted| wanted.reservation.take()) {
            self.shared.budget().lose(reservation);
        }
    }

    async fn tell(&self, message: Message) -> Result<(), Halt> {
        let sent = self.shared.send(message).await;
        sent.map_err(|_| Halt::Stopped)
    }

    /// Records an event and waits until it is written.
    async fn write(&self, event: Event) -> Result<(), Halt> {
        let (written, wait) = oneshot::channel();
        self.tell(Message::Intent(event, written)).await?;
        wait.await.map_err(|_| Halt::Stopped)
    }
}

/// Bears with a failed look or fetch, for some time.
fn bear(id: &str, error: &CallError, in_a_row: u32) -> Result<(), Halt> {
    if let Some(stop) = circuit::fatal(error) {
        return Err(Halt::Stop(stop));
    }
    if in_a_row < IN_A_ROW {
        return Ok(());
    }
    let name = name(id);
    let message = format!(
        "batch {name} can not be looked at: {}; it goes on at the provider, and --resume asks for it again",
        error.message
    );
    Err(stop(circuit::reason(error.class), message))
}

/// Settles what an answer cost. What an interrupted run sent was not set aside in this one.
fn settle(shared: &Shared, reservation: Option<Reservation>, paid_usd: Option<f64>) {
    let mut money = shared.budget();
    let reservation = reservation.or_else(|| money.reserve(0.0));
    if let Some(reservation) = reservation {
        money.settle(reservation, paid_usd);
    }
}

/// The provider's id of a batch, fit for a message.
fn name(id: &str) -> String {
    visible_line(&shorten(id, 60))
}

fn refused(id: &str, why: &str) -> Halt {
    let why = if why.is_empty() {
        "no reason given"
    } else {
        why
    };
    stop(
        "bad_request",
        format!("the provider refuses batch {}: {why}", name(id)),
    )
}

fn stop(reason: &'static str, message: String) -> Halt {
    Halt::Stop(Stop {
        skip: Skip::Infra,
        reason,
        message,
    })
}
