//! The variables of imported prompts: what the tests say about their types, and the values as the
//! dataset takes them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value as Json, json};

use super::nunjucks::js_text;

/// What the values of a variable have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Number,
    Boolean,
    List,
    Object,
}

/// The variables of a suite.
#[derive(Debug, Default)]
pub struct Variables {
    declared: BTreeMap<String, Json>,
    texts: BTreeSet<String>,
}

fn kind_of(value: &Json) -> Kind {
    match value {
        Json::Number(_) => Kind::Number,
        Json::Bool(_) => Kind::Boolean,
        Json::Array(_) => Kind::List,
        Json::Object(_) => Kind::Object,
        Json::String(_) | Json::Null => Kind::Text,
    }
}

/// The least bound that leaves room above what is there.
fn bound(longest: usize) -> usize {
    const LEAST: usize = 10_000;
    let mut bound = LEAST;
    while bound < longest.saturating_mul(2) {
        bound = bound.saturating_mul(10);
    }
    bound
}

impl Variables {
    /// Looks at the values that the tests give to the names that prompts use.
    #[must_use]
    pub fn of(names: &BTreeSet<&str>, tests: &[&Map<String, Json>]) -> Self {
        let mut variables = Self::default();
        for name in names {
            let values: Vec<&Json> = tests.iter().filter_map(|vars| vars.get(*name)).collect();
            let mut kinds: Vec<Kind> = values.iter().map(|value| kind_of(value)).collect();
            kinds.dedup();
            let everywhere = values.len() == tests.len() && !values.is_empty();
            let declared = match kinds.as_slice() {
                [Kind::Number] if everywhere => json!({"type": "number"}),
                [Kind::Boolean] if everywhere => json!({"type": "boolean"}),
                [Kind::List] if everywhere => json!({"type": "list"}),
                [Kind::Object] if everywhere => json!({"type": "object"}),
                _ => {
                    variables.texts.insert((*name).to_owned());
                    text_variable(&values, everywhere)
                }
            };
            variables.declared.insert((*name).to_owned(), declared);
        }
        variables
    }

    /// The declarations of the names that one prompt uses.
    #[must_use]
    pub fn declared(&self, names: &BTreeSet<&str>) -> Map<String, Json> {
        let used = self.declared.iter();
        let used = used.filter(|(name, _)| names.contains(name.as_str()));
        used.map(|(name, declared)| (name.clone(), declared.clone()))
            .collect()
    }

    /// The values of a test as the dataset has them: text where a variable is text.
    #[must_use]
    pub fn values(&self, vars: &Map<String, Json>) -> Map<String, Json> {
        let value = |(name, value): (&String, &Json)| {
            let value = match value {
                Json::String(_) => value.clone(),
                other if self.texts.contains(name) => js_text(other).into(),
                other => other.clone(),
            };
            (name.clone(), value)
        };
        vars.iter().map(value).collect()
    }
}

fn text_variable(values: &[&Json], everywhere: bool) -> Json {
    let texts: Vec<String> = values.iter().map(|value| js_text(value)).collect();
    let longest = texts.iter().map(|text| text.chars().count()).max();
    let mut declared = json!({"type": "string", "max_length": bound(longest.unwrap_or(0))});
    let control =
        |c: char| (c.is_control() && c != '\n' && c != '\t') || crate::base::text::is_deceptive(c);
    if let Json::Object(fields) = &mut declared {
        if !everywhere {
            // Nunjucks prints nothing for what is not there.
            fields.insert("required".to_owned(), false.into());
            fields.insert("default".to_owned(), "".into());
        }
        if texts.iter().any(|text| text.contains(control)) {
            fields.insert("allow_control".to_owned(), true.into());
        }
    }
    declared
}
