//! Transforms of the answer before a scorer looks at it, in the order in which they are written.
//! They change the answer alone, never the values it is compared with.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::Regex;

use super::answer::quote;
use super::assertion::json::values_within;
use super::assertion::path::too_much;
use super::assertion::pattern::{self, Bounded};
use super::error::Fault;
use super::template::print;
use crate::base::decode::{Reader, choices};
use crate::base::jsonpath::JsonPath;
use crate::base::{Node, Value};

/// A transform.
#[derive(Debug, Clone)]
pub enum Transform {
    /// Removes white space at both ends.
    Trim,
    /// Lower case, by Unicode.
    Lowercase,
    /// Each run of white space becomes one space, none at the ends.
    CollapseWhitespace,
    /// Removes the marks of Markdown.
    StripMarkdown,
    /// The first JSON object or list.
    ExtractJson,
    /// The first line that is not blank.
    FirstLine,
    /// The last line that is not blank.
    LastLine,
    /// What a pattern finds first, or its first group.
    RegexExtract(Bounded),
    /// What a JSONPath selects first.
    JsonPath(JsonPath),
}

impl Transform {
    /// Its word in a suite.
    fn word(&self) -> &'static str {
        match self {
            Self::Trim => "trim",
            Self::Lowercase => "lowercase",
            Self::CollapseWhitespace => "collapse-whitespace",
            Self::StripMarkdown => "strip-markdown",
            Self::ExtractJson => "extract-json",
            Self::FirstLine => "first-line",
            Self::LastLine => "last-line",
            Self::RegexExtract(_) => "regex-extract",
            Self::JsonPath(_) => "json-path",
        }
    }

    /// Whether it takes a part of the answer, and not the whole in another form.
    fn extracts(&self) -> bool {
        match self {
            Self::Trim | Self::Lowercase | Self::CollapseWhitespace | Self::StripMarkdown => false,
            Self::ExtractJson
            | Self::FirstLine
            | Self::LastLine
            | Self::RegexExtract(_)
            | Self::JsonPath(_) => true,
        }
    }
}

/// The answer as a reason shows it: as it was given, or the part of it that was looked at.
pub(super) fn shown<'t>(transforms: &[Transform], given: &'t str, changed: &'t str) -> &'t str {
    if transforms.iter().any(Transform::extracts) {
        changed
    } else {
        given
    }
}

/// What was done to an answer, in words.
pub(super) fn describe(transforms: &[Transform]) -> String {
    let words: Vec<&str> = transforms.iter().map(Transform::word).collect();
    format!("after {}", words.join(", "))
}

/// Makes a transform that has no parameter.
type Plain = fn() -> Transform;

/// The transforms without a parameter by their words, and those with one.
const WORDS: [(&str, Plain); 7] = [
    ("trim", || Transform::Trim),
    ("lowercase", || Transform::Lowercase),
    ("collapse-whitespace", || Transform::CollapseWhitespace),
    ("strip-markdown", || Transform::StripMarkdown),
    ("extract-json", || Transform::ExtractJson),
    ("first-line", || Transform::FirstLine),
    ("last-line", || Transform::LastLine),
];
const WITH_VALUE: [&str; 2] = ["regex-extract", "json-path"];

/// The words of all transforms.
pub fn words() -> impl Iterator<Item = &'static str> {
    WORDS.iter().map(|(word, _)| *word).chain(WITH_VALUE)
}

/// Reads a list of transforms.
pub fn decode(reader: &mut Reader<'_>, node: &Node) -> Option<Vec<Transform>> {
    let items = reader.list(node, "`transform`")?;
    let transforms: Vec<Transform> = items
        .iter()
        .filter_map(|item| decode_one(reader, item))
        .collect();
    (transforms.len() == items.len()).then_some(transforms)
}

fn decode_one(reader: &mut Reader<'_>, node: &Node) -> Option<Transform> {
    let (word, value) = match &node.value {
        Value::Map(entries) => match entries.as_slice() {
            [entry] => (entry.key.as_str(), Some(&entry.value)),
            _ => {
                let help = "write - {regex-extract: 'Answer: (.+)'}";
                let message = "a transform with a value has one key";
                reader.error(node.span, "wrong-type", message, help);
                return None;
            }
        },
        Value::Text(word) => (word.as_str(), None),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::List(_) => {
            reader.text(node, "a transform")?;
            return None;
        }
    };
    let plain = WORDS.iter().find(|(known, _)| *known == word);
    match (plain, word, value) {
        (Some((_, transform)), _, None) => Some(transform()),
        (None, "regex-extract", Some(value)) => decode_pattern(reader, value),
        (None, "json-path", Some(value)) => {
            JsonPath::decode(reader, value).map(Transform::JsonPath)
        }
        (Some(_), _, Some(value)) => {
            let message = format!("transform `{word}` takes no value");
            reader.error(value.span, "wrong-type", message, format!("write `{word}`"));
            None
        }
        (None, "regex-extract" | "json-path", None) => {
            let message = format!("transform `{word}` needs a value");
            let help = format!("write - {{{word}: '…'}}");
            reader.error(node.span, "missing-key", message, help);
            None
        }
        (None, _, _) => {
            let known: Vec<&str> = words().collect();
            let message = format!("a transform can not be `{word}`");
            reader.error(node.span, "unknown-word", message, choices(word, &known));
            None
        }
    }
}

