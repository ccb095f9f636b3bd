//! The difference between two versions, readable: words within messages, variables, parameters.

use std::fmt::Write as _;

use serde_json::Value;
use similar::{ChangeTag, TextDiff};

use super::PromptVersion;
use crate::base::text::visible;

/// The difference as text: `[-removed-]` and `{+added+}` words in each message that changed, then
/// what else changed. Empty when nothing did.
#[must_use]
pub fn render(before: &PromptVersion, after: &PromptVersion) -> String {
    let mut text = String::new();
    let count = before.messages.len().max(after.messages.len());
    for index in 0..count {
        let (old, new) = (before.messages.get(index), after.messages.get(index));
        let role = new.or(old).map_or("", |message| message.role.as_str());
        let source = |message: Option<&super::MessageTemplate>| {
            message.map(|m| m.content.to_source()).unwrap_or_default()
        };
        let roles_differ = old.map(|m| m.role) != new.map(|m| m.role);
        let (old_text, new_text) = (source(old), source(new));
        if old_text != new_text || roles_differ {
            let _ = writeln!(text, "message {} ({role}):", index + 1);
            for line in words(&old_text, &new_text).lines() {
                let _ = writeln!(text, "  {}", visible(line));
            }
        }
    }
    for (key, old, new) in fields(before, after) {
        if old != new {
            let _ = writeln!(text, "{key}: {} -> {}", show(&old), show(&new));
        }
    }
    text
}

/// Two texts as one, with removed words in `[-…-]` and added ones in `{+…+}`.
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
            text.push_str(match current {
                Some(ChangeTag::Delete) => "[-",
                Some(ChangeTag::Insert) => "{+",
                Some(ChangeTag::Equal) | None => "",
            });
            open = current;
        }
        text.push_str(change.value());
    }
    text.push_str(closing(open));
    text
}

fn closing(open: Option<ChangeTag>) -> &'static str {
    match open {
        Some(ChangeTag::Delete) => "-]",
        Some(ChangeTag::Insert) => "+}",
        Some(ChangeTag::Equal) | None => "",
    }
}

fn fields(before: &PromptVersion, after: &PromptVersion) -> Vec<(String, Value, Value)> {
    let json = |version: &PromptVersion| super::version::to_json(version);
    let (old, new) = (json(before), json(after));
    let mut found = Vec::new();
    for key in ["model_hint", "params", "tools"] {
        let pick = |value: &Value| value.get(key).cloned().unwrap_or_default();
        found.push((key.to_owned(), pick(&old), pick(&new)));
    }
    let mut names: Vec<&str> = Vec::new();
    for variable in before.variables.iter().chain(&after.variables) {
        if !names.contains(&variable.name.as_str()) {
            names.push(&variable.name);
        }
    }
    for name in names {
        let pick = |version: &PromptVersion| {
            version.variable(name).map_or(Value::Null, |v| {
                format!(
                    "{:?} required={} default={:?}",
                    v.kind, v.required, v.default
                )
                .into()
            })
        };
        found.push((format!("variable {name}"), pick(before), pick(after)));
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

    #[test]
    fn marks_removed_and_added_words() {
        assert_eq!(
            words("Be brief now.", "Be friendly now."),
            "Be [-brief-]{+friendly+} now."
        );
        assert_eq!(words("same", "same"), "same");
    }
}
