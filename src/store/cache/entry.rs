//! An answer in the cache: one line of a segment, with the request that its key is the digest of and
//! a sum of its own.

use std::io::Write as _;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::base::digest::LINE_SUM_DIGITS;
use crate::base::{Digest, Timestamp};
use crate::chat::{Finish, Response, TokenChoice, ToolCall, Usage};

/// A stored answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CachedReply {
    /// The text.
    pub text: String,
    /// Why the model stopped.
    pub finish: Finish,
    /// The calls of tools asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tool_calls: Vec<ToolCall>,
    /// Tokens.
    #[serde(default)]
    pub usage: Usage,
    /// The model that answered, by its own word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub served_model: Option<String>,
    /// The backend configuration, by the vendor's word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    /// How long the answer took when it was made; unknown where it came in a batch.
    #[serde(default)]
    pub latency_ms: Option<f64>,
    /// Whether bytes that are no text were replaced.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub lossy: bool,
    /// The likeliest tokens, where they were asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub token_choices: Vec<TokenChoice>,
}

impl CachedReply {
    /// The answer as it came from the provider.
    #[must_use]
    pub fn into_response(self) -> (Response, Option<f64>) {
        let response = Response {
            text: self.text,
            finish: self.finish,
            tool_calls: self.tool_calls,
            usage: self.usage,
            served_model: self.served_model,
            fingerprint: self.fingerprint,
            lossy: self.lossy,
            token_choices: self.token_choices,
            ..Response::default()
        };
        (response, self.latency_ms)
    }

    /// The form in which an answer is stored.
    #[must_use]
    pub fn of_response(response: &Response, latency_ms: Option<f64>) -> Self {
        Self {
            text: response.text.clone(),
            finish: response.finish.clone(),
            tool_calls: response.tool_calls.clone(),
            usage: response.usage,
            served_model: response.served_model.clone(),
            fingerprint: response.fingerprint.clone(),
            latency_ms,
            lossy: response.lossy,
            token_choices: response.token_choices.clone(),
        }
    }
}

#[derive(Deserialize)]
struct EntryIn<'a> {
    #[serde(borrow)]
    request: &'a RawValue,
    #[serde(borrow)]
    reply: &'a RawValue,
}

const REQUEST_KEY: &[u8] = b",\"request\":";
const REPLY_KEY: &[u8] = b",\"reply\":";
const SUM_KEY: &[u8] = b",\"sum\":\"";
/// The length of what a line begins with, `{"key":"sha256:<64 digits>"`.
const KEY_LENGTH: usize = r#"{"key":"sha256:"#.len() + 64 + 1;

/// Appends the line of an answer: `{"key", "request", "reply", "at", "sum"}`. The request is
/// canonical JSON already, so it is not read and written again.
pub(super) fn write_entry(
    key: Digest,
    request: &str,
    reply: &CachedReply,
    at: Timestamp,
    into: &mut Vec<u8>,
) -> Result<(), serde_json::Error> {
    // Writing to a `Vec` can not fail.
    let _ = write!(into, "{{\"key\":\"{key}\"");
    into.extend_from_slice(REQUEST_KEY);
    into.extend_from_slice(request.as_bytes());
    into.extend_from_slice(REPLY_KEY);
    serde_json::to_writer(&mut *into, reply)?;
    let _ = write!(into, ",\"at\":\"{at}\"");
    let sum = Digest::of_bytes(into).line_sum();
    into.extend_from_slice(SUM_KEY);
    into.extend_from_slice(&sum);
    into.extend_from_slice(b"\"}\n");
    Ok(())
}

/// The reply that a line (without its newline) holds, if its sum is right and it answers `key`.
///
/// The key is the digest of the request as stored, so a swapped entry is found out: by comparing it
/// with the request that is asked, or where that is not known by computing its digest again.
pub(super) fn checked_reply(line: &[u8], key: &Digest, asked: Option<&str>) -> Option<CachedReply> {
    let tail = SUM_KEY.len() + LINE_SUM_DIGITS + b"\"}".len();
    let (content, end) = line.split_at_checked(line.len().checked_sub(tail)?)?;
    let sum = end.strip_prefix(SUM_KEY)?.strip_suffix(b"\"}")?;
    if sum != Digest::of_bytes(content).line_sum() {
        return None;
    }
    let Some(asked) = asked else {
        let entry: EntryIn<'_> = serde_json::from_slice(line).ok()?;
        let is_answer = Digest::of_bytes(entry.request.get().as_bytes()) == *key;
        return is_answer.then(|| serde_json::from_str(entry.reply.get()).ok())?;
    };
    let (_, after) = content.split_at_checked(KEY_LENGTH)?;
    let reply = after
        .strip_prefix(REQUEST_KEY)?
        .strip_prefix(asked.as_bytes())?
        .strip_prefix(REPLY_KEY)?;
    // The first value of what follows is the reply.
    let mut values = serde_json::Deserializer::from_slice(reply).into_iter();
    values.next()?.ok()
}

/// When an entry was written.
pub(super) fn written_at(line: &[u8]) -> Option<Timestamp> {
    #[derive(Deserialize)]
    struct At {
        at: Timestamp,
    }
    serde_json::from_slice::<At>(line)
        .ok()
        .map(|entry| entry.at)
}

/// Whether an entry is no older than a point in time.
pub(super) fn is_recent(line: &[u8], not_before: Option<Timestamp>) -> bool {
    not_before.is_none_or(|limit| written_at(line).is_some_and(|at| at >= limit))
}
