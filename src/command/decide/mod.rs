//! `gate decide BASE CAND`: the decision alone, on outcome files of any tool.
//!
//! Each form has a reader that turns a file into rows; rows are matched by case, made into a run
//! without a log, and decided like any other.

pub(super) mod files;
mod inspect;
mod junit;
mod matched;
mod plain;
mod promptfoo;
pub(super) mod row;
mod stored;
mod synthetic;
mod work;
mod zip;

pub use work::{Options, decide};
