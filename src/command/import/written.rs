//! The files of an imported project, as text.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde_json::{Map, Value as Json, json};

use super::emit;
use super::models::Model;
use super::names::Names;
use super::nunjucks;
use super::prompts::Prompt;
use super::suite::{self, Case, Named};
use super::variables::Variables;
use crate::base::Name;
use crate::command::scaffold::NewFile;
use crate::command::schema;

/// What is written.
pub struct Output<'a> {
    /// The name of suite and prompt.
    pub name: &'a Name,
    /// What the config says about itself.
    pub description: Option<&'a str>,
    /// The versions.
    pub prompts: &'a [Prompt],
    /// Their variables.
    pub variables: &'a Variables,
    /// The cases.
    pub cases: &'a [Case],
    /// The scorers of all cases.
    pub shared: &'a [Named],
    /// The models under test.
    pub models: &'a [Model],
    /// The models that judge.
    pub judges: &'a [Model],
    /// Repeats of each case.
    pub repeat: Option<u64>,
    /// Whether the answers stand in the config.
    pub recorded: bool,
}

impl Output<'_> {
    /// The files with their paths.
    pub fn files(&self) -> Vec<NewFile> {
        let name = self.name;
        let mut names = Names::default();
        let shared = self.shared_scorers(&mut names);
        let mut files = vec![NewFile::new(
            format!("evals/{name}.yaml"),
            self.suite(&shared),
        )];
        for (prompt, number) in self.prompts.iter().zip(1usize..) {
            let path = format!("prompts/{name}/v{number}.yaml");
            files.push(NewFile::new(path, self.prompt(prompt, number)));
        }
        files.push(NewFile::new(
            format!("fixtures/{name}.jsonl"),
            self.dataset(&names),
        ));
        if self.models.iter().any(is_echo) {
            let path = format!("fixtures/{name}.mock.yaml");
            files.push(NewFile::new(path, ECHO.to_owned()));
        }
        if self.recorded {
            let path = format!("fixtures/{name}.answers.jsonl");
            files.push(NewFile::new(path, self.answers()));
        }
        files
    }

    fn shared_scorers(&self, names: &mut Names) -> Vec<Json> {
        let mut shared = suite::name_all(self.shared, names);
        let gates = |scorer: &Json| scorer.get("gating") != Some(&Json::Bool(false));
        if !shared.iter().any(gates) {
            // A suite needs a scorer that gates; what the cases ask for stands with them.
            let name = names.fresh("answered");
            shared.push(json!({"name": name, "type": "min-length", "value": 0}));
        }
        shared
    }

    fn suite(&self, shared: &[Json]) -> String {
        let mut text = schema::modeline("suite");
        if let Some(description) = self.description {
            let line = crate::base::text::visible_line(description);
            let _ = writeln!(text, "# {line}");
        }
        let name = self.name;
        let _ = write!(
            text,
            "gate: suite/1\nname: {name}\nprompt: {name}\ndataset: ../fixtures/{name}.jsonl\n"
        );
        self.list(&mut text, "models", self.models);
        if !self.judges.is_empty() {
            self.list(&mut text, "judge_models", self.judges);
        }
        if let Some(repeat) = self.repeat {
            let _ = writeln!(text, "repeat: {repeat}");
        }
        text.push_str("scorers:\n");
        for scorer in shared {
            let _ = writeln!(text, "  - {}", emit::inline(scorer));
        }
        text
    }

    fn list(&self, text: &mut String, key: &str, models: &[Model]) {
        let _ = writeln!(text, "{key}:");
        for model in models {
            let mut model = model.clone();
            if is_echo(&model) {
                let rules = format!("../fixtures/{}.mock.yaml", self.name);
                model.insert("rules".to_owned(), rules.into());
            }
            let _ = writeln!(text, "  - {}", emit::inline(&Json::Object(model)));
        }
    }

    fn prompt(&self, prompt: &Prompt, number: usize) -> String {
        let mut text = schema::modeline("prompt");
        let _ = write!(
            text,
            "gate: prompt/1\nprompt: {}\nversion: {number}\n",
            self.name
        );
        if let Some(label) = &prompt.label {
            let _ = writeln!(text, "description: {}", emit::scalar(label));
        }
        let declared = self.variables.declared(&prompt.names());
        if declared.is_empty() {
            text.push_str("variables: {}\n");
        } else {
            text.push_str("variables:\n");
        }
        for (name, variable) in &declared {
            let _ = writeln!(text, "  {}: {}", emit::scalar(name), emit::inline(variable));
        }
        text.push_str("messages:\n");
        for (role, pieces) in &prompt.messages {
            let content = nunjucks::to_prompt(pieces).unwrap_or_default();
            let _ = writeln!(
                text,
                "  - role: {}\n    content: {}",
                role.as_str(),
                emit::block(&content, 6)
            );
        }
        text
    }

    fn dataset(&self, names: &Names) -> String {
        let segments = segments(self.cases);
        let mut text = String::new();
        for case in self.cases {
            let _ = writeln!(text, "{}", self.case(case, names, &segments));
        }
        text
    }

    fn case(&self, case: &Case, names: &Names, segments: &BTreeSet<String>) -> String {
        let mut fields: Vec<(&str, Json)> = vec![
            ("id", case.id.as_str().into()),
            ("vars", self.variables.values(&case.vars).into()),
        ];
        if let Some(expected) = &case.expected {
            fields.push(("expected", expected.clone()));
        }
        let segment = segment_of(&case.metadata, segments);
        if !segment.is_empty() {
            fields.push(("segment", segment.into()));
        }
        let tags = tags_of(&case.metadata);
        if !tags.is_empty() {
            fields.push(("tags", json!(tags)));
        }
        if !case.own.is_empty() {
            let mut names = names.clone();
            fields.push(("scorers", suite::name_all(&case.own, &mut names).into()));
        }
        if let Some(note) = &case.note {
            fields.push(("note", note.as_str().into()));
        }
        let fields: Vec<String> = fields
            .iter()
            .map(|(key, value)| format!("\"{key}\": {value}"))
            .collect();
        format!("{{{}}}", fields.join(", "))
    }

    fn answers(&self) -> String {
        let line = |case: &Case| {
            let output = case.answer.as_deref().unwrap_or_default();
            let (id, output) = (Json::from(case.id.as_str()), Json::from(output));
            format!("{{\"id\": {id}, \"output\": {output}, \"finish_reason\": \"stop\"}}\n")
        };
        self.cases.iter().map(line).collect::<Vec<_>>().concat()
    }
}

