//! The templates of Nunjucks (<https://mozilla.github.io/nunjucks/templating.html>). Ours only fill in
//! values: `{{name}}`, `{{name.field}}`. What does more is code, which `computed` can evaluate for a
//! test; comments and raw blocks are plain.

use serde_json::Value;

/// A piece of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// Text as it stands.
    Text(String),
    /// A variable, and fields within it.
    Name(Vec<String>),
    /// A tag, or a block with all that is in it, as written: its text depends on code.
    Code(String),
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

/// Reads a template that only fills in values.
///
/// # Errors
/// At the first tag that is more than a value.
pub fn parse(text: &str) -> Result<Vec<Piece>, Unsupported> {
    read(text, |tag| Err(Reader::refuse(text, tag)))
}

/// Reads a template with its code.
///
/// # Errors
/// At the first tag whose effect reaches beyond itself, or that does not end.
pub fn parse_code(text: &str) -> Result<Vec<Piece>, Unsupported> {
    read(text, |tag| {
        let length = if tag.starts_with("{%") {
            block_length(tag).map_err(|inner| Reader::refuse(text, inner))?
        } else {
            let whole = whole_tag(tag);
            if !whole.ends_with("}}") {
                return Err(Reader::refuse(text, tag));
            }
            whole.len()
        };
        Ok(tag.get(..length).unwrap_or(tag))
    })
}

/// A template as far as it is read.
#[derive(Default)]
struct Reader {
    pieces: Vec<Piece>,
    /// Whether the last tag ends as `-}}`, which takes the white space after it.
    trims: bool,
}

impl Reader {
    fn refuse(text: &str, tag: &str) -> Unsupported {
        Unsupported {
            tag: whole_tag(tag).to_owned(),
            offset: text.len() - tag.len(),
        }
    }

    fn text(&mut self, text: &str) {
        let text = if std::mem::take(&mut self.trims) {
            text.trim_start()
        } else {
            text
        };
        push(&mut self.pieces, text);
    }

    /// Takes a tag or block, and the white space that it asks for.
    fn tag(&mut self, source: &str, piece: Option<Piece>) {
        let trims_before = ["{{-", "{%-", "{#-"]
            .iter()
            .any(|open| source.starts_with(open));
        if let Some(Piece::Text(last)) = self.pieces.last_mut().filter(|_| trims_before) {
            last.truncate(last.trim_end().len());
        }
        self.trims = source.ends_with("-}}") || source.ends_with("-%}") || source.ends_with("-#}");
        match piece {
            Some(Piece::Text(text)) => push(&mut self.pieces, &text),
            Some(piece) => self.pieces.push(piece),
            None => {}
        }
    }
}

/// Reads a template; `code` says how much of the text is one piece of code, or refuses it.
fn read<'t>(
    text: &'t str,
    code: impl Fn(&'t str) -> Result<&'t str, Unsupported>,
) -> Result<Vec<Piece>, Unsupported> {
    let mut reader = Reader::default();
    let mut rest = text;
    while let Some(at) = next_tag(rest) {
        let (before, tag) = rest.split_at(at);
        if !before.is_empty() {
            reader.text(before);
        }
        let (source, piece) = if let Some(comment) = tag.strip_prefix("{#") {
            let end = comment.find("#}").map_or(tag.len(), |end| end + 4);
            (tag.get(..end).unwrap_or(tag), None)
        } else if let Some((length, raw)) = raw_block(tag) {
            (
                tag.get(..length).unwrap_or(tag),
                Some(Piece::Text(raw.to_owned())),
            )
        } else {
            let inside = tag
                .strip_prefix("{{")
                .and_then(|inside| inside.split_once("}}"));
            match inside.and_then(|(inside, _)| Some((inside.len() + 4, name_of(inside)?))) {
                Some((length, path)) => (tag.get(..length).unwrap_or(tag), Some(Piece::Name(path))),
                None => {
                    let source = code(tag)?;
                    (source, Some(Piece::Code(source.to_owned())))
                }
            }
        };
        reader.tag(source, piece);
        rest = tag.get(source.len()..).unwrap_or_default();
    }
    if !rest.is_empty() {
        reader.text(rest);
    }
    reader
        .pieces
        .retain(|piece| *piece != Piece::Text(String::new()));
    Ok(reader.pieces)
}

/// The word that a tag `{% word … %}` begins with, and its length.
fn keyword(tag: &str) -> Option<(&str, usize)> {
    let (inside, _) = tag.strip_prefix("{%")?.split_once("%}")?;
    let bare = inside.trim_start_matches('-').trim_end_matches('-');
    Some((
        bare.split_whitespace().next().unwrap_or_default(),
        inside.len() + 4,
    ))
}

/// The length of a raw block, and what is in it.
pub(super) fn raw_block(tag: &str) -> Option<(usize, &str)> {
    let (_, open) = keyword(tag).filter(|(word, _)| *word == "raw")?;
    let body = tag.get(open..)?;
    let mut at = 0;
    loop {
        at += body.get(at..)?.find("{%")?;
        // A tag without an end is the last.
        let (word, close) = keyword(body.get(at..)?)?;
        if word == "endraw" {
            return Some((open + at + close, body.get(..at)?));
        }
        at += 2;
    }
}

