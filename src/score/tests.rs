//! Checks the catalogue as a whole: each type against its vectors in `fixtures/score/vectors`, and
//! the documentation against the code.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Value, json};

use super::assertion::catalogue;
use super::form::Form;
use super::{Answer, Context, Score, ScorerError, ScorerSpec, score};
use crate::base::decode::Reader;
use crate::base::{CaseId, Diagnostics, Fields, Source};
use crate::chat::{Finish, ToolCall, Usage};
use crate::dataset::Case;

/// A scorer read from JSON or YAML text.
pub fn decode(text: &str) -> Result<ScorerSpec, String> {
    let source = Source::new("evals/t.yaml", text);
    let node = crate::base::yaml::parse(&source).map_err(|found| found.to_string())?;
    let mut diagnostics = Diagnostics::new();
    let mut reader = Reader {
        source,
        diagnostics: &mut diagnostics,
    };
    let schemas = |path: &str| match path {
        "label.json" => Ok(json!({"type": "object", "required": ["label"]})),
        _ => Err("no such file".to_owned()),
    };
    let spec = ScorerSpec::decode(&mut reader, &node, &schemas);
    match diagnostics.finish(spec) {
        Ok((spec, _)) => Ok(spec),
        Err(found) => Err(found.to_string()),
    }
}

/// A case with what a vector says of it.
pub fn case(vector: &Value) -> Case {
    let vars = vector["vars"].as_object().cloned().unwrap_or_default();
    Case {
        id: CaseId::new("c1"),
        line: 1,
        vars: Fields::new(
            vars.into_iter()
                .map(|(key, value)| (Arc::from(key.as_str()), value))
                .collect(),
        ),
        expected: vector.get("expected").cloned(),
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

/// A text of a vector: as it is, or `{"repeat": [text, times]}`.
fn text(value: &Value) -> String {
    match value.get("repeat") {
        Some(repeat) => {
            let times = usize::try_from(repeat[1].as_u64().unwrap()).unwrap();
            format!(
                "{}{}{}",
                value["before"].as_str().unwrap_or_default(),
                repeat[0].as_str().unwrap().repeat(times),
                value["after"].as_str().unwrap_or_default()
            )
        }
        None => value.as_str().unwrap_or_default().to_owned(),
    }
}

/// The score of a vector's answer.
pub fn evaluate(spec: &ScorerSpec, vector: &Value) -> Result<Score, ScorerError> {
    let case = case(vector);
    let calls: Vec<ToolCall> = vector.get("tool_calls").map_or_else(Vec::new, |calls| {
        serde_json::from_value(calls.clone()).unwrap()
    });
    let tools: Vec<Value> = vector["tools"].as_array().cloned().unwrap_or_default();
    let usage: Usage = vector.get("usage").map_or_else(Usage::default, |usage| {
        serde_json::from_value(usage.clone()).unwrap()
    });
    let finish = Finish::from_word(vector["finish"].as_str().unwrap_or("stop"));
    let answer = Answer {
        text: &text(&vector["answer"]),
        finish: &finish,
        tool_calls: &calls,
        usage,
        latency_ms: vector["latency_ms"].as_f64(),
        cost_usd: vector["cost_usd"].as_f64(),
    };
    let context = Context {
        case: &case,
        question: vector["question"].as_str().unwrap_or("What is it?"),
        tools: &tools,
    };
    score(spec, &answer, &context)
}

fn vector_files() -> BTreeMap<String, String> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/score/vectors");
    fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let stem = path.file_stem().unwrap().to_str().unwrap().to_owned();
            (stem, fs::read_to_string(&path).unwrap())
        })
        .collect()
}

/// Whether this build is without the type, for want of a cargo feature.
fn is_lacking(scorer_type: &str) -> bool {
    catalogue::find(scorer_type).is_some_and(|found| found.lacks.is_some())
}

