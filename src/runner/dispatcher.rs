//! The single owner of a run's state: it starts trials, writes what happened to the log in order,
//! folds it, shows it to observers, and says when to stop.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use super::asking::Message;
use super::batch::{self, Gathered};
use super::circuit::Stop;
use super::executor::{Shared, endpoint_id, run_trial, skipped};
use super::gate::{Gate, Rates};
use super::job::{Interrupt, Job, RunOptions};
use super::limiter::LimiterStatus;
use super::pairing::{Pair, run_pair};
use super::syncing::{SYNC_LINES, Syncing};
use crate::record::{
    Arm, Event, FinishReason, Fold, Outcome, Run, Skip, TrialFinished, TrialId, TrialRecord,
};
use crate::store::cache::{CacheError, CacheReader, CacheWriter};
use crate::store::runs::{RunLog, RunLogError};

/// Watches a run.
pub trait Observer {
    /// An event has been recorded.
    fn event(&mut self, event: &Event, run: &Run);

    /// Whether [`Observer::lines`] is wanted.
    fn wants_lines(&self) -> bool {
        false
    }

    /// Whole lines were written to the log of the run.
    fn lines(&mut self, _lines: &[u8]) {}

    /// Time has passed.
    fn tick(&mut self, status: &Status, run: &Run);
}

/// What a run is doing at the moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Status {
    /// Time since the run began.
    pub elapsed: Duration,
    /// Trials that have ended.
    pub done: usize,
    /// Trials planned.
    pub planned: usize,
    /// Requests in flight over all endpoints.
    pub in_flight: u32,
    /// The pause of an endpoint that pushed back, with its name.
    pub pause: Option<(String, Duration)>,
    /// What is waited for, where the answers come in a batch.
    pub batch: Option<String>,
}

