//! Calls of tools: `is-valid-tool-call`, `tool-call-f1`.

use serde_json::Value;

use super::super::answer::{Finding, quote, share};
use super::super::error::Fault;
use super::super::form::{Form, ScorerType};
use super::super::spec::Kind;
use super::super::template::Operand;
use super::equals::same;
use super::ngram::f1;
use super::schema::{compile, mismatch};
use super::{Assertion, Input};
use crate::chat::ToolCall;

/// The types of this family.
pub const TYPES: &[ScorerType] = &[
    ScorerType::new("is-valid-tool-call", &[], |_| {
        Some(Kind::Assertion(Assertion::Tool(Tool::Valid)))
    }),
    ScorerType::new("tool-call-f1", &["value"], decode).graded(),
];

/// What the calls of tools must be.
#[derive(Debug, Clone)]
pub enum Tool {
    /// Calls that the offered tools take.
    Valid,
    /// These calls.
    Like(Operand),
}

fn decode(form: &mut Form<'_, '_, '_>) -> Option<Kind> {
    let value = form.operand("value")?;
    Some(Kind::Assertion(Assertion::Tool(Tool::Like(value))))
}

impl Tool {
    pub(super) fn find(&self, input: &Input<'_>) -> Result<Finding, Fault> {
        let calls = input.answer.tool_calls;
        match self {
            Self::Valid => {
                if calls.is_empty() {
                    return Ok(Finding::binary(false, "the answer calls no tool"));
                }
                for call in calls {
                    if let Some(reason) = refuse(call, input.context.tools)? {
                        return Ok(Finding::binary(false, reason));
                    }
                }
                let reason = format!(
                    "{} of {} calls of tools are valid",
                    calls.len(),
                    calls.len()
                );
                Ok(Finding::binary(true, reason))
            }
            Self::Like(value) => {
                let value = value.value(input.context.case)?;
                let wanted = wanted_calls(&value)?;
                let hits = matches(&wanted, calls);
                let score = if wanted.is_empty() && calls.is_empty() {
                    1.0
                } else {
                    let precision = share(hits, calls.len().max(1));
                    f1(precision, share(hits, wanted.len().max(1)))
                };
                let (made, wanted) = (calls.len(), wanted.len());
                let reason = format!("{hits} of {made} calls are among the {wanted} wanted");
                Ok(Finding::graded(score, reason))
            }
        }
    }
}

/// Why a call is not valid.
fn refuse(call: &ToolCall, tools: &[Value]) -> Result<Option<String>, Fault> {
    let name = quote(&call.name);
    let tool = tools
        .iter()
        .find(|tool| tool.get("name").and_then(Value::as_str) == Some(&call.name));
    let Some(tool) = tool else {
        return Ok(Some(format!("there is no tool {name}")));
    };
    if !call.arguments.is_object() {
        return Ok(Some(format!("the arguments of {name} are no JSON object")));
    }
    let Some(schema) = tool.get("parameters") else {
        return Ok(None);
    };
    let schema = compile(schema).map_err(|message| {
        Fault::Limit(format!("the schema of tool {name} is not valid: {message}"))
    })?;
    Ok(mismatch(&schema, &call.arguments).map(|reason| format!("call of {name}: {reason}")))
}

/// A call as a case wants it: without arguments any will do.
struct Wanted<'v> {
    name: &'v str,
    arguments: Option<&'v Value>,
}

fn wanted_calls(value: &Value) -> Result<Vec<Wanted<'_>>, Fault> {
    const WANTED: &str = "a list of tool names or of {name, arguments}";
    let unusable = || Fault::unusable(WANTED, &value.to_string());
    let items = value.as_array().ok_or_else(unusable)?;
    items
        .iter()
        .map(|item| {
            let name = item.get("name").unwrap_or(item);
            Ok(Wanted {
                name: name.as_str().ok_or_else(unusable)?,
                arguments: item.get("arguments"),
            })
        })
        .collect()
}

/// How many calls meet a wanted one, each of which is met once; those with arguments first.
fn matches(wanted: &[Wanted<'_>], calls: &[ToolCall]) -> usize {
    let mut left: Vec<&ToolCall> = calls.iter().collect();
    let exact = wanted.iter().filter(|wanted| wanted.arguments.is_some());
    let named = wanted.iter().filter(|wanted| wanted.arguments.is_none());
    exact
        .chain(named)
        .filter(|wanted| {
            let found = left.iter().position(|call| {
                call.name == wanted.name
                    && wanted
                        .arguments
                        .is_none_or(|arguments| same(arguments, &call.arguments))
            });
            found.map(|index| left.swap_remove(index)).is_some()
        })
        .count()
}
