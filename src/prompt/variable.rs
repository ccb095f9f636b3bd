//! Declared variables of a prompt: their types, and the check of a case's values against them.

use regex::Regex;
use serde_json::Value;

use crate::base::decode::{Reader, Table};
use crate::base::{Entry, Node, text};

/// A declared variable.
#[derive(Debug, Clone)]
pub struct Variable {
    /// Its name in templates and cases.
    pub name: String,
    /// What values it takes.
    pub kind: VariableKind,
    /// Whether each case has to give a value.
    pub required: bool,
    /// The value where a case gives none.
    pub default: Option<Value>,
    /// Whether control characters and bidi overrides are let through.
    pub allow_control: bool,
}

/// The type of a variable.
#[derive(Debug, Clone)]
pub enum VariableKind {
    /// Text.
    Text {
        /// The most Unicode scalar values.
        max_length: Option<u64>,
        /// A pattern that the whole text must match.
        pattern: Option<Regex>,
    },
    /// A whole number.
    Integer {
        /// The least value.
        min: Option<f64>,
        /// The greatest value.
        max: Option<f64>,
    },
    /// A number.
    Number {
        /// The least value.
        min: Option<f64>,
        /// The greatest value.
        max: Option<f64>,
    },
    /// `true` or `false`.
    Boolean,
    /// One of a list of words.
    Enum {
        /// The words.
        values: Vec<String>,
    },
    /// A JSON list.
    List {
        /// The JSON Schema it must fit.
        schema: Option<Schema>,
    },
    /// A JSON object.
    Object {
        /// The JSON Schema it must fit.
        schema: Option<Schema>,
    },
}

/// A compiled JSON Schema.
#[derive(Debug, Clone)]
pub struct Schema(std::sync::Arc<jsonschema::Validator>);

/// What is wrong with a case's value for a variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VariableFault {
    /// The rule, as in diagnostics.
    pub rule: &'static str,
    /// What is wrong, without the variable's name.
    pub message: String,
    /// What to do.
    pub help: String,
}

fn fault(rule: &'static str, message: impl Into<String>, help: impl Into<String>) -> VariableFault {
    VariableFault {
        rule,
        message: message.into(),
        help: help.into(),
    }
}

impl Variable {
    /// An undeclared variable, which counts as text of any length.
    #[must_use]
    pub fn undeclared(name: &str) -> Self {
        let kind = VariableKind::Text {
            max_length: None,
            pattern: None,
        };
        Self {
            name: name.to_owned(),
            kind,
            required: true,
            default: None,
            allow_control: false,
        }
    }

    /// Reads one entry of `variables`.
    pub fn decode(reader: &mut Reader<'_>, entry: &Entry) -> Option<Self> {
        let what = format!("variable `{}`", entry.key);
        if !super::template::is_identifier(&entry.key) {
            let message = format!("`{}` can not name a variable", entry.key);
            reader.error(
                entry.key_span,
                "variable-name",
                message,
                "use letters, digits, `_` and `-`",
            );
        }
        let mut table = Table::new(reader, &entry.value, &what)?;
        let kind_node = table.require(reader, "type");
        let kind = kind_node.and_then(|node| decode_kind(reader, &mut table, node));
        let required = table
            .get("required")
            .and_then(|node| reader.boolean(node, "`required`"));
        let allow_control = table
            .get("allow_control")
            .and_then(|node| reader.boolean(node, "`allow_control`"));
        let default_node = table.get("default");
        table.finish(reader);
        let variable = Self {
            name: entry.key.clone(),
            kind: kind?,
            required: required.unwrap_or(true),
            default: default_node.map(Node::to_json),
            allow_control: allow_control.unwrap_or(false),
        };
        if let (Some(node), Some(default)) = (default_node, &variable.default)
            && let Err(fault) = variable.check(default)
        {
            let message = format!("the default of `{}` {}", variable.name, fault.message);
            reader.error(node.span, fault.rule, message, fault.help);
        }
        Some(variable)
    }

