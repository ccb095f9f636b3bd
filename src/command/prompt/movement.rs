//! `gate prompt rollback|approve|status`: what moves a channel back, approves a move, or changes a
//! version's status by hand.

use super::place::{self, Actor, Place};
use crate::base::{Slug, Timestamp};
use crate::command::{CommandError, Project};
use crate::registry::movement::{self, MoveError};
use crate::registry::promote::Missing;
use crate::registry::reference::parse_number;
use crate::registry::{Channel, State, Status, VersionRef};
use crate::store::registry;

/// A channel that moved.
#[derive(Debug, Clone)]
pub struct Moved {
    /// The prompt.
    pub slug: Slug,
    /// The channel.
    pub channel: Channel,
    /// Where it pointed.
    pub from: Option<u32>,
    /// Where it points.
    pub to: u32,
    /// When it pointed there before, from and until.
    pub live: Vec<(Timestamp, Timestamp)>,
    /// What a forced promotion passed over.
    pub passed_over: Vec<Missing>,
    /// Files that were written, relative to the project's root.
    pub written: Vec<String>,
}

/// What could be rolled back.
#[derive(Debug, Clone)]
pub struct Undoable {
    /// The prompt.
    pub slug: Slug,
    /// The channel.
    pub channel: Channel,
    /// Where it points.
    pub from: u32,
    /// Where it would go.
    pub to: u32,
}

fn move_error(error: &MoveError, slug: &Slug) -> CommandError {
    let help = match error {
        MoveError::Unknown { version } => {
            format!(
                "`gate prompt list` shows the versions; put v{version} into the log with gate prompt add"
            )
        }
        MoveError::Latest => "name another channel".to_owned(),
        MoveError::NothingBefore {
            withdrawn: Some(other),
            ..
        } => {
            format!("to go to v{other} again: gate prompt rollback {slug} --to v{other}")
        }
        MoveError::NothingBefore { .. } => {
            format!("promote another version: gate prompt promote {slug}@vN")
        }
        MoveError::NeverThere { version, .. } => {
            format!(
                "a version that was never live needs evidence: gate prompt promote {slug}@v{version}"
            )
        }
        MoveError::AlreadyThere { .. } => "there is nothing to do".to_owned(),
        MoveError::NotProtected { channel } => {
            format!("protect it in prompt.yaml: `protected: {{{channel}: {{approvals: 1}}}}`")
        }
        MoveError::OwnVersion { .. } | MoveError::ApprovedBefore { .. } => {
            "somebody else has to approve it".to_owned()
        }
        MoveError::Status { .. } => {
            "a status goes forward: draft, testing, deprecated; `active` comes of a promotion"
                .to_owned()
        }
        MoveError::InUse { .. } => format!("gate prompt rollback {slug}"),
    };
    CommandError::usage(error.to_string(), help)
}

/// Moves a channel back.
///
/// # Errors
/// When there is nothing to go back to, its file is gone, or another change came first.
pub fn rollback(
    project: &Project,
    slug: &str,
    to: Option<&str>,
    channel: Option<&str>,
    actor: &Actor,
) -> Result<Moved, CommandError> {
    let place = place::named(project, Some(slug))?;
    let channel = place::channel(channel)?;
    let to = to.map(version_number).transpose()?;
    let state = place.state()?;
    let stamp = actor.stamp(project)?;
    let at = stamp.at;
    let change = movement::rollback(&state, &channel, to, stamp)
        .map_err(|error| move_error(&error, &place.slug))?;
    let target = to.or_else(|| state.previous(&channel)).unwrap_or_default();
    // A channel never points to what can not be read.
    registry::find(&*place.registry, &place.slug, &VersionRef::Number(target))?;
    place.commit(project, &change)?;
    Ok(Moved {
        from: state.channel(&channel),
        to: target,
        live: live(&state, &channel, target, at),
        passed_over: Vec::new(),
        written: place.written(project, Vec::new()),
        slug: place.slug,
        channel,
    })
}

fn version_number(text: &str) -> Result<u32, CommandError> {
    let digits = text.strip_prefix('v').unwrap_or(text);
    let number = parse_number(digits).filter(|_| !digits.is_empty());
    number.ok_or_else(|| {
        CommandError::usage(
            format!(
                "`{}` is no version's number",
                crate::base::text::visible_line(text)
            ),
            "write --to v6",
        )
    })
}

/// From when until when a channel pointed to a version.
#[must_use]
pub fn live(
    state: &State,
    channel: &Channel,
    version: u32,
    now: Timestamp,
) -> Vec<(Timestamp, Timestamp)> {
    let moves = state.moves(channel);
    let ends = moves.iter().skip(1).map(|next| next.at).chain([now]);
    moves
        .iter()
        .zip(ends)
        .filter(|(moved, _)| moved.to == version)
        .map(|(moved, end)| (moved.at, end))
        .collect()
}

