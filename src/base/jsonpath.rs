//! JSONPath (RFC 9535): what a path selects in a JSON value. Paths and values are bounded, since
//! nested descents multiply.

use jsonpath_rust::parser::model::JpQuery;
use jsonpath_rust::parser::parse_json_path;
use jsonpath_rust::query::js_path_process;
use serde_json::Value;

use super::decode::Reader;
use super::{Node, text};

const MOST_CHARACTERS: usize = 300;
const MOST_NODES: usize = 50_000;
/// For a path that looks at the whole answer again at each node.
const MOST_NODES_QUADRATIC: usize = 1_000;

/// A path that was checked.
#[derive(Debug, Clone)]
pub struct JsonPath {
    source: String,
    query: JpQuery,
    most_nodes: usize,
}

impl JsonPath {
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

    /// The path as it was written.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// What the path selects.
    ///
    /// # Errors
    /// When the value is too large for the path.
    pub fn select<'v>(&self, value: &'v Value) -> Result<Vec<&'v Value>, TooMuch> {
        if size(value, self.most_nodes) > self.most_nodes {
            let most = self.most_nodes;
            let limit = format!("the JSON has more than {most} values, too many for its path");
            return Err(TooMuch(limit));
        }
        let found = js_path_process(&self.query, value)
            .map_err(|error| TooMuch(format!("the path failed: {error}")))?;
        Ok(found.into_iter().map(|found| found.val).collect())
    }
}

impl PartialEq for JsonPath {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

/// Why a path is not followed in a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct TooMuch(String);

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

#[cfg(test)]
mod tests;
