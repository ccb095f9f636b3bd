//! The `http` provider of promptfoo (<https://www.promptfoo.dev/docs/providers/http/>) as a model of
//! `provider: http`, where it means the same. No key is ever copied.

use serde_json::{Map, Value as Json};

use super::http_body::Place;
use super::http_key::{Key, has_variable, holds_a_key};
use super::models::Made;
use super::nunjucks;
use super::raw_request;
use super::reply_path;
use crate::base::{Name, Node, Value};
use crate::chat::HttpMethod;
use crate::suite::http_form::{
    is_header_name, is_header_value, is_reserved_header, names_a_secret,
};

/// What the prompts of a config put in the place of `{{prompt}}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// Text.
    Text,
    /// A list of messages.
    Messages,
    /// Text for one prompt, messages for another.
    Both,
    /// What a judge asks, with the form that its verdict must have.
    Verdict,
}

/// What a request says, whether it is written as keys or as raw text.
#[derive(Debug, Default)]
pub struct Written {
    /// The address, perhaps with a query.
    pub url: String,
    /// The method.
    pub method: Option<String>,
    /// Names and values, as they are written.
    pub headers: Vec<(String, String)>,
    /// The body: JSON, a text, or null.
    pub body: Json,
    /// Whether it is raw text, in which values are escaped as in JSON.
    pub raw: bool,
}

/// Keys that make of a request something that a form can not say.
const BEYOND: [(&str, &str); 8] = [
    (
        "transformRequest",
        "`transformRequest` is code: write what it makes into `http.body`",
    ),
    ("multipart", "a body in parts (`multipart`) is not sent"),
    ("signatureAuth", "`signatureAuth`: requests are not signed"),
    ("tls", "`tls`: a certificate of one's own is not sent"),
    (
        "session",
        "`session`: a question does not depend on another request",
    ),
    ("tools", "`tools` have no place in a service's form"),
    (
        "tool_choice",
        "`tool_choice` has no place in a service's form",
    ),
    ("streamFormat", "`streamFormat`: answers are read whole"),
];
/// Keys that are read, or that are no part of a call.
const KNOWN: [&str; 12] = [
    "auth",
    "body",
    "headers",
    "method",
    "queryParams",
    "request",
    "responseParser",
    "transformResponse",
    "url",
    "useHttps",
    "cost",
    "timeout",
];
/// Keys without an effect on what is asked, and what stands for them here.
const SETTINGS: [(&str, &str); 4] = [
    (
        "maxRetries",
        "`maxRetries`: retries are a setting (--retries N)",
    ),
    ("sessionParser", "`sessionParser`: a case is one question"),
    (
        "tokenEstimation",
        "`tokenEstimation`: tokens are read from the reply (`http.usage`) or unknown",
    ),
    (
        "validateStatus",
        "`validateStatus`: an answer has a status from 200 to 299",
    ),
];

/// Converts a provider.
///
/// # Errors
/// What of it can not be carried over, in words.
pub fn made(id: &str, config: Option<&Node>, asked: Asked) -> Result<Made, String> {
    if asked == Asked::Verdict {
        return Err(
            "a service has no place for the form of a verdict: name another judge".to_owned(),
        );
    }
    let get = |key: &str| {
        config
            .and_then(|config| config.get(key))
            .filter(|node| !node.is_null())
    };
    if let Some((_, why)) = BEYOND.iter().find(|(key, _)| get(key).is_some()) {
        return Err((*why).to_owned());
    }
    let mut form = Form::default();
    let written = match get("request") {
        Some(request) => {
            let secure = id.starts_with("https")
                || get("useHttps").is_some_and(|node| node.value == Value::Bool(true));
            raw_request::read(request.as_text().unwrap_or_default(), secure)?
        }
        None => of_keys(id, config)?,
    };
    if written.raw && asked != Asked::Text {
        return Err("a raw `request` holds messages as a text: write it as `body`".to_owned());
    }
    let base_url = form.address(&written.url, asked)?;
    if let Some(Value::Map(entries)) = get("queryParams").map(|node| &node.value) {
        for entry in entries {
            form.query(
                &entry.key,
                &nunjucks::js_text(&entry.value.to_json()),
                asked,
            )?;
        }
    }
    form.headers(&written.headers)?;
    if let Some(auth) = get("auth") {
        form.auth(auth)?;
    }
    form.method(written.method.as_deref(), !written.body.is_null())?;
    form.body(&written.body, asked, written.raw)?;
    if !form.asks {
        return Err("its request has no `{{prompt}}`".to_owned());
    }
    let transform = get("transformResponse").or_else(|| get("responseParser"));
    form.answer(transform)?;
    for (key, note) in SETTINGS {
        if get(key).is_some() {
            form.changes.push(note.to_owned());
        }
    }
    Ok(form.finish(&base_url, config))
}

