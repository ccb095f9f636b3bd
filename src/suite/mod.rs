//! The suite file: what is tested, on which cases, with which models, how it is scored and decided.
//! It composes the forms that `dataset`, `score` and `verdict` declare.

pub mod digest;
pub mod file;
pub mod http_form;
pub mod models;
pub mod path;
pub mod quarantine;
pub mod validate;

#[cfg(test)]
mod schema_tests;

pub use digest::suite_digest;
pub use file::{PromptLocation, Suite, decode, kind_of};
pub use validate::validate;
