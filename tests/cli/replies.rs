//! Replies that are late, cut, too large or none at all: errored with their class, never a right or a
//! wrong answer.

use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::matrix::{errors, ran, recovers};
use crate::money::priced;
use crate::sandbox::Sandbox;
use crate::server::{Answer, Server, completion};

#[test]
fn no_reply_slow_head_and_slow_body_end_at_the_deadline_and_are_asked_once_more() {
    let slow: [fn() -> Answer; 3] = [|| Answer::Hang, || Answer::DripHead, || Answer::Drip];
    std::thread::scope(|scope| {
        for answer in slow {
            scope.spawn(move || {
                let begun = Instant::now();
                let (ran, suite, sent) = ran(1, &["--timeout", "1s"], move |_| answer());
                ran.exits(3);
                assert_eq!(errors(&suite)["timeout"], 1, "{suite}");
                assert_eq!(sent, 4);
                // Two deadlines, the short wait between them, and a busy machine.
                let took = begun.elapsed().as_secs_f64();
                assert!((2.0..4.0).contains(&took), "{took} s");
            });
        }
    });
}

#[test]
fn replies_that_were_lost_are_told_as_unconfirmed_money() {
    let server = Server::start(|seen| match seen.user() {
        "question 3" => Answer::Hang,
        _ => Answer::Text("ok".into()),
    });
    let sandbox = priced(&server, 40);
    let arguments = [
        "compare",
        "v1",
        "v2",
        "--timeout",
        "300ms",
        "--retries",
        "0",
    ];
    sandbox
        .gate(&arguments)
        .prints("replies were lost")
        .prints("may have been billed");
    let none = Server::saying("ok");
    let ran = priced(&none, 40).gate(&arguments);
    assert!(
        !ran.stdout.contains("may have been billed"),
        "{}",
        ran.stdout
    );
}

#[test]
fn body_cut_in_the_middle_of_json_is_tried_again() {
    recovers(1, || Answer::Cut);
}

/// The class and the message of the error that a success is whose body is no answer.
fn error_of(headers: &[(&'static str, &'static str)], body: &str) -> (String, String) {
    let headers: Vec<_> = headers
        .iter()
        .map(|(name, value)| (*name, (*value).to_owned()))
        .collect();
    let body = body.to_owned();
    let (ran, suite, _) = ran(2, &["--retries", "0", "--junit", "-"], move |_| {
        Answer::Status(200, headers.clone(), body.clone())
    });
    ran.exits(3);
    assert!(!ran.stdout.contains('\u{1b}'), "{}", ran.stdout);
    for arm in ["baseline", "candidate"] {
        assert_eq!(suite["arms"][arm]["errored"], 2, "{suite}");
    }
    let error = &suite["cases"][0]["candidate"]["trials"][0]["error"];
    let text = |key: &str| error[key].as_str().unwrap().to_owned();
    (text("class"), text("message"))
}

#[test]
fn a_page_in_place_of_an_answer_keeps_its_first_bytes_without_what_deceives() {
    let page = format!(
        "<!doctype html><title>Sign in\u{1b}]0;x\u{7}</title><script>alert(1)</script>{}END",
        "x".repeat(2_000)
    );
    for kind in ["text/html; charset=utf-8", "application/json"] {
        let (class, message) = error_of(&[("content-type", kind)], &page);
        assert_eq!(class, "bad_body");
        let bytes = format!("{} bytes", page.len());
        for words in [kind, "Sign in\\x1b]0;x\\x07", &bytes] {
            assert!(message.contains(words), "{words:?} in {message}");
        }
        assert!(
            message.len() < 1_000 && !message.contains("END"),
            "{message}"
        );
    }
}

