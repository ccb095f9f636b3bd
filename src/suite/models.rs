//! The `models` and `judge_models` of a suite, in their full and short forms.

use crate::base::decode::{Reader, Table, choices};
use crate::base::{Name, Node};
use crate::chat::{ModelSpec, Price, ProviderKind};

use super::{http_form, path};

/// Reads `models:` (a list) or `model:` (one), of which only one may be there.
pub fn decode(
    reader: &mut Reader<'_>,
    table: &mut Table<'_>,
    keys: (&'static str, &'static str),
    default_name: &str,
    file: &str,
) -> Option<Vec<ModelSpec>> {
    let (many_key, one_key) = keys;
    let (many, one) = (table.get(many_key), table.get(one_key));
    let models = match (many, one) {
        (Some(_), Some(one)) => {
            let message = format!("`{one_key}` and `{many_key}` are both there");
            reader.error(one.span, "two-spellings", message, "keep one of the two");
            return None;
        }
        (Some(node), None) => {
            let items = reader.list(node, &format!("`{many_key}`"))?;
            if items.is_empty() {
                let message = format!("`{many_key}` has no model");
                reader.error(
                    node.span,
                    "no-model",
                    message,
                    "add a model, such as `openai:gpt-4o-2024-08-06`",
                );
                return None;
            }
            let models: Vec<_> = items
                .iter()
                .filter_map(|item| decode_one(reader, item, None, file))
                .collect();
            (models.len() == items.len()).then_some(models)?
        }
        (None, Some(node)) => vec![decode_one(reader, node, Some(default_name), file)?],
        (None, None) => Vec::new(),
    };
    check_names(reader, many.or(one), &models);
    Some(models)
}

fn check_names(reader: &mut Reader<'_>, node: Option<&Node>, models: &[ModelSpec]) {
    let Some(node) = node else { return };
    for (index, model) in models.iter().enumerate() {
        if models
            .iter()
            .take(index)
            .any(|earlier| earlier.name == model.name)
        {
            let message = format!("two models have the name `{}`", model.name);
            reader.error(
                node.span,
                "duplicate-name",
                message,
                "give each model a `name` of its own",
            );
        }
    }
}

fn decode_one(
    reader: &mut Reader<'_>,
    node: &Node,
    default_name: Option<&str>,
    file: &str,
) -> Option<ModelSpec> {
    if let Some(text) = node.as_text() {
        return decode_short(reader, node, text, default_name);
    }
    let mut table = Table::new(reader, node, "the model")?;
    let provider_node = table.require(reader, "provider");
    let provider = provider_node.and_then(|n| reader.word(n, "`provider`", &ProviderKind::WORDS));
    let model = table
        .get("model")
        .and_then(|n| reader.nonempty(n, "`model`"));
    let name = table.get("name").and_then(|n| decode_name(reader, n));
    let base_url = table
        .get("base_url")
        .and_then(|n| reader.nonempty(n, "`base_url`"));
    let api_key_env = table
        .get("api_key_env")
        .and_then(|n| decode_variable(reader, n));
    let params = table
        .get("params")
        .and_then(|n| crate::prompt::params::decode(reader, n));
    let price = table.get("price").and_then(|n| decode_price(reader, n));
    let timeout = table.get("timeout").and_then(|n| decode_timeout(reader, n));
    let mut file_of = |reader: &mut Reader<'_>, key: &'static str| {
        let node = table.get(key)?;
        let written = reader.nonempty(node, &format!("`{key}`"))?;
        resolve(reader, node, file, written)
    };
    let (rules, cassette) = (file_of(reader, "rules"), file_of(reader, "cassette"));
    let command = table
        .get("command")
        .and_then(|n| reader.texts(n, "`command`"));
    let http_node = table.get("http");
    let http = http_node.and_then(|n| http_form::decode(reader, n));
    table.finish(reader);
    let provider = provider?;
    let spec = ModelSpec {
        name: name.unwrap_or_else(|| default_model_name(default_name, model)),
        provider,
        model: model.map(str::to_owned),
        // The address of a service is whole: its last slash counts.
        base_url: base_url.map(|url| match provider {
            ProviderKind::Http => url.to_owned(),
            _ => url.trim_end_matches('/').to_owned(),
        }),
        api_key_env: api_key_env.map(str::to_owned),
        params: params.unwrap_or_default(),
        price,
        timeout,
        rules,
        cassette,
        command: command.unwrap_or_default(),
        http,
    };
    check_needs(reader, node, &spec, http_node.is_some());
    check_address(reader, node, &spec);
    Some(spec)
}

