//! What batches have given so far, for the trials that wait for it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::provider::CallError;
use crate::record::TrialId;
use crate::runner::asking::Told;
use crate::runner::job::{Job, RunOptions};

/// What became of one trial's question.
#[derive(Debug)]
pub enum Given {
    /// It was answered; log and cache have the answer.
    Answer(Box<Told>),
    /// It failed, and is not sent again.
    Failed(CallError),
    /// The budget does not cover it.
    NotSent,
}

/// The answers of batches.
#[derive(Debug)]
pub struct Gathered {
    going: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    given: HashMap<TrialId, Given>,
    status: Option<String>,
    notes: Vec<String>,
}

/// Whether a run has to do with batches: it is to use them, or it goes on where they were used.
#[must_use]
pub fn is_needed(job: &Job, options: &RunOptions) -> bool {
    let begun = job
        .prior
        .as_ref()
        .is_some_and(|prior| !prior.run.batches.is_empty());
    !options.offline && (options.batch.is_some() || begun)
}

impl Gathered {
    /// Nothing yet. `going` says whether answers are still to come.
    #[must_use]
    pub fn new(going: bool) -> Self {
        Self {
            going: AtomicBool::new(going),
            state: Mutex::default(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether trials have to wait.
    pub fn is_going(&self) -> bool {
        self.going.load(Ordering::Acquire)
    }

    /// Lets the trials begin.
    pub fn done(&self) {
        self.state().status = None;
        self.going.store(false, Ordering::Release);
    }

    /// Leaves something for a trial.
    pub fn give(&self, trial: TrialId, given: Given) {
        self.state().given.insert(trial, given);
    }

    /// What there is for a trial. It is gone then.
    pub fn take(&self, trial: TrialId) -> Option<Given> {
        self.state().given.remove(&trial)
    }

    /// Says what is waited for.
    pub fn say(&self, status: String) {
        self.state().status = Some(status);
    }

    /// What is waited for.
    pub fn status(&self) -> Option<String> {
        self.state().status.clone()
    }

    /// Leaves a note for the reports.
    pub fn note(&self, note: String) {
        let mut state = self.state();
        if !state.notes.contains(&note) {
            state.notes.push(note);
        }
    }

    /// The notes for the reports.
    pub fn notes(&self) -> Vec<String> {
        self.state().notes.clone()
    }
}
