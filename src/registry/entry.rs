//! One line of the log: fourteen keys, read strictly, and the digest that chains it to the line
//! before.

use std::sync::Arc;

use serde_json::{Value as Json, json};

use super::channel::Channel;
use super::status::Status;
use crate::base::decode::{Reader, Table};
use crate::base::{Diagnostics, Digest, Name, Node, Source, Timestamp, json};

/// The keys of a line, in the order in which they are written.
pub const KEYS: [&str; 14] = [
    "seq", "at", "by", "action", "version", "channel", "from", "to", "hash", "file", "evidence",
    "why", "prev", "digest",
];

/// What happened to a prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// A version came to be.
    Add {
        /// Its number.
        version: u32,
        /// Its content hash.
        hash: Digest,
        /// The digest of its file's bytes, with CRLF as LF.
        file: Digest,
    },
    /// A channel moved to a version; `stable` only on evidence, or by force.
    Promote {
        /// Where the channel points now.
        version: u32,
        /// The channel.
        channel: Channel,
        /// Where it pointed before.
        from: Option<u32>,
        /// The content hash of the version.
        hash: Digest,
        /// The results that carried the promotion; none for a forced one, or another channel.
        evidence: Option<Vec<EvidenceRef>>,
    },
    /// A channel moved back to a version it had pointed to.
    Rollback {
        /// Where the channel points now.
        version: u32,
        /// The channel.
        channel: Channel,
        /// The version that was withdrawn.
        from: Option<u32>,
        /// The content hash of the version.
        hash: Option<Digest>,
    },
    /// A person moved a version's status.
    Status {
        /// The version.
        version: u32,
        /// Its status before, where the line says it.
        from: Option<Status>,
        /// Its status now.
        to: Status,
        /// The content hash of the version.
        hash: Option<Digest>,
    },
    /// A person approved that a protected channel moves to a version.
    Approve {
        /// The version.
        version: u32,
        /// The channel.
        channel: Channel,
        /// The content hash of the version.
        hash: Option<Digest>,
    },
    /// Lines of two merged branches were chained anew; `why` tells which.
    Repair,
}

/// A result that carried a promotion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EvidenceRef {
    /// The suite.
    pub suite: Name,
    /// The model's name within the suite.
    pub model: Name,
    /// The run's id.
    pub run: String,
    /// The digest of the copied result file.
    pub digest: Digest,
}

/// An entry before it has a place in the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// When it happened.
    pub at: Timestamp,
    /// Who did it.
    pub by: String,
    /// What happened.
    pub action: Action,
    /// Why.
    pub why: Option<String>,
}

/// One line of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its place, from 0.
    pub seq: u64,
    /// What happened, who did it, when and why.
    pub draft: Draft,
    /// The digest of the line before; none in the first.
    pub prev: Option<Digest>,
    /// The digest of this line without itself.
    pub digest: Digest,
    /// The line as it stands in the file.
    pub text: String,
}

/// How closely a line is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Check {
    /// What it means, which its digest covers.
    Meaning,
    /// Each of its bytes too.
    Bytes,
}

/// A line that could be read, and whether its digest is its own.
#[derive(Debug, Clone)]
pub struct Decoded {
    /// The entry.
    pub entry: Entry,
    /// The digest that the line's content has, where it differs from the one written.
    pub content: Option<Digest>,
    /// Whether every byte stands as a writer of JSON has it; true where that was not asked.
    pub is_plain: bool,
}

impl Action {
    /// The word of the action.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Add { .. } => "add",
            Self::Promote { .. } => "promote",
            Self::Rollback { .. } => "rollback",
            Self::Status { .. } => "status",
            Self::Approve { .. } => "approve",
            Self::Repair => "repair",
        }
    }

    /// The version that the action is about.
    #[must_use]
    pub fn version(&self) -> Option<u32> {
        match self {
            Self::Add { version, .. }
            | Self::Promote { version, .. }
            | Self::Rollback { version, .. }
            | Self::Status { version, .. }
            | Self::Approve { version, .. } => Some(*version),
            Self::Repair => None,
        }
    }

    /// The content hash that the action names.
    #[must_use]
    pub fn hash(&self) -> Option<Digest> {
        match self {
            Self::Add { hash, .. } | Self::Promote { hash, .. } => Some(*hash),
            Self::Rollback { hash, .. }
            | Self::Status { hash, .. }
            | Self::Approve { hash, .. } => *hash,
            Self::Repair => None,
        }
    }

    /// The channel that the action is about.
    #[must_use]
    pub fn channel(&self) -> Option<&Channel> {
        match self {
            Self::Promote { channel, .. }
            | Self::Rollback { channel, .. }
            | Self::Approve { channel, .. } => Some(channel),
            Self::Add { .. } | Self::Status { .. } | Self::Repair => None,
        }
    }

    /// The keys `from` and `to`: versions, or the words of a status.
    fn ends(&self) -> (Json, Json) {
        match self {
            Self::Promote { version, from, .. } | Self::Rollback { version, from, .. } => {
                (json!(from), json!(version))
            }
            Self::Status { from, to, .. } => (json!(from.map(Status::word)), json!(to.word())),
            Self::Add { .. } | Self::Approve { .. } | Self::Repair => (Json::Null, Json::Null),
        }
    }
}

