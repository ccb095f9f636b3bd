//! `gate prompt log|which|verify`: the audit trail, what was live when, and whether log, versions
//! and evidence are still what they were.

use std::collections::BTreeMap;

use super::movement;
use super::place::{self, Actor, Place};
use crate::base::{Digest, Slug, Timestamp};
use crate::command::{CommandError, Project};
use crate::registry::entry::Action;
use crate::registry::lifecycle::MoveKind;
use crate::registry::reference::{HashPrefix, VersionRef};
use crate::registry::repair::Repaired;
use crate::registry::signature::{self, PublicKey, SignatureFault};
use crate::registry::verify::Finding;
use crate::registry::{Channel, Entry, Log, State, Status};
use crate::store::registry::{self, RegistryError};

/// The log of one prompt.
#[derive(Debug, Clone)]
pub struct Trail {
    /// The prompt.
    pub slug: Slug,
    /// Where it is kept.
    pub registry: String,
    /// Its log.
    pub log: Log,
}

/// The prompts that an argument means: the one named, or all.
fn places(project: &Project, slug: Option<&str>) -> Result<Vec<Place>, CommandError> {
    if let Some(slug) = slug {
        return Ok(vec![place::named(project, Some(slug))?]);
    }
    let mut found = Vec::new();
    for prompt in super::list(project)? {
        found.push(Place {
            registry: project.registry(&prompt.registry)?,
            slug: prompt.slug,
        });
    }
    Ok(found)
}

/// The logs of a prompt, or of all.
///
/// # Errors
/// When one can not be read, or is not intact.
pub fn log(project: &Project, slug: Option<&str>) -> Result<Vec<Trail>, CommandError> {
    let mut trails = Vec::new();
    for place in places(project, slug)? {
        trails.push(Trail {
            log: place.registry.log(&place.slug)?,
            registry: place.registry.location().to_owned(),
            slug: place.slug,
        });
    }
    Ok(trails)
}

/// The columns of the audit trail as a table.
pub const COLUMNS: [&str; 15] = [
    "prompt", "seq", "at", "by", "action", "version", "channel", "from", "to", "hash", "file",
    "evidence", "forced", "why", "digest",
];

/// The cells of an entry, under [`COLUMNS`].
#[must_use]
pub fn cells(slug: &Slug, entry: &Entry) -> [String; 15] {
    let draft = &entry.draft;
    let version = |number: Option<u32>| number.map_or_else(String::new, |n| format!("v{n}"));
    let (from, to, file, evidence) = match &draft.action {
        Action::Add { file, .. } => (None, None, Some(*file), None),
        Action::Promote {
            version: to,
            from,
            evidence,
            ..
        } => (
            version(*from).into(),
            version(Some(*to)).into(),
            None,
            evidence.as_ref(),
        ),
        Action::Rollback {
            version: to, from, ..
        } => (version(*from).into(), version(Some(*to)).into(), None, None),
        Action::Status { from, to, .. } => (
            from.map(|status| status.word().to_owned()),
            Some(to.word().to_owned()),
            None,
            None,
        ),
        Action::Approve { .. } | Action::Repair => (None, None, None, None),
    };
    let evidence = evidence.into_iter().flatten().map(|reference| {
        let (suite, model) = (&reference.suite, &reference.model);
        format!("{suite}@{model} run {} {}", reference.run, reference.digest)
    });
    let digest = |digest: Option<Digest>| digest.map_or_else(String::new, |d| d.to_string());
    [
        slug.to_string(),
        entry.seq.to_string(),
        draft.at.to_string(),
        draft.by.clone(),
        draft.action.word().to_owned(),
        version(draft.action.version()),
        draft
            .action
            .channel()
            .map_or_else(String::new, Channel::to_string),
        from.unwrap_or_default(),
        to.unwrap_or_default(),
        digest(draft.action.hash()),
        digest(file),
        evidence.collect::<Vec<_>>().join("; "),
        if entry.is_forced() { "yes" } else { "" }.to_owned(),
        draft.why.clone().unwrap_or_default(),
        entry.digest.to_string(),
    ]
}

/// Chains two merged branches of a prompt's log into one.
///
/// # Errors
/// When the log is no merge of two branches, or something else is wrong with it.
pub fn repair_merge(
    project: &Project,
    slug: Option<&str>,
    actor: &Actor,
) -> Result<(Place, Repaired), CommandError> {
    let place = place::named(project, slug)?;
    let repaired = place.repair_merge(project, actor.stamp(project)?)?;
    Ok((place, repaired))
}

