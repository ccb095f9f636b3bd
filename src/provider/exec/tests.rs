//! Tests of exec against small shell scripts, on the systems that have a shell.
#![cfg(unix)]

use std::time::Duration;

use tokio::io::AsyncReadExt;

use super::*;
use crate::base::{CaseId, Fields};
use crate::chat::{ErrorClass, Finish, Message, Params, Request, Response, Role};
use crate::dataset::Case;
use crate::provider::{Call, CallError, Subject, Version};

/// Sets `id` to the id of the message in `line`.
const ID: &str = r#"id_of() { id=$(printf '%s' "$line" | sed 's/.*"id":"\([0-9]*\)".*/\1/'); }; "#;
const ECHO: &str =
    r#"while IFS= read -r line; do id_of; printf '{"id":"%s","output":"o%s"}\n' "$id" "$id"; done"#;

fn script(text: &str) -> Exec {
    Exec::new(ExecCommand {
        program: "/bin/sh".to_owned(),
        arguments: vec!["-c".to_owned(), format!("{ID}{text}")],
        folder: "/".into(),
        environment: vec![("PATH".to_owned(), "/usr/bin:/bin".to_owned())],
    })
}

fn case() -> Case {
    Case {
        id: CaseId::new("c1"),
        line: 1,
        vars: Fields::default(),
        expected: None,
        segment: Fields::default(),
        tags: Box::default(),
        must_pass: false,
        quarantined: false,
        cluster: None,
        scorers: Box::default(),
        note: None,
        explicit_defaults: crate::dataset::case::ExplicitDefaults::default(),
    }
}

fn request(text: &str) -> Request {
    Request {
        messages: vec![Message::new(Role::User, text)],
        params: Params::default(),
        tools: Vec::new(),
        response_format: None,
    }
}

fn call<'a>(case: &'a Case, request: &'a Request) -> Call<'a> {
    let version = Version {
        number: Some(1),
        hash: "sha256:00",
    };
    let subject = Subject {
        case,
        repeat: 1,
        scorer: None,
        version,
    };
    Call { request, subject }
}

async fn ask(exec: &Exec) -> Result<Response, CallError> {
    exec.answer(&call(&case(), &request("u")), "m").await
}

async fn error(text: &str) -> (ErrorClass, String) {
    let error = ask(&script(text)).await.unwrap_err();
    (error.class, error.message)
}

/// A script that answers each call with this line, in which `ID` stands for the id.
fn reply(line: &str) -> String {
    format!("while IFS= read -r line; do id_of; printf '%s\\n' '{line}' | sed \"s/ID/$id/\"; done")
}

#[tokio::test]
async fn one_process_answers_many_calls() {
    let exec = script(ECHO);
    for number in 1..=3 {
        let response = ask(&exec).await.unwrap();
        assert_eq!(response.text, format!("o{number}"));
        assert_eq!(response.finish, Finish::Stop);
    }
}

#[tokio::test]
async fn replies_out_of_order_find_their_calls() {
    let exec = script(
        r#"IFS= read -r line; id_of; first=$id; a=$line; IFS= read -r line; id_of
        printf '{"id":"%s","output":"%s"}\n' "$id" "$(printf '%s' "$line" | sed 's/.*"content":"\([a-z]*\)".*/\1/')"
        printf '{"id":"%s","output":"%s"}\n' "$first" "$(printf '%s' "$a" | sed 's/.*"content":"\([a-z]*\)".*/\1/')"
        cat >/dev/null"#,
    );
    let (case, one, two) = (case(), request("one"), request("two"));
    let (one, two) = (call(&case, &one), call(&case, &two));
    let (first, second) = tokio::join!(exec.answer(&one, "m"), exec.answer(&two, "m"));
    assert_eq!(first.unwrap().text, "one");
    assert_eq!(second.unwrap().text, "two");
}

#[tokio::test]
async fn a_reply_may_say_all_that_a_vendor_says() {
    let line = r#"{"id":"ID","output":"no","finish_reason":"refusal","model":"m-2","usage":{"input_tokens":3},"error":null}"#;
    let response = ask(&script(&reply(line))).await.unwrap();
    assert_eq!(response.finish, Finish::Refusal);
    assert_eq!(response.served_model.as_deref(), Some("m-2"));
    assert_eq!(response.usage.input_tokens, Some(3));
}

