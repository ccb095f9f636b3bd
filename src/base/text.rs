//! Small rules about text that every module shares: what is safe to show, what counts as a control
//! character, which word a misspelt one was meant to be.

use std::borrow::Cow;

/// Whether a character can change how the text around it is shown: a control character other than
/// tab and newline, or a bidi override or isolate (U+202A-202E, U+2066-2069).
#[must_use]
pub fn is_deceptive(c: char) -> bool {
    (c.is_control() && c != '\n' && c != '\t')
        || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The text with every deceptive character written as an escape such as `\x1b`.
#[must_use]
pub fn visible(text: &str) -> Cow<'_, str> {
    if !text.contains(is_deceptive) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if is_deceptive(c) {
            push_escape(&mut shown, c);
        } else {
            shown.push(c);
        }
    }
    Cow::Owned(shown)
}

/// As [`visible`], on one line: newlines and tabs become spaces.
#[must_use]
pub fn visible_line(text: &str) -> String {
    let text = visible(text);
    text.chars()
        .map(|c| if c == '\n' || c == '\t' { ' ' } else { c })
        .collect()
}

fn push_escape(shown: &mut String, c: char) {
    use std::fmt::Write as _;
    let code = u32::from(c);
    // Writing to a `String` can not fail.
    let _ = if code < 0x100 {
        write!(shown, "\\x{code:02x}")
    } else {
        write!(shown, "\\u{{{code:x}}}")
    };
}

/// At most `limit` characters of a text; where some are cut, the last one shown is an ellipsis.
#[must_use]
pub fn shorten(text: &str, limit: usize) -> Cow<'_, str> {
    if text.chars().nth(limit).is_none() {
        return Cow::Borrowed(text);
    }
    let mut short: String = text.chars().take(limit.saturating_sub(1)).collect();
    short.push('\u{2026}');
    Cow::Owned(short)
}

/// The longest prefix of at most `limit` bytes that ends between characters.
#[must_use]
pub fn byte_prefix(text: &str, limit: usize) -> &str {
    let end = (0..=limit.min(text.len()))
        .rev()
        .find(|i| text.is_char_boundary(*i))
        .unwrap_or(0);
    text.get(..end).unwrap_or_default()
}

/// The known word that a misspelt one was probably meant to be.
#[must_use]
pub fn suggestion<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = word.to_lowercase();
    known
        .into_iter()
        .map(|candidate| {
            (
                strsim::jaro_winkler(&lower, &candidate.to_lowercase()),
                candidate,
            )
        })
        .filter(|(similarity, _)| *similarity >= 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

/// `1 case`, `2 cases`: a count with its noun.
#[must_use]
pub fn count(number: usize, noun: &str) -> String {
    if number == 1 {
        format!("1 {noun}")
    } else {
        format!("{} {noun}s", thousands(number))
    }
}

/// A whole number with a comma between groups of three digits.
#[must_use]
pub fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_what_could_deceive_a_reader() {
        assert_eq!(
            visible("a\u{1b}[0m\u{202e}\u{9b}b\n"),
            "a\\x1b[0m\\u{202e}\\x9bb\n"
        );
        assert_eq!(visible_line("a\nb\tc\r"), "a b c\\x0d");
    }

    #[test]
    fn suggests_a_near_word_only() {
        assert_eq!(suggestion("scorer", ["scorers", "seed"]), Some("scorers"));
        assert_eq!(suggestion("Dataset", ["dataset", "judge"]), Some("dataset"));
        assert_eq!(suggestion("zebra", ["scorers", "seed"]), None);
    }

    #[test]
    fn shortens_by_characters_and_bytes() {
        assert_eq!(shorten("h\u{f6}llo", 4), "h\u{f6}l\u{2026}");
        assert_eq!(shorten("abc", 3), "abc");
        assert_eq!(byte_prefix("h\u{f6}llo", 2), "h");
        assert_eq!(thousands(1_234_567), "1,234,567");
        assert_eq!(thousands(12), "12");
    }
}
