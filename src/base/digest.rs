//! Content digests: SHA-256 over bytes or over canonical JSON (RFC 8785), written
//! `sha256:<64 hex digits>`.

use std::fmt::{self, Write as _};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// How many digits of its digest a line of our logs ends with.
pub const LINE_SUM_DIGITS: usize = 16;

/// A SHA-256 digest of some content.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

/// Why a text is not a digest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not of the form sha256:<64 hex digits>")]
pub struct DigestError(String);

impl Digest {
    /// The digest of raw bytes.
    #[must_use]
    pub fn of_bytes(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// The digest of the canonical JSON (RFC 8785) of a value.
    #[must_use]
    pub fn of_json(value: &Value) -> Self {
        Self::of_bytes(canonical_json(value).as_bytes())
    }

    /// The 64 hexadecimal digits, without the `sha256:` prefix.
    #[must_use]
    pub fn hex(&self) -> String {
        hex(&self.0)
    }

    /// The first `digits` hexadecimal digits.
    #[must_use]
    pub fn short(&self, digits: usize) -> String {
        let mut hex = hex(self.0.get(..digits.div_ceil(2)).unwrap_or(&self.0));
        hex.truncate(digits);
        hex
    }

    /// The first sixteen hexadecimal digits, as the lines of our logs end with.
    #[must_use]
    pub fn line_sum(&self) -> [u8; LINE_SUM_DIGITS] {
        let mut digits = [0; LINE_SUM_DIGITS];
        write_hex(&self.0, &mut digits);
        digits
    }

    /// The first eight bytes as a big-endian integer, the seed of a draw.
    #[must_use]
    pub fn leading_u64(&self) -> u64 {
        self.word(0)
    }

    /// The `index`-th group of eight bytes (0 to 3) as a big-endian integer.
    #[must_use]
    pub fn word(&self, index: usize) -> u64 {
        self.0.chunks_exact(8).nth(index).map_or(0, |bytes| {
            bytes
                .iter()
                .fold(0, |word, byte| (word << 8) | u64::from(*byte))
        })
    }

    /// The digest with these bytes.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The raw 32 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// Builds a digest piece by piece, for content that is never in memory as a whole.
#[derive(Debug, Default, Clone)]
pub struct DigestBuilder(Sha256);

impl DigestBuilder {
    /// Adds bytes to the content.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest of everything added.
    #[must_use]
    pub fn finish(self) -> Digest {
        Digest(self.0.finalize().into())
    }
}

/// The canonical JSON text of a value, by RFC 8785: sorted keys, shortest round-trip numbers, no
/// white space.
///
/// What the RFC leaves to the language's own rules for most values (integers, text, maps with ASCII
/// keys) is written here; doubles with a fraction and maps with other keys go to the library.
#[must_use]
pub fn canonical_json(value: &Value) -> String {
    let mut text = String::with_capacity(256);
    push_canonical(value, &mut text);
    text
}

/// Appends the canonical JSON of a value, as [`canonical_json`].
pub fn push_canonical(value: &Value, text: &mut String) {
    match value {
        Value::Null => text.push_str("null"),
        Value::Bool(true) => text.push_str("true"),
        Value::Bool(false) => text.push_str("false"),
        Value::Number(number) => match number.as_i64().filter(|n| n.unsigned_abs() < (1 << 53)) {
            // Writing to a `String` can not fail.
            Some(integer) => drop(write!(text, "{integer}")),
            None => push_by_library(value, text),
        },
        Value::String(string) => push_text(string, text),
        Value::Array(items) => {
            text.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                push_canonical(item, text);
            }
            text.push(']');
        }
        // A map keeps its keys in the order of their UTF-8 bytes, which for ASCII is that of the
        // UTF-16 units that the RFC asks for.
        Value::Object(fields) if fields.keys().all(|key| key.is_ascii()) => {
            text.push('{');
            for (index, (key, item)) in fields.iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                push_text(key, text);
                text.push(':');
                push_canonical(item, text);
            }
            text.push('}');
        }
        Value::Object(_) => push_by_library(value, text),
    }
}

