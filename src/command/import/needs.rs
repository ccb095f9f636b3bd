//! What a suite asks of its owner before its first request: hosts and commands to allow, keys to set.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value as Json, json};

use super::http_form;
use super::models::Model;
use crate::chat::ProviderKind;
use crate::command::Project;
use crate::http::{self, HostError};
use crate::provider::own_hosts;

/// What the owner has to give.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Needs {
    /// Whether a model or scorer is a program.
    pub exec: bool,
    /// Hosts, each of which has to be allowed.
    pub hosts: BTreeSet<String>,
    /// Variables of keys that are not set, with the models that are asked with them.
    pub keys: BTreeMap<String, BTreeSet<String>>,
}

impl Needs {
    /// What these models need.
    pub fn of<'m>(project: &Project, models: impl IntoIterator<Item = &'m Model>) -> Self {
        let mut needs = Self::default();
        for model in models {
            needs.add(project, model);
        }
        needs
    }

    /// What a model needs that is named as `openai:gpt-4o-2024-08-06`.
    #[must_use]
    pub fn named(project: &Project, model: &str) -> Self {
        let (provider, model) = model.split_once(':').unwrap_or((model, ""));
        let made = json!({"name": "main", "provider": provider, "model": model});
        Self::of(project, made.as_object())
    }

    fn add(&mut self, project: &Project, model: &Model) {
        let text = |key: &str| model.get(key).and_then(Json::as_str);
        let known = ProviderKind::WORDS;
        let word = text("provider").unwrap_or_default();
        let Some((_, provider)) = known.iter().find(|(known, _)| *known == word) else {
            return;
        };
        self.exec |= *provider == ProviderKind::Exec;
        if let Some(url) = text("base_url") {
            self.hosts.extend(host_to_allow(*provider, url));
        }
        let local = text("base_url").is_some_and(http::is_loopback_url);
        let default = provider.default_key_variable().filter(|_| !local);
        let Some(variable) = text("api_key_env").or(default) else {
            return;
        };
        if project.variable(variable).is_none_or(|key| key.is_empty()) {
            let name = text("name").unwrap_or("main").to_owned();
            let models = self.keys.entry(variable.to_owned()).or_default();
            models.insert(name);
        }
    }
}

/// The host of an address that is asked only with the owner's leave.
fn host_to_allow(provider: ProviderKind, url: &str) -> Option<String> {
    if provider == ProviderKind::Http {
        return http_form::host_of(url).map(str::to_owned);
    }
    match http::check_base_url(url, own_hosts(provider), &[]) {
        Err(HostError::NotAllowed { host } | HostError::Unencrypted { host }) => Some(host),
        Ok(()) | Err(_) => None,
    }
}
