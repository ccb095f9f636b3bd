//! The replay provider: answers from a cassette of recorded answers (formats.md section 9), JSONL
//! that is decoded line by line. Of the lines that fit a call the most exact one answers: a
//! `sha256:` prefix is more exact than a number, a longer prefix more than a shorter one, and any
//! version more than none. Case, repeat and scorer must be the call's own.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use super::usage::read_usage;
use super::{Call, CallError, Version};
use crate::base::decode::Reader;
use crate::base::digest::DigestBuilder;
use crate::base::{Diagnostic, Diagnostics, Digest, Node, Source, Span, Table, json, text};
use crate::chat::{ErrorClass, Finish, Response, Usage};

/// The longest line that is read.
pub const MAX_LINE_BYTES: usize = 8 << 20;
/// The longest latency that a line may state, a day.
const MAX_LATENCY_MS: f64 = 86_400_000.0;
const SHA256: &str = "sha256:";

/// Recorded answers, indexed for look-up.
#[derive(Debug, Default)]
pub struct Cassette {
    cases: HashMap<Box<str>, BTreeMap<Spot, Recording>>,
    digest: DigestBuilder,
}

/// What a line answers, beside its case.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Spot {
    scorer: Option<Arc<str>>,
    repeat: u32,
    version: Named,
}

/// The version that a line names, in order of exactness.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Named {
    Any,
    Number(u32),
    Hash { length: usize, prefix: Arc<str> },
}

#[derive(Debug)]
struct Recording {
    line: u32,
    output: Box<str>,
    finish: Finish,
    model: Option<Arc<str>>,
    usage: Usage,
    latency: Duration,
}

impl Cassette {
    /// The recorded answer to a call, and how long it took.
    ///
    /// # Errors
    /// `no_recording`, naming the call, when no line fits.
    pub fn answer(&self, call: &Call<'_>) -> Result<(Response, Duration), CallError> {
        let subject = &call.subject;
        let lines = self.cases.get(subject.case.id.as_str());
        let first = Spot {
            scorer: subject.scorer.map(Arc::from),
            repeat: subject.repeat,
            version: Named::Any,
        };
        let found = lines.and_then(|lines| {
            lines
                .range(&first..)
                .take_while(|(spot, _)| {
                    (&spot.scorer, spot.repeat) == (&first.scorer, first.repeat)
                })
                .filter(|(spot, _)| spot.version.fits(&subject.version))
                .last()
        });
        if let Some((_, recording)) = found {
            return Ok((recording.response(), recording.latency));
        }
        let hint = if lines.is_some() {
            "; its lines for the case are of other versions, repeats or scorers"
        } else {
            ""
        };
        let message = format!("the cassette has no answer for {subject}{hint}");
        Err(CallError::new(ErrorClass::NoRecording, message))
    }

    /// The digest of the file's lines, each ended by a newline, without a byte order mark.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.digest.clone().finish()
    }
}

impl Named {
    fn fits(&self, version: &Version<'_>) -> bool {
        match self {
            Self::Any => true,
            Self::Number(number) => version.number == Some(*number),
            Self::Hash { prefix, .. } => version.hash.starts_with(prefix.as_ref()),
        }
    }
}

impl Recording {
    fn response(&self) -> Response {
        Response {
            text: self.output.to_string(),
            finish: self.finish.clone(),
            usage: self.usage,
            served_model: self.model.as_deref().map(str::to_owned),
            ..Response::default()
        }
    }
}

/// Reads a cassette line by line, so that only the recordings are in memory.
#[derive(Debug)]
pub struct CassetteDecoder<'a> {
    name: String,
    cassette: Cassette,
    words: HashSet<Arc<str>>,
    failed: bool,
    diagnostics: &'a mut Diagnostics,
}

impl<'a> CassetteDecoder<'a> {
    /// An empty cassette of this name (the path as shown).
    pub fn new(name: impl Into<String>, diagnostics: &'a mut Diagnostics) -> Self {
        Self {
            name: name.into(),
            cassette: Cassette::default(),
            words: HashSet::new(),
            failed: false,
            diagnostics,
        }
    }

    /// Reads one line, with or without its line end, of a number from 1. Blank lines are skipped.
    pub fn line(&mut self, line: &str, number: u32) {
        let line = line.trim_end_matches(['\n', '\r']);
        let line = if number == 1 {
            line.strip_prefix('\u{feff}').unwrap_or(line)
        } else {
            line
        };
        self.cassette.digest.update(line.as_bytes());
        self.cassette.digest.update(b"\n");
        if line.trim().is_empty() {
            return;
        }
        let first_line = usize::try_from(number).unwrap_or(1);
        let shown = text::byte_prefix(line, MAX_LINE_BYTES);
        let source = Source::row(self.name.clone(), shown, first_line);
        let mut found = Diagnostics::new();
        if shown.len() < line.len() {
            let message = format!("the line is longer than {} MiB", MAX_LINE_BYTES >> 20);
            found.push(Diagnostic::error("too-large", message).at(&source, Span::default()));
        } else {
            match json::parse(&source) {
                Ok(node) => self.row(&source, &node, number, &mut found),
                Err(errors) => found.extend(errors),
            }
        }
        self.failed |= found.has_errors();
        self.diagnostics.extend(found);
    }

