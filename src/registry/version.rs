//! A new version: which number it gets, why it may be refused, and what the log records of it.

use super::change::{Change, NewVersion, Stamp};
use super::entry::Action;
use super::lifecycle::State;
use crate::base::{Digest, Slug};
use crate::prompt::{Form, PromptVersion};

/// The digest of a version's file: SHA-256 over its bytes with CRLF as LF.
#[must_use]
pub fn file_digest(text: &str) -> Digest {
    if text.contains('\r') {
        return Digest::of_bytes(text.replace("\r\n", "\n").as_bytes());
    }
    Digest::of_bytes(text.as_bytes())
}

/// A version that there is, in the log or as a file alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Present {
    /// Its number.
    pub number: u32,
    /// Its content hash.
    pub hash: Digest,
    /// The digest of its file.
    pub file: Digest,
}

/// Why a version is not added.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddError {
    /// It does not say what it is or changes.
    #[error("the new version of prompt `{slug}` has no description")]
    NoDescription {
        /// The prompt.
        slug: Slug,
    },
    /// The prompt has this content already.
    #[error("prompt `{slug}` has this content already: v{twin} has the same hash")]
    Twin {
        /// The prompt.
        slug: Slug,
        /// The version of the same content.
        twin: u32,
    },
}

/// The number of the next version.
#[must_use]
pub fn next_number(present: &[Present]) -> u32 {
    let highest = present.iter().map(|version| version.number).max();
    highest.unwrap_or(0).saturating_add(1)
}

/// Adds a version, decoded under its [`next_number`]. Where a file of this content is there and not
/// in the log, as a command that was cut off leaves it, the log gets its entry and no file is made.
///
/// # Errors
/// When it has no description, or its content is a version already.
pub fn add(
    state: &State,
    present: &[Present],
    version: &PromptVersion,
    (text, form): (&str, Form),
    stamp: Stamp,
) -> Result<Change, AddError> {
    let slug = &version.slug;
    let described = version.meta.description.as_deref();
    if described.is_none_or(|description| description.trim().is_empty()) {
        return Err(AddError::NoDescription { slug: slug.clone() });
    }
    let twin = present.iter().find(|other| other.hash == version.hash);
    if let Some(twin) = twin {
        if state.version(twin.number).is_some() {
            return Err(AddError::Twin {
                slug: slug.clone(),
                twin: twin.number,
            });
        }
        return Ok(Change::of(state.head(), vec![record(twin, stamp)]));
    }
    let number = next_number(present);
    let new = Present {
        number,
        hash: version.hash,
        file: file_digest(text),
    };
    let mut change = Change::of(state.head(), vec![record(&new, stamp)]);
    change.version = Some(NewVersion {
        number,
        form,
        text: text.to_owned(),
    });
    Ok(change)
}

/// The entry that puts a version into the log.
#[must_use]
pub fn record(version: &Present, stamp: Stamp) -> super::Draft {
    stamp.draft(Action::Add {
        version: version.number,
        hash: version.hash,
        file: version.file,
    })
}