/// Everything of the project that has something to go back to.
///
/// # Errors
/// When a registry can not be read.
pub fn undoable(project: &Project) -> Result<Vec<Undoable>, CommandError> {
    let mut found = Vec::new();
    for prompt in super::list(project)?
        .into_iter()
        .filter(|prompt| prompt.fault.is_none())
    {
        let place = Place {
            registry: project.registry(&prompt.registry)?,
            slug: prompt.slug,
        };
        let state = place.state()?;
        for (channel, _) in state.channels() {
            if let (Some(from), Some(to)) = (state.channel(channel), state.previous(channel)) {
                found.push(Undoable {
                    slug: place.slug.clone(),
                    channel: channel.clone(),
                    from,
                    to,
                });
            }
        }
    }
    Ok(found)
}

/// A version whose standing changed by hand.
#[derive(Debug, Clone)]
pub struct Changed {
    /// The prompt.
    pub slug: Slug,
    /// The version.
    pub number: u32,
    /// What is so now, in words.
    pub now: String,
    /// Files that were written, relative to the project's root.
    pub written: Vec<String>,
}

fn number_of(project: &Project, wanted: &str) -> Result<(Place, State, u32), CommandError> {
    let (place, reference) = place::referred(project, wanted, &Channel::latest())?;
    let found = registry::find(&*place.registry, &place.slug, &reference)?;
    let state = place.state()?;
    Ok((place, state, found.version.file.number))
}

/// Approves that a protected channel moves to a version.
///
/// # Errors
/// When the channel is not protected, or the person may not approve.
pub fn approve(
    project: &Project,
    wanted: &str,
    channel: Option<&str>,
    actor: &Actor,
) -> Result<Changed, CommandError> {
    let (place, state, number) = number_of(project, wanted)?;
    let channel = place::channel(channel)?;
    let settings = place.settings()?;
    let stamp = actor.stamp(project)?;
    let by = stamp.by.clone();
    let change = movement::approve(&state, &settings, number, &channel, stamp)
        .map_err(|error| move_error(&error, &place.slug))?;
    let log = place.commit(project, &change)?;
    let given = State::of(&log).approvals(number, &channel).count();
    Ok(Changed {
        now: format!(
            "approved for {channel} by {by}: {given} of {}",
            settings.approvals(&channel)
        ),
        written: place.written(project, Vec::new()),
        slug: place.slug,
        number,
    })
}

/// Changes the status of a version by hand.
///
/// # Errors
/// When the status can not become that, or the version is in use.
pub fn set_status(
    project: &Project,
    wanted: &str,
    status: Status,
    actor: &Actor,
) -> Result<Changed, CommandError> {
    let (place, state, number) = number_of(project, wanted)?;
    let stamp = actor.stamp(project)?;
    let change = movement::set_status(&state, number, status, stamp)
        .map_err(|error| move_error(&error, &place.slug))?;
    place.commit(project, &change)?;
    Ok(Changed {
        now: format!("is {} now", status.word()),
        written: place.written(project, Vec::new()),
        slug: place.slug,
        number,
    })
}

/// The standing of each version of a prompt.
#[derive(Debug, Clone)]
pub struct Standing {
    /// The prompt.
    pub slug: Slug,
    /// Where it is kept.
    pub registry: String,
    /// Who answers for it.
    pub owners: Vec<String>,
    /// Every channel and where it points.
    pub channels: Vec<(Channel, u32)>,
    /// The versions, highest first.
    pub versions: Vec<VersionStanding>,
}

/// The standing of one version.
#[derive(Debug, Clone)]
pub struct VersionStanding {
    /// Its number.
    pub number: u32,
    /// Its status, since when and why; none where the log does not know it.
    pub status: Option<(Status, Timestamp, Option<String>)>,
    /// Who approved it, for which channel.
    pub approvals: Vec<(Channel, String)>,
}

/// How a prompt stands.
///
/// # Errors
/// When the prompt can not be read.
pub fn standing(project: &Project, slug: Option<&str>) -> Result<Standing, CommandError> {
    let place = place::named(project, slug)?;
    let state = place.state()?;
    let settings = place.settings()?;
    let files = place.registry.versions(&place.slug)?;
    let versions = files.iter().rev().map(|file| {
        let known = state.version(file.number);
        let approvals = settings.protected.keys().flat_map(|channel| {
            let given = state.approvals(file.number, channel);
            let given: Vec<_> = given
                .map(|given| (channel.clone(), given.by.clone()))
                .collect();
            given
        });
        VersionStanding {
            number: file.number,
            status: known.map(|known| (known.status, known.since, known.why.clone())),
            approvals: approvals.collect(),
        }
    });
    let versions = versions.collect();
    let channels = state
        .channels()
        .filter_map(|(channel, _)| Some((channel.clone(), state.channel(channel)?)));
    Ok(Standing {
        channels: channels.collect(),
        versions,
        owners: settings.owners,
        registry: place.registry.location().to_owned(),
        slug: place.slug,
    })
}
