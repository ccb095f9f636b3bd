//! The fault matrix of reliability: one test a line, named after it; those of replies stand in
//! `replies`, of providers that push back in `storm`, of TLS in `tls`, of disks in `disk`, of batches in
//! `batch`, of kills in `resume`. The invariants are the same everywhere: each trial ends in exactly one
//! state, and no fault of the wire is a wrong answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::sandbox::{Ran, Sandbox};
use crate::server::{Answer, Seen, Server, completion};

pub fn error_body(message: &str, code: &str) -> String {
    json!({"error": {"message": message, "type": code, "param": null, "code": code}}).to_string()
}

/// Runs both versions of a few cases against a script, and checks that the counts add up.
pub fn ran(
    cases: usize,
    arguments: &[&str],
    script: impl Fn(&Seen) -> Answer + Send + Sync + 'static,
) -> (Ran, Value, usize) {
    let server = Server::start(script);
    let sandbox = Sandbox::remote(&server.base_url(), cases, "");
    let mut all = vec!["compare", "v1", "v2", "--json", "out.json"];
    all.extend(arguments);
    let ran = sandbox.gate(&all);
    let result = sandbox.json("out.json");
    let suite = result["suites"][0].clone();
    for arm in ["baseline", "candidate"] {
        let count = |key: &str| suite["arms"][arm][key].as_u64().unwrap();
        assert_eq!(count("trials"), cases as u64);
        assert_eq!(
            count("trials"),
            count("passed") + count("failed") + count("errored") + count("skipped")
        );
    }
    (ran, suite, server.requests())
}

/// Errored trials of the candidate, by class.
pub fn errors(suite: &Value) -> Value {
    suite["arms"]["candidate"]["errors"].clone()
}

/// The first `faults` requests fail, all others are answered: the run must come through.
pub fn recovers(faults: usize, fault: impl Fn() -> Answer + Send + Sync + 'static) -> Value {
    let (ran, suite, _) = ran(12, &["-j", "2"], move |seen| {
        if seen.number < faults {
            fault()
        } else {
            Answer::Text("ok".into())
        }
    });
    ran.exits(0);
    assert_eq!(
        (
            suite["arms"]["baseline"]["passed"].as_u64(),
            suite["arms"]["candidate"]["passed"].as_u64()
        ),
        (Some(12), Some(12))
    );
    suite
}

#[test]
fn connection_refused_or_reset_before_a_byte() {
    recovers(3, || Answer::Reset);
    let (ran, suite, sent) = ran(40, &["--retries", "1"], |seen| match seen.user() {
        "question 3" => Answer::Reset,
        _ => Answer::Text("ok".into()),
    });
    // One pair of forty is fewer than may be missing.
    ran.exits(0);
    assert_eq!(errors(&suite), json!({"connect": 1}));
    assert_eq!(suite["arms"]["candidate"]["passed"], 39);
    assert_eq!(sent, 78 + 4);
}

#[test]
fn dns_failure() {
    let mut sandbox = Sandbox::remote("http://nonexistent.invalid/v1", 12, "");
    sandbox.set("OPENAI_API_KEY", "no-key");
    let begun = Instant::now();
    let ran = sandbox.gate(&["compare", "v1", "v2", "--allow-host", "nonexistent.invalid"]);
    ran.exits(3).says("dns").says("nonexistent.invalid");
    assert!(begun.elapsed() < Duration::from_secs(30));
}

#[test]
fn an_empty_account_a_bad_key_and_a_missing_model_stop_at_once() {
    for (status, code, reason) in [
        (429, "insufficient_quota", "quota"),
        (402, "billing_error", "quota"),
        (401, "invalid_api_key", "auth"),
        (404, "model_not_found", "model_missing"),
    ] {
        let (ran, suite, sent) = ran(30, &[], move |_| {
            Answer::Status(status, vec![], error_body("no", code))
        });
        ran.exits(3).says(&format!("gate: infra: {reason}"));
        assert!(sent <= 8, "{sent} requests after {status}");
        assert!(suite["arms"]["candidate"]["skipped"].as_u64().unwrap() >= 20);
    }
}

#[test]
fn bursts_of_500_529_and_503_are_survived_and_recorded() {
    let survives = |status| {
        let suite = recovers(2, move || {
            Answer::Status(status, vec![("retry-after-ms", "50".into())], "busy".into())
        });
        let retries: u64 = ["baseline", "candidate"]
            .iter()
            .map(|arm| suite["arms"][arm]["retries"].as_u64().unwrap())
            .sum();
        assert_eq!(retries, 2, "{status}");
    };
    std::thread::scope(|scope| {
        for status in [500, 529, 503] {
            scope.spawn(move || survives(status));
        }
    });
}

