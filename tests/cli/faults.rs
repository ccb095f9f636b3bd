//! Faults of the wire: never a wrong answer, never exit 0 or 1, and no more requests than needed.

#![expect(
    clippy::disallowed_methods,
    reason = "a server that takes its time blocks a thread of its own"
)]

use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::sandbox::Sandbox;
use crate::server::{Answer, Server};

fn error_body(message: &str, code: &str) -> String {
    serde_json::json!({"error": {"message": message, "type": code, "param": null, "code": code}})
        .to_string()
}

#[expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a helper of tests: a result of another form fails the test"
)]
/// Runs 40 cases x 2 against a server that fails in one way, and expects exit 3.
fn ends_with(
    script: impl Fn(&crate::server::Seen) -> Answer + Send + Sync + 'static,
    reason: &str,
) -> usize {
    let server = Server::start(script);
    let sandbox = Sandbox::remote(&server.base_url(), 40, "");
    let begun = Instant::now();
    let ran = sandbox.gate(&[
        "compare",
        "v1",
        "v2",
        "--json",
        "out.json",
        "--timeout",
        "300ms",
    ]);
    ran.exits(3).says(&format!("gate: infra: {reason}"));
    assert!(
        begun.elapsed() < Duration::from_secs(20),
        "{:?}",
        begun.elapsed()
    );
    let result = sandbox.json("out.json");
    assert_eq!(
        (result["verdict"].as_str(), result["exit"]["code"].as_u64()),
        (Some("error"), Some(3))
    );
    let suite = &result["suites"][0];
    assert_eq!(suite["complete"], false);
    for arm in ["baseline", "candidate"] {
        let count = |key: &str| suite["arms"][arm][key].as_u64().unwrap();
        assert_eq!(count("trials"), 40);
        assert_eq!(count("errored") + count("skipped"), 40);
    }
    server.requests()
}

#[test]
fn a_bad_key_stops_the_run_at_once() {
    let sent = ends_with(
        |_| Answer::Status(401, vec![], error_body("bad key", "invalid_api_key")),
        "auth",
    );
    assert!(sent <= 8, "{sent} requests");
    assert!(
        ends_with(
            |_| Answer::Status(403, vec![], error_body("no", "forbidden")),
            "auth"
        ) <= 8
    );
}

#[test]
fn a_missing_model_and_an_empty_account_stop_the_run_at_once() {
    assert!(
        ends_with(
            |_| Answer::Status(404, vec![], error_body("no such model", "model_not_found")),
            "model_missing"
        ) <= 8
    );
    assert!(
        ends_with(
            |_| Answer::Status(429, vec![], error_body("no money", "insufficient_quota")),
            "quota"
        ) <= 8
    );
}

#[test]
fn ten_failures_in_a_row_stop_the_run() {
    assert!(
        ends_with(
            |_| Answer::Status(501, vec![], error_body("no", "x")),
            "provider_down"
        ) <= 20
    );
    assert!(ends_with(|_| Answer::Reset, "provider_down") <= 20);
    assert!(
        ends_with(
            |_| Answer::Status(400, vec![], error_body("what?", "invalid_request_error")),
            "bad_request"
        ) <= 20
    );
}

#[test]
fn failures_of_several_kinds_in_a_row_stop_the_run() {
    let sent = ends_with(
        |seen| match seen.number % 3 {
            0 => Answer::Status(500, vec![], "oops".into()),
            1 => Answer::Cut,
            _ => Answer::Reset,
        },
        "provider_down",
    );
    assert!(sent <= 40, "{sent} requests");
}

#[test]
fn replies_that_can_not_be_read_are_no_answers() {
    ends_with(
        |_| Answer::Body("<html>gateway</html>".into()),
        "provider_down",
    );
    ends_with(
        |_| Answer::Body("{\"choices\": []}".into()),
        "provider_down",
    );
    ends_with(|_| Answer::Cut, "provider_down");
    ends_with(|_| Answer::Hang, "provider_down");
}

