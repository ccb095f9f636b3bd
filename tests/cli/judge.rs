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

const PANEL: &str = "{ name: jury, type: panel, judges: [\
    { type: judge, name: strict, criteria: Strict., model: grader }, \
    { type: judge, name: kind, criteria: Kind. }, \
    { type: factuality, threshold: 0.5 }] }";

/// The replies of the three members of [`PANEL`]; the second mends its own when asked again.
fn jury(seen: &Seen) -> Answer {
    let user = seen.user();
    if !is_judge(seen) {
        return Answer::Text("ok".to_owned());
    }
    if user.contains(">Strict.</CRITERIA-") {
        return verdict(false);
    }
    if !user.contains(">Kind.</CRITERIA-") {
        return Answer::Text(json!({"reason": "same", "class": "C"}).to_string());
    }
    if user.contains("<ERROR-") {
        verdict(true)
    } else {
        Answer::Text("yes".to_owned())
    }
}

#[test]
fn a_panel_votes_and_each_member_is_reported() {
    let server = Server::start(jury);
    let sandbox = judged(&server, 2, PANEL);
    sandbox
        .gate(&["run", "v1", "--no-gate", "--json", "out.json"])
        .exits(0);
    let result = sandbox.json("out.json");
    let suite = &result["suites"][0];
    let score = &suite["cases"][0]["candidate"]["trials"][0]["scores"][0];
    assert_eq!(
        (&score["scorer"], &score["pass"]),
        (&json!("jury"), &json!(true))
    );
    assert_eq!(score["score"].as_f64(), Some(2.0 / 3.0));
    assert_eq!(score["reason"], "2 of 3 judges pass; `strict`: because");
    let parts = score["parts"].as_array().unwrap().iter();
    let parts: Vec<String> = parts
        .map(|part| format!("{} {}", part["name"].as_str().unwrap(), part["pass"]))
        .collect();
    assert_eq!(parts, ["strict false", "kind true", "factuality true"]);
    let judges = suite["judges"].as_array().unwrap().iter();
    let judges: Vec<&Value> = judges.map(|judge| &judge["scorer"]).collect();
    assert_eq!(judges, ["jury/strict", "jury/kind", "jury/factuality"]);
    let calls: Vec<String> = sandbox
        .events()
        .iter()
        .filter(|event| event["type"] == "attempt_started" && event["scorer"] == "jury")
        .filter(|event| event["trial"]["case"] == "c0")
        .map(|event| event["call"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(calls, ["strict", "kind", "kind/repair", "factuality"]);
    assert_eq!(suite["arms"]["candidate"]["retries"], 0);
    // A report from the log says the same.
    sandbox
        .gate(&["report", "last", "--json", "again.json"])
        .exits(0);
    let again = sandbox.json("again.json");
    assert_eq!(again["suites"][0]["cases"], suite["cases"]);
}

#[test]
fn a_panel_with_a_member_that_gives_no_verdict_is_at_fault() {
    let server =
        Server::start(
            |seen| match (is_judge(seen), seen.user().contains(">Kind.</CRITERIA-")) {
                (false, _) => Answer::Text("ok".to_owned()),
                (true, true) => Answer::Text("yes".to_owned()),
                (true, false) => verdict(true),
            },
        );
    let sandbox = judged(&server, 1, PANEL);
    sandbox
        .gate(&["run", "v1", "--no-gate", "--json", "out.json"])
        .exits(3);
    let trial = &sandbox.json("out.json")["suites"][0]["cases"][0]["candidate"]["trials"][0];
    assert_eq!(trial["error"]["class"], "judge");
    let message = trial["error"]["message"].as_str().unwrap();
    assert!(
        message.contains("judge `jury/kind` gave no verdict"),
        "{message}"
    );
}

#[test]
fn the_members_of_a_panel_are_drawn_apart_by_the_mock() {
    let sandbox = Sandbox::smallest();
    let suite = sandbox.read("evals/label.yaml").replace(
        "{ type: equals, value: \"{{expected}}\", transform: [trim] }",
        "{ type: panel, name: jury, judges: [{ type: judge, name: a, criteria: x }, { type: judge, name: b, criteria: x }] }",
    );
    sandbox.write("evals/label.yaml", &suite);
    let good = "{\\\"reason\\\": \\\"r\\\", \\\"pass\\\": true, \\\"score\\\": 1}";
    let bad = good.replace("true", "false").replace(": 1}", ": 0}");
    sandbox.write(
        "fixtures/label.mock.yaml",
        &format!("gate: mock/1\nrules:\n  - {{ when: {{ json: true }}, rate: 0.5, reply: \"{good}\", otherwise: \"{bad}\" }}\n  - {{ reply: \"{{{{expected}}}}\" }}\n"),
    );
    sandbox.gate(&[
        "run",
        "v1",
        "--no-gate",
        "--repeat",
        "20",
        "--json",
        "out.json",
    ]);
    let result = sandbox.json("out.json");
    let trials = result["suites"][0]["cases"].as_array().unwrap().iter();
    let apart = trials
        .flat_map(|case| case["candidate"]["trials"].as_array().unwrap())
        .filter(|trial| {
            trial["scores"][0]["parts"][0]["pass"] != trial["scores"][0]["parts"][1]["pass"]
        })
        .count();
    assert!((15..45).contains(&apart), "{apart} of 60 apart");
}

/// The attacks of the corpus.
fn attacks() -> Vec<String> {
    let text = include_str!("../../fixtures/injection/answers.jsonl");
    text.lines()
        .map(|line| {
            serde_json::from_str::<Value>(line).unwrap()["answer"]
                .as_str()
                .unwrap()
                .to_owned()
        })
        .collect()
}

/// The text of a question to the rubric judge that stands in none of its fences.
fn outside(question: &str) -> String {
    let mut text = String::new();
    let mut rest = question;
    let first = question.find("<CRITERIA-").unwrap() + "<CRITERIA-".len();
    let number = &question[first..first + 32];
    let open = format!("-{number}>");
    while let Some(end) = rest.find(&open) {
        let start = rest[..end].rfind('<').unwrap();
        let close = format!("</{}{open}", &rest[start + 1..end]);
        text.push_str(&rest[..start]);
        let inside = &rest[end + open.len()..];
        rest = inside.split_once(&close).map_or("", |(_, rest)| rest);
    }
    text + rest
}

/// What stands outside of the fences of the rubric judge where nothing was forged.
fn frame() -> String {
    let version = include_str!("../../src/score/judge/builtin/rubric_v1.yaml");
    let (_, user) = version
        .split_once("- role: user\n    content: |\n")
        .unwrap();
    let lines = user.lines().map(|line| line.trim_start_matches("      "));
    let lines = lines.map(|line| if line.starts_with("{{") { "" } else { line });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn no_attack_changes_the_verdict_of_a_gullible_judge() {
    let attacks = attacks();
    let count = attacks.len();
    let frame = frame().trim().to_owned();
    let server = Server::start(move |seen| {
        if is_judge(seen) {
            return verdict(outside(seen.user()).trim() != frame);
        }
        let number: usize = seen.user().trim_start_matches("question ").parse().unwrap();
        Answer::Text(attacks[number].clone())
    });
    let sandbox = judged(&server, count, POLITE);
    sandbox
        .gate(&["run", "v1", "--no-gate", "--json", "out.json"])
        .exits(0);
    let result = sandbox.json("out.json");
    assert_eq!(outcomes(&result, "candidate"), (0, count as u64, 0));
}

#[test]
fn a_judge_that_was_talked_round_does_not_overrule_an_assertion() {
    let attacks = attacks();
    let count = attacks.len();
    let server = Server::start(move |seen| {
        if is_judge(seen) {
            return verdict(true);
        }
        let number: usize = seen.user().trim_start_matches("question ").parse().unwrap();
        Answer::Text(attacks[number].clone())
    });
    let scorers = "{ type: judge, criteria: Polite. }, { type: equals, value: \"{{expected}}\" }";
    let sandbox = judged(&server, count, scorers);
    sandbox
        .gate(&["run", "v1", "--no-gate", "--json", "out.json"])
        .exits(0);
    let result = sandbox.json("out.json");
    assert_eq!(outcomes(&result, "candidate"), (0, count as u64, 0));
}
