//! From a suite, a model and versions to a job that can be run: everything is read and checked here,
//! before the first request, and all findings are reported together.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

mod check;
mod header;
mod job;

use super::calibrate::known::{self, Untold, Uses};
use super::dataset::{self, Dataset, Selected};
use super::embedders;
use super::endpoints::Endpoints;
use super::error::CommandError;
use super::judges::{self, ChosenJudge};
use super::project::Project;
use super::versions::Resolved;
use crate::base::decode::Reader;
use crate::base::{CaseId, Diagnostic, Diagnostics, Name, Severity, Source, json};
use crate::chat::ModelSpec;
use crate::dataset::{Case, Filter};
use crate::plan::Shard;
use crate::prompt::PromptVersion;
use crate::record::{Arm, JudgeCalibration, RunHeader};
use crate::runner::Job;
use crate::score::{Kind, ScorerSpec};
use crate::suite::digest::Referenced;
use crate::suite::validate::CaseScorers;
use crate::suite::{self, Suite};

/// What a command wants of one suite with one model.
pub struct Wanted<'a> {
    /// The command's name.
    pub command: &'static str,
    /// The suite.
    pub suite: &'a Suite,
    /// The model under test.
    pub model: &'a ModelSpec,
    /// The arms, the candidate last.
    pub arms: Vec<(Arm, Resolved)>,
    /// What the flags narrow the run to.
    pub filter: &'a Filter,
    /// The part of the run that this machine takes.
    pub shard: Option<Shard>,
    /// Whether a filter may match nothing.
    pub allow_empty: bool,
}

/// A run that can begin.
pub struct Prepared {
    /// What the run is about.
    pub header: RunHeader,
    /// The planned cases.
    pub cases: Arc<Vec<Case>>,
    /// The plan.
    pub job: Job,
    /// Warnings about the user's files.
    pub warnings: Diagnostics,
    /// The key that is not there, for whoever wants to send.
    pub missing_key: Option<CommandError>,
}

/// Reads and checks everything that a run needs.
///
/// # Errors
/// All findings together; a filter that matches nothing.
pub fn prepare(project: &Project, wanted: &Wanted<'_>) -> Result<Option<Prepared>, CommandError> {
    let mut material = read(project, wanted)?;
    let total = material.data.cases.len();
    let all = std::mem::take(&mut material.data.cases);
    let Some(selected) = select(wanted, all)? else {
        return Ok(None);
    };
    let cases = Arc::new(selected.cases);
    let words = (selected.filter, selected.sample);
    material.calibrations = calibrations(project, wanted, &cases, &material)?;
    let header = header::header(project, wanted, &cases, total, words, &mut material);
    let warnings = std::mem::take(&mut material.warnings);
    let asked = models_asked(wanted, &cases, &material);
    let missing_key = material
        .endpoints
        .missing_key(|model| asked.contains(model));
    let job = job::job(wanted, &cases, material)?;
    Ok(Some(Prepared {
        header,
        cases,
        job,
        warnings,
        missing_key,
    }))
}

/// What a run is made from, read and checked.
struct Material<'p> {
    data: Dataset,
    own: HashMap<CaseId, Vec<ScorerSpec>>,
    judges: BTreeMap<String, ChosenJudge>,
    calibrations: Vec<JudgeCalibration>,
    endpoints: Endpoints<'p>,
    warnings: Diagnostics,
}

impl Material<'_> {
    /// What the suite names and its digest holds by content.
    fn referenced(&self) -> Referenced {
        let judges = self.judges.iter();
        Referenced {
            judges: judges
                .map(|(name, judge)| (name.clone(), judge.judge.version().hash))
                .collect(),
            files: self.endpoints.files.clone(),
            calibrations: BTreeMap::new(),
        }
    }
}

/// Reads and checks all files.
fn read<'p>(project: &'p Project, wanted: &Wanted<'_>) -> Result<Material<'p>, CommandError> {
    let suite = wanted.suite;
    let mut found = Diagnostics::new();
    let arms = wanted.arms.iter();
    let prompts: Vec<&PromptVersion> = arms.map(|(_, arm)| arm.prompt.as_ref()).collect();
    let data = dataset::load(project, suite, &prompts, &mut found)?;
    let all = data.as_ref().map_or(&[][..], |data| data.cases.as_slice());
    let own = own_scorers(suite, all, &mut found);
    let judges = judges::load(
        project,
        suite,
        own.values().flatten(),
        wanted.model,
        &mut found,
    )?;
    let own_of = |index: usize| own.get(&index).map_or(&[][..], Vec::as_slice);
    suite::validate(
        &suite.dataset,
        all,
        &prompts,
        &suite.scorers,
        own_of,
        &mut found,
    );
    check::references(suite, all, &judges, &mut found);
    check::placeholders(suite, all, &mut found);
    check::early_stop(suite, all, &mut found);
    check::opponent(wanted, &mut found);
    let mut endpoints = asked(project, wanted, &judges, &mut found)?;
    let endpoint = endpoints.get_unasked(suite, wanted.model, &mut found)?;
    let scorers = suite.scorers.iter().chain(own.values().flatten());
    embedders::load(&mut endpoints, suite, scorers, &mut found)?;
    let (data, warnings) = found.finish(data.filter(|_| endpoint.is_some()))?;
    check::encoding(wanted, &mut endpoints, data.cases.first())?;
    let own = own
        .into_iter()
        .filter_map(|(index, scorers)| Some((data.cases.get(index)?.id.clone(), scorers)))
        .collect();
    Ok(Material {
        data,
        own,
        judges,
        calibrations: Vec::new(),
        endpoints,
        warnings,
    })
}

