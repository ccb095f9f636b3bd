//! Several comparisons of one command: versions x models, each against one baseline, under one error
//! rate (Holm over the comparisons).
//!
//! The baseline is the first version on the suite's main model; each further version, or the same one
//! where there is no further, is asked of each model that `--candidate-model` names. All of them are
//! prepared before the first request; the baseline's answers are asked once and come from the cache
//! after that.

use super::error::CommandError;
use super::outcome::{Outcome, SuiteResult, SuiteRun};
use super::prepare::{self, Prepared, Wanted};
use super::project::Project;
use super::run::{self, Aim, Flags, Hooks, decide_in, decide_run};
use super::versions::{Resolved, Versions};
use crate::base::RunId;
use crate::base::decode::choices;
use crate::chat::ModelSpec;
use crate::record::{Arm, Run};
use crate::registry::channel::Channel;
use crate::registry::reference::VersionRef;
use crate::store::cache::CacheMode;
use crate::store::runs;
use crate::suite::{PromptLocation, Suite};
use crate::verdict::{Among, Decision, DecisionContext, Verdict};

/// One comparison of several.
pub(super) struct Cell {
    /// The suite, with the candidate's model where it is not the main one.
    pub(super) suite: Suite,
    /// What stands.
    pub(super) baseline: Resolved,
    /// What may replace it.
    pub(super) candidate: Resolved,
}

/// Compares each version on each candidate model with the first version on the main model.
///
/// # Errors
/// When a version or model is not there, or a comparison can not be carried out.
pub async fn compare(
    project: &Project,
    suite: &Suite,
    named: &[VersionRef],
    flags: &Flags,
    hooks: &mut Hooks<'_>,
    outcome: &mut Outcome,
) -> Result<(), CommandError> {
    let cells = cells(project, &flags.rewrite(suite), named, flags)?;
    run_cells(project, &cells, flags, hooks, outcome).await
}

/// Carries out comparisons under one error rate, all of them prepared before the first request.
///
/// # Errors
/// When one can not be carried out.
pub(super) async fn run_cells(
    project: &Project,
    cells: &[Cell],
    flags: &Flags,
    hooks: &mut Hooks<'_>,
    outcome: &mut Outcome,
) -> Result<(), CommandError> {
    if flags.shard.is_some() {
        return Err(CommandError::usage(
            "several comparisons can not be cut into shards",
            "run each comparison with --shard by itself, or the whole without it",
        ));
    }
    let mut wanted = Vec::with_capacity(cells.len());
    for cell in cells {
        wanted.extend(wish(cell, flags));
    }
    let mut prepared = Vec::with_capacity(wanted.len());
    for wanted in &wanted {
        let Some(ready) = prepare::prepare(project, wanted)? else {
            outcome.suites.push(run::no_case(wanted.suite));
            return Ok(());
        };
        prepared.push(ready);
    }
    join(&mut prepared);
    if flags.aim == Aim::Forecast && run::cache_mode(project) == CacheMode::ReadWrite {
        ask_the_baseline_once(&mut prepared);
    }
    let mut done = Vec::with_capacity(prepared.len());
    for (wanted, ready) in wanted.iter().zip(prepared) {
        let ran = Box::pin(run::go(project, wanted, ready, flags, hooks, outcome)).await?;
        done.push(ran);
        if outcome.interrupt.is_some() {
            break;
        }
    }
    settle(&mut done)?;
    outcome.notes.extend(summary(&done));
    outcome.suites.extend(done);
    Ok(())
}

fn wish<'c>(cell: &'c Cell, flags: &'c Flags) -> Option<Wanted<'c>> {
    Some(Wanted {
        command: "compare",
        suite: &cell.suite,
        model: cell.suite.models.first()?,
        arms: vec![
            (Arm::Baseline, cell.baseline.clone()),
            (Arm::Candidate, cell.candidate.clone()),
        ],
        filter: &flags.filter,
        shard: None,
        allow_empty: flags.allow_empty,
    })
}

