//! A service with a form of its own: the suite says what goes where in the request and where the
//! answer stands in the reply. What the request says and the form has no place for is refused, never
//! left out in silence.

mod request;

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::Value;

use super::call::{CallError, EncodeError, Encoded};
use super::classify;
use super::codec::{Codec, path_segment};
use super::lenient::{self, Count, Word};
use super::openai::request_id;
use crate::base::jsonpath::JsonPath;
use crate::chat::{ErrorClass, Finish, HttpForm, HttpMethod, ModelSpec, Request, Response, Usage};
use crate::http::{Header, Method, Reply, Secret, SecretHeader};
use request::{Places, body, filled, printed};

/// The codec of `http`.
#[derive(Debug)]
pub struct Http;

impl Codec for Http {
    fn encode(&self, model: &ModelSpec, request: &Request) -> Result<Encoded, EncodeError> {
        let form = form_of(model)?;
        let address = model.base_url.as_deref().ok_or_else(|| EncodeError {
            message: format!("model `{}` has no `base_url`", model.name),
            help: "write the whole address of the service".to_owned(),
        })?;
        let places = Places::of(form)?;
        let values = places.values(model, request)?;
        let mut url = address.to_owned();
        for (index, (name, text)) in form.query.iter().enumerate() {
            if let Some(value) = filled(text, &values)? {
                url.push(if index == 0 { '?' } else { '&' });
                let value = path_segment(&printed(&value));
                url = format!("{url}{}={value}", path_segment(name));
            }
        }
        let headers = form.headers.iter();
        let headers: Vec<Header> = headers
            .map(|(name, value)| (name.clone().into(), value.clone()))
            .collect();
        Ok(Encoded {
            method: match form.method {
                HttpMethod::Get => Method::Get,
                HttpMethod::Post => Method::Post,
                HttpMethod::Put => Method::Put,
            },
            url,
            headers,
            body: body(form, &values, request)?,
            reading: form.reading(),
        })
    }

    fn auth(&self, model: &ModelSpec, key: &Secret) -> SecretHeader {
        let header = model.http.as_ref().map(|form| form.key_header.clone());
        let header = header.unwrap_or_default();
        let value = match header.scheme {
            Some(scheme) => Secret::new(format!("{scheme} {}", key.expose())),
            None => key.clone(),
        };
        (header.name.into(), value)
    }

    fn decode(&self, model: &ModelSpec, reply: &Reply) -> Result<Response, CallError> {
        if !(200..300).contains(&reply.status) {
            return Err(classify::reply_error(reply));
        }
        let form = form_of(model)
            .map_err(|error| CallError::new(ErrorClass::Internal, error.to_string()))?;
        let whole = form.reading().is_null();
        if whole {
            text_of(form, reply)
        } else {
            json_of(form, reply)
        }
    }
}

fn form_of(model: &ModelSpec) -> Result<&HttpForm, EncodeError> {
    model.http.as_ref().ok_or_else(|| EncodeError {
        message: format!("model `{}` has no `http`", model.name),
        help: "say under `http:` where the question goes and where the answer stands".to_owned(),
    })
}

/// The whole reply as the answer.
fn text_of(form: &HttpForm, reply: &Reply) -> Result<Response, CallError> {
    let is_html = |kind: &str| kind.to_ascii_lowercase().contains("html");
    let wanted = form.headers.get("accept").is_some_and(|kind| is_html(kind));
    if reply.header("content-type").is_some_and(is_html) && !wanted {
        // Gateways and login pages say so with a success.
        return Err(classify::bad_body(
            reply,
            "a page of HTML, which no `accept` of the form asks for",
        ));
    }
    let text = String::from_utf8_lossy(&reply.body);
    let lossy = matches!(text, Cow::Owned(_));
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text).to_owned();
    answer(text, Usage::default(), lossy, reply)
}

fn json_of(form: &HttpForm, reply: &Reply) -> Result<Response, CallError> {
    let mut scratch = Vec::new();
    let (body, lossy) = lenient::read::<Value>(&reply.body, &mut scratch)
        .map_err(|error| classify::bad_body(reply, &format!("not JSON: {error}")))?;
    let count = |path: &Option<JsonPath>| {
        let found = path.as_ref()?.select(&body).ok()?;
        Count::deserialize(*found.first()?).ok()?.0
    };
    let usage = Usage {
        input_tokens: count(&form.input_tokens),
        output_tokens: count(&form.output_tokens),
        ..Usage::default()
    };
    let text = match &form.answer {
        None => String::from_utf8_lossy(&reply.body).into_owned(),
        Some(path) => selected(path, &body, reply)?,
    };
    answer(text, usage, lossy, reply)
}

/// The text at a path of the reply; several texts are one after another.
fn selected(path: &JsonPath, body: &Value, reply: &Reply) -> Result<String, CallError> {
    let found = path
        .select(body)
        .map_err(|error| classify::bad_body(reply, &error.to_string()))?;
    let source = path.source();
    match found.as_slice() {
        [] => {
            let nothing = [Value::Null, false.into(), "".into()];
            let error = body.get("error");
            Err(match error.filter(|error| !nothing.contains(error)) {
                Some(_) => classify::error_in_success(reply),
                None => {
                    classify::bad_body(reply, &format!("`{source}` selects nothing in the reply"))
                }
            })
        }
        [Value::Null] => Ok(String::new()),
        [one] => Ok(printed(one).into_owned()),
        several => {
            let texts: Option<Vec<&str>> = several.iter().map(|value| value.as_str()).collect();
            let why = || format!("`{source}` selects several values that are not all text");
            texts
                .map(|texts| texts.concat())
                .ok_or_else(|| classify::bad_body(reply, &why()))
        }
    }
}

fn answer(text: String, usage: Usage, lossy: bool, reply: &Reply) -> Result<Response, CallError> {
    if text.is_empty() {
        let why = "a success without an answer";
        return Err(classify::success_without_answer(
            reply,
            ErrorClass::Empty,
            why,
        ));
    }
    Ok(Response {
        text,
        // Such a service says no more than its status.
        finish: Finish::Stop,
        usage,
        request_id: request_id(reply, "x-request-id", Word::default()),
        lossy,
        ..Response::default()
    })
}
