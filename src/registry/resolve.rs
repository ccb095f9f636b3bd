//! Which version a reference means, given what the log says and which versions there are.

use super::channel::Channel;
use super::lifecycle::State;
use super::reference::VersionRef;
use crate::base::{Digest, Slug, text};

/// Why a reference means no version of a prompt.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ResolveError {
    /// The prompt has no version at all.
    #[error("prompt `{slug}` has no version")]
    Empty {
        /// The prompt.
        slug: Slug,
    },
    /// There is no version of this number.
    #[error("prompt `{slug}` has no version v{number}: the highest is v{highest}")]
    NoVersion {
        /// The prompt.
        slug: Slug,
        /// The number asked for.
        number: u32,
        /// The highest number.
        highest: u32,
    },
    /// The channel never moved.
    #[error("prompt `{slug}` has no channel `{channel}`{}", known_channels(known))]
    NoChannel {
        /// The prompt.
        slug: Slug,
        /// The channel asked for.
        channel: Channel,
        /// The channels that point somewhere.
        known: Vec<Channel>,
    },
    /// No version has a content hash that begins so.
    #[error("prompt `{slug}` has no version with the content hash sha256:{prefix}")]
    NoHash {
        /// The prompt.
        slug: Slug,
        /// The digits asked for.
        prefix: String,
    },
    /// Several contents have a hash that begins so.
    #[error(
        "sha256:{prefix} means several versions of prompt `{slug}`: {}",
        numbers(versions)
    )]
    AmbiguousHash {
        /// The prompt.
        slug: Slug,
        /// The digits asked for.
        prefix: String,
        /// The versions.
        versions: Vec<u32>,
    },
    /// The reference means something outside the registry: a revision, a file, a run.
    #[error("`{}` is not looked up in the registry", text::visible_line(&reference.to_string()))]
    Elsewhere {
        /// The reference.
        reference: VersionRef,
    },
}

fn known_channels(known: &[Channel]) -> String {
    if known.is_empty() {
        return ": none was ever promoted".to_owned();
    }
    let names: Vec<&str> = known.iter().map(Channel::as_str).collect();
    format!(": it has latest, {}", names.join(", "))
}

fn numbers(versions: &[u32]) -> String {
    let shown: Vec<String> = versions.iter().map(|number| format!("v{number}")).collect();
    shown.join(", ")
}

/// The version that a reference means. `present` are the numbers of the versions there are, and
/// `hash_of` tells the content hash of one that the log does not know.
///
/// # Errors
/// When the reference means no version, several, or one outside the registry.
pub fn pick(
    slug: &Slug,
    reference: &VersionRef,
    state: &State,
    present: &[u32],
    hash_of: impl FnMut(u32) -> Option<Digest>,
) -> Result<u32, ResolveError> {
    let highest = present.iter().max().copied();
    let highest = highest.ok_or_else(|| ResolveError::Empty { slug: slug.clone() });
    match reference {
        VersionRef::Number(number) if present.contains(number) => Ok(*number),
        VersionRef::Number(number) => Err(ResolveError::NoVersion {
            slug: slug.clone(),
            number: *number,
            highest: highest?,
        }),
        VersionRef::Channel(channel) if channel.is_latest() => highest,
        VersionRef::Channel(channel) => {
            state
                .channel(channel)
                .ok_or_else(|| ResolveError::NoChannel {
                    slug: slug.clone(),
                    channel: channel.clone(),
                    known: state
                        .channels()
                        .map(|(channel, _)| channel.clone())
                        .collect(),
                })
        }
        VersionRef::Hash(prefix) => {
            let digits = prefix.digits();
            pick_hash(slug, digits, state, present, hash_of)
        }
        VersionRef::Git { .. }
        | VersionRef::Worktree
        | VersionRef::File(_)
        | VersionRef::Run { .. }
        | VersionRef::Langfuse { .. } => Err(ResolveError::Elsewhere {
            reference: reference.clone(),
        }),
    }
}

fn pick_hash(
    slug: &Slug,
    digits: &str,
    state: &State,
    present: &[u32],
    mut hash_of: impl FnMut(u32) -> Option<Digest>,
) -> Result<u32, ResolveError> {
    let mut found: Vec<(u32, Digest)> = Vec::new();
    for number in present {
        let recorded = state.version(*number).map(|version| version.hash);
        let hash = recorded.or_else(|| hash_of(*number));
        if let Some(hash) = hash.filter(|hash| hash.hex().starts_with(digits)) {
            found.push((*number, hash));
        }
    }
    // Versions of one content are the same to whoever asks by content: the oldest stands for them.
    match found.iter().min() {
        None => Err(ResolveError::NoHash {
            slug: slug.clone(),
            prefix: digits.to_owned(),
        }),
        Some((number, hash)) if found.iter().all(|(_, other)| other == hash) => Ok(*number),
        Some(_) => Err(ResolveError::AmbiguousHash {
            slug: slug.clone(),
            prefix: digits.to_owned(),
            versions: found.iter().map(|(number, _)| *number).collect(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// v1 and v3 have one content, v2 another that begins alike; none is in the log.
    fn resolve(reference: &str, present: &[u32]) -> Result<u32, String> {
        let hash_of = |number| {
            let digit = if number == 2 { 'b' } else { 'c' };
            format!("sha256:{}{digit}", "a".repeat(63)).parse().ok()
        };
        let reference = reference.parse().map_err(|error| format!("{error}"))?;
        let slug = Slug::new("p").unwrap();
        let picked = pick(&slug, &reference, &State::default(), present, hash_of);
        picked.map_err(|error| error.to_string())
    }

    #[test]
    fn finds_versions_or_says_what_there_is() {
        let all = [1, 2, 3];
        assert_eq!(resolve("v2", &all), Ok(2));
        assert_eq!(resolve("latest", &all), Ok(3));
        let hash = format!("sha256:{}c", "a".repeat(63));
        assert_eq!(resolve(&hash, &all), Ok(1));
        assert_eq!(
            resolve("v9", &all).unwrap_err(),
            "prompt `p` has no version v9: the highest is v3"
        );
        assert_eq!(
            resolve("stable", &all).unwrap_err(),
            "prompt `p` has no channel `stable`: none was ever promoted"
        );
        assert_eq!(
            resolve("sha256:aaaaaaaa", &all).unwrap_err(),
            "sha256:aaaaaaaa means several versions of prompt `p`: v1, v2, v3"
        );
        assert!(resolve("sha256:bbbbbbbb", &all).is_err());
        assert!(resolve("run:last", &all).is_err());
        for reference in ["v1", "latest", "worktree"] {
            assert!(resolve(reference, &[]).is_err(), "{reference}");
        }
    }
}
