//! The templates of promptfoo (Nunjucks, <https://mozilla.github.io/nunjucks/templating.html>) as
//! far as they only fill in values: `{{name}}`, `{{name.field}}`, comments and raw blocks. Filters,
//! loops and conditions are code, which our templates do not have.

use serde_json::Value;

/// A piece of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// Text as it stands.
    Text(String),
    /// A variable, and fields within it.
    Name(Vec<String>),
}

/// A tag that is more than a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is code of Nunjucks", crate::base::text::shorten(tag, 120))]
pub struct Unsupported {
    /// The tag as written.
    pub tag: String,
    /// Where it begins in the text, in bytes.
    pub offset: usize,
}

/// Reads a template.
///
/// # Errors
/// At the first tag that is more than a value.
pub fn parse(text: &str) -> Result<Vec<Piece>, Unsupported> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(at) = next_tag(rest) {
        let (before, tag) = rest.split_at(at);
        push(&mut pieces, before);
        let refuse = |tag: &str| Unsupported {
            tag: whole_tag(tag).to_owned(),
            offset: text.len() - tag.len(),
        };
        if let Some(comment) = tag.strip_prefix("{#") {
            rest = comment.split_once("#}").map_or("", |(_, after)| after);
        } else if let Some(block) = tag.strip_prefix("{%") {
            let raw = block.split_once("%}");
            let (raw, after) = raw
                .filter(|(name, _)| name.trim() == "raw")
                .and_then(|(_, body)| raw_end(body))
                .ok_or_else(|| refuse(tag))?;
            push(&mut pieces, raw);
            rest = after;
        } else {
            let inside = tag.strip_prefix("{{").unwrap_or(tag);
            let (name, after) = inside.split_once("}}").ok_or_else(|| refuse(tag))?;
            let path = name_of(name).ok_or_else(|| refuse(tag))?;
            pieces.push(Piece::Name(path));
            rest = after;
        }
    }
    push(&mut pieces, rest);
    Ok(pieces)
}

/// The tag that a text begins with, up to its end; to the end of the line where it has none.
fn whole_tag(text: &str) -> &str {
    let close = if text.starts_with("{%") { "%}" } else { "}}" };
    let end = text.find(close).map(|at| at + close.len());
    let line = text.find('\n').unwrap_or(text.len());
    text.get(..end.unwrap_or(line)).unwrap_or(text)
}

fn next_tag(text: &str) -> Option<usize> {
    ["{{", "{%", "{#"]
        .iter()
        .filter_map(|open| text.find(open))
        .min()
}

/// The body of a raw block, and what follows it.
fn raw_end(body: &str) -> Option<(&str, &str)> {
    let end = body.find("{%")?;
    let (raw, tag) = body.split_at(end);
    let (name, after) = tag.strip_prefix("{%")?.split_once("%}")?;
    (name.trim() == "endraw").then_some((raw, after))
}

fn push(pieces: &mut Vec<Piece>, text: &str) {
    if text.is_empty() {
        return;
    }
    if let Some(Piece::Text(last)) = pieces.last_mut() {
        last.push_str(text);
    } else {
        pieces.push(Piece::Text(text.to_owned()));
    }
}

/// `name` or `name.field`; the filter `safe` has no effect, since promptfoo escapes nothing.
fn name_of(inside: &str) -> Option<Vec<String>> {
    let mut parts = inside.split('|');
    let name = parts.next()?.trim();
    if parts.any(|filter| filter.trim() != "safe") {
        return None;
    }
    let path: Vec<String> = name.split('.').map(str::to_owned).collect();
    let reserved = path.first().is_some_and(|root| {
        ["env", "true", "false", "none", "null", "_conversation"].contains(&root.as_str())
    });
    let valid = |part: &String| {
        let mut chars = part.chars();
        chars.next().is_some_and(|c| c.is_alphabetic() || c == '_')
            && chars.all(|c| c.is_alphanumeric() || c == '_')
    };
    (!reserved && path.iter().all(valid)).then_some(path)
}

/// The names of variables in a template, without their fields.
pub fn names(pieces: &[Piece]) -> impl Iterator<Item = &str> {
    pieces.iter().filter_map(|piece| match piece {
        Piece::Text(_) => None,
        Piece::Name(path) => path.first().map(String::as_str),
    })
}

/// What a path of names finds among the variables of a test.
#[must_use]
pub fn find<'v>(path: &[String], vars: &'v serde_json::Map<String, Value>) -> Option<&'v Value> {
    let (root, fields) = path.split_first()?;
    fields
        .iter()
        .try_fold(vars.get(root)?, |value, field| value.get(field))
}

