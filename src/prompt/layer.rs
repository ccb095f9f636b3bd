//! A tenant's layer over a version: it replaces or appends to blocks that the base marks `open`, and
//! touches nothing else. What comes out is a version like any other.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::file::{self, Form};
use crate::base::decode::{Reader, Table, choices};
use crate::base::{Diagnostics, Node, Slug, Source, Span, text, yaml};

/// A layer.
#[derive(Debug, Clone)]
pub struct Layer {
    /// The version that it builds on.
    pub extends: u32,
    /// What it does to blocks, in the file's order.
    changes: Vec<Change>,
    /// Variables that its texts add, as written.
    variables: Map<String, Value>,
    /// What it says about itself.
    about: Map<String, Value>,
    source: Arc<Source>,
}

#[derive(Debug, Clone)]
struct Change {
    block: String,
    span: Span,
    how: How,
    text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    Replace,
    Append,
}

/// Reads a layer.
///
/// # Errors
/// Findings go to `diagnostics`; there is no layer where one of them is an error.
pub fn decode(
    source: &Arc<Source>,
    (slug, number): (&Slug, Option<u32>),
    diagnostics: &mut Diagnostics,
) -> Option<Layer> {
    let mut found = Diagnostics::new();
    let layer = match yaml::parse(source) {
        Ok(node) => {
            let mut reader = Reader {
                source: Arc::clone(source),
                diagnostics: &mut found,
            };
            decode_document(&mut reader, &node, slug, number)
        }
        Err(errors) => {
            found.extend(errors);
            None
        }
    };
    let usable = !found.has_errors();
    diagnostics.extend(found);
    layer.filter(|_| usable)
}

fn decode_document(
    reader: &mut Reader<'_>,
    node: &Node,
    slug: &Slug,
    number: Option<u32>,
) -> Option<Layer> {
    let mut table = Table::new(reader, node, "the layer")?;
    if let Some(format) = table.require(reader, "gate") {
        reader.check_format(format, "prompt/1");
    }
    if let Some(node) = table.get("version")
        && let Some(said) = reader.whole(node, "`version`", 1)
        && let Some(number) = number
        && said != u64::from(number)
    {
        let message = format!("`version` says {said}, the file's name says v{number}");
        reader.error(node.span, "prompt-version", message, "make the two agree");
    }
    if let Some(node) = table.get("prompt")
        && let Some(said) = reader.text(node, "`prompt`")
        && said != slug.as_str()
    {
        let said = text::visible_line(said);
        let message = format!("`prompt` says `{said}`, the folder says `{slug}`");
        reader.error(node.span, "prompt-name", message, "make the two agree");
    }
    let extends = table.require(reader, "extends");
    let extends = extends.and_then(|node| decode_extends(reader, node));
    let blocks = table.require(reader, "blocks");
    let changes = blocks.and_then(|node| decode_blocks(reader, node));
    let variables = table.get("variables");
    let variables =
        variables.and_then(|node| reader.map(node, "`variables`").map(|_| node.to_json()));
    let mut about = Map::new();
    for key in ["description", "author", "created_at"] {
        let node = table.get(key);
        if let Some(said) = node.and_then(|node| reader.text(node, &format!("`{key}`"))) {
            about.insert(key.to_owned(), said.into());
        }
    }
    table.finish(reader);
    Some(Layer {
        extends: extends?,
        changes: changes?,
        variables: match variables {
            Some(Value::Object(fields)) => fields,
            _ => Map::new(),
        },
        about,
        source: Arc::clone(&reader.source),
    })
}

fn decode_extends(reader: &mut Reader<'_>, node: &Node) -> Option<u32> {
    let said = reader.text(node, "`extends`")?;
    let digits = said.strip_prefix('v').unwrap_or_default();
    let number = digits
        .parse()
        .ok()
        .filter(|_| !digits.starts_with(['0', '+']));
    if number.is_none() {
        let message = format!("`extends` is `{}`", text::visible_line(said));
        let help = "name the version it builds on, such as `v8`; a channel would move under it";
        reader.error(node.span, "extends", message, help);
    }
    number
}

fn decode_blocks(reader: &mut Reader<'_>, node: &Node) -> Option<Vec<Change>> {
    let entries = reader.map(node, "`blocks`")?;
    let mut changes = Vec::new();
    for entry in entries {
        let mut table = Table::new(reader, &entry.value, "the block")?;
        let replace = table.get("replace");
        let append = table.get("append");
        table.finish(reader);
        let (how, node) = match (replace, append) {
            (Some(node), None) => (How::Replace, node),
            (None, Some(node)) => (How::Append, node),
            (Some(_), Some(_)) | (None, None) => {
                let message = format!("block `{}` needs `replace` or `append`", entry.key);
                let help = "write one of the two, with a text";
                reader.error(entry.key_span, "block", message, help);
                continue;
            }
        };
        if let Some(text) = reader.text(node, "the text of a block") {
            changes.push(Change {
                block: entry.key.clone(),
                span: entry.key_span,
                how,
                text: text.to_owned(),
            });
        }
    }
    Some(changes)
}

impl Layer {
    /// The blocks that it changes, in order.
    #[must_use]
    pub fn blocks(&self) -> Vec<String> {
        let mut blocks: Vec<String> = self
            .changes
            .iter()
            .map(|change| change.block.clone())
            .collect();
        blocks.sort();
        blocks
    }

