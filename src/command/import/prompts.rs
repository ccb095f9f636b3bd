//! The prompts of a config (<https://www.promptfoo.dev/docs/configuration/prompts/>): each becomes a
//! version of one prompt, in the order of the config, so that they can be compared.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Value as Json;

use super::computed;
use super::files::{Files, parse_value};
use super::http_form::Asked;
use super::ledger::{Ledger, Place};
use super::nunjucks::{self, Piece};
use crate::base::{Node, Source, Span, Value, text};
use crate::chat::Role;

/// A prompt of a config.
#[derive(Debug, Clone)]
pub struct Prompt {
    /// What the config calls it.
    pub label: Option<String>,
    /// Where it is written.
    pub place: Place,
    /// Whether it is written as a list of messages.
    pub chat: bool,
    /// Its messages.
    pub messages: Vec<(Role, Vec<Piece>)>,
}

impl Prompt {
    /// The variables it uses.
    pub fn names(&self) -> BTreeSet<&str> {
        let pieces = self.messages.iter().map(|(_, pieces)| pieces);
        pieces.flat_map(|pieces| nunjucks::names(pieces)).collect()
    }

    /// The variables that its code takes.
    #[must_use]
    pub fn names_in_code(&self) -> BTreeSet<String> {
        let pieces = self.messages.iter().flat_map(|(_, pieces)| pieces);
        let code = pieces.filter_map(|piece| match piece {
            Piece::Code(source) => Some(computed::names(source)),
            Piece::Text(_) | Piece::Name(_) => None,
        });
        code.flatten().collect()
    }
}

/// What the prompts put in the place of `{{prompt}}`.
#[must_use]
pub fn asked(prompts: &[Prompt]) -> Asked {
    let chats = prompts.iter().filter(|prompt| prompt.chat).count();
    match chats {
        0 => Asked::Text,
        all if all == prompts.len() => Asked::Messages,
        _ => Asked::Both,
    }
}

/// The text of a prompt before it is read.
struct Raw {
    place: Place,
    label: Option<String>,
    text: String,
}

/// Every prompt of a config that has a counterpart.
pub fn all(source: &Arc<Source>, root: &Node, files: &Files, ledger: &mut Ledger) -> Vec<Prompt> {
    let mut raw = Vec::new();
    match root.get("prompts").map(|node| (node, &node.value)) {
        None => {}
        Some((_, Value::List(items))) => {
            for item in items {
                gather(source, item, None, files, ledger, &mut raw);
            }
        }
        // A map of files to labels.
        Some((node, Value::Map(entries)))
            if node.get("raw").is_none() && node.get("id").is_none() =>
        {
            for entry in entries {
                let path = parse_value(&Json::String(entry.key.clone()), entry.key_span);
                let label = entry.value.as_text().map(str::to_owned);
                gather(source, &path, label, files, ledger, &mut raw);
            }
        }
        Some((node, _)) => gather(source, node, None, files, ledger, &mut raw),
    }
    raw.iter().filter_map(|raw| read(raw, ledger)).collect()
}

fn gather(
    source: &Arc<Source>,
    node: &Node,
    label: Option<String>,
    files: &Files,
    ledger: &mut Ledger,
    into: &mut Vec<Raw>,
) {
    let place = Place::of(source, node);
    let written = match &node.value {
        Value::Text(text) => text,
        Value::Map(_) => {
            let label = node.get("label").and_then(Node::as_text).map(str::to_owned);
            let inner = node.get("raw").or_else(|| node.get("id"));
            match inner.filter(|inner| inner.as_text().is_some()) {
                Some(inner) => gather(source, inner, label, files, ledger, into),
                None => ledger.dropped(&place, "prompt", "it has no `raw` and no `id`"),
            }
            return;
        }
        _ => {
            let why = format!("it is {}, not a text", node.kind());
            return ledger.dropped(&place, "prompt", why);
        }
    };
    if written.trim().is_empty() {
        return ledger.dropped(&place, "prompt", "it is empty");
    }
    if !names_a_file(written, files) {
        into.push(Raw {
            place,
            label,
            text: written.clone(),
        });
        return;
    }
    let paths = files.matching(written);
    let read = paths.and_then(|paths| {
        let texts = paths.iter().map(|path| of_file(path, files));
        Ok(texts.collect::<Result<Vec<_>, _>>()?.concat())
    });
    match read {
        Ok(found) => into.extend(found.into_iter().map(|(source, text)| Raw {
            place: Place {
                source,
                span: Span::default(),
            },
            label: label.clone(),
            text,
        })),
        Err(why) => ledger.dropped(
            &place,
            format!("prompt `{}`", text::shorten(written, 80)),
            why,
        ),
    }
}

