//! What every vendor's codec does, and the pieces that codecs share. A codec is pure: what it needs
//! comes in, and what is wrong comes out.

use serde_json::{Map, Value};

use super::call::{CallError, EncodeError, Encoded};
use super::{anthropic, azure, bedrock, gemini, http_form, ollama, openai, openai_responses};
use crate::chat::{ErrorClass, Finish, ModelSpec, ProviderKind, Request, Response, Role};
use crate::http::{Reply, Secret, SecretHeader};

/// Translates between requests and responses and one vendor's wire.
pub trait Codec: Sync {
    /// Puts a request into the vendor's form. `request.params` are final: those of the model are
    /// already laid over the prompt's.
    ///
    /// # Errors
    /// When the vendor can not express something that the request asks for.
    fn encode(&self, model: &ModelSpec, request: &Request) -> Result<Encoded, EncodeError>;

    /// The header that carries the key.
    fn auth(&self, model: &ModelSpec, key: &Secret) -> SecretHeader;

    /// Reads a reply, whatever its status.
    ///
    /// # Errors
    /// When it is an error, or no answer can be read from it.
    fn decode(&self, model: &ModelSpec, reply: &Reply) -> Result<Response, CallError>;
}

/// The codec of a vendor; none for the providers that are not on the network.
#[must_use]
pub fn codec(kind: ProviderKind) -> Option<&'static dyn Codec> {
    match kind {
        ProviderKind::OpenAi => Some(&openai::OpenAi),
        ProviderKind::OpenAiResponses => Some(&openai_responses::OpenAiResponses),
        ProviderKind::AzureOpenAi => Some(&azure::Azure),
        ProviderKind::Anthropic => Some(&anthropic::Anthropic),
        ProviderKind::Gemini => Some(&gemini::Gemini),
        ProviderKind::Bedrock => Some(&bedrock::Bedrock),
        ProviderKind::Ollama => Some(&ollama::Ollama),
        ProviderKind::Http => Some(&http_form::Http),
        ProviderKind::Mock | ProviderKind::Replay | ProviderKind::Exec => None,
    }
}

/// The hosts that are a provider's own, for [`crate::http::check_base_url`]; `*` stands for one
/// label. Azure has none: each resource is a host of its own, so the user has to allow it.
#[must_use]
pub fn own_hosts(kind: ProviderKind) -> &'static [&'static str] {
    match kind {
        ProviderKind::OpenAi | ProviderKind::OpenAiResponses => &["api.openai.com"],
        ProviderKind::Anthropic => &["api.anthropic.com"],
        ProviderKind::Gemini => &["generativelanguage.googleapis.com"],
        ProviderKind::Bedrock => &["bedrock-runtime.*.amazonaws.com"],
        ProviderKind::AzureOpenAi
        | ProviderKind::Ollama
        | ProviderKind::Http
        | ProviderKind::Mock
        | ProviderKind::Replay
        | ProviderKind::Exec => &[],
    }
}

/// Where the provider is: the suite's address or the vendor's own.
pub(super) fn base_url(model: &ModelSpec) -> Result<&str, EncodeError> {
    model
        .base_url
        .as_deref()
        .or_else(|| model.provider.default_base_url())
        .map(|url| url.trim_end_matches('/'))
        .ok_or_else(|| EncodeError {
            message: format!("model `{}` has no `base_url`", model.name),
            help: match model.provider {
                ProviderKind::Bedrock => {
                    "write `base_url: https://bedrock-runtime.<region>.amazonaws.com`".to_owned()
                }
                _ => "write `base_url: https://<resource>.openai.azure.com/openai/v1`".to_owned(),
            },
        })
}

/// The error for what a vendor lacks.
pub(super) fn lacks(vendor: &str, what: &str, help: impl Into<String>) -> EncodeError {
    EncodeError {
        message: format!("{vendor} has no {what}"),
        help: help.into(),
    }
}

/// Refuses the first parameter that is set and that the vendor lacks.
pub(super) fn refuse(vendor: &str, lacking: &[(&str, bool)]) -> Result<(), EncodeError> {
    match lacking.iter().find(|(_, set)| *set) {
        Some((name, _)) => Err(lacks(
            vendor,
            &format!("parameter `{name}`"),
            "remove it for this model; a field of the server's own goes under `params.extra`",
        )),
        None => Ok(()),
    }
}

/// Inserts a value that is set.
pub(super) fn put(map: &mut Map<String, Value>, key: &str, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        map.insert(key.to_owned(), value.into());
    }
}

/// Inserts a map unless it is empty.
pub(super) fn put_map(map: &mut Map<String, Value>, key: &str, value: Map<String, Value>) {
    put(map, key, (!value.is_empty()).then_some(value));
}

