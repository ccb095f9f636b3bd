//! Schemas and readers agree: on the keys of every map, on the words of every key that takes
//! words, and on whether a value is right.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::places::{Place, definition, lacking_types, places, scorer_types, smallest_scorer};
use super::{Kind, closed_objects, resolved, schema, validator};
use crate::chat::{AnswerFault, ProviderKind};
use crate::score::assertion::catalogue;
use crate::settings::keys::KEYS;

/// No key and no word, nor near one.
const NONSENSE: &str = "qqxx";

fn set<'w>(words: impl IntoIterator<Item = &'w str>) -> BTreeSet<String> {
    words.into_iter().map(str::to_owned).collect()
}

/// The list after `intro` in the help of the findings of a rule.
fn listed(kind: Kind, file: &Value, rule: &str, intro: &str) -> Vec<BTreeSet<String>> {
    let found = kind.read(&file.to_string());
    found
        .iter()
        .filter(|finding| finding.rule == rule)
        .filter_map(|finding| finding.help.as_deref()?.split_once(intro))
        .map(|(_, list)| set(list.split(", ")))
        .collect()
}

#[test]
fn every_place_is_a_valid_file() {
    for place in places() {
        let errors = place.kind.errors(&place.file.to_string());
        assert!(errors.is_empty(), "{place:?}: {errors:?}");
        let validator = validator(place.kind.name());
        let errors: Vec<_> = validator.iter_errors(&place.file).collect();
        assert!(errors.is_empty(), "{place:?}: {errors:?}");
    }
}

#[test]
fn every_object_of_a_schema_has_a_place() {
    let mut known: BTreeMap<Kind, BTreeSet<String>> = BTreeMap::new();
    for place in places() {
        known.entry(place.kind).or_default().insert(place.object);
    }
    for kind in Kind::ALL {
        let schema = schema(kind.name());
        let mut objects: BTreeSet<String> = closed_objects(&schema)
            .into_iter()
            .map(|(at, _)| at)
            .collect();
        // A case's scorers are the suite's to the letter.
        objects.retain(|at| kind != Kind::Dataset || !at.starts_with("/$defs/scorer-"));
        // A type that this build lacks is not read.
        if kind == Kind::Suite {
            for name in lacking_types() {
                let lacking = definition(&schema, "scorer-any", &name);
                objects.retain(|at| Some(at) != lacking.as_ref());
            }
        }
        // No reader lists the one key of a transform.
        objects.retain(|at| !at.starts_with("/$defs/transform/"));
        assert_eq!(objects, known[&kind], "{kind:?}");
    }
}

#[test]
fn the_keys_of_a_map_are_those_that_its_reader_takes() {
    for place in places() {
        if place.kind == Kind::Settings {
            continue;
        }
        let file = place.with(NONSENSE, &json!(1));
        let taken = listed(place.kind, &file, "unknown-key", "takes: ");
        let described: BTreeSet<String> = place.properties().keys().cloned().collect();
        assert_eq!(taken, [described], "{place:?}");
    }
}

#[test]
fn the_settings_are_the_keys_of_the_settings() {
    let file: BTreeSet<String> = set(KEYS.iter().map(|key| key.name))
        .into_iter()
        .filter(|name| name != "profile")
        .collect();
    for place in places() {
        if place.kind != Kind::Settings {
            continue;
        }
        let mut wanted = file.clone();
        if place.at.is_empty() {
            wanted.extend(set(["gate", "profiles"]));
        }
        let described: BTreeSet<String> = place.properties().keys().cloned().collect();
        assert_eq!(described, wanted);
        for owned in [
            NONSENSE,
            "profile",
            "allow_exec",
            "allow_host",
            "allow_path",
        ] {
            let file = place.with(owned, &json!("a"));
            assert!(!place.kind.errors(&file.to_string()).is_empty(), "{owned}");
            assert!(!validator("settings").is_valid(&file), "{owned}");
        }
    }
}

#[test]
fn the_scorers_are_those_of_the_catalogue_with_their_keys() {
    let schema = schema("suite");
    let words = &schema["$defs"]["scorer-any"]["properties"]["type"]["enum"];
    let words = set(words.as_array().unwrap().iter().filter_map(Value::as_str));
    assert_eq!(words, scorer_types().into_iter().collect());
    for scorer_type in catalogue::types() {
        let common = ["type", "name", "gating", "weight", "transform"];
        let graded = scorer_type.graded.then_some("threshold");
        let wanted = set(common
            .into_iter()
            .chain(graded)
            .chain(scorer_type.keys.iter().copied()));
        let at = definition(&schema, "scorer-any", scorer_type.name).unwrap();
        let object = schema.pointer(&at).unwrap()["properties"].as_object();
        let described: BTreeSet<String> = object.unwrap().keys().cloned().collect();
        assert_eq!(described, wanted, "{}", scorer_type.name);
    }
}

