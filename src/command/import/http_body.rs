//! What promptfoo's `http` provider sends, with `{{prompt}}` in it, as templates of ours.

use serde_json::{Map, Value as Json};

use super::http_form::{Asked, Form, shown};
use super::http_key::{has_variable, holds_a_key};
use super::nunjucks::{self, Piece};
use crate::chat::TextBody;
use crate::chat::http_form::is_json_type;
use crate::suite::http_form::names_a_secret;

/// Where a text of theirs stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In the address.
    Address,
    /// In a body that promptfoo reads as JSON again once it is filled in.
    Body,
    /// In a body that is sent as text.
    Raw,
}

impl Form {
    /// The body, with the prompt in its place.
    pub(super) fn body(&mut self, body: &Json, asked: Asked, raw: bool) -> Result<(), String> {
        if body.is_null() {
            return Ok(());
        }
        let kind = self
            .headers
            .get("content-type")
            .and_then(Json::as_str)
            .map(str::to_owned);
        let json = kind.as_deref().is_some_and(is_json_type);
        let tree = match body {
            Json::String(text) if json => serde_json::from_str(text).map_err(|_| {
                "its body is a text that is no JSON until it is filled in: write it as a map"
                    .to_owned()
            })?,
            Json::String(text) => return self.text_body(text, kind.as_deref(), asked),
            _ if json || kind.is_none() => body.clone(),
            _ => return Err("its body is a map, and its `content-type` is not JSON".to_owned()),
        };
        if kind.is_some_and(|kind| kind == "application/json") {
            self.headers.remove("content-type");
        }
        let place = if raw { Place::Raw } else { Place::Body };
        let tree = self.tree(&tree, asked, place)?;
        self.http.insert("body".to_owned(), tree);
        Ok(())
    }

    fn text_body(&mut self, text: &str, kind: Option<&str>, asked: Asked) -> Result<(), String> {
        const FORM: &str = "application/x-www-form-urlencoded";
        let kind = kind.unwrap_or(FORM).to_owned();
        match TextBody::of(&kind) {
            None => {
                return Err(format!(
                    "its body is a text of type `{}`, in which values would not be escaped",
                    shown(&kind)
                ));
            }
            Some(TextBody::Plain) => {}
            Some(TextBody::Form | TextBody::Xml) => {
                self.changes
                    .push("values are escaped where they are written into its body".to_owned());
            }
        }
        if asked != Asked::Text {
            return Err(
                "its body is a text, and a prompt is a list of messages: write it as a map"
                    .to_owned(),
            );
        }
        if TextBody::of(&kind) == Some(TextBody::Form)
            && text
                .split('&')
                .any(|pair| names_a_secret(pair.split('=').next().unwrap_or(pair)))
        {
            return Err("its body holds a key: send it as a header".to_owned());
        }
        let body = self.template(text.trim(), asked, Place::Raw)?;
        self.headers.insert("content-type".to_owned(), kind.into());
        self.http.insert("body".to_owned(), body);
        Ok(())
    }

    fn tree(&mut self, tree: &Json, asked: Asked, place: Place) -> Result<Json, String> {
        Ok(match tree {
            Json::String(text) => self.template(text, asked, place)?,
            Json::Array(items) => {
                let items = items.iter().map(|item| self.tree(item, asked, place));
                Json::Array(items.collect::<Result<_, _>>()?)
            }
            Json::Object(fields) => {
                let mut made = Map::new();
                for (key, field) in fields {
                    let plain = field
                        .as_str()
                        .is_some_and(|text| !text.is_empty() && !text.contains("{{prompt"));
                    if names_a_secret(key) && plain {
                        return Err(format!(
                            "its body holds a key under `{}`: send it as a header",
                            shown(key)
                        ));
                    }
                    made.insert(key.clone(), self.tree(field, asked, place)?);
                }
                made.into()
            }
            Json::Null | Json::Bool(_) | Json::Number(_) => tree.clone(),
        })
    }

    /// A text of theirs with `{{prompt}}` as a text of ours.
    pub(super) fn template(
        &mut self,
        text: &str,
        asked: Asked,
        place: Place,
    ) -> Result<Json, String> {
        if has_variable(text) {
            let why = "it holds a variable of the environment outside of a header: send a key as a header";
            return Err(why.to_owned());
        }
        if holds_a_key(text) {
            return Err("it holds a key outside of a header: send it as a header".to_owned());
        }
        // Ours are encoded anyway.
        let plain = text.replace("| urlencode", "").replace("|urlencode", "");
        let text = if place == Place::Address {
            &plain
        } else {
            text
        };
        let pieces = nunjucks::parse(text).map_err(|error| error.to_string())?;
        let alone = pieces.len() == 1;
        let mut made = String::new();
        for piece in &pieces {
            match piece {
                Piece::Text(plain) => made.push_str(&nunjucks::escape(plain)),
                Piece::Name(path) if path.as_slice() == ["prompt"] => {
                    self.asks = true;
                    made.push_str(match (asked, place, alone) {
                        (Asked::Text, _, _) => "{{prompt}}",
                        (Asked::Messages, Place::Body, true) => "{{messages}}",
                        (Asked::Messages, ..) => {
                            return Err("a list of messages stands within a text: give it a field of its own".to_owned());
                        }
                        (Asked::Both | Asked::Verdict, ..) => {
                            return Err("one prompt is a text and another a list of messages: import them apart".to_owned());
                        }
                    });
                }
                Piece::Code(source) => {
                    return Err(format!("it sends `{source}`, which is code"));
                }
                Piece::Name(path) => {
                    return Err(format!(
                        "it sends `{{{{{}}}}}`, and a request has the prompt alone",
                        path.join(".")
                    ));
                }
            }
        }
        Ok(made.into())
    }
}
