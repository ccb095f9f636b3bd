//! `similar`, end to end: what is asked, what the cosines decide, and what goes wrong.

use serde_json::{Value, json};

use crate::sandbox::{SUITE, Sandbox};
use crate::server::{Answer, Server};

const SIMILAR: &str = "{ type: similar, value: \"{{expected}}\", model: near }";

fn counts(sandbox: &Sandbox) -> [u64; 4] {
    let result = sandbox.json("r.json");
    let arm = &result["suites"][0]["arms"]["candidate"];
    ["passed", "failed", "errored", "skipped"].map(|key| arm[key].as_u64().unwrap())
}

const RUN: [&str; 5] = ["run", "v1", "--no-gate", "--json", "r.json"];

#[test]
fn the_mock_has_embeddings_by_which_like_texts_pass() {
    let sandbox = Sandbox::smallest();
    let (head, _) = SUITE.split_once("scorers:").unwrap();
    let suite = format!(
        "{head}judge_models: [{{ name: near, provider: mock, rules: ../fixtures/label.mock.yaml }}]\nscorers: [{SIMILAR}]\n"
    );
    sandbox.write("evals/label.yaml", &suite);
    sandbox.gate(&["lint"]).exits(0);
    let ran = sandbox.gate(&["run", "v2", "--no-gate", "--json", "r.json"]);
    ran.exits(0);
    assert_eq!(counts(&sandbox), [2, 1, 0, 0]);
    let result = sandbox.json("r.json");
    let score = |case: usize| {
        result["suites"][0]["cases"][case]["candidate"]["trials"][0]["scores"][0].clone()
    };
    assert_eq!(
        score(0)["reason"],
        "cosine 1.0000 with `billing`, at least 0.75"
    );
    assert!(score(1)["score"].as_f64().unwrap() < 0.75, "{}", score(1));
}

/// A project whose answers are compared by the embeddings of the same server.
fn near(server: &Server, cases: usize) -> Sandbox {
    let sandbox = Sandbox::remote(
        &server.base_url(),
        cases,
        &format!(
            "judge_models: [{{ name: near, provider: openai, model: embed, base_url: \"{}\", price: {{ input: 2, output: 0 }} }}]\n",
            server.base_url()
        ),
    );
    let suite = sandbox
        .read("evals/remote.yaml")
        .replace("{ type: equals, value: \"{{expected}}\" }", SIMILAR);
    sandbox.write("evals/remote.yaml", &suite);
    sandbox
}

fn vectors(first: &Value, second: &Value) -> Answer {
    let data = json!([{"index": 0, "embedding": first}, {"index": 1, "embedding": second}]);
    let usage = json!({"prompt_tokens": 500_000, "total_tokens": 500_000});
    Answer::Body(json!({"data": data, "model": "embed", "usage": usage}).to_string())
}

#[test]
fn embeddings_are_asked_for_once_and_counted_as_any_call() {
    let server = Server::start(|seen| {
        if seen.body["input"].is_array() {
            return vectors(&json!([1, 0]), &json!([4, 3]));
        }
        Answer::Text("fine".to_owned())
    });
    let sandbox = near(&server, 2);
    sandbox.gate(&RUN).exits(0);
    assert_eq!(counts(&sandbox), [2, 0, 0, 0]);
    let asked: Vec<_> = server.seen().into_iter().collect();
    let asked: Vec<_> = asked
        .iter()
        .filter(|seen| seen.body["input"].is_array())
        .collect();
    assert_eq!(asked.len(), 2);
    assert_eq!(asked[0].body["input"], json!(["fine", "ok"]));
    assert_eq!(asked[0].body["model"], "embed");
    assert!(asked[0].head.contains("/embeddings "), "{}", asked[0].head);
    let result = sandbox.read("r.json");
    assert!(result.contains("0.8000 with `ok`"), "{result}");
    sandbox.gate(&RUN).exits(0);
    assert_eq!(
        server.seen().len(),
        4,
        "the second run is all from the cache"
    );
}

#[test]
fn embeddings_that_do_not_come_make_no_answer_wrong() {
    let replies: [fn() -> Answer; 5] = [
        || {
            Answer::Status(
                400,
                Vec::new(),
                "{\"error\": {\"message\": \"no\"}}".to_owned(),
            )
        },
        || Answer::Body("{\"data\": []}".to_owned()),
        || Answer::Text("0.9".to_owned()),
        || vectors(&json!([0, 0]), &json!([1, 0])),
        || vectors(&json!([1, 0]), &json!([1])),
    ];
    for (number, reply) in replies.into_iter().enumerate() {
        let server = Server::start(move |seen| {
            if seen.body["input"].is_array() {
                return reply();
            }
            Answer::Text("fine".to_owned())
        });
        let sandbox = near(&server, 1);
        let ran = sandbox.gate(&[&RUN[..], &["--retries", "0"]].concat());
        assert_eq!(counts(&sandbox), [0, 0, 1, 0], "{number}: {}", ran.stderr);
        let result = sandbox.read("r.json");
        assert!(
            result.contains("scorer `similar` got no embeddings"),
            "{number}: {result}"
        );
    }
}

#[test]
fn a_model_that_is_not_there_or_has_no_embeddings_is_an_error_of_the_suite() {
    let lint = |models: &str, scorer: &str| {
        let sandbox = Sandbox::smallest();
        let (head, _) = SUITE.split_once("scorers:").unwrap();
        let suite = format!("{head}judge_models: [{models}]\nscorers: [{scorer}]\n");
        sandbox.write("evals/label.yaml", &suite);
        let ran = sandbox.gate(&["lint"]);
        assert_eq!(ran.code, 2, "{}", ran.stderr);
        ran.stderr
    };
    let claude = "{ name: near, provider: anthropic, model: claude }";
    assert!(lint(claude, SIMILAR).contains("`anthropic` has no embeddings"));
    let other = "{ name: other, provider: openai, model: e }";
    assert!(lint(other, SIMILAR).contains("there is no model `near`"));
    let without = lint(other, "{ type: similar, value: a }");
    assert!(without.contains("evals/label.yaml:7:"), "{without}");
}
