//! Bedrock with access keys: requests are signed where the build can, and said to need it where not.

use crate::sandbox::Sandbox;
use crate::server::{Answer, Server};

const SECRET: &str = "canary-secret-access-key-0123456789";
const REPLY: &str = r#"{"output": {"message": {"role": "assistant", "content": [{"text": "ok"}]}}, "stopReason": "end_turn", "usage": {"inputTokens": 20, "outputTokens": 2}}"#;

fn project(server: &Server) -> Sandbox {
    let base_url = server.base_url();
    let mut sandbox = Sandbox::remote(base_url.trim_end_matches("/v1"), 3, "");
    let suite = sandbox.read("evals/remote.yaml").replace(
        "provider: openai, model: test-model,",
        "provider: bedrock, model: \"anthropic.claude-v2:1\", api_key_env: AWS_ACCESS_KEY_ID,",
    );
    sandbox.write("evals/remote.yaml", &suite);
    sandbox.set("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE");
    sandbox.set("AWS_SECRET_ACCESS_KEY", SECRET);
    sandbox
}

#[test]
fn requests_are_signed_with_access_keys_where_the_build_can_sign() {
    let server = Server::start(|_| Answer::Body(REPLY.to_owned()));
    let mut sandbox = project(&server);
    let ran = sandbox.gate(&["compare", "v1", "v2"]);
    ran.exits(3).says("the region of model `main` is not known");
    sandbox.set("AWS_REGION", "eu-west-1");
    sandbox.set("AWS_SESSION_TOKEN", "canary-session-token-0123456789");
    let ran = sandbox.gate(&["compare", "v1", "v2", "--json", "out.json"]);
    if !cfg!(feature = "bedrock") {
        ran.exits(3)
            .says("gate: infra: auth")
            .says("cargo feature `bedrock`");
        assert_eq!(server.requests(), 0);
        return;
    }
    ran.exits(0);
    for seen in server.seen() {
        assert_eq!(seen.line(), "POST /model/anthropic.claude-v2%3A1/converse");
        let head = seen.head.to_lowercase();
        assert!(
            head.contains("authorization: aws4-hmac-sha256 credential=akidexample/"),
            "{head}"
        );
        assert!(head.contains("/eu-west-1/bedrock/aws4_request, signedheaders=content-type;host;x-amz-date;x-amz-security-token, "), "{head}");
        assert!(
            head.contains("x-amz-security-token: canary-session-token"),
            "{head}"
        );
    }
    let log = std::fs::read_dir(sandbox.path(".gate/runs")).unwrap();
    for run in log {
        let log = std::fs::read_to_string(run.unwrap().path().join("events.jsonl")).unwrap();
        assert!(!log.contains("canary-"));
    }
    assert!(!sandbox.read("out.json").contains("canary-"));
}

#[test]
fn half_of_the_access_keys_is_a_missing_key() {
    let server = Server::start(|_| Answer::Body(REPLY.to_owned()));
    let mut sandbox = project(&server);
    sandbox.set("AWS_REGION", "eu-west-1");
    sandbox.set("AWS_SECRET_ACCESS_KEY", "");
    sandbox
        .gate(&["compare", "v1", "v2"])
        .exits(3)
        .says("AWS_SECRET_ACCESS_KEY is not set");
    assert_eq!(server.requests(), 0);
}
