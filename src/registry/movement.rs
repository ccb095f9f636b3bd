//! Rollback, approval and change of status: what each allows, and the entry it makes.

use super::change::{Change, Stamp};
use super::channel::Channel;
use super::entry::Action;
use super::lifecycle::State;
use super::settings::PromptSettings;
use super::status::Status;

/// Why a change of the registry is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MoveError {
    /// The log does not know the version.
    #[error("v{version} is not in the log")]
    Unknown {
        /// The version.
        version: u32,
    },
    /// The channel moves by itself.
    #[error("`latest` moves by itself: it always points to the highest version")]
    Latest,
    /// The channel is where it began.
    #[error("`{channel}` has nothing to go back to{}", nothing_before(*present, *withdrawn))]
    NothingBefore {
        /// The channel.
        channel: Channel,
        /// Where it points.
        present: Option<u32>,
        /// The version that it pointed to last among others, from which it came back.
        withdrawn: Option<u32>,
    },
    /// The channel never pointed to the version that it is to go back to.
    #[error("`{channel}` never pointed to v{version}, so it can not go back to it")]
    NeverThere {
        /// The channel.
        channel: Channel,
        /// The version.
        version: u32,
    },
    /// The channel points there already.
    #[error("`{channel}` points to v{version} already")]
    AlreadyThere {
        /// The channel.
        channel: Channel,
        /// The version.
        version: u32,
    },
    /// The channel needs no approval.
    #[error("`{channel}` is not protected, so it needs no approval")]
    NotProtected {
        /// The channel.
        channel: Channel,
    },
    /// The author approves the own version.
    #[error("v{version} was added by {by}, and its author can not approve it")]
    OwnVersion {
        /// The version.
        version: u32,
        /// The author.
        by: String,
    },
    /// The person approved the version already.
    #[error("{by} has approved v{version} for `{channel}` already")]
    ApprovedBefore {
        /// The version.
        version: u32,
        /// The channel.
        channel: Channel,
        /// Who.
        by: String,
    },
    /// A status goes only forward, and never by hand to `active`.
    #[error("v{version} is {}, which can not become {} by hand", from.word(), to.word())]
    Status {
        /// The version.
        version: u32,
        /// What it is.
        from: Status,
        /// What it was to become.
        to: Status,
    },
    /// A version that `stable` points to is in use.
    #[error("`stable` points to v{version}: roll back or promote another version first")]
    InUse {
        /// The version.
        version: u32,
    },
}

fn nothing_before(present: Option<u32>, withdrawn: Option<u32>) -> String {
    match (present, withdrawn) {
        (None, _) => String::new(),
        (Some(here), None) => format!(": it has only ever been v{here}"),
        (Some(here), Some(other)) => {
            format!(": it came back from v{other} already, to v{here}, where it began")
        }
    }
}

/// Moves a channel back to a version it had pointed to; without one to the one before. Needs no
/// evidence and no approval: it must never wait.
///
/// # Errors
/// When there is nothing to go back to, or the channel was never there.
pub fn rollback(
    state: &State,
    channel: &Channel,
    to: Option<u32>,
    stamp: Stamp,
) -> Result<Change, MoveError> {
    if channel.is_latest() {
        return Err(MoveError::Latest);
    }
    let present = state.channel(channel);
    let Some(version) = to.or_else(|| state.previous(channel)) else {
        let mut others = state.moves(channel).iter().map(|entry| entry.to);
        return Err(MoveError::NothingBefore {
            channel: channel.clone(),
            present,
            withdrawn: others.rfind(|to| present != Some(*to)),
        });
    };
    if present == Some(version) {
        return Err(MoveError::AlreadyThere {
            channel: channel.clone(),
            version,
        });
    }
    if !state.moves(channel).iter().any(|entry| entry.to == version) {
        return Err(MoveError::NeverThere {
            channel: channel.clone(),
            version,
        });
    }
    let action = Action::Rollback {
        version,
        channel: channel.clone(),
        from: present,
        hash: state.version(version).map(|version| version.hash),
    };
    Ok(Change::of(state.head(), vec![stamp.draft(action)]))
}

/// Approves that a protected channel moves to a version.
///
/// # Errors
/// When the channel is not protected, or the person is the author or approved before.
pub fn approve(
    state: &State,
    settings: &PromptSettings,
    version: u32,
    channel: &Channel,
    stamp: Stamp,
) -> Result<Change, MoveError> {
    let known = state.version(version);
    let known = known.ok_or(MoveError::Unknown { version })?;
    if settings.approvals(channel) == 0 {
        return Err(MoveError::NotProtected {
            channel: channel.clone(),
        });
    }
    if is_same_person(&known.author, &stamp.by) {
        return Err(MoveError::OwnVersion {
            version,
            by: stamp.by,
        });
    }
    let mut approvals = state.approvals(version, channel);
    if approvals.any(|approval| is_same_person(&approval.by, &stamp.by)) {
        return Err(MoveError::ApprovedBefore {
            version,
            channel: channel.clone(),
            by: stamp.by,
        });
    }
    let action = Action::Approve {
        version,
        channel: channel.clone(),
        hash: Some(known.hash),
    };
    Ok(Change::of(state.head(), vec![stamp.draft(action)]))
}

/// Names are compared as people mean them: blanks around and upper case make no other person.
pub(super) fn is_same_person(one: &str, other: &str) -> bool {
    one.trim().to_lowercase() == other.trim().to_lowercase()
}

/// Moves the status of a version forward by hand: draft, testing, deprecated. `active` comes of a
/// promotion alone.
///
/// # Errors
/// When the way is not forward, or `stable` points to the version.
pub fn set_status(
    state: &State,
    version: u32,
    to: Status,
    stamp: Stamp,
) -> Result<Change, MoveError> {
    let known = state.version(version);
    let known = known.ok_or(MoveError::Unknown { version })?;
    let from = known.status;
    if state.stable() == Some(version) {
        return Err(MoveError::InUse { version });
    }
    if to == Status::Active || to <= from {
        return Err(MoveError::Status { version, from, to });
    }
    let action = Action::Status {
        version,
        from: Some(from),
        to,
        hash: Some(known.hash),
    };
    Ok(Change::of(state.head(), vec![stamp.draft(action)]))
}
