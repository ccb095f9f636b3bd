//! `gate` decides with statistics, in CI, whether a new version of an LLM prompt may replace the
//! old one.
//!
//! The modules stand in import order: a module names only modules above it.

pub mod base;
pub mod stats;
pub mod chat;
pub mod prompt;
pub mod dataset;
pub mod record;
pub mod analysis;
pub mod verdict;
pub mod report;
pub mod provider;