#[test]
fn a_schema_has_the_scorers_that_this_build_lacks() {
    for name in lacking_types() {
        let mut file = short_suite("openai:m");
        file["scorers"][0] = smallest_scorer(&name);
        assert!(validator("suite").is_valid(&file), "{name}");
        let errors = Kind::Suite.errors(&file.to_string());
        assert!(
            matches!(&errors[..], [error] if error.starts_with("missing-feature: ")),
            "{name}: {errors:?}"
        );
    }
}

/// The words of a property: its own, those of one of its forms, or of its items; with a value that
/// puts a word there.
fn words_of(schema: &Value, property: &Value) -> Option<(BTreeSet<String>, Value)> {
    let property = resolved(schema, property);
    let texts = |node: &Value| {
        let words = node.get("enum")?.as_array()?.iter();
        Some(words.filter_map(Value::as_str).map(str::to_owned).collect())
    };
    let forms = property["anyOf"].as_array();
    let own = texts(property).or_else(|| forms.into_iter().flatten().find_map(texts));
    own.map(|words| (words, json!(NONSENSE)))
        .or_else(|| Some((texts(property.get("items")?)?, json!([NONSENSE]))))
}

#[test]
fn the_words_of_a_key_are_those_that_its_reader_takes() {
    let mut checked = 0;
    for place in places() {
        let schema = schema(place.kind.name());
        for (key, property) in place.properties() {
            let Some((words, nonsense)) = words_of(&schema, &property) else {
                continue;
            };
            // These come from lists of their own, below and above.
            if ["metric", "judge", "transform"].contains(&key.as_str())
                || place.kind == Kind::Settings
            {
                continue;
            }
            if place.is_scorer() && key == "type" {
                continue;
            }
            // A fault with a status has no kind.
            if key == "kind" && place.file.pointer("/rules/0/fault/status").is_some() {
                continue;
            }
            let file = place.with(&key, &nonsense);
            let taken = listed(place.kind, &file, "unknown-word", "one of: ");
            assert_eq!(taken, [words], "{key} of {place:?}");
            checked += 1;
        }
    }
    assert!(checked >= 40, "only {checked} keys with words");
}

#[test]
fn the_words_of_settings_metrics_and_models_are_those_of_their_readers() {
    let settings = schema("settings");
    for key in &KEYS {
        if let crate::settings::keys::Takes::Word(words) = key.takes {
            let described = words_of(&settings, &settings["$defs"][key.name]).unwrap().0;
            assert_eq!(described, set(words.iter().copied()), "{}", key.name);
        }
    }
    let suite = schema("suite");
    let place = metric_place();
    let file = place.with("metric", &json!(NONSENSE));
    let mut taken = listed(Kind::Suite, &file, "unknown-word", "one of: ").remove(0);
    assert!(taken.remove("score.<scorer>"));
    let metric = &suite["$defs"]["metric"]["properties"]["metric"];
    assert_eq!(words_of(&suite, metric).unwrap().0, taken);
    for (word, _) in AnswerFault::WORDS {
        assert!(taken.contains(&format!("rate.{word}")));
    }
    let forms = suite["$defs"]["transform"]["anyOf"].as_array().unwrap();
    let mut transforms = words_of(&suite, &suite["$defs"]["transform"]).unwrap().0;
    let with_value = forms
        .iter()
        .filter_map(|form| form["properties"].as_object());
    transforms.extend(with_value.flat_map(|properties| properties.keys().cloned()));
    assert_eq!(transforms, set(crate::score::transform::words()));
    for (provider, _) in ProviderKind::WORDS {
        agree(Kind::Suite, &short_suite(&format!("{provider}:m")));
    }
}

fn metric_place() -> Place {
    let mut places = places().into_iter();
    places
        .find(|place| place.object == "/$defs/metric-amount")
        .unwrap()
}

fn short_suite(model: &str) -> Value {
    json!({"gate": "suite/1", "dataset": "d.csv", "model": model, "scorers": [{"type": "is-json"}]})
}