/// The comparisons in the order of the versions, then of the models.
fn cells(
    project: &Project,
    suite: &Suite,
    named: &[VersionRef],
    flags: &Flags,
) -> Result<Vec<Cell>, CommandError> {
    let versions = Versions::of(project, suite);
    let main = suite.models.first().ok_or_else(|| no_model(suite, ""))?;
    let models = candidate_models(suite, main, &flags.candidate_models)?;
    let standing;
    let named = if named.is_empty() {
        standing = [standing_version(&versions)?];
        &standing[..]
    } else {
        named
    };
    let (first, further) = match named {
        [one] => (one, named),
        [first, further @ ..] => (first, further),
        [] => return Ok(Vec::new()),
    };
    let across_models = !flags.candidate_models.is_empty();
    let mut baseline = versions.resolve(first)?;
    let mut cells = Vec::new();
    for reference in further {
        let found = versions.resolve(reference)?;
        for model in &models {
            let is_main = model.name == main.name;
            if is_main && found.prompt.hash == baseline.prompt.hash {
                continue;
            }
            let mut candidate = found.clone();
            if across_models {
                candidate.label = format!("{} on {}", found.label, model.name);
            }
            cells.push(Cell {
                suite: Suite {
                    candidate_model: (!is_main).then(|| (*model).clone()),
                    ..suite.clone()
                },
                baseline: baseline.clone(),
                candidate,
            });
        }
    }
    if across_models {
        baseline.label = format!("{} on {}", baseline.label, main.name);
        for cell in &mut cells {
            cell.baseline.label.clone_from(&baseline.label);
        }
    }
    if cells.is_empty() {
        return Err(CommandError::usage(
            format!("each comparison would be {} with itself", baseline.label),
            "name another version, or with --candidate-model another model; `gate compare v7 v7` is the self-check",
        ));
    }
    Ok(cells)
}

/// What two models are compared on where no version is named: what is in use, else what is on disk.
fn standing_version(versions: &Versions<'_>) -> Result<VersionRef, CommandError> {
    let registered = matches!(versions.location(), PromptLocation::Registry(_));
    let has_stable = registered && versions.state()?.stable().is_some();
    Ok(if has_stable {
        VersionRef::Channel(Channel::stable())
    } else {
        VersionRef::Worktree
    })
}

fn candidate_models<'s>(
    suite: &'s Suite,
    main: &'s ModelSpec,
    names: &[String],
) -> Result<Vec<&'s ModelSpec>, CommandError> {
    if names.is_empty() {
        return Ok(vec![main]);
    }
    let mut models: Vec<&ModelSpec> = Vec::with_capacity(names.len());
    for name in names {
        let found = suite
            .models
            .iter()
            .find(|model| model.name.as_str() == name);
        let model = found.ok_or_else(|| no_model(suite, name))?;
        if models.iter().all(|known| known.name != model.name) {
            models.push(model);
        }
    }
    Ok(models)
}

fn no_model(suite: &Suite, name: &str) -> CommandError {
    let known: Vec<&str> = suite
        .models
        .iter()
        .map(|model| model.name.as_str())
        .collect();
    CommandError::usage(
        format!(
            "suite `{}` has no model `{}` under `models`",
            suite.name,
            crate::base::text::visible_line(name)
        ),
        choices(name, &known),
    )
}

/// Tells each run which others it shares its error rate with, and names it by its candidate.
fn join(prepared: &mut [Prepared]) {
    let ids: Vec<RunId> = prepared
        .iter()
        .map(|ready| ready.header.run_id.clone())
        .collect();
    for ready in prepared.iter_mut() {
        let header = &mut ready.header;
        let label = header.label(Arm::Candidate).replace(' ', "-");
        header.title = format!("{}@{label}", header.suite);
        if ids.len() > 1 {
            header.matrix.clone_from(&ids);
        }
    }
}

/// A dry run of several comparisons counts the baseline's requests in the first alone.
fn ask_the_baseline_once(prepared: &mut [Prepared]) {
    for ready in prepared.iter_mut().skip(1) {
        ready.job.order.retain(|trial| trial.arm != Arm::Baseline);
    }
}