/// Why a run could not be recorded.
#[derive(Debug, thiserror::Error)]
pub enum RunnerError {
    /// The log can not be written.
    #[error(transparent)]
    Log(#[from] RunLogError),
    /// The cache can not be written.
    #[error(transparent)]
    Cache(#[from] CacheError),
}

/// A run that has ended, whatever way.
#[derive(Debug)]
pub struct Finished {
    /// The run.
    pub run: Run,
    /// The signal that ended it.
    pub interrupt: Option<Interrupt>,
    /// Cache entries that did not hold what they should.
    pub corrupt_cache_entries: u64,
    /// What a reader should know of the batches.
    pub notes: Vec<String>,
}

/// Where a run is recorded.
pub struct Records {
    /// The log.
    pub log: RunLog,
    /// The fold of all events so far.
    pub fold: Fold,
    /// The response cache, to read.
    pub cache_reader: CacheReader,
    /// The response cache, to write.
    pub cache_writer: CacheWriter,
}

const DRAIN: Duration = Duration::from_secs(10);
const TICK: Duration = Duration::from_millis(100);
const CHANNEL: usize = 1_024;

/// Carries out a plan.
///
/// # Errors
/// When what happens can not be recorded: nothing more is sent then, and what is on disk resumes.
pub async fn run(
    job: Job,
    options: RunOptions,
    records: Records,
    interrupts: &mut mpsc::Receiver<Interrupt>,
    observer: &mut dyn Observer,
) -> Result<Finished, RunnerError> {
    let (messages, inbox) = mpsc::channel(CHANNEL);
    let Records {
        log,
        fold,
        cache_reader,
        cache_writer,
    } = records;
    let pending = pending(&job);
    let looks = looks(&job);
    let compares = job.compares();
    let deadline = options.deadline.map(|deadline| Instant::now() + deadline);
    let gates = gates(&job, &options);
    let shared = Arc::new(Shared {
        stopped: CancellationToken::new(),
        stop: Mutex::new(None),
        cache: Mutex::new(cache_reader),
        batches: Gathered::new(batch::is_needed(&job, &options)),
        job,
        options,
        gates,
        messages,
    });
    let dispatcher = Dispatcher {
        shared,
        log,
        fold,
        cache: cache_writer,
        begun: Instant::now(),
        syncing: Syncing::new(),
        tasks: JoinSet::new(),
        pending,
        compares,
        looks,
        done: 0,
        interrupt: None,
        observer,
    };
    dispatcher.run(inbox, interrupts, deadline).await
}

/// The way to each endpoint that the run asks.
fn gates(job: &Job, options: &RunOptions) -> HashMap<usize, Gate> {
    let endpoints = job
        .arms
        .iter()
        .map(|arm| &arm.endpoint)
        .chain(job.judges.values().map(|judge| &judge.endpoint))
        .chain(job.embedders.values().map(|embedder| &embedder.endpoint));
    endpoints
        .map(|endpoint| {
            let name = endpoint.spec.name.as_str();
            (
                endpoint_id(endpoint),
                Gate::new(
                    options.concurrency,
                    Rates {
                        requests: options.rate,
                        tokens: options.token_rate,
                    },
                    options.seed,
                    name,
                ),
            )
        })
        .collect()
}

/// The looks to be taken, the next one last.
fn looks(job: &Job) -> Vec<usize> {
    let looks = job.looks.iter().flat_map(|looks| looks.after.iter().rev());
    looks.copied().collect()
}

/// The places in the plan's order of the trials still to be run, last first: all, or those that an
/// interrupted run has not finished.
pub(super) fn pending(job: &Job) -> Vec<u32> {
    let record = |trial: TrialId| job.prior.as_ref()?.run.trial(trial);
    let has_ended = |record: &TrialRecord| record.score().is_some() || record.fault.is_some();
    let compares = job.compares();
    let finished = |trial: &TrialId| {
        let partner = TrialId {
            arm: trial.arm.other(),
            ..*trial
        };
        record(*trial).is_some_and(has_ended)
            && (!compares || record(partner).is_none_or(has_ended))
    };
    let places = job.order.iter().zip(0u32..);
    let pending = places.filter(|(trial, _)| !finished(trial));
    let mut pending: Vec<u32> = pending.map(|(_, place)| place).collect();
    pending.reverse();
    pending
}

struct Dispatcher<'o> {
    shared: Arc<Shared>,
    log: RunLog,
    fold: Fold,
    cache: CacheWriter,
    begun: Instant,
    syncing: Syncing,
    tasks: JoinSet<()>,
    /// Places in the plan's order, the next one last.
    pending: Vec<u32>,
    /// Whether the trials of both arms of a case run together.
    compares: bool,
    /// The looks still to be taken, the next one last.
    looks: Vec<usize>,
    done: usize,
    interrupt: Option<Interrupt>,
    observer: &'o mut dyn Observer,
}

impl Dispatcher<'_> {
    async fn run(
        mut self,
        mut inbox: mpsc::Receiver<Message>,
        interrupts: &mut mpsc::Receiver<Interrupt>,
        deadline: Option<Instant>,
    ) -> Result<Finished, RunnerError> {
        let mut batch = Vec::with_capacity(CHANNEL);
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut give_up_at: Option<Instant> = None;
        if self.shared.batches.is_going() {
            self.tasks.spawn(batch::gather(Arc::clone(&self.shared)));
        }
        self.start_trials();
        loop {
            if self.tasks.is_empty() {
                if !self.waits_for_look() {
                    break;
                }
                while let Ok(message) = inbox.try_recv() {
                    batch.push(message);
                }
                self.take(&mut batch)?;
                self.look();
                self.start_trials();
                continue;
            }
            tokio::select! {
                biased;
                count = inbox.recv_many(&mut batch, CHANNEL) => {
                    if count > 0 {
                        self.take(&mut batch)?;
                    }
                }
                Some(_) = self.tasks.join_next() => self.start_trials(),
                Some(signal) = interrupts.recv() => {
                    let again = self.interrupt.replace(signal).is_some();
                    self.shared.stop(Stop { skip: Skip::Cancelled, reason: "interrupted", message: "stopped by a signal".to_owned() });
                    if again {
                        self.tasks.abort_all();
                    }
                }
                () = until(deadline), if !self.shared.stopped.is_cancelled() => {
                    self.shared.stop(Stop { skip: Skip::Deadline, reason: "deadline", message: "the time of --deadline is used up".to_owned() });
                }
                () = until(give_up_at), if give_up_at.is_some() => {
                    self.tasks.abort_all();
                    give_up_at = None;
                }
                _ = ticks.tick() => {
                    self.cache.flush()?;
                    self.sync_if_due()?;
                    self.observe();
                }
            }
            if give_up_at.is_none() && self.shared.stopped.is_cancelled() {
                give_up_at = Some(Instant::now() + DRAIN);
            }
        }
        while let Ok(message) = inbox.try_recv() {
            batch.push(message);
        }
        self.take(&mut batch)?;
        self.finish().await
    }

