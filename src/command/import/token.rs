//! The words and signs of a line of JavaScript, as far as `javascript` reads it.

/// A word or sign.
#[derive(Debug, Clone, PartialEq)]
pub enum Token {
    /// A name.
    Word(String),
    /// A text, its escapes resolved.
    Text(String),
    /// A number.
    Number(f64),
    /// A regular expression and its flags.
    Pattern(String, String),
    /// A sign.
    Sign(&'static str),
}

/// Longer signs first.
const SIGNS: [&str; 17] = [
    "===", "!==", "==", "!=", "<=", ">=", "&&", "||", "<", ">", "!", "(", ")", "[", "]", ",", ".",
];

/// The tokens of a line; `None` where it has something else.
#[must_use]
pub fn tokens(code: &str) -> Option<Vec<Token>> {
    let mut tokens: Vec<Token> = Vec::new();
    let mut rest = code.trim_start();
    while let Some(c) = rest.chars().next() {
        let (token, after) = match c {
            '\'' | '"' => text(rest, c)?,
            '/' if begins_pattern(tokens.last()) => pattern(rest)?,
            _ if c.is_ascii_digit() => number(rest)?,
            _ if c.is_alphabetic() || c == '_' || c == '$' => word(rest),
            _ => {
                let sign = SIGNS.iter().find(|sign| rest.starts_with(**sign))?;
                (Token::Sign(sign), rest.get(sign.len()..)?)
            }
        };
        tokens.push(token);
        rest = after.trim_start();
    }
    Some(tokens)
}

/// A slash after a value divides; elsewhere it begins a pattern.
fn begins_pattern(before: Option<&Token>) -> bool {
    match before {
        None => true,
        Some(Token::Sign(sign)) => !matches!(*sign, ")" | "]"),
        Some(Token::Word(_) | Token::Text(_) | Token::Number(_) | Token::Pattern(..)) => false,
    }
}

fn word(rest: &str) -> (Token, &str) {
    let end = rest
        .find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$'))
        .unwrap_or(rest.len());
    let (word, after) = rest.split_at(end);
    (Token::Word(word.to_owned()), after)
}

fn number(rest: &str) -> Option<(Token, &str)> {
    let end = rest
        .find(|c: char| !(c.is_ascii_digit() || c == '.'))
        .unwrap_or(rest.len());
    let (number, after) = rest.split_at(end);
    let follows = after.chars().next().is_some_and(char::is_alphabetic);
    if follows {
        return None;
    }
    Some((Token::Number(number.parse().ok()?), after))
}

fn text(rest: &str, quote: char) -> Option<(Token, &str)> {
    let mut text = String::new();
    let mut chars = rest.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => text.push(match chars.next()?.1 {
                'n' => '\n',
                't' => '\t',
                'r' => '\r',
                c @ ('\\' | '\'' | '"' | '/') => c,
                _ => return None,
            }),
            c if c == quote => return Some((Token::Text(text), rest.get(at + 1..)?)),
            '\n' => return None,
            c => text.push(c),
        }
    }
    None
}

fn pattern(rest: &str) -> Option<(Token, &str)> {
    let (mut escaped, mut in_class) = (false, false);
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\n' => return None,
            '\\' => escaped = true,
            '[' => in_class = true,
            ']' => in_class = false,
            '/' if !in_class => {
                let source = rest.get(1..at)?.to_owned();
                let after = rest.get(at + 1..)?;
                let end = after
                    .find(|c: char| !c.is_ascii_lowercase())
                    .unwrap_or(after.len());
                let (flags, after) = after.split_at(end);
                return Some((Token::Pattern(source, flags.to_owned()), after));
            }
            _ => {}
        }
    }
    None
}
