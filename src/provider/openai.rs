//! OpenAI chat completions: the vendor's own, and the servers that speak the same (vLLM, llama.cpp,
//! `LiteLLM`, `OpenRouter`, Ollama's `/v1`).

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::call::{CallError, EncodeError, Encoded};
use super::classify;
use super::codec::{
    Codec, NO_FINISH, base_url, finish_body, lacks, nonempty, put, refuse, stops, tool_fields,
};
use super::lenient::{self, Amount, Arguments, Content, Count, Present, Word};
use crate::chat::{
    ErrorClass, Finish, ModelSpec, Params, ProviderKind, Request, Response, ResponseFormat,
    TokenChoice, ToolCall, Usage,
};
use crate::http::{Reply, Secret, SecretHeader};

/// The codec of chat completions.
#[derive(Debug)]
pub struct OpenAi;

impl Codec for OpenAi {
    fn encode(&self, model: &ModelSpec, request: &Request) -> Result<Encoded, EncodeError> {
        let base = base_url(model)?;
        let server = if is_own_address(base) {
            Server::OpenAi
        } else {
            Server::Compatible
        };
        Ok(Encoded::post(
            format!("{base}/chat/completions"),
            Vec::new(),
            finish_body(chat_body(model.id(), request, server)?, request)?,
        ))
    }

    fn auth(&self, _: &ModelSpec, key: &Secret) -> SecretHeader {
        bearer(key)
    }

    fn decode(&self, _: &ModelSpec, reply: &Reply) -> Result<Response, CallError> {
        decode_chat(reply)
    }
}

/// The header of a bearer key.
pub(super) fn bearer(key: &Secret) -> SecretHeader {
    let value = Secret::new(format!("Bearer {}", key.expose()));
    ("authorization".into(), value)
}

/// Whose rules a chat body has to keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Server {
    /// OpenAI itself, where models go by their own names.
    OpenAi,
    /// OpenAI's models under names of the user's.
    Azure,
    /// A server that speaks the protocol.
    Compatible,
}

pub(super) fn is_own_address(base: &str) -> bool {
    ProviderKind::OpenAi.default_base_url() == Some(base)
}

/// The body of a chat completion, without the fields of `params.extra`.
pub(super) fn chat_body(
    id: &str,
    request: &Request,
    server: Server,
) -> Result<Map<String, Value>, EncodeError> {
    let params = &request.params;
    refuse(
        "the chat completions protocol",
        &[("top_k", params.top_k.is_some())],
    )?;
    if server != Server::Compatible {
        check_reasoning(id, request)?;
    }
    if params.stop.len() > 4 && server != Server::Compatible {
        return Err(lacks(
            "OpenAI",
            "more than 4 texts to stop at",
            "remove some of `stop`",
        ));
    }
    let mut body = Map::new();
    put(&mut body, "model", Some(id));
    let messages = request.messages.iter();
    let messages: Vec<Value> = messages
        .map(|message| json!({"role": message.role.as_str(), "content": message.content}))
        .collect();
    put(&mut body, "messages", Some(messages));
    let cap = match server {
        Server::OpenAi | Server::Azure => "max_completion_tokens",
        Server::Compatible => "max_tokens",
    };
    put(&mut body, cap, params.max_tokens);
    put(&mut body, "temperature", params.temperature);
    put(&mut body, "top_p", params.top_p);
    put(&mut body, "stop", stops(request));
    put(&mut body, "seed", params.seed);
    put(
        &mut body,
        "reasoning_effort",
        params.reasoning_effort.as_deref(),
    );
    if params.logprobs && !(server != Server::Compatible && reasons(id, params)) {
        put(&mut body, "logprobs", Some(true));
        put(&mut body, "top_logprobs", Some(MOST_TOP));
    }
    if !request.tools.is_empty() {
        put(&mut body, "tools", Some(chat_tools(request)?));
    }
    let format = request.response_format.as_ref().map(|format| match format {
        ResponseFormat::JsonObject => json!({"type": "json_object"}),
        ResponseFormat::JsonSchema { name, schema } => json!({
            "type": "json_schema",
            "json_schema": {"name": name, "schema": schema, "strict": true},
        }),
    });
    put(&mut body, "response_format", format);
    Ok(body)
}

/// The tools in the form of chat completions; one that has a `type` is in the vendor's form already.
pub(super) fn chat_tools(request: &Request) -> Result<Vec<Value>, EncodeError> {
    let one = |tool: &Value| {
        if tool.get("type").is_some() {
            return Ok(tool.clone());
        }
        let fields = tool_fields(tool)?;
        Ok(json!({"type": "function", "function": fields}))
    };
    request.tools.iter().map(one).collect()
}

