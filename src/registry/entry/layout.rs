//! How a log line is written, and whether one stands as a usual writer of JSON has it.

use serde_json::Value as Json;

use crate::base::{Node, Value};

/// The blanks between the parts of a line.
#[derive(Debug, Clone, Copy)]
enum Spacing {
    /// `", "` and `": "`, as this program writes.
    Wide,
    /// None.
    Compact,
}

/// The line of these keys and values, as this program writes it.
pub fn line(values: &[(&str, Json)]) -> String {
    layout(
        values.iter().map(|(key, value)| (*key, value)),
        Spacing::Wide,
    )
}

/// A JSON object on one line, with its keys in the order given.
fn layout<'a>(entries: impl Iterator<Item = (&'a str, &'a Json)>, spacing: Spacing) -> String {
    let (comma, colon) = match spacing {
        Spacing::Wide => (", ", ": "),
        Spacing::Compact => (",", ":"),
    };
    let parts: Vec<String> = entries
        .map(|(key, value)| format!("{}{colon}{}", Json::from(key), layout_value(value, spacing)))
        .collect();
    format!("{{{}}}", parts.join(comma))
}

fn layout_value(value: &Json, spacing: Spacing) -> String {
    match (value, spacing) {
        (Json::Array(items), _) => {
            let items: Vec<String> = items
                .iter()
                .map(|item| layout_value(item, spacing))
                .collect();
            let comma = match spacing {
                Spacing::Wide => ", ",
                Spacing::Compact => ",",
            };
            format!("[{}]", items.join(comma))
        }
        (Json::Object(map), _) => {
            // The keys of an evidence line stand in the order of formats.md section 8.
            let order = |key: &str| {
                ["suite", "model", "run", "digest"]
                    .iter()
                    .position(|k| *k == key)
            };
            let mut entries: Vec<_> = map
                .iter()
                .map(|(key, value)| (key.as_str(), value))
                .collect();
            entries.sort_by_key(|(key, _)| order(key));
            layout(entries.into_iter(), spacing)
        }
        _ => value.to_string(),
    }
}

/// The text with every character beyond ASCII as `\uXXXX`, as some writers of JSON have it.
pub fn escape_beyond_ascii(text: &str) -> String {
    use std::fmt::Write as _;
    let mut escaped = String::with_capacity(text.len());
    let mut units = [0; 2];
    for c in text.chars() {
        if c.is_ascii() {
            escaped.push(c);
        } else {
            for unit in c.encode_utf16(&mut units) {
                // Writing to a `String` can not fail.
                let _ = write!(escaped, "\\u{unit:04x}");
            }
        }
    }
    escaped
}

/// Whether every byte of a line stands as a usual writer of JSON has it, so that no byte can change
/// without a change of the meaning.
pub fn is_plain(node: &Node, line: &str) -> bool {
    let Value::Map(entries) = &node.value else {
        return false;
    };
    let values: Vec<(&str, Json)> = entries
        .iter()
        .map(|entry| (entry.key.as_str(), entry.value.to_json()))
        .collect();
    [Spacing::Wide, Spacing::Compact]
        .into_iter()
        .any(|spacing| {
            let text = layout(values.iter().map(|(key, value)| (*key, value)), spacing);
            text == line || escape_beyond_ascii(&text) == line
        })
}
