//! The surface: arguments, environment, standard streams, signals, exit codes.

pub mod args;
pub mod env;
pub mod exit;
pub mod github;
pub mod output;
pub mod present;
pub mod progress;
pub mod reports;
pub mod signals;

use std::process::ExitCode;

/// The whole program: reads arguments, runs the command, says how it went.
#[must_use]
pub fn main() -> ExitCode {
    let code = match args::parse(std::env::args_os()) {
        Ok(args) => present::dispatch(args),
        Err(stop) => stop.print(),
    };
    code.into()
}