    /// Checks a value.
    ///
    /// # Errors
    /// What is wrong with the value, without its name.
    pub fn check(&self, value: &Value) -> Result<(), VariableFault> {
        match (&self.kind, value) {
            (
                VariableKind::Text {
                    max_length,
                    pattern,
                },
                Value::String(given),
            ) => {
                self.check_control(given)?;
                check_text(given, *max_length, pattern.as_ref())
            }
            (VariableKind::Enum { values }, Value::String(given)) => {
                if values.contains(given) {
                    return Ok(());
                }
                let known: Vec<&str> = values.iter().map(String::as_str).collect();
                let shown = text::shorten(given, 40);
                Err(fault(
                    "variable-value",
                    format!("is `{shown}`, which is none of its values"),
                    crate::base::decode::choices(given, &known),
                ))
            }
            (VariableKind::Integer { min, max }, Value::Number(number)) => {
                let number = number.as_f64().unwrap_or(f64::NAN);
                if number.fract() != 0.0 {
                    return Err(fault(
                        "variable-type",
                        format!("is {number}, not a whole number"),
                        "write a whole number",
                    ));
                }
                check_range(number, *min, *max)
            }
            (VariableKind::Number { min, max }, Value::Number(number)) => {
                check_range(number.as_f64().unwrap_or(f64::NAN), *min, *max)
            }
            (VariableKind::Boolean, Value::Bool(_)) => Ok(()),
            (VariableKind::List { schema }, Value::Array(_))
            | (VariableKind::Object { schema }, Value::Object(_)) => {
                self.check_control_inside(value)?;
                schema.as_ref().map_or(Ok(()), |schema| schema.check(value))
            }
            (kind, value) => Err(fault(
                "variable-type",
                format!("is {}, not {}", json_kind(value), kind.describe()),
                format!("write {}", kind.describe()),
            )),
        }
    }

    fn check_control(&self, given: &str) -> Result<(), VariableFault> {
        if self.allow_control {
            return Ok(());
        }
        match given.chars().find(|c| text::is_deceptive(*c)) {
            None => Ok(()),
            Some(found) => Err(fault(
                "control-character",
                format!("holds the control character U+{:04X}", u32::from(found)),
                "remove it, or say `allow_control: true` for this variable",
            )),
        }
    }

    fn check_control_inside(&self, value: &Value) -> Result<(), VariableFault> {
        match value {
            Value::String(given) => self.check_control(given),
            Value::Array(items) => items
                .iter()
                .try_for_each(|item| self.check_control_inside(item)),
            Value::Object(fields) => fields.iter().try_for_each(|(key, item)| {
                self.check_control(key)
                    .and_then(|()| self.check_control_inside(item))
            }),
            Value::Null | Value::Bool(_) | Value::Number(_) => Ok(()),
        }
    }
}

impl VariableKind {
    /// The type in words.
    #[must_use]
    pub fn describe(&self) -> &'static str {
        match self {
            Self::Text { .. } => "text",
            Self::Integer { .. } => "a whole number",
            Self::Number { .. } => "a number",
            Self::Boolean => "true or false",
            Self::Enum { .. } => "one of its words",
            Self::List { .. } => "a list",
            Self::Object { .. } => "an object",
        }
    }
}

impl Schema {
    /// Compiles a JSON Schema; references to other documents are refused.
    ///
    /// # Errors
    /// What the schema compiler says.
    pub fn compile(schema: &Value) -> Result<Self, String> {
        let validator = jsonschema::validator_for(schema).map_err(|error| error.to_string())?;
        Ok(Self(std::sync::Arc::new(validator)))
    }

    /// Checks a value.
    ///
    /// # Errors
    /// The first way in which the value does not fit.
    pub fn check(&self, value: &Value) -> Result<(), VariableFault> {
        self.0.validate(value).map_err(|error| {
            let place = error.instance_path().to_string();
            let shown = error.to_string();
            let message = format!(
                "does not fit its schema at `{place}`: {}",
                text::shorten(&shown, 200)
            );
            fault("variable-schema", message, "change the value or the schema")
        })
    }
}

fn json_kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

