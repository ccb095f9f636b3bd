//! Regular expressions of JavaScript in the syntax of our `regex` scorer, so that they match the
//! same texts: ASCII classes, literal braces and brackets. Look-around and back references have no
//! counterpart.

use std::iter::Peekable;
use std::str::Chars;

const DIGIT: &str = "0-9";
const WORD: &str = "0-9A-Za-z_";
/// ECMA-262, `WhiteSpace` and `LineTerminator`.
const SPACE: &str = r"\t\n\x0B\x0C\r \u{a0}\u{1680}\u{2000}-\u{200a}\u{2028}\u{2029}\u{202f}\u{205f}\u{3000}\u{feff}";

/// Translates a pattern with its flags.
///
/// # Errors
/// When it uses what our engine does not have.
pub fn translate(pattern: &str, flags: &str) -> Result<String, String> {
    let mut kept = String::new();
    for flag in flags.chars() {
        match flag {
            'i' | 'm' | 's' => kept.push(flag),
            // They change how often it is looked for, or nothing in a single test.
            'g' | 'u' | 'd' => {}
            other => return Err(format!("the flag `{other}` has no counterpart")),
        }
    }
    let mut translated = String::new();
    let mut chars = pattern.chars().peekable();
    while let Some(c) = chars.next() {
        outside(c, &mut chars, kept.contains('s'), &mut translated)?;
    }
    // Without `u`, JavaScript folds a character only to another by `toUpperCase`; the few that differ
    // (the Kelvin sign, the long s) match here too.
    if !kept.is_empty() {
        translated = format!("(?{kept}){translated}");
    }
    match regex::Regex::new(&translated) {
        Ok(_) => Ok(translated),
        Err(_) if pattern.contains("(?=") || pattern.contains("(?!") || pattern.contains("(?<") => {
            Err("look-around has no counterpart in a linear-time engine".to_owned())
        }
        Err(error) => {
            let last = error.to_string();
            let last = last.lines().last().unwrap_or_default().trim();
            Err(last.strip_prefix("error: ").unwrap_or(last).to_owned())
        }
    }
}

fn outside(
    c: char,
    chars: &mut Peekable<Chars<'_>>,
    dot_all: bool,
    into: &mut String,
) -> Result<(), String> {
    match c {
        '\\' => return escape(chars, false, into),
        '[' => return class(chars, into),
        '.' if !dot_all => into.push_str(r"[^\n\r\u{2028}\u{2029}]"),
        '{' if !is_count(chars) => into.push_str(r"\{"),
        '}' if !closes_count(into) => into.push_str(r"\}"),
        ']' => into.push_str(r"\]"),
        '(' if chars.peek() == Some(&'?') => {
            into.push('(');
            let rest: String = chars.clone().collect();
            if rest.starts_with("?<") && !rest.starts_with("?<=") && !rest.starts_with("?<!") {
                into.push_str("?P<");
                chars.next();
                chars.next();
            }
        }
        other => into.push(other),
    }
    Ok(())
}

/// Whether what follows a brace makes it a count.
fn is_count(chars: &Peekable<Chars<'_>>) -> bool {
    let inside: String = chars.clone().take_while(|c| *c != '}').collect();
    let closed = chars.clone().any(|c| c == '}');
    let mut parts = inside.splitn(2, ',');
    let digits = |text: &str| text.chars().all(|c| c.is_ascii_digit());
    let first = parts.next().unwrap_or_default();
    closed && !first.is_empty() && digits(first) && parts.next().is_none_or(digits)
}

fn closes_count(before: &str) -> bool {
    let Some(open) = before.rfind('{') else {
        return false;
    };
    let (head, inside) = before.split_at(open);
    !head.ends_with('\\')
        && inside
            .chars()
            .skip(1)
            .all(|c| c.is_ascii_digit() || c == ',')
}

