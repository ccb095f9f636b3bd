//! `gate import results`: the answers that another tool has recorded become a stored run of a suite,
//! scored by the suite's own scorers, so that `gate compare run:ID worktree` has a baseline.

use std::collections::HashMap;
use std::sync::Arc;

use camino::Utf8Path;

use crate::base::rng::fresh_bytes;
use crate::base::{CaseId, Diagnostics, Digest, Name, RunId, text};
use crate::chat::{Finish, Usage};
use crate::command::decide::files;
use crate::command::decide::row::Row;
use crate::command::run::{self, Flags, Hooks};
use crate::command::versions::{Stored, Versions};
use crate::command::{CommandError, Outcome, Project, dataset, prepare};
use crate::dataset::Case;
use crate::record::event::AttemptFinished;
use crate::record::{Arm, TrialId};
use crate::registry::reference::VersionRef;
use crate::runner::StoredAnswers;
use crate::suite::Suite;

/// What is to be imported.
#[derive(Debug, Clone)]
pub struct Recorded<'a> {
    /// The file, as the caller names it; `#N` chooses a prompt of a promptfoo file.
    pub file: &'a str,
    /// The folder that the path is relative to.
    pub caller: &'a Utf8Path,
    /// The version that gave the answers.
    pub version: VersionRef,
    /// The scorer of an Inspect log, where it has several.
    pub scorer: Option<&'a str>,
}

/// Records the answers as a run of the one suite that the settings choose.
///
/// # Errors
/// When the file can not be read, no case has an answer in it, or the run can not be recorded.
pub async fn results(
    project: &Project,
    wanted: &Recorded<'_>,
    hooks: &mut Hooks<'_>,
) -> Result<Outcome, CommandError> {
    let suites = run::chosen_suites(project, hooks)?;
    let [suite] = suites.as_slice() else {
        return Err(CommandError::usage(
            format!("the project has {}", text::count(suites.len(), "suite")),
            "choose the one that the answers belong to with --suite NAME",
        ));
    };
    let found = files::read(wanted.file, wanted.caller, wanted.scorer)?;
    let versions = Versions::of(project, suite);
    let mut resolved = versions.resolve(&wanted.version)?;
    let mut diagnostics = Diagnostics::new();
    let loaded = dataset::load(project, suite, &[&resolved.prompt], &mut diagnostics)?;
    let (loaded, _) = diagnostics.finish(loaded)?;
    let cases = loaded.cases;
    let answers = Answers::of(&cases, &found.outcomes.rows);
    if answers.given.is_empty() {
        return Err(CommandError::usage(
            format!(
                "{}: no answer belongs to a case of suite `{}`",
                wanted.file, suite.name
            ),
            "ids, descriptions or variables must be those of the dataset: gate import promptfoo makes them so",
        ));
    }
    let without = cases.iter().filter(|case| !answers.has(case)).count();
    if without > 0 {
        let cases = text::count(without, "case");
        (hooks.say)(&format!(
            "{cases} without an answer in {}",
            text::visible_line(wanted.file)
        ));
    }
    resolved.label = format!("{} in {}", resolved.label, wanted.file);
    resolved.stored = Some(Stored {
        run: RunId::new(project.clock.now(), &fresh_bytes()),
        answers: Arc::new(answers),
    });
    record(project, suite, resolved, hooks).await
}

async fn record(
    project: &Project,
    suite: &Suite,
    resolved: crate::command::versions::Resolved,
    hooks: &mut Hooks<'_>,
) -> Result<Outcome, CommandError> {
    let flags = Flags {
        no_gate: true,
        ..Flags::default()
    };
    let mut outcome = Outcome::new("run", true);
    let Some(model) = suite.models.first() else {
        return Ok(outcome);
    };
    let wanted = prepare::Wanted {
        command: "run",
        suite,
        model,
        arms: vec![(Arm::Candidate, resolved)],
        filter: &flags.filter,
        shard: None,
        allow_empty: false,
    };
    let result = Box::pin(run::one(project, &wanted, &flags, hooks, &mut outcome)).await?;
    outcome.suites.push(result);
    let next = format!(
        "it is the newest run: gate compare run:last worktree --suite {}",
        suite.name
    );
    (hooks.say)(&next);
    Ok(outcome)
}

/// Answers by case and repeat.
struct Answers {
    given: HashMap<(String, u32), AttemptFinished>,
}

impl Answers {
    /// The rows that belong to cases: by id, by the description as an id, or by equal variables.
    fn of(cases: &[Case], rows: &[Row]) -> Self {
        let mut by_id: HashMap<&str, &Case> = HashMap::new();
        let mut by_vars: HashMap<Digest, &Case> = HashMap::new();
        for case in cases {
            by_id.insert(case.id.as_str(), case);
            by_vars.insert(Digest::of_json(&case.vars.to_json()), case);
        }
        let mut given = HashMap::new();
        for row in rows
            .iter()
            .filter(|row| row.error.is_none() && !row.skipped)
        {
            let slug = Name::slugify(&row.id);
            let case = by_id
                .get(row.id.as_str())
                .or_else(|| by_vars.get(row.content.as_ref()?))
                .or_else(|| by_id.get(slug.as_str()));
            if let (Some(case), Some(output)) = (case, &row.output) {
                let repeat = row.trial.unwrap_or(1);
                let id = case.id.as_str().to_owned();
                given.insert((id, repeat), attempt(row, output, repeat));
            }
        }
        Self { given }
    }

    fn has(&self, case: &Case) -> bool {
        self.given.contains_key(&(case.id.as_str().to_owned(), 1))
    }
}

fn attempt(row: &Row, output: &str, repeat: u32) -> AttemptFinished {
    AttemptFinished {
        trial: TrialId {
            case: 0,
            arm: Arm::Candidate,
            repeat,
        },
        scorer: None,
        token_choices: Vec::new(),
        call: None,
        attempt: 1,
        key: Digest::of_bytes(output.as_bytes()),
        class: None,
        message: None,
        reply: output.to_owned(),
        finish: Some(Finish::Stop),
        tool_calls: Vec::new(),
        usage: Usage {
            input_tokens: row.input_tokens,
            output_tokens: row.output_tokens,
            ..Usage::default()
        },
        cost_usd: row.cost_usd,
        served_model: None,
        fingerprint: None,
        latency_ms: row.latency_ms,
        cached: false,
        batch: None,
    }
}

impl StoredAnswers for Answers {
    fn answer(&self, case: &CaseId, repeat: u32) -> Option<AttemptFinished> {
        self.given.get(&(case.as_str().to_owned(), repeat)).cloned()
    }
}
