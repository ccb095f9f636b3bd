//! A compact, sorted map from text to values, of which hundreds of thousands fit in memory.

use std::sync::Arc;

use serde_json::{Map, Value};

/// A small map with sorted text keys, a fraction of the size of a tree.
#[derive(Debug, Clone, PartialEq)]
pub struct Fields<T>(Box<[(Arc<str>, T)]>);

impl<T> Fields<T> {
    /// A map of these entries, whose keys are distinct.
    #[must_use]
    pub fn new(mut entries: Vec<(Arc<str>, T)>) -> Self {
        entries.sort_by(|a, b| a.0.cmp(&b.0));
        Self(entries.into_boxed_slice())
    }

    /// The value of a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&T> {
        let index = self
            .0
            .binary_search_by(|(name, _)| name.as_ref().cmp(key))
            .ok()?;
        self.0.get(index).map(|(_, value)| value)
    }

    /// Keys and values in the order of the keys.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &T)> {
        self.0.iter().map(|(key, value)| (key.as_ref(), value))
    }

    /// Whether there is no entry.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<T> Default for Fields<T> {
    fn default() -> Self {
        Self(Box::default())
    }
}

impl Fields<Value> {
    /// The entries as a JSON object.
    #[must_use]
    pub fn to_json(&self) -> Value {
        self.iter()
            .map(|(key, value)| (key.to_owned(), value.clone()))
            .collect::<Map<_, _>>()
            .into()
    }
}