    /// The cassette, if no line had an error. One without a line is an error too.
    #[must_use]
    pub fn finish(self) -> Option<Cassette> {
        if self.cassette.cases.is_empty() && !self.failed {
            let source = Source::row(self.name, "", 1);
            let diagnostic = Diagnostic::error("empty", "the cassette has no line")
                .at(&source, Span::default())
                .help("record one with `gate cache export RUN`");
            self.diagnostics.push(diagnostic);
            return None;
        }
        (!self.failed).then_some(self.cassette)
    }

    fn row(&mut self, source: &Arc<Source>, node: &Node, line: u32, found: &mut Diagnostics) {
        let mut reader = Reader {
            source: Arc::clone(source),
            diagnostics: found,
        };
        let Some((id, spot, recording)) = self.read_row(&mut reader, node, line) else {
            return;
        };
        let lines = self.cassette.cases.entry(id.into()).or_default();
        match lines.entry(spot) {
            Entry::Vacant(entry) => {
                entry.insert(recording);
            }
            Entry::Occupied(entry) => {
                let shown = text::visible_line(id);
                let message = format!(
                    "lines {} and {line} are equally exact answers for case `{shown}`",
                    entry.get().line
                );
                let help = "remove one, or give them different versions, repeats or scorers";
                reader.error(node.span, "duplicate-recording", message, help);
            }
        }
    }

    fn read_row<'n>(
        &mut self,
        reader: &mut Reader<'_>,
        node: &'n Node,
        line: u32,
    ) -> Option<(&'n str, Spot, Recording)> {
        let mut table = Table::new(reader, node, "the line")?;
        let id = table
            .require(reader, "id")
            .and_then(|node| reader.nonempty(node, "`id`"));
        let version = table
            .get("version")
            .map_or(Some(Named::Any), |node| self.read_version(reader, node));
        let repeat = table
            .get("repeat")
            .map_or(Some(1), |node| reader.whole_u32(node, "`repeat`", 1));
        let mut word = |reader: &mut Reader<'_>, key: &'static str| {
            let node = table.get(key)?;
            let text = reader.nonempty(node, &format!("`{key}`"))?;
            Some(text)
        };
        let scorer = word(reader, "scorer").map(|word| self.intern(word));
        let model = word(reader, "model").map(|word| self.intern(word));
        let finish = word(reader, "finish_reason").map(Finish::from_word);
        let output = table
            .require(reader, "output")
            .and_then(|node| reader.text(node, "`output`"));
        let usage = table.get("usage").and_then(|node| read_usage(reader, node));
        let latency = table.get("latency_ms").map_or(Some(0.0), |node| {
            reader.number(node, "`latency_ms`", 0.0, MAX_LATENCY_MS)
        });
        table.finish(reader);
        let spot = Spot {
            scorer,
            repeat: repeat?,
            version: version?,
        };
        let recording = Recording {
            line,
            output: output?.into(),
            finish: finish.unwrap_or_default(),
            model,
            usage: usage.unwrap_or_default(),
            latency: Duration::from_secs_f64(latency? / 1_000.0),
        };
        Some((id?, spot, recording))
    }

    fn read_version(&mut self, reader: &mut Reader<'_>, node: &Node) -> Option<Named> {
        let text = reader.text(node, "`version`")?;
        if let Some(digits) = text.strip_prefix(SHA256)
            && (8..=64).contains(&digits.len())
            && digits
                .bytes()
                .all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
        {
            let (length, prefix) = (text.len(), self.intern(text));
            return Some(Named::Hash { length, prefix });
        }
        let digits = text.strip_prefix('v').unwrap_or_default();
        let plain = !digits.starts_with('0') && digits.bytes().all(|b| b.is_ascii_digit());
        if let Some(number) = digits.parse().ok().filter(|_| plain) {
            return Some(Named::Number(number));
        }
        let message = format!("`{text}` names no version");
        let help = "write `v7`, or `sha256:` and 8 to 64 lower-case hex digits";
        reader.error(node.span, "version", message, help);
        None
    }

    /// The one shared copy of a word that many lines repeat.
    fn intern(&mut self, word: &str) -> Arc<str> {
        if let Some(known) = self.words.get(word) {
            return Arc::clone(known);
        }
        let shared: Arc<str> = word.into();
        self.words.insert(Arc::clone(&shared));
        shared
    }
}

#[cfg(test)]
mod tests;
