//! What a service is sent: the parts of a request in the places that its form has for them.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::super::call::EncodeError;
use super::super::codec::{finish_body, lacks, path_segment, refuse, split_system};
use crate::base::digest::canonical_json;
use crate::chat::{HttpForm, ModelSpec, Request, Role, Slot, TextBody};
use crate::prompt::Template;

/// The parts of a request by their words, as far as they are set.
pub(super) type Values = BTreeMap<&'static str, Value>;

/// Which parts of a request have a place in a form.
pub(super) struct Places(BTreeSet<Slot>);

impl Places {
    pub(super) fn of(form: &HttpForm) -> Result<Self, EncodeError> {
        let mut used = BTreeSet::new();
        let mut texts: Vec<&str> = form.query.values().map(String::as_str).collect();
        texts_in(&form.body, &mut texts);
        for text in texts {
            let template = parsed(text)?;
            let names = template.references();
            used.extend(names.filter_map(|reference| Slot::of_word(&reference.name)));
        }
        Ok(Self(used))
    }

    fn has(&self, slot: Slot) -> bool {
        self.0.contains(&slot)
    }

    /// The values of all places.
    pub(super) fn values(
        &self,
        model: &ModelSpec,
        request: &Request,
    ) -> Result<Values, EncodeError> {
        if !request.tools.is_empty() {
            return Err(lacks(
                "`http`",
                "place for tools",
                "ask without tools, or another provider",
            ));
        }
        if request.response_format.is_some() {
            let help = "let the service itself fix the form; a judge needs another provider";
            return Err(lacks(
                "`http`",
                "place for a form that the answer must have",
                help,
            ));
        }
        refuse("`http`", &[("logprobs", request.params.logprobs)])?;
        let mut values = self.conversation(request)?;
        values.insert("model", model.id().into());
        let params = json!(request.params);
        for (word, slot) in Slot::WORDS {
            let Some(value) = params.get(word) else {
                continue;
            };
            if !self.has(slot) {
                let help = format!(
                    "write `{{{{{word}}}}}` where the service takes it, or remove it for this model"
                );
                return Err(lacks(
                    "the form of `http`",
                    &format!("place for `{word}`"),
                    help,
                ));
            }
            values.insert(word, value.clone());
        }
        Ok(values)
    }

    /// The messages, each of which must have a place.
    fn conversation(&self, request: &Request) -> Result<Values, EncodeError> {
        let (system, turns) = split_system(request);
        let (last, earlier) = match turns.split_last() {
            Some((last, earlier)) if last.role == Role::User => (Some(last), earlier),
            _ => (None, turns),
        };
        let no_place = |what: &str, word: &str| {
            let help =
                format!("write `{{{{{word}}}}}` or `{{{{messages}}}}` where the service takes it");
            lacks("the form of `http`", &format!("place for {what}"), help)
        };
        if !self.has(Slot::Messages) {
            if !system.is_empty() && !self.has(Slot::System) {
                return Err(no_place("the system message", "system"));
            }
            if !earlier.is_empty() && !self.has(Slot::History) {
                return Err(no_place("the messages before the last", "history"));
            }
            if last.is_some() && !self.has(Slot::Prompt) {
                return Err(no_place("the user's message", "prompt"));
            }
        }
        let mut values = Values::new();
        if !system.is_empty() {
            values.insert("system", system.join("\n\n").into());
        } else if self.has(Slot::System) {
            // Within a text, what is not said prints as nothing.
            values.insert("system", Value::Null);
        }
        match last {
            Some(last) => values.insert("prompt", last.content.as_str().into()),
            None if self.has(Slot::Prompt) => {
                let help = "end the prompt with a message of role `user`";
                return Err(lacks("the request", "message of the user at its end", help));
            }
            None => None,
        };
        let list = |messages: &[crate::chat::Message]| -> Value {
            let each = |message: &crate::chat::Message| json!({"role": message.role.as_str(), "content": message.content});
            messages.iter().map(each).collect()
        };
        let all: &[_] = if self.has(Slot::System) {
            turns
        } else {
            &request.messages
        };
        values.insert("messages", list(all));
        values.insert("history", list(earlier));
        Ok(values)
    }
}

