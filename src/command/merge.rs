//! `gate merge`: the shards of a run, made on several machines, become one run with one verdict,
//! the same as if it had never been split.

use std::collections::BTreeMap;
use std::sync::Arc;

use camino::{Utf8Path, Utf8PathBuf};

use super::error::CommandError;
use super::outcome::{Outcome, SuiteResult, SuiteRun, Texts};
use super::project::Project;
use super::run::decide_run;
use crate::base::rng::fresh_bytes;
use crate::base::{CaseId, RunId};
use crate::dataset::Case;
use crate::plan::order::PlanIdentity;
use crate::plan::{Shard, plan_digest};
use crate::record::{Arm, Event, FinishReason, Fold, RunHeader, TrialId};
use crate::store::runs::{self, LoadedRun, LogTexts, RunLog};

/// One shard, read.
struct Part {
    loaded: LoadedRun,
    shard: Shard,
}

/// Joins shards: ids of stored runs, or paths of run folders. Shards of several suites become one
/// run each.
///
/// # Errors
/// When a run is no shard, a shard is missing or there twice, or the shards are of different plans.
pub fn merge(
    project: &Project,
    wanted: &[String],
    base: &Utf8Path,
    no_gate: bool,
) -> Result<Outcome, CommandError> {
    let mut groups: BTreeMap<String, Vec<Part>> = BTreeMap::new();
    for name in wanted {
        let loaded = runs::load_events(&find(project, name, base)?, |_| {})?;
        let header = &loaded.run.header;
        let shard = header
            .shard
            .as_deref()
            .and_then(|shard| shard.parse().ok())
            .ok_or_else(|| {
                CommandError::usage(
                    format!("run {} is no shard", header.run_id),
                    "merge takes runs that were made with --shard K/N",
                )
            })?;
        groups
            .entry(header.title.clone())
            .or_default()
            .push(Part { loaded, shard });
    }
    project.prepare_state()?;
    let mut outcome = Outcome::new("compare", no_gate);
    for (title, mut parts) in groups {
        parts.sort_by_key(|part| part.shard.index());
        check_whole(&title, &parts)?;
        outcome.suites.push(join(project, &parts)?);
    }
    super::next::add(project, &mut outcome);
    Ok(outcome)
}

/// The log of a run: an id or a unique beginning of one, else a folder or the log itself.
fn find(project: &Project, name: &str, base: &Utf8Path) -> Result<Utf8PathBuf, CommandError> {
    if let Some(log) = runs::log_at(&base.join(name)) {
        return Ok(log);
    }
    let id = runs::find(&project.state, name)?;
    Ok(runs::log_path(&project.state, &id))
}

/// Checks that the parts are all shards of one plan, each once.
fn check_whole(title: &str, parts: &[Part]) -> Result<(), CommandError> {
    let Some(first) = parts.first() else {
        return Ok(());
    };
    let header = &first.loaded.run.header;
    for part in parts {
        let other = &part.loaded.run.header;
        let same = other.suite_digest == header.suite_digest
            && other.dataset.digest == header.dataset.digest
            && arms_of(other) == arms_of(header)
            && (other.seed, other.repeat, &other.filter)
                == (header.seed, header.repeat, &header.filter)
            && part.shard.count() == first.shard.count();
        if !same {
            return Err(CommandError::usage(
                format!(
                    "runs {} and {} are not shards of one plan of {title}",
                    header.run_id, other.run_id
                ),
                "make all shards from the same files, versions and flags",
            ));
        }
    }
    let found: Vec<u32> = parts.iter().map(|part| part.shard.index()).collect();
    let wanted: Vec<u32> = (1..=first.shard.count()).collect();
    if found == wanted {
        return Ok(());
    }
    let missing: Vec<String> = wanted
        .iter()
        .filter(|index| !found.contains(index))
        .map(|index| format!("{index}/{}", first.shard.count()))
        .collect();
    let is_twice = found.iter().zip(found.iter().skip(1)).any(|(a, b)| a == b);
    let message = if is_twice {
        format!("a shard of {title} is there twice")
    } else {
        format!("shards of {title} are missing: {}", missing.join(", "))
    };
    Err(CommandError::usage(
        message,
        "name every shard once; a job that failed can be run again with --resume",
    ))
}

fn arms_of(header: &RunHeader) -> Vec<(Arm, crate::base::Digest)> {
    header.arms.iter().map(|arm| (arm.arm, arm.hash)).collect()
}

