//! `gate compare` over several versions and models: each against one baseline, under one error rate.

use serde_json::{Value, json};

use crate::sandbox::Sandbox;

/// A project with two models and three versions; `big` loses 12 cases of 60, `v2` loses 5 on any
/// model, `v3` none.
fn two_models() -> Sandbox {
    let sandbox = Sandbox::empty();
    sandbox.write(
        "evals/label.yaml",
        "gate: suite/1\nprompt: label\ndataset: ../cases.jsonl\nmodels:\n  - { name: main, provider: mock, rules: ../main.yaml }\n  - { name: big, provider: mock, rules: ../big.yaml }\nscorers: [{ type: equals, value: \"{{expected}}\" }]\n",
    );
    for (number, word) in [(1, "Plain"), (2, "Friendly"), (3, "Short")] {
        sandbox.write(
            &format!("prompts/label/v{number}.yaml"),
            &format!("gate: prompt/1\nvariables: {{ q: {{ type: string, max_length: 99 }} }}\nmessages:\n  - {{ role: system, content: \"{word}.\" }}\n  - {{ role: user, content: \"{{{{q}}}}\" }}\n"),
        );
    }
    let rows = (0..60).map(|n| {
        format!("{{\"id\": \"c{n:02}\", \"vars\": {{\"q\": \"q{n}\"}}, \"expected\": \"yes\"}}\n")
    });
    sandbox.write("cases.jsonl", &rows.collect::<String>());
    let friendly = "  - { when: { system: Friendly, user: \"^q[0-4]$\" }, reply: \"no\" }\n";
    let rest = "  - { reply: \"{{expected}}\" }\n";
    sandbox.write(
        "main.yaml",
        &format!("gate: mock/1\nrules:\n{friendly}{rest}"),
    );
    sandbox.write(
        "big.yaml",
        &format!("gate: mock/1\nrules:\n{friendly}  - {{ when: {{ user: \"^q1[0-9]$\" }}, reply: \"no\" }}\n  - {{ when: {{ user: \"^q[67]$\" }}, reply: \"no\" }}\n{rest}"),
    );
    sandbox
}

fn rule(suite: &Value) -> &Value {
    let rules = suite["rules"].as_array().unwrap();
    rules.iter().find(|rule| rule["id"] == "pass-rate").unwrap()
}

#[test]
fn one_version_on_two_models_is_compared_case_by_case() {
    let sandbox = two_models();
    sandbox
        .gate(&[
            "compare",
            "v1",
            "--candidate-model",
            "big",
            "--json",
            "out.json",
        ])
        .exits(1)
        .prints("v1 on big is worse than v1 on main");
    let result = sandbox.json("out.json");
    let suite = &result["suites"][0];
    assert_eq!(suite["model"]["name"], "main");
    assert_eq!(suite["candidate_model"]["name"], "big");
    assert_eq!(rule(suite)["pairs"]["regressions"], 12);
    assert_eq!(suite["arms"]["baseline"]["passed"], 60);
}

#[test]
fn a_matrix_compares_each_version_on_each_model_with_the_first_and_corrects_over_all() {
    let sandbox = two_models();
    let ran = sandbox.gate(&[
        "compare",
        "v1",
        "v2",
        "v3",
        "--candidate-model",
        "main",
        "--candidate-model",
        "big",
        "--json",
        "out.json",
    ]);
    ran.exits(1).prints("Holm over 4 comparisons");
    let result = sandbox.json("out.json");
    let suites = result["suites"].as_array().unwrap();
    let titles: Vec<&str> = suites
        .iter()
        .map(|s| s["title"].as_str().unwrap())
        .collect();
    assert_eq!(
        titles,
        [
            "label@v2-on-main",
            "label@v2-on-big",
            "label@v3-on-main",
            "label@v3-on-big"
        ]
    );
    let verdicts: Vec<&str> = suites
        .iter()
        .map(|s| s["verdict"].as_str().unwrap())
        .collect();
    assert_eq!(verdicts, ["fail", "fail", "pass", "fail"]);
    // mid-p of 5, 17, 0 and 12 losses, by Holm: ½^6 x 2, ½^18 x 4, ½, ½^13 x 3.
    let p = |suite: &Value| rule(suite)["p_regression_adjusted"].as_f64().unwrap();
    let wanted = [2.0 / 64.0, 4.0 / 262_144.0, 0.5, 3.0 / 8192.0];
    for (suite, wanted) in suites.iter().zip(wanted) {
        assert!(
            (p(suite) - wanted).abs() < 1e-12,
            "{} is not {wanted}",
            p(suite)
        );
    }
    // The baseline was asked once: the later comparisons have its answers from the cache.
    let requests: Vec<&Value> = suites
        .iter()
        .map(|suite| &suite["arms"]["baseline"]["requests"])
        .collect();
    assert_eq!(json!(requests), json!([60, 0, 0, 0]));
}

#[test]
fn a_stored_comparison_of_a_matrix_reads_as_it_did_then() {
    let sandbox = two_models();
    sandbox
        .gate(&["compare", "v1", "v2", "v3", "--json", "live.json"])
        .exits(1);
    let live = sandbox.json("live.json");
    for suite in live["suites"].as_array().unwrap() {
        let run = suite["run_id"].as_str().unwrap();
        sandbox
            .gate(&["report", run, "--json", "stored.json", "--no-gate"])
            .exits(0);
        assert_eq!(
            sandbox.json("stored.json")["suites"][0]["rules"],
            suite["rules"]
        );
    }
}

#[test]
fn two_losses_that_would_each_fail_alone_do_not_fail_together() {
    let sandbox = two_models();
    // v2 loses 5 of 60: mid-p ½^6, which fails alone; among four comparisons with one p of ½^6 the
    // others with no loss leave it at 4/64.
    for number in [4, 5, 6] {
        let text = sandbox
            .read("prompts/label/v3.yaml")
            .replace("Short", &format!("Short {number}"));
        sandbox.write(&format!("prompts/label/v{number}.yaml"), &text);
    }
    sandbox.gate(&["compare", "v1", "v2"]).exits(1);
    sandbox
        .gate(&[
            "compare", "v1", "v2", "v3", "v4", "v5", "--json", "out.json",
        ])
        .exits(0);
    let result = sandbox.json("out.json");
    assert_eq!(
        rule(&result["suites"][0])["p_regression_adjusted"],
        4.0 / 64.0
    );
    assert_ne!(result["suites"][0]["verdict"], "fail");
}

#[test]
fn a_model_that_the_suite_lacks_is_named_with_those_it_has() {
    let sandbox = two_models();
    sandbox
        .gate(&["compare", "v1", "--candidate-model", "bog"])
        .exits(2)
        .says("no model `bog`")
        .says("big");
    sandbox
        .gate(&["compare", "v1", "--candidate-model", "main"])
        .exits(2)
        .says("itself");
}

#[test]
fn a_dry_run_of_a_matrix_counts_the_baseline_once() {
    let sandbox = two_models();
    sandbox
        .gate(&["compare", "v1", "v2", "v3", "--dry-run"])
        .exits(0)
        .prints("label@v2: 120 trials, 120 requests")
        .prints("label@v3: 60 trials, 60 requests");
}
