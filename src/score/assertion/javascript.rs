//! `javascript`: a program over the answer and the case, in an engine that knows nothing else. What
//! it sees and gives is what promptfoo's assertion of that name sees and gives, as far as
//! `docs/scorers.md` says. Only builds with the cargo feature `javascript` have the engine.

use super::super::form::ScorerType;

#[cfg(feature = "javascript")]
mod engine;
#[cfg(feature = "javascript")]
mod script;

#[cfg(feature = "javascript")]
pub use script::Javascript;

const KEYS: &[&str] = &["value", "parse", "config", "threshold"];

/// The types of this family.
#[cfg(feature = "javascript")]
pub const TYPES: &[ScorerType] = &[ScorerType::new("javascript", KEYS, script::decode)];
/// The types of this family.
#[cfg(not(feature = "javascript"))]
pub const TYPES: &[ScorerType] = &[ScorerType::lacking("javascript", KEYS, "javascript")];
