//! The surface: arguments, environment, standard streams, signals, exit codes.

pub mod args;
mod calibrate;
mod dispatch;
pub mod env;
pub mod exit;
mod comment;
mod drift;
mod experiment;
mod features;
mod gate;
pub mod github;
mod import;
mod init;
mod inspect;
mod next;
pub mod output;
mod planning;
pub mod progress;
mod project;
mod registry;
pub mod reports;
pub mod signals;
mod stream;

pub use dispatch::main;
