//! Readers for replies that bend JSON's rules or the vendor's own: numbers as floats or text, words
//! as numbers, texts in parts, bytes that are no text. What can not be read counts as absent.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

/// Reads a body, borrowing from it where it can. A body that is not quite JSON is repaired once into
/// `scratch`; the flag tells whether that lost something.
pub(super) fn read<'a, T: Deserialize<'a>>(
    body: &'a [u8],
    scratch: &'a mut Vec<u8>,
) -> Result<(T, bool), serde_json::Error> {
    match serde_json::from_slice(body) {
        Ok(value) => Ok((value, false)),
        Err(error) if error.is_eof() => Err(error),
        Err(_) => {
            let (repaired, lossy) = repair(body);
            *scratch = repaired;
            serde_json::from_slice(scratch).map(|value| (value, lossy))
        }
    }
}

/// The body with raw control characters in strings escaped, and with bytes that are no UTF-8 and
/// lone surrogates replaced; the flag tells whether any of the latter were.
fn repair(body: &[u8]) -> (Vec<u8>, bool) {
    let text = String::from_utf8_lossy(body);
    let mut lossy = matches!(text, Cow::Owned(_));
    let mut rest = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let mut repaired = Vec::with_capacity(rest.len() + 16);
    let mut in_string = false;
    while let Some(c) = rest.chars().next() {
        let mut length = c.len_utf8();
        match c {
            '"' => in_string = !in_string,
            '\\' if in_string => {
                let (escape, lone) = escape_at(rest);
                length = escape;
                if lone {
                    lossy = true;
                    repaired.extend_from_slice(b"\\ufffd");
                    rest = rest.get(length..).unwrap_or_default();
                    continue;
                }
            }
            '\0'..='\u{1f}' if in_string => {
                repaired.extend_from_slice(format!("\\u{:04x}", u32::from(c)).as_bytes());
                rest = rest.get(length..).unwrap_or_default();
                continue;
            }
            _ => {}
        }
        let (piece, after) = rest.split_at_checked(length).unwrap_or((rest, ""));
        repaired.extend_from_slice(piece.as_bytes());
        rest = after;
    }
    (repaired, lossy)
}

/// The length of the escape that a text begins with, and whether it is half of a surrogate pair.
fn escape_at(text: &str) -> (usize, bool) {
    match unit_at(text) {
        Some(0xd800..=0xdbff) => match text.get(6..).and_then(unit_at) {
            Some(0xdc00..=0xdfff) => (12, false),
            _ => (6, true),
        },
        Some(0xdc00..=0xdfff) => (6, true),
        Some(_) => (6, false),
        None => {
            let escaped = text.chars().nth(1).map_or(0, char::len_utf8);
            (1 + escaped, false)
        }
    }
}

/// The code unit of an escape such as `\u00e9` that a text begins with.
fn unit_at(text: &str) -> Option<u16> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    u16::from_str_radix(digits, 16).ok()
}

/// The methods of a visitor that consume a shape and count it as absent.
macro_rules! absent {
    () => {
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("any value")
        }
        fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
            while items.next_element::<IgnoredAny>()?.is_some() {}
            Ok(Self::Value::default())
        }
        fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
            while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            Ok(Self::Value::default())
        }
        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok(Self::Value::default())
        }
    };
}

/// A whole number, also as an integral float or as text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Count(pub Option<u64>);

struct CountVisitor;

impl<'de> Visitor<'de> for CountVisitor {
    type Value = Count;
    absent!();

