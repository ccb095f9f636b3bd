//! Puts imported tests together: what all cases ask for stands in the suite, a value that differs
//! from case to case becomes `expected`, the rest stands with its case.

use serde_json::{Map, Value as Json};

use super::assertion::{Made, together};
use super::javascript::Scorer;
use super::ledger::{Ledger, Place};
use super::merged::Test;
use super::names::Names;
use crate::base::Name;

/// A scorer and what it wants to be called.
#[derive(Debug, Clone, PartialEq)]
pub struct Named {
    /// The scorer, without a name.
    pub scorer: Scorer,
    /// The name it wants.
    pub name: String,
}

/// A case of the dataset.
#[derive(Debug, Clone)]
pub struct Case {
    /// Its id.
    pub id: String,
    /// Its variables.
    pub vars: Map<String, Json>,
    /// What is expected.
    pub expected: Option<Json>,
    /// Its own scorers.
    pub own: Vec<Named>,
    /// What is said about it.
    pub metadata: Map<String, Json>,
    /// Its description.
    pub note: Option<String>,
    /// A recorded answer.
    pub answer: Option<String>,
}

/// The scorers of a test: one for each assertion, or one for all where a threshold counts.
pub fn scorers_of(test: &Test, made: Vec<Made>, ledger: &mut Ledger) -> Vec<Named> {
    if let Some(threshold) = test.threshold {
        if made.is_empty() {
            return Vec::new();
        }
        return match together(made, Some(threshold)) {
            Ok(scorer) => vec![Named {
                scorer,
                name: "score".to_owned(),
            }],
            Err(why) => {
                ledger.dropped(&test.place, "`threshold` of test", why);
                Vec::new()
            }
        };
    }
    let odd = made
        .iter()
        .any(|made| made.weight > 0.0 && (made.weight - 1.0).abs() > 1e-12);
    if odd {
        let why =
            "without a threshold a weight moves the score alone, and that is not weighed here";
        ledger.changed(&test.place, "`weight` of assertion", why);
    }
    made.into_iter().map(named).collect()
}

fn named(made: Made) -> Named {
    let mut scorer = made.scorer;
    let kind = scorer
        .get("type")
        .and_then(Json::as_str)
        .unwrap_or("scorer");
    let name = made
        .metric
        .unwrap_or_else(|| Name::slugify(kind).as_str().to_owned());
    if made.weight <= 0.0 {
        scorer.insert("gating".to_owned(), false.into());
    }
    Named { scorer, name }
}

/// Types whose `value` may stand in the case as `expected`.
const BY_EXPECTED: [&str; 8] = [
    "equals",
    "contains",
    "icontains",
    "starts-with",
    "contains-any",
    "contains-all",
    "icontains-any",
    "icontains-all",
];

/// Moves what all cases share into the suite.
pub fn hoist(cases: &mut [Case]) -> Vec<Named> {
    let mut shared = Vec::new();
    let Some(first) = cases.first() else {
        return shared;
    };
    for candidate in first.own.clone() {
        if cases.iter().all(|case| case.own.contains(&candidate)) {
            for case in cases.iter_mut() {
                if let Some(at) = case.own.iter().position(|own| *own == candidate) {
                    case.own.remove(at);
                }
            }
            shared.push(candidate);
        }
    }
    if let Some(by_expected) = hoist_expected(cases) {
        shared.push(by_expected);
    }
    shared
}

/// The scorer that each case has exactly once, but for its value.
fn hoist_expected(cases: &mut [Case]) -> Option<Named> {
    let first = cases.first()?;
    let frame = first.own.iter().find_map(|own| {
        let frame = without_value(own)?;
        let fits = |own: &&Named| without_value(own).as_ref() == Some(&frame);
        let once = |case: &Case| {
            let values: Vec<&Named> = case.own.iter().filter(fits).collect();
            match values.as_slice() {
                [one] => is_plain(one.scorer.get("value")),
                _ => false,
            }
        };
        cases.iter().all(once).then_some(frame)
    })?;
    for case in cases.iter_mut() {
        let at = case
            .own
            .iter()
            .position(|own| without_value(own).as_ref() == Some(&frame))?;
        let mut own = case.own.remove(at);
        case.expected = own.scorer.remove("value").map(unescaped);
    }
    let mut scorer = frame.scorer;
    scorer.insert("value".to_owned(), "{{expected}}".into());
    Some(Named {
        scorer,
        name: frame.name,
    })
}

fn without_value(named: &Named) -> Option<Named> {
    let kind = named.scorer.get("type").and_then(Json::as_str)?;
    let bare = kind.strip_prefix("not-").unwrap_or(kind);
    if !BY_EXPECTED.contains(&bare) {
        return None;
    }
    let mut frame = named.clone();
    frame.scorer.remove("value")?;
    Some(frame)
}

/// Whether a value refers to nothing: as `expected` it is data.
fn is_plain(value: Option<&Json>) -> bool {
    match value {
        Some(Json::String(text)) => !text.contains("{{vars.") && !text.contains("{{expected"),
        Some(Json::Array(items)) => items.iter().all(|item| is_plain(Some(item))),
        Some(Json::Object(fields)) => fields.values().all(|field| is_plain(Some(field))),
        Some(Json::Bool(_) | Json::Number(_)) => true,
        Some(Json::Null) | None => false,
    }
}

/// A value as data, in which brace pairs stand for themselves.
fn unescaped(value: Json) -> Json {
    match value {
        Json::String(text) => text.replace("{{\"{{\"}}", "{{").into(),
        Json::Array(items) => items.into_iter().map(unescaped).collect(),
        Json::Object(fields) => {
            let fields = fields
                .into_iter()
                .map(|(key, value)| (key, unescaped(value)));
            Json::Object(fields.collect())
        }
        other => other,
    }
}

/// The scorers with names that are used once; those of the suite are kept by all cases.
pub fn name_all(list: &[Named], names: &mut Names) -> Vec<Json> {
    let name = |named: &Named| {
        let mut scorer = named.scorer.clone();
        let name = names.fresh(&named.name);
        let kind = scorer.get("type").and_then(Json::as_str);
        if kind != Some(name.as_str()) {
            scorer.insert("name".to_owned(), name.into());
        }
        Json::Object(scorer)
    };
    list.iter().map(name).collect()
}

/// Notes that no case asks for anything.
pub fn note_empty(cases: &[Case], shared: &[Named], place: &Place, ledger: &mut Ledger) {
    let empty = cases.iter().filter(|case| case.own.is_empty()).count();
    if shared.is_empty() && empty > 0 {
        let cases = crate::base::text::count(empty, "case");
        let why =
            format!("{cases} without an assertion: every answer passes there, as in promptfoo");
        ledger.changed(place, "tests", why);
    }
}
