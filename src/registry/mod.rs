//! The registry of prompt versions as a pure state machine over an append-only log: references,
//! entries and their chain, channels and statuses, and what a promotion needs.
//!
//! Values in, values out. Files, locks and the clock belong to `store::registry` and its callers.

pub mod change;
pub mod channel;
pub mod entry;
pub mod evidence;
pub mod lifecycle;
pub mod log;
pub mod movement;
pub mod promote;
pub mod reference;
pub mod repair;
pub mod resolve;
pub mod settings;
pub mod signature;
pub mod status;
pub mod tenants;
pub mod verify;
pub mod version;

pub use change::{Change, Stamp};
pub use channel::Channel;
pub use entry::{Action, Draft, Entry, EvidenceRef};
pub use evidence::{EvidenceFault, EvidenceSummary, EvidenceVerdict, Requirement};
pub use lifecycle::State;
pub use log::{Log, LogError, LogFault};
pub use promote::{Missing, Promotion, check_promotion};
pub use reference::{PromptRef, VersionRef};
pub use settings::PromptSettings;
pub use status::Status;
