//! `gate import promptfoo`: a config becomes prompt versions, a dataset and a suite.

use std::collections::BTreeSet;
use std::sync::Arc;

use camino::Utf8Path;
use serde_json::{Map, Value as Json, json};

use super::assertion::Converter;
use super::config;
use super::derived;
use super::files::Files;
use super::ledger::{Ledger, Place};
use super::merged::{self, Test};
use super::models::{self, Graders, Model};
use super::names::Names;
use super::needs::Needs;
use super::prompts::{self, Prompt};
use super::scripts::{self, Scripts};
use super::suite::{self, Case};
use super::tests_of;
use super::variables::Variables;
use super::written;
use crate::base::{Name, Node, Source, Value};
use crate::command::scaffold::NewFile;
use crate::command::{CommandError, Project};

/// What is to be imported.
#[derive(Debug, Clone)]
pub struct Wanted<'a> {
    /// The config, as the caller names it.
    pub file: &'a str,
    /// The folder the caller's path is relative to.
    pub caller: &'a Utf8Path,
    /// The name of the suite and the prompt; else the config's file or folder says it.
    pub name: Option<&'a str>,
    /// A model in place of the config's providers.
    pub model: Option<&'a str>,
}

/// A config, converted and not yet written.
#[derive(Debug)]
pub struct Imported {
    /// The name of suite and prompt.
    pub name: Name,
    /// The files to write.
    pub files: Vec<NewFile>,
    /// What became of the config's parts.
    pub ledger: Ledger,
    /// Why nothing can be written, where nothing can.
    pub refused: Option<(String, String)>,
    /// How many versions the prompt has.
    pub versions: usize,
    /// What the owner has to give before the first request.
    pub needs: Needs,
}

/// Converts a config.
///
/// # Errors
/// When the config itself can not be read.
pub fn convert(project: &Project, wanted: &Wanted<'_>) -> Result<Imported, CommandError> {
    let (files, source) = Files::open(project, wanted.caller, wanted.file)?;
    let root = config::read(&source)?;
    let name = name_of(wanted, &source, project);
    let mut parts = Parts {
        ledger: Ledger::default(),
        graders: Graders::default(),
        scripts: Scripts::default(),
    };
    config::report_keys(&source, &root, &mut parts.ledger);
    let default = config::default_test(&source, &root, &files, &mut parts.ledger);
    let mut tests = parts.tests(&source, &root, &files, default.as_ref());
    let mut prompts = prompts::all(&source, &root, &files, &mut parts.ledger);
    surround(&mut prompts, &tests, &mut parts.ledger);
    let prompts = derived::derive(prompts, &mut tests, &mut parts.ledger);
    let mut cases = parts.cases(&files, &tests);
    let mut models = match wanted.model {
        Some(text) => vec![chosen(text)?],
        None => parts.models(&source, &root, &files, &prompts),
    };
    let place = Place::of(&source, root.get("tests").unwrap_or(&root));
    let recorded = recorded(&cases, &place, &mut parts.ledger);
    if recorded && wanted.model.is_none() {
        models = vec![replay(&name)];
    }
    let refused = refusal(&prompts, &cases, &models);
    let shared = suite::hoist(&mut cases);
    suite::note_empty(&cases, &shared, &place, &mut parts.ledger);
    let variables = variables_of(&prompts, &cases);
    let judges = parts.graders.models(&mut parts.ledger);
    let repeat = config::repeat(&root);
    let output = written::Output {
        name: &name,
        description: root.get("description").and_then(Node::as_text),
        prompts: &prompts,
        variables: &variables,
        cases: &cases,
        shared: &shared,
        models: &models,
        judges: &judges,
        repeat,
        recorded: recorded && wanted.model.is_none(),
    };
    let mut new_files = output.files();
    new_files.extend(parts.scripts.into_files());
    let mut needs = Needs::of(project, models.iter().chain(&judges));
    needs.exec |= new_files
        .iter()
        .any(|file| file.path == scripts::BRIDGE_PATH);
    Ok(Imported {
        files: new_files,
        ledger: parts.ledger,
        refused,
        versions: prompts.len(),
        needs,
        name,
    })
}

