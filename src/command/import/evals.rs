//! `gate import openai-evals`: the JSONL samples of OpenAI's evals (`input` and `ideal`,
//! <https://github.com/openai/evals/blob/main/docs/build-eval.md>) become a prompt, a dataset and a
//! suite.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;

use camino::Utf8Path;
use serde_json::{Map, Value as Json, json};

use super::emit;
use super::ledger::{Ledger, Place};
use super::nunjucks;
use crate::base::{Diagnostic, Diagnostics, Name, Node, Source, Value, json as strict};
use crate::command::scaffold::NewFile;
use crate::command::{CommandError, schema};
use crate::store::fs;

/// The basic templates of evals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Template {
    /// The answer begins with an ideal one.
    Match,
    /// An ideal one stands in the answer.
    Includes,
    /// Equal after normalisation, or one in the other.
    FuzzyMatch,
    /// A model says whether the facts are those of the ideal one.
    ModelGraded,
}

/// What is to be imported.
#[derive(Debug, Clone)]
pub struct Samples<'a> {
    /// The samples, as the caller names them.
    pub file: &'a str,
    /// The folder that the path is relative to.
    pub caller: &'a Utf8Path,
    /// How an answer is compared.
    pub template: Template,
    /// The name; else the file's.
    pub name: Option<&'a str>,
    /// The model.
    pub model: &'a str,
}

/// Samples, converted and not yet written.
#[derive(Debug)]
pub struct Evals {
    /// The name of suite and prompt.
    pub name: Name,
    /// The files to write.
    pub files: Vec<NewFile>,
    /// What became of them.
    pub ledger: Ledger,
}

/// A sample: the messages of its input, and its ideal answers.
struct Sample {
    place: Place,
    messages: Vec<(String, String)>,
    ideal: Vec<String>,
}

const MAX_FILE: u64 = 256 << 20;

/// Converts samples.
///
/// # Errors
/// When the file can not be read, or a line is no sample.
pub fn evals(wanted: &Samples<'_>) -> Result<Evals, CommandError> {
    let path = wanted.caller.join(wanted.file);
    let text = fs::read_text(&path, MAX_FILE)?;
    let stem = path.file_stem().unwrap_or("evals");
    let name = Name::slugify(wanted.name.unwrap_or(stem));
    let mut found = Diagnostics::new();
    let mut samples = Vec::new();
    let lines = text.lines().zip(1usize..);
    for (line, number) in lines.filter(|(line, _)| !line.trim().is_empty()) {
        let source = Source::row(wanted.file, line, number);
        match sample(&source) {
            Ok(sample) => samples.push(sample),
            Err(errors) => found.extend(errors),
        }
    }
    found.finish(Some(()))?;
    let mut ledger = Ledger::default();
    let roles = samples.first().map(roles_of).unwrap_or_default();
    samples.retain(|sample| {
        let fits = roles_of(sample) == roles;
        if fits {
            ledger.carried("sample", &sample.place);
        } else {
            let why = "its messages have other roles than the first sample's: keep it in a suite of its own";
            ledger.dropped(&sample.place, "sample", why);
        }
        fits
    });
    if samples.is_empty() {
        let message = format!("{}: there is no sample", wanted.file);
        return Err(CommandError::usage(
            message,
            "a sample is {\"input\": …, \"ideal\": …}, one a line",
        ));
    }
    let files = files(wanted, &name, &samples, &mut ledger);
    Ok(Evals {
        name,
        files,
        ledger,
    })
}

fn roles_of(sample: &Sample) -> Vec<String> {
    sample
        .messages
        .iter()
        .map(|(role, _)| role.clone())
        .collect()
}

fn sample(source: &Arc<Source>) -> Result<Sample, Diagnostics> {
    let node = strict::parse(source)?;
    let wrong = |node: &Node, message: &str, help: &str| -> Diagnostics {
        let found = Diagnostic::error("sample", message).at(source, node.span);
        found.help(help).into()
    };
    let input = node.get("input").ok_or_else(|| {
        wrong(
            &node,
            "the sample has no `input`",
            "add `input`: messages, or a text",
        )
    })?;
    let ideal = node.get("ideal").ok_or_else(|| {
        wrong(
            &node,
            "the sample has no `ideal`",
            "add `ideal`: a text, or a list of them",
        )
    })?;
    let messages = match &input.value {
        Value::Text(text) => Some(vec![("user".to_owned(), text.clone())]),
        Value::List(items) => items.iter().map(message).collect(),
        _ => None,
    };
    let help = "a list of {\"role\": \"system\" | \"user\" | \"assistant\", \"content\": text}";
    let messages: Vec<(String, String)> = messages
        .filter(|messages: &Vec<_>| !messages.is_empty())
        .ok_or_else(|| wrong(input, "`input` is no list of messages", help))?;
    let ideals = match &ideal.value {
        Value::Text(text) => Some(vec![text.clone()]),
        Value::List(items) => items
            .iter()
            .map(|item| item.as_text().map(str::to_owned))
            .collect(),
        _ => None,
    };
    let ideal = ideals
        .filter(|ideals: &Vec<String>| !ideals.is_empty())
        .ok_or_else(|| wrong(ideal, "`ideal` is no text and no list of texts", "quote it"))?;
    Ok(Sample {
        place: Place::of(source, &node),
        messages,
        ideal,
    })
}

fn message(node: &Node) -> Option<(String, String)> {
    let role = node.get("role").and_then(Node::as_text)?;
    let content = node.get("content").and_then(Node::as_text)?;
    ["system", "user", "assistant"]
        .contains(&role)
        .then(|| (role.to_owned(), content.to_owned()))
}

