//! Money: what a run would cost is said before, and a budget is never passed.

use crate::sandbox::Sandbox;
use crate::server::{Answer, Server};

const PRICE: &str = "model: test-model, price: { input: 10.0, output: 100.0 },";

pub fn priced(server: &Server, cases: usize) -> Sandbox {
    let sandbox = Sandbox::remote(&server.base_url(), cases, "");
    let suite = sandbox
        .read("evals/remote.yaml")
        .replace("model: test-model,", PRICE);
    sandbox.write("evals/remote.yaml", &suite);
    for version in ["v1", "v2"] {
        let path = format!("prompts/remote/{version}.yaml");
        let prompt = sandbox
            .read(&path)
            .replace("messages:", "params: { max_tokens: 10 }\nmessages:");
        sandbox.write(&path, &prompt);
    }
    sandbox
}

#[test]
fn a_dry_run_says_what_the_cases_find_with_the_power_that_the_policy_wants() {
    let server = Server::saying("ok");
    let sandbox = Sandbox::remote(&server.base_url(), 100, "policy: { power: 0.95 }\n");
    sandbox
        .gate(&["compare", "v1", "v2", "-n"])
        .exits(0)
        .prints("points with 95 % power (6 % of the cases flip");
}

#[test]
fn a_dry_run_sends_nothing_and_says_what_it_would_cost() {
    let server = Server::saying("ok");
    let sandbox = priced(&server, 100);
    let ran = sandbox.gate(&["compare", "v1", "v2", "--dry-run", "--traffic", "10000/h"]);
    ran.exits(0)
        .prints("200 trials, 200 requests to send, 0 from the cache")
        .prints("at most 2,000 out")
        .prints("USD")
        .prints("finds a loss of")
        .prints("tokens of test-model: estimated, 4 bytes a token")
        .prints("10,000 requests an hour");
    assert_eq!(server.requests(), 0);
    assert!(!sandbox.path(".gate/runs").exists());
    sandbox.gate(&["compare", "v1", "v2"]).exits(0);
    sandbox
        .gate(&["compare", "v1", "v2", "-n"])
        .exits(0)
        .prints("0 requests to send, 200 from the cache");
    sandbox
        .gate(&["compare", "v1", "v2", "-n", "--traffic", "many"])
        .exits(2)
        .says("10000/h");
}

#[test]
fn a_dry_run_names_the_version_whose_answers_nothing_limits() {
    let server = Server::saying("ok");
    let sandbox = priced(&server, 3);
    sandbox
        .gate(&["compare", "v1", "v2", "-n", "--no-cache"])
        .exits(0)
        .prints("at most 60 out")
        .prints("USD");
    let path = "prompts/remote/v2.yaml";
    let unlimited = sandbox
        .read(path)
        .replace("params: { max_tokens: 10 }\n", "");
    sandbox.write(path, &unlimited);
    let ran = sandbox.gate(&["compare", "v1", "v2", "-n"]);
    ran.exits(0)
        .prints("unlimited out (no `max_tokens` for v2), price unknown, as the length is");
    let path = "prompts/remote/v1.yaml";
    let unlimited = sandbox
        .read(path)
        .replace("params: { max_tokens: 10 }\n", "");
    sandbox.write(path, &unlimited);
    let ran = sandbox.gate(&["compare", "v1", "v2", "-n"]);
    ran.exits(0)
        .prints("unlimited out (no `max_tokens` for v1 and v2)");
    sandbox.gate(&["compare", "v1", "v2"]).exits(0);
    sandbox
        .gate(&["compare", "v1", "v2", "-n"])
        .exits(0)
        .prints("answers: nothing to send, nothing to pay");
}

#[test]
fn without_a_system_message_an_edit_refills_nothing() {
    let server = Server::saying("ok");
    let sandbox = priced(&server, 5);
    let path = "prompts/remote/v1.yaml";
    let prompt = sandbox.read(path).replace("role: system", "role: user");
    sandbox.write(path, &prompt);
    let ran = sandbox.gate(&["compare", "v1", "v1", "-n", "--traffic", "10000/h"]);
    ran.exits(0).prints("an edit refills nothing");
    assert!(!ran.stdout.contains("-0.00"), "{}", ran.stdout);
}