impl Draft {
    /// Gives the entry its place after the line with digest `prev`.
    #[must_use]
    pub fn chain(self, seq: u64, prev: Option<Digest>) -> Entry {
        let mut values = self.values(seq, prev);
        let content: Json = values
            .iter()
            .map(|(key, value)| ((*key).to_owned(), value.clone()))
            .collect::<serde_json::Map<_, _>>()
            .into();
        let digest = Digest::of_json(&content);
        values.push(("digest", json!(digest)));
        let text = layout::line(&values);
        Entry {
            seq,
            draft: self,
            prev,
            digest,
            text,
        }
    }

    /// Keys and values in the order in which they are written, without the digest.
    fn values(&self, seq: u64, prev: Option<Digest>) -> Vec<(&'static str, Json)> {
        let (from, to) = self.action.ends();
        let (file, evidence) = match &self.action {
            Action::Add { file, .. } => (Some(*file), None),
            Action::Promote { evidence, .. } => (None, evidence.as_ref()),
            Action::Rollback { .. }
            | Action::Status { .. }
            | Action::Approve { .. }
            | Action::Repair => (None, None),
        };
        let evidence = evidence.map(|list| list.iter().map(EvidenceRef::to_json).collect::<Json>());
        vec![
            ("seq", json!(seq)),
            ("at", json!(self.at.to_string())),
            ("by", json!(self.by)),
            ("action", json!(self.action.word())),
            ("version", json!(self.action.version())),
            ("channel", json!(self.action.channel().map(Channel::as_str))),
            ("from", from),
            ("to", to),
            ("hash", json!(self.action.hash())),
            ("file", json!(file)),
            ("evidence", json!(evidence)),
            ("why", json!(self.why)),
            ("prev", json!(prev)),
        ]
    }
}

impl Entry {
    /// Whether a promotion of `stable` went without evidence.
    #[must_use]
    pub fn is_forced(&self) -> bool {
        match &self.draft.action {
            Action::Promote {
                channel, evidence, ..
            } => channel.is_stable() && evidence.is_none(),
            Action::Add { .. }
            | Action::Rollback { .. }
            | Action::Status { .. }
            | Action::Approve { .. }
            | Action::Repair => false,
        }
    }

    /// The line as JSON.
    #[must_use]
    pub fn to_json(&self) -> Json {
        let mut values = self.draft.values(self.seq, self.prev);
        values.push(("digest", json!(self.digest)));
        let entries = values
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value));
        entries.collect::<serde_json::Map<_, _>>().into()
    }
}

impl EvidenceRef {
    fn to_json(&self) -> Json {
        json!({"suite": self.suite, "model": self.model, "run": self.run, "digest": self.digest})
    }
}

/// Reads one line.
///
/// # Errors
/// All that is wrong with it: syntax, unknown, duplicate and missing keys, wrong types, and values
/// that do not belong to its action.
pub fn decode(source: &Arc<Source>, check: Check) -> Result<Decoded, Diagnostics> {
    let node = json::parse(source)?;
    let mut diagnostics = Diagnostics::new();
    let mut reader = Reader {
        source: Arc::clone(source),
        diagnostics: &mut diagnostics,
    };
    let decoded = fields::decode_fields(&mut reader, &node).map(|(seq, draft, prev, written)| {
        let mut content = node.to_json();
        if let Json::Object(map) = &mut content {
            map.remove("digest");
        }
        let own = Digest::of_json(&content);
        Decoded {
            entry: Entry {
                seq,
                draft,
                prev,
                digest: own,
                text: source.text.clone(),
            },
            content: (own.to_string() != written).then_some(own),
            is_plain: check == Check::Meaning || layout::is_plain(&node, &source.text),
        }
    });
    diagnostics.finish(decoded).map(|(decoded, _)| decoded)
}

mod fields;
mod layout;

#[cfg(test)]
mod tests;
