//! JSON in the answer: `is-json`, `json-schema`, `contains-json`, and `json-diff` as in autoevals.

use std::sync::Arc;

use jsonschema::Validator;
use serde_json::Value;

use super::super::answer::{Finding, quote};
use super::super::error::Fault;
use super::super::form::{Form, ScorerType};
use super::super::spec::Kind;
use super::super::template::Operand;
use super::diff::json_diff;
use super::schema::mismatch;
use super::{Assertion, Input};

/// The types of this family.
pub const TYPES: &[ScorerType] = &[
    ScorerType::new("is-json", &["schema"], whole),
    ScorerType::new("json-schema", &["schema"], |form| {
        form.require("schema")?;
        whole(form)
    }),
    ScorerType::new("contains-json", &["schema"], |form| {
        let schema = form.schema("schema")?;
        Some(Kind::Assertion(Assertion::Json(Json::Within(schema))))
    }),
    ScorerType::new("json-diff", &["value"], |form| {
        let value = form.operand("value")?;
        Some(Kind::Assertion(Assertion::Json(Json::Diff(value))))
    })
    .graded(),
];

/// JSON that the answer must be or hold.
#[derive(Debug, Clone)]
pub enum Json {
    /// The whole answer.
    Whole(Option<Arc<Validator>>),
    /// An object or list somewhere in the answer.
    Within(Option<Arc<Validator>>),
    /// A value that the answer should be like.
    Diff(Operand),
}

fn whole(form: &mut Form<'_, '_, '_>) -> Option<Kind> {
    let schema = form.schema("schema")?;
    Some(Kind::Assertion(Assertion::Json(Json::Whole(schema))))
}

impl Json {
    pub(super) fn find(&self, input: &Input<'_>) -> Result<Finding, Fault> {
        match self {
            Self::Whole(schema) => Ok(check_whole(input.text, schema.as_deref())),
            Self::Within(schema) => check_within(input.text, schema.as_deref()),
            Self::Diff(value) => {
                let value = value.value(input.context.case)?;
                let score = json_diff(&Value::String(input.text.to_owned()), &value)?;
                let reason = format!("answer and value are {score:.4} alike as JSON");
                Ok(Finding::graded(score, reason))
            }
        }
    }
}

fn check_whole(text: &str, schema: Option<&Validator>) -> Finding {
    let value: Value = match serde_json::from_str(text) {
        Ok(value) => value,
        Err(error) => {
            let answer = quote(text);
            return Finding::binary(false, format!("{answer} is not JSON: {error}"));
        }
    };
    match schema.map(|schema| mismatch(schema, &value)) {
        None => Finding::binary(true, "the answer is JSON"),
        Some(None) => Finding::binary(true, "the answer is JSON that fits the schema"),
        Some(Some(reason)) => Finding::binary(false, reason),
    }
}

fn check_within(text: &str, schema: Option<&Validator>) -> Result<Finding, Fault> {
    let mut reason = None;
    for found in values_within(text) {
        let (_, value) = found?;
        match schema.and_then(|schema| mismatch(schema, &value)) {
            None => {
                let found = quote(&value.to_string());
                return Ok(Finding::binary(
                    true,
                    format!("the answer contains {found}"),
                ));
            }
            Some(mismatch) => reason = reason.or(Some(mismatch)),
        }
    }
    let reason = reason.unwrap_or_else(|| format!("no JSON object or list in {}", quote(text)));
    Ok(Finding::binary(false, reason))
}

/// The JSON objects and lists in a text, each with its own text; none within another, and none in
/// the first 128 levels of what is nested deeper than that. Ends with a fault where too much of the
/// text would be read again and again.
pub fn values_within(text: &str) -> impl Iterator<Item = Result<(&str, Value), Fault>> {
    const MOST_BYTES: usize = 64 << 20;
    let (mut rest, mut work) = (text, 0usize);
    std::iter::from_fn(move || {
        while let Some(start) = rest.find(['{', '[']) {
            let candidate = rest.get(start..)?;
            let mut values = serde_json::Deserializer::from_str(candidate).into_iter::<Value>();
            let failed = match values.next()? {
                Ok(value) => {
                    let (found, after) = candidate.split_at_checked(values.byte_offset())?;
                    rest = after;
                    return Some(Ok((found, value)));
                }
                Err(error) => error,
            };
            let read = offset(candidate, &failed);
            work = work.saturating_add(read);
            if work > MOST_BYTES {
                rest = "";
                let limit = "the answer has too much JSON that is not closed".to_owned();
                return Some(Err(Fault::Limit(limit)));
            }
            let too_deep = failed.to_string().starts_with("recursion limit");
            rest = candidate.get(if too_deep { read } else { 1 }..)?;
        }
        None
    })
}

/// The byte up to which a text was read before an error, at least 1.
fn offset(text: &str, error: &serde_json::Error) -> usize {
    if error.is_eof() {
        return text.len().max(1);
    }
    let mut lines = text.split_inclusive('\n');
    let before: usize = lines
        .by_ref()
        .take(error.line().saturating_sub(1))
        .map(str::len)
        .sum();
    let line = lines.next().unwrap_or_default();
    let mut column = error.column().min(line.len());
    while !line.is_char_boundary(column) {
        column += 1;
    }
    (before + column).max(1)
}