/// A request that is written as keys.
fn of_keys(id: &str, config: Option<&Node>) -> Result<Written, String> {
    let get = |key: &str| {
        config
            .and_then(|config| config.get(key))
            .filter(|node| !node.is_null())
    };
    let text = |key: &str| get(key).and_then(Node::as_text).map(str::to_owned);
    let url = text("url").or_else(|| id.contains("://").then(|| id.to_owned()));
    let headers = match get("headers").map(|node| &node.value) {
        Some(Value::Map(entries)) => entries
            .iter()
            .map(|entry| (entry.key.clone(), nunjucks::js_text(&entry.value.to_json())))
            .collect(),
        _ => Vec::new(),
    };
    let body = get("body").map_or(Json::Null, Node::to_json);
    if body
        .as_str()
        .is_some_and(|text| text.starts_with("file://"))
    {
        return Err("its body stands in a file: write it into the config".to_owned());
    }
    Ok(Written {
        url: url.ok_or("it names no `url`")?,
        method: text("method"),
        headers,
        body,
        raw: false,
    })
}

/// A form while it is put together.
#[derive(Debug, Default)]
pub struct Form {
    pub(super) http: Map<String, Json>,
    pub(super) headers: Map<String, Json>,
    query: Map<String, Json>,
    key: Option<Key>,
    pub(super) asks: bool,
    pub(super) changes: Vec<String>,
}

impl Form {
    /// The address without its query, which is taken apart.
    fn address(&mut self, url: &str, asked: Asked) -> Result<String, String> {
        let (address, query) = url.split_once('?').unwrap_or((url, ""));
        let address = address.split('#').next().unwrap_or(address);
        if address.contains("{{") || address.contains("{%") {
            return Err("its address is filled in: write it out".to_owned());
        }
        let host = host_of(address).ok_or("its address is not one of http or https")?;
        if host.contains('@') {
            return Err(
                "its address holds a user or a password: send a key as a header".to_owned(),
            );
        }
        if holds_a_key(address) {
            return Err("its address holds a key: send it as a header".to_owned());
        }
        for pair in query
            .split('#')
            .next()
            .unwrap_or(query)
            .split('&')
            .filter(|pair| !pair.is_empty())
        {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            self.query(&decoded(name), &decoded(value), asked)?;
        }
        self.changes
            .push(format!("it is asked only with --allow-host {host}"));
        Ok(address.to_owned())
    }

    fn query(&mut self, name: &str, value: &str, asked: Asked) -> Result<(), String> {
        if names_a_secret(name) {
            return Err(format!(
                "its address holds a key under `{}`: send it as a header",
                shown(name)
            ));
        }
        let value = self.template(value, asked, Place::Address)?;
        if self.query.insert(name.to_owned(), value).is_some() {
            let name = shown(name);
            return Err(format!("its address has `{name}` twice, and is sent one"));
        }
        Ok(())
    }

    fn headers(&mut self, written: &[(String, String)]) -> Result<(), String> {
        for (name, value) in written {
            let name = name.trim().to_ascii_lowercase();
            if is_reserved_header(&name) {
                continue;
            }
            if names_a_secret(&name) || has_variable(value) || holds_a_key(value) {
                self.secret(&name, value)?;
            } else if value.contains("{{") || value.contains("{%") {
                return Err(format!(
                    "header `{}` is filled in for each question",
                    shown(&name)
                ));
            } else if !is_header_name(&name) || !is_header_value(value.trim()) {
                return Err(format!(
                    "header `{}` is none that can be sent",
                    shown(&name)
                ));
            } else {
                self.headers.insert(name, value.trim().into());
            }
        }
        Ok(())
    }

    /// A header that carries a key: its value comes from the environment.
    fn secret(&mut self, name: &str, value: &str) -> Result<(), String> {
        if self.key.is_some() {
            let name = shown(name);
            return Err(format!(
                "a second header, `{name}`, carries a key: one is sent"
            ));
        }
        let key = Key::read(name, value)?;
        self.changes.extend(key.note.clone());
        self.key = Some(key);
        Ok(())
    }

