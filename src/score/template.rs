//! Texts of scorers with references to the case: `{{expected}}`, `{{expected.field}}`,
//! `{{vars.name}}`. They are parsed once, when the scorer is decoded. A value is never looked into
//! for further references.

use std::borrow::Cow;
use std::fmt;

use serde_json::Value;

use super::error::Fault;
use crate::base::digest::canonical_json;
use crate::dataset::Case;

/// A reference to something that a case holds.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reference {
    /// The variable, or `None` for `expected`.
    variable: Option<String>,
    /// Fields within the value.
    path: Vec<String>,
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.variable {
            None => f.write_str("expected")?,
            Some(name) => write!(f, "vars.{name}")?,
        }
        self.path.iter().try_for_each(|part| write!(f, ".{part}"))
    }
}

impl Reference {
    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('.').map(str::to_owned);
        let root = parts.next()?;
        let variable = match root.as_str() {
            "expected" => None,
            "vars" => Some(parts.next()?),
            _ => return None,
        };
        let path: Vec<String> = parts.collect();
        let valid = |part: &String| {
            !part.is_empty() && !part.contains(|c: char| c.is_whitespace() || "{}\"'".contains(c))
        };
        (variable.iter().all(valid) && path.iter().all(valid)).then_some(Self { variable, path })
    }

    /// A reference to `expected` as a whole.
    #[must_use]
    pub fn expected() -> Self {
        Self {
            variable: None,
            path: Vec::new(),
        }
    }

    /// A reference to a variable as a whole.
    #[must_use]
    pub fn to_variable(name: &str) -> Self {
        Self {
            variable: Some(name.to_owned()),
            path: Vec::new(),
        }
    }

    /// The name of the variable, unless this is a reference to `expected`.
    #[must_use]
    pub fn variable(&self) -> Option<&str> {
        self.variable.as_deref()
    }

    /// The value in a case.
    #[must_use]
    pub fn find<'c>(&self, case: &'c Case) -> Option<&'c Value> {
        let root = match &self.variable {
            None => case.expected.as_ref()?,
            Some(name) => case.vars.get(name)?,
        };
        self.path
            .iter()
            .try_fold(root, |value, field| value.get(field))
    }

    /// The value in a case, or the fault that there is none.
    ///
    /// # Errors
    /// When the case has no such value.
    pub fn require<'c>(&self, case: &'c Case) -> Result<&'c Value, Fault> {
        self.find(case)
            .ok_or_else(|| Fault::Missing(format!("{{{{{self}}}}}")))
    }

    /// The value in a case as text: text as it is, all else as its canonical JSON.
    ///
    /// # Errors
    /// When the case has no such value, or null.
    pub fn text<'c>(&self, case: &'c Case) -> Result<Cow<'c, str>, Fault> {
        match self.require(case)? {
            Value::Null => Err(Fault::Missing(format!("{{{{{self}}}}}"))),
            value => Ok(print(value)),
        }
    }
}

/// Text as it is, all else as its canonical JSON.
#[must_use]
pub fn print(value: &Value) -> Cow<'_, str> {
    match value {
        Value::String(text) => Cow::Borrowed(text),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            Cow::Owned(canonical_json(value))
        }
    }
}

/// A piece of a text.
#[derive(Debug, Clone, PartialEq)]
pub enum Part {
    /// Text as it stands.
    Literal(String),
    /// The value of the case.
    Reference(Reference),
}

/// A text that may hold references.
#[derive(Debug, Clone, PartialEq)]
pub struct Template(Vec<Part>);

/// What stands between braces and is no reference.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// An unknown name.
    #[error("`{{{{{0}}}}}` is no reference")]
    Unknown(String),
    /// Braces that are not closed.
    #[error("`{{{{` is not closed")]
    Open,
}

