//! The rules file of the mock, `gate: mock/1`: all its errors are reported at once, with patterns,
//! globs and templates compiled, so that answering is cheap and can not meet a bad rule.

use std::f64::consts::TAU;
use std::sync::Arc;
use std::time::Duration;

use super::fault::Fault;
use super::template::Template;
use super::when::When;
use crate::base::decode::{Reader, choices};
use crate::base::rng::{draw, unit_interval};
use crate::base::{Diagnostics, Digest, Node, Source, Table, Value, yaml};
use crate::chat::{Finish, Usage};
use crate::provider::usage::read_usage;

const FORMAT: &str = "mock/1";
/// The longest wait of the mock, an hour.
const MAX_LATENCY_MS: f64 = 3_600_000.0;

/// The rules of a mock provider, checked and compiled.
#[derive(Debug)]
pub struct MockRules {
    pub(super) seed: u64,
    pub(super) latency: Latency,
    pub(super) rules: Vec<Rule>,
    digest: Digest,
}

/// One rule: which calls it answers, and with what.
#[derive(Debug)]
pub(super) struct Rule {
    /// Its name, or its place in the list, for messages.
    pub(super) label: String,
    pub(super) when: When,
    /// The stream of the rule's draws.
    pub(super) draw: String,
    /// The share of trials that get `reply`.
    pub(super) rate: f64,
    /// Without a text only where a fault hits every attempt.
    pub(super) reply: Choice,
    /// Without a text only where `rate` is 1.
    pub(super) otherwise: Choice,
    pub(super) usage: Usage,
    /// The likeliest tokens at the first place of the reply where one of them stands, with their
    /// probabilities.
    pub(super) logprobs: Vec<(String, f64)>,
    pub(super) latency: Option<Latency>,
    pub(super) fault: Option<Fault>,
}

/// Texts of which a draw chooses one, and why the model is said to have stopped.
#[derive(Debug)]
pub(super) struct Choice {
    pub(super) texts: Vec<Template>,
    pub(super) finish: Finish,
}

/// How long an answer takes: log-normal, and fixed where `sigma` is 0.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Latency {
    median_ms: f64,
    sigma: f64,
}

impl Latency {
    /// The wait of a subject's repeat: the same for every version (Box and Muller's normal deviate
    /// from the second and third eight bytes of the draw `latency`).
    pub(super) fn of(self, seed: u64, subject: &str, repeat: u32) -> Duration {
        let mut milliseconds = self.median_ms;
        if self.sigma > 0.0 && milliseconds > 0.0 {
            let digest = draw(seed, "latency", subject, repeat);
            let radius = (-2.0 * (1.0 - unit_interval(digest.word(1))).ln()).sqrt();
            let normal = radius * (TAU * unit_interval(digest.word(2))).cos();
            milliseconds *= (self.sigma * normal).exp();
        }
        Duration::from_secs_f64(milliseconds.clamp(0.0, MAX_LATENCY_MS) / 1_000.0)
    }

    fn read(reader: &mut Reader<'_>, node: &Node) -> Option<Self> {
        if let Value::Map(_) = node.value {
            let mut table = Table::new(reader, node, "`latency_ms`")?;
            let median = table
                .require(reader, "median")
                .and_then(|node| reader.number(node, "`median`", 0.0, MAX_LATENCY_MS));
            let sigma = table
                .get("sigma")
                .map_or(Some(0.0), |node| reader.number(node, "`sigma`", 0.0, 10.0));
            table.finish(reader);
            return Some(Self {
                median_ms: median?,
                sigma: sigma?,
            });
        }
        let median_ms = reader.number(node, "`latency_ms`", 0.0, MAX_LATENCY_MS)?;
        Some(Self {
            median_ms,
            sigma: 0.0,
        })
    }
}

