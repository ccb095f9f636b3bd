//! Run logs on disk: `.gate/runs/<run id>/events.jsonl`. One writer appends; readers find a torn
//! tail (cut, with a note) and damage in the middle (refused).

use camino::{Utf8Path, Utf8PathBuf};

use crate::base::RunId;
use crate::record::codec::CodecError;

mod load;
mod log;
mod texts;

pub use load::{LoadedRun, load, load_events, load_header};
pub use log::RunLog;
pub use texts::LogTexts;

/// Why a run's log can not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum RunLogError {
    /// The file system refused.
    #[error("failed to {action} {path}")]
    Io {
        /// What was being done.
        action: &'static str,
        /// To what.
        path: Utf8PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// A line in the middle is damaged: what follows can not be trusted.
    #[error("line {line} of {path} is damaged: {source}")]
    Damaged {
        /// The log.
        path: Utf8PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        source: CodecError,
    },
    /// The log does not even have its beginning.
    #[error("{path} has no beginning: {source}")]
    NoBeginning {
        /// The log.
        path: Utf8PathBuf,
        /// What is wrong with its first line.
        source: CodecError,
    },
    /// No run has such an id.
    #[error("there is no run `{wanted}`")]
    Unknown {
        /// What was asked for.
        wanted: String,
        /// The newest runs that there are, newest first.
        newest: Vec<Stored>,
    },
    /// Several runs have ids that begin so.
    #[error("`{prefix}` is the beginning of {count} run ids; write more of it")]
    Ambiguous {
        /// What was asked for.
        prefix: String,
        /// How many runs match.
        count: usize,
    },
    /// An event could not be put into a line.
    #[error("failed to write an event")]
    Encode(#[source] CodecError),
}

/// The folder of all runs.
#[must_use]
pub fn runs_folder(state: &Utf8Path) -> Utf8PathBuf {
    state.join("runs")
}

/// The log of a run.
#[must_use]
pub fn log_path(state: &Utf8Path, run: &RunId) -> Utf8PathBuf {
    runs_folder(state).join(run.as_str()).join("events.jsonl")
}

/// The ids of all stored runs, oldest first.
#[must_use]
pub fn list(state: &Utf8Path) -> Vec<RunId> {
    let Ok(folder) = std::fs::read_dir(runs_folder(state)) else {
        return Vec::new();
    };
    let names = folder.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut runs: Vec<RunId> = names.filter_map(|name| RunId::from_folder(&name)).collect();
    runs.sort();
    runs
}

/// A stored run, as it is named to who looks for one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Its id.
    pub id: RunId,
    /// The suite; none where its log can not be read.
    pub suite: Option<String>,
}

/// The newest runs, newest first.
fn newest(state: &Utf8Path, runs: &[RunId]) -> Vec<Stored> {
    const NAMED: usize = 3;
    let newest = runs.iter().rev().take(NAMED).map(|id| Stored {
        suite: load_header(state, id).ok().map(|header| header.suite),
        id: id.clone(),
    });
    newest.collect()
}

/// How the newest run is named.
pub const LAST: &str = "last";

/// The run that an id, a unique prefix of one, or `last` names.
///
/// # Errors
/// When there is none, or several.
pub fn find(state: &Utf8Path, wanted: &str) -> Result<RunId, RunLogError> {
    let runs = list(state);
    let unknown = || RunLogError::Unknown {
        wanted: wanted.to_owned(),
        newest: newest(state, &runs),
    };
    if wanted == LAST {
        return runs.last().cloned().ok_or_else(unknown);
    }
    let matching: Vec<&RunId> = runs
        .iter()
        .filter(|run| run.as_str().starts_with(wanted))
        .collect();
    match matching.as_slice() {
        [one] => Ok((*one).clone()),
        [] => Err(unknown()),
        several => Err(RunLogError::Ambiguous {
            prefix: wanted.to_owned(),
            count: several.len(),
        }),
    }
}

/// The log that a path leads to: of a run folder, or the log itself.
#[must_use]
pub fn log_at(path: &Utf8Path) -> Option<Utf8PathBuf> {
    if path.is_dir() {
        return Some(path.join("events.jsonl"));
    }
    path.is_file().then(|| path.to_owned())
}
