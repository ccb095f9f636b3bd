//! Which class of fault a reply or an exchange is, by providers.md section 4, from status, headers
//! and the many forms of error bodies; and how long the provider asks to wait.

use std::borrow::Cow;
use std::time::Duration;

use serde_json::Value;

use super::call::CallError;
use super::lenient;
use crate::base::text;
use crate::chat::ErrorClass;
use crate::http::{HttpFault, Reply};

/// The most bytes of a body in a message.
const EXCERPT: usize = 500;

/// The error that an exchange without a whole reply is.
#[must_use]
pub fn exchange_error(fault: &HttpFault) -> CallError {
    let class = match fault {
        HttpFault::Unsendable { .. } => ErrorClass::BadRequest,
        HttpFault::Setup(_) | HttpFault::Tls { .. } => ErrorClass::Tls,
        HttpFault::Connect { .. } => ErrorClass::Connect,
        HttpFault::Dns { .. } => ErrorClass::Dns,
        HttpFault::Timeout { .. } => ErrorClass::Timeout,
        HttpFault::Cut { .. } => ErrorClass::BadBody,
        HttpFault::TooLarge { .. } => ErrorClass::ReplyTooLarge,
    };
    CallError::new(class, fault.to_string())
}

/// The error that a reply with a status other than success is.
#[must_use]
pub fn reply_error(reply: &Reply) -> CallError {
    let facts = Facts::read(reply);
    let class = class_of_status(reply, &facts);
    facts.into_error(reply, class)
}

/// The error that a success with an error in its body is: of the class that the inner code tells.
#[must_use]
pub fn error_in_success(reply: &Reply) -> CallError {
    let facts = Facts::read(reply);
    let class = class_of_inner(&facts).unwrap_or(ErrorClass::BadBody);
    facts.into_error(reply, class)
}

/// The error that a success which can not be read is.
#[must_use]
pub fn bad_body(reply: &Reply, why: &str) -> CallError {
    success_without_answer(reply, ErrorClass::BadBody, why)
}

/// The most bytes of the reason why a body is none.
const MOST_WHY: usize = 240;

/// The error of a success, with the beginning of its body.
pub(super) fn success_without_answer(reply: &Reply, class: ErrorClass, why: &str) -> CallError {
    let kind = reply.header("content-type").unwrap_or("no content-type");
    let body = excerpt(&reply.body);
    // A parser's message quotes what it found, which may be the whole body.
    let dots = if why.len() > MOST_WHY { "\u{2026}" } else { "" };
    let why = format!("{}{dots}", text::byte_prefix(why, MOST_WHY));
    error(
        reply,
        class,
        format!("{why} ({kind}, {} bytes): {body}", reply.body.len()),
    )
}

/// The wait that a provider asks for: `retry-after-ms`, then `retry-after` in seconds or as a date
/// against the reply's own `date`; what is not a positive time counts as absent.
#[must_use]
pub fn retry_after(reply: &Reply) -> Option<Duration> {
    let millis = reply.header("retry-after-ms");
    let seconds = || reply.header("retry-after").and_then(number);
    millis
        .and_then(number)
        .and_then(|millis| positive(millis / 1e3))
        .or_else(|| positive(seconds()?))
        .or_else(|| {
            let until = date(reply.header("retry-after")?)?;
            let now = date(reply.header("date")?)?;
            #[expect(clippy::cast_precision_loss, reason = "a wait of seconds")]
            let wait = until.checked_sub(now)? as f64;
            positive(wait)
        })
}

fn number(text: &str) -> Option<f64> {
    text.trim().parse().ok()
}

fn positive(seconds: f64) -> Option<Duration> {
    let wait = Duration::try_from_secs_f64(seconds).ok()?;
    (!wait.is_zero()).then_some(wait)
}

/// The point in time of an HTTP date.
pub(super) fn http_date(text: &str) -> Option<crate::base::Timestamp> {
    Some(crate::base::Timestamp::from_millis(
        date(text)?.checked_mul(1_000)?,
    ))
}

/// The seconds since 1970 of an HTTP date.
fn date(text: &str) -> Option<i64> {
    let zoned = jiff::fmt::rfc2822::parse(text.trim()).ok()?;
    Some(zoned.timestamp().as_second())
}

fn should_retry(reply: &Reply) -> Option<bool> {
    match reply.header("x-should-retry")?.trim() {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    }
}

/// The first bytes of a body, on one line, with what could deceive a reader escaped.
pub(super) fn excerpt(body: &[u8]) -> String {
    if body.is_empty() {
        return "no body".to_owned();
    }
    let start = body.get(..body.len().min(EXCERPT)).unwrap_or_default();
    let line = text::visible_line(&String::from_utf8_lossy(start));
    text::byte_prefix(&line, EXCERPT).to_owned()
}

