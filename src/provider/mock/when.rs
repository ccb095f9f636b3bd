//! The condition of a mock rule: which calls it answers.

use globset::{GlobBuilder, GlobMatcher};
use regex::{Captures, Regex, RegexBuilder};

use crate::base::decode::Reader;
use crate::base::{Node, Table};
use crate::chat::{Request, Role};
use crate::provider::Call;

/// The most memory of a compiled pattern, in bytes.
const PATTERN_LIMIT: usize = 2 << 20;

/// All that must hold of a call; what is absent holds of every call.
#[derive(Debug, Default)]
pub(super) struct When {
    system: Option<Regex>,
    user: Option<Regex>,
    case: Option<GlobMatcher>,
    segment: Vec<(String, String)>,
    tag: Option<String>,
    json: Option<bool>,
    repeat: Option<u32>,
}

/// What the `user` pattern found, for the reply.
#[derive(Debug, Default)]
pub(super) struct Match<'c>(Option<Captures<'c>>);

impl Match<'_> {
    /// The text of a named group; empty where it took no part.
    pub(super) fn group(&self, name: &str) -> &str {
        self.0
            .as_ref()
            .and_then(|captures| captures.name(name))
            .map_or("", |found| found.as_str())
    }
}

impl When {
    /// Reads a condition; what is wrong in it is reported.
    pub(super) fn read(reader: &mut Reader<'_>, node: &Node) -> Option<Self> {
        let mut table = Table::new(reader, node, "`when`")?;
        let when = Self {
            system: table
                .get("system")
                .and_then(|node| read_pattern(reader, node, "`system`")),
            user: table
                .get("user")
                .and_then(|node| read_pattern(reader, node, "`user`")),
            case: table.get("case").and_then(|node| read_glob(reader, node)),
            segment: table
                .get("segment")
                .map_or_else(Vec::new, |node| read_segment(reader, node)),
            tag: table
                .get("tag")
                .and_then(|node| reader.nonempty(node, "`tag`"))
                .map(str::to_owned),
            json: table
                .get("json")
                .and_then(|node| reader.boolean(node, "`json`")),
            repeat: table
                .get("repeat")
                .and_then(|node| reader.whole_u32(node, "`repeat`", 1)),
        };
        table.finish(reader);
        Some(when)
    }

    /// The named groups of the `user` pattern.
    pub(super) fn groups(&self) -> Vec<&str> {
        let patterns = self.user.iter();
        patterns
            .flat_map(|pattern| pattern.capture_names().flatten())
            .collect()
    }

    /// What the condition finds in a call, if it holds.
    pub(super) fn holds<'c>(&self, call: &Call<'c>) -> Option<Match<'c>> {
        let subject = &call.subject;
        let case = subject.case;
        let cheap = self.repeat.is_none_or(|repeat| repeat == subject.repeat)
            && self
                .json
                .is_none_or(|json| json == call.request.response_format.is_some())
            && self
                .tag
                .as_ref()
                .is_none_or(|tag| case.tags.iter().any(|own| own.as_ref() == tag))
            && self.segment.iter().all(|(key, value)| {
                case.segment
                    .get(key)
                    .is_some_and(|own| own.as_ref() == value)
            })
            && self
                .case
                .as_ref()
                .is_none_or(|glob| glob.is_match(case.id.as_str()));
        if !cheap {
            return None;
        }
        if let Some(pattern) = &self.system
            && !texts(call.request, Role::System).any(|text| pattern.is_match(text))
        {
            return None;
        }
        let Some(pattern) = &self.user else {
            return Some(Match::default());
        };
        let mut user = texts(call.request, Role::User);
        if pattern.captures_len() == 1 {
            return user.any(|text| pattern.is_match(text)).then(Match::default);
        }
        user.find_map(|text| pattern.captures(text))
            .map(|captures| Match(Some(captures)))
    }
}

fn texts(request: &Request, role: Role) -> impl Iterator<Item = &str> {
    let messages = request.messages.iter();
    messages
        .filter(move |message| message.role == role)
        .map(|message| message.content.as_str())
}

fn read_pattern(reader: &mut Reader<'_>, node: &Node, what: &str) -> Option<Regex> {
    let text = reader.text(node, what)?;
    match RegexBuilder::new(text).size_limit(PATTERN_LIMIT).build() {
        Ok(pattern) => Some(pattern),
        Err(error) => {
            let full = error.to_string();
            let cause = full.lines().last().unwrap_or_default();
            let cause = cause.strip_prefix("error: ").unwrap_or(cause);
            let message = format!("{what} is not a valid pattern: {cause}");
            let help = "write a regular expression of the Rust regex syntax (no look-around, no \
                        back-references)";
            reader.error(node.span, "pattern", message, help);
            None
        }
    }
}

fn read_glob(reader: &mut Reader<'_>, node: &Node) -> Option<GlobMatcher> {
    let text = reader.nonempty(node, "`case`")?;
    match GlobBuilder::new(text).backslash_escape(true).build() {
        Ok(glob) => Some(glob.compile_matcher()),
        Err(error) => {
            let message = format!("`case` is not a valid glob: {}", error.kind());
            let help = "use *, ?, [a-z] and {a,b}, with a backslash before one that is meant \
                        literally";
            reader.error(node.span, "glob", message, help);
            None
        }
    }
}

fn read_segment(reader: &mut Reader<'_>, node: &Node) -> Vec<(String, String)> {
    let entries = reader.map(node, "`segment`").unwrap_or_default();
    entries
        .iter()
        .filter_map(|entry| {
            let what = format!("segment `{}`", entry.key);
            let value = reader.text(&entry.value, &what)?;
            Some((entry.key.clone(), value.to_owned()))
        })
        .collect()
}
