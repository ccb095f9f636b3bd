//! `f1` and `exact-match` as in the `SQuAD` 2.0 evaluation script: answers are compared without case,
//! punctuation, articles and extra white space.

use super::super::answer::{Finding, quote, share};
use super::super::error::Fault;
use super::super::form::ScorerType;
use super::super::spec::Kind;
use super::super::template::Operand;
use super::ngram::{counts, f1, overlap, words};
use super::similarity::best;
use super::{Assertion, Input};

/// The types of this family.
pub const TYPES: &[ScorerType] = &[
    ScorerType::new("f1", &["value"], |form| {
        let value = form.alternatives("value")?;
        Some(Kind::Assertion(Assertion::Squad(Squad::F1(value))))
    })
    .graded(),
    ScorerType::new("exact-match", &["value"], |form| {
        let value = form.alternatives("value")?;
        Some(Kind::Assertion(Assertion::Squad(Squad::Exact(value))))
    }),
];

/// A short answer, or one of several.
#[derive(Debug, Clone)]
pub enum Squad {
    /// By the words shared.
    F1(Operand),
    /// By equality.
    Exact(Operand),
}

impl Squad {
    pub(super) fn find(&self, input: &Input<'_>) -> Result<Finding, Fault> {
        let answer = normalize(input.text);
        match self {
            Self::F1(value) => {
                let answer: Vec<&str> = words(&answer).collect();
                best(value, input, "alike by words", |value| {
                    let value = normalize(value);
                    Ok(word_f1(&answer, &words(&value).collect::<Vec<_>>()))
                })
            }
            Self::Exact(value) => {
                let values = value.alternatives(input.context.case)?;
                let found = values.iter().find(|value| normalize(value) == answer);
                Ok(match found {
                    Some(value) => Finding::binary(true, format!("the answer is {}", quote(value))),
                    None => {
                        let first = quote(values.first().map_or("", AsRef::as_ref));
                        let answer = quote(input.text);
                        Finding::binary(false, format!("the answer is {answer}, not {first}"))
                    }
                })
            }
        }
    }
}

fn word_f1(answer: &[&str], value: &[&str]) -> f64 {
    if answer.is_empty() || value.is_empty() {
        return if answer == value { 1.0 } else { 0.0 };
    }
    let hits = overlap(&counts(answer, 1), &counts(value, 1));
    f1(share(hits, answer.len()), share(hits, value.len()))
}

/// Lower case, without ASCII punctuation, the words a, an, the, and extra white space.
fn normalize(text: &str) -> String {
    let text: String = text
        .to_lowercase()
        .chars()
        .filter(|c| !c.is_ascii_punctuation())
        .collect();
    let text = without_articles(&text);
    words(&text).collect::<Vec<_>>().join(" ")
}

fn without_articles(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut word = String::new();
    for c in text.chars() {
        if c.is_alphanumeric() || c == '_' {
            word.push(c);
            continue;
        }
        push_unless_article(&mut kept, &word);
        word.clear();
        kept.push(c);
    }
    push_unless_article(&mut kept, &word);
    kept
}

fn push_unless_article(kept: &mut String, word: &str) {
    kept.push_str(if ["a", "an", "the"].contains(&word) {
        " "
    } else {
        word
    });
}