/// The texts to stop at, where there are any.
pub(super) fn stops(request: &Request) -> Option<Vec<String>> {
    let stop = &request.params.stop;
    (!stop.is_empty()).then(|| stop.clone())
}

/// The body with the fields of `params.extra` in it: objects are merged by key, all else replaces.
pub(super) fn finish_body(
    mut body: Map<String, Value>,
    request: &Request,
) -> Result<Value, EncodeError> {
    let extra = &request.params.extra;
    if extra.get("stream").is_some_and(|stream| *stream != false) {
        return Err(EncodeError {
            message: "`params.extra.stream` asks for a stream of events".to_owned(),
            help: "remove it: answers are read whole".to_owned(),
        });
    }
    merge(&mut body, extra);
    Ok(body.into())
}

fn merge(into: &mut Map<String, Value>, from: &Map<String, Value>) {
    for (key, value) in from {
        match (into.get_mut(key), value) {
            (Some(Value::Object(into)), Value::Object(from)) => merge(into, from),
            _ => {
                into.insert(key.clone(), value.clone());
            }
        }
    }
}

/// The messages of the system that stand before all others, and the rest.
pub(super) fn split_system(request: &Request) -> (Vec<&str>, &[crate::chat::Message]) {
    let leading = request.messages.iter();
    let count = leading
        .take_while(|message| message.role == Role::System)
        .count();
    let (system, turns) = request.messages.split_at_checked(count).unwrap_or_default();
    (
        system
            .iter()
            .map(|message| message.content.as_str())
            .collect(),
        turns,
    )
}

/// As [`split_system`], for vendors that know no system message among the turns and ask for a turn.
pub(super) fn split_system_strictly<'a>(
    vendor: &str,
    request: &'a Request,
) -> Result<(Vec<&'a str>, &'a [crate::chat::Message]), EncodeError> {
    let (system, turns) = split_system(request);
    if turns.iter().any(|turn| turn.role == Role::System) {
        return Err(lacks(
            vendor,
            "system message after the first turn",
            "move system messages to the top of the prompt",
        ));
    }
    if turns.is_empty() {
        return Err(lacks(
            vendor,
            "conversation of system messages alone",
            "add a message of role `user`",
        ));
    }
    Ok((system, turns))
}

/// The fields of a tool as the prompt file writes it.
pub(super) fn tool_fields(tool: &Value) -> Result<&Map<String, Value>, EncodeError> {
    let fields = tool.as_object();
    fields
        .filter(|fields| fields.get("name").is_some_and(Value::is_string))
        .ok_or_else(|| EncodeError {
            message: "a tool of the prompt has no name".to_owned(),
            help: "write each tool as `{name, description, parameters}`".to_owned(),
        })
}

/// The fields of a tool with the schema of its parameters under the vendor's key.
pub(super) fn tool_with_schema_key(tool: &Value, key: &str) -> Result<Value, EncodeError> {
    let renamed = |(name, value): (&String, &Value)| {
        let name = if name == "parameters" { key } else { name };
        (name.to_owned(), value.clone())
    };
    let fields: Map<String, Value> = tool_fields(tool)?.iter().map(renamed).collect();
    Ok(fields.into())
}

/// Percent-encodes all but unreserved characters, for one segment of a path.
pub(super) fn path_segment(text: &str) -> String {
    use std::fmt::Write as _;
    let mut encoded = String::with_capacity(text.len() + 8);
    for byte in text.bytes() {
        // Writing to a `String` can not fail.
        let _ = match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.write_char(char::from(byte))
            }
            _ => write!(encoded, "%{byte:02X}"),
        };
    }
    encoded
}

/// The finish of an answer that comes without one.
pub(super) const NO_FINISH: &str = "missing";

/// A response that holds something, or the error that it holds nothing: an answer without text, tool
/// call or refusal is one only where the vendor says why (`""` with a known stop included).
pub(super) fn nonempty(
    response: Response,
    has_text: bool,
    reply: &Reply,
) -> Result<Response, CallError> {
    let something = has_text || !response.tool_calls.is_empty() || response.refusal.is_some();
    let explained = match &response.finish {
        Finish::Length
        | Finish::Refusal
        | Finish::Filtered
        | Finish::ToolFault
        | Finish::Error(_) => true,
        Finish::Other(word) => word != NO_FINISH,
        Finish::Stop | Finish::Tool => false,
    };
    if something || explained {
        return Ok(response);
    }
    Err(super::classify::success_without_answer(
        reply,
        ErrorClass::Empty,
        "a success without text, tool call or refusal",
    ))
}
