//! Arguments of `gate import`.

use clap::{Args, Subcommand};

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
