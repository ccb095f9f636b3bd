//! A place for each map that a reader knows: the object of the schema that describes it, and the
//! smallest file that has such a map.

use serde_json::{Map, Value, json};

use super::{Kind, schema};
use crate::score::assertion::catalogue;
use crate::score::form::ScorerType;

/// The place of a scorer in a set.
pub const IN_A_SET: &str = "/scorers/0/scorers/0";

/// A map of a file.
#[derive(Debug)]
pub struct Place {
    pub kind: Kind,
    /// The pointer of its object in the schema.
    pub object: String,
    /// A valid file.
    pub file: Value,
    /// The pointer of the map in the file.
    pub at: &'static str,
}

impl Place {
    fn new(kind: Kind, object: impl Into<String>, file: Value, at: &'static str) -> Self {
        Self {
            kind,
            object: object.into(),
            file,
            at,
        }
    }

    /// The file with a key of the map set to a value.
    pub fn with(&self, key: &str, value: &Value) -> Value {
        let mut file = self.file.clone();
        let map = file.pointer_mut(self.at).unwrap().as_object_mut().unwrap();
        map.insert(key.to_owned(), value.clone());
        file
    }

    /// Whether the map is a scorer.
    pub fn is_scorer(&self) -> bool {
        self.object.starts_with("/$defs/scorer-") && !self.object.contains("/properties/")
    }

    /// The properties of the map in the schema.
    pub fn properties(&self) -> Map<String, Value> {
        let schema = schema(self.kind.name());
        let object = schema.pointer(&self.object).unwrap();
        let mut properties = object["properties"].as_object().unwrap().clone();
        // A definition serves scorers by themselves and in sets; who refers to it forbids one key.
        if self.is_scorer() {
            let user = if self.at == IN_A_SET {
                "member"
            } else {
                "scorer"
            };
            let forbidden = schema["$defs"][user]["properties"].as_object().unwrap();
            properties.retain(|key, _| forbidden.get(key) != Some(&Value::Bool(false)));
        }
        properties
    }
}

/// All places.
pub fn places() -> Vec<Place> {
    let mut places = suite();
    places.extend(scorers());
    places.extend(prompt());
    places.extend(mock());
    places.extend(rows());
    places.extend(settings());
    places
}

fn suite_with(more: Value) -> Value {
    let mut suite = json!({
        "gate": "suite/1",
        "dataset": "../d.jsonl",
        "models": [{"provider": "openai", "model": "m"}],
        "scorers": [{"type": "is-json"}],
    });
    let (Value::Object(fields), Value::Object(more)) = (&mut suite, more) else {
        panic!("a suite is a map");
    };
    fields.extend(more);
    suite
}

/// A service with a form of its own.
fn service() -> Value {
    let form = json!({"body": {"q": "{{prompt}}"}, "usage": {}});
    json!({"provider": "http", "base_url": "https://b.example/ask", "http": form})
}

/// The definition of `require_calibration`, and where it stands in a suite.
const CALIBRATION: (&str, &str) = (
    "/$defs/policy/properties/require_calibration",
    "/policy/require_calibration",
);

fn suite() -> Vec<Place> {
    let place = |object: &str, more: Value, at| {
        Place::new(Kind::Suite, object.to_owned(), suite_with(more), at)
    };
    let model = |model: Value| place("/$defs/model", json!({"models": [model]}), "/models/0");
    let mut short = suite_with(json!({"model": "openai:m", "judge_model": "ollama:j"}));
    short.as_object_mut().unwrap().remove("models");
    let mut places = vec![
        place("", json!({}), ""),
        Place::new(Kind::Suite, "", short, ""),
        place(
            "/properties/sample",
            json!({"sample": {"size": 5}}),
            "/sample",
        ),
        model(json!({"provider": "openai", "model": "m"})),
        model(json!({"provider": "azure-openai", "model": "m", "base_url": "https://a"})),
        model(json!({"provider": "mock", "rules": "r.yaml"})),
        model(json!({"provider": "replay", "cassette": "c.jsonl"})),
        model(json!({"provider": "exec", "command": ["./m"]})),
        model(service()),
        place(
            "/$defs/http",
            json!({"models": [service()]}),
            "/models/0/http",
        ),
        place(
            "/$defs/http-usage",
            json!({"models": [service()]}),
            "/models/0/http/usage",
        ),
        place(
            "/$defs/params",
            json!({"models": [{"provider": "openai", "model": "m", "params": {}}]}),
            "/models/0/params",
        ),
        place(
            "/$defs/price",
            json!({"models": [{"provider": "openai", "model": "m", "price": {"input": 1, "output": 1}}]}),
            "/models/0/price",
        ),
        place(
            "/$defs/scorer-factuality/properties/scores",
            json!({"scorers": [{"type": "factuality", "scores": {}}]}),
            "/scorers/0/scores",
        ),
    ];
    places.extend(policy(place));
    places
}

