//! `--resume`: an interrupted run goes on where it stopped. Only what has no result is sent again:
//! what was in flight, errored, or never begun. A plan that changed since is refused.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::error::CommandError;
use super::outcome::{Outcome, SuiteResult};
use super::prepare::{self, Wanted};
use super::project::Project;
use super::run::{self, Flags, Hooks};
use super::suites;
use super::versions::{Resolved, Versions};
use crate::base::text;
use crate::chat::ModelSpec;
use crate::dataset::Filter;
use crate::record::{
    Arm, AttemptFinished, LogSpan, Outcome as TrialOutcome, Run, RunHeader, TrialId,
};
use crate::registry::reference::VersionRef;
use crate::runner::{Prior, StoredReplies};
use crate::store::runs::{self, LoadedRun, LogTexts};
use crate::suite::Suite;

/// How many of the newest runs are looked at for one to resume.
const LOOKED_AT: usize = 50;

/// Goes on with a run: the one named, else the newest that is unfinished.
///
/// # Errors
/// When there is none, its log is damaged, or its plan is not the same any more.
pub async fn resume(
    project: &Project,
    wanted: Option<&str>,
    flags: &Flags,
    hooks: &mut Hooks<'_>,
) -> Result<Outcome, CommandError> {
    let loaded = find(project, wanted)?;
    let header = loaded.run.header.clone();
    (hooks.say)(&format!(
        "resuming run {}: {}",
        header.run_id,
        progress(&loaded.run)
    ));
    let mut suite = suite_of(project, &header, flags)?;
    if let Some(candidate) = &header.candidate_model {
        suite.candidate_model = Some(model_of(&suite, &header, &candidate.name)?.clone());
    }
    let suite = suite;
    let model = model_of(&suite, &header, &header.model.name)?;
    let ids: BTreeSet<String> = loaded
        .run
        .cases
        .iter()
        .map(|case| case.id.to_string())
        .collect();
    let command = if header.command == "run" {
        "run"
    } else {
        "compare"
    };
    let filter = Filter {
        only: Some(ids),
        ..Filter::default()
    };
    let request = Wanted {
        command,
        suite: &suite,
        model,
        arms: arms_of(project, &suite, &header)?,
        filter: &filter,
        shard: None,
        allow_empty: false,
    };
    let prepared = prepare::prepare(project, &request)?;
    let mut prepared = prepared
        .ok_or_else(|| changed(&header, &["no planned case is there any more".to_owned()]))?;
    let differences = differences(&prepared.header, &header);
    if !differences.is_empty() {
        return Err(changed(&header, &differences));
    }
    prepared.header = header;
    prepared.cases = Arc::clone(&loaded.run.cases);
    let texts = LogTexts::open(&loaded.path)?;
    prepared.job.prior = Some(Prior {
        run: loaded.run.clone(),
        replies: Arc::new(Replies(texts)),
    });
    let mut outcome = Outcome::new(command, flags.no_gate);
    let (suite_run, interrupt) =
        Box::pin(run::execute(project, prepared, Some(loaded), hooks)).await?;
    outcome.interrupt = interrupt;
    outcome.suites.push(SuiteResult::Ran(Box::new(suite_run)));
    super::next::add(project, &mut outcome);
    Ok(outcome)
}

/// The suite of a run, with what flags rewrote when the run began: that stands in its header.
fn suite_of(project: &Project, header: &RunHeader, flags: &Flags) -> Result<Suite, CommandError> {
    let (all, _) = suites::load_all(project)?;
    let name = &header.suite;
    let suite = all.into_iter().find(|suite| suite.name.as_str() == name);
    let suite =
        suite.ok_or_else(|| changed(header, &[format!("there is no suite `{name}` any more")]))?;
    let mut suite = flags.rewrite(&suite);
    suite.seed = flags.seed.unwrap_or(header.seed);
    suite.repeat = flags.repeat.unwrap_or(header.repeat);
    Ok(suite)
}

fn model_of<'s>(
    suite: &'s Suite,
    header: &RunHeader,
    name: &str,
) -> Result<&'s ModelSpec, CommandError> {
    let found = suite
        .models
        .iter()
        .find(|model| model.name.as_str() == name);
    found.ok_or_else(|| {
        changed(
            header,
            &[format!("the suite has no model `{name}` any more")],
        )
    })
}