#[test]
fn an_unreachable_server_is_found_in_seconds() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let sandbox = Sandbox::remote(&format!("http://{address}/v1"), 40, "");
    let begun = Instant::now();
    sandbox
        .gate(&["compare", "v1", "v2"])
        .exits(3)
        .says("provider_down");
    assert!(
        begun.elapsed() < Duration::from_secs(15),
        "{:?}",
        begun.elapsed()
    );
}

#[test]
fn single_faults_are_tried_again_and_leave_no_trace_in_the_verdict() {
    let server = Server::start(|seen| match seen.number % 13 {
        1 => Answer::Status(500, vec![], "oops".into()),
        5 => Answer::Cut,
        _ => Answer::Text("ok".into()),
    });
    let sandbox = Sandbox::remote(&server.base_url(), 60, "");
    sandbox
        .gate(&["compare", "v1", "v2", "--json", "out.json", "-j", "4"])
        .exits(0)
        .prints("PASS");
    let suite = &sandbox.json("out.json")["suites"][0];
    let sum = |key: &str| {
        ["baseline", "candidate"]
            .iter()
            .map(|arm| suite["arms"][arm][key].as_u64().unwrap())
            .sum::<u64>()
    };
    assert_eq!(sum("passed"), 120);
    assert_eq!(sum("requests"), server.requests() as u64);
    assert_eq!(sum("retries"), sum("requests") - 120);
}

#[test]
fn nothing_is_sent_before_the_retry_after() {
    let server = Server::start(|seen| match seen.number {
        0..=7 => Answer::Status(
            429,
            vec![("retry-after", "1".into())],
            error_body("slow down", "rate_limit_exceeded"),
        ),
        _ => Answer::Text("ok".into()),
    });
    let sandbox = Sandbox::remote(&server.base_url(), 10, "");
    sandbox.gate(&["compare", "v1", "v2", "--json", "out.json"]);
    let seen = server.seen();
    let refused = seen
        .iter()
        .filter(|seen| seen.number < 8)
        .map(|seen| seen.at)
        .max()
        .unwrap();
    let next = seen
        .iter()
        .filter(|seen| seen.number >= 8)
        .map(|seen| seen.at)
        .min()
        .unwrap();
    assert!(
        next - refused >= Duration::from_millis(990),
        "{:?}",
        next - refused
    );
    assert_eq!(
        sandbox.json("out.json")["suites"][0]["arms"]["baseline"]["passed"],
        10
    );
}

#[test]
fn faults_of_the_answer_are_failed_trials_in_a_column_of_their_own() {
    let server = Server::start(|seen| {
        let finish = if seen.user() == "question 0" {
            "content_filter"
        } else if seen.user() == "question 1" {
            "length"
        } else {
            "stop"
        };
        Answer::Body(crate::server::completion("ok").replace("\"stop\"", &format!("\"{finish}\"")))
    });
    let sandbox = Sandbox::remote(&server.base_url(), 5, "");
    sandbox
        .gate(&["compare", "v1", "v2", "--json", "out.json"])
        .exits(0);
    let arm = &sandbox.json("out.json")["suites"][0]["arms"]["candidate"];
    assert_eq!(
        (arm["failed"].as_u64(), arm["errored"].as_u64()),
        (Some(2), Some(0))
    );
    assert_eq!(
        arm["answer_faults"],
        serde_json::json!({"filtered": 1, "truncated": 1})
    );
}

#[test]
fn an_unknown_reason_to_stop_is_an_error() {
    let server = Server::start(|_| {
        Answer::Body(crate::server::completion("ok").replace("\"stop\"", "\"tired\""))
    });
    let sandbox = Sandbox::remote(&server.base_url(), 4, "");
    sandbox
        .gate(&["compare", "v1", "v2", "--json", "out.json"])
        .exits(3);
    assert_eq!(
        sandbox.json("out.json")["suites"][0]["arms"]["candidate"]["errors"]["unknown_finish"],
        4
    );
}

