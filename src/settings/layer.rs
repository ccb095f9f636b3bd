//! Values by key in layers; a later layer wins, and every value knows where it comes from.

use std::collections::BTreeMap;
use std::fmt;

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// The program.
    Default,
    /// `gate.yaml`.
    ProjectFile,
    /// A profile of `gate.yaml`.
    Profile(String),
    /// An environment variable.
    Environment(String),
    /// A flag of the command line.
    Flag,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::ProjectFile => f.write_str("gate.yaml"),
            Self::Profile(name) => write!(f, "gate.yaml, profile {name}"),
            Self::Environment(variable) => f.write_str(variable),
            Self::Flag => f.write_str("flag"),
        }
    }
}

/// A value as text, with its origin. A list has several texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given {
    /// The texts.
    pub texts: Vec<String>,
    /// Where they come from.
    pub origin: Origin,
}

/// Values by key.
#[derive(Debug, Clone, Default)]
pub struct Layers(BTreeMap<&'static str, Given>);

impl Layers {
    /// Puts a value over what is there, if its origin is at least as strong.
    pub fn put(&mut self, key: &'static str, texts: Vec<String>, origin: Origin) {
        if self.0.get(key).is_none_or(|held| held.origin <= origin) {
            self.0.insert(key, Given { texts, origin });
        }
    }

    /// The value of a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Given> {
        self.0.get(key)
    }

    /// All values in the order of their keys.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &Given)> {
        self.0.iter().map(|(key, given)| (*key, given))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stronger_origin_wins_whatever_the_order() {
        let mut layers = Layers::default();
        layers.put("a", vec!["flag".into()], Origin::Flag);
        layers.put("a", vec!["file".into()], Origin::ProjectFile);
        layers.put("b", vec!["file".into()], Origin::ProjectFile);
        layers.put("b", vec!["profile".into()], Origin::Profile("ci".into()));
        assert_eq!(
            layers.get("a").map(|g| g.texts.join(",")),
            Some("flag".into())
        );
        assert_eq!(
            layers.get("b").map(|g| g.origin.to_string()),
            Some("gate.yaml, profile ci".into())
        );
    }
}
