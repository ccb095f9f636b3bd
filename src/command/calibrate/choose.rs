//! Which judge is calibrated, and on which models: those named, else the one that the suites ask.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::base::{Diagnostics, Slug, Source, text};
use crate::chat::ModelSpec;
use crate::command::judges::{choose_model, judge_version, registry_of};
use crate::command::{CommandError, Project, suites};
use crate::prompt::PromptVersion;
use crate::score::judge::{JudgeReference, builtin};
use crate::score::{Judge, JudgeSpec, ScorerSpec};
use crate::suite::{self, Suite};

/// What is calibrated.
pub struct Chosen {
    /// The judge.
    pub judge: Judge,
    /// Its version.
    pub version: Arc<PromptVersion>,
    /// The type of scorer that reads its replies.
    pub type_name: String,
    /// How a suite's scorer asks this judge, beyond what a label says: the keys of the scorer.
    pub settings: Map<String, Value>,
    /// The reference with the version's number.
    pub reference: JudgeReference,
    /// The version's number.
    pub number: u32,
    /// The registry's folder.
    pub registry: String,
    /// The models, each with the suite that names it.
    pub models: Vec<(Suite, ModelSpec)>,
}

/// Finds judge and models.
///
/// # Errors
/// When the judge is none, or it is not clear which model is meant.
pub fn choose(project: &Project, judge: &str, models: &[String]) -> Result<Chosen, CommandError> {
    let reference = parse(judge)?;
    let suites = project_suites(project, models)?;
    let user = suites
        .iter()
        .find(|suite| uses(suite, &reference.slug).next().is_some());
    let registry = registry_of(project, user.or_else(|| suites.first()));
    let version = judge_version(project, &registry, &reference)?;
    let Some(number) = version.number else {
        return Err(CommandError::usage(
            format!("`{judge}` is no numbered version, so its record would be of nothing lasting"),
            "add the judge to the registry as prompts/judges/name/v1.yaml, and calibrate judges/name@v1",
        ));
    };
    let fit = Judge::new(Arc::clone(&version)).map_err(|fault| {
        CommandError::usage(
            format!("`{judge}` can not judge: {fault}"),
            "a judge is a prompt version as docs/judges.md describes it",
        )
    })?;
    let reference = JudgeReference {
        slug: reference.slug,
        version: format!("v{number}"),
    };
    let used = user.and_then(|suite| uses(suite, &reference.slug).next());
    let used_type = used.map(|(scorer, _)| scorer.type_name.as_str());
    let type_name = type_of(&fit, &reference, used_type).to_owned();
    let same_type = used.filter(|(scorer, _)| scorer.type_name == type_name);
    let settings = same_type.map_or_else(Map::new, |(scorer, _)| settings(scorer));
    let models = if models.is_empty() {
        vec![only_model(
            project, &suites, &registry, &reference, &version,
        )?]
    } else {
        let named = models.iter().map(|model| named_model(&suites, model));
        named.collect::<Result<Vec<_>, _>>()?
    };
    for (index, (_, model)) in models.iter().enumerate() {
        if models
            .iter()
            .take(index)
            .any(|(_, other)| other.id() == model.id())
        {
            return Err(CommandError::usage(
                format!("`--model` names `{}` twice", text::visible_line(model.id())),
                "name each model once",
            ));
        }
    }
    Ok(Chosen {
        judge: fit,
        version,
        type_name,
        settings,
        reference,
        number,
        registry,
        models,
    })
}

/// The type of scorer that reads a judge's replies; `used` is the one that a suite gives it.
fn type_of<'u>(judge: &Judge, reference: &JudgeReference, used: Option<&'u str>) -> &'u str {
    const PAIRWISE: &str = "pairwise";
    if judge.compares() {
        return PAIRWISE;
    }
    used.filter(|used| *used != PAIRWISE)
        .unwrap_or_else(|| match reference.to_string().as_str() {
            builtin::FACTUALITY => "factuality",
            builtin::G_EVAL => "g-eval",
            _ => "judge",
        })
}

/// The keys of a scorer that change what its judge is asked or how its reply is read.
fn settings(scorer: &ScorerSpec) -> Map<String, Value> {
    let keys = ["steps", "samples", "logprobs", "scores"];
    let given = keys.into_iter().filter_map(|key| {
        let value = scorer.resolved().get(key)?;
        Some((key.to_owned(), value.clone()))
    });
    given.collect()
}

