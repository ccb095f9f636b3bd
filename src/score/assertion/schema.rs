//! JSON Schemas: compiled without any access to other documents, with patterns on the linear
//! engine.

use jsonschema::{PatternOptions, Validator};
use serde_json::Value;

use crate::base::text;

const MOST_PATTERN_BYTES: usize = 2 << 20;

/// Compiles a schema.
///
/// # Errors
/// What is wrong with the schema, a reference to another document included.
pub fn compile(schema: &Value) -> Result<Validator, String> {
    let patterns = PatternOptions::regex()
        .size_limit(MOST_PATTERN_BYTES)
        .dfa_size_limit(MOST_PATTERN_BYTES);
    jsonschema::options()
        .offline()
        .with_pattern_options(patterns)
        .build(schema)
        .map_err(|error| text::shorten(&error.to_string(), 200).into_owned())
}

/// What keeps a value from fitting a schema; `None` if it fits.
#[must_use]
pub fn mismatch(validator: &Validator, value: &Value) -> Option<String> {
    // Most answers fit, and this test builds no error.
    if validator.is_valid(value) {
        return None;
    }
    let error = validator.iter_errors(value).next()?;
    let place = error.instance_path().to_string();
    let place = if place.is_empty() {
        "the answer".to_owned()
    } else {
        format!("`{}`", text::shorten(&place, 60))
    };
    let message = error.masked_with("it").to_string();
    let message = text::visible_line(&text::shorten(&message, 140));
    Some(format!("{place} does not fit the schema: {message}"))
}