    /// Keeps as many trials going as requests may be in flight.
    fn start_trials(&mut self) {
        if self.shared.batches.is_going() {
            return;
        }
        let most = self.shared.options.concurrency.max(1) as usize;
        while self.tasks.len() < most && !self.shared.stopped.is_cancelled() {
            if self.waits_for_look() {
                return;
            }
            let place = self.pending.pop();
            let Some(trial) = place.and_then(|place| self.planned(place)) else {
                return;
            };
            let shared = Arc::clone(&self.shared);
            match self.partner(trial) {
                Some(pair) => self.tasks.spawn(run_pair(shared, pair)),
                None => self.tasks.spawn(run_trial(shared, trial)),
            };
        }
    }

    /// The trial at a place of the plan's order.
    fn planned(&self, place: u32) -> Option<TrialId> {
        self.shared.job.order.get(place as usize).copied()
    }

    /// The pair that a trial forms with the next one, where their answers are compared.
    fn partner(&mut self, trial: TrialId) -> Option<Pair> {
        let next = self.pending.last().filter(|_| self.compares)?;
        let next = self.planned(*next)?;
        let is_partner = (next.case, next.repeat) == (trial.case, trial.repeat);
        if !is_partner || next.arm == trial.arm {
            return None;
        }
        self.pending.pop();
        let (baseline, candidate) = match trial.arm {
            Arm::Baseline => (trial, next),
            Arm::Candidate => (next, trial),
        };
        Some(Pair {
            baseline,
            candidate,
        })
    }

    /// Whether the next trial may only begin after a look at those before it.
    fn waits_for_look(&self) -> bool {
        let next = self.looks.last().zip(self.pending.last());
        !self.shared.stopped.is_cancelled()
            && next.is_some_and(|(look, place)| *place as usize >= *look)
    }

    /// Takes the look that is due, and stops the run if it says so.
    fn look(&mut self) {
        self.looks.pop();
        let looks = self.shared.job.looks.as_ref();
        if let Some(message) = looks.and_then(|looks| (looks.stops)(self.fold.run())) {
            self.shared.stop(Stop {
                skip: Skip::Stopped,
                reason: "stopped",
                message,
            });
        }
    }

    /// Stops the run when a must-pass case is lost: nothing to come can mend that.
    fn fail_fast(&self, result: &TrialFinished) {
        let case = self.shared.job.cases.get(result.trial.case as usize);
        let lost = result.outcome == Outcome::Failed && result.trial.arm == Arm::Candidate;
        if let Some(case) = case.filter(|case| lost && case.must_pass) {
            self.shared.stop(Stop {
                skip: Skip::Stopped,
                reason: "stopped",
                message: format!(
                    "the must-pass case `{}` is lost (--fail-fast)",
                    case.id.as_str()
                ),
            });
        }
    }

