//! Answers in batches: all that a run will ask is sent to the provider at once and fetched when it is
//! done, at half the price. Trials begin when the answers are there, and take them as they would
//! take any other. Judges are asked directly.
//!
//! The id of a batch stands in the run log before it is first asked for: a run that is resumed asks
//! for the same batch again instead of buying it twice.

mod gather;
mod gathered;
mod wanted;

pub use gather::gather;
pub use gathered::{Gathered, Given, is_needed};