fn variables_of(prompts: &[Prompt], cases: &[Case]) -> Variables {
    let names: BTreeSet<&str> = prompts.iter().flat_map(Prompt::names).collect();
    let vars: Vec<&Map<String, Json>> = cases.iter().map(|case| &case.vars).collect();
    Variables::of(&names, &vars)
}

/// What is collected while a config is read.
struct Parts {
    ledger: Ledger,
    graders: Graders,
    scripts: Scripts,
}

impl Parts {
    fn tests(
        &mut self,
        source: &Arc<Source>,
        root: &Node,
        files: &Files,
        default: Option<&(Arc<Source>, Node)>,
    ) -> Vec<Test> {
        let mut all = tests_of::all(source, root, files, &mut self.ledger);
        let listed = root.get("tests").or_else(|| root.get("scenarios"));
        if listed.is_none_or(Node::is_null) {
            // Without tests promptfoo asks each prompt once.
            all.push(tests_of::Written {
                source: Arc::clone(source),
                node: Node {
                    span: root.span,
                    value: Value::Map(Vec::new()),
                },
                scenario: None,
            });
        }
        let default = default.map(|(source, node)| (source, node));
        let expand =
            |test: &tests_of::Written| merged::expand(test, default, files, &mut self.ledger);
        all.iter().flat_map(expand).collect()
    }

    fn models(
        &mut self,
        source: &Arc<Source>,
        root: &Node,
        files: &Files,
        prompts: &[Prompt],
    ) -> Vec<Model> {
        let asked = prompts::asked(prompts);
        models::all(
            source,
            root,
            files,
            &mut self.ledger,
            &mut self.scripts,
            asked,
        )
    }

    fn cases(&mut self, files: &Files, tests: &[Test]) -> Vec<Case> {
        let mut ids = Names::default();
        let width = tests.len().to_string().len().max(2);
        let mut cases = Vec::with_capacity(tests.len());
        for (test, number) in tests.iter().zip(1usize..) {
            self.ledger.carried("test", &test.place);
            let own = self.own(files, test);
            let id = match id_of(test) {
                Some(id) => ids.fresh(&id),
                None => ids.fresh(&format!("t{number:0width$}")),
            };
            cases.push(Case {
                id,
                vars: test.vars.clone(),
                expected: None,
                own,
                metadata: test.metadata.clone(),
                note: test.description.clone(),
                answer: test.answer.clone(),
            });
        }
        cases
    }

    fn own(&mut self, files: &Files, test: &Test) -> Vec<suite::Named> {
        if test.unknown_answer {
            return Vec::new();
        }
        let mut converter = Converter {
            files,
            ledger: &mut self.ledger,
            graders: &mut self.graders,
            scripts: &mut self.scripts,
            vars: &test.vars,
            transform: &test.transform,
            grader: test.grader.as_ref(),
            weighed: test.threshold.is_some(),
            code: std::cell::RefCell::default(),
        };
        let made = test
            .asserts
            .iter()
            .filter_map(|(place, node)| converter.convert(place, node))
            .collect();
        suite::scorers_of(test, made, &mut self.ledger)
    }
}

/// The name that the config gives a test.
fn id_of(test: &Test) -> Option<String> {
    let given = test.metadata.get("id").and_then(Json::as_str);
    if let Some(id) = given.filter(|id| !id.trim().is_empty()) {
        return Some(id.to_owned());
    }
    let description = test.description.as_deref()?;
    let id = Name::slugify(description).as_str().to_owned();
    (description.chars().any(char::is_alphanumeric)).then_some(id)
}

