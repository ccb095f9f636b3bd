//! From a suite, a model and versions to a job that can be run: everything is read and checked here,
//! before the first request, and all findings are reported together.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::calibrate::known::{self, Untold, Uses};
use super::dataset::{self, Dataset, Selected};
use super::endpoints::Endpoints;
use super::error::CommandError;
use super::judges::{self, ChosenJudge};
use super::project::Project;
use super::versions::Resolved;
use crate::base::decode::Reader;
use crate::base::rng::fresh_bytes;
use crate::base::{CaseId, Diagnostic, Diagnostics, Digest, RunId, Severity, Source, Span, json};
use crate::chat::{ModelSpec, Request};
use crate::dataset::{Case, Filter};
use crate::plan::order::PlanIdentity;
use crate::plan::{Shard, plan_digest, trial_order};
use crate::prompt::PromptVersion;
use crate::provider::{Call, Subject, Version};
use crate::record::header::{JudgeHeader, MemberHeader};
use crate::record::{
    Arm, ArmHeader, DatasetHeader, JudgeCalibration, ModelHeader, RunHeader, ScorerHeader,
};
use crate::runner::{ArmJob, Job, JudgeJob};
use crate::score::{Kind, ScorerSpec};
use crate::suite::digest::{self, Referenced};
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
}

