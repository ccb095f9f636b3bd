//! The template language of prompts: `{{name}}` and `{{name.field}}`, nothing else. One pass:
//! values are data and are never read as templates again.

use std::fmt::Write as _;

use serde_json::Value;

use crate::base::digest::canonical_json;

/// A parsed template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Reference(Reference),
}

/// A place in a template where a value goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// The variable.
    pub name: String,
    /// The field of the variable, if one is asked for.
    pub field: Option<String>,
}

/// Why a text is no template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct TemplateError {
    /// The offending tag as written, for finding its place.
    pub tag: String,
    /// What is wrong with it.
    pub message: String,
    /// What to do.
    pub help: String,
}

/// A value that a template asks for and does not get.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RenderError {
    /// There is no value of this name.
    #[error("no value for `{name}`")]
    Missing {
        /// The variable.
        name: String,
    },
    /// The value has no such field.
    #[error("`{name}` has no field `{field}`")]
    NoField {
        /// The variable.
        name: String,
        /// The field.
        field: String,
    },
}

impl Template {
    /// Parses a text.
    ///
    /// # Errors
    /// All tags that are no reference, and a tag that is not closed.
    pub fn parse(text: &str) -> Result<Self, Vec<TemplateError>> {
        let mut parts = Vec::new();
        let mut errors = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some((before, tag)) = rest.split_once("{{") {
            plain.push_str(before);
            if let Some(after) = tag.strip_prefix("\"{{\"}}") {
                plain.push_str("{{");
                rest = after;
                continue;
            }
            let Some((inside, after)) = tag.split_once("}}") else {
                errors.push(unclosed(tag));
                rest = "";
                break;
            };
            match parse_reference(inside) {
                Ok(reference) => {
                    if !plain.is_empty() {
                        parts.push(Part::Text(std::mem::take(&mut plain)));
                    }
                    parts.push(Part::Reference(reference));
                }
                Err(error) => errors.push(error),
            }
            rest = after;
        }
        plain.push_str(rest);
        if !plain.is_empty() {
            parts.push(Part::Text(plain));
        }
        if errors.is_empty() {
            Ok(Self { parts })
        } else {
            Err(errors)
        }
    }

    /// The references in the order of the text.
    pub fn references(&self) -> impl Iterator<Item = &Reference> {
        self.parts.iter().filter_map(|part| match part {
            Part::Text(_) => None,
            Part::Reference(reference) => Some(reference),
        })
    }

    /// Fills in the values that `lookup` finds by name.
    ///
    /// # Errors
    /// When a value or a field of it is missing.
    pub fn render<'v>(
        &self,
        lookup: impl Fn(&str) -> Option<&'v Value>,
    ) -> Result<String, RenderError> {
        let mut text = String::new();
        for part in &self.parts {
            match part {
                Part::Text(plain) => text.push_str(plain),
                Part::Reference(reference) => print_value(reference.resolve(&lookup)?, &mut text),
            }
        }
        Ok(text)
    }

    /// The text when the template has no reference.
    #[must_use]
    pub fn as_plain(&self) -> Option<&str> {
        match self.parts.as_slice() {
            [] => Some(""),
            [Part::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// The reference when the template is one and nothing else.
    #[must_use]
    pub fn as_reference(&self) -> Option<&Reference> {
        match self.parts.as_slice() {
            [Part::Reference(reference)] => Some(reference),
            _ => None,
        }
    }

    /// The template's text as it would be written.
    #[must_use]
    pub fn to_source(&self) -> String {
        let mut text = String::new();
        for part in &self.parts {
            match part {
                Part::Text(plain) => text.push_str(&plain.replace("{{", "{{\"{{\"}}")),
                Part::Reference(Reference { name, field: None }) => {
                    // Writing to a `String` can not fail.
                    let _ = write!(text, "{{{{{name}}}}}");
                }
                Part::Reference(Reference {
                    name,
                    field: Some(field),
                }) => {
                    let _ = write!(text, "{{{{{name}.{field}}}}}");
                }
            }
        }
        text
    }
}

impl Reference {
    /// The value that this reference stands for.
    ///
    /// # Errors
    /// When there is no such value, or it has no such field.
    pub fn resolve<'v>(
        &self,
        lookup: impl Fn(&str) -> Option<&'v Value>,
    ) -> Result<&'v Value, RenderError> {
        let value = lookup(&self.name).ok_or_else(|| RenderError::Missing {
            name: self.name.clone(),
        })?;
        match &self.field {
            None => Ok(value),
            Some(field) => value
                .get(field)
                .filter(|inner| !inner.is_null())
                .ok_or_else(|| RenderError::NoField {
                    name: self.name.clone(),
                    field: field.clone(),
                }),
        }
    }
}

