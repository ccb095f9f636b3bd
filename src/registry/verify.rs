//! Verification: log against itself, version files and evidence against the log, the log against a
//! head that was written down elsewhere.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::channel::Channel;
use super::entry::{Action, Entry, EvidenceRef};
use super::lifecycle::State;
use super::log::{self, LogFault, ScannedLine};
use crate::base::{Digest, Source};

/// A version's file as it is now.
#[derive(Debug, Clone)]
pub struct VersionFact {
    /// Its number.
    pub number: u32,
    /// Its name, as shown to people.
    pub name: String,
    /// The digest of its file; none where it is no text.
    pub file: Option<Digest>,
    /// Its content hash; none where it can not be read as a prompt.
    pub hash: Option<Digest>,
}

/// Everything that is held against the log.
#[derive(Debug, Clone, Copy, Default)]
pub struct Facts<'a> {
    /// The versions' files.
    pub versions: &'a [VersionFact],
    /// The digest of each file of evidence, by its path in the prompt's folder.
    pub evidence: Option<&'a BTreeMap<String, Digest>>,
    /// A head that was written down elsewhere.
    pub head: Option<Digest>,
}

/// One finding. Lines count from 1.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Finding {
    /// The log is not intact.
    #[error("{0}")]
    Log(LogFault),
    /// The head that was written down is no line of the log.
    #[error("no line of the log has the digest {head}: its end was cut off, or it was rewritten")]
    CutTail {
        /// The head.
        head: Digest,
    },
    /// A version's file is not what was added.
    #[error("{name} is not what line {line} added: the file was edited")]
    FileEdited {
        /// The line that added it.
        line: usize,
        /// The file.
        name: String,
        /// The file's digest; none where it is no text.
        found: Option<Digest>,
    },
    /// A version's content is not what was added.
    #[error("{name} has not the content hash that line {line} says")]
    ContentDiffers {
        /// The line that added it.
        line: usize,
        /// The file.
        name: String,
        /// The file's content hash; none where it can not be read as a prompt.
        found: Option<Digest>,
    },
    /// A version that was added has no file.
    #[error("v{version}, which line {line} added, has no file")]
    FileMissing {
        /// The line that added it.
        line: usize,
        /// The version.
        version: u32,
    },
    /// A version's file was never added.
    #[error("{name} is not in the log")]
    Unrecorded {
        /// The version.
        version: u32,
        /// The file.
        name: String,
    },
    /// A version was added before.
    #[error("line {line} adds v{version}, which line {first} added already")]
    AddedTwice {
        /// The line.
        line: usize,
        /// The version.
        version: u32,
        /// The line that added it first.
        first: usize,
    },
    /// A line is about a version that no line before it added.
    #[error("line {line} is about v{version}, which no line before it added")]
    NeverAdded {
        /// The line.
        line: usize,
        /// The version.
        version: u32,
    },
    /// A line names another content than the one that was added.
    #[error("line {line} names another content of v{version} than line {first} added")]
    HashDiffers {
        /// The line.
        line: usize,
        /// The version.
        version: u32,
        /// The line that added it.
        first: usize,
    },
    /// A channel moved from where it did not point.
    #[error("line {line} moves `{channel}` from {}, where it did not point", shown(*from))]
    WrongFrom {
        /// The line.
        line: usize,
        /// The channel.
        channel: Channel,
        /// From where the line says.
        from: Option<u32>,
    },
    /// The table that applications read says what the log does not.
    #[error("the live table has `{channel}` at {}, the log has it at {}", shown(*live), shown(*log))]
    LiveDiffers {
        /// The channel.
        channel: Channel,
        /// Where it points by the table.
        live: Option<u32>,
        /// Where it points by the log.
        log: Option<u32>,
    },
    /// Evidence that carried a promotion is gone.
    #[error("the evidence of suite `{}` that line {line} names is not there", reference.suite)]
    EvidenceMissing {
        /// The line.
        line: usize,
        /// The evidence.
        reference: EvidenceRef,
    },
    /// Evidence that carried a promotion was edited.
    #[error("{path} is not the evidence that line {line} names: it was edited or replaced")]
    EvidenceEdited {
        /// The line.
        line: usize,
        /// The file.
        path: String,
    },
}

