//! The declared form of a scorer: what its type is called, which keys it takes, and the reading of
//! their values. The reading reports every error at its place and goes on.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::spec::Kind;
use super::template::{Operand, Reference, Template, TemplateError};
use crate::base::decode::Reader;
use crate::base::{Node, Span, Table};

/// Reads a JSON Schema that a suite names by path.
pub type Schemas<'f> = &'f dyn Fn(&str) -> Result<Value, String>;

/// A scorer type of the catalogue.
#[derive(Debug, Clone, Copy)]
pub struct ScorerType {
    /// The word under `type`.
    pub name: &'static str,
    /// The keys it takes besides `type`, `name`, `gating`, `transform` (and `threshold`).
    pub keys: &'static [&'static str],
    /// Whether `not-` before the name has a meaning.
    pub negatable: bool,
    /// Whether its score is graded, so that it takes `threshold`.
    pub graded: bool,
    /// The cargo feature that this build lacks for it.
    pub lacks: Option<&'static str>,
    /// Reads the type's own keys.
    pub decode: fn(&mut Form<'_, '_, '_>) -> Option<Kind>,
}

impl ScorerType {
    /// A type that passes or not, and exists with `not-` too.
    #[must_use]
    pub const fn new(
        name: &'static str,
        keys: &'static [&'static str],
        decode: fn(&mut Form<'_, '_, '_>) -> Option<Kind>,
    ) -> Self {
        Self {
            name,
            keys,
            negatable: true,
            graded: false,
            lacks: None,
            decode,
        }
    }

    /// A type that only builds with a cargo feature have, and this one does not.
    #[must_use]
    pub const fn lacking(
        name: &'static str,
        keys: &'static [&'static str],
        feature: &'static str,
    ) -> Self {
        Self {
            lacks: Some(feature),
            ..Self::new(name, keys, |_| None)
        }
    }

    /// The type with a graded score.
    #[must_use]
    pub const fn graded(self) -> Self {
        Self {
            graded: true,
            ..self
        }
    }

    /// The type without a `not-` form.
    #[must_use]
    pub const fn never_negated(self) -> Self {
        Self {
            negatable: false,
            ..self
        }
    }
}

/// A scorer's map while it is read.
pub struct Form<'f, 'r, 'n> {
    /// Where errors go.
    pub reader: &'f mut Reader<'r>,
    /// How schemas are read by path.
    pub schemas: Schemas<'f>,
    /// How many sets of scorers this one stands in.
    pub depth: usize,
    table: Table<'n>,
    what: String,
    references: Vec<Reference>,
    resolved: Map<String, Value>,
}

/// What remains of a form when its scorer is read.
#[derive(Debug, Default)]
pub struct Leftovers {
    /// Every reference of the scorer's texts.
    pub references: Vec<Reference>,
    /// Values that stand for others in the resolved form, such as a schema for its path.
    pub resolved: Map<String, Value>,
}

impl<'f, 'r, 'n> Form<'f, 'r, 'n> {
    /// Starts to read the map of a scorer.
    pub fn new(
        reader: &'f mut Reader<'r>,
        node: &'n Node,
        schemas: Schemas<'f>,
        depth: usize,
    ) -> Option<Self> {
        let table = Table::new(reader, node, "a scorer")?;
        Some(Self {
            reader,
            schemas,
            depth,
            table,
            what: "the scorer".to_owned(),
            references: Vec::new(),
            resolved: Map::new(),
        })
    }

    /// Names the scorer by its type in messages.
    pub fn name_type(&mut self, name: &str, node: &'n Node) {
        self.what = format!("scorer `{name}`");
        if let Some(table) = Table::new(self.reader, node, &self.what) {
            self.table = table;
        }
    }

    /// Reports the keys that nobody asked for.
    pub fn finish(self) -> Leftovers {
        self.table.finish(self.reader);
        Leftovers {
            references: self.references,
            resolved: self.resolved,
        }
    }

    /// Where the scorer stands.
    #[must_use]
    pub fn span(&self) -> Span {
        self.table.span()
    }

    /// The keys asked for so far.
    #[must_use]
    pub fn known(&self) -> &[&'static str] {
        self.table.known()
    }

    /// Keeps a value for the resolved form of the scorer.
    pub fn resolve(&mut self, key: &'static str, value: Value) {
        self.resolved.insert(key.to_owned(), value);
    }

    /// Keeps references that were read elsewhere.
    pub fn refer(&mut self, references: impl IntoIterator<Item = Reference>) {
        for reference in references {
            if !self.references.contains(&reference) {
                self.references.push(reference);
            }
        }
    }

    /// Reports an error at the scorer as a whole.
    pub fn error(&mut self, rule: &'static str, message: impl AsRef<str>, help: impl Into<String>) {
        let message = format!("{} {}", self.what, message.as_ref());
        self.reader.error(self.table.span(), rule, message, help);
    }

