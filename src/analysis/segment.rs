//! The segments of a table: sets of cases by `key=value`. A case may be in many, and is in none of a
//! key that it has not.

use std::collections::BTreeMap;

use super::table::CaseTable;

/// Values of one key beyond which only segments of enough cases are kept.
const MANY_VALUES: usize = 50;

/// A set of cases.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// `key=value`.
    pub name: String,
    /// The rows of its cases.
    pub rows: Vec<u32>,
}

/// The segments of a table by key and value, for some keys or for all. Of a key with more than 50
/// values, such as a customer's number, those with fewer than `min_cases` cases are left out.
#[must_use]
pub fn segments(table: &CaseTable<'_>, keys: Option<&[String]>, min_cases: u64) -> Vec<Segment> {
    let mut found: BTreeMap<&str, BTreeMap<&str, Vec<u32>>> = BTreeMap::new();
    for (index, row) in (0u32..).zip(&table.rows) {
        for (key, value) in row.segment.iter() {
            if keys.is_none_or(|keys| keys.iter().any(|wanted| wanted == key)) {
                let values = found.entry(key).or_default();
                values.entry(value.as_ref()).or_default().push(index);
            }
        }
    }
    let mut segments = Vec::new();
    for (key, values) in found {
        let many = values.len() > MANY_VALUES;
        for (value, rows) in values {
            if many && (rows.len() as u64) < min_cases {
                continue;
            }
            segments.push(Segment {
                name: format!("{key}={value}"),
                rows,
            });
        }
    }
    segments
}
