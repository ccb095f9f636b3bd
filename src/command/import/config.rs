//! A config of promptfoo as a whole: its references, its keys, its `defaultTest`.

use std::sync::Arc;

use super::files::{self, Files};
use super::ledger::{Ledger, Place};
use super::types;
use crate::base::{Diagnostic, Node, Source, Value, text};
use crate::command::CommandError;

/// Reads a config, with its own `$ref`s followed.
///
/// # Errors
/// What is wrong with its text.
pub fn read(source: &Arc<Source>) -> Result<Node, CommandError> {
    let mut root = files::parse(source)?;
    let whole = root.clone();
    follow(&mut root, &whole, 0);
    if !matches!(root.value, Value::Map(_)) {
        let message = format!("a config of promptfoo is a map, this is {}", root.kind());
        let found = Diagnostic::error("promptfoo", message).at(source, root.span);
        let help = "give a promptfooconfig.yaml or .json";
        return Err(CommandError::Findings(found.help(help).into()));
    }
    let own = root
        .get("gate")
        .and_then(|node| Some((node, node.as_text()?)));
    if let Some((node, format)) = own.filter(|(_, format)| format.contains('/')) {
        let kind = format.split('/').next().unwrap_or(format);
        let message = format!("this is a gate {kind}, not a config of promptfoo");
        let found = Diagnostic::error("promptfoo", message).at(source, node.span);
        let help = "it needs no import: check it with gate lint";
        return Err(CommandError::Findings(found.help(help).into()));
    }
    Ok(root)
}

/// Puts what `{$ref: '#/a/b'}` names in its place.
fn follow(node: &mut Node, whole: &Node, depth: usize) {
    const MOST: usize = 24;
    if depth > MOST {
        return;
    }
    let target = node
        .get("$ref")
        .and_then(Node::as_text)
        .and_then(|path| path.strip_prefix("#/"))
        .and_then(|path| path.split('/').try_fold(whole, |node, key| node.get(key)))
        .map(|found| found.value.clone());
    if let Some(value) = target {
        node.value = value;
        return follow(node, whole, depth + 1);
    }
    match &mut node.value {
        Value::List(items) => {
            for item in items {
                follow(item, whole, depth + 1);
            }
        }
        Value::Map(entries) => {
            for entry in entries {
                follow(&mut entry.value, whole, depth + 1);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Text(_) => {}
    }
}

/// What becomes of keys that have no counterpart in a suite: dropped, or a setting or flag.
const LEFT_OUT: [(&str, bool, &str); 11] = [
    ("extensions", true, "hooks are not run"),
    (
        "nunjucksFilters",
        true,
        "filters are code, which templates do not have",
    ),
    ("redteam", true, "red teaming is not this tool's work"),
    (
        "derivedMetrics",
        true,
        "a metric computed from others has no counterpart; `policy.metrics` gates single ones",
    ),
    ("tracing", true, "traces are not read"),
    (
        "env",
        false,
        "keys and addresses come from the environment, never from a file",
    ),
    (
        "outputPath",
        false,
        "reports are asked for by flags: --json FILE, --markdown FILE, --junit FILE",
    ),
    (
        "commandLineOptions",
        false,
        "flags and gate.yaml say how to run",
    ),
    ("sharing", false, "nothing is shared"),
    (
        "writeLatestResults",
        false,
        "every run is kept in .gate/runs",
    ),
    ("metadata", false, "a suite has no metadata"),
];

/// Says which keys of the config are left out, and which nobody knows.
pub fn report_keys(source: &Arc<Source>, root: &Node, ledger: &mut Ledger) {
    let Value::Map(entries) = &root.value else {
        return;
    };
    for entry in entries.iter().filter(|entry| !entry.value.is_null()) {
        let place = Place {
            source: Arc::clone(source),
            span: entry.key_span,
        };
        let key = text::shorten(&entry.key, 60);
        let what = format!("`{key}`");
        if let Some((_, lost, why)) = LEFT_OUT.iter().find(|(name, ..)| *name == entry.key) {
            if *lost {
                ledger.dropped(&place, what, *why);
            } else {
                ledger.changed(&place, what, *why);
            }
        } else if !types::CONFIG.contains(&entry.key.as_str()) {
            let near = text::suggestion(&entry.key, types::CONFIG);
            let near = near.map_or(String::new(), |near| format!(", did you mean `{near}`?"));
            let why = format!("promptfoo passes over a key that it does not know{near}");
            ledger.changed(&place, what, why);
        }
    }
    report_run_options(source, root, ledger);
}

fn report_run_options(source: &Arc<Source>, root: &Node, ledger: &mut Ledger) {
    let Some(Value::Map(entries)) = root.get("evaluateOptions").map(|node| &node.value) else {
        return;
    };
    for entry in entries.iter().filter(|entry| entry.key != "repeat") {
        let why = match entry.key.as_str() {
            "maxConcurrency" => "a setting: -j N, or `concurrency` in gate.yaml",
            "delay" => "a setting: --rate N requests a minute",
            "cache" => "a setting: --cache MODE",
            "timeoutMs" => "a setting: --timeout TIME",
            "maxEvalTimeMs" => "a setting: --deadline TIME",
            _ => continue,
        };
        let place = Place {
            source: Arc::clone(source),
            span: entry.key_span,
        };
        ledger.changed(&place, format!("`{}`", entry.key), why);
    }
}

/// The `defaultTest`, from its file where it names one.
pub fn default_test(
    source: &Arc<Source>,
    root: &Node,
    files: &Files,
    ledger: &mut Ledger,
) -> Option<(Arc<Source>, Node)> {
    let node = root.get("defaultTest").filter(|node| !node.is_null())?;
    match node.as_text() {
        None if matches!(node.value, Value::Map(_)) => Some((Arc::clone(source), node.clone())),
        None => {
            let why = format!("it is {}, not a map", node.kind());
            ledger.dropped(&Place::of(source, node), "`defaultTest`", why);
            None
        }
        Some(path) => match files.document(path) {
            Ok(found) => Some(found),
            Err(why) => {
                let place = Place::of(source, node);
                ledger.dropped(&place, format!("`defaultTest` `{path}`"), why);
                None
            }
        },
    }
}

/// The repeats of each test.
pub fn repeat(root: &Node) -> Option<u64> {
    match root.get("evaluateOptions")?.get("repeat")?.value {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "checked to be whole and in range"
        )]
        Value::Number(number) if number.fract() == 0.0 && (2.0..=1000.0).contains(&number) => {
            Some(number as u64)
        }
        _ => None,
    }
}
