//! The log of one prompt: an append-only, hash-chained list of entries. Reading checks every line
//! and the chain, so that whatever is read is whole.

use std::fmt;
use std::sync::Arc;

use super::entry::{self, Check, Decoded, Draft, Entry};
use crate::base::{Diagnostics, Digest, Source};

/// A whole, intact log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Log {
    entries: Vec<Entry>,
}

/// What is wrong with a log, line by line.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the log {name} is not intact: {}", list(faults))]
pub struct LogError {
    /// The log's name, as shown to people.
    pub name: String,
    /// Everything found, in the order of the lines.
    pub faults: Vec<LogFault>,
}

/// One thing that is wrong with a log. Lines count from 1.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LogFault {
    /// The line is no entry.
    #[error("line {line} is no entry: {}", first_message(diagnostics))]
    Unreadable {
        /// The line.
        line: usize,
        /// What is wrong with it.
        diagnostics: Diagnostics,
    },
    /// The line was edited after it was written.
    #[error("line {line} was edited: its content has the digest {content}, it says another")]
    Edited {
        /// The line.
        line: usize,
        /// The digest of what the line says.
        content: Digest,
    },
    /// The line means what it did, but its bytes are not as a writer of the log leaves them.
    #[error("line {line} was reformatted: its meaning is intact, its bytes are not")]
    Reformatted {
        /// The line.
        line: usize,
    },
    /// The line does not follow the line before: lines were dropped, swapped or put in.
    #[error("line {line} does not follow line {}: lines were dropped, moved or put in", line.saturating_sub(1))]
    Broken {
        /// The line.
        line: usize,
    },
    /// The line has the wrong sequence number.
    #[error("line {line} has `seq` {found}, its place is {expected}")]
    Sequence {
        /// The line.
        line: usize,
        /// What it says.
        found: u64,
        /// What it must be.
        expected: u64,
    },
    /// The line follows one that another line follows too: two branches were merged.
    #[error("line {line} follows line {follows}, as line {} does: two branches were merged", follows + 1)]
    Forked {
        /// The line.
        line: usize,
        /// The line that both branches follow; 0 where both begin the log.
        follows: usize,
    },
    /// The line is what git leaves where a merge stopped.
    #[error("line {line} is a conflict marker of git: a merge of two branches stopped here")]
    ConflictMarker {
        /// The line.
        line: usize,
    },
    /// The last line has no end: it was not written to the end, or the file was cut.
    #[error("line {line} has no line end: the file was cut, or not written to its end")]
    Torn {
        /// The line.
        line: usize,
    },
}

impl LogFault {
    /// The line of the fault, from 1.
    #[must_use]
    pub fn line(&self) -> usize {
        match self {
            Self::Unreadable { line, .. }
            | Self::Edited { line, .. }
            | Self::Reformatted { line }
            | Self::Broken { line }
            | Self::Sequence { line, .. }
            | Self::Forked { line, .. }
            | Self::ConflictMarker { line }
            | Self::Torn { line } => *line,
        }
    }
}

impl LogError {
    /// Whether two merged branches are all that is wrong, which a repair can mend.
    #[must_use]
    pub fn is_fork(&self) -> bool {
        let fork = |fault: &LogFault| {
            matches!(
                fault,
                LogFault::Forked { .. } | LogFault::ConflictMarker { .. }
            )
        };
        self.faults.iter().any(fork)
            && self.faults.iter().all(|fault| {
                fork(fault)
                    || matches!(
                        fault,
                        LogFault::Sequence { .. } | LogFault::Reformatted { .. }
                    )
            })
    }
}

impl Log {
    /// Reads a log and checks its chain.
    ///
    /// # Errors
    /// Everything that is wrong with it. Reformatted lines alone are no error here: [`scan`] tells.
    pub fn decode(source: &Arc<Source>) -> Result<Self, LogError> {
        let scan = scan_lines(source, Check::Meaning);
        if scan.faults.is_empty() {
            let entries = scan.lines.into_iter().map(|line| line.entry).collect();
            return Ok(Self { entries });
        }
        Err(LogError {
            name: source.name.clone(),
            faults: scan.faults,
        })
    }

    /// The entries, oldest first.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The digest of the last line; none of an empty log.
    #[must_use]
    pub fn head(&self) -> Option<Digest> {
        self.entries.last().map(|entry| entry.digest)
    }

    /// Puts entries that are chained already to the end.
    pub(super) fn extend(&mut self, entries: impl Iterator<Item = Entry>) {
        self.entries.extend(entries);
    }

    /// Chains an entry to the end.
    pub fn append(&mut self, draft: Draft) {
        let seq = self.entries.last().map_or(0, |last| last.seq + 1);
        let entry = draft.chain(seq, self.head());
        self.entries.push(entry);
    }

