//! Answers in batches: the protocols of both vendors, the fault matrix's line on batches, and that a
//! run that is killed buys nothing twice.

use std::collections::BTreeSet;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde_json::Value;

use crate::bureau::{Bureau, Fate, Look, Taken, Vendor};
use crate::sandbox::Sandbox;
use crate::server::{Answer, Server};

const BATCH: [&str; 6] = ["compare", "v1", "v2", "--batch", "--json", "out.json"];
const BOTH: [Vendor; 2] = [Vendor::OpenAi, Vendor::Anthropic];

fn suite(result: &Value) -> &Value {
    &result["suites"][0]
}

/// The user's question of a request.
fn question(taken: &Taken) -> &str {
    let messages = taken.body["messages"].as_array().unwrap();
    messages.last().unwrap()["content"].as_str().unwrap()
}

/// How many calls did not go through a batch.
fn direct_calls(bureau: &Bureau) -> usize {
    let seen = bureau.server.seen();
    let direct = seen
        .iter()
        .filter(|seen| seen.line().ends_with("/completions") || seen.line().ends_with("/messages"));
    direct.count()
}

fn ids(taken: &[Taken]) -> BTreeSet<&str> {
    taken.iter().map(|taken| taken.custom_id.as_str()).collect()
}

#[test]
fn a_comparison_in_a_batch_ends_as_a_direct_one_at_half_the_price() {
    for vendor in BOTH {
        let bureau = Bureau::open(
            vendor,
            |taken| {
                Fate::Says(if question(taken).ends_with('3') {
                    "no"
                } else {
                    "ok"
                })
            },
            |_, look| if look < 2 { Look::Working } else { Look::Ended },
        );
        let sandbox = bureau.project(20);
        sandbox.gate(&BATCH).exits(0);
        let result = sandbox.json("out.json");
        let arm = &suite(&result)["arms"]["candidate"];
        assert_eq!((&arm["trials"], &arm["passed"]), (&20.into(), &18.into()));
        // 20 tokens in and 2 out are 400 millionths directly, 200 in a batch.
        let (cost, spent) = (&arm["cost_usd"], &suite(&result)["spent_usd"]);
        assert!(
            (cost.as_f64().unwrap() - 20.0 * 0.0004).abs() < 1e-9,
            "{cost}"
        );
        assert!(
            (spent.as_f64().unwrap() - 40.0 * 0.0002).abs() < 1e-9,
            "{spent}"
        );
        assert!(arm["latency_ms"]["p50"].is_null(), "{arm}");
        let taken = bureau.taken();
        assert_eq!(
            (bureau.batches(), taken.len(), ids(&taken).len()),
            (1, 40, 40)
        );
        assert_eq!(direct_calls(&bureau), 0);
        let log = std::fs::read_dir(sandbox.path(".gate/runs"))
            .unwrap()
            .next()
            .unwrap()
            .unwrap();
        let log = std::fs::read_to_string(log.path().join("events.jsonl")).unwrap();
        let place = |kind: &str| log.find(kind).unwrap_or_else(|| panic!("{kind}"));
        assert!(place("attempt_started") < place("batch_submitted"));
        assert!(place("batch_submitted") < place("attempt_finished"));
        // What came in a batch is in the cache as any other answer.
        sandbox.gate(&["compare", "v1", "v2"]).exits(0);
        assert_eq!(bureau.batches(), 1);
    }
}

#[test]
fn batch_partial_results_send_the_missing_lines_again() {
    for vendor in BOTH {
        let bureau = Bureau::open(
            vendor,
            |taken| {
                let lost = taken.batch == 0 && question(taken).ends_with('7');
                if lost {
                    Fate::Vanishes
                } else {
                    Fate::Says("ok")
                }
            },
            |_, _| Look::Ended,
        );
        let sandbox = bureau.project(20);
        sandbox.gate(&BATCH).exits(0);
        let taken = bureau.taken();
        assert_eq!(
            (bureau.batches(), taken.len(), ids(&taken).len()),
            (2, 44, 40)
        );
        let result = sandbox.json("out.json");
        assert_eq!(suite(&result)["arms"]["candidate"]["passed"], 20);
        assert_eq!(suite(&result)["arms"]["candidate"]["retries"], 2);
    }
}

