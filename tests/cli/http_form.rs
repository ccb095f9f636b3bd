//! A service with a form of its own: asked over the wire as the suite says, and never otherwise.

use serde_json::{Value, json};

use crate::sandbox::Sandbox;
use crate::server::{Answer, Server};

const CANARY: &str = "sk-canary-0123456789abcdef";

const FORM: &str = "{ headers: { x-tenant: acme }, key_header: x-api-key, query: { trace: \"off\" }, body: { instructions: \"{{system}}\", question: \"{{prompt}}\", limit: \"{{max_tokens}}\" }, answer: $.data.reply, usage: { input: $.usage.in, output: $.usage.out } }";

/// The remote suite with its model reached by a form of its own.
fn sandbox(server: &Server, cases: usize, form: &str) -> Sandbox {
    let mut sandbox = Sandbox::remote(&server.base_url(), cases, "");
    let suite = sandbox.read("evals/remote.yaml");
    let start = suite.find("models: ").unwrap();
    let end = start + suite[start..].find('\n').unwrap();
    let model = format!(
        "models: [{{ name: main, provider: http, model: support-bot, base_url: \"{}/ask/\", api_key_env: BOT_KEY, price: {{ input: 1, output: 2 }}, http: {form} }}]",
        server.base_url()
    );
    sandbox.write(
        "evals/remote.yaml",
        &format!("{}{model}{}", &suite[..start], &suite[end..]),
    );
    sandbox.set("BOT_KEY", CANARY);
    sandbox
}

fn reply(text: &str) -> Answer {
    Answer::Body(json!({"data": {"reply": text}, "usage": {"in": 20, "out": 2}}).to_string())
}

#[test]
fn a_service_is_asked_in_its_own_form_and_its_answer_is_scored() {
    let server = Server::start(|_| reply("ok"));
    let sandbox = sandbox(&server, 3, FORM);
    let compare = [
        "compare",
        "v1",
        "v2",
        "--allow-host",
        "127.0.0.1",
        "--json",
        "out.json",
    ];
    let ran = sandbox.gate(&compare);
    assert!([0, 1, 4].contains(&ran.code), "{}", ran.stderr);
    let seen = server.seen();
    assert_eq!(seen.len(), 6);
    for request in &seen {
        assert_eq!(request.line(), "POST /v1/ask/?trace=off");
        let head = request.head.to_lowercase();
        assert!(
            head.contains("x-tenant: acme") && head.contains(&format!("x-api-key: {CANARY}")),
            "{head}"
        );
        assert!(head.contains("content-type: application/json"), "{head}");
        assert!(!head.contains("authorization"), "{head}");
        let keys: Vec<&String> = request.body.as_object().unwrap().keys().collect();
        assert!(keys.contains(&&"question".to_owned()), "{}", request.body);
    }
    let suite = &sandbox.json("out.json")["suites"][0];
    assert_eq!(suite["arms"]["candidate"]["passed"], 3);
    // 20 x 1 and 2 x 2 dollars for a million tokens, three times.
    let cost = suite["arms"]["candidate"]["cost_usd"]
        .as_f64()
        .unwrap_or_default();
    assert!(
        (cost - 72e-6).abs() < 1e-9,
        "{}",
        suite["arms"]["candidate"]
    );
    // What was answered is in the cache; another way to read the reply is another question.
    sandbox.gate(&compare);
    assert_eq!(server.requests(), 6);
    let moved = sandbox
        .read("evals/remote.yaml")
        .replace("answer: $.data.reply", "answer: \"$['data'].reply\"");
    sandbox.write("evals/remote.yaml", &moved);
    sandbox.gate(&compare);
    assert_eq!(server.requests(), 12);
}

#[test]
fn nothing_is_sent_to_a_host_that_nobody_allowed_this_machine_included() {
    let server = Server::start(|_| reply("ok"));
    let sandbox = sandbox(&server, 2, FORM);
    sandbox.gate(&["lint"]).exits(0);
    sandbox
        .gate(&["run", "v1"])
        .exits(2)
        .says("and the form of `http` says what is sent there")
        .says("--allow-host 127.0.0.1:");
    assert_eq!(server.requests(), 0);
}

