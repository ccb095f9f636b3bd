//! Sends a command to its place and says what went wrong.

use std::process::ExitCode;

use super::args::{self, Cli, Command};
use super::exit::Exit;
use super::{
    calibrate, drift, experiment, gate, import, init, inspect, output, planning, registry,
};
use crate::base::Look;
use crate::command::CommandError;

/// The whole program: reads arguments, runs the command, says how it went.
#[must_use]
pub fn main() -> ExitCode {
    let code = match args::parse(super::env::arguments()) {
        Ok(args) => dispatch(args),
        Err(stop) => stop.print(),
    };
    code.into()
}

/// Runs a command to its exit code.
fn dispatch(args: Cli) -> Exit {
    let Cli { command, global } = args;
    let look = output::look(global.color.as_deref());
    let result = match command {
        None => inspect::overview(&global),
        Some(Command::Compare(args)) => gate::compare(&global, &args),
        Some(Command::Drift(args)) => drift::drift(&global, &args),
        Some(Command::Run(args)) => gate::run(&global, &args),
        Some(Command::Lint(args)) => inspect::lint(&global, &args),
        Some(Command::Report(args)) => gate::report(&global, &args),
        Some(Command::Rescore(args)) => gate::rescore(&global, &args),
        Some(Command::Show(args)) => inspect::show(&global, &args),
        Some(Command::Merge(args)) => gate::merge(&global, &args),
        Some(Command::Decide(args)) => gate::decide(&global, &args),
        Some(Command::Ab(args)) => experiment::ab(&global, &args),
        Some(Command::Power(args)) => planning::power(&global, &args),
        Some(Command::Simulate(args)) => planning::simulate(&global, &args),
        Some(Command::Calibrate(args)) => calibrate::calibrate(&global, &args),
        Some(Command::Prompt(args)) => registry::prompt(&global, &args),
        Some(Command::Init(args)) => init::init(&global, &args),
        Some(Command::Import(args)) => import::import(&global, &args),
        Some(Command::Cache(args)) => inspect::cache(&global, &args),
        Some(Command::Schema { name }) => inspect::schema(name.as_deref()),
        Some(Command::Completions { shell }) => inspect::completions(shell),
    };
    result.unwrap_or_else(|error| show_error(&error, look))
}

/// Says what went wrong, where, and what to do.
fn show_error(error: &CommandError, look: Look) -> Exit {
    let exit = Exit::of_error(error);
    match error {
        CommandError::Findings(found) => output::say_findings(found, look),
        CommandError::Usage { message, help } | CommandError::Infra { message, help, .. } => {
            output::say_error(message, help.as_deref(), look);
        }
    }
    // What is wrong stands above: the last line counts it, or says what the code means.
    let reason = match error {
        CommandError::Findings(found) => found.summary(),
        CommandError::Usage { .. } => exit.meaning().to_owned(),
        CommandError::Infra { reason, .. } => format!("{reason}: {}", exit.meaning()),
    };
    output::last_line(exit, &reason);
    exit
}