/// `file://…`, a name with a known ending, or a pattern of names.
fn names_a_file(written: &str, files: &Files) -> bool {
    const ENDINGS: [&str; 14] = [
        "txt", "md", "json", "jsonl", "yaml", "yml", "j2", "csv", "js", "cjs", "mjs", "ts", "py",
        "sh",
    ];
    if written.starts_with("file://") || written.starts_with("exec:") {
        return true;
    }
    if written.contains('\n') || written.contains("{{") {
        return false;
    }
    let ending = written.rsplit_once('.').map(|(_, ending)| ending);
    let ending = ending.map(|ending| ending.split(':').next().unwrap_or(ending));
    ending.is_some_and(|ending| ENDINGS.contains(&ending)) && !written.contains(' ')
        || files.holds(written)
}

/// The text of a prompt in a file.
type Part = (Arc<Source>, String);

/// The prompts that a file holds.
fn of_file(path: &str, files: &Files) -> Result<Vec<Part>, String> {
    let ending = path
        .rsplit_once('.')
        .map(|(_, ending)| ending.to_ascii_lowercase());
    match ending.as_deref() {
        Some("txt") => {
            let source = files.read(path)?;
            Ok(parts(&source.text)
                .map(|part| (Arc::clone(&source), part))
                .collect())
        }
        Some("md" | "j2" | "json") => {
            let source = files.read(path)?;
            let text = source.text.clone();
            Ok(vec![(source, text)])
        }
        Some("yaml" | "yml") => {
            let (source, node) = files.document(path)?;
            Ok(vec![(source, node.to_json().to_string())])
        }
        Some("jsonl") => {
            let source = files.read(path)?;
            let lines = source.text.lines().filter(|line| !line.trim().is_empty());
            let lines = lines.map(|line| (Arc::clone(&source), line.to_owned()));
            Ok(lines.collect())
        }
        Some("csv") => csv_prompts(&files.read(path)?),
        _ => Err("a prompt that is made by a program: write its text".to_owned()),
    }
}

/// The parts of a text file between lines of three hyphens.
fn parts(text: &str) -> impl Iterator<Item = String> {
    let mut parts = vec![String::new()];
    for line in text.lines() {
        if line.trim() == "---" {
            parts.push(String::new());
        } else if let Some(last) = parts.last_mut() {
            last.push_str(line);
            last.push('\n');
        }
    }
    parts
        .into_iter()
        .map(|part| part.trim().to_owned())
        .filter(|part| !part.is_empty())
}

fn csv_prompts(source: &Arc<Source>) -> Result<Vec<Part>, String> {
    if !source.text.contains(',') {
        let lines = source.text.lines().filter(|line| !line.trim().is_empty());
        let lines = lines
            .enumerate()
            .filter(|(index, line)| *index > 0 || !line.trim().eq_ignore_ascii_case("prompt"));
        return Ok(lines
            .map(|(_, line)| (Arc::clone(source), line.to_owned()))
            .collect());
    }
    let mut reader = csv::ReaderBuilder::new()
        .flexible(true)
        .trim(csv::Trim::All)
        .from_reader(source.text.as_bytes());
    let header = reader.headers().map_err(|error| error.to_string())?;
    let column = header.iter().position(|name| name == "prompt");
    let column = column.ok_or("it has no column `prompt`")?;
    let mut prompts = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| error.to_string())?;
        if let Some(text) = record.get(column).filter(|text| !text.is_empty()) {
            prompts.push((Arc::clone(source), text.to_owned()));
        }
    }
    Ok(prompts)
}

