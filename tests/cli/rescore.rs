//! `gate rescore`: changed scorers on stored answers.

use super::calibrate;
use super::sandbox::{SUITE, Sandbox};
use super::server::Server;

#[test]
fn changed_scorers_are_applied_to_the_stored_answers() {
    let sandbox = Sandbox::smallest();
    sandbox
        .gate(&["compare", "v1", "v2", "--json", "a.json"])
        .exits(0);
    let before = sandbox.json("a.json");
    assert_eq!(before["suites"][0]["cases"][1]["transition"], "regression");
    sandbox.write(
        "evals/label.yaml",
        &SUITE.replace("type: equals", "type: icontains"),
    );
    let ran = sandbox.gate(&["rescore", "last", "--json", "b.json"]);
    ran.exits(0).prints("Rescored");
    let after = sandbox.json("b.json");
    let suite = &after["suites"][0];
    assert_eq!(after["command"], "rescore");
    assert_eq!(
        suite["cases"][1]["transition"], "kept",
        "`Sure! That is a bug.` holds `bug`"
    );
    let (old, new) = (
        before["suites"][0]["run_id"].as_str().unwrap(),
        suite["run_id"].as_str().unwrap(),
    );
    assert_ne!(old, new);
    let reference = suite["arms"]["candidate"]["ref"].as_str().unwrap();
    assert!(reference.contains(old), "{reference}");
    let notes = suite["notes"].to_string();
    assert!(notes.contains(old) && notes.contains(new), "{notes}");
    assert_eq!(suite["arms"]["candidate"]["requests"], 0);
    assert_ne!(suite["suite_digest"], before["suites"][0]["suite_digest"]);
    sandbox.gate(&["report", new, "--json", "c.json"]).exits(0);
    assert_eq!(sandbox.json("c.json")["suites"][0]["cases"], suite["cases"]);
}

#[test]
fn the_model_under_test_needs_no_key_and_gets_no_request() {
    let server = Server::saying("ok");
    let sandbox = Sandbox::remote(&server.base_url(), 3, "");
    sandbox.gate(&["compare", "v1", "v2"]).exits(0);
    let asked = server.requests();
    let suite = sandbox.read("evals/remote.yaml");
    let changed = suite.replace("type: equals", "type: contains").replace(
        "model: test-model",
        "model: test-model, api_key_env: NO_SUCH_KEY",
    );
    sandbox.write("evals/remote.yaml", &changed);
    sandbox
        .gate(&["compare", "v1", "v2"])
        .exits(3)
        .says("NO_SUCH_KEY");
    sandbox.gate(&["rescore", "last"]).exits(0);
    assert_eq!(server.requests(), asked);
}

#[test]
fn answers_to_another_question_or_of_another_model_are_not_scored() {
    let sandbox = Sandbox::smallest();
    sandbox.gate(&["compare", "v1", "v2"]).exits(0);
    let cases = sandbox.read("fixtures/label.jsonl");
    sandbox.write(
        "fixtures/label.jsonl",
        &cases.replace("charged twice", "charged thrice"),
    );
    sandbox
        .gate(&["rescore", "last"])
        .exits(2)
        .says("1 case ask")
        .says("c1");
    let fewer: String = cases
        .lines()
        .take(2)
        .map(|line| format!("{line}\n"))
        .collect();
    sandbox.write("fixtures/label.jsonl", &fewer);
    sandbox
        .gate(&["rescore", "last"])
        .exits(2)
        .says("has lost 1 case");
    sandbox.write(
        "fixtures/label.jsonl",
        &cases.replace("\"other\"", "\"shop\""),
    );
    sandbox.gate(&["rescore", "last"]).exits(0);
    sandbox.write("fixtures/label.jsonl", &cases);
    let rules = sandbox.read("fixtures/label.mock.yaml");
    sandbox.write(
        "fixtures/label.mock.yaml",
        &rules.replace("friendly", "cheerful"),
    );
    sandbox
        .gate(&["rescore", "last"])
        .exits(2)
        .says("not set up as it was");
    sandbox
        .gate(&["rescore", "nope"])
        .exits(2)
        .says("no run `nope`");
    sandbox
        .gate(&["rescore", "last", "--suite", "evals/none.yaml"])
        .exits(2)
        .says("none.yaml");
}

#[test]
fn judges_are_asked_only_for_what_the_cache_lacks() {
    let sandbox = calibrate::project("");
    sandbox.gate(&["compare", "v1", "v2", "--no-gate"]).exits(0);
    let suite = sandbox.read("evals/mail.yaml");
    sandbox.write(
        "evals/stricter.yaml",
        &suite.replace("suite/1", "suite/1\nname: stricter").replace(
            "judge: judges/polite@v1",
            "judge: judges/polite@v1, threshold: 1",
        ),
    );
    let ran = sandbox.gate(&[
        "rescore",
        "last",
        "--suite",
        "evals/stricter.yaml",
        "--json",
        "r.json",
        "--no-gate",
    ]);
    ran.exits(0);
    let candidate = &sandbox.json("r.json")["suites"][0]["arms"]["candidate"];
    assert_eq!(candidate["passed"], 0, "0.75 is below the threshold");
    assert_eq!(
        candidate["requests"], 0,
        "the judge's verdicts are in the cache"
    );
    sandbox.write(
        "prompts/judges/polite/v2.yaml",
        &calibrate::JUDGE.replace("polite?", "kind?"),
    );
    sandbox.write("evals/mail.yaml", &suite.replace("polite@v1", "polite@v2"));
    let source = sandbox.json("r.json")["suites"][0]["run_id"].clone();
    let ran = sandbox.gate(&[
        "rescore",
        source.as_str().unwrap(),
        "--json",
        "r.json",
        "--no-gate",
    ]);
    ran.exits(0);
    let first = sandbox.gate(&[
        "rescore",
        "last",
        "--suite",
        "evals/mail.yaml",
        "--json",
        "r.json",
    ]);
    first.exits(0);
    let candidate = &sandbox.json("r.json")["suites"][0]["arms"]["candidate"];
    assert_eq!(candidate["requests"], 60, "another judge has to be asked");
}
