//! Decoding of a prompt file, YAML or plain text, and its content hash.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::template::Template;
use super::variable::Variable;
use super::version::{MessageTemplate, Metadata, PromptVersion};
use crate::base::decode::{Reader, Table};
use crate::base::{self, Diagnostics, Digest, Node, Slug, Source, Span, Timestamp, yaml};
use crate::chat::Role;

/// What the place of a file says about the version in it.
#[derive(Debug, Clone)]
pub struct Expected {
    /// The prompt's name by the folder or the file's stem.
    pub slug: Slug,
    /// The number by the file's name.
    pub number: Option<u32>,
    /// Whether the file is YAML or one message of plain text.
    pub form: Form,
}

/// The two forms of a prompt file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `.yaml`.
    Yaml,
    /// `.md` or `.txt`: one user message, with optional YAML front matter.
    Text,
}

const HASHED: [&str; 6] = [
    "messages",
    "variables",
    "params",
    "model_hint",
    "tools",
    "response_format",
];

/// Reads a prompt file.
///
/// # Errors
/// Findings go to `diagnostics`; there is no version where one of them is an error.
pub fn decode(
    source: &Arc<Source>,
    expected: &Expected,
    diagnostics: &mut Diagnostics,
) -> Option<PromptVersion> {
    let mut found = Diagnostics::new();
    let version = match document(source, expected.form) {
        Ok(node) => {
            let mut reader = Reader {
                source: Arc::clone(source),
                diagnostics: &mut found,
            };
            decode_document(&mut reader, &node, expected)
        }
        Err(errors) => {
            found.extend(errors);
            None
        }
    };
    let usable = !found.has_errors();
    diagnostics.extend(found);
    version.filter(|_| usable)
}

/// The file as one YAML document; a plain text becomes its one message.
pub(super) fn document(source: &Arc<Source>, form: Form) -> Result<Node, Diagnostics> {
    match form {
        Form::Yaml => yaml::parse(source),
        Form::Text => text_document(source),
    }
}

fn text_document(source: &Arc<Source>) -> Result<Node, Diagnostics> {
    let text = source.text.as_str();
    let (front, body_start) = split_front_matter(text);
    let mut node = match front {
        Some(front) => {
            // The opening fence is a document start to YAML, so all places stay those of the file.
            let front = Source::new(source.name.clone(), &format!("---\n{front}"));
            yaml::parse(&front)?
        }
        None => Node {
            span: Span::default(),
            value: base::Value::Null,
        },
    };
    if node.is_null() {
        node.value = base::Value::Map(Vec::new());
    }
    let span = Span {
        start: body_start,
        end: text.len(),
    };
    let body = text.get(body_start..).unwrap_or_default().to_owned();
    let part = |value| Node { span, value };
    let entry = |key: &str, value| base::Entry {
        key: key.to_owned(),
        key_span: span,
        value: part(value),
    };
    let message = base::Value::Map(vec![
        entry("role", base::Value::Text("user".to_owned())),
        entry("content", base::Value::Text(body)),
    ]);
    if let base::Value::Map(entries) = &mut node.value {
        if !entries.iter().any(|entry| entry.key == "gate") {
            entries.push(entry("gate", base::Value::Text("prompt/1".to_owned())));
        }
        entries.push(entry("messages", base::Value::List(vec![part(message)])));
    }
    Ok(node)
}

/// The front matter between two `---` lines at the very start, and where the body begins.
fn split_front_matter(text: &str) -> (Option<&str>, usize) {
    let Some(rest) = text.strip_prefix("---\n") else {
        return (None, 0);
    };
    let mut offset = 0;
    for line in rest.split_inclusive('\n') {
        if line.trim_end() == "---" {
            return (rest.get(..offset), 4 + offset + line.len());
        }
        offset += line.len();
    }
    (None, 0)
}

