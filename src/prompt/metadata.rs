//! Writing what a version says about itself into its text: keys are replaced or inserted where they
//! stand, and every other byte stays as it was.

use std::sync::Arc;

use super::Form;
use crate::base::{Diagnostics, Entry, Source, Value, yaml};

/// A key to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// The key.
    pub key: &'static str,
    /// Its value as YAML has it.
    pub yaml: String,
    /// Whether a value that is there is replaced.
    pub replaces: bool,
}

impl Field {
    /// A number.
    #[must_use]
    pub fn number(key: &'static str, number: u32) -> Self {
        Self::plain(key, number.to_string())
    }

    /// A text, in quotes where YAML could read it as something else.
    #[must_use]
    pub fn text(key: &'static str, text: &str) -> Self {
        let plain = is_plain(text);
        let yaml = if plain {
            text.to_owned()
        } else {
            serde_json::Value::from(text).to_string()
        };
        Self::plain(key, yaml)
    }

    /// A value that YAML reads as text without quotes.
    #[must_use]
    pub fn plain(key: &'static str, yaml: String) -> Self {
        Self {
            key,
            yaml,
            replaces: true,
        }
    }

    /// The same, written only where the key is not there.
    #[must_use]
    pub fn if_absent(self) -> Self {
        Self {
            replaces: false,
            ..self
        }
    }
}

fn is_plain(text: &str) -> bool {
    let words = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && !text.ends_with(' ')
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || " _./()-".contains(c))
        && !words.contains(&text.to_ascii_lowercase().as_str())
}

/// The text of a prompt file with the keys written into it. Whoever writes the result reads it back
/// first: what stands in a form that this can not edit is found there.
///
/// # Errors
/// When the file is not YAML, or its front matter is not.
pub fn write(source: &Arc<Source>, form: Form, fields: &[Field]) -> Result<String, Diagnostics> {
    let text = source.text.as_str();
    let (yaml_text, is_bare) = match form {
        Form::Yaml => (text.to_owned(), false),
        Form::Text => match front_matter(text) {
            Some(end) => (text.get(..end).unwrap_or_default().to_owned(), false),
            None => (String::new(), true),
        },
    };
    if is_bare {
        let lines = lines(fields);
        return Ok(format!("---\n{lines}---\n{text}"));
    }
    let node = yaml::parse(&Source::new(source.name.clone(), &yaml_text))?;
    let entries = match &node.value {
        Value::Map(entries) => entries.as_slice(),
        _ => &[],
    };
    let mut edits: Vec<(usize, usize, String)> = Vec::new();
    let mut missing = Vec::new();
    for field in fields {
        match entries.iter().find(|entry| entry.key == field.key) {
            Some(entry) if field.replaces => {
                let span = entry.value.span;
                edits.push((span.start, span.end, field.yaml.clone()));
            }
            Some(_) => {}
            None => missing.push(field),
        }
    }
    edits.extend(insertion(text, form, entries, &missing));
    edits.sort_by_key(|(start, _, _)| std::cmp::Reverse(*start));
    let mut edited = text.to_owned();
    for (start, end, with) in edits {
        if edited.get(start..end).is_some() {
            edited.replace_range(start..end, &with);
        }
    }
    Ok(edited)
}

fn lines<'f>(fields: impl IntoIterator<Item = &'f Field>) -> String {
    let lines = fields
        .into_iter()
        .map(|field| format!("{}: {}\n", field.key, field.yaml));
    lines.collect()
}

/// Where the front matter ends, its closing fence excluded.
fn front_matter(text: &str) -> Option<usize> {
    let rest = text.strip_prefix("---\n")?;
    let mut offset = 4;
    for line in rest.split_inclusive('\n') {
        if line.trim_end() == "---" {
            return Some(offset);
        }
        offset += line.len();
    }
    None
}

/// The keys that are missing, after the line that says what the file is.
fn insertion(
    text: &str,
    form: Form,
    entries: &[Entry],
    missing: &[&Field],
) -> Option<(usize, usize, String)> {
    if missing.is_empty() {
        return None;
    }
    let lines = lines(missing.iter().copied());
    let Some(first) = entries
        .iter()
        .find(|entry| entry.key == "gate")
        .or_else(|| entries.first())
    else {
        // Front matter without a key.
        return (form == Form::Text).then_some((4, 4, lines));
    };
    let start = first.key_span.start;
    let before = text.get(..start).unwrap_or_default();
    if !before.is_empty() && !before.ends_with('\n') {
        let pairs = missing
            .iter()
            .map(|field| format!("{}: {}", field.key, field.yaml));
        let inline = pairs.collect::<Vec<_>>().join(", ");
        return Some((start, start, format!("{inline}, ")));
    }
    if first.key != "gate" {
        return Some((start, start, lines));
    }
    let after = text.get(first.value.span.end..).unwrap_or_default();
    let place = after
        .find('\n')
        .map_or(text.len(), |end| first.value.span.end + end + 1);
    let lines = if text.get(..place).is_some_and(|head| head.ends_with('\n')) {
        lines
    } else {
        format!("\n{lines}")
    };
    Some((place, place, lines))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(form: Form, text: &str) -> String {
        let fields = [
            Field::number("version", 12),
            Field::text("description", "answers: the label \"alone\""),
            Field::text("author", "support-ai").if_absent(),
        ];
        write(&Source::new("f", text), form, &fields).unwrap()
    }

    #[test]
    fn replaces_and_inserts_keys_and_touches_nothing_else() {
        let text = "# a note\ngate: prompt/1  # what it is\nversion: 7 # old\nauthor: ana\nmessages:\n  - { role: user, content: \"{{q}}\" } \n";
        assert_eq!(
            written(Form::Yaml, text),
            "# a note\ngate: prompt/1  # what it is\ndescription: \"answers: the label \\\"alone\\\"\"\nversion: 12 # old\nauthor: ana\nmessages:\n  - { role: user, content: \"{{q}}\" } \n"
        );
        let flow = "{gate: prompt/1, messages: [{role: user, content: hi}]}\n";
        assert_eq!(
            written(Form::Yaml, flow),
            "{version: 12, description: \"answers: the label \\\"alone\\\"\", author: support-ai, gate: prompt/1, messages: [{role: user, content: hi}]}\n"
        );
    }

    #[test]
    fn plain_text_gets_front_matter_and_keeps_its_body() {
        assert_eq!(
            written(Form::Text, "Say {{word}}.\n"),
            "---\nversion: 12\ndescription: \"answers: the label \\\"alone\\\"\"\nauthor: support-ai\n---\nSay {{word}}.\n"
        );
        assert_eq!(
            written(Form::Text, "---\nversion: 3\n---\nSay.\n"),
            "---\ndescription: \"answers: the label \\\"alone\\\"\"\nauthor: support-ai\nversion: 12\n---\nSay.\n"
        );
    }

    #[test]
    fn quotes_what_yaml_would_read_otherwise() {
        for word in ["no", "true", "1.10", "a: b", "- x", "", "a #b", "trailing "] {
            assert!(Field::text("k", word).yaml.starts_with('"'), "{word:?}");
        }
        assert_eq!(Field::text("k", "the label alone").yaml, "the label alone");
    }
}
