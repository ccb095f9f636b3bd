//! A value as it stands in a file of the user's: text, numbers, lists and maps, each with the
//! place where it was written. Both YAML and JSON are read into it, so that every error can name
//! file, line and column, and all errors of a file are found in one pass.

use std::sync::Arc;

/// A text with a name, against which spans are resolved.
#[derive(Debug, PartialEq, Eq)]
pub struct Source {
    /// The path as shown to people.
    pub name: String,
    /// The text; of a large dataset only the row that an error speaks of.
    pub text: String,
    /// The number of the first line of `text` in the file, from 1.
    pub first_line: usize,
}

impl Source {
    /// A whole file. CRLF line ends and a leading byte order mark are removed.
    #[must_use]
    pub fn new(name: impl Into<String>, text: &str) -> Arc<Self> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let text = if text.contains('\r') {
            text.replace("\r\n", "\n")
        } else {
            text.to_owned()
        };
        Arc::new(Self {
            name: name.into(),
            text,
            first_line: 1,
        })
    }

    /// One row of a larger file, which begins at line `first_line`.
    #[must_use]
    pub fn row(name: impl Into<String>, text: &str, first_line: usize) -> Arc<Self> {
        Arc::new(Self {
            name: name.into(),
            text: text.to_owned(),
            first_line,
        })
    }

    /// Line and column (both from 1; the column in Unicode scalar values) of a byte offset.
    #[must_use]
    pub fn position(&self, offset: usize) -> (usize, usize) {
        let mut end = offset.min(self.text.len());
        while !self.text.is_char_boundary(end) {
            end -= 1;
        }
        let before = self.text.get(..end).unwrap_or_default();
        let line = before.matches('\n').count();
        let column = before
            .rsplit('\n')
            .next()
            .unwrap_or_default()
            .chars()
            .count();
        (self.first_line + line, column + 1)
    }
}

/// A range of bytes in a [`Source`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Span {
    /// The first byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Where the value stands.
    pub span: Span,
    /// The value.
    pub value: Value,
}

/// The kinds of value that YAML and JSON share.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// No value.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number, always a double.
    Number(f64),
    /// Text.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// A map, in the order of the file, without duplicate keys.
    Map(Vec<Entry>),
}

/// A key of a map with its value.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// Where the key stands.
    pub key_span: Span,
    /// The value.
    pub value: Node,
}

/// The largest integer that a double holds without doubt, 2^53 - 1.
pub const MAX_SAFE_INTEGER: f64 = 9_007_199_254_740_991.0;

/// A JSON number of a double: integral values print without a fraction, as RFC 8785 has it.
#[must_use]
pub fn json_number(number: f64) -> serde_json::Value {
    if number.fract() == 0.0 && number.abs() <= MAX_SAFE_INTEGER {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "checked to be integral and in range"
        )]
        let integer = number as i64;
        return integer.into();
    }
    serde_json::Number::from_f64(number).map_or(serde_json::Value::Null, Into::into)
}

impl Node {
    /// The value of a key of a map.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Self> {
        match &self.value {
            Value::Map(entries) => entries.iter().find(|e| e.key == key).map(|e| &e.value),
            _ => None,
        }
    }

    /// The text of a text value.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Whether the value is null.
    #[must_use]
    pub fn is_null(&self) -> bool {
        self.value == Value::Null
    }

    /// The name of the value's kind, for messages.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match &self.value {
            Value::Null => "null",
            Value::Bool(_) => "a boolean",
            Value::Number(_) => "a number",
            Value::Text(_) => "text",
            Value::List(_) => "a list",
            Value::Map(_) => "a map",
        }
    }

    /// The value as plain JSON, without places.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        match &self.value {
            Value::Null => serde_json::Value::Null,
            Value::Bool(value) => (*value).into(),
            Value::Number(number) => json_number(*number),
            Value::Text(text) => text.as_str().into(),
            Value::List(items) => items.iter().map(Self::to_json).collect(),
            Value::Map(entries) => entries
                .iter()
                .map(|entry| (entry.key.clone(), entry.value.to_json()))
                .collect::<serde_json::Map<_, _>>()
                .into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_lines_and_columns_from_one_in_characters() {
        let source = Source::new("a.yaml", "\u{feff}one\r\nz\u{f6}\u{e9}x\n");
        assert_eq!(source.position(0), (1, 1));
        assert_eq!(source.position(4), (2, 1));
        assert_eq!(source.position(9), (2, 4));
        assert_eq!(source.position(10_000), (3, 1));
    }

    #[test]
    fn a_row_counts_from_its_own_line() {
        assert_eq!(
            Source::row("d.jsonl", "{\"id\": 1}", 17).position(7),
            (17, 8)
        );
    }
}