#[test]
fn content_filter_and_refusal_are_faults_of_the_answer() {
    let refusal = completion("").replace(
        "\"content\":\"\"",
        "\"content\":null,\"refusal\":\"I can not help with that\"",
    );
    assert!(refusal.contains("refusal"));
    for (answer, fault) in [
        (
            Answer::Status(400, vec![], error_body("filtered", "content_filter")),
            "filtered",
        ),
        (
            Answer::Body(completion("x").replace("\"stop\"", "\"content_filter\"")),
            "filtered",
        ),
        (Answer::Body(refusal), "refused"),
    ] {
        let answer = Arc::new(std::sync::Mutex::new(answer));
        let (_, suite, _) = ran(2, &[], move |_| match &*answer.lock().unwrap() {
            Answer::Status(status, _, body) => Answer::Status(*status, vec![], body.clone()),
            Answer::Body(body) => Answer::Body(body.clone()),
            _ => Answer::Reset,
        });
        let arm = &suite["arms"]["candidate"];
        assert_eq!(
            (arm["failed"].as_u64(), arm["errored"].as_u64()),
            (Some(2), Some(0)),
            "{fault}: {arm}"
        );
        assert_eq!(arm["answer_faults"][fault], 2);
    }
}

#[test]
fn an_answer_cut_at_its_length_is_scored_only_where_the_suite_says_so() {
    let script = |_: &Seen| Answer::Body(completion("ok").replace("\"stop\"", "\"length\""));
    let (_, suite, _) = ran(2, &[], script);
    assert_eq!(suite["arms"]["candidate"]["answer_faults"]["truncated"], 2);
    let server = Server::start(script);
    let sandbox = Sandbox::remote(&server.base_url(), 2, "score_faults: [truncated]\n");
    sandbox
        .gate(&["compare", "v1", "v2", "--json", "out.json"])
        .exits(0);
    assert_eq!(
        sandbox.json("out.json")["suites"][0]["arms"]["candidate"]["passed"],
        2
    );
}

#[test]
fn context_overflow_is_the_cases_fault_alone_and_a_bad_request_when_all_overflow() {
    let overflow = || {
        Answer::Status(
            400,
            vec![],
            error_body(
                "maximum context length is 512 tokens",
                "context_length_exceeded",
            ),
        )
    };
    let (ran_some, suite, _) = ran(20, &["-j", "1"], move |seen| {
        if seen.user() == "question 7" {
            overflow()
        } else {
            Answer::Text("ok".into())
        }
    });
    ran_some.exits(0);
    assert_eq!(
        suite["arms"]["candidate"]["answer_faults"],
        json!({"context": 1})
    );
    let (ran_all, _, sent) = ran(20, &["-j", "1"], move |_| overflow());
    ran_all.exits(3).says("bad_request");
    assert!(sent <= 11, "{sent}");
}

#[test]
fn a_redirect_is_not_followed() {
    let other = Server::saying("ok");
    let elsewhere = format!("{}/chat/completions", other.base_url());
    for (status, target) in [
        (301, elsewhere.as_str()),
        (302, &elsewhere),
        (303, &elsewhere),
        (307, &elsewhere),
        (308, &elsewhere),
        // A loop.
        (307, "/v1/chat/completions"),
    ] {
        let location = target.to_owned();
        let (ran, _, sent) = ran(12, &[], move |_| {
            Answer::Status(status, vec![("location", location.clone())], String::new())
        });
        ran.exits(3).says("bad_request");
        assert!(sent <= 18, "{sent} requests");
    }
    assert_eq!(other.requests(), 0);
}

#[test]
fn a_connection_that_closes_between_requests_loses_nothing() {
    let (ran, suite, sent) = ran(30, &["-j", "4"], |_| Answer::TextThenClose("ok".into()));
    ran.exits(0);
    assert_eq!(suite["arms"]["candidate"]["passed"], 30);
    assert!(sent >= 60);
}

