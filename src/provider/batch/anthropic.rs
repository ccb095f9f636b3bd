//! Anthropic's message batches: the requests stand in the call that makes the batch.

use serde::Deserialize;
use serde_json::{Value, json, value::RawValue};

use super::line::custom_id;
use super::openai::expired;
use super::protocol::{BatchState, Limits, Protocol, Step};
use crate::chat::ErrorClass;
use crate::http::{Header, Headers, Reply};
use crate::provider::anthropic::VERSION;
use crate::provider::call::CallError;
use crate::provider::classify;
use crate::provider::codec::path_segment;
use crate::provider::endpoint::Sealed;

/// Batches of messages.
pub(super) struct Anthropic;

#[derive(Deserialize)]
struct Batch {
    processing_status: String,
    #[serde(default)]
    request_counts: Counts,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Counts {
    succeeded: u64,
    errored: u64,
    canceled: u64,
    expired: u64,
}

#[derive(Deserialize)]
struct Line<'a> {
    custom_id: String,
    #[serde(borrow)]
    result: LineAnswer<'a>,
}

#[derive(Deserialize)]
struct LineAnswer<'a> {
    r#type: String,
    #[serde(borrow, default)]
    message: Option<&'a RawValue>,
    #[serde(default)]
    error: Option<Value>,
}

fn root(base: &str) -> String {
    let root = base.strip_suffix("/v1").unwrap_or(base);
    format!("{root}/v1/messages/batches")
}

impl Protocol for Anthropic {
    fn limits(&self) -> Limits {
        Limits {
            requests: 100_000,
            bytes: 240 << 20,
        }
    }

    fn headers(&self) -> Vec<Header> {
        vec![("anthropic-version".into(), VERSION.to_owned())]
    }

    fn upload(&self, _: &str, _: &[&Sealed]) -> Option<Step> {
        None
    }

    fn create(&self, base: &str, calls: &[&Sealed], _: Option<&Reply>) -> Result<Step, CallError> {
        let mut body = b"{\"requests\":[".to_vec();
        for (index, call) in calls.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            let id = custom_id(&call.key());
            body.extend_from_slice(
                format!("{comma}{{\"custom_id\":\"{id}\",\"params\":").as_bytes(),
            );
            body.extend_from_slice(call.body().as_bytes());
            body.push(b'}');
        }
        body.extend_from_slice(b"]}");
        Ok(Step::post(root(base), "application/json", body))
    }

    fn look(&self, base: &str, id: &str) -> Step {
        Step::get(format!("{}/{}", root(base), path_segment(id)))
    }

    fn state(&self, base: &str, id: &str, reply: &Reply) -> Result<BatchState, CallError> {
        let batch: Batch = serde_json::from_slice(&reply.body)
            .map_err(|error| classify::bad_body(reply, &format!("not a batch: {error}")))?;
        let counts = batch.request_counts;
        let done = [
            counts.succeeded,
            counts.errored,
            counts.canceled,
            counts.expired,
        ];
        Ok(match batch.processing_status.as_str() {
            // The reply names the address too, but only the documented one gets the key.
            "ended" => {
                BatchState::Ended(vec![format!("{}/{}/results", root(base), path_segment(id))])
            }
            // `in_progress`, `canceling`, and what may come.
            _ => BatchState::Working {
                done: done.into_iter().fold(0, u64::saturating_add),
            },
        })
    }

    fn line(&self, line: &[u8]) -> Option<(String, Result<Reply, CallError>)> {
        let line: Line<'_> = serde_json::from_slice(line).ok()?;
        let result = line.result;
        let answer = match (result.r#type.as_str(), result.message, result.error) {
            ("succeeded", Some(message), _) => Ok(reply(200, message.get().as_bytes().to_vec())),
            ("errored", _, Some(error)) => Ok(error_reply(error)),
            ("expired", _, _) => Err(expired()),
            ("canceled", _, _) => Err(CallError::new(
                ErrorClass::Conflict,
                "the batch was cancelled before this request was answered",
            )),
            _ => Err(CallError::new(
                ErrorClass::BadBody,
                "a line of the batch without an answer",
            )),
        };
        Some((line.custom_id, answer))
    }
}

fn reply(status: u16, body: Vec<u8>) -> Reply {
    Reply {
        status,
        headers: Headers::default(),
        body,
    }
}

/// The reply that the same error would have had outside of a batch.
fn error_reply(error: Value) -> Reply {
    let wrapped = if error.get("type").and_then(Value::as_str) == Some("error") {
        error
    } else {
        json!({"type": "error", "error": error})
    };
    let kind = wrapped.pointer("/error/type").and_then(Value::as_str);
    let status = match kind {
        Some("authentication_error") => 401,
        Some("billing_error") => 402,
        Some("permission_error") => 403,
        Some("not_found_error") => 404,
        Some("request_too_large") => 413,
        Some("rate_limit_error") => 429,
        Some("api_error") => 500,
        Some("timeout_error") => 504,
        Some("overloaded_error") => 529,
        _ => 400,
    };
    reply(status, wrapped.to_string().into_bytes())
}
