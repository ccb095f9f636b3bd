//! The form of a service that speaks no protocol of a vendor: what goes where in a request, and
//! where in the reply the answer stands. The suite declares it (`http:` of a model).

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::base::jsonpath::JsonPath;

/// What a service of the user's own is sent, and how its reply is read.
#[derive(Debug, Clone, PartialEq)]
pub struct HttpForm {
    /// The method.
    pub method: HttpMethod,
    /// Headers by their names in lower case; never a key.
    pub headers: BTreeMap<String, String>,
    /// The header that carries the key.
    pub key_header: KeyHeader,
    /// What follows the `?` of the address, as templates of [`Slot`]s.
    pub query: BTreeMap<String, String>,
    /// The body: a tree whose texts are templates of [`Slot`]s, or one such text; null for none.
    pub body: Value,
    /// Where the answer stands in the reply; absent where the whole reply is the answer.
    pub answer: Option<JsonPath>,
    /// Where the tokens of the question stand in the reply.
    pub input_tokens: Option<JsonPath>,
    /// Where the tokens of the answer stand in the reply.
    pub output_tokens: Option<JsonPath>,
}

impl HttpForm {
    /// How the reply is read, as part of a cache key; null where it is taken whole.
    #[must_use]
    pub fn reading(&self) -> Value {
        let paths = [
            ("answer", &self.answer),
            ("input_tokens", &self.input_tokens),
            ("output_tokens", &self.output_tokens),
        ];
        let named = paths.into_iter().filter_map(|(name, path)| {
            let path = path.as_ref()?;
            Some((name.to_owned(), path.source().into()))
        });
        let named: serde_json::Map<String, Value> = named.collect();
        if named.is_empty() {
            Value::Null
        } else {
            named.into()
        }
    }

    /// The form as part of a suite's digest: all of it but for the way of the key.
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!({
            "method": self.method.as_str(),
            "headers": self.headers,
            "query": self.query,
            "body": self.body,
            "reading": self.reading(),
        })
    }
}

/// What a service is asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HttpMethod {
    /// Hand out, without a body.
    Get,
    /// Take in the body.
    Post,
    /// Put the body in place of what is there.
    Put,
}

impl HttpMethod {
    /// The methods by their words.
    pub const WORDS: [(&'static str, Self); 3] =
        [("POST", Self::Post), ("GET", Self::Get), ("PUT", Self::Put)];

    /// The word in a suite.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
        }
    }
}

/// What a body that is a text is written in, which says how values stand in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextBody {
    /// As they are.
    Plain,
    /// Percent-encoded (RFC 3986).
    Form,
    /// With the five entities of XML.
    Xml,
}

impl TextBody {
    /// What a `content-type` asks for; `None` where that is not known.
    #[must_use]
    pub fn of(content_type: &str) -> Option<Self> {
        match bare_type(content_type).as_str() {
            "text/plain" => Some(Self::Plain),
            "application/x-www-form-urlencoded" => Some(Self::Form),
            "application/xml" | "text/xml" => Some(Self::Xml),
            other if other.ends_with("+xml") => Some(Self::Xml),
            _ => None,
        }
    }
}

/// Whether a `content-type` is one of JSON.
#[must_use]
pub fn is_json_type(content_type: &str) -> bool {
    let bare = bare_type(content_type);
    bare == "application/json" || bare.ends_with("+json")
}

/// A `content-type` without its parameters.
fn bare_type(content_type: &str) -> String {
    let bare = content_type.split(';').next().unwrap_or(content_type);
    bare.trim().to_ascii_lowercase()
}

/// The header that carries a key: `x-api-key: KEY`, or `authorization: Bearer KEY`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyHeader {
    /// Its name in lower case.
    pub name: String,
    /// The word before the key.
    pub scheme: Option<String>,
}

impl Default for KeyHeader {
    /// That of RFC 6750.
    fn default() -> Self {
        Self {
            name: "authorization".to_owned(),
            scheme: Some("Bearer".to_owned()),
        }
    }
}

/// A part of a request that has a place in a form, written as `{{prompt}}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Slot {
    /// The last message of the user.
    Prompt,
    /// The messages of the system before all others, a blank line between two.
    System,
    /// The messages between those of the system and the last.
    History,
    /// All messages; without those of the system where they have a place of their own.
    Messages,
    /// The model's id, or its name in the suite.
    Model,
    /// `params.temperature`.
    Temperature,
    /// `params.top_p`.
    TopP,
    /// `params.top_k`.
    TopK,
    /// `params.max_tokens`.
    MaxTokens,
    /// `params.stop`.
    Stop,
    /// `params.seed`.
    Seed,
    /// `params.reasoning_effort`.
    ReasoningEffort,
}

impl Slot {
    /// The parts by their words.
    pub const WORDS: [(&'static str, Self); 12] = [
        ("prompt", Self::Prompt),
        ("system", Self::System),
        ("history", Self::History),
        ("messages", Self::Messages),
        ("model", Self::Model),
        ("temperature", Self::Temperature),
        ("top_p", Self::TopP),
        ("top_k", Self::TopK),
        ("max_tokens", Self::MaxTokens),
        ("stop", Self::Stop),
        ("seed", Self::Seed),
        ("reasoning_effort", Self::ReasoningEffort),
    ];

    /// The part of a word.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        let known = Self::WORDS.iter().find(|(known, _)| *known == word);
        known.map(|(_, slot)| *slot)
    }
}
