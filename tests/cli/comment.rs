//! The comment on a pull request, against a GitHub of the test's own on loopback.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::sandbox::{Ran, Sandbox};
use crate::server::{Answer, Seen, Server};

const TOKEN: &str = "ghs_canaryCANARYcanary0123456789";
const ME: &str = "github-actions[bot]";

/// What stands on the pull request: author and text, by id from 0.
type Comments = Arc<Mutex<Vec<(String, String)>>>;

fn method(seen: &Seen) -> (&str, &str) {
    let mut words = seen.head.split(' ');
    (words.next().unwrap(), words.next().unwrap())
}

fn status(code: u16, body: &Value) -> Answer {
    Answer::Status(code, vec![], body.to_string())
}

fn page(seen: &Seen, comments: &[(String, String)]) -> Answer {
    let number: usize = method(seen).1.rsplit('=').next().unwrap().parse().unwrap();
    let from = (number - 1) * 100;
    let listed: Vec<Value> = comments
        .iter()
        .enumerate()
        .skip(from)
        .take(100)
        .map(|(id, (author, body))| json!({"id": id, "user": {"login": author}, "body": body}))
        .collect();
    let mut headers = vec![];
    if from + 100 < comments.len() {
        let next = format!(
            "<https://api.github.com/next?page={}>; rel=\"next\"",
            number + 1
        );
        headers.push(("link", next));
    }
    Answer::Status(200, headers, Value::from(listed).to_string())
}

/// Answers as GitHub does, from and into a list of comments.
fn answer(seen: &Seen, comments: &Comments) -> Answer {
    let mut comments = comments.lock().unwrap();
    let text = || seen.body["body"].as_str().unwrap().to_owned();
    match method(seen) {
        ("POST", "/v1/graphql") => status(200, &json!({"data": {"viewer": {"login": ME}}})),
        ("GET", path) if path.starts_with("/v1/repos/owner/name/issues/7/comments?") => {
            page(seen, &comments)
        }
        ("POST", "/v1/repos/owner/name/issues/7/comments") => {
            comments.push((ME.to_owned(), text()));
            status(201, &json!({"id": comments.len() - 1}))
        }
        ("PATCH", path) => {
            let id: usize = path.rsplit('/').next().unwrap().parse().unwrap();
            comments[id].1 = text();
            status(200, &json!({"id": id}))
        }
        other => status(404, &json!({"message": format!("no {other:?}")})),
    }
}

/// Outcome files of which the candidate loses some, and a pull request's environment.
fn project(server: &Server) -> Sandbox {
    let mut sandbox = Sandbox::empty();
    outcomes(&sandbox, "base.jsonl", 0);
    outcomes(&sandbox, "cand.jsonl", 12);
    sandbox.set("GITHUB_TOKEN", TOKEN);
    sandbox.set("GITHUB_REPOSITORY", "owner/name");
    sandbox.set("GITHUB_API_URL", &server.base_url());
    sandbox.write(
        "event.json",
        "{\"action\": \"opened\", \"pull_request\": {\"number\": 7}}",
    );
    let event = sandbox.path("event.json").to_string_lossy().into_owned();
    sandbox.set("GITHUB_EVENT_PATH", &event);
    sandbox
}

fn outcomes(sandbox: &Sandbox, file: &str, lost: usize) {
    let row = |n: usize| format!("{{\"id\":\"c{n}\",\"pass\":{}}}\n", n >= lost);
    sandbox.write(file, &(0..60).map(row).collect::<String>());
}

fn decide(sandbox: &Sandbox) -> Ran {
    sandbox.gate(&["decide", "base.jsonl", "cand.jsonl", "--github-comment"])
}

fn requests<'s>(seen: &'s [Seen], wanted: &str) -> Vec<&'s Seen> {
    seen.iter()
        .filter(|seen| method(seen).0 == wanted)
        .collect()
}

fn github() -> (Comments, Server) {
    let comments = Comments::default();
    let there = Arc::clone(&comments);
    (comments, Server::start(move |seen| answer(seen, &there)))
}

#[test]
fn one_comment_is_written_kept_and_shrunk_to_a_line() {
    let (comments, server) = github();
    let sandbox = project(&server);
    decide(&sandbox)
        .exits(1)
        .says("commented on the pull request");
    let body = comments.lock().unwrap()[0].1.clone();
    assert!(body.starts_with("<!-- gate:comment:gate -->\n"), "{body}");
    assert!(
        body.contains("**Fail: ") && body.contains("<code>c0</code>"),
        "{body}"
    );

    let again = decide(&sandbox);
    again.exits(1);
    assert!(!again.stderr.contains("comment"), "{}", again.stderr);
    assert_eq!(comments.lock().unwrap().as_slice(), [(ME.to_owned(), body)]);

    outcomes(&sandbox, "cand.jsonl", 0);
    decide(&sandbox)
        .exits(0)
        .says("changed the comment on the pull request");
    let comments = comments.lock().unwrap();
    assert_eq!(comments.len(), 1);
    assert_eq!(comments[0].1.lines().count(), 3, "{}", comments[0].1);
    let seen = server.seen();
    let token = format!("authorization: Bearer {TOKEN}");
    assert!(seen.iter().all(|seen| seen.head.contains(&token)));
}

#[test]
fn a_pass_that_changes_nothing_is_no_first_comment() {
    let (comments, server) = github();
    let sandbox = project(&server);
    outcomes(&sandbox, "cand.jsonl", 0);
    decide(&sandbox).exits(0);
    assert!(comments.lock().unwrap().is_empty());
}

