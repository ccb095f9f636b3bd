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

const DUEL: &str = "{ name: duel, type: pairwise, criteria: More helpful. }";

/// The texts in the fences of a comparison.
fn contenders(seen: &Seen) -> (String, String) {
    let inside = |name: &str| {
        let (_, rest) = seen.user().split_once(&format!("<{name}-")).unwrap();
        let (_, rest) = rest.split_once('>').unwrap();
        rest.split_once(&format!("</{name}-")).unwrap().0.to_owned()
    };
    (inside("FIRST"), inside("SECOND"))
}

/// The number of the question that a trial asks.
fn number(seen: &Seen) -> usize {
    seen.user().trim_start_matches("question ").parse().unwrap()
}

fn prefers(better: &str) -> Answer {
    Answer::Text(json!({"reason": "because", "better": better}).to_string())
}

/// Versions that answer `v1 N` and `v2 N` to question N, and a judge: the candidate is better in 0 to
/// 11, worse in 12 and 13; in 14 to 16 the first answer wins wherever it comes from, in 17 the
/// second, and all else is a tie.
fn contest(seen: &Seen) -> Answer {
    if !is_judge(seen) {
        let version = if seen.system().contains("friendly") {
            "v2"
        } else {
            "v1"
        };
        return Answer::Text(format!("{version} {}", number(seen)));
    }
    let (first, second) = contenders(seen);
    let (version, number) = first.split_once(' ').unwrap();
    assert_ne!(version, second.split_once(' ').unwrap().0);
    let candidate = if version == "v2" { "first" } else { "second" };
    let baseline = if version == "v2" { "second" } else { "first" };
    prefers(match number.parse::<usize>().unwrap() {
        0..12 => candidate,
        12..14 => baseline,
        14..17 => "first",
        17 => "second",
        _ => "tie",
    })
}

#[test]
fn a_comparison_wins_only_where_both_orders_agree_and_mcnemar_decides_on_wins_and_losses() {
    let server = Server::start(contest);
    let sandbox = judged(&server, 40, DUEL);
    sandbox
        .gate(&["compare", "v1", "v2", "--json", "out.json"])
        .exits(0);
    let result = sandbox.json("out.json");
    let suite = &result["suites"][0];
    // Eighty answers, and two orders for each of forty pairs.
    assert_eq!(server.requests(), 160);
    let rules = suite["rules"].as_array().unwrap();
    let rule = rules.iter().find(|rule| rule["id"] == "pass-rate").unwrap();
    assert_eq!(rule["pairs"]["fixes"], 12, "wins");
    assert_eq!(rule["pairs"]["regressions"], 2, "losses");
    assert_eq!(rule["pairs"]["both_pass"], 26, "ties");
    assert_eq!(rule["decided_by"], "mcnemar-midp");
    // P(Bin(14, 1/2) >= 12) - P(= 12) / 2 = (91 / 2 + 14 + 1) / 2^14.
    let p = rule["p_improvement"].as_f64().unwrap();
    assert!((p - 60.5 / 16384.0).abs() < 1e-9, "{p}");
    assert!((rule["estimate"].as_f64().unwrap() - 0.25).abs() < 1e-12);
    let bias = &suite["judges"][0]["position_bias"];
    assert_eq!(
        *bias,
        json!({"pairs": 40, "flips": 4, "first": 3, "second": 1})
    );
    let notes = suite["notes"].to_string();
    assert!(
        notes.contains("in 4 of 40 pairs (10.0 %; each counts as a tie)"),
        "{notes}"
    );

    let case = |id: usize, arm: &str| suite["cases"][id][arm]["trials"][0]["scores"][0].clone();
    let (won, lost) = (case(0, "candidate"), case(0, "baseline"));
    assert_eq!((&won["pass"], &won["score"]), (&json!(true), &json!(1.0)));
    assert_eq!(
        (&lost["pass"], &lost["score"]),
        (&json!(false), &json!(0.0))
    );
    assert_eq!(won["reason"], "better in both orders: because");
    assert_eq!(won["parts"][1]["name"], "candidate-first");
    let flipped = case(14, "candidate");
    assert_eq!(
        (&flipped["pass"], &flipped["score"]),
        (&json!(true), &json!(0.5))
    );

    // The log says the same, and the cache has every call.
    sandbox
        .gate(&["report", "last", "--json", "again.json"])
        .exits(0);
    let again = sandbox.json("again.json");
    assert_eq!(again["suites"][0]["judges"], suite["judges"]);
    assert_eq!(again["suites"][0]["rules"], suite["rules"]);
    sandbox.gate(&["compare", "v1", "v2"]).exits(0);
    assert_eq!(server.requests(), 160);
}

