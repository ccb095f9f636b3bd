//! Providers of promptfoo (<https://www.promptfoo.dev/docs/providers/>) as entries of `models`, and
//! graders as entries of `judge_models`.

use std::sync::Arc;

use serde_json::{Map, Value as Json, json};

use super::files::Files;
use super::http_form::{self, Asked};
use super::ledger::{Ledger, Place};
use super::names::Names;
use super::params;
use super::scripts::{BRIDGE_PATH, Scripts};
use crate::base::{Name, Node, Source, Value};

/// A model of a suite.
pub type Model = Map<String, Json>;

/// The models that judge, by what the config says.
#[derive(Debug, Default)]
pub struct Graders {
    known: Vec<(Json, Option<String>, Model)>,
    names: Names,
    default: Option<Place>,
}

/// The grader that promptfoo takes with an OpenAI key where a config names none.
const DEFAULT_GRADER: &str = "gpt-4.1-2025-04-14";

impl Graders {
    /// The name in the suite of a grader that a config names.
    pub fn name(&mut self, place: &Place, node: &Node, ledger: &mut Ledger) -> Option<String> {
        // `{text: …, embedding: …}` names one for each kind of call.
        let node = node.get("text").unwrap_or(node);
        let written = node.to_json();
        if let Some((_, name, _)) = self.known.iter().find(|(known, ..)| *known == written) {
            return name.clone();
        }
        let mut scripts = Scripts::default();
        let made = match one(node, None, &mut scripts, Asked::Verdict) {
            Ok(made) if !scripts.bridge => {
                let mut model = made.model;
                let wanted = format!("grader-{}", short(&model));
                let name = self.names.fresh(Name::slugify(&wanted).as_str());
                model.insert("name".to_owned(), name.clone().into());
                note(ledger, place, "grader", (&made.changes, &made.drops));
                (Some(name), model)
            }
            Ok(_) => {
                ledger.dropped(place, "grader", "a judge that is a program: name a model");
                (None, Model::new())
            }
            Err(why) => {
                ledger.dropped(place, "grader", why);
                (None, Model::new())
            }
        };
        self.known.push((written, made.0.clone(), made.1));
        if made.0.is_none() {
            self.default_needed(place);
        }
        made.0
    }

    /// Notes that a judge names no model.
    pub fn default_needed(&mut self, place: &Place) {
        if self.default.is_none() {
            self.default = Some(place.clone());
        }
    }

    /// The entries of `judge_models`, the default first.
    pub fn models(&self, ledger: &mut Ledger) -> Vec<Model> {
        let mut models = Vec::new();
        if let Some(place) = &self.default {
            let why = format!(
                "promptfoo chooses a grader by the keys it finds; here it is openai:{DEFAULT_GRADER}"
            );
            ledger.changed(place, "grader", why);
            let model = json!({"name": "grader", "provider": "openai", "model": DEFAULT_GRADER});
            models.extend(model.as_object().cloned());
        }
        let named = self.known.iter().filter(|(_, name, _)| name.is_some());
        models.extend(named.map(|(_, _, model)| model.clone()));
        models
    }
}

fn short(model: &Model) -> String {
    let id = model.get("model").and_then(Json::as_str);
    id.unwrap_or("model").to_owned()
}

fn note(ledger: &mut Ledger, place: &Place, what: &str, (changes, drops): (&[String], &[String])) {
    ledger.carried("provider", place);
    for change in changes {
        ledger.changed(place, what, change);
    }
    for drop in drops {
        ledger.dropped(place, what, drop);
    }
}

/// A provider, made into a model.
#[derive(Debug)]
pub struct Made {
    /// The entry, without a name.
    pub model: Model,
    /// What means something else.
    pub changes: Vec<String>,
    /// What is not carried over.
    pub drops: Vec<String>,
}

impl Made {
    /// A model of a provider.
    pub fn new(provider: &str, model: &str) -> Self {
        let mut made = Model::new();
        made.insert("provider".to_owned(), provider.into());
        if !model.is_empty() {
            made.insert("model".to_owned(), model.into());
        }
        Self {
            model: made,
            changes: Vec::new(),
            drops: Vec::new(),
        }
    }

