//! The calls that a command has not answered yet, matched by id.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use super::ExecReply;
use crate::chat::ErrorClass;
use crate::provider::CallError;

type Outcome = Result<ExecReply, CallError>;

/// The calls in flight of one process.
#[derive(Debug, Default)]
pub(super) struct Flight(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    last: u64,
    waiting: HashMap<String, oneshot::Sender<Outcome>>,
    /// Ids whose caller went away: their replies may still come.
    abandoned: HashSet<String>,
    ended: Option<CallError>,
}

/// A place in flight; given up when it is dropped.
#[derive(Debug)]
pub(super) struct Ticket<'f> {
    flight: &'f Flight,
    id: String,
    outcome: oneshot::Receiver<Outcome>,
}

impl Flight {
    fn state(&self) -> MutexGuard<'_, State> {
        // No code panics while it holds the lock, and the maps are valid at each step.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a place for a call.
    ///
    /// # Errors
    /// How the process ended, if it did.
    pub(super) fn enter(&self) -> Result<Ticket<'_>, CallError> {
        let mut state = self.state();
        if let Some(error) = &state.ended {
            return Err(error.clone());
        }
        state.last += 1;
        let id = state.last.to_string();
        let (sender, outcome) = oneshot::channel();
        state.waiting.insert(id.clone(), sender);
        Ok(Ticket {
            flight: self,
            id,
            outcome,
        })
    }

    /// Hands a reply to the call that waits for it.
    ///
    /// # Errors
    /// When no call ever had the id, or its reply came already.
    pub(super) fn land(&self, id: &str, reply: ExecReply) -> Result<(), UnknownId> {
        let mut state = self.state();
        if let Some(waiting) = state.waiting.remove(id) {
            // A caller that went away just now does not want it.
            let _ = waiting.send(Ok(reply));
            return Ok(());
        }
        state.abandoned.remove(id).then_some(()).ok_or(UnknownId)
    }

    /// Fails all calls, now and from now on.
    pub(super) fn end(&self, error: &CallError) {
        let mut state = self.state();
        state.ended.get_or_insert_with(|| error.clone());
        for (_, waiting) in state.waiting.drain() {
            let _ = waiting.send(Err(error.clone()));
        }
    }

    /// Whether the process ended.
    pub(super) fn has_ended(&self) -> bool {
        self.state().ended.is_some()
    }
}

/// A reply that no call waits for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct UnknownId;

impl Ticket<'_> {
    /// The id to send.
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// Waits for the outcome.
    pub(super) async fn outcome(mut self) -> Outcome {
        let lost = CallError::new(ErrorClass::Internal, "the reply of the command was lost");
        (&mut self.outcome).await.unwrap_or(Err(lost))
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        let mut state = self.flight.state();
        if state.waiting.remove(&self.id).is_some() {
            state.abandoned.insert(std::mem::take(&mut self.id));
        }
    }
}
