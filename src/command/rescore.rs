//! `gate rescore`: the answers of a stored run under the scorers as they stand now, in a run of its own
//! that names the one its answers come from. No model under test is called; judges are, for what the
//! cache does not hold.

use std::collections::HashMap;

use serde_json::Value;

use super::error::CommandError;
use super::outcome::Outcome;
use super::prepare::{self, Prepared, Wanted};
use super::project::Project;
use super::run::{self, Flags, Hooks};
use super::suites;
use super::versions::Versions;
use crate::base::text;
use crate::chat::ModelSpec;
use crate::dataset::Case;
use crate::record::{Arm, Run};
use crate::registry::reference::{RunArm, RunPick, VersionRef};
use crate::report::content::NextStep;
use crate::store::runs;
use crate::suite::Suite;

/// Cases that are named.
const NAMED: usize = 5;

/// Scores the stored answers of a run by the suite as it stands now.
///
/// # Errors
/// When the run is not there, is not finished, or the suite asks something else now.
pub async fn rescore(
    project: &Project,
    wanted: &str,
    suite: Option<&str>,
    no_gate: bool,
    hooks: &mut Hooks<'_>,
) -> Result<Outcome, CommandError> {
    let id = runs::find(&project.state, wanted)?;
    let source = runs::load(&project.state, &id)?.run;
    check_source(&source)?;
    let mut suite = match suite {
        Some(path) => suites::load_one(project, path)?,
        None => suite_of(project, &source)?,
    };
    // The answers are those of that run: as many, in its order, of its sample.
    suite.repeat = source.header.repeat;
    suite.seed = source.header.seed;
    let model = model_of(&suite, &source)?.clone();
    let versions = Versions::of(project, &suite);
    let mut arms = Vec::new();
    for arm in source.arms() {
        let side = match arm {
            Arm::Baseline => RunArm::Baseline,
            Arm::Candidate => RunArm::Candidate,
        };
        let reference = VersionRef::Run {
            run: RunPick::Prefix(id.to_string()),
            arm: side,
        };
        arms.push((arm, versions.resolve(&reference)?));
    }
    let flags = Flags {
        no_gate,
        ..Flags::default()
    };
    let asked = Wanted {
        command: "rescore",
        suite: &suite,
        model: &model,
        arms,
        filter: &flags.filter,
        shard: None,
        allow_empty: false,
    };
    let mut outcome = Outcome::new("rescore", no_gate);
    let Some(mut prepared) = prepare::prepare(project, &asked)? else {
        return Ok(outcome);
    };
    check_questions(&source, &prepared)?;
    check_model(&source, &prepared)?;
    prepared.header.notes.push(format!(
        "Rescored: the answers are those of run {id}; this run, {}, scores them anew.",
        prepared.header.run_id
    ));
    let result = run::go(project, &asked, prepared, &flags, hooks, &mut outcome);
    let result = Box::pin(result).await?;
    outcome.suites.push(result);
    outcome.next.push(NextStep {
        command: format!("gate report {id}"),
        note: "the scores before".to_owned(),
    });
    Ok(outcome)
}

/// Only a whole run of one pair can be scored anew.
fn check_source(source: &Run) -> Result<(), CommandError> {
    let header = &source.header;
    let id = &header.run_id;
    if !source.is_complete() {
        return Err(CommandError::usage(
            format!("run {id} is not finished"),
            "finish it first: gate compare --resume, or gate run --resume",
        ));
    }
    let part = header.filter.as_ref().or(header.shard.as_ref());
    if let Some(part) = part {
        return Err(CommandError::usage(
            format!("run {id} holds a part of the cases ({part})"),
            "rescore a run of all cases; `gate merge` joins shards",
        ));
    }
    if header.resolved.get("scorers").is_none() || header.candidate_model.is_some() {
        return Err(CommandError::usage(
            format!("run {id} is not one of a suite with one model"),
            "rescore takes the runs of `gate compare` and `gate run`",
        ));
    }
    Ok(())
}

fn suite_of(project: &Project, source: &Run) -> Result<Suite, CommandError> {
    let name = &source.header.suite;
    let (all, _) = suites::load_all(project)?;
    all.into_iter()
        .find(|suite| suite.name.as_str() == name)
        .ok_or_else(|| {
            CommandError::usage(
                format!("there is no suite `{name}` any more"),
                "name its file with --suite FILE",
            )
        })
}

fn model_of<'s>(suite: &'s Suite, source: &Run) -> Result<&'s ModelSpec, CommandError> {
    let name = &source.header.model.name;
    let found = suite
        .models
        .iter()
        .find(|model| model.name.as_str() == name);
    found.ok_or_else(|| {
        CommandError::usage(
            format!("the suite has no model `{name}`, which gave the answers"),
            "answers of another model need a run of their own",
        )
    })
}

/// The cases have to ask what the stored answers answer; what is expected may differ.
fn check_questions(source: &Run, prepared: &Prepared) -> Result<(), CommandError> {
    let old: HashMap<&str, &Case> = source
        .cases
        .iter()
        .map(|case| (case.id.as_str(), case))
        .collect();
    let asks_anew = |case: &&Case| {
        old.get(case.id.as_str())
            .is_none_or(|old| old.vars != case.vars)
    };
    let changed: Vec<String> = prepared
        .cases
        .iter()
        .filter(asks_anew)
        .map(|case| text::visible_line(case.id.as_str()))
        .collect();
    let gone = source.cases.len() + changed.len() > prepared.cases.len() && changed.is_empty();
    if gone && prepared.cases.len() < source.cases.len() {
        let fewer = source.cases.len() - prepared.cases.len();
        return Err(CommandError::usage(
            format!(
                "the dataset has lost {} of the run",
                text::count(fewer, "case")
            ),
            "put them back, or begin a new run: nobody may leave out cases after seeing the answers",
        ));
    }
    if changed.is_empty() {
        return Ok(());
    }
    let named: Vec<&str> = changed.iter().take(NAMED).map(String::as_str).collect();
    Err(CommandError::usage(
        format!(
            "{} ask something that the run was not asked: {}",
            text::count(changed.len(), "case"),
            named.join(", ")
        ),
        "begin a new run: answers that are still right come from the cache",
    ))
}

/// The model has to be set up as it was when it answered.
fn check_model(source: &Run, prepared: &Prepared) -> Result<(), CommandError> {
    let entry = |run: &crate::record::RunHeader| {
        let mut models = run.resolved.get("models")?.as_array()?.iter();
        let named = |model: &&Value| {
            model.get("name").and_then(|name| name.as_str()) == Some(&run.model.name)
        };
        let mut entry = models.rfind(named)?.clone();
        // A new price changes no answer.
        entry.as_object_mut()?.remove("price");
        Some(entry)
    };
    if entry(&source.header) == entry(&prepared.header) {
        return Ok(());
    }
    Err(CommandError::usage(
        format!(
            "model `{}` is not set up as it was when it answered",
            source.header.model.name
        ),
        "begin a new run: these answers say nothing about the model as it is set up now",
    ))
}
