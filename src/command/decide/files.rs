//! Tells the form of an outcome file and has it read.

use camino::Utf8Path;

use super::row::Outcomes;
use super::{inspect, junit, plain, promptfoo};
use crate::base::{Digest, Source, Value as NodeValue, json};
use crate::command::CommandError;
use crate::store::fs;

/// Largest outcome file.
const MAX_FILE: u64 = 2 << 30;

/// The file, read, and what a reader should know of it.
pub(in crate::command) struct Found {
    pub outcomes: Outcomes,
    pub notes: Vec<String>,
}

/// Reads an outcome file. A `#N` after the name chooses the prompt number N of a promptfoo file.
pub(in crate::command) fn read(
    written: &str,
    folder: &Utf8Path,
    scorer: Option<&str>,
) -> Result<Found, CommandError> {
    let whole = folder.join(written);
    let numbered = written.rsplit_once('#').and_then(|(path, number)| {
        let number: u64 = number.parse().ok()?;
        Some((folder.join(path), number))
    });
    let (path, prompt) = match numbered {
        Some((path, number)) if fs::open(&whole).is_err() => (path, Some(number)),
        _ => (whole, None),
    };
    let bytes = fs::read_bytes(&path, MAX_FILE)?;
    let digest = Digest::of_bytes(&bytes);
    let mut notes = Vec::new();
    let refuse = |message: &dyn std::fmt::Display, help: &str| {
        CommandError::usage(format!("{written}: {message}"), help)
    };
    let rows = if path.extension() == Some("eval") {
        inspect::unpack(&bytes)
            .and_then(|samples| inspect::rows(&samples, scorer))
            .map_err(|fault| refuse(&fault, INSPECT_HELP))?
    } else {
        let text =
            String::from_utf8(bytes).map_err(|_| refuse(&"the file is not UTF-8 text", FORMS))?;
        let mut unused = |plain: plain::Plain| {
            if !plain.unused.is_empty() {
                notes.push(format!("{written}: not used: {}", plain.unused.join(", ")));
            }
            plain.rows
        };
        match form(&path, &text) {
            Form::Csv => unused(plain::csv(written, &text)?),
            Form::Lines => unused(plain::jsonl(written, &text)?),
            Form::Xml => junit::rows(&text)
                .map_err(|fault| refuse(&fault, "give the JUnit XML that a test runner wrote"))?,
            Form::Json => document(written, &text, prompt, scorer, &mut notes)?,
        }
    };
    Ok(Found {
        outcomes: Outcomes {
            name: written.to_owned(),
            digest,
            rows,
        },
        notes,
    })
}

const INSPECT_HELP: &str =
    "give a finished Inspect log; choose one of several scorers with --scorer NAME";
const FORMS: &str = "outcomes are JSONL, CSV, promptfoo or Inspect results, JUnit XML, or run:ID";

enum Form {
    Csv,
    Lines,
    Xml,
    Json,
}

/// By the name's ending, else by how the text begins.
fn form(path: &Utf8Path, text: &str) -> Form {
    match path.extension().map(str::to_ascii_lowercase).as_deref() {
        Some("csv") => Form::Csv,
        Some("jsonl" | "ndjson") => Form::Lines,
        Some("xml") => Form::Xml,
        Some("json") => Form::Json,
        Some(_) | None => match text
            .trim_start_matches('\u{feff}')
            .trim_start()
            .chars()
            .next()
        {
            Some('<') => Form::Xml,
            Some('[') => Form::Json,
            Some('{') => Form::Lines,
            Some(_) | None => Form::Csv,
        },
    }
}

/// A JSON file: promptfoo's, Inspect's, a list of rows, or rows line by line under the wrong ending.
fn document(
    written: &str,
    text: &str,
    prompt: Option<u64>,
    scorer: Option<&str>,
    notes: &mut Vec<String>,
) -> Result<Vec<super::row::Row>, CommandError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let refuse = |message: &dyn std::fmt::Display, help: &str| {
        CommandError::usage(format!("{written}: {message}"), help)
    };
    let Ok(document) = serde_json::from_str::<serde_json::Value>(text) else {
        return Ok(plain::jsonl(written, text)?.rows);
    };
    if let Some(results) = promptfoo::results(&document) {
        return promptfoo::rows(results, prompt).map_err(|fault| {
            refuse(&fault, "choose one by its number: results.json#0, results.json#1; a file should hold one provider")
        });
    }
    if let Some(samples) = inspect::samples(&document) {
        return inspect::rows(samples, scorer).map_err(|fault| refuse(&fault, INSPECT_HELP));
    }
    let source = Source::new(written, text);
    let node = json::parse(&source)?;
    let plain = match &node.value {
        NodeValue::List(items) => plain::list(&source, items)?,
        NodeValue::Map(_) if node.get("id").is_some() => {
            plain::list(&source, std::slice::from_ref(&node))?
        }
        _ => return Err(refuse(&"the form of the file is not known", FORMS)),
    };
    if !plain.unused.is_empty() {
        notes.push(format!("{written}: not used: {}", plain.unused.join(", ")));
    }
    Ok(plain.rows)
}
