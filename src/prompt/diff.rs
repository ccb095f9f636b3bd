//! The difference between two versions, readable: words within messages, variables, parameters, and
//! about how many tokens it makes.

use std::fmt::Write as _;

use serde_json::Value;
use similar::{ChangeTag, TextDiff};

use super::{MessageTemplate, PromptVersion};
use crate::base::text::visible;

/// Unchanged lines shown on each side of a change.
const CONTEXT: usize = 2;

/// The difference as text: `[-removed-]` and `{+added+}` words in each message that changed, then
/// what else changed. Empty when nothing did.
#[must_use]
pub fn render(before: &PromptVersion, after: &PromptVersion) -> String {
    let mut text = String::new();
    let count = before.messages.len().max(after.messages.len());
    for index in 0..count {
        let (old, new) = (before.messages.get(index), after.messages.get(index));
        render_message(index + 1, old, new, &mut text);
    }
    for (key, old, new) in fields(before, after) {
        if old != new {
            let _ = writeln!(text, "{key}: {} -> {}", show(&old), show(&new));
        }
    }
    let (old, new) = (tokens(before), tokens(after));
    if old != new {
        let sign = if new > old { "+" } else { "-" };
        let _ = writeln!(
            text,
            "tokens without values: about {old} -> about {new} ({sign}{})",
            new.abs_diff(old)
        );
    }
    text
}

/// About how many tokens the messages have before values are filled in: four bytes make one.
#[must_use]
pub fn tokens(version: &PromptVersion) -> usize {
    let bytes: usize = version
        .messages
        .iter()
        .map(|message| message.content.to_source().len())
        .sum();
    bytes.div_ceil(4)
}

fn render_message(
    number: usize,
    old: Option<&MessageTemplate>,
    new: Option<&MessageTemplate>,
    into: &mut String,
) {
    let source = |message: Option<&MessageTemplate>| {
        message.map(|m| m.content.to_source()).unwrap_or_default()
    };
    let role = |message: Option<&MessageTemplate>| message.map_or("", |m| m.role.as_str());
    let (old_role, new_role) = (role(old), role(new));
    let (old_text, new_text) = (source(old), source(new));
    let heading = match (old, new) {
        (None, _) => format!("message {number} ({new_role}), added"),
        (_, None) => format!("message {number} ({old_role}), removed"),
        (Some(_), Some(_)) if old_role != new_role => {
            format!("message {number} ({old_role} -> {new_role})")
        }
        (Some(_), Some(_)) => format!("message {number} ({new_role})"),
    };
    if old_text == new_text && old_role == new_role {
        return;
    }
    // Writing to a `String` can not fail.
    let _ = writeln!(into, "{heading}:");
    for line in near_changes(&words(&old_text, &new_text)) {
        let _ = writeln!(into, "  {line}");
    }
}

/// The lines that changed with a few around them; a note stands for those left out.
fn near_changes(text: &str) -> Vec<String> {
    let lines: Vec<&str> = text.lines().collect();
    let is_changed = |line: &str| line.contains("[-") || line.contains("{+");
    let changed: Vec<usize> = lines
        .iter()
        .enumerate()
        .filter(|(_, line)| is_changed(line))
        .map(|(index, _)| index)
        .collect();
    let is_near = |index: usize| {
        changed
            .iter()
            .any(|other| index.abs_diff(*other) <= CONTEXT)
    };
    let mut shown = Vec::new();
    let mut left_out = 0;
    for (index, line) in lines.iter().enumerate() {
        if is_near(index) {
            shown.extend(note(&mut left_out));
            shown.push(visible(line).into_owned());
        } else {
            left_out += 1;
        }
    }
    shown.extend(note(&mut left_out));
    shown
}

fn note(left_out: &mut usize) -> Option<String> {
    let count = std::mem::take(left_out);
    (count > 0).then(|| format!("… {} as before", crate::base::text::count(count, "line")))
}

/// Two texts as one, with removed words in `[-…-]` and added ones in `{+…+}`. No mark spans a line
/// end, so that each line can be read by itself.
#[must_use]
pub fn words(old: &str, new: &str) -> String {
    let diff = TextDiff::from_words(old, new);
    let mut text = String::new();
    let mut open: Option<ChangeTag> = None;
    for change in diff.iter_all_changes() {
        let tag = change.tag();
        let current = (tag != ChangeTag::Equal).then_some(tag);
        if open != current {
            text.push_str(closing(open));
            text.push_str(opening(current));
            open = current;
        }
        for (index, part) in change.value().split('\n').enumerate() {
            if index > 0 {
                text.push_str(closing(open));
                text.push('\n');
                text.push_str(opening(open));
            }
            text.push_str(part);
        }
    }
    text.push_str(closing(open));
    text.replace("[--]", "").replace("{++}", "")
}