/// What verification found in one prompt.
#[derive(Debug)]
pub struct Verified {
    /// The prompt.
    pub slug: Slug,
    /// The path of its log, relative to the project's root.
    pub log: String,
    /// How many entries the log has, where it can be read.
    pub entries: usize,
    /// The digest of the log's last line, to be written down elsewhere.
    pub head: Option<Digest>,
    /// What is wrong.
    pub findings: Vec<Finding>,
    /// Who signed how many of its lines.
    pub keys: BTreeMap<PublicKey, usize>,
    /// What is wrong with the signatures on its lines.
    pub signatures: Vec<SignatureFault>,
    /// The command that mends it, where one does.
    pub help: Option<String>,
}

/// Holds logs against themselves, their versions and evidence, and a head written down elsewhere.
///
/// # Errors
/// When a registry can not be read, or the head is no digest.
pub fn verify(
    project: &Project,
    slug: Option<&str>,
    head: Option<&str>,
    trusted: &[String],
) -> Result<Vec<Verified>, CommandError> {
    let trusted = trusted.iter().map(|key| key.parse());
    let trusted: Result<Vec<PublicKey>, _> = trusted.collect();
    let trusted = trusted.map_err(|error| {
        CommandError::usage(
            error.to_string(),
            "name the key that `gate prompt verify` shows for a log that you trust",
        )
    })?;
    let head: Option<Digest> = match head {
        None => None,
        Some(text) => Some(text.parse().map_err(|_| {
            CommandError::usage(
                format!("`{}` is no digest", crate::base::text::visible_line(text)),
                "write sha256: and 64 hex digits, as a report's registry head",
            )
        })?),
    };
    let places = match (slug, head) {
        // A head belongs to one log.
        (None, Some(_)) => vec![place::the_one(project)?],
        (slug, _) => places(project, slug)?,
    };
    let mut verified = Vec::new();
    for place in places {
        let findings = registry::verify(&*place.registry, &place.slug, head)?;
        let log = place.registry.log(&place.slug);
        let is_fork = matches!(&log, Err(RegistryError::Log(error)) if error.is_fork());
        let help = format!("gate prompt log {} --repair-merge", place.slug);
        let log = log.ok();
        let signatures = place.registry.signatures(&place.slug)?;
        let checked = log
            .as_ref()
            .map(|log| signature::check(&place.slug, log, &signatures, &trusted));
        let signature::Checked { keys, faults } = checked.unwrap_or_default();
        verified.push(Verified {
            keys,
            signatures: faults,
            help: is_fork.then_some(help),
            log: place.path("log.jsonl"),
            entries: log.as_ref().map_or(0, |log| log.entries().len()),
            head: log.as_ref().and_then(Log::head),
            slug: place.slug,
            findings,
        });
    }
    Ok(verified)
}

/// A version that an answer of `which` is about.
#[derive(Debug, Clone)]
pub struct Identified {
    /// The prompt.
    pub slug: Slug,
    /// The version.
    pub number: u32,
    /// Its content hash, where the log knows it.
    pub hash: Option<Digest>,
    /// Its status.
    pub status: Option<Status>,
    /// Who added it, and when.
    pub added: Option<(String, Timestamp)>,
    /// The spans in which a channel pointed to it.
    pub live: Vec<(Channel, Timestamp, Timestamp)>,
}

/// The versions of a content hash, in any prompt.
///
/// # Errors
/// When it is no hash, or no version has it.
pub fn which_hash(
    project: &Project,
    slug: Option<&str>,
    hash: &str,
) -> Result<Vec<Identified>, CommandError> {
    let digits = hash.strip_prefix("sha256:").unwrap_or(hash);
    let prefix = HashPrefix::new(digits).map_err(place::reference_error)?;
    let now = project.clock.now();
    let mut found = Vec::new();
    for place in places(project, slug)? {
        let state = place.state()?;
        let present = registry::present(&*place.registry, &place.slug, &state)?;
        for version in present
            .iter()
            .filter(|version| prefix.matches(&version.hash))
        {
            let mut identified = identify(&place.slug, &state, version.number, now);
            identified.hash = Some(version.hash);
            found.push(identified);
        }
    }
    if found.is_empty() {
        return Err(CommandError::usage(
            format!("no version has a hash that begins with sha256:{digits}"),
            "`gate prompt list` shows the prompts; the hash may be that of an unversioned file",
        ));
    }
    Ok(found)
}

