//! Prompts that Langfuse keeps, from a server that answers as its public API is described.

use serde_json::json;

use crate::sandbox::Sandbox;
use crate::server::{Answer, Seen, Server};

/// `GET /api/public/v2/prompts/{name}?version=|label=` with basic authentication.
fn langfuse() -> Server {
    Server::start(|seen: &Seen| {
        let head = seen.head.to_lowercase();
        let error = |status, message: &str| {
            Answer::Status(
                status,
                Vec::new(),
                json!({"message": message, "error": "E"}).to_string(),
            )
        };
        // pk-lf-1:sk-lf-2
        if !seen.head.contains("Basic cGstbGYtMTpzay1sZi0y") {
            return error(
                401,
                "Invalid credentials. Confirm that you've configured the correct host.",
            );
        }
        let line = head.lines().next().unwrap_or_default();
        let (version, text) =
            if line.starts_with("get /api/public/v2/prompts/team%2flabel?label=production ") {
                (4, "Answer with one word: billing, bug or other.")
            } else if line.starts_with("get /api/public/v2/prompts/team%2flabel?version=5 ") {
                (
                    5,
                    "Be friendly. Answer with one word: billing, bug or other.",
                )
            } else {
                return error(404, "Prompt not found");
            };
        Answer::Body(
            json!({
                "id": "cm1", "createdAt": "2026-01-01T00:00:00Z", "updatedAt": "2026-01-01T00:00:00Z",
                "projectId": "p", "createdBy": "API", "name": "team/label", "version": version, "type": "chat",
                "isActive": null, "labels": ["production"], "tags": [], "commitMessage": null,
                "config": {"temperature": 0}, "resolutionGraph": null,
                "prompt": [
                    {"role": "system", "content": text},
                    {"type": "chatmessage", "role": "user", "content": "{{ticket}}"}
                ]
            })
            .to_string(),
        )
    })
}

fn project(server: &Server) -> Sandbox {
    let mut sandbox = Sandbox::smallest();
    let host = server.base_url().replace("/v1", "");
    sandbox.set("LANGFUSE_HOST", &host);
    sandbox.set("LANGFUSE_PUBLIC_KEY", "pk-lf-1");
    sandbox.set("LANGFUSE_SECRET_KEY", "sk-lf-2");
    sandbox
}

#[test]
fn a_prompt_of_langfuse_is_compared_like_any_version() {
    let server = langfuse();
    let sandbox = project(&server);
    let ran = sandbox.gate(&[
        "compare",
        "langfuse:team/label",
        "langfuse:team/label@5",
        "--json",
        "result.json",
    ]);
    ran.exits(0).prints("langfuse:team/label@4");
    let arms = &sandbox.json("result.json")["suites"][0]["arms"];
    assert_eq!(arms["baseline"]["ref"], "langfuse:team/label@production");
    assert_eq!(arms["candidate"]["failed"], 1);
    assert_eq!(server.requests(), 2);
}

#[test]
fn it_becomes_a_version_of_the_same_hash() {
    let server = langfuse();
    let mut sandbox = project(&server);
    sandbox.set("GATE_AUTHOR", "ana");
    let shown = sandbox.gate(&["prompt", "show", "langfuse:team/label@5"]);
    shown.exits(0);
    sandbox.write("draft.yaml", &shown.stdout);
    let added = sandbox.gate(&[
        "prompt",
        "add",
        "draft.yaml",
        "--prompt",
        "team/label",
        "--description",
        "from Langfuse",
    ]);
    added.exits(0);
    let hash = shown.stderr.split("sha256:").nth(1).unwrap();
    assert!(added.stdout.contains(&hash[..64]), "{}", added.stdout);
}

#[test]
fn what_is_not_there_or_not_allowed_is_said() {
    let server = langfuse();
    let mut sandbox = project(&server);
    sandbox
        .gate(&["prompt", "show", "langfuse:nothing@7"])
        .exits(2)
        .says("Langfuse has no such prompt, version or label");
    for bad in [
        "langfuse:",
        "langfuse:a@",
        "langfuse:../a@1",
        "langfuse:a@v0",
        "langfuse:a@B b",
    ] {
        sandbox.gate(&["prompt", "show", bad]).exits(2);
    }
    sandbox
        .gate(&["compare", "v1", "langfuse:team/label", "--offline"])
        .exits(2)
        .says("--offline forbids it");
    assert_eq!(server.requests(), 1);
    sandbox.set("LANGFUSE_SECRET_KEY", "sk-wrong");
    let refused = sandbox.gate(&["prompt", "show", "langfuse:team/label"]);
    refused
        .exits(3)
        .says("Langfuse refuses the keys (HTTP 401)");
    assert!(!refused.stderr.contains("sk-wrong"), "{}", refused.stderr);
    sandbox.set("LANGFUSE_SECRET_KEY", "");
    sandbox
        .gate(&["prompt", "show", "langfuse:team/label"])
        .exits(3)
        .says("LANGFUSE_SECRET_KEY is not set");
    sandbox.set("LANGFUSE_SECRET_KEY", "sk-lf-2");
    sandbox.set("LANGFUSE_HOST", "https://collector.example.com");
    sandbox
        .gate(&["prompt", "show", "langfuse:team/label"])
        .exits(2)
        .says("--allow-host collector.example.com");
}
