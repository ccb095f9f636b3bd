//! `json-path`: what a JSONPath (RFC 9535) selects in an answer that is JSON. Paths and answers are
//! bounded, since nested descents multiply.

use jsonpath_rust::parser::model::JpQuery;
use jsonpath_rust::parser::parse_json_path;
use jsonpath_rust::query::js_path_process;
use serde_json::Value;

use super::super::answer::{Finding, quote};
use super::super::error::Fault;
use super::super::form::{Form, ScorerType};
use super::super::spec::Kind;
use super::super::template::{Operand, print};
use super::equals::same;
use super::{Assertion, Input};
use crate::base::decode::Reader;
use crate::base::{Node, text};

/// The types of this family.
pub const TYPES: &[ScorerType] = &[ScorerType::new("json-path", &["path", "value"], decode)];

const MOST_CHARACTERS: usize = 300;
const MOST_NODES: usize = 50_000;
/// For a path that looks at the whole answer again at each node.
const MOST_NODES_QUADRATIC: usize = 1_000;

/// A path that was checked.
#[derive(Debug, Clone)]
pub struct Path {
    source: String,
    query: JpQuery,
    most_nodes: usize,
}

impl Path {
    /// Reads a path.
    ///
    /// # Errors
    /// When it is no JSONPath, or could take too long.
    pub fn parse(source: &str) -> Result<Self, String> {
        let count = |what: &str| source.matches(what).count();
        if source.chars().count() > MOST_CHARACTERS {
            return Err(format!("it has more than {MOST_CHARACTERS} characters"));
        }
        if count("..") > 2 || count("?") > 2 || count(",") > 8 || count("(") > 16 {
            let most = "at most two `..`, two `?`, eight `,` and sixteen `(` are allowed";
            return Err(format!("it could select too much: {most}"));
        }
        let query = parse_json_path(source).map_err(|error| {
            let message = error.to_string();
            let last = message.lines().last().unwrap_or_default();
            text::shorten(last.trim_start_matches([' ', '=']), 160).into_owned()
        })?;
        let quadratic = count("$") > 1 || (count("?") > 0 && count("..") > 0);
        Ok(Self {
            source: source.to_owned(),
            query,
            most_nodes: if quadratic {
                MOST_NODES_QUADRATIC
            } else {
                MOST_NODES
            },
        })
    }

    /// Reads a path of a file, and reports what is wrong with it.
    pub fn decode(reader: &mut Reader<'_>, node: &Node) -> Option<Self> {
        let source = reader.nonempty(node, "a JSONPath")?;
        Self::parse(source)
            .map_err(|message| {
                let message = format!("invalid JSONPath: {message}");
                reader.error(
                    node.span,
                    "json-path",
                    message,
                    "write a path as in RFC 9535",
                );
            })
            .ok()
    }

    /// What the path selects.
    ///
    /// # Errors
    /// When the value is too large for the path.
    pub fn select<'v>(&self, value: &'v Value) -> Result<Vec<&'v Value>, Fault> {
        if size(value, self.most_nodes) > self.most_nodes {
            let most = self.most_nodes;
            let limit = format!("the JSON has more than {most} values, too many for its path");
            return Err(Fault::Limit(limit));
        }
        let found = js_path_process(&self.query, value)
            .map_err(|error| Fault::Limit(format!("the path failed: {error}")))?;
        Ok(found.into_iter().map(|found| found.val).collect())
    }
}

/// How many values there are in a value, counted up to a bound.
fn size(value: &Value, most: usize) -> usize {
    let mut count = 1;
    let mut add = |inner: &Value| {
        if count <= most {
            count += size(inner, most - count.min(most));
        }
    };
    match value {
        Value::Array(items) => items.iter().for_each(&mut add),
        Value::Object(fields) => fields.values().for_each(&mut add),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
    count
}

/// A place in the answer's JSON, and perhaps the value it must have.
#[derive(Debug, Clone)]
pub struct JsonPath {
    path: Path,
    value: Option<Operand>,
}

fn decode(form: &mut Form<'_, '_, '_>) -> Option<Kind> {
    let node = form.require("path");
    let path = node.and_then(|node| Path::decode(form.reader, node));
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
        let selected = self.path.select(&value)?;
        let path = quote(&self.path.source);
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

#[cfg(test)]
mod tests;
