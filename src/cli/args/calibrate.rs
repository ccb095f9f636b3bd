//! Arguments of `gate calibrate`.

use clap::Args;

use super::{HowArgs, SuiteArgs};

/// `gate calibrate`.
#[derive(Debug, Args)]
pub struct CalibrateArgs {
    /// The judge and its version, such as judges/politeness@v2 or gate/rubric@v1.
    pub judge: String,
    /// Examples with what people said of them, one a line (`gate schema label`).
    #[arg(long, value_name = "FILE")]
    pub labels: String,
    /// The model that judges: the name of an entry of a suite, or provider:model (repeatable); by
    /// default the one that the suites ask with this judge.
    #[arg(long, value_name = "MODEL")]
    pub model: Vec<String>,
    /// Ask so often about each example, to see how steady the judge is.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub repeat: u32,
    /// The least score that passes, as in the scorer; without it the judge's own pass counts.
    #[arg(long, value_name = "SCORE")]
    pub threshold: Option<f64>,
    /// Write JSON (gate/calibrated@1) to this file, or to stdout.
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "-")]
    pub json: Option<String>,
    /// Where the judge and its model are looked for.
    #[command(flatten)]
    pub suites: SuiteArgs,
    /// How it is run.
    #[command(flatten)]
    pub how: HowArgs,
}
