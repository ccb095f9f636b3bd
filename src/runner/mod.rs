//! Runs a plan: asks, scores, records. The executor drives each trial and says what happened over
//! one bounded channel; the dispatcher owns the run's state, writes the log before anything is sent,
//! and decides when to stop. Nothing else waits, and no task outlives the run.

pub mod asking;
pub mod batch;
pub mod budget;
pub mod circuit;
pub mod dispatcher;
pub mod executor;
pub mod gate;
pub mod job;
mod embedding;
mod judging;
mod pairing;
pub mod limiter;
pub mod retry;
mod scoring;
mod syncing;

pub use budget::Budget;
pub use dispatcher::{Finished, Observer, RunnerError, Status, run};
pub use job::{
    ArmJob, EmbedderJob, Interrupt, Job, JudgeJob, Looks, Prior, RunOptions, Scoring,
    StoredAnswers, StoredReplies,
};

#[cfg(test)]
mod tests;