    /// The model with a key set.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<Json>) -> Self {
        self.model.insert(key.to_owned(), value.into());
        self
    }

    fn but(mut self, change: impl Into<String>) -> Self {
        self.changes.push(change.into());
        self
    }
}

/// The models under test of a config.
pub fn all(
    source: &Arc<Source>,
    root: &Node,
    files: &Files,
    ledger: &mut Ledger,
    scripts: &mut Scripts,
    asked: Asked,
) -> Vec<Model> {
    let listed = root.get("providers").or_else(|| root.get("targets"));
    let Some(node) = listed.filter(|node| !node.is_null()) else {
        return Vec::new();
    };
    let mut written = Vec::new();
    gather(source, node, files, ledger, &mut written);
    let mut names = Names::default();
    let mut models = Vec::new();
    for (source, node) in &written {
        let place = Place::of(source, node);
        match one(node, Some(files), scripts, asked) {
            Ok(made) => {
                let mut model = made.model;
                let label = node.get("label").and_then(Node::as_text);
                let wanted = label.map_or_else(|| short(&model), str::to_owned);
                let name = names.fresh(Name::slugify(&wanted).as_str());
                model.insert("name".to_owned(), name.into());
                note(ledger, &place, "provider", (&made.changes, &made.drops));
                models.push(model);
            }
            Err(why) => ledger.dropped(&place, "provider", why),
        }
        report_keys(source, node, ledger);
    }
    models
}

fn gather(
    source: &Arc<Source>,
    node: &Node,
    files: &Files,
    ledger: &mut Ledger,
    into: &mut Vec<(Arc<Source>, Node)>,
) {
    match &node.value {
        Value::List(items) => {
            for item in items {
                gather(source, item, files, ledger, into);
            }
        }
        Value::Text(text) if is_document(text) => match files.document(text) {
            Ok((source, node)) => match &node.value {
                Value::List(items) => {
                    into.extend(items.iter().map(|item| (Arc::clone(&source), item.clone())));
                }
                _ => into.push((source, node)),
            },
            Err(why) => ledger.dropped(&Place::of(source, node), "provider", why),
        },
        _ => into.push((Arc::clone(source), node.clone())),
    }
}

fn is_document(text: &str) -> bool {
    let ending = text.rsplit_once('.').map(|(_, ending)| ending);
    text.starts_with("file://") && matches!(ending, Some("yaml" | "yml" | "json"))
}

fn report_keys(source: &Arc<Source>, node: &Node, ledger: &mut Ledger) {
    let Value::Map(entries) = &node.value else {
        return;
    };
    for entry in entries {
        let key = entry.key.as_str();
        let why = match key {
            "prompts" => "every version is asked of every model: make a suite for it",
            "transform" => "code that changes an answer before it is scored has no counterpart",
            "inputs" => "a model takes messages alone",
            "env" => "keys come from the environment: name the variable in `api_key_env`",
            "delay" => "speed is a setting: --rate N",
            _ => continue,
        };
        let place = Place {
            source: Arc::clone(source),
            span: entry.key_span,
        };
        let what = format!("`{key}` of provider");
        match key {
            "delay" | "env" => ledger.changed(&place, what, why),
            _ => ledger.dropped(&place, what, why),
        }
    }
}

/// One provider: `openai:gpt-4o`, `{id: …, config: …}`, or `{openai:gpt-4o: {config: …}}`.
fn one(
    node: &Node,
    files: Option<&Files>,
    scripts: &mut Scripts,
    asked: Asked,
) -> Result<Made, String> {
    let (id, options) = match &node.value {
        Value::Text(id) => (id.as_str(), None),
        Value::Map(entries) => match (node.get("id"), entries.as_slice()) {
            (Some(id), _) => (id.as_text().ok_or("its `id` is no text")?, Some(node)),
            (None, [entry]) if entry.key.contains(':') => (entry.key.as_str(), Some(&entry.value)),
            (None, _) => return Err("it has no `id`".to_owned()),
        },
        _ => return Err(format!("it is {}, not a name", node.kind())),
    };
    let config = options.and_then(|options| options.get("config"));
    if let Some("http" | "https") = id.split(':').next() {
        return http_form::made(id, config, asked);
    }
    let made = by_id(id, config, files, scripts)?;
    let mut made = with_access(made, config);
    made.drops = params::apply(&mut made.model, config);
    Ok(made)
}

