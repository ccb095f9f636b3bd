//! Arguments of `gate rescore`.

use clap::Args;

use super::{HowArgs, ReportFiles};

/// `gate rescore`.
#[derive(Debug, Args)]
pub struct RescoreArgs {
    /// A run's id, a unique beginning of one, or `last`.
    pub run: String,
    /// The suite's file in place of the run's suite as it stands now.
    #[arg(long, value_name = "FILE")]
    pub suite: Option<String>,
    /// How judges are asked.
    #[command(flatten)]
    pub how: HowArgs,
    /// Where reports go.
    #[command(flatten)]
    pub reports: ReportFiles,
    /// Report, and exit 0 where the gate would block.
    #[arg(long)]
    pub no_gate: bool,
}
