//! Reads JSON into located values, strictly: duplicate keys, integers beyond 2^53 - 1 and nesting
//! beyond 64 levels are errors, as they are in YAML.

use std::fmt;
use std::sync::Arc;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::node::MAX_SAFE_INTEGER;
use super::{Diagnostic, Diagnostics, Entry, Node, Source, Span, Value};

const MAX_DEPTH: usize = 64;

/// Reads the one JSON value of a source.
///
/// # Errors
/// All findings: a syntax error ends the reading, duplicate keys and integers that would be rounded
/// are collected.
pub fn parse(source: &Arc<Source>) -> Result<Node, Diagnostics> {
    let raw: &RawValue = match serde_json::from_str(&source.text) {
        Ok(raw) => raw,
        Err(error) => return Err(syntax_error(source, 0, &source.text, &error)),
    };
    let mut reader = Reader {
        source,
        diagnostics: Diagnostics::new(),
    };
    let node = reader.node(raw.get(), 0);
    reader.diagnostics.finish(node).map(|(node, _)| node)
}

fn syntax_error(
    source: &Arc<Source>,
    base: usize,
    text: &str,
    error: &serde_json::Error,
) -> Diagnostics {
    let line_start: usize = text
        .split_inclusive('\n')
        .take(error.line().saturating_sub(1))
        .map(str::len)
        .sum();
    let start = base + line_start + error.column().saturating_sub(1);
    let full = error.to_string();
    let message = full.split(" at line ").next().unwrap_or(&full);
    Diagnostic::error("json", format!("not valid JSON: {message}"))
        .at(
            source,
            Span {
                start,
                end: start + 1,
            },
        )
        .into()
}

/// One level of a value: its children are still text.
enum Level<'a> {
    Null,
    Bool(bool),
    Number(f64),
    Text(String),
    List(Vec<&'a RawValue>),
    Map(Vec<(String, &'a RawValue)>),
}

impl<'de> Deserialize<'de> for Level<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(LevelVisitor)
    }
}

struct LevelVisitor;

impl<'de> Visitor<'de> for LevelVisitor {
    type Value = Level<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Level<'de>, E> {
        Ok(Level::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Level<'de>, E> {
        Ok(Level::Bool(value))
    }

    #[expect(clippy::cast_precision_loss, reason = "the reader checks the range")]
    fn visit_i64<E>(self, value: i64) -> Result<Level<'de>, E> {
        Ok(Level::Number(value as f64))
    }

    #[expect(clippy::cast_precision_loss, reason = "the reader checks the range")]
    fn visit_u64<E>(self, value: u64) -> Result<Level<'de>, E> {
        Ok(Level::Number(value as f64))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Level<'de>, E> {
        Ok(Level::Number(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Level<'de>, E> {
        Ok(Level::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Level<'de>, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Level::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Level<'de>, A::Error> {
        let mut map = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            map.push(entry);
        }
        Ok(Level::Map(map))
    }
}

struct Reader<'a> {
    source: &'a Arc<Source>,
    diagnostics: Diagnostics,
}

