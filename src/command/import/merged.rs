//! A test with what `defaultTest` and its scenario add, one for each combination of its variables.

use std::sync::Arc;

use serde_json::{Map, Value as Json};

use super::files::Files;
use super::javascript;
use super::ledger::{Ledger, Place};
use super::nunjucks;
use super::tests_of::Written;
use super::types;
use crate::base::{Node, Source, Value, text};

/// A test as it is run.
#[derive(Debug, Clone)]
pub struct Test {
    /// Where it is written.
    pub place: Place,
    /// Its description.
    pub description: Option<String>,
    /// Its variables, with templates in them filled in.
    pub vars: Map<String, Json>,
    /// Its assertions, those of `defaultTest` first.
    pub asserts: Vec<(Place, Node)>,
    /// The least score that passes, where it has one.
    pub threshold: Option<f64>,
    /// What is done to the answer first.
    pub transform: Vec<Json>,
    /// Whether its answer is changed by code that was not carried over.
    pub unknown_answer: bool,
    /// The answer that is scored instead of asking.
    pub answer: Option<String>,
    /// What is said about it.
    pub metadata: Map<String, Json>,
    /// Who grades it.
    pub grader: Option<(Place, Node)>,
    /// Text before and after the prompt.
    pub around: (String, String),
}

/// The layers of a test: `defaultTest`, the scenario's set, the test itself.
struct Layers<'n> {
    layers: Vec<(&'n Arc<Source>, &'n Node)>,
}

impl<'n> Layers<'n> {
    fn last(&self, key: &str) -> Option<(&'n Arc<Source>, &'n Node)> {
        let found = self.layers.iter().rev();
        let mut found = found.filter_map(|(source, node)| Some((*source, node.get(key)?)));
        found.find(|(_, node)| !node.is_null())
    }

    fn option(&self, key: &str) -> Option<(&'n Arc<Source>, &'n Node)> {
        let options = self.layers.iter().rev();
        let mut options =
            options.filter_map(|(source, node)| Some((*source, node.get("options")?)));
        options.find_map(|(source, options)| Some((source, options.get(key)?)))
    }

    fn text_option(&self, key: &str) -> Option<String> {
        let (_, node) = self.option(key)?;
        node.as_text().map(str::to_owned)
    }

    fn flag(&self, key: &str) -> bool {
        self.option(key)
            .is_some_and(|(_, node)| node.value == Value::Bool(true))
    }
}

/// Why an option or key of a test is not carried over.
const LEFT_OUT: [(&str, &str); 10] = [
    (
        "provider",
        "a case has no model of its own: make a suite for it",
    ),
    (
        "providers",
        "a case has no models of its own: make a suite for it",
    ),
    (
        "prompts",
        "every case is asked of every version: make a suite for it",
    ),
    (
        "assertScoringFunction",
        "a score made by code has no counterpart",
    ),
    (
        "transformVars",
        "variables made by code: write them into the cases",
    ),
    ("storeOutputAs", "cases do not depend on each other"),
    (
        "rubricPrompt",
        "its own judge prompt: write it as a version of a judge (docs/judges.md)",
    ),
    (
        "factuality",
        "the weights of factuality have no counterpart",
    ),
    (
        "repeat",
        "repeats are the suite's: `repeat:`, or --repeat N",
    ),
    (
        "postprocess",
        "it was renamed: write it as `transform` and import again",
    ),
];

/// The tests that one written test stands for.
pub fn expand(
    written: &Written,
    default: Option<(&Arc<Source>, &Node)>,
    files: &Files,
    ledger: &mut Ledger,
) -> Vec<Test> {
    let place = Place::of(&written.source, &written.node);
    let mut layers = Layers { layers: Vec::new() };
    layers.layers.extend(default);
    if let Some(set) = &written.scenario {
        layers.layers.push((&written.source, set));
    }
    layers.layers.push((&written.source, &written.node));
    for (source, node) in &layers.layers {
        report_keys(source, node, ledger);
    }
    let values = variables(&layers, files, ledger);
    let (transform, unknown_answer) = transform_of(&layers, ledger);
    let whole = Test {
        place,
        description: layers
            .last("description")
            .and_then(|(_, node)| node.as_text().map(str::to_owned)),
        vars: Map::new(),
        asserts: assertions(&layers, files, ledger),
        threshold: layers
            .last("threshold")
            .and_then(|(_, node)| match node.value {
                Value::Number(number) => Some(number),
                _ => None,
            }),
        transform,
        unknown_answer,
        answer: layers
            .last("providerOutput")
            .map(|(_, node)| match node.as_text() {
                Some(text) => text.to_owned(),
                None => node.to_json().to_string(),
            }),
        metadata: metadata(&layers),
        grader: layers
            .option("provider")
            .map(|(source, node)| (Place::of(source, node), node.clone())),
        around: (
            layers.text_option("prefix").unwrap_or_default(),
            layers.text_option("suffix").unwrap_or_default(),
        ),
    };
    let combined = combine(&values, layers.flag("disableVarExpansion"));
    let test = |vars: Map<String, Json>| Test {
        vars: fill_in(vars),
        ..whole.clone()
    };
    combined.into_iter().map(test).collect()
}

