//! The codecs against the exchanges under `fixtures/providers` and against hostile bodies.

mod address;
mod classify;
mod embedding;
mod encode;
mod exchanges;
mod hostile;
mod http_form;

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::base::decode::Reader;
use crate::base::{Diagnostics, Source, yaml};
use crate::chat::{HttpForm, Message, ModelSpec, Params, ProviderKind, Request, Role};
use crate::http::{Headers, Reply};

fn spec(provider: ProviderKind, model: &str, base_url: Option<&str>) -> ModelSpec {
    ModelSpec {
        name: crate::base::Name::slugify("m"),
        provider,
        model: Some(model.to_owned()),
        base_url: base_url.map(str::to_owned),
        api_key_env: None,
        params: Params::default(),
        price: None,
        timeout: None,
        rules: None,
        cassette: None,
        command: Vec::new(),
        http: (provider == ProviderKind::Http).then(smallest_form),
    }
}

/// A form as a suite writes it.
fn form(written: &Value) -> HttpForm {
    let mut found = Diagnostics::new();
    let source = Source::new("the form", &written.to_string());
    let node = yaml::parse(&source).unwrap();
    let mut reader = Reader {
        source,
        diagnostics: &mut found,
    };
    let form = crate::suite::http_form::decode(&mut reader, &node);
    form.unwrap_or_else(|| panic!("{written}: {found:?}"))
}

fn smallest_form() -> HttpForm {
    form(&json!({"body": {"q": "{{messages}}"}, "answer": "$.output"}))
}

/// The request of every recorded exchange.
fn ask() -> Request {
    Request {
        messages: vec![
            Message::new(Role::System, "Be brief."),
            Message::new(Role::User, "Capital of France?"),
        ],
        params: Params {
            max_tokens: Some(64),
            ..Params::default()
        },
        tools: Vec::new(),
        response_format: None,
    }
}

/// A recorded exchange.
struct Exchange {
    path: PathBuf,
    text: String,
    json: Value,
}

impl Exchange {
    fn model(&self) -> ModelSpec {
        let model = &self.json["model"];
        let words = ProviderKind::WORDS;
        let provider = words.iter().find(|(word, _)| model["provider"] == *word);
        let mut spec = spec(
            provider.unwrap().1,
            model["model"].as_str().unwrap(),
            model["base_url"].as_str(),
        );
        if let Some(written) = model.get("http") {
            spec.http = Some(form(written));
        }
        spec
    }

    fn reply(&self) -> Reply {
        let reply = &self.json["reply"];
        let headers = reply["headers"].as_object().unwrap().iter();
        Reply {
            status: u16::try_from(reply["status"].as_u64().unwrap()).unwrap(),
            headers: Headers::from_pairs(
                headers.map(|(key, value)| (key.as_str(), value.as_str().unwrap())),
            ),
            body: match &reply["text"] {
                Value::String(text) => text.clone().into_bytes(),
                _ => reply["body"].to_string().into_bytes(),
            },
        }
    }
}

fn exchanges() -> Vec<Exchange> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/providers");
    let vendors = std::fs::read_dir(root).unwrap();
    vendors
        .flat_map(|vendor| exchanges_in(&vendor.unwrap().path()))
        .collect()
}

fn exchanges_in(folder: &Path) -> Vec<Exchange> {
    let files = std::fs::read_dir(folder).unwrap();
    let read = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).unwrap();
        let json = serde_json::from_str(&text).unwrap();
        Exchange { path, text, json }
    };
    files.map(|file| read(file.unwrap().path())).collect()
}
