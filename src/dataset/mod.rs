//! The golden dataset: decoding cases from JSONL, CSV and YAML, choosing among them, segments.

pub mod case;

pub use case::{Case, dataset_digest};