impl MockRules {
    /// Reads a rules file. Every finding goes to `diagnostics`; where one is an error there are no
    /// rules.
    pub fn decode(source: &Arc<Source>, diagnostics: &mut Diagnostics) -> Option<Self> {
        let node = match yaml::parse(source) {
            Ok(node) => node,
            Err(found) => {
                diagnostics.extend(found);
                return None;
            }
        };
        let mut found = Diagnostics::new();
        let mut reader = Reader {
            source: Arc::clone(source),
            diagnostics: &mut found,
        };
        let rules = read_file(&mut reader, &node);
        let failed = found.has_errors();
        diagnostics.extend(found);
        rules.filter(|_| !failed)
    }

    /// The digest of the file's text, with CRLF as LF and without a byte order mark.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.digest
    }
}

fn read_file(reader: &mut Reader<'_>, node: &Node) -> Option<MockRules> {
    let mut table = Table::new(reader, node, "the rules file")?;
    if let Some(gate) = table.require(reader, "gate")
        && !reader.check_format(gate, FORMAT)
    {
        return None;
    }
    let seed = table
        .get("seed")
        .map_or(Some(0), |node| reader.whole(node, "`seed`", 0));
    let latency = table
        .get("latency_ms")
        .map_or(Some(Latency::default()), |node| Latency::read(reader, node));
    let rules = table
        .require(reader, "rules")
        .and_then(|node| read_rules(reader, node));
    table.finish(reader);
    Some(MockRules {
        seed: seed?,
        latency: latency?,
        rules: rules?,
        digest: Digest::of_bytes(reader.source.text.as_bytes()),
    })
}

fn read_rules(reader: &mut Reader<'_>, node: &Node) -> Option<Vec<Rule>> {
    let items = reader.list(node, "`rules`")?;
    if items.is_empty() {
        let help = "write one, such as `- reply: \"{{expected}}\"`";
        reader.error(node.span, "empty", "`rules` has no rule", help);
    }
    let mut last_word: Option<String> = None;
    let mut rules = Vec::with_capacity(items.len());
    for (index, item) in items.iter().enumerate() {
        let Some(rule) = read_rule(reader, item, index + 1) else {
            continue;
        };
        if let Some(earlier) = &last_word {
            let message = format!("{} is never asked", rule.label);
            let help =
                format!("{earlier} has no `when`, so it answers every call: move it to the end");
            reader.warning(item.span, "unreachable", message, help);
        } else if item.get("when").is_none_or(Node::is_null) {
            last_word = Some(rule.label.clone());
        }
        rules.push(rule);
    }
    Some(rules)
}

fn read_rule(reader: &mut Reader<'_>, node: &Node, number: usize) -> Option<Rule> {
    let mut table = Table::new(reader, node, &format!("rule {number}"))?;
    let name = table
        .get("name")
        .and_then(|node| reader.text(node, "`name`"));
    let when = table
        .get("when")
        .map_or_else(|| Some(When::default()), |node| When::read(reader, node));
    let when = when.unwrap_or_default();
    let draw = table
        .get("draw")
        .map_or(Some("base"), |node| reader.text(node, "`draw`"));
    let fault = table
        .get("fault")
        .map_or(Some(None), |node| Fault::read(reader, node).map(Some));
    let rate = table.get("rate");
    let share = rate.map_or(Some(1.0), |node| reader.number(node, "`rate`", 0.0, 1.0));
    if let Some(fault) = &fault {
        check_reply(reader, &mut table, fault.as_ref());
    }
    check_otherwise(reader, &mut table, rate, share);
    let (reply, otherwise) = read_choices(reader, &mut table, &when.groups());
    let usage = table.get("usage").and_then(|node| read_usage(reader, node));
    let logprobs = table
        .get("logprobs")
        .map_or_else(Vec::new, |node| read_logprobs(reader, node));
    let latency = table
        .get("latency_ms")
        .and_then(|node| Latency::read(reader, node));
    table.finish(reader);
    Some(Rule {
        label: name.map_or_else(|| format!("rule {number}"), |name| format!("rule `{name}`")),
        when,
        draw: draw?.to_owned(),
        rate: share?,
        reply,
        otherwise,
        usage: usage.unwrap_or_default(),
        logprobs,
        latency,
        fault: fault?,
    })
}