fn decode_pattern(reader: &mut Reader<'_>, node: &Node) -> Option<Transform> {
    let source = reader.nonempty(node, "`regex-extract`")?;
    pattern::compile_at(reader, node, source).map(Transform::RegexExtract)
}

/// Why a transform gave nothing: the answer's fault, unless a bound was met.
#[derive(Debug)]
pub enum Nothing {
    /// The answer has nothing of the kind.
    NotFound(String),
    /// A bound was met.
    Fault(Fault),
}

/// Applies transforms to a text.
///
/// # Errors
/// When one of them finds nothing in the text, or a bound is met.
pub fn apply<'t>(transforms: &[Transform], text: &'t str) -> Result<Cow<'t, str>, Nothing> {
    let mut text = Cow::Borrowed(text);
    for transform in transforms {
        text = match text {
            Cow::Borrowed(text) => transform.of(text)?,
            Cow::Owned(text) => Cow::Owned(transform.of(&text)?.into_owned()),
        };
    }
    Ok(text)
}

impl Transform {
    fn of<'t>(&self, text: &'t str) -> Result<Cow<'t, str>, Nothing> {
        let nothing = |what: &str| Nothing::NotFound(format!("no {what} in {}", quote(text)));
        let mut lines = text.lines().filter(|line| !line.trim().is_empty());
        match self {
            Self::Trim => Ok(Cow::Borrowed(text.trim())),
            Self::Lowercase => Ok(Cow::Owned(text.to_lowercase())),
            Self::CollapseWhitespace => {
                let words: Vec<&str> = text.split_whitespace().collect();
                Ok(Cow::Owned(words.join(" ")))
            }
            Self::StripMarkdown => Ok(Cow::Owned(strip_markdown(text))),
            Self::ExtractJson => match values_within(text).next() {
                Some(Ok((found, _))) => Ok(Cow::Borrowed(found)),
                Some(Err(fault)) => Err(Nothing::Fault(fault)),
                None => Err(nothing("JSON object or list")),
            },
            Self::FirstLine => Ok(Cow::Borrowed(lines.next().unwrap_or_default())),
            Self::LastLine => Ok(Cow::Borrowed(lines.next_back().unwrap_or_default())),
            Self::RegexExtract(regex) => {
                let found = regex.on(text).map_err(Nothing::Fault)?.captures(text);
                let group = found
                    .as_ref()
                    .and_then(|found| found.get(1).or(found.get(0)));
                match group {
                    Some(group) => Ok(Cow::Borrowed(group.as_str())),
                    None => Err(nothing("match of the transform's pattern")),
                }
            }
            Self::JsonPath(path) => {
                let value: serde_json::Value =
                    serde_json::from_str(text).map_err(|_| nothing("JSON"))?;
                let selected = path
                    .select(&value)
                    .map_err(|error| Nothing::Fault(too_much(&error)))?;
                match selected.first() {
                    Some(found) => Ok(Cow::Owned(print(found).into_owned())),
                    None => Err(nothing("value at the transform's path")),
                }
            }
        }
    }
}

/// The text without the marks of Markdown: fences, heading, quote and list marks, emphasis, code
/// marks; of links and images the text remains.
fn strip_markdown(text: &str) -> String {
    static RULES: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
        let emphasis = r"(?m)(^|[^\w*])\*([^*\s](?:[^*\n]*[^*\s])?)\*($|[^\w*])";
        [
            (r"(?m)^[ \t]*(?:```|~~~)[^\n]*\n?", ""),
            (
                r"(?m)^[ \t]{0,3}(?:#{1,6}[ \t]+|>[ \t]?|[-*+][ \t]+|[0-9]{1,9}[.)][ \t]+)+",
                "",
            ),
            (r"!?\[([^\]\n]*)\]\([^)\n]*\)", "$1"),
            (r"\*\*|~~|`", ""),
            // Twice, since two marks may share the space between them.
            (emphasis, "$1$2$3"),
            (emphasis, "$1$2$3"),
        ]
        .into_iter()
        .filter_map(|(pattern, to)| Some((Regex::new(pattern).ok()?, to)))
        .collect()
    });
    let mut text = text.to_owned();
    for (pattern, to) in RULES.iter() {
        if pattern.is_match(&text) {
            text = pattern.replace_all(&text, *to).into_owned();
        }
    }
    text
}
