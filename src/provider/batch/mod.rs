//! Batches: many calls taken in at once, answered within a day at half the price. The forms of both
//! vendors are pure; [`Batches`] sends what they say.
//!
//! Protocols: `OpenAI` "Batch API" (a file of JSON lines, then a batch over it), Anthropic "Message
//! Batches" (requests inline, results as JSON lines). A line is known by its cache key.

mod anthropic;
mod exchange;
mod line;
mod openai;
mod protocol;

pub use exchange::{Batches, SubmitError};
pub use line::{LineResult, custom_id};
pub use protocol::{BatchState, Limits};
