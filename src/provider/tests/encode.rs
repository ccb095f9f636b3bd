use serde_json::{Value, json};

use super::{ask, spec};
use crate::chat::{Message, Params, ProviderKind, Request, ResponseFormat, Role};
use crate::provider::codec;

fn encode(kind: ProviderKind, request: &Request) -> Result<Value, String> {
    let base = match kind {
        ProviderKind::AzureOpenAi => Some("https://res.openai.azure.com/openai/v1"),
        ProviderKind::Bedrock => Some("https://bedrock-runtime.eu-west-1.amazonaws.com"),
        _ => None,
    };
    let model = spec(kind, "m-1", base);
    codec(kind)
        .unwrap()
        .encode(&model, request)
        .map(|encoded| encoded.body)
        .map_err(|error| format!("{}; {}", error.message, error.help))
}

fn full() -> Request {
    Request {
        messages: vec![
            Message::new(Role::System, "S"),
            Message::new(Role::User, "U1"),
            Message::new(Role::Assistant, "A1"),
            Message::new(Role::User, "U2"),
        ],
        params: Params {
            temperature: Some(0.5),
            top_p: Some(0.9),
            max_tokens: Some(64),
            ..Params::default()
        },
        tools: vec![json!({"name": "f", "description": "d", "parameters": {"type": "object"}})],
        response_format: Some(ResponseFormat::JsonSchema {
            name: "city".to_owned(),
            schema: json!({"type": "object"}),
        }),
    }
}

pub(super) fn with(change: impl FnOnce(&mut Request)) -> Request {
    let mut request = ask();
    change(&mut request);
    request
}

#[test]
fn openai_chat_has_all_fields() {
    let request = Request {
        params: Params {
            stop: vec!["END".to_owned()],
            seed: Some(7),
            ..full().params
        },
        ..full()
    };
    let body = encode(ProviderKind::OpenAi, &request).unwrap();
    let expected = json!({
        "model": "m-1",
        "messages": [
            {"role": "system", "content": "S"}, {"role": "user", "content": "U1"},
            {"role": "assistant", "content": "A1"}, {"role": "user", "content": "U2"},
        ],
        "max_completion_tokens": 64, "temperature": 0.5, "top_p": 0.9, "stop": ["END"], "seed": 7,
        "tools": [{"type": "function", "function":
            {"name": "f", "description": "d", "parameters": {"type": "object"}}}],
        "response_format": {"type": "json_schema", "json_schema":
            {"name": "city", "schema": {"type": "object"}, "strict": true}},
    });
    assert_eq!(body, expected);
    assert_eq!(
        encode(ProviderKind::AzureOpenAi, &request).unwrap(),
        expected
    );
}

#[test]
fn responses_have_all_fields() {
    let expected = json!({
        "model": "m-1", "instructions": "S", "store": false,
        "input": [
            {"role": "user", "content": "U1"}, {"role": "assistant", "content": "A1"},
            {"role": "user", "content": "U2"},
        ],
        "max_output_tokens": 64, "temperature": 0.5, "top_p": 0.9,
        "tools": [{"type": "function", "name": "f", "description": "d",
            "parameters": {"type": "object"}}],
        "text": {"format": {"type": "json_schema", "name": "city",
            "schema": {"type": "object"}, "strict": true}},
    });
    assert_eq!(
        encode(ProviderKind::OpenAiResponses, &full()).unwrap(),
        expected
    );
}

#[test]
fn anthropic_has_all_fields() {
    let request = Request {
        params: Params {
            stop: vec!["END".to_owned()],
            top_k: Some(5),
            reasoning_effort: Some("low".to_owned()),
            ..full().params
        },
        ..full()
    };
    let expected = json!({
        "model": "m-1", "max_tokens": 64, "system": "S",
        "messages": [
            {"role": "user", "content": "U1"}, {"role": "assistant", "content": "A1"},
            {"role": "user", "content": "U2"},
        ],
        "temperature": 0.5, "top_p": 0.9, "top_k": 5, "stop_sequences": ["END"],
        "tools": [{"name": "f", "description": "d", "input_schema": {"type": "object"}}],
        "output_config": {"effort": "low",
            "format": {"type": "json_schema", "schema": {"type": "object"}}},
    });
    assert_eq!(encode(ProviderKind::Anthropic, &request).unwrap(), expected);
}

