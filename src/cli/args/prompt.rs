//! Arguments of `gate prompt`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// `gate prompt`.
#[derive(Debug, Args)]
pub struct PromptArgs {
    /// The registry: a folder, relative to the project's root, or a `postgres://` address.
    #[arg(long, value_name = "REGISTRY", global = true)]
    pub registry: Option<String>,
    /// What to do.
    #[command(subcommand)]
    pub command: PromptCommand,
}

/// Who acts, and why.
#[derive(Debug, Clone, Default, Args)]
pub struct ActorArgs {
    /// Who does this; else `GATE_AUTHOR`, else git's user.
    #[arg(long, value_name = "NAME")]
    pub author: Option<String>,
    /// Why, for the log.
    #[arg(long, value_name = "TEXT")]
    pub why: Option<String>,
}

/// What to do with prompts.
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
    /// Print a version as JSON for an application.
    #[command(
        after_help = "Examples:\n  gate prompt get support-triage            what `stable` points to\n  gate prompt get support-triage@v8 --vars values.json"
    )]
    Get {
        /// `slug@v8`, `slug@canary`, or a slug alone for its `stable`.
        version: String,
        /// Fill in the values of this JSON file.
        #[arg(long, value_name = "FILE")]
        vars: Option<PathBuf>,
        /// The variant for a model, `slug/NAME`; the base where there is none.
        #[arg(long, value_name = "NAME")]
        variant: Option<String>,
    },
    /// Add a file as the next version, or put one that lies in its place into the log.
    #[command(
        after_help = "Example:\n  gate prompt add draft.yaml --prompt support-triage --description \"asks for the order number\""
    )]
    Add {
        /// The prompt: .yaml, or plain text in .md or .txt.
        file: PathBuf,
        /// Whose version it is; else the file says it.
        #[arg(long, value_name = "SLUG")]
        prompt: Option<String>,
        /// What the version is or changes; else the file says it.
        #[arg(long, value_name = "TEXT")]
        description: Option<String>,
        /// Who acts.
        #[command(flatten)]
        actor: ActorArgs,
    },
    /// Move `stable`, or another channel, to a version, on the evidence of stored runs.
    #[command(
        after_help = "Examples:\n  gate prompt promote support-triage@v8\n  gate prompt promote v8 --channel canary\n  gate prompt promote v8 --force --why \"hotfix for the outage\""
    )]
    Promote {
        /// `slug@v8`, or a version of the one prompt.
        version: String,
        /// The channel to move.
        #[arg(long, value_name = "NAME")]
        channel: Option<String>,
        /// Pass over missing evidence; marked in the log for ever. Needs --why.
        #[arg(long)]
        force: bool,
        /// Take this run as evidence and no other: an id, a unique prefix, or `last`.
        #[arg(long, value_name = "ID")]
        run: Option<String>,
        /// Who acts.
        #[command(flatten)]
        actor: ActorArgs,
    },
    /// Move a channel back to the version before; without a prompt, list what could go back.
    #[command(
        after_help = "Examples:\n  gate prompt rollback support-triage --why \"wrong labels in production\"\n  gate prompt rollback support-triage --to v6"
    )]
    Rollback {
        /// The prompt.
        slug: Option<String>,
        /// The version to go back to; else the one before.
        #[arg(long, value_name = "VERSION")]
        to: Option<String>,
        /// The channel to move.
        #[arg(long, value_name = "NAME")]
        channel: Option<String>,
        /// Who acts.
        #[command(flatten)]
        actor: ActorArgs,
    },
    /// Approve that a protected channel moves to a version.
    Approve {
        /// `slug@v8`, or a version of the one prompt.
        version: String,
        /// The channel.
        #[arg(long, value_name = "NAME")]
        channel: Option<String>,
        /// Who acts.
        #[command(flatten)]
        actor: ActorArgs,
    },
    /// Show how a prompt's versions stand, or set the status of one.
    #[command(
        after_help = "Examples:\n  gate prompt status support-triage\n  gate prompt status support-triage@v8 testing"
    )]
    Status {
        /// A slug, or `slug@v8` with a status.
        version: Option<String>,
        /// The status to set.
        #[arg(value_parser = ["testing", "deprecated"])]
        status: Option<String>,
        /// Who acts.
        #[command(flatten)]
        actor: ActorArgs,
    },
    /// Show who did what, when, why and on what evidence.
    Log {
        /// The prompt; else all.
        slug: Option<String>,
        /// The form.
        #[arg(long, value_name = "FORM", value_parser = ["text", "json", "csv"], default_value = "text")]
        format: String,
        /// Chain two branches that git merged into one log, visibly.
        #[arg(long)]
        repair_merge: bool,
        /// Who acts.
        #[command(flatten)]
        actor: ActorArgs,
    },
    /// Tell which version a hash is, or what was live at a time.
    #[command(
        after_help = "Examples:\n  gate prompt which --hash sha256:07d1f516\n  gate prompt which --at 2026-10-06T15:00:00+02:00 --channel stable"
    )]
    Which {
        /// The prompt; else all.
        slug: Option<String>,
        /// A content hash, or 8 digits of it or more.
        #[arg(long, value_name = "HASH", required_unless_present = "at")]
        hash: Option<String>,
        /// A time.
        #[arg(long, value_name = "TIME", conflicts_with = "hash")]
        at: Option<String>,
        /// The channel that was live.
        #[arg(long, value_name = "NAME", requires = "at")]
        channel: Option<String>,
    },
    /// Check that logs, versions and evidence are what they were; exit 3 if not.
    Verify {
        /// The prompt; else all.
        slug: Option<String>,
        /// A head that was written down elsewhere, as in a report: finds a cut tail.
        #[arg(long, value_name = "DIGEST")]
        head: Option<String>,
        /// Require a signature of this public key on each promotion, rollback and approval.
        #[arg(long, value_name = "KEY")]
        signed: Vec<String>,
    },
    /// Copy prompts to another registry, with hashes, log and evidence as they are.
    #[command(
        after_help = "Example:\n  gate prompt copy --from prompts --to postgres://gate@db.example.com/prompts"
    )]
    Copy {
        /// The prompt with its tenants' layers; else all.
        slug: Option<String>,
        /// The registry that has them.
        #[arg(long, value_name = "REGISTRY")]
        from: String,
        /// The registry that gets them; what it has of a prompt must be a beginning of it.
        #[arg(long, value_name = "REGISTRY")]
        to: String,
    },
    /// Make a database ready for a registry: tables, functions, and roles that decide who may promote.
    #[command(
        after_help = "Example:\n  gate prompt migrate --registry postgres://owner@db.example.com/prompts"
    )]
    Migrate,
    /// Warn of what is allowed in a prompt and probably not meant.
    Lint {
        /// `slug@v8`; else `stable` and the newest of every prompt.
        version: Option<String>,
    },
}
