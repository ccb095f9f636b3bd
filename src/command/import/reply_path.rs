//! Where promptfoo's `transformResponse` finds the answer, as a `JSONPath`: `json.choices[0].text` and
//! the like. Whatever says more is a program, and is not carried over.

use super::token::{Token, tokens};

/// Where the answer and its tokens stand in a reply.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ReplyPaths {
    /// The answer; absent where the whole reply is.
    pub answer: Option<String>,
    /// The tokens of the question.
    pub input: Option<String>,
    /// The tokens of the answer.
    pub output: Option<String>,
}

/// Reads an expression; `None` where it is more than a path.
#[must_use]
pub fn read(code: &str) -> Option<ReplyPaths> {
    let code = body_of(code.trim().trim_end_matches(';').trim());
    let code = unwrapped(code);
    if let Some(fields) = code
        .strip_prefix('{')
        .and_then(|rest| rest.strip_suffix('}'))
    {
        return object(fields);
    }
    Some(ReplyPaths {
        answer: path(code)?,
        ..ReplyPaths::default()
    })
}

/// What an arrow function of `json` and `text` gives; code that is none as it is.
fn body_of(code: &str) -> &str {
    let Some((head, body)) = code.split_once("=>") else {
        return code;
    };
    let names = head.trim().trim_start_matches('(').trim_end_matches(')');
    let mut names = names.split(',').map(str::trim);
    let known = ["json", "text", "context"];
    if known
        .into_iter()
        .zip(&mut names)
        .all(|(known, name)| known == name)
        && names.next().is_none()
    {
        body.trim()
    } else {
        code
    }
}

fn unwrapped(code: &str) -> &str {
    let inner = code
        .strip_prefix('(')
        .and_then(|rest| rest.strip_suffix(')'));
    inner
        .filter(|inner| !inner.contains(['(', ')']))
        .map_or(code, str::trim)
}

/// `output: …, tokenUsage: { prompt: …, completion: …, total: … }`.
fn object(fields: &str) -> Option<ReplyPaths> {
    let mut found = ReplyPaths::default();
    let mut has_output = false;
    let (own, usage) = match fields.split_once('{') {
        Some((before, rest)) => {
            let before = before.trim_end().strip_suffix(':')?;
            let (own, key) = before.rsplit_once(',')?;
            let (usage, after) = rest.split_once('}')?;
            (key.trim() == "tokenUsage" && after.trim().trim_matches(',').is_empty())
                .then_some(())?;
            (own, usage)
        }
        None => (fields, ""),
    };
    for field in own.split(',').filter(|field| !field.trim().is_empty()) {
        let (key, value) = field.split_once(':')?;
        (key.trim() == "output" && !has_output).then_some(())?;
        has_output = true;
        found.answer = path(value.trim())?;
    }
    for field in usage.split(',').filter(|field| !field.trim().is_empty()) {
        let (key, value) = field.split_once(':')?;
        let value = path(value.trim())?;
        match key.trim() {
            "prompt" => found.input = value,
            "completion" => found.output = value,
            "total" => {}
            _ => return None,
        }
    }
    has_output.then_some(found)
}

/// A chain of members from `json`; nothing for `text`, which is the whole reply.
#[expect(
    clippy::option_option,
    reason = "no path, the whole, and a place are three"
)]
fn path(code: &str) -> Option<Option<String>> {
    let code = code.replace("?.[", "[").replace("?.", ".");
    let tokens = tokens(&code)?;
    match tokens.split_first()? {
        (Token::Word(word), []) if word == "text" => return Some(None),
        (Token::Word(word), _) if word == "json" => {}
        _ => return None,
    }
    let mut path = "$".to_owned();
    let mut rest = tokens.get(1..)?;
    while !rest.is_empty() {
        rest = match rest {
            [Token::Sign("."), Token::Word(name), after @ ..]
            | [
                Token::Sign("["),
                Token::Text(name),
                Token::Sign("]"),
                after @ ..,
            ] => {
                push_name(&mut path, name);
                after
            }
            [
                Token::Sign("["),
                Token::Number(index),
                Token::Sign("]"),
                after @ ..,
            ] if index.fract() == 0.0 && (0.0..1e6).contains(index) => {
                path = format!("{path}[{index}]");
                after
            }
            _ => return None,
        };
    }
    Some(Some(path))
}

fn push_name(path: &mut String, name: &str) {
    let mut chars = name.chars();
    let plain = chars
        .next()
        .is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_');
    *path = if plain {
        format!("{path}.{name}")
    } else {
        // RFC 9535 takes the escapes of JSON within single quotes, where `'` is one more.
        let json = serde_json::Value::from(name).to_string();
        let inner = json
            .trim_matches('"')
            .replace("\\\"", "\"")
            .replace('\'', "\\'");
        format!("{path}['{inner}']")
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::jsonpath::JsonPath;

    /// The path; the empty text for the whole reply.
    fn answer(code: &str) -> Option<String> {
        read(code).map(|found| found.answer.unwrap_or_default())
    }

    #[test]
    fn a_chain_of_members_is_a_path() {
        for (code, path) in [
            (
                "json.choices[0].message.content",
                "$.choices[0].message.content",
            ),
            ("json.data?.reply", "$.data.reply"),
            ("json?.[0]?.text;", "$[0].text"),
            ("json['my key'][\"it's\"].$x", "$['my key']['it\\'s']['$x']"),
            ("(json) => json.output", "$.output"),
            ("(json, text) => (json.output)", "$.output"),
            ("({ output: json.a })", "$.a"),
            ("json", "$"),
        ] {
            assert_eq!(answer(code), Some(path.to_owned()), "{code}");
            assert!(JsonPath::parse(path).is_ok(), "{path}");
        }
        assert_eq!(answer("text"), Some(String::new()));
        assert_eq!(answer("(json, text, context) => text"), Some(String::new()));
        let usage = read(
            "{ output: json.a, tokenUsage: { prompt: json.u.in, completion: json.u['out'], total: json.u.all } }",
        );
        let usage = usage.unwrap();
        assert_eq!(
            (usage.input.as_deref(), usage.output.as_deref()),
            (Some("$.u.in"), Some("$.u.out"))
        );
    }

    #[test]
    fn what_says_more_is_a_program() {
        for code in [
            "json.a || json.b",
            "json.a.trim()",
            "json.list.map(x => x.text).join('')",
            "text.split(',')[0]",
            "(x) => x.a",
            "(data, text) => data.a",
            "file://parse.js",
            "{ error: json.a }",
            "{ output: json.a, output: json.b }",
            "{ output: json.a, cost: json.c }",
            "json[-1]",
            "json[i]",
            "JSON.parse(text).a",
            "",
        ] {
            assert_eq!(answer(code), None, "{code}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_code_is_read_without_a_panic(code in "[jsontex.?=>(){}:,'\\[\\]0-9 ]{0,40}") {
            if let Some(path) = answer(&code).filter(|path| !path.is_empty()) {
                proptest::prop_assert!(JsonPath::parse(&path).is_ok(), "{}", path);
            }
        }
    }
}