    /// The value of a key, if it is there.
    pub fn get(&mut self, key: &'static str) -> Option<&'n Node> {
        self.table.get(key)
    }

    /// The value of a key that must be there.
    pub fn require(&mut self, key: &'static str) -> Option<&'n Node> {
        self.table.require(self.reader, key)
    }

    fn reference_error(&mut self, node: &Node, error: &TemplateError) {
        self.reader.error(
            node.span,
            "reference",
            error.to_string(),
            "write {{expected}}, {{expected.field}} or {{vars.name}}; {{\"{{\"}} is a literal brace pair",
        );
    }

    fn parse_template(&mut self, node: &Node, text: &str) -> Option<Template> {
        match Template::parse(text) {
            Ok(template) => {
                self.refer(template.references().cloned());
                Some(template)
            }
            Err(error) => {
                self.reference_error(node, &error);
                None
            }
        }
    }

    /// A text with references that must be there and may be empty.
    pub fn text(&mut self, key: &'static str) -> Option<(&'n Node, Template)> {
        let node = self.require(key)?;
        let text = self.reader.text(node, &format!("`{key}`"))?;
        let template = self.parse_template(node, text)?;
        Some((node, template))
    }

    /// A text with references that must be there and is not empty.
    pub fn nonempty(&mut self, key: &'static str) -> Option<(&'n Node, Template)> {
        let node = self.require(key)?;
        let text = self.reader.nonempty(node, &format!("`{key}`"))?;
        let template = self.parse_template(node, text)?;
        Some((node, template))
    }

    /// A text of a list, with references, that is not empty.
    pub fn template(&mut self, node: &Node, what: &str) -> Option<Template> {
        let text = self.reader.nonempty(node, what)?;
        self.parse_template(node, text)
    }

    /// A text with references that may be absent.
    pub fn optional_text(&mut self, key: &'static str) -> Option<Template> {
        let node = self.get(key)?;
        let text = self.reader.text(node, &format!("`{key}`"))?;
        self.parse_template(node, text)
    }

    /// A JSON value with references that must be there.
    pub fn operand(&mut self, key: &'static str) -> Option<Operand> {
        let node = self.require(key)?;
        self.parse_operand(node)
    }

    fn parse_operand(&mut self, node: &Node) -> Option<Operand> {
        match Operand::parse(&node.to_json()) {
            Ok(operand) => {
                let references = &mut self.references;
                operand.references(&mut |reference| {
                    if !references.contains(reference) {
                        references.push(reference.clone());
                    }
                });
                Some(operand)
            }
            Err(error) => {
                self.reference_error(node, &error);
                None
            }
        }
    }

    /// A list of texts that are not empty, or a reference to one.
    pub fn texts(&mut self, key: &'static str) -> Option<Operand> {
        let node = self.require(key)?;
        let operand = self.parse_operand(node)?;
        if operand.is_reference() {
            return Some(operand);
        }
        let what = format!("`{key}`");
        let items = self.reader.list(node, &what)?;
        let item = format!("an item of {what}");
        let good = items
            .iter()
            .filter_map(|node| self.reader.nonempty(node, &item))
            .count();
        if items.is_empty() {
            self.reader.error(
                node.span,
                "empty",
                format!("{what} may not be empty"),
                "write at least one text",
            );
        }
        (good == items.len() && good > 0).then_some(operand)
    }

    /// A text or a list of texts, of which any may be met.
    pub fn alternatives(&mut self, key: &'static str) -> Option<Operand> {
        let node = self.require(key)?;
        let operand = self.parse_operand(node)?;
        let what = format!("`{key}`");
        if let crate::base::Value::List(items) = &node.value {
            let texts = self.reader.texts(node, &what)?;
            if items.is_empty() || texts.is_empty() {
                let help = "write at least one text";
                self.reader
                    .error(node.span, "empty", format!("{what} may not be empty"), help);
                return None;
            }
        } else {
            self.reader.text(node, &what)?;
        }
        Some(operand)
    }

    /// A number that may be absent.
    pub fn number(&mut self, key: &'static str, low: f64, high: f64) -> Option<f64> {
        let node = self.get(key)?;
        self.reader.number(node, &format!("`{key}`"), low, high)
    }

    /// A whole number that may be absent.
    pub fn whole(&mut self, key: &'static str, low: u64) -> Option<u64> {
        let node = self.get(key)?;
        self.reader.whole(node, &format!("`{key}`"), low)
    }

    /// `true` or `false`, by default `false`.
    pub fn flag(&mut self, key: &'static str) -> bool {
        let node = self.get(key);
        node.and_then(|node| self.reader.boolean(node, &format!("`{key}`")))
            .unwrap_or(false)
    }

    /// One of a few words, which may be absent.
    pub fn word<T: Copy>(&mut self, key: &'static str, words: &[(&str, T)]) -> Option<T> {
        let node = self.get(key)?;
        self.reader.word(node, &format!("`{key}`"), words)
    }

    /// A JSON Schema, inline or by path, which may be absent: the outer `None` is an error.
    pub fn schema(&mut self, key: &'static str) -> Option<Option<Arc<jsonschema::Validator>>> {
        let Some(node) = self.get(key) else {
            return Some(None);
        };
        let schema = match node.as_text() {
            Some(path) => match (self.schemas)(path) {
                Ok(schema) => {
                    self.resolve(key, schema.clone());
                    schema
                }
                Err(message) => {
                    let message = format!("the schema `{path}` can not be read: {message}");
                    let help = "write the path of a JSON file, relative to this one";
                    self.reader.error(node.span, "schema", message, help);
                    return None;
                }
            },
            None => node.to_json(),
        };
        match super::assertion::schema::compile(&schema) {
            Ok(validator) => Some(Some(Arc::new(validator))),
            Err(message) => {
                let help = "write a JSON Schema; references to other documents are not followed";
                self.reader.error(
                    node.span,
                    "schema",
                    format!("not a JSON Schema: {message}"),
                    help,
                );
                None
            }
        }
    }
}
