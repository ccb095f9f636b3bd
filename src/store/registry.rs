//! The prompt registry: one trait for its backends, and what every backend shares: finding the
//! version that a reference means, and holding a log against what it speaks of.

pub mod address;
pub mod backend;
pub mod error;
pub mod folder;
mod layer;
#[cfg(feature = "postgres")]
pub mod postgres;

use self::backend::Looked;
use crate::base::{Diagnostics, Digest, Slug};
use crate::prompt::Form;
use crate::registry::lifecycle::VersionState;
use crate::registry::resolve;
use crate::registry::verify::{self, Facts, Finding, VersionFact};
use crate::registry::version::Present;
use crate::registry::{Log, State, VersionRef};
use crate::store::FsError;

pub use address::Address;
pub use backend::{Backend, Whole};
pub use error::RegistryError;
pub use folder::FolderRegistry;
pub use layer::{decode, decode_draft};
#[cfg(feature = "postgres")]
pub use postgres::PostgresRegistry;

/// A version of a prompt as a backend lists it, without its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionFile {
    /// The version's number.
    pub number: u32,
    /// YAML or plain text.
    pub form: Form,
    /// Where it is, as shown to people.
    pub name: String,
}

/// A version of a prompt with its text, as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionText {
    /// Which version.
    pub file: VersionFile,
    /// The text, byte for byte.
    pub text: String,
}

/// A version that was found and read.
#[derive(Debug, Clone)]
pub struct Found {
    /// The prompt.
    pub slug: Slug,
    /// The version and its text.
    pub version: VersionText,
    /// What the log knows of it; none where it was never added.
    pub recorded: Option<VersionState>,
    /// The digest of the log's last line.
    pub head: Option<Digest>,
}

impl VersionText {
    /// The digest of the file: its bytes with CRLF as LF.
    #[must_use]
    pub fn digest(&self) -> Digest {
        crate::registry::version::file_digest(&self.text)
    }
}

/// Finds and reads the version of a prompt that a reference means: a number, a channel, or a
/// content hash. A file that was edited after it was added is refused.
///
/// # Errors
/// When the reference means no version, or the registry can not be read.
pub fn find(
    backend: &dyn Backend,
    slug: &Slug,
    reference: &VersionRef,
) -> Result<Found, RegistryError> {
    if let Some(looked) = backend.look(slug, reference)? {
        return looked_up(backend, slug, reference, looked);
    }
    let state = State::of(&backend.log(slug)?);
    let files = backend.versions(slug)?;
    let numbers: Vec<u32> = files.iter().map(|file| file.number).collect();
    let mut failed = None;
    let hash_of = |number| match unrecorded_hash(backend, slug, &files, number) {
        Ok(hash) => hash,
        Err(error) => {
            failed = Some(error);
            None
        }
    };
    let picked = resolve::pick(slug, reference, &state, &numbers, hash_of);
    if let Some(error) = failed {
        return Err(error);
    }
    let number = picked?;
    let file = files.iter().find(|file| file.number == number);
    let file = file.ok_or_else(|| RegistryError::FileMissing {
        slug: slug.clone(),
        number,
    })?;
    let version = backend.read(slug, file)?;
    let recorded = state.version(number).cloned();
    check_recorded(&version, recorded.as_ref())?;
    Ok(Found {
        slug: slug.clone(),
        version,
        recorded,
        head: state.head(),
    })
}

/// Holds what a backend found in one look against the log.
fn looked_up(
    backend: &dyn Backend,
    slug: &Slug,
    reference: &VersionRef,
    looked: Looked,
) -> Result<Found, RegistryError> {
    let Looked { version, log } = looked;
    let state = State::of(&Log::decode(&log)?);
    let number = version.file.number;
    let says = match reference {
        VersionRef::Channel(channel) if channel.is_latest() => {
            state.versions().keys().max().copied()
        }
        VersionRef::Channel(channel) => state.channel(channel),
        VersionRef::Number(_)
        | VersionRef::Hash(_)
        | VersionRef::Git { .. }
        | VersionRef::Worktree
        | VersionRef::File(_)
        | VersionRef::Run { .. }
        | VersionRef::Langfuse { .. } => Some(number),
    };
    if says != Some(number) {
        return Err(RegistryError::LiveDiffers {
            address: backend.location().to_owned(),
            slug: slug.clone(),
            live: number,
        });
    }
    let recorded = state.version(number).cloned();
    check_recorded(&version, recorded.as_ref())?;
    Ok(Found {
        slug: slug.clone(),
        version,
        recorded,
        head: state.head(),
    })
}

