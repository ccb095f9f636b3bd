//! Anthropic messages.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::call::{CallError, EncodeError, Encoded};
use super::classify;
use super::codec::{
    Codec, NO_FINISH, base_url, finish_body, lacks, nonempty, put, put_map, refuse,
    split_system_strictly, stops, tool_with_schema_key,
};
use super::lenient::{self, Count, Present, Word};
use super::openai::{bearer, request_id};
use crate::chat::{Finish, ModelSpec, Request, Response, ResponseFormat, ToolCall, Usage};
use crate::http::{Reply, Secret, SecretHeader};

/// The version of the protocol that this codec speaks.
pub(super) const VERSION: &str = "2023-06-01";

/// The codec of messages.
#[derive(Debug)]
pub struct Anthropic;

impl Codec for Anthropic {
    fn encode(&self, model: &ModelSpec, request: &Request) -> Result<Encoded, EncodeError> {
        let base = base_url(model)?;
        let root = base.strip_suffix("/v1").unwrap_or(base);
        Ok(Encoded::post(
            format!("{root}/v1/messages"),
            vec![("anthropic-version".into(), VERSION.to_owned())],
            finish_body(body(model.id(), request)?, request)?,
        ))
    }

    fn auth(&self, _: &ModelSpec, key: &Secret) -> SecretHeader {
        if key.expose().starts_with("sk-ant-oat") {
            bearer(key)
        } else {
            ("x-api-key".into(), key.clone())
        }
    }

    fn decode(&self, _: &ModelSpec, reply: &Reply) -> Result<Response, CallError> {
        decode(reply)
    }
}

fn body(id: &str, request: &Request) -> Result<Map<String, Value>, EncodeError> {
    let params = &request.params;
    refuse("Anthropic", &[("seed", params.seed.is_some())])?;
    if params.max_tokens.is_none() && !params.extra.contains_key("max_tokens") {
        return Err(EncodeError {
            message: format!("model `{id}` of Anthropic needs `max_tokens`"),
            help: "set `max_tokens` under `params` of the prompt or of the model".to_owned(),
        });
    }
    if params
        .temperature
        .is_some_and(|temperature| temperature > 1.0)
    {
        return Err(lacks(
            "Anthropic",
            "temperature above 1",
            "set one from 0 to 1",
        ));
    }
    let (system, turns) = split_system_strictly("Anthropic", request)?;
    let mut body = Map::new();
    put(&mut body, "model", Some(id));
    put(&mut body, "max_tokens", params.max_tokens);
    let system = match system.as_slice() {
        [] => None,
        [one] => Some(json!(one)),
        many => Some(
            many.iter()
                .map(|text| json!({"type": "text", "text": text}))
                .collect(),
        ),
    };
    put(&mut body, "system", system);
    let turns: Vec<Value> = turns
        .iter()
        .map(|turn| json!({"role": turn.role.as_str(), "content": turn.content}))
        .collect();
    put(&mut body, "messages", Some(turns));
    put(&mut body, "temperature", params.temperature);
    put(&mut body, "top_p", params.top_p);
    put(&mut body, "top_k", params.top_k);
    put(&mut body, "stop_sequences", stops(request));
    if !request.tools.is_empty() {
        put(&mut body, "tools", Some(tools(request)?));
    }
    put_map(&mut body, "output_config", output_config(request)?);
    Ok(body)
}

fn tools(request: &Request) -> Result<Vec<Value>, EncodeError> {
    let one = |tool: &Value| {
        if tool.get("type").is_some() {
            return Ok(tool.clone());
        }
        tool_with_schema_key(tool, "input_schema")
    };
    request.tools.iter().map(one).collect()
}

fn output_config(request: &Request) -> Result<Map<String, Value>, EncodeError> {
    let mut config = Map::new();
    put(
        &mut config,
        "effort",
        request.params.reasoning_effort.as_deref(),
    );
    match &request.response_format {
        None => {}
        Some(ResponseFormat::JsonObject) => {
            return Err(lacks(
                "Anthropic",
                "answer format of any JSON object",
                "write a `json_schema`, or ask for JSON in the prompt",
            ));
        }
        Some(ResponseFormat::JsonSchema { schema, .. }) => {
            let format = json!({"type": "json_schema", "schema": schema});
            put(&mut config, "format", Some(format));
        }
    }
    Ok(config)
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow, default)]
    id: Word<'a>,
    #[serde(borrow, default)]
    model: Word<'a>,
    #[serde(borrow)]
    content: Option<Vec<Block<'a>>>,
    #[serde(borrow, default)]
    stop_reason: Word<'a>,
    #[serde(borrow)]
    stop_details: Option<StopDetails<'a>>,
    usage: Option<MessageUsage>,
    #[serde(default)]
    error: Present,
}

