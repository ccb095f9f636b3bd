//! The surface: arguments, environment, standard streams, signals, exit codes.

pub mod args;
mod dispatch;
pub mod env;
pub mod exit;
mod experiment;
mod gate;
pub mod github;
mod inspect;
pub mod output;
mod planning;
pub mod progress;
mod project;
pub mod reports;
pub mod signals;

use std::process::ExitCode;

/// The whole program: reads arguments, runs the command, says how it went.
#[must_use]
pub fn main() -> ExitCode {
    let code = match args::parse(std::env::args_os()) {
        Ok(args) => dispatch::dispatch(args),
        Err(stop) => stop.print(),
    };
    code.into()
}
