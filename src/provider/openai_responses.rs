//! OpenAI responses.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::call::{CallError, EncodeError, Encoded};
use super::classify;
use super::codec::{
    Codec, NO_FINISH, base_url, finish_body, nonempty, put, put_map, refuse, split_system,
    tool_fields,
};
use super::lenient::{self, Amount, Count, Present, Word};
use super::openai::{Function, bearer, check_reasoning, is_own_address, request_id};
use crate::chat::{Finish, ModelSpec, Request, Response, ResponseFormat, Role, ToolCall, Usage};
use crate::http::{Reply, Secret, SecretHeader};

/// The codec of responses.
#[derive(Debug)]
pub struct OpenAiResponses;

impl Codec for OpenAiResponses {
    fn encode(&self, model: &ModelSpec, request: &Request) -> Result<Encoded, EncodeError> {
        let base = base_url(model)?;
        if is_own_address(base) {
            check_reasoning(model.id(), request)?;
        }
        Ok(Encoded::post(
            format!("{base}/responses"),
            Vec::new(),
            finish_body(body(model.id(), request)?, request)?,
        ))
    }

    fn auth(&self, _: &ModelSpec, key: &Secret) -> SecretHeader {
        bearer(key)
    }

    fn decode(&self, _: &ModelSpec, reply: &Reply) -> Result<Response, CallError> {
        decode(reply)
    }
}

fn body(id: &str, request: &Request) -> Result<Map<String, Value>, EncodeError> {
    let params = &request.params;
    let lacking = [
        ("top_k", params.top_k.is_some()),
        ("stop", !params.stop.is_empty()),
        ("seed", params.seed.is_some()),
    ];
    refuse("the responses protocol", &lacking)?;
    let (system, turns) = split_system(request);
    let mut body = Map::new();
    put(&mut body, "model", Some(id));
    put(&mut body, "instructions", system.first().copied());
    put(
        &mut body,
        "input",
        Some(input(system.get(1..).unwrap_or_default(), turns)),
    );
    put(&mut body, "max_output_tokens", params.max_tokens);
    put(&mut body, "temperature", params.temperature);
    put(&mut body, "top_p", params.top_p);
    put(&mut body, "store", Some(false));
    let mut reasoning = Map::new();
    put(&mut reasoning, "effort", params.reasoning_effort.as_deref());
    put_map(&mut body, "reasoning", reasoning);
    if !request.tools.is_empty() {
        let tools: Result<Vec<Value>, EncodeError> = request.tools.iter().map(tool).collect();
        put(&mut body, "tools", Some(tools?));
    }
    let format = request.response_format.as_ref().map(|format| match format {
        ResponseFormat::JsonObject => json!({"format": {"type": "json_object"}}),
        ResponseFormat::JsonSchema { name, schema } => json!({
            "format": {"type": "json_schema", "name": name, "schema": schema, "strict": true},
        }),
    });
    put(&mut body, "text", format);
    Ok(body)
}

/// The conversation: the text alone where it is one message of the user, else its items.
fn input(system: &[&str], turns: &[crate::chat::Message]) -> Value {
    if let ([], [only]) = (system, turns)
        && only.role == Role::User
    {
        return json!(only.content);
    }
    let system = system
        .iter()
        .map(|text| json!({"role": "system", "content": text}));
    let turns = turns
        .iter()
        .map(|turn| json!({"role": turn.role.as_str(), "content": turn.content}));
    system.chain(turns).collect()
}

fn tool(tool: &Value) -> Result<Value, EncodeError> {
    if tool.get("type").is_some() {
        return Ok(tool.clone());
    }
    let mut fields = tool_fields(tool)?.clone();
    put(&mut fields, "type", Some("function"));
    Ok(fields.into())
}

#[derive(Deserialize)]
struct ResponseObject<'a> {
    #[serde(borrow, default)]
    id: Word<'a>,
    #[serde(borrow, default)]
    model: Word<'a>,
    #[serde(borrow, default)]
    status: Word<'a>,
    #[serde(borrow)]
    incomplete_details: Option<Incomplete<'a>>,
    #[serde(borrow)]
    output: Option<Vec<Item<'a>>>,
    usage: Option<ResponseUsage>,
    #[serde(default)]
    error: Present,
}

#[derive(Deserialize)]
struct Incomplete<'a> {
    #[serde(borrow, default)]
    reason: Word<'a>,
}

