//! What promptfoo's own validator lets pass: keys that nobody reads, types that do not exist,
//! variables that no test sets, tests that can not fail.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Wanted;
use super::config;
use super::files::Files;
use super::ledger::{Fate, Ledger, Place};
use super::merged::{self, Test};
use super::prompts::{self, Prompt};
use super::tests_of;
use super::types;
use crate::base::{Diagnostic, Diagnostics, Entry, Node, Source, Span, Value, text};
use crate::command::{CommandError, Project};

/// Checks a config.
///
/// # Errors
/// When the config itself can not be read.
pub fn lint(project: &Project, wanted: &Wanted<'_>) -> Result<Diagnostics, CommandError> {
    let (files, source) = Files::open(project, wanted.caller, wanted.file)?;
    let root = config::read(&source)?;
    let mut found = Diagnostics::new();
    keys(&source, &root, &types::CONFIG, "config", &mut found);
    needed(&source, &root, &mut found);
    providers(&source, &root, &mut found);
    let mut ledger = Ledger::default();
    let default = config::default_test(&source, &root, &files, &mut ledger);
    if let Some((source, node)) = &default {
        test_keys(source, node, &mut found);
    }
    let written = tests_of::all(&source, &root, &files, &mut ledger);
    let mut tests = Vec::new();
    for test in &written {
        test_keys(&test.source, &test.node, &mut found);
        if let Some(set) = &test.scenario {
            test_keys(&test.source, set, &mut found);
        }
        let default = default.as_ref().map(|(source, node)| (source, node));
        tests.extend(merged::expand(test, default, &files, &mut ledger));
    }
    let prompts = prompts::all(&source, &root, &files, &mut ledger);
    unreadable(&source, &ledger, &mut found);
    assertions(&tests, &mut found);
    variables(&prompts, &tests, &mut found);
    Ok(found)
}

fn warn(rule: &'static str, message: String, place: &Place, help: &str) -> Diagnostic {
    Diagnostic::warning(rule, message)
        .at(&place.source, place.span)
        .help(help)
}

fn error(rule: &'static str, message: String, place: &Place, help: String) -> Diagnostic {
    Diagnostic::error(rule, message)
        .at(&place.source, place.span)
        .help(help)
}

fn keys(source: &Arc<Source>, node: &Node, known: &[&str], of: &str, found: &mut Diagnostics) {
    let Value::Map(entries) = &node.value else {
        return;
    };
    for entry in entries.iter().filter(|e| !known.contains(&e.key.as_str())) {
        let place = key_place(source, entry);
        let key = text::shorten(&entry.key, 60);
        let message = format!("unknown key `{key}` of a {of}");
        let near = text::suggestion(&entry.key, known.iter().copied());
        let help = near.map_or_else(
            || "promptfoo reads nothing here: remove it".to_owned(),
            |near| format!("did you mean `{near}`?"),
        );
        found.push(error("unknown-key", message, &place, help));
    }
}

fn key_place(source: &Arc<Source>, entry: &Entry) -> Place {
    Place {
        source: Arc::clone(source),
        span: entry.key_span,
    }
}

fn needed(source: &Arc<Source>, root: &Node, found: &mut Diagnostics) {
    let place = Place {
        source: Arc::clone(source),
        span: Span::default(),
    };
    let has = |key: &str| root.get(key).is_some_and(|node| !node.is_null());
    let mut lacks = |what: &str, help: &str| {
        let message = format!("the config has no {what}");
        found.push(error("missing-key", message, &place, help.to_owned()));
    };
    if !has("prompts") {
        lacks("prompt", "add `prompts:`");
    }
    if !has("providers") && !has("targets") {
        lacks("provider", "add `providers:`");
    }
    if !has("tests") && !has("scenarios") {
        lacks(
            "test",
            "add `tests:`: without one every prompt is asked once and passes",
        );
    }
    if has("providers") && has("targets") {
        let message = "`providers` and `targets` are both there".to_owned();
        let help = "keep one of the two".to_owned();
        found.push(error("two-spellings", message, &place, help));
    }
}

fn providers(source: &Arc<Source>, root: &Node, found: &mut Diagnostics) {
    let listed = root.get("providers").or_else(|| root.get("targets"));
    let Some(Value::List(items)) = listed.map(|node| &node.value) else {
        return;
    };
    for item in items.iter().filter(|item| item.get("id").is_some()) {
        keys(source, item, &types::PROVIDER, "provider", found);
        let key = item.get("config").and_then(|config| config.get("apiKey"));
        if let Some(node) = key.filter(|node| node.as_text().is_some_and(|key| !key.contains("{{")))
        {
            let message = "a key stands in the config".to_owned();
            let help = "put it into the environment".to_owned();
            found.push(error("key", message, &Place::of(source, node), help));
        }
    }
}

fn test_keys(source: &Arc<Source>, node: &Node, found: &mut Diagnostics) {
    keys(source, node, &types::TEST, "test", found);
    if let Some(options) = node.get("options") {
        keys(source, options, &types::OPTIONS, "test's options", found);
    }
    let Some(Value::Map(entries)) = node.get("vars").map(|node| &node.value) else {
        return;
    };
    for entry in entries.iter().filter(|entry| entry.value.is_null()) {
        let message = format!("variable `{}` has no value", text::shorten(&entry.key, 60));
        let place = key_place(source, entry);
        found.push(error("null", message, &place, "give it a value".to_owned()));
    }
}