#[test]
fn gemini_has_all_fields() {
    let request = Request {
        params: Params {
            stop: vec!["END".to_owned()],
            top_k: Some(5),
            seed: Some(7),
            reasoning_effort: Some("low".to_owned()),
            ..full().params
        },
        ..full()
    };
    let expected = json!({
        "systemInstruction": {"parts": [{"text": "S"}]},
        "contents": [
            {"role": "user", "parts": [{"text": "U1"}]},
            {"role": "model", "parts": [{"text": "A1"}]},
            {"role": "user", "parts": [{"text": "U2"}]},
        ],
        "generationConfig": {
            "maxOutputTokens": 64, "temperature": 0.5, "topP": 0.9, "topK": 5,
            "stopSequences": ["END"], "seed": 7, "thinkingConfig": {"thinkingLevel": "low"},
            "responseMimeType": "application/json", "responseJsonSchema": {"type": "object"},
        },
        "tools": [{"functionDeclarations":
            [{"name": "f", "description": "d", "parametersJsonSchema": {"type": "object"}}]}],
    });
    assert_eq!(encode(ProviderKind::Gemini, &request).unwrap(), expected);
}

#[test]
fn converse_has_all_fields() {
    let request = Request {
        params: Params {
            stop: vec!["END".to_owned()],
            reasoning_effort: Some("low".to_owned()),
            ..full().params
        },
        ..full()
    };
    let expected = json!({
        "system": [{"text": "S"}],
        "messages": [
            {"role": "user", "content": [{"text": "U1"}]},
            {"role": "assistant", "content": [{"text": "A1"}]},
            {"role": "user", "content": [{"text": "U2"}]},
        ],
        "inferenceConfig":
            {"maxTokens": 64, "temperature": 0.5, "topP": 0.9, "stopSequences": ["END"]},
        "outputConfig": {"effort": "low", "textFormat": {"type": "json_schema", "structure":
            {"jsonSchema": {"schema": "{\"type\":\"object\"}", "name": "city"}}}},
        "toolConfig": {"tools": [{"toolSpec":
            {"name": "f", "description": "d", "inputSchema": {"json": {"type": "object"}}}}]},
    });
    assert_eq!(encode(ProviderKind::Bedrock, &request).unwrap(), expected);
}

#[test]
fn ollama_has_all_fields() {
    let request = Request {
        params: Params {
            stop: vec!["END".to_owned()],
            top_k: Some(5),
            seed: Some(7),
            reasoning_effort: Some("none".to_owned()),
            ..full().params
        },
        ..full()
    };
    let body = encode(ProviderKind::Ollama, &request).unwrap();
    assert_eq!(
        body["options"],
        json!({"num_predict": 64, "temperature": 0.5, "top_p": 0.9, "top_k": 5, "stop": ["END"],
            "seed": 7})
    );
    assert_eq!(body["think"], false);
    assert_eq!(body["stream"], false);
    assert_eq!(body["format"], json!({"type": "object"}));
    assert_eq!(body["tools"][0]["function"]["name"], "f");
}

#[test]
fn what_a_vendor_lacks_is_an_error_with_a_hint() {
    use ProviderKind as P;
    let stop: fn(&mut Request) = |request| request.params.stop = vec!["x".to_owned()];
    let five: fn(&mut Request) = |request| request.params.stop = vec!["x".to_owned(); 5];
    let seed: fn(&mut Request) = |request| request.params.seed = Some(1);
    let top_k: fn(&mut Request) = |request| request.params.top_k = Some(1);
    let hot: fn(&mut Request) = |request| request.params.temperature = Some(1.5);
    let object: fn(&mut Request) =
        |request| request.response_format = Some(ResponseFormat::JsonObject);
    let effort: fn(&mut Request) = |request| {
        request.params.reasoning_effort = Some("high".to_owned());
        request.params.temperature = Some(0.0);
    };
    let xhigh: fn(&mut Request) =
        |request| request.params.reasoning_effort = Some("xhigh".to_owned());
    let late: fn(&mut Request) =
        |request| request.messages.push(Message::new(Role::System, "late"));
    let alone: fn(&mut Request) = |request| request.messages.truncate(1);
    let stream: fn(&mut Request) = |request| {
        request
            .params
            .extra
            .insert("stream".to_owned(), true.into());
    };
    let uncapped: fn(&mut Request) = |request| request.params.max_tokens = None;
    let nameless: fn(&mut Request) =
        |request| request.tools = vec![json!({"description": "x", "type": 1, "name": 2})];
    for (kind, change, word) in [
        (P::OpenAi, top_k, "top_k"),
        (P::OpenAi, five, "more than 4"),
        (P::OpenAi, effort, "temperature"),
        (P::OpenAi, stream, "stream"),
        (P::AzureOpenAi, effort, "temperature"),
        (P::OpenAiResponses, top_k, "top_k"),
        (P::OpenAiResponses, stop, "stop"),
        (P::OpenAiResponses, seed, "seed"),
        (P::OpenAiResponses, effort, "temperature"),
        (P::Anthropic, seed, "seed"),
        (P::Anthropic, hot, "temperature above 1"),
        (P::Anthropic, object, "any JSON object"),
        (P::Anthropic, late, "after the first turn"),
        (P::Anthropic, alone, "alone"),
        (P::Anthropic, uncapped, "max_tokens"),
        (P::Gemini, xhigh, "xhigh"),
        (P::Gemini, late, "after the first turn"),
        (P::Bedrock, seed, "seed"),
        (P::Bedrock, top_k, "additionalModelRequestFields"),
        (P::Bedrock, object, "any JSON object"),
        (P::Bedrock, alone, "alone"),
        (P::Bedrock, nameless, "no name"),
    ] {
        let error = encode(kind, &with(change)).expect_err(word);
        assert!(error.contains(word), "{kind:?}: {error}");
    }
}

