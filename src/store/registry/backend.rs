//! The trait of a registry's backends: how each is read, and the one way in which it is changed.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;

use super::{RegistryError, VersionFile, VersionText};
use crate::base::{Digest, Name, Slug, Source};
use crate::registry::change::{EvidenceCopy, NewVersion};
use crate::registry::repair::Repaired;
use crate::registry::{Change, Channel, Entry, Log, Stamp, VersionRef};

/// Where a registry is kept. A tenant's layers are the versions of the prompt `slug#tenant`.
pub trait Backend: Debug + Send + Sync {
    /// The registry as the user names it: a folder of the project, or an address.
    fn location(&self) -> &str;

    /// How messages name a file of a prompt; in a folder its path, relative to the project's root.
    fn name_of(&self, slug: &Slug, file: &str) -> String;

    /// Whether its files are the project's own, published with git.
    fn is_in_project(&self) -> bool;

    /// Every prompt that has a version or a log, in order.
    ///
    /// # Errors
    /// When the registry can not be read.
    fn slugs(&self) -> Result<Vec<Slug>, RegistryError>;

    /// The tenants that have a layer over a prompt, in order.
    ///
    /// # Errors
    /// When the registry can not be read.
    fn tenants(&self, slug: &Slug) -> Result<Vec<Name>, RegistryError>;

    /// Whether a prompt has a version or a log.
    ///
    /// # Errors
    /// When the registry can not be read.
    fn has(&self, slug: &Slug) -> Result<bool, RegistryError> {
        Ok(!self.versions(slug)?.is_empty() || !self.log_text(slug)?.text.is_empty())
    }

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

    /// The text of a file of evidence that [`Backend::evidence`] listed.
    ///
    /// # Errors
    /// When it can not be read.
    fn evidence_text(&self, slug: &Slug, path: &str) -> Result<String, RegistryError>;

    /// What `prompt.yaml` says, as text.
    ///
    /// # Errors
    /// When it can not be read.
    fn settings_text(&self, slug: &Slug) -> Result<Option<Arc<Source>>, RegistryError>;

    /// The signatures on lines of a prompt's log; empty where there is none.
    ///
    /// # Errors
    /// When they can not be read.
    fn signatures(&self, slug: &Slug) -> Result<Arc<Source>, RegistryError>;

    /// Adds signatures on lines of a prompt's log.
    ///
    /// # Errors
    /// When they can not be written.
    fn add_signatures(&self, slug: &Slug, lines: &str) -> Result<(), RegistryError>;

    /// Chains two merged branches of a prompt's log into one.
    ///
    /// # Errors
    /// When the log is no merge of two branches, or writing failed.
    fn repair_merge(&self, slug: &Slug, stamp: Stamp) -> Result<Repaired, RegistryError>;

    /// Takes over what another registry holds of a prompt, lines as they are. What is there already
    /// must be a beginning of it.
    ///
    /// # Errors
    /// When the prompt has another history here, or writing failed.
    fn import(&self, slug: &Slug, whole: &Whole) -> Result<(), RegistryError>;

    /// Makes what the registry needs before its first entry, where it is not there; whether it was not.
    ///
    /// # Errors
    /// When it can not be made.
    fn migrate(&self) -> Result<bool, RegistryError> {
        Ok(false)
    }

    /// In one look, what a number or a channel means and the log that says so; none where a backend
    /// has no such look, or nothing was found.
    ///
    /// # Errors
    /// When the registry can not be read.
    fn look(&self, _slug: &Slug, _reference: &VersionRef) -> Result<Option<Looked>, RegistryError> {
        Ok(None)
    }

    /// Where channels point by a table beside the log; none where the log alone says it.
    ///
    /// # Errors
    /// When the registry can not be read.
    fn live(&self, _slug: &Slug) -> Result<Option<BTreeMap<Channel, u32>>, RegistryError> {
        Ok(None)
    }
}

/// A version and the log that speaks of it, as one look found them.
#[derive(Debug, Clone)]
pub struct Looked {
    /// The version.
    pub version: VersionText,
    /// The log of its prompt.
    pub log: Arc<Source>,
}

/// All that a registry holds of one prompt.
#[derive(Debug, Clone)]
pub struct Whole {
    /// Its log.
    pub log: Log,
    /// The versions' texts.
    pub versions: Vec<NewVersion>,
    /// The results that carried promotions.
    pub evidence: Vec<EvidenceCopy>,
    /// The signatures on lines of the log.
    pub signatures: String,
    /// What `prompt.yaml` says.
    pub settings: Option<String>,
}

impl Whole {
    /// Reads everything of a prompt.
    ///
    /// # Errors
    /// When it can not be read, or its log is not intact.
    pub fn read(backend: &dyn Backend, slug: &Slug) -> Result<Self, RegistryError> {
        let mut versions = Vec::new();
        for file in backend.versions(slug)? {
            versions.push(NewVersion {
                number: file.number,
                form: file.form,
                text: backend.read(slug, &file)?.text,
            });
        }
        let mut evidence = Vec::new();
        for path in backend.evidence(slug)?.into_keys() {
            let text = backend.evidence_text(slug, &path)?;
            evidence.push(EvidenceCopy { path, text });
        }
        let settings = backend.settings_text(slug)?;
        Ok(Self {
            log: backend.log(slug)?,
            versions,
            evidence,
            signatures: backend.signatures(slug)?.text.clone(),
            settings: settings.map(|source| source.text.clone()),
        })
    }

    /// The lines that follow those of a log that is there already; none where that is no beginning
    /// of this one.
    #[must_use]
    pub fn lines_after(&self, there: &Log) -> Option<&[Entry]> {
        let entries = self.log.entries();
        let (same, rest) = entries.split_at_checked(there.entries().len())?;
        let same = same.iter().zip(there.entries());
        let mut differ = same.filter(|(ours, theirs)| ours.digest != theirs.digest);
        differ.next().is_none().then_some(rest)
    }
}
