//! The two kinds of fault of a call, which are never mixed: a fault of the answer makes a trial
//! failed, a fault of the wire makes it errored.

use serde::{Deserialize, Serialize};

/// A fault of the answer itself, which makes a trial failed, not errored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AnswerFault {
    /// The model refused.
    Refused,
    /// A filter took the question or the answer away.
    Filtered,
    /// The answer is cut at the most tokens allowed.
    Truncated,
    /// A call of a tool that can not be used.
    ToolCall,
    /// The question did not fit the model's context.
    Context,
}

impl AnswerFault {
    /// All faults by their words.
    pub const WORDS: [(&'static str, Self); 5] = [
        ("refused", Self::Refused),
        ("filtered", Self::Filtered),
        ("truncated", Self::Truncated),
        ("tool_call", Self::ToolCall),
        ("context", Self::Context),
    ];

    /// The word in files and results.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Filtered => "filtered",
            Self::Truncated => "truncated",
            Self::ToolCall => "tool_call",
            Self::Context => "context",
        }
    }
}

/// The classes of fault of a call, by providers.md section 4.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorClass {
    /// The key is missing, wrong or not allowed.
    Auth,
    /// The account has no money or quota left.
    Quota,
    /// Too many requests at the moment.
    RateLimit,
    /// The provider has too much to do.
    Overloaded,
    /// A fault of the provider's.
    Server,
    /// No answer in time.
    Timeout,
    /// The provider asks to try again (409).
    Conflict,
    /// No connection, or it broke before a byte came.
    Connect,
    /// The host has no address.
    Dns,
    /// No trusted connection.
    Tls,
    /// The question does not fit the model.
    ContextLength,
    /// The request is too large for the provider.
    RequestTooLarge,
    /// A filter refused the question.
    FilteredInput,
    /// The provider has no such model.
    ModelMissing,
    /// Another fault of the request.
    BadRequest,
    /// A success that can not be read.
    BadBody,
    /// More bytes than an answer may have.
    ReplyTooLarge,
    /// A success without an answer.
    Empty,
    /// A reason to stop that this program does not know.
    UnknownFinish,
    /// A judge gave no verdict.
    Judge,
    /// A fault of this program.
    Internal,
    /// The cassette or the mock rules have no answer.
    NoRecording,
}

impl ErrorClass {
    /// All classes by their words.
    pub const WORDS: [(&'static str, Self); 22] = [
        ("auth", Self::Auth),
        ("quota", Self::Quota),
        ("rate_limit", Self::RateLimit),
        ("overloaded", Self::Overloaded),
        ("server", Self::Server),
        ("timeout", Self::Timeout),
        ("conflict", Self::Conflict),
        ("connect", Self::Connect),
        ("dns", Self::Dns),
        ("tls", Self::Tls),
        ("context_length", Self::ContextLength),
        ("request_too_large", Self::RequestTooLarge),
        ("filtered_input", Self::FilteredInput),
        ("model_missing", Self::ModelMissing),
        ("bad_request", Self::BadRequest),
        ("bad_body", Self::BadBody),
        ("reply_too_large", Self::ReplyTooLarge),
        ("empty", Self::Empty),
        ("unknown_finish", Self::UnknownFinish),
        ("judge", Self::Judge),
        ("internal", Self::Internal),
        ("no_recording", Self::NoRecording),
    ];

    /// The word in results.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        let entry = Self::WORDS.iter().find(|(_, class)| *class == self);
        entry.map_or("internal", |(word, _)| word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_of_the_serialised_form() {
        for (word, class) in ErrorClass::WORDS {
            assert_eq!(serde_json::to_value(class).unwrap(), word);
            assert_eq!(class.as_str(), word);
        }
        for (word, fault) in AnswerFault::WORDS {
            assert_eq!(serde_json::to_value(fault).unwrap(), word);
            assert_eq!(fault.as_str(), word);
        }
    }
}