fn join(project: &Project, parts: &[Part]) -> Result<SuiteResult, CommandError> {
    let first = parts
        .first()
        .ok_or_else(|| CommandError::usage("there is no shard", "name the runs to merge"))?;
    let now = project.clock.now();
    let mut cases: Vec<Case> = parts
        .iter()
        .flat_map(|part| part.loaded.run.cases.iter().cloned())
        .collect();
    cases.sort_by_key(|case| case.line);
    let cases = Arc::new(cases);
    let header = header(first, &cases, RunId::new(now, &fresh_bytes()));
    let places: BTreeMap<&CaseId, u32> = cases
        .iter()
        .zip(0u32..)
        .map(|(case, index)| (&case.id, index))
        .collect();
    let mut log = RunLog::create(&project.state, &header, Arc::clone(&cases), now)?;
    let mut fold = Fold::new(header, Arc::clone(&cases), now);
    for part in parts {
        let part_cases = &part.loaded.run.cases;
        let renumber = |trial: TrialId| {
            let id = part_cases.get(trial.case as usize).map(|case| &case.id);
            id.and_then(|id| places.get(id)).map(|case| TrialId {
                case: *case,
                ..trial
            })
        };
        let mut failed = None;
        runs::load_events(&part.loaded.path, |line| {
            let Some(event) = moved(&line.event, renumber) else {
                return;
            };
            match log.append(line.at, &event) {
                Ok(span) => fold.take(line.at, &event, span),
                Err(error) => failed = failed.take().or(Some(error)),
            }
        })?;
        if let Some(error) = failed {
            return Err(error.into());
        }
        log.flush()?;
    }
    let end = Event::RunFinished(end_of(parts));
    let span = log.append(now, &end)?;
    fold.take(now, &end, span);
    log.flush()?;
    log.sync()?;
    let run = fold.finish();
    let texts = Texts(LogTexts::open(log.path())?);
    let decision = decide_run(&run)?;
    Ok(SuiteResult::Ran(Box::new(SuiteRun {
        run,
        texts,
        decision,
        notes: Vec::new(),
    })))
}

/// How the whole ended: as the first part that did not do all that was planned.
fn end_of(parts: &[Part]) -> FinishReason {
    let ends = || parts.iter().map(|part| part.loaded.run.finished.as_ref());
    if let Some(early) = ends().flatten().find(|end| !end.is_complete()) {
        return early.clone();
    }
    if ends().all(|end| end.is_some()) {
        return FinishReason::complete();
    }
    FinishReason {
        reason: "interrupted".to_owned(),
        message: Some("a shard was broken off".to_owned()),
    }
}

/// The header of the whole: as each shard's, but for what the split changed.
fn header(first: &Part, cases: &[Case], run_id: RunId) -> RunHeader {
    let mut header = first.loaded.run.header.clone();
    let model = header.resolved.get("models").and_then(|models| {
        models
            .as_array()?
            .iter()
            .find(|model| {
                model.get("name").and_then(|name| name.as_str()) == Some(&header.model.name)
            })
            .cloned()
    });
    header.run_id = run_id;
    header.shard = None;
    header.notes.retain(|note| !note.starts_with("shard "));
    header.dataset.selected = cases.len();
    header.plan_digest = plan_digest(&PlanIdentity {
        suite: header.suite_digest,
        dataset: header.dataset.digest,
        selected: cases.iter().map(|case| &case.id).collect(),
        arms: header
            .arms
            .iter()
            .map(|arm| (arm.arm, arm.hash, None))
            .collect(),
        model: model.unwrap_or_default(),
        seed: header.seed,
        repeat: header.repeat,
    });
    header
}

/// An event with its case renumbered; what the whole says by itself is left out.
fn moved(event: &Event, renumber: impl Fn(TrialId) -> Option<TrialId>) -> Option<Event> {
    match event {
        Event::RunStarted(_)
        | Event::CasePlanned(_)
        | Event::RunResumed { .. }
        | Event::BatchSubmitted(_)
        | Event::RunFinished(_) => None,
        Event::AttemptStarted {
            trial,
            scorer,
            call,
            attempt,
            key,
        } => Some(Event::AttemptStarted {
            trial: renumber(*trial)?,
            scorer: scorer.clone(),
            call: call.clone(),
            attempt: *attempt,
            key: *key,
        }),
        Event::AttemptFinished(attempt) => {
            let mut attempt = attempt.clone();
            attempt.trial = renumber(attempt.trial)?;
            Some(Event::AttemptFinished(attempt))
        }
        Event::TrialFinished(result) => {
            let mut result = result.clone();
            result.trial = renumber(result.trial)?;
            Some(Event::TrialFinished(result))
        }
    }
}
