//! The grammar of promptfoo's `__expected` columns
//! (<https://www.promptfoo.dev/docs/configuration/test-cases/>): `type(threshold):value`, with short
//! words for code and rubrics; what is none of this is the text that the answer must equal.

use serde_json::{Value, json};

use super::types;

/// The assertion that a cell says, as it would stand in a config.
#[must_use]
pub fn assertion(cell: &str) -> Value {
    let cell = cell.trim();
    for (prefix, kind) in [
        ("javascript:", "javascript"),
        ("fn:", "javascript"),
        ("eval:", "javascript"),
        ("python:", "python"),
        ("grade:", "llm-rubric"),
        ("llm-rubric:", "llm-rubric"),
    ] {
        if let Some(value) = cell.strip_prefix(prefix) {
            return json!({"type": kind, "value": value.trim()});
        }
    }
    if let Some(path) = cell.strip_prefix("file://") {
        let file = path.rsplit_once(':').map_or(path, |(file, _)| file);
        let kind = match file.rsplit_once('.').map(|(_, ending)| ending) {
            Some("js" | "cjs" | "mjs" | "ts" | "cts" | "mts") => Some("javascript"),
            Some("py") => Some("python"),
            _ => None,
        };
        if let Some(kind) = kind {
            return json!({"type": kind, "value": cell});
        }
    }
    typed(cell).unwrap_or_else(|| json!({"type": "equals", "value": cell}))
}

fn typed(cell: &str) -> Option<Value> {
    let (negation, bare) = match cell.strip_prefix("not-") {
        Some(bare) => ("not-", bare),
        None => ("", cell),
    };
    // A type may hold a colon itself, so the longest that fits is taken.
    let kind = types::ASSERTIONS
        .iter()
        .filter(|kind| bare.starts_with(**kind) && !types::NOT_IN_CELLS.contains(kind))
        .filter(|kind| {
            let after = bare.get(kind.len()..).unwrap_or_default();
            after.is_empty() || after.starts_with([':', '('])
        })
        .max_by_key(|kind| kind.len())?;
    let mut rest = bare.get(kind.len()..)?;
    let mut threshold = None;
    if let Some(inside) = rest.strip_prefix('(') {
        let (number, after) = inside.split_once(')')?;
        let plain = number.starts_with(|c: char| c.is_ascii_digit())
            && number.chars().all(|c| c.is_ascii_digit() || c == '.');
        threshold = Some(number.parse::<f64>().ok().filter(|_| plain)?);
        rest = after;
    }
    let value = match rest.strip_prefix(':') {
        Some(value) => Some(value),
        None if rest.is_empty() => None,
        None => return None,
    };
    let mut made = serde_json::Map::new();
    made.insert("type".to_owned(), format!("{negation}{kind}").into());
    if let Some(value) = value.filter(|value| !value.is_empty()) {
        made.insert("value".to_owned(), value.trim().into());
    }
    let default = match *kind {
        "similar" => Some(0.8),
        "answer-relevance"
        | "classifier"
        | "context-faithfulness"
        | "context-recall"
        | "context-relevance"
        | "cost"
        | "latency"
        | "levenshtein"
        | "perplexity"
        | "perplexity-score"
        | "rouge-n" => Some(0.75),
        _ => None,
    };
    // Other types take no threshold from a cell.
    if let Some(default) = default {
        made.insert("threshold".to_owned(), json!(threshold.unwrap_or(default)));
    }
    Some(Value::Object(made))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_cells_of_the_documentation() {
        for (cell, wanted) in [
            ("Bonjour", json!({"type": "equals", "value": "Bonjour"})),
            (
                "contains:a: b",
                json!({"type": "contains", "value": "a: b"}),
            ),
            (
                "not-contains:sorry",
                json!({"type": "not-contains", "value": "sorry"}),
            ),
            ("is-json", json!({"type": "is-json"})),
            (
                "similar(0.9):hello",
                json!({"type": "similar", "value": "hello", "threshold": 0.9}),
            ),
            (
                "similar:hello",
                json!({"type": "similar", "value": "hello", "threshold": 0.8}),
            ),
            (
                "similar:cosine:hello",
                json!({"type": "similar:cosine", "value": "hello"}),
            ),
            (
                "levenshtein(5):cat",
                json!({"type": "levenshtein", "value": "cat", "threshold": 5.0}),
            ),
            (
                "fn: output.length > 1",
                json!({"type": "javascript", "value": "output.length > 1"}),
            ),
            (
                "grade: is polite",
                json!({"type": "llm-rubric", "value": "is polite"}),
            ),
            (
                "file://check.py",
                json!({"type": "python", "value": "file://check.py"}),
            ),
            (
                "file://a.js:fn",
                json!({"type": "javascript", "value": "file://a.js:fn"}),
            ),
            (
                "latency(200)",
                json!({"type": "latency", "threshold": 200.0}),
            ),
            (
                "equals-ish",
                json!({"type": "equals", "value": "equals-ish"}),
            ),
            ("containsX", json!({"type": "equals", "value": "containsX"})),
            (
                "contains(x):y",
                json!({"type": "equals", "value": "contains(x):y"}),
            ),
        ] {
            assert_eq!(assertion(cell), wanted, "{cell}");
        }
    }
}
