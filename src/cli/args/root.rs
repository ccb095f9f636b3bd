//! The command line as a whole: the commands, what they all take, and how it is read.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::error::{ContextKind, ContextValue};
use clap::{Args, CommandFactory, Parser, Subcommand};

use super::{
    AbArgs, CacheCommand, CalibrateArgs, CompareArgs, DecideArgs, DriftArgs, ImportArgs, InitArgs,
    LintArgs, MergeArgs, PowerArgs, PromptArgs, ReportArgs, RescoreArgs, RunArgs, ShowArgs,
    SimulateArgs,
};
use crate::cli::exit::Exit;
use crate::cli::features;

/// Decides with statistics whether a new version of an LLM prompt may replace the old one.
#[derive(Debug, Parser)]
#[command(
    name = "gate",
    version,
    long_version = features::long_version(),
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
    /// Scaffold a first gate from what the repository has; overwrites nothing.
    ///
    /// Finds prompt files, examples (CSV, JSONL) and a promptfoo config by itself, and asks nothing.
    #[command(
        after_help = "Examples:\n  gate init\n  gate init src/prompts/triage.md\n  gate init examples.csv --model anthropic:claude-haiku-4-5-20251001"
    )]
    Init(InitArgs),
    /// Check suites, templates, data and judges; sends nothing.
    #[command(
        alias = "validate",
        after_help = "Example:\n  gate lint --show-settings"
    )]
    Lint(LintArgs),
    /// Test one version against absolute rules (least pass rate, must-pass cases).
    #[command(
        after_help = "Examples:\n  gate run v8\n  gate run --no-gate        look at answers without a decision"
    )]
    Run(RunArgs),
    /// Compare two versions of a prompt on golden data.
    ///
    /// Without versions: for each prompt, what is on disk now against `stable`.
    #[command(
        after_help = "Examples:\n  gate compare v7 v8\n  gate compare stable latest --junit gate.xml --json gate.json\n  gate compare git:main worktree\n  gate compare --changed-since origin/main"
    )]
    Compare(CompareArgs),
    /// Report a stored run again, without a call.
    #[command(
        after_help = "Examples:\n  gate report                               the last run\n  gate report 0192f3 --html report.html"
    )]
    Report(ReportArgs),
    /// Print one case of a run in full.
    ///
    /// What was asked and expected, both answers, their scores with reasons, and the difference. Without a
    /// case, the lost ones are named.
    #[command(
        override_usage = "gate show [OPTIONS] [RUN] <CASE>",
        after_help = "Examples:\n  gate show ent-004           of the last run\n  gate show 0192f3 ent-004"
    )]
    Show(ShowArgs),
    /// Ask the active versions again: do they answer as at their promotion?
    #[command(
        after_help = "Examples:\n  gate drift                                         every prompt with a stable version\n  gate drift support-triage --history drift.jsonl    keep the weekly series in the repository\n  gate drift --baseline run:0192f3 --junit drift.xml"
    )]
    Drift(DriftArgs),
    /// Score the stored answers of a run by its suite as it stands now.
    ///
    /// No model under test is asked, judges only for what the cache lacks.
    #[command(
        after_help = "Examples:\n  gate rescore last                                  after an edit of the suite's scorers\n  gate rescore 0192f3 --suite evals/stricter.yaml    by another suite"
    )]
    Rescore(RescoreArgs),
    /// Join the shards of a run into one verdict.
    #[command(
        after_help = "Examples:\n  gate merge shard-1/ shard-2/ --junit gate.xml\n  gate merge 0192f3 0192f4"
    )]
    Merge(MergeArgs),
    /// The decision alone, on outcome files of any tool.
    #[command(
        after_help = "Examples:\n  gate decide base.jsonl cand.jsonl --preset promote\n  gate decide base.csv cand.csv --policy policy.yaml --junit gate.xml\n  gate decide results.json#0 results.json#1      two prompts of a promptfoo file\n  gate decide logs/base.eval logs/cand.eval      Inspect logs\n  gate decide run:0192f3 cand.jsonl"
    )]
    Decide(DecideArgs),
    /// Production traffic: is the later arm better or worse than the first?
    #[command(
        after_help = "Examples:\n  gate ab v7=430/500 v8=455/500\n  gate ab --data log.csv --arm version --outcome resolved --split 90/10\nExit codes: 1 the last arm is worse, 4 the arms' sizes do not fit the split, else 0."
    )]
    Ab(AbArgs),
    /// Plan: the cases that a loss needs, or the loss that so many cases show.
    #[command(
        after_help = "Examples:\n  gate power --cases 50 --churn 0.05      the least loss that 50 cases find\n  gate power --effect 0.05 --churn 0.05   the cases that find a loss of 5 points\n  gate power --effect 0.05 --run last     with the churn that a stored run showed\n  gate power --cases 50 --repeats 5       more trials or more cases for the same money"
    )]
    Power(PowerArgs),
    /// Error rates of each test, and of a suite's policy, by simulation.
    #[command(
        after_help = "Examples:\n  gate simulate --cases 200 --rate 0.9 --drop 0.05 --correlation 0.6\n  gate simulate --cases 50 --rate 0.9 --correlation 0 --threshold 0.03   a naive fixed threshold: 3 false alarms in 10\n  gate simulate --suite support-triage --drop 0.05                       the suite's own policy"
    )]
    Simulate(SimulateArgs),
    /// Hold a judge against human labels: agreement, errors, leanings; writes its record.
    #[command(
        after_help = "Examples:\n  gate calibrate judges/politeness@v2 --labels labels.jsonl\n  gate calibrate gate/rubric@v1 --labels labels.jsonl --model openai:gpt-4o-mini-2024-07-18\n  gate calibrate judges/politeness@v2 --labels labels.jsonl --repeat 3 --model small --model large"
    )]
    Calibrate(CalibrateArgs),
    /// The versions of prompts: add, compare, promote, roll back, audit.
    #[command(
        after_help = "Examples:\n  gate prompt diff v7 v8\n  gate prompt promote support-triage@v8\n  gate prompt rollback support-triage --why \"wrong labels\""
    )]
    Prompt(PromptArgs),
    /// Convert another tool's files, and say what could not be carried over.
    #[command(
        after_help = "Examples:\n  gate import promptfoo promptfooconfig.yaml\n  gate import promptfoo promptfooconfig.yaml --lint-only"
    )]
    Import(ImportArgs),
    /// The response cache.
    #[command(
        subcommand,
        after_help = "Examples:\n  gate cache stats\n  gate cache prune --older-than 30d --max-size 500"
    )]
    Cache(CacheCommand),
    /// Print the JSON Schema of a file of ours.
    #[command(after_help = "Example:\n  gate schema suite > suite.schema.json")]
    Schema {
        /// Which; without a name, all names are listed.
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
            crate::cli::output::last_line(Exit::Usage, self.what());
            return Exit::Usage;
        }
        Exit::Ok
    }
}

