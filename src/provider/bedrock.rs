//! Amazon Bedrock Converse. An API key goes in a header; access keys sign, see `auth`.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::anthropic::total;
use super::call::{CallError, EncodeError, Encoded};
use super::classify;
use super::codec::{
    Codec, NO_FINISH, base_url, finish_body, lacks, nonempty, path_segment, put, put_map, refuse,
    split_system_strictly, stops, tool_fields,
};
use super::lenient::{self, Count, Present, Word};
use super::openai::{bearer, request_id};
use crate::chat::{Finish, ModelSpec, Request, Response, ResponseFormat, ToolCall, Usage};
use crate::http::{Reply, Secret, SecretHeader};

/// The codec of Converse.
#[derive(Debug)]
pub struct Bedrock;

impl Codec for Bedrock {
    fn encode(&self, model: &ModelSpec, request: &Request) -> Result<Encoded, EncodeError> {
        let base = base_url(model)?;
        Ok(Encoded::post(
            format!("{base}/model/{}/converse", path_segment(model.id())),
            Vec::new(),
            finish_body(body(request)?, request)?,
        ))
    }

    fn auth(&self, _: &ModelSpec, key: &Secret) -> SecretHeader {
        bearer(key)
    }

    fn decode(&self, _: &ModelSpec, reply: &Reply) -> Result<Response, CallError> {
        decode(reply)
    }
}

fn body(request: &Request) -> Result<Map<String, Value>, EncodeError> {
    let params = &request.params;
    refuse("Converse", &[("seed", params.seed.is_some())])?;
    if params.top_k.is_some() {
        return Err(lacks(
            "Converse",
            "parameter `top_k`",
            "write it under `params.extra.additionalModelRequestFields` as the model names it",
        ));
    }
    let (system, turns) = split_system_strictly("Converse", request)?;
    let mut body = Map::new();
    if !system.is_empty() {
        let blocks: Vec<Value> = system.iter().map(|text| json!({"text": text})).collect();
        put(&mut body, "system", Some(blocks));
    }
    let turns = turns
        .iter()
        .map(|turn| json!({"role": turn.role.as_str(), "content": [{"text": turn.content}]}));
    put(&mut body, "messages", Some(turns.collect::<Vec<Value>>()));
    let mut inference = Map::new();
    put(&mut inference, "maxTokens", params.max_tokens);
    put(&mut inference, "temperature", params.temperature);
    put(&mut inference, "topP", params.top_p);
    put(&mut inference, "stopSequences", stops(request));
    put_map(&mut body, "inferenceConfig", inference);
    put_map(&mut body, "outputConfig", output_config(request)?);
    if !request.tools.is_empty() {
        let tools: Result<Vec<Value>, EncodeError> = request.tools.iter().map(tool).collect();
        put(&mut body, "toolConfig", Some(json!({"tools": tools?})));
    }
    Ok(body)
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
                "Converse",
                "answer format of any JSON object",
                "write a `json_schema`, or ask for JSON in the prompt",
            ));
        }
        Some(ResponseFormat::JsonSchema { name, schema }) => {
            let schema = json!({"jsonSchema": {"schema": schema.to_string(), "name": name}});
            let format = json!({"type": "json_schema", "structure": schema});
            put(&mut config, "textFormat", Some(format));
        }
    }
    Ok(config)
}

/// A tool in the form of Converse; one without a name is in the vendor's form already.
fn tool(tool: &Value) -> Result<Value, EncodeError> {
    if tool.is_object() && tool.get("name").is_none() {
        return Ok(tool.clone());
    }
    let mut spec = tool_fields(tool)?.clone();
    if let Some(schema) = spec.remove("parameters") {
        put(&mut spec, "inputSchema", Some(json!({"json": schema})));
    }
    Ok(json!({"toolSpec": spec}))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Converse<'a> {
    #[serde(borrow)]
    output: Option<Output<'a>>,
    #[serde(borrow, default)]
    stop_reason: Word<'a>,
    usage: Option<ConverseUsage>,
    #[serde(default)]
    error: Present,
}

#[derive(Deserialize)]
struct Output<'a> {
    #[serde(borrow)]
    message: Option<Message<'a>>,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    content: Option<Vec<Block<'a>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Block<'a> {
    #[serde(borrow, default)]
    text: Word<'a>,
    #[serde(borrow)]
    tool_use: Option<ToolUse<'a>>,
}

#[derive(Deserialize)]
struct ToolUse<'a> {
    #[serde(borrow, default)]
    name: Word<'a>,
    input: Option<Value>,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
#[expect(clippy::struct_field_names, reason = "the names on the wire")]
struct ConverseUsage {
    input_tokens: Count,
    output_tokens: Count,
    cache_read_input_tokens: Count,
    cache_write_input_tokens: Count,
}

impl ConverseUsage {
    fn normalised(&self) -> Usage {
        let read = self.cache_read_input_tokens.0;
        let written = self.cache_write_input_tokens.0;
        Usage {
            input_tokens: total(self.input_tokens.0, &[read, written]),
            cached_input_tokens: read,
            cache_write_tokens: written,
            output_tokens: self.output_tokens.0,
            reasoning_tokens: None,
        }
    }
}

fn decode(reply: &Reply) -> Result<Response, CallError> {
    if !(200..300).contains(&reply.status) {
        return Err(classify::reply_error(reply));
    }
    let mut scratch = Vec::new();
    let (converse, lossy) = lenient::read::<Converse<'_>>(&reply.body, &mut scratch)
        .map_err(|error| classify::bad_body(reply, &format!("not a converse reply: {error}")))?;
    if converse.error.0 {
        return Err(classify::error_in_success(reply));
    }
    let message = converse.output.and_then(|output| output.message);
    let Some(blocks) = message.and_then(|message| message.content) else {
        return Err(classify::bad_body(
            reply,
            "a converse reply without content",
        ));
    };
    let mut text: Option<String> = None;
    let mut tool_calls = Vec::new();
    for block in blocks {
        if let Some(piece) = block.text.as_str() {
            text.get_or_insert_default().push_str(piece);
        }
        if let Some(tool) = block.tool_use {
            tool_calls.push(ToolCall {
                name: tool.name.into_nonempty().unwrap_or_default(),
                arguments: tool.input.unwrap_or_default(),
            });
        }
    }
    let mut finish = finish(converse.stop_reason.as_str());
    if finish == Finish::Stop && !tool_calls.is_empty() {
        finish = Finish::Tool;
    }
    let has_text = text.is_some();
    let response = Response {
        text: text.unwrap_or_default(),
        finish,
        tool_calls,
        usage: converse.usage.unwrap_or_default().normalised(),
        request_id: request_id(reply, "x-amzn-requestid", Word::default()),
        lossy,
        ..Response::default()
    };
    nonempty(response, has_text, reply)
}

fn finish(word: Option<&str>) -> Finish {
    match word {
        Some("end_turn" | "stop_sequence") => Finish::Stop,
        Some("max_tokens" | "model_context_window_exceeded") => Finish::Length,
        Some("tool_use") => Finish::Tool,
        Some("guardrail_intervened" | "content_filtered") => Finish::Filtered,
        Some("malformed_tool_use") => Finish::ToolFault,
        Some("malformed_model_output") => Finish::Error("malformed_model_output".to_owned()),
        Some(other) => Finish::Other(other.to_owned()),
        None => Finish::Other(NO_FINISH.to_owned()),
    }
}
