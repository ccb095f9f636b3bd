//! The names of channels: `stable`, `latest` and those that a team makes for itself.

use std::fmt;

use crate::base::id::IdError;
use crate::base::{Name, text};

/// A name that points to a version of a prompt.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Channel(Name);

/// Why a text names no channel.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChannelError {
    /// The text is no name.
    #[error(transparent)]
    Name(#[from] IdError),
    /// The text means something else as a version reference.
    #[error(
        "`{}` can not be a channel: as a version it means something else",
        text::visible_line(name)
    )]
    Reserved {
        /// The text.
        name: String,
    },
}

impl Channel {
    /// Checks the name of a channel.
    ///
    /// # Errors
    /// When it is no `[a-z0-9-]+`, or means something else as a reference (`8`, `v8`, `worktree`).
    pub fn new(name: &str) -> Result<Self, ChannelError> {
        let checked = Name::new(name)?;
        let digits = name.strip_prefix('v').unwrap_or(name);
        let numbered = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        if numbered || name == "worktree" {
            return Err(ChannelError::Reserved {
                name: name.to_owned(),
            });
        }
        Ok(Self(checked))
    }

    /// The channel that only a promotion or a rollback moves.
    #[must_use]
    pub fn stable() -> Self {
        Self(Name::slugify("stable"))
    }

    /// The channel that always points to the highest version.
    #[must_use]
    pub fn latest() -> Self {
        Self(Name::slugify("latest"))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// Whether this is `stable`.
    #[must_use]
    pub fn is_stable(&self) -> bool {
        self.as_str() == "stable"
    }

    /// Whether this is `latest`.
    #[must_use]
    pub fn is_latest(&self) -> bool {
        self.as_str() == "latest"
    }
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_names_that_mean_a_version() {
        for bad in ["8", "v8", "worktree", "", "A", "a/b", "\u{455}table", "a\0"] {
            assert!(Channel::new(bad).is_err(), "{bad:?}");
        }
        for good in ["stable", "latest", "canary", "v", "vip", "v8-canary"] {
            assert!(Channel::new(good).is_ok(), "{good:?}");
        }
    }
}
