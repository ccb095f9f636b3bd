//! Version references: the one grammar of every place that takes a version, such as `v8`,
//! `stable`, `sha256:…`, `git:main:stable` or `run:last#baseline`, alone or after `slug@`.

use std::fmt;
use std::str::FromStr;

use super::channel::{Channel, ChannelError};
use crate::base::id::IdError;
use crate::base::{Name, Slug, text};

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

impl FromStr for PromptRef {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        check_characters(text)?;
        let (slug, version) = match text.split_once('@') {
            // `git:main@{1}` holds an `@` too; no slug holds a colon.
            Some((slug, version)) if !slug.contains(':') => (Some(parse_slug(slug)?), version),
            _ => (None, text),
        };
        Ok(Self {
            slug,
            version: parse_version(version)?,
        })
    }
}

impl FromStr for VersionRef {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        check_characters(text)?;
        parse_version(text)
    }
}

fn check_characters(text: &str) -> Result<(), ReferenceError> {
    let length = text.chars().count();
    if length > MAX_LENGTH {
        return Err(ReferenceError::TooLong { length });
    }
    let bad = |c: &char| text::is_deceptive(*c) || (c.is_whitespace() && *c != ' ');
    match text.chars().find(bad) {
        Some(found) => Err(ReferenceError::Character { found }),
        None => Ok(()),
    }
}

/// Reads a slug, or `slug#tenant`, with a bound on its whole length.
///
/// # Errors
/// When it is no slug, or longer than a path of the registry can be.
pub fn parse_slug(slug: &str) -> Result<Slug, ReferenceError> {
    let length = slug.chars().count();
    if length > MAX_SLUG {
        return Err(ReferenceError::LongSlug { length });
    }
    let wrong = |source| ReferenceError::Slug {
        slug: slug.to_owned(),
        source,
    };
    match slug.split_once('#') {
        None => Slug::new(slug).map_err(wrong),
        Some((base, tenant)) => {
            let tenant = Name::new(tenant).map_err(wrong)?;
            Ok(Slug::new(base).map_err(wrong)?.of_tenant(&tenant))
        }
    }
}

fn parse_version(text: &str) -> Result<VersionRef, ReferenceError> {
    if text.is_empty() {
        return Err(ReferenceError::Empty);
    }
    if let Some((scheme, rest)) = text.split_once(':') {
        return match scheme {
            "sha256" => HashPrefix::new(rest).map(VersionRef::Hash),
            "git" => parse_git(rest),
            "file" => parse_file(rest),
            "run" => parse_run(rest),
            "langfuse" => parse_langfuse(rest),
            _ => Err(ReferenceError::Scheme {
                found: scheme.to_owned(),
            }),
        };
    }
    if text == "worktree" {
        return Ok(VersionRef::Worktree);
    }
    Ok(match parse_target(text)? {
        GitTarget::Number(number) => VersionRef::Number(number),
        GitTarget::Channel(channel) => VersionRef::Channel(channel),
    })
}

/// A number or a channel.
fn parse_target(text: &str) -> Result<GitTarget, ReferenceError> {
    let digits = text.strip_prefix('v').unwrap_or(text);
    if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return parse_number(digits)
            .map(GitTarget::Number)
            .ok_or_else(|| ReferenceError::Number {
                found: text.to_owned(),
            });
    }
    Channel::new(text)
        .map(GitTarget::Channel)
        .map_err(|source| ReferenceError::Unknown {
            found: text.to_owned(),
            source,
        })
}

/// A version's number in its only spelling: no leading zero.
#[must_use]
pub fn parse_number(digits: &str) -> Option<u32> {
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0');
    digits.parse().ok().filter(|_| plain)
}

fn parse_git(rest: &str) -> Result<VersionRef, ReferenceError> {
    let (rev, target) = match rest.rsplit_once(':') {
        Some((rev, target)) => (rev, Some(parse_target(target)?)),
        None => (rest, None),
    };
    // A leading `-` would be an option to git, a colon a path in the tree, `..` a range.
    let bad = rev.is_empty()
        || rev.starts_with(['-', '^'])
        || rev.contains([':', ' ', '*', '?', '\\'])
        || rev.contains("..");
    if bad {
        return Err(ReferenceError::Revision {
            found: rest.to_owned(),
        });
    }
    Ok(VersionRef::Git {
        rev: rev.to_owned(),
        target,
    })
}

fn parse_file(path: &str) -> Result<VersionRef, ReferenceError> {
    let upwards = path.split(['/', '\\']).any(|part| part == "..");
    let drive = path.as_bytes().get(1) == Some(&b':');
    if path.is_empty() || path.starts_with(['/', '\\', '~']) || upwards || drive {
        return Err(ReferenceError::Path {
            found: path.to_owned(),
        });
    }
    Ok(VersionRef::File(path.to_owned()))
}

