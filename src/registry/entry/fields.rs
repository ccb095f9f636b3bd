//! Reads the fields of a log line, each with its type, and refuses those that its action has not.

use super::super::channel::Channel;
use super::super::status::Status;
use super::{Action, Digest, Draft, EvidenceRef, KEYS, Name, Node, Reader, Table, Timestamp};

/// Sequence number, content, digest of the line before, and the digest as written.
pub type Fields = (u64, Draft, Option<Digest>, String);

#[derive(Clone, Copy)]
enum Word {
    Add,
    Promote,
    Rollback,
    Status,
    Approve,
    Repair,
}

const WORDS: [(&str, Word); 6] = [
    ("add", Word::Add),
    ("promote", Word::Promote),
    ("rollback", Word::Rollback),
    ("status", Word::Status),
    ("approve", Word::Approve),
    ("repair", Word::Repair),
];

impl Word {
    /// The keys beside the common ones that the action may fill.
    fn keys(self) -> &'static [&'static str] {
        match self {
            Self::Add => &["version", "hash", "file"],
            Self::Promote => &["version", "channel", "from", "to", "hash", "evidence"],
            Self::Rollback => &["version", "channel", "from", "to", "hash"],
            Self::Status => &["version", "from", "to", "hash"],
            Self::Approve => &["version", "channel", "hash"],
            Self::Repair => &[],
        }
    }
}

pub fn decode_fields(reader: &mut Reader<'_>, node: &Node) -> Option<Fields> {
    let mut table = Table::new(reader, node, "the log line")?;
    for key in KEYS {
        if table.get_or_null(key).is_none() {
            let help = "write null where it has no value";
            let message = format!("the log line has no `{key}`");
            reader.error(node.span, "missing-key", message, help);
        }
    }
    let word = table.require(reader, "action");
    let word = word.and_then(|node| reader.word(node, "`action`", &WORDS));
    let seq = table.require(reader, "seq");
    let seq = seq.and_then(|node| reader.whole(node, "`seq`", 0));
    let at = table.require(reader, "at");
    let at = at.and_then(|node| time(reader, node));
    let by = table.require(reader, "by");
    let by = by.and_then(|node| reader.nonempty(node, "`by`"));
    let why = optional(table.get("why"), |node| reader.text(node, "`why`"));
    let prev = optional(table.get("prev"), |node| digest(reader, node, "`prev`"));
    let written = table.require(reader, "digest");
    let written = written.and_then(|node| {
        digest(reader, node, "`digest`")?;
        node.as_text().map(str::to_owned)
    });
    let action = word.and_then(|word| action(reader, &mut table, word));
    table.finish(reader);
    let draft = Draft {
        at: at?,
        by: by?.to_owned(),
        action: action?,
        why: why.ok()?.map(str::to_owned),
    };
    Some((seq?, draft, prev.ok()?, written?))
}

/// A value that is there and can not be read; the reader has said why.
struct Unreadable;

fn optional<'n, T>(
    node: Option<&'n Node>,
    read: impl FnOnce(&'n Node) -> Option<T>,
) -> Result<Option<T>, Unreadable> {
    node.map(|node| read(node).ok_or(Unreadable)).transpose()
}

fn action(reader: &mut Reader<'_>, table: &mut Table<'_>, word: Word) -> Option<Action> {
    for key in [
        "version", "channel", "from", "to", "hash", "file", "evidence",
    ] {
        if let Some(node) = table.get(key)
            && !word.keys().contains(&key)
        {
            let message = format!("`{key}` must be null in a line of this action");
            reader.error(node.span, "unexpected-value", message, "write null");
        }
    }
    let hash = optional(table.get("hash"), |node| digest(reader, node, "`hash`"));
    match word {
        Word::Add => {
            let (version, hash) = (version(reader, table), required_hash(reader, table, hash));
            let file = table.require(reader, "file");
            Some(Action::Add {
                file: file.and_then(|node| digest(reader, node, "`file`"))?,
                version: version?,
                hash: hash?,
            })
        }
        Word::Promote => {
            let hash = required_hash(reader, table, hash);
            let evidence = optional(table.get("evidence"), |node| evidence(reader, node));
            let (version, channel, from) = movement(reader, table)?;
            Some(Action::Promote {
                version,
                channel,
                from,
                hash: hash?,
                evidence: evidence.ok()?,
            })
        }
        Word::Rollback => {
            let (version, channel, from) = movement(reader, table)?;
            Some(Action::Rollback {
                version,
                channel,
                from,
                hash: hash.ok()?,
            })
        }
        Word::Status => status_change(reader, table, hash),
        Word::Approve => {
            let (version, channel) = (version(reader, table), channel(reader, table));
            Some(Action::Approve {
                version: version?,
                channel: channel?,
                hash: hash.ok()?,
            })
        }
        Word::Repair => Some(Action::Repair),
    }
}