    fn visit_bool<E>(self, _: bool) -> Result<Count, E> {
        Ok(Count(None))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Count, E> {
        Ok(Count(Some(value)))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Count, E> {
        Ok(Count(u64::try_from(value).ok()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Count, E> {
        Ok(Count(whole(value)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Count, E> {
        let value = value.trim();
        let count = value.parse().ok();
        Ok(Count(count.or_else(|| whole(value.parse().ok()?))))
    }
}

fn whole(value: f64) -> Option<u64> {
    let range = 0.0..=9_007_199_254_740_992.0;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "within the integers that a double holds"
    )]
    (range.contains(&value) && value.fract() == 0.0).then_some(value as u64)
}

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(CountVisitor)
    }
}

/// A finite number, also as text.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Amount(pub Option<f64>);

struct AmountVisitor;

impl<'de> Visitor<'de> for AmountVisitor {
    type Value = Amount;
    absent!();

    fn visit_bool<E>(self, _: bool) -> Result<Amount, E> {
        Ok(Amount(None))
    }

    #[expect(clippy::cast_precision_loss, reason = "an amount of money")]
    fn visit_u64<E>(self, value: u64) -> Result<Amount, E> {
        Ok(Amount(Some(value as f64)))
    }

    #[expect(clippy::cast_precision_loss, reason = "an amount of money")]
    fn visit_i64<E>(self, value: i64) -> Result<Amount, E> {
        Ok(Amount(Some(value as f64)))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Amount, E> {
        Ok(Amount(Some(value)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Amount, E> {
        let number = value.trim().parse().ok();
        Ok(Amount(number.filter(|value: &f64| value.is_finite())))
    }
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AmountVisitor)
    }
}

/// A word or a number as text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Word<'a>(pub Option<Cow<'a, str>>);

impl Word<'_> {
    pub(super) fn as_str(&self) -> Option<&str> {
        self.0.as_deref()
    }

    /// The word as a text of its own, unless it is empty.
    pub(super) fn into_nonempty(self) -> Option<String> {
        self.0.filter(|word| !word.is_empty()).map(Cow::into_owned)
    }
}

struct WordVisitor;

impl<'de> Visitor<'de> for WordVisitor {
    type Value = Word<'de>;
    absent!();

    fn visit_bool<E>(self, value: bool) -> Result<Word<'de>, E> {
        Ok(Word(Some(Cow::Borrowed(if value {
            "true"
        } else {
            "false"
        }))))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Word<'de>, E> {
        Ok(Word(Some(Cow::Owned(value.to_string()))))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Word<'de>, E> {
        Ok(Word(Some(Cow::Owned(value.to_string()))))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Word<'de>, E> {
        Ok(Word(Some(Cow::Owned(value.to_string()))))
    }

    fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Word<'de>, E> {
        Ok(Word(Some(Cow::Borrowed(value))))
    }

    fn visit_str<E>(self, value: &str) -> Result<Word<'de>, E> {
        Ok(Word(Some(Cow::Owned(value.to_owned()))))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Word<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(WordVisitor)
    }
}

/// Whether there is something other than null and the empty text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Present(pub bool);

impl<'de> Deserialize<'de> for Present {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&serde_json::value::RawValue>::deserialize(deserializer)?;
        Ok(Self(!matches!(raw.get(), "null" | "\"\"" | "false")))
    }
}

/// The text of a message: a text, or a list of parts of which those with a text count.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) enum Content<'a> {
    /// The key is not there.
    #[default]
    Missing,
    /// Null, or a shape that holds no text.
    Null,
    /// The text.
    Text(Cow<'a, str>),
}

impl Content<'_> {
    pub(super) fn into_text(self) -> Option<String> {
        match self {
            Self::Text(text) => Some(text.into_owned()),
            Self::Missing | Self::Null => None,
        }
    }
}

struct ContentVisitor;

#[derive(serde::Deserialize)]
struct Part<'a> {
    #[serde(borrow, default)]
    r#type: Word<'a>,
    #[serde(borrow, default)]
    text: Word<'a>,
}

