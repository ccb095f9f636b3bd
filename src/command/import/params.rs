//! What a provider's `config` says about a call, in our neutral words.

use serde_json::{Map, Value as Json};

use super::models::Model;
use crate::base::{Node, Value};

/// Their words, and ours.
const WORDS: [(&str, &str); 14] = [
    ("temperature", "temperature"),
    ("top_p", "top_p"),
    ("topP", "top_p"),
    ("top_k", "top_k"),
    ("topK", "top_k"),
    ("max_tokens", "max_tokens"),
    ("max_completion_tokens", "max_tokens"),
    ("max_output_tokens", "max_tokens"),
    ("maxOutputTokens", "max_tokens"),
    ("num_predict", "max_tokens"),
    ("stop", "stop"),
    ("stopSequences", "stop"),
    ("seed", "seed"),
    ("reasoning_effort", "reasoning_effort"),
];
/// Keys that say where and how, which are read elsewhere or are no part of a call.
const ELSEWHERE: [&str; 10] = [
    "apiBaseUrl",
    "apiHost",
    "apiKey",
    "apiKeyEnvar",
    "apiVersion",
    "basePath",
    "cost",
    "organization",
    "region",
    "showThinking",
];
/// Bodies that go to an OpenAI-compatible server as they are.
const AS_IT_IS: [&str; 7] = [
    "response_format",
    "frequency_penalty",
    "presence_penalty",
    "logit_bias",
    "parallel_tool_calls",
    "service_tier",
    "user",
];

/// Writes the parameters of a config into a model; what was left out is returned.
pub fn apply(model: &mut Model, config: Option<&Node>) -> Vec<String> {
    let provider = model.get("provider").and_then(Json::as_str);
    let provider = provider.unwrap_or_default().to_owned();
    if matches!(provider.as_str(), "mock" | "exec") {
        return Vec::new();
    }
    let entries = match config.map(|config| &config.value) {
        Some(Value::Map(entries)) => entries.as_slice(),
        _ => &[],
    };
    let nested = config
        .and_then(|config| config.get("generationConfig"))
        .map(|node| &node.value);
    let nested = match nested {
        Some(Value::Map(inner)) => inner.as_slice(),
        _ => &[],
    };
    let (mut params, mut extra, mut left_out) = (Map::new(), Map::new(), Vec::new());
    for entry in entries.iter().chain(nested) {
        let (key, value) = (entry.key.as_str(), entry.value.to_json());
        if let Some((_, ours)) = WORDS.iter().find(|(theirs, _)| *theirs == key) {
            let fits = match *ours {
                "stop" => value.is_string() || value.is_array(),
                "reasoning_effort" => value.is_string(),
                _ => value.is_number(),
            };
            if fits {
                params.insert((*ours).to_owned(), value);
            } else {
                left_out.push(format!("`{key}` of its config is no plain value"));
            }
        } else if provider.starts_with("openai") && AS_IT_IS.contains(&key) {
            extra.insert(key.to_owned(), value);
        } else if !ELSEWHERE.contains(&key) && key != "generationConfig" {
            let key = crate::base::text::shorten(key, 60);
            left_out.push(format!("`{key}` of its config has no counterpart"));
        }
    }
    if provider == "anthropic" {
        // Anthropic asks for a bound, and this is what promptfoo sends without one.
        params.entry("max_tokens").or_insert_with(|| 1024.into());
    }
    if !extra.is_empty() {
        params.insert("extra".to_owned(), extra.into());
    }
    if !params.is_empty() {
        model.insert("params".to_owned(), params.into());
    }
    left_out
}