fn opening(tag: Option<ChangeTag>) -> &'static str {
    match tag {
        Some(ChangeTag::Delete) => "[-",
        Some(ChangeTag::Insert) => "{+",
        Some(ChangeTag::Equal) | None => "",
    }
}

fn closing(tag: Option<ChangeTag>) -> &'static str {
    match tag {
        Some(ChangeTag::Delete) => "-]",
        Some(ChangeTag::Insert) => "+}",
        Some(ChangeTag::Equal) | None => "",
    }
}

/// What is neither message nor metadata, key by key.
fn fields(before: &PromptVersion, after: &PromptVersion) -> Vec<(String, Value, Value)> {
    let (old, new) = (super::file::content(before), super::file::content(after));
    let mut found = Vec::new();
    for key in ["model_hint", "tools", "response_format"] {
        let pick =
            |value: &serde_json::Map<String, Value>| value.get(key).cloned().unwrap_or_default();
        found.push((key.to_owned(), pick(&old), pick(&new)));
    }
    for (key, noun) in [("params", "params."), ("variables", "variable ")] {
        let (old, new) = (old.get(key), new.get(key));
        let mut names: Vec<&String> = Vec::new();
        for name in [old, new]
            .into_iter()
            .flatten()
            .filter_map(Value::as_object)
            .flat_map(|m| m.keys())
        {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        for name in names {
            let pick = |value: Option<&Value>| {
                value.and_then(|v| v.get(name)).cloned().unwrap_or_default()
            };
            found.push((format!("{noun}{name}"), pick(old), pick(new)));
        }
    }
    found
}

fn show(value: &Value) -> String {
    match value {
        Value::Null => "(none)".to_owned(),
        Value::String(text) => visible(text).into_owned(),
        other => visible(&other.to_string()).into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Diagnostics, Slug, Source};
    use crate::prompt::{Expected, Form, decode};

    #[test]
    fn marks_removed_and_added_words() {
        assert_eq!(
            words("Be brief now.", "Be friendly now."),
            "Be [-brief-]{+friendly+} now."
        );
        assert_eq!(words("same", "same"), "same");
        assert_eq!(words("a\nd\n", "a\nb\nc\nd\n"), "a\n{+b+}\n{+c+}\nd\n");
    }

    fn version(text: &str) -> PromptVersion {
        let expected = Expected {
            slug: Slug::new("p").unwrap(),
            number: None,
            form: Form::Yaml,
        };
        decode(
            &Source::new("p.yaml", text),
            &expected,
            &mut Diagnostics::new(),
        )
        .unwrap()
    }

    #[test]
    fn names_variables_params_and_tokens_and_leaves_out_what_is_as_before() {
        let lines = "      one\n      two\n      three\n      four\n      five\n";
        let old = version(&format!(
            "gate: prompt/1\nparams: {{temperature: 0, max_tokens: 9}}\nvariables: {{q: {{type: string, max_length: 5}}}}\nmessages:\n  - role: system\n    content: |\n{lines}      last\n  - {{role: user, content: \"{{{{q}}}}\"}}\n"
        ));
        let new = version(&format!(
            "gate: prompt/1\nparams: {{temperature: 1}}\nvariables: {{q: {{type: string, max_length: 9}}, r: {{type: number}}}}\nmessages:\n  - role: system\n    content: |\n{lines}      final\n  - {{role: user, content: \"{{{{q}}}} {{{{r}}}}\"}}\n"
        ));
        let expected = "message 1 (system):\n  … 3 lines as before\n  four\n  five\n  [-last-]{+final+}\n\
            message 2 (user):\n  {{q}}{+ {{r}}+}\n\
            params.max_tokens: 9 -> (none)\nparams.temperature: 0 -> 1\n\
            variable q: {\"max_length\":5,\"type\":\"string\"} -> {\"max_length\":9,\"type\":\"string\"}\n\
            variable r: (none) -> {\"type\":\"number\"}\n\
            tokens without values: about 9 -> about 11 (+2)\n";
        assert_eq!(render(&old, &new), expected);
        assert_eq!(render(&old, &old), "");
    }
}