fn status_change(
    reader: &mut Reader<'_>,
    table: &mut Table<'_>,
    hash: Result<Option<Digest>, Unreadable>,
) -> Option<Action> {
    let version = version(reader, table);
    let from = optional(table.get("from"), |node| status(reader, node, "`from`"));
    let to = table.require(reader, "to");
    Some(Action::Status {
        to: to.and_then(|node| status(reader, node, "`to`"))?,
        version: version?,
        from: from.ok()?,
        hash: hash.ok()?,
    })
}

fn required_hash(
    reader: &mut Reader<'_>,
    table: &mut Table<'_>,
    hash: Result<Option<Digest>, Unreadable>,
) -> Option<Digest> {
    table.require(reader, "hash");
    hash.ok()?
}

fn version(reader: &mut Reader<'_>, table: &mut Table<'_>) -> Option<u32> {
    let node = table.require(reader, "version")?;
    reader.whole_u32(node, "`version`", 1)
}

/// Where a channel points now, which one, and where it pointed before.
fn movement(reader: &mut Reader<'_>, table: &mut Table<'_>) -> Option<(u32, Channel, Option<u32>)> {
    let (version, channel) = (version(reader, table), channel(reader, table));
    let from = optional(table.get("from"), |node| {
        reader.whole_u32(node, "`from`", 1)
    });
    let to_node = table.require(reader, "to")?;
    let to = reader.whole_u32(to_node, "`to`", 1)?;
    if version? == to {
        return Some((to, channel?, from.ok()?));
    }
    let message = format!("`to` says {to}, `version` another number");
    reader.error(
        to_node.span,
        "version-mismatch",
        message,
        "make the two agree",
    );
    None
}

fn channel(reader: &mut Reader<'_>, table: &mut Table<'_>) -> Option<Channel> {
    let node = table.require(reader, "channel")?;
    let text = reader.text(node, "`channel`")?;
    match Channel::new(text) {
        Ok(channel) if channel.is_latest() => {
            let help = "remove the line: it always points to the highest version";
            reader.error(node.span, "channel", "`latest` moves by itself", help);
            None
        }
        Ok(channel) => Some(channel),
        Err(error) => {
            reader.error(
                node.span,
                "channel",
                error.to_string(),
                "use words of a-z and 0-9",
            );
            None
        }
    }
}

fn status(reader: &mut Reader<'_>, node: &Node, what: &str) -> Option<Status> {
    reader.word(
        node,
        what,
        &Status::ALL.map(|status| (status.word(), status)),
    )
}

fn time(reader: &mut Reader<'_>, node: &Node) -> Option<Timestamp> {
    let text = reader.text(node, "`at`")?;
    let time = text
        .parse()
        .map_err(|error: crate::base::time::TimestampError| {
            reader.error(
                node.span,
                "time",
                error.to_string(),
                "write UTC, with a `Z`",
            );
        });
    time.ok()
}

fn digest(reader: &mut Reader<'_>, node: &Node, what: &str) -> Option<Digest> {
    let text = reader.text(node, what)?;
    let digest: Option<Digest> = text.parse().ok();
    // The spelling is fixed: one digest, one text.
    let digest = digest.filter(|digest| digest.to_string() == text);
    if digest.is_none() {
        let message = format!("{what} is no digest: `{text}`");
        reader.error(
            node.span,
            "digest",
            message,
            "write sha256: and 64 digits of 0-9, a-f",
        );
    }
    digest
}

fn evidence(reader: &mut Reader<'_>, node: &Node) -> Option<Vec<EvidenceRef>> {
    let items = reader.list(node, "`evidence`")?;
    let read: Vec<EvidenceRef> = items
        .iter()
        .filter_map(|item| evidence_ref(reader, item))
        .collect();
    (read.len() == items.len()).then_some(read)
}

fn evidence_ref(reader: &mut Reader<'_>, node: &Node) -> Option<EvidenceRef> {
    let mut table = Table::new(reader, node, "an item of `evidence`")?;
    let suite = table
        .require(reader, "suite")
        .and_then(|node| name(reader, node, "`suite`"));
    let model = table
        .require(reader, "model")
        .and_then(|node| name(reader, node, "`model`"));
    let run = table.require(reader, "run");
    let run = run.and_then(|node| reader.nonempty(node, "`run`"));
    let file = table.require(reader, "digest");
    let file = file.and_then(|node| digest(reader, node, "`digest`"));
    table.finish(reader);
    Some(EvidenceRef {
        suite: suite?,
        model: model?,
        run: run?.to_owned(),
        digest: file?,
    })
}

fn name(reader: &mut Reader<'_>, node: &Node, what: &str) -> Option<Name> {
    let text = reader.text(node, what)?;
    let name = Name::new(text).map_err(|error| {
        reader.error(
            node.span,
            "name",
            error.to_string(),
            "use words of a-z and 0-9",
        );
    });
    name.ok()
}
