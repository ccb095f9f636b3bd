//! Against servers that others wrote: the `LiteLLM` proxy, llama.cpp's own server with random weights,
//! and a mock from npm. Opt-in: `tests/live/run` installs and starts them and sets `GATE_LIVE=1`.

use serde_json::Value;

use crate::sandbox::{Ran, Sandbox};

const QUESTION: &str = "What is the capital of France?";

/// The address of a server, where the live tests are asked for and it runs.
fn server(variable: &str) -> Option<String> {
    let asked = std::env::var("GATE_LIVE").is_ok_and(|value| value == "1");
    let address = std::env::var(variable).ok().filter(|_| asked);
    if address.is_none() {
        eprintln!("!!! SKIPPED: no live server in {variable}; run tests/live/run");
    }
    address
}

struct Model<'a> {
    provider: &'a str,
    base_url: String,
    id: &'a str,
    key: &'a str,
    params: &'a str,
}

/// A project that asks a model for the capital of France, in two ways.
fn project(model: &Model<'_>, cases: usize, scorer: &str) -> Sandbox {
    let mut sandbox = Sandbox::remote(&model.base_url, 0, "");
    let suite = format!(
        "gate: suite/1\nprompt: remote\ndataset: ../cases.jsonl\nmodels: [{{ name: main, provider: {}, model: {}, base_url: \"{}\", api_key_env: LIVE_KEY, params: {{ {} }} }}]\nscorers: [{scorer}]\n",
        model.provider, model.id, model.base_url, model.params
    );
    sandbox.write("evals/remote.yaml", &suite);
    let row = |n| {
        format!(
            "{{\"id\": \"c{n}\", \"vars\": {{\"q\": \"{QUESTION} ({n})\"}}, \"expected\": \"Paris\"}}\n"
        )
    };
    sandbox.write("cases.jsonl", &(0..cases).map(row).collect::<String>());
    sandbox.set("LIVE_KEY", model.key);
    sandbox
}

fn compare(sandbox: &Sandbox, more: &[&str]) -> Ran {
    let mut arguments = vec![
        "compare",
        "v1",
        "v2",
        "--json",
        "out.json",
        "--junit",
        "out.xml",
        "--markdown",
        "out.md",
    ];
    arguments.extend(more);
    sandbox.gate(&arguments)
}

fn candidate(sandbox: &Sandbox) -> Value {
    sandbox.json("out.json")["suites"][0]["arms"]["candidate"].clone()
}

fn litellm<'a>(address: &str, provider: &'a str, model: &'a str) -> Model<'a> {
    let path = match provider {
        "gemini" => "/v1beta",
        "anthropic" => "",
        _ => "/v1",
    };
    Model {
        provider,
        base_url: format!("{address}{path}"),
        id: model,
        key: "sk-test-master",
        params: "max_tokens: 64",
    }
}

#[test]
fn litellm_answers_on_every_route_that_it_has() {
    let Some(address) = server("GATE_LIVE_LITELLM") else {
        return;
    };
    for (provider, model, says) in [
        ("openai", "gpt-mock", "Paris"),
        ("openai-responses", "gpt-mock", "Paris"),
        ("anthropic", "claude-mock", "PASS"),
        ("gemini", "gpt-mock", "Paris"),
    ] {
        let sandbox = project(
            &litellm(&address, provider, model),
            6,
            &format!("{{ type: contains, value: {says} }}"),
        );
        compare(&sandbox, &[]).exits(0);
        let arm = candidate(&sandbox);
        assert_eq!(
            (&arm["passed"], &arm["requests"]),
            (&6.into(), &6.into()),
            "{provider}: {arm}"
        );
        assert!(
            arm["usage"]["output_tokens"].as_u64() > Some(0),
            "{provider}: {arm}"
        );
        assert_eq!(arm["finish_reasons"]["stop"], 6, "{provider}: {arm}");
    }
}

#[test]
fn litellm_faults_end_as_the_matrix_says() {
    let Some(address) = server("GATE_LIVE_LITELLM") else {
        return;
    };
    let ends = |provider, model, more: &[&str]| {
        let sandbox = project(
            &litellm(&address, provider, model),
            12,
            "{ type: contains, value: Paris }",
        );
        let ran = compare(&sandbox, more);
        (ran, sandbox)
    };
    for provider in ["openai", "anthropic"] {
        let (ran, _) = ends(provider, "mock-500", &["--retries", "0"]);
        ran.exits(3).says("gate: infra: provider_down");
        // 429 without a delay of the server's own is waited out: a deadline ends that.
        let (ran, sandbox) = ends(provider, "mock-ratelimit", &["--deadline", "1s"]);
        ran.exits(3).says("gate: infra: deadline");
        assert_eq!(candidate(&sandbox)["failed"], 0);
        let (ran, _) = ends(provider, "no-such-model", &[]);
        ran.exits(3).says("gate: infra: model_missing");
    }
    let (ran, sandbox) = ends("openai", "mock-ctx", &[]);
    ran.exits(3).says("gate: infra: bad_request");
    assert!(candidate(&sandbox)["answer_faults"]["context"].as_u64() > Some(0));
    let (ran, _) = ends(
        "openai",
        "mock-slow",
        &["--timeout", "500ms", "--retries", "0"],
    );
    ran.exits(3).says("gate: infra: provider_down");
}

