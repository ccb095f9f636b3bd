//! `gate compare` and `gate run` on the mock and on a server.

use serde_json::{Value, json};

use crate::sandbox::{Sandbox, V1};
use crate::server::{Answer, Server};

/// The keys whose values may differ between two runs of one plan (formats.md section 6).
const TIMINGS: [&str; 8] = [
    "run_id",
    "latency_ms",
    "requests",
    "retries",
    "attempts",
    "cache_hits",
    "cached",
    "spent_usd",
];

pub fn without_timings(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|key, _| !TIMINGS.contains(&key.as_str()));
            fields.values_mut().for_each(without_timings);
        }
        Value::Array(items) => items.iter_mut().for_each(without_timings),
        _ => {}
    }
}

#[test]
fn the_smallest_project_is_inconclusive_with_one_regression_in_three_pairs() {
    let sandbox = Sandbox::smallest();
    sandbox
        .gate(&["compare", "v1", "v2", "--json", "out.json"])
        .exits(0)
        .prints("INCONCLUSIVE");
    let result = sandbox.json("out.json");
    assert_eq!(result["schema"], "gate/result@1");
    assert_eq!(result["verdict"], "inconclusive");
    let suite = &result["suites"][0];
    let rule = suite["rules"]
        .as_array()
        .unwrap()
        .iter()
        .find(|rule| rule["id"] == "pass-rate")
        .unwrap();
    assert_eq!(
        rule["pairs"],
        json!({"n": 3, "both_pass": 2, "regressions": 1, "fixes": 0, "both_fail": 0, "missing": 0})
    );
    assert_eq!(rule["p_regression"], 0.25);
    assert_eq!(
        suite["arms"]["baseline"]["hash"],
        "sha256:f5d597cf51db335f9e031f775caa08db19f778321a86fc917f26a8eda1afa0a0"
    );
    assert_eq!(
        suite["arms"]["candidate"]["hash"],
        "sha256:afdc85597dd0d6be73db2a8df69626569a1c6ddc7d4212729839515ed64f34f4"
    );
    assert_eq!(
        suite["dataset"]["digest"],
        "sha256:8be2101119521d5ca57498b137bece831a3ac11056ed46e2ead31c0bd477c916"
    );
    assert_eq!(suite["cases"][1]["transition"], "regression");
}

#[test]
fn a_second_identical_run_sends_nothing_and_says_the_same() {
    let sandbox = Sandbox::smallest();
    sandbox
        .gate(&["compare", "v1", "v2", "--json", "first.json"])
        .exits(0);
    sandbox
        .gate(&["compare", "v1", "v2", "--json", "second.json"])
        .exits(0);
    let (mut first, mut second) = (sandbox.json("first.json"), sandbox.json("second.json"));
    for arm in ["baseline", "candidate"] {
        assert_eq!(first["suites"][0]["arms"][arm]["requests"], 3);
        assert_eq!(second["suites"][0]["arms"][arm]["requests"], 0);
        assert_eq!(second["suites"][0]["arms"][arm]["cache_hits"], 3);
    }
    without_timings(&mut first);
    without_timings(&mut second);
    assert_eq!(first, second);
}

#[test]
fn concurrency_changes_no_byte_of_a_report_but_timings() {
    let sandbox = Sandbox::smallest();
    let row = |n: usize| {
        format!(
            "{{\"id\": \"c{n}\", \"vars\": {{\"ticket\": \"ticket {n}\"}}, \"expected\": \"bug\", \"segment\": {{\"tier\": \"{}\"}}}}\n",
            ["free", "pro"][n % 2]
        )
    };
    let rows = (0..150).map(row).collect::<Vec<_>>().concat();
    sandbox.write("fixtures/label.jsonl", &rows);
    sandbox.write("fixtures/label.mock.yaml", "gate: mock/1\nlatency_ms: { median: 3, sigma: 0.8 }\nrules:\n  - { when: { system: friendly }, rate: 0.85, draw: v2, reply: \"{{expected}}\", otherwise: \"other\" }\n  - { rate: 0.9, reply: \"{{expected}}\", otherwise: \"other\" }\n");
    let texts: Vec<String> = ["1", "64"]
        .iter()
        .map(|concurrency| {
            let code = sandbox
                .gate(&[
                    "compare",
                    "v1",
                    "v2",
                    "--no-cache",
                    "-j",
                    concurrency,
                    "--json",
                    "out.json",
                ])
                .code;
            assert!(code == 0 || code == 1, "{code}");
            let mut result = sandbox.json("out.json");
            without_timings(&mut result);
            result.to_string()
        })
        .collect();
    assert_eq!(texts[0], texts[1]);
}

#[test]
fn counts_add_up_and_rates_follow_from_the_cases() {
    let sandbox = Sandbox::smallest();
    sandbox
        .gate(&["compare", "v1", "v2", "--json", "out.json"])
        .exits(0);
    let result = sandbox.json("out.json");
    let suite = &result["suites"][0];
    for arm in ["baseline", "candidate"] {
        let summary = &suite["arms"][arm];
        let count = |key: &str| summary[key].as_u64().unwrap();
        assert_eq!(
            count("trials"),
            count("passed") + count("failed") + count("errored") + count("skipped")
        );
        let cases = suite["cases"].as_array().unwrap();
        let passed = cases
            .iter()
            .filter(|case| case[arm]["pass"] == true)
            .count();
        assert_eq!(passed as u64, count("passed"));
        let rate = passed as f64 / cases.len() as f64;
        assert!((summary["pass_rate"].as_f64().unwrap() - rate).abs() < 1e-12);
    }
}

