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

/// A line that could be read, and whether its digest is its own.
#[derive(Debug, Clone)]
pub struct Decoded {
    /// The entry.
    pub entry: Entry,
    /// The digest that the line's content has, where it differs from the one written.
    pub content: Option<Digest>,
    /// Whether every byte stands as this program writes it.
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
        let text = layout(
            values.iter().map(|(key, value)| (*key, value)),
            Spacing::Wide,
        );
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

/// The blanks between the parts of a line.
#[derive(Debug, Clone, Copy)]
enum Spacing {
    /// `", "` and `": "`, as this program writes.
    Wide,
    /// None.
    Compact,
}

/// A JSON object on one line, with its keys in the order given.
fn layout<'a>(entries: impl Iterator<Item = (&'a str, &'a Json)>, spacing: Spacing) -> String {
    let (comma, colon) = match spacing {
        Spacing::Wide => (", ", ": "),
        Spacing::Compact => (",", ":"),
    };
    let parts: Vec<String> = entries
        .map(|(key, value)| format!("{}{colon}{}", Json::from(key), layout_value(value, spacing)))
        .collect();
    format!("{{{}}}", parts.join(comma))
}

fn layout_value(value: &Json, spacing: Spacing) -> String {
    match (value, spacing) {
        (Json::Array(items), _) => {
            let items: Vec<String> = items
                .iter()
                .map(|item| layout_value(item, spacing))
                .collect();
            let comma = match spacing {
                Spacing::Wide => ", ",
                Spacing::Compact => ",",
            };
            format!("[{}]", items.join(comma))
        }
        (Json::Object(map), _) => {
            // The keys of an evidence line stand in the order of formats.md section 8.
            let order = |key: &str| {
                ["suite", "model", "run", "digest"]
                    .iter()
                    .position(|k| *k == key)
            };
            let mut entries: Vec<_> = map
                .iter()
                .map(|(key, value)| (key.as_str(), value))
                .collect();
            entries.sort_by_key(|(key, _)| order(key));
            layout(entries.into_iter(), spacing)
        }
        _ => value.to_string(),
    }
}

/// The text with every character beyond ASCII as `\uXXXX`, as some writers of JSON have it.
fn escape_beyond_ascii(text: &str) -> String {
    use std::fmt::Write as _;
    let mut escaped = String::with_capacity(text.len());
    let mut units = [0; 2];
    for c in text.chars() {
        if c.is_ascii() {
            escaped.push(c);
        } else {
            for unit in c.encode_utf16(&mut units) {
                // Writing to a `String` can not fail.
                let _ = write!(escaped, "\\u{unit:04x}");
            }
        }
    }
    escaped
}

/// Whether every byte of a line stands as a usual writer of JSON has it, so that no byte can change
/// without a change of the meaning.
fn is_plain(node: &Node, line: &str) -> bool {
    let crate::base::Value::Map(entries) = &node.value else {
        return false;
    };
    let values: Vec<(&str, Json)> = entries
        .iter()
        .map(|entry| (entry.key.as_str(), entry.value.to_json()))
        .collect();
    [Spacing::Wide, Spacing::Compact]
        .into_iter()
        .any(|spacing| {
            let text = layout(values.iter().map(|(key, value)| (*key, value)), spacing);
            text == line || escape_beyond_ascii(&text) == line
        })
}

/// Reads one line.
///
/// # Errors
/// All that is wrong with it: syntax, unknown, duplicate and missing keys, wrong types, and values
/// that do not belong to its action.
pub fn decode(source: &Arc<Source>) -> Result<Decoded, Diagnostics> {
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
            is_plain: is_plain(&node, &source.text),
        }
    });
    diagnostics.finish(decoded).map(|(decoded, _)| decoded)
}

mod fields;
