//! Secrets, which show as `***`, and the redactor that takes them out of any text.

use std::borrow::Cow;
use std::fmt;

use regex::Regex;

/// What stands in place of a secret.
const MASK: &str = "***";
/// A shorter value is no secret, and masking it would spoil every text.
const MIN_SECRET: usize = 4;

/// A value that is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// A secret of this value.
    #[must_use]
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// What a header says for a user with a password (RFC 7617).
    #[must_use]
    pub fn basic(user: &str, password: &Self) -> Self {
        let mut bytes = format!("{user}:{}", password.0).into_bytes();
        let padding = (3 - bytes.len() % 3) % 3;
        bytes.extend(std::iter::repeat_n(0, padding));
        let mut digits = base64_inside(&bytes, 0, STANDARD);
        digits.truncate(digits.len().saturating_sub(padding));
        Self(format!("Basic {digits}{}", "=".repeat(padding)))
    }

    /// The value itself, for the wire.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

/// Takes known secrets out of texts: as they are, escaped as in JSON, in Base64 at any offset, and
/// percent-encoded.
#[derive(Clone, Default)]
pub struct Redactor {
    /// All forms at once; absent where they are too many for one pattern.
    pattern: Option<Regex>,
    forms: Vec<String>,
}

impl Redactor {
    /// A redactor of these secrets.
    #[must_use]
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a Secret>) -> Self {
        let mut forms: Vec<String> = Vec::new();
        for secret in secrets {
            if secret.0.len() >= MIN_SECRET {
                forms.extend(forms_of(&secret.0));
            }
        }
        // The longest first: an alternation takes the first branch that fits.
        forms.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        forms.dedup();
        let branches: Vec<String> = forms.iter().map(|form| regex::escape(form)).collect();
        let pattern = (!branches.is_empty()).then(|| Regex::new(&branches.join("|")).ok());
        Self {
            pattern: pattern.flatten(),
            forms,
        }
    }

    /// The text with every secret masked.
    #[must_use]
    pub fn redact<'t>(&self, text: &'t str) -> Cow<'t, str> {
        match &self.pattern {
            Some(pattern) => pattern.replace_all(text, MASK),
            None if self.forms.is_empty() => Cow::Borrowed(text),
            None => {
                let masked = self.forms.iter();
                masked
                    .fold(text.to_owned(), |text, form| text.replace(form, MASK))
                    .into()
            }
        }
    }
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Redactor of {} forms", self.forms.len())
    }
}

/// The forms in which a secret can stand in a text.
fn forms_of(secret: &str) -> Vec<String> {
    let mut forms = vec![secret.to_owned()];
    let json = serde_json::Value::from(secret).to_string();
    forms.push(json.trim_matches('"').to_owned());
    for alphabet in [STANDARD, URL_SAFE] {
        forms.extend((0..3).map(|offset| base64_inside(secret.as_bytes(), offset, alphabet)));
    }
    for upper in [true, false] {
        forms.push(percent(secret, upper));
    }
    forms.retain(|form| form.len() >= MIN_SECRET);
    forms
}

const STANDARD: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const URL_SAFE: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// The Base64 digits that depend on the secret alone, where `offset` bytes stand before it in a
/// group of three: the same whatever surrounds it.
fn base64_inside(secret: &[u8], offset: usize, alphabet: &[u8; 64]) -> String {
    let bits = 8 * offset..8 * (offset + secret.len());
    let digits = bits.start.div_ceil(6)..bits.end / 6;
    digits
        .map(|digit| {
            let value = (6 * digit..6 * digit + 6).fold(0_usize, |value, bit| {
                let bit = bit - 8 * offset;
                let byte = secret.get(bit / 8).copied().unwrap_or_default();
                (value << 1) | usize::from(byte >> (7 - bit % 8) & 1)
            });
            char::from(alphabet.get(value).copied().unwrap_or_default())
        })
        .collect()
}

/// A text as one part of an address (RFC 3986).
pub(crate) fn percent_encoded(text: &str) -> String {
    percent(text, true)
}

fn percent(text: &str, upper: bool) -> String {
    use fmt::Write as _;
    let mut encoded = String::with_capacity(text.len() + 8);
    for byte in text.bytes() {
        // Writing to a `String` can not fail.
        let _ = match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.write_char(char::from(byte))
            }
            _ if upper => write!(encoded, "%{byte:02X}"),
            _ => write!(encoded, "%{byte:02x}"),
        };
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redact(secret: &str, text: &str) -> String {
        Redactor::new([&Secret::new(secret)])
            .redact(text)
            .into_owned()
    }

    #[test]
    fn a_user_with_a_password_is_written_as_the_standard_has_it() {
        // RFC 7617 section 2, and one of each padding.
        for (user, password, header) in [
            (
                "Aladdin",
                "open sesame",
                "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
            ),
            ("pk", "sk1", "Basic cGs6c2sx"),
            ("pk", "sk", "Basic cGs6c2s="),
        ] {
            assert_eq!(Secret::basic(user, &Secret::new(password)).expose(), header);
        }
    }

    #[test]
    fn a_secret_does_not_print() {
        let secret = Secret::new("sk-canary");
        assert_eq!(format!("{secret:?} {secret}"), "*** ***");
    }

    #[test]
    fn masks_a_secret_in_each_form() {
        let secret = "sk-proj/ca+na\"ry=1";
        for form in [
            "sk-proj/ca+na\"ry=1",
            "sk-proj/ca+na\\\"ry=1",
            "sk-proj%2Fca%2Bna%22ry%3D1",
            "sk-proj%2fca%2bna%22ry%3d1",
        ] {
            assert_eq!(
                redact(secret, &format!("<{form}>{form}")),
                "<***>***",
                "{form}"
            );
        }
    }

    #[test]
    fn masks_base64_at_every_offset() {
        // Base64 of `canary-key`, `:canary-key`, `me:canary-key` and `abcanary-key`.
        for (text, left) in [
            ("Y2FuYXJ5LWtleQ==", "***Q=="),
            ("OmNhbmFyeS1rZXk=", "Om***k="),
            ("bWU6Y2FuYXJ5LWtleQ==", "bWU6***Q=="),
            ("YWJjYW5hcnkta2V5", "YWJ***"),
        ] {
            assert_eq!(redact("canary-key", text), left);
        }
    }

    #[test]
    fn masks_without_a_pattern_too_and_does_not_print() {
        let mut redactor = Redactor::new([&Secret::new("canary-key")]);
        assert!(!format!("{redactor:?}").contains("canary"));
        redactor.pattern = None;
        assert_eq!(redactor.redact("a canary-key"), "a ***");
    }

    #[test]
    fn leaves_other_text_and_masks_the_longer_secret_first() {
        let secrets = [Secret::new("abcd"), Secret::new("abcdef"), Secret::new("x")];
        let redactor = Redactor::new(&secrets);
        assert_eq!(redactor.redact("x abcdef abcd"), "x *** ***");
        assert!(matches!(redactor.redact("nothing here"), Cow::Borrowed(_)));
        assert_eq!(Redactor::default().redact("abc"), "abc");
    }

    proptest::proptest! {
        #[test]
        fn no_secret_is_left(secret in "[!-)+-~]{4,40}", before in ".{0,9}", after in ".{0,9}") {
            let shown = redact(&secret, &format!("{before}{secret}{after}"));
            proptest::prop_assert!(!shown.contains(&secret));
        }
    }
}
