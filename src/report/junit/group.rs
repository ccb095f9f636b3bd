//! The suites of cases: one for each value of the first segment key, and names that are unique.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use serde_json::Value;

use crate::analysis::CaseRow;
use crate::base::text::shorten;
use crate::report::content::SuiteReport;
use crate::report::escape::xml_line;

/// Cases of one segment.
pub struct Group {
    /// `tier=pro`, `tier=none`, `all`.
    pub name: String,
    /// The indices of the cases, in the dataset's order.
    pub rows: Vec<usize>,
}

/// The groups of a suite, in the order in which the dataset has them.
pub fn of(suite: &SuiteReport<'_>) -> Vec<Group> {
    let key = first_key(suite);
    let mut groups: Vec<Group> = Vec::new();
    let mut index_of: HashMap<String, usize> = HashMap::new();
    for (index, row) in suite.table.rows.iter().enumerate() {
        let name = key
            .as_deref()
            .map_or_else(|| "all".to_owned(), |key| segment(row, key));
        let group = *index_of.entry(name).or_insert_with_key(|name| {
            groups.push(Group {
                name: name.clone(),
                rows: Vec::new(),
            });
            groups.len() - 1
        });
        if let Some(group) = groups.get_mut(group) {
            group.rows.push(index);
        }
    }
    groups
}

/// The first key that the policy names, else the first of the cases.
fn first_key(suite: &SuiteReport<'_>) -> Option<String> {
    let keys = suite.run.header.resolved.pointer("/policy/segments/keys/0");
    let declared = keys.and_then(Value::as_str).map(str::to_owned);
    declared.or_else(|| {
        let keys = suite.table.rows.iter().flat_map(|row| row.segment.iter());
        keys.map(|(key, _)| key).min().map(str::to_owned)
    })
}

fn segment(row: &CaseRow<'_>, key: &str) -> String {
    let value = row.segment.get(key).map_or("none", |value| value.as_ref());
    part(&format!("{key}={value}"))
}

/// A text as a part of a dotted name.
pub fn part(text: &str) -> String {
    let part = xml_line(text).replace(['.', '/'], "_");
    let part = shorten(part.trim(), 120).into_owned();
    if part.is_empty() {
        "unnamed".to_owned()
    } else {
        part
    }
}

/// Names given so far, as hashes: eight bytes a case.
#[derive(Default)]
pub struct Names(HashSet<u64>);

impl Names {
    /// The name that an id has within a class: never empty, and never one given before. Two ids
    /// that differ only in what XML can not hold get a number each.
    pub fn unique(&mut self, class: &str, id: &str) -> String {
        let name = xml_line(id);
        let name = shorten(name.trim(), 250);
        let name = if name.is_empty() {
            "unnamed"
        } else {
            name.as_ref()
        };
        if self.is_new(class, name) {
            return name.to_owned();
        }
        let numbered = (2u64..).map(|number| format!("{name} ({number})"));
        let mut free = numbered.filter(|name| self.is_new(class, name));
        free.next().unwrap_or_default()
    }

    fn is_new(&mut self, class: &str, name: &str) -> bool {
        let mut hasher = DefaultHasher::new();
        (class, name).hash(&mut hasher);
        self.0.insert(hasher.finish())
    }
}
