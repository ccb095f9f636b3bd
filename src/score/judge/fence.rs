//! Fences around the values that a judge is given: their number is a digest of all values, so that
//! no text can close its own fence and the same question is always the same text.

use serde_json::{Map, Value, json};

use super::super::template::print;
use crate::base::{Digest, text};

/// The number in the fences: the first 32 hex digits of SHA-256 over the canonical JSON of a list
/// of the judge's hash and the object of all values by variable.
#[must_use]
pub fn nonce(judge: &Digest, values: &Value) -> String {
    Digest::of_json(&json!([judge.to_string(), values])).short(32)
}

/// The values by name, each in its fence.
#[must_use]
pub fn fenced(judge: &Digest, values: &Map<String, Value>) -> Vec<(String, String)> {
    let nonce = nonce(judge, &Value::Object(values.clone()));
    values
        .iter()
        .map(|(name, value)| {
            let tag = format!("{}-{nonce}", name.to_uppercase());
            (name.clone(), format!("<{tag}>{}</{tag}>", print(value)))
        })
        .collect()
}

/// The text with every control and bidi character replaced.
#[must_use]
pub fn harmless(value: &str) -> String {
    value
        .chars()
        .map(|c| if text::is_deceptive(c) { '\u{fffd}' } else { c })
        .collect()
}