impl<'de> Visitor<'de> for ContentVisitor {
    type Value = Content<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, a list of parts or null")
    }

    fn visit_unit<E>(self) -> Result<Content<'de>, E> {
        Ok(Content::Null)
    }

    fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Content<'de>, E> {
        Ok(Content::Text(Cow::Borrowed(value)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Content<'de>, E> {
        Ok(Content::Text(Cow::Owned(value.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Content<'de>, A::Error> {
        let mut text: Option<String> = None;
        while let Some(part) = items.next_element::<Part<'de>>()? {
            let is_text = matches!(part.r#type.as_str(), None | Some("text" | "output_text"));
            if let (true, Some(piece)) = (is_text, part.text.0) {
                text.get_or_insert_default().push_str(&piece);
            }
        }
        Ok(text.map_or(Content::Null, |text| Content::Text(Cow::Owned(text))))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Content<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ContentVisitor)
    }
}

/// The arguments of a tool call: JSON, or JSON written as text; text that is no JSON stays text.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Arguments(pub Value);

impl<'de> Deserialize<'de> for Arguments {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let Value::String(text) = value else {
            return Ok(Self(value));
        };
        Ok(Self(
            serde_json::from_str(&text).unwrap_or(Value::String(text)),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_as<T: for<'a> Deserialize<'a>>(text: &str) -> T {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn counts_are_whole_numbers_in_any_dress() {
        for (text, count) in [
            ("5", Some(5)),
            ("5.0", Some(5)),
            ("1e3", Some(1000)),
            ("\"7\"", Some(7)),
            ("\"7.0\"", Some(7)),
            ("18446744073709551615", Some(u64::MAX)),
            ("-1", None),
            ("1.5", None),
            ("5.4e-6", None),
            ("\"abc\"", None),
            ("\"NaN\"", None),
            ("null", None),
            ("true", None),
            ("[1]", None),
            ("{\"a\":1}", None),
        ] {
            assert_eq!(read_as::<Count>(text), Count(count), "{text}");
        }
    }

    #[test]
    fn words_may_be_numbers_and_amounts_may_be_text() {
        for (text, word) in [
            ("\"a\"", Some("a")),
            ("\"\\u00e9\"", Some("\u{e9}")),
            ("429", Some("429")),
            ("-1", Some("-1")),
            ("1.5", Some("1.5")),
            ("true", Some("true")),
            ("null", None),
            ("[]", None),
            ("{}", None),
        ] {
            let read: Word<'_> = serde_json::from_str(text).unwrap();
            assert_eq!(read.as_str(), word, "{text}");
        }
        assert_eq!(read_as::<Amount>("5.4e-6"), Amount(Some(5.4e-6)));
        assert_eq!(read_as::<Amount>("\"0.5\""), Amount(Some(0.5)));
        assert_eq!(read_as::<Amount>("\"inf\""), Amount(None));
        assert_eq!(read_as::<Amount>("{}"), Amount(None));
    }

    #[test]
    fn contents_are_text_or_parts() {
        for (text, content) in [
            ("\"a\"", Content::Text("a".into())),
            ("\"\"", Content::Text("".into())),
            ("null", Content::Null),
            ("[]", Content::Null),
            (
                r#"[{"type":"text","text":"a"},{"type":"x","text":"no"},{"text":"b"},{"type":"text"}]"#,
                Content::Text("ab".into()),
            ),
        ] {
            let read: Content<'_> = serde_json::from_str(text).unwrap();
            assert_eq!(read, content, "{text}");
        }
    }

    #[test]
    fn repairs_what_is_almost_json() {
        for (body, text, lossy) in [
            (&br#"["\ud83d"]"#[..], "\u{fffd}", true),
            (br#"["a\ude00b"]"#, "a\u{fffd}b", true),
            (br#"["\ud83d\ud83d\ude00"]"#, "\u{fffd}\u{1f600}", true),
            (br#"["\\ud83d"]"#, "\\ud83d", false),
            (b"[\"a\xffb\"]", "a\u{fffd}b", true),
            (b"[\"a\x00\x1bb\\\"\"]", "a\0\u{1b}b\"", false),
            (b"\xef\xbb\xbf[\"a\"]", "a", false),
            (br#"["\u0000"]"#, "\0", false),
        ] {
            let mut scratch = Vec::new();
            let (texts, found) = read::<Vec<Cow<'_, str>>>(body, &mut scratch).unwrap();
            assert_eq!((texts.concat().as_str(), found), (text, lossy), "{body:?}");
        }
        assert!(read::<Value>(b"[1, 2", &mut Vec::new()).is_err());
        assert!(read::<Value>(b"<html>", &mut Vec::new()).is_err());
        assert!(read::<Value>(b"", &mut Vec::new()).is_err());
    }

    #[test]
    fn arguments_are_json_even_in_text() {
        assert_eq!(read_as::<Arguments>(r#""{\"a\":1}""#).0["a"], 1);
        assert_eq!(read_as::<Arguments>(r#"{"a":1}"#).0["a"], 1);
        assert_eq!(read_as::<Arguments>(r#""{\"a\":""#).0, "{\"a\":");
    }
}
