//! The plan of a calibration: each example is a case whose answer is already there, so that the runner
//! asks the judge alone, with cache, limits and retries as in any run. Of two answers the first is the
//! baseline's and the second the candidate's, so that they are compared as in any run, too.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::choose::Chosen;
use crate::base::decode::Reader;
use crate::base::rng::fresh_bytes;
use crate::base::{CaseId, Diagnostics, Digest, Fields, RunId, Slug, Source};
use crate::chat::{Finish, ModelSpec, Usage};
use crate::command::endpoints::Endpoints;
use crate::command::prepare::Prepared;
use crate::command::{CommandError, Project};
use crate::dataset::Case;
use crate::dataset::label::{Example, Labels, Subject};
use crate::plan::trial_order;
use crate::prompt::{self, Expected, Form, PromptVersion};
use crate::record::header::JudgeHeader;
use crate::record::{
    Arm, ArmHeader, AttemptFinished, DatasetHeader, ModelHeader, RunHeader, ScorerHeader, TrialId,
};
use crate::runner::{ArmJob, Job, JudgeJob, StoredAnswers};
use crate::score::ScorerSpec;
use crate::suite::Suite;

/// The command's name in the logs of its runs.
pub const COMMAND: &str = "calibrate";

/// The name of the one scorer.
pub const SCORER: &str = "judge";

/// The one message of the prompt that answers no question: it shows the judge what was asked.
const PROMPT: &str = "gate: prompt/1\nvariables: { question: { type: string, allow_control: true } }\nmessages: [{ role: user, content: \"{{question}}\" }]\n";

/// What is asked of one model.
pub struct Asked<'a> {
    /// The labels.
    pub labels: &'a Labels,
    /// Where they are, as shown.
    pub shown: &'a str,
    /// The suite that names the model.
    pub suite: &'a Suite,
    /// The model.
    pub model: &'a ModelSpec,
    /// How often.
    pub repeat: u32,
}

/// Makes the run that asks a judge on a model about all examples.
///
/// # Errors
/// When the model's key, host, rules or cassette are not there.
pub fn prepare<'p>(
    project: &'p Project,
    chosen: &Chosen,
    asked: &Asked<'_>,
) -> Result<(Prepared, Endpoints<'p>), CommandError> {
    let mut endpoints = Endpoints::new(project);
    let mut found = Diagnostics::new();
    let endpoint = endpoints.get(asked.suite, asked.model, &mut found)?;
    let (endpoint, warnings) = found.finish(endpoint)?;
    let examples = &asked.labels.examples;
    let cases: Arc<Vec<Case>> = Arc::new(examples.iter().map(case).collect());
    let scorers = examples
        .iter()
        .map(|example| scorer(chosen, example))
        .collect::<Result<Vec<_>, _>>()?;
    let prompt = Arc::new(question_prompt()?);
    let hash = chosen.version.hash.to_string();
    let judge = JudgeJob {
        judge: chosen.judge.clone(),
        most_verdicts: 1,
        hash,
        endpoint: Arc::clone(&endpoint),
        price: endpoints.price(asked.model),
        most_output: endpoints.most_output(asked.model),
    };
    let arm = |arm: &Arm| ArmJob {
        arm: *arm,
        hash: prompt.hash.to_string(),
        prompt: Arc::clone(&prompt),
        repeat_offset: 0,
        endpoint: Arc::clone(&endpoint),
        price: None,
        most_output: None,
        stored: Some(Arc::new(LabelledAnswers::of(examples, *arm))),
    };
    let arms = arms(chosen);
    let job = Job {
        order: trial_order(cases.len(), arms, asked.repeat, 1),
        cases: Arc::clone(&cases),
        arms: arms.iter().map(arm).collect(),
        scorers: scorers.first().cloned().into_iter().collect(),
        own_scorers: (0u32..)
            .zip(scorers)
            .map(|(index, scorer)| (index, vec![scorer]))
            .collect(),
        scoring: crate::score::score,
        commands: HashMap::new(),
        embedders: HashMap::new(),
        judges: HashMap::from([(SCORER.to_owned(), judge)]),
        score_faults: Vec::new(),
        looks: None,
        prior: None,
    };
    let prepared = Prepared {
        header: header(project, chosen, asked, &prompt),
        cases,
        job,
        warnings,
        missing_key: endpoints.missing_key(|_| true),
    };
    Ok((prepared, endpoints))
}

/// The sides that have an answer to each case.
fn arms(chosen: &Chosen) -> &'static [Arm] {
    if chosen.judge.compares() {
        &[Arm::Baseline, Arm::Candidate]
    } else {
        &[Arm::Candidate]
    }
}

fn case(example: &Example) -> Case {
    let texts = [
        (
            "question",
            Some(example.question.clone().unwrap_or_default()),
        ),
        ("criteria", example.criteria.clone()),
        ("context", example.context.clone()),
    ];
    let vars = texts
        .into_iter()
        .filter_map(|(key, text)| Some((Arc::from(key), Value::String(text?))));
    Case {
        id: example.id.clone(),
        line: example.line,
        vars: Fields::new(vars.collect()),
        expected: example.reference.clone().map(Value::String),
        segment: Fields::default(),
        tags: Box::default(),
        must_pass: false,
        quarantined: false,
        cluster: None,
        scorers: Box::default(),
        note: None,
        explicit_defaults: crate::dataset::case::ExplicitDefaults::default(),
    }
}

