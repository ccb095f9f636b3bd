//! What one command does to a prompt's registry, as data: entries on a head that it was decided on,
//! and the files that belong to them. A backend carries it out whole or not at all.

use super::entry::Draft;
use crate::base::{Digest, Timestamp};
use crate::prompt::Form;

/// Who did something, when and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamp {
    /// Who.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// Why.
    pub why: Option<String>,
}

/// One change of a prompt's registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The head of the log that the change was decided on; with another head it is refused.
    pub expected: Option<Digest>,
    /// The entries to append.
    pub drafts: Vec<Draft>,
    /// The file of a version to add.
    pub version: Option<NewVersion>,
    /// Results to keep beside the log.
    pub evidence: Vec<EvidenceCopy>,
}

/// The file of a new version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewVersion {
    /// Its number.
    pub number: u32,
    /// YAML or plain text.
    pub form: Form,
    /// Its text, as it is written.
    pub text: String,
}

/// A result to keep beside the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EvidenceCopy {
    /// Its path in the prompt's folder, such as `evidence/v8/support-triage.json`.
    pub path: String,
    /// Its text.
    pub text: String,
}

impl Stamp {
    /// The entry of an action.
    #[must_use]
    pub fn draft(self, action: super::Action) -> Draft {
        Draft {
            at: self.at,
            by: self.by,
            action,
            why: self.why,
        }
    }
}

impl Change {
    /// A change that only appends entries.
    #[must_use]
    pub fn of(expected: Option<Digest>, drafts: Vec<Draft>) -> Self {
        Self {
            expected,
            drafts,
            version: None,
            evidence: Vec::new(),
        }
    }
}