fn decode_short(
    reader: &mut Reader<'_>,
    node: &Node,
    text: &str,
    default_name: Option<&str>,
) -> Option<ModelSpec> {
    let Some((provider, model)) = text.split_once(':').filter(|(_, model)| !model.is_empty())
    else {
        let help = "write provider and model, such as `openai:gpt-4o-2024-08-06`";
        reader.error(
            node.span,
            "model",
            format!("`{text}` names no provider and model"),
            help,
        );
        return None;
    };
    let Some((_, kind)) = ProviderKind::WORDS
        .iter()
        .find(|(word, _)| *word == provider)
    else {
        let known: Vec<&str> = ProviderKind::WORDS.iter().map(|(word, _)| *word).collect();
        reader.error(
            node.span,
            "unknown-word",
            format!("there is no provider `{provider}`"),
            choices(provider, &known),
        );
        return None;
    };
    let spec = ModelSpec {
        name: default_model_name(default_name, Some(model)),
        provider: *kind,
        model: Some(model.to_owned()),
        base_url: None,
        api_key_env: None,
        params: crate::chat::Params::default(),
        price: None,
        timeout: None,
        rules: None,
        cassette: None,
        command: Vec::new(),
        http: None,
    };
    check_needs(reader, node, &spec, false);
    Some(spec)
}

fn default_model_name(given: Option<&str>, model: Option<&str>) -> Name {
    Name::slugify(given.or(model).unwrap_or("main"))
}

fn decode_name(reader: &mut Reader<'_>, node: &Node) -> Option<Name> {
    let text = reader.nonempty(node, "`name`")?;
    match Name::new(text) {
        Ok(name) => Some(name),
        Err(error) => {
            let help = format!("write `{}`", Name::slugify(text));
            reader.error(node.span, "name", error.to_string(), help);
            None
        }
    }
}

/// The name of an environment variable; a key in its place is refused without being repeated.
fn decode_variable<'n>(reader: &mut Reader<'_>, node: &'n Node) -> Option<&'n str> {
    let text = reader.nonempty(node, "`api_key_env`")?;
    let valid = text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && !text.starts_with(|c: char| c.is_ascii_digit());
    if valid && text.len() <= 80 {
        return Some(text);
    }
    let help = "write the name of the environment variable that holds the key; a key itself must never stand in a file";
    reader.error(
        node.span,
        "key-name",
        "`api_key_env` is not the name of an environment variable",
        help,
    );
    None
}

fn decode_price(reader: &mut Reader<'_>, node: &Node) -> Option<Price> {
    let mut table = Table::new(reader, node, "`price`")?;
    let mut rate = |reader: &mut Reader<'_>, key: &'static str| {
        let node = table.get(key)?;
        reader.number(node, &format!("`{key}`"), 0.0, f64::INFINITY)
    };
    let (input, output) = (rate(reader, "input"), rate(reader, "output"));
    let (cached_input, cache_write) = (rate(reader, "cached_input"), rate(reader, "cache_write"));
    let (batch_input, batch_output) = (rate(reader, "batch_input"), rate(reader, "batch_output"));
    table.finish(reader);
    let (Some(input), Some(output)) = (input, output) else {
        reader.error(
            node.span,
            "missing-key",
            "`price` needs `input` and `output`",
            "write both in USD per million tokens",
        );
        return None;
    };
    Some(Price {
        input,
        output,
        cached_input,
        cache_write,
        batch_input,
        batch_output,
        long_context: None,
    })
}

