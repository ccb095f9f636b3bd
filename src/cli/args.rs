//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, CommandFactory, Parser, Subcommand};

use super::exit::Exit;

/// Decides with statistics whether a new version of an LLM prompt may replace the old one.
#[derive(Debug, Parser)]
#[command(name = "gate", version, max_term_width = 100, disable_help_subcommand = true, after_help = "Without a command: the project in short, and what `gate compare` would do.\nExit codes: 0 ok, 1 gate_failed, 2 usage, 3 infra, 4 inconclusive, 130/143 interrupted.")]
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
    #[command(after_help = "Examples:\n  gate compare v7 v8\n  gate compare stable latest --junit gate.xml --json gate.json\n  gate compare git:main worktree\n  gate compare --changed-since origin/main")]
    Compare(CompareArgs),
    /// Test one version against absolute rules (min_pass_rate, must-pass cases).
    #[command(after_help = "Examples:\n  gate run v8\n  gate run --no-gate        look at answers without a decision")]
    Run(RunArgs),
    /// Check suites, templates, data and judges; sends nothing.
    #[command(alias = "validate", after_help = "Example:\n  gate lint --show-settings")]
    Lint(LintArgs),
    /// Report a stored run again, without a call.
    #[command(after_help = "Example:\n  gate report last --markdown report.md")]
    Report(ReportArgs),
    /// Look at the versions of prompts.
    #[command(subcommand, after_help = "Examples:\n  gate prompt list\n  gate prompt show support-triage@v8\n  gate prompt diff v7 v8")]
    Prompt(PromptCommand),
    /// The response cache.
    #[command(subcommand, after_help = "Examples:\n  gate cache stats\n  gate cache prune --older-than 30d --max-size 500")]
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

/// `gate compare`.
#[derive(Debug, Args)]
pub struct CompareArgs {
    /// [BASE] CAND: v8, stable, latest, git:REV, worktree, file:PATH, sha256:…, run:ID. One alone is
    /// the candidate.
    #[arg(value_name = "VERSION", num_args = 0..=2)]
    pub versions: Vec<String>,
    /// Only suites with a file changed since this revision; the baseline is what stood there.
    #[arg(long, value_name = "REF")]
    pub changed_since: Option<String>,
    /// Options of a run.
    #[command(flatten)]
    pub gate: GateArgs,
}

/// `gate run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// The version; what is on disk now if left out.
    pub version: Option<String>,
    /// Options of a run.
    #[command(flatten)]
    pub gate: GateArgs,
}

/// Options of commands that run a suite.
#[derive(Debug, Args, Default)]
pub struct GateArgs {
    /// What is run.
    #[command(flatten)]
    pub select: SelectArgs,
    /// How it is run.
    #[command(flatten)]
    pub how: HowArgs,
    /// Where reports go.
    #[command(flatten)]
    pub reports: ReportFiles,
    /// Report, and exit 0 where the gate would block.
    #[arg(long)]
    pub no_gate: bool,
}

/// What is run.
#[derive(Debug, Args, Default)]
#[command(next_help_heading = "What is run")]
pub struct SelectArgs {
    /// Only this suite (repeatable).
    #[arg(long, value_name = "NAME")]
    pub suite: Vec<String>,
    /// Only suites of this prompt.
    #[arg(long, value_name = "SLUG")]
    pub prompt: Option<String>,
    /// The registry, where suites name none.
    #[arg(long, value_name = "FOLDER")]
    pub registry: Option<String>,
    /// Only cases with this id; `*` stands for any characters (repeatable).
    #[arg(long, value_name = "ID")]
    pub case: Vec<String>,
    /// Only cases with this tag (repeatable).
    #[arg(long, value_name = "TAG")]
    pub tag: Vec<String>,
    /// Only cases of this segment (repeatable).
    #[arg(long, value_name = "KEY=VALUE")]
    pub segment: Vec<String>,
    /// A filter that matches nothing is no error.
    #[arg(long)]
    pub allow_empty: bool,
    /// A seed in place of the suite's.
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Repeats of each case in place of the suite's.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub repeat: Option<u32>,
}