fn shown(version: Option<u32>) -> String {
    version.map_or_else(|| "nowhere".to_owned(), |version| format!("v{version}"))
}

impl Finding {
    /// Whether the finding is no fault: a file that was never added is a draft of somebody's.
    #[must_use]
    pub fn is_note(&self) -> bool {
        match self {
            Self::Unrecorded { .. } => true,
            Self::Log(_)
            | Self::CutTail { .. }
            | Self::FileEdited { .. }
            | Self::ContentDiffers { .. }
            | Self::FileMissing { .. }
            | Self::AddedTwice { .. }
            | Self::NeverAdded { .. }
            | Self::HashDiffers { .. }
            | Self::WrongFrom { .. }
            | Self::LiveDiffers { .. }
            | Self::EvidenceMissing { .. }
            | Self::EvidenceEdited { .. } => false,
        }
    }
}

/// Holds a log against itself and against everything that belongs to it.
#[must_use]
pub fn verify(source: &Arc<Source>, facts: &Facts<'_>) -> Vec<Finding> {
    let scan = log::scan(source);
    let mut findings: Vec<Finding> = scan.faults.into_iter().map(Finding::Log).collect();
    check_head(&scan.lines, facts.head, &mut findings);
    let added = check_lines(&scan.lines, &mut findings);
    check_moves(&scan.lines, &mut findings);
    check_files(&added, facts.versions, &mut findings);
    if let Some(files) = facts.evidence {
        check_evidence(&scan.lines, files, &mut findings);
    }
    findings
}

fn check_head(lines: &[ScannedLine], head: Option<Digest>, findings: &mut Vec<Finding>) {
    let Some(head) = head else {
        return;
    };
    // A repair names the heads of the branches it chained anew.
    let text = head.to_string();
    let names = |entry: &Entry| {
        matches!(entry.draft.action, Action::Repair)
            && entry
                .draft
                .why
                .as_deref()
                .is_some_and(|why| why.contains(&text))
    };
    if !lines
        .iter()
        .any(|line| line.entry.digest == head || names(&line.entry))
    {
        findings.push(Finding::CutTail { head });
    }
}

/// A version as a line added it.
struct Added {
    line: usize,
    hash: Digest,
    file: Digest,
}

fn check_lines(lines: &[ScannedLine], findings: &mut Vec<Finding>) -> BTreeMap<u32, Added> {
    let mut added: BTreeMap<u32, Added> = BTreeMap::new();
    for ScannedLine { line, entry } in lines {
        let line = *line;
        if let Action::Add {
            version,
            hash,
            file,
        } = entry.draft.action
        {
            if let Some(first) = added.get(&version) {
                findings.push(Finding::AddedTwice {
                    line,
                    version,
                    first: first.line,
                });
            } else {
                added.insert(version, Added { line, hash, file });
            }
            continue;
        }
        let Some(version) = entry.draft.action.version() else {
            continue;
        };
        match added.get(&version) {
            None => findings.push(Finding::NeverAdded { line, version }),
            Some(first)
                if entry
                    .draft
                    .action
                    .hash()
                    .is_some_and(|hash| hash != first.hash) =>
            {
                findings.push(Finding::HashDiffers {
                    line,
                    version,
                    first: first.line,
                });
            }
            Some(_) => {}
        }
    }
    added
}