fn decode_timeout(reader: &mut Reader<'_>, node: &Node) -> Option<std::time::Duration> {
    let written = match node.value {
        crate::base::Value::Number(seconds) => seconds.to_string(),
        _ => reader.text(node, "`timeout`")?.to_owned(),
    };
    match crate::base::time::parse_duration(&written) {
        Ok(duration) if !duration.is_zero() => Some(duration),
        Ok(_) | Err(_) => {
            let message = format!("`{written}` is not a time to wait");
            reader.error(
                node.span,
                "duration",
                message,
                "write a duration such as `90s`",
            );
            None
        }
    }
}

/// Resolves a path of the suite and reports one that can not be used.
pub(super) fn resolve(
    reader: &mut Reader<'_>,
    node: &Node,
    file: &str,
    written: &str,
) -> Option<String> {
    match path::resolve(file, written) {
        Ok(path) => Some(path),
        Err(error) => {
            reader.error(
                node.span,
                "path",
                error.to_string(),
                "write a path relative to this file, within the project",
            );
            None
        }
    }
}

/// The address of a service with a form of its own has its query in the form.
fn check_address(reader: &mut Reader<'_>, node: &Node, spec: &ModelSpec) {
    let url = spec.base_url.as_deref().unwrap_or_default();
    if spec.provider == ProviderKind::Http && url.contains('?') {
        let help = "write what follows the `?` as a map under `http.query`; a key goes in a header";
        let message = "`base_url` of an `http` model holds a query";
        reader.error(node.span, "base-url", message, help);
    }
}

/// What each provider can not do without.
fn check_needs(reader: &mut Reader<'_>, node: &Node, spec: &ModelSpec, has_form: bool) {
    let provider = spec.provider.as_str();
    let mut missing = |key: &str, help: &str| {
        let message = format!("provider `{provider}` needs `{key}`");
        reader.error(node.span, "missing-key", message, help);
    };
    match spec.provider {
        ProviderKind::Mock if spec.rules.is_none() => {
            missing("rules", "add `rules:` with the path of a mock rules file");
        }
        ProviderKind::Replay if spec.cassette.is_none() => {
            missing("cassette", "add `cassette:` with the path of a cassette");
        }
        ProviderKind::Exec if spec.command.is_empty() => {
            missing("command", "add `command:` as a list of words");
        }
        ProviderKind::AzureOpenAi | ProviderKind::Bedrock if spec.base_url.is_none() => {
            missing(
                "base_url",
                "add `base_url:` with the address of your resource or region",
            );
        }
        ProviderKind::Http if spec.base_url.is_none() => {
            missing(
                "base_url",
                "add `base_url:` with the whole address of the service",
            );
        }
        ProviderKind::Http if !has_form => {
            missing("http", "add `http:` with the form of the service");
        }
        _ => {}
    }
    if spec.provider.is_remote() && spec.provider != ProviderKind::Http && spec.model.is_none() {
        missing("model", "add `model:` with the model's id at the provider");
    }
    check_owners(reader, node, spec, has_form);
}

/// What only some providers understand.
fn check_owners(reader: &mut Reader<'_>, node: &Node, spec: &ModelSpec, has_form: bool) {
    let provider = spec.provider.as_str();
    let only = [
        (
            "rules",
            spec.rules.is_some(),
            spec.provider == ProviderKind::Mock,
            "mock",
        ),
        (
            "cassette",
            spec.cassette.is_some(),
            spec.provider == ProviderKind::Replay,
            "replay",
        ),
        (
            "command",
            !spec.command.is_empty(),
            spec.provider == ProviderKind::Exec,
            "exec",
        ),
        (
            "http",
            has_form,
            spec.provider == ProviderKind::Http,
            "http",
        ),
    ];
    for (key, given, fits, owner) in only {
        if given && !fits {
            let message = format!("`{key}` is for provider `{owner}`, not for `{provider}`");
            reader.error(node.span, "unknown-key", message, "remove it");
        }
    }
}
