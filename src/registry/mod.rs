//! The registry of prompt versions as a pure state machine over an append-only log: references,
//! entries and their chain, channels and statuses, and what a promotion needs.
//!
//! Values in, values out. Files, locks and the clock belong to `store::registry` and its callers.

pub mod channel;
pub mod entry;
pub mod lifecycle;
pub mod log;
pub mod reference;
pub mod resolve;
pub mod status;
pub mod version;

pub use channel::Channel;
pub use entry::{Action, Draft, Entry, EvidenceRef};
pub use lifecycle::State;
pub use log::{Log, LogError, LogFault};
pub use reference::{PromptRef, VersionRef};
pub use status::Status;