fn decode_document(
    reader: &mut Reader<'_>,
    node: &Node,
    expected: &Expected,
) -> Option<PromptVersion> {
    let mut table = Table::new(reader, node, "the prompt")?;
    if let Some(format) = table.require(reader, "gate") {
        reader.check_format(format, "prompt/1");
    }
    check_identity(reader, &mut table, expected);
    let meta = decode_metadata(reader, &mut table);
    let model_hint = table
        .get("model_hint")
        .and_then(|node| reader.nonempty(node, "`model_hint`"));
    let params = table
        .get("params")
        .and_then(|node| super::params::decode(reader, node));
    let messages_node = table.require(reader, "messages");
    let messages = messages_node.and_then(|node| decode_messages(reader, node));
    let declared_node = table.get("variables");
    let declared = declared_node.and_then(|node| decode_variables(reader, node));
    let tools = table
        .get("tools")
        .and_then(|node| super::params::decode_tools(reader, node));
    let response_format = table
        .get("response_format")
        .and_then(|node| super::params::decode_response_format(reader, node));
    refuse_layers(reader, &mut table);
    table.finish(reader);
    let messages = messages?;
    let variables = match (declared_node, declared) {
        (Some(node), Some(declared)) => {
            check_declarations(reader, node, messages_node?, &messages, &declared);
            declared
        }
        (Some(_), None) => return None,
        (None, _) => used_names(&messages)
            .iter()
            .map(|name| Variable::undeclared(name))
            .collect(),
    };
    Some(PromptVersion {
        slug: expected.slug.clone(),
        number: expected.number,
        hash: content_hash(node),
        meta,
        model_hint: model_hint.map(str::to_owned),
        params: params.unwrap_or_default(),
        variables,
        declares_variables: declared_node.is_some(),
        messages,
        tools: tools.unwrap_or_default(),
        response_format,
        source: Arc::clone(&reader.source),
    })
}

fn decode_variables(reader: &mut Reader<'_>, node: &Node) -> Option<Vec<Variable>> {
    let entries = reader.map(node, "`variables`")?;
    let declared = entries
        .iter()
        .filter_map(|entry| Variable::decode(reader, entry));
    Some(declared.collect())
}

fn refuse_layers(reader: &mut Reader<'_>, table: &mut Table<'_>) {
    if let Some(extends) = table.get("extends") {
        reader.error(
            extends.span,
            "extends",
            "`extends` is for a tenant's layer",
            "move the file to tenants/<tenant>/v<N>.yaml in the prompt's folder, or remove the key",
        );
    }
}

/// `prompt` and `version` must agree with the names of folder and file.
fn check_identity(reader: &mut Reader<'_>, table: &mut Table<'_>, expected: &Expected) {
    if let Some(node) = table.get("prompt")
        && let Some(slug) = reader.text(node, "`prompt`")
    {
        match Slug::new(slug) {
            Err(error) => reader.error(
                node.span,
                "slug",
                error.to_string(),
                "use words of a-z and 0-9 joined by `-`",
            ),
            Ok(slug) if slug != expected.slug && expected.number.is_some() => {
                let message = format!(
                    "`prompt` says `{slug}`, the folder says `{}`",
                    expected.slug
                );
                reader.error(node.span, "prompt-name", message, "make the two agree");
            }
            Ok(_) => {}
        }
    }
    if let Some(node) = table.get("version")
        && let Some(number) = reader.whole(node, "`version`", 1)
        && let Some(expected) = expected.number
        && number != u64::from(expected)
    {
        let message = format!("`version` says {number}, the file's name says v{expected}");
        reader.error(
            node.span,
            "prompt-version",
            message,
            "make the two agree; an existing version never changes",
        );
    }
}

fn decode_metadata(reader: &mut Reader<'_>, table: &mut Table<'_>) -> Metadata {
    let mut text = |key: &'static str| {
        let node = table.get(key)?;
        reader.text(node, &format!("`{key}`")).map(str::to_owned)
    };
    let (description, author, created_at) =
        (text("description"), text("author"), text("created_at"));
    if let (Some(time), Some(node)) = (&created_at, table.get("created_at"))
        && let Err(error) = time.parse::<Timestamp>()
    {
        reader.error(
            node.span,
            "time",
            format!("`created_at`: {error}"),
            "write the time in UTC, as `2026-10-02T09:30:00Z`",
        );
    }
    let tags = table
        .get("tags")
        .and_then(|node| reader.texts(node, "`tags`"))
        .unwrap_or_default();
    Metadata {
        description,
        author,
        created_at,
        tags,
    }
}

fn decode_messages(reader: &mut Reader<'_>, node: &Node) -> Option<Vec<MessageTemplate>> {
    let items = reader.list(node, "`messages`")?;
    if items.is_empty() {
        reader.error(
            node.span,
            "empty",
            "`messages` has no message",
            "add a message with `role` and `content`",
        );
        return None;
    }
    let messages: Vec<MessageTemplate> = items
        .iter()
        .filter_map(|item| decode_message(reader, item))
        .collect();
    (messages.len() == items.len()).then_some(messages)
}