/// What is known of how well the judges agree with people.
fn calibrations(
    project: &Project,
    wanted: &Wanted<'_>,
    cases: &[Case],
    material: &Material<'_>,
) -> Result<Vec<JudgeCalibration>, CommandError> {
    let suite = wanted.suite;
    let all: Vec<&Case> = cases.iter().collect();
    let scorers = suite.scorers.iter().map(|scorer| (scorer, all.clone()));
    let mut uses: Uses<'_> = scorers.collect();
    for case in cases {
        let own = material.own.get(&case.id).into_iter().flatten();
        uses.extend(own.map(|scorer| (scorer, vec![case])));
    }
    let untold = if wanted.command == "lint" {
        Untold::Listed
    } else {
        Untold::LeftOut
    };
    let referenced = material.referenced();
    known::of_suite(project, suite, &material.judges, &uses, &referenced, untold)
}

/// The endpoints of judges and arms. Those that are asked come first: who is asked and also has stored
/// answers needs a key.
fn asked<'p>(
    project: &'p Project,
    wanted: &Wanted<'_>,
    judges: &BTreeMap<String, ChosenJudge>,
    found: &mut Diagnostics,
) -> Result<Endpoints<'p>, CommandError> {
    let suite = wanted.suite;
    let mut endpoints = if wanted.command == "lint" {
        Endpoints::unasked(project)
    } else {
        Endpoints::new(project)
    };
    for judge in judges.values() {
        endpoints.get(suite, &judge.model, found)?;
    }
    let asked = wanted.arms.iter().filter(|(_, arm)| arm.stored.is_none());
    for (arm, _) in asked {
        endpoints.get(suite, model_of(wanted, *arm), found)?;
    }
    for (arm, _) in &wanted.arms {
        endpoints.get_unasked(suite, model_of(wanted, *arm), found)?;
    }
    Ok(endpoints)
}

/// The models that the arms and the scorers of these cases ask.
fn models_asked(wanted: &Wanted<'_>, cases: &[Case], material: &Material<'_>) -> BTreeSet<Name> {
    let arms = wanted.arms.iter();
    let mut asked: BTreeSet<Name> = arms
        .map(|(arm, _)| model_of(wanted, *arm).name.clone())
        .collect();
    for case in cases {
        let own = material.own.get(&case.id).map_or(&[][..], Vec::as_slice);
        for scorer in CaseScorers::new(&wanted.suite.scorers, own).iter() {
            let judges = scorer.judges();
            let judges = judges
                .iter()
                .filter_map(|(name, _)| material.judges.get(name));
            asked.extend(judges.map(|judge| judge.model.name.clone()));
            if let Kind::Similar(similar) = &scorer.kind {
                asked.insert(similar.model.clone());
            }
        }
    }
    asked
}

/// The cases of the run; `None` where a filter may match nothing, and does.
fn select(wanted: &Wanted<'_>, all: Vec<Case>) -> Result<Option<Selected>, CommandError> {
    let suite = wanted.suite;
    let selected = dataset::choose(suite, all, wanted.filter, wanted.shard)?;
    if !selected.cases.is_empty() {
        return Ok(Some(selected));
    }
    if wanted.allow_empty {
        return Ok(None);
    }
    let filter = selected.filter.unwrap_or_default();
    Err(CommandError::usage(
        format!("no case of suite `{}` matches: {filter}", suite.name),
        "mend the filter, or say --allow-empty",
    ))
}

/// The scorers of cases that have their own, decoded like the suite's, by the case's index.
pub(super) fn own_scorers(
    suite: &Suite,
    cases: &[Case],
    found: &mut Diagnostics,
) -> BTreeMap<usize, Vec<ScorerSpec>> {
    let mut own = BTreeMap::new();
    let no_schemas = |_: &str| {
        Err("a scorer of a case can not name a schema by path; write it inline".to_owned())
    };
    for (index, case) in cases
        .iter()
        .enumerate()
        .filter(|(_, case)| !case.scorers.is_empty())
    {
        // Each scorer is read again from its own text, so that places in messages are right.
        let mut scorers = Vec::with_capacity(case.scorers.len());
        for node in &case.scorers {
            let text = node.to_json().to_string();
            let line = usize::try_from(case.line).unwrap_or(1);
            let source = Source::row(suite.dataset.clone(), &text, line);
            let Ok(node) = json::parse(&source) else {
                continue;
            };
            let mut reader = Reader {
                source: Arc::clone(&source),
                diagnostics: found,
            };
            scorers.extend(ScorerSpec::decode(&mut reader, &node, &no_schemas));
        }
        own.insert(index, scorers);
    }
    own
}

/// The model that an arm asks.
fn model_of<'w>(wanted: &Wanted<'w>, arm: Arm) -> &'w ModelSpec {
    let candidate = wanted.suite.candidate_model.as_ref();
    candidate
        .filter(|_| arm == Arm::Candidate)
        .unwrap_or(wanted.model)
}

/// The warnings of a check, rendered.
#[must_use]
pub fn render_warnings(warnings: &Diagnostics) -> Vec<String> {
    warnings
        .iter()
        .filter(|found| found.severity == Severity::Warning)
        .map(Diagnostic::render)
        .collect()
}
