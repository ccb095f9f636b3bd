//! Azure OpenAI: chat completions under a resource of the user's, by the v1 route or by the dated
//! one.

use serde_json::Value;

use super::call::{CallError, EncodeError, Encoded};
use super::codec::{Codec, base_url, finish_body};
use super::openai::{Server, bearer, chat_body, decode_chat};
use crate::chat::{ModelSpec, Request, Response};
use crate::http::{Reply, Secret, SecretHeader};

/// The version that the dated route asks for unless `params.extra` has an `api-version`.
const API_VERSION: &str = "2024-10-21";

/// The codec of both routes.
#[derive(Debug)]
pub struct Azure;

impl Codec for Azure {
    fn encode(&self, model: &ModelSpec, request: &Request) -> Result<Encoded, EncodeError> {
        let base = base_url(model)?;
        let mut body = finish_body(chat_body(model.id(), request, Server::Azure)?, request)?;
        Ok(Encoded::post(
            address_of(base, "chat/completions", &mut body),
            Vec::new(),
            body,
        ))
    }

    fn auth(&self, _: &ModelSpec, key: &Secret) -> SecretHeader {
        // A token of Entra is a JWT; a key of a resource is not.
        let token = key.expose();
        if token.starts_with("eyJ") && token.matches('.').count() == 2 {
            bearer(key)
        } else {
            ("api-key".into(), key.clone())
        }
    }

    fn decode(&self, _: &ModelSpec, reply: &Reply) -> Result<Response, CallError> {
        decode_chat(reply)
    }
}

/// The address of a route; the version is taken out of the body.
pub(super) fn address_of(base: &str, route: &str, body: &mut Value) -> String {
    let version = body
        .as_object_mut()
        .and_then(|body| body.remove("api-version"));
    address(base, route, version.as_ref().and_then(Value::as_str))
}

/// The dated route where the address names a deployment, else the v1 route.
fn address(base: &str, route: &str, version: Option<&str>) -> String {
    if base.contains("/openai/deployments/") {
        let version = version.unwrap_or(API_VERSION);
        return format!("{base}/{route}?api-version={version}");
    }
    let root = base.strip_suffix("/v1").unwrap_or(base);
    let root = root.strip_suffix("/openai").unwrap_or(root);
    let address = format!("{root}/openai/v1/{route}");
    match version {
        Some(version) => format!("{address}?api-version={version}"),
        None => address,
    }
}
