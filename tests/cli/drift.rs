//! `gate drift`: the stable version asked again, against the answers of its promotion.

use serde_json::Value;

use crate::sandbox::{SUITE, Sandbox};

/// Mock rules whose answers are right but for cases of one beginning.
fn rules(wrong: &str) -> String {
    format!(
        "gate: mock/1\nrules:\n  - {{ when: {{ case: \"{wrong}\" }}, reply: wrong }}\n  - {{ reply: \"{{{{expected}}}}\" }}\n"
    )
}

/// A project of 100 cases whose first version is stable on the evidence of a run.
fn promoted() -> Sandbox {
    let mut sandbox = Sandbox::smallest();
    sandbox.set("GATE_AUTHOR", "ana");
    let rows: String = (0..100)
        .map(|n| format!("{{\"id\": \"c{n}\", \"vars\": {{\"ticket\": \"question {n}\"}}, \"expected\": \"bug\"}}\n"))
        .collect();
    sandbox.write("fixtures/label.jsonl", &rows);
    let suite = SUITE.replace("provider: mock", "provider: mock, model: test-model");
    sandbox.write(
        "evals/label.yaml",
        &format!("{suite}policy: {{ preset: promote, min_pass_rate: 0.9 }}\n"),
    );
    sandbox.write("fixtures/label.mock.yaml", &rules("none"));
    for version in ["v1", "v2"] {
        let file = format!("prompts/label/{version}.yaml");
        sandbox
            .gate(&["prompt", "add", &file, "--description", "a version"])
            .exits(0);
    }
    sandbox.gate(&["run", "v1"]).exits(0);
    sandbox.gate(&["prompt", "promote", "label@v1"]).exits(0);
    sandbox
}

fn notes(result: &Value) -> String {
    result["suites"][0]["notes"].to_string()
}

#[test]
fn an_unchanged_model_does_not_drift_and_the_history_grows() {
    let sandbox = promoted();
    for week in 1..=3 {
        sandbox
            .gate(&["drift", "--history", "drift.jsonl", "--json", "out.json"])
            .exits(0)
            .prints("PASS");
        assert_eq!(sandbox.read("drift.jsonl").lines().count(), week);
    }
    let result = sandbox.json("out.json");
    assert_eq!(result["command"], "drift");
    assert_eq!(result["verdict"], "pass");
    assert_eq!(result["suites"][0]["arms"]["candidate"]["requests"], 100);
    assert_eq!(result["suites"][0]["arms"]["baseline"]["requests"], 0);
    let notes = notes(&result);
    assert!(notes.contains("Series of 3 runs"), "{notes}");
    assert!(notes.contains("nothing moved"), "{notes}");
    assert!(!notes.contains("Self-check"), "{notes}");
}

#[test]
fn a_model_that_got_worse_fails_after_a_second_look() {
    let sandbox = promoted();
    sandbox.write("fixtures/label.mock.yaml", &rules("c1*"));
    let ran = sandbox.gate(&[
        "drift",
        "label",
        "--json",
        "out.json",
        "--junit",
        "out.xml",
        "--markdown",
        "out.md",
    ]);
    ran.exits(1).prints("FAIL").says("asking a second time");
    let result = sandbox.json("out.json");
    let notes = notes(&result);
    assert!(notes.contains("Second run:"), "{notes}");
    assert!(notes.contains("labels"), "{notes}");
    assert_eq!(
        result["suites"][0]["rules"]
            .as_array()
            .unwrap()
            .iter()
            .find(|rule| rule["id"] == "pass-rate")
            .unwrap()["pairs"]["regressions"],
        11
    );
    let line: Value =
        serde_json::from_str(sandbox.read(".gate/history/drift.jsonl").trim()).unwrap();
    assert_eq!(line["verdict"], "fail");
    assert!(sandbox.read("out.md").contains("drift"));
}

#[test]
fn a_small_loss_is_a_note_and_a_falling_series_an_alarm() {
    let sandbox = promoted();
    sandbox.write("fixtures/label.mock.yaml", &rules("c1[0-4]"));
    sandbox
        .gate(&["drift", "--history", "short.jsonl", "--json", "out.json"])
        .exits(0)
        .prints("INCONCLUSIVE");
    let notes = notes(&sandbox.json("out.json"));
    assert!(notes.contains("Not counted as drift"), "{notes}");
    sandbox.write("fixtures/label.mock.yaml", &rules("none"));
    for _ in 0..4 {
        sandbox.gate(&["drift"]).exits(0);
    }
    sandbox.write("fixtures/label.mock.yaml", &rules("c1[0-4]"));
    sandbox.gate(&["drift", "--json", "out.json"]).exits(1);
    assert_eq!(sandbox.json("out.json")["exit"]["reason"], "ewma");
}

#[test]
fn a_stored_run_can_stand_in_for_the_evidence() {
    let sandbox = promoted();
    sandbox
        .gate(&["drift", "--baseline", "run:last"])
        .exits(0)
        .prints("PASS");
    sandbox
        .gate(&["drift", "--baseline", "v1"])
        .exits(2)
        .says("run:ID");
    sandbox
        .gate(&["drift", "--offline"])
        .exits(2)
        .says("--offline");
    sandbox
        .gate(&["drift", "lable"])
        .exits(2)
        .says("did you mean `label`");
}

#[test]
fn without_a_promotion_there_is_nothing_to_watch() {
    let sandbox = Sandbox::smallest();
    sandbox.gate(&["drift"]).exits(0).prints("SKIPPED");
    sandbox
        .gate(&["drift", "label"])
        .exits(2)
        .says("no stable version");
}