#[test]
fn a_reasoning_model_takes_a_temperature_only_without_effort() {
    let warm = |model: &str, effort: Option<&str>, base: Option<&str>| {
        let model = spec(ProviderKind::OpenAi, model, base);
        let request = with(|request| {
            request.params.temperature = Some(0.0);
            request.params.reasoning_effort = effort.map(str::to_owned);
        });
        codec(ProviderKind::OpenAi)
            .unwrap()
            .encode(&model, &request)
            .is_ok()
    };
    for (model, effort, base, taken) in [
        ("o3", None, None, false),
        ("o4-mini", None, None, false),
        ("gpt-5", None, None, false),
        ("gpt-5-mini-2025-08-07", None, None, false),
        ("gpt-5-chat-latest", None, None, true),
        ("gpt-5.6", None, None, true),
        ("gpt-5.6", Some("none"), None, true),
        ("gpt-5.6", Some("low"), None, false),
        ("gpt-4o", None, None, true),
        ("o3", Some("low"), Some("http://127.0.0.1:1/v1"), true),
    ] {
        assert_eq!(
            warm(model, effort, base),
            taken,
            "{model} {effort:?} {base:?}"
        );
    }
}

#[test]
fn extra_fields_enter_last_and_objects_are_merged() {
    let request = with(|request| {
        request.params.extra = json!({
            "generationConfig": {"thinkingConfig": {"thinkingBudget": 0}, "maxOutputTokens": 9},
            "toolConfig": {"functionCallingConfig": {"mode": "ANY"}},
        })
        .as_object()
        .unwrap()
        .clone();
    });
    let body = encode(ProviderKind::Gemini, &request).unwrap();
    assert_eq!(
        body["generationConfig"],
        json!({"thinkingConfig": {"thinkingBudget": 0}, "maxOutputTokens": 9})
    );
    assert_eq!(body["toolConfig"]["functionCallingConfig"]["mode"], "ANY");
}

#[test]
fn only_what_is_set_is_sent() {
    let request = with(|request| request.params = Params::default());
    let body = encode(ProviderKind::OpenAi, &request).unwrap();
    let keys: Vec<&String> = body.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["messages", "model"]);
}

#[test]
fn several_system_messages_keep_their_number() {
    let kind = Message::new(Role::System, "Be kind.");
    let request = with(|request| request.messages.insert(1, kind));
    let body = |kind| encode(kind, &request).unwrap();
    assert_eq!(
        body(ProviderKind::Anthropic)["system"],
        json!([{"type": "text", "text": "Be brief."}, {"type": "text", "text": "Be kind."}])
    );
    assert_eq!(
        body(ProviderKind::Bedrock)["system"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    let gemini = body(ProviderKind::Gemini);
    assert_eq!(
        gemini["systemInstruction"]["parts"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    let responses = body(ProviderKind::OpenAiResponses);
    assert_eq!(responses["instructions"], "Be brief.");
    assert_eq!(
        responses["input"][0],
        json!({"role": "system", "content": "Be kind."})
    );
}
