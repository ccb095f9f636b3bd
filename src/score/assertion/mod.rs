//! Assertions: scorers that are functions of the answer and the case. One family a file, its
//! declared form beside its behaviour.

pub mod catalogue;
pub mod contains;
pub mod equals;
pub mod fold;
pub mod json;
pub mod length;
pub mod measure;
pub mod pattern;
pub mod schema;

pub use catalogue::{Assertion, Input};