/// The objects of a policy.
fn policy(place: impl Fn(&str, Value, &'static str) -> Place) -> Vec<Place> {
    vec![
        place("/$defs/policy", json!({"policy": {}}), "/policy"),
        place(
            CALIBRATION.0,
            json!({"policy": {"require_calibration": {}}}),
            CALIBRATION.1,
        ),
        place(
            "/$defs/policy/properties/segments",
            json!({"policy": {"segments": {}}}),
            "/policy/segments",
        ),
        place(
            "/$defs/metric-amount",
            json!({"policy": {"metrics": [{"metric": "cost_usd", "max_ratio": 1.1}]}}),
            "/policy/metrics/0",
        ),
        place(
            "/$defs/metric-share",
            json!({"policy": {"metrics": [{"metric": "rate.truncated", "margin": 0.1}]}}),
            "/policy/metrics/0",
        ),
        place(
            "/$defs/metric-share",
            json!({"policy": {"metrics": [{"metric": "score.polite", "margin": 0.1}]}}),
            "/policy/metrics/0",
        ),
    ]
}

/// The definition that a `type` leads to.
pub fn definition(schema: &Value, dispatcher: &str, word: &str) -> Option<String> {
    let branches = schema["$defs"][dispatcher]["allOf"].as_array().unwrap();
    let mut targets = branches.iter().filter_map(|branch| {
        let wanted = &branch["if"]["properties"]["type"];
        let named = wanted["const"] == word
            || wanted["enum"]
                .as_array()
                .is_some_and(|words| words.iter().any(|known| known == word));
        let target = branch["then"]["$ref"].as_str().unwrap();
        named.then(|| target.trim_start_matches('#').to_owned())
    });
    targets.next()
}

/// All scorer types as they can be written.
pub fn scorer_types() -> Vec<String> {
    written(|_| true)
}

/// The scorer types of which this build lacks the cargo feature, as they can be written.
pub fn lacking_types() -> Vec<String> {
    written(|scorer_type| scorer_type.lacks.is_some())
}

fn written(wanted: impl Fn(&ScorerType) -> bool) -> Vec<String> {
    catalogue::types()
        .filter(|scorer_type| wanted(scorer_type))
        .flat_map(|scorer_type| {
            let negated = format!("not-{}", scorer_type.name);
            let negated = scorer_type.negatable.then_some(negated);
            std::iter::once(scorer_type.name.to_owned()).chain(negated)
        })
        .collect()
}

/// A scorer of each type with no more keys than it needs.
pub fn smallest_scorer(name: &str) -> Value {
    let contains = json!({"type": "contains", "value": "a"});
    match name.trim_start_matches("not-") {
        "is-json" | "contains-json" | "is-refusal" | "pii" | "no-secrets" | "is-xml"
        | "contains-xml" | "is-html" | "contains-html" | "is-sql" | "contains-sql"
        | "is-valid-tool-call" | "factuality" | "answer-relevance" => json!({"type": name}),
        "max-length" | "min-length" | "numeric" => json!({"type": name, "value": 1}),
        "choice" => json!({"type": name, "value": "a", "choices": ["a", "b"]}),
        "list-contains" => json!({"type": name, "value": ["a"]}),
        "language" => json!({"type": name, "value": "de"}),
        "json-schema" => json!({"type": name, "schema": {}}),
        "json-path" => json!({"type": name, "path": "$.a"}),
        "all-of" | "any-of" => json!({"type": name, "scorers": [contains]}),
        "not" => json!({"type": name, "scorer": contains}),
        "expr" | "javascript" => json!({"type": name, "value": "true"}),
        "similar" => json!({"type": name, "value": "a", "model": "m"}),
        "exec" => json!({"type": name, "command": ["./score"]}),
        "word-count" | "tokens" => json!({"type": name, "max": 9_000_000_000_u64}),
        "latency" => json!({"type": name, "max_ms": 1}),
        "cost" => json!({"type": name, "max_usd": 1}),
        "finish-reason" => json!({"type": name, "value": "stop"}),
        "judge" | "g-eval" | "pairwise" => json!({"type": name, "criteria": "polite"}),
        "panel" => {
            let named = json!({"name": "a", "type": "judge", "criteria": "polite"});
            json!({"type": name, "judges": [named, {"type": "factuality"}]})
        }
        "faithfulness" => json!({"type": name, "context": "a"}),
        list if list.ends_with("-any") || list.ends_with("-all") => {
            json!({"type": name, "value": ["a"]})
        }
        _ => json!({"type": name, "value": "a"}),
    }
}

/// Whether a model or a command is asked, so that the scorer can not stand in a set.
fn asks(name: &str) -> bool {
    let bare = name.strip_prefix("not-").unwrap_or(name);
    !catalogue::assertions().any(|scorer_type| [name, bare].contains(&scorer_type.name))
}

/// Each scorer that this build has by itself, and within a set if it may stand in one.
fn scorers() -> Vec<Place> {
    let schema = schema("suite");
    let mut places = Vec::new();
    let lacking = lacking_types();
    for name in scorer_types() {
        if lacking.contains(&name) {
            continue;
        }
        let object = definition(&schema, "scorer-any", &name)
            .unwrap_or_else(|| panic!("schema/suite.json has no scorer `{name}`"));
        let scorer = smallest_scorer(&name);
        let place = |scorer: Value, at| {
            let file = suite_with(json!({"scorers": [scorer]}));
            Place::new(Kind::Suite, object.clone(), file, at)
        };
        places.push(place(scorer.clone(), "/scorers/0"));
        if !asks(&name) {
            let set = json!({"type": "all-of", "scorers": [scorer, {"type": "is-json"}]});
            places.push(place(set, IN_A_SET));
        }
    }
    places
}

fn prompt() -> Vec<Place> {
    let place = |object: &str, key: &str, value: Value, at| {
        let content = if key == "variables" { "{{x}}" } else { "a" };
        let mut file =
            json!({"gate": "prompt/1", "messages": [{"role": "user", "content": content}]});
        file.as_object_mut().unwrap().insert(key.to_owned(), value);
        Place::new(Kind::Prompt, object, file, at)
    };
    let mut places = vec![
        place("", "description", json!("d"), ""),
        place("/$defs/message", "description", json!("d"), "/messages/0"),
        place("/$defs/params", "params", json!({}), "/params"),
        place("/$defs/tool", "tools", json!([{"name": "t"}]), "/tools/0"),
        place(
            "/$defs/response_format",
            "response_format",
            json!({"schema": {}}),
            "/response_format",
        ),
    ];
    let schema = schema("prompt");
    let kinds = &schema["$defs"]["variable"]["properties"]["type"]["enum"];
    for kind in kinds.as_array().unwrap() {
        let kind = kind.as_str().unwrap();
        let object = definition(&schema, "variable", kind).unwrap();
        let mut variable = json!({"type": kind});
        if kind == "enum" {
            variable["values"] = json!(["a"]);
        }
        places.push(place(
            &object,
            "variables",
            json!({"x": variable}),
            "/variables/x",
        ));
    }
    places
}

fn mock() -> Vec<Place> {
    let rule = |object: &str, rule: Value, at| {
        let file = json!({"gate": "mock/1", "latency_ms": {"median": 1}, "rules": [rule]});
        Place::new(Kind::Mock, object, file, at)
    };
    let fault = |fault: Value| {
        let written = json!({"reply": "a", "fault": fault});
        rule("/$defs/fault", written, "/rules/0/fault")
    };
    let never_ends = json!({"fault": {"kind": "cut"}});
    vec![
        rule("", json!({"reply": "a"}), ""),
        rule("/$defs/log-normal", json!({"reply": "a"}), "/latency_ms"),
        rule("/$defs/rule", json!({"reply": "a"}), "/rules/0"),
        rule("/$defs/rule", never_ends.clone(), "/rules/0"),
        rule(
            "/$defs/when",
            json!({"reply": "a", "when": {}}),
            "/rules/0/when",
        ),
        rule(
            "/$defs/usage",
            json!({"reply": "a", "usage": {}}),
            "/rules/0/usage",
        ),
        rule("/$defs/fault", never_ends, "/rules/0/fault"),
        fault(json!({"kind": "cut"})),
        fault(json!({"status": 500})),
    ]
}

fn rows() -> Vec<Place> {
    let line = json!({"id": "c", "output": "a", "usage": {}});
    vec![
        Place::new(Kind::Dataset, "", json!({"id": "c"}), ""),
        Place::new(Kind::Cassette, "", line.clone(), ""),
        Place::new(Kind::Cassette, "/$defs/usage", line, "/usage"),
    ]
}

fn settings() -> Vec<Place> {
    let file = json!({"gate": "settings/1", "profiles": {"ci": {}}});
    vec![
        Place::new(Kind::Settings, "", file.clone(), ""),
        Place::new(Kind::Settings, "/$defs/profile", file, "/profiles/ci"),
    ]
}
