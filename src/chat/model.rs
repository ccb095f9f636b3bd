//! Which model is asked, and where: the provider-neutral part of a suite's `models` entry.

use std::time::Duration;

use super::{HttpForm, Params, Price};
use crate::base::Name;

/// The protocols that `gate` speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ProviderKind {
    /// OpenAI chat completions, and every server compatible with them.
    OpenAi,
    /// OpenAI responses.
    OpenAiResponses,
    /// Azure OpenAI, both routes.
    AzureOpenAi,
    /// Anthropic messages.
    Anthropic,
    /// Google Gemini `generateContent`.
    Gemini,
    /// Amazon Bedrock Converse.
    Bedrock,
    /// Ollama's own protocol.
    Ollama,
    /// A service with a form of its own.
    Http,
    /// The rules file of formats.md section 9.
    Mock,
    /// A cassette of recorded answers.
    Replay,
    /// A command of the user's own.
    Exec,
}

impl ProviderKind {
    /// All providers by their names in a suite.
    pub const WORDS: [(&'static str, Self); 11] = [
        ("openai", Self::OpenAi),
        ("openai-responses", Self::OpenAiResponses),
        ("azure-openai", Self::AzureOpenAi),
        ("anthropic", Self::Anthropic),
        ("gemini", Self::Gemini),
        ("bedrock", Self::Bedrock),
        ("ollama", Self::Ollama),
        ("http", Self::Http),
        ("mock", Self::Mock),
        ("replay", Self::Replay),
        ("exec", Self::Exec),
    ];

    /// The name in a suite and in results.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::OpenAiResponses => "openai-responses",
            Self::AzureOpenAi => "azure-openai",
            Self::Anthropic => "anthropic",
            Self::Gemini => "gemini",
            Self::Bedrock => "bedrock",
            Self::Ollama => "ollama",
            Self::Http => "http",
            Self::Mock => "mock",
            Self::Replay => "replay",
            Self::Exec => "exec",
        }
    }

    /// Whether calls leave this process over the network.
    #[must_use]
    pub fn is_remote(self) -> bool {
        !matches!(self, Self::Mock | Self::Replay | Self::Exec)
    }

    /// The vendor's own address, where it has one for everybody.
    #[must_use]
    pub fn default_base_url(self) -> Option<&'static str> {
        match self {
            Self::OpenAi | Self::OpenAiResponses => Some("https://api.openai.com/v1"),
            Self::Anthropic => Some("https://api.anthropic.com"),
            Self::Gemini => Some("https://generativelanguage.googleapis.com/v1beta"),
            Self::Ollama => Some("http://127.0.0.1:11434"),
            Self::AzureOpenAi
            | Self::Bedrock
            | Self::Http
            | Self::Mock
            | Self::Replay
            | Self::Exec => None,
        }
    }

    /// The environment variable that usually holds the key.
    #[must_use]
    pub fn default_key_variable(self) -> Option<&'static str> {
        match self {
            Self::OpenAi | Self::OpenAiResponses => Some("OPENAI_API_KEY"),
            Self::AzureOpenAi => Some("AZURE_OPENAI_API_KEY"),
            Self::Anthropic => Some("ANTHROPIC_API_KEY"),
            Self::Gemini => Some("GEMINI_API_KEY"),
            Self::Bedrock => Some("AWS_BEARER_TOKEN_BEDROCK"),
            Self::Ollama | Self::Http | Self::Mock | Self::Replay | Self::Exec => None,
        }
    }
}

/// A model of a suite, checked and with its defaults filled in.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelSpec {
    /// Its name in the suite.
    pub name: Name,
    /// The protocol.
    pub provider: ProviderKind,
    /// The model's id at the provider; optional for http, mock, replay and exec.
    pub model: Option<String>,
    /// Where the provider is, for a vendor without a trailing slash; absent for the vendor's own
    /// address.
    pub base_url: Option<String>,
    /// The environment variable that holds the key, if the suite names one.
    pub api_key_env: Option<String>,
    /// Parameters over the prompt's.
    pub params: Params,
    /// The price the suite states.
    pub price: Option<Price>,
    /// Time allowed for one request, where the suite states one.
    pub timeout: Option<Duration>,
    /// The rules file of a mock, relative to the project's root.
    pub rules: Option<String>,
    /// The cassette of a replay, relative to the project's root.
    pub cassette: Option<String>,
    /// The command of an exec provider.
    pub command: Vec<String>,
    /// The form of an http provider.
    pub http: Option<HttpForm>,
}

impl ModelSpec {
    /// The model's id, or its name in the suite where it has none.
    #[must_use]
    pub fn id(&self) -> &str {
        self.model.as_deref().unwrap_or(self.name.as_str())
    }
}