    fn auth(&mut self, node: &Node) -> Result<(), String> {
        let text = |key: &str| node.get(key).and_then(Node::as_text).unwrap_or_default();
        match (text("type"), text("placement")) {
            ("bearer", _) => self.secret("authorization", &format!("Bearer {}", text("token"))),
            ("api_key", "header") => {
                self.secret(&text("keyName").to_ascii_lowercase(), text("value"))
            }
            ("api_key", _) => {
                Err("its key stands in the address (`auth`): send it as a header".to_owned())
            }
            (kind, _) => Err(format!(
                "`auth` of type `{}` is not spoken: bearer, or api_key in a header",
                shown(kind)
            )),
        }
    }

    fn method(&mut self, written: Option<&str>, has_body: bool) -> Result<(), String> {
        let method = match written.map(str::to_ascii_uppercase) {
            None if has_body => {
                self.changes.push(
                    "it is asked by POST: without a `method` promptfoo sends no body".to_owned(),
                );
                "POST".to_owned()
            }
            None => "GET".to_owned(),
            Some(method) => method,
        };
        if !HttpMethod::WORDS.iter().any(|(word, _)| *word == method) {
            return Err(format!(
                "it is asked by {}: POST, GET and PUT are sent",
                shown(&method)
            ));
        }
        if method == "GET" && has_body {
            return Err("a GET has no body: write `method: POST`".to_owned());
        }
        if method != "POST" {
            self.http.insert("method".to_owned(), method.into());
        }
        Ok(())
    }

    fn answer(&mut self, transform: Option<&Node>) -> Result<(), String> {
        let Some(node) = transform else {
            let note = "the answer is the reply as it came; promptfoo writes JSON anew";
            self.changes.push(note.to_owned());
            return Ok(());
        };
        let found = node.as_text().and_then(reply_path::read);
        let found = found
            .ok_or("its `transformResponse` is code: name a place, such as json.data.reply")?;
        if let Some(answer) = found.answer {
            self.http.insert("answer".to_owned(), answer.into());
        }
        let usage = [("input", found.input), ("output", found.output)];
        let usage: Map<String, Json> = usage
            .into_iter()
            .filter_map(|(key, path)| Some((key.to_owned(), path?.into())))
            .collect();
        if !usage.is_empty() {
            self.http.insert("usage".to_owned(), usage.into());
        }
        Ok(())
    }

    fn finish(mut self, base_url: &str, config: Option<&Node>) -> Made {
        for (key, map) in [("headers", self.headers), ("query", self.query)] {
            if !map.is_empty() {
                self.http.insert(key.to_owned(), map.into());
            }
        }
        let label = Name::slugify(host_of(base_url).unwrap_or("service"));
        let mut made = Made::new("http", label.as_str()).with("base_url", base_url);
        if let Some(key) = self.key {
            if key.header != "authorization: Bearer" {
                self.http.insert("key_header".to_owned(), key.header.into());
            }
            made = made.with("api_key_env", key.variable);
        }
        made = made.with("http", self.http);
        made.changes = self.changes;
        if let Some(Value::Map(entries)) = config.map(|config| &config.value) {
            let known =
                |key: &str| KNOWN.contains(&key) || SETTINGS.iter().any(|(known, _)| *known == key);
            let unknown = entries.iter().filter(|entry| !known(&entry.key));
            made.drops = unknown
                .map(|entry| format!("`{}` of its config has no counterpart", shown(&entry.key)))
                .collect();
        }
        made
    }
}

/// The host of an address, with its port.
#[must_use]
pub fn host_of(address: &str) -> Option<&str> {
    let rest = address
        .strip_prefix("https://")
        .or_else(|| address.strip_prefix("http://"))?;
    rest.split('/').next().filter(|host| !host.is_empty())
}

/// A part of an address as it reads.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let pair = after
            .get(..2)
            .and_then(|pair| std::str::from_utf8(pair).ok());
        match (
            first,
            pair.and_then(|pair| u8::from_str_radix(pair, 16).ok()),
        ) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            (b'+', _) => {
                bytes.push(b' ');
                rest = after;
            }
            (first, _) => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A part of a config for a message.
pub fn shown(text: &str) -> String {
    crate::base::text::shorten(text, 60).into_owned()
}