#[test]
fn what_the_form_has_no_place_for_stops_the_run_before_a_request() {
    let server = Server::start(|_| reply("ok"));
    let sandbox = sandbox(
        &server,
        2,
        "{ body: { q: \"{{prompt}}\" }, answer: $.data.reply }",
    );
    let suite = sandbox.read("evals/remote.yaml");
    let suite = suite.replace(
        "model: support-bot,",
        "model: support-bot, params: { temperature: 0.5 },",
    );
    sandbox.write("evals/remote.yaml", &suite);
    let ran = sandbox.gate(&["run", "v1", "--allow-host", "127.0.0.1"]);
    ran.exits(2).says("the form of `http` has no place for");
    assert_eq!(server.requests(), 0);
}

#[test]
fn a_reply_without_the_answer_is_an_error_and_never_an_empty_answer() {
    for (body, class) in [
        (json!({"data": {"text": "ok"}}), "bad_body"),
        (json!({"data": {"reply": ""}}), "empty"),
        (
            json!({"error": {"code": "insufficient_quota", "message": "no"}}),
            "quota",
        ),
    ] {
        let body = body.to_string();
        let server = Server::start(move |_| Answer::Body(body.clone()));
        let sandbox = sandbox(&server, 4, FORM);
        let ran = sandbox.gate(&[
            "compare",
            "v1",
            "v2",
            "--allow-host",
            "127.0.0.1",
            "--json",
            "out.json",
        ]);
        ran.exits(3);
        let suite = &sandbox.json("out.json")["suites"][0];
        for arm in ["baseline", "candidate"] {
            let count = |key: &str| suite["arms"][arm][key].as_u64().unwrap();
            assert_eq!((count("passed"), count("failed")), (0, 0), "{class}");
        }
        assert!(suite.to_string().contains(class), "{class}: {suite}");
    }
}

#[test]
fn a_service_that_repeats_its_key_does_not_get_it_into_a_file() {
    let server = Server::start(|seen| {
        let head = seen.head.to_lowercase();
        let key = head
            .lines()
            .find(|line| line.starts_with("x-api-key"))
            .unwrap_or_default();
        match seen.number % 3 {
            0 => reply(&format!("your key is {key}")),
            1 => Answer::Status(500, vec![], format!("failed with {key}")),
            _ => Answer::Body(json!({"no": key}).to_string()),
        }
    });
    let sandbox = sandbox(&server, 12, FORM);
    let ran = sandbox.gate(&[
        "compare",
        "v1",
        "v2",
        "-v",
        "--allow-host",
        "127.0.0.1",
        "--json",
        "out.json",
        "--junit",
        "out.xml",
    ]);
    assert!(
        server.seen().iter().all(|seen| seen.head.contains(CANARY)),
        "the server got the key"
    );
    assert!(!ran.stdout.contains(CANARY) && !ran.stderr.contains(CANARY));
    let mut folders = vec![sandbox.path("")];
    let mut files = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                files += 1;
                let bytes = std::fs::read(&path).unwrap();
                assert!(
                    !String::from_utf8_lossy(&bytes).contains(CANARY),
                    "{}",
                    path.display()
                );
            }
        }
    }
    assert!(files > 8, "{files} files");
}

#[test]
fn a_form_that_is_wrong_is_named_with_its_place() {
    let server = Server::start(|_| reply("ok"));
    let form = "{ method: POKE, headers: { Authorization: \"Bearer sk-1234\" }, body: { q: \"{{promt}}\" }, answer: reply }";
    let sandbox = sandbox(&server, 2, form);
    let ran = sandbox.gate(&["lint"]);
    ran.exits(2)
        .says("evals/remote.yaml:")
        .says("header `authorization` carries a key, which never stands in a file")
        .says("a request has no part `promt`")
        .says("did you mean `prompt`")
        .says("invalid JSONPath");
    assert_eq!(server.requests(), 0);
}

#[test]
fn a_service_answers_in_plain_text_and_by_address_too() {
    let server = Server::start(|seen| {
        let asked = seen.line().starts_with("GET /v1/ask/?about=") && seen.line().contains("&q=");
        Answer::Status(
            200,
            vec![],
            if asked && seen.body == Value::String(String::new()) {
                "ok".to_owned()
            } else {
                "no".to_owned()
            },
        )
    });
    let form = "{ method: GET, query: { q: \"{{prompt}}\", about: \"{{system}}\", n: \"{{max_tokens}}\" } }";
    let sandbox = sandbox(&server, 2, form);
    sandbox
        .gate(&[
            "run",
            "v1",
            "--no-gate",
            "--allow-host",
            "127.0.0.1",
            "--json",
            "out.json",
        ])
        .exits(0);
    assert_eq!(
        sandbox.json("out.json")["suites"][0]["arms"]["candidate"]["passed"],
        2,
        "{:?}",
        server.seen()[0].head
    );
}
