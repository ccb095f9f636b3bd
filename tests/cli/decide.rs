//! `gate decide`: the decision on outcome files of any tool.

#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::format_collect,
    reason = "helpers of tests: what goes wrong here fails the test"
)]

use serde_json::{Value, json};

use crate::sandbox::Sandbox;

/// Rows of `n` cases of which the listed ones fail.
fn rows(n: usize, failed: &[usize]) -> String {
    let row = |index| {
        let tier = ["free", "pro"][index % 2];
        let pass = !failed.contains(&index);
        format!(
            "{{\"id\": \"c{index}\", \"pass\": {pass}, \"segment\": {{\"tier\": \"{tier}\"}}, \"cost_usd\": 0.001, \"output_tokens\": 10}}\n"
        )
    };
    (0..n).map(row).collect()
}

fn decided(sandbox: &Sandbox, arguments: &[&str], code: i32) -> Value {
    let mut all = vec!["decide"];
    all.extend(arguments);
    all.extend(["--json", "out.json"]);
    sandbox.gate(&all).exits(code);
    let result = sandbox.json("out.json");
    assert_eq!(result["schema"], "gate/result@1");
    assert_eq!(result["command"], "decide");
    result
}

fn rule<'r>(result: &'r Value, id: &str) -> &'r Value {
    let rules = result["suites"][0]["rules"].as_array().unwrap();
    rules.iter().find(|rule| rule["id"] == id).unwrap()
}

#[test]
fn the_worked_verdicts_come_out_of_files() {
    let sandbox = Sandbox::empty();
    sandbox.write("base.jsonl", &rows(120, &[10, 11]));
    sandbox.write("cand.jsonl", &rows(120, &[0, 1, 2, 3, 4, 5, 6, 7, 8]));
    let result = decided(
        &sandbox,
        &["base.jsonl", "cand.jsonl", "--preset", "promote"],
        1,
    );
    let found = rule(&result, "pass-rate");
    assert_eq!(
        found["pairs"],
        json!({"n": 120, "both_pass": 109, "regressions": 9, "fixes": 2, "both_fail": 0, "missing": 0})
    );
    assert!((found["p_regression"].as_f64().unwrap() - 0.019_287).abs() < 1e-6);
    assert_eq!(found["decided_by"], "mcnemar-midp");
    assert_eq!(result["suites"][0]["cases"][0]["transition"], "regression");
    assert_eq!(result["suites"][0]["arms"]["candidate"]["requests"], 0);
    assert_eq!(result["suites"][0]["spent_usd"], 0.0);
    let ran = sandbox.gate(&["decide", "base.jsonl", "cand.jsonl", "--junit", "gate.xml"]);
    ran.exits(1)
        .prints("FAIL  cand is worse than base")
        .says("wrote gate.xml");
    assert!(sandbox.read("gate.xml").contains("gate.decide."));
    let result = decided(
        &sandbox,
        &["base.jsonl", "base.jsonl", "--preset", "promote"],
        0,
    );
    assert_eq!(result["verdict"], "pass");
}

#[test]
fn csv_says_the_same_as_jsonl() {
    let sandbox = Sandbox::empty();
    sandbox.write("base.jsonl", &rows(60, &[]));
    let csv: String = (0..60)
        .map(|index| {
            let tier = ["free", "pro"][index % 2];
            format!("c{index},{},{tier}\n", u8::from(index >= 6))
        })
        .collect();
    sandbox.write("cand.csv", &format!("id,pass,segment.tier\n{csv}"));
    let result = decided(&sandbox, &["base.jsonl", "cand.csv"], 1);
    assert_eq!(rule(&result, "pass-rate")["pairs"]["regressions"], 6);
    assert_eq!(rule(&result, "pass-rate[tier=pro]")["pairs"]["n"], 30);
}

#[test]
fn unmatched_cases_are_refused_unless_allowed() {
    let sandbox = Sandbox::empty();
    sandbox.write("base.jsonl", &rows(60, &[]));
    sandbox.write("cand.jsonl", &rows(59, &[]));
    sandbox
        .gate(&["decide", "base.jsonl", "cand.jsonl"])
        .exits(2)
        .says("c59")
        .says("--allow-unmatched");
    let arguments = ["base.jsonl", "cand.jsonl", "--allow-unmatched"];
    let result = decided(&sandbox, &arguments, 0);
    assert_eq!(rule(&result, "pass-rate")["pairs"]["n"], 59);
    let notes = result["suites"][0]["notes"].to_string();
    assert!(notes.contains("left out"), "{notes}");
}

#[test]
fn scores_are_graded_unless_a_limit_makes_them_passes() {
    let sandbox = Sandbox::empty();
    let scores = |loss: f64| -> String {
        (0..40)
            .map(|index| {
                let score = 0.8 + 0.01 * f64::from(index % 10) - loss * f64::from(index % 3);
                format!("{{\"id\": \"c{index}\", \"score\": {score}}}\n")
            })
            .collect()
    };
    sandbox.write("base.jsonl", &scores(0.0));
    sandbox.write("cand.jsonl", &scores(0.1));
    let result = decided(&sandbox, &["base.jsonl", "cand.jsonl"], 1);
    assert_eq!(rule(&result, "score")["decided_by"], "paired-t");
    let arguments = ["base.jsonl", "cand.jsonl", "--pass-at", "0.75"];
    let result = decided(&sandbox, &arguments, 1);
    assert!(rule(&result, "pass-rate")["pairs"]["regressions"].as_u64() > Some(10));
}

