//! The forms of a judge's verdict: what a reply must hold, as a schema to ask for and as words, and
//! what it means as a score.

use serde::Deserialize;
use serde_json::{Value, json};

/// What a judge replies. Every form has fixed sets of values, so that nothing is guessed.
#[derive(Debug, Clone, PartialEq)]
pub enum VerdictForm {
    /// `reason`, `pass` and a `score` of five steps.
    Rubric,
    /// `reason` and the `class` of how the answer's facts stand to the reference's.
    Factuality(ClassScores),
    /// A `score` from 1 to 5, of which the expected value counts, and `reason`.
    Scale(Scale),
    /// `reason` and which of two answers is `better`.
    Preference,
}

/// How the expected score of a judge is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scale {
    /// Whether the probabilities of tokens are asked for.
    pub logprobs: bool,
    /// How many replies are taken the mean of where there are no probabilities.
    pub samples: u32,
}

/// Which of two answers a judge prefers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Preference {
    /// The one that stands first.
    First,
    /// The one that stands second.
    Second,
    /// Neither.
    Tie,
}

/// How the facts of an answer stand to those of a reference: the classes of the closed-QA
/// evaluation of OpenAI's evals, which autoevals and promptfoo use too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum Class {
    /// A part of the reference's facts, none that contradicts.
    A,
    /// All of the reference's facts and more, none that contradicts.
    B,
    /// The same facts.
    C,
    /// A contradiction.
    D,
    /// A difference that does not matter to the facts.
    E,
}

/// What each [`Class`] scores, from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClassScores {
    scores: [(Class, f64); 5],
}

impl Class {
    /// The classes by their letters.
    pub const WORDS: [(&'static str, Self); 5] = [
        ("A", Self::A),
        ("B", Self::B),
        ("C", Self::C),
        ("D", Self::D),
        ("E", Self::E),
    ];

    /// The class in words.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        match self {
            Self::A => "A, a part of the reference",
            Self::B => "B, more than the reference",
            Self::C => "C, the facts of the reference",
            Self::D => "D, contradicts the reference",
            Self::E => "E, differs where it does not matter",
        }
    }
}

impl Default for ClassScores {
    /// The scores of autoevals' `Factuality`.
    fn default() -> Self {
        Self {
            scores: [
                (Class::A, 0.4),
                (Class::B, 0.6),
                (Class::C, 1.0),
                (Class::D, 0.0),
                (Class::E, 1.0),
            ],
        }
    }
}

impl ClassScores {
    /// Sets the score of a class.
    pub fn set(&mut self, class: Class, score: f64) {
        for (_, old) in self.scores.iter_mut().filter(|(known, _)| *known == class) {
            *old = score;
        }
    }

    /// The score of a class.
    #[must_use]
    pub fn of(&self, class: Class) -> f64 {
        let found = self.scores.iter().find(|(known, _)| *known == class);
        found.map_or(0.0, |(_, score)| *score)
    }

    /// The scores by letter.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let scores = Class::WORDS.iter();
        scores
            .map(|(word, class)| ((*word).to_owned(), json!(self.of(*class))))
            .collect::<serde_json::Map<String, Value>>()
            .into()
    }
}

impl VerdictForm {
    /// How many replies to one question may be taken for a score.
    #[must_use]
    pub fn samples(&self) -> u32 {
        match self {
            Self::Rubric | Self::Factuality(_) | Self::Preference => 1,
            Self::Scale(scale) => scale.samples,
        }
    }

    /// The JSON Schema of a reply.
    #[must_use]
    pub fn schema(&self) -> Value {
        match self {
            Self::Rubric => object(&[
                ("reason", json!({"type": "string"})),
                ("pass", json!({"type": "boolean"})),
                (
                    "score",
                    json!({"type": "number", "enum": [0, 0.25, 0.5, 0.75, 1]}),
                ),
            ]),
            Self::Factuality(_) => object(&[
                ("reason", json!({"type": "string"})),
                (
                    "class",
                    json!({"type": "string", "enum": Class::WORDS.map(|(word, _)| word)}),
                ),
            ]),
            Self::Scale(_) => object(&[
                ("score", json!({"type": "integer", "enum": [1, 2, 3, 4, 5]})),
                ("reason", json!({"type": "string"})),
            ]),
            Self::Preference => object(&[
                ("reason", json!({"type": "string"})),
                (
                    "better",
                    json!({"type": "string", "enum": ["first", "second", "tie"]}),
                ),
            ]),
        }
    }

    /// The reply in words, for a judge that has to write it again.
    #[must_use]
    pub fn in_words(&self) -> &'static str {
        match self {
            Self::Rubric => {
                r#"{"reason": text, "pass": true or false, "score": 0, 0.25, 0.5, 0.75 or 1}"#
            }
            Self::Factuality(_) => r#"{"reason": text, "class": "A", "B", "C", "D" or "E"}"#,
            Self::Scale(_) => r#"{"score": 1, 2, 3, 4 or 5, "reason": text}"#,
            Self::Preference => r#"{"reason": text, "better": "first", "second" or "tie"}"#,
        }
    }
}

/// The schema of an object with exactly these keys.
fn object(properties: &[(&str, Value)]) -> Value {
    let required: Vec<&str> = properties.iter().map(|(name, _)| *name).collect();
    let properties: serde_json::Map<String, Value> = properties
        .iter()
        .map(|(name, schema)| ((*name).to_owned(), schema.clone()))
        .collect();
    json!({
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false
    })
}
