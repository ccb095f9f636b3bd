//! Assertions: scorers that are functions of the answer and the case. One family a file, its
//! declared form beside its behaviour.

pub mod bleu;
pub mod catalogue;
pub mod choice;
pub mod contains;
pub mod diff;
pub mod distance;
pub mod equals;
pub mod expression;
pub mod fold;
pub mod html;
pub mod javascript;
pub mod json;
pub mod language;
pub mod length;
pub mod list;
pub mod measure;
pub mod ngram;
pub mod number;
pub mod path;
pub mod pattern;
pub mod privacy;
pub mod refusal;
pub mod rouge;
pub mod schema;
pub mod set;
pub mod similarity;
pub mod sql;
pub mod squad;
pub mod tool;
pub mod xml;

pub use catalogue::{Assertion, Input};
