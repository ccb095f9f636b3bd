//! What a model answered, with the vendors' many words for the same thing made one.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{AnswerFault, Usage};

/// A complete answer.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Response {
    /// The text of the answer; empty where there is none, such as beside a tool call.
    pub text: String,
    /// Why the model stopped.
    pub finish: Finish,
    /// What the model said in place of an answer it refused to give, where the vendor keeps it apart.
    pub refusal: Option<String>,
    /// The calls of tools asked for.
    pub tool_calls: Vec<ToolCall>,
    /// Tokens used, as reported.
    pub usage: Usage,
    /// The model that answered, by its own word.
    pub served_model: Option<String>,
    /// The backend configuration, by the vendor's word.
    pub fingerprint: Option<String>,
    /// The vendor's id of the call.
    pub request_id: Option<String>,
    /// The cost in USD by a gateway's own word, beside the computed one.
    pub reported_cost_usd: Option<f64>,
    /// Whether bytes that are no text were replaced.
    pub lossy: bool,
    /// The first tokens of the answer with what else they could have been, where that was asked for
    /// and the provider tells.
    pub token_choices: Vec<TokenChoice>,
}

/// A token of an answer, with the likeliest tokens for its place.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TokenChoice {
    /// The token's text.
    pub token: String,
    /// The likeliest tokens for this place with the natural logarithms of their probabilities.
    pub top: Vec<(String, f64)>,
}

/// Why a model stopped.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Finish {
    /// The answer is complete.
    #[default]
    Stop,
    /// The answer is cut at the most tokens allowed.
    Length,
    /// The model asks for a tool.
    Tool,
    /// The model refuses.
    Refusal,
    /// The vendor's filter took the answer away.
    Filtered,
    /// The model asked for a tool in a form that can not be used.
    ToolFault,
    /// The vendor reports a fault of its own.
    Error(String),
    /// A word that this program does not know, kept as it came; never taken for [`Finish::Stop`].
    Other(String),
}

impl Finish {
    /// The word in results and cassettes.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Stop => "stop",
            Self::Length => "length",
            Self::Tool => "tool",
            Self::Refusal => "refusal",
            Self::Filtered => "filtered",
            Self::ToolFault => "tool_fault",
            Self::Error(word) | Self::Other(word) => word,
        }
    }

    /// Reads a word of a cassette, a mock rule or the run log.
    #[must_use]
    pub fn from_word(word: &str) -> Self {
        match word {
            "stop" => Self::Stop,
            "length" => Self::Length,
            "tool" => Self::Tool,
            "refusal" => Self::Refusal,
            "filtered" => Self::Filtered,
            "tool_fault" => Self::ToolFault,
            "error" => Self::Error("error".to_owned()),
            other => Self::Other(other.to_owned()),
        }
    }

    /// The fault of the answer that this finish means, if it is one.
    #[must_use]
    pub fn answer_fault(&self) -> Option<AnswerFault> {
        match self {
            Self::Stop | Self::Tool | Self::Error(_) | Self::Other(_) => None,
            Self::Length => Some(AnswerFault::Truncated),
            Self::Refusal => Some(AnswerFault::Refused),
            Self::Filtered => Some(AnswerFault::Filtered),
            Self::ToolFault => Some(AnswerFault::ToolCall),
        }
    }
}

impl Serialize for Finish {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Finish {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let word = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Ok(Self::from_word(&word))
    }
}

/// A call of a tool that the model asks for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ToolCall {
    /// The tool's name.
    pub name: String,
    /// The arguments as JSON; text that is no JSON is kept as text.
    pub arguments: Value,
}
