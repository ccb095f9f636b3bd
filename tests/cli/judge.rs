//! Judges, end to end: what they are asked, what their replies do, and what they do not do.

use serde_json::{Value, json};

use crate::sandbox::Sandbox;
use crate::server::{Answer, Seen, Server};

#[test]
fn a_judge_is_asked_in_a_fence_and_its_verdict_decides() {
    let server = Server::start(|seen| {
        if seen.body["messages"].to_string().contains("<ANSWER-") {
            let good = seen.body["messages"].to_string().contains("question 1\\n");
            return Answer::Text(
                json!({"reason": "because", "pass": !good, "score": if good { 0.0 } else { 1.0 }})
                    .to_string(),
            );
        }
        Answer::Text("ok".to_owned())
    });
    let sandbox = Sandbox::remote(
        &server.base_url(),
        3,
        "judge_models: [{ name: grader, provider: openai, model: judge-model, base_url: \"BASE\" }]\n",
    );
    let suite = sandbox
        .read("evals/remote.yaml")
        .replace("BASE", &server.base_url())
        .replace(
            "scorers: [{ type: equals, value: \"{{expected}}\" }]",
            "scorers: [{ type: judge, criteria: It is polite. }]",
        );
    sandbox.write("evals/remote.yaml", &suite);
    sandbox
        .gate(&["run", "v1", "--no-gate", "--json", "out.json"])
        .exits(0);
    let result = sandbox.json("out.json");
    let trial = &result["suites"][0]["cases"][0]["candidate"]["trials"][0];
    assert_eq!(trial["scores"][0]["scorer"], "judge");
    assert_eq!(trial["scores"][0]["reason"], "because");
    assert_eq!(
        server
            .seen()
            .iter()
            .filter(|seen| seen.body["model"] == "judge-model")
            .count(),
        3
    );
}

/// A project whose one scorer is given, with the judge on the same server as the model.
fn judged(server: &Server, cases: usize, scorer: &str) -> Sandbox {
    let sandbox = Sandbox::remote(
        &server.base_url(),
        cases,
        &format!(
            "judge_models: [{{ name: grader, provider: openai, model: judge-model, base_url: \"{}\" }}]\n",
            server.base_url()
        ),
    );
    let suite = sandbox
        .read("evals/remote.yaml")
        .replace("{ type: equals, value: \"{{expected}}\" }", scorer);
    sandbox.write("evals/remote.yaml", &suite);
    sandbox
}

fn is_judge(seen: &Seen) -> bool {
    seen.body["model"] == "judge-model"
}

fn verdict(pass: bool) -> Answer {
    let score = if pass { 1.0 } else { 0.0 };
    Answer::Text(json!({"reason": "because", "pass": pass, "score": score}).to_string())
}

/// Trials passed, failed and errored of an arm.
fn outcomes(result: &Value, arm: &str) -> (u64, u64, u64) {
    let arm = &result["suites"][0]["arms"][arm];
    let count = |key: &str| arm[key].as_u64().unwrap();
    (count("passed"), count("failed"), count("errored"))
}

const POLITE: &str = "{ type: judge, criteria: It is polite. }";

#[test]
fn a_judge_without_a_verdict_is_an_error_and_never_a_pass_or_fail() {
    let replies = [
        (200, "{\"score\": 0.1}"),
        (200, "The answer is fine."),
        (500, "{\"error\": {\"message\": \"down\"}}"),
        (200, "{\"reason\": \"x\", \"pass\""),
        (200, "{\"reason\": \"x\", \"pass\": true, \"score\": 0.3}"),
        (
            200,
            "{\"reason\": \"x\", \"pass\": \"maybe\", \"score\": 1}",
        ),
        (200, "{\"reason\": \"x\", \"pass\": true, \"score\": 1}{}"),
    ];
    for (status, what) in replies {
        let server = Server::start(move |seen| match (is_judge(seen), status) {
            (true, 200) => Answer::Text(what.to_owned()),
            (true, status) => Answer::Status(status, Vec::new(), what.to_owned()),
            (false, _) => Answer::Text("ok".to_owned()),
        });
        let sandbox = judged(&server, 2, POLITE);
        sandbox
            .gate(&[
                "compare",
                "v1",
                "v2",
                "--retries",
                "1",
                "--json",
                "out.json",
            ])
            .exits(3)
            .says("missing_over_bound");
        let result = sandbox.json("out.json");
        for arm in ["baseline", "candidate"] {
            assert_eq!(outcomes(&result, arm), (0, 0, 2), "{what}");
            assert_eq!(
                result["suites"][0]["arms"][arm]["errors"]["judge"], 2,
                "{what}"
            );
        }
        let case = &result["suites"][0]["cases"][0];
        assert_eq!(case["transition"], "missing", "{what}");
        assert_eq!(case["candidate"]["pass"], Value::Null, "{what}");
        // Each of four trials: two calls of the judge; a call that fails is retried once.
        let asked = server.seen().iter().filter(|seen| is_judge(seen)).count();
        assert_eq!(asked, 8, "{what}");
    }
}

