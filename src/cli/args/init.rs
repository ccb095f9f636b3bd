//! Arguments of `gate init`.

use clap::Args;

/// `gate init`.
#[derive(Debug, Args)]
pub struct InitArgs {
    /// A prompt (.md, .txt, .yaml), examples (.csv, .jsonl) or a promptfooconfig.yaml; without it the
    /// usual places are looked at.
    pub file: Option<String>,
    /// Name of the suite [default: the prompt's file].
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// The model, such as openai:gpt-4o-2024-08-06, or `mock` [default: by the key that is set, else
    /// a mock].
    #[arg(long, value_name = "PROVIDER:MODEL")]
    pub model: Option<String>,
    /// Write no .github/workflows/prompts.yml.
    #[arg(long)]
    pub no_workflow: bool,
    /// Write what can be carried over of a promptfoo config, although something is dropped.
    #[arg(long)]
    pub allow_partial: bool,
}