impl Stop {
    /// What is wrong, in a line.
    fn what(&self) -> &'static str {
        let no_format = self.0.kind() == clap::error::ErrorKind::InvalidSubcommand
            && self.0.to_string().contains("gate import ");
        if no_format {
            "name the format before the file: gate import promptfoo, results or openai-evals"
        } else {
            "the command line is not understood"
        }
    }
}

/// Reads the command line.
///
/// # Errors
/// Help, version, and what is not understood.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Cli, Stop> {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    Cli::try_parse_from(&arguments).map_err(|error| Stop(with_place(error, &arguments)))
}

/// Who forgets `prompt` in front of a command of it is told so, and not what is spelled alike.
fn with_place(mut error: clap::Error, arguments: &[OsString]) -> clap::Error {
    let Some(ContextValue::String(given)) = error.get(ContextKind::InvalidSubcommand) else {
        return error;
    };
    let is_known = |command: &clap::Command| command.find_subcommand(given).is_some();
    if !description()
        .find_subcommand("prompt")
        .is_some_and(is_known)
    {
        return error;
    }
    let mut rest = arguments.iter().map(|argument| argument.to_string_lossy());
    let rest: Vec<_> = rest
        .position(|argument| argument == given.as_str())
        .map_or_else(Vec::new, |_| rest.collect());
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-@:+=#".contains(c);
    let mut tip = format!("a command of `prompt`: gate prompt {given}");
    // What would have to be quoted is left to who types it.
    if rest.iter().all(|argument| argument.chars().all(is_plain)) {
        for argument in rest {
            tip.push(' ');
            tip.push_str(&argument);
        }
    }
    error.remove(ContextKind::SuggestedSubcommand);
    error.insert(
        ContextKind::Suggested,
        ContextValue::StyledStrs(vec![tip.into()]),
    );
    error
}

/// The description of the command line, for completions and the reference.
#[must_use]
pub fn description() -> clap::Command {
    Cli::command()
}
