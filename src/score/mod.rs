//! Scorers: assertions, which are functions of the answer, and judges, which ask a model. A scorer
//! never calls a model itself: it answers with a score, or with the question to ask.
//!
//! `docs/scorers.md` holds the one definition of each scorer; a test keeps it equal to the code.

pub mod answer;
pub mod assertion;
pub mod error;
pub mod evaluate;
pub mod exec;
pub mod form;
pub mod judge;
pub mod reduce;
pub mod similar;
pub mod spec;
pub mod template;
pub mod transform;

pub use answer::{Answer, Context, Part, Score};
pub use error::ScorerError;
pub use evaluate::{score, transformed};
pub use exec::ExecSpec;
pub use judge::{Judge, JudgeError, JudgeFault, JudgeSpec, Panel, Question, Step, read_reply};
pub use similar::Similar;
pub use spec::{Kind, ScorerSpec};
pub use template::Reference;

#[cfg(test)]
mod tests;