/// Refuses what OpenAI's reasoning models refuse with a 400.
pub(super) fn check_reasoning(id: &str, request: &Request) -> Result<(), EncodeError> {
    let params = &request.params;
    if !reasons(id, params) {
        return Ok(());
    }
    #[expect(
        clippy::float_cmp,
        reason = "the vendor's rule is for this very number"
    )]
    let temperature = params
        .temperature
        .is_some_and(|temperature| temperature != 1.0);
    let logprobs = ["logprobs", "top_logprobs"]
        .iter()
        .any(|key| params.extra.contains_key(*key));
    let no_stop = id.starts_with("o3") || id.starts_with("o4-mini");
    let refused = [
        ("temperature", temperature),
        ("top_p", params.top_p.is_some()),
        ("logprobs", logprobs),
        ("stop", no_stop && !params.stop.is_empty()),
    ];
    match refused.iter().find(|(_, set)| *set) {
        Some((name, _)) => Err(EncodeError {
            message: format!("reasoning model `{id}` does not take `{name}`"),
            help: format!(
                "remove `{name}`, or set `reasoning_effort: none` if the model allows it"
            ),
        }),
        None => Ok(()),
    }
}

/// Whether a model reasons with these parameters; it tells no probabilities then.
fn reasons(id: &str, params: &Params) -> bool {
    match params.reasoning_effort.as_deref() {
        Some(effort) => effort != "none",
        None => always_reasons(id),
    }
}

/// Whether a model of this id reasons unless told otherwise. Of later families the default is not
/// known: those are asked, and refuse by themselves.
fn always_reasons(id: &str) -> bool {
    let o_series = ["o1", "o3", "o4"].iter().any(|name| {
        id.strip_prefix(name)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
    });
    let gpt_5 = id.strip_prefix("gpt-5").is_some_and(|rest| {
        rest.is_empty() || (rest.starts_with('-') && !rest.starts_with("-chat"))
    });
    o_series || gpt_5
}

#[derive(Deserialize)]
struct ChatReply<'a> {
    #[serde(borrow, default)]
    id: Word<'a>,
    #[serde(borrow, default)]
    model: Word<'a>,
    #[serde(borrow, default)]
    system_fingerprint: Word<'a>,
    #[serde(borrow)]
    choices: Option<Vec<Choice<'a>>>,
    usage: Option<ChatUsage>,
    #[serde(default)]
    error: Present,
}

#[derive(Deserialize)]
struct Choice<'a> {
    #[serde(borrow, default)]
    finish_reason: Word<'a>,
    #[serde(borrow)]
    message: Option<ChatMessage<'a>>,
    #[serde(borrow, default)]
    logprobs: Option<&'a RawValue>,
    #[serde(default)]
    error: Present,
}

/// The likeliest tokens that can be asked for.
const MOST_TOP: u32 = 20;

/// The tokens of an answer whose choices are kept: what is asked for stands at its beginning.
const MOST_TOKENS: usize = 64;

/// A choice below this is left out: e^-12 is 0.000006.
const LEAST_LOGPROB: f64 = -12.0;

#[derive(Deserialize)]
struct Logprobs {
    content: Vec<TokenLogprobs>,
}

#[derive(Deserialize)]
struct TokenLogprobs {
    token: String,
    #[serde(default)]
    top_logprobs: Vec<TopLogprob>,
}

#[derive(Deserialize)]
struct TopLogprob {
    token: String,
    logprob: f64,
}

/// The choices of the first tokens; none where they can not be read, since an answer is one without.
fn token_choices(logprobs: Option<&RawValue>) -> Vec<TokenChoice> {
    let read = logprobs.and_then(|raw| serde_json::from_str::<Logprobs>(raw.get()).ok());
    let tokens = read.into_iter().flat_map(|logprobs| logprobs.content);
    tokens
        .take(MOST_TOKENS)
        .map(|token| TokenChoice {
            token: token.token,
            top: token
                .top_logprobs
                .into_iter()
                .filter(|top| top.logprob >= LEAST_LOGPROB)
                .map(|top| (top.token, top.logprob))
                .collect(),
        })
        .collect()
}

#[derive(Deserialize)]
struct ChatMessage<'a> {
    #[serde(borrow, default)]
    content: Content<'a>,
    #[serde(borrow, default)]
    refusal: Word<'a>,
    #[serde(borrow)]
    tool_calls: Option<Vec<ChatToolCall<'a>>>,
    #[serde(borrow)]
    function_call: Option<Function<'a>>,
}

#[derive(Deserialize)]
struct ChatToolCall<'a> {
    #[serde(borrow)]
    function: Option<Function<'a>>,
}

