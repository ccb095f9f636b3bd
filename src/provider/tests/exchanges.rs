use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{ask, exchanges};
use crate::chat::{ProviderKind, Response};
use crate::provider::{CallError, codec};

fn answer_json(response: &Response) -> Value {
    let mut json = json!({
        "finish": response.finish,
        "text": response.text,
        "usage": response.usage,
    });
    let optional = [
        ("refusal", &response.refusal),
        ("served_model", &response.served_model),
        ("fingerprint", &response.fingerprint),
        ("request_id", &response.request_id),
    ];
    for (key, value) in optional {
        if let Some(value) = value {
            json[key] = json!(value);
        }
    }
    if !response.tool_calls.is_empty() {
        json["tool_calls"] = json!(response.tool_calls);
    }
    if let Some(cost) = response.reported_cost_usd {
        json["reported_cost_usd"] = json!(cost);
    }
    json
}

fn error_json(error: &CallError) -> Value {
    let mut json = json!({"class": error.class});
    if let Some(wait) = error.retry_after {
        json["retry_after_ms"] = json!(u64::try_from(wait.as_millis()).unwrap());
    }
    if let Some(should) = error.should_retry {
        json["should_retry"] = json!(should);
    }
    json
}

#[test]
fn every_recorded_request_is_what_the_codec_sends() {
    for exchange in exchanges() {
        let model = exchange.model();
        let encoded = codec(model.provider)
            .unwrap()
            .encode(&model, &ask())
            .unwrap();
        let headers: BTreeMap<_, _> = encoded.headers.into_iter().collect();
        let mut sent = json!({"url": encoded.url, "headers": headers, "body": encoded.body});
        if model.provider == ProviderKind::Http {
            sent["method"] = json!(encoded.method.as_str());
        }
        assert_eq!(
            sent,
            exchange.json["request"],
            "{}",
            exchange.path.display()
        );
    }
}

#[test]
fn every_recorded_reply_is_read_as_expected() {
    let mut wrong = Vec::new();
    for exchange in exchanges() {
        let model = exchange.model();
        let found = match codec(model.provider)
            .unwrap()
            .decode(&exchange.model(), &exchange.reply())
        {
            Ok(response) => answer_json(&response),
            Err(error) => error_json(&error),
        };
        if found != exchange.json["expect"] {
            wrong.push(format!("{}: {found}", exchange.path.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_exchange_opens_with_its_purpose() {
    for exchange in exchanges() {
        assert!(
            exchange.text.starts_with("{\n  \"purpose\": \""),
            "{}",
            exchange.path.display()
        );
    }
}

#[test]
fn each_vendor_has_an_exchange_for_each_class_it_can_give() {
    let mut classes: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for exchange in exchanges() {
        let vendor = exchange
            .path
            .parent()
            .and_then(|path| path.file_name())
            .unwrap();
        let class = exchange.json["expect"]["class"]
            .as_str()
            .unwrap_or("answer");
        let vendor = vendor.to_string_lossy().into_owned();
        classes.entry(vendor).or_default().insert(class.to_owned());
    }
    assert_eq!(classes.len(), 9);
    let everywhere = [
        "answer",
        "auth",
        "rate_limit",
        "overloaded",
        "server",
        "context_length",
    ];
    let everywhere = everywhere
        .iter()
        .chain(&["model_missing", "bad_request", "bad_body"]);
    for class in everywhere {
        for (vendor, classes) in &classes {
            assert!(classes.contains(*class), "{vendor} has no {class}");
        }
    }
}

#[test]
fn an_error_says_what_the_vendor_said() {
    let of = |name: &str| {
        let ends = |path: &std::path::Path| path.ends_with(name);
        let exchange = exchanges().into_iter().find(|it| ends(&it.path)).unwrap();
        let model = exchange.model();
        codec(model.provider)
            .unwrap()
            .decode(&exchange.model(), &exchange.reply())
            .unwrap_err()
            .message
    };
    assert_eq!(
        of("openai/auth.json"),
        "HTTP 401: invalid_api_key: Incorrect API key provided"
    );
    assert_eq!(
        of("bedrock/rate-limit.json"),
        "HTTP 429: ThrottlingException: Too many requests, please wait before trying again."
    );
    assert!(of("openai/gateway-html.json").contains("502 Bad Gateway"));
    assert!(of("openai/bad-body-html.json").contains("(text/html, 74 bytes): <html>"));
}
