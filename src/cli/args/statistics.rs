//! Arguments of the commands that plan and compute without a model: power, simulate, ab, decide.

use clap::Args;

use super::ReportFiles;

/// `gate power`.
#[derive(Debug, Args)]
pub struct PowerArgs {
    /// What can so many cases show?
    #[arg(long, value_name = "N", conflicts_with = "effect", value_parser = clap::value_parser!(u64).range(1..))]
    pub cases: Option<u64>,
    /// How many cases show a loss of this size, such as 0.05?
    #[arg(long, value_name = "F")]
    pub effect: Option<f64>,
    /// Share of cases that flip without any change of the prompt; 0.06 unless a run shows it.
    #[arg(long, value_name = "F", conflicts_with_all = ["unpaired", "sd", "run"])]
    pub churn: Option<f64>,
    /// Take churn (with repeats: the spread) and the number of cases from this stored run.
    #[arg(long, value_name = "RUN", conflicts_with_all = ["unpaired", "sd"])]
    pub run: Option<String>,
    /// Independent samples, as in production; needs --rate.
    #[arg(long, requires = "rate", conflicts_with = "sd")]
    pub unpaired: bool,
    /// Pass rate of the baseline.
    #[arg(long, value_name = "F", requires = "unpaired")]
    pub rate: Option<f64>,
    /// Graded scores whose paired differences have this standard deviation.
    #[arg(long, value_name = "F")]
    pub sd: Option<f64>,
    /// Cases come in clusters of this size; needs --icc.
    #[arg(long, value_name = "M", requires = "icc")]
    pub cluster_size: Option<f64>,
    /// Correlation of the differences within a cluster.
    #[arg(
        long,
        value_name = "F",
        requires = "cluster_size",
        allow_negative_numbers = true
    )]
    pub icc: Option<f64>,
    /// Repeats against cases at equal money: up to so many trials of each case; needs --cases.
    #[arg(long, value_name = "K", conflicts_with_all = ["effect", "unpaired"], value_parser = clap::value_parser!(u16).range(2..=100))]
    pub repeats: Option<u16>,
    /// Correlation of the differences of a case's trials: 0 if flips are chance, 1 if always the
    /// same cases change.
    #[arg(long, value_name = "F", requires = "repeats")]
    pub trial_icc: Option<f64>,
    /// What a case costs whatever its trials, in units of a trial of both arms.
    #[arg(long, value_name = "X", requires = "repeats")]
    pub case_price: Option<f64>,
    /// Risks.
    #[command(flatten)]
    pub risk: RiskArgs,
    /// Write JSON (gate/power@1) to this file, or to stdout.
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "-")]
    pub json: Option<String>,
}

/// The risks that a plan is made for.
#[derive(Debug, Args)]
pub struct RiskArgs {
    /// One-sided probability of a false alarm.
    #[arg(long, value_name = "F", default_value_t = 0.05)]
    pub alpha: f64,
    /// Allowed loss.
    #[arg(long, value_name = "F", default_value_t = 0.05)]
    pub margin: f64,
    /// Probability to find a loss that is there.
    #[arg(long, value_name = "F", default_value_t = 0.8)]
    pub power: f64,
}

/// `gate simulate`.
#[derive(Debug, Args)]
pub struct SimulateArgs {
    /// Cases; the suite's with --suite.
    #[arg(long, value_name = "N", required_unless_present = "suite", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub cases: Option<u32>,
    /// Pass rate of the baseline.
    #[arg(long, value_name = "F", default_value_t = 0.9)]
    pub rate: f64,
    /// True loss of the candidate; negative for a gain.
    #[arg(
        long,
        value_name = "F",
        default_value_t = 0.0,
        allow_negative_numbers = true
    )]
    pub drop: f64,
    /// Correlation of the arms over the cases; with --trials, of the trials of a case.
    #[arg(
        long,
        value_name = "F",
        default_value_t = 0.6,
        allow_negative_numbers = true
    )]
    pub correlation: f64,
    /// Trials of each case and arm; the suite's with --suite.
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub trials: Option<u32>,
    /// Simulated runs.
    #[arg(long, value_name = "N", default_value_t = 20_000)]
    pub draws: usize,
    /// Seed.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Largest observed loss that a naive fixed threshold lets pass.
    #[arg(long, value_name = "F", default_value_t = 0.03)]
    pub threshold: f64,
    /// Judge by the policy of this suite, on its cases, segments and repeats.
    #[arg(long, value_name = "NAME", conflicts_with_all = ["cases", "trials", "alpha", "margin"])]
    pub suite: Option<String>,
    /// Simulated runs of the suite's policy, which takes longer than single tests.
    #[arg(long, value_name = "N", default_value_t = 1000, requires = "suite")]
    pub policy_draws: usize,
    /// Risks.
    #[command(flatten)]
    pub risk: RiskArgs,
    /// Write JSON (gate/simulate@1) to this file, or to stdout.
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "-")]
    pub json: Option<String>,
}

/// `gate ab`.
#[derive(Debug, Args)]
pub struct AbArgs {
    /// Counts such as v7=430/500; the first is the baseline.
    #[arg(
        value_name = "ARM=PASSED/TRIALS",
        required_unless_present = "data",
        conflicts_with = "data"
    )]
    pub counts: Vec<String>,
    /// A log with one row an event: CSV with a header, or JSONL.
    #[arg(long, value_name = "FILE", requires = "arm", requires = "outcome")]
    pub data: Option<String>,
    /// The column that names the arm.
    #[arg(long, value_name = "COLUMN", requires = "data")]
    pub arm: Option<String>,
    /// The column that says whether it passed: true or false, 1 or 0, yes or no, pass or fail.
    #[arg(long, value_name = "COLUMN", requires = "data")]
    pub outcome: Option<String>,
    /// The arm that is the baseline, where --data does not begin with it.
    #[arg(long, value_name = "ARM", requires = "data")]
    pub baseline: Option<String>,
    /// The planned split such as 50/50 or 90/10, one number for each arm [default: equal].
    #[arg(long, value_name = "A/B")]
    pub split: Option<String>,
    /// Report, and exit 0 where the gate would block.
    #[arg(long)]
    pub no_gate: bool,
    /// Write JSON (gate/ab@1) to this file, or to stdout.
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "-")]
    pub json: Option<String>,
}

/// `gate decide`.
#[derive(Debug, Args)]
pub struct DecideArgs {
    /// Outcomes of the baseline: JSONL, CSV, promptfoo or Inspect results, `JUnit` XML, or run:ID.
    #[arg(value_name = "BASE")]
    pub baseline: String,
    /// Outcomes of the candidate.
    #[arg(value_name = "CAND")]
    pub candidate: String,
    /// The policy: the `policy` block of a suite under `gate: policy/1`.
    #[arg(long, value_name = "FILE", conflicts_with = "preset")]
    pub policy: Option<String>,
    /// A preset in place of a policy: smoke, promote, improve.
    #[arg(long, value_name = "NAME", value_parser = ["smoke", "promote", "improve"])]
    pub preset: Option<String>,
    /// A score from here on is a pass; without it scores are compared as they are.
    #[arg(long, value_name = "T")]
    pub pass_at: Option<f64>,
    /// Leave out cases that only one side has.
    #[arg(long)]
    pub allow_unmatched: bool,
    /// The scorer of an Inspect log that has several.
    #[arg(long, value_name = "NAME")]
    pub scorer: Option<String>,
    /// Seed of resampling.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Where reports go.
    #[command(flatten)]
    pub reports: ReportFiles,
    /// Report, and exit 0 where the gate would block.
    #[arg(long)]
    pub no_gate: bool,
}
