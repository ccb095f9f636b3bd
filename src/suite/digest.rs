//! The digest of a suite: of everything in it that can change a score or a verdict.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::Suite;
use crate::base::Digest;
use crate::chat::{ModelSpec, Price};
use crate::score::Kind;

/// What a suite refers to by name or path, as digests of what stands there.
#[derive(Debug, Clone, Default)]
pub struct Referenced {
    /// The content hash of each judge, by the names of `ScorerSpec::judges`.
    pub judges: BTreeMap<String, Digest>,
    /// The digests of rules files and cassettes, by path.
    pub files: BTreeMap<String, Digest>,
    /// The digest of the record that a gating judge is trusted by, by the same names; only where the
    /// policy asks for one.
    pub calibrations: BTreeMap<String, Digest>,
}

/// The suite with presets and defaults resolved, each judge replaced by its hash and `rules` and
/// `cassette` by their files' digests, without `dataset`, `registry` and `api_key_env`.
#[must_use]
pub fn resolved(suite: &Suite, referenced: &Referenced) -> Value {
    let models = |list: &[ModelSpec]| list.iter().map(|m| model(m, referenced)).collect::<Value>();
    let scorers: Value = suite
        .scorers
        .iter()
        .map(|scorer| {
            let mut form = scorer.resolved().clone();
            for (member, (name, _)) in scorer.judges().into_iter().enumerate() {
                let place = match scorer.kind {
                    Kind::Panel(_) => format!("/judges/{member}"),
                    Kind::Assertion(_) | Kind::Judge(_) | Kind::Exec(_) | Kind::Similar(_) => {
                        String::new()
                    }
                };
                let fields = form.pointer_mut(&place).and_then(Value::as_object_mut);
                if let Some((hash, fields)) = referenced.judges.get(&name).zip(fields) {
                    fields.insert("judge".to_owned(), json!(hash));
                }
            }
            form
        })
        .collect();
    let sample = suite
        .sample
        .as_ref()
        .map(|sample| json!({"size": sample.size, "by": sample.by}));
    let mut resolved = json!({
        "gate": "suite/1",
        "name": suite.name.as_str(),
        "prompt": suite.prompt.slug().as_str(),
        "sample": sample,
        "seed": suite.seed,
        "models": models(&suite.models),
        "judge_models": models(&suite.judge_models),
        "repeat": suite.repeat,
        "score_faults": suite.score_faults,
        "scorers": scorers,
        "policy": suite.policy.to_json(),
    });
    // Only a flag sets it: a suite as it stands keeps its digest.
    if let (Some(fields), Some(candidate)) = (resolved.as_object_mut(), &suite.candidate_model) {
        fields.insert("candidate_model".to_owned(), model(candidate, referenced));
    }
    // A suite that quarantines nothing keeps the digest that it had before there was a quarantine.
    let mut held_out: Vec<&str> = suite.quarantine.iter().map(|(id, _)| id.as_str()).collect();
    held_out.sort_unstable();
    if let Some(fields) = resolved.as_object_mut().filter(|_| !held_out.is_empty()) {
        fields.insert("quarantine".to_owned(), json!(held_out));
    }
    let trusted = json!(referenced.calibrations);
    if let Some(fields) = resolved.as_object_mut().filter(|_| trusted != json!({})) {
        fields.insert("calibrations".to_owned(), trusted);
    }
    resolved
}

/// The digest of [`resolved`].
#[must_use]
pub fn suite_digest(suite: &Suite, referenced: &Referenced) -> Digest {
    Digest::of_json(&resolved(suite, referenced))
}

/// A model as part of a digest: everything that decides what is asked and what it costs.
#[must_use]
pub fn model(spec: &ModelSpec, referenced: &Referenced) -> Value {
    let mut fields = Map::new();
    let mut put = |key: &str, value: Value| {
        if !value.is_null() {
            fields.insert(key.to_owned(), value);
        }
    };
    put("name", spec.name.as_str().into());
    put("provider", spec.provider.as_str().into());
    put("model", json!(spec.model));
    put("base_url", json!(spec.base_url));
    put("params", json!(spec.params));
    put("price", spec.price.as_ref().map_or(Value::Null, price));
    let file = |path: &Option<String>| {
        let digest = path.as_ref().and_then(|path| referenced.files.get(path));
        digest.map_or(Value::Null, |digest| json!(digest))
    };
    put("rules", file(&spec.rules));
    put("cassette", file(&spec.cassette));
    if !spec.command.is_empty() {
        put("command", json!(spec.command));
    }
    if let Some(form) = &spec.http {
        put("http", form.to_json());
    }
    fields.into()
}

fn price(price: &Price) -> Value {
    json!({
        "input": price.input,
        "output": price.output,
        "cached_input": price.cached_input,
        "cache_write": price.cache_write,
        "batch_input": price.batch_input,
        "batch_output": price.batch_output,
    })
}
