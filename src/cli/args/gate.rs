//! Arguments of the commands that run suites or check and report them.

use clap::Args;

use crate::store::runs::LAST;

/// `gate compare`.
#[derive(Debug, Args)]
pub struct CompareArgs {
    /// The versions, the baseline first; one alone is the candidate.
    #[arg(
        value_name = "VERSION",
        num_args = 0..,
        help = "[BASE] CAND...: v8, stable, latest, git:REV, worktree, file:PATH, sha256:…, run:ID. One alone is the candidate; of several, each is compared with the first"
    )]
    pub versions: Vec<String>,
    /// Ask the candidate of this model of the suite, the baseline of the first: one version alone is
    /// then compared with itself on two models (repeatable: versions x models, each against the
    /// baseline).
    #[arg(long, value_name = "NAME", conflicts_with_all = ["changed_since", "resume", "shard"])]
    pub candidate_model: Vec<String>,
    /// Compare under each tenant's layer: the critical ones that `prompt.yaml` names, and a sample of
    /// the rest, under one error rate.
    #[arg(long, conflicts_with_all = ["candidate_model", "changed_since", "resume", "shard"])]
    pub tenants: bool,
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

/// Which suites.
#[derive(Debug, Args, Default)]
pub struct SuiteArgs {
    /// Only this suite (repeatable).
    #[arg(long, value_name = "NAME")]
    pub suite: Vec<String>,
    /// Only suites of this prompt.
    #[arg(long, value_name = "SLUG")]
    pub prompt: Option<String>,
    /// The registry, where suites name none.
    #[arg(long, value_name = "FOLDER")]
    pub registry: Option<String>,
}

/// What the owner of the machine allows.
#[derive(Debug, Args, Default)]
pub struct PermissionArgs {
    /// Let requests, and keys with them, go to this host besides the provider's own: a host or host:port
    /// (repeatable).
    #[arg(long, value_name = "HOST")]
    pub allow_host: Vec<String>,
    /// Let files name this folder outside the project (repeatable).
    #[arg(long, value_name = "DIR")]
    pub allow_path: Vec<String>,
    /// Let suites run commands of their own.
    #[arg(long)]
    pub allow_exec: bool,
}