#[derive(Deserialize)]
struct Block<'a> {
    #[serde(borrow, default)]
    r#type: Word<'a>,
    #[serde(borrow, default)]
    text: Word<'a>,
    #[serde(borrow, default)]
    name: Word<'a>,
    input: Option<Value>,
}

#[derive(Deserialize)]
struct StopDetails<'a> {
    #[serde(borrow, default)]
    explanation: Word<'a>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct MessageUsage {
    input_tokens: Count,
    cache_creation_input_tokens: Count,
    cache_read_input_tokens: Count,
    output_tokens: Count,
    output_tokens_details: Option<OutputDetails>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct OutputDetails {
    thinking_tokens: Count,
}

impl MessageUsage {
    fn normalised(&self) -> Usage {
        let read = self.cache_read_input_tokens.0;
        let written = self.cache_creation_input_tokens.0;
        let details = self.output_tokens_details.as_ref();
        Usage {
            input_tokens: total(self.input_tokens.0, &[read, written]),
            cached_input_tokens: read,
            cache_write_tokens: written,
            output_tokens: self.output_tokens.0,
            reasoning_tokens: details.and_then(|details| details.thinking_tokens.0),
        }
    }
}

/// A count with those beside it that are reported; unknown where the count itself is.
pub(super) fn total(count: Option<u64>, more: &[Option<u64>]) -> Option<u64> {
    let more = more.iter().flatten();
    more.fold(count, |sum, count| {
        sum.map(|sum| sum.saturating_add(*count))
    })
}

fn decode(reply: &Reply) -> Result<Response, CallError> {
    if !(200..300).contains(&reply.status) {
        return Err(classify::reply_error(reply));
    }
    let mut scratch = Vec::new();
    let (message, lossy) = lenient::read::<Message<'_>>(&reply.body, &mut scratch)
        .map_err(|error| classify::bad_body(reply, &format!("not a message: {error}")))?;
    if message.error.0 {
        return Err(classify::error_in_success(reply));
    }
    let Some(blocks) = message.content else {
        return Err(classify::bad_body(reply, "a message without content"));
    };
    let mut text: Option<String> = None;
    let mut tool_calls = Vec::new();
    for block in blocks {
        match block.r#type.as_str() {
            Some("text") => {
                let piece = block.text.as_str().unwrap_or_default();
                text.get_or_insert_default().push_str(piece);
            }
            Some("tool_use") => tool_calls.push(ToolCall {
                name: block.name.into_nonempty().unwrap_or_default(),
                arguments: block.input.unwrap_or_default(),
            }),
            _ => {}
        }
    }
    let mut finish = finish(message.stop_reason.as_str());
    if finish == Finish::Stop && !tool_calls.is_empty() {
        finish = Finish::Tool;
    }
    let refused = finish == Finish::Refusal;
    let explanation = message
        .stop_details
        .and_then(|details| details.explanation.into_nonempty());
    let has_text = text.is_some();
    let response = Response {
        text: text.unwrap_or_default(),
        finish,
        refusal: explanation.filter(|_| refused),
        tool_calls,
        usage: message.usage.unwrap_or_default().normalised(),
        served_model: message.model.into_nonempty(),
        fingerprint: None,
        request_id: request_id(reply, "request-id", message.id),
        reported_cost_usd: None,
        lossy,
        token_choices: Vec::new(),
    };
    nonempty(response, has_text, reply)
}

fn finish(word: Option<&str>) -> Finish {
    match word {
        Some("end_turn" | "stop_sequence") => Finish::Stop,
        Some("max_tokens" | "model_context_window_exceeded") => Finish::Length,
        Some("tool_use") => Finish::Tool,
        Some("refusal") => Finish::Refusal,
        Some(other) => Finish::Other(other.to_owned()),
        None => Finish::Other(NO_FINISH.to_owned()),
    }
}
