//! How many tokens a question has: counted with the model's own vocabulary where that is published
//! and this build carries it (cargo feature `tiktoken`), else estimated from its bytes.
//!
//! Which vocabulary a model has is told by its name, as in openai/tiktoken `model.py`. What a message
//! costs beside its text follows the OpenAI cookbook, "How to count tokens with tiktoken".

use super::{ProviderKind, Request};

/// Bytes of text per token, the usual estimate for English text; said wherever it is used.
pub const BYTES_PER_TOKEN: f64 = 4.0;

/// The tokens that frame one message, its role included.
const PER_MESSAGE: usize = 4;
/// The tokens that open the answer.
const PER_REQUEST: usize = 3;

/// A published vocabulary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Vocabulary {
    O200k,
    Cl100k,
}

/// How the tokens of one model are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tokenizer {
    known: Option<Vocabulary>,
}

impl Tokenizer {
    /// The tokenizer of a model.
    #[must_use]
    pub fn of_model(provider: ProviderKind, model: &str) -> Self {
        let known = match provider {
            ProviderKind::OpenAi | ProviderKind::OpenAiResponses | ProviderKind::AzureOpenAi => {
                vocabulary_of(model)
            }
            ProviderKind::Anthropic
            | ProviderKind::Gemini
            | ProviderKind::Bedrock
            | ProviderKind::Ollama
            | ProviderKind::Http
            | ProviderKind::Mock
            | ProviderKind::Replay
            | ProviderKind::Exec => None,
        };
        Self { known }
    }

    /// Whether tokens are counted, not estimated.
    #[must_use]
    pub fn counts(&self) -> bool {
        self.known.is_some() && cfg!(feature = "tiktoken")
    }

    /// How tokens are counted, for people.
    #[must_use]
    pub fn describe(&self) -> String {
        let estimate = format!("estimated, {BYTES_PER_TOKEN} bytes a token");
        match self.known {
            Some(vocabulary) if self.counts() => {
                format!("counted with {}", vocabulary.name())
            }
            Some(vocabulary) => format!(
                "{estimate} ({} is not in this build: cargo feature `tiktoken`)",
                vocabulary.name()
            ),
            None => estimate,
        }
    }

    /// Tokens of a text.
    #[must_use]
    pub fn text_tokens(&self, text: &str) -> f64 {
        self.known.map_or_else(
            || estimated(text.len()),
            |vocabulary| count(vocabulary, text),
        )
    }

    /// Tokens of a request's messages and tools.
    #[must_use]
    pub fn request_tokens(&self, request: &Request) -> f64 {
        let tools = request.tools.iter().map(ToString::to_string);
        if !self.counts() {
            let tools: usize = tools.map(|tool| tool.len()).sum();
            let messages = request.messages.iter();
            let texts: usize = messages.map(|message| message.content.len()).sum();
            return estimated(texts + tools);
        }
        let tools: f64 = tools.map(|tool| self.text_tokens(&tool)).sum();
        let messages = request.messages.iter();
        let texts: f64 = messages
            .map(|message| PER_MESSAGE as f64 + self.text_tokens(&message.content))
            .sum();
        texts + tools + PER_REQUEST as f64
    }
}

/// Tokens of so many bytes, estimated.
#[must_use]
pub fn estimated(bytes: usize) -> f64 {
    (bytes as f64 / BYTES_PER_TOKEN).ceil()
}

impl Vocabulary {
    fn name(self) -> &'static str {
        match self {
            Self::O200k => "o200k_base",
            Self::Cl100k => "cl100k_base",
        }
    }
}

/// The vocabulary of a model whose name is known; a family that is newer than this table has none.
fn vocabulary_of(model: &str) -> Option<Vocabulary> {
    const FAMILIES: [(&str, Vocabulary); 12] = [
        ("chatgpt-4o", Vocabulary::O200k),
        ("gpt-4o", Vocabulary::O200k),
        ("gpt-4.1", Vocabulary::O200k),
        ("gpt-4.5", Vocabulary::O200k),
        ("gpt-5", Vocabulary::O200k),
        ("gpt-oss", Vocabulary::O200k),
        ("o1", Vocabulary::O200k),
        ("o3", Vocabulary::O200k),
        ("o4-mini", Vocabulary::O200k),
        ("gpt-4", Vocabulary::Cl100k),
        ("gpt-3.5-turbo", Vocabulary::Cl100k),
        ("gpt-35-turbo", Vocabulary::Cl100k),
    ];
    let model = model
        .strip_prefix("ft:")
        .and_then(|tuned| tuned.split(':').next())
        .unwrap_or(model);
    let ends = |rest: &str| {
        rest.is_empty()
            || rest.starts_with('-')
            || (model.starts_with("gpt-5") && rest.starts_with('.'))
    };
    let family = FAMILIES
        .iter()
        .find(|(family, _)| model.strip_prefix(family).is_some_and(ends));
    family.map(|(_, vocabulary)| *vocabulary)
}

#[cfg(feature = "tiktoken")]
fn count(vocabulary: Vocabulary, text: &str) -> f64 {
    let encoder = match vocabulary {
        Vocabulary::O200k => tiktoken_rs::o200k_base_singleton(),
        Vocabulary::Cl100k => tiktoken_rs::cl100k_base_singleton(),
    };
    let pieces = pieces(text).map(|piece| encoder.count_ordinary(piece));
    pieces.sum::<usize>() as f64
}

