//! A case: a row of the golden dataset, decoded and checked, in a compact form of which hundreds of
//! thousands fit in memory.

use serde_json::{Map, Value, json};

use crate::base::digest::{DigestBuilder, canonical_json};
use crate::base::{CaseId, Digest, Fields, Node};

/// A golden question with what is known about its answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    /// Unique in its dataset.
    pub id: CaseId,
    /// The line on which the case begins, from 1.
    pub line: u32,
    /// The values of the prompt's variables.
    pub vars: Fields<Value>,
    /// What the answer should be, in whatever form the scorers understand.
    pub expected: Option<Value>,
    /// What group the case is in, by key.
    pub segment: Fields<Box<str>>,
    /// Free labels.
    pub tags: Box<[Box<str>]>,
    /// Whether the candidate has to pass this case, statistics aside.
    pub must_pass: bool,
    /// Whether it is known to be flaky and has no say in any rule; it is asked and reported all the same.
    pub quarantined: bool,
    /// The group whose cases depend on each other, such as a conversation.
    pub cluster: Option<Box<str>>,
    /// The case's own scorers, decoded with the suite's.
    pub scorers: Box<[Node]>,
    /// A remark for people; not part of the digest.
    pub note: Option<Box<str>>,
    /// Keys that were written with an empty value or `false`: the digest keeps them as written.
    pub explicit_defaults: ExplicitDefaults,
}

/// Keys of a case that were written with the value that they have when they are absent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ExplicitDefaults(u8);

impl ExplicitDefaults {
    const KEYS: [&'static str; 5] = ["vars", "segment", "tags", "must_pass", "scorers"];

    /// Adds a key; one that has no such value is not kept.
    pub fn insert(&mut self, key: &str) {
        if let Some(index) = Self::KEYS.iter().position(|known| *known == key) {
            self.0 |= 1 << index;
        }
    }

    /// The keys.
    pub fn keys(self) -> impl Iterator<Item = &'static str> {
        let keys = Self::KEYS.into_iter().enumerate();
        keys.filter(move |(index, _)| self.0 & (1 << index) != 0)
            .map(|(_, key)| key)
    }
}

impl Case {
    /// Whether it has no say in any rule: quarantined, and not one that must pass.
    #[must_use]
    pub fn is_held_out(&self) -> bool {
        self.quarantined && !self.must_pass
    }

    /// The case as canonical JSON: without `note` and absent keys.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut object = Map::new();
        for key in self.explicit_defaults.keys() {
            let default = match key {
                "must_pass" => json!(false),
                "tags" | "scorers" => json!([]),
                _ => json!({}),
            };
            object.insert(key.to_owned(), default);
        }
        object.insert("id".to_owned(), json!(self.id));
        if !self.vars.is_empty() {
            object.insert("vars".to_owned(), self.vars.to_json());
        }
        if let Some(expected) = &self.expected {
            object.insert("expected".to_owned(), expected.clone());
        }
        if !self.segment.is_empty() {
            object.insert("segment".to_owned(), self.segment_json());
        }
        if !self.tags.is_empty() {
            object.insert(
                "tags".to_owned(),
                self.tags.iter().map(|tag| json!(tag)).collect(),
            );
        }
        if self.must_pass {
            object.insert("must_pass".to_owned(), true.into());
        }
        if self.quarantined {
            object.insert("flaky".to_owned(), "quarantine".into());
        }
        if let Some(cluster) = &self.cluster {
            object.insert("cluster".to_owned(), json!(cluster));
        }
        if !self.scorers.is_empty() {
            object.insert(
                "scorers".to_owned(),
                self.scorers.iter().map(Node::to_json).collect(),
            );
        }
        object.into()
    }

    /// The segment as a JSON object.
    #[must_use]
    pub fn segment_json(&self) -> Value {
        self.segment
            .iter()
            .map(|(key, value)| (key.to_owned(), json!(value)))
            .collect::<Map<_, _>>()
            .into()
    }
}

/// The digest of a set of cases, formats.md section 4: their canonical JSON in byte order of id, a
/// newline after each, so that order and formatting of the file do not matter.
#[must_use]
pub fn dataset_digest(cases: &[Case]) -> Digest {
    let mut sorted: Vec<&Case> = cases.iter().collect();
    sorted.sort_by(|a, b| a.id.cmp(&b.id));
    let mut digest = DigestBuilder::default();
    for case in sorted {
        digest.update(canonical_json(&case.to_json()).as_bytes());
        digest.update(b"\n");
    }
    digest.finish()
}
