//! `json-path`: what a JSONPath selects in an answer that is JSON.

use serde_json::Value;

use super::super::answer::{Finding, quote};
use super::super::error::Fault;
use super::super::form::{Form, ScorerType};
use super::super::spec::Kind;
use super::super::template::{Operand, print};
use super::equals::same;
use super::{Assertion, Input};
use crate::base::jsonpath::{self, TooMuch};

/// The types of this family.
pub const TYPES: &[ScorerType] = &[ScorerType::new("json-path", &["path", "value"], decode)];

/// A place in the answer's JSON, and perhaps the value it must have.
#[derive(Debug, Clone)]
pub struct JsonPath {
    path: jsonpath::JsonPath,
    value: Option<Operand>,
}

fn decode(form: &mut Form<'_, '_, '_>) -> Option<Kind> {
    let node = form.require("path");
    let path = node.and_then(|node| jsonpath::JsonPath::decode(form.reader, node));
    let value = match form.get("value") {
        Some(_) => Some(form.operand("value")?),
        None => None,
    };
    let path = path?;
    Some(Kind::Assertion(Assertion::Path(JsonPath { path, value })))
}

impl JsonPath {
    pub(super) fn find(&self, input: &Input<'_>) -> Result<Finding, Fault> {
        let wanted = self.value.as_ref();
        let wanted = wanted
            .map(|value| value.value(input.context.case))
            .transpose()?;
        let Ok(value) = serde_json::from_str::<Value>(input.text) else {
            let reason = format!("{} is not JSON", quote(input.text));
            return Ok(Finding::binary(false, reason));
        };
        let selected = self.path.select(&value).map_err(|error| too_much(&error))?;
        let path = quote(self.path.source());
        let Some(first) = selected.first() else {
            return Ok(Finding::binary(false, format!("{path} selects nothing")));
        };
        let shown = quote(&print(first));
        Ok(match wanted {
            None => Finding::binary(true, format!("{path} selects {shown}")),
            Some(wanted) if selected.iter().any(|found| same(found, &wanted)) => {
                Finding::binary(true, format!("{path} selects {}", quote(&print(&wanted))))
            }
            Some(wanted) => {
                let wanted = quote(&print(&wanted));
                Finding::binary(false, format!("{path} selects {shown}, not {wanted}"))
            }
        })
    }
}

/// A value too large for its path, as a fault of the scorer.
pub fn too_much(error: &TooMuch) -> Fault {
    Fault::Limit(error.to_string())
}
