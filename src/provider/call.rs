//! A call of a model: what identifies it, what goes on the wire, and how it can end.

use std::fmt;
use std::time::Duration;

use serde_json::Value;

use crate::base::text::{byte_prefix, visible_line};
use crate::chat::{AnswerFault, ErrorClass, Request};
use crate::dataset::Case;
use crate::http::{Header, Method};

/// What a call is about. Providers on the wire ignore it; the mock and the cassette answer by it.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The case.
    pub case: &'a Case,
    /// The number of the repeat, from 1.
    pub repeat: u32,
    /// The scorer whose judge is asked; absent for the answer itself.
    pub scorer: Option<&'a str>,
    /// The version asked: what a cassette line may name.
    pub version: Version<'a>,
}

/// The prompt version that a call belongs to.
#[derive(Debug, Clone, Copy)]
pub struct Version<'a> {
    /// `7` of `v7`, where the version has a number.
    pub number: Option<u32>,
    /// `sha256:` and 64 digits.
    pub hash: &'a str,
}

impl fmt::Display for Version<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.number {
            Some(number) => write!(f, "v{number}"),
            None => f.write_str(byte_prefix(self.hash, "sha256:".len() + 8)),
        }
    }
}

/// The names of the call, for messages.
impl fmt::Display for Subject<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            case,
            repeat,
            scorer,
            version,
        } = self;
        let id = visible_line(case.id.as_str());
        write!(f, "case `{id}`, version {version}, repeat {repeat}")?;
        scorer.map_or(Ok(()), |scorer| write!(f, ", scorer `{scorer}`"))
    }
}

/// What goes on the wire for a request, without any secret: the part that the cache key covers.
#[derive(Debug, Clone, PartialEq)]
pub struct Encoded {
    /// What the host is asked to do.
    pub method: Method,
    /// The full address.
    pub url: String,
    /// Headers that change the meaning, such as a protocol version. Never a key.
    pub headers: Vec<Header>,
    /// The body: JSON. A text is sent as it is, and nothing for null.
    pub body: Value,
    /// What in the suite decides how the reply is read; null where the provider alone does.
    pub reading: Value,
}

impl Encoded {
    /// A call that posts JSON, whose reply the provider's protocol explains.
    #[must_use]
    pub fn post(url: String, headers: Vec<Header>, body: Value) -> Self {
        Self {
            method: Method::Post,
            url,
            headers,
            body,
            reading: Value::Null,
        }
    }
}

/// Why a request can not be put into a vendor's form: the user's fault, found before any send.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct EncodeError {
    /// What the vendor can not express.
    pub message: String,
    /// What to do.
    pub help: String,
}

/// A call that gave no answer.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{message}")]
pub struct CallError {
    /// What kind of fault.
    pub class: ErrorClass,
    /// What happened, for people; at most 500 bytes of a body, escaped, without secrets.
    pub message: String,
    /// The wait the provider asked for.
    pub retry_after: Option<Duration>,
    /// The provider's own word on whether to try again (`x-should-retry`).
    pub should_retry: Option<bool>,
}

impl CallError {
    /// An error of a class without a wait.
    #[must_use]
    pub fn new(class: ErrorClass, message: impl Into<String>) -> Self {
        Self {
            class,
            message: message.into(),
            retry_after: None,
            should_retry: None,
        }
    }

    /// The fault of the answer that this error really is, if it is one: a question filtered or too
    /// long is the prompt's fault, not the wire's.
    #[must_use]
    pub fn answer_fault(&self) -> Option<AnswerFault> {
        match self.class {
            ErrorClass::FilteredInput => Some(AnswerFault::Filtered),
            ErrorClass::ContextLength => Some(AnswerFault::Context),
            _ => None,
        }
    }
}

/// A request with what identifies it.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// The request.
    pub request: &'a Request,
    /// What it is about.
    pub subject: Subject<'a>,
}