fn error(reply: &Reply, class: ErrorClass, message: String) -> CallError {
    CallError {
        class,
        message,
        retry_after: retry_after(reply),
        should_retry: should_retry(reply),
    }
}

/// What an error reply says, whatever its form.
#[derive(Debug, Default)]
struct Facts {
    /// The words that name the kind of error: codes, types, statuses, reasons.
    words: Vec<String>,
    /// A code that is an HTTP status.
    code: Option<u16>,
    /// The vendor's sentence.
    message: Option<String>,
    /// Whether a moderation service says what it flagged.
    flagged: bool,
    /// A wait in the body.
    delay: Option<Duration>,
}

impl Facts {
    fn read(reply: &Reply) -> Self {
        let mut facts = Self::default();
        facts.word(reply.header("x-amzn-errortype"));
        let mut scratch = Vec::new();
        let Ok((root, _)) = lenient::read::<Value>(&reply.body, &mut scratch) else {
            return facts;
        };
        // Gemini has been seen to wrap its error in a list.
        let root = root.get(0).unwrap_or(&root);
        facts.word(root.get("__type").and_then(Value::as_str));
        let in_choice = || root.get("choices")?.get(0)?.get("error");
        let error = root.get("error").filter(|error| !error.is_null());
        match error.or_else(in_choice).filter(|error| !error.is_null()) {
            Some(Value::String(message)) => facts.message = Some(message.clone()),
            Some(error) => facts.read_error(error),
            None => facts.read_error(root),
        }
        facts
    }

    fn read_error(&mut self, error: &Value) {
        let text = |key: &str| error.get(key).and_then(Value::as_str);
        for key in ["code", "type", "status"] {
            self.word(text(key));
        }
        let inner = |key: &str| error.get(key)?.get("code")?.as_str();
        self.word(inner("innererror").or_else(|| inner("inner_error")));
        let code = error.get("code").or_else(|| error.get("statusCode"));
        self.code = code.and_then(|code| match code {
            Value::String(digits) => digits.parse().ok(),
            other => u16::try_from(other.as_u64()?).ok(),
        });
        let message = ["message", "Message", "detail"];
        self.message = message.iter().find_map(|key| match error.get(key)? {
            Value::String(message) => Some(message.clone()),
            Value::Null => None,
            other => Some(other.to_string()),
        });
        let metadata = error.get("metadata");
        let has = |key: &str| metadata.is_some_and(|metadata| metadata.get(key).is_some());
        self.flagged = has("reasons") || has("flagged_input");
        let details = error.get("details").and_then(Value::as_array);
        for detail in details.into_iter().flatten() {
            self.word(detail.get("reason").and_then(Value::as_str));
            let delay = detail.get("retryDelay").and_then(Value::as_str);
            let seconds = delay.and_then(|delay| number(delay.strip_suffix('s')?));
            self.delay = self.delay.or_else(|| positive(seconds?));
        }
    }

    fn word(&mut self, word: Option<&str>) {
        // AWS writes `namespace#Name:documentation`.
        let name = word.and_then(|word| word.split(':').next()?.rsplit('#').next());
        if let Some(name) = name.filter(|name| !name.is_empty()) {
            self.words.push(name.to_owned());
        }
    }

    fn says(&self, words: &[&str]) -> bool {
        let known = |word: &String| words.iter().any(|known| known.eq_ignore_ascii_case(word));
        self.words.iter().any(known)
    }

    fn mentions(&self, phrases: &[&str]) -> bool {
        let message = self.message.as_deref().unwrap_or_default().to_lowercase();
        phrases.iter().any(|phrase| message.contains(phrase))
    }

    fn into_error(self, reply: &Reply, class: ErrorClass) -> CallError {
        let mut parts = vec![format!("HTTP {}", reply.status)];
        parts.extend(self.words.first().map(|word| text::visible_line(word)));
        let said: Cow<'_, str> = match &self.message {
            Some(message) => text::visible_line(message).into(),
            None => excerpt(&reply.body).into(),
        };
        parts.push(text::byte_prefix(&said, EXCERPT).to_owned());
        let mut error = error(reply, class, parts.join(": "));
        error.retry_after = error.retry_after.or(self.delay);
        error
    }
}

