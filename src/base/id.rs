//! Names of things: prompt slugs, names within a suite, case ids, run ids. Each is checked once,
//! when it is made.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Why a text is no valid name of its kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// The text has no characters.
    #[error("a {kind} may not be empty")]
    Empty {
        /// What was being named.
        kind: &'static str,
    },
    /// The text is longer than the limit.
    #[error("a {kind} has at most {limit} characters, this one has {length}")]
    TooLong {
        /// What was being named.
        kind: &'static str,
        /// The most characters allowed.
        limit: usize,
        /// The characters found.
        length: usize,
    },
    /// A character outside the allowed set.
    #[error("`{found}` is not allowed in a {kind}: only a-z, 0-9 and `-`{slash}")]
    Character {
        /// What was being named.
        kind: &'static str,
        /// The offending character, escaped.
        found: String,
        /// " and `/` between parts" where parts are allowed.
        slash: &'static str,
    },
    /// A part of a slug that has a meaning of its own.
    #[error("`{0}` can not be part of a slug: it names something else in the registry")]
    Reserved(String),
}

const MAX_NAME: usize = 100;

fn check_name(kind: &'static str, text: &str, slash: &'static str) -> Result<(), IdError> {
    if text.is_empty() {
        return Err(IdError::Empty { kind });
    }
    let length = text.chars().count();
    if length > MAX_NAME {
        return Err(IdError::TooLong {
            kind,
            limit: MAX_NAME,
            length,
        });
    }
    let bad = text
        .chars()
        .find(|c| !matches!(c, 'a'..='z' | '0'..='9' | '-'));
    bad.map_or(Ok(()), |found| {
        Err(IdError::Character {
            kind,
            found: found.escape_default().to_string(),
            slash,
        })
    })
}

/// The name of a suite, model or scorer: `[a-z0-9-]+`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Name(Arc<str>);

impl Name {
    /// Checks a name.
    ///
    /// # Errors
    /// When the text is empty, too long, or has a character outside `a-z0-9-`.
    pub fn new(text: &str) -> Result<Self, IdError> {
        check_name("name", text, "")?;
        Ok(Self(text.into()))
    }

    /// The closest valid name: lower case, each run of other characters as one `-`.
    #[must_use]
    pub fn slugify(text: &str) -> Self {
        let mut slug = String::new();
        for c in text.chars().flat_map(char::to_lowercase) {
            if c.is_ascii_lowercase() || c.is_ascii_digit() {
                slug.push(c);
            } else if !slug.is_empty() && !slug.ends_with('-') {
                slug.push('-');
            }
            if slug.len() >= MAX_NAME {
                break;
            }
        }
        let slug = slug.trim_end_matches('-');
        Self(if slug.is_empty() {
            "unnamed".into()
        } else {
            slug.into()
        })
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The name of a prompt in the registry: parts of `[a-z0-9-]+` joined by `/`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Slug(Arc<str>);

impl Slug {
    /// Checks a slug.
    ///
    /// # Errors
    /// When a part is empty, too long, has a character outside `a-z0-9-`, or is reserved
    /// (`v<N>`, `tenants`, `evidence`, `calibration`).
    pub fn new(text: &str) -> Result<Self, IdError> {
        for part in text.split('/') {
            check_name("slug", part, " and `/` between parts")?;
            let numbered = part
                .strip_prefix('v')
                .is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()));
            if numbered || ["tenants", "evidence", "calibration"].contains(&part) {
                return Err(IdError::Reserved(part.to_owned()));
            }
        }
        Ok(Self(text.into()))
    }

    /// The slug of an unversioned file with this stem.
    #[must_use]
    pub fn of_stem(stem: &str) -> Self {
        Self(Name::slugify(stem).0)
    }

    /// The name under which a tenant's layers over this prompt are kept, `slug#tenant`.
    #[must_use]
    pub fn of_tenant(&self, tenant: &Name) -> Self {
        Self(format!("{self}#{tenant}").into())
    }

    /// The prompt and the tenant of a name made by [`Slug::of_tenant`].
    #[must_use]
    pub fn tenant(&self) -> Option<(Self, Name)> {
        let (base, tenant) = self.0.split_once('#')?;
        Some((Self(base.into()), Name(tenant.into())))
    }

    /// The slug as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the slug belongs to the judges inside the binary.
    #[must_use]
    pub fn is_builtin(&self) -> bool {
        self.0.starts_with("gate/")
    }
}

/// The id of a case: any non-empty text, unique in its dataset.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CaseId(Arc<str>);

impl CaseId {
    /// Wraps a text as a case id.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(text.into())
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The id of a run: a UUID of version 7, so that ids sort by time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunId(Arc<str>);

impl RunId {
    /// A new id from a time and ten bytes of randomness.
    #[must_use]
    pub fn new(at: super::Timestamp, random: &[u8; 10]) -> Self {
        let id = uuid::Builder::from_unix_timestamp_millis(at.as_millis(), random).into_uuid();
        Self(id.to_string().into())
    }

    /// Takes the name of a run folder as a run id.
    #[must_use]
    pub fn from_folder(name: &str) -> Option<Self> {
        uuid::Uuid::parse_str(name)
            .ok()
            .map(|id| Self(id.to_string().into()))
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

macro_rules! display_as_text {
    ($($type:ty),+) => {$(
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    )+};
}
display_as_text!(Name, Slug, CaseId, RunId);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_hostile_slugs() {
        for bad in [
            "",
            "../x",
            "/etc",
            "a//b",
            "a\0b",
            "support/v7",
            "\u{430}bc",
            "A",
            "a/evidence",
        ] {
            assert!(Slug::new(bad).is_err(), "{bad:?} was accepted");
        }
        assert!(Slug::new(&"a".repeat(300)).is_err());
        assert!(Slug::new("support-triage/claude").is_ok());
        assert!(Slug::new("vendor").is_ok());
    }

    #[test]
    fn makes_a_slug_of_any_stem() {
        assert_eq!(
            Slug::of_stem("My Prompt (final)").as_str(),
            "my-prompt-final"
        );
        assert_eq!(Slug::of_stem("\u{4f60}\u{597d}").as_str(), "unnamed");
    }

    #[test]
    fn run_ids_sort_by_time() {
        let early = RunId::new(super::super::Timestamp::from_millis(1_000), &[255; 10]);
        let late = RunId::new(super::super::Timestamp::from_millis(2_000), &[0; 10]);
        assert!(early < late);
        assert_eq!(RunId::from_folder(late.as_str()), Some(late));
    }
}