/// The suite's name: as the caller says, else the config's file, else its folder.
fn name_of(wanted: &Wanted<'_>, source: &Source, project: &Project) -> Name {
    if let Some(name) = wanted.name {
        return Name::slugify(name);
    }
    let path = Utf8Path::new(&source.name);
    let stem = path.file_stem().unwrap_or("promptfoo");
    let stem = stem.strip_prefix("promptfooconfig").unwrap_or(stem);
    let stem = stem.trim_matches(|c: char| !c.is_alphanumeric());
    if !stem.is_empty() {
        return Name::slugify(stem);
    }
    let whole = wanted.caller.join(wanted.file);
    let folder = whole.parent().and_then(Utf8Path::file_name);
    let folder = folder.filter(|folder| !folder.starts_with('.'));
    Name::slugify(
        folder
            .or_else(|| project.root.path().file_name())
            .unwrap_or("promptfoo"),
    )
}

fn chosen(text: &str) -> Result<Model, CommandError> {
    let model = text.split_once(':').filter(|(_, model)| !model.is_empty());
    let known = |provider: &str| {
        crate::chat::ProviderKind::WORDS
            .iter()
            .any(|(word, _)| *word == provider)
    };
    match model.filter(|(provider, _)| known(provider)) {
        Some((provider, model)) => {
            let made = json!({"name": "main", "provider": provider, "model": model});
            Ok(made.as_object().cloned().unwrap_or_default())
        }
        None => Err(CommandError::usage(
            format!("--model {text}: no provider and model"),
            "write it as openai:gpt-4o-2024-08-06",
        )),
    }
}

fn replay(name: &Name) -> Model {
    let made = json!({"name": "recorded", "provider": "replay", "cassette": format!("../fixtures/{name}.answers.jsonl")});
    made.as_object().cloned().unwrap_or_default()
}

/// Whether every test states its answer; where only some do, they can not be kept.
fn recorded(cases: &[Case], place: &Place, ledger: &mut Ledger) -> bool {
    let stated = cases.iter().filter(|case| case.answer.is_some()).count();
    if stated == 0 {
        return false;
    }
    if stated < cases.len() {
        let why = "answers are recorded for all cases or for none";
        ledger.dropped(place, "`providerOutput`", why);
        return false;
    }
    let why = "the answers stand in the config: they are a cassette now, and no provider is asked";
    ledger.changed(place, "`providerOutput`", why);
    true
}

fn refusal(prompts: &[Prompt], cases: &[Case], models: &[Model]) -> Option<(String, String)> {
    let refuse = |what: &str, help: &str| {
        Some((format!("no {what} could be carried over"), help.to_owned()))
    };
    if prompts.is_empty() {
        return refuse(
            "prompt",
            "write the prompt as text with {{variables}}, and import again",
        );
    }
    if cases.is_empty() {
        return refuse(
            "test",
            "write tests into the config or a CSV file, and import again",
        );
    }
    if models.is_empty() {
        return refuse("provider", "name a model: --model openai:gpt-4o-2024-08-06");
    }
    None
}

/// Writes the text that tests put before and after their prompt into the prompts, where it is the
/// same for all.
fn surround(prompts: &mut [Prompt], tests: &[Test], ledger: &mut Ledger) {
    let Some(first) = tests.first() else { return };
    let (before, after) = &first.around;
    let same = tests.iter().all(|test| test.around == first.around);
    if same && before.is_empty() && after.is_empty() {
        return;
    }
    let plain = prompts.iter().all(|prompt| prompt.messages.len() == 1);
    let parsed = super::nunjucks::parse_code(before)
        .and_then(|before| Ok((before, super::nunjucks::parse_code(after)?)));
    match parsed {
        Ok((before, after)) if same && plain => {
            for (_, pieces) in prompts.iter_mut().flat_map(|prompt| &mut prompt.messages) {
                *pieces = before
                    .iter()
                    .chain(pieces.iter())
                    .chain(&after)
                    .cloned()
                    .collect();
            }
        }
        _ => {
            let why = "text around a prompt is the prompt's own: it must be the same for all tests, around one message";
            let place = tests
                .iter()
                .find(|test| test.around != (String::new(), String::new()));
            ledger.dropped(&place.unwrap_or(first).place, "`prefix` or `suffix`", why);
        }
    }
}