#[derive(Deserialize)]
struct Item<'a> {
    #[serde(borrow, default)]
    r#type: Word<'a>,
    #[serde(borrow, default)]
    content: Option<Vec<Part<'a>>>,
    #[serde(borrow, default)]
    name: Word<'a>,
    #[serde(default)]
    arguments: lenient::Arguments,
}

#[derive(Deserialize)]
struct Part<'a> {
    #[serde(borrow, default)]
    r#type: Word<'a>,
    #[serde(borrow, default)]
    text: Word<'a>,
    #[serde(borrow, default)]
    refusal: Word<'a>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct ResponseUsage {
    input_tokens: Count,
    output_tokens: Count,
    input_tokens_details: Option<InputDetails>,
    output_tokens_details: Option<OutputDetails>,
    cost: Amount,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct InputDetails {
    cached_tokens: Count,
    cache_write_tokens: Count,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct OutputDetails {
    reasoning_tokens: Count,
}

impl ResponseUsage {
    fn normalised(&self) -> Usage {
        let input = self.input_tokens_details.as_ref();
        let output = self.output_tokens_details.as_ref();
        Usage {
            input_tokens: self.input_tokens.0,
            cached_input_tokens: input.and_then(|details| details.cached_tokens.0),
            cache_write_tokens: input.and_then(|details| details.cache_write_tokens.0),
            output_tokens: self.output_tokens.0,
            reasoning_tokens: output.and_then(|details| details.reasoning_tokens.0),
        }
    }
}

/// What the items of a response say.
#[derive(Default)]
struct Said {
    text: Option<String>,
    refusal: String,
    tool_calls: Vec<ToolCall>,
}

fn said(items: Vec<Item<'_>>) -> Said {
    let mut said = Said::default();
    for item in items {
        match item.r#type.as_str() {
            Some("message") => {
                for part in item.content.into_iter().flatten() {
                    said.add(&part);
                }
            }
            Some("function_call") => {
                let call = Function::new(item.name, item.arguments).into_call();
                said.tool_calls.push(call);
            }
            _ => {}
        }
    }
    said
}

impl Said {
    fn add(&mut self, part: &Part<'_>) {
        match part.r#type.as_str() {
            Some("output_text") => {
                let piece = part.text.as_str().unwrap_or_default();
                self.text.get_or_insert_default().push_str(piece);
            }
            Some("refusal") => {
                self.refusal
                    .push_str(part.refusal.as_str().unwrap_or_default());
            }
            _ => {}
        }
    }
}

fn decode(reply: &Reply) -> Result<Response, CallError> {
    if !(200..300).contains(&reply.status) {
        return Err(classify::reply_error(reply));
    }
    let mut scratch = Vec::new();
    let (object, lossy) = lenient::read::<ResponseObject<'_>>(&reply.body, &mut scratch)
        .map_err(|error| classify::bad_body(reply, &format!("not a response: {error}")))?;
    if object.error.0 || object.status.as_str() == Some("failed") {
        return Err(classify::error_in_success(reply));
    }
    let Some(items) = object.output else {
        return Err(classify::bad_body(reply, "a response without output"));
    };
    let Said {
        text,
        refusal,
        tool_calls,
    } = said(items);
    let reason = object.incomplete_details.map(|details| details.reason);
    let mut finish = finish(
        object.status.as_str(),
        reason.as_ref().and_then(Word::as_str),
    );
    let refusal = Some(refusal).filter(|refusal| !refusal.is_empty());
    if refusal.is_some() {
        finish = Finish::Refusal;
    } else if finish == Finish::Stop && !tool_calls.is_empty() {
        finish = Finish::Tool;
    }
    let has_text = text.is_some();
    let usage = object.usage.unwrap_or_default();
    let response = Response {
        text: text.unwrap_or_default(),
        finish,
        refusal,
        tool_calls,
        usage: usage.normalised(),
        served_model: object.model.into_nonempty(),
        fingerprint: None,
        request_id: request_id(reply, "x-request-id", object.id),
        reported_cost_usd: usage.cost.0,
        lossy,
        token_choices: Vec::new(),
    };
    nonempty(response, has_text, reply)
}

fn finish(status: Option<&str>, reason: Option<&str>) -> Finish {
    match (status, reason) {
        (Some("completed"), _) => Finish::Stop,
        (Some("incomplete"), Some("max_output_tokens")) => Finish::Length,
        (Some("incomplete"), Some("content_filter")) => Finish::Filtered,
        (Some("incomplete"), Some(other)) | (Some(other), _) => Finish::Other(other.to_owned()),
        (None, _) => Finish::Other(NO_FINISH.to_owned()),
    }
}
