//! The values of a test as JavaScript may take them when it compares: code that gives another text for
//! them is none whose result we know.

use serde_json::Value as Json;

use super::super::nunjucks::js_text;
use crate::base::node::json_number;

/// A value with texts that are numbers or truths as such.
pub(super) fn as_numbers(value: &Json) -> Json {
    each(value, &|value| match value {
        Json::String(text) => {
            let bare = text.trim();
            let read = serde_json::from_str::<Json>(bare).ok();
            let plain = read.filter(|read| read.is_number() || read.is_boolean());
            match plain {
                Some(plain) => plain,
                None if bare.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c)) => bare
                    .parse::<f64>()
                    .map_or_else(|_| value.clone(), json_number),
                None => value.clone(),
            }
        }
        other => other.clone(),
    })
}

/// A value with numbers and truths as texts.
pub(super) fn as_texts(value: &Json) -> Json {
    each(value, &|value| match value {
        Json::Number(_) => js_text(value).into(),
        other => other.clone(),
    })
}

/// A value with nothing taken out of maps: JavaScript holds it equal to what is not there.
pub(super) fn without_nothing(value: &Json) -> Json {
    match value {
        Json::Array(items) => items.iter().map(without_nothing).collect(),
        Json::Object(fields) => {
            let there = fields.iter().filter(|(_, field)| !field.is_null());
            let there = there.map(|(key, field)| (key.clone(), without_nothing(field)));
            Json::Object(there.collect())
        }
        other => other.clone(),
    }
}

/// A value with zeros as the empty text, which JavaScript holds equal.
pub(super) fn zero_as_text(value: &Json) -> Json {
    each(value, &|value| match value.as_f64() {
        Some(0.0) => "".into(),
        _ => value.clone(),
    })
}

/// A value with empty texts as zeros.
pub(super) fn empty_as_zero(value: &Json) -> Json {
    each(value, &|value| match value.as_str() {
        Some("") => 0.into(),
        _ => value.clone(),
    })
}

fn each(value: &Json, change: &dyn Fn(&Json) -> Json) -> Json {
    match value {
        Json::Array(items) => items.iter().map(|item| each(item, change)).collect(),
        Json::Object(fields) => {
            let fields = fields
                .iter()
                .map(|(key, field)| (key.clone(), each(field, change)));
            Json::Object(fields.collect())
        }
        other => change(other),
    }
}