/// Prints a value as templates do: text as it is, all else as its canonical JSON.
pub fn print_value(value: &Value, into: &mut String) {
    match value {
        Value::String(text) => into.push_str(text),
        other => into.push_str(&canonical_json(other)),
    }
}

fn unclosed(tag: &str) -> TemplateError {
    let start: String = tag.chars().take_while(|c| *c != '\n').take(20).collect();
    TemplateError {
        tag: format!("{{{{{start}"),
        message: format!("`{{{{{start}` is not closed"),
        help: "close it with `}}`; write `{{\"{{\"}}` for a literal pair of braces".to_owned(),
    }
}

fn parse_reference(inside: &str) -> Result<Reference, TemplateError> {
    let trimmed = inside.trim_matches(' ');
    let (name, field) = match trimmed.split_once('.') {
        Some((name, field)) => (name, Some(field)),
        None => (trimmed, None),
    };
    if is_identifier(name) && field.is_none_or(is_identifier) {
        return Ok(Reference {
            name: name.to_owned(),
            field: field.map(str::to_owned),
        });
    }
    Err(TemplateError {
        tag: format!("{{{{{inside}}}}}"),
        message: format!("`{{{{{inside}}}}}` is not a variable"),
        help: "only {{name}} and {{name.field}} are templates; write `{{\"{{\"}}` for a literal pair of braces".to_owned(),
    })
}

/// Whether a text can name a variable: letters, digits, `_` and `-`, not beginning with a digit.
#[must_use]
pub fn is_identifier(text: &str) -> bool {
    let mut chars = text.chars();
    chars.next().is_some_and(|c| c.is_alphabetic() || c == '_')
        && chars.all(|c| c.is_alphanumeric() || c == '_' || c == '-')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn render(template: &str, values: &Value) -> Result<String, RenderError> {
        Template::parse(template)
            .unwrap()
            .render(|name| values.get(name))
    }

    #[test]
    fn fills_in_names_and_fields() {
        let values = json!({"a": "x", "n": 1.50, "o": {"f": ["p", true]}});
        assert_eq!(
            render("{{a}}-{{ n }}-{{o.f}}", &values).unwrap(),
            "x-1.5-[\"p\",true]"
        );
        assert_eq!(render("{{\"{{\"}}a}} {{a}}", &values).unwrap(), "{{a}} x");
        assert_eq!(
            render("no tags }} here", &values).unwrap(),
            "no tags }} here"
        );
    }

    #[test]
    fn never_expands_a_value() {
        let values = json!({"a": "{{b}} {{\"{{\"}}", "b": "secret"});
        assert_eq!(render("[{{a}}]", &values).unwrap(), "[{{b}} {{\"{{\"}}]");
    }

    #[test]
    fn names_every_tag_that_is_no_reference() {
        let errors = Template::parse("{{a b}} {{}} {{a.b.c}} {{#if x}} {{open").unwrap_err();
        let tags: Vec<&str> = errors.iter().map(|error| error.tag.as_str()).collect();
        assert_eq!(
            tags,
            ["{{a b}}", "{{}}", "{{a.b.c}}", "{{#if x}}", "{{open"]
        );
    }

    #[test]
    fn names_what_is_missing() {
        let values = json!({"o": {"f": null}});
        assert_eq!(
            render("{{x}}", &values),
            Err(RenderError::Missing { name: "x".into() })
        );
        let no_field = RenderError::NoField {
            name: "o".into(),
            field: "f".into(),
        };
        assert_eq!(render("{{o.f}}", &values), Err(no_field));
    }

    proptest! {
        #[test]
        fn a_value_never_changes_the_text_around_it(value in ".{0,40}") {
            let values = json!({"v": value.clone()});
            prop_assert_eq!(render("a{{v}}b", &values).unwrap(), format!("a{value}b"));
        }

        #[test]
        fn source_of_a_template_parses_to_the_same(text in "[a{}\". _]{0,30}") {
            if let Ok(template) = Template::parse(&text) {
                prop_assert_eq!(Template::parse(&template.to_source()), Ok(template));
            }
        }
    }
}
