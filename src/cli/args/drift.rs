//! Arguments of `gate drift`.

use clap::Args;

use super::GateArgs;

/// `gate drift`.
#[derive(Debug, Args)]
pub struct DriftArgs {
    /// Prompts whose stable version is watched; without one, all that have suites.
    #[arg(value_name = "PROMPT")]
    pub prompts: Vec<String>,
    /// A stored run in place of the answers pinned at the promotion: run:ID.
    #[arg(long, value_name = "RUN")]
    pub baseline: Option<String>,
    /// The append-only history [default: .gate/history/drift.jsonl]; commit or cache it in CI.
    #[arg(long, value_name = "FILE")]
    pub history: Option<String>,
    /// Options of a run.
    #[command(flatten)]
    pub gate: GateArgs,
}