fn parse_run(rest: &str) -> Result<VersionRef, ReferenceError> {
    let error = || ReferenceError::Run {
        found: rest.to_owned(),
    };
    let (id, arm) = match rest.split_once('#') {
        Some((id, "baseline")) => (id, RunArm::Baseline),
        Some((id, "candidate")) => (id, RunArm::Candidate),
        Some(_) => return Err(error()),
        None => (rest, RunArm::Candidate),
    };
    let hexadecimal = |c: char| matches!(c, '0'..='9' | 'a'..='f' | '-');
    let run = match id {
        "last" => RunPick::Last,
        _ if !id.is_empty() && id.len() <= 36 && id.chars().all(hexadecimal) => {
            RunPick::Prefix(id.to_owned())
        }
        _ => return Err(error()),
    };
    Ok(VersionRef::Run { run, arm })
}

/// A name may hold what Langfuse allows, its folders' slashes and blanks too; what follows the last `@`
/// is a version's number or a label.
fn parse_langfuse(rest: &str) -> Result<VersionRef, ReferenceError> {
    let error = || ReferenceError::Langfuse {
        found: rest.to_owned(),
    };
    let (name, wanted) = rest.rsplit_once('@').unwrap_or((rest, "production"));
    let is_step = |part: &str| part == "." || part == "..";
    if name.trim().is_empty() || name.split('/').any(is_step) {
        return Err(error());
    }
    let digits = wanted.strip_prefix('v').unwrap_or(wanted);
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let is_label = |c: char| matches!(c, 'a'..='z' | '0'..='9' | '_' | '-' | '.');
    let pick = if is_number {
        LangfusePick::Version(parse_number(digits).ok_or_else(error)?)
    } else if !wanted.is_empty() && wanted.chars().all(is_label) {
        LangfusePick::Label(wanted.to_owned())
    } else {
        return Err(error());
    };
    Ok(VersionRef::Langfuse {
        name: name.to_owned(),
        pick,
    })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_every_form_and_prints_it_back() {
        let table = [
            ("v8", "v8"),
            ("8", "v8"),
            ("stable", "stable"),
            ("latest", "latest"),
            ("canary", "canary"),
            ("sha256:f5d597cf", "sha256:f5d597cf"),
            ("git:main", "git:main"),
            ("git:origin/main:stable", "git:origin/main:stable"),
            ("git:HEAD~3:7", "git:HEAD~3:v7"),
            ("git:main@{1}", "git:main@{1}"),
            ("worktree", "worktree"),
            ("file:prompts/a b/v1.yaml", "file:prompts/a b/v1.yaml"),
            ("run:last", "run:last"),
            ("run:0198#baseline", "run:0198#baseline"),
            ("run:0198#candidate", "run:0198"),
            ("support-triage@v8", "support-triage@v8"),
            ("judges/routing@stable", "judges/routing@stable"),
            ("a/b@git:main@{1}:v7", "a/b@git:main@{1}:v7"),
        ];
        for (written, shown) in table {
            let reference: PromptRef = written.parse().unwrap();
            assert_eq!(reference.to_string(), shown, "{written}");
            assert_eq!(shown.parse(), Ok(reference), "{shown}");
        }
    }

    /// Hostile and malformed references: numbers, slugs, hashes and revisions, other forms.
    const HOSTILE: [&[&str]; 4] = [
        &[
            "",
            "@",
            "@v1",
            "a@",
            "v0",
            "0",
            "v08",
            "99999999999",
            "V8",
            "v 8",
            "v8 ",
            "v8\0",
            "../x",
            "../x@v1",
            "/etc/passwd@v1",
        ],
        &[
            "a//b@v1",
            "a\0b@v1",
            "\u{430}bc@v1",
            "v\u{ff18}",
            "st\u{430}ble",
            "a/v7@v1",
            "a/tenants@v1",
            "a@b@c",
            "sha256:",
            "sha256:abc",
            "sha256:ABCDEF01",
        ],
        &[
            "sha256:+bcdef01",
            "git:",
            "git:-x",
            "git:--output=x",
            "git:a..b",
            "git:a:b:c",
            "git:a:",
            "git:HEAD:../x",
            "git:a b",
            "git:a\nb",
            "file:",
            "file:/etc/passwd",
            "file:../x",
            "file:a/../../x",
        ],
        &[
            "file:a\\..\\x",
            "file:C:\\x",
            "file:a\0b",
            "file:~/x",
            "run:",
            "run:last#",
            "run:last#other",
            "run:../x",
            "run:zz",
            "http://x",
            "postgres:x",
            "a\u{202e}b",
        ],
    ];

    #[test]
    fn refuses_hostile_and_malformed_references() {
        for bad in HOSTILE.concat() {
            let read: Result<PromptRef, _> = bad.parse();
            assert!(read.is_err(), "{bad:?} was read as {read:?}");
        }
    }

    #[test]
    fn refuses_what_is_too_long() {
        let long = "a".repeat(300);
        let deep = format!("{}a@v1", "a/".repeat(150));
        for bad in [
            &long,
            &deep,
            &format!("{long}@v1"),
            &format!("git:{}", "a".repeat(2_000)),
        ] {
            let read: Result<PromptRef, _> = bad.parse();
            assert!(read.is_err(), "{bad:?} was read as {read:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn whatever_is_read_is_read_again_from_what_it_prints(text in "[a-z0-9@:#./{}v-]{0,24}") {
            if let Ok(reference) = text.parse::<PromptRef>() {
                proptest::prop_assert_eq!(reference.to_string().parse(), Ok(reference));
            }
        }
    }
}