/// Appends a text as JSON: it needs escapes only for quotes, backslashes and control characters.
pub fn push_text(string: &str, text: &mut String) {
    let escaped = |byte: &u8| matches!(byte, 0..0x20 | b'"' | b'\\');
    // Counted to the end, so that many bytes are looked at in one step.
    if string.bytes().filter(escaped).count() > 0 {
        // Text can always be written as JSON.
        text.push_str(&serde_json::to_string(string).unwrap_or_default());
    } else {
        text.push('"');
        text.push_str(string);
        text.push('"');
    }
}

fn push_by_library(value: &Value, text: &mut String) {
    // A `Value` holds no NaN and no map with other than text keys, the only things that the
    // library can refuse.
    text.push_str(&serde_json_canonicalizer::to_string(value).unwrap_or_default());
}

/// Lower-case hexadecimal digits of some bytes.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    let mut digits = vec![0; 2 * bytes.len()];
    write_hex(bytes, &mut digits);
    // The digits are ASCII.
    String::from_utf8(digits).unwrap_or_default()
}

/// Fills a place with the digits of as many bytes as fit.
fn write_hex(bytes: &[u8], digits: &mut [u8]) {
    let digit = |value: u8| match value {
        0..10 => b'0' + value,
        _ => b'a' + value - 10,
    };
    for (byte, pair) in bytes.iter().zip(digits.chunks_exact_mut(2)) {
        pair.copy_from_slice(&[digit(byte >> 4), digit(byte & 15)]);
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut digits = [0; 64];
        write_hex(&self.0, &mut digits);
        f.write_str("sha256:")?;
        // The digits are ASCII.
        f.write_str(std::str::from_utf8(&digits).unwrap_or_default())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || DigestError(text.to_owned());
        let hex = text.strip_prefix("sha256:").ok_or_else(error)?;
        if hex.len() != 64 || !hex.is_ascii() {
            return Err(error());
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(hex.as_bytes().chunks_exact(2)) {
            let value = |digit: u8| char::from(digit).to_digit(16);
            let pair = <[u8; 2]>::try_from(pair).map_err(|_| error())?;
            let [high, low] = pair.map(value);
            let both = high.zip(low).map(|(high, low)| 16 * high + low);
            *byte = both
                .and_then(|both| u8::try_from(both).ok())
                .ok_or_else(error)?;
        }
        Ok(Self(bytes))
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut text = *b"sha256:0000000000000000000000000000000000000000000000000000000000000000";
        if let Some((_, digits)) = text.split_first_chunk_mut::<7>() {
            write_hex(&self.0, digits);
        }
        // The text is ASCII.
        serializer.serialize_str(std::str::from_utf8(&text).unwrap_or_default())
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn sorts_keys_and_shortens_numbers_as_rfc_8785_says() {
        let value = json!({"b": 1.0, "a": [1e21, 0.1, -0.0, "\u{20ac}\n"]});
        assert_eq!(
            canonical_json(&value),
            "{\"a\":[1e+21,0.1,0,\"\u{20ac}\\n\"],\"b\":1}"
        );
    }

    proptest::proptest! {
        #[test]
        fn writes_what_the_library_writes(text in "(\\PC|[\\x00-\\x1f\"\\\\\u{10000}]){0,8}", float in proptest::prelude::any::<f64>(), integer in proptest::prelude::any::<i64>()) {
            let value = json!({"b": [text.clone(), integer, Value::Null, true], text: {"a": float, "\u{e9}": {}}});
            let expected = serde_json_canonicalizer::to_string(&value).unwrap();
            proptest::prop_assert_eq!(canonical_json(&value), expected);
        }
    }

    #[test]
    fn reads_back_what_it_prints() {
        let digest = Digest::of_bytes(b"abc");
        assert_eq!(
            digest.to_string(),
            "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert_eq!(digest.to_string().parse(), Ok(digest));
        assert!("sha256:xyz".parse::<Digest>().is_err());
        assert!("ba78".parse::<Digest>().is_err());
    }
}