fn check_text(
    given: &str,
    max_length: Option<u64>,
    pattern: Option<&Regex>,
) -> Result<(), VariableFault> {
    if let Some(limit) = max_length {
        let length = given.chars().count() as u64;
        if length > limit {
            let message = format!("has {length} characters, {limit} are allowed");
            return Err(fault(
                "variable-length",
                message,
                "shorten the value, or raise `max_length` in the prompt",
            ));
        }
    }
    match pattern {
        Some(pattern) if !pattern.is_match(given) => Err(fault(
            "variable-pattern",
            "does not match its pattern",
            "change the value or the pattern",
        )),
        _ => Ok(()),
    }
}

fn check_range(number: f64, min: Option<f64>, max: Option<f64>) -> Result<(), VariableFault> {
    if let Some(min) = min.filter(|min| number < *min) {
        return Err(fault(
            "variable-range",
            format!("is {number}, less than {min}"),
            format!("write {min} or more"),
        ));
    }
    if let Some(max) = max.filter(|max| number > *max) {
        return Err(fault(
            "variable-range",
            format!("is {number}, more than {max}"),
            format!("write {max} or less"),
        ));
    }
    Ok(())
}

#[derive(Clone, Copy)]
enum KindWord {
    Text,
    Integer,
    Number,
    Boolean,
    Enum,
    List,
    Object,
}

const KINDS: [(&str, KindWord); 7] = [
    ("string", KindWord::Text),
    ("integer", KindWord::Integer),
    ("number", KindWord::Number),
    ("boolean", KindWord::Boolean),
    ("enum", KindWord::Enum),
    ("list", KindWord::List),
    ("object", KindWord::Object),
];

fn decode_kind(
    reader: &mut Reader<'_>,
    table: &mut Table<'_>,
    node: &Node,
) -> Option<VariableKind> {
    let bound = |reader: &mut Reader<'_>, table: &mut Table<'_>, key| {
        let node = table.get(key)?;
        reader.number(node, &format!("`{key}`"), f64::NEG_INFINITY, f64::INFINITY)
    };
    Some(match reader.word(node, "the type of a variable", &KINDS)? {
        KindWord::Text => VariableKind::Text {
            max_length: table
                .get("max_length")
                .and_then(|node| reader.whole(node, "`max_length`", 1)),
            pattern: table
                .get("pattern")
                .and_then(|node| decode_pattern(reader, node)),
        },
        KindWord::Integer => VariableKind::Integer {
            min: bound(reader, table, "min"),
            max: bound(reader, table, "max"),
        },
        KindWord::Number => VariableKind::Number {
            min: bound(reader, table, "min"),
            max: bound(reader, table, "max"),
        },
        KindWord::Boolean => VariableKind::Boolean,
        KindWord::Enum => {
            let values = table.require(reader, "values")?;
            let words = reader.texts(values, "`values`")?;
            if words.is_empty() {
                reader.error(
                    values.span,
                    "empty",
                    "`values` has no word",
                    "list the words allowed",
                );
            }
            VariableKind::Enum { values: words }
        }
        KindWord::List => VariableKind::List {
            schema: decode_schema(reader, table),
        },
        KindWord::Object => VariableKind::Object {
            schema: decode_schema(reader, table),
        },
    })
}

fn decode_pattern(reader: &mut Reader<'_>, node: &Node) -> Option<Regex> {
    let pattern = reader.text(node, "`pattern`")?;
    match Regex::new(&format!("^(?:{pattern})$")) {
        Ok(regex) => Some(regex),
        Err(error) => {
            let message = format!(
                "`pattern` is not a valid regular expression: {}",
                last_line(&error.to_string())
            );
            reader.error(
                node.span,
                "regex",
                message,
                "look-around and back-references are not supported",
            );
            None
        }
    }
}

fn last_line(text: &str) -> &str {
    text.lines()
        .last()
        .unwrap_or(text)
        .trim_start_matches("error: ")
}

fn decode_schema(reader: &mut Reader<'_>, table: &mut Table<'_>) -> Option<Schema> {
    let node = table.get("schema")?;
    match Schema::compile(&node.to_json()) {
        Ok(schema) => Some(schema),
        Err(message) => {
            let message = format!("`schema` is not a valid JSON Schema: {message}");
            reader.error(node.span, "json-schema", message, "mend the schema");
            None
        }
    }
}