#[test]
fn a_log_that_can_not_be_written_is_an_io_error_before_anything_is_sent() {
    let server = Server::saying("ok");
    let sandbox = Sandbox::remote(&server.base_url(), 5, "");
    sandbox.write(".gate/runs", "a file where a folder should be");
    sandbox
        .gate(&["compare", "v1", "v2"])
        .exits(3)
        .says("gate: infra: io");
    assert_eq!(server.requests(), 0);
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_ends_the_run_and_what_is_on_disk_resumes() {
    let server = Server::saying("ok");
    let sandbox = Sandbox::remote(&server.base_url(), 2_000, "");
    std::fs::create_dir(sandbox.path(".gate")).unwrap();
    let folder = sandbox.path(".gate").to_string_lossy().into_owned();
    let mounted = std::process::Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=1m", "tmpfs", &folder])
        .output();
    if !mounted.is_ok_and(|output| output.status.success()) {
        eprintln!("SKIPPED: no small file system can be mounted here");
        return;
    }
    let ran = sandbox.gate(&["compare", "v1", "v2"]);
    let grown = std::process::Command::new("mount")
        .args(["-o", "remount,size=64m", &folder])
        .status();
    let resumed = sandbox.gate(&["compare", "--resume", "--json", "out.json"]);
    let _ = std::process::Command::new("umount").arg(&folder).status();
    assert!(grown.is_ok_and(|status| status.success()));
    ran.exits(3).says("gate: infra: io");
    resumed.exits(0);
    assert_eq!(
        sandbox.json("out.json")["suites"][0]["arms"]["candidate"]["passed"],
        2_000
    );
}

#[cfg(unix)]
#[test]
fn sigterm_drains_and_ends_with_143() {
    let server = Server::start(|_| {
        std::thread::sleep(Duration::from_millis(10));
        Answer::Text("ok".into())
    });
    let sandbox = Sandbox::remote(&server.base_url(), 2_000, "");
    let mut child = sandbox
        .command(&["compare", "v1", "v2", "-j", "4"])
        .stderr(std::process::Stdio::null())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    while server.requests() < 20 {
        std::thread::yield_now();
    }
    std::process::Command::new("kill")
        .args(["-TERM", &child.id().to_string()])
        .status()
        .unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(143));
    assert!(server.requests() < 1_000);
}

#[test]
fn power_loss_leaves_a_log_that_resumes_to_the_same_result() {
    let server = Server::start(|seen| {
        Answer::Text(
            if seen.user().ends_with('3') && seen.system().contains("friendly") {
                "no"
            } else {
                "ok"
            }
            .into(),
        )
    });
    let sandbox = Sandbox::remote(&server.base_url(), 30, "");
    sandbox.gate(&[
        "compare",
        "v1",
        "v2",
        "--json",
        "whole.json",
        "--no-cache",
        "-j",
        "2",
    ]);
    let whole = sandbox.json("whole.json");
    let log = format!(
        ".gate/runs/{}/events.jsonl",
        whole["suites"][0]["run_id"].as_str().unwrap()
    );
    let text = sandbox.read(&log);
    let planned = text.match_indices("\"attempt_started\"").next().unwrap().0;
    for part in 1..6 {
        let mut end = planned + (text.len() - planned) * part / 6;
        while !text.is_char_boundary(end) {
            end += 1;
        }
        sandbox.write(&log, &text[..end]);
        sandbox.gate(&[
            "compare",
            "--resume",
            "--json",
            "again.json",
            "--no-cache",
            "-j",
            "2",
        ]);
        assert_eq!(
            whole["suites"][0]["rules"],
            sandbox.json("again.json")["suites"][0]["rules"]
        );
        assert_eq!(sandbox.json("again.json")["suites"][0]["complete"], true);
    }
}

#[test]
fn two_runs_at_once_on_one_cache_are_fine() {
    let server = Server::saying("ok");
    let sandbox = Sandbox::remote(&server.base_url(), 100, "");
    let children: Vec<_> = (0..2)
        .map(|_| {
            sandbox
                .command(&["compare", "v1", "v2"])
                .stdout(std::process::Stdio::null())
                .stderr(std::process::Stdio::null())
                .spawn()
                .unwrap()
        })
        .collect();
    for mut child in children {
        assert_eq!(child.wait().unwrap().code(), Some(0));
    }
    let before = server.requests();
    sandbox.gate(&["compare", "v1", "v2"]).exits(0);
    assert_eq!(server.requests(), before);
}

#[test]
fn many_faults_at_once_leave_every_trial_in_one_state_and_cost_few_requests() {
    // By the trial and its attempt: a fifth are told to wait at first, others fail, are cut or hang.
    let attempts = Arc::new(std::sync::Mutex::new(std::collections::HashMap::<
        String,
        usize,
    >::new()));
    let injected = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&injected);
    let (ran, suite, sent) = ran(1_000, &["-j", "64", "--timeout", "400ms"], move |seen| {
        let trial = format!("{}{}", seen.system(), seen.user());
        let number: usize = seen.user().trim_start_matches("question ").parse().unwrap();
        let mut attempts = attempts.lock().unwrap();
        let attempt = attempts.entry(trial).or_insert(0);
        *attempt += 1;
        if *attempt > 1 {
            return Answer::Text("ok".into());
        }
        let fault = match (number * 37 + seen.system().len()) % 100 {
            0..20 => Answer::Status(
                429,
                vec![("retry-after-ms", "20".into())],
                error_body("slow down", "rate_limit_exceeded"),
            ),
            20..25 => Answer::Status(500, vec![], "oops".into()),
            25..27 => Answer::Cut,
            27..29 => Answer::Hang,
            _ => return Answer::Text("ok".into()),
        };
        count.fetch_add(1, Ordering::SeqCst);
        fault
    });
    ran.exits(0);
    assert_eq!(suite["arms"]["candidate"]["passed"], 1_000);
    let injected = injected.load(Ordering::SeqCst);
    assert!(
        sent - injected <= 2_000 * 11 / 10 + 10,
        "{sent} sent, {injected} faults"
    );
}

