//! The templates of replies: `{{expected}}`, `{{vars.name}}`, `{{case.id}}`, `{{match.name}}`. They
//! are parsed once, and rendered in a single pass: what is filled in is never read again.

use serde_json::Value;

use super::when::Match;
use crate::base::Node;
use crate::base::decode::{Reader, choices};
use crate::base::digest::canonical_json;
use crate::base::text::byte_prefix;
use crate::dataset::Case;

const REFERENCES: &str =
    "a reply sees {{expected}}, {{expected.field}}, {{vars.name}}, {{case.id}} and {{match.name}}";

/// A reply with holes in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Template(Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Reference { written: String, target: Target },
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Target {
    Expected(Vec<String>),
    Variable { name: String, fields: Vec<String> },
    CaseId,
    Group(String),
}

impl Template {
    /// Reads a template; `groups` are the named groups that the rule's `user` pattern has.
    pub(super) fn read(
        reader: &mut Reader<'_>,
        node: &Node,
        what: &str,
        groups: &[&str],
    ) -> Option<Self> {
        let mut rest = reader.text(node, what)?;
        let mut pieces = Vec::new();
        let mut valid = true;
        while let Some((before, after)) = rest.split_once("{{") {
            push_text(&mut pieces, before);
            let Some((inside, after)) = after.split_once("}}") else {
                let shown = byte_prefix(after, 40);
                let message = format!("`{{{{{shown}` has no closing `}}}}`");
                let help = "close it; a literal brace pair is written {{\"{{\"}}";
                reader.error(node.span, "template", message, help);
                return None;
            };
            rest = after;
            if inside.trim() == "\"{{\"" {
                push_text(&mut pieces, "{{");
                continue;
            }
            match parse_target(inside.trim(), groups) {
                Ok(target) => pieces.push(Piece::Reference {
                    written: format!("{{{{{}}}}}", inside.trim()),
                    target,
                }),
                Err(help) => {
                    let message = format!("{what} speaks of `{{{{{inside}}}}}`, which is nothing");
                    reader.error(node.span, "unknown-reference", message, help);
                    valid = false;
                }
            }
        }
        push_text(&mut pieces, rest);
        valid.then_some(Self(pieces))
    }

    /// The text for a case, or the reference that the case has no value for.
    pub(super) fn render(&self, case: &Case, matched: &Match<'_>) -> Result<String, &str> {
        let mut text = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Text(literal) => text.push_str(literal),
                Piece::Reference { written, target } => {
                    render_target(target, case, matched, &mut text).ok_or(written.as_str())?;
                }
            }
        }
        Ok(text)
    }
}

fn push_text(pieces: &mut Vec<Piece>, text: &str) {
    if text.is_empty() {
        return;
    }
    if let Some(Piece::Text(last)) = pieces.last_mut() {
        last.push_str(text);
    } else {
        pieces.push(Piece::Text(text.to_owned()));
    }
}

/// What a reference speaks of, or advice.
fn parse_target(inside: &str, groups: &[&str]) -> Result<Target, String> {
    let parts: Vec<&str> = inside.split('.').map(str::trim).collect();
    let fields = |parts: &[&str]| parts.iter().map(|&part| part.to_owned()).collect();
    match parts.as_slice() {
        parts if parts.contains(&"") => Err(REFERENCES.to_owned()),
        ["expected", rest @ ..] => Ok(Target::Expected(fields(rest))),
        ["vars", name, rest @ ..] => Ok(Target::Variable {
            name: (*name).to_owned(),
            fields: fields(rest),
        }),
        ["case", "id"] => Ok(Target::CaseId),
        ["match", name] if groups.contains(name) => Ok(Target::Group((*name).to_owned())),
        ["match", _] if groups.is_empty() => Err(
            "the rule's `user` pattern has no named group: write one as (?<name>...)".to_owned(),
        ),
        ["match", name] => Err(format!("named groups of `user`: {}", choices(name, groups))),
        _ => Err(REFERENCES.to_owned()),
    }
}

fn render_target(
    target: &Target,
    case: &Case,
    matched: &Match<'_>,
    text: &mut String,
) -> Option<()> {
    let value = match target {
        Target::CaseId => {
            text.push_str(case.id.as_str());
            return Some(());
        }
        Target::Group(name) => {
            text.push_str(matched.group(name));
            return Some(());
        }
        Target::Expected(fields) => follow(case.expected.as_ref()?, fields)?,
        Target::Variable { name, fields } => follow(case.vars.get(name)?, fields)?,
    };
    match value {
        Value::String(value) => text.push_str(value),
        other => text.push_str(&canonical_json(other)),
    }
    Some(())
}

fn follow<'v>(value: &'v Value, fields: &[String]) -> Option<&'v Value> {
    fields
        .iter()
        .try_fold(value, |value, field| value.get(field.as_str()))
}