fn check(place: &str, scorer_type: &str, vector: &Value) -> Result<(), String> {
    let mut declared = json!({"type": scorer_type});
    let keys = vector["scorer"].as_object().cloned().unwrap_or_default();
    declared.as_object_mut().unwrap().extend(keys);
    let spec = decode(&declared.to_string()).map_err(|error| format!("{place}: {error}"))?;
    let found = evaluate(&spec, vector);
    if let Some(wanted) = vector["error"].as_str() {
        return match found {
            Err(error) if error.to_string().contains(wanted) => Ok(()),
            other => Err(format!("{place}: wanted error {wanted}, found {other:?}")),
        };
    }
    let found = found.map_err(|error| format!("{place}: {error}"))?;
    let pass = vector["pass"].as_bool().unwrap();
    let wanted = vector["score"]
        .as_f64()
        .unwrap_or(if pass { 1.0 } else { 0.0 });
    let good_reason = !found.reason.is_empty()
        && found.reason.chars().count() <= 300
        && !found.reason.contains(char::is_control);
    if found.pass == pass && (found.score - wanted).abs() < 1e-6 && good_reason {
        return Ok(());
    }
    Err(format!("{place}: wanted {pass} {wanted}, found {found:?}"))
}

#[test]
fn every_type_agrees_with_its_vectors() {
    let mut wrong = Vec::new();
    for (scorer_type, text) in vector_files() {
        if is_lacking(&scorer_type) {
            continue;
        }
        for (index, line) in text.lines().enumerate() {
            let place = format!("{scorer_type}.jsonl:{}", index + 1);
            let vector: Value = serde_json::from_str(line).expect(&place);
            wrong.extend(check(&place, &scorer_type, &vector).err());
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_type_has_ten_vectors_with_empty_unicode_very_long_and_hostile_answers() {
    let files = vector_files();
    let types: BTreeSet<&str> = catalogue::assertions().map(|t| t.name).collect();
    let named: BTreeSet<&str> = files.keys().map(String::as_str).collect();
    assert_eq!(named, types);
    for (scorer_type, text) in &files {
        let vectors: Vec<Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert!(vectors.len() >= 10, "{scorer_type}");
        let answers: Vec<String> = vectors.iter().map(|v| self::text(&v["answer"])).collect();
        let some = |what: &dyn Fn(&String) -> bool| answers.iter().any(what);
        assert!(some(&|a| a.is_empty()), "{scorer_type}: no empty answer");
        assert!(some(&|a| !a.is_ascii()), "{scorer_type}: only ASCII");
        assert!(some(&|a| a.len() > 50_000), "{scorer_type}: none is long");
        let hostile = |a: &String| a.contains(['\u{1b}', '\0', '\u{202e}']) || a.contains("{{");
        assert!(some(&hostile), "{scorer_type}: none is hostile");
    }
}

#[test]
fn text_metrics_equal_their_reference_programs() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/score");
    let (mut wrong, mut count) = (Vec::new(), 0);
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let file: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        for (index, vector) in file["vectors"].as_array().unwrap().iter().enumerate() {
            let mut scorer = vector["scorer"].as_object().unwrap().clone();
            scorer.insert("type".to_owned(), file["type"].clone());
            scorer.insert("value".to_owned(), json!("{{vars.value}}"));
            let spec = decode(&Value::from(scorer).to_string()).unwrap();
            let given = json!({"answer": vector["answer"], "vars": {"value": vector["value"]}});
            let found = evaluate(&spec, &given).unwrap().score;
            let wanted = vector["score"].as_f64().unwrap();
            count += 1;
            if (found - wanted).abs() > 1e-6 {
                let place = format!("{}:{index}", path.file_name().unwrap().display());
                wrong.push(format!("{place}: wanted {wanted}, found {found}: {vector}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count > 1_500, "{count} vectors");
}

/// The rows of the tables of types in the documentation, as cells.
fn documented() -> Vec<Vec<String>> {
    let docs = include_str!("../../docs/scorers.md");
    let (_, rest) = docs.split_once("\n## Types\n").unwrap();
    let (types, _) = rest.split_once("\n## ").unwrap();
    types
        .lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| {
            let line = line.replace("\\|", "\u{1}");
            line.trim_matches('|')
                .split('|')
                .map(|cell| cell.trim().replace('\u{1}', "|"))
                .collect()
        })
        .collect()
}

fn in_marks(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

#[test]
fn the_documentation_has_a_row_for_each_type_with_its_keys() {
    let rows: Vec<(String, Vec<String>, bool)> = documented()
        .iter()
        .map(|row| {
            let keys = in_marks(&row[1]).iter().map(ToString::to_string).collect();
            (row[0].trim_matches('`').to_owned(), keys, row[2] == "yes")
        })
        .collect();
    let types: Vec<(String, Vec<String>, bool)> = catalogue::types()
        .map(|t| {
            let mut keys: Vec<String> = t.keys.iter().map(ToString::to_string).collect();
            if t.graded {
                keys.push("threshold".to_owned());
            }
            (t.name.to_owned(), keys, t.negatable)
        })
        .collect();
    for row in &rows {
        assert!(types.contains(row), "not in the code: {row:?}");
    }
    for row in &types {
        assert!(rows.contains(row), "not in the documentation: {row:?}");
    }
    assert_eq!(rows.len(), types.len());
}

#[test]
fn every_documented_example_is_valid_and_reads_the_declared_keys() {
    for row in documented() {
        if is_lacking(row[0].trim_matches('`')) {
            continue;
        }
        let example = in_marks(&row[5])[0];
        decode(example).unwrap_or_else(|error| panic!("{example}: {error}"));
        let source = Source::new("t.yaml", example);
        let node = crate::base::yaml::parse(&source).unwrap();
        let mut diagnostics = Diagnostics::new();
        let mut reader = Reader {
            source,
            diagnostics: &mut diagnostics,
        };
        let mut form = Form::new(&mut reader, &node, &|_| Ok(json!(true)), 0).unwrap();
        let declared = catalogue::find(row[0].trim_matches('`')).unwrap();
        let _ = (declared.decode)(&mut form);
        let read: BTreeSet<&str> = form.known().iter().copied().collect();
        assert_eq!(read, declared.keys.iter().copied().collect(), "{example}");
    }
}

#[test]
fn the_documentation_lists_the_transforms() {
    let docs = include_str!("../../docs/scorers.md");
    let (_, rest) = docs.split_once("\n## Transforms\n").unwrap();
    let (table, _) = rest.split_once("\n## ").unwrap();
    let listed: Vec<&str> = table
        .lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| in_marks(line)[0])
        .collect();
    assert_eq!(listed, super::transform::words().collect::<Vec<_>>());
}

#[test]
fn reports_all_errors_of_a_scorer_with_places_and_suggestions() {
    let wrong = [
        "type: contain\nvalue: x\n",
        "type: not-latency\nmax_ms: 1\n",
        "type: zebra\n",
        "value: x\n",
        "type: contains\nvalu: x\nname: Not Good\ntransform: [trimm]\nthreshold: 0.5\n",
        "type: contains\nvalue: 7\n",
        "type: contains-all\nvalue: [a, '']\n",
        "type: regex\nvalue: 'a(?=b)'\n",
        "type: regex\nvalue: '\\w{9000}'\n",
        "type: contains\nvalue: '{{expect}}'\n",
        "type: judge\njudge: gate/rubic@v1\nmodel: Big Model\n",
        "type: judge\n",
        "type: judge\njudge: judges/polite\ncriteria: ''\n",
        "type: not-judge\ncriteria: x\n",
        "type: word-count\n",
        "type: word-count\nmin: 3\nmax: 2\n",
        "type: finish-reason\nvalue: stopp\n",
        "type: is-json\nschema: other.json\n",
        "type: contains\nvalue: x\ntransform: [regex-extract, {trim: x}, {json-path: '$['}, {regex-extract: '('}]\n",
        "type: similarity\nvalue: 7\nmethod: jaro\n",
        "type: rouge-n\nvalue: x\nn: 12\n",
        "type: numeric\nvalue: many\n",
        "type: choice\nvalue: E\nchoices: [A, B]\n",
        "type: json-path\npath: $..a..b..c\n",
        "type: pii\nkinds: [mail]\n",
        "type: language\nvalue: english\n",
        "type: expr\nvalue: outptu|length > 3\n",
        "type: expr\nvalue: output|replace('a', output) == ''\n",
        "type: expr\nvalue: 'output =='\n",
        "type: all-of\nscorers: [{type: judge, criteria: x}, {type: equals, gating: false}]\n",
        "type: any-of\nscorers: []\n",
        "type: is-json\nschema: { $ref: 'http://example.com/s.json' }\n",
        "type: is-json\nschema: { pattern: '(?=a)' }\n",
    ];
    let shown: Vec<String> = wrong
        .iter()
        .map(|text| format!("{text}\n{}\n", decode(text).unwrap_err()))
        .collect();
    insta::assert_snapshot!(shown.join("\n"));
}

#[test]
fn a_reference_lists_itself_and_a_case_without_it_is_found() {
    let spec =
        decode("{type: contains-all, value: ['{{expected.a}}', '{{vars.b}} {{expected.a}}']}")
            .unwrap();
    let shown: Vec<String> = spec.references().iter().map(ToString::to_string).collect();
    assert_eq!(shown, ["expected.a", "vars.b"]);
    let case = case(&json!({"expected": {"a": "x"}}));
    let missing: Vec<String> = spec.missing(&case).map(ToString::to_string).collect();
    assert_eq!(missing, ["vars.b"]);
}

#[test]
fn the_resolved_form_has_defaults_and_the_schema_itself() {
    let spec = decode("{type: is-json, schema: label.json}").unwrap();
    assert_eq!(
        *spec.resolved(),
        json!({"type": "is-json", "name": "is-json", "gating": true, "transform": [],
               "schema": {"type": "object", "required": ["label"]}})
    );
}

#[test]
fn a_case_with_a_value_that_can_not_be_used_is_found_before_any_answer() {
    let found = |text: &str, vector: Value| {
        let spec = decode(text).unwrap();
        let error = spec.check_case(&case(&vector));
        error.map(|error| error.to_string())
    };
    let all = "{type: contains-all, value: '{{expected}}', transform: [extract-json]}";
    assert_eq!(found(all, json!({"expected": ["a"]})), None);
    assert!(found(all, json!({"expected": "a"})).is_some());
    assert!(found(all, json!({})).is_some());
    assert_eq!(found("{type: latency, max_ms: 0}", json!({})), None);
    assert_eq!(found("{type: expr, value: json.a}", json!({})), None);
    assert!(found("{type: expr, value: expected}", json!({})).is_some());
}

#[test]
fn transforms_change_the_answer_in_order_and_one_that_finds_nothing_fails() {
    let pass = |transform: &str, answer: &str, value: &str| {
        let text = format!("{{type: equals, value: {value:?}, transform: {transform}}}");
        evaluate(&decode(&text).unwrap(), &json!({"answer": answer}))
            .unwrap()
            .pass
    };
    assert!(pass("[trim, lowercase]", " \u{c4}B\u{a0}", "\u{e4}b"));
    assert!(pass("[collapse-whitespace]", " a \n\t b ", "a b"));
    assert!(pass("[first-line]", "\n \n a\nb", " a"));
    assert!(pass("[last-line, trim]", "a\n b \r\n\n", "b"));
    assert!(pass("[first-line]", "", ""));
    assert!(pass(
        "[extract-json, {json-path: $.a}]",
        "so: {\"a\": [1]}.",
        "[1]"
    ));
    assert!(pass(
        "[{regex-extract: 'is (\\w+)'}]",
        "it is blue.",
        "blue"
    ));
    assert!(pass("[{regex-extract: '[0-9]+'}]", "it is 42.", "42"));
    let markdown =
        "# Title\n> - **bold** and *it* in `code`\n```rust\n[text](http://x) 2*3*4\n```\n";
    let plain = "Title\nbold and it in code\ntext 2*3*4\n";
    assert!(
        pass("[strip-markdown]", markdown, plain) || {
            let shown =
                super::transform::apply(&[super::transform::Transform::StripMarkdown], markdown);
            panic!("{shown:?}")
        }
    );
    let spec = decode("{type: not-equals, value: x, transform: [extract-json]}").unwrap();
    let score = evaluate(&spec, &json!({"answer": "none"})).unwrap();
    assert!(!score.pass && score.score == 0.0, "{score:?}");
}

#[test]
fn hostile_patterns_and_expressions_end_soon() {
    let long = "a".repeat(100_000);
    let evil = [
        r"{type: regex, value: '^(a|a)*$'}".to_owned(),
        r"{type: regex, value: '(a{1,9}){1,9}$'}".to_owned(),
        r"{type: regex, value: '((a*)*)*b'}".to_owned(),
        "{type: expr, value: \"(output * 90000)|length > 0\"}".to_owned(),
        "{type: expr, value: \"([output] * 99999999)|length > 0\"}".to_owned(),
        "{type: expr, value: \"output|split('')|sort|unique|list|length > 0\"}".to_owned(),
        "{type: expr, value: \"output|list|map('upper')|length > 0\"}".to_owned(),
        format!(
            "{{type: expr, value: \"{}1{}\"}}",
            "(".repeat(900),
            ")".repeat(900)
        ),
        format!("{{type: expr, value: \"{}true\"}}", "not ".repeat(490)),
        format!("{{type: expr, value: \"{}1\"}}", "-".repeat(1_900)),
        format!("{{type: expr, value: \"1{}\"}}", "**1".repeat(600)),
        format!(
            "{{type: expr, value: \"1{}\"}}",
            " if true else 1".repeat(130)
        ),
        format!(
            "{{type: expr, value: \"output{} == ''\"}}",
            "[0]".repeat(600)
        ),
        format!(
            "{{type: expr, value: \"output{} == ''\"}}",
            "|upper".repeat(300)
        ),
        format!("{{type: json-path, path: '${}'}}", "[*]".repeat(99)),
        format!(
            "{{type: json-path, path: '$[?{}@.a{}]'}}",
            "(".repeat(140),
            ")".repeat(140)
        ),
        format!("{{type: json-path, path: '$[?{}@.a]'}}", "!".repeat(280)),
        r"{type: is-json, schema: {$ref: '#'}}".to_owned(),
        r"{type: is-json, schema: {allOf: [{$ref: '#'}]}}".to_owned(),
        r"{type: is-json, schema: {pattern: '(a+)+$'}}".to_owned(),
    ];
    for text in evil {
        if let Ok(spec) = decode(&text) {
            for answer in [long.as_str(), "[[1]]", "{\"a\": 1}"] {
                let _ = evaluate(&spec, &json!({"answer": answer}));
            }
        }
    }
}

#[test]
fn a_large_pattern_on_a_long_answer_is_a_limit_and_a_small_one_is_not() {
    let found = |pattern: &str, answer: String| {
        let spec = decode(&format!("{{type: regex, value: '{pattern}'}}")).unwrap();
        evaluate(&spec, &json!({"answer": answer})).map(|score| score.pass)
    };
    let long = || "a".repeat(100_000);
    assert!(matches!(
        found("(a{1,50}){1,50}$", long()),
        Err(ScorerError::Limit { .. })
    ));
    assert_eq!(found("(a{1,50}){1,50}$", "a".repeat(500)), Ok(true));
    assert_eq!(found("^(a+)+$", long()), Ok(true));
    assert_eq!(found(r"^\w{1,99}$", long()), Ok(false));
}