/// Decides all comparisons again, now that the p of each are known.
fn settle(done: &mut [SuiteResult]) -> Result<(), CommandError> {
    let mut ran: Vec<&mut SuiteRun> = done
        .iter_mut()
        .filter_map(|result| match result {
            SuiteResult::Ran(suite) => Some(suite.as_mut()),
            SuiteResult::Skipped(_) | SuiteResult::Failed(_) => None,
        })
        .collect();
    let planned = ran.first().map_or(0, |suite| suite.run.header.matrix.len());
    if planned < 2 || ran.len() < planned {
        // Alone, or broken off: the bound that each was decided by stands.
        return Ok(());
    }
    let runs: Vec<&Run> = ran.iter().map(|suite| &suite.run).collect();
    let decisions = decide_together(&runs)?;
    for (suite, decision) in ran.iter_mut().zip(decisions) {
        suite.decision = decision;
    }
    Ok(())
}

/// The comparisons by verdict, in a sentence.
fn summary(done: &[SuiteResult]) -> Option<String> {
    let ran: Vec<&SuiteRun> = done
        .iter()
        .filter_map(|result| match result {
            SuiteResult::Ran(suite) => Some(suite.as_ref()),
            SuiteResult::Skipped(_) | SuiteResult::Failed(_) => None,
        })
        .collect();
    let first = ran.first().filter(|_| ran.len() > 1)?;
    let groups = [
        (Verdict::Pass, "not worse"),
        (Verdict::Fail, "worse"),
        (Verdict::Inconclusive, "undecided"),
        (Verdict::Error, "without a verdict"),
    ];
    let groups = groups.iter().filter_map(|(verdict, words)| {
        let ran = ran
            .iter()
            .filter(|suite| suite.decision.verdict == *verdict);
        let labels: Vec<&str> = ran
            .map(|suite| suite.run.header.label(Arm::Candidate))
            .collect();
        (!labels.is_empty()).then(|| format!("{words}: {}", labels.join(", ")))
    });
    let groups: Vec<String> = groups.collect();
    Some(format!(
        "Against {}: {}.",
        first.run.header.label(Arm::Baseline),
        groups.join("; ")
    ))
}

/// Decides runs that share one error rate.
fn decide_together(runs: &[&Run]) -> Result<Vec<Decision>, CommandError> {
    let mut alone = Vec::with_capacity(runs.len());
    for run in runs {
        let context = DecisionContext {
            among: Among::default(),
            ..DecisionContext::of_run(run)
        };
        alone.push(decide_in(run, &context)?);
    }
    let among = Among::holm(&alone.iter().collect::<Vec<_>>());
    let mut decisions = Vec::with_capacity(runs.len());
    for (run, among) in runs.iter().zip(among) {
        let context = DecisionContext {
            among,
            ..DecisionContext::of_run(run)
        };
        decisions.push(decide_in(run, &context)?);
    }
    Ok(decisions)
}

/// Decides a stored run as the command that made it did: with the other comparisons of that command,
/// where their runs are there, else by the bound that holds whatever they say.
///
/// # Errors
/// When the policy in a log can not be read.
pub fn decide_stored(project: &Project, run: &Run) -> Result<Decision, CommandError> {
    let ids = &run.header.matrix;
    let own = ids.iter().position(|id| *id == run.header.run_id);
    let Some(own) = own.filter(|_| ids.len() > 1) else {
        return decide_run(run);
    };
    let mut others = Vec::with_capacity(ids.len());
    for id in ids.iter().filter(|id| **id != run.header.run_id) {
        match runs::load(&project.state, id) {
            Ok(loaded) => others.push(loaded.run),
            Err(_) => return decide_run(run),
        }
    }
    let mut all: Vec<&Run> = others.iter().collect();
    all.insert(own.min(all.len()), run);
    let mut decisions = decide_together(&all)?;
    if own < decisions.len() {
        Ok(decisions.swap_remove(own))
    } else {
        decide_run(run)
    }
}
