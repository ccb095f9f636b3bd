//! Forms of services: what each part of a request becomes, and what has no place is refused.

use serde_json::{Value, json};

use super::{ask, form, spec};
use crate::chat::{Message, ModelSpec, ProviderKind, Request, ResponseFormat, Role};
use crate::http::Secret;
use crate::provider::{EncodeError, Encoded, codec, wire};

fn model(written: &Value) -> ModelSpec {
    let mut model = spec(ProviderKind::Http, "bot", Some("https://b.example/ask"));
    model.http = Some(form(written));
    model
}

fn encode(written: &Value, request: &Request) -> Result<Encoded, EncodeError> {
    codec(ProviderKind::Http)
        .unwrap()
        .encode(&model(written), request)
}

/// A question without parameters.
fn question(text: &str) -> Request {
    let mut request = ask();
    request.params.max_tokens = None;
    request.messages = vec![Message::new(Role::User, text)];
    request
}

fn body(written: &Value, request: &Request) -> Value {
    encode(written, request).unwrap().body
}

#[test]
fn every_message_is_sent_once() {
    let mut request = question("And Graz?");
    request.messages = vec![
        Message::new(Role::System, "Be brief."),
        Message::new(Role::System, "Be kind."),
        Message::new(Role::User, "Where is Wien?"),
        Message::new(Role::Assistant, "Austria."),
        Message::new(Role::User, "And Graz?"),
    ];
    let turn = |role: &str, content: &str| json!({"role": role, "content": content});
    let (first, second) = (
        turn("user", "Where is Wien?"),
        turn("assistant", "Austria."),
    );
    assert_eq!(
        body(
            &json!({"body": {"s": "{{system}}", "h": "{{history}}", "q": "{{prompt}}"}}),
            &request
        ),
        json!({"s": "Be brief.\n\nBe kind.", "h": [first, second], "q": "And Graz?"})
    );
    assert_eq!(
        body(
            &json!({"body": {"s": "{{system}}", "m": "{{messages}}"}}),
            &request
        ),
        json!({"s": "Be brief.\n\nBe kind.", "m": [first, second, turn("user", "And Graz?")]})
    );
    assert_eq!(
        body(&json!({"body": ["{{messages}}"]}), &request)[0]
            .as_array()
            .unwrap()
            .len(),
        5
    );
    for (written, lacks) in [
        (
            json!({"body": ["{{prompt}}"]}),
            "place for the system message",
        ),
        (
            json!({"body": ["{{prompt}}", "{{system}}"]}),
            "place for the messages before the last",
        ),
    ] {
        let error = encode(&written, &request).unwrap_err();
        assert!(error.message.contains(lacks), "{error}");
        assert!(error.help.contains("{{messages}}"), "{}", error.help);
    }
    request.messages.pop();
    let error = encode(
        &json!({"body": ["{{prompt}}", "{{system}}", "{{history}}"]}),
        &request,
    );
    assert!(
        error
            .unwrap_err()
            .message
            .contains("message of the user at its end")
    );
}

#[test]
fn values_are_data_and_never_templates_or_syntax() {
    let text = "{{model}} \"</ask> & a=b\n";
    let request = question(text);
    assert_eq!(
        body(&json!({"body": {"q": "Q: {{prompt}}"}}), &request),
        json!({"q": format!("Q: {text}")})
    );
    let typed = |kind: &str, body_text: &str| {
        let written = json!({"headers": {"Content-Type": kind}, "body": body_text});
        body(&written, &request).as_str().unwrap().to_owned()
    };
    assert_eq!(typed("text/plain; charset=utf-8", "{{prompt}}"), text);
    assert_eq!(
        typed("application/soap+xml", "<ask>{{prompt}}</ask>"),
        "<ask>{{model}} &quot;&lt;/ask&gt; &amp; a=b\n</ask>"
    );
    assert_eq!(
        typed(
            "application/x-www-form-urlencoded",
            "m={{model}}&q={{prompt}}"
        ),
        "m=bot&q=%7B%7Bmodel%7D%7D%20%22%3C%2Fask%3E%20%26%20a%3Db%0A"
    );
    let got = encode(
        &json!({"method": "GET", "query": {"q": "{{prompt}}"}}),
        &question("a&b=c#d"),
    )
    .unwrap();
    assert_eq!(got.url, "https://b.example/ask?q=a%26b%3Dc%23d");
    assert_eq!(wire(&got, ProviderKind::Http, 1).body(), "");
}