fn read_logprobs(reader: &mut Reader<'_>, node: &Node) -> Vec<(String, f64)> {
    let entries = reader.map(node, "`logprobs`").unwrap_or_default();
    entries
        .iter()
        .filter_map(|entry| {
            let what = format!("the probability of `{}`", entry.key);
            let probability = reader.number(&entry.value, &what, 0.0, 1.0)?;
            Some((entry.key.clone(), probability))
        })
        .collect()
}

/// A rule needs a reply unless its fault never ends.
fn check_reply(reader: &mut Reader<'_>, table: &mut Table<'_>, fault: Option<&Fault>) {
    if table.get("reply").is_some() || fault.is_some_and(|fault| !fault.ends()) {
        return;
    }
    let (message, help) = match fault {
        None => ("a rule has neither `reply` nor `fault`", "add `reply:`"),
        Some(_) => (
            "a fault that ends, by `times` or `rate`, needs a `reply` for what comes after it",
            "add `reply:`, or remove `times` and `rate` from the fault",
        ),
    };
    reader.error(table.span(), "missing-key", message, help);
}

/// A rule needs another answer if not all trials get the first.
fn check_otherwise(
    reader: &mut Reader<'_>,
    table: &mut Table<'_>,
    rate: Option<&Node>,
    share: Option<f64>,
) {
    match (rate, share, table.get("otherwise")) {
        (Some(rate), Some(share), None) if share < 1.0 => {
            let message = "a `rate` below 1 needs `otherwise` for the other trials";
            let help = "add `otherwise:` with a text or a list of texts";
            reader.error(rate.span, "missing-key", message, help);
        }
        (None, _, Some(otherwise)) => {
            let message = "`otherwise` is never used without a `rate`";
            let help = "add `rate:` with the share of trials that get `reply`";
            reader.warning(otherwise.span, "unused", message, help);
        }
        _ => {}
    }
}

fn read_choices(
    reader: &mut Reader<'_>,
    table: &mut Table<'_>,
    groups: &[&str],
) -> (Choice, Choice) {
    let mut texts = |reader: &mut Reader<'_>, key: &'static str| {
        let node = table.get(key);
        node.map_or_else(Vec::new, |node| read_texts(reader, node, key, groups))
    };
    let (reply, otherwise) = (texts(reader, "reply"), texts(reader, "otherwise"));
    let mut finish = |reader: &mut Reader<'_>, key: &'static str| {
        let node = table.get(key);
        node.and_then(|node| read_finish(reader, node, key))
    };
    let first = finish(reader, "finish_reason").unwrap_or_default();
    let second = finish(reader, "otherwise_finish_reason").unwrap_or_else(|| first.clone());
    (
        Choice {
            texts: reply,
            finish: first,
        },
        Choice {
            texts: otherwise,
            finish: second,
        },
    )
}

fn read_texts(reader: &mut Reader<'_>, node: &Node, key: &str, groups: &[&str]) -> Vec<Template> {
    let items = match &node.value {
        Value::List(items) => items.as_slice(),
        _ => std::slice::from_ref(node),
    };
    if items.is_empty() {
        let message = format!("`{key}` is an empty list");
        reader.error(node.span, "empty", message, "write at least one text");
    }
    let what = format!("`{key}`");
    items
        .iter()
        .filter_map(|item| Template::read(reader, item, &what, groups))
        .collect()
}

/// Any word is taken, so that the way of an unknown one can be tried, but hardly any is meant.
fn read_finish(reader: &mut Reader<'_>, node: &Node, key: &str) -> Option<Finish> {
    let word = reader.nonempty(node, &format!("`{key}`"))?;
    let finish = Finish::from_word(word);
    if let Finish::Other(_) = finish {
        let known = [
            "stop",
            "length",
            "tool",
            "refusal",
            "filtered",
            "tool_fault",
            "error",
        ];
        let message = format!("`{word}` is no finish reason, so these trials are errored");
        reader.warning(node.span, "unknown-word", message, choices(word, &known));
    }
    Some(finish)
}
