//! The golden dataset: decoding cases from JSONL, CSV and YAML, and choosing among them.

pub mod case;
mod csv;
pub mod decode;
pub mod filter;
pub mod label;
pub mod select;

pub use case::{Case, dataset_digest};
pub(crate) use csv::row_at as csv_row_at;
pub use decode::{DatasetForm, Decoder};
pub use filter::Filter;
pub use select::Sample;
