//! Signatures on lines of the log, Ed25519: kept beside the log, since a line's form is fixed. A
//! line's digest covers every line before it, so a signature does too.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use serde::{Deserialize, Serialize};

use super::entry::{Action, Entry};
use super::log::Log;
use crate::base::{Digest, Slug, Source, digest};

/// The name of the file beside the log.
pub const FILE: &str = "signatures.jsonl";

const SCHEME: &str = "ed25519:";

/// A private key.
pub struct SigningKey(Ed25519KeyPair);

/// A public key, `ed25519:` and 64 hex digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct PublicKey([u8; 32]);

/// Why a text is no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// A private key of another form.
    #[error("the signing key is not 64 hex digits")]
    Private,
    /// A public key of another form.
    #[error("a public key is `ed25519:` and 64 hex digits")]
    Public,
}

/// A line of the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    digest: Digest,
    key: String,
    signature: String,
}

/// What is wrong with a signature. Lines count from 1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureFault {
    /// The line can not be read.
    #[error("line {line} of {FILE} is no signature")]
    Unreadable {
        /// The line of the signatures' file.
        line: usize,
    },
    /// The signature is not that of the key on that line of the log.
    #[error("line {line} of {FILE} is a false signature: line, key or prompt is another")]
    False {
        /// The line of the signatures' file.
        line: usize,
    },
    /// What was signed is not in the log.
    #[error(
        "line {line} of {FILE} signs a line that the log has not: its end was cut off, or it was rewritten"
    )]
    Orphan {
        /// The line of the signatures' file.
        line: usize,
    },
    /// A line that moves a channel is not signed by a key that is trusted.
    #[error("line {line} of the log ({word}) is not signed by a trusted key")]
    Unsigned {
        /// The line of the log.
        line: usize,
        /// What it does.
        word: &'static str,
    },
}

/// What the signatures of a log amount to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Checked {
    /// Who signed how many lines of it.
    pub keys: BTreeMap<PublicKey, usize>,
    /// What is wrong.
    pub faults: Vec<SignatureFault>,
}

impl SigningKey {
    /// The key of a seed in 64 hex digits.
    ///
    /// # Errors
    /// When it is of another form.
    pub fn of_seed(hex: &str) -> Result<Self, KeyError> {
        let seed = bytes::<32>(hex.trim()).ok_or(KeyError::Private)?;
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed);
        pair.map(Self).map_err(|_| KeyError::Private)
    }

    /// The key that proves its signatures.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        let mut key = [0; 32];
        for (to, from) in key.iter_mut().zip(self.0.public_key().as_ref()) {
            *to = *from;
        }
        PublicKey(key)
    }

    /// The line that signs a line of a prompt's log, newline included.
    #[must_use]
    pub fn sign(&self, slug: &Slug, entry: Digest) -> String {
        let signature = self.0.sign(message(slug, entry).as_bytes());
        let line = Line {
            digest: entry,
            key: self.public().to_string(),
            signature: digest::hex(signature.as_ref()),
        };
        // A structure of texts is always JSON.
        serde_json::to_string(&line).map_or_else(|_| String::new(), |line| format!("{line}\n"))
    }
}

fn message(slug: &Slug, entry: Digest) -> String {
    format!("gate registry/1\n{slug}\n{entry}\n")
}

fn bytes<const N: usize>(hex: &str) -> Option<[u8; N]> {
    let digits = hex.as_bytes();
    if digits.len() != 2 * N {
        return None;
    }
    let mut found = [0; N];
    let pairs = digits.chunks_exact(2);
    for (to, pair) in found.iter_mut().zip(pairs) {
        let mut value = 0;
        for digit in pair {
            let digit = char::from(*digit).to_digit(16)?;
            value = value * 16 + u8::try_from(digit).ok()?;
        }
        *to = value;
    }
    Some(found)
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}", digest::hex(&self.0))
    }
}

impl FromStr for PublicKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let hex = text.trim().strip_prefix(SCHEME).ok_or(KeyError::Public)?;
        bytes(hex).map(Self).ok_or(KeyError::Public)
    }
}

/// Checks every signature, and with `trusted` that each promotion, rollback and approval from the
/// first signed line on has one of a trusted key.
#[must_use]
pub fn check(slug: &Slug, log: &Log, signatures: &Arc<Source>, trusted: &[PublicKey]) -> Checked {
    let mut faults = Vec::new();
    let mut signed = BTreeSet::new();
    let lines: BTreeSet<Digest> = log.entries().iter().map(|entry| entry.digest).collect();
    let rechained = log
        .entries()
        .iter()
        .any(|entry| entry.draft.action == Action::Repair);
    for (text, line) in signatures.text.lines().zip(1..) {
        let Some((found, key)) = read(text) else {
            faults.push(SignatureFault::Unreadable { line });
            continue;
        };
        let public = UnparsedPublicKey::new(&ED25519, key.0);
        let is_true = bytes::<64>(&found.signature).is_some_and(|signature| {
            let message = message(slug, found.digest);
            public.verify(message.as_bytes(), &signature).is_ok()
        });
        if !is_true {
            faults.push(SignatureFault::False { line });
        } else if lines.contains(&found.digest) {
            signed.insert((found.digest, key));
        } else if !rechained {
            // A repair gives lines new digests, and says so in the log.
            faults.push(SignatureFault::Orphan { line });
        }
    }
    if !trusted.is_empty() {
        faults.extend(unsigned(log, &signed, trusted));
    }
    let mut keys = BTreeMap::new();
    for (_, key) in signed {
        *keys.entry(key).or_default() += 1;
    }
    Checked { keys, faults }
}