impl Template {
    /// Reads a text.
    ///
    /// # Errors
    /// When braces are not closed, or hold something else than a reference.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        const LITERAL_BRACES: &str = "{{\"{{\"}}";
        let mut parts = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{{") {
            literal.push_str(before);
            if let Some(after) = rest
                .get(before.len()..)
                .and_then(|r| r.strip_prefix(LITERAL_BRACES))
            {
                literal.push_str("{{");
                rest = after;
                continue;
            }
            let (name, after) = after.split_once("}}").ok_or(TemplateError::Open)?;
            let reference = Reference::parse(name.trim())
                .ok_or_else(|| TemplateError::Unknown(name.to_owned()))?;
            if !literal.is_empty() {
                parts.push(Part::Literal(std::mem::take(&mut literal)));
            }
            parts.push(Part::Reference(reference));
            rest = after;
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            parts.push(Part::Literal(literal));
        }
        Ok(Self(parts))
    }

    /// The pieces in order.
    #[must_use]
    pub fn parts(&self) -> &[Part] {
        &self.0
    }

    /// The references in order.
    pub fn references(&self) -> impl Iterator<Item = &Reference> {
        self.0.iter().filter_map(|part| match part {
            Part::Literal(_) => None,
            Part::Reference(reference) => Some(reference),
        })
    }

    /// The text itself, where it holds no reference.
    #[must_use]
    pub fn fixed(&self) -> Option<&str> {
        match self.0.as_slice() {
            [] => Some(""),
            [Part::Literal(text)] => Some(text),
            _ => None,
        }
    }

    /// The text for a case.
    ///
    /// # Errors
    /// When the case lacks what is referred to.
    pub fn text<'c>(&'c self, case: &'c Case) -> Result<Cow<'c, str>, Fault> {
        match self.0.as_slice() {
            [] => Ok(Cow::Borrowed("")),
            [Part::Literal(text)] => Ok(Cow::Borrowed(text)),
            [Part::Reference(reference)] => reference.text(case),
            parts => {
                let mut text = String::new();
                for part in parts {
                    match part {
                        Part::Literal(literal) => text.push_str(literal),
                        Part::Reference(reference) => text.push_str(&reference.text(case)?),
                    }
                }
                Ok(Cow::Owned(text))
            }
        }
    }

    /// The text for a case, which may not be empty: an empty one would be found everywhere.
    ///
    /// # Errors
    /// When the case lacks what is referred to, or the text is empty.
    pub fn nonempty<'c>(&'c self, case: &'c Case) -> Result<Cow<'c, str>, Fault> {
        let text = self.text(case)?;
        if text.is_empty() {
            return Err(Fault::unusable("text that is not empty", ""));
        }
        Ok(text)
    }
}

/// A JSON value whose texts may hold references.
#[derive(Debug, Clone, PartialEq)]
pub enum Operand {
    /// A value without references.
    Fixed(Value),
    /// A text with references.
    Text(Template),
    /// A list with references somewhere in it.
    List(Vec<Self>),
    /// A map with references somewhere in it.
    Map(Vec<(String, Self)>),
}