impl Reader<'_> {
    /// The place of a piece of the source's own text.
    fn span(&self, piece: &str) -> Span {
        let start = (piece.as_ptr() as usize).saturating_sub(self.source.text.as_ptr() as usize);
        Span {
            start,
            end: start + piece.len(),
        }
    }

    fn node(&mut self, text: &str, depth: usize) -> Option<Node> {
        let span = self.span(text);
        if depth > MAX_DEPTH {
            let message = format!("nested more than {MAX_DEPTH} levels deep");
            self.diagnostics
                .push(Diagnostic::error("too-deep", message).at(self.source, span));
            return None;
        }
        let level = match serde_json::from_str::<Level<'_>>(text) {
            Ok(level) => level,
            Err(error) => {
                self.diagnostics
                    .extend(syntax_error(self.source, span.start, text, &error));
                return None;
            }
        };
        let value = match level {
            Level::Null => Value::Null,
            Level::Bool(value) => Value::Bool(value),
            Level::Number(number) => {
                self.check_integer(text, number, span);
                Value::Number(number)
            }
            Level::Text(text) => Value::Text(text),
            Level::List(items) => Value::List(
                items
                    .iter()
                    .filter_map(|item| self.node(item.get(), depth + 1))
                    .collect(),
            ),
            Level::Map(entries) => Value::Map(self.entries(entries, span, depth)),
        };
        Some(Node { span, value })
    }

    fn check_integer(&mut self, text: &str, number: f64, span: Span) {
        if !text.contains(['.', 'e', 'E']) && number.abs() > MAX_SAFE_INTEGER {
            let message = "this integer is beyond 2^53 - 1, so it would be rounded";
            let diagnostic = Diagnostic::error("integer-range", message).at(self.source, span);
            self.diagnostics
                .push(diagnostic.help("quote it if it is text"));
        }
    }

    fn entries(&mut self, raw: Vec<(String, &RawValue)>, map: Span, depth: usize) -> Vec<Entry> {
        let mut entries: Vec<Entry> = Vec::with_capacity(raw.len());
        let mut from = map.start;
        for (key, value) in raw {
            let value_span = self.span(value.get());
            let key_span = self.key_span(from, value_span.start);
            from = value_span.end;
            let Some(value) = self.node(value.get(), depth + 1) else {
                continue;
            };
            if entries.iter().any(|entry| entry.key == key) {
                let diagnostic =
                    Diagnostic::error("duplicate-key", format!("duplicate key `{key}`"));
                let diagnostic = diagnostic
                    .at(self.source, key_span)
                    .help("remove one of the two");
                self.diagnostics.push(diagnostic);
                continue;
            }
            entries.push(Entry {
                key,
                key_span,
                value,
            });
        }
        entries
    }

    /// The quoted key between the end of the previous value and the start of this one.
    fn key_span(&self, from: usize, to: usize) -> Span {
        let between = self.source.text.get(from..to).unwrap_or_default();
        let start = between.find('"').unwrap_or(0);
        let end = between.rfind('"').map_or(between.len(), |quote| quote + 1);
        Span {
            start: from + start,
            end: from + end,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<serde_json::Value, String> {
        parse(&Source::row("d.jsonl", text, 3))
            .map(|node| node.to_json())
            .map_err(|found| {
                let shown = found
                    .iter()
                    .map(|d| format!("{}@{:?}", d.rule, d.location().map(|l| (l.1, l.2))));
                shown.collect::<Vec<_>>().join(" ")
            })
    }

    #[test]
    fn reports_every_duplicate_key_at_any_depth() {
        assert_eq!(
            read("{\"a\": 1, \"b\": [{\"c\": 1, \"c\": 2}], \"a\": 2}").unwrap_err(),
            "duplicate-key@Some((3, 25)) duplicate-key@Some((3, 35))"
        );
    }

    #[test]
    fn reads_numbers_as_doubles_and_refuses_rounded_integers() {
        assert_eq!(
            read("[1, 1.0, 1e2, -0.5]").unwrap(),
            serde_json::json!([1, 1, 100, -0.5])
        );
        assert_eq!(
            read("{\"a\": 9007199254740993}").unwrap_err(),
            "integer-range@Some((3, 7))"
        );
    }

    #[test]
    fn bounds_the_depth() {
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        assert!(read(&deep).is_err());
        let allowed = format!("{}{}", "[".repeat(60), "]".repeat(60));
        assert!(read(&allowed).is_ok());
    }

    #[test]
    fn names_the_place_of_a_syntax_error() {
        assert_eq!(read("{\"a\": 1,, }").unwrap_err(), "json@Some((3, 9))");
        assert!(
            read("{\"a\": \"\\ud800\"}")
                .unwrap_err()
                .starts_with("json@")
        );
        assert!(read("").is_err());
        assert!(read("{} {}").is_err());
    }

    proptest::proptest! {
        #[test]
        fn agrees_with_serde_json(value in "[\\[\\]{}:,\"a0-9. -]{0,40}") {
            let ours = parse(&Source::row("t", &value, 1));
            let theirs: Result<serde_json::Value, _> = serde_json::from_str(&value);
            if ours.is_ok() { proptest::prop_assert!(theirs.is_ok()); }
        }
    }
}
