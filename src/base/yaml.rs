//! Reads YAML 1.2 into located values, strictly: no merge keys, no tags, no NaN or infinity, one
//! document, bounded size, depth and aliases. The only caller of the YAML crate.

use std::fmt;
use std::sync::Arc;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::options::{DuplicateKeyPolicy, MergeKeyPolicy};
use serde_saphyr::{Location, Spanned};

use super::node::MAX_SAFE_INTEGER;
use super::{Diagnostic, Diagnostics, Entry, Node, Source, Span, Value};

/// The largest YAML file that is read.
pub const MAX_BYTES: usize = 8 << 20;
/// The YAML crate recurses with large stack frames: 32 levels, far beyond any file of ours, stay
/// within the two MiB of a thread even without optimisation.
const MAX_DEPTH: usize = 32;
const MAX_NODES: usize = 5_000_000;

/// Reads the one document of a source.
///
/// # Errors
/// All findings of the file: a syntax error ends the reading, while duplicate keys, keys that are
/// no text and integers beyond 2^53 - 1 are collected.
pub fn parse(source: &Arc<Source>) -> Result<Node, Diagnostics> {
    read(source, Dialect::Ours)
}

/// Reads the one document of another tool's file, where merge keys and keys that are numbers or
/// booleans are allowed. Bounds are the same.
///
/// # Errors
/// As for [`parse`].
pub fn parse_foreign(source: &Arc<Source>) -> Result<Node, Diagnostics> {
    read(source, Dialect::Foreign)
}

/// Whose file it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dialect {
    Ours,
    Foreign,
}

fn read(source: &Arc<Source>, dialect: Dialect) -> Result<Node, Diagnostics> {
    if source.text.len() > MAX_BYTES {
        let message = format!("the file is larger than {} MiB", MAX_BYTES >> 20);
        let diagnostic = Diagnostic::error("too-large", message).at(source, Span::default());
        return Err(diagnostic.help("keep large datasets as JSONL").into());
    }
    let parsed: Result<Option<Spanned<Raw>>, _> =
        serde_saphyr::from_str_with_options(&source.text, options(dialect));
    match parsed {
        Ok(Some(raw)) => {
            let mut converter = Converter {
                source,
                dialect,
                diagnostics: Diagnostics::new(),
            };
            let node = converter.node(raw);
            converter
                .diagnostics
                .finish(Some(node))
                .map(|(node, _)| node)
        }
        Ok(None) => Ok(Node {
            span: Span::default(),
            value: Value::Null,
        }),
        Err(error) => Err(syntax_error(source, &error)),
    }
}

fn options(dialect: Dialect) -> serde_saphyr::Options {
    let merge_keys = match dialect {
        Dialect::Ours => MergeKeyPolicy::Error,
        Dialect::Foreign => MergeKeyPolicy::Merge,
    };
    serde_saphyr::options! {
        strict_booleans: true,
        reject_unsupported_tags: true,
        merge_keys: merge_keys,
        // Both of two equal keys reach the visitor, which reports them with their places.
        duplicate_keys: DuplicateKeyPolicy::LastWins,
        with_snippet: false,
        budget: serde_saphyr::budget! {
            max_events: 2 * MAX_NODES,
            max_nodes: MAX_NODES,
            max_depth: MAX_DEPTH,
            max_documents: 1,
        },
    }
}

fn syntax_error(source: &Arc<Source>, error: &serde_saphyr::Error) -> Diagnostics {
    let text = error.without_snippet().to_string();
    let message = text
        .split(" at line ")
        .next()
        .unwrap_or(&text)
        .lines()
        .next()
        .unwrap_or_default();
    let location = error.location();
    let line = location.map_or(1, |at| usize::try_from(at.line()).unwrap_or(1));
    if let Some(tab) = tab_of(source, message, line) {
        return Diagnostic::error("yaml", "a tab in the indentation")
            .at(source, tab)
            .help("YAML is indented with spaces")
            .into();
    }
    let span = location.map_or(Span::default(), |at| span_of(source, &at));
    Diagnostic::error("yaml", format!("not valid here: {message}"))
        .at(source, span)
        .into()
}

/// The tab that indents, where the error is about one. The YAML crate names the place where it
/// began to read, which may be lines above, or the place after the tab.
fn tab_of(source: &Source, message: &str, line: usize) -> Option<Span> {
    let is_about_tab = message
        .split(' ')
        .any(|word| matches!(word, "tab" | "tabs"));
    if !is_about_tab {
        return None;
    }
    let mut start = 0;
    for (text, number) in source.text.split_inclusive('\n').zip(1..) {
        let blank = text.trim_start_matches([' ', '\t']);
        let indentation = text.get(..text.len() - blank.len()).unwrap_or_default();
        let tab = indentation.find('\t').filter(|_| !blank.trim().is_empty());
        if let (true, Some(tab)) = (number >= line, tab) {
            return Some(Span {
                start: start + tab,
                end: start + tab + 1,
            });
        }
        start += text.len();
    }
    None
}

