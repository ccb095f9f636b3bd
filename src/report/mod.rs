//! What a command found, as plain data, and one renderer for each form in which it is read.
//!
//! A renderer writes case by case into the writer it is given and reads the texts of a case from
//! the run's log when it needs them, so its memory does not grow with the answers. It can not fail
//! on its data, only on its writer. Model and dataset text is hostile: it passes through [`escape`].

pub mod content;
pub mod contrast;
pub mod escape;
pub mod number;
mod words;
mod flaky;
mod exhibit;
mod method;
pub mod json;
pub mod sheet;
pub mod terminal;
pub mod junit;
pub mod markdown;
pub mod comment;
pub mod github;
pub mod html;

#[cfg(test)]
pub(crate) mod sample;

pub use content::{
    ExitNote, MemoryTexts, NextStep, Report, SuiteNote, SuiteOutcome, SuiteReport, Texts,
};
