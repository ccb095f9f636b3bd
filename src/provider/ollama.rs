//! Ollama's own chat protocol.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::call::{CallError, EncodeError, Encoded};
use super::classify;
use super::codec::{Codec, NO_FINISH, base_url, finish_body, nonempty, put, put_map, stops};
use super::lenient::{self, Content, Count, Present, Word};
use super::openai::{Function, bearer, chat_tools, request_id};
use crate::chat::{Finish, ModelSpec, Request, Response, ResponseFormat, ToolCall, Usage};
use crate::http::{Reply, Secret, SecretHeader};

/// The codec of `/api/chat`.
#[derive(Debug)]
pub struct Ollama;

impl Codec for Ollama {
    fn encode(&self, model: &ModelSpec, request: &Request) -> Result<Encoded, EncodeError> {
        let base = base_url(model)?;
        Ok(Encoded::post(
            format!("{base}/api/chat"),
            Vec::new(),
            finish_body(body(model.id(), request)?, request)?,
        ))
    }

    /// The server itself asks for no key; one in front of it takes a bearer key.
    fn auth(&self, _: &ModelSpec, key: &Secret) -> SecretHeader {
        bearer(key)
    }

    fn decode(&self, _: &ModelSpec, reply: &Reply) -> Result<Response, CallError> {
        decode(reply)
    }
}

fn body(id: &str, request: &Request) -> Result<Map<String, Value>, EncodeError> {
    let params = &request.params;
    let mut body = Map::new();
    put(&mut body, "model", Some(id));
    let messages = request.messages.iter();
    let messages: Vec<Value> = messages
        .map(|message| json!({"role": message.role.as_str(), "content": message.content}))
        .collect();
    put(&mut body, "messages", Some(messages));
    // Without this the reply is a stream of lines.
    put(&mut body, "stream", Some(false));
    let mut options = Map::new();
    put(&mut options, "num_predict", params.max_tokens);
    put(&mut options, "temperature", params.temperature);
    put(&mut options, "top_p", params.top_p);
    put(&mut options, "top_k", params.top_k);
    put(&mut options, "stop", stops(request));
    put(&mut options, "seed", params.seed);
    put_map(&mut body, "options", options);
    let think = params
        .reasoning_effort
        .as_deref()
        .map(|effort| match effort {
            "none" => json!(false),
            level => json!(level),
        });
    put(&mut body, "think", think);
    if !request.tools.is_empty() {
        put(&mut body, "tools", Some(chat_tools(request)?));
    }
    let format = request.response_format.as_ref().map(|format| match format {
        ResponseFormat::JsonObject => json!("json"),
        ResponseFormat::JsonSchema { schema, .. } => schema.clone(),
    });
    put(&mut body, "format", format);
    Ok(body)
}

#[derive(Deserialize)]
struct ChatReply<'a> {
    #[serde(borrow, default)]
    model: Word<'a>,
    #[serde(borrow)]
    message: Option<Message<'a>>,
    #[serde(default)]
    done: Present,
    #[serde(borrow, default)]
    done_reason: Word<'a>,
    #[serde(default)]
    prompt_eval_count: Count,
    #[serde(default)]
    eval_count: Count,
    #[serde(default)]
    error: Present,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow, default)]
    content: Content<'a>,
    #[serde(borrow)]
    tool_calls: Option<Vec<Call<'a>>>,
}

#[derive(Deserialize)]
struct Call<'a> {
    #[serde(borrow)]
    function: Option<Function<'a>>,
}

fn decode(reply: &Reply) -> Result<Response, CallError> {
    if !(200..300).contains(&reply.status) {
        return Err(classify::reply_error(reply));
    }
    let mut scratch = Vec::new();
    let (chat, lossy) = lenient::read::<ChatReply<'_>>(&reply.body, &mut scratch)
        .map_err(|error| classify::bad_body(reply, &format!("not a chat reply: {error}")))?;
    if chat.error.0 {
        return Err(classify::error_in_success(reply));
    }
    let Some(message) = chat.message else {
        return Err(classify::bad_body(reply, "a chat reply without a message"));
    };
    if !chat.done.0 {
        return Err(classify::bad_body(reply, "a chat reply that is not done"));
    }
    let tool_calls = message.tool_calls.into_iter().flatten();
    let tool_calls: Vec<ToolCall> = tool_calls
        .filter_map(|call| call.function)
        .map(Function::into_call)
        .collect();
    let mut finish = match chat.done_reason.as_str() {
        Some("stop") => Finish::Stop,
        Some("length") => Finish::Length,
        Some(other) => Finish::Other(other.to_owned()),
        None => Finish::Other(NO_FINISH.to_owned()),
    };
    if finish == Finish::Stop && !tool_calls.is_empty() {
        finish = Finish::Tool;
    }
    let text = message.content.into_text();
    let has_text = text.is_some();
    let response = Response {
        text: text.unwrap_or_default(),
        finish,
        tool_calls,
        usage: Usage {
            input_tokens: chat.prompt_eval_count.0,
            output_tokens: chat.eval_count.0,
            ..Usage::default()
        },
        served_model: chat.model.into_nonempty(),
        request_id: request_id(reply, "x-request-id", Word::default()),
        lossy,
        ..Response::default()
    };
    nonempty(response, has_text, reply)
}
