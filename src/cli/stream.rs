//! `--format jsonl`: the events of a run on stdout as they happen, line for line what its log holds.

use std::io;

use super::output;
use super::reports::takes_stdout;
use crate::command::{CommandError, Project};

/// The stream, up to its first fault.
pub struct Stream {
    is_open: bool,
    fault: Option<io::Error>,
}

impl Stream {
    /// The stream that the settings ask for, closed where they ask for none, or where a report
    /// goes to stdout.
    #[must_use]
    pub fn of(project: &Project) -> Self {
        Self {
            is_open: is_wanted(project) && !takes_stdout(project),
            fault: None,
        }
    }

    /// A stream that takes nothing.
    #[must_use]
    pub fn closed() -> Self {
        Self {
            is_open: false,
            fault: None,
        }
    }

    /// Whether it takes lines.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.is_open
    }

    /// Writes lines. A reader that has gone ends the stream and nothing else.
    pub fn write(&mut self, lines: &[u8]) {
        if !self.is_open {
            return;
        }
        let mut is_gone = false;
        let written = output::data(|out| {
            let result = out.write_all(lines).and_then(|()| out.flush());
            is_gone = result.is_err();
            result
        });
        self.is_open = !is_gone;
        self.fault = written.err();
    }

    /// What went wrong with stdout, other than that its reader has gone.
    ///
    /// # Errors
    /// A disk that is full, and the like.
    pub fn end(&mut self) -> Result<(), CommandError> {
        match self.fault.take() {
            None => Ok(()),
            Some(error) => Err(CommandError::infra(
                "io",
                format!("failed to write to stdout: {error}"),
                None,
            )),
        }
    }
}

/// Whether stdout is to carry events.
#[must_use]
pub fn is_wanted(project: &Project) -> bool {
    project.settings.format == "jsonl"
}

/// Refuses a stream for a command that has no events.
///
/// # Errors
/// Where the settings ask for one.
pub fn refuse(project: &Project, command: &str) -> Result<(), CommandError> {
    if !is_wanted(project) {
        return Ok(());
    }
    Err(CommandError::usage(
        format!("gate {command} has no events to stream"),
        "leave out --format jsonl, or take --format json",
    ))
}
