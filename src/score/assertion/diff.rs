//! The likeness of two JSON values as `JSONDiff` of autoevals has it: the mean over keys and items,
//! texts by Levenshtein's distance, numbers by their relative difference.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use super::super::answer::share;
use super::super::error::Fault;
use super::distance::similarity;
use super::ngram::number;

/// The likeness, from 0 to 1. Texts that hold a JSON object or list are compared as such.
///
/// # Errors
/// When texts are too long to be compared.
pub fn json_diff(a: &Value, b: &Value) -> Result<f64, Fault> {
    let (parsed_a, parsed_b) = (parsed(a), parsed(b));
    let (a, b) = (
        parsed_a.as_ref().unwrap_or(a),
        parsed_b.as_ref().unwrap_or(b),
    );
    match (a, b) {
        (Value::Object(a), Value::Object(b)) => objects(a, b),
        (Value::Array(a), Value::Array(b)) => {
            let longer = a.len().max(b.len());
            let mut sum = 0.0;
            for (a, b) in a.iter().zip(b) {
                sum += json_diff(a, b)?;
            }
            Ok(if longer == 0 {
                1.0
            } else {
                sum / number(longer)
            })
        }
        (Value::String(a), Value::String(b)) => similarity(a, b),
        (Value::Null, Value::Null) => Ok(1.0),
        (Value::Null, _) | (_, Value::Null) => Ok(0.0),
        (a, b) => match (as_number(a), as_number(b)) {
            (Some(a), Some(b)) => Ok(numbers(a, b)),
            _ => similarity(&dump(a), &dump(b)),
        },
    }
}

/// One less the difference as a share of both sizes: 1 for equal numbers, 0 for opposite ones.
#[must_use]
pub fn numbers(a: f64, b: f64) -> f64 {
    let size = a.abs() + b.abs();
    if size == 0.0 {
        1.0
    } else {
        1.0 - (a - b).abs() / size
    }
}

fn parsed(value: &Value) -> Option<Value> {
    let text = value.as_str()?;
    let value: Value = serde_json::from_str(text).ok()?;
    (value.is_object() || value.is_array()).then_some(value)
}

fn objects(a: &Map<String, Value>, b: &Map<String, Value>) -> Result<f64, Fault> {
    let only_b = b.keys().filter(|key| !a.contains_key(*key));
    let (mut sum, mut count) = (0.0, 0);
    for key in a.keys().chain(only_b) {
        let absent = &Value::Null;
        sum += json_diff(a.get(key).unwrap_or(absent), b.get(key).unwrap_or(absent))?;
        count += 1;
    }
    Ok(if count == 0 {
        share(1, 1)
    } else {
        sum / number(count)
    })
}

/// A number, or a boolean, which Python takes for one.
fn as_number(value: &Value) -> Option<f64> {
    match value {
        Value::Bool(value) => Some(f64::from(u8::from(*value))),
        Value::Number(number) => number.as_f64(),
        Value::Null | Value::String(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// The value as Python's `json.dumps` writes it: sorted keys, no white space, ASCII only.
fn dump(value: &Value) -> String {
    let json = value.to_string();
    let mut ascii = String::with_capacity(json.len());
    for c in json.chars() {
        if c.is_ascii() {
            ascii.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // Writing to a `String` can not fail.
                let _ = write!(ascii, "\\u{unit:04x}");
            }
        }
    }
    ascii
}
