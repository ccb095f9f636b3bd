//! `gate compare`: a candidate against a baseline, on every suite chosen.

use super::definition;
use super::error::CommandError;
use super::failed;
use super::matrix;
use super::outcome::{Outcome, SuiteResult};
use super::prepare::{self, Wanted};
use super::project::Project;
use super::run::{self, Flags, Hooks, Over};
use super::selection::{self, Pair};
use super::suites;
use super::tenants;
use super::versions::{Resolved, Versions};
use crate::dataset::Filter;
use crate::record::Arm;
use crate::registry::reference::VersionRef;
use crate::report::content::SuiteNote;
use crate::store::git::Git;
use crate::suite::Suite;

/// Compares versions, the baseline first; those left out are chosen by the state of things. More than
/// two, or a model for the candidate, make a matrix.
///
/// # Errors
/// When the command can not be carried out; which version is better is in the outcome.
pub async fn compare(
    project: &Project,
    versions: &[VersionRef],
    flags: &Flags,
    hooks: &mut Hooks<'_>,
) -> Result<Outcome, CommandError> {
    if let Some(wanted) = &flags.resume {
        return Box::pin(super::resume::resume(
            project,
            wanted.as_deref(),
            flags,
            hooks,
        ))
        .await;
    }
    let (chosen, flags) = &failed::narrowed(project, run::chosen_suites(project, hooks)?, flags)?;
    if !versions.is_empty() {
        suites::require_one_prompt(chosen)?;
    }
    let changed = match &flags.changed_since {
        Some(rev) => Some(Git::open(project.home.path())?.changed_since(rev)?),
        None => None,
    };
    let mut outcome = Outcome::new("compare", flags.no_gate);
    definition::account(project, chosen, changed.as_deref(), &mut outcome)?;
    for suite in chosen {
        if let Some(changed) = &changed
            && !definition::touches(project, suite, changed)
        {
            outcome
                .suites
                .push(skipped(suite, "nothing that the suite uses has changed"));
            continue;
        }
        if flags.over == Over::Tenants {
            let pair = two(versions)?;
            let comparison = tenants::compare(project, suite, pair, flags, hooks, &mut outcome);
            Box::pin(comparison).await?;
        } else if versions.len() > 2 || !flags.candidate_models.is_empty() {
            let comparison = matrix::compare(project, suite, versions, flags, hooks, &mut outcome);
            Box::pin(comparison).await?;
        } else {
            compare_suite(project, suite, versions, flags, hooks, &mut outcome).await?;
        }
        if outcome.interrupt.is_some() {
            break;
        }
    }
    super::next::add(project, &mut outcome);
    Ok(outcome)
}

type Two<'v> = (Option<&'v VersionRef>, Option<&'v VersionRef>);

/// Baseline and candidate of at most two versions; one alone is the candidate.
fn two(named: &[VersionRef]) -> Result<Two<'_>, CommandError> {
    match named {
        [] => Ok((None, None)),
        [candidate] => Ok((None, Some(candidate))),
        [baseline, candidate] => Ok((Some(baseline), Some(candidate))),
        [_, _, _, ..] => Err(CommandError::usage(
            "--tenants compares two versions",
            "name a baseline and a candidate",
        )),
    }
}

fn skipped(suite: &Suite, message: &str) -> SuiteResult {
    SuiteResult::Skipped(SuiteNote {
        name: suite.name.to_string(),
        reason: "skipped".to_owned(),
        message: message.to_owned(),
    })
}

async fn compare_suite(
    project: &Project,
    suite: &Suite,
    named: &[VersionRef],
    flags: &Flags,
    hooks: &mut Hooks<'_>,
    outcome: &mut Outcome,
) -> Result<(), CommandError> {
    let (baseline, candidate) = two(named)?;
    let suite = flags.rewrite(suite);
    let versions = Versions::of(project, &suite);
    let mut pair = selection::pair(
        &versions,
        baseline,
        candidate,
        flags.changed_since.as_deref(),
    )?;
    if pair.chosen {
        (hooks.say)(&format!(
            "{}: {} (baseline) against {}",
            suite.name, pair.baseline.label, pair.candidate.label
        ));
    }
    if let Some(why) = pair.nothing_to_do() {
        check(project, &suite, &pair.candidate)?;
        let message = format!("{why}{}", other_changes(project, &suite));
        outcome.suites.push(skipped(&suite, &message));
        return Ok(());
    }
    tell_apart(&mut pair);
    for model in &suite.models {
        let wanted = Wanted {
            command: "compare",
            suite: &suite,
            model,
            arms: vec![
                (Arm::Baseline, pair.baseline.clone()),
                (Arm::Candidate, pair.candidate.clone()),
            ],
            filter: &flags.filter,
            shard: flags.shard,
            allow_empty: flags.allow_empty,
        };
        let result = Box::pin(run::one(project, &wanted, flags, hooks, outcome)).await?;
        outcome.suites.push(result);
    }
    Ok(())
}

/// Checks a suite that has nothing to compare: a change that breaks its data must not stay unseen.
fn check(project: &Project, suite: &Suite, candidate: &Resolved) -> Result<(), CommandError> {
    let filter = Filter::default();
    for model in suite.models.iter().take(1) {
        let wanted = Wanted {
            command: "lint",
            suite,
            model,
            arms: vec![(Arm::Candidate, candidate.clone())],
            filter: &filter,
            shard: None,
            allow_empty: true,
        };
        prepare::prepare(project, &wanted)?;
    }
    Ok(())
}

/// Gives the arms of a version compared with itself names that differ.
fn tell_apart(pair: &mut Pair) {
    if pair.baseline.label == pair.candidate.label {
        pair.candidate.label.push_str(" again");
    }
}

/// What else the work tree changes, for a comparison that has nothing to do.
fn other_changes(project: &Project, suite: &Suite) -> String {
    let changed = Git::open(project.home.path())
        .and_then(|git| git.changed_since("HEAD"))
        .unwrap_or_default();
    let mut kinds = Vec::new();
    if changed.contains(&suite.dataset) {
        kinds.push("the dataset");
    }
    if changed.contains(&suite.path) {
        kinds.push("the suite");
    }
    if kinds.is_empty() {
        String::new()
    } else {
        format!(
            "; {} changed: compare two versions by name to see what that does",
            kinds.join(" and ")
        )
    }
}
