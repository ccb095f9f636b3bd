//! The embeddings of all vendors against the exchanges under `fixtures/embeddings`, and the mock's.

use std::path::Path;

use serde_json::{Value, json};

use super::{Exchange, exchanges_in};
use crate::chat::{Message, Params, ProviderKind, Request, Role};
use crate::provider::embedding::{codec, is_offered, mock};

fn asked(texts: &[&str]) -> Request {
    let texts = texts.iter();
    Request {
        messages: texts.map(|text| Message::new(Role::User, *text)).collect(),
        params: Params {
            max_tokens: Some(0),
            ..Params::default()
        },
        tools: Vec::new(),
        response_format: None,
    }
}

fn exchanges() -> Vec<Exchange> {
    let found = exchanges_in(&Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/embeddings"));
    assert!(found.len() >= 20, "only {} exchanges", found.len());
    found
}

#[test]
fn every_recorded_request_is_what_the_codec_sends() {
    for exchange in exchanges() {
        let model = exchange.model();
        let request = asked(&["Paris.", "It is Paris.", "Rome."]);
        let encoded = codec(model.provider).unwrap().encode(&model, &request);
        let encoded = encoded.unwrap();
        let sent = json!({"url": encoded.url, "body": encoded.body});
        let path = exchange.path.display();
        assert_eq!(sent, exchange.json["request"], "{path}");
        assert!(encoded.headers.is_empty(), "{path}");
    }
}

#[test]
fn every_recorded_reply_is_read_as_expected() {
    for exchange in exchanges() {
        let model = exchange.model();
        let found = match codec(model.provider)
            .unwrap()
            .decode(&exchange.model(), &exchange.reply())
        {
            Ok(response) => {
                let mut json = json!({"text": response.text});
                let optional = [
                    ("input_tokens", json!(response.usage.input_tokens)),
                    ("served_model", json!(response.served_model)),
                    ("request_id", json!(response.request_id)),
                ];
                for (key, value) in optional {
                    if value != Value::Null {
                        json[key] = value;
                    }
                }
                json
            }
            Err(error) => json!({"class": error.class}),
        };
        let path = exchange.path.display();
        assert_eq!(found, exchange.json["expect"], "{path}");
    }
}

#[test]
fn the_fields_of_the_model_enter_the_body() {
    let mut request = asked(&["a", "b"]);
    request.params.extra = json!({"dimensions": 64}).as_object().unwrap().clone();
    for provider in [ProviderKind::OpenAi, ProviderKind::Ollama] {
        let model = super::spec(provider, "e", Some("http://127.0.0.1:1/v1"));
        let encoded = codec(provider).unwrap().encode(&model, &request).unwrap();
        assert_eq!(encoded.body["dimensions"], 64, "{provider:?}");
    }
    request.params.extra = json!({"taskType": "SEMANTIC_SIMILARITY"})
        .as_object()
        .unwrap()
        .clone();
    let model = super::spec(ProviderKind::Gemini, "e", None);
    let encoded = codec(ProviderKind::Gemini)
        .unwrap()
        .encode(&model, &request);
    let body = encoded.unwrap().body;
    assert_eq!(body["requests"][1]["taskType"], "SEMANTIC_SIMILARITY");
}

#[test]
fn providers_without_embeddings_are_known() {
    for (word, kind) in ProviderKind::WORDS {
        let wanted = !["anthropic", "bedrock", "exec", "http"].contains(&word);
        assert_eq!(is_offered(kind), wanted, "{word}");
    }
}

#[test]
fn the_mock_gives_the_same_cosines_always_and_higher_ones_to_texts_more_alike() {
    let cosines = |texts: &[&str]| -> Vec<f64> {
        let response = mock(&asked(texts)).unwrap();
        serde_json::from_str(&response.text).unwrap()
    };
    let texts = [
        "The refund takes 14 days.",
        "the  REFUND takes\n14 days.",
        "A refund takes 14 days.",
        "Bananas are yellow.",
        "\u{4f60}\u{597d}",
        "\u{1f600}",
    ];
    let found = cosines(&texts);
    assert_eq!(found, cosines(&texts));
    assert!((found[0] - 1.0).abs() < 1e-12, "{found:?}");
    assert!(found[1] > 0.75 && found[1] < 1.0, "{found:?}");
    assert!(
        found[2] < 0.5 && found[3] < 0.2 && found[4] < 0.2,
        "{found:?}"
    );
    assert!(found.iter().all(|cosine| (-1.0..=1.0).contains(cosine)));
    let long = "word ".repeat(100_000);
    assert!((cosines(&[&long, &long])[0] - 1.0).abs() < 1e-9);
    assert!(mock(&asked(&["alone"])).is_err());
}