fn escape(
    chars: &mut Peekable<Chars<'_>>,
    in_class: bool,
    into: &mut String,
) -> Result<(), String> {
    let Some(c) = chars.next() else {
        return Err("it ends with a backslash".to_owned());
    };
    let set = |inner: &str, negated: bool| match (in_class, negated) {
        (true, false) => inner.to_owned(),
        (_, true) => format!("[^{inner}]"),
        (false, false) => format!("[{inner}]"),
    };
    match c {
        'd' => into.push_str(&set(DIGIT, false)),
        'D' => into.push_str(&set(DIGIT, true)),
        'w' => into.push_str(&set(WORD, false)),
        'W' => into.push_str(&set(WORD, true)),
        's' => into.push_str(&set(SPACE, false)),
        'S' => into.push_str(&set(SPACE, true)),
        'b' if in_class => into.push_str(r"\x08"),
        'b' => into.push_str(r"(?-u:\b)"),
        'B' => return Err(r"`\B` has no counterpart".to_owned()),
        '0' => into.push_str(r"\x00"),
        '1'..='9' | 'k' => return Err("back references have no counterpart".to_owned()),
        'p' | 'P' | 'u' | 'x' | 'n' | 'r' | 't' | 'f' | 'v' => {
            into.push('\\');
            into.push(c);
        }
        'c' => return Err(r"`\c` has no counterpart".to_owned()),
        other if other.is_ascii_alphanumeric() || !other.is_ascii() => into.push(other),
        other => {
            into.push('\\');
            into.push(other);
        }
    }
    Ok(())
}

fn class(chars: &mut Peekable<Chars<'_>>, into: &mut String) -> Result<(), String> {
    let negated = chars.next_if_eq(&'^').is_some();
    if chars.next_if_eq(&']').is_some() {
        if negated {
            into.push_str(r"[\s\S]");
            return Ok(());
        }
        return Err("the empty class matches nothing".to_owned());
    }
    into.push_str(if negated { "[^" } else { "[" });
    while let Some(c) = chars.next() {
        match c {
            ']' => {
                into.push(']');
                return Ok(());
            }
            '\\' => escape(chars, true, into)?,
            '[' | '&' | '~' => {
                into.push('\\');
                into.push(c);
            }
            '-' if chars.peek() == Some(&'-') => into.push_str(r"\-"),
            other => into.push(other),
        }
    }
    Err("a class is not closed".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finds(pattern: &str, flags: &str, text: &str) -> bool {
        let translated = translate(pattern, flags).unwrap();
        regex::Regex::new(&translated).unwrap().is_match(text)
    }

    #[test]
    fn means_what_it_means_in_javascript() {
        assert!(finds(r"^\d{4}-\d{2}$", "", "2024-11"));
        assert!(!finds(r"\d", "", "\u{663}"), "digits are ASCII");
        assert!(!finds(r"^\w+$", "", "\u{e9}"));
        assert!(finds(r"\bword\b", "", "a word."));
        assert!(!finds("a.b", "", "a\rb"), "a dot is no line end");
        assert!(finds("a.b", "s", "a\nb"));
        assert!(finds(r#"{"name": "\w+"}"#, "", "{\"name\": \"x\"}"));
        assert!(finds("a{2,}", "", "aa") && !finds("^a{2}$", "", "a{2}"));
        assert!(finds("[^]", "", "\n"));
        assert!(finds("[[a]", "", "[") && finds("[a-z\\-]+$", "i", "A-B"));
        assert!(finds(r"(?<year>\d+)\/x", "", "20/x"));
        assert!(finds("yes|no", "i", "YES"));
        assert!(finds(r"[\w.]+@[\w.]+", "", "a.b@c.d"));
    }

    #[test]
    fn refuses_what_has_no_counterpart() {
        for pattern in [r"(?=a)b", r"(?!a)b", r"(?<=a)b", r"(a)\1", "[", "(", "[]"] {
            assert!(translate(pattern, "").is_err(), "{pattern}");
        }
        assert!(translate("a", "y").is_err());
    }

    proptest::proptest! {
        #[test]
        fn reads_any_pattern_without_a_panic(pattern in r"[\[\](){}|.*+?^$\\a-z0-9,-]{0,20}") {
            let _ = translate(&pattern, "i");
        }
    }
}