fn read(raw: &Raw, ledger: &mut Ledger) -> Option<Prompt> {
    let written = chat(&raw.text);
    let is_chat = written.is_some();
    let messages = match written {
        None => vec![(Role::User, raw.text.clone())],
        Some(Ok((messages, developer))) => {
            if developer {
                let why = "a message of the developer is one of the system here";
                ledger.changed(&raw.place, "prompt", why);
            }
            messages
        }
        Some(Err(why)) => {
            ledger.dropped(&raw.place, "prompt", why);
            return None;
        }
    };
    let mut translated = Vec::with_capacity(messages.len());
    for (role, content) in messages {
        match nunjucks::parse_code(&content) {
            Ok(pieces) => translated.push((role, pieces)),
            Err(error) => {
                let why = format!("{error}: our templates only fill in values");
                ledger.dropped(&tag_place(&raw.place, &error.tag), "prompt", why);
                return None;
            }
        }
    }
    if !is_chat && makes_messages(&raw.text, &translated) {
        let why = "its messages are made by code: write each message out";
        ledger.dropped(&raw.place, "prompt", why);
        return None;
    }
    Some(Prompt {
        place: raw.place.clone(),
        label: raw.label.clone(),
        chat: is_chat,
        messages: translated,
    })
}

/// Whether a text that is no list of messages becomes one when its code is run.
fn makes_messages(text: &str, messages: &[(Role, Vec<Piece>)]) -> bool {
    let has_code = messages
        .iter()
        .flat_map(|(_, pieces)| pieces)
        .any(|piece| matches!(piece, Piece::Code(_)));
    has_code && text.contains("\"role\"") && text.contains("\"content\"")
}

/// Where a tag stands, as far as it stands in the file as it was read.
#[must_use]
pub fn tag_place(place: &Place, tag: &str) -> Place {
    let from = place.span.start;
    let inside = place.source.text.get(from..).unwrap_or_default();
    let Some(at) = inside.find(tag) else {
        return place.clone();
    };
    Place {
        source: Arc::clone(&place.source),
        span: Span {
            start: from + at,
            end: from + at + tag.len(),
        },
    }
}

/// The messages of a prompt that is a chat in JSON or YAML; `None` where it is plain text.
#[expect(
    clippy::type_complexity,
    reason = "the messages, and whether a developer speaks"
)]
fn chat(text: &str) -> Option<Result<(Vec<(Role, String)>, bool), String>> {
    let start = text.trim_start();
    if !start.starts_with('[') && !start.starts_with("- role:") {
        return None;
    }
    let source = Source::new("the prompt", text);
    let node = crate::base::yaml::parse_foreign(&source).ok()?;
    let Value::List(items) = &node.value else {
        return None;
    };
    if items.is_empty() || !items.iter().all(|item| item.get("role").is_some()) {
        return None;
    }
    let mut developer = false;
    let mut messages = Vec::with_capacity(items.len());
    for item in items {
        let role = match item.get("role").and_then(Node::as_text) {
            Some("system") => Role::System,
            Some("developer") => {
                developer = true;
                Role::System
            }
            Some("user") => Role::User,
            Some("assistant") => Role::Assistant,
            other => {
                let role = text::shorten(other.unwrap_or("none"), 40).into_owned();
                return Some(Err(format!("there is no role `{role}` in a prompt here")));
            }
        };
        match content(item) {
            Some(content) => messages.push((role, content)),
            None => return Some(Err("a message that is not text alone".to_owned())),
        }
    }
    Some(Ok((messages, developer)))
}

/// The text of a message, written as it is or as parts of text.
fn content(message: &Node) -> Option<String> {
    let content = message.get("content")?;
    if let Some(text) = content.as_text() {
        return Some(text.to_owned());
    }
    let Value::List(parts) = &content.value else {
        return None;
    };
    let texts = parts.iter().map(|part| {
        let is_text = part.get("type").and_then(Node::as_text) == Some("text");
        part.get("text").and_then(Node::as_text).filter(|_| is_text)
    });
    texts
        .collect::<Option<Vec<_>>>()
        .map(|texts| texts.concat())
}