#[tokio::test]
async fn the_message_is_the_published_one() {
    let sent = encode(&call(&case(), &request("u")), "m");
    insta::assert_snapshot!(serde_json::Value::from(sent).to_string(), @r#"{"case":"c1","messages":[{"content":"u","role":"user"}],"model":"m","params":{},"repeat":1,"response_format":null,"tools":[]}"#);
}

#[tokio::test]
async fn an_error_is_no_answer() {
    let (class, message) = error(&reply(r#"{"id":"ID","error":"no \u001b model"}"#)).await;
    assert_eq!(class, ErrorClass::Server);
    insta::assert_snapshot!(message, @r"`/bin/sh` reports: no \x1b model");
}

#[tokio::test]
async fn a_process_that_dies_is_quoted_and_started_again() {
    let (class, message) =
        error("read -r line; echo 'loading' >&2; echo 'out of memory' >&2; exit 3").await;
    assert_eq!(class, ErrorClass::Server);
    insta::assert_snapshot!(message, @"`/bin/sh` ended (exit status: 3); its last words: loading | out of memory");
    let exec = script(r#"IFS= read -r line; id_of; printf '{"id":"%s","output":"once"}\n' "$id""#);
    assert_eq!(ask(&exec).await.unwrap().text, "once");
    let mut again = ask(&exec).await;
    if again.is_err() {
        // The second call may have come before the end of the first process was seen.
        again = ask(&exec).await;
    }
    assert_eq!(again.unwrap().text, "once");
}

#[tokio::test]
async fn a_program_that_does_not_exist_is_no_connection() {
    let exec = Exec::new(ExecCommand {
        program: "/nonexistent/program".to_owned(),
        arguments: Vec::new(),
        folder: "/".into(),
        environment: Vec::new(),
    });
    let error = ask(&exec).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Connect);
    insta::assert_snapshot!(error.message, @"failed to start `/nonexistent/program`: No such file or directory (os error 2)");
}

#[tokio::test]
async fn lines_that_belong_to_no_call_are_errors() {
    for line in [
        "Loading model...",
        r#"{"id":"99","output":"x"}"#,
        r#"{"id":1,"output":"x"}"#,
        r#"{"output":"x"}"#,
        r#"{"id":"ID","id":"ID","output":"x"}"#,
        "[1]",
        "{\"id\":\"1\",\"k\u{1b}\":1,\"k\u{1b}\":2}",
    ] {
        let (class, message) = error(&reply(line)).await;
        assert_eq!(class, ErrorClass::BadBody, "{message}");
        assert!(!message.contains('\u{1b}'), "{message}");
    }
    insta::assert_snapshot!(error(&reply("Loading model...")).await.1, @"`/bin/sh` wrote a line that is no JSON object (not valid JSON: expected value): Loading model...");
    insta::assert_snapshot!(error(&reply(r#"{"id":"99","output":"x"}"#)).await.1, @"`/bin/sh` answered a call that is not in flight: id 99");
}

#[tokio::test]
async fn replies_that_are_no_answers_are_errors_of_their_call_alone() {
    let bad = |line: &'static str| async move { error(&reply(line)).await };
    insta::assert_snapshot!(bad(r#"{"id":"ID","outptu":"x"}"#).await.1, @"the command's reply can not be used: the reply has no `output`; add `output:`");
    insta::assert_snapshot!(bad(r#"{"id":"ID","output":"x","cost":1}"#).await.1, @"the command's reply can not be used: unknown key `cost` in the reply; the reply takes: id, error, output, finish_reason, model, usage");
    assert_eq!(bad(r#"{"id":"ID","output":""}"#).await.0, ErrorClass::Empty);
    let empty = script(&reply(r#"{"id":"ID","output":"","finish_reason":"stop"}"#));
    assert_eq!(ask(&empty).await.unwrap().text, "");
}

#[tokio::test]
async fn a_line_over_the_limit_is_too_large() {
    let (class, _) =
        error("read -r line; head -c 17000000 /dev/zero | tr '\\0' x; cat >/dev/null").await;
    assert_eq!(class, ErrorClass::ReplyTooLarge);
}

#[tokio::test]
async fn a_late_reply_is_dropped_and_the_process_lives_on() {
    let exec = script(
        r#"IFS= read -r line; id_of; late=$id; IFS= read -r line; id_of
        printf '{"id":"%s","output":"late"}\n{"id":"%s","output":"second"}\n' "$late" "$id"; cat >/dev/null"#,
    );
    let slow = tokio::time::timeout(Duration::from_millis(50), ask(&exec)).await;
    assert!(slow.is_err());
    assert_eq!(ask(&exec).await.unwrap().text, "second");
}

#[tokio::test]
async fn dropping_the_provider_kills_the_process() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    let receiver = tokio::net::unix::pipe::OpenOptions::new().open_receiver(&pipe);
    let mut receiver = receiver.unwrap();
    let exec = script(&format!("exec 9>'{}'; {ECHO}", pipe.display()));
    ask(&exec).await.unwrap();
    drop(exec);
    let mut rest = Vec::new();
    // The pipe ends when no process holds it open.
    let end = tokio::time::timeout(Duration::from_secs(20), receiver.read_to_end(&mut rest));
    assert_eq!(end.await.unwrap().unwrap(), 0);
}

#[tokio::test]
async fn the_environment_is_what_was_handed_over() {
    let exec = script(
        r#"IFS= read -r line; id_of; printf '{"id":"%s","output":"%s"}\n' "$id" "$(env | sed 's/=.*//' | sort | tr '\n' ' ')""#,
    );
    let seen = ask(&exec).await.unwrap().text;
    assert!(
        seen.contains("PATH") && !seen.contains("CARGO") && !seen.contains("HOME"),
        "{seen}"
    );
    assert!(INHERITED.contains(&"PATH") && !INHERITED.contains(&"OPENAI_API_KEY"));
}
