//! `--gate-from`, and what a change does to the definition of its own gate.

use crate::sandbox::{CASES, RULES, SUITE, Sandbox};

/// A repository whose last change breaks the prompt and loosens the gate: it takes the lost cases out
/// of the data, adds the broken answer to the rules, and a second suite.
fn loosened() -> Sandbox {
    let sandbox = Sandbox::smallest();
    let must_pass = CASES.replace("\"expected\"", "\"must_pass\": true, \"expected\"");
    sandbox.write("fixtures/label.jsonl", &must_pass);
    sandbox.git(&["init", "-q"]);
    sandbox.git(&["add", "."]);
    sandbox.git(&["commit", "-qm", "first"]);
    let kept: String = must_pass
        .lines()
        .filter(|line| !line.contains("c2"))
        .map(|line| format!("{line}\n"))
        .collect();
    sandbox.write("fixtures/label.jsonl", &kept);
    sandbox.write(
        "evals/second.yaml",
        &SUITE.replace("name: label", "name: second"),
    );
    sandbox
}

#[test]
fn a_change_that_loosens_its_gate_is_judged_by_the_gate_it_changes() {
    let sandbox = loosened();
    sandbox
        .gate(&["compare", "v1", "v2", "--suite", "label"])
        .exits(0);
    sandbox
        .gate(&[
            "compare",
            "v1",
            "v2",
            "--gate-from",
            "HEAD",
            "--json",
            "out.json",
        ])
        .exits(1)
        .prints("Judged by the gate definition of HEAD")
        .prints("fixtures/label.jsonl")
        .prints("HEAD has no such suite");
    let result = sandbox.json("out.json");
    let verdicts: Vec<(&str, &str)> = result["suites"]
        .as_array()
        .unwrap()
        .iter()
        .map(|suite| {
            (
                suite["name"].as_str().unwrap(),
                suite["verdict"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(verdicts, [("second", "skipped"), ("label", "fail")]);
    assert_eq!(result["suites"][1]["dataset"]["cases"], 3);
}

#[test]
fn the_prompts_under_test_are_those_on_disk() {
    let sandbox = Sandbox::smallest();
    std::fs::remove_file(sandbox.path("prompts/label/v2.yaml")).unwrap();
    sandbox.git(&["init", "-q"]);
    sandbox.git(&["add", "."]);
    sandbox.git(&["commit", "-qm", "first"]);
    sandbox.write("prompts/label/v2.yaml", &crate::sandbox::v2());
    // A suite that the change breaks does not stop the gate that judges it.
    sandbox.write("evals/label.yaml", "gate: suite/1\nname: [");
    sandbox.write(
        "fixtures/label.mock.yaml",
        &RULES.replace("friendly", "unfriendly"),
    );
    sandbox
        .gate(&[
            "compare",
            "v1",
            "v2",
            "--gate-from",
            "HEAD",
            "--json",
            "out.json",
        ])
        .exits(0);
    let result = sandbox.json("out.json");
    assert_eq!(result["suites"][0]["arms"]["candidate"]["failed"], 1);
    sandbox
        .gate(&["compare", "v1", "v2"])
        .exits(2)
        .says("evals/label.yaml");
}

#[test]
fn settings_are_those_of_the_revision() {
    let sandbox = Sandbox::smallest();
    sandbox.write("gate.yaml", "gate: settings/1\nevals: evals\n");
    sandbox.git(&["init", "-q"]);
    sandbox.git(&["add", "."]);
    sandbox.git(&["commit", "-qm", "first"]);
    sandbox.write("gate.yaml", "gate: settings/1\nevals: nowhere\n");
    sandbox.gate(&["compare", "v1", "v2"]).exits(2);
    sandbox
        .gate(&["compare", "v1", "v2", "--gate-from", "HEAD"])
        .exits(0)
        .prints("gate.yaml");
}

#[test]
fn a_revision_that_is_not_there_or_has_no_project_is_a_usage_error() {
    let sandbox = loosened();
    sandbox
        .gate(&["compare", "v1", "v2", "--gate-from", "nowhere"])
        .exits(2)
        .says("nowhere");
    sandbox
        .gate(&["compare", "v1", "v2", "--gate-from=--output=x"])
        .exits(2);
}

#[test]
fn a_project_below_the_top_of_its_repository_is_judged_by_its_own_folder() {
    let sandbox = Sandbox::empty();
    for (path, text) in [
        ("evals/label.yaml", SUITE.to_owned()),
        ("prompts/label/v1.yaml", crate::sandbox::V1.to_owned()),
        ("prompts/label/v2.yaml", crate::sandbox::v2()),
        ("fixtures/label.mock.yaml", RULES.to_owned()),
        ("fixtures/label.jsonl", CASES.to_owned()),
    ] {
        sandbox.write(&format!("app/{path}"), &text);
    }
    sandbox.git(&["init", "-q"]);
    sandbox.git(&["add", "."]);
    sandbox.git(&["commit", "-qm", "first"]);
    sandbox.write("app/fixtures/label.jsonl", "");
    sandbox
        .gate(&["-C", "app", "compare", "v1", "v2", "--gate-from", "HEAD"])
        .exits(0)
        .prints("3 cases");
}

#[test]
fn a_changed_definition_is_named_at_the_head_of_the_result() {
    let sandbox = loosened();
    sandbox
        .gate(&[
            "compare",
            "v2",
            "--changed-since",
            "HEAD",
            "--suite",
            "label",
            "--markdown",
            "out.md",
        ])
        .prints("gate definition changed: fixtures/label.jsonl");
    assert!(sandbox.read("out.md").contains("gate definition changed"));
}

#[test]
fn a_change_that_empties_the_data_is_not_skipped_over() {
    let sandbox = Sandbox::smallest();
    std::fs::remove_file(sandbox.path("prompts/label/v1.yaml")).unwrap();
    sandbox.git(&["init", "-q"]);
    sandbox.git(&["add", "."]);
    sandbox.git(&["commit", "-qm", "first"]);
    sandbox.write("fixtures/label.jsonl", "");
    sandbox
        .gate(&["compare", "--changed-since", "HEAD"])
        .exits(2)
        .says("fixtures/label.jsonl");
}

#[test]
fn a_missing_key_is_said_last_and_only_where_something_is_sent() {
    let sandbox = Sandbox::remote("https://api.openai.com/v1", 3, "");
    sandbox
        .gate(&["compare", "v1", "v2"])
        .exits(3)
        .says("OPENAI_API_KEY is not set");
    sandbox
        .gate(&["compare", "v1", "v2", "--case", "nope"])
        .exits(2)
        .says("no case of suite");
    sandbox
        .gate(&["compare", "v1", "v2", "--dry-run"])
        .exits(0)
        .prints("6 requests to send");
}

#[test]
fn a_key_is_needed_only_for_models_that_the_chosen_cases_ask() {
    let sandbox = Sandbox::smallest();
    let grader = SUITE.replace(
        "scorers:",
        "judge_models: [{ name: grader, provider: openai, model: gpt-4o-2024-08-06 }]\nscorers:",
    );
    sandbox.write("evals/label.yaml", &grader);
    let judged = "\"scorers\": [{ \"name\": \"polite\", \"type\": \"judge\", \"criteria\": \"It is polite.\" }], \"expected\": \"bug\"";
    sandbox.write(
        "fixtures/label.jsonl",
        &CASES.replace("\"expected\": \"bug\"", judged),
    );
    sandbox
        .gate(&["run", "v1", "--no-gate", "--case", "c1"])
        .exits(0);
    sandbox
        .gate(&["run", "v1", "--no-gate", "--case", "c2"])
        .exits(3)
        .says("model `grader` needs a key");
}