/// What is run.
#[derive(Debug, Args, Default)]
#[command(next_help_heading = "What is run")]
pub struct SelectArgs {
    /// Which suites.
    #[command(flatten)]
    pub suites: SuiteArgs,
    /// Take suites, judges, data and gate.yaml as of this revision, prompts from here, so that a change
    /// can not loosen its own gate.
    #[arg(long, value_name = "REF")]
    pub gate_from: Option<String>,
    /// Only cases with this id; `*` stands for any characters (repeatable).
    #[arg(long, value_name = "ID")]
    pub case: Vec<String>,
    /// Only cases with this tag (repeatable).
    #[arg(long, value_name = "TAG")]
    pub tag: Vec<String>,
    /// Only cases of this segment (repeatable).
    #[arg(long, value_name = "KEY=VALUE")]
    pub segment: Vec<String>,
    /// Only cases for which this is true, over id, vars, expected, segment, tags, `must_pass`, quarantined, cluster:
    /// `segment.tier == "pro" and vars.plan != "free"`.
    #[arg(short = 'E', long, value_name = "EXPR")]
    pub filter: Option<String>,
    /// Only cases that a stored run did not pass: the newest run, or the one named.
    #[arg(long, value_name = "RUN", num_args = 0..=1, conflicts_with = "resume")]
    pub failed: Option<Option<String>>,
    /// Name the cases that would be run, one a line, and send nothing.
    #[arg(long, conflicts_with_all = ["resume", "dry_run"])]
    pub list: bool,
    /// Say what would be sent, what it would cost and what it could show; send nothing.
    #[arg(short = 'n', long, conflicts_with_all = ["resume"])]
    pub dry_run: bool,
    /// With --dry-run: requests an hour in production, such as 10000/h, to price the refill of the
    /// provider's prompt cache after an edit.
    #[arg(long, value_name = "N/h", requires = "dry_run")]
    pub traffic: Option<String>,
    /// A filter that matches nothing is no error.
    #[arg(long)]
    pub allow_empty: bool,
    /// Go on with an interrupted run: the newest, or the one named.
    #[arg(long, value_name = "RUN", num_args = 0..=1)]
    pub resume: Option<Option<String>>,
    /// Only this part of the cases, such as 2/5; `gate merge` joins the parts.
    #[arg(long, value_name = "K/N", conflicts_with = "resume")]
    pub shard: Option<String>,
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
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch of the command line"
)]
pub struct HowArgs {
    /// Most requests in flight [default: 32].
    #[arg(short = 'j', long, value_name = "N")]
    pub concurrency: Option<String>,
    /// Requests a minute at most.
    #[arg(long, value_name = "N")]
    pub rate: Option<String>,
    /// Tokens a minute at most, questions and longest answers together.
    #[arg(long, value_name = "N")]
    pub token_rate: Option<String>,
    /// USD that the command may spend: stops before it is passed.
    #[arg(long, value_name = "USD")]
    pub budget: Option<String>,
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
    /// Drop answers in the cache that are older, at the end of a run [default: none].
    #[arg(long, value_name = "TIME")]
    pub cache_max_age: Option<String>,
    /// Keep so many MiB of the cache at the end of a run, the newest [default: all].
    #[arg(long, value_name = "MIB")]
    pub cache_max_size: Option<String>,
    /// The same as --cache off.
    #[arg(long)]
    pub no_cache: bool,
    /// Ask for the answers in the provider's batches (OpenAI, Anthropic): half the price, within a
    /// day. Judges are asked directly.
    #[arg(long)]
    pub batch: bool,
    /// How often a batch is looked at, at most [default: 30s].
    #[arg(long, value_name = "TIME")]
    pub batch_poll: Option<String>,
    /// Nothing leaves the machine; what is not in the cache is skipped.
    #[arg(long)]
    pub offline: bool,
    /// Stop when no answer to come can change the verdict: a must-pass case is lost.
    #[arg(long)]
    pub fail_fast: bool,
    /// What is allowed.
    #[command(flatten)]
    pub permissions: PermissionArgs,
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
    /// Write an HTML page that needs nothing else (repeatable; `-` is stdout).
    #[arg(long, value_name = "FILE")]
    pub html: Vec<String>,
    /// Write gate.xml, gate.json, gate.md and gate.html to this folder.
    #[arg(short = 'o', long, value_name = "DIR")]
    pub output: Option<String>,
    /// Which schema JUnit keeps to: common, strict.
    #[arg(long, value_name = "PROFILE")]
    pub junit_profile: Option<String>,
    /// How lost cases stand in JUnit: default, strict, verdict.
    #[arg(long, value_name = "MODE")]
    pub junit_cases: Option<String>,
    /// Keep one comment on the pull request up to date, with the token of `GITHUB_TOKEN`.
    #[arg(long)]
    pub github_comment: bool,
    /// The pull request to comment on [default: that of `GITHUB_EVENT_PATH`].
    #[arg(long, value_name = "NUMBER", requires = "github_comment")]
    pub pr: Option<String>,
    /// What stdout carries: human, json, jsonl (the events of the run as they happen), github
    /// [default: human].
    #[arg(short, long, value_name = "FORMAT")]
    pub format: Option<String>,
}

/// `gate lint`.
#[derive(Debug, Args)]
pub struct LintArgs {
    /// What is checked.
    #[command(flatten)]
    pub suites: SuiteArgs,
    /// What is allowed.
    #[command(flatten)]
    pub permissions: PermissionArgs,
    /// Print every setting with its origin.
    #[arg(long)]
    pub show_settings: bool,
}

/// `gate merge`.
#[derive(Debug, Args)]
pub struct MergeArgs {
    /// Every shard: the id of a run, or the path of a run folder.
    #[arg(required = true, value_name = "RUN")]
    pub runs: Vec<String>,
    /// Where reports go.
    #[command(flatten)]
    pub reports: ReportFiles,
    /// Report, and exit 0 where the gate would block.
    #[arg(long)]
    pub no_gate: bool,
}

/// `gate show`.
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// A run's id, a unique beginning of one, or `last`; left out, the last run.
    pub run: Option<String>,
    /// The id of a case.
    pub case: Option<String>,
}

/// `gate report`.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// A run's id, a unique beginning of one, or `last`.
    #[arg(default_value = LAST)]
    pub run: String,
    /// Where reports go.
    #[command(flatten)]
    pub reports: ReportFiles,
    /// Report, and exit 0 where the gate would block.
    #[arg(long)]
    pub no_gate: bool,
}