fn identify(slug: &Slug, state: &State, number: u32, now: Timestamp) -> Identified {
    let known = state.version(number);
    let live = state.channels().flat_map(|(channel, _)| {
        let spans = movement::live(state, channel, number, now);
        spans
            .into_iter()
            .map(|(from, until)| (channel.clone(), from, until))
    });
    Identified {
        slug: slug.clone(),
        number,
        hash: known.map(|known| known.hash),
        status: known.map(|known| known.status),
        added: known.map(|known| (known.author.clone(), known.added_at)),
        live: live.collect(),
    }
}

/// What a channel pointed to at a time.
#[derive(Debug, Clone)]
pub struct WasLive {
    /// The version.
    pub version: Identified,
    /// The channel.
    pub channel: Channel,
    /// The move that made it so: when, by whom, from where, how, why.
    pub moved: crate::registry::lifecycle::Move,
    /// The results that carried it.
    pub evidence: Vec<crate::registry::EvidenceRef>,
    /// Until when; none where it still does.
    pub until: Option<Timestamp>,
}

/// How a channel came to move, in words.
#[must_use]
pub fn how(kind: MoveKind) -> &'static str {
    match kind {
        MoveKind::Promoted => "promoted",
        MoveKind::Forced => "promoted by force",
        MoveKind::RolledBack => "rolled back",
    }
}

/// What a channel of each prompt pointed to at a time.
///
/// # Errors
/// When the text is no time, or nothing was live then.
pub fn which_at(
    project: &Project,
    slug: Option<&str>,
    at: &str,
    channel: Option<&str>,
) -> Result<Vec<WasLive>, CommandError> {
    let time = time(at)?;
    let channel = place::channel(channel)?;
    let mut found = Vec::new();
    for place in places(project, slug)? {
        let log = place.registry.log(&place.slug)?;
        let state = State::of(&log);
        let Some(moved) = state.move_at(&channel, time) else {
            continue;
        };
        let until = state
            .moves(&channel)
            .iter()
            .find(|next| next.seq > moved.seq)
            .map(|next| next.at);
        let entry = log.entries().iter().find(|entry| entry.seq == moved.seq);
        found.push(WasLive {
            version: identify(&place.slug, &state, moved.to, project.clock.now()),
            channel: channel.clone(),
            moved: moved.clone(),
            evidence: entry.map(evidence_of).unwrap_or_default(),
            until,
        });
    }
    if found.is_empty() {
        return Err(CommandError::usage(
            format!("`{channel}` pointed to nothing at {time}"),
            "`gate prompt log` shows when it moved",
        ));
    }
    Ok(found)
}

fn evidence_of(entry: &Entry) -> Vec<crate::registry::EvidenceRef> {
    match &entry.draft.action {
        Action::Promote { evidence, .. } => evidence.clone().unwrap_or_default(),
        Action::Add { .. }
        | Action::Rollback { .. }
        | Action::Status { .. }
        | Action::Approve { .. }
        | Action::Repair => Vec::new(),
    }
}

/// A time, or a day, which means its begin in UTC.
fn time(text: &str) -> Result<Timestamp, CommandError> {
    let full = if text.len() == 10 {
        format!("{text}T00:00:00Z")
    } else if text.len() == 16 {
        format!("{text}:00Z").replace(' ', "T")
    } else {
        text.replacen(' ', "T", 1)
    };
    full.parse::<Timestamp>().map_err(|error| {
        CommandError::usage(
            error.to_string(),
            "write 2026-10-02, 2026-10-02T15:00 (both in UTC) or 2026-10-02T15:00:00+02:00",
        )
    })
}

/// The version of a reference, with when it was live.
///
/// # Errors
/// When there is none.
pub fn identified(
    project: &Project,
    place: &Place,
    reference: &VersionRef,
) -> Result<Identified, CommandError> {
    let found = registry::find(&*place.registry, &place.slug, reference)?;
    let state = place.state()?;
    let number = found.version.file.number;
    Ok(identify(&place.slug, &state, number, project.clock.now()))
}