const CONTEXT_WORDS: &[&str] = &["context_length_exceeded", "exceed_context_size_error"];
const CONTEXT_PHRASES: &[&str] = &[
    "maximum context length",
    "prompt is too long",
    "exceeds the maximum number of tokens",
    "exceeds the available context size",
    "exceed context limit",
    // Ollama, of texts to embed.
    "exceeds the context length",
    "input is too long",
    // LiteLLM names the class of its exception alone.
    "contextwindowexceedederror",
];
const FILTER_WORDS: &[&str] = &[
    "content_filter",
    "responsibleaipolicyviolation",
    "content_policy_violation",
];
const AUTH_WORDS: &[&str] = &[
    "authentication_error",
    "permission_error",
    "invalid_api_key",
    "api_key_invalid",
    "unauthenticated",
    "permission_denied",
    "accessdeniedexception",
    "unrecognizedclientexception",
    "expiredtokenexception",
];
const QUOTA_WORDS: &[&str] = &["insufficient_quota", "billing_error"];
const RATE_WORDS: &[&str] = &[
    "rate_limit_exceeded",
    "rate_limit_error",
    "resource_exhausted",
    "throttlingexception",
    "modelnotreadyexception",
    "toomanyrequestsexception",
];
const OVERLOADED_WORDS: &[&str] = &[
    "overloaded_error",
    "unavailable",
    "serviceunavailableexception",
];
const MODEL_WORDS: &[&str] = &[
    "model_not_found",
    "not_found_error",
    "deploymentnotfound",
    "resourcenotfoundexception",
    "not_found",
];
const MODEL_PHRASES: &[&str] = &["invalid model name", "model identifier is invalid"];
const SERVER_WORDS: &[&str] = &[
    "api_error",
    "timeout_error",
    "server_error",
    "internal",
    "internal_error",
    "internalserverexception",
    "modelerrorexception",
];

/// The class of a reply by its status, where the words of the body tell apart what shares one.
fn class_of_status(reply: &Reply, facts: &Facts) -> ErrorClass {
    let status = reply.status;
    match status {
        402 if reply.header("retry-after").is_some() => ErrorClass::RateLimit,
        402 => ErrorClass::Quota,
        403 if facts.flagged || facts.says(FILTER_WORDS) => ErrorClass::FilteredInput,
        401 | 403 => ErrorClass::Auth,
        404 => ErrorClass::ModelMissing,
        408 => ErrorClass::Timeout,
        409 => ErrorClass::Conflict,
        413 if is_context(facts) => ErrorClass::ContextLength,
        413 => ErrorClass::RequestTooLarge,
        429 if facts.says(QUOTA_WORDS) => ErrorClass::Quota,
        429 => ErrorClass::RateLimit,
        503 | 529 => ErrorClass::Overloaded,
        500.. if facts.says(OVERLOADED_WORDS) => ErrorClass::Overloaded,
        500.. => ErrorClass::Server,
        424 if facts.says(SERVER_WORDS) => ErrorClass::Server,
        400.. => class_of_inner(facts).unwrap_or(ErrorClass::BadRequest),
        _ => ErrorClass::BadRequest,
    }
}

fn is_context(facts: &Facts) -> bool {
    facts.says(CONTEXT_WORDS) || facts.mentions(CONTEXT_PHRASES)
}

/// The class by the body's words alone, then by a code that is a status.
fn class_of_inner(facts: &Facts) -> Option<ErrorClass> {
    if is_context(facts) {
        return Some(ErrorClass::ContextLength);
    }
    let by_word = [
        (FILTER_WORDS, ErrorClass::FilteredInput),
        (AUTH_WORDS, ErrorClass::Auth),
        (QUOTA_WORDS, ErrorClass::Quota),
        (RATE_WORDS, ErrorClass::RateLimit),
        (OVERLOADED_WORDS, ErrorClass::Overloaded),
        (MODEL_WORDS, ErrorClass::ModelMissing),
        (SERVER_WORDS, ErrorClass::Server),
        (&["request_too_large"], ErrorClass::RequestTooLarge),
    ];
    if let Some((_, class)) = by_word.iter().find(|(words, _)| facts.says(words)) {
        return Some(*class);
    }
    if facts.mentions(MODEL_PHRASES) {
        return Some(ErrorClass::ModelMissing);
    }
    match facts.code? {
        402 => Some(ErrorClass::Quota),
        403 if facts.flagged => Some(ErrorClass::FilteredInput),
        401 | 403 => Some(ErrorClass::Auth),
        404 => Some(ErrorClass::ModelMissing),
        408 => Some(ErrorClass::Timeout),
        409 => Some(ErrorClass::Conflict),
        413 => Some(ErrorClass::RequestTooLarge),
        429 => Some(ErrorClass::RateLimit),
        503 | 529 => Some(ErrorClass::Overloaded),
        500..600 => Some(ErrorClass::Server),
        400..500 => Some(ErrorClass::BadRequest),
        _ => None,
    }
}