#[test]
fn a_success_that_is_no_answer_is_neither_right_nor_wrong() {
    let other =
        json!({"id": "msg_1", "type": "message", "content": [{"type": "text", "text": "ok"}]});
    let null = completion("x").replace("\"content\":\"x\"", "\"content\":null");
    for body in [
        "",
        " \n",
        "not json",
        "null",
        "42",
        "[]",
        "\"ok\"",
        "{}",
        "{\"status\": \"ok\"}",
        "{\"choices\": null}",
        "{\"choices\": \"ok\"}",
        "{\"choices\": [{}]}",
        "{\"choices\": [null]}",
        "{\"choices\": [{\"message\": \"ok\", \"finish_reason\": \"stop\"}]}",
        &other.to_string(),
        &null,
    ] {
        let (class, message) = error_of(&[], body);
        assert!(class == "bad_body" || class == "empty", "{body:?}: {class}");
        assert!(!message.is_empty());
    }
}

#[test]
fn an_answer_under_another_content_type_is_an_answer() {
    for kind in [
        "text/plain",
        "application/octet-stream",
        "text/event-stream",
        "",
    ] {
        let (ran, suite, _) = ran(40, &[], move |_| {
            let headers = vec![("content-type", kind.to_owned())];
            Answer::Status(200, headers, completion("ok"))
        });
        ran.exits(0);
        assert_eq!(suite["arms"]["candidate"]["passed"], 40, "{kind}");
    }
}

#[test]
fn an_error_object_in_a_success_has_the_inner_class() {
    let (ran, suite, _) = ran(2, &["--retries", "0"], |_| {
        Answer::Body(json!({"error": {"code": 502, "message": "upstream"}}).to_string())
    });
    ran.exits(3);
    assert_eq!(errors(&suite)["server"], 2, "{suite}");
}

#[test]
fn an_answer_that_ended_in_an_error_is_none() {
    let (ran, suite, _) = ran(2, &["--retries", "0"], |_| {
        Answer::Body(completion("ok").replace("\"stop\"", "\"error\""))
    });
    ran.exits(3);
    let arm = &suite["arms"]["candidate"];
    assert_eq!((&arm["passed"], &arm["errored"]), (&json!(0), &json!(2)));
}

#[test]
fn no_choices_are_empty_and_an_empty_text_is_an_answer() {
    let (_, suite, _) = ran(2, &["--retries", "0"], |_| {
        Answer::Body("{\"choices\": []}".into())
    });
    assert_eq!(errors(&suite)["empty"], 2);
    // An empty text with a known stop is an answer: a wrong one here.
    let (_, suite, _) = ran(2, &[], |_| Answer::Text(String::new()));
    assert_eq!(
        (
            suite["arms"]["candidate"]["failed"].as_u64(),
            suite["arms"]["candidate"]["errored"].as_u64()
        ),
        (Some(2), Some(0))
    );
}

#[test]
fn a_body_that_is_too_large_or_too_deep_is_an_error() {
    let (ran_large, suite, _) = ran(1, &["--retries", "0"], |_| {
        Answer::Body(format!("{{\"x\": \"{}\"}}", "y".repeat(20 << 20)))
    });
    ran_large.exits(3);
    assert_eq!(errors(&suite)["reply_too_large"], 1, "{}", errors(&suite));
    let (ran_deep, suite, _) = ran(1, &["--retries", "0"], |_| {
        Answer::Body("[".repeat(1_000_000))
    });
    ran_deep.exits(3);
    assert_eq!(errors(&suite)["bad_body"], 1, "{}", errors(&suite));
}

#[cfg(target_os = "linux")]
#[test]
fn a_body_of_a_gib_costs_little_memory() {
    let server = Server::start(|_| Answer::Huge);
    let sandbox = Sandbox::remote(&server.base_url(), 4, "");
    let mut child = sandbox
        .command(&["compare", "v1", "v2", "--json", "out.json"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    let code = loop {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find(|line| line.starts_with("VmHWM:"));
        let kib = line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok());
        peak = peak.max(kib.unwrap_or(0));
        if let Some(ended) = child.try_wait().unwrap() {
            break ended.code();
        }
        std::thread::sleep(Duration::from_millis(1));
    };
    assert_eq!(code, Some(3));
    let arms = &sandbox.json("out.json")["suites"][0]["arms"];
    assert_eq!(arms["candidate"]["errors"]["reply_too_large"], 4);
    // Eight at once hold 16 MiB each at most.
    assert!((1_000..8 * 16_384 + 60_000).contains(&peak), "{peak} KiB");
    assert_eq!(server.requests(), 8);
}
