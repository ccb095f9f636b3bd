//! Measurements, run by hand: `cargo test --release --lib speed -- --ignored --nocapture`.

use std::hint::black_box;
use std::time::Instant;

use super::{ask, exchanges, spec};
use crate::chat::ProviderKind;
use crate::http::{Client, ClientOptions, Redactor, Secret};
use crate::provider::{codec, wire};

fn time<T>(name: &str, rounds: u32, mut work: impl FnMut() -> T) -> String {
    black_box(work());
    let start = Instant::now();
    for _ in 0..rounds {
        black_box(work());
    }
    format!("{name}: {:?}", start.elapsed() / rounds)
}

#[test]
#[ignore = "a measurement"]
fn costs_of_a_call() {
    let reply = |name: &str| {
        let exchanges = exchanges();
        exchanges
            .iter()
            .find(|it| it.path.ends_with(name))
            .unwrap()
            .reply()
    };
    let model = spec(ProviderKind::OpenAi, "gpt-5.6", None);
    let openai = codec(ProviderKind::OpenAi).unwrap();
    let encoded = openai.encode(&model, &ask()).unwrap();
    let mut lines = Vec::new();
    for kind in [
        "openai",
        "openai-responses",
        "anthropic",
        "gemini",
        "bedrock",
        "ollama",
    ] {
        let reply = reply(&format!("{kind}/success.json"));
        let words = ProviderKind::WORDS;
        let kind = words.iter().find(|(word, _)| *word == kind).unwrap().1;
        let name = format!("decode {} ({} bytes)", kind.as_str(), reply.body.len());
        let codec = codec(kind).unwrap();
        lines.push(time(&name, 20_000, || codec.decode(black_box(&reply))));
    }
    let error = reply("openai/rate-limit.json");
    lines.push(time("decode error", 20_000, || openai.decode(&error)));
    lines.push(time("encode", 20_000, || openai.encode(&model, &ask())));
    lines.push(time("key and body", 20_000, || {
        wire(&encoded, ProviderKind::OpenAi, 1)
    }));
    let redactor = Redactor::new([&Secret::new("sk-proj-0123456789abcdef0123456789abcdef")]);
    let text = String::from_utf8(reply("openai/success.json").body).unwrap();
    lines.push(time("redact", 20_000, || redactor.redact(&text)));
    let options = ClientOptions::default();
    lines.push(time("Client::new", 20, || Client::new(&options)));
    lines.push(time("Client::new with certificates", 5, || {
        Client::new(&options).and_then(|client| client.prepare())
    }));
    panic!("{}", lines.join("\n"));
}