/// The scorer of an example: what it says of criteria and context comes from the label.
fn scorer(chosen: &Chosen, example: &Example) -> Result<ScorerSpec, CommandError> {
    let judge = chosen.reference.to_string();
    let mut form = json!({"type": chosen.type_name, "name": SCORER, "judge": judge});
    if let Some(fields) = form.as_object_mut() {
        fields.extend(chosen.settings.clone());
    }
    let given = [
        ("criteria", example.criteria.is_some()),
        ("context", example.context.is_some()),
    ];
    for (key, given) in given {
        if given && let Some(fields) = form.as_object_mut() {
            fields.insert(key.to_owned(), format!("{{{{vars.{key}}}}}").into());
        }
    }
    let source = Source::new("the judge", &form.to_string());
    let node = crate::base::json::parse(&source)?;
    let mut found = Diagnostics::new();
    let mut reader = Reader {
        source,
        diagnostics: &mut found,
    };
    let no_schemas = |_: &str| Err("a judge has no schema".to_owned());
    let scorer = ScorerSpec::decode(&mut reader, &node, &no_schemas);
    let (scorer, _) = found.finish(scorer)?;
    Ok(scorer)
}

fn question_prompt() -> Result<PromptVersion, CommandError> {
    let expected = Expected {
        slug: Slug::of_stem("labels"),
        number: None,
        form: Form::Yaml,
    };
    let mut found = Diagnostics::new();
    let version = prompt::decode(&Source::new("labels", PROMPT), &expected, &mut found);
    let (version, _) = found.finish(version)?;
    Ok(version)
}

fn header(
    project: &Project,
    chosen: &Chosen,
    asked: &Asked<'_>,
    prompt: &PromptVersion,
) -> RunHeader {
    let labels = asked.labels.digest;
    let judge = JudgeHeader {
        version: chosen.reference.to_string(),
        hash: chosen.version.hash,
        model: asked.model.name.to_string(),
    };
    let plan = json!([labels, judge.hash, asked.model.id(), asked.repeat]);
    let examples = asked.labels.examples.len();
    RunHeader {
        gate: crate::record::codec::FORMAT.to_owned(),
        tool: env!("CARGO_PKG_VERSION").to_owned(),
        run_id: RunId::new(project.clock.now(), &fresh_bytes()),
        command: COMMAND.to_owned(),
        suite: COMMAND.to_owned(),
        title: chosen.reference.to_string(),
        suite_path: asked.shown.to_owned(),
        prompt: chosen.reference.slug.to_string(),
        suite_digest: labels,
        plan_digest: Digest::of_json(&plan),
        resolved: json!({}),
        arms: arm_headers(chosen, prompt),
        model: ModelHeader {
            name: asked.model.name.to_string(),
            provider: asked.model.provider.as_str().to_owned(),
            model: asked.model.model.clone(),
        },
        candidate_model: None,
        matrix: Vec::new(),
        scorers: vec![ScorerHeader {
            name: SCORER.to_owned(),
            kind: chosen.type_name.clone(),
            gating: true,
            judge: Some(judge),
            members: Vec::new(),
        }],
        calibrations: Vec::new(),
        dataset: DatasetHeader {
            path: asked.shown.to_owned(),
            digest: labels,
            cases: examples,
            selected: examples,
        },
        seed: 1,
        repeat: asked.repeat,
        filter: None,
        shard: None,
        sample: None,
        offline: project.settings.offline,
        registry_head: None,
        notes: Vec::new(),
    }
}

fn arm_headers(chosen: &Chosen, prompt: &PromptVersion) -> Vec<ArmHeader> {
    let header = |arm: &Arm| ArmHeader {
        arm: *arm,
        reference: "labels".to_owned(),
        label: "labels".to_owned(),
        version: None,
        hash: prompt.hash,
        file: "labels".to_owned(),
        text: PROMPT.to_owned(),
    };
    arms(chosen).iter().map(header).collect()
}

/// The answers that people have labelled, in place of a model's.
struct LabelledAnswers(HashMap<CaseId, String>);

impl LabelledAnswers {
    fn of(examples: &[Example], arm: Arm) -> Self {
        let answers = examples.iter().map(|example| {
            let answer = match (&example.subject, arm) {
                (Subject::Answer(answer), _)
                | (Subject::Pair([answer, _]), Arm::Baseline)
                | (Subject::Pair([_, answer]), Arm::Candidate) => answer,
            };
            (example.id.clone(), answer.clone())
        });
        Self(answers.collect())
    }
}

impl StoredAnswers for LabelledAnswers {
    fn answer(&self, case: &CaseId, repeat: u32) -> Option<AttemptFinished> {
        let reply = self.0.get(case)?.clone();
        Some(AttemptFinished {
            trial: TrialId {
                case: 0,
                arm: Arm::Candidate,
                repeat,
            },
            token_choices: Vec::new(),
            scorer: None,
            call: None,
            attempt: 0,
            key: Digest::of_bytes(reply.as_bytes()),
            class: None,
            message: None,
            reply,
            finish: Some(Finish::Stop),
            tool_calls: Vec::new(),
            usage: Usage::default(),
            cost_usd: Some(0.0),
            served_model: None,
            fingerprint: None,
            latency_ms: Some(0.0),
            cached: true,
            batch: None,
        })
    }
}
