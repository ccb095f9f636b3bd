//! The tests of a config from wherever they are written: in the config, in YAML, JSON, JSONL or CSV
//! files, in scenarios; with what `defaultTest` adds to each.

use std::sync::Arc;

use super::csv_tests;
use super::files::{Files, in_words};
use super::ledger::{Ledger, Place};
use crate::base::{Node, Source, Value, json};

/// A test as it is written.
#[derive(Debug, Clone)]
pub struct Written {
    /// The file.
    pub source: Arc<Source>,
    /// The test.
    pub node: Node,
    /// What a scenario sets for it.
    pub scenario: Option<Node>,
}

/// Every test of a config, in promptfoo's order.
pub fn all(source: &Arc<Source>, root: &Node, files: &Files, ledger: &mut Ledger) -> Vec<Written> {
    let mut tests = Vec::new();
    if let Some(node) = root.get("tests") {
        gather(source, node, files, ledger, &mut tests);
    }
    if let Some(node) = root.get("scenarios") {
        scenarios(source, node, files, ledger, &mut tests);
    }
    tests
}

/// A list of tests, a file of them, or one test.
fn gather(
    source: &Arc<Source>,
    node: &Node,
    files: &Files,
    ledger: &mut Ledger,
    tests: &mut Vec<Written>,
) {
    match &node.value {
        Value::List(items) => {
            for item in items {
                gather(source, item, files, ledger, tests);
            }
        }
        Value::Text(written) => {
            let place = Place::of(source, node);
            match files.matching(written) {
                Ok(paths) => {
                    for path in paths {
                        from_file(&path, &place, files, ledger, tests);
                    }
                }
                Err(why) => ledger.dropped(&place, format!("tests `{written}`"), why),
            }
        }
        Value::Map(_) => match node.get("path").and_then(Node::as_text) {
            Some(path) if node.get("vars").is_none() && node.get("assert").is_none() => {
                let place = Place::of(source, node);
                from_file(path, &place, files, ledger, tests);
            }
            _ => tests.push(Written {
                source: Arc::clone(source),
                node: node.clone(),
                scenario: None,
            }),
        },
        Value::Null => {}
        Value::Bool(_) | Value::Number(_) => {
            let place = Place::of(source, node);
            ledger.dropped(&place, "test", format!("it is {}, not a map", node.kind()));
        }
    }
}

fn from_file(
    path: &str,
    place: &Place,
    files: &Files,
    ledger: &mut Ledger,
    tests: &mut Vec<Written>,
) {
    let bare = path.strip_prefix("file://").unwrap_or(path);
    let what = format!("tests `{path}`");
    if bare.contains("://") {
        return ledger.dropped(place, what, "it is not on this machine: save it as CSV");
    }
    let file = bare.split('#').next().unwrap_or(bare);
    let ending = file
        .rsplit_once('.')
        .map(|(_, ending)| ending.to_ascii_lowercase());
    let found = match ending.as_deref() {
        Some("csv") => files.read(file).and_then(|source| csv_tests::rows(&source)),
        Some("jsonl" | "ndjson") => files.read(file).and_then(|source| lines(&source)),
        Some("yaml" | "yml" | "json") => files.document(file).map(|(source, node)| {
            let nodes = match node.value {
                Value::List(items) => items,
                _ => vec![node],
            };
            let pair = |node| (Arc::clone(&source), node);
            nodes.into_iter().map(pair).collect()
        }),
        _ => Err("its tests are made by a program: write them to a JSONL file".to_owned()),
    };
    match found {
        Ok(rows) => tests.extend(rows.into_iter().map(|(source, node)| Written {
            source,
            node,
            scenario: None,
        })),
        Err(why) => ledger.dropped(place, what, why),
    }
}

fn lines(source: &Arc<Source>) -> Result<Vec<csv_tests::Row>, String> {
    let filled = source
        .text
        .lines()
        .zip(1..)
        .filter(|(line, _)| !line.trim().is_empty());
    filled
        .map(|(line, number)| {
            let row = Source::row(source.name.clone(), line, number);
            let node = json::parse(&row).map_err(|found| in_words(&found))?;
            Ok((row, node))
        })
        .collect()
}

/// Each set of a scenario with each of its tests.
fn scenarios(
    source: &Arc<Source>,
    node: &Node,
    files: &Files,
    ledger: &mut Ledger,
    tests: &mut Vec<Written>,
) {
    let Value::List(items) = &node.value else {
        return ledger.dropped(&Place::of(source, node), "scenarios", "it is no list");
    };
    for item in items {
        let place = Place::of(source, item);
        let loaded = match item.as_text() {
            Some(path) => match files.document(path) {
                Ok((source, node)) => (source, node),
                Err(why) => {
                    ledger.dropped(&place, format!("scenario `{path}`"), why);
                    continue;
                }
            },
            None => (Arc::clone(source), item.clone()),
        };
        let (source, scenario) = loaded;
        let mut own = Vec::new();
        match scenario.get("tests") {
            Some(node) => gather(&source, node, files, ledger, &mut own),
            None => own.push(Written {
                source: Arc::clone(&source),
                node: Node {
                    span: scenario.span,
                    value: Value::Map(Vec::new()),
                },
                scenario: None,
            }),
        }
        let sets = match scenario.get("config").map(|node| &node.value) {
            Some(Value::List(sets)) => sets.as_slice(),
            _ => {
                ledger.dropped(&place, "scenario", "its `config` is no list");
                continue;
            }
        };
        for set in sets {
            tests.extend(own.iter().map(|test| Written {
                scenario: Some(set.clone()),
                ..test.clone()
            }));
        }
    }
}
