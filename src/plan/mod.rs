//! From a suite to the trials of a run: which cases, in which order, under which digest.

pub mod estimate;
pub mod order;
pub mod shard;

pub use order::{plan_digest, trial_order};
pub use shard::Shard;
