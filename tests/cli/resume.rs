//! Interrupted, killed and sharded runs come to the same result as undisturbed ones, and nothing is
//! bought twice.

use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::Value;

use crate::compare::without_timings;
use crate::sandbox::Sandbox;
use crate::server::{Answer, Seen, Server};

#[expect(
    clippy::disallowed_methods,
    reason = "a model that takes its time blocks a thread of the server"
)]
fn slowly(seen: &Seen) -> Answer {
    std::thread::sleep(Duration::from_millis(2));
    opinion(seen)
}

/// A model that is wrong in some cases, by what is asked alone.
fn opinion(seen: &Seen) -> Answer {
    let number: usize = seen
        .user()
        .trim_start_matches("question ")
        .parse()
        .unwrap_or(0);
    let wrong = number.is_multiple_of(9)
        || (seen.system().contains("friendly") && number.is_multiple_of(5));
    Answer::Text(if wrong { "no" } else { "ok" }.to_owned())
}

fn settled(mut result: Value) -> Value {
    without_timings(&mut result);
    result
}

#[cfg(unix)]
#[test]
fn a_killed_run_goes_on_and_ends_as_if_undisturbed() {
    let reference = Server::start(opinion);
    let undisturbed = Sandbox::remote(&reference.base_url(), 300, "");
    undisturbed.gate(&["compare", "v1", "v2", "--json", "out.json"]);
    let server = Server::start(slowly);
    let sandbox = Sandbox::remote(&server.base_url(), 300, "");
    let mut arguments = vec!["compare", "v1", "v2", "-j", "8", "--no-cache"];
    for kills in 1..=6usize {
        let mut child = sandbox
            .command(&arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        while server.requests() < kills * 70 {
            std::thread::yield_now();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        arguments = vec!["compare", "--resume", "-j", "8", "--no-cache"];
    }
    arguments.extend(["--json", "out.json"]);
    let code = sandbox.gate(&arguments).code;
    assert!(code == 0 || code == 1, "{code}");
    let (expected, found) = (
        settled(undisturbed.json("out.json")),
        settled(sandbox.json("out.json")),
    );
    let strip = |value: &Value| {
        value
            .to_string()
            .replace(&reference.base_url(), "")
            .replace(&server.base_url(), "")
    };
    assert_eq!(expected["suites"][0]["cases"], found["suites"][0]["cases"]);
    assert_eq!(
        strip(&expected["suites"][0]["rules"]),
        strip(&found["suites"][0]["rules"])
    );
    // Each request once, plus at most those in flight at each kill.
    assert!(
        server.requests() <= 600 + 6 * 8,
        "{} requests",
        server.requests()
    );
}

#[test]
fn errored_trials_are_sent_again_and_all_others_are_not() {
    let broken = Arc::new(AtomicBool::new(true));
    let switch = Arc::clone(&broken);
    let server = Server::start(move |seen| {
        let fails = switch.load(Ordering::SeqCst) && seen.user() == "question 3";
        if fails {
            Answer::Status(500, vec![], "oops".into())
        } else {
            opinion(seen)
        }
    });
    let sandbox = Sandbox::remote(&server.base_url(), 10, "");
    sandbox
        .gate(&["compare", "v1", "v2", "--retries", "0", "--no-cache"])
        .exits(3)
        .says("missing_over_bound");
    let sent = server.requests();
    broken.store(false, Ordering::SeqCst);
    sandbox
        .gate(&["compare", "--resume", "--no-cache", "--json", "out.json"])
        .exits(0)
        .says("resuming run");
    assert_eq!(server.requests() - sent, 2);
    let result = sandbox.json("out.json");
    assert_eq!(result["suites"][0]["arms"]["candidate"]["errored"], 0);
    sandbox
        .gate(&["compare", "--resume"])
        .exits(2)
        .says("no unfinished run");
}

#[test]
fn a_plan_that_changed_is_refused_with_the_difference() {
    let server = Server::start(|_| Answer::Status(500, vec![], "oops".into()));
    let sandbox = Sandbox::remote(&server.base_url(), 10, "");
    sandbox
        .gate(&["compare", "v1", "v2", "--retries", "0"])
        .exits(3);
    let (suite, data, prompt) = ("evals/remote.yaml", "cases.jsonl", "prompts/remote/v2.yaml");
    for (file, from, to, words) in [
        (
            suite,
            "type: equals",
            "type: icontains",
            "the suite changed (`scorers`)",
        ),
        (
            data,
            "question 3",
            "question three",
            "the dataset cases.jsonl changed",
        ),
        (prompt, "Be friendly", "Be very friendly", "v2 changed"),
    ] {
        let before = sandbox.read(file);
        sandbox.write(file, &before.replace(from, to));
        sandbox.gate(&["compare", "--resume"]).exits(2).says(words);
        sandbox.write(file, &before);
    }
}

#[test]
fn merged_shards_give_the_verdict_of_the_whole_run() {
    let server = Server::start(opinion);
    let sandbox = Sandbox::remote(&server.base_url(), 90, "");
    sandbox.gate(&["compare", "v1", "v2", "--json", "whole.json", "--no-cache"]);
    let mut runs = Vec::new();
    for shard in ["1/3", "2/3", "3/3"] {
        sandbox.gate(&[
            "compare",
            "v1",
            "v2",
            "--shard",
            shard,
            "--json",
            "part.json",
            "--no-cache",
        ]);
        runs.push(
            sandbox.json("part.json")["suites"][0]["run_id"]
                .as_str()
                .unwrap()
                .to_owned(),
        );
    }
    let folder = format!(".gate/runs/{}", runs[2]);
    std::fs::rename(sandbox.path(&folder), sandbox.path("artifact")).unwrap();
    let whole_code = sandbox
        .gate(&[
            "report",
            sandbox.json("whole.json")["suites"][0]["run_id"]
                .as_str()
                .unwrap(),
        ])
        .code;
    sandbox
        .gate(&[
            "merge",
            &runs[0],
            &runs[1],
            "artifact",
            "--json",
            "merged.json",
        ])
        .exits(whole_code);
    assert_eq!(
        settled(sandbox.json("whole.json")),
        settled(sandbox.json("merged.json"))
    );
    sandbox
        .gate(&["merge", &runs[0], "artifact"])
        .exits(2)
        .says("missing: 2/3");
    sandbox
        .gate(&["merge", &runs[0], &runs[0], "artifact"])
        .exits(2)
        .says("twice");
}