    /// The log as it stands in its file.
    #[must_use]
    pub fn encode(&self) -> String {
        self.entries
            .iter()
            .flat_map(|entry| [entry.text.as_str(), "\n"])
            .collect()
    }
}

/// A line that could be read, with its number from 1.
#[derive(Debug, Clone)]
pub struct ScannedLine {
    /// Its number.
    pub line: usize,
    /// What it says.
    pub entry: Entry,
}

/// Every line of a log that can be read, and all that is wrong.
#[derive(Debug, Clone, Default)]
pub struct Scan {
    /// The lines that could be read.
    pub lines: Vec<ScannedLine>,
    /// What is wrong, in the order of the lines.
    pub faults: Vec<LogFault>,
}

/// Reads all lines of a log, whatever is wrong with some.
#[must_use]
pub fn scan(source: &Arc<Source>) -> Scan {
    scan_lines(source, Check::Bytes)
}

fn scan_lines(source: &Arc<Source>, check: Check) -> Scan {
    let mut scan = Scan::default();
    let mut follows_unread = false;
    for (index, text) in source.text.split_inclusive('\n').enumerate() {
        let line = index + 1;
        let body = text.strip_suffix('\n').unwrap_or(text);
        if is_conflict_marker(body) {
            scan.faults.push(LogFault::ConflictMarker { line });
            continue;
        }
        match entry::decode(&Source::row(source.name.clone(), body, line), check) {
            Ok(decoded) => {
                if !follows_unread {
                    check_chain(&mut scan, &decoded.entry, line);
                }
                follows_unread = false;
                push_line(&mut scan, decoded, line);
            }
            Err(diagnostics) => {
                // The next line's link can not be checked against this one.
                follows_unread = true;
                scan.faults.push(LogFault::Unreadable { line, diagnostics });
            }
        }
        if !text.ends_with('\n') {
            scan.faults.push(LogFault::Torn { line });
        }
    }
    scan
}

fn push_line(scan: &mut Scan, decoded: Decoded, line: usize) {
    if let Some(content) = decoded.content {
        scan.faults.push(LogFault::Edited { line, content });
    } else if !decoded.is_plain {
        scan.faults.push(LogFault::Reformatted { line });
    }
    let entry = decoded.entry;
    scan.lines.push(ScannedLine { line, entry });
}

fn check_chain(scan: &mut Scan, entry: &Entry, line: usize) {
    let last = scan.lines.last();
    let expected = last.map_or(0, |last| last.entry.seq + 1);
    if entry.prev == last.map(|last| last.entry.digest) {
        if entry.seq != expected {
            let found = entry.seq;
            scan.faults.push(LogFault::Sequence {
                line,
                found,
                expected,
            });
        }
        return;
    }
    let parent = match entry.prev {
        None => (!scan.lines.is_empty()).then_some(0),
        Some(prev) => {
            let found = scan.lines.iter().find(|other| other.entry.digest == prev);
            found.map(|found| found.line)
        }
    };
    let in_order = parent.is_some_and(|_| follows_number(scan, entry));
    scan.faults.push(match parent {
        Some(follows) if in_order => LogFault::Forked { line, follows },
        _ => LogFault::Broken { line },
    });
}

/// Whether an entry's number is the one after the line it names as the one before.
fn follows_number(scan: &Scan, entry: &Entry) -> bool {
    let parent = scan
        .lines
        .iter()
        .find(|other| Some(other.entry.digest) == entry.prev);
    entry.seq == parent.map_or(0, |parent| parent.entry.seq + 1)
}

/// Whether git left this line where a merge stopped.
#[must_use]
pub fn is_conflict_marker(line: &str) -> bool {
    let marker = |sign: &str| {
        line == sign
            || line
                .strip_prefix(sign)
                .is_some_and(|rest| rest.starts_with(' '))
    };
    ["<<<<<<<", "=======", ">>>>>>>", "|||||||"]
        .into_iter()
        .any(marker)
}

fn first_message(diagnostics: &Diagnostics) -> String {
    let first = diagnostics.iter().next();
    first.map_or_else(String::new, |first| first.message.clone())
}

struct List<'a>(&'a [LogFault]);

fn list(faults: &[LogFault]) -> List<'_> {
    List(faults)
}

impl fmt::Display for List<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 5;
        for (index, fault) in self.0.iter().take(SHOWN).enumerate() {
            let comma = if index > 0 { "; " } else { "" };
            write!(f, "{comma}{fault}")?;
        }
        match self.0.len().saturating_sub(SHOWN) {
            0 => Ok(()),
            more => write!(f, "; and {more} more"),
        }
    }
}

#[cfg(test)]
mod tests;