fn span_of(source: &Source, location: &Location) -> Span {
    let span = location.span();
    let byte = |value: Option<u64>| value.and_then(|v| usize::try_from(v).ok());
    match (byte(span.byte_offset()), byte(span.byte_len())) {
        (Some(start), Some(length)) => Span {
            start,
            end: start.saturating_add(length),
        },
        _ => line_span(source, location),
    }
}

fn line_span(source: &Source, location: &Location) -> Span {
    let line = usize::try_from(location.line()).unwrap_or(1).max(1);
    let column = usize::try_from(location.column()).unwrap_or(1).max(1);
    let start: usize = source
        .text
        .split_inclusive('\n')
        .take(line - 1)
        .map(str::len)
        .sum();
    let inside = source.text.get(start..).unwrap_or_default();
    let offset: usize = inside.chars().take(column - 1).map(char::len_utf8).sum();
    Span {
        start: start + offset,
        end: start + offset + 1,
    }
}

/// What the YAML crate hands over, before places are resolved.
enum Raw {
    Null,
    Bool(bool),
    Number(f64),
    Text(String),
    List(Vec<Spanned<Raw>>),
    Map(Vec<(Spanned<Raw>, Spanned<Raw>)>),
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a YAML value")
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_none<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Raw, D::Error> {
        Raw::deserialize(deserializer)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Raw, E> {
        Ok(Raw::Bool(value))
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "checked against the source text afterwards"
    )]
    fn visit_i64<E>(self, value: i64) -> Result<Raw, E> {
        Ok(Raw::Number(value as f64))
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "checked against the source text afterwards"
    )]
    fn visit_u64<E>(self, value: u64) -> Result<Raw, E> {
        Ok(Raw::Number(value as f64))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Raw, E> {
        if value.is_finite() {
            Ok(Raw::Number(value))
        } else {
            Err(E::custom("not a finite number"))
        }
    }

    fn visit_str<E>(self, value: &str) -> Result<Raw, E> {
        Ok(Raw::Text(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Raw, E> {
        Ok(Raw::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Raw, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Raw::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Raw, A::Error> {
        let mut map = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            map.push(entry);
        }
        Ok(Raw::Map(map))
    }
}

struct Converter<'a> {
    source: &'a Arc<Source>,
    dialect: Dialect,
    diagnostics: Diagnostics,
}

impl Converter<'_> {
    fn error(&mut self, rule: &'static str, message: String, span: Span, help: &str) {
        let diagnostic = Diagnostic::error(rule, message)
            .at(self.source, span)
            .help(help);
        self.diagnostics.push(diagnostic);
    }

    fn node(&mut self, raw: Spanned<Raw>) -> Node {
        let mut span = span_of(self.source, &raw.referenced);
        let value = match raw.value {
            Raw::Null => Value::Null,
            Raw::Bool(value) => Value::Bool(value),
            Raw::Number(number) => {
                self.check_integer(number, span);
                Value::Number(number)
            }
            Raw::Text(text) => Value::Text(text),
            Raw::List(items) => {
                Value::List(items.into_iter().map(|item| self.node(item)).collect())
            }
            Raw::Map(entries) => {
                let entries = self.entries(entries);
                // A block map has no token of its own: its first key stands for it.
                if let (true, Some(first)) = (span.start == span.end, entries.first()) {
                    span = first.key_span;
                }
                Value::Map(entries)
            }
        };
        Node { span, value }
    }

    /// A whole number as written (no point, no exponent) must be one that a double holds.
    fn check_integer(&mut self, number: f64, span: Span) {
        let written = self
            .source
            .text
            .get(span.start..span.end)
            .unwrap_or_default();
        let whole = !written.contains(['.', 'e', 'E']);
        if whole && number.abs() > MAX_SAFE_INTEGER {
            let message = "this integer is beyond 2^53 - 1, so it would be rounded".to_owned();
            self.error("integer-range", message, span, "quote it if it is text");
        }
    }

    /// A key as text; another tool's may be a number or boolean, which is taken as written.
    fn key(&self, key: Raw, span: Span) -> Option<String> {
        match (key, self.dialect) {
            (Raw::Text(text), _) => Some(text),
            (Raw::Number(_) | Raw::Bool(_), Dialect::Foreign) => self
                .source
                .text
                .get(span.start..span.end)
                .map(str::to_owned),
            _ => None,
        }
    }

    fn entries(&mut self, raw: Vec<(Spanned<Raw>, Spanned<Raw>)>) -> Vec<Entry> {
        let mut entries: Vec<Entry> = Vec::with_capacity(raw.len());
        for (key, value) in raw {
            let key_span = span_of(self.source, &key.referenced);
            let value = self.node(value);
            let Some(key) = self.key(key.value, key_span) else {
                self.error(
                    "key-type",
                    "a key must be text".to_owned(),
                    key_span,
                    "quote the key",
                );
                continue;
            };
            if let Some(first) = entries.iter().find(|entry| entry.key == key) {
                let (line, _) = self.source.position(first.key_span.start);
                let message = format!("duplicate key `{key}`, first written in line {line}");
                self.error("duplicate-key", message, key_span, "remove one of the two");
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
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<serde_json::Value, String> {
        parse(&Source::new("t.yaml", text))
            .map(|node| node.to_json())
            .map_err(|found| {
                found
                    .iter()
                    .map(|d| format!("{}@{:?}", d.rule, d.location().map(|l| (l.1, l.2))))
                    .collect::<Vec<_>>()
                    .join(" ")
            })
    }

    #[test]
    fn reads_yaml_1_2_scalars() {
        let value = read("a: no\nb: 1.10\nc: 010\nd: true\ne: ~\nf: '1'\ng: 0x1F\nh: yes").unwrap();
        assert_eq!(value["a"], "no");
        assert_eq!(value["b"], 1.1);
        assert_eq!(value["d"], true);
        assert!(value["e"].is_null());
        assert_eq!(value["f"], "1");
        assert_eq!(value["h"], "yes");
    }

    #[test]
    fn reports_every_duplicate_key_with_its_place() {
        assert_eq!(
            read("a: 1\nb: {x: 1, x: 2}\na: 3\n").unwrap_err(),
            "duplicate-key@Some((2, 11)) duplicate-key@Some((3, 1))"
        );
    }

    #[test]
    fn another_tools_file_may_merge_and_have_numbers_as_keys() {
        let text = "a: &a { x: 1, y: 2 }\nb: { <<: *a, y: 3 }\n1: one\n";
        let node = parse_foreign(&Source::new("t", text)).unwrap();
        assert_eq!(
            node.to_json(),
            serde_json::json!({"a": {"x": 1, "y": 2}, "b": {"x": 1, "y": 3}, "1": "one"})
        );
        assert!(parse(&Source::new("t", text)).is_err());
    }

    #[test]
    fn refuses_what_yaml_allows_and_we_do_not() {
        for (text, rule) in [
            ("a: &x {b: 1}\nc:\n  <<: *x\n", "yaml"),
            ("a: !custom 1\n", "yaml"),
            ("a: .nan\n", "yaml"),
            ("a: .inf\n", "yaml"),
            ("a: 1\n---\nb: 2\n", "yaml"),
            ("a: 12345678901234567890123\n", "integer-range"),
            ("a: 9007199254740993\n", "integer-range"),
            ("1: a\n", "key-type"),
            ("a: [1, 2\n", "yaml"),
            ("a: \"\\ud800\"\n", "yaml"),
        ] {
            let found = read(text).expect_err(text);
            assert!(found.starts_with(rule), "{text:?}: {found}");
        }
    }

    #[test]
    fn a_tab_that_indents_is_named_at_its_own_line_and_column() {
        for (text, place) in [
            ("a:\n\tb: 1\n", "a.yaml:2:1"),
            ("models:\n  - name: a\n\t  provider: mock\n", "a.yaml:3:1"),
            ("a:\n  b: 1\n \tc: 2\n", "a.yaml:3:2"),
            ("a: x\n\n\t\n  y\n\tz: 1\n", "a.yaml:5:1"),
            ("a: |\n\tb: 1\n", "a.yaml:2:1"),
            ("a: [\n\t1]\nb: {\n\tc: 1}\n", "a.yaml:2:1"),
        ] {
            let said = parse(&Source::new("a.yaml", text)).unwrap_err().to_string();
            assert!(
                said.contains("a tab in the indentation"),
                "{text:?}: {said}"
            );
            assert!(said.contains(&format!("{place}\n")), "{text:?}: {said}");
            assert!(said.contains("YAML is indented with spaces"), "{said}");
        }
        let bracket = parse(&Source::new("a.yaml", "a: [1\n")).unwrap_err();
        assert!(!bracket.to_string().contains("tab"), "{bracket}");
    }

    #[test]
    fn bounds_depth_and_aliases() {
        let deep = format!("a: {}{}", "[".repeat(200), "]".repeat(200));
        assert!(read(&deep).unwrap_err().starts_with("yaml"));
        let mut bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n".to_owned();
        for pair in ["ab", "bc", "cd", "de", "ef", "fg", "gh", "hi"] {
            let (from, to) = pair.split_at(1);
            let many = vec![format!("*{from}"); 8].join(",");
            bomb = format!("{bomb}{to}: &{to} [{many}]\n");
        }
        assert!(read(&bomb).unwrap_err().starts_with("yaml"));
    }

    #[test]
    fn places_are_bytes_and_name_line_and_column_in_characters() {
        let source = Source::new("t.yaml", "a: \u{f6}\u{f6}\nb:\n  c: \u{f6}x\n");
        let node = parse(&source).unwrap();
        let inner = node.get("b").and_then(|b| b.get("c")).unwrap();
        assert_eq!(source.position(inner.span.start), (3, 6));
        assert_eq!(
            source.text.get(inner.span.start..inner.span.end),
            Some("\u{f6}x")
        );
    }

    proptest::proptest! {
        #[test]
        fn reads_any_text_without_a_panic(text in "[ -~\n\u{f6}\u{1b}]{0,60}") {
            let _ = parse(&Source::new("t", &text));
        }
    }
}