#[test]
fn offline_nothing_is_sent_and_nothing_is_decided() {
    let server = Server::saying("ok");
    let sandbox = Sandbox::remote(&server.base_url(), 5, "");
    sandbox
        .gate(&["compare", "v1", "v2", "--offline", "--json", "out.json"])
        .exits(4);
    assert_eq!(server.requests(), 0);
    let result = sandbox.json("out.json");
    assert_eq!(result["verdict"], "inconclusive");
    assert_eq!(
        result["suites"][0]["cases"][0]["candidate"]["trials"][0]["skipped"],
        "offline"
    );
    sandbox.gate(&["compare", "v1", "v2"]).exits(0);
    sandbox.gate(&["compare", "v1", "v2", "--offline", "--json", "again.json"]);
    assert_eq!(server.requests(), 10);
    assert_eq!(
        sandbox.json("again.json")["suites"][0]["arms"]["candidate"]["cache_hits"],
        5
    );
}

#[cfg(unix)]
#[test]
fn ctrl_c_half_way_writes_reports_marked_incomplete() {
    let server = Server::start(|_| {
        std::thread::sleep(Duration::from_millis(20));
        Answer::Text("ok".into())
    });
    let sandbox = Sandbox::remote(&server.base_url(), 2_000, "");
    let child = sandbox
        .command(&["compare", "v1", "v2", "-j", "4", "--json", "out.json"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    while server.requests() < 20 {
        std::thread::yield_now();
    }
    let killed = std::process::Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status()
        .unwrap();
    assert!(killed.success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(
        output.status.code(),
        Some(130),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let result = sandbox.json("out.json");
    assert_eq!(
        (
            result["verdict"].as_str(),
            result["suites"][0]["complete"].as_bool()
        ),
        (Some("error"), Some(false))
    );
    let arm = &result["suites"][0]["arms"]["candidate"];
    assert_eq!(
        arm["passed"].as_u64().unwrap() + arm["skipped"].as_u64().unwrap(),
        2_000
    );
    assert!(server.requests() < 1_000);
}

#[test]
fn a_deadline_ends_the_run_without_a_verdict() {
    let server = Server::start(|_| {
        std::thread::sleep(Duration::from_millis(100));
        Answer::Text("ok".into())
    });
    let sandbox = Sandbox::remote(&server.base_url(), 500, "");
    sandbox
        .gate(&[
            "compare",
            "v1",
            "v2",
            "--deadline",
            "1s",
            "-j",
            "4",
            "--json",
            "out.json",
        ])
        .exits(3)
        .says("deadline");
    assert!(server.requests() < 200);
}

#[test]
fn a_key_never_reaches_a_file_or_a_stream() {
    const CANARY: &str = "sk-canary-0123456789abcdef";
    let echo = |seen: &crate::server::Seen| {
        let key = seen
            .head
            .lines()
            .find(|line| line.to_lowercase().starts_with("authorization"))
            .unwrap_or_default()
            .to_owned();
        match seen.number % 4 {
            0 => Answer::Text(format!("your key is {key}")),
            1 => Answer::Status(500, vec![], format!("failed with {key}")),
            2 => Answer::Body(format!("<html>{key}</html>")),
            _ => Answer::Text("ok".into()),
        }
    };
    let server = Server::start(echo);
    let mut sandbox = Sandbox::remote(&server.base_url(), 20, "");
    let suite = sandbox.read("evals/remote.yaml").replace(
        "model: test-model,",
        "model: test-model, api_key_env: CANARY_KEY,",
    );
    sandbox.write("evals/remote.yaml", &suite);
    sandbox.set("CANARY_KEY", CANARY);
    let ran = sandbox.gate(&[
        "compare",
        "v1",
        "v2",
        "-v",
        "--json",
        "out.json",
        "--junit",
        "out.xml",
        "--markdown",
        "out.md",
    ]);
    assert!(
        server.seen().iter().all(|seen| seen.head.contains(CANARY)),
        "the server got the key"
    );
    assert!(!ran.stdout.contains(CANARY) && !ran.stderr.contains(CANARY));
    let mut folders = vec![sandbox.path("")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let bytes = std::fs::read(&path).unwrap();
                let text = String::from_utf8_lossy(&bytes);
                assert!(!text.contains(CANARY), "{} holds the key", path.display());
            }
        }
    }
}