/// The length of a block `{% if … %}` or `{% for … %}` with its end; else the tag within it that can
/// not stand there.
fn block_length(text: &str) -> Result<usize, &str> {
    let (mut depth, mut at) = (0_usize, 0);
    loop {
        let tag = text.get(at..).unwrap_or_default();
        if let Some((length, _)) = raw_block(tag) {
            at += length;
        } else if tag.starts_with("{%") {
            let (word, length) = keyword(tag).ok_or(tag)?;
            match word {
                "if" | "for" => depth += 1,
                "endif" | "endfor" => depth = depth.checked_sub(1).ok_or(tag)?,
                "else" | "elif" | "elseif" if depth > 0 => {}
                _ => return Err(tag),
            }
            at += length;
            if depth == 0 {
                return Ok(at);
            }
        } else {
            at += if tag.is_empty() { 0 } else { 2 };
        }
        let rest = text.get(at..).unwrap_or_default();
        at += next_tag(rest).ok_or(text)?;
    }
}

/// The tag that a text begins with, up to its end; to the end of the line where it has none.
fn whole_tag(text: &str) -> &str {
    let close = if text.starts_with("{%") { "%}" } else { "}}" };
    let end = text.find(close).map(|at| at + close.len());
    let line = text.find('\n').unwrap_or(text.len());
    text.get(..end.unwrap_or(line)).unwrap_or(text)
}

/// Where the next tag begins.
pub(super) fn next_tag(text: &str) -> Option<usize> {
    let mut braces = text.match_indices('{').map(|(at, _)| at);
    braces.find(|at| {
        let next = text.as_bytes().get(at + 1);
        next.is_some_and(|next| b"{%#".contains(next))
    })
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
    let name = parts.next()?.trim_start_matches('-');
    let name = name.trim_end_matches('-').trim();
    if parts.any(|filter| filter.trim_end_matches('-').trim() != "safe") {
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
    // Lists and texts have this in JavaScript.
    let counts = path.iter().skip(1).any(|field| field == "length");
    (!reserved && !counts && path.iter().all(valid)).then_some(path)
}

/// The names of variables in a template, without their fields.
pub fn names(pieces: &[Piece]) -> impl Iterator<Item = &str> {
    pieces.iter().filter_map(|piece| match piece {
        Piece::Text(_) | Piece::Code(_) => None,
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
///
/// # Errors
/// In words, where code can not be evaluated as Nunjucks would.
pub fn render(pieces: &[Piece], vars: &serde_json::Map<String, Value>) -> Result<String, String> {
    let mut text = String::new();
    for piece in pieces {
        match piece {
            Piece::Text(plain) => text.push_str(plain),
            Piece::Name(path) => {
                text.push_str(&find(path, vars).map_or(String::new(), js_text));
            }
            Piece::Code(source) => text.push_str(&super::computed::evaluate(source, vars)?),
        }
    }
    Ok(text)
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
                None => text.extend(["{{", &path.join("."), "}}"]),
            },
            Piece::Code(source) => text.push_str(source),
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

/// The template in our prompts' language, where neither a field of a field nor code exists.
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
            Piece::Name(_) | Piece::Code(_) => return None,
        }
    }
    Some(text)
}

/// The template in the language of our scorers, `{{vars.name}}`, which has no code.
#[must_use]
pub fn to_scorer(pieces: &[Piece]) -> Option<String> {
    let mut text = String::new();
    for piece in pieces {
        match piece {
            Piece::Text(plain) => text.push_str(&escape(plain)),
            Piece::Name(path) => {
                text.push_str("{{vars.");
                text.push_str(&path.join("."));
                text.push_str("}}");
            }
            Piece::Code(_) => return None,
        }
    }
    Some(text)
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
        assert_eq!(render(&pieces, &vars()).unwrap(), "A x, 4 y p,q !");
        assert_eq!(
            to_scorer(&pieces).unwrap(),
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

    #[test]
    fn code_is_one_piece_with_all_that_is_in_it() {
        let code = |text: &str| Piece::Code(text.to_owned());
        let text = |text: &str| Piece::Text(text.to_owned());
        let block = "{% for x in l %}{% if x %}{{x}}{% raw %}{% endfor %}{% endraw %}{% endif %}{% endfor %}";
        assert_eq!(
            parse_code(&format!("a {block} b {{{{ a | upper }}}}")).unwrap(),
            [
                text("a "),
                code(block),
                text(" b "),
                code("{{ a | upper }}")
            ]
        );
        assert_eq!(
            parse_code("a \n {%- if a -%} b {%- endif -%} \n c").unwrap(),
            [text("a"), code("{%- if a -%} b {%- endif -%}"), text("c")]
        );
        assert_eq!(
            parse_code("a {{- a -}} b").unwrap()[1..],
            [Piece::Name(vec!["a".to_owned()]), text("b")]
        );
        for (bad, tag) in [
            ("{% set a = 1 %}{{ a }}", "{% set a = 1 %}"),
            (
                "{% if a %}{% include 'x' %}{% endif %}",
                "{% include 'x' %}",
            ),
            ("{% if a %} no end", "{% if a %}"),
            ("{% endif %}", "{% endif %}"),
            ("{{ a | upper", "{{ a | upper"),
        ] {
            assert_eq!(parse_code(bad).unwrap_err().tag, tag, "{bad}");
        }
    }

    proptest::proptest! {
        #[test]
        fn reads_any_text_without_a_panic(text in "([{}%# \\-a-z|.]|if|for|endif|endfor|raw|endraw){0,40}") {
            if let Ok(pieces) = parse_code(&text) {
                let _ = (render(&pieces, &vars()), to_prompt(&pieces));
            }
        }
    }
}
