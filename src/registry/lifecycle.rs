//! What the log adds up to: the status of each version, where each channel points and has pointed.

use std::collections::BTreeMap;

use super::channel::Channel;
use super::entry::{Action, Entry};
use super::log::Log;
use super::status::Status;
use crate::base::{Digest, Timestamp};

/// A version as the log knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionState {
    /// Its content hash.
    pub hash: Digest,
    /// The digest of its file.
    pub file: Digest,
    /// Who added it.
    pub author: String,
    /// When it was added.
    pub added_at: Timestamp,
    /// How far it has come.
    pub status: Status,
    /// Since when.
    pub since: Timestamp,
    /// The reason given for the last change of status.
    pub why: Option<String>,
}

/// How a channel came to point where it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MoveKind {
    /// By a promotion on evidence; on a channel other than `stable`, by any promotion.
    Promoted,
    /// By a promotion of `stable` without evidence.
    Forced,
    /// By a rollback.
    RolledBack,
}

/// One move of a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Move {
    /// The entry's place in the log.
    pub seq: u64,
    /// When.
    pub at: Timestamp,
    /// By whom.
    pub by: String,
    /// From which version.
    pub from: Option<u32>,
    /// To which version.
    pub to: u32,
    /// How.
    pub kind: MoveKind,
    /// Why.
    pub why: Option<String>,
}

/// An approval of a version for a protected channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approval {
    /// By whom.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// Which version.
    pub version: u32,
    /// For which channel.
    pub channel: Channel,
}

/// All that a log adds up to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct State {
    versions: BTreeMap<u32, VersionState>,
    moves: BTreeMap<Channel, Vec<Move>>,
    approvals: Vec<Approval>,
    head: Option<Digest>,
}

impl State {
    /// Folds a log.
    #[must_use]
    pub fn of(log: &Log) -> Self {
        let mut state = Self::default();
        for entry in log.entries() {
            state.apply(entry);
        }
        state
    }

    /// The versions in the log, by number.
    #[must_use]
    pub fn versions(&self) -> &BTreeMap<u32, VersionState> {
        &self.versions
    }

    /// A version in the log.
    #[must_use]
    pub fn version(&self, number: u32) -> Option<&VersionState> {
        self.versions.get(&number)
    }

    /// The digest of the log's last line.
    #[must_use]
    pub fn head(&self) -> Option<Digest> {
        self.head
    }

    /// Where a channel points. `latest` is the highest version in the log; files that the log does
    /// not know are the store's to add.
    #[must_use]
    pub fn channel(&self, channel: &Channel) -> Option<u32> {
        if channel.is_latest() {
            return self.versions.keys().next_back().copied();
        }
        self.last_move(channel).map(|last| last.to)
    }

    /// Where `stable` points.
    #[must_use]
    pub fn stable(&self) -> Option<u32> {
        self.channel(&Channel::stable())
    }

    /// Every channel that has moved, with its moves, oldest first.
    pub fn channels(&self) -> impl Iterator<Item = (&Channel, &[Move])> {
        self.moves
            .iter()
            .map(|(channel, moves)| (channel, moves.as_slice()))
    }

    /// The moves of a channel, oldest first.
    #[must_use]
    pub fn moves(&self, channel: &Channel) -> &[Move] {
        self.moves.get(channel).map_or(&[], Vec::as_slice)
    }

    /// The move that made a channel point where it does.
    #[must_use]
    pub fn last_move(&self, channel: &Channel) -> Option<&Move> {
        self.moves(channel).last()
    }

    /// The move that was in force at a time: what was live, since when, and how it came to be.
    #[must_use]
    pub fn move_at(&self, channel: &Channel, time: Timestamp) -> Option<&Move> {
        self.moves(channel).iter().rfind(|entry| entry.at <= time)
    }

    /// What a rollback of a channel goes back to: the version it pointed to before the present one,
    /// and before all that were withdrawn in between.
    #[must_use]
    pub fn previous(&self, channel: &Channel) -> Option<u32> {
        let mut stack: Vec<u32> = Vec::new();
        for entry in self.moves(channel) {
            if entry.kind == MoveKind::RolledBack
                && let Some(index) = stack.iter().rposition(|version| *version == entry.to)
            {
                stack.truncate(index);
            }
            if stack.last() != Some(&entry.to) {
                stack.push(entry.to);
            }
        }
        stack.pop();
        stack.pop()
    }

    /// The approvals of a version for a channel, oldest first.
    pub fn approvals<'a>(
        &'a self,
        version: u32,
        channel: &'a Channel,
    ) -> impl Iterator<Item = &'a Approval> {
        self.approvals
            .iter()
            .filter(move |approval| approval.version == version && approval.channel == *channel)
    }

    fn apply(&mut self, entry: &Entry) {
        self.head = Some(entry.digest);
        let draft = &entry.draft;
        match &draft.action {
            Action::Add {
                version,
                hash,
                file,
            } => {
                self.versions.entry(*version).or_insert(VersionState {
                    hash: *hash,
                    file: *file,
                    author: draft.by.clone(),
                    added_at: draft.at,
                    status: Status::Draft,
                    since: draft.at,
                    why: None,
                });
            }
            Action::Promote {
                version, channel, ..
            } => {
                let kind = if entry.is_forced() {
                    MoveKind::Forced
                } else {
                    MoveKind::Promoted
                };
                self.move_channel(entry, channel, *version, kind);
            }
            Action::Rollback {
                version, channel, ..
            } => self.move_channel(entry, channel, *version, MoveKind::RolledBack),
            Action::Status { version, to, .. } => self.set_status(*version, *to, entry),
            Action::Approve {
                version, channel, ..
            } => self.approvals.push(Approval {
                by: draft.by.clone(),
                at: draft.at,
                version: *version,
                channel: channel.clone(),
            }),
            Action::Repair => {}
        }
    }

    fn move_channel(&mut self, entry: &Entry, channel: &Channel, to: u32, kind: MoveKind) {
        let from = self.channel(channel);
        if channel.is_stable() {
            if let Some(from) = from.filter(|from| *from != to) {
                self.set_status(from, Status::Deprecated, entry);
            }
            self.set_status(to, Status::Active, entry);
        }
        self.moves.entry(channel.clone()).or_default().push(Move {
            seq: entry.seq,
            at: entry.draft.at,
            by: entry.draft.by.clone(),
            from,
            to,
            kind,
            why: entry.draft.why.clone(),
        });
    }

    fn set_status(&mut self, version: u32, status: Status, entry: &Entry) {
        if let Some(version) = self.versions.get_mut(&version)
            && version.status != status
        {
            version.status = status;
            version.since = entry.draft.at;
            version.why.clone_from(&entry.draft.why);
        }
    }
}

#[cfg(test)]
mod tests;