/// Reads and checks everything that a run needs.
///
/// # Errors
/// All findings together; a filter that matches nothing; a key that is missing.
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
    let header = header(project, wanted, &cases, total, words, &mut material);
    let warnings = std::mem::take(&mut material.warnings);
    let job = job(wanted, &cases, material)?;
    Ok(Some(Prepared {
        header,
        cases,
        job,
        warnings,
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
    let prompts: Vec<&PromptVersion> = wanted
        .arms
        .iter()
        .map(|(_, arm)| arm.prompt.as_ref())
        .collect();
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
    check_references(suite, all, &judges, &mut found);
    check_opponent(wanted, &mut found);
    let mut endpoints = if wanted.command == "lint" {
        Endpoints::unasked(project)
    } else {
        Endpoints::new(project)
    };
    // Those that are asked first: who is asked and also has stored answers needs a key.
    for judge in judges.values() {
        endpoints.get(suite, &judge.model, &mut found)?;
    }
    let asked = wanted.arms.iter().filter(|(_, arm)| arm.stored.is_none());
    for (arm, _) in asked {
        endpoints.get(suite, model_of(wanted, *arm), &mut found)?;
    }
    for (arm, _) in &wanted.arms {
        endpoints.get_unasked(suite, model_of(wanted, *arm), &mut found)?;
    }
    let endpoint = endpoints.get_unasked(suite, wanted.model, &mut found)?;
    let (data, warnings) = found.finish(data.filter(|_| endpoint.is_some()))?;
    check_encoding(wanted, &mut endpoints, data.cases.first())?;
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

/// Of one version alone, a scorer that compares two decides nothing; another one has to.
fn check_opponent(wanted: &Wanted<'_>, found: &mut Diagnostics) {
    let decides = |scorer: &&ScorerSpec| scorer.gating && !scorer.is_pairwise();
    if wanted.arms.len() > 1 || wanted.command == "lint" {
        return;
    }
    let scorers = &wanted.suite.scorers;
    if scorers.iter().find(decides).is_none() {
        let message = "every gating scorer compares two versions, and there is one";
        let diagnostic =
            Diagnostic::error("no-scorer", message).at(&wanted.suite.source, Span::default());
        found.push(diagnostic.help("use `gate compare`, or add a scorer that looks at one answer"));
    }
}

/// Cases need `expected` where a judge's prompt needs a reference.
fn check_references(
    suite: &Suite,
    cases: &[Case],
    judges: &BTreeMap<String, ChosenJudge>,
    found: &mut Diagnostics,
) {
    for (name, _) in judges.iter().filter(|(_, judge)| judge.needs_expected) {
        for case in cases.iter().filter(|case| case.expected.is_none()) {
            let message = format!(
                "case `{}` has no `expected`, which judge `{name}` needs as its reference",
                crate::base::text::visible_line(case.id.as_str())
            );
            let source = Source::row(
                suite.dataset.clone(),
                "",
                usize::try_from(case.line).unwrap_or(1),
            );
            found.push(
                Diagnostic::error("missing-reference", message)
                    .at(&source, Span::default())
                    .help("add `expected` to the case"),
            );
        }
    }
    for scorer in suite.policy.scorers().filter(|name| {
        suite
            .scorers
            .iter()
            .all(|scorer| scorer.name.as_str() != *name)
    }) {
        let known: Vec<&str> = suite
            .scorers
            .iter()
            .map(|scorer| scorer.name.as_str())
            .collect();
        let message =
            format!("the policy has a metric `score.{scorer}`, but there is no such scorer");
        found.push(
            Diagnostic::error("unknown-scorer", message)
                .at(&suite.source, Span::default())
                .help(crate::base::decode::choices(scorer, &known)),
        );
    }
}

/// Puts the first case of each arm into the vendor's form, so that a parameter that the vendor does
/// not take is found before the first request.
fn check_encoding(
    wanted: &Wanted<'_>,
    endpoints: &mut Endpoints<'_>,
    case: Option<&Case>,
) -> Result<(), CommandError> {
    let Some(case) = case else { return Ok(()) };
    let suite = wanted.suite;
    for (side, arm) in wanted.arms.iter().filter(|(_, arm)| arm.stored.is_none()) {
        let model = model_of(wanted, *side);
        let Some(endpoint) = endpoints.get(suite, model, &mut Diagnostics::new())? else {
            continue;
        };
        let Ok(messages) = arm.prompt.render(&case.vars) else {
            continue;
        };
        let request = Request {
            messages,
            params: arm.prompt.params.overlaid(&model.params),
            tools: arm.prompt.tools.clone(),
            response_format: arm.prompt.response_format.clone(),
        };
        let hash = arm.prompt.hash.to_string();
        let version = Version {
            number: arm.prompt.number,
            hash: &hash,
        };
        let subject = Subject {
            case,
            repeat: 1,
            scorer: None,
            version,
        };
        endpoint
            .seal(&Call {
                request: &request,
                subject,
            })
            .map_err(|error| {
                let message = format!(
                    "{} can not be sent to model `{}`: {}",
                    arm.label, model.name, error.message
                );
                let diagnostic =
                    Diagnostic::error("request", message).at(&suite.source, Span::default());
                CommandError::Findings(diagnostic.help(error.help).into())
            })?;
    }
    Ok(())
}

fn header(
    project: &Project,
    wanted: &Wanted<'_>,
    cases: &[Case],
    total: usize,
    (filter, sample): (Option<String>, Option<String>),
    material: &mut Material<'_>,
) -> RunHeader {
    let suite = wanted.suite;
    let notes = notes(wanted, &material.judges, &mut material.warnings);
    let judges = &material.judges;
    let mut referenced = material.referenced();
    referenced.calibrations = known::trusted(suite, &material.calibrations);
    let resolved = digest::resolved(suite, &referenced);
    let suite_digest = Digest::of_json(&resolved);
    let identity = PlanIdentity {
        suite: suite_digest,
        dataset: material.data.digest,
        selected: cases.iter().map(|case| &case.id).collect(),
        arms: wanted.arms.iter().map(arm_identity).collect(),
        model: digest::model(wanted.model, &referenced),
        seed: suite.seed,
        repeat: suite.repeat,
    };
    RunHeader {
        gate: crate::record::codec::FORMAT.to_owned(),
        tool: env!("CARGO_PKG_VERSION").to_owned(),
        run_id: RunId::new(project.clock.now(), &fresh_bytes()),
        command: wanted.command.to_owned(),
        suite: suite.name.to_string(),
        title: title(wanted),
        suite_path: suite.path.clone(),
        prompt: suite.prompt.slug().to_string(),
        suite_digest,
        plan_digest: plan_digest(&identity),
        resolved,
        arms: wanted
            .arms
            .iter()
            .map(|(arm, resolved)| arm_header(*arm, resolved))
            .collect(),
        model: model_header(wanted.model),
        candidate_model: suite.candidate_model.as_ref().map(model_header),
        matrix: Vec::new(),
        scorers: suite
            .scorers
            .iter()
            .map(|scorer| scorer_header(scorer, judges))
            .collect(),
        calibrations: std::mem::take(&mut material.calibrations),
        dataset: DatasetHeader {
            path: suite.dataset.clone(),
            digest: material.data.digest,
            cases: total,
            selected: cases.len(),
        },
        seed: suite.seed,
        repeat: suite.repeat,
        filter,
        sample,
        shard: wanted.shard.map(|shard| shard.to_string()),
        offline: project.settings.offline,
        registry_head: wanted.arms.iter().find_map(|(_, resolved)| resolved.head),
        notes,
    }
}

/// The model that an arm asks.
fn model_of<'w>(wanted: &Wanted<'w>, arm: Arm) -> &'w ModelSpec {
    let candidate = wanted.suite.candidate_model.as_ref();
    candidate
        .filter(|_| arm == Arm::Candidate)
        .unwrap_or(wanted.model)
}

fn model_header(model: &ModelSpec) -> ModelHeader {
    ModelHeader {
        name: model.name.to_string(),
        provider: model.provider.as_str().to_owned(),
        model: model.model.clone(),
    }
}

/// The suite's name as reports print it, with the model where there are several.
fn title(wanted: &Wanted<'_>) -> String {
    let suite = wanted.suite;
    if suite.models.len() > 1 {
        format!("{}@{}", suite.name, wanted.model.name)
    } else {
        suite.name.to_string()
    }
}

/// What a reader of the run should know, and the author of the suite be warned of.
fn notes(
    wanted: &Wanted<'_>,
    judges: &BTreeMap<String, ChosenJudge>,
    warnings: &mut Diagnostics,
) -> Vec<String> {
    let mut notes = Vec::new();
    for (name, _) in judges.iter().filter(|(_, judge)| judge.grades_itself) {
        let note = format!(
            "judge `{name}` asks the model under test, so the model grades itself: add a `judge_model`"
        );
        let warning = Diagnostic::warning("self-judge", note.clone());
        warnings.push(warning.at(&wanted.suite.source, Span::default()));
        notes.push(note);
    }
    let alone = wanted.arms.len() < 2;
    let left_out = wanted.suite.scorers.iter();
    for scorer in left_out.filter(|scorer| alone && scorer.is_pairwise()) {
        notes.push(format!(
            "scorer `{}` compares two versions: a run of one leaves it out",
            scorer.name
        ));
    }
    notes.extend(
        wanted.shard.map(|shard| {
            format!("shard {shard}: a part of the cases; `gate merge` joins all parts")
        }),
    );
    notes
}

/// What the plan knows of an arm: its content, and where its answers come from.
fn arm_identity((arm, resolved): &(Arm, Resolved)) -> (Arm, Digest, Option<String>) {
    let stored = resolved.stored.as_ref();
    let run = stored.map(|stored| stored.run.to_string());
    (*arm, resolved.prompt.hash, run)
}

fn arm_header(arm: Arm, resolved: &Resolved) -> ArmHeader {
    ArmHeader {
        arm,
        reference: resolved.reference.clone(),
        label: resolved.label.clone(),
        version: resolved.prompt.number,
        hash: resolved.prompt.hash,
        file: resolved.prompt.source.name.clone(),
        text: resolved.prompt.source.text.clone(),
    }
}

fn scorer_header(scorer: &ScorerSpec, judges: &BTreeMap<String, ChosenJudge>) -> ScorerHeader {
    let header = |name: &str| {
        judges.get(name).map(|judge| JudgeHeader {
            version: judge.version.clone(),
            hash: judge.judge.version().hash,
            model: judge.model.name.to_string(),
        })
    };
    let members = match &scorer.kind {
        Kind::Panel(panel) => panel.judges.as_slice(),
        Kind::Assertion(_) | Kind::Judge(_) | Kind::Exec(_) => &[],
    };
    let members = members.iter().filter_map(|member| {
        Some(MemberHeader {
            name: member.name.to_string(),
            judge: header(&scorer.member(member.name.as_str()))?,
        })
    });
    ScorerHeader {
        name: scorer.name.to_string(),
        kind: scorer.type_name.clone(),
        gating: scorer.gating,
        judge: match scorer.kind {
            Kind::Judge(_) => header(scorer.name.as_str()),
            Kind::Assertion(_) | Kind::Panel(_) | Kind::Exec(_) => None,
        },
        members: members.collect(),
    }
}

fn job(
    wanted: &Wanted<'_>,
    cases: &Arc<Vec<Case>>,
    material: Material<'_>,
) -> Result<Job, CommandError> {
    let suite = wanted.suite;
    let Material {
        mut own,
        judges,
        mut endpoints,
        ..
    } = material;
    let arms: Vec<Arm> = wanted.arms.iter().map(|(arm, _)| *arm).collect();
    let arm_jobs = arm_jobs(wanted, &mut endpoints)?;
    let own_scorers: HashMap<u32, Vec<ScorerSpec>> = cases
        .iter()
        .zip(0u32..)
        .filter_map(|(case, index)| Some((index, own.remove(&case.id)?)))
        .collect();
    let all_scorers = suite.scorers.iter().chain(own_scorers.values().flatten());
    let commands = endpoints.scorer_commands(all_scorers)?;
    Ok(Job {
        own_scorers,
        order: trial_order(cases.len(), &arms, suite.repeat, suite.seed),
        cases: Arc::clone(cases),
        arms: arm_jobs,
        scorers: suite.scorers.clone(),
        scoring: crate::score::score,
        judges: judge_jobs(suite, judges, &mut endpoints)?,
        commands,
        score_faults: suite.score_faults.clone(),
        looks: None,
        prior: None,
    })
}

fn arm_jobs(
    wanted: &Wanted<'_>,
    endpoints: &mut Endpoints<'_>,
) -> Result<Vec<ArmJob>, CommandError> {
    let suite = wanted.suite;
    let first = wanted.arms.first();
    let first_hash = first.map(|(_, resolved)| resolved.prompt.hash);
    let mut jobs = Vec::with_capacity(wanted.arms.len());
    for (index, (arm, resolved)) in wanted.arms.iter().enumerate() {
        let model = model_of(wanted, *arm);
        let Some(endpoint) = endpoints.get(suite, model, &mut Diagnostics::new())? else {
            continue;
        };
        // The same version of the same model: its repeats are numbered on, to be answers of their own.
        let is_same_version = index > 0 && Some(resolved.prompt.hash) == first_hash;
        let is_same = is_same_version && suite.candidate_model.is_none();
        let stored = resolved.stored.as_ref();
        jobs.push(ArmJob {
            arm: *arm,
            prompt: Arc::clone(&resolved.prompt),
            hash: resolved.prompt.hash.to_string(),
            repeat_offset: if is_same { suite.repeat } else { 0 },
            endpoint,
            price: endpoints.price(model),
            most_output: endpoints.most_output(model),
            stored: stored.map(|stored| Arc::clone(&stored.answers)),
        });
    }
    Ok(jobs)
}

fn judge_jobs(
    suite: &Suite,
    judges: BTreeMap<String, ChosenJudge>,
    endpoints: &mut Endpoints<'_>,
) -> Result<HashMap<String, JudgeJob>, CommandError> {
    let mut jobs = HashMap::new();
    for (name, judge) in judges {
        let mut none = Diagnostics::new();
        let Some(endpoint) = endpoints.get(suite, &judge.model, &mut none)? else {
            continue;
        };
        let job = JudgeJob {
            hash: judge.judge.version().hash.to_string(),
            judge: judge.judge,
            most_verdicts: judge.most_verdicts,
            endpoint,
            price: endpoints.price(&judge.model),
            most_output: endpoints.most_output(&judge.model),
        };
        jobs.insert(name, job);
    }
    Ok(jobs)
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