fn llama<'a>(address: &str, provider: &'a str, params: &'a str) -> Model<'a> {
    let path = if provider == "anthropic" { "" } else { "/v1" };
    Model {
        provider,
        base_url: format!("{address}{path}"),
        id: "tiny",
        key: "none",
        params,
    }
}

#[test]
fn llama_answers_of_any_bytes_survive_every_report() {
    let Some(address) = server("GATE_LIVE_LLAMA") else {
        return;
    };
    let model = llama(
        &address,
        "openai",
        "max_tokens: 24, temperature: 1.0, seed: 11",
    );
    let sandbox = project(&model, 40, "{ type: word-count, min: 0, max: 9 }");
    let suite = sandbox.read("evals/remote.yaml");
    sandbox.write(
        "evals/remote.yaml",
        &format!("{suite}score_faults: [truncated]\n"),
    );
    let code = compare(&sandbox, &["--no-cache"]).code;
    assert!([0, 1, 4].contains(&code), "{code}");
    assert_eq!(candidate(&sandbox)["errored"], 0);
    let reports = sandbox.read("out.xml") + &sandbox.read("out.md");
    let control = |c: char| c.is_control() && c != '\n' && c != '\t';
    assert!(!reports.contains(control), "control characters in a report");
}

#[test]
fn llama_speaks_three_protocols_and_counts_real_tokens() {
    let Some(address) = server("GATE_LIVE_LLAMA") else {
        return;
    };
    for provider in ["openai", "openai-responses", "anthropic"] {
        let model = llama(&address, provider, "max_tokens: 4");
        let sandbox = project(&model, 5, "{ type: word-count, min: 0, max: 99 }");
        let suite = sandbox.read("evals/remote.yaml");
        sandbox.write(
            "evals/remote.yaml",
            &format!("{suite}score_faults: [truncated]\n"),
        );
        compare(&sandbox, &[]).exits(0);
        let arm = candidate(&sandbox);
        assert_eq!(
            (&arm["passed"], &arm["errored"]),
            (&5.into(), &0.into()),
            "{provider}: {arm}"
        );
        let usage = &arm["usage"];
        assert!(
            usage["input_tokens"].as_u64() > Some(5 * 20),
            "{provider}: {usage}"
        );
        assert_eq!(usage["output_tokens"], 5 * 4, "{provider}: {usage}");
    }
}

#[test]
fn llama_overflows_and_truncates_for_real() {
    let Some(address) = server("GATE_LIVE_LLAMA") else {
        return;
    };
    let sandbox = project(
        &llama(&address, "openai", "max_tokens: 4"),
        30,
        "{ type: contains, value: x }",
    );
    let long = format!(
        "{{\"id\": \"long\", \"vars\": {{\"q\": \"{}\"}}, \"expected\": \"x\"}}\n",
        "a b ".repeat(400)
    );
    let prompt = sandbox
        .read("prompts/remote/v1.yaml")
        .replace("max_length: 200", "max_length: 9000");
    sandbox.write("prompts/remote/v1.yaml", &prompt);
    sandbox.write(
        "prompts/remote/v2.yaml",
        &prompt
            .replace("version: 1", "version: 2")
            .replace("plain", "kind"),
    );
    sandbox.write("cases.jsonl", &(sandbox.read("cases.jsonl") + &long));
    compare(&sandbox, &[]);
    let faults = &candidate(&sandbox)["answer_faults"];
    assert_eq!(
        (&faults["context"], &faults["truncated"]),
        (&1.into(), &30.into()),
        "{faults}"
    );
}

#[test]
fn the_mock_from_npm_answers_and_refuses_a_wrong_key() {
    let Some(address) = server("GATE_LIVE_MOCK") else {
        return;
    };
    let model = |key| Model {
        provider: "openai",
        base_url: format!("{address}/v1"),
        id: "gpt-4o",
        key,
        params: "temperature: 0",
    };
    let sandbox = project(
        &model("sk-test-mock"),
        20,
        "{ type: contains, value: Paris }",
    );
    compare(&sandbox, &[]).exits(0);
    let arm = candidate(&sandbox);
    assert_eq!(
        (&arm["passed"], &arm["requests"]),
        (&20.into(), &20.into()),
        "{arm}"
    );
    let sandbox = project(&model("sk-wrong"), 20, "{ type: contains, value: Paris }");
    compare(&sandbox, &[]).exits(3).says("gate: infra: auth");
}
