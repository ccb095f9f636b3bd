//! The way to one endpoint: limiter, circuit and retry budget behind one lock, and the waiting that
//! they ask for.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::circuit::{Circuit, Stop};
use super::limiter::{Admission, Limiter, LimiterStatus};
use super::retry::{self, Failures, Retry, RetryBudget};
use crate::base::rng::Stream;
use crate::provider::CallError;
use crate::record::Skip;

/// What the user allows a minute.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Rates {
    /// Requests.
    pub requests: Option<f64>,
    /// Tokens.
    pub tokens: Option<f64>,
}

/// Everything that paces one endpoint.
pub struct Gate {
    begun: Instant,
    freed: Notify,
    state: Mutex<State>,
}

struct State {
    limiter: Limiter,
    circuit: Circuit,
    budget: RetryBudget,
    jitter: Stream,
}

/// What becomes of a call after a failed attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Another attempt after a delay.
    Again(Duration),
    /// The call has failed.
    GiveUp,
    /// The run is to be stopped.
    Stop(Stop),
}

impl Gate {
    /// The way to an endpoint with at most `concurrency` requests in flight.
    #[must_use]
    pub fn new(concurrency: u32, rates: Rates, seed: u64, name: &str) -> Self {
        let state = State {
            limiter: Limiter::new(concurrency, rates.requests, rates.tokens),
            circuit: Circuit::default(),
            budget: RetryBudget::new(),
            jitter: Stream::new(seed, &format!("jitter {name}")),
        };
        Self {
            begun: Instant::now(),
            freed: Notify::new(),
            state: Mutex::new(state),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A poisoned lock means that a scorer panicked elsewhere; the numbers are still whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until a request of so many tokens may be sent. `false` when the run was stopped meanwhile.
    pub async fn enter(&self, tokens: f64, stopped: &CancellationToken) -> bool {
        loop {
            if stopped.is_cancelled() {
                return false;
            }
            let freed = self.freed.notified();
            let admission = self.state().limiter.admit(self.begun.elapsed(), tokens);
            match admission {
                Admission::Go => return true,
                Admission::Wait(time) => tokio::select! {
                    () = tokio::time::sleep(time) => {}
                    () = stopped.cancelled() => {}
                },
                Admission::Full => tokio::select! {
                    () = freed => {}
                    () = stopped.cancelled() => {}
                },
            }
        }
    }

    /// Notes a call's first attempt, on which retries may draw later.
    pub fn first_attempt(&self) {
        self.state().budget.request();
    }

    /// Notes an answer, and how long the provider's numbers say to send nothing.
    pub fn answered(&self, hold: Option<Duration>) {
        let now = self.begun.elapsed();
        let mut state = self.state();
        if let Some(wait) = hold {
            state.limiter.hold(now, wait);
        }
        state.limiter.ended(now, true);
        state.circuit.success();
        drop(state);
        self.freed.notify_waiters();
    }

    /// Notes a failed attempt, and decides what becomes of its call.
    pub fn failed(&self, error: &CallError, failures: Failures, retries: u32) -> Next {
        let now = self.begun.elapsed();
        let mut state = self.state();
        let unit = state.jitter.unit();
        let decision = retry::decide(error, failures, retries, unit);
        let push_back = retry::is_push_back(error.class);
        let pause = match decision {
            Retry::Paced(pause) => pause,
            Retry::After(_) | Retry::Never | Retry::TooLong(_) => {
                error.retry_after.unwrap_or_default()
            }
        };
        if push_back {
            state
                .limiter
                .pushed_back(now, pause.min(retry::LONGEST_WAIT));
        } else {
            state.limiter.ended(now, false);
        }
        let stop = state
            .circuit
            .failure(error, now, push_back.then_some(now + pause));
        let again =
            matches!(decision, Retry::After(_) | Retry::Paced(_)) && state.budget.take(error.class);
        drop(state);
        if stop.is_none() {
            self.freed.notify_waiters();
        }
        match (stop, decision) {
            (Some(stop), _) => Next::Stop(stop),
            (None, Retry::TooLong(wait)) => Next::Stop(Stop {
                skip: Skip::Infra,
                reason: "rate_limit",
                message: format!(
                    "the provider asks to wait {} s, which is longer than this program waits",
                    wait.as_secs()
                ),
            }),
            (None, Retry::After(wait)) if again => Next::Again(wait),
            // The limiter holds the attempt back with all others of this endpoint.
            (None, Retry::Paced(_)) if again => Next::Again(Duration::ZERO),
            (None, Retry::After(_) | Retry::Paced(_) | Retry::Never) => Next::GiveUp,
        }
    }

    /// Notes that a request that was admitted was not sent after all.
    pub fn left(&self) {
        let now = self.begun.elapsed();
        self.state().limiter.ended(now, false);
        self.freed.notify_waiters();
    }

    /// What the limiter is doing.
    pub fn status(&self) -> LimiterStatus {
        self.state().limiter.status(self.begun.elapsed())
    }
}
