//! Why a command could not do its work: the user's fault or the surroundings', never the answers'.

use crate::base::{Diagnostics, text};
use crate::runner::RunnerError;
use crate::store::cache::CacheError;
use crate::store::git::GitError;
use crate::store::registry::RegistryError;
use crate::store::runs::{LAST, RunLogError, Stored};
use crate::store::{FsError, PathError};

/// Why a command could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// Files of the user's are wrong; exit 2.
    #[error("{}", findings(.0))]
    Findings(Diagnostics),
    /// The command was called wrongly; exit 2.
    #[error("{message}")]
    Usage {
        /// What is wrong.
        message: String,
        /// What to do.
        help: Option<String>,
    },
    /// The surroundings do not allow it; exit 3.
    #[error("{message}")]
    Infra {
        /// A word of reliability-security.md.
        reason: &'static str,
        /// What happened.
        message: String,
        /// What to do.
        help: Option<String>,
    },
}

fn findings(diagnostics: &Diagnostics) -> String {
    let errors = diagnostics.count(crate::base::Severity::Error);
    format!("{} found", text::count(errors, "error"))
}

impl CommandError {
    /// The command was called wrongly.
    #[must_use]
    pub fn usage(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self::Usage {
            message: message.into(),
            help: Some(help.into()),
        }
    }

    /// The surroundings do not allow it.
    #[must_use]
    pub fn infra(reason: &'static str, message: impl Into<String>, help: Option<&str>) -> Self {
        Self::Infra {
            reason,
            message: message.into(),
            help: help.map(str::to_owned),
        }
    }
}

/// An error with its causes, on one line.
#[must_use]
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let said = cause.to_string();
        if !text.contains(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        source = cause.source();
    }
    text
}

impl From<Diagnostics> for CommandError {
    fn from(diagnostics: Diagnostics) -> Self {
        Self::Findings(diagnostics)
    }
}

/// How the owner allows a path that leads out of the project.
pub const ALLOW_PATH: &str =
    "keep it within the project, or allow its folder with --allow-path DIR";

impl From<PathError> for CommandError {
    fn from(error: PathError) -> Self {
        let outside = matches!(error, PathError::Outside { .. });
        Self::Usage {
            message: chain(&error),
            help: outside.then(|| ALLOW_PATH.to_owned()),
        }
    }
}

impl From<FsError> for CommandError {
    fn from(error: FsError) -> Self {
        let message = chain(&error);
        match error {
            FsError::Write { .. } => Self::infra("io", message, None),
            FsError::Read { .. }
            | FsError::TooLarge { .. }
            | FsError::NotUtf8 { .. }
            | FsError::NotRegular { .. }
            | FsError::Exists { .. } => Self::Usage {
                message,
                help: None,
            },
        }
    }
}

impl From<RegistryError> for CommandError {
    fn from(error: RegistryError) -> Self {
        let message = chain(&error);
        let usage = |help: Option<&str>| Self::Usage {
            message: message.clone(),
            help: help.map(str::to_owned),
        };
        match &error {
            RegistryError::Log(log) if log.is_fork() => {
                let help = "chain the two branches into one: gate prompt log SLUG --repair-merge";
                Self::infra("store_corrupt", message, Some(help))
            }
            RegistryError::Log(_) => {
                let help = "`gate prompt verify` names every fault; git has the log as it was";
                Self::infra("store_corrupt", message, Some(help))
            }
            RegistryError::FileEdited { .. } => usage(Some(
                "restore the file from git, and add the new text as a version: gate prompt add FILE",
            )),
            RegistryError::FileMissing { .. } => usage(Some("restore the file from git")),
            RegistryError::Overtaken { .. } | RegistryError::OvertakenThere { .. } => usage(Some(
                "look at what is so now with gate prompt log, then decide again",
            )),
            RegistryError::Denied { .. } => {
                let help = "the registry's owner grants gate_reader to read, gate_author to add, gate_promoter to move channels";
                Self::infra("auth", message, Some(help))
            }
            RegistryError::Untrusted { .. } => Self::infra("tls", message, None),
            RegistryError::Format { .. } => {
                let help = "use the program of that format, or a newer one";
                Self::infra("io", message, Some(help))
            }
            RegistryError::LiveDiffers { .. } => {
                let help = "`gate prompt verify` names every fault";
                Self::infra("store_corrupt", message, Some(help))
            }
            RegistryError::OtherHistory { .. } => {
                usage(Some("copy the other way, or into an empty registry"))
            }
            RegistryError::Database { .. }
            | RegistryError::Lock(_)
            | RegistryError::Fs(FsError::Write { .. })
            | RegistryError::State(_)
            | RegistryError::List { .. } => Self::infra("io", message, None),
            RegistryError::Repair(_)
            | RegistryError::Path(_)
            | RegistryError::Fs(_)
            | RegistryError::Resolve(_)
            | RegistryError::EvidencePath { .. }
            | RegistryError::TwoFiles { .. } => usage(None),
        }
    }
}

impl From<GitError> for CommandError {
    fn from(error: GitError) -> Self {
        Self::Usage {
            message: chain(&error),
            help: None,
        }
    }
}

const NO_RUN: &str = "gate compare makes one";

/// The runs that could have been meant.
fn known(newest: &[Stored]) -> String {
    if newest.is_empty() {
        return format!("there is no run here yet: {NO_RUN}");
    }
    let named: Vec<String> = newest
        .iter()
        .map(|run| match &run.suite {
            Some(suite) => format!("{} ({})", run.id, text::visible_line(suite)),
            None => run.id.to_string(),
        })
        .collect();
    format!(
        "the newest runs are {}; `last` names the first",
        named.join(", ")
    )
}

impl From<RunLogError> for CommandError {
    fn from(error: RunLogError) -> Self {
        match error {
            RunLogError::Unknown { wanted, newest } if wanted == LAST && newest.is_empty() => {
                Self::usage("there is no run here yet", NO_RUN)
            }
            RunLogError::Unknown { ref newest, .. } => Self::usage(chain(&error), known(newest)),
            RunLogError::Ambiguous { .. } => Self::Usage {
                message: chain(&error),
                help: None,
            },
            RunLogError::Damaged { .. } | RunLogError::NoBeginning { .. } => Self::Infra {
                reason: "store_corrupt",
                message: chain(&error),
                help: None,
            },
            RunLogError::Io { .. } | RunLogError::Encode(_) => Self::Infra {
                reason: "io",
                message: chain(&error),
                help: None,
            },
        }
    }
}

impl From<CacheError> for CommandError {
    fn from(error: CacheError) -> Self {
        Self::Infra {
            reason: "io",
            message: chain(&error),
            help: None,
        }
    }
}

impl From<RunnerError> for CommandError {
    fn from(error: RunnerError) -> Self {
        let error = match error {
            RunnerError::Log(error) => error.into(),
            RunnerError::Cache(error) => error.into(),
        };
        match error {
            Self::Infra {
                reason, message, ..
            } => {
                let help = "nothing that was recorded is lost: make the disk writable, then go on with --resume";
                Self::infra(reason, message, Some(help))
            }
            other => other,
        }
    }
}