#[test]
fn a_reply_that_comes_twice_is_one_result() {
    let server = Server::start(|_| Answer::Twice("ok".into()));
    let sandbox = Sandbox::remote(&server.base_url(), 20, "");
    sandbox
        .gate(&["compare", "v1", "v2", "-j", "2", "--json", "out.json"])
        .exits(0);
    let result = sandbox.json("out.json");
    let run = result["suites"][0]["run_id"].as_str().unwrap();
    let log = sandbox.read(&format!(".gate/runs/{run}/events.jsonl"));
    let mut trials: Vec<String> = log
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .filter(|event| event["type"] == "trial_finished")
        .map(|event| event["trial"].to_string())
        .collect();
    assert_eq!(trials.len(), 40);
    trials.sort();
    trials.dedup();
    assert_eq!(trials.len(), 40);
}

#[test]
fn a_cache_that_can_not_be_written_is_an_io_error_and_what_was_answered_resumes() {
    let server = Server::saying("ok");
    let sandbox = Sandbox::remote(&server.base_url(), 30, "");
    sandbox.write(".gate/cache", "a file where a folder should be");
    sandbox
        .gate(&["compare", "v1", "v2", "-j", "2"])
        .exits(3)
        .says("gate: infra: io");
    let sent = server.requests();
    assert!(sent <= 10, "{sent} requests after the fault");
    std::fs::remove_file(sandbox.path(".gate/cache")).unwrap();
    sandbox
        .gate(&["compare", "--resume", "--json", "out.json"])
        .exits(0);
    assert_eq!(
        sandbox.json("out.json")["suites"][0]["arms"]["candidate"]["passed"],
        30
    );
}

#[cfg(target_os = "linux")]
#[test]
fn a_report_that_can_not_be_written_is_an_io_error() {
    let server = Server::saying("ok");
    let sandbox = Sandbox::remote(&server.base_url(), 20, "");
    for report in ["--json", "--junit"] {
        sandbox
            .gate(&["compare", "v1", "v2", report, "/dev/full"])
            .exits(3)
            .says("gate: infra: io")
            .says("/dev/full");
    }
}

#[cfg(unix)]
#[test]
fn a_second_signal_ends_the_run_at_once() {
    let server = Server::start(|_| Answer::Hang);
    let sandbox = Sandbox::remote(&server.base_url(), 20, "");
    let mut child = sandbox
        .command(&["compare", "v1", "v2", "-j", "4"])
        .stderr(std::process::Stdio::null())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    while server.requests() < 4 {
        std::thread::yield_now();
    }
    let begun = Instant::now();
    let mut code = None;
    while code.is_none() {
        let _ = std::process::Command::new("kill")
            .args(["-INT", &child.id().to_string()])
            .status();
        code = child.try_wait().unwrap();
    }
    let code = code.unwrap_or(child.wait().unwrap());
    assert_eq!(code.code(), Some(130));
    assert!(begun.elapsed() < Duration::from_secs(8), "it did not drain");
}

#[test]
fn the_cache_is_kept_within_its_limits_at_the_end_of_a_run() {
    let server =
        Server::start(|seen| Answer::Text(format!("{} {}", seen.user(), "x".repeat(40_000))));
    let sandbox = Sandbox::remote(&server.base_url(), 20, "");
    sandbox.write("gate.yaml", "gate: settings/1\ncache_max_size: 1\n");
    // Each run stores about 1.7 MiB.
    sandbox
        .gate(&["compare", "v1", "v2"])
        .says("MiB of the oldest answers were dropped");
    let bytes: u64 = std::fs::read_dir(sandbox.path(".gate/cache"))
        .unwrap()
        .map(|entry| entry.unwrap().metadata().unwrap().len())
        .sum();
    assert!(bytes <= 1 << 20, "{bytes} bytes are left");
    let before = server.requests();
    sandbox.gate(&["compare", "v1", "v2", "--cache-max-size", "100"]);
    let asked_again = server.requests() - before;
    assert!((1..40).contains(&asked_again), "{asked_again} asked again");
    sandbox
        .gate(&["compare", "v1", "v2", "--cache-max-age", "nonsense"])
        .exits(2)
        .says("cache_max_age");
}
