//! The prompt registry: one trait for its backends, and what every backend shares: finding the
//! version that a reference means. The folder backend is in `folder`.

pub mod folder;
pub mod layer;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::base::{Diagnostics, Digest, Slug, Source};
use crate::prompt::{self, Expected, Form, PromptVersion};
use crate::registry::lifecycle::VersionState;
use crate::registry::log::LogError;
use crate::registry::resolve::{self, ResolveError};
use crate::registry::verify::{self, Facts, Finding, VersionFact};
use crate::registry::version::Present;
use crate::registry::{Change, Entry, Log, State, VersionRef};
use crate::store::fs::StateError;
use crate::store::{FsError, LockError, PathError};

pub use folder::FolderRegistry;

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

/// Why the registry could not be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// A path leads out of the project.
    #[error(transparent)]
    Path(#[from] PathError),
    /// A file could not be read or written.
    #[error(transparent)]
    Fs(#[from] FsError),
    /// A folder could not be listed.
    #[error("failed to list {path}")]
    List {
        /// The folder.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// The log is not intact.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The reference means no version.
    #[error(transparent)]
    Resolve(#[from] ResolveError),
    /// The local state, with its locks, can not be used.
    #[error(transparent)]
    State(#[from] StateError),
    /// Another process changes the prompt.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// Another change came first, so this one was decided on what is no longer so.
    #[error("prompt `{slug}` was changed meanwhile{}: nothing was done", last_change(last.as_deref()))]
    Overtaken {
        /// The prompt.
        slug: Slug,
        /// The log's last entry now.
        last: Option<Box<Entry>>,
    },
    /// A change leaves its place.
    #[error("`{path}` is no place for evidence")]
    EvidencePath {
        /// The path.
        path: String,
    },
    /// A version has two files.
    #[error("v{number} of prompt `{slug}` has two files: {first} and {second}")]
    TwoFiles {
        /// The prompt.
        slug: Slug,
        /// The version.
        number: u32,
        /// A file.
        first: String,
        /// The other.
        second: String,
    },
    /// The log or a channel names a version whose file is gone.
    #[error("v{number} of prompt `{slug}` is in the log, but its file is not there")]
    FileMissing {
        /// The prompt.
        slug: Slug,
        /// The version.
        number: u32,
    },
    /// A version's file is not what was added.
    #[error("{name} was edited after it was added: a version never changes")]
    FileEdited {
        /// The file.
        name: String,
        /// The digest in the log.
        recorded: Digest,
        /// The digest of the file.
        found: Digest,
    },
}

/// Where a registry is kept.
pub trait Backend: Send + Sync {
    /// Every prompt that has a version or a log, in order.
    ///
    /// # Errors
    /// When the registry can not be read.
    fn slugs(&self) -> Result<Vec<Slug>, RegistryError>;

    /// The versions of a prompt by number; none of a prompt that does not exist.
    ///
    /// # Errors
    /// When the registry can not be read, or a version has two files.
    fn versions(&self, slug: &Slug) -> Result<Vec<VersionFile>, RegistryError>;

    /// The text of a version that [`Backend::versions`] listed.
    ///
    /// # Errors
    /// When it can not be read.
    fn read(&self, slug: &Slug, file: &VersionFile) -> Result<VersionText, RegistryError>;

    /// The log of a prompt as text; empty where there is none.
    ///
    /// # Errors
    /// When it can not be read.
    fn log_text(&self, slug: &Slug) -> Result<Arc<Source>, RegistryError>;

    /// The log of a prompt; empty where there is none.
    ///
    /// # Errors
    /// When it can not be read or is not intact.
    fn log(&self, slug: &Slug) -> Result<Log, RegistryError> {
        Ok(Log::decode(&self.log_text(slug)?)?)
    }

    /// Carries out a change, whole or not at all, if the log's head is still the one that it was
    /// decided on, and gives back the log as it is then.
    ///
    /// # Errors
    /// When another change came first, another process holds the lock, or writing failed.
    fn commit(&self, slug: &Slug, change: &Change) -> Result<Log, RegistryError>;

    /// The digest of each file of evidence, by its path in the prompt's folder.
    ///
    /// # Errors
    /// When it can not be read.
    fn evidence(&self, slug: &Slug) -> Result<BTreeMap<String, Digest>, RegistryError>;

    /// What `prompt.yaml` says, as text.
    ///
    /// # Errors
    /// When it can not be read.
    fn settings_text(&self, slug: &Slug) -> Result<Option<Arc<Source>>, RegistryError>;
}

fn last_change(last: Option<&Entry>) -> String {
    let Some(entry) = last else {
        return String::new();
    };
    let draft = &entry.draft;
    let version = draft.action.version();
    let version = version.map_or_else(String::new, |version| format!(" v{version}"));
    format!(
        ", by {} at {} ({}{version})",
        draft.by,
        draft.at,
        draft.action.word()
    )
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

impl Found {
    /// Reads the version as a prompt.
    pub fn decode(&self, diagnostics: &mut Diagnostics) -> Option<PromptVersion> {
        self.version.decode(&self.slug, diagnostics)
    }
}

impl VersionText {
    /// Reads the version as a prompt.
    pub fn decode(&self, slug: &Slug, diagnostics: &mut Diagnostics) -> Option<PromptVersion> {
        let expected = Expected {
            slug: slug.clone(),
            number: Some(self.file.number),
            form: self.file.form,
        };
        let source = Source::new(self.file.name.clone(), &self.text);
        prompt::decode(&source, &expected, diagnostics)
    }

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
    let decoded = version.decode(slug, &mut Diagnostics::new());
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
        let decode = |version: &VersionText| version.decode(slug, &mut Diagnostics::new());
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
        let decoded = version.decode(slug, &mut Diagnostics::new());
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
    Ok(verify::verify(&backend.log_text(slug)?, &facts))
}

#[cfg(test)]
mod tests;