    /// The merged version as the text of a file of its own, in JSON, which is YAML too.
    ///
    /// # Errors
    /// Findings, each at its place in the layer: a block that the base has not, does not open, or
    /// locks, and a variable that the base declares already.
    pub fn merge(&self, base: &Arc<Source>, form: Form) -> Result<String, Diagnostics> {
        let document = file::document(base, form)?;
        let mut found = Diagnostics::new();
        let mut reader = Reader {
            source: Arc::clone(&self.source),
            diagnostics: &mut found,
        };
        let Value::Object(mut merged) = document.to_json() else {
            return Ok(String::new());
        };
        if let Some(Value::Array(messages)) = merged.get_mut("messages") {
            for change in &self.changes {
                apply(&mut reader, messages, change);
            }
        }
        self.add_variables(&mut reader, &mut merged);
        for key in [
            "prompt",
            "version",
            "description",
            "author",
            "created_at",
            "tags",
        ] {
            merged.remove(key);
        }
        merged.extend(self.about.clone());
        if found.has_errors() {
            return Err(found);
        }
        Ok(format!("{:#}\n", Value::Object(merged)))
    }

    fn add_variables(&self, reader: &mut Reader<'_>, merged: &mut Map<String, Value>) {
        if self.variables.is_empty() {
            return;
        }
        let declared = merged.entry("variables").or_insert_with(|| json!({}));
        let Some(declared) = declared.as_object_mut() else {
            return;
        };
        for (name, kind) in &self.variables {
            if declared.contains_key(name) {
                let message = format!("the base declares variable `{name}` already");
                let help = "a layer may add variables, and change none";
                reader.error(Span::default(), "layer-variable", message, help);
            } else {
                declared.insert(name.clone(), kind.clone());
            }
        }
    }
}

fn apply(reader: &mut Reader<'_>, messages: &mut [Value], change: &Change) {
    let name = |message: &Value| {
        message
            .get("block")
            .and_then(Value::as_str)
            .map(str::to_owned)
    };
    let names: Vec<String> = messages.iter().filter_map(name).collect();
    let found = messages
        .iter_mut()
        .find(|message| name(message).as_ref() == Some(&change.block));
    let block = &change.block;
    let Some(message) = found else {
        let known: Vec<&str> = names.iter().map(String::as_str).collect();
        let help = choices(block, &known);
        let message = format!("the base has no block `{}`", text::visible_line(block));
        reader.error(change.span, "no-block", message, help);
        return;
    };
    let says = |key: &str| message.get(key).and_then(Value::as_bool) == Some(true);
    if says("locked") || !says("open") {
        let word = if says("locked") {
            "locks"
        } else {
            "does not open"
        };
        let message = format!("the base {word} block `{block}`");
        let help = "leave the block as it is: only those with `open: true` may be changed";
        reader.error(change.span, "locked-block", message, help);
        return;
    }
    let Some(Value::String(content)) = message.get_mut("content") else {
        return;
    };
    match change.how {
        How::Replace => content.clone_from(&change.text),
        How::Append => {
            if !content.is_empty() && !content.ends_with('\n') {
                content.push('\n');
            }
            content.push_str(&change.text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prompt::{Expected, decode as decode_prompt};

    const BASE: &str = "gate: prompt/1\nversion: 8\ndescription: base\nvariables: {q: {type: string, max_length: 9}}\nmessages:\n  - {role: system, block: guard, locked: true, content: Never promise a refund.}\n  - {role: system, block: tone, open: true, content: Be kind.}\n  - {role: user, content: \"{{q}}\"}\n";

    fn merged(layer: &str) -> Result<String, Vec<&'static str>> {
        let rules = |found: &Diagnostics| found.iter().map(|found| found.rule).collect::<Vec<_>>();
        let mut found = Diagnostics::new();
        let source = Source::new("layer", &format!("gate: prompt/1\nextends: v8\n{layer}"));
        let Some(layer) = decode(&source, (&Slug::new("p").unwrap(), Some(1)), &mut found) else {
            return Err(rules(&found));
        };
        let base = Source::new("base", BASE);
        layer
            .merge(&base, Form::Yaml)
            .map_err(|found| rules(&found))
    }

    #[test]
    fn open_blocks_are_replaced_or_appended_to_and_the_rest_stays() {
        let text = merged("description: acme\nvariables: {shop: {type: string, max_length: 9}}\nblocks: {tone: {append: \"Greet from {{shop}}.\"}}\n").unwrap();
        let expected = Expected {
            slug: Slug::new("p").unwrap(),
            number: None,
            form: Form::Yaml,
        };
        let version =
            decode_prompt(&Source::new("m", &text), &expected, &mut Diagnostics::new()).unwrap();
        let texts: Vec<String> = version
            .messages
            .iter()
            .map(|m| m.content.to_source())
            .collect();
        assert_eq!(
            texts,
            [
                "Never promise a refund.",
                "Be kind.\nGreet from {{shop}}.",
                "{{q}}"
            ]
        );
        assert_eq!(version.meta.description.as_deref(), Some("acme"));
        assert!(version.variable("shop").is_some());
        let text = merged("blocks: {tone: {replace: \"Be brief.\"}}\n").unwrap();
        assert!(
            text.contains("\"Be brief.\"") && !text.contains("Be kind"),
            "{text}"
        );
    }

    #[test]
    fn what_is_not_open_can_not_be_touched() {
        assert_eq!(
            merged("blocks: {guard: {replace: x}}\n"),
            Err(vec!["locked-block"])
        );
        assert_eq!(
            merged("blocks: {guards: {replace: x}}\n"),
            Err(vec!["no-block"])
        );
        assert_eq!(
            merged("blocks: {tone: {replace: x, append: y}}\n"),
            Err(vec!["block"])
        );
        assert_eq!(
            merged("messages: []\nblocks: {}\n"),
            Err(vec!["unknown-key"])
        );
        assert_eq!(
            merged("variables: {q: {type: string}}\nblocks: {}\n"),
            Err(vec!["layer-variable"])
        );
    }
}
