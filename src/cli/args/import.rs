//! Arguments of `gate import`.

use clap::{Args, Subcommand};

use super::SuiteArgs;

/// `gate import`.
#[derive(Debug, Args)]
pub struct ImportArgs {
    /// From what.
    #[command(subcommand)]
    pub command: ImportCommand,
}

/// What is imported.
#[derive(Debug, Subcommand)]
pub enum ImportCommand {
    /// A config of promptfoo: prompts, tests, providers and assertions become a suite.
    ///
    /// Says what was carried over, what means something else now, and what was dropped, with file,
    /// line and column. Writes nothing over a file that is there.
    #[command(
        after_help = "Examples:\n  gate import promptfoo promptfooconfig.yaml\n  gate import promptfoo promptfooconfig.yaml --allow-partial --name triage\n  gate import promptfoo promptfooconfig.yaml --lint-only\nExit codes: 0 written, 2 something was dropped (and nothing written) or the config is wrong."
    )]
    Promptfoo(PromptfooArgs),
    /// Recorded answers (promptfoo results, an Inspect log) as a stored run of a suite.
    ///
    /// The suite's own scorers score them, so the run is a baseline: gate compare run:ID worktree.
    #[command(
        after_help = "Examples:\n  gate import results results.json --suite triage\n  gate import results results.json#1 --suite triage --version v2\n  gate import results logs/triage.eval"
    )]
    Results(ResultsArgs),
    /// JSONL samples of OpenAI's evals as a prompt, a dataset and a suite.
    #[command(
        after_help = "Example:\n  gate import openai-evals registry/data/arithmetic/samples.jsonl --template match"
    )]
    OpenaiEvals(OpenaiEvalsArgs),
}

/// `gate import results`.
#[derive(Debug, Args)]
pub struct ResultsArgs {
    /// The file: promptfoo JSON (`FILE#1` for its second prompt) or an Inspect log.
    pub file: String,
    /// The version of the prompt that gave the answers.
    #[arg(long, value_name = "VERSION", default_value = "worktree")]
    pub version: String,
    /// The scorer of an Inspect log, where it has several.
    #[arg(long, value_name = "NAME")]
    pub scorer: Option<String>,
    /// Which suite.
    #[command(flatten)]
    pub suites: SuiteArgs,
}

/// `gate import openai-evals`.
#[derive(Debug, Args)]
pub struct OpenaiEvalsArgs {
    /// The samples: one JSON object with `input` and `ideal` a line.
    pub file: String,
    /// How the eval compares: match, includes, fuzzy-match, model-graded.
    #[arg(long, value_name = "TEMPLATE", default_value = "match", value_parser = ["match", "includes", "fuzzy-match", "model-graded"])]
    pub template: String,
    /// Name of the suite and the prompt [default: the file's].
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// The model.
    #[arg(
        long,
        value_name = "PROVIDER:MODEL",
        default_value = "openai:gpt-4o-2024-08-06"
    )]
    pub model: String,
    /// Write what can be carried over, although samples are dropped.
    #[arg(long)]
    pub allow_partial: bool,
}

/// `gate import promptfoo`.
#[derive(Debug, Args)]
pub struct PromptfooArgs {
    /// The config: promptfooconfig.yaml or .json.
    pub file: String,
    /// Name of the suite and the prompt [default: the config's file or folder].
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// A model in place of the config's providers, such as openai:gpt-4o-2024-08-06.
    #[arg(long, value_name = "PROVIDER:MODEL")]
    pub model: Option<String>,
    /// Write what can be carried over, although something is dropped.
    #[arg(long)]
    pub allow_partial: bool,
    /// Check the config for what promptfoo itself lets pass; write nothing.
    #[arg(long, conflicts_with_all = ["allow_partial", "name", "model"])]
    pub lint_only: bool,
}
