//! A prompt as Langfuse's public API hands it out (`GET /api/public/v2/prompts/{name}`), turned into
//! a version's text. Text prompts become one user message; variables are written as ours are.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::base::text;
use crate::base::{Source, json as documents};

/// A prompt of Langfuse.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LangfusePrompt {
    /// Its version there.
    pub version: u64,
    /// The text of a version file, in JSON, which is YAML too.
    pub text: String,
}

/// Why a reply is no prompt that can be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LangfuseError {
    /// It is not the document that the API describes.
    #[error("Langfuse's reply is no prompt: {what}")]
    NoPrompt {
        /// What is missing or wrong.
        what: String,
    },
    /// A place in a chat where the application puts messages of its own.
    #[error(
        "the prompt has a placeholder `{}` for messages",
        text::visible_line(name)
    )]
    Placeholder {
        /// Its name.
        name: String,
    },
    /// A role that no version has.
    #[error("the prompt has a message of role `{}`", text::visible_line(role))]
    Role {
        /// The role.
        role: String,
    },
}

/// Settings of a model that Langfuse's free `config` and our `params` call by one name.
const PARAMS: [&str; 7] = [
    "temperature",
    "top_p",
    "top_k",
    "max_tokens",
    "stop",
    "seed",
    "reasoning_effort",
];

/// Reads a reply.
///
/// # Errors
/// When it is no prompt, or one that a version can not hold.
pub fn decode(reply: &Arc<Source>) -> Result<LangfusePrompt, LangfuseError> {
    let node = documents::parse(reply).map_err(|_| no_prompt("it is not JSON"))?;
    let reply = node.to_json();
    let version = reply.get("version").and_then(Value::as_u64);
    let version = version.ok_or_else(|| no_prompt("`version` is no whole number"))?;
    let prompt = reply.get("prompt");
    let messages = match (reply.get("type").and_then(Value::as_str), prompt) {
        (Some("text"), Some(Value::String(text))) => vec![json!({"role": "user", "content": text})],
        (Some("chat"), Some(Value::Array(items))) => {
            let messages: Result<_, _> = items.iter().map(message).collect();
            messages?
        }
        _ => {
            return Err(no_prompt(
                "`type` and `prompt` are neither a text nor a chat",
            ));
        }
    };
    let mut document = Map::new();
    document.insert("gate".to_owned(), json!("prompt/1"));
    document.insert("messages".to_owned(), Value::Array(messages));
    let config = reply.get("config").and_then(Value::as_object);
    let params: Map<String, Value> = PARAMS
        .iter()
        .filter_map(|name| Some(((*name).to_owned(), config?.get(*name)?.clone())))
        .filter(|(_, value)| !value.is_null())
        .collect();
    if !params.is_empty() {
        document.insert("params".to_owned(), Value::Object(params));
    }
    Ok(LangfusePrompt {
        version,
        text: format!("{:#}\n", Value::Object(document)),
    })
}

fn no_prompt(what: &str) -> LangfuseError {
    LangfuseError::NoPrompt {
        what: what.to_owned(),
    }
}

fn message(item: &Value) -> Result<Value, LangfuseError> {
    let text = |key: &str| item.get(key).and_then(Value::as_str);
    if text("type") == Some("placeholder") {
        let name = text("name").unwrap_or_default().to_owned();
        return Err(LangfuseError::Placeholder { name });
    }
    match (text("role"), text("content")) {
        (Some(role @ ("system" | "user" | "assistant")), Some(content)) => {
            Ok(json!({"role": role, "content": content}))
        }
        (Some(role), Some(_)) => Err(LangfuseError::Role {
            role: role.to_owned(),
        }),
        _ => Err(no_prompt("a message has no role or no content")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Diagnostics, Slug};
    use crate::prompt::{Expected, Form, PromptVersion};

    fn read(reply: &Value) -> Result<LangfusePrompt, LangfuseError> {
        decode(&Source::new("langfuse:x", &reply.to_string()))
    }

    fn version(text: &str) -> PromptVersion {
        let expected = Expected {
            slug: Slug::new("p").unwrap(),
            number: None,
            form: Form::Yaml,
        };
        let source = Source::new("v1.yaml", text);
        crate::prompt::decode(&source, &expected, &mut Diagnostics::new()).unwrap()
    }

    #[test]
    fn a_chat_has_the_hash_of_the_same_version_file() {
        let reply = json!({
            "id": "x", "name": "movie", "version": 3, "type": "chat", "labels": ["production"], "tags": [],
            "prompt": [
                {"type": "chatmessage", "role": "system", "content": "Be {{mood}}."},
                {"role": "user", "content": "{{ question }}"}
            ],
            "config": {"model": "gpt-4o", "temperature": 0.5, "seed": null}
        });
        let found = read(&reply).unwrap();
        assert_eq!(found.version, 3);
        let ours = "gate: prompt/1\nparams: { temperature: 0.5 }\nmessages:\n  - { role: system, content: \"Be {{mood}}.\" }\n  - { role: user, content: \"{{ question }}\" }\n";
        assert_eq!(version(&found.text).hash, version(ours).hash);
    }

    #[test]
    fn a_text_is_one_user_message() {
        let reply = json!({"name": "movie", "version": 1, "type": "text", "prompt": "Rate {{movie}}.", "config": {}, "labels": [], "tags": []});
        let found = version(&read(&reply).unwrap().text);
        assert_eq!(found.messages.len(), 1);
        assert_eq!(found.messages[0].content.to_source(), "Rate {{movie}}.");
        assert!(found.variable("movie").is_some());
    }

    #[test]
    fn what_is_no_prompt_is_said() {
        for (reply, because) in [
            (json!({"type": "text", "prompt": "x"}), "`version`"),
            (
                json!({"version": 1, "type": "text", "prompt": ["x"]}),
                "neither",
            ),
            (
                json!({"version": 1, "type": "image", "prompt": "x"}),
                "neither",
            ),
            (
                json!({"version": 1, "type": "chat", "prompt": [{"type": "placeholder", "name": "history"}]}),
                "placeholder `history`",
            ),
            (
                json!({"version": 1, "type": "chat", "prompt": [{"role": "tool", "content": "x"}]}),
                "role `tool`",
            ),
            (
                json!({"version": 1, "type": "chat", "prompt": [{"role": "user"}]}),
                "no content",
            ),
        ] {
            let error = read(&reply).unwrap_err().to_string();
            assert!(error.contains(because), "{reply}: {error}");
        }
        let broken = decode(&Source::new("x", "<html>"));
        assert!(broken.unwrap_err().to_string().contains("not JSON"));
    }
}