fn agree(kind: Kind, file: &Value) {
    let errors = kind.errors(&file.to_string());
    let fits = validator(kind.name()).is_valid(file);
    assert_eq!(fits, errors.is_empty(), "{file}: {errors:?}");
}

/// Values of every type, at limits and of forms that some key takes.
fn values(kind: Kind) -> Vec<Value> {
    let texts = [
        "",
        "a",
        "A b",
        "true",
        "v1",
        "5",
        "0",
        "90s",
        "1.5h",
        "-1s",
        "-1",
        "../x.yaml",
        "/x.md",
        "d.csv",
        "x.md",
        "judges/x@v1",
        "gate/x@v1",
        "gate/rubric@v1",
        "judges/v1@v1",
        "sha256:0123abcd",
        "openai:m",
        "openai:",
        "mock:m",
        "nobody:m",
        "{{expected}}",
        "postgres",
        "score.x",
        "pass",
        "json",
        "suite/2",
        "a/b",
        "a//b",
        "a/v2",
    ];
    let numbers = [-1.0, 0.0, 0.5, 1.0, 1.5, 2.0, 20.0, 300.0, 5e9];
    let others = [
        json!(true),
        json!(false),
        json!([]),
        json!(["a"]),
        json!([""]),
        json!([1]),
        json!(["a", "a"]),
        json!([{}]),
        json!({}),
        json!({"a": "b"}),
        json!({"a": 1}),
        json!({"a": ""}),
        json!({"A b": {"type": "string"}}),
    ];
    let mut values: Vec<Value> = texts.into_iter().map(Value::from).collect();
    values.extend(numbers.map(crate::base::node::json_number));
    values.extend(others);
    if kind.is_rows() {
        values.push(Value::Null);
    }
    values
}

/// Where a schema can not, or should not, follow its reader.
fn excused(place: &Place, key: &str, value: &Value) -> bool {
    match key {
        // The reader says no more than that they are not built yet.
        "extends" => true,
        // Whether the default is one of the variable's own words is beyond a schema.
        "default" => place.object == "/$defs/variable-enum",
        // Nothing is written there; a slip, or a program's habit.
        "command" => value == &json!([]),
        // The reader passes over a negative number in silence.
        "timeout" if place.kind == Kind::Suite => value == &json!(-1),
        // A schema does not read regular expressions.
        "pattern" | "system" | "user" => value == "{{expected}}",
        // Nor expressions, programs, paths, selectors, lists of languages, numbers as text, or one key beside another.
        "value" if place.is_scorer() => ["expr", "language", "numeric", "choice", "javascript"]
            .iter()
            .any(|name| place.object.ends_with(name)),
        "choices" | "path" | "selector" => place.is_scorer(),
        // Whether the question has a place in a body is beyond a schema.
        "body" => place.object == "/$defs/http",
        // An empty setting counts as absent.
        _ => place.kind == Kind::Settings && value == "",
    }
}

#[test]
fn schema_and_reader_agree_on_every_kind_of_value_of_every_key() {
    let mut apart = Vec::new();
    let mut tried = BTreeSet::new();
    for place in places() {
        let validator = validator(place.kind.name());
        for key in place.properties().keys() {
            // Scorers of one definition, and the keys that all have, are looked at once.
            let scorer = place.is_scorer();
            let common = ["name", "gating", "weight", "transform"].contains(&key.as_str());
            let object = if common { "scorer" } else { &place.object };
            if scorer && !tried.insert((object.to_owned(), key.clone(), place.at)) {
                continue;
            }
            for value in values(place.kind) {
                let file = place.with(key, &value);
                let errors = place.kind.errors(&file.to_string());
                if validator.is_valid(&file) != errors.is_empty() && !excused(&place, key, &value) {
                    let (kind, object) = (place.kind.name(), &place.object);
                    apart.push(format!(
                        "{kind}.json {object} {key}: {value} in {file}: {errors:?}"
                    ));
                }
            }
        }
    }
    assert!(
        apart.is_empty(),
        "{} apart:\n{}",
        apart.len(),
        apart.join("\n")
    );
}

#[test]
fn the_keys_that_a_map_needs_are_those_that_its_reader_needs() {
    for place in places() {
        let map = place.file.pointer(place.at).unwrap().as_object().unwrap();
        for key in map.keys() {
            let mut file = place.file.clone();
            let map = file.pointer_mut(place.at).unwrap().as_object_mut();
            map.unwrap().remove(key);
            agree(place.kind, &file);
        }
    }
}
