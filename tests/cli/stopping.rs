//! Early stopping by policy, `--fail-fast`, and the self-check of a version against itself.

use serde_json::Value;

use crate::sandbox::{RULES, SUITE, Sandbox};

/// A project of 100 cases, all of which the second version loses.
fn losing(policy: &str) -> Sandbox {
    let sandbox = Sandbox::smallest();
    let rows: String = (0..100)
        .map(|n| format!("{{\"id\": \"c{n}\", \"vars\": {{\"ticket\": \"question {n}\"}}, \"expected\": \"bug\"}}\n"))
        .collect();
    sandbox.write("fixtures/label.jsonl", &rows);
    sandbox.write("evals/label.yaml", &format!("{SUITE}policy: {policy}\n"));
    let rules = RULES.replace("system: friendly, case: c2", "system: friendly");
    sandbox.write("fixtures/label.mock.yaml", &rules);
    sandbox
}

fn skipped(result: &Value, arm: &str) -> u64 {
    result["suites"][0]["arms"][arm]["skipped"]
        .as_u64()
        .unwrap()
}

#[test]
fn a_proven_loss_ends_the_run_at_a_look_whatever_the_concurrency() {
    for early_stop in ["obrien-fleming", "e-process"] {
        let sandbox = losing(&format!("{{ early_stop: {early_stop} }}"));
        let mut verdicts = Vec::new();
        for concurrency in ["1", "32"] {
            let arguments = [
                "compare",
                "v1",
                "v2",
                "--no-cache",
                "-j",
                concurrency,
                "--json",
                "out.json",
            ];
            sandbox.gate(&arguments).exits(1).prints("FAIL");
            let result = sandbox.json("out.json");
            assert_eq!(result["suites"][0]["complete"], false);
            let left = skipped(&result, "candidate");
            assert!(left >= 60, "{early_stop}: {left}");
            assert_eq!(left, skipped(&result, "baseline"));
            let cases = result["suites"][0]["cases"].as_array().unwrap();
            let stopped = |case: &&Value| case["candidate"]["trials"][0]["skipped"] == "stopped";
            assert_eq!(cases.iter().filter(stopped).count() as u64, left);
            let tests = result["suites"][0]["rules"][0]["tests"].as_array().unwrap();
            assert!(tests.iter().any(|test| test["name"] == early_stop));
            let notes = result["suites"][0]["notes"].to_string();
            assert!(notes.contains("their calls are saved"), "{notes}");
            verdicts.push((left, result["suites"][0]["rules"].clone()));
        }
        assert_eq!(verdicts[0], verdicts[1]);
        sandbox.gate(&["report", "last"]).exits(1).prints("FAIL");
    }
}

#[test]
fn a_run_without_a_loss_goes_to_its_end() {
    let sandbox = losing("{ early_stop: obrien-fleming }");
    let result = sandbox.gate(&["compare", "v1", "v1", "--json", "out.json"]);
    result.exits(0);
    assert_eq!(skipped(&sandbox.json("out.json"), "candidate"), 0);
}

#[test]
fn fail_fast_stops_at_a_lost_must_pass_case_and_changes_no_verdict() {
    let sandbox = losing("{ preset: promote }");
    let rows = sandbox.read("fixtures/label.jsonl");
    sandbox.write(
        "fixtures/label.jsonl",
        &rows.replace("\"expected\"", "\"must_pass\": true, \"expected\""),
    );
    let arguments = [
        "compare",
        "v1",
        "v2",
        "-j",
        "1",
        "--fail-fast",
        "--json",
        "out.json",
    ];
    sandbox.gate(&arguments).exits(1);
    let result = sandbox.json("out.json");
    assert_eq!(result["exit"]["reason"], "must-pass");
    assert!(skipped(&result, "candidate") > 90);
    sandbox
        .gate(&["compare", "v1", "v2", "--json", "out.json"])
        .exits(1);
    let result = sandbox.json("out.json");
    assert_eq!(result["exit"]["reason"], "must-pass");
    assert_eq!(skipped(&result, "candidate"), 0);
}

#[test]
fn a_version_against_itself_is_a_self_check() {
    let sandbox = losing("{ preset: promote }");
    sandbox.write("fixtures/label.mock.yaml", "gate: mock/1\nrules:\n  - { when: { repeat: 2, case: c71 }, reply: no }\n  - { reply: \"{{expected}}\" }\n");
    let ran = sandbox.gate(&["compare", "v1", "v1", "--json", "out.json"]);
    ran.exits(0);
    let notes = sandbox.json("out.json")["suites"][0]["notes"].to_string();
    assert!(notes.contains("Self-check"), "{notes}");
    assert!(notes.contains("% of runs fail (false alarms)"), "{notes}");
    assert!(
        notes.contains("1 of 100 cases changed") && notes.contains("Flaky: c71"),
        "{notes}"
    );
    assert!(notes.contains("100 cases find a loss of"), "{notes}");
    ran.prints("Self-check");
    sandbox
        .gate(&["report", "last"])
        .exits(0)
        .prints("Self-check");
    sandbox.gate(&["compare", "v1", "v2", "--json", "out.json"]);
    let notes = sandbox.json("out.json")["suites"][0]["notes"].to_string();
    assert!(!notes.contains("Self-check"), "{notes}");
}

#[test]
fn an_e_process_that_could_never_decide_is_refused() {
    let sandbox = losing("{ early_stop: e-process }");
    sandbox
        .gate(&["compare", "v1", "v2", "--repeat", "2"])
        .exits(2)
        .says("can not decide on several trials of a case")
        .says("obrien-fleming");
}