/// Says which keys of a test are left out, and which nobody knows.
fn report_keys(source: &Arc<Source>, node: &Node, ledger: &mut Ledger) {
    let Value::Map(entries) = &node.value else {
        return;
    };
    let options = node.get("options").map(|options| &options.value);
    let options = match options {
        Some(Value::Map(options)) => options.as_slice(),
        _ => &[],
    };
    let keys = entries
        .iter()
        .map(|entry| (entry, types::TEST.as_slice(), "test"))
        .chain(
            options
                .iter()
                .map(|entry| (entry, types::OPTIONS.as_slice(), "options")),
        );
    for (entry, known, of) in keys {
        let place = Place {
            source: Arc::clone(source),
            span: entry.key_span,
        };
        let what = format!("`{}` of {of}", text::shorten(&entry.key, 60));
        // A grader stands under the name `provider` of the options.
        let grader = of == "options" && entry.key == "provider";
        if !known.contains(&entry.key.as_str()) {
            let near = text::suggestion(&entry.key, known.iter().copied());
            let near = near.map_or(String::new(), |near| format!(", did you mean `{near}`?"));
            ledger.changed(
                &place,
                what,
                format!("promptfoo passes over a key that it does not know{near}"),
            );
        } else if let Some((_, why)) = LEFT_OUT
            .iter()
            .find(|(key, _)| *key == entry.key && !grader && !entry.value.is_null())
        {
            ledger.dropped(&place, what, *why);
        }
    }
}

fn assertions(layers: &Layers<'_>, files: &Files, ledger: &mut Ledger) -> Vec<(Place, Node)> {
    let no_defaults = layers.flag("disableDefaultAsserts");
    let from = usize::from(no_defaults && layers.layers.len() > 1);
    let mut asserts = Vec::new();
    for (source, node) in layers.layers.iter().skip(from) {
        let Some(list) = node.get("assert") else {
            continue;
        };
        match &list.value {
            Value::List(items) => {
                for item in items {
                    push_assertion(source, item, files, ledger, &mut asserts);
                }
            }
            Value::Null => {}
            _ => push_assertion(source, list, files, ledger, &mut asserts),
        }
    }
    asserts
}

/// An assertion, or the file of a list of them.
fn push_assertion(
    source: &Arc<Source>,
    item: &Node,
    files: &Files,
    ledger: &mut Ledger,
    asserts: &mut Vec<(Place, Node)>,
) {
    let place = Place::of(source, item);
    let Some(path) = item.as_text() else {
        asserts.push((place, item.clone()));
        return;
    };
    match files.document(path) {
        Ok((source, node)) => {
            let items = match &node.value {
                Value::List(items) => items.clone(),
                _ => vec![node],
            };
            asserts.extend(
                items
                    .into_iter()
                    .map(|item| (Place::of(&source, &item), item)),
            );
        }
        Err(why) => ledger.dropped(&place, format!("assertions `{path}`"), why),
    }
}

fn metadata(layers: &Layers<'_>) -> Map<String, Json> {
    let mut all = Map::new();
    for (_, node) in &layers.layers {
        if let Some(Json::Object(fields)) = node.get("metadata").map(Node::to_json) {
            all.extend(fields);
        }
    }
    all
}

fn transform_of(layers: &Layers<'_>, ledger: &mut Ledger) -> (Vec<Json>, bool) {
    let Some((source, node)) = layers.option("transform") else {
        return (Vec::new(), false);
    };
    let place = Place::of(source, node);
    match node.as_text().map(javascript::transform) {
        Some(Ok(list)) => {
            ledger.carried("transform", &place);
            (list, false)
        }
        Some(Err(_)) | None => {
            let why = "it is code that no transform of ours does; what it scores is left out";
            ledger.dropped(&place, "`transform`", why);
            (Vec::new(), true)
        }
    }
}

