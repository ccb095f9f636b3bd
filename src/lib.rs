//! `gate` decides with statistics, in CI, whether a new version of an LLM prompt may replace the
//! old one.
//!
//! The modules stand in import order: a module names only modules above it.

pub mod base;
pub mod stats;
pub mod chat;
pub mod prompt;
pub mod dataset;
pub mod registry;
pub mod score;
pub mod record;
pub mod analysis;
pub mod verdict;
pub mod report;
pub mod suite;
pub mod settings;
pub mod plan;
pub mod http;
pub mod store;
pub mod provider;
pub mod runner;
pub mod command;
pub mod cli;
