//! Judges: scorers that ask a model. A judge is a prompt version whose variables are given in
//! fences that no answer can forge, and whose reply is read strictly.

pub mod ask;
pub mod builtin;
pub mod duel;
mod expected;
pub mod fence;
pub mod form;
pub mod panel;
pub mod reply;
pub mod spec;

pub use ask::{Comparing, Judge, JudgeFault, Question, Step};
pub use duel::{Duel, Position};
pub use expected::expected_score;
pub use form::{Class, ClassScores, Preference, Scale, VerdictForm};
pub use panel::{Panel, Vote};
pub use reply::{JudgeError, read_reply, read_verdict};
pub use spec::{JudgeReference, JudgeSpec};

#[cfg(test)]
mod injection;
#[cfg(test)]
mod tests;
