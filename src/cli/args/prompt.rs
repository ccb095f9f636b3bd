//! Arguments of `gate prompt`.

use clap::Subcommand;

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
