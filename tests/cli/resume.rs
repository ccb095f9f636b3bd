//! Interrupted, killed and sharded runs come to the same result as undisturbed ones, and nothing is
//! bought twice.

use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;

use crate::compare::without_timings;
use crate::sandbox::Sandbox;
use crate::server::{Answer, Seen, Server};

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

/// The next number of a fixed sequence (splitmix64), below `limit`.
#[cfg(unix)]
fn next_below(state: &mut u64, limit: u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut word = *state;
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (word ^ (word >> 31)) % limit
}

/// The bytes of the one run's log.
#[cfg(unix)]
fn log_size(sandbox: &Sandbox) -> u64 {
    let runs = std::fs::read_dir(sandbox.path(".gate/runs"))
        .into_iter()
        .flatten();
    let sizes = runs.filter_map(|run| {
        let log = run.ok()?.path().join("events.jsonl");
        Some(std::fs::metadata(log).ok()?.len())
    });
    sizes.sum()
}

#[cfg(unix)]
#[test]
fn a_run_killed_at_twenty_random_moments_ends_as_if_undisturbed() {
    const CASES: usize = 2_000;
    const KILLS: usize = 20;
    const AT_ONCE: usize = 8;
    let server = Server::start(opinion);
    let undisturbed = Sandbox::remote(&server.base_url(), CASES, "");
    undisturbed.gate(&["compare", "v1", "v2", "--json", "out.json"]);
    let before = server.requests();
    assert_eq!(before, 2 * CASES);

    let sandbox = Sandbox::remote(&server.base_url(), CASES, "");
    let mut random = 20;
    // When so many requests have come, and then when the log has grown by so many bytes: within a
    // line as likely as between two.
    let mut moments: Vec<(usize, u64)> = (0..KILLS)
        .map(|_| {
            let requests = next_below(&mut random, 2 * CASES as u64 - 100);
            (
                usize::try_from(requests).unwrap(),
                next_below(&mut random, 6_000),
            )
        })
        .collect();
    moments.sort_unstable();
    let mut arguments = vec!["compare", "v1", "v2", "-j", "8", "--no-cache"];
    let mut killed = 0;
    for (requests, bytes) in moments {
        let mut child = sandbox
            .command(&arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut ended = false;
        while !ended && server.requests() - before < requests {
            ended = child.try_wait().unwrap().is_some();
            std::thread::yield_now();
        }
        let size = log_size(&sandbox);
        while !ended && log_size(&sandbox) < size + bytes {
            ended = child.try_wait().unwrap().is_some();
        }
        assert!(!ended, "the run ended before kill {killed}");
        child.kill().unwrap();
        child.wait().unwrap();
        killed += 1;
        // A run that was killed before its log began has nothing to resume.
        if log_size(&sandbox) > 0 {
            arguments = vec!["compare", "--resume", "-j", "8", "--no-cache"];
        }
    }
    arguments.extend(["--json", "out.json"]);
    let code = sandbox.gate(&arguments).code;
    assert!(code == 0 || code == 1, "{code}");
    let (expected, found) = (
        settled(undisturbed.json("out.json")),
        settled(sandbox.json("out.json")),
    );
    assert_eq!(expected["suites"][0]["cases"], found["suites"][0]["cases"]);
    assert_eq!(expected, found);
    // Each request once, plus at most those in flight at each kill.
    let sent = server.requests() - before;
    assert!(
        (2 * CASES..=2 * CASES + killed * AT_ONCE).contains(&sent),
        "{sent} requests, {killed} kills"
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
