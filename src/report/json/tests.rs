//! The document of hand-made runs: its form by the schema, its numbers by hand.

use serde_json::Value;

use super::*;
use crate::report::sample;

fn document(report: &Report<'_>) -> Value {
    let text = sample::rendered(|into| write(report, into));
    serde_json::from_str(&text).unwrap()
}

fn assert_valid(document: &Value) {
    let schema: Value = serde_json::from_str(JSON_SCHEMA).unwrap();
    jsonschema::draft202012::meta::validate(&schema).unwrap();
    let validator = jsonschema::draft202012::new(&schema).unwrap();
    let errors: Vec<String> = validator
        .iter_errors(document)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{errors:#?}");
}

fn pretty(document: &Value) -> String {
    serde_json::to_string_pretty(document).unwrap()
}

#[test]
fn writes_every_key_of_a_comparison() {
    let sample = sample::hostile();
    let document = document(&sample.report());
    assert_valid(&document);
    sample::assert_snapshot("json-hostile", &pretty(&document));
}

#[test]
fn keeps_the_order_of_keys_rules_and_cases() {
    let sample = sample::hostile();
    let text = sample::rendered(|into| write(&sample.report(), into));
    assert!(text.starts_with("{\"schema\":\"gate/result@1\",\"command\":\"compare\",\"verdict\":"));
    let positions = ["pass-rate\"", "tier=enterprise]", "tier=free]", "tier=pro]"];
    let found: Vec<_> = positions.iter().map(|id| text.find(id)).collect();
    assert!(found.is_sorted() && found[0].is_some(), "{found:?}");
    assert!(text.find("\"c-1\"") < text.find("\"c-6\""));
}

#[test]
fn is_of_its_form_for_every_kind_of_run() {
    for sample in [
        sample::repeated(),
        sample::single(),
        sample::broken(),
        sample::hostile(),
    ] {
        let document = document(&sample.report());
        assert_valid(&document);
        for arm in document["suites"][0]["arms"].as_object().unwrap().values() {
            let sum = ["passed", "failed", "errored", "skipped"];
            let sum: u64 = sum.iter().map(|key| arm[*key].as_u64().unwrap()).sum();
            assert_eq!(arm["trials"], sum);
        }
    }
}

#[test]
fn has_the_candidate_alone_without_a_baseline() {
    let sample = sample::single();
    let document = document(&sample.report());
    let suite = &document["suites"][0];
    assert_eq!(suite["arms"].as_object().unwrap().len(), 1);
    assert_eq!(suite["cases"][0]["transition"], "new");
    assert!(suite["cases"][0].get("baseline").is_none());
}

#[test]
fn an_errored_trial_has_an_error_and_no_scores() {
    let sample = sample::broken();
    let document = document(&sample.report());
    let suite = &document["suites"][0];
    assert_eq!(suite["complete"], false);
    let trial = &suite["cases"][0]["candidate"]["trials"][0];
    assert_eq!(trial["outcome"], "errored");
    assert_eq!(trial["error"]["class"], "timeout");
    assert!(trial.get("scores").is_none());
    assert_eq!(suite["cases"][0]["candidate"]["pass"], Value::Null);
    let late = &suite["cases"][1]["candidate"]["trials"][0];
    assert_eq!(late["skipped"], "infra");
}

#[test]
fn says_that_a_text_can_not_be_read() {
    let mut sample = sample::hostile();
    sample.texts = crate::report::MemoryTexts::default();
    let document = document(&sample.report());
    assert_valid(&document);
    let trial = &document["suites"][0]["cases"][0]["candidate"]["trials"][0];
    assert_eq!(trial["output"], Value::Null);
    assert_eq!(
        trial["unreadable"],
        "the answer could not be read from the run's log"
    );
    assert_eq!(trial["scores"][0]["scorer"], "equals");
    assert_eq!(trial["scores"][0]["reason"], Value::Null);
}

#[test]
fn a_suite_without_a_run_has_the_same_keys() {
    let sample = sample::hostile();
    let document = document(&sample::several(&sample));
    assert_valid(&document);
    assert_eq!(document["suites"][1]["verdict"], "skipped");
    assert_eq!(document["suites"][2]["complete"], false);
}

#[test]
fn a_number_that_is_none_is_null() {
    let mut sample = sample::hostile();
    sample.decision.rules[0].estimate = Some(f64::NAN);
    let document = document(&sample.report());
    assert_eq!(document["suites"][0]["rules"][0]["estimate"], Value::Null);
}
