//! The published schemas of `schema/` against the readers of the same files. The readers are the
//! law: these tests find a schema that knows other keys, words or values than they do.

mod agreement;
mod examples;
mod http_form;
mod places;

use std::collections::HashMap;
use std::sync::LazyLock;

use jsonschema::Validator;
use serde_json::Value;

use super::file;
use crate::base::decode::Reader;
use crate::base::{Diagnostic, Diagnostics, Slug, Source, json, yaml};
use crate::dataset::decode::{Keys, decode_case};
use crate::prompt;
use crate::prompt::file::{Expected, Form};
use crate::provider::mock::MockRules;
use crate::provider::replay::CassetteDecoder;
use crate::score::ScorerSpec;
use crate::score::form::Schemas;
use crate::settings;
use crate::settings::layer::Layers;

/// A kind of file with a published schema and a reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Suite,
    Prompt,
    Dataset,
    Mock,
    Settings,
    Cassette,
}

/// All schemas of this module's care; labels have no reader yet.
const SCHEMAS: [(&str, &str); 7] = [
    ("suite", include_str!("../../schema/suite.json")),
    ("prompt", include_str!("../../schema/prompt.json")),
    ("dataset", include_str!("../../schema/dataset.json")),
    ("mock", include_str!("../../schema/mock.json")),
    ("settings", include_str!("../../schema/settings.json")),
    ("cassette", include_str!("../../schema/cassette.json")),
    ("label", include_str!("../../schema/label.json")),
];

fn schema(name: &str) -> Value {
    let (_, text) = SCHEMAS.iter().find(|(known, _)| *known == name).unwrap();
    serde_json::from_str(text).unwrap()
}

fn validator(name: &str) -> &'static Validator {
    static VALIDATORS: LazyLock<HashMap<&str, Validator>> = LazyLock::new(|| {
        let names = SCHEMAS.iter().map(|(name, _)| *name);
        let compile = |name| jsonschema::draft202012::new(&schema(name)).unwrap();
        names.map(|name| (name, compile(name))).collect()
    });
    &VALIDATORS[name]
}

impl Kind {
    const ALL: [Self; 6] = [
        Self::Suite,
        Self::Prompt,
        Self::Dataset,
        Self::Mock,
        Self::Settings,
        Self::Cassette,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Suite => "suite",
            Self::Prompt => "prompt",
            Self::Dataset => "dataset",
            Self::Mock => "mock",
            Self::Settings => "settings",
            Self::Cassette => "cassette",
        }
    }

    /// Whether a file is rows of JSON, in which null counts as absent in the schema too.
    fn is_rows(self) -> bool {
        matches!(self, Self::Dataset | Self::Cassette)
    }

    /// The file as the schema sees it; `None` where it is no YAML or JSON.
    fn parse(self, text: &str) -> Option<Value> {
        let source = Source::new("file", text);
        let node = if self.is_rows() {
            json::parse(&source)
        } else {
            yaml::parse(&source)
        };
        node.ok().map(|node| node.to_json())
    }

    /// What the reader finds in a file.
    fn read(self, text: &str) -> Diagnostics {
        let mut found = Diagnostics::new();
        let source = Source::new("file", text);
        match self {
            Self::Suite => {
                file::decode(&source, "evals/file.yaml", ANY_SCHEMA, &mut found);
            }
            Self::Prompt => {
                let expected = Expected {
                    slug: Slug::new("file").unwrap(),
                    number: None,
                    form: Form::Yaml,
                };
                prompt::decode(&source, &expected, &mut found);
            }
            Self::Dataset => read_row(text, &mut found),
            Self::Mock => {
                MockRules::decode(&source, &mut found);
            }
            Self::Settings => read_settings(text, &mut found),
            Self::Cassette => {
                let mut decoder = CassetteDecoder::new("file", &mut found);
                decoder.line(text, 1);
                let _ = decoder.finish();
            }
        }
        found
    }

    /// The reader's errors by rule and message. What is not built yet is no error of the file.
    fn errors(self, text: &str) -> Vec<String> {
        let found = self.read(text);
        let errors = found.iter().filter(|finding| {
            finding.severity == crate::base::Severity::Error && finding.rule != "not-built-yet"
        });
        errors
            .map(|finding| format!("{}: {}", finding.rule, finding.message))
            .collect()
    }
}