#[test]
fn the_own_comment_is_found_on_a_later_page_among_forged_ones() {
    let (comments, server) = github();
    let forged = "<!-- gate:comment:gate -->\nforged";
    let others = (0..150).map(|_| ("someone".to_owned(), forged.to_owned()));
    comments.lock().unwrap().extend(others);
    comments
        .lock()
        .unwrap()
        .push((ME.to_owned(), format!("{forged}, by me")));
    let sandbox = project(&server);
    decide(&sandbox).exits(1).says("changed the comment");
    let comments = comments.lock().unwrap();
    assert_eq!(comments.len(), 151);
    assert!(comments[..150].iter().all(|(_, body)| body == forged));
    assert!(comments[150].1.contains("**Fail: "));
}

#[test]
fn a_limit_is_waited_for_and_the_comment_written_once() {
    let comments = Comments::default();
    let there = Arc::clone(&comments);
    let server = Server::start(move |seen| {
        let is_first = |seen: &Seen| seen.number == 2;
        if is_first(seen) {
            let again = vec![("retry-after", "0".to_owned())];
            return Answer::Status(429, again, "{\"message\": \"slow down\"}".to_owned());
        }
        answer(seen, &there)
    });
    let sandbox = project(&server);
    decide(&sandbox)
        .exits(1)
        .says("commented on the pull request");
    assert_eq!(comments.lock().unwrap().len(), 1);
    let posts = server.seen();
    assert_eq!(
        requests(&posts, "POST").len(),
        3,
        "who asks, the refused one, the written one"
    );
}

#[test]
fn a_limit_of_an_hour_is_not_waited_for() {
    let server = Server::start(|_| {
        Answer::Status(403, vec![("retry-after", "3600".to_owned())], String::new())
    });
    decide(&project(&server))
        .exits(1)
        .says("warning: no comment on the pull request");
    assert_eq!(server.requests(), 1);
}

#[test]
fn faults_of_the_interface_change_neither_verdict_nor_exit_code() {
    let broken = Server::start(|_| Answer::Status(502, vec![], "<html>".to_owned()));
    let refusing = Server::start(|seen| match method(seen) {
        ("POST", "/v1/graphql") => answer(seen, &Comments::default()),
        _ => Answer::Status(
            403,
            vec![],
            format!("{{\"message\": \"not for {TOKEN}\\u001b[31m\"}}"),
        ),
    });
    let odd = Server::start(|_| Answer::Body("[]".to_owned()));
    let said = "owns the token ended with 502";
    for (server, words) in [
        (&broken, said),
        (&refusing, "403: not for ***"),
        (&odd, "was answered with something else"),
    ] {
        let ran = decide(&project(server));
        ran.exits(1)
            .says("warning: no comment on the pull request")
            .says(words);
        assert!(!ran.stderr.contains(TOKEN) && !ran.stderr.contains('\u{1b}'));
        assert!(ran.stderr.ends_with('\n') && ran.stderr.contains("gate: gate_failed: "));
    }
    assert_eq!(broken.requests(), 3, "asked again, and then given up");
    assert_eq!(
        requests(&refusing.seen(), "GET").len(),
        1,
        "a refusal stays one"
    );
}

#[test]
fn a_fault_while_writing_is_not_tried_again_lest_there_be_two() {
    let server = Server::start(|seen| match method(seen) {
        ("POST", path) if path.ends_with("/comments") => Answer::Status(500, vec![], String::new()),
        _ => answer(seen, &Comments::default()),
    });
    decide(&project(&server))
        .exits(1)
        .says("writing the comment ended with 500");
    assert_eq!(
        requests(&server.seen(), "POST").len(),
        2,
        "who asks, and one try"
    );
}

#[test]
fn without_what_it_needs_there_is_a_warning_and_no_request() {
    let (_, server) = github();
    for (name, value, words) in [
        ("GITHUB_TOKEN", "", "GITHUB_TOKEN is not set"),
        (
            "GITHUB_REPOSITORY",
            "../../user",
            "GITHUB_REPOSITORY is not OWNER/NAME",
        ),
        ("GITHUB_EVENT_PATH", "", "give --pr"),
        (
            "GITHUB_API_URL",
            "http://collector.example/v1",
            "without encryption",
        ),
        (
            "GITHUB_API_URL",
            "https://me:you@api.github.com",
            "user or password",
        ),
    ] {
        let mut sandbox = project(&server);
        sandbox.set(name, value);
        let ran = decide(&sandbox);
        ran.exits(1)
            .says("warning: no comment on the pull request")
            .says(words);
    }
    assert_eq!(server.requests(), 0);
}

#[test]
fn a_stored_run_is_commented_on_by_number_and_on_failure_only() {
    let (comments, server) = github();
    let mut sandbox = Sandbox::smallest();
    sandbox.set("GITHUB_TOKEN", TOKEN);
    sandbox.set("GITHUB_REPOSITORY", "owner/name");
    sandbox.set("GITHUB_API_URL", &server.base_url());
    sandbox.set("GATE_COMMENT_ID", "label");
    sandbox.gate(&["compare", "v1", "v2"]).exits(0);
    let report = ["report", "last", "--github-comment", "--pr", "7"];
    sandbox.set("GATE_COMMENT", "on-failure");
    sandbox.gate(&report).exits(0);
    assert!(comments.lock().unwrap().is_empty());
    sandbox.set("GATE_COMMENT", "auto");
    sandbox
        .gate(&report)
        .exits(0)
        .says("commented on the pull request");
    let body = comments.lock().unwrap()[0].1.clone();
    assert!(body.starts_with("<!-- gate:comment:label -->") && body.contains("**Inconclusive: "));
    sandbox.gate(&["report", "last", "--pr", "7"]).exits(2);
}