/// The content hash of a version that the log does not know; none where it can not be decoded.
fn unrecorded_hash(
    backend: &dyn Backend,
    slug: &Slug,
    files: &[VersionFile],
    number: u32,
) -> Result<Option<Digest>, RegistryError> {
    let Some(file) = files.iter().find(|file| file.number == number) else {
        return Ok(None);
    };
    let version = backend.read(slug, file)?;
    let decoded = decode(backend, slug, &version, &mut Diagnostics::new());
    Ok(decoded.map(|prompt| prompt.hash))
}

fn check_recorded(
    version: &VersionText,
    recorded: Option<&VersionState>,
) -> Result<(), RegistryError> {
    let found = version.digest();
    match recorded {
        Some(recorded) if recorded.file != found => Err(RegistryError::FileEdited {
            name: version.file.name.clone(),
            recorded: recorded.file,
            found,
        }),
        Some(_) | None => Ok(()),
    }
}

/// Every version of a prompt that can be read, with the hashes that its file has now.
///
/// # Errors
/// When the registry can not be read.
pub fn facts(backend: &dyn Backend, slug: &Slug) -> Result<Vec<VersionFact>, RegistryError> {
    let mut facts = Vec::new();
    for file in backend.versions(slug)? {
        let version = match backend.read(slug, &file) {
            Ok(version) => Some(version),
            // A damaged file is a finding, and no reason to stop.
            Err(RegistryError::Fs(FsError::NotUtf8 { .. })) => None,
            Err(error) => return Err(error),
        };
        let decode =
            |version: &VersionText| decode(backend, slug, version, &mut Diagnostics::new());
        facts.push(VersionFact {
            number: file.number,
            name: file.name,
            file: version.as_ref().map(VersionText::digest),
            hash: version.as_ref().and_then(decode).map(|prompt| prompt.hash),
        });
    }
    Ok(facts)
}

/// The versions of a prompt for [`crate::registry::version::add`]: those of the log by what the log
/// says, the others by their files.
///
/// # Errors
/// When the registry can not be read.
pub fn present(
    backend: &dyn Backend,
    slug: &Slug,
    state: &State,
) -> Result<Vec<Present>, RegistryError> {
    let mut present: Vec<Present> = state
        .versions()
        .iter()
        .map(|(number, version)| Present {
            number: *number,
            hash: version.hash,
            file: version.file,
        })
        .collect();
    for file in backend.versions(slug)? {
        if state.version(file.number).is_some() {
            continue;
        }
        let version = backend.read(slug, &file)?;
        // A file that can not be read as a prompt has no twin, but its number is taken.
        let decoded = decode(backend, slug, &version, &mut Diagnostics::new());
        present.push(Present {
            number: file.number,
            hash: decoded.map_or_else(|| version.digest(), |prompt| prompt.hash),
            file: version.digest(),
        });
    }
    Ok(present)
}

/// Holds the log of a prompt against its files, its evidence, and a head written down elsewhere.
///
/// # Errors
/// When the registry can not be read.
pub fn verify(
    backend: &dyn Backend,
    slug: &Slug,
    head: Option<Digest>,
) -> Result<Vec<Finding>, RegistryError> {
    let versions = facts(backend, slug)?;
    let evidence = backend.evidence(slug)?;
    let facts = Facts {
        versions: &versions,
        evidence: Some(&evidence),
        head,
    };
    let mut found = verify::verify(&backend.log_text(slug)?, &facts);
    if let (Some(live), Ok(log)) = (backend.live(slug)?, backend.log(slug)) {
        found.extend(verify::live(&live, &State::of(&log)));
    }
    Ok(found)
}

#[cfg(test)]
mod tests;