#[test]
fn batch_lines_that_expire_are_sent_once_more_and_then_errored() {
    for vendor in BOTH {
        let bureau = Bureau::open(
            vendor,
            |taken| match question(taken) {
                "question 3" => Fate::Expires,
                "question 4" if taken.batch == 0 => Fate::Expires,
                _ => Fate::Says("ok"),
            },
            |_, _| Look::Ended,
        );
        let sandbox = bureau.project(30);
        sandbox.gate(&BATCH).exits(0);
        let arm = suite(&sandbox.json("out.json"))["arms"]["candidate"].clone();
        assert_eq!((&arm["passed"], &arm["errored"]), (&29.into(), &1.into()));
        assert_eq!(arm["errors"]["timeout"], 1, "{arm}");
        assert_eq!((bureau.batches(), bureau.taken().len()), (2, 64));
    }
}

#[test]
fn batch_lines_with_an_unknown_id_are_ignored_and_said() {
    for vendor in BOTH {
        let bureau = Bureau::saying_ok(vendor);
        bureau.add_line(match vendor {
            Vendor::OpenAi => "{\"custom_id\": \"stranger\", \"response\": {\"status_code\": 200, \"body\": {\"choices\": []}}, \"error\": null}",
            Vendor::Anthropic => "{\"custom_id\": \"stranger\", \"result\": {\"type\": \"expired\"}}",
        });
        bureau.add_line("{\"torn");
        let sandbox = bureau.project(5);
        let ran = sandbox.gate(&[
            "compare",
            "v1",
            "v2",
            "--batch",
            "--json",
            "out.json",
            "--markdown",
            "out.md",
        ]);
        ran.exits(0);
        assert_eq!(
            suite(&sandbox.json("out.json"))["arms"]["candidate"]["passed"],
            5
        );
        let report = sandbox.read("out.md");
        assert!(
            report.contains("with an id that was not asked for: ignored"),
            "{report}"
        );
        assert!(report.contains("that can not be read: ignored"), "{report}");
    }
}

#[test]
fn batch_looks_that_die_are_taken_again() {
    for vendor in BOTH {
        let bureau = Bureau::open(
            vendor,
            |_| Fate::Says("ok"),
            |_, look| match look {
                0 => Look::Answer(Answer::Status(500, Vec::new(), "{}".into())),
                1 => Look::Answer(Answer::Reset),
                2 => Look::Answer(Answer::Cut),
                3 => Look::Answer(Answer::Body("<html>".into())),
                4 => Look::Answer(Answer::Status(429, Vec::new(), "{}".into())),
                _ => Look::Ended,
            },
        );
        let sandbox = bureau.project(5);
        sandbox.gate(&BATCH).exits(0);
        assert_eq!((bureau.batches(), bureau.taken().len()), (1, 10));
    }
}

#[test]
fn batch_looks_that_die_for_good_end_the_run_and_a_resume_asks_for_the_same_batch() {
    let dead = Arc::new(AtomicBool::new(true));
    let switch = Arc::clone(&dead);
    let bureau = Bureau::open(
        Vendor::OpenAi,
        |_| Fate::Says("ok"),
        move |_, _| {
            if switch.load(Ordering::SeqCst) {
                Look::Answer(Answer::Status(500, Vec::new(), "{}".into()))
            } else {
                Look::Ended
            }
        },
    );
    let sandbox = bureau.project(5);
    let ran = sandbox.gate(&BATCH);
    ran.exits(3).says("--resume asks for it again");
    dead.store(false, Ordering::SeqCst);
    sandbox
        .gate(&["compare", "--resume", "--batch", "--json", "out.json"])
        .exits(0);
    assert_eq!((bureau.batches(), bureau.taken().len()), (1, 10));
    assert_eq!(
        suite(&sandbox.json("out.json"))["arms"]["candidate"]["passed"],
        5
    );
}