/// Address and key of the config, where it names them.
fn with_access(mut made: Made, config: Option<&Node>) -> Made {
    let text = |key: &str| config.and_then(|config| config.get(key)?.as_text());
    let url = text("apiBaseUrl")
        .map(str::to_owned)
        .or_else(|| text("apiHost").map(|host| format!("https://{host}")));
    if let Some(url) = url.filter(|_| !made.model.contains_key("base_url")) {
        let host = url.split("://").nth(1).unwrap_or(&url);
        let host = host.split(['/', ':']).next().unwrap_or(host).to_owned();
        made = made.with("base_url", url);
        if host != "localhost" && !host.starts_with("127.") {
            made = made.but(format!(
                "a key goes to {host} only with --allow-host {host}"
            ));
        }
    }
    if let Some(variable) = text("apiKeyEnvar") {
        made = made.with("api_key_env", variable);
    }
    if text("apiKey").is_some_and(|key| !key.contains("{{")) {
        made =
            made.but("a key stands in the config: it was not copied; put it into the environment");
    }
    made
}

/// Hosts that speak OpenAI chat completions: their address and the variable of their key.
const COMPATIBLE: [(&str, &str, &str); 12] = [
    (
        "openrouter",
        "https://openrouter.ai/api/v1",
        "OPENROUTER_API_KEY",
    ),
    ("groq", "https://api.groq.com/openai/v1", "GROQ_API_KEY"),
    (
        "deepseek",
        "https://api.deepseek.com/v1",
        "DEEPSEEK_API_KEY",
    ),
    ("mistral", "https://api.mistral.ai/v1", "MISTRAL_API_KEY"),
    (
        "togetherai",
        "https://api.together.xyz/v1",
        "TOGETHER_API_KEY",
    ),
    (
        "fireworks",
        "https://api.fireworks.ai/inference/v1",
        "FIREWORKS_API_KEY",
    ),
    ("xai", "https://api.x.ai/v1", "XAI_API_KEY"),
    (
        "perplexity",
        "https://api.perplexity.ai",
        "PERPLEXITY_API_KEY",
    ),
    ("cerebras", "https://api.cerebras.ai/v1", "CEREBRAS_API_KEY"),
    (
        "hyperbolic",
        "https://api.hyperbolic.xyz/v1",
        "HYPERBOLIC_API_KEY",
    ),
    (
        "github",
        "https://models.github.ai/inference",
        "GITHUB_TOKEN",
    ),
    ("localai", "http://127.0.0.1:8080/v1", ""),
];

fn by_id(
    id: &str,
    config: Option<&Node>,
    files: Option<&Files>,
    scripts: &mut Scripts,
) -> Result<Made, String> {
    let (vendor, rest) = id.split_once(':').unwrap_or((id, ""));
    let (route, model) = rest.split_once(':').unwrap_or(("", rest));
    if let Some((_, url, variable)) = COMPATIBLE.iter().find(|(name, ..)| *name == vendor) {
        let model = if route == "chat" { model } else { rest };
        let made = Made::new("openai", model).with("base_url", *url);
        if variable.is_empty() {
            return Ok(made);
        }
        let host = url
            .trim_start_matches("https://")
            .split('/')
            .next()
            .unwrap_or(url);
        return Ok(made.with("api_key_env", *variable).but(format!(
            "a key goes to {host} only with --allow-host {host}"
        )));
    }
    match (vendor, route) {
        ("openai", "chat" | "") if !rest.is_empty() => Ok(Made::new("openai", model)),
        ("openai", "responses") => Ok(Made::new("openai-responses", model)),
        ("azure" | "azureopenai", "chat" | "responses" | "") => azure(model, config),
        ("anthropic", "messages" | "") if !rest.is_empty() => Ok(Made::new("anthropic", model)),
        ("google", "") if !rest.is_empty() => Ok(Made::new("gemini", model)),
        ("bedrock", _) => bedrock(rest, config),
        ("ollama", "chat") => Ok(Made::new("ollama", model)),
        ("ollama", "completion") => Ok(completion(model)),
        ("ollama", _) if !rest.is_empty() => Ok(completion(rest)),
        ("echo", _) => Ok(echo()),
        ("exec", _) => exec(rest, scripts),
        ("python", _) => python(rest, config, files, scripts),
        ("file", _) => python(id, config, files, scripts),
        ("vertex", _) => Err("Vertex AI is not spoken: use `google:` with a key".to_owned()),
        ("openai" | "azure" | "azureopenai", other) => Err(format!(
            "the route `{other}` of {vendor} is not spoken: chat or responses"
        )),
        _ => Err(format!(
            "there is no counterpart of `{vendor}`: an `exec` model can ask it"
        )),
    }
}