fn arms_of(
    project: &Project,
    suite: &Suite,
    header: &RunHeader,
) -> Result<Vec<(Arm, Resolved)>, CommandError> {
    let versions = Versions::of(project, suite);
    let mut arms = Vec::new();
    for arm in &header.arms {
        let written = &arm.reference;
        let reference: VersionRef = written
            .parse()
            .map_err(|_| changed(header, &[format!("`{written}` is no version any more")]))?;
        arms.push((arm.arm, versions.resolve(&reference)?));
    }
    Ok(arms)
}

/// The replies of a log, for the executor.
struct Replies(LogTexts);

impl StoredReplies for Replies {
    fn reply(&self, trial: TrialId, span: LogSpan) -> Option<AttemptFinished> {
        self.0.attempt(trial, span)
    }
}

fn find(project: &Project, wanted: Option<&str>) -> Result<LoadedRun, CommandError> {
    if let Some(wanted) = wanted {
        let id = runs::find(&project.state, wanted)?;
        let loaded = runs::load(&project.state, &id)?;
        if is_unfinished(&loaded.run) {
            return Ok(loaded);
        }
        return Err(CommandError::usage(
            format!("run {id} is finished: there is nothing to resume"),
            format!("gate report {id}"),
        ));
    }
    let ids = runs::list(&project.state);
    for id in ids.iter().rev().take(LOOKED_AT) {
        let loaded = runs::load(&project.state, id)?;
        if is_unfinished(&loaded.run) {
            return Ok(loaded);
        }
    }
    Err(CommandError::usage(
        "there is no unfinished run to resume",
        "begin one without --resume",
    ))
}

/// Whether a run has a trial without a result.
fn is_unfinished(run: &Run) -> bool {
    let settled = |outcome| matches!(outcome, Some(TrialOutcome::Passed | TrialOutcome::Failed));
    !run.is_complete() || run.trials.iter().any(|trial| !settled(trial.outcome))
}

fn progress(run: &Run) -> String {
    let settled = run
        .trials
        .iter()
        .filter(|trial| {
            matches!(
                trial.outcome,
                Some(TrialOutcome::Passed | TrialOutcome::Failed)
            )
        })
        .count();
    let unconfirmed = run
        .trials
        .iter()
        .filter(|trial| trial.outcome.is_none() && trial.answer.sends > trial.answer.ended)
        .count();
    let mut words = format!(
        "{} of {} have a result",
        text::count(settled, "trial"),
        text::thousands(run.trials.len())
    );
    if unconfirmed > 0 {
        let requests = text::count(unconfirmed, "request");
        words = format!("{words}, {requests} may have been answered without our knowing");
    }
    words
}

/// What is not as it was when the run began.
fn differences(now: &RunHeader, then: &RunHeader) -> Vec<String> {
    if now.plan_digest == then.plan_digest {
        return Vec::new();
    }
    let mut found = Vec::new();
    if now.suite_digest != then.suite_digest {
        let keys = changed_keys(&now.resolved, &then.resolved);
        found.push(format!("the suite changed ({})", keys.join(", ")));
    }
    if now.dataset.digest != then.dataset.digest {
        found.push(format!("the dataset {} changed", then.dataset.path));
    }
    for arm in &then.arms {
        let hash = now.arm(arm.arm).map(|now| now.hash);
        if hash != Some(arm.hash) {
            found.push(format!("{} changed (it was {})", arm.label, arm.hash));
        }
    }
    if found.is_empty() {
        found.push("the cases, the seed or the repeats changed".to_owned());
    }
    found
}

fn changed_keys(now: &serde_json::Value, then: &serde_json::Value) -> Vec<String> {
    let keys = then
        .as_object()
        .into_iter()
        .flat_map(|fields| fields.keys());
    let changed = keys.filter(|key| now.get(key.as_str()) != then.get(key.as_str()));
    changed.map(|key| format!("`{key}`")).collect()
}

fn changed(header: &RunHeader, differences: &[String]) -> CommandError {
    CommandError::usage(
        format!(
            "run {} can not go on: {}",
            header.run_id,
            differences.join("; ")
        ),
        "put things back as they were, or begin a new run without --resume: answers that are still right come from the cache",
    )
}