/// The text that Nunjucks would make; what is not there prints as nothing.
#[must_use]
pub fn render(pieces: &[Piece], vars: &serde_json::Map<String, Value>) -> String {
    let mut text = String::new();
    for piece in pieces {
        match piece {
            Piece::Text(plain) => text.push_str(plain),
            Piece::Name(path) => {
                text.push_str(&find(path, vars).map_or(String::new(), js_text));
            }
        }
    }
    text
}

/// The text with the values that are there; a tag of another name stays as it is, as in the values of
/// promptfoo's variables.
#[must_use]
pub fn render_known(pieces: &[Piece], vars: &serde_json::Map<String, Value>) -> String {
    let mut text = String::new();
    for piece in pieces {
        match piece {
            Piece::Text(plain) => text.push_str(plain),
            Piece::Name(path) => match find(path, vars) {
                Some(value) => text.push_str(&js_text(value)),
                None => text = format!("{text}{{{{{}}}}}", path.join(".")),
            },
        }
    }
    text
}

/// A value as JavaScript's `String()` prints it, but objects as JSON.
#[must_use]
pub fn js_text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(js_text).collect::<Vec<_>>().join(","),
        Value::Bool(_) | Value::Number(_) | Value::Object(_) => value.to_string(),
    }
}

/// The template in our prompts' language, where a field of a field does not exist.
#[must_use]
pub fn to_prompt(pieces: &[Piece]) -> Option<String> {
    let mut text = String::new();
    for piece in pieces {
        match piece {
            Piece::Text(plain) => text.push_str(&escape(plain)),
            Piece::Name(path) if path.len() <= 2 => {
                text.push_str("{{");
                text.push_str(&path.join("."));
                text.push_str("}}");
            }
            Piece::Name(_) => return None,
        }
    }
    Some(text)
}

/// The template in the language of our scorers: `{{vars.name}}`.
#[must_use]
pub fn to_scorer(pieces: &[Piece]) -> String {
    let mut text = String::new();
    for piece in pieces {
        match piece {
            Piece::Text(plain) => text.push_str(&escape(plain)),
            Piece::Name(path) => {
                text.push_str("{{vars.");
                text.push_str(&path.join("."));
                text.push_str("}}");
            }
        }
    }
    text
}

/// A text whose brace pairs stand for themselves in our templates.
#[must_use]
pub fn escape(text: &str) -> String {
    text.replace("{{", "{{\"{{\"}}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn vars() -> serde_json::Map<String, Value> {
        let vars = json!({"a": "x", "n": 4, "o": {"f": "y"}, "l": ["p", "q"]});
        vars.as_object().unwrap().clone()
    }

    #[test]
    fn fills_in_values_and_translates_names() {
        let pieces =
            parse("{# note #}A {{ a }}, {{n}} {{o.f | safe}} {{l}} {{none_such}}!").unwrap();
        assert_eq!(render(&pieces, &vars()), "A x, 4 y p,q !");
        assert_eq!(
            to_scorer(&pieces),
            "A {{vars.a}}, {{vars.n}} {{vars.o.f}} {{vars.l}} {{vars.none_such}}!"
        );
        let raw = parse("{% raw %}{{a}}{% endraw %} {{a}}").unwrap();
        assert_eq!(to_prompt(&raw).unwrap(), "{{\"{{\"}}a}} {{a}}");
    }

    #[test]
    fn refuses_code_at_its_place() {
        for (text, offset) in [
            ("a {{ a | upper }}", 2),
            ("{% for x in l %}{{x}}{% endfor %}", 0),
            ("ab {{ l[0] }}", 3),
            ("{{env.KEY}}", 0),
            ("{{ \"x\" }}", 0),
            ("{{ open", 0),
        ] {
            assert_eq!(parse(text).unwrap_err().offset, offset, "{text}");
        }
    }

    #[test]
    fn quotes_a_tag_exactly_as_it_is_written() {
        for (text, tag) in [
            ("a {{ a | upper }}: {{b}}", "{{ a | upper }}"),
            ("{% if a %}: yes{% endif %}", "{% if a %}"),
            ("{{ open: and more\nnext", "{{ open: and more"),
            ("{{ a\n | upper }}", "{{ a\n | upper }}"),
        ] {
            assert_eq!(parse(text).unwrap_err().tag, tag, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn reads_any_text_without_a_panic(text in ".{0,60}") {
            if let Ok(pieces) = parse(&text) {
                let _ = (render(&pieces, &vars()), to_prompt(&pieces));
            }
        }
    }
}
