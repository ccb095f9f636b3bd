//! Writes YAML that people read: maps of text and lists as blocks, small values in one line, text
//! quoted where YAML would read something else.

use std::fmt::Write as _;

use serde_json::{Map, Value};

/// Keys that stand before the others.
const FIRST: [&str; 8] = [
    "name", "type", "provider", "model", "role", "value", "scorers", "content",
];

/// A value in one line.
#[must_use]
pub fn inline(value: &Value) -> String {
    match value {
        Value::String(text) => scalar(text),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(inline).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(fields) if fields.is_empty() => "{}".to_owned(),
        Value::Object(fields) => {
            let entry =
                |(key, value): (&String, &Value)| format!("{}: {}", scalar(key), inline(value));
            let entries: Vec<String> = ordered(fields).into_iter().map(entry).collect();
            format!("{{ {} }}", entries.join(", "))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value.to_string(),
    }
}

fn ordered(fields: &Map<String, Value>) -> Vec<(&String, &Value)> {
    let rank = |key: &str| FIRST.iter().position(|first| *first == key);
    let mut entries: Vec<(&String, &Value)> = fields.iter().collect();
    entries.sort_by_key(|(key, _)| (rank(key).unwrap_or(FIRST.len()), (*key).clone()));
    entries
}

/// A text as a scalar: plain where that is safe, else in double quotes.
#[must_use]
pub fn scalar(text: &str) -> String {
    let mut chars = text.chars();
    let begins = chars.next().is_some_and(|c| c.is_ascii_alphabetic());
    let plain = begins
        && chars.all(|c| c.is_ascii_alphanumeric() || "_-/. ".contains(c))
        && !text.ends_with(' ')
        && !is_word(text);
    if plain {
        return text.to_owned();
    }
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            '\r' => quoted.push_str("\\r"),
            c if c.is_control()
                || "\u{85}\u{2028}\u{2029}\u{feff}".contains(c)
                || crate::base::text::is_deceptive(c) =>
            {
                // Writing to a `String` can not fail.
                let _ = write!(quoted, "\\u{:04x}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// Words that some reader takes for something else than text.
fn is_word(text: &str) -> bool {
    const WORDS: [&str; 8] = ["true", "false", "null", "yes", "no", "on", "off", "nan"];
    let lower = text.to_ascii_lowercase();
    WORDS.contains(&lower.as_str()) || lower == "y" || lower == "n" || lower == "inf"
}

/// A text as a block that begins after the key, at this indentation; in quotes where a block would
/// not hold it.
#[must_use]
pub fn block(text: &str, indent: usize) -> String {
    let odd =
        |c: char| (c.is_control() && c != '\n') || "\u{85}\u{2028}\u{2029}\u{feff}".contains(c);
    let first = text.chars().next();
    let fits = text.contains('\n')
        && first.is_some_and(|c| !c.is_whitespace())
        && !text.contains(|c| odd(c) || crate::base::text::is_deceptive(c))
        && !text.ends_with("\n\n");
    if !fits {
        return scalar(text);
    }
    let mark = if text.ends_with('\n') { "|" } else { "|-" };
    let pad = " ".repeat(indent);
    let mut written = mark.to_owned();
    for line in text.trim_end_matches('\n').split('\n') {
        written.push('\n');
        if !line.is_empty() {
            written.push_str(&pad);
            written.push_str(line);
        }
    }
    written
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::base::{Source, yaml};

    #[test]
    fn writes_small_values_in_one_line() {
        let value = json!({"value": "{{expected}}", "type": "equals", "transform": ["trim"], "n": 1.5, "yes": "no"});
        assert_eq!(
            inline(&value),
            "{ type: equals, value: \"{{expected}}\", \"n\": 1.5, transform: [trim], \"yes\": \"no\" }"
        );
    }

    proptest::proptest! {
        #[test]
        fn any_text_reads_back_as_it_was(text in "[ -~\n\t\u{e9}\u{1f600}]{0,60}") {
            let written = format!("a: {}\nb:\n  c: {}\n", inline(&text.clone().into()), block(&text, 4));
            let node = yaml::parse(&Source::new("t", &written)).unwrap();
            proptest::prop_assert_eq!(node.get("a").unwrap().as_text(), Some(text.as_str()), "{}", written);
            proptest::prop_assert_eq!(node.get("b").unwrap().get("c").unwrap().as_text(), Some(text.as_str()), "{}", written);
        }
    }
}