#[test]
fn a_comparison_at_one_request_at_a_time_is_the_same() {
    let server = Server::start(contest);
    let sandbox = judged(&server, 20, DUEL);
    sandbox
        .gate(&["compare", "v1", "v2", "-j", "1", "--json", "one.json"])
        .exits(0);
    sandbox
        .gate(&["compare", "v1", "v2", "--no-cache", "--json", "many.json"])
        .exits(0);
    let cases = |file: &str| {
        let mut cases = sandbox.json(file)["suites"][0]["cases"].clone();
        crate::compare::without_timings(&mut cases);
        cases
    };
    assert_eq!(cases("one.json"), cases("many.json"));
}

#[test]
fn without_an_answer_to_compare_with_the_pair_is_missing_and_a_refusal_loses() {
    let server = Server::start(|seen| {
        if is_judge(seen) {
            return prefers("tie");
        }
        let candidate = seen.system().contains("friendly");
        match (candidate, number(seen)) {
            (true, 0) => Answer::Status(
                400,
                Vec::new(),
                "{\"error\": {\"message\": \"no\"}}".to_owned(),
            ),
            (true, 1) => {
                Answer::Body(crate::server::completion("cut off").replace("\"stop\"", "\"length\""))
            }
            _ => Answer::Text("ok".to_owned()),
        }
    });
    let sandbox = judged(&server, 30, DUEL);
    sandbox
        .gate(&["compare", "v1", "v2", "--json", "out.json"])
        .exits(0);
    let suite = &sandbox.json("out.json")["suites"][0];
    assert_eq!(suite["cases"][0]["transition"], "missing");
    let error = &suite["cases"][0]["baseline"]["trials"][0]["error"];
    assert!(
        error["message"]
            .as_str()
            .unwrap()
            .contains("no other answer to compare with"),
        "{error}"
    );
    assert_eq!(suite["cases"][1]["transition"], "regression");
    let score = &suite["cases"][1]["baseline"]["trials"][0]["scores"][0];
    assert_eq!(
        (&score["pass"], &score["score"]),
        (&json!(true), &json!(1.0))
    );
    // Nothing is asked of the judge about the first two cases.
    assert_eq!(
        server.seen().iter().filter(|seen| is_judge(seen)).count(),
        2 * 28
    );

    // What was missing is asked again, with its partner; the rest is not.
    let before = server.requests();
    sandbox.gate(&["compare", "--resume", "--json", "again.json"]);
    assert_eq!(server.requests(), before + 1);
    let again = &sandbox.json("again.json")["suites"][0];
    assert_eq!(again["cases"][2], suite["cases"][2]);
}

#[test]
fn a_comparison_without_a_verdict_makes_both_trials_errored() {
    let server = Server::start(|seen| {
        if is_judge(seen) {
            return Answer::Text("the second one".to_owned());
        }
        Answer::Text("ok".to_owned())
    });
    let sandbox = judged(&server, 2, DUEL);
    sandbox
        .gate(&["compare", "v1", "v2", "--json", "out.json"])
        .exits(3);
    let result = sandbox.json("out.json");
    assert_eq!(outcomes(&result, "baseline"), (0, 0, 2));
    assert_eq!(outcomes(&result, "candidate"), (0, 0, 2));
}

#[test]
fn a_run_of_one_version_leaves_a_comparison_out() {
    let server = Server::start(contest);
    let sandbox = judged(&server, 2, DUEL);
    sandbox
        .gate(&["run", "v1", "--no-gate"])
        .exits(2)
        .says("every gating scorer compares two versions");
    assert_eq!(server.requests(), 0);
    let sandbox = judged(
        &server,
        2,
        &format!("{DUEL}, {{ type: word-count, max: 2 }}"),
    );
    sandbox
        .gate(&["run", "v1", "--no-gate", "--json", "out.json"])
        .exits(0);
    let suite = &sandbox.json("out.json")["suites"][0];
    assert!(suite["notes"].to_string().contains("leaves it out"));
    assert_eq!(suite["arms"]["candidate"]["passed"], 2);
    assert_eq!(
        server.seen().iter().filter(|seen| is_judge(seen)).count(),
        0
    );
}

const G_EVAL: &str = "{ type: g-eval, criteria: Good., samples: 3, threshold: 0.5 }";

