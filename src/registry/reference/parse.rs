//! Reads version references as people write them.

use std::str::FromStr;

use super::{
    GitTarget, HashPrefix, LangfusePick, MAX_LENGTH, MAX_SLUG, PromptRef, ReferenceError, RunArm,
    RunPick, VersionRef,
};
use crate::base::{Name, Slug, text};
use crate::registry::channel::Channel;

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