#[test]
fn a_version_against_itself_asks_twice() {
    let server = Server::saying("ok");
    let sandbox = Sandbox::remote(&server.base_url(), 5, "");
    sandbox.gate(&["compare", "v1", "v1", "--json", "out.json"]);
    assert_eq!(server.requests(), 10);
    assert_eq!(
        sandbox.json("out.json")["suites"][0]["arms"]["candidate"]["requests"],
        5
    );
}

#[test]
fn sends_what_the_prompt_says_to_a_server_that_speaks_chat_completions() {
    let server = Server::start(|seen| {
        Answer::Text(
            if seen.system().contains("friendly") {
                "no"
            } else {
                "ok"
            }
            .to_owned(),
        )
    });
    let sandbox = Sandbox::remote(&server.base_url(), 60, "policy: { preset: promote }\n");
    sandbox
        .gate(&["compare", "v1", "v2", "--json", "out.json"])
        .exits(1)
        .says("gate: gate_failed: pass-rate");
    assert_eq!(server.requests(), 120);
    let seen = server.seen();
    assert!(
        seen.iter()
            .all(|seen| seen.head.starts_with("POST /v1/chat/completions HTTP/1.1"))
    );
    assert!(seen.iter().all(|seen| seen.body["model"] == "test-model"));
    assert!(seen.iter().any(|seen| seen.user() == "question 7"));
    let result = sandbox.json("out.json");
    assert_eq!(
        result["suites"][0]["model"]["served"],
        json!(["test-model-2026"])
    );
    assert_eq!(
        result["suites"][0]["rules"]
            .as_array()
            .unwrap()
            .iter()
            .find(|rule| rule["id"] == "pass-rate")
            .unwrap()["pairs"]["regressions"],
        60
    );
}

#[test]
fn run_tests_one_version_against_an_absolute_floor() {
    let sandbox = Sandbox::smallest();
    sandbox.gate(&["run", "v1"]).exits(2).says("min_pass_rate");
    sandbox.gate(&["run", "v1", "--no-gate"]).exits(0);
    let must_pass = sandbox.read("fixtures/label.jsonl").replacen(
        "\"expected\": \"bug\"",
        "\"expected\": \"bug\", \"must_pass\": true",
        1,
    );
    sandbox.write("fixtures/label.jsonl", &must_pass);
    sandbox.gate(&["run", "v1"]).exits(0).prints("PASS");
    sandbox
        .gate(&["run", "v2"])
        .exits(1)
        .says("gate: gate_failed: must-pass");
    sandbox
        .gate(&["compare", "v1", "v2"])
        .exits(1)
        .says("must-pass");
}

#[test]
fn the_newest_version_is_compared_with_what_it_would_replace() {
    let sandbox = Sandbox::smallest();
    sandbox
        .gate(&["compare"])
        .exits(0)
        .says("v1 (baseline) against v2");
    sandbox.write(
        "prompts/label/v3.yaml",
        &V1.replace("version: 1", "version: 3"),
    );
    sandbox
        .gate(&["compare", "v3"])
        .exits(0)
        .says("v2 (baseline) against v3");
    sandbox.write(
        "prompts/label/v4.yaml",
        &V1.replace("version: 1", "version: 4"),
    );
    sandbox
        .gate(&["compare"])
        .exits(0)
        .prints("SKIPPED")
        .prints("the same content");
}

#[test]
fn cases_are_chosen_by_an_expression_by_what_failed_and_listed_without_a_request() {
    let sandbox = Sandbox::smallest();
    let listed = sandbox.gate(&["compare", "v1", "v2", "--list", "-E", "expected != 'other'"]);
    listed.exits(0);
    assert_eq!(listed.stdout, "label c1\nlabel c2\n");
    assert!(!sandbox.path(".gate").exists(), "a list writes nothing");
    sandbox.gate(&["compare", "v1", "v2"]).exits(0);
    let listed = sandbox.gate(&["compare", "v1", "v2", "--failed", "--list"]);
    assert_eq!(listed.stdout, "label c2\n");
    sandbox
        .gate(&["compare", "v1", "v2", "--failed", "--json", "out.json"])
        .exits(0);
    let result = sandbox.json("out.json");
    assert_eq!(result["suites"][0]["dataset"]["selected"], 1);
    let filter = result["suites"][0]["filter"].as_str().unwrap();
    assert!(filter.starts_with("not passed in run "), "{filter}");
}

#[test]
fn a_filter_that_is_wrong_or_takes_nothing_is_a_usage_error() {
    let sandbox = Sandbox::smallest();
    let wrong = |filter: &str, words: &str| {
        let ran = sandbox.gate(&["compare", "v1", "v2", "-E", filter]);
        ran.exits(2).says(words);
    };
    wrong("expected ==", "invalid expression");
    wrong("output == 'x'", "`output`, which is not there");
    wrong("vars.plan == 'pro'", "case `c1`");
    wrong(
        "id == 'c9'",
        "no case of suite `label` matches: where id == 'c9'",
    );
    sandbox.gate(&["compare", "v1", "v2", "--failed"]).exits(2);
}