#[test]
fn a_dry_run_says_for_each_model_how_its_tokens_are_counted() {
    let server = Server::saying("ok");
    let sandbox = priced(&server, 5);
    let suite = sandbox
        .read("evals/remote.yaml")
        .replace("model: test-model,", "model: gpt-4o-2024-08-06,")
        .replace("scorers: [", "judge_models: [{ name: grader, provider: anthropic, model: claude-sonnet-4-5, base_url: \"http://127.0.0.1:9\" }]\nscorers: [{ type: judge, criteria: polite }, ");
    sandbox.write("evals/remote.yaml", &suite);
    let ran = sandbox.gate(&["compare", "v1", "v2", "-n"]);
    ran.exits(0)
        .prints("tokens of claude-sonnet-4-5: estimated, 4 bytes a token");
    if cfg!(feature = "tiktoken") {
        // `Be plain.` and `question 0`: 3 and 3 tokens, 4 around each message, 3 for the answer.
        ran.prints("tokens of gpt-4o-2024-08-06: counted with o200k_base")
            .prints("answers: 170 tokens in");
    } else {
        ran.prints("tokens of gpt-4o-2024-08-06: estimated, 4 bytes a token (o200k_base is not in this build: cargo feature `tiktoken`)");
    }
}

#[test]
fn an_unknown_price_is_unknown_and_no_budget_can_hold() {
    let server = Server::saying("ok");
    let sandbox = Sandbox::remote(&server.base_url(), 3, "");
    sandbox
        .gate(&["compare", "v1", "v2", "-n"])
        .exits(0)
        .prints("price unknown");
    sandbox
        .gate(&["compare", "v1", "v2", "--budget", "1"])
        .exits(2)
        .says("needs a price for every model");
    assert_eq!(server.requests(), 0);
    sandbox
        .gate(&["compare", "v1", "v2", "--json", "out.json"])
        .exits(0);
    assert!(sandbox.json("out.json")["suites"][0]["arms"]["candidate"]["cost_usd"].is_null());
}

#[test]
fn a_budget_stops_before_it_is_passed_and_a_resume_goes_on() {
    let server = Server::saying("ok");
    let sandbox = priced(&server, 200);
    // One answer costs 20 x 10 + 2 x 100 = 400 millionths, and sets aside more than three times that.
    let ran = sandbox.gate(&[
        "compare", "v1", "v2", "--budget", "0.04", "--json", "out.json", "-j", "8",
    ]);
    ran.exits(3).says("gate: infra: budget");
    let spent = sandbox.json("out.json")["suites"][0]["spent_usd"]
        .as_f64()
        .unwrap();
    assert!(spent <= 0.04 && spent > 0.02, "{spent}");
    assert!(
        (server.requests() as f64 * 0.0004 - spent).abs() < 1e-9,
        "{} requests for {spent}",
        server.requests()
    );
    let result = sandbox.json("out.json");
    let mut cases = result["suites"][0]["cases"].as_array().unwrap().iter();
    assert!(cases.any(|case| case["candidate"]["trials"][0]["skipped"] == "budget"));
    sandbox
        .gate(&["compare", "--resume", "--json", "out.json"])
        .exits(0);
    assert_eq!(server.requests(), 400);
}

#[test]
fn a_lost_reply_is_charged_at_what_was_set_aside() {
    let server = Server::start(|seen| {
        if seen.number == 0 {
            Answer::Cut
        } else {
            Answer::Text("ok".into())
        }
    });
    let sandbox = priced(&server, 2);
    // Enough for the answers, not for the answers and a lost reply at its worst case.
    sandbox
        .gate(&["compare", "v1", "v2", "--budget", "0.0035", "-j", "1"])
        .exits(3)
        .says("budget");
}
