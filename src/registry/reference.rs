//! Version references: the one grammar of every place that takes a version, such as `v8`,
//! `stable`, `sha256:…`, `git:main:stable` or `run:last#baseline`, alone or after `slug@`.

use std::fmt;

use super::channel::{Channel, ChannelError};
use crate::base::id::IdError;
use crate::base::{Slug, text};

mod parse;

pub use parse::{parse_number, parse_slug};

/// What a reference may have at most, in characters.
const MAX_LENGTH: usize = 1_000;
/// What a slug with all its parts may have at most, so that a path of it is one that exists.
const MAX_SLUG: usize = 200;

/// A version of one prompt, as people write it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum VersionRef {
    /// `v8` or `8`: that version; never moves.
    Number(u32),
    /// `stable`, `latest`, or another channel.
    Channel(Channel),
    /// `sha256:<prefix>`: the version with that content hash.
    Hash(HashPrefix),
    /// `git:<rev>`: the prompt as it stands at a git revision.
    Git {
        /// The revision, as git takes it.
        rev: String,
        /// Which version at that revision; without one the highest, or the unversioned file.
        target: Option<GitTarget>,
    },
    /// `worktree`: the prompt file as it is on disk now.
    Worktree,
    /// `file:<path>`: a file within the project's root.
    File(String),
    /// `run:<id>`: the stored answers of one arm of a run.
    Run {
        /// Which run.
        run: RunPick,
        /// Which of its arms.
        arm: RunArm,
    },
    /// `langfuse:<name>@<label>`: a prompt that Langfuse keeps.
    Langfuse {
        /// Its name there.
        name: String,
        /// Which version.
        pick: LangfusePick,
    },
}

/// The version of a prompt that Langfuse keeps.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum LangfusePick {
    /// A number.
    Version(u32),
    /// A label; `production` where none is named, as Langfuse has it.
    Label(String),
}

/// The version meant at a git revision.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum GitTarget {
    /// A version's number.
    Number(u32),
    /// What a channel points to there.
    Channel(Channel),
}

/// At least eight lower-case hexadecimal digits of a content hash.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HashPrefix(String);

/// Which run is meant.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum RunPick {
    /// The newest.
    Last,
    /// The one whose id begins so.
    Prefix(String),
}

/// Which arm of a run is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RunArm {
    /// The candidate's answers.
    Candidate,
    /// The baseline's answers.
    Baseline,
}

/// A version with the prompt it belongs to, where that is said.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PromptRef {
    /// The prompt, where the reference names one.
    pub slug: Option<Slug>,
    /// The version.
    pub version: VersionRef,
}

/// Why a text is no version reference.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReferenceError {
    /// There is no text.
    #[error("a version may not be empty")]
    Empty,
    /// The text is too long.
    #[error("a version has at most {MAX_LENGTH} characters, this one has {length}")]
    TooLong {
        /// The characters found.
        length: usize,
    },
    /// The text holds a control character or a blank.
    #[error("a version may not hold `{}`", found.escape_default())]
    Character {
        /// The character.
        found: char,
    },
    /// The part before `@` is no slug.
    #[error("`{}` before `@` names no prompt", text::visible_line(slug))]
    Slug {
        /// The part before `@`.
        slug: String,
        /// What is wrong with it.
        source: IdError,
    },
    /// The part before `@` is a slug that is too long.
    #[error("a slug has at most {MAX_SLUG} characters, this one has {length}")]
    LongSlug {
        /// The characters found.
        length: usize,
    },
    /// The number is 0, has a leading zero, or is too large.
    #[error(
        "`{}` is no version number: they are v1, v2, v3 and so on",
        text::visible_line(found)
    )]
    Number {
        /// What was written.
        found: String,
    },
    /// The text is neither a known form nor a channel.
    #[error("`{}` is neither a version nor a channel", text::visible_line(found))]
    Unknown {
        /// What was written.
        found: String,
        /// Why it is no channel.
        source: ChannelError,
    },
    /// The text before the first colon is no known form.
    #[error(
        "`{}:` is no form of a version: they are sha256:, git:, file:, run: and langfuse:",
        text::visible_line(found)
    )]
    Scheme {
        /// The text before the colon.
        found: String,
    },
    /// The hash is too short, too long, or not hexadecimal.
    #[error(
        "`sha256:{}` is no content hash: 8 to 64 of the digits 0-9 and a-f",
        text::visible_line(found)
    )]
    Hash {
        /// What follows `sha256:`.
        found: String,
    },
    /// The revision is empty, could be read as an option, or is a range.
    #[error("`git:{}` names no single revision", text::visible_line(found))]
    Revision {
        /// What follows `git:`.
        found: String,
    },
    /// The path is empty, absolute, or goes upwards.
    #[error(
        "`file:{}` must be a path within the project",
        text::visible_line(found)
    )]
    Path {
        /// What follows `file:`.
        found: String,
    },
    /// The name is empty, or the version or label after `@` is none.
    #[error(
        "`langfuse:{}` names no prompt: a name, and after `@` a version or a label",
        text::visible_line(found)
    )]
    Langfuse {
        /// What follows `langfuse:`.
        found: String,
    },
    /// The run's id is no beginning of one.
    #[error(
        "`run:{}` names no run: an id, a beginning of one, or `last`, and `#baseline` for the other arm",
        text::visible_line(found)
    )]
    Run {
        /// What follows `run:`.
        found: String,
    },
}

impl HashPrefix {
    /// Checks the digits of a prefix.
    ///
    /// # Errors
    /// When there are fewer than 8 or more than 64, or one is none of `0-9a-f`.
    pub fn new(digits: &str) -> Result<Self, ReferenceError> {
        let fits = (8..=64).contains(&digits.len())
            && digits
                .bytes()
                .all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if fits {
            return Ok(Self(digits.to_owned()));
        }
        Err(ReferenceError::Hash {
            found: digits.to_owned(),
        })
    }

    /// The digits.
    #[must_use]
    pub fn digits(&self) -> &str {
        &self.0
    }

    /// Whether a digest begins with these digits.
    #[must_use]
    pub fn matches(&self, digest: &crate::base::Digest) -> bool {
        digest.hex().starts_with(&self.0)
    }
}

impl fmt::Display for LangfusePick {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version(version) => write!(f, "{version}"),
            Self::Label(label) => f.write_str(label),
        }
    }
}

impl fmt::Display for GitTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "v{number}"),
            Self::Channel(channel) => write!(f, "{channel}"),
        }
    }
}

impl fmt::Display for VersionRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "v{number}"),
            Self::Channel(channel) => write!(f, "{channel}"),
            Self::Hash(prefix) => write!(f, "sha256:{}", prefix.0),
            Self::Git { rev, target: None } => write!(f, "git:{rev}"),
            Self::Git {
                rev,
                target: Some(target),
            } => write!(f, "git:{rev}:{target}"),
            Self::Worktree => f.write_str("worktree"),
            Self::File(path) => write!(f, "file:{path}"),
            Self::Langfuse { name, pick } => write!(f, "langfuse:{name}@{pick}"),
            Self::Run { run, arm } => {
                match run {
                    RunPick::Last => f.write_str("run:last")?,
                    RunPick::Prefix(prefix) => write!(f, "run:{prefix}")?,
                }
                match arm {
                    RunArm::Candidate => Ok(()),
                    RunArm::Baseline => f.write_str("#baseline"),
                }
            }
        }
    }
}

impl fmt::Display for PromptRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(slug) = &self.slug {
            write!(f, "{slug}@")?;
        }
        write!(f, "{}", self.version)
    }
}
