//! A prompt version: what it holds, checking a case against it, rendering it. `file` decodes it.

use std::sync::Arc;

use serde_json::{Value, json};

use super::template::{RenderError, Template};
use super::variable::{Variable, VariableFault};
use crate::base::{Digest, Fields, Slug, Source, Span};
use crate::chat::{Message, Params, ResponseFormat, Role};

/// One version of a prompt.
#[derive(Debug, Clone)]
pub struct PromptVersion {
    /// The prompt's name.
    pub slug: Slug,
    /// The version's number, where it has one.
    pub number: Option<u32>,
    /// The digest of what reaches the model and what guards it.
    pub hash: Digest,
    /// Everything that is not hashed.
    pub meta: Metadata,
    /// The dated model that the author tuned for; never sent.
    pub model_hint: Option<String>,
    /// Sampling and limits.
    pub params: Params,
    /// The variables, declared or taken from the messages.
    pub variables: Vec<Variable>,
    /// Whether the file declares its variables.
    pub declares_variables: bool,
    /// The messages, at least one.
    pub messages: Vec<MessageTemplate>,
    /// Tools offered to the model.
    pub tools: Vec<Value>,
    /// The form that the answer must have.
    pub response_format: Option<ResponseFormat>,
    /// The file's text, for diagnostics.
    pub source: Arc<Source>,
}

/// What a version says about itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Metadata {
    /// What the version is or changes.
    pub description: Option<String>,
    /// Who wrote it.
    pub author: Option<String>,
    /// When it was made, as written.
    pub created_at: Option<String>,
    /// Free labels.
    pub tags: Vec<String>,
}

/// A message with variables.
#[derive(Debug, Clone)]
pub struct MessageTemplate {
    /// Who speaks.
    pub role: Role,
    /// What is said.
    pub content: Template,
}

impl MessageTemplate {
    /// Whether it says nothing, whatever the case.
    #[must_use]
    pub fn is_blank(&self) -> bool {
        self.content.to_source().trim().is_empty()
    }
}

impl PromptVersion {
    /// The version as people refer to it: `v7`, or the first digits of the hash.
    #[must_use]
    pub fn label(&self) -> String {
        self.number
            .map_or_else(|| self.hash.short(12), |number| format!("v{number}"))
    }

    /// Where a variable stands in the file: its declaration, else its first use, else the beginning.
    #[must_use]
    pub fn place_of(&self, name: &str) -> Span {
        let text = self.source.text.as_str();
        let span = |start: usize| Span {
            start,
            end: start + name.len(),
        };
        let mut offset = text.find("variables:").unwrap_or(text.len());
        for line in text.get(offset..).unwrap_or_default().split_inclusive('\n') {
            let inner = line.trim_start();
            let declares = inner
                .strip_prefix(name)
                .is_some_and(|rest| rest.starts_with(':'));
            let indent = line.len() - inner.len();
            if declares && indent > 0 {
                return span(offset + indent);
            }
            offset += line.len();
        }
        let mut from = 0;
        while let Some(open) = text.get(from..).and_then(|rest| rest.find("{{")) {
            from += open + 2;
            let rest = text.get(from..).unwrap_or_default();
            let inner = rest.trim_start();
            let ends = |after: &str| after.trim_start().starts_with(['}', '.', '|']);
            if inner.strip_prefix(name).is_some_and(ends) {
                return span(from + rest.len() - inner.len());
            }
        }
        Span::default()
    }

    /// The declaration of a variable.
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<&Variable> {
        self.variables.iter().find(|variable| variable.name == name)
    }

    /// Checks the values of a case: each required variable there, none null, each of its type.
    #[must_use]
    pub fn check(&self, vars: &Fields<Value>) -> Vec<(String, VariableFault)> {
        let mut faults = Vec::new();
        for variable in &self.variables {
            let fault = match vars.get(&variable.name) {
                Some(Value::Null) => Some(VariableFault {
                    rule: "null-variable",
                    message: "is null".to_owned(),
                    help: "write a value, or leave the key out where it is not required".to_owned(),
                }),
                Some(value) => variable.check(value).err(),
                None if variable.required && variable.default.is_none() => Some(VariableFault {
                    rule: "missing-variable",
                    message: "is missing".to_owned(),
                    help: "add it to `vars`, or say `required: false` in the prompt".to_owned(),
                }),
                None => None,
            };
            faults.extend(fault.map(|fault| (variable.name.clone(), fault)));
        }
        if faults.is_empty()
            && let Err(error) = self.render(vars)
        {
            let name = match &error {
                RenderError::Missing { name } | RenderError::NoField { name, .. } => name.clone(),
            };
            let help = "add the field to the value".to_owned();
            faults.push((
                name,
                VariableFault {
                    rule: "missing-field",
                    message: error.to_string(),
                    help,
                },
            ));
        }
        faults
    }

    /// Fills in the values of a case.
    ///
    /// # Errors
    /// When a value is missing; [`PromptVersion::check`] finds that before the first request.
    pub fn render(&self, vars: &Fields<Value>) -> Result<Vec<Message>, RenderError> {
        const EMPTY: &Value = &Value::String(String::new());
        let lookup = |name: &str| {
            vars.get(name).or_else(|| {
                let variable = self.variable(name)?;
                variable
                    .default
                    .as_ref()
                    .or((!variable.required).then_some(EMPTY))
            })
        };
        let fill = |message: &MessageTemplate| {
            Ok(Message::new(message.role, message.content.render(lookup)?))
        };
        self.messages.iter().map(fill).collect()
    }
}

/// The version as JSON for `gate prompt get` and for differences: the messages' templates as
/// written, and every key that the content hash covers.
#[must_use]
pub fn to_json(version: &PromptVersion) -> Value {
    let mut content = super::file::content(version);
    let messages: Value = version
        .messages
        .iter()
        .map(|message| json!({"role": message.role, "content": message.content.to_source()}))
        .collect();
    let mut take = |key: &str| content.remove(key).unwrap_or_default();
    json!({
        "prompt": version.slug.as_str(),
        "version": version.number,
        "hash": version.hash,
        "description": version.meta.description,
        "author": version.meta.author,
        "created_at": version.meta.created_at,
        "model_hint": version.model_hint,
        "params": version.params,
        "variables": take("variables"),
        "messages": messages,
        "tools": version.tools,
        "response_format": take("response_format"),
    })
}