/// The messages of the prompt: text that all samples share stands there, the rest is a variable.
fn template_of(samples: &[Sample]) -> Vec<(String, Option<String>, String)> {
    let Some(first) = samples.first() else {
        return Vec::new();
    };
    let differs = |at: usize| {
        let texts = samples.iter().filter_map(|sample| sample.messages.get(at));
        texts.map(|(_, text)| text).collect::<BTreeSet<_>>().len() > 1
    };
    let varying: Vec<usize> = (0..first.messages.len())
        .filter(|at| differs(*at))
        .collect();
    let last = first.messages.len().saturating_sub(1);
    first
        .messages
        .iter()
        .enumerate()
        .map(|(at, (role, text))| {
            let variable = match varying.as_slice() {
                [only] if *only == at => Some("input".to_owned()),
                // One sample alone: its last message is what changes from case to case.
                [] if at == last => Some("input".to_owned()),
                several if several.contains(&at) => Some(format!("input_{}", at + 1)),
                _ => None,
            };
            (role.clone(), variable, text.clone())
        })
        .collect()
}

fn files(
    wanted: &Samples<'_>,
    name: &Name,
    samples: &[Sample],
    ledger: &mut Ledger,
) -> Vec<NewFile> {
    let messages = template_of(samples);
    let longest = samples
        .iter()
        .flat_map(|sample| &sample.messages)
        .map(|(_, text)| text.chars().count())
        .max()
        .unwrap_or(0);
    let bound = longest.saturating_mul(2).max(10_000);
    let mut prompt = schema::modeline("prompt");
    let _ = writeln!(
        prompt,
        "gate: prompt/1\nprompt: {name}\nversion: 1\nvariables:"
    );
    for variable in messages
        .iter()
        .filter_map(|(_, variable, _)| variable.as_ref())
    {
        let _ = writeln!(
            prompt,
            "  {variable}: {{ type: string, max_length: {bound} }}"
        );
    }
    prompt.push_str("messages:\n");
    for (role, variable, text) in &messages {
        let content = match variable {
            Some(variable) => format!("{{{{{variable}}}}}"),
            None => nunjucks::escape(text),
        };
        let _ = writeln!(
            prompt,
            "  - role: {role}\n    content: {}",
            emit::block(&content, 6)
        );
    }
    let scorer = scorer(wanted.template, samples, ledger);
    let judge = match wanted.template {
        Template::ModelGraded => format!("judge_model: {}\n", wanted.model),
        Template::Match | Template::Includes | Template::FuzzyMatch => String::new(),
    };
    let suite = format!(
        "{}gate: suite/1\nname: {name}\nprompt: {name}\ndataset: ../fixtures/{name}.jsonl\nmodel: {}\n{judge}scorers:\n  - {}\n",
        schema::modeline("suite"),
        wanted.model,
        emit::inline(&scorer)
    );
    vec![
        NewFile::new(format!("evals/{name}.yaml"), suite),
        NewFile::new(format!("prompts/{name}/v1.yaml"), prompt),
        NewFile::new(
            format!("fixtures/{name}.jsonl"),
            dataset(wanted.template, &messages, samples),
        ),
    ]
}

/// The scorer of a template; where a case has several ideal answers it has one of its own.
fn scorer(template: Template, samples: &[Sample], ledger: &mut Ledger) -> Json {
    let mut changed = |why: &str| {
        if let Some(sample) = samples.first() {
            ledger.changed(&sample.place, "the comparison", why);
        }
    };
    match template {
        Template::Match => json!({"type": "starts-with", "value": "{{expected}}"}),
        Template::Includes => json!({"type": "contains-any", "value": "{{expected}}"}),
        Template::FuzzyMatch => {
            changed(
                "equal after normalisation as in SQuAD; that one text lies in the other is not enough",
            );
            json!({"type": "exact-match", "value": "{{expected}}"})
        }
        Template::ModelGraded => {
            changed("it is judged by our prompt, on facts against the ideal answer");
            json!({"type": "judge", "criteria": "The answer agrees in its facts with the reference answer."})
        }
    }
}

fn dataset(
    template: Template,
    messages: &[(String, Option<String>, String)],
    samples: &[Sample],
) -> String {
    let width = samples.len().to_string().len().max(2);
    let mut text = String::new();
    for (sample, number) in samples.iter().zip(1usize..) {
        let vars: Map<String, Json> = messages
            .iter()
            .zip(&sample.messages)
            .filter_map(|((_, variable, _), (_, text))| {
                Some((variable.clone()?, text.as_str().into()))
            })
            .collect();
        let (expected, own) = expected(template, &sample.ideal);
        let own = own.map_or_else(String::new, |own| format!(", \"scorers\": [{own}]"));
        let vars = Json::Object(vars);
        // Writing to a `String` can not fail.
        let _ = writeln!(
            text,
            "{{\"id\": \"s{number:0width$}\", \"vars\": {vars}, \"expected\": {expected}{own}}}"
        );
    }
    text
}

/// What a case expects, and its own scorer where the suite's takes one text alone.
fn expected(template: Template, ideal: &[String]) -> (Json, Option<Json>) {
    match (template, ideal) {
        (Template::Includes | Template::FuzzyMatch, several) => (json!(several), None),
        (Template::ModelGraded, several) => (several.join("\n").into(), None),
        (Template::Match, [one]) => (one.as_str().into(), None),
        (Template::Match, several) => {
            let begins = several
                .iter()
                .map(|text| json!({"type": "starts-with", "value": nunjucks::escape(text)}));
            let begins: Vec<Json> = begins.collect();
            let own = json!({"name": "starts-with", "type": "any-of", "scorers": begins});
            (json!(several), Some(own))
        }
    }
}