/// A call of a function by its name.
#[derive(Deserialize)]
pub(super) struct Function<'a> {
    #[serde(borrow, default)]
    name: Word<'a>,
    #[serde(default)]
    arguments: Arguments,
}

impl<'a> Function<'a> {
    pub(super) fn new(name: Word<'a>, arguments: Arguments) -> Self {
        Self { name, arguments }
    }

    pub(super) fn into_call(self) -> ToolCall {
        ToolCall {
            name: self.name.into_nonempty().unwrap_or_default(),
            arguments: self.arguments.0,
        }
    }
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct ChatUsage {
    prompt_tokens: Count,
    completion_tokens: Count,
    prompt_tokens_details: Option<PromptDetails>,
    completion_tokens_details: Option<CompletionDetails>,
    cost: Amount,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct PromptDetails {
    cached_tokens: Count,
    cache_write_tokens: Count,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct CompletionDetails {
    reasoning_tokens: Count,
}

impl ChatUsage {
    fn normalised(&self) -> Usage {
        let prompt = self.prompt_tokens_details.as_ref();
        let completion = self.completion_tokens_details.as_ref();
        Usage {
            input_tokens: self.prompt_tokens.0,
            cached_input_tokens: prompt.and_then(|details| details.cached_tokens.0),
            cache_write_tokens: prompt.and_then(|details| details.cache_write_tokens.0),
            output_tokens: self.completion_tokens.0,
            reasoning_tokens: completion.and_then(|details| details.reasoning_tokens.0),
        }
    }
}

/// The calls of tools of a message, in the form of today and the one before it.
fn calls(calls: Option<Vec<ChatToolCall<'_>>>, single: Option<Function<'_>>) -> Vec<ToolCall> {
    let calls = calls.into_iter().flatten();
    calls
        .filter_map(|call| call.function)
        .chain(single)
        .map(Function::into_call)
        .collect()
}

/// Reads a chat completion.
pub(super) fn decode_chat(reply: &Reply) -> Result<Response, CallError> {
    if !(200..300).contains(&reply.status) {
        return Err(classify::reply_error(reply));
    }
    let mut scratch = Vec::new();
    let (chat, lossy) = lenient::read::<ChatReply<'_>>(&reply.body, &mut scratch)
        .map_err(|error| classify::bad_body(reply, &format!("not a chat completion: {error}")))?;
    let choice = chat.choices.and_then(|choices| choices.into_iter().next());
    if chat.error.0 || choice.as_ref().is_some_and(|choice| choice.error.0) {
        return Err(classify::error_in_success(reply));
    }
    let Some(choice) = choice else {
        let why = "a chat completion without choices";
        return Err(classify::success_without_answer(
            reply,
            ErrorClass::Empty,
            why,
        ));
    };
    let Some(message) = choice.message else {
        return Err(classify::bad_body(reply, "a choice without a message"));
    };
    let tool_calls = calls(message.tool_calls, message.function_call);
    let refusal = message.refusal.into_nonempty();
    let mut finish = chat_finish(choice.finish_reason.as_str());
    if matches!(finish, Finish::Error(_)) {
        return Err(classify::error_in_success(reply));
    }
    if refusal.is_some() {
        finish = Finish::Refusal;
    } else if finish == Finish::Stop && !tool_calls.is_empty() {
        finish = Finish::Tool;
    }
    let missing = message.content == Content::Missing;
    let text = message.content.into_text();
    let has_text = text.is_some();
    let usage = chat.usage.unwrap_or_default();
    let response = Response {
        text: text.unwrap_or_default(),
        finish,
        refusal,
        tool_calls,
        usage: usage.normalised(),
        served_model: chat.model.into_nonempty(),
        fingerprint: chat.system_fingerprint.into_nonempty(),
        request_id: request_id(reply, "x-request-id", chat.id),
        reported_cost_usd: usage.cost.0,
        lossy,
        token_choices: token_choices(choice.logprobs),
    };
    nonempty(response, has_text, reply).map_err(|error| {
        if missing {
            classify::bad_body(reply, "a message without content")
        } else {
            error
        }
    })
}

/// The vendor's id of a call: the header's, else the body's own.
pub(super) fn request_id(reply: &Reply, header: &str, id: Word<'_>) -> Option<String> {
    let named = reply.header(header).map(str::to_owned);
    named.or_else(|| id.into_nonempty())
}

fn chat_finish(word: Option<&str>) -> Finish {
    match word {
        Some("stop") => Finish::Stop,
        Some("length") => Finish::Length,
        Some("tool_calls" | "function_call") => Finish::Tool,
        Some("content_filter") => Finish::Filtered,
        Some("error") => Finish::Error("error".to_owned()),
        Some(other) => Finish::Other(other.to_owned()),
        None => Finish::Other(NO_FINISH.to_owned()),
    }
}