fn parse(judge: &str) -> Result<JudgeReference, CommandError> {
    let help = "write prompt and version, such as judges/politeness@v2 or gate/rubric@v1";
    let (slug, version) = judge
        .split_once('@')
        .filter(|(_, version)| !version.is_empty())
        .ok_or_else(|| {
            CommandError::usage(format!("`{judge}` names no version of a judge"), help)
        })?;
    let slug = Slug::new(slug).map_err(|error| CommandError::usage(error.to_string(), help))?;
    Ok(JudgeReference {
        slug,
        version: version.to_owned(),
    })
}

/// The suites that the settings choose; none of a project without suites, where a model is named in full.
fn project_suites(project: &Project, models: &[String]) -> Result<Vec<Suite>, CommandError> {
    let in_full = !models.is_empty() && models.iter().all(|model| model.contains(':'));
    let loaded = match suites::load_all(project) {
        Ok((loaded, _)) => loaded,
        Err(CommandError::Usage { .. }) if in_full => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    if project.settings.suite.is_empty() {
        return Ok(loaded);
    }
    suites::choose(project, loaded)
}

/// The scorers of a suite that ask a judge, those in panels included.
fn uses<'s>(
    suite: &'s Suite,
    slug: &'s Slug,
) -> impl Iterator<Item = (&'s ScorerSpec, &'s JudgeSpec)> {
    let scorers = suite.scorers.iter().flat_map(ScorerSpec::that_judge);
    scorers.filter(|(_, judge)| judge.judge.slug == *slug)
}

/// The one model that the suites ask with this judge.
fn only_model(
    project: &Project,
    suites: &[Suite],
    registry: &str,
    reference: &JudgeReference,
    version: &PromptVersion,
) -> Result<(Suite, ModelSpec), CommandError> {
    let mut found: Vec<(Suite, ModelSpec)> = Vec::new();
    for suite in suites {
        for (_, spec) in uses(suite, &reference.slug) {
            let same = spec.judge == *reference
                || judge_version(project, registry, &spec.judge)
                    .is_ok_and(|other| other.hash == version.hash);
            let main = suite.models.first();
            let model = main.and_then(|main| choose_model(suite, spec, main));
            if let Some((model, _)) = model.filter(|_| same)
                && !found.iter().any(|(_, known)| known == model)
            {
                found.push((suite.clone(), model.clone()));
            }
        }
    }
    let names: Vec<&str> = found.iter().map(|(_, model)| model.name.as_str()).collect();
    match names.as_slice() {
        [_] => found.pop().ok_or_else(|| no_model(reference)),
        [] => Err(no_model(reference)),
        several => Err(CommandError::usage(
            format!(
                "suites ask `{reference}` on several models: {}",
                several.join(", ")
            ),
            "choose with --model NAME, or with --suite NAME",
        )),
    }
}

fn no_model(reference: &JudgeReference) -> CommandError {
    CommandError::usage(
        format!("no suite asks `{reference}`, so its model is not known"),
        "name it: --model openai:gpt-4o-mini-2024-07-18, or --model NAME of an entry of `judge_models` or `models`",
    )
}

/// A model by its name in a suite, or written out as `provider:model`.
fn named_model(suites: &[Suite], written: &str) -> Result<(Suite, ModelSpec), CommandError> {
    for suite in suites {
        let mut all = suite.judge_models.iter().chain(&suite.models);
        if let Some(model) = all.find(|model| model.name.as_str() == written) {
            return Ok((suite.clone(), model.clone()));
        }
    }
    if !written.contains(':') {
        return Err(CommandError::usage(
            format!("no suite has a model `{}`", text::visible_line(written)),
            "name an entry of `judge_models` or `models`, or write provider:model",
        ));
    }
    let mut suite = made_up(written)?;
    let model = suite.models.pop().ok_or_else(|| {
        CommandError::usage(format!("`{written}` is no model"), "write provider:model")
    })?;
    Ok((suite, model))
}

/// A suite that holds a model alone, so that it is read by the rules of suites.
fn made_up(model: &str) -> Result<Suite, CommandError> {
    let form = serde_json::json!({
        "gate": "suite/1",
        "name": "calibrate",
        "dataset": "labels.jsonl",
        "model": model,
        "scorers": [{"type": "is-json"}],
    });
    let source = Source::new("--model", &form.to_string());
    let no_schemas = |_: &str| Err("there is no schema here".to_owned());
    let mut found = Diagnostics::new();
    let suite = suite::decode(&source, "calibrate.yaml", &no_schemas, &mut found);
    let fault = found.iter().next().map(|fault| fault.message.clone());
    suite.ok_or_else(|| {
        let message = fault.unwrap_or_else(|| "it can not be read".to_owned());
        CommandError::usage(
            format!("--model {}: {message}", text::visible_line(model)),
            "write provider:model, such as openai:gpt-4o-mini-2024-07-18",
        )
    })
}