fn decode_message(reader: &mut Reader<'_>, node: &Node) -> Option<MessageTemplate> {
    let mut table = Table::new(reader, node, "the message")?;
    let role = table
        .require(reader, "role")
        .and_then(|node| reader.word(node, "`role`", &Role::WORDS));
    let content = table.require(reader, "content").and_then(|node| {
        let text = reader.text(node, "`content`")?;
        parse_template(reader, node, text)
    });
    // Tenant layers read these two; whatever they say is part of the content hash.
    for key in ["open", "locked"] {
        if let Some(node) = table.get(key) {
            reader.boolean(node, key);
        }
    }
    if let Some(node) = table.get("block") {
        reader.nonempty(node, "`block`");
    }
    table.finish(reader);
    Some(MessageTemplate {
        role: role?,
        content: content?,
    })
}

fn parse_template(reader: &mut Reader<'_>, node: &Node, text: &str) -> Option<Template> {
    match Template::parse(text) {
        Ok(template) => Some(template),
        Err(errors) => {
            for error in errors {
                let span = find_in(&reader.source, node.span, &error.tag).unwrap_or(node.span);
                reader.error(span, "template", error.message, error.help);
            }
            None
        }
    }
}

/// The place of a tag within a value: block text is indented in the file, so it is searched for.
fn find_in(source: &Source, within: Span, tag: &str) -> Option<Span> {
    let inside = source.text.get(within.start..)?;
    let start = within.start + inside.find(tag)?;
    Some(Span {
        start,
        end: start + tag.len(),
    })
}

fn used_names(messages: &[MessageTemplate]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for reference in messages
        .iter()
        .flat_map(|message| message.content.references())
    {
        if !names.contains(&reference.name) {
            names.push(reference.name.clone());
        }
    }
    names
}

/// Every variable used is declared, and the other way round.
fn check_declarations(
    reader: &mut Reader<'_>,
    declared_node: &Node,
    messages_node: &Node,
    messages: &[MessageTemplate],
    declared: &[Variable],
) {
    let used = used_names(messages);
    let names: Vec<&str> = declared
        .iter()
        .map(|variable| variable.name.as_str())
        .collect();
    for name in used.iter().filter(|name| !names.contains(&name.as_str())) {
        let tags = [format!("{{{{{name}"), format!("{{{{ {name}")];
        let span = tags
            .iter()
            .find_map(|tag| find_in(&reader.source, messages_node.span, tag));
        let span = span.unwrap_or(messages_node.span);
        let near = base::text::suggestion(name, names.iter().copied());
        let help = near.map_or_else(
            || format!("add `{name}` to `variables`"),
            |near| format!("did you mean `{near}`?"),
        );
        reader.error(
            span,
            "undeclared-variable",
            format!("`{{{{{name}}}}}` is used but not declared"),
            help,
        );
    }
    let Some(entries) = reader.map(declared_node, "`variables`") else {
        return;
    };
    let unused: Vec<_> = entries
        .iter()
        .filter(|entry| !used.contains(&entry.key))
        .collect();
    for entry in unused {
        let message = format!(
            "variable `{}` is declared but not used in any message",
            entry.key
        );
        reader.error(
            entry.key_span,
            "unused-variable",
            message,
            "use it or remove it",
        );
    }
}

/// The content hash of formats.md section 3.
fn content_hash(document: &Node) -> Digest {
    Digest::of_json(&hashed(document).into())
}

/// What the content hash covers.
fn hashed(document: &Node) -> Map<String, Value> {
    let mut content = Map::new();
    for key in HASHED {
        if let Some(node) = document.get(key).filter(|node| !node.is_null()) {
            content.insert(key.to_owned(), without_null_keys(key, node.to_json()));
        }
    }
    content
}

/// What the content hash of a version covers, as it is written: for those who read it as JSON.
#[must_use]
pub fn content(version: &PromptVersion) -> Map<String, Value> {
    let name = version.source.name.as_str();
    let is_text = [".md", ".txt"].iter().any(|end| name.ends_with(end));
    let form = if is_text { Form::Text } else { Form::Yaml };
    document(&version.source, form).map_or_else(|_| Map::new(), |node| hashed(&node))
}

/// Leaves out the keys of our own forms that are null. Values that pass through to the provider
/// (`params.extra`, tools, schemas, defaults) keep their nulls: those reach the model.
fn without_null_keys(key: &str, value: Value) -> Value {
    let strip = |value: Value| match value {
        Value::Object(fields) => fields
            .into_iter()
            .filter(|(_, inner)| !inner.is_null())
            .collect::<Map<_, _>>()
            .into(),
        other => other,
    };
    match (key, value) {
        ("params", value) => strip(value),
        ("messages", Value::Array(items)) => items.into_iter().map(strip).collect(),
        ("variables", Value::Object(fields)) => fields
            .into_iter()
            .map(|(name, spec)| (name, strip(spec)))
            .collect::<Map<_, _>>()
            .into(),
        (_, value) => value,
    }
}

#[cfg(test)]
mod tests;
