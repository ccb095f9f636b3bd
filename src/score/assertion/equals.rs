//! `equals`: the whole answer is a text, or parses to an equal JSON value.

use serde_json::{Number, Value};

use super::super::answer::{Finding, quote};
use super::super::error::Fault;
use super::super::form::{Form, ScorerType};
use super::super::spec::Kind;
use super::super::template::{Operand, print};
use super::{Assertion, Input};

/// The types of this family.
pub const TYPES: &[ScorerType] = &[ScorerType::new("equals", &["value"], decode)];

/// The value that the whole answer must be.
#[derive(Debug, Clone)]
pub struct Equals {
    value: Operand,
}

fn decode(form: &mut Form<'_, '_, '_>) -> Option<Kind> {
    let value = form.operand("value")?;
    Some(Kind::Assertion(Assertion::Equals(Equals { value })))
}

impl Equals {
    pub(super) fn find(&self, input: &Input<'_>) -> Result<Finding, Fault> {
        let value = self.value.value(input.context.case)?;
        if let Value::String(text) = value.as_ref() {
            return Ok(if input.text == text {
                Finding::binary(true, "the answer is the text")
            } else {
                let (found, wanted) = (quote(input.shown), quote(text));
                Finding::binary(false, format!("the answer is {found}, not {wanted}"))
            });
        }
        Ok(match serde_json::from_str::<Value>(input.text) {
            Ok(found) if same(&found, &value) => Finding::binary(true, "the answer is equal JSON"),
            Ok(_) => {
                let (found, wanted) = (quote(input.shown), quote(&print(&value)));
                Finding::binary(false, format!("the JSON {found} is not equal to {wanted}"))
            }
            Err(_) => Finding::binary(false, format!("{} is not JSON", quote(input.shown))),
        })
    }
}

/// Whether two JSON values are equal: objects in any order of keys, numbers by value.
#[must_use]
pub fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => same_number(a, b),
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len()
                && a.iter()
                    .all(|(key, a)| b.get(key).is_some_and(|b| same(a, b)))
        }
        (a, b) => a == b,
    }
}

fn same_number(a: &Number, b: &Number) -> bool {
    a == b || ((a.is_f64() || b.is_f64()) && a.as_f64() == b.as_f64())
}