fn texts_in<'f>(body: &'f Value, into: &mut Vec<&'f str>) {
    match body {
        Value::String(text) => into.push(text),
        Value::Array(items) => items.iter().for_each(|item| texts_in(item, into)),
        Value::Object(fields) => fields.values().for_each(|field| texts_in(field, into)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn parsed(text: &str) -> Result<Template, EncodeError> {
    Template::parse(text).map_err(|errors| {
        let first = errors.into_iter().next();
        let (message, help) = first
            .map(|error| (error.message, error.help))
            .unwrap_or_default();
        EncodeError { message, help }
    })
}

/// A text of the form with its values; `None` where it is one value that is not set.
pub(super) fn filled(text: &str, values: &Values) -> Result<Option<Value>, EncodeError> {
    let template = parsed(text)?;
    if let Some(one) = template.as_reference() {
        let value = values.get(one.name.as_str());
        return Ok(value.filter(|value| !value.is_null()).cloned());
    }
    rendered(&template, values).map(|made| Some(made.into()))
}

/// A text with the values in it.
fn rendered(template: &Template, values: &Values) -> Result<String, EncodeError> {
    let nothing = Value::String(String::new());
    let lookup = |name: &str| {
        let value = values.get(name)?;
        Some(if value.is_null() { &nothing } else { value })
    };
    template.render(lookup).map_err(|error| EncodeError {
        message: format!("{error} within the text of a form"),
        help: "set the parameter, or write it as a value of its own, which is left out then"
            .to_owned(),
    })
}

/// A value as text.
pub(super) fn printed(value: &Value) -> Cow<'_, str> {
    match value {
        Value::String(text) => text.into(),
        other => canonical_json(other).into(),
    }
}

/// The body of a request.
pub(super) fn body(
    form: &HttpForm,
    values: &Values,
    request: &Request,
) -> Result<Value, EncodeError> {
    let made = match &form.body {
        Value::String(text) => {
            let kind = form.headers.get("content-type");
            let kind = kind.and_then(|kind| TextBody::of(kind));
            let values = values.iter().map(|(word, value)| {
                let value = match (value, kind) {
                    (Value::Null, _) | (_, None) => value.clone(),
                    (value, Some(kind)) => escaped(kind, &printed(value)).into(),
                };
                (*word, value)
            });
            Some(rendered(&parsed(text)?, &values.collect())?.into())
        }
        tree => filled_tree(tree, values)?,
    };
    match made {
        Some(Value::Object(fields)) => finish_body(fields, request),
        other if request.params.extra.is_empty() => Ok(other.unwrap_or(Value::Null)),
        _ => Err(lacks(
            "the form of `http`",
            "place for `params.extra`: its body is no map",
            "write the fields into `http.body`",
        )),
    }
}

/// A tree with its values; what is not set is left out of lists and maps.
fn filled_tree(tree: &Value, values: &Values) -> Result<Option<Value>, EncodeError> {
    Ok(match tree {
        Value::String(text) => filled(text, values)?,
        Value::Array(items) => {
            let items = items.iter().map(|item| filled_tree(item, values));
            let items: Result<Vec<Option<Value>>, _> = items.collect();
            Some(items?.into_iter().flatten().collect())
        }
        Value::Object(fields) => {
            let mut made = Map::new();
            for (key, field) in fields {
                if let Some(value) = filled_tree(field, values)? {
                    made.insert(key.clone(), value);
                }
            }
            Some(made.into())
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => Some(tree.clone()),
    })
}

/// A value as it may stand in a body of that type, so that it can not end its place.
fn escaped(kind: TextBody, text: &str) -> String {
    match kind {
        TextBody::Plain => text.to_owned(),
        TextBody::Form => path_segment(text),
        TextBody::Xml => text
            .replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('>', "&gt;")
            .replace('"', "&quot;")
            .replace('\'', "&apos;"),
    }
}