/// Files that are named and can not be read, and templates that are code.
fn unreadable(config: &Arc<Source>, ledger: &Ledger, found: &mut Diagnostics) {
    for finding in ledger.of(Fate::Dropped) {
        let named = [
            "tests `",
            "prompt `",
            "assertions `",
            "variable `",
            "vars `",
            "scenario `",
        ];
        if named.iter().any(|start| finding.what.starts_with(start)) {
            let lines = config.text.lines().filter(|_| finding.file == config.name);
            let line = lines.clone().nth(finding.line.saturating_sub(1));
            let line = line.unwrap_or_default();
            let column = finding.column.saturating_sub(1);
            let start = line.char_indices().nth(column).map_or(0, |(at, _)| at);
            let span = Span {
                start,
                end: line.len(),
            };
            let source = Source::row(finding.file.clone(), line, finding.line);
            let message = format!("{}: {}", finding.what, finding.why);
            found.push(Diagnostic::warning("unreadable", message).at(&source, span));
        }
    }
}

fn assertions(tests: &[Test], found: &mut Diagnostics) {
    let mut seen = BTreeSet::new();
    for test in tests {
        if test.asserts.is_empty() && seen.insert(position(&test.place)) {
            let message = "the test has no assertion, so it always passes".to_owned();
            let help = "add `assert:` to it or to `defaultTest`";
            found.push(warn("no-assertion", message, &test.place, help));
        }
        for (place, node) in &test.asserts {
            if seen.insert(position(place)) {
                assertion(place, node, found);
            }
        }
    }
}

fn position(place: &Place) -> (String, usize, usize) {
    let (file, line, column) = place.position();
    (file.to_owned(), line, column)
}

fn assertion(place: &Place, node: &Node, found: &mut Diagnostics) {
    let Some(kind) = node.get("type").and_then(Node::as_text) else {
        let message = "the assertion has no `type`".to_owned();
        found.push(error(
            "missing-key",
            message,
            place,
            "add `type:`".to_owned(),
        ));
        return;
    };
    let bare = kind.strip_prefix("not-").unwrap_or(kind);
    if kind == "assert-set" {
        keys(&place.source, node, &types::SET, "set of assertions", found);
        let items = match node.get("assert").map(|node| &node.value) {
            Some(Value::List(items)) => items.as_slice(),
            _ => &[],
        };
        if items.is_empty() {
            let message = "the set has no assertion, so it always passes".to_owned();
            found.push(warn("no-assertion", message, place, "add `assert:`"));
        }
        for item in items {
            assertion(&Place::of(&place.source, item), item, found);
        }
        return;
    }
    keys(&place.source, node, &types::ASSERTION, "assertion", found);
    if !types::ASSERTIONS.contains(&bare) && !bare.starts_with("promptfoo:redteam:") {
        let message = format!("there is no assertion `{}`", text::shorten(kind, 60));
        let near = text::suggestion(bare, types::ASSERTIONS);
        let help = near.map_or_else(
            || "promptfoo's documentation lists all types".to_owned(),
            |near| format!("did you mean `{near}`?"),
        );
        found.push(error("unknown-type", message, place, help));
        return;
    }
    let empty = node
        .get("value")
        .is_none_or(|value| value.is_null() || value.as_text() == Some(""));
    if empty && NEEDS_VALUE.contains(&bare) {
        let message = format!("`{kind}` has no `value`");
        found.push(error(
            "missing-key",
            message,
            place,
            "add `value:`".to_owned(),
        ));
    }
    if node.get("threshold").is_none() && ["latency", "cost"].contains(&bare) {
        let message = format!("`{kind}` has no `threshold`");
        found.push(error(
            "missing-key",
            message,
            place,
            "add `threshold:`".to_owned(),
        ));
    }
}

/// Types that can do nothing without a value.
const NEEDS_VALUE: [&str; 22] = [
    "bleu",
    "contains",
    "contains-all",
    "contains-any",
    "equals",
    "factuality",
    "finish-reason",
    "g-eval",
    "gleu",
    "icontains",
    "icontains-all",
    "icontains-any",
    "javascript",
    "levenshtein",
    "llm-rubric",
    "model-graded-closedqa",
    "model-graded-factuality",
    "python",
    "regex",
    "rouge-n",
    "starts-with",
    "word-count",
];

/// Variables that a prompt uses and a test does not set: they print as nothing.
fn variables(prompts: &[Prompt], tests: &[Test], found: &mut Diagnostics) {
    let names: BTreeSet<&str> = prompts.iter().flat_map(Prompt::names).collect();
    let mut seen = BTreeSet::new();
    for test in tests {
        for name in &names {
            if !test.vars.contains_key(*name) && seen.insert((position(&test.place), *name)) {
                let message = format!("the test sets no `{name}`, which a prompt uses");
                let help = "it prints as nothing: set it, here or in `defaultTest`";
                found.push(warn("missing-variable", message, &test.place, help));
            }
        }
    }
    // Code may do without a variable, and still uses it.
    let in_code: BTreeSet<String> = prompts.iter().flat_map(Prompt::names_in_code).collect();
    let used = |name: &String| names.contains(name.as_str()) || in_code.contains(name);
    let uses = !names.is_empty() || !in_code.is_empty();
    if let Some(test) = tests.first().filter(|_| uses) {
        let unused = test.vars.keys().filter(|name| !used(name));
        let everywhere: Vec<&String> = unused
            .filter(|name| tests.iter().all(|test| test.vars.contains_key(*name)))
            .collect();
        let in_assertions = |name: &str| {
            tests.iter().any(|test| {
                test.asserts
                    .iter()
                    .any(|(_, node)| node.to_json().to_string().contains(name))
            })
        };
        for name in everywhere.into_iter().filter(|name| !in_assertions(name)) {
            let message = format!(
                "variable `{}` is used by no prompt",
                text::shorten(name, 60)
            );
            let help = "a misspelt name in the prompt, or a leftover";
            found.push(warn("unused-variable", message, &test.place, help));
        }
    }
}