    /// Records a batch of messages with one write, then lets the waiting requests go.
    fn take(&mut self, batch: &mut Vec<Message>) -> Result<(), RunnerError> {
        let mut waiting: Vec<oneshot::Sender<()>> = Vec::new();
        let mut keep = Vec::new();
        for message in batch.drain(..) {
            match message {
                Message::Happened(event) => self.record(&event)?,
                Message::Intent(event, written) => {
                    self.record(&event)?;
                    waiting.push(written);
                }
                Message::Keep(answer) => keep.push(answer),
            }
        }
        self.write_lines()?;
        for written in waiting {
            // A trial that was aborted meanwhile does not wait any more.
            let _ = written.send(());
        }
        let now = self.shared.options.clock.now();
        for answer in keep {
            self.cache.put(
                answer.sealed.key(),
                answer.sealed.request(),
                &answer.reply,
                now,
            )?;
        }
        if self.log.lines_since_sync() >= SYNC_LINES {
            self.sync_if_due()?;
        }
        Ok(())
    }

    /// Writes the buffered lines of the log, and shows them to whoever wants them.
    fn write_lines(&mut self) -> Result<(), RunnerError> {
        if self.observer.wants_lines() {
            self.observer.lines(self.log.buffered());
        }
        self.log.flush()?;
        Ok(())
    }

    fn record(&mut self, event: &Event) -> Result<(), RunnerError> {
        let at = self.shared.options.clock.now();
        let span = self.log.append(at, event)?;
        self.fold.take(at, event, span);
        if let Event::TrialFinished(result) = event {
            self.done += 1;
            if self.shared.options.fail_fast {
                self.fail_fast(result);
            }
        }
        self.observer.event(event, self.fold.run());
        Ok(())
    }

    /// Begins a sync on another thread, so that the disk does not hold up the requests; one at a
    /// time, as soon as fifty lines or a second have gathered.
    fn sync_if_due(&mut self) -> Result<(), RunnerError> {
        let due = self.syncing.is_due(self.log.lines_since_sync());
        if due.map_err(|error| self.log.not_synced(error))? {
            let file = self.log.sync_handle()?;
            self.log.sync_begun();
            self.syncing.begin(move || file.sync_data());
        }
        Ok(())
    }

    fn observe(&mut self) {
        let statuses = || self.shared.gates.values().map(Gate::status);
        let pause = self
            .shared
            .job
            .arms
            .iter()
            .filter_map(|arm| {
                let gate = self.shared.gates.get(&endpoint_id(&arm.endpoint))?;
                let pause = gate.status().pause?;
                Some((arm.endpoint.spec.name.to_string(), pause))
            })
            .max_by_key(|(_, pause)| *pause);
        let status = Status {
            elapsed: self.begun.elapsed(),
            done: self.done,
            planned: self.shared.job.order.len(),
            in_flight: statuses()
                .map(|status: LimiterStatus| status.in_flight)
                .sum(),
            pause,
            batch: self.shared.batches.status(),
        };
        self.observer.tick(&status, self.fold.run());
    }

    /// Records what was not run, and the end; makes all of it durable.
    async fn finish(mut self) -> Result<Finished, RunnerError> {
        let stop = self
            .shared
            .stop
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let skip = stop.as_ref().map_or(Skip::Cancelled, |stop| stop.skip);
        let shared = Arc::clone(&self.shared);
        for trial in shared.job.order.iter().copied() {
            let ended = self
                .fold
                .run()
                .trial(trial)
                .is_some_and(|record| record.outcome.is_some());
            if !ended {
                self.record(&Event::TrialFinished(Box::new(skipped(trial, skip))))?;
            }
        }
        let reason = match stop {
            None => FinishReason::complete(),
            Some(stop) => FinishReason {
                reason: stop.reason.to_owned(),
                message: Some(stop.message),
            },
        };
        self.record(&Event::RunFinished(reason))?;
        self.observe();
        self.write_lines()?;
        let ended = self.syncing.end().await;
        ended.map_err(|error| self.log.not_synced(error))?;
        self.log.sync()?;
        self.cache.finish()?;
        let corrupt = self
            .shared
            .cache
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .corrupt;
        Ok(Finished {
            run: self.fold.finish(),
            interrupt: self.interrupt,
            corrupt_cache_entries: corrupt,
            notes: self.shared.batches.notes(),
        })
    }
}

async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => std::future::pending().await,
    }
}
