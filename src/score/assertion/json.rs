//! JSON in the answer: `is-json`.

use std::sync::Arc;

use jsonschema::Validator;
use serde_json::Value;

use super::super::answer::{Finding, quote};
use super::super::form::{Form, ScorerType};
use super::super::spec::Kind;
use super::schema::mismatch;
use super::{Assertion, Input};

/// The types of this family.
pub const TYPES: &[ScorerType] = &[ScorerType::new("is-json", &["schema"], is_json)];

/// JSON that the answer must be.
#[derive(Debug, Clone)]
pub struct Json {
    schema: Option<Arc<Validator>>,
}

fn is_json(form: &mut Form<'_, '_, '_>) -> Option<Kind> {
    let schema = form.schema("schema")?;
    Some(Kind::Assertion(Assertion::Json(Json { schema })))
}

impl Json {
    pub(super) fn find(&self, input: &Input<'_>) -> Finding {
        let value: Value = match serde_json::from_str(input.text) {
            Ok(value) => value,
            Err(error) => {
                let answer = quote(input.text);
                return Finding::binary(false, format!("{answer} is not JSON: {error}"));
            }
        };
        match self.schema.as_ref().map(|schema| mismatch(schema, &value)) {
            None => Finding::binary(true, "the answer is JSON"),
            Some(None) => Finding::binary(true, "the answer is JSON that fits the schema"),
            Some(Some(reason)) => Finding::binary(false, reason),
        }
    }
}
