//! The `http` of a model: the form of a service that speaks no protocol of a vendor. A key has no
//! place in it, and no header that the client itself writes.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use crate::base::decode::{Reader, Table, choices};
use crate::base::jsonpath::JsonPath;
use crate::base::{Node, Value};
use crate::chat::http_form::is_json_type;
use crate::chat::{HttpForm, HttpMethod, KeyHeader, Slot, TextBody};
use crate::prompt::Template;

/// Headers that the client writes itself, or that are about the connection.
const RESERVED: [&str; 12] = [
    "accept-encoding",
    "connection",
    "content-encoding",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Whether the name of a header or field says that its value is a secret.
#[must_use]
pub fn names_a_secret(name: &str) -> bool {
    const WORDS: [&str; 12] = [
        "apikey",
        "auth",
        "authorization",
        "bearer",
        "cookie",
        "credential",
        "credentials",
        "passwd",
        "password",
        "secret",
        "signature",
        "token",
    ];
    let lower = words_apart(name);
    let words: Vec<&str> = lower.split(|c: char| !c.is_ascii_alphanumeric()).collect();
    let key = |pair: &[&str]| matches!(pair, [kind, "key"] if ["api", "access", "auth", "subscription", "secret", "private", "functions"].contains(kind));
    words.iter().any(|word| WORDS.contains(word)) || words.windows(2).any(key)
}

/// `accessToken` as `access-token`.
fn words_apart(name: &str) -> String {
    let mut made = String::with_capacity(name.len() + 4);
    let mut small = false;
    for c in name.chars() {
        if small && c.is_ascii_uppercase() {
            made.push('-');
        }
        small = c.is_ascii_lowercase() || c.is_ascii_digit();
        made.push(c.to_ascii_lowercase());
    }
    made
}

/// Whether the client itself writes a header, or it is about the connection.
#[must_use]
pub fn is_reserved_header(name: &str) -> bool {
    RESERVED.contains(&name)
}

/// Whether a text is the name of a header (RFC 9110, section 5.6.2).
#[must_use]
pub fn is_header_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 100
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

/// Whether a text may be the value of a header: printable ASCII, no space at its ends.
#[must_use]
pub fn is_header_value(value: &str) -> bool {
    value.len() <= 4_000
        && value.trim() == value
        && value.bytes().all(|byte| (b' '..=b'~').contains(&byte))
}

/// Reads the `http` of a model.
pub fn decode(reader: &mut Reader<'_>, node: &Node) -> Option<HttpForm> {
    let mut table = Table::new(reader, node, "`http`")?;
    let method = match table.get("method") {
        Some(node) => reader.word(node, "`method`", &HttpMethod::WORDS),
        None => Some(HttpMethod::Post),
    };
    let key_header = match table.get("key_header") {
        Some(node) => decode_key_header(reader, node),
        None => Some(KeyHeader::default()),
    };
    let headers = match table.get("headers") {
        Some(node) => decode_headers(reader, node, key_header.as_ref()),
        None => Some(BTreeMap::new()),
    };
    let mut asks = false;
    let query = match table.get("query") {
        Some(node) => decode_query(reader, node, &mut asks),
        None => Some(BTreeMap::new()),
    };
    let body = match table.get("body") {
        Some(node) => decode_body(reader, node, (method, headers.as_ref()), &mut asks),
        None => Some(Json::Null),
    };
    let answer = decode_path(reader, &mut table, "answer");
    let usage = match table.get("usage") {
        Some(node) => decode_usage(reader, node),
        None => Some((None, None)),
    };
    table.finish(reader);
    if !asks {
        let help =
            "write `{{prompt}}` or `{{messages}}` in `body` or `query`, where the service takes it";
        reader.error(
            node.span,
            "no-question",
            "`http` has no place for the question",
            help,
        );
        return None;
    }
    let (input_tokens, output_tokens) = usage?;
    Some(HttpForm {
        method: method?,
        headers: headers?,
        key_header: key_header?,
        query: query?,
        body: body?,
        answer: answer?,
        input_tokens,
        output_tokens,
    })
}

/// A path that may be left out; `None` where it is wrong.
#[expect(clippy::option_option, reason = "absent, wrong and right are three")]
fn decode_path(
    reader: &mut Reader<'_>,
    table: &mut Table<'_>,
    key: &'static str,
) -> Option<Option<JsonPath>> {
    match table.get(key) {
        None => Some(None),
        Some(node) => JsonPath::decode(reader, node).map(Some),
    }
}

type Paths = (Option<JsonPath>, Option<JsonPath>);

fn decode_usage(reader: &mut Reader<'_>, node: &Node) -> Option<Paths> {
    let mut table = Table::new(reader, node, "`usage`")?;
    let input = decode_path(reader, &mut table, "input");
    let output = decode_path(reader, &mut table, "output");
    table.finish(reader);
    Some((input?, output?))
}

fn decode_key_header(reader: &mut Reader<'_>, node: &Node) -> Option<KeyHeader> {
    let written = reader.nonempty(node, "`key_header`")?;
    let (name, scheme) = match written.split_once(':') {
        Some((name, scheme)) => (name.trim(), Some(scheme.trim())),
        None => (written.trim(), None),
    };
    let help = "write the header's name, such as `x-api-key`, or name and scheme, such as `authorization: Bearer`; the key itself comes from the variable that `api_key_env` names";
    let is_scheme = |scheme: &str| {
        !scheme.is_empty()
            && scheme.len() <= 20
            && scheme
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    if !is_header_name(name) || !scheme.is_none_or(is_scheme) {
        // What stands there may be a key: it is not repeated.
        reader.error(
            node.span,
            "header",
            "`key_header` is not the name of a header, with or without a scheme",
            help,
        );
        return None;
    }
    let name = name.to_ascii_lowercase();
    if is_reserved(reader, node, &name) {
        return None;
    }
    Some(KeyHeader {
        name,
        scheme: scheme.map(str::to_owned),
    })
}

fn is_reserved(reader: &mut Reader<'_>, node: &Node, name: &str) -> bool {
    let reserved = is_reserved_header(name);
    if reserved {
        let message = format!("header `{name}` is written by the client itself");
        reader.error(node.span, "header", message, "remove it");
    }
    reserved
}

fn decode_headers(
    reader: &mut Reader<'_>,
    node: &Node,
    key_header: Option<&KeyHeader>,
) -> Option<BTreeMap<String, String>> {
    let mut headers = BTreeMap::new();
    let mut right = true;
    for entry in reader.map(node, "`headers`")? {
        let name = entry.key.to_ascii_lowercase();
        let key = Node {
            span: entry.key_span,
            value: Value::Null,
        };
        if !is_header_name(&name) {
            let message = format!(
                "`{}` is not the name of a header",
                crate::base::text::visible_line(&entry.key)
            );
            reader.error(
                key.span,
                "header",
                message,
                "write letters, digits and hyphens",
            );
            right = false;
            continue;
        }
        if names_a_secret(&name) || key_header.is_some_and(|key| key.name == name) {
            let message = format!("header `{name}` carries a key, which never stands in a file");
            let help = "write its name as `key_header`, and the variable that holds the key as `api_key_env`";
            reader.error(key.span, "key-in-file", message, help);
            right = false;
            continue;
        }
        right &= !is_reserved(reader, &key, &name);
        let value = reader.text(&entry.value, &format!("header `{name}`"));
        let Some(value) = value else {
            right = false;
            continue;
        };
        if !is_header_value(value) || value.contains("{{") {
            let message = format!("header `{name}` has a value that no header may have");
            let help = "write printable ASCII on one line; values of the request go into `body` or `query`";
            reader.error(entry.value.span, "header", message, help);
            right = false;
        }
        if headers.insert(name.clone(), value.to_owned()).is_some() {
            let message = format!("header `{name}` is there twice");
            reader.error(key.span, "duplicate-name", message, "keep one of the two");
            right = false;
        }
    }
    right.then_some(headers)
}

fn decode_query(
    reader: &mut Reader<'_>,
    node: &Node,
    asks: &mut bool,
) -> Option<BTreeMap<String, String>> {
    let mut query = BTreeMap::new();
    let mut right = true;
    for entry in reader.map(node, "`query`")? {
        if names_a_secret(&entry.key) {
            let message = format!(
                "`{}` in an address is a key, which lands in logs",
                crate::base::text::visible_line(&entry.key)
            );
            let help = "send it as a header: `key_header` and `api_key_env`";
            reader.error(entry.key_span, "key-in-file", message, help);
            right = false;
        }
        let text = match entry.value.value {
            Value::Number(_) | Value::Bool(_) => entry.value.to_json().to_string(),
            _ => match reader.text(&entry.value, &format!("`{}`", entry.key)) {
                Some(text) => text.to_owned(),
                None => {
                    right = false;
                    continue;
                }
            },
        };
        right &= check_template(reader, &entry.value, &text, asks);
        query.insert(entry.key.clone(), text);
    }
    right.then_some(query)
}

fn decode_body(
    reader: &mut Reader<'_>,
    node: &Node,
    (method, headers): (Option<HttpMethod>, Option<&BTreeMap<String, String>>),
    asks: &mut bool,
) -> Option<Json> {
    if method == Some(HttpMethod::Get) {
        let help = "write the values into `query`, or `method: POST`";
        reader.error(node.span, "http-body", "a GET has no body", help);
        return None;
    }
    let kind = headers.and_then(|headers| headers.get("content-type"));
    let kind = kind.map(String::as_str);
    let fits = match &node.value {
        Value::Map(_) | Value::List(_) => {
            let json = kind.is_none_or(is_json_type);
            if !json {
                let help = "remove `content-type` from `headers`, or write the body as a text";
                reader.error(
                    node.span,
                    "http-body",
                    "a body that is a map or a list is JSON, and `content-type` says otherwise",
                    help,
                );
            }
            json
        }
        Value::Text(_) => {
            let known = kind.and_then(TextBody::of).is_some();
            if !known && headers.is_some() {
                let help = "say `content-type` in `headers`: text/plain, application/x-www-form-urlencoded or an XML type, by which values are escaped; write JSON as a map";
                reader.error(node.span, "http-body", "a body that is a text needs a `content-type` that says how values are written into it", help);
            }
            known
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {
            let message = format!("`body` is {}", node.kind());
            reader.error(
                node.span,
                "http-body",
                message,
                "write a map, a list or a text",
            );
            false
        }
    };
    let right = check_tree(reader, node, asks);
    (fits && right).then(|| node.to_json())
}

fn check_tree(reader: &mut Reader<'_>, node: &Node, asks: &mut bool) -> bool {
    let inner: Vec<&Node> = match &node.value {
        Value::Text(text) => return check_template(reader, node, text, asks),
        Value::List(items) => items.iter().collect(),
        Value::Map(entries) => entries.iter().map(|entry| &entry.value).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) => return true,
    };
    let mut right = true;
    for node in inner {
        right &= check_tree(reader, node, asks);
    }
    right
}

fn check_template(reader: &mut Reader<'_>, node: &Node, text: &str, asks: &mut bool) -> bool {
    let template = match Template::parse(text) {
        Ok(template) => template,
        Err(errors) => {
            for error in errors {
                reader.error(node.span, "template", error.message, error.help);
            }
            return false;
        }
    };
    let mut right = true;
    for reference in template.references() {
        let slot = Slot::of_word(&reference.name).filter(|_| reference.field.is_none());
        match slot {
            Some(Slot::Prompt | Slot::Messages) => *asks = true,
            Some(_) => {}
            None => {
                let known: Vec<&str> = Slot::WORDS.iter().map(|(word, _)| *word).collect();
                let written = reference.field.as_ref().map_or_else(
                    || reference.name.clone(),
                    |field| format!("{}.{field}", reference.name),
                );
                let message = format!("a request has no part `{written}`");
                reader.error(
                    node.span,
                    "unknown-word",
                    message,
                    choices(&reference.name, &known),
                );
                right = false;
            }
        }
    }
    right
}