/// Runs the binary until the vendor was looked at once more, then kills it.
fn kill_while_it_waits(sandbox: &Sandbox, arguments: &[&str], looks: &AtomicUsize) {
    let before = looks.load(Ordering::SeqCst);
    let mut child = sandbox
        .command(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    while looks.load(Ordering::SeqCst) == before {
        std::thread::yield_now();
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_run_that_is_killed_while_it_waits_buys_nothing_twice() {
    // Whoever forgets the flag does not pay twice either.
    for (vendor, flags) in [(Vendor::OpenAi, &["--batch"][..]), (Vendor::Anthropic, &[])] {
        let (ready, looks) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicUsize::new(0)),
        );
        let (switch, counter) = (Arc::clone(&ready), Arc::clone(&looks));
        let bureau = Bureau::open(
            vendor,
            |_| Fate::Says("ok"),
            move |_, _| {
                counter.fetch_add(1, Ordering::SeqCst);
                if switch.load(Ordering::SeqCst) {
                    Look::Ended
                } else {
                    Look::Working
                }
            },
        );
        let sandbox = bureau.project(15);
        let again = [&["compare", "--resume", "--json", "out.json"], flags].concat();
        kill_while_it_waits(&sandbox, &BATCH, &looks);
        kill_while_it_waits(&sandbox, &again, &looks);
        kill_while_it_waits(&sandbox, &again, &looks);
        ready.store(true, Ordering::SeqCst);
        sandbox.gate(&again).exits(0);
        assert_eq!((bureau.batches(), bureau.taken().len()), (1, 30));
        let result = sandbox.json("out.json");
        let arm = &suite(&result)["arms"]["candidate"];
        assert_eq!((&arm["passed"], &arm["requests"]), (&15.into(), &15.into()));
        let spent = suite(&result)["spent_usd"].as_f64().unwrap();
        assert!((spent - 30.0 * 0.0002).abs() < 1e-9, "{spent}");
        assert_eq!(direct_calls(&bureau), 0);
    }
}

#[test]
fn batch_errors_of_single_lines_end_as_they_would_directly() {
    let bureau = Bureau::open(
        Vendor::OpenAi,
        |taken| match question(taken) {
            "question 1" => Fate::Fails(400, "context_length_exceeded"),
            "question 2" => Fate::Fails(400, "invalid_request_error"),
            "question 3" if taken.batch < 2 => Fate::Fails(500, "server_error"),
            _ => Fate::Says("ok"),
        },
        |_, _| Look::Ended,
    );
    let sandbox = bureau.project(40);
    sandbox.gate(&BATCH);
    let arm = suite(&sandbox.json("out.json"))["arms"]["candidate"].clone();
    assert_eq!(
        (
            &arm["answer_faults"]["context"],
            &arm["errors"]["bad_request"]
        ),
        (&1.into(), &1.into()),
        "{arm}"
    );
    assert_eq!((&arm["passed"], &arm["retries"]), (&38.into(), &2.into()));
    assert_eq!(bureau.batches(), 3);
}

#[test]
fn a_key_or_a_batch_that_is_refused_ends_the_run() {
    let refused = |fate: fn(&Taken) -> Fate, look: fn(usize, usize) -> Look| {
        let bureau = Bureau::open(Vendor::OpenAi, fate, look);
        let sandbox = bureau.project(12);
        let ran = sandbox.gate(&BATCH);
        assert_eq!(bureau.batches(), 1);
        ran
    };
    refused(|_| Fate::Fails(401, "invalid_api_key"), |_, _| Look::Ended)
        .exits(3)
        .says("gate: infra: auth");
    refused(
        |_| Fate::Fails(400, "invalid_request_error"),
        |_, _| Look::Ended,
    )
    .exits(3)
    .says("gate: infra: bad_request");
    refused(|_| Fate::Says("ok"), |_, _| Look::Refused)
        .exits(3)
        .says("too much at once");
}

#[test]
fn a_lost_reply_to_the_making_of_a_batch_is_not_made_good_by_a_second_batch() {
    let server = Server::start(|seen| match seen.line() {
        "POST /v1/files" => Answer::Body("{\"id\": \"file-0\"}".into()),
        _ => Answer::Cut,
    });
    let sandbox = Sandbox::remote(&server.base_url(), 3, "");
    sandbox
        .gate(&["compare", "v1", "v2", "--batch"])
        .exits(3)
        .says("whether a batch was made");
    assert_eq!(server.requests(), 2);
}

#[test]
fn a_budget_holds_for_batches_too() {
    let bureau = Bureau::saying_ok(Vendor::OpenAi);
    let sandbox = bureau.project(100);
    sandbox
        .gate(&["compare", "v1", "v2", "-n", "--batch"])
        .exits(0)
        .prints("answers in batches")
        .prints("USD");
    let ran = sandbox.gate(&[
        "compare", "v1", "v2", "--batch", "--budget", "0.02", "--json", "out.json",
    ]);
    ran.exits(3).says("gate: infra: budget");
    let spent = suite(&sandbox.json("out.json"))["spent_usd"]
        .as_f64()
        .unwrap();
    let bought = bureau.taken().len();
    assert!(bought > 10 && bought < 40, "{bought}");
    assert!(
        spent <= 0.02 && (spent - bought as f64 * 0.0002).abs() < 1e-9,
        "{spent} for {bought}"
    );
    let unknown = sandbox
        .read("evals/remote.yaml")
        .replace(", batch_input: 5.0, batch_output: 50.0", "");
    sandbox.write("evals/remote.yaml", &unknown);
    sandbox
        .gate(&["compare", "v1", "v2", "--batch", "--budget", "1"])
        .exits(2)
        .says("needs a price");
}

#[test]
fn what_no_batch_can_do_is_refused_before_anything_is_sent() {
    let sandbox = Sandbox::smallest();
    sandbox
        .gate(&["compare", "v1", "v2", "--batch"])
        .exits(2)
        .says("provider `mock` of model `main` has no batches here");
    let bureau = Bureau::saying_ok(Vendor::OpenAi);
    let sandbox = bureau.project(3);
    let plain = sandbox.read("evals/remote.yaml");
    sandbox.write(
        "evals/remote.yaml",
        &plain.replace("scorers: [", "scorers: [{ type: latency, max_ms: 100 }, "),
    );
    sandbox
        .gate(&BATCH)
        .exits(2)
        .says("scorer `latency` needs a latency");
    sandbox.write(
        "evals/remote.yaml",
        &format!("{plain}policy: {{ metrics: [{{ metric: latency_ms, max_ratio: 1.2 }}] }}\n"),
    );
    sandbox
        .gate(&BATCH)
        .exits(2)
        .says("metric `latency_ms` needs a latency");
    assert_eq!(bureau.server.requests(), 0);
}

#[cfg(unix)]
#[test]
fn an_interrupt_leaves_the_batch_at_the_provider() {
    let looks = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&looks);
    let bureau = Bureau::open(
        Vendor::OpenAi,
        |_| Fate::Says("ok"),
        move |_, _| {
            let look = counter.fetch_add(1, Ordering::SeqCst);
            if look < 1_000 {
                Look::Working
            } else {
                Look::Ended
            }
        },
    );
    let sandbox = bureau.project(4);
    let child = sandbox
        .command(&BATCH)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    while looks.load(Ordering::SeqCst) < 2 {
        std::thread::yield_now();
    }
    let pid = child.id().to_string();
    std::process::Command::new("kill")
        .args(["-INT", &pid])
        .status()
        .unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(
        output.status.code(),
        Some(130),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    looks.store(1_000, Ordering::SeqCst);
    sandbox.gate(&["compare", "--resume", "--batch"]).exits(0);
    assert_eq!((bureau.batches(), bureau.taken().len()), (1, 8));
}

#[test]
fn a_deadline_leaves_the_batch_at_the_provider() {
    let bureau = Bureau::open(
        Vendor::Anthropic,
        |_| Fate::Says("ok"),
        |_, _| Look::Working,
    );
    let sandbox = bureau.project(4);
    sandbox
        .gate(&["compare", "v1", "v2", "--batch", "--deadline", "200ms"])
        .exits(3)
        .says("gate: infra: deadline");
    sandbox
        .gate(&["compare", "--resume", "--batch", "--deadline", "200ms"])
        .exits(3);
    assert_eq!((bureau.batches(), bureau.taken().len()), (1, 8));
}
