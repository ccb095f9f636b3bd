//! Why a registry could not be read or changed.

use crate::base::{Digest, Slug};
use crate::registry::Entry;
use crate::registry::log::LogError;
use crate::registry::repair::RepairError;
use crate::registry::resolve::ResolveError;
use crate::store::fs::StateError;
use crate::store::{FsError, LockError, PathError};

/// Why the registry could not be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// A path leads out of the project.
    #[error(transparent)]
    Path(#[from] PathError),
    /// A file could not be read or written.
    #[error(transparent)]
    Fs(#[from] FsError),
    /// A folder could not be listed.
    #[error("failed to list {path}")]
    List {
        /// The folder.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// The log is not intact.
    #[error(transparent)]
    Log(#[from] LogError),
    /// Merged branches of a log can not be chained into one.
    #[error(transparent)]
    Repair(#[from] RepairError),
    /// The reference means no version.
    #[error(transparent)]
    Resolve(#[from] ResolveError),
    /// The local state, with its locks, can not be used.
    #[error(transparent)]
    State(#[from] StateError),
    /// Another process changes the prompt.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// Another change came first, so this one was decided on what is no longer so.
    #[error("prompt `{slug}` was changed meanwhile{}: nothing was done", last_change(last.as_deref()))]
    Overtaken {
        /// The prompt.
        slug: Slug,
        /// The log's last entry now.
        last: Option<Box<Entry>>,
    },
    /// The server saw that another change came first.
    #[error("the prompt was changed in {address} meanwhile: nothing was done")]
    OvertakenThere {
        /// The registry.
        address: String,
    },
    /// The database refused it to this user.
    #[error("{address}: not allowed to {doing}: {message}")]
    Denied {
        /// What was being done.
        doing: &'static str,
        /// The registry.
        address: String,
        /// What the server said.
        message: String,
    },
    /// The database could not be reached, or did not do what it was asked.
    #[error("{address}: failed to {doing}")]
    Database {
        /// What was being done.
        doing: &'static str,
        /// The registry.
        address: String,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The database's server could not be trusted.
    #[error("{address}: no trusted connection: {detail}")]
    Untrusted {
        /// The registry.
        address: String,
        /// What is wrong with its answer or certificate, and what to do.
        detail: String,
    },
    /// The database's registry has a format that this program does not know.
    #[error("{address} holds a registry of format {found}, this program knows format {known}")]
    Format {
        /// The registry.
        address: String,
        /// Its format.
        found: i32,
        /// The program's.
        known: i32,
    },
    /// The table that applications read does not agree with the log.
    #[error("in {address} the table `live` of prompt `{slug}` says v{live}, and the log does not")]
    LiveDiffers {
        /// The registry.
        address: String,
        /// The prompt.
        slug: Slug,
        /// The version in the table.
        live: u32,
    },
    /// The prompt is there already, with another history.
    #[error(
        "prompt `{slug}` is in {location} already, and its log is not the beginning of the one to copy"
    )]
    OtherHistory {
        /// The prompt.
        slug: Slug,
        /// The registry.
        location: String,
    },
    /// A change leaves its place.
    #[error("`{path}` is no place for evidence")]
    EvidencePath {
        /// The path.
        path: String,
    },
    /// A version has two files.
    #[error("v{number} of prompt `{slug}` has two files: {first} and {second}")]
    TwoFiles {
        /// The prompt.
        slug: Slug,
        /// The version.
        number: u32,
        /// A file.
        first: String,
        /// The other.
        second: String,
    },
    /// The log or a channel names a version whose file is gone.
    #[error("v{number} of prompt `{slug}` is in the log, but its file is not there")]
    FileMissing {
        /// The prompt.
        slug: Slug,
        /// The version.
        number: u32,
    },
    /// A version's file is not what was added.
    #[error("{name} was edited after it was added: a version never changes")]
    FileEdited {
        /// The file.
        name: String,
        /// The digest in the log.
        recorded: Digest,
        /// The digest of the file.
        found: Digest,
    },
}

fn last_change(last: Option<&Entry>) -> String {
    let Some(entry) = last else {
        return String::new();
    };
    let draft = &entry.draft;
    let version = draft.action.version();
    let version = version.map_or_else(String::new, |version| format!(" v{version}"));
    format!(
        ", by {} at {} ({}{version})",
        draft.by,
        draft.at,
        draft.action.word()
    )
}
