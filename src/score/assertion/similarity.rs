//! Likeness of characters: `levenshtein` as in autoevals, `similarity` by Jaro-Winkler or by the
//! set of words as in rapidfuzz.

use std::collections::BTreeSet;

use super::super::answer::{Finding, share};
use super::super::error::Fault;
use super::super::form::ScorerType;
use super::super::spec::Kind;
use super::super::template::Operand;
use super::distance::{check_size, common, similarity};
use super::ngram::words;
use super::{Assertion, Input};

/// The types of this family.
pub const TYPES: &[ScorerType] = &[
    ScorerType::new("levenshtein", &["value"], |form| {
        let value = form.alternatives("value")?;
        kind(value, Method::Levenshtein)
    })
    .graded(),
    ScorerType::new("similarity", &["value", "method"], |form| {
        let method = form.word("method", &METHODS);
        let wrong = method.is_none() && form.get("method").is_some();
        let value = form.alternatives("value")?;
        if wrong {
            return None;
        }
        kind(value, method.unwrap_or(Method::JaroWinkler))
    })
    .graded(),
];

const METHODS: [(&str, Method); 2] = [
    ("jaro-winkler", Method::JaroWinkler),
    ("token-set", Method::TokenSet),
];

/// A text that the answer should be like.
#[derive(Debug, Clone)]
pub struct Similarity {
    value: Operand,
    method: Method,
}

/// How likeness is measured.
#[derive(Debug, Clone, Copy)]
enum Method {
    Levenshtein,
    JaroWinkler,
    TokenSet,
}

#[expect(clippy::unnecessary_wraps, reason = "the end of a decoder")]
fn kind(value: Operand, method: Method) -> Option<Kind> {
    let similarity = Similarity { value, method };
    Some(Kind::Assertion(Assertion::Similarity(similarity)))
}

impl Similarity {
    pub(super) fn find(&self, input: &Input<'_>) -> Result<Finding, Fault> {
        best(&self.value, input, "alike", |value| match self.method {
            Method::Levenshtein => similarity(input.text, value),
            Method::JaroWinkler => {
                check_size(input.text.len(), value.len())?;
                Ok(strsim::jaro_winkler(input.text, value))
            }
            Method::TokenSet => token_set(input.text, value),
        })
    }
}

/// The highest score of an answer against the alternatives of a value.
pub(super) fn best(
    value: &Operand,
    input: &Input<'_>,
    what: &str,
    score: impl Fn(&str) -> Result<f64, Fault>,
) -> Result<Finding, Fault> {
    let values = value.alternatives(input.context.case)?;
    let mut best = 0.0f64;
    for value in &values {
        best = best.max(score(value)?);
    }
    Ok(Finding::graded(
        best,
        format!("answer and value are {best:.4} {what}"),
    ))
}

/// rapidfuzz's `token_set_ratio`, as a share.
fn token_set(a: &str, b: &str) -> Result<f64, Fault> {
    let (a, b): (BTreeSet<&str>, BTreeSet<&str>) = (words(a).collect(), words(b).collect());
    if a.is_empty() || b.is_empty() {
        return Ok(0.0);
    }
    let join = |set: Vec<&str>| -> Vec<char> { set.join(" ").chars().collect() };
    let both = join(a.intersection(&b).copied().collect()).len();
    let (only_a, only_b): (Vec<&str>, Vec<&str>) = (
        a.difference(&b).copied().collect(),
        b.difference(&a).copied().collect(),
    );
    if both > 0 && (only_a.is_empty() || only_b.is_empty()) {
        return Ok(1.0);
    }
    let (only_a, only_b) = (join(only_a), join(only_b));
    let gap = usize::from(both > 0);
    let (with_a, with_b) = (both + gap + only_a.len(), both + gap + only_b.len());
    let edits = only_a.len() + only_b.len() - 2 * common(&only_a, &only_b)?;
    let ratio = |edits: usize, length: usize| 1.0 - share(edits, length);
    let mut best = ratio(edits, with_a + with_b);
    if both > 0 {
        best = best
            .max(ratio(gap + only_a.len(), both + with_a))
            .max(ratio(gap + only_b.len(), both + with_b));
    }
    Ok(best)
}
