//! Decoding of what a prompt says about the call: parameters, tools, the form of the answer. A
//! suite's models say `params` in the same words.

use serde_json::Value;

use crate::base::Node;
use crate::base::decode::{Reader, Table};
use crate::chat::{Params, ResponseFormat};

/// Reads `params`.
pub fn decode(reader: &mut Reader<'_>, node: &Node) -> Option<Params> {
    let mut table = Table::new(reader, node, "`params`")?;
    let temperature = table
        .get("temperature")
        .and_then(|n| reader.number(n, "`temperature`", 0.0, 2.0));
    let top_p = table
        .get("top_p")
        .and_then(|n| reader.number(n, "`top_p`", 0.0, 1.0));
    let top_k = table
        .get("top_k")
        .and_then(|n| reader.whole_u32(n, "`top_k`", 0));
    let max_tokens = table
        .get("max_tokens")
        .and_then(|n| reader.whole_u32(n, "`max_tokens`", 1));
    let stop = table.get("stop").and_then(|n| match n.as_text() {
        Some(one) => Some(vec![one.to_owned()]),
        None => reader.texts(n, "`stop`"),
    });
    let seed = table.get("seed").and_then(|n| {
        let limit = crate::base::node::MAX_SAFE_INTEGER;
        let number = reader.number(n, "`seed`", -limit, limit)?;
        if number.fract() != 0.0 {
            reader.error(
                n.span,
                "wrong-type",
                "`seed` must be a whole number",
                "remove the fraction",
            );
            return None;
        }
        #[expect(
            clippy::cast_possible_truncation,
            reason = "checked to be integral and in range"
        )]
        let seed = number as i64;
        Some(seed)
    });
    let reasoning_effort = table
        .get("reasoning_effort")
        .and_then(|n| reader.nonempty(n, "`reasoning_effort`"));
    let extra = table
        .get("extra")
        .and_then(|n| reader.map(n, "`extra`").map(|_| n.to_json()));
    table.finish(reader);
    Some(Params {
        temperature,
        top_p,
        top_k,
        max_tokens,
        stop: stop.unwrap_or_default(),
        seed,
        reasoning_effort: reasoning_effort.map(str::to_owned),
        logprobs: false,
        extra: match extra {
            Some(Value::Object(fields)) => fields,
            _ => serde_json::Map::new(),
        },
    })
}

/// Reads `tools`: each a map with `name`, and usually `description` and `parameters`.
pub fn decode_tools(reader: &mut Reader<'_>, node: &Node) -> Option<Vec<Value>> {
    let items = reader.list(node, "`tools`")?;
    for item in items {
        let Some(mut table) = Table::new(reader, item, "the tool") else {
            continue;
        };
        if let Some(name) = table.require(reader, "name") {
            reader.nonempty(name, "`name`");
        }
        if let Some(text) = table.get("description") {
            reader.text(text, "`description`");
        }
        if let Some(schema) = table.get("parameters") {
            check_schema(reader, schema, "`parameters`");
        }
        if let Some(strict) = table.get("strict") {
            reader.boolean(strict, "`strict`");
        }
        table.finish(reader);
    }
    Some(items.iter().map(Node::to_json).collect())
}

/// Reads `response_format`: `json`, or `{name, schema}`.
pub fn decode_response_format(reader: &mut Reader<'_>, node: &Node) -> Option<ResponseFormat> {
    if node.as_text() == Some("json") {
        return Some(ResponseFormat::JsonObject);
    }
    let mut table = Table::new(reader, node, "`response_format`")?;
    let name = table.get("name").and_then(|n| reader.nonempty(n, "`name`"));
    let schema = table.require(reader, "schema");
    table.finish(reader);
    let schema = schema?;
    check_schema(reader, schema, "`schema`");
    Some(ResponseFormat::JsonSchema {
        name: name.unwrap_or("answer").to_owned(),
        schema: schema.to_json(),
    })
}

fn check_schema(reader: &mut Reader<'_>, node: &Node, what: &str) {
    if let Err(message) = super::variable::Schema::compile(&node.to_json()) {
        let message = format!("{what} is not a valid JSON Schema: {message}");
        reader.error(node.span, "json-schema", message, "mend the schema");
    }
}
