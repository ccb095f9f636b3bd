use super::encode::with;
use super::{ask, spec};
use crate::chat::ProviderKind;
use crate::http::Secret;
use crate::provider::codec;

fn url(kind: ProviderKind, model: &str, base: &str) -> String {
    let model = spec(kind, model, Some(base));
    codec(kind).unwrap().encode(&model, &ask()).unwrap().url
}

#[test]
fn addresses_follow_the_base_url() {
    use ProviderKind as P;
    for (kind, model, base, expected) in [
        (
            P::OpenAi,
            "m",
            "http://h/v1/",
            "http://h/v1/chat/completions",
        ),
        (P::Anthropic, "m", "http://h/v1", "http://h/v1/messages"),
        (P::Anthropic, "m", "http://h", "http://h/v1/messages"),
        (
            P::Gemini,
            "models/g",
            "http://h/v1beta",
            "http://h/v1beta/models/g:generateContent",
        ),
        (
            P::Bedrock,
            "arn:aws:bedrock:eu:1:inference-profile/x",
            "https://h",
            "https://h/model/arn%3Aaws%3Abedrock%3Aeu%3A1%3Ainference-profile%2Fx/converse",
        ),
        (
            P::AzureOpenAi,
            "d",
            "https://r",
            "https://r/openai/v1/chat/completions",
        ),
        (
            P::AzureOpenAi,
            "d",
            "https://r/openai",
            "https://r/openai/v1/chat/completions",
        ),
        (
            P::AzureOpenAi,
            "d",
            "https://r/openai/v1",
            "https://r/openai/v1/chat/completions",
        ),
        (
            P::AzureOpenAi,
            "d",
            "https://r/openai/deployments/d",
            "https://r/openai/deployments/d/chat/completions?api-version=2024-10-21",
        ),
        (P::Ollama, "m", "http://h:1", "http://h:1/api/chat"),
    ] {
        assert_eq!(url(kind, model, base), expected);
    }
}

#[test]
fn azure_takes_its_version_from_the_extra_fields() {
    let base = "https://r/openai/deployments/d";
    let model = spec(ProviderKind::AzureOpenAi, "d", Some(base));
    let request = with(|request| {
        request
            .params
            .extra
            .insert("api-version".to_owned(), "2025-01-01".into());
    });
    let encoded = codec(ProviderKind::AzureOpenAi)
        .unwrap()
        .encode(&model, &request)
        .unwrap();
    assert!(encoded.url.ends_with("?api-version=2025-01-01"));
    assert!(encoded.body.get("api-version").is_none());
}

#[test]
fn a_provider_without_an_address_asks_for_one() {
    for kind in [ProviderKind::AzureOpenAi, ProviderKind::Bedrock] {
        let error = codec(kind)
            .unwrap()
            .encode(&spec(kind, "m", None), &ask())
            .unwrap_err();
        assert!(error.message.contains("base_url"), "{}", error.message);
    }
}

#[test]
fn keys_go_into_the_header_of_the_vendor() {
    use ProviderKind as P;
    for (kind, key, name, value) in [
        (P::OpenAi, "k", "authorization", "Bearer k"),
        (P::OpenAiResponses, "k", "authorization", "Bearer k"),
        (P::AzureOpenAi, "k", "api-key", "k"),
        (
            P::AzureOpenAi,
            "eyJh.b.c",
            "authorization",
            "Bearer eyJh.b.c",
        ),
        (P::Anthropic, "k", "x-api-key", "k"),
        (
            P::Anthropic,
            "sk-ant-oat01-x",
            "authorization",
            "Bearer sk-ant-oat01-x",
        ),
        (P::Gemini, "k", "x-goog-api-key", "k"),
        (P::Bedrock, "k", "authorization", "Bearer k"),
        (P::Ollama, "k", "authorization", "Bearer k"),
    ] {
        let header = codec(kind)
            .unwrap()
            .auth(&spec(kind, "m", None), &Secret::new(key));
        assert_eq!((&*header.0, header.1.expose()), (name, value));
    }
}