/// Every schema that a scorer names by path takes anything.
const ANY_SCHEMA: Schemas<'static> = &|_| Ok(Value::Bool(true));

/// A row and its scorers, which are read with the suite.
fn read_row(text: &str, found: &mut Diagnostics) {
    let source = Source::row("file", text, 1);
    let node = match json::parse(&source) {
        Ok(node) => node,
        Err(errors) => return found.extend(errors),
    };
    let Some(case) = decode_case(&source, &node, &mut Keys::new(), found) else {
        return;
    };
    let reader = &mut Reader {
        source,
        diagnostics: found,
    };
    for scorer in &case.scorers {
        ScorerSpec::decode(reader, scorer, ANY_SCHEMA);
    }
}

/// The settings with none of their profiles, then with each.
fn read_settings(text: &str, found: &mut Diagnostics) {
    let source = Source::new("file", text);
    let profiles = Kind::Settings
        .parse(text)
        .and_then(|file| Some(file.get("profiles")?.as_object()?.clone()))
        .unwrap_or_default();
    let names = profiles.keys().map(|name| Some(name.as_str()));
    for profile in std::iter::once(None).chain(names) {
        let mut layers = Layers::default();
        settings::file::decode(&source, profile, &mut layers, found);
        let errors = settings::keys::decode(&layers).err().unwrap_or_default();
        for error in errors {
            found.push(Diagnostic::error("setting", error.to_string()));
        }
    }
}

/// Every closed object of a schema with its JSON pointer: the maps whose keys it lists.
fn closed_objects(schema: &Value) -> Vec<(String, &Value)> {
    fn walk<'s>(at: &str, node: &'s Value, found: &mut Vec<(String, &'s Value)>) {
        if node.get("additionalProperties") == Some(&Value::Bool(false)) {
            found.push((at.to_owned(), node));
        }
        match node {
            Value::Object(fields) => {
                for (key, inner) in fields {
                    walk(&format!("{at}/{key}"), inner, found);
                }
            }
            Value::Array(items) => {
                for (index, inner) in items.iter().enumerate() {
                    walk(&format!("{at}/{index}"), inner, found);
                }
            }
            _ => {}
        }
    }
    let mut found = Vec::new();
    walk("", schema, &mut found);
    found
}

/// A schema, or the definition that it refers to.
fn resolved<'s>(schema: &'s Value, node: &'s Value) -> &'s Value {
    let target = node.get("$ref").and_then(Value::as_str);
    target.map_or(node, |target| {
        schema.pointer(target.trim_start_matches('#')).unwrap()
    })
}

#[test]
fn every_schema_compiles_and_has_a_title() {
    for (name, _) in SCHEMAS {
        validator(name);
        let schema = schema(name);
        assert!(jsonschema::meta::is_valid(&schema), "{name}");
        assert_eq!(schema["$id"], format!("gate/{name}@1"));
        assert!(schema["title"].is_string(), "{name}");
    }
}

#[test]
fn every_key_has_a_description() {
    for (name, _) in SCHEMAS {
        let schema = schema(name);
        for (at, object) in closed_objects(&schema) {
            for (key, value) in object["properties"].as_object().unwrap() {
                let described = [value, resolved(&schema, value)]
                    .iter()
                    .any(|node| node["description"].is_string());
                assert!(described, "{name}.json {at}: `{key}` has no description");
            }
        }
    }
}

#[test]
fn schemas_repeat_shared_definitions_to_the_letter() {
    let (suite, prompt, dataset) = (schema("suite"), schema("prompt"), schema("dataset"));
    assert_eq!(suite["$defs"]["params"], prompt["$defs"]["params"]);
    let shared = dataset["$defs"].as_object().unwrap();
    assert!(shared.contains_key("scorer"));
    for (name, definition) in shared {
        assert_eq!(definition, &suite["$defs"][name], "{name}");
    }
}