#[test]
fn g_eval_takes_the_expected_score_by_token_probabilities() {
    let server = Server::start(|seen| {
        if !is_judge(seen) {
            return Answer::Text("ok".to_owned());
        }
        assert_eq!(seen.body["logprobs"], true);
        assert_eq!(seen.body["top_logprobs"], 20);
        let top = |token: &str, p: f64| json!({"token": token, "logprob": p.ln(), "bytes": null});
        let token = |token: &str, top: Value| json!({"token": token, "logprob": -0.1, "bytes": null, "top_logprobs": top});
        let reply = "{\"score\": 4, \"reason\": \"fine\"}";
        let mut completion: Value =
            serde_json::from_str(&crate::server::completion(reply)).unwrap();
        completion["choices"][0]["logprobs"] = json!({"content": [
            token("{\"score\":", json!([])),
            token(" 4", json!([top(" 4", 0.5), top(" 3", 0.25), top(" 5", 0.25), top("four", 1e-9)])),
            token(", \"reason\": \"fine\"}", json!([])),
        ], "refusal": null});
        Answer::Body(completion.to_string())
    });
    let sandbox = judged(&server, 2, G_EVAL);
    sandbox
        .gate(&["run", "v1", "--no-gate", "--json", "out.json"])
        .exits(0);
    assert_eq!(
        server.requests(),
        4,
        "one call of the judge for each answer"
    );
    let score = |file: &str| {
        let result = sandbox.json(file);
        result["suites"][0]["cases"][0]["candidate"]["trials"][0]["scores"][0].clone()
    };
    let found = score("out.json");
    assert!(
        (found["score"].as_f64().unwrap() - 0.75).abs() < 1e-9,
        "{found}"
    );
    assert_eq!(
        found["reason"],
        "expected score 4.00 of 5 by the tokens' probabilities: fine"
    );
    // The cache keeps the probabilities.
    sandbox
        .gate(&["run", "v1", "--no-gate", "--json", "again.json"])
        .exits(0);
    assert_eq!(server.requests(), 4);
    assert_eq!(score("again.json"), found);
}

#[test]
fn g_eval_takes_the_mean_of_samples_where_there_are_no_probabilities() {
    let server = Server::start(|seen| {
        if !is_judge(seen) {
            return Answer::Text("ok".to_owned());
        }
        let score = [5, 2, 2][seen.number.saturating_sub(1) % 3];
        Answer::Text(json!({"score": score, "reason": "r"}).to_string())
    });
    let sandbox = judged(&server, 1, G_EVAL);
    sandbox
        .gate(&["run", "v1", "--no-gate", "--json", "out.json"])
        .exits(0);
    assert_eq!(server.requests(), 4);
    let result = sandbox.json("out.json");
    let score = &result["suites"][0]["cases"][0]["candidate"]["trials"][0]["scores"][0];
    assert_eq!(
        (&score["score"], &score["pass"]),
        (&json!(0.5), &json!(true))
    );
    assert_eq!(score["reason"], "mean 3.00 of 5 over 5, 2, 2: r");
    let calls: Vec<Value> = sandbox
        .events()
        .iter()
        .filter(|event| event["type"] == "attempt_started" && event["scorer"] == "g-eval")
        .map(|event| event["call"].clone())
        .collect();
    assert_eq!(calls, [Value::Null, json!("2"), json!("3")]);
    sandbox.gate(&["run", "v1", "--no-gate"]).exits(0);
    assert_eq!(server.requests(), 4, "each sample is in the cache");
}

#[test]
fn the_mock_tells_probabilities_and_draws_samples_apart() {
    let sandbox = Sandbox::smallest();
    let suite = sandbox.read("evals/label.yaml").replace(
        "{ type: equals, value: \"{{expected}}\", transform: [trim] }",
        "{ type: g-eval, criteria: Good., threshold: 0.1 }",
    );
    sandbox.write("evals/label.yaml", &suite);
    let rules = |more: &str| {
        format!(
            "gate: mock/1\nrules:\n  - {{ when: {{ json: true }}, {more} }}\n  - {{ reply: \"{{{{expected}}}}\" }}\n"
        )
    };
    let reply = |score: u8| format!("\"{{\\\"score\\\": {score}, \\\"reason\\\": \\\"r\\\"}}\"");
    let told = format!("reply: {}, logprobs: {{ '2': 0.25, '3': 0.75 }}", reply(3));
    sandbox.write("fixtures/label.mock.yaml", &rules(&told));
    sandbox
        .gate(&["run", "v1", "--no-gate", "--json", "out.json"])
        .exits(0);
    let score = |case: usize| {
        let result = sandbox.json("out.json");
        result["suites"][0]["cases"][case]["candidate"]["trials"][0]["scores"][0].clone()
    };
    assert!((score(0)["score"].as_f64().unwrap() - 1.75 / 4.0).abs() < 1e-9);
    let drawn = format!("rate: 0.5, reply: {}, otherwise: {}", reply(5), reply(1));
    sandbox.write("fixtures/label.mock.yaml", &rules(&drawn));
    sandbox.gate(&["run", "v1", "--no-gate", "--json", "out.json"]);
    let reasons: Vec<String> = (0..3)
        .map(|case| score(case)["reason"].to_string())
        .collect();
    let mixed = |reason: &String| reason.contains('5') && reason.contains("1, ");
    assert!(reasons.iter().any(mixed), "{reasons:?}");
}