/// The text in pieces that are short enough for the vocabulary's pattern, which gives up (and with it
/// the library) on a million characters of one kind. Each cut adds a token at most.
#[cfg(feature = "tiktoken")]
fn pieces(text: &str) -> impl Iterator<Item = &str> {
    const LONGEST: usize = 16 << 10;
    let mut rest = text;
    std::iter::from_fn(move || {
        let (piece, after) = rest.split_at_checked(rest.floor_char_boundary(LONGEST))?;
        rest = after;
        (!piece.is_empty()).then_some(piece)
    })
}

#[cfg(not(feature = "tiktoken"))]
fn count(_: Vocabulary, text: &str) -> f64 {
    estimated(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::{Message, Params, Role};

    fn request(text: &str) -> Request {
        Request {
            messages: vec![Message::new(Role::User, text)],
            params: Params::default(),
            tools: Vec::new(),
            response_format: None,
        }
    }

    #[test]
    fn knows_the_families_of_openai_by_name_and_no_others() {
        let name = |provider, model| {
            let known = Tokenizer::of_model(provider, model).known;
            known.map(Vocabulary::name)
        };
        let openai = |model| name(ProviderKind::OpenAi, model);
        for model in [
            "gpt-4o-2024-08-06",
            "gpt-5.4-mini",
            "o1",
            "ft:gpt-4.1:org:x",
            "gpt-oss-20b",
        ] {
            assert_eq!(openai(model), Some("o200k_base"), "{model}");
        }
        for model in ["gpt-4", "gpt-4-0613", "gpt-3.5-turbo", "gpt-35-turbo"] {
            assert_eq!(openai(model), Some("cl100k_base"), "{model}");
        }
        for model in ["gpt-6-sol", "o4", "gpt-4x", "claude-sonnet-4-5", "o10", ""] {
            assert_eq!(openai(model), None, "{model}");
        }
        assert_eq!(name(ProviderKind::Anthropic, "gpt-4o"), None);
        assert_eq!(
            name(ProviderKind::AzureOpenAi, "gpt-4o"),
            Some("o200k_base")
        );
    }

    #[test]
    fn an_unknown_model_is_estimated_and_says_so() {
        let tokenizer = Tokenizer::of_model(ProviderKind::Anthropic, "claude-sonnet-4-5");
        assert_eq!(tokenizer.describe(), "estimated, 4 bytes a token");
        assert!((tokenizer.request_tokens(&request("nine bytes")) - 3.0).abs() < 1e-12);
    }

    #[test]
    #[cfg(not(feature = "tiktoken"))]
    fn without_the_vocabulary_a_known_model_is_estimated_and_the_feature_named() {
        let tokenizer = Tokenizer::of_model(ProviderKind::OpenAi, "gpt-4o");
        assert!(!tokenizer.counts());
        assert!(tokenizer.describe().contains("cargo feature `tiktoken`"));
        assert!((tokenizer.text_tokens("hello world") - 3.0).abs() < 1e-12);
    }

    /// The sentence and its counts are those of the cookbook.
    #[test]
    #[cfg(feature = "tiktoken")]
    fn counts_as_the_cookbook_does() {
        let count =
            |model, text| Tokenizer::of_model(ProviderKind::OpenAi, model).text_tokens(text);
        let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-12, "{a} {b}");
        close(count("gpt-4o", "antidisestablishmentarianism"), 6.0);
        close(count("gpt-4", "antidisestablishmentarianism"), 6.0);
        close(count("gpt-4", "2 + 2 = 4"), 7.0);
        close(count("gpt-4", "お誕生日おめでとう"), 9.0);
        close(count("gpt-4o", "お誕生日おめでとう"), 8.0);
        let tokenizer = Tokenizer::of_model(ProviderKind::OpenAi, "gpt-4o");
        close(
            tokenizer.request_tokens(&request("2 + 2 = 4")),
            7.0 + 4.0 + 3.0,
        );
    }

    #[test]
    #[cfg(feature = "tiktoken")]
    fn a_million_characters_of_one_kind_are_counted_too() {
        let tokenizer = Tokenizer::of_model(ProviderKind::OpenAi, "gpt-4o");
        let text = " ".repeat(1_100_000) + "x";
        let tokens = tokenizer.text_tokens(&text);
        assert!(tokens > 0.0 && tokens < 100_000.0, "{tokens}");
    }

    #[test]
    #[cfg(feature = "tiktoken")]
    fn agrees_with_the_library_on_what_a_name_means() {
        use tiktoken_rs::tokenizer::{Tokenizer as Theirs, get_tokenizer};
        for model in [
            "gpt-4o-mini",
            "gpt-4",
            "gpt-3.5-turbo-0125",
            "gpt-5-nano",
            "o3",
            "gpt-6",
            "o4",
        ] {
            let ours = Tokenizer::of_model(ProviderKind::OpenAi, model).known;
            let theirs = match get_tokenizer(model) {
                Some(Theirs::O200kBase | Theirs::O200kHarmony) => Some(Vocabulary::O200k),
                Some(Theirs::Cl100kBase) => Some(Vocabulary::Cl100k),
                _ => None,
            };
            assert_eq!(ours, theirs, "{model}");
        }
    }
}
