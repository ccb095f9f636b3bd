//! `gate import promptfoo` of services: what an imported model sends, and which cases pass by what is
//! answered, against what promptfoo itself sent and said (fixtures/import/promptfoo/README.md).

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};

use crate::import::{CORPUS, copy, entries};
use crate::sandbox::Sandbox;
use crate::server::{Answer, Seen, Server};

/// A server that answers by the replies of an entry.
fn service(replies: &Value) -> Server {
    let replies = replies["replies"].as_array().unwrap().clone();
    Server::start(move |seen| {
        let asked = format!("{} {}", seen.line(), seen.body);
        let reply = replies
            .iter()
            .find(|reply| asked.contains(reply["when"].as_str().unwrap_or("?")));
        match reply {
            None => Answer::Status(404, vec![], asked),
            Some(reply) => Answer::Body(match reply["text"].as_str() {
                Some(text) => text.to_owned(),
                None => reply["body"].to_string(),
            }),
        }
    })
}

/// Method, path and what follows in a fixed order.
fn line(line: &str) -> String {
    let (path, query) = line.split_once('?').unwrap_or((line, ""));
    let mut pairs: Vec<&str> = query.split('&').collect();
    pairs.sort_unstable();
    format!("{path}?{}", pairs.join("&"))
}

/// A request in the form of `expected.json`.
fn sent(seen: &Seen, headers: &[Value]) -> Value {
    let found: BTreeMap<String, String> = seen
        .head
        .lines()
        .filter_map(|line| {
            let (name, value) = line.split_once(':')?;
            let name = name.to_lowercase();
            let kept = headers.iter().any(|header| *header == name.as_str());
            kept.then(|| (name, value.trim().to_owned()))
        })
        .collect();
    json!({"line": line(seen.line()), "headers": found, "body": seen.body})
}

fn sorted(mut requests: Vec<Value>) -> Vec<Value> {
    requests.sort_by_key(Value::to_string);
    requests
}

fn check(name: &str) {
    let mut sandbox = copy(name);
    let import = ["import", "promptfoo", "promptfooconfig.yaml", "--name", "x"];
    sandbox
        .gate(&import)
        .exits(0)
        .prints("it is asked only with --allow-host bot.example.com")
        .prints("--suite x --allow-host bot.example.com");
    sandbox.gate(&["lint"]).exits(0);
    let replies = sandbox.json("replies.json");
    let server = service(&replies);
    let address = server.base_url();
    let address = address
        .trim_start_matches("http://")
        .trim_end_matches("/v1");
    let suite = sandbox.read("evals/x.yaml");
    sandbox.write("evals/x.yaml", &suite.replace("bot.example.com", address));
    sandbox.set("BOT_KEY", "k-1234");
    let run = [
        "run",
        "v1",
        "--no-gate",
        "--allow-host",
        "127.0.0.1",
        "--json",
        "out.json",
    ];
    sandbox.gate(&run).exits(0);
    let expected = sandbox.json("expected.json");
    let headers = replies["headers"].as_array().unwrap();
    let ours = server
        .seen()
        .iter()
        .map(|seen| sent(seen, headers))
        .collect();
    let theirs = expected["requests"].as_array().unwrap().iter().map(|request| {
        json!({"line": line(request["line"].as_str().unwrap()), "headers": request["headers"], "body": request["body"]})
    });
    assert_eq!(sorted(ours), sorted(theirs.collect()), "{name}\n{suite}");
    let result = sandbox.json("out.json");
    let cases = result["suites"][0]["cases"].as_array().unwrap();
    let passes: Vec<[bool; 1]> = cases
        .iter()
        .map(|case| [case["candidate"]["pass"] == true])
        .collect();
    assert_eq!(json!(passes), expected["passes"], "{name}");
}

#[test]
fn an_imported_service_is_asked_as_promptfoo_asks_it_and_passes_alike() {
    let asked: Vec<String> = entries()
        .into_iter()
        .filter(|name| Path::new(CORPUS).join(name).join("replies.json").exists())
        .collect();
    assert!(asked.len() >= 4, "{asked:?}");
    for name in asked {
        check(&name);
    }
}

#[test]
fn no_key_of_a_services_config_is_written_or_printed() {
    let sandbox = copy("54-dropped-http");
    let import = [
        "import",
        "promptfoo",
        "promptfooconfig.yaml",
        "--name",
        "x",
        "--allow-partial",
    ];
    let ran = sandbox.gate(&import);
    ran.exits(0)
        .prints("it was not copied; put it into SERVICE_API_KEY");
    let suite = sandbox.read("evals/x.yaml");
    assert!(suite.contains("api_key_env: SERVICE_API_KEY"), "{suite}");
    for key in ["sk-111", "sk-222", "sk-333", "sk-444", "sk-555", "sk-666"] {
        assert!(!suite.contains(key), "{suite}");
        assert!(
            !ran.stdout.contains(key) && !ran.stderr.contains(key),
            "{}",
            ran.stdout
        );
    }
}

#[test]
fn an_address_with_a_key_or_a_name_twice_is_dropped_and_named() {
    for (address, says) in [
        (
            "http://h.example/sk-0123456789abcdef/ask?q={{prompt}}",
            "its address holds a key",
        ),
        (
            "http://h.example/?q={{prompt}}&accessToken=hunter2",
            "holds a key under `accessToken`",
        ),
        (
            "http://h.example/?q={{prompt}}&tag=a&tag=b",
            "its address has `tag` twice",
        ),
    ] {
        let sandbox = Sandbox::empty();
        sandbox.write("gate.yaml", "gate: settings/1\n");
        sandbox.write("c.yaml", &format!(
            "prompts: ['{{{{q}}}}']\nproviders: [{{ id: '{address}', config: {{ transformResponse: json.a }} }}]\ntests: [{{ vars: {{ q: a }}, assert: [{{ type: contains, value: a }}] }}]\n"
        ));
        let ran = sandbox.gate(&["import", "promptfoo", "c.yaml"]);
        ran.exits(2).prints(says);
        for secret in ["hunter2", "0123456789abcdef"] {
            assert!(
                !ran.stdout.contains(secret) && !ran.stderr.contains(secret),
                "{}",
                ran.stderr
            );
        }
    }
}

#[test]
fn a_judge_that_is_a_service_is_dropped_and_prompts_of_two_kinds_are_told_apart() {
    let sandbox = Sandbox::empty();
    sandbox.write("gate.yaml", "gate: settings/1\n");
    let service = "{ id: 'http://bot.example.com/a', config: { method: POST, body: { q: '{{prompt}}' }, transformResponse: json.a } }";
    sandbox.write("c.yaml", &format!(
        "prompts: ['{{{{q}}}}', '[{{\"role\": \"user\", \"content\": \"{{{{q}}}}\"}}]']\nproviders: [{service}]\ntests: [{{ vars: {{ q: a }}, assert: [{{ type: contains, value: a }}, {{ type: llm-rubric, value: kind, provider: {service} }}] }}]\n"
    ));
    sandbox
        .gate(&["import", "promptfoo", "c.yaml"])
        .exits(2)
        .prints("one prompt is a text and another a list of messages: import them apart")
        .prints("a service has no place for the form of a verdict: name another judge");
}
