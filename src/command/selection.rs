//! Which pair of versions a comparison takes where the command line leaves it open.

use super::error::CommandError;
use super::versions::{Resolved, Versions};
use crate::registry::channel::Channel;
use crate::registry::reference::{GitTarget, VersionRef};
use crate::registry::status::Status;
use crate::store::git::GitError;
use crate::suite::PromptLocation;

/// The pair of a comparison.
pub struct Pair {
    /// What is there.
    pub baseline: Resolved,
    /// What may replace it.
    pub candidate: Resolved,
    /// Whether the pair was chosen here, not written out.
    pub chosen: bool,
}

/// The pair that the arguments and, where they are silent, the state of things mean.
/// `since` is the revision of `--changed-since`: the baseline is then what stood there, so that a
/// change can not choose its own baseline.
///
/// # Errors
/// When a version can not be found.
pub fn pair(
    versions: &Versions<'_>,
    baseline: Option<&VersionRef>,
    candidate: Option<&VersionRef>,
    since: Option<&str>,
) -> Result<Pair, CommandError> {
    let candidate = versions.resolve(candidate.unwrap_or(&VersionRef::Worktree))?;
    let chosen = baseline.is_none();
    let baseline = match baseline {
        Some(reference) => versions.resolve(reference)?,
        None => default_baseline(versions, &candidate, since)?,
    };
    Ok(Pair {
        baseline,
        candidate,
        chosen,
    })
}

/// What the candidate would replace: `stable`, else the highest version below it, else, of an
/// unversioned file, the file at `HEAD`.
fn default_baseline(
    versions: &Versions<'_>,
    candidate: &Resolved,
    since: Option<&str>,
) -> Result<Resolved, CommandError> {
    if let Some(rev) = since {
        return baseline_at(versions, candidate, rev);
    }
    let at_head = || {
        versions.resolve(&VersionRef::Git {
            rev: "HEAD".to_owned(),
            target: None,
        })
    };
    if matches!(versions.location(), PromptLocation::File { .. }) {
        return at_head().map_err(|error| no_baseline(candidate, Some(error)));
    }
    if versions.state()?.stable().is_some() {
        return versions.resolve(&VersionRef::Channel(Channel::stable()));
    }
    match below(versions, candidate)? {
        Some(number) => versions.resolve(&VersionRef::Number(number)),
        None if candidate.prompt.number.is_none() => {
            at_head().map_err(|error| no_baseline(candidate, Some(error)))
        }
        None => Err(no_baseline(candidate, None)),
    }
}

fn baseline_at(
    versions: &Versions<'_>,
    candidate: &Resolved,
    rev: &str,
) -> Result<Resolved, CommandError> {
    let at = |target| {
        versions.resolve(&VersionRef::Git {
            rev: rev.to_owned(),
            target,
        })
    };
    if matches!(versions.location(), PromptLocation::Registry(_)) {
        if let Ok(stable) = at(Some(GitTarget::Channel(Channel::stable()))) {
            return Ok(stable);
        }
        let latest = at(None).map_err(|error| no_baseline(candidate, Some(error)))?;
        let same =
            latest.prompt.number.is_some() && latest.prompt.number == candidate.prompt.number;
        return match (same, below(versions, candidate)?) {
            (true, Some(number)) => at(Some(GitTarget::Number(number))),
            _ => Ok(latest),
        };
    }
    at(None).map_err(|error| no_baseline(candidate, Some(error)))
}

/// The highest version below the candidate's.
fn below(versions: &Versions<'_>, candidate: &Resolved) -> Result<Option<u32>, CommandError> {
    let Some(number) = candidate.prompt.number else {
        let files = versions.backend()?.versions(versions.slug())?;
        return Ok(files.iter().map(|file| file.number).max());
    };
    let files = versions.backend()?.versions(versions.slug())?;
    Ok(files
        .iter()
        .map(|file| file.number)
        .filter(|n| *n < number)
        .max())
}

fn no_baseline(candidate: &Resolved, cause: Option<CommandError>) -> CommandError {
    let cause = cause.map_or(String::new(), |error| format!(": {error}"));
    let unborn = GitError::UnknownRevision("HEAD".to_owned()).to_string();
    if cause.ends_with(&unborn) {
        let message = format!(
            "there is no version that {} could be compared with: git has no commit here yet",
            candidate.label
        );
        let help = "commit once, and the next edit is compared with that; or name two versions";
        return CommandError::usage(message, help);
    }
    CommandError::usage(
        format!(
            "there is no version that {} could be compared with{cause}",
            candidate.label
        ),
        "to test one version against absolute rules, use `gate run`; to compare, name both versions",
    )
}

impl Pair {
    /// Why there is nothing to compare, if there is not: a chosen pair of equal content, or a chosen
    /// candidate that was withdrawn.
    #[must_use]
    pub fn nothing_to_do(&self) -> Option<String> {
        if !self.chosen {
            return None;
        }
        let (base, cand) = (&self.baseline, &self.candidate);
        if base.prompt.hash == cand.prompt.hash {
            return Some(format!(
                "{} and {} have the same content",
                base.label, cand.label
            ));
        }
        (cand.status == Some(Status::Deprecated))
            .then(|| format!("{} is deprecated: it was withdrawn", cand.label))
    }
}
