//! What a scorer is given and what it gives: the answer with what is known about it, the case it
//! belongs to, and the score with its reason.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::base::text;
use crate::chat::{Finish, ToolCall, Usage};
use crate::dataset::Case;

/// An answer under test.
#[derive(Debug, Clone, Copy)]
pub struct Answer<'a> {
    /// The text; empty where there is none.
    pub text: &'a str,
    /// Why the model stopped.
    pub finish: &'a Finish,
    /// The calls of tools that the model asks for.
    pub tool_calls: &'a [ToolCall],
    /// Tokens used.
    pub usage: Usage,
    /// How long the answer took, where that is known.
    pub latency_ms: Option<f64>,
    /// What the answer cost, where that is known.
    pub cost_usd: Option<f64>,
}

/// What an answer is measured against.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The case.
    pub case: &'a Case,
    /// The last user message as it was sent.
    pub question: &'a str,
    /// The tools offered, each `{"name", "description", "parameters"}`.
    pub tools: &'a [Value],
}

/// What a scorer says of an answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// Whether the answer is good enough.
    pub pass: bool,
    /// How good it is, from 0 to 1.
    pub score: f64,
    /// Why, in one sentence of at most 300 characters that is safe to show.
    pub reason: String,
    /// What it was made of, where several judgements were: the members of a panel, for one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<Part>,
}

/// One of the judgements that a score was made of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Part {
    /// What it is called within its scorer.
    pub name: String,
    /// Whether it passes by itself.
    pub pass: bool,
    /// How good the answer is by it, from 0 to 1.
    pub score: f64,
    /// Why, in a sentence.
    pub reason: String,
}

/// The most characters of a reason.
pub const MAX_REASON: usize = 300;

/// What an assertion found, before threshold and negation.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// Whether it passes where no threshold is set.
    pub pass: bool,
    /// The share of what was wanted, from 0 to 1.
    pub score: f64,
    /// What was found.
    pub reason: String,
    /// Whether it stays a fail with `not-` and whatever the threshold, since what was to be looked
    /// at is not there.
    pub absent: bool,
}

impl Finding {
    /// A finding that is right or wrong and nothing between.
    pub fn binary(pass: bool, reason: impl Into<String>) -> Self {
        Self {
            pass,
            score: if pass { 1.0 } else { 0.0 },
            reason: reason.into(),
            absent: false,
        }
    }

    /// The finding that there is nothing to look at.
    pub fn absent(reason: impl Into<String>) -> Self {
        Self {
            absent: true,
            ..Self::binary(false, reason)
        }
    }

    /// A finding by degree, which passes when it is complete.
    pub fn graded(score: f64, reason: impl Into<String>) -> Self {
        let score = if score.is_nan() {
            0.0
        } else {
            score.clamp(0.0, 1.0)
        };
        Self {
            pass: score >= 1.0,
            score,
            reason: reason.into(),
            absent: false,
        }
    }
}

/// A text for a reason: on one line, harmless, and shortened to 80 characters.
#[must_use]
pub fn quote(text: &str) -> String {
    const MOST: usize = 80;
    // Of a long text only the part that can be shown is looked at.
    let visible = text::visible_line(text::byte_prefix(text, 4 * MOST + 4));
    format!("`{}`", text::shorten(&visible, MOST))
}

/// The share that a count is of another, 1 where both are 0.
#[must_use]
pub fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 {
        return 1.0;
    }
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    let share = part as f64 / whole as f64;
    share
}
