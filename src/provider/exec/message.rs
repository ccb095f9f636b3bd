//! What the exec provider sends for a call, and how it reads the answer.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::{Exec, ExecReply};
use crate::base::decode::Reader;
use crate::base::text::{byte_prefix, visible_line};
use crate::base::{Diagnostics, Table};
use crate::chat::{ErrorClass, Finish, Response, ResponseFormat};
use crate::provider::usage::read_usage;
use crate::provider::{Call, CallError};

impl Exec {
    /// Asks the command for the answer to a call. The caller sets the deadline.
    ///
    /// # Errors
    /// When the command can not be started, ends, breaks the protocol, or answers with an `error`.
    pub async fn answer(&self, call: &Call<'_>, model: &str) -> Result<Response, CallError> {
        decode(&self.ask(encode(call, model)).await?)
    }

    /// What is sent for a call, with the command, for the cache key.
    #[must_use]
    pub fn identity(&self, call: &Call<'_>, model: &str) -> Value {
        let command = self.command();
        let mut sent = encode(call, model);
        let command: Vec<&str> = std::iter::once(command.program.as_str())
            .chain(command.arguments.iter().map(String::as_str))
            .collect();
        sent.insert("command".to_owned(), json!(command));
        sent.into()
    }
}

/// The message of a call, but for its `id`; what is absent is null.
#[must_use]
pub fn encode(call: &Call<'_>, model: &str) -> Map<String, Value> {
    let request = call.request;
    let response_format = match &request.response_format {
        None => Value::Null,
        Some(ResponseFormat::JsonObject) => json!({"type": "json_object"}),
        Some(ResponseFormat::JsonSchema { name, schema }) => {
            json!({"type": "json_schema", "name": name, "schema": schema})
        }
    };
    [
        ("case", json!(call.subject.case.id)),
        ("repeat", json!(call.subject.repeat)),
        ("model", json!(model)),
        ("messages", json!(request.messages)),
        ("params", json!(request.params)),
        ("response_format", response_format),
        ("tools", json!(request.tools)),
    ]
    .into_iter()
    .map(|(key, value)| (key.to_owned(), value))
    .collect()
}

/// Reads a reply as an answer.
///
/// # Errors
/// When it has no `output`, unknown keys or wrong types, or is empty for no stated reason.
pub fn decode(reply: &ExecReply) -> Result<Response, CallError> {
    let mut diagnostics = Diagnostics::new();
    let response = read_response(reply, &mut diagnostics);
    if let Some(first) = diagnostics.iter().next() {
        let help = first.help.as_deref().unwrap_or_default();
        let message = format!(
            "the command's reply can not be used: {}; {help}",
            first.message
        );
        let message = visible_line(&message);
        let message = byte_prefix(&message, 500);
        return Err(CallError::new(ErrorClass::BadBody, message));
    }
    match response {
        Some((response, Some(_))) => Ok(response),
        Some((response, None)) if !response.text.is_empty() => Ok(response),
        _ => {
            let message = "the command's reply is empty and states no finish reason";
            Err(CallError::new(ErrorClass::Empty, message))
        }
    }
}

/// The answer, and the finish reason that the reply states.
fn read_response(
    reply: &ExecReply,
    diagnostics: &mut Diagnostics,
) -> Option<(Response, Option<Finish>)> {
    let mut reader = Reader {
        source: Arc::clone(&reply.source),
        diagnostics,
    };
    let mut table = Table::new(&mut reader, &reply.node, "the reply")?;
    let _ = (table.get("id"), table.get("error"));
    let text = table
        .require(&mut reader, "output")
        .and_then(|node| reader.text(node, "`output`"));
    let finish = table
        .get("finish_reason")
        .and_then(|node| reader.nonempty(node, "`finish_reason`"))
        .map(Finish::from_word);
    let model = table
        .get("model")
        .and_then(|node| reader.text(node, "`model`"));
    let usage = table
        .get("usage")
        .and_then(|node| read_usage(&mut reader, node));
    table.finish(&mut reader);
    let response = Response {
        text: text?.to_owned(),
        finish: finish.clone().unwrap_or_default(),
        usage: usage.unwrap_or_default(),
        served_model: model.map(str::to_owned),
        lossy: reply.lossy,
        ..Response::default()
    };
    Some((response, finish))
}