#[test]
fn errors_are_missing_and_too_many_make_the_run_unusable() {
    let sandbox = Sandbox::empty();
    sandbox.write("base.jsonl", &rows(60, &[]));
    let broken = rows(60, &[]).replace(
        "\"pass\": true, \"segment\": {\"tier\": \"pro\"}",
        "\"pass\": true, \"error\": \"timeout\", \"segment\": {\"tier\": \"pro\"}",
    );
    sandbox.write("cand.jsonl", &broken);
    let result = decided(&sandbox, &["base.jsonl", "cand.jsonl"], 3);
    assert_eq!(result["verdict"], "error");
    assert_eq!(result["suites"][0]["arms"]["candidate"]["errored"], 30);
}

#[test]
fn a_policy_file_sets_margin_and_metrics() {
    let sandbox = Sandbox::empty();
    sandbox.write("base.jsonl", &rows(100, &[]));
    sandbox.write("cand.jsonl", &rows(100, &[]).replace("0.001", "0.002"));
    sandbox.write(
        "p.yaml",
        "gate: policy/1\nmargin: 0.05\nmetrics: [{ metric: cost_usd, max_ratio: 1.1 }]\n",
    );
    let result = decided(
        &sandbox,
        &["base.jsonl", "cand.jsonl", "--policy", "p.yaml"],
        1,
    );
    assert_eq!(rule(&result, "cost_usd")["verdict"], "fail");
    assert_eq!(rule(&result, "pass-rate")["verdict"], "pass");
    sandbox.write(
        "p.yaml",
        "gate: policy/1\nmetrics: [{ metric: rate.refused, margin: 0.1 }]\n",
    );
    let refused = ["decide", "base.jsonl", "cand.jsonl", "--policy", "p.yaml"];
    sandbox.gate(&refused).exits(2).says("rate.refused");
}

#[test]
fn other_tools_files_are_read() {
    let sandbox = Sandbox::empty();
    let promptfoo = |failed: usize| {
        let results: Vec<Value> = (0..60)
            .map(|index| json!({"promptIdx": 0, "success": index >= failed, "score": u8::from(index >= failed),
                "vars": {"q": index}, "failureReason": u8::from(index < failed), "latencyMs": 10, "cost": 0.1}))
            .collect();
        json!({"evalId": "e", "results": {"version": 3, "results": results}}).to_string()
    };
    sandbox.write("base.json", &promptfoo(0));
    sandbox.write("cand.json", &promptfoo(7));
    let result = decided(&sandbox, &["base.json", "cand.json"], 1);
    assert_eq!(rule(&result, "pass-rate")["pairs"]["regressions"], 7);
    let inspect = |failed: usize| {
        let samples: Vec<Value> = (0..60)
            .map(|index| json!({"id": index, "epoch": 1, "input": "q", "scores": {"match": {"value": if index < failed { "I" } else { "C" }}}}))
            .collect();
        json!({"version": 2, "status": "success", "eval": {"task": "t"}, "samples": samples})
            .to_string()
    };
    sandbox.write("base.json", &inspect(0));
    sandbox.write("cand.json", &inspect(6));
    let result = decided(&sandbox, &["base.json", "cand.json"], 1);
    assert_eq!(rule(&result, "pass-rate")["pairs"]["regressions"], 6);
    let junit = |failed: usize| -> String {
        let cases: String = (0..60)
            .map(|index| {
                if index < failed {
                    format!("<testcase classname=\"t\" name=\"n{index}\"><failure/></testcase>")
                } else {
                    format!("<testcase classname=\"t\" name=\"n{index}\" time=\"0.1\"/>")
                }
            })
            .collect();
        format!("<testsuite name=\"s\">{cases}</testsuite>")
    };
    sandbox.write("base.xml", &junit(0));
    sandbox.write("cand.xml", &junit(5));
    let result = decided(&sandbox, &["base.xml", "cand.xml"], 1);
    assert_eq!(rule(&result, "pass-rate")["pairs"]["regressions"], 5);
}

#[test]
fn a_stored_run_is_decided_again_like_its_own_comparison() {
    let sandbox = Sandbox::smallest();
    sandbox
        .gate(&["compare", "v1", "v2", "--json", "own.json"])
        .exits(0);
    let own = sandbox.json("own.json");
    let result = decided(&sandbox, &["run:last#baseline", "run:last"], 0);
    assert_eq!(
        rule(&result, "pass-rate")["pairs"],
        rule(&own, "pass-rate")["pairs"]
    );
    assert_eq!(result["verdict"], own["verdict"]);
    sandbox
        .gate(&["decide", "run:last#other", "run:last"])
        .exits(2)
        .says("run:ID#baseline");
}

#[test]
fn what_is_no_outcome_file_is_a_usage_error_with_its_place() {
    let sandbox = Sandbox::empty();
    sandbox.write("ok.jsonl", &rows(3, &[]));
    sandbox.write(
        "bad.jsonl",
        "{\"id\": \"c0\", \"pass\": true}\n{\"id\": \"c1\", \"score\": 3}\n",
    );
    sandbox.write("odd.json", "{\"answer\": 42}");
    for (file, said) in [
        ("bad.jsonl", "bad.jsonl:2"),
        ("odd.json", "form"),
        ("none.csv", "none.csv"),
    ] {
        sandbox
            .gate(&["decide", "ok.jsonl", file])
            .exits(2)
            .says(said);
    }
}