fn completion(model: &str) -> Made {
    Made::new("ollama", model).but("it is asked as a chat, not as a completion")
}

fn azure(model: &str, config: Option<&Node>) -> Result<Made, String> {
    let text = |key: &str| config.and_then(|config| config.get(key)?.as_text());
    let host = text("apiHost").map(|host| format!("https://{host}"));
    let url = text("apiBaseUrl").map(str::to_owned).or(host);
    let url = url.ok_or("the config names no `apiHost`: add it and import again")?;
    Ok(Made::new("azure-openai", model).with("base_url", url))
}

fn bedrock(model: &str, config: Option<&Node>) -> Result<Made, String> {
    let region = config.and_then(|config| config.get("region")?.as_text());
    let region = region.unwrap_or("us-east-1");
    if model.is_empty() {
        return Err("it names no model".to_owned());
    }
    let model = model.strip_prefix("converse:").unwrap_or(model);
    let url = format!("https://bedrock-runtime.{region}.amazonaws.com");
    Ok(Made::new("bedrock", model)
        .with("base_url", url)
        .but("it takes a Bedrock API key (AWS_BEARER_TOKEN_BEDROCK) and the Converse protocol"))
}

/// The answer is the prompt: mock rules that repeat the last message of the user.
fn echo() -> Made {
    Made::new("mock", "")
        .with("model", "echo")
        .with("rules", "")
        .but("it repeats the user's message; promptfoo repeats a chat as JSON")
}

fn exec(command: &str, scripts: &mut Scripts) -> Result<Made, String> {
    let words: Vec<&str> = command.split_whitespace().collect();
    if words.is_empty() || command.contains(['\'', '"', '$', '|', ';', '`', '\\']) {
        return Err("its command needs a shell: write an `exec` model".to_owned());
    }
    scripts.bridge = true;
    let command = [&["python3", BRIDGE_PATH, "exec"][..], &words].concat();
    Ok(Made::new("exec", "")
        .with("model", words.first().copied().unwrap_or("exec"))
        .with("command", json!(command))
        .but("only with --allow-exec; options and context are empty"))
}

fn python(
    reference: &str,
    config: Option<&Node>,
    files: Option<&Files>,
    scripts: &mut Scripts,
) -> Result<Made, String> {
    const WHY: &str = "a provider that is a program: write an `exec` model";
    let bare = reference.strip_prefix("file://").unwrap_or(reference);
    let (path, function) = match bare.rsplit_once(".py:") {
        Some((stem, function)) => (bare.get(..stem.len() + 3).unwrap_or(bare), function),
        None => (bare, "call_api"),
    };
    if camino::Utf8Path::new(path).extension() != Some("py") {
        return Err(WHY.to_owned());
    }
    let files = files.ok_or(WHY)?;
    let path = files
        .relative(path)
        .ok_or_else(|| format!("the file `{path}` is not there"))?;
    scripts.bridge = true;
    let mut command = vec![
        "python3".to_owned(),
        BRIDGE_PATH.to_owned(),
        "provider".to_owned(),
        path.clone(),
        function.to_owned(),
    ];
    command.extend(config.map(|config| config.to_json().to_string()));
    let stem = path
        .rsplit('/')
        .next()
        .unwrap_or(&path)
        .trim_end_matches(".py");
    Ok(Made::new("exec", stem)
        .with("command", json!(command))
        .but("only with --allow-exec; the context has no variables"))
}