fn read(text: &str) -> Option<(Line, PublicKey)> {
    let line: Line = serde_json::from_str(text).ok()?;
    let key = line.key.parse().ok()?;
    Some((line, key))
}

fn unsigned(
    log: &Log,
    signed: &BTreeSet<(Digest, PublicKey)>,
    trusted: &[PublicKey],
) -> Vec<SignatureFault> {
    let is_signed = |entry: &Entry| {
        trusted
            .iter()
            .any(|key| signed.contains(&(entry.digest, *key)))
    };
    let first = log.entries().iter().position(is_signed).unwrap_or(0);
    let entries = log.entries().iter().zip(1..).skip(first);
    entries
        .filter(|(entry, _)| needs_signature(&entry.draft.action) && !is_signed(entry))
        .map(|(entry, line)| SignatureFault::Unsigned {
            line,
            word: entry.draft.action.word(),
        })
        .collect()
}

fn needs_signature(action: &Action) -> bool {
    match action {
        Action::Promote { .. } | Action::Rollback { .. } | Action::Approve { .. } => true,
        Action::Add { .. } | Action::Status { .. } | Action::Repair => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Timestamp;
    use crate::registry::{Channel, Stamp};

    fn log(entries: u32) -> Log {
        let mut log = Log::default();
        for version in 1..=entries {
            let stamp = Stamp {
                by: "ana".to_owned(),
                at: Timestamp::from_millis(i64::from(version)),
                why: None,
            };
            log.append(stamp.draft(Action::Promote {
                version,
                channel: Channel::stable(),
                from: None,
                hash: Digest::of_bytes(b"x"),
                evidence: None,
            }));
        }
        log
    }

    fn faults(
        slug: &Slug,
        log: &Log,
        signatures: &Arc<Source>,
        trusted: &[PublicKey],
    ) -> Vec<SignatureFault> {
        check(slug, log, signatures, trusted).faults
    }

    fn key(fill: &str) -> SigningKey {
        SigningKey::of_seed(&fill.repeat(32)).unwrap()
    }

    fn slug(text: &str) -> Slug {
        Slug::new(text).unwrap()
    }

    /// RFC 8032, section 7.1, test 1: the key of a seed.
    #[test]
    fn derives_the_public_key_of_the_standard() {
        let seed = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
        let public = "ed25519:d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
        assert_eq!(
            SigningKey::of_seed(seed).unwrap().public().to_string(),
            public
        );
        assert_eq!(public.parse::<PublicKey>().unwrap().to_string(), public);
    }

    #[test]
    fn finds_false_orphaned_and_missing_signatures() {
        let short = log(2);
        let other = [key("02").public()];
        let (log, key) = (log(3), key("01"));
        let lines: Vec<String> = log
            .entries()
            .iter()
            .map(|entry| key.sign(&slug("p"), entry.digest))
            .collect();
        let of = |text: &str| Source::new(FILE, text);
        let all = of(&lines.concat());
        let trusted = [key.public()];
        assert_eq!(faults(&slug("p"), &log, &all, &trusted), []);
        assert_eq!(
            faults(&slug("q"), &log, &of(&lines[0]), &[]),
            [SignatureFault::False { line: 1 }]
        );
        assert_eq!(
            faults(&slug("p"), &short, &all, &[]),
            [SignatureFault::Orphan { line: 3 }]
        );
        let unsigned = |line| SignatureFault::Unsigned {
            line,
            word: "promote",
        };
        assert_eq!(
            faults(&slug("p"), &log, &of(&lines[1]), &trusted),
            [unsigned(3)]
        );
        assert_eq!(
            faults(&slug("p"), &log, &of(""), &trusted),
            [unsigned(1), unsigned(2), unsigned(3)]
        );
        assert_eq!(faults(&slug("p"), &log, &all, &other).len(), 3);
        assert_eq!(
            faults(&slug("p"), &log, &of("{}\n"), &[]),
            [SignatureFault::Unreadable { line: 1 }]
        );
    }

    #[test]
    fn refuses_keys_of_another_form() {
        for bad in ["", "01", &"0g".repeat(32), &"01".repeat(33)] {
            assert_eq!(
                SigningKey::of_seed(bad).err(),
                Some(KeyError::Private),
                "{bad}"
            );
            assert!(format!("ed25519:{bad}").parse::<PublicKey>().is_err());
        }
    }
}