/// Each variable with the values it takes in turn, in the order of the file.
fn variables(layers: &Layers<'_>, files: &Files, ledger: &mut Ledger) -> Vec<(String, Vec<Json>)> {
    let mut all: Vec<(String, Vec<Json>)> = Vec::new();
    for (source, node) in &layers.layers {
        let Some(vars) = node.get("vars") else {
            continue;
        };
        let place = Place::of(source, vars);
        let loaded = match vars.as_text() {
            Some(path) => match files.document(path) {
                Ok((source, node)) => (source, node),
                Err(why) => {
                    ledger.dropped(&place, format!("vars `{path}`"), why);
                    continue;
                }
            },
            None => (Arc::clone(source), vars.clone()),
        };
        let (source, vars) = loaded;
        let Value::Map(entries) = &vars.value else {
            if !vars.is_null() {
                let why = format!("it is {}, not a map", vars.kind());
                ledger.dropped(&Place::of(&source, &vars), "`vars`", why);
            }
            continue;
        };
        for entry in entries.iter().filter(|entry| !entry.value.is_null()) {
            let place = Place::of(&source, &entry.value);
            let values = values_of(&entry.value, &place, files, ledger);
            match all.iter_mut().find(|(name, _)| *name == entry.key) {
                Some((_, known)) => *known = values,
                None => all.push((entry.key.clone(), values)),
            }
        }
    }
    all
}

fn values_of(node: &Node, place: &Place, files: &Files, ledger: &mut Ledger) -> Vec<Json> {
    match &node.value {
        Value::Text(text) if text.starts_with("file://") => {
            let read = files.matching(text).and_then(|paths| {
                let texts = paths.iter().map(|path| file_value(path, files));
                texts.collect::<Result<Vec<_>, _>>()
            });
            read.unwrap_or_else(|why| {
                ledger.dropped(place, format!("variable `{text}`"), why);
                vec![Json::String(text.clone())]
            })
        }
        // A list of texts stands for one test each; another list is one value.
        Value::List(items) if items.first().is_some_and(|item| item.as_text().is_some()) => {
            items.iter().map(Node::to_json).collect()
        }
        _ => vec![node.to_json()],
    }
}

/// The content of a file as the value of a variable: YAML as JSON, other text trimmed.
fn file_value(path: &str, files: &Files) -> Result<Json, String> {
    let ending = path.rsplit_once('.').map(|(_, ending)| ending);
    match ending {
        Some("yaml" | "yml") => {
            let (_, node) = files.document(path)?;
            Ok(Json::String(node.to_json().to_string()))
        }
        Some("js" | "cjs" | "mjs" | "ts" | "py" | "rb" | "go") => {
            Err("the value is made by a program: write it into the test".to_owned())
        }
        _ => Ok(Json::String(files.read(path)?.text.trim().to_owned())),
    }
}

fn combine(values: &[(String, Vec<Json>)], whole: bool) -> Vec<Map<String, Json>> {
    const MOST: usize = 100_000;
    let mut combined = vec![Map::new()];
    for (name, values) in values {
        let values: Vec<Json> = match (whole, values.as_slice()) {
            (true, several) if several.len() != 1 => vec![Json::Array(several.to_vec())],
            (_, values) => values.to_vec(),
        };
        let mut next = Vec::new();
        for map in &combined {
            for value in &values {
                if next.len() < MOST {
                    let mut map = map.clone();
                    map.insert(name.clone(), value.clone());
                    next.push(map);
                }
            }
        }
        combined = next;
    }
    combined
}

/// Fills in templates within the values themselves, which promptfoo does before it renders a prompt.
fn fill_in(mut vars: Map<String, Json>) -> Map<String, Json> {
    const ROUNDS: usize = 5;
    for _ in 0..ROUNDS {
        let before = vars.clone();
        for value in vars.values_mut() {
            if let Json::String(text) = value
                && text.contains("{{")
                && let Ok(pieces) = nunjucks::parse(text)
            {
                *text = nunjucks::render_known(&pieces, &before);
            }
        }
        if before == vars {
            break;
        }
    }
    vars
}