impl Operand {
    /// Reads a value.
    ///
    /// # Errors
    /// As [`Template::parse`], for the first text at fault.
    pub fn parse(value: &Value) -> Result<Self, TemplateError> {
        let operand = match value {
            Value::String(text) => {
                let template = Template::parse(text)?;
                match template.fixed() {
                    Some(text) => Self::Fixed(text.into()),
                    None => Self::Text(template),
                }
            }
            Value::Array(items) => {
                let items: Vec<Self> = items.iter().map(Self::parse).collect::<Result<_, _>>()?;
                match items.iter().map(Self::fixed).collect::<Option<Value>>() {
                    Some(list) => Self::Fixed(list),
                    None => Self::List(items),
                }
            }
            Value::Object(entries) => {
                let entries: Vec<(String, Self)> = entries
                    .iter()
                    .map(|(key, value)| Ok((key.clone(), Self::parse(value)?)))
                    .collect::<Result<_, TemplateError>>()?;
                let fixed: Option<serde_json::Map<_, _>> = entries
                    .iter()
                    .map(|(key, value)| Some((key.clone(), value.fixed()?)))
                    .collect();
                match fixed {
                    Some(map) => Self::Fixed(map.into()),
                    None => Self::Map(entries),
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => Self::Fixed(value.clone()),
        };
        Ok(operand)
    }

    fn fixed(&self) -> Option<Value> {
        match self {
            Self::Fixed(value) => Some(value.clone()),
            Self::Text(_) | Self::List(_) | Self::Map(_) => None,
        }
    }

    /// Whether the value is a reference and nothing else.
    #[must_use]
    pub fn is_reference(&self) -> bool {
        match self {
            Self::Text(template) => matches!(template.parts(), [Part::Reference(_)]),
            Self::Fixed(_) | Self::List(_) | Self::Map(_) => false,
        }
    }

    /// Hands every reference to `found`.
    pub fn references(&self, found: &mut dyn FnMut(&Reference)) {
        match self {
            Self::Fixed(_) => {}
            Self::Text(template) => template.references().for_each(found),
            Self::List(items) => items.iter().for_each(|item| item.references(found)),
            Self::Map(entries) => entries
                .iter()
                .for_each(|(_, value)| value.references(found)),
        }
    }

    /// The value for a case: a reference that is a whole text keeps its JSON type.
    ///
    /// # Errors
    /// When the case lacks what is referred to.
    pub fn value<'c>(&'c self, case: &'c Case) -> Result<Cow<'c, Value>, Fault> {
        match self {
            Self::Fixed(value) => Ok(Cow::Borrowed(value)),
            Self::Text(template) => match template.parts() {
                [Part::Reference(reference)] => reference.require(case).map(Cow::Borrowed),
                _ => Ok(Cow::Owned(template.text(case)?.into_owned().into())),
            },
            Self::List(items) => {
                let items: Vec<Value> = items
                    .iter()
                    .map(|item| item.value(case).map(Cow::into_owned))
                    .collect::<Result<_, _>>()?;
                Ok(Cow::Owned(items.into()))
            }
            Self::Map(entries) => {
                let entries: serde_json::Map<_, _> = entries
                    .iter()
                    .map(|(key, value)| Ok((key.clone(), value.value(case)?.into_owned())))
                    .collect::<Result<_, Fault>>()?;
                Ok(Cow::Owned(entries.into()))
            }
        }
    }

    /// The texts of a list for a case; items that are no text print as canonical JSON.
    ///
    /// # Errors
    /// When the case lacks what is referred to, or the value is no list, an empty one, or holds
    /// null or an empty text.
    pub fn texts<'c>(&'c self, case: &'c Case) -> Result<Vec<Cow<'c, str>>, Fault> {
        const WANTED: &str = "a list of texts that are not empty";
        let value = self.value(case)?;
        let holds_null = value
            .as_array()
            .is_some_and(|items| items.iter().any(Value::is_null));
        let texts: Vec<Cow<'c, str>> = match value {
            Cow::Borrowed(Value::Array(items)) => items.iter().map(print).collect(),
            Cow::Owned(Value::Array(items)) => items
                .iter()
                .map(|item| Cow::Owned(print(item).into_owned()))
                .collect(),
            value => return Err(Fault::unusable(WANTED, &print(&value))),
        };
        if holds_null || texts.is_empty() || texts.iter().any(|text| text.is_empty()) {
            return Err(Fault::unusable(WANTED, &texts.join(", ")));
        }
        Ok(texts)
    }

    /// One text, or the texts of a list, of which any may be met; each may be empty.
    ///
    /// # Errors
    /// When the case lacks what is referred to, or the value is null, an empty list, or holds null.
    pub fn alternatives<'c>(&'c self, case: &'c Case) -> Result<Vec<Cow<'c, str>>, Fault> {
        const WANTED: &str = "a text or a list of texts";
        let texts: Vec<Cow<'c, str>> = match self.value(case)? {
            Cow::Borrowed(Value::Array(items)) if !items.iter().any(Value::is_null) => {
                items.iter().map(print).collect()
            }
            Cow::Owned(Value::Array(items)) if !items.iter().any(Value::is_null) => items
                .iter()
                .map(|item| Cow::Owned(print(item).into_owned()))
                .collect(),
            value if value.is_array() || value.is_null() => Vec::new(),
            Cow::Borrowed(value) => vec![print(value)],
            Cow::Owned(value) => vec![Cow::Owned(print(&value).into_owned())],
        };
        if texts.is_empty() {
            return Err(Fault::unusable(WANTED, "none"));
        }
        Ok(texts)
    }
}