/// Mock rules that repeat the user's message.
const ECHO: &str = "gate: mock/1\nrules:\n  - { when: { user: \"(?s)^(?<all>.*)$\" }, reply: \"{{match.all}}\" }\n";

fn is_echo(model: &Model) -> bool {
    model.get("provider").and_then(Json::as_str) == Some("mock")
}

/// Keys of metadata whose values are few enough to look at each.
fn segments(cases: &[Case]) -> BTreeSet<String> {
    const MOST: usize = 20;
    let mut values: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (key, value) in cases.iter().flat_map(|case| &case.metadata) {
        if let Some(text) = value.as_str().filter(|text| !text.is_empty()) {
            values.entry(key).or_default().insert(text);
        }
    }
    values
        .into_iter()
        .filter(|(key, found)| *key != "id" && found.len() <= MOST)
        .map(|(key, _)| key.to_owned())
        .collect()
}

fn segment_of(metadata: &Map<String, Json>, segments: &BTreeSet<String>) -> Map<String, Json> {
    let nested = metadata.get("segment").and_then(Json::as_object);
    let own = metadata.iter().filter(|(key, _)| segments.contains(*key));
    own.chain(nested.into_iter().flatten())
        .filter(|(_, value)| value.as_str().is_some_and(|text| !text.is_empty()))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

fn tags_of(metadata: &Map<String, Json>) -> Vec<&str> {
    let tags = metadata.get("tags").and_then(Json::as_array);
    tags.into_iter()
        .flatten()
        .filter_map(Json::as_str)
        .collect()
}