#[test]
fn a_judge_that_does_not_gate_leaves_out_its_score_alone() {
    let server =
        Server::start(|seen| Answer::Text(if is_judge(seen) { "fine" } else { "ok" }.to_owned()));
    let scorer = "{ type: equals, value: ok }, { type: judge, criteria: Polite., gating: false }";
    let sandbox = judged(&server, 2, scorer);
    sandbox.gate(&["compare", "v1", "v2", "--json", "out.json"]);
    let result = sandbox.json("out.json");
    assert_eq!(outcomes(&result, "candidate"), (2, 0, 0));
    let scores = &result["suites"][0]["cases"][0]["candidate"]["trials"][0]["scores"];
    assert_eq!(scores.as_array().unwrap().len(), 1, "{scores}");
}

#[test]
fn a_judge_that_mends_its_reply_when_asked_again_is_fine() {
    let server = Server::start(|seen| {
        if !is_judge(seen) {
            return Answer::Text("ok".to_owned());
        }
        if seen.user().contains("<ERROR-") {
            return verdict(true);
        }
        Answer::Text("I think it passes.".to_owned())
    });
    let sandbox = judged(&server, 3, POLITE);
    sandbox
        .gate(&["run", "v1", "--no-gate", "--json", "out.json"])
        .exits(0);
    let result = sandbox.json("out.json");
    assert_eq!(outcomes(&result, "candidate"), (3, 0, 0));
    let arm = &result["suites"][0]["arms"]["candidate"];
    // Three answers, and two calls of the judge for each; none of them is a retry.
    assert_eq!(
        (arm["requests"].as_u64(), arm["retries"].as_u64()),
        (Some(9), Some(0))
    );
    assert!(
        server
            .seen()
            .iter()
            .any(|seen| seen.user().contains("it is no JSON object</ERROR-"))
    );

    let log = sandbox.events();
    let calls: Vec<(&Value, &Value, &Value)> = log
        .iter()
        .filter(|event| event["type"] == "attempt_started" && event["scorer"] == "judge")
        .map(|event| (&event["trial"]["case"], &event["call"], &event["attempt"]))
        .collect();
    assert_eq!(calls.len(), 6);
    for case in ["c0", "c1", "c2"] {
        let case = json!(case);
        assert!(
            calls.contains(&(&case, &Value::Null, &json!(1))),
            "{calls:?}"
        );
        assert!(
            calls.contains(&(&case, &json!("repair"), &json!(1))),
            "{calls:?}"
        );
    }

    // Both calls are in the cache: nothing is asked again.
    let before = server.requests();
    sandbox
        .gate(&["run", "v1", "--no-gate", "--json", "again.json"])
        .exits(0);
    assert_eq!(server.requests(), before);
    assert_eq!(
        outcomes(&sandbox.json("again.json"), "candidate"),
        (3, 0, 0)
    );
}

#[test]
fn a_judge_that_could_not_be_mended_is_asked_anew_by_the_next_run() {
    let server = Server::start(|seen| {
        let first = seen.number < 3;
        match (is_judge(seen), first) {
            (true, true) => Answer::Text("no verdict".to_owned()),
            (true, false) => verdict(true),
            (false, _) => Answer::Text("ok".to_owned()),
        }
    });
    let sandbox = judged(&server, 1, POLITE);
    sandbox.gate(&["run", "v1", "--no-gate"]).exits(3);
    assert_eq!(server.requests(), 3);
    sandbox
        .gate(&["run", "v1", "--no-gate", "--resume", "--json", "out.json"])
        .exits(0);
    assert_eq!(outcomes(&sandbox.json("out.json"), "candidate"), (1, 0, 0));
    assert_eq!(server.requests(), 4);
}

#[test]
fn factuality_relevance_and_faithfulness_ask_the_judges_of_the_program() {
    let server = Server::start(|seen| {
        if !is_judge(seen) {
            return Answer::Text("ok".to_owned());
        }
        if seen.body["response_format"]
            .to_string()
            .contains("\"class\"")
        {
            return Answer::Text(json!({"reason": "more", "class": "B"}).to_string());
        }
        verdict(!seen.user().contains(">The sky is green.</CONTEXT-"))
    });
    let scorers = "{ type: factuality }, { type: answer-relevance, gating: false }, \
                   { type: faithfulness, context: The sky is green., gating: false }";
    let sandbox = judged(&server, 2, scorers);
    sandbox
        .gate(&["run", "v1", "--no-gate", "--json", "out.json"])
        .exits(0);
    let result = sandbox.json("out.json");
    let scores = &result["suites"][0]["cases"][0]["candidate"]["trials"][0]["scores"];
    let found: Vec<(&str, bool, f64)> = scores
        .as_array()
        .unwrap()
        .iter()
        .map(|score| {
            (
                score["scorer"].as_str().unwrap(),
                score["pass"].as_bool().unwrap(),
                score["score"].as_f64().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        found,
        [
            ("factuality", true, 0.6),
            ("answer-relevance", true, 1.0),
            ("faithfulness", false, 0.0)
        ]
    );
    let judges = result["suites"][0]["judges"].to_string();
    for name in [
        "gate/factuality@v1",
        "gate/answer-relevance@v1",
        "gate/faithfulness@v1",
    ] {
        assert!(judges.contains(name), "{judges}");
        let text = sandbox.gate(&["prompt", "show", name]);
        text.exits(0)
            .prints("Reply with one JSON object and nothing else");
    }
    // A case without `expected` has no reference.
    let cases = sandbox
        .read("cases.jsonl")
        .replacen(", \"expected\": \"ok\"", "", 1);
    sandbox.write("cases.jsonl", &cases);
    sandbox
        .gate(&["run", "v1", "--no-gate"])
        .exits(2)
        .says("which judge `factuality` needs");
}
