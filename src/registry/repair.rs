//! Two branches of a log that git merged, chained into one, visibly: what both share stays as it
//! is, the rest follows in the order of time, and a last entry says what was done.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::change::Stamp;
use super::entry::{Action, Entry};
use super::log::{self, Log, LogError};
use crate::base::{Digest, Source};

/// A log that was chained anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repaired {
    /// The log.
    pub log: Log,
    /// How many entries at its begin are as they were.
    pub kept: usize,
    /// How many were chained anew.
    pub rechained: usize,
    /// The heads of the branches.
    pub heads: Vec<Digest>,
    /// Versions that both branches added with the same content, of which one entry remains.
    pub joined: Vec<u32>,
}

/// Why a log can not be chained anew.
#[derive(Debug, Clone, thiserror::Error)]
pub enum RepairError {
    /// The log is no merge of two branches.
    #[error("nothing to repair: the log is one chain")]
    NotForked,
    /// Something else is wrong with the log.
    #[error(transparent)]
    Damaged(#[from] LogError),
    /// Both branches added a version of one number with another content.
    #[error(
        "lines {first} and {second} both add v{version}, with another content: give one of the two another number first"
    )]
    VersionTwice {
        /// The version.
        version: u32,
        /// The line of the one.
        first: usize,
        /// The line of the other.
        second: usize,
    },
}

/// An entry of a branch with its line in the file.
struct Branched {
    line: usize,
    entry: Entry,
}

/// Chains two merged branches into one log.
///
/// # Errors
/// When nothing forked, when lines were edited or dropped, or when both branches added one number.
pub fn repair_merge(source: &Arc<Source>, stamp: Stamp) -> Result<Repaired, RepairError> {
    let scan = log::scan(source);
    let error = LogError {
        name: source.name.clone(),
        faults: scan.faults,
    };
    if error.faults.is_empty() {
        return Err(RepairError::NotForked);
    }
    if !error.is_fork() {
        return Err(RepairError::Damaged(error));
    }
    let mut children: BTreeMap<Option<Digest>, Vec<Branched>> = BTreeMap::new();
    for found in scan.lines {
        let siblings = children.entry(found.entry.prev).or_default();
        // A merge may keep a line of both sides twice.
        if siblings
            .iter()
            .all(|other| other.entry.digest != found.entry.digest)
        {
            siblings.push(Branched {
                line: found.line,
                entry: found.entry,
            });
        }
    }
    let count: usize = children.values().map(Vec::len).sum();
    let (mut log, end) = trunk(&mut children);
    let kept = log.entries().len();
    let (branches, heads) = in_order_of_time(&mut children, end);
    if kept + branches.len() != count {
        return Err(RepairError::Damaged(error));
    }
    let (entries, joined) = join_versions(&log, branches)?;
    let rechained = entries.len();
    for entry in entries {
        log.append(entry.draft);
    }
    let why = explain(kept, rechained, &heads, &joined, stamp.why.as_deref());
    let stamp = Stamp {
        why: Some(why),
        ..stamp
    };
    log.append(stamp.draft(Action::Repair));
    Ok(Repaired {
        log,
        kept,
        rechained,
        heads,
        joined,
    })
}

type Children = BTreeMap<Option<Digest>, Vec<Branched>>;

/// The entries before the first fork, taken out of `children`, and the digest they end with.
fn trunk(children: &mut Children) -> (Log, Option<Digest>) {
    let mut log = Log::default();
    loop {
        let end = log.head();
        match children.remove(&end) {
            Some(mut only) if only.len() == 1 => {
                log.extend(only.drain(..).map(|branched| branched.entry));
            }
            Some(several) => {
                children.insert(end, several);
                return (log, end);
            }
            None => return (log, end),
        }
    }
}

/// The entries of all branches, each after the one it follows, else the oldest first; and the
/// digests that branches end with.
fn in_order_of_time(children: &mut Children, end: Option<Digest>) -> (Vec<Branched>, Vec<Digest>) {
    let mut ready = children.remove(&end).unwrap_or_default();
    let (mut ordered, mut heads) = (Vec::new(), Vec::new());
    loop {
        let key = |branched: &Branched| (branched.entry.draft.at, branched.entry.digest);
        let oldest = (0..ready.len()).min_by_key(|index| ready.get(*index).map(key));
        let Some(oldest) = oldest else {
            heads.sort();
            return (ordered, heads);
        };
        let next = ready.swap_remove(oldest);
        match children.remove(&Some(next.entry.digest)) {
            Some(followers) => ready.extend(followers),
            None => heads.push(next.entry.digest),
        }
        ordered.push(next);
    }
}

/// Leaves out the second of two equal additions; two unequal ones of a number can not be joined.
fn join_versions(
    log: &Log,
    branches: Vec<Branched>,
) -> Result<(Vec<Entry>, Vec<u32>), RepairError> {
    let mut added: BTreeMap<u32, (usize, Action)> = BTreeMap::new();
    for (index, entry) in log.entries().iter().enumerate() {
        if let Action::Add { version, .. } = entry.draft.action {
            added.insert(version, (index + 1, entry.draft.action.clone()));
        }
    }
    let (mut entries, mut joined) = (Vec::new(), Vec::new());
    for branched in branches {
        let action = &branched.entry.draft.action;
        if let Action::Add { version, .. } = *action {
            match added.get(&version) {
                Some((_, first)) if first == action => {
                    joined.push(version);
                    continue;
                }
                Some((first, _)) => {
                    return Err(RepairError::VersionTwice {
                        version,
                        first: *first.min(&branched.line),
                        second: *first.max(&branched.line),
                    });
                }
                None => {
                    added.insert(version, (branched.line, action.clone()));
                }
            }
        }
        entries.push(branched.entry);
    }
    Ok((entries, joined))
}

fn explain(
    kept: usize,
    rechained: usize,
    heads: &[Digest],
    joined: &[u32],
    why: Option<&str>,
) -> String {
    let heads: Vec<String> = heads.iter().map(Digest::to_string).collect();
    let mut text = format!(
        "merged branches: lines {} to {} were chained anew in order of time; the branches ended with {}",
        kept + 1,
        kept + rechained,
        heads.join(" and ")
    );
    for version in joined {
        text.push_str("; both had added v");
        text.push_str(&version.to_string());
        text.push_str(" alike");
    }
    if let Some(why) = why {
        text.push_str("; ");
        text.push_str(why);
    }
    text
}

#[cfg(test)]
mod tests;
