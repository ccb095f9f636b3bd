//! The command line as a whole: the commands, what they all take, and how it is read.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, CommandFactory, Parser, Subcommand};

use super::{CacheCommand, CompareArgs, LintArgs, MergeArgs, PromptArgs, ReportArgs, RunArgs};
use crate::cli::exit::Exit;

/// Decides with statistics whether a new version of an LLM prompt may replace the old one.
#[derive(Debug, Parser)]
#[command(
    name = "gate",
    version,
    max_term_width = 100,
    disable_help_subcommand = true,
    after_help = "Without a command: the project in short, and what `gate compare` would do.\nExit codes: 0 ok, 1 gate_failed, 2 usage, 3 infra, 4 inconclusive, 130/143 interrupted."
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Options of every command.
    #[command(flatten)]
    pub global: Global,
}

/// Options of every command.
#[derive(Debug, Args)]
pub struct Global {
    /// Work in this folder.
    #[arg(short = 'C', value_name = "DIR", global = true)]
    pub folder: Option<PathBuf>,
    /// A profile of gate.yaml.
    #[arg(short, long, value_name = "NAME", global = true)]
    pub profile: Option<String>,
    /// When to colour output.
    #[arg(long, value_name = "WHEN", global = true, value_parser = ["auto", "always", "never"])]
    pub color: Option<String>,
    /// No progress.
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// Show more: intervals of the arms, digests, cost.
    #[arg(short, long, global = true)]
    pub verbose: bool,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Compare two versions of a prompt on golden data.
    ///
    /// Without versions: for each prompt, what is on disk now against `stable`.
    #[command(
        after_help = "Examples:\n  gate compare v7 v8\n  gate compare stable latest --junit gate.xml --json gate.json\n  gate compare git:main worktree\n  gate compare --changed-since origin/main"
    )]
    Compare(CompareArgs),
    /// Test one version against absolute rules (least pass rate, must-pass cases).
    #[command(
        after_help = "Examples:\n  gate run v8\n  gate run --no-gate        look at answers without a decision"
    )]
    Run(RunArgs),
    /// Check suites, templates, data and judges; sends nothing.
    #[command(
        alias = "validate",
        after_help = "Example:\n  gate lint --show-settings"
    )]
    Lint(LintArgs),
    /// Report a stored run again, without a call.
    #[command(after_help = "Example:\n  gate report last --markdown report.md")]
    Report(ReportArgs),
    /// Join the shards of a run into one verdict.
    #[command(
        after_help = "Examples:\n  gate merge shard-1/ shard-2/ --junit gate.xml\n  gate merge 0192f3 0192f4"
    )]
    Merge(MergeArgs),
    /// The versions of prompts: add, compare, promote, roll back, audit.
    #[command(
        after_help = "Examples:\n  gate prompt diff v7 v8\n  gate prompt promote support-triage@v8\n  gate prompt rollback support-triage --why \"wrong labels\""
    )]
    Prompt(PromptArgs),
    /// The response cache.
    #[command(
        subcommand,
        after_help = "Examples:\n  gate cache stats\n  gate cache prune --older-than 30d --max-size 500"
    )]
    Cache(CacheCommand),
    /// Print the JSON Schema of a file of ours.
    #[command(after_help = "Example:\n  gate schema suite > suite.schema.json")]
    Schema {
        /// Which: dataset, mock, prompt, result, settings, suite.
        name: Option<String>,
    },
    /// Print a completion script.
    #[command(after_help = "Example:\n  gate completions bash > /etc/bash_completion.d/gate")]
    Completions {
        /// For which shell.
        shell: clap_complete::Shell,
    },
}

/// An end before any command: help, version, or a usage error.
pub struct Stop(clap::Error);

impl Stop {
    /// Prints what clap has to say, and how the process ends.
    #[must_use]
    pub fn print(&self) -> Exit {
        // A closed stream is no reason to fail here.
        let _ = self.0.print();
        if self.0.use_stderr() {
            crate::cli::output::last_line(Exit::Usage, "the command line is not understood");
            return Exit::Usage;
        }
        Exit::Ok
    }
}

/// Reads the command line.
///
/// # Errors
/// Help, version, and what is not understood.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Cli, Stop> {
    Cli::try_parse_from(arguments).map_err(Stop)
}

/// The description of the command line, for completions and the reference.
#[must_use]
pub fn description() -> clap::Command {
    Cli::command()
}