/// How it is run.
#[derive(Debug, Args, Default)]
#[command(next_help_heading = "How it is run")]
pub struct HowArgs {
    /// Most requests in flight [default: 32].
    #[arg(short = 'j', long, value_name = "N")]
    pub concurrency: Option<String>,
    /// Requests a minute at most.
    #[arg(long, value_name = "N")]
    pub rate: Option<String>,
    /// Time for one request [default: 120s].
    #[arg(long, value_name = "TIME")]
    pub timeout: Option<String>,
    /// Retries of faults of the wire [default: 4].
    #[arg(long, value_name = "N")]
    pub retries: Option<String>,
    /// Time for each run.
    #[arg(long, value_name = "TIME")]
    pub deadline: Option<String>,
    /// How the response cache is used: rw, ro, off, refresh [default: rw].
    #[arg(long, value_name = "MODE", conflicts_with = "no_cache")]
    pub cache: Option<String>,
    /// The same as --cache off.
    #[arg(long)]
    pub no_cache: bool,
    /// Nothing leaves the machine; what is not in the cache is skipped.
    #[arg(long)]
    pub offline: bool,
    /// Let keys go to this host besides the provider's own (repeatable).
    #[arg(long, value_name = "HOST")]
    pub allow_host: Vec<String>,
    /// Let files name this folder outside the project (repeatable).
    #[arg(long, value_name = "DIR")]
    pub allow_path: Vec<String>,
    /// Let suites run commands of their own.
    #[arg(long)]
    pub allow_exec: bool,
    /// What progress looks like: auto, bar, lines, none.
    #[arg(long, value_name = "FORM")]
    pub progress: Option<String>,
}

/// Where reports go.
#[derive(Debug, Args, Default)]
#[command(next_help_heading = "Reports")]
pub struct ReportFiles {
    /// Write JUnit XML (repeatable; `-` is stdout).
    #[arg(long, value_name = "FILE")]
    pub junit: Vec<String>,
    /// Write the JSON result (repeatable; `-` is stdout).
    #[arg(long, value_name = "FILE")]
    pub json: Vec<String>,
    /// Write Markdown (repeatable; `-` is stdout).
    #[arg(long, value_name = "FILE")]
    pub markdown: Vec<String>,
    /// Write gate.xml, gate.json and gate.md to this folder.
    #[arg(short = 'o', long, value_name = "DIR")]
    pub output: Option<String>,
    /// Which schema JUnit keeps to: common, strict.
    #[arg(long, value_name = "PROFILE")]
    pub junit_profile: Option<String>,
    /// How lost cases stand in JUnit: default, strict, verdict.
    #[arg(long, value_name = "MODE")]
    pub junit_cases: Option<String>,
    /// What stdout carries: human, json, github [default: human].
    #[arg(short, long, value_name = "FORMAT")]
    pub format: Option<String>,
}

/// `gate lint`.
#[derive(Debug, Args)]
pub struct LintArgs {
    /// What is checked.
    #[command(flatten)]
    pub select: SelectArgs,
    /// Print every setting with its origin.
    #[arg(long)]
    pub show_settings: bool,
}

/// `gate report`.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// A run's id, a unique beginning of one, or `last`.
    pub run: String,
    /// Where reports go.
    #[command(flatten)]
    pub reports: ReportFiles,
    /// Report, and exit 0 where the gate would block.
    #[arg(long)]
    pub no_gate: bool,
}

/// `gate prompt`.
#[derive(Debug, Subcommand)]
pub enum PromptCommand {
    /// List prompts with their versions and what `stable` points to.
    List,
    /// Print a version.
    Show {
        /// `slug@v8`, or a version of the one prompt.
        version: String,
    },
    /// Show what changed between two versions, word by word.
    Diff {
        /// The older version.
        before: String,
        /// The newer version.
        after: String,
    },
}

/// `gate cache`.
#[derive(Debug, Subcommand)]
pub enum CacheCommand {
    /// Count what the cache holds.
    Stats,
    /// Drop what is old, replaced or damaged.
    Prune {
        /// Drop answers older than this, such as 30d.
        #[arg(long, value_name = "TIME")]
        older_than: Option<String>,
        /// Keep at most so many MiB, the newest.
        #[arg(long, value_name = "MIB")]
        max_size: Option<u64>,
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
            super::output::last_line(Exit::Usage, "the command line is not understood");
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