/// Each move begins where the one before ended. Two merged branches each moved on their own, so
/// what stands before a repair is not held against this.
fn check_moves(lines: &[ScannedLine], findings: &mut Vec<Finding>) {
    let repaired = lines
        .iter()
        .rposition(|line| matches!(line.entry.draft.action, Action::Repair));
    let mut at: BTreeMap<Channel, u32> = BTreeMap::new();
    for (index, ScannedLine { line, entry }) in lines.iter().enumerate() {
        let (Action::Promote {
            version,
            channel,
            from,
            ..
        }
        | Action::Rollback {
            version,
            channel,
            from,
            ..
        }) = &entry.draft.action
        else {
            continue;
        };
        let before = at.insert(channel.clone(), *version);
        if before != *from && repaired.is_none_or(|repaired| index > repaired) {
            findings.push(Finding::WrongFrom {
                line: *line,
                channel: channel.clone(),
                from: *from,
            });
        }
    }
}

fn check_files(
    added: &BTreeMap<u32, Added>,
    versions: &[VersionFact],
    findings: &mut Vec<Finding>,
) {
    for version in versions {
        let name = version.name.clone();
        match added.get(&version.number) {
            None => findings.push(Finding::Unrecorded {
                version: version.number,
                name,
            }),
            Some(added) if Some(added.file) != version.file => findings.push(Finding::FileEdited {
                line: added.line,
                name,
                found: version.file,
            }),
            Some(added) if version.hash != Some(added.hash) => {
                findings.push(Finding::ContentDiffers {
                    line: added.line,
                    name,
                    found: version.hash,
                });
            }
            Some(_) => {}
        }
    }
    for (version, added) in added {
        if !versions.iter().any(|file| file.number == *version) {
            findings.push(Finding::FileMissing {
                line: added.line,
                version: *version,
            });
        }
    }
}

fn check_evidence(
    lines: &[ScannedLine],
    files: &BTreeMap<String, Digest>,
    findings: &mut Vec<Finding>,
) {
    // A later promotion of the same version replaces the copies of an earlier one.
    let mut last: BTreeMap<(u32, String), (usize, &EvidenceRef)> = BTreeMap::new();
    for ScannedLine { line, entry } in lines {
        if let Action::Promote {
            version,
            evidence: Some(list),
            ..
        } = &entry.draft.action
        {
            for reference in list {
                let key = format!("{}@{}", reference.suite, reference.model);
                last.insert((*version, key), (*line, reference));
            }
        }
    }
    for ((version, _), (line, reference)) in last {
        let (suite, model) = (&reference.suite, &reference.model);
        let paths = [
            format!("evidence/v{version}/{suite}@{model}.json"),
            format!("evidence/v{version}/{suite}.json"),
        ];
        let there: Vec<_> = paths
            .iter()
            .filter(|path| files.contains_key(*path))
            .collect();
        let holds = |path: &&&String| files.get(**path) == Some(&reference.digest);
        if there.iter().any(|path| holds(&path)) {
            continue;
        }
        findings.push(match there.first() {
            Some(path) => Finding::EvidenceEdited {
                line,
                path: (*path).clone(),
            },
            None => Finding::EvidenceMissing {
                line,
                reference: reference.clone(),
            },
        });
    }
}

/// Holds a table of where channels point against the log.
#[must_use]
pub fn live(table: &BTreeMap<Channel, u32>, state: &State) -> Vec<Finding> {
    let latest = Channel::latest();
    let highest = state.versions().keys().max().copied();
    let mut says: BTreeMap<&Channel, u32> = state
        .channels()
        .filter_map(|(channel, _)| Some((channel, state.channel(channel)?)))
        .collect();
    says.extend(highest.map(|highest| (&latest, highest)));
    let channels: BTreeSet<&Channel> = table.keys().chain(says.keys().copied()).collect();
    let finding = |channel: &Channel| {
        let (live, log) = (table.get(channel).copied(), says.get(channel).copied());
        (live != log).then(|| Finding::LiveDiffers {
            channel: channel.clone(),
            live,
            log,
        })
    };
    channels.into_iter().filter_map(finding).collect()
}