#[test]
fn a_parameter_has_a_place_or_is_refused() {
    let mut request = question("a");
    let written = json!({"body": {"q": "{{prompt}}", "t": "{{temperature}}", "stop": "{{stop}}", "n": ["{{seed}}", 1]}});
    assert_eq!(body(&written, &request), json!({"q": "a", "n": [1]}));
    request.params.temperature = Some(0.0);
    request.params.stop = vec!["x".to_owned()];
    request.params.seed = Some(7);
    assert_eq!(
        body(&written, &request),
        json!({"q": "a", "t": 0.0, "stop": ["x"], "n": [7, 1]})
    );
    request.params.top_p = Some(0.5);
    let error = encode(&written, &request).unwrap_err();
    assert_eq!(error.message, "the form of `http` has no place for `top_p`");
    assert!(error.help.contains("write `{{top_p}}`"), "{}", error.help);
    let within = json!({"body": {"q": "{{prompt}} at {{temperature}}"}});
    let error = encode(&within, &question("a")).unwrap_err();
    assert!(
        error.message.contains("no value for `temperature`"),
        "{error}"
    );
}

type Change = fn(&mut Request);

#[test]
fn what_a_service_can_not_be_asked_for_is_refused() {
    let written = json!({"body": {"q": "{{prompt}}"}});
    let changes: [(&str, Change); 4] = [
        ("tools", |request| request.tools.push(json!({"name": "f"}))),
        ("form that the answer must have", |request| {
            request.response_format = Some(ResponseFormat::JsonObject);
        }),
        ("`logprobs`", |request| request.params.logprobs = true),
        ("stream of events", |request| {
            request
                .params
                .extra
                .insert("stream".to_owned(), json!(true));
        }),
    ];
    for (says, change) in changes {
        let mut request = question("a");
        change(&mut request);
        let error = encode(&written, &request).unwrap_err();
        assert!(error.message.contains(says), "{error}");
    }
    let mut request = question("a");
    request
        .params
        .extra
        .insert("mode".to_owned(), json!("fast"));
    assert_eq!(body(&written, &request), json!({"q": "a", "mode": "fast"}));
    let text = json!({"headers": {"content-type": "text/plain"}, "body": "{{prompt}}"});
    assert!(encode(&text, &request).is_err());
}

#[test]
fn the_key_goes_into_the_header_that_the_form_names() {
    let header = |written: &Value| {
        let (name, value) = codec(ProviderKind::Http)
            .unwrap()
            .auth(&model(written), &Secret::new("k"));
        format!("{name}: {}", value.expose())
    };
    let with = |key_header: &str| json!({"body": ["{{prompt}}"], "key_header": key_header});
    assert_eq!(
        header(&json!({"body": ["{{prompt}}"]})),
        "authorization: Bearer k"
    );
    assert_eq!(header(&with("X-Api-Key")), "x-api-key: k");
    assert_eq!(
        header(&with("authorization: Token")),
        "authorization: Token k"
    );
}

#[test]
fn the_cache_key_covers_the_form_but_not_the_way_of_the_key() {
    let key = |written: &Value| {
        wire(
            &encode(written, &question("a")).unwrap(),
            ProviderKind::Http,
            1,
        )
        .key
    };
    let base = json!({"body": {"q": "{{prompt}}"}, "answer": "$.a"});
    for (at, value, same) in [
        ("/method", json!("PUT"), false),
        ("/headers", json!({"x": "y"}), false),
        ("/query", json!({"x": "y"}), false),
        ("/body", json!({"p": "{{prompt}}"}), false),
        ("/answer", json!("$.b"), false),
        ("/usage", json!({"input": "$.u"}), false),
        ("/key_header", json!("x-api-key"), true),
    ] {
        let mut changed = base.clone();
        changed[at.trim_start_matches('/')] = value;
        assert_eq!(key(&changed) == key(&base), same, "{at}");
    }
}
