//! The faults that a mock rule can show in place of its answer.

use std::time::Duration;

use serde::de::IgnoredAny;
use serde_json::json;

use super::reply::MockOutcome;
use crate::base::decode::Reader;
use crate::base::digest::canonical_json;
use crate::base::{Node, Table};
use crate::http::{Headers, Reply};

/// A fault, and which attempts of which trials it hits.
#[derive(Debug)]
pub(super) struct Fault {
    effect: Effect,
    /// How many attempts of a trial it hits, from the first; absent for all.
    pub(super) times: Option<u32>,
    /// The share of trials that it hits.
    pub(super) rate: f64,
    /// Its own stream of draws; absent for the rule's.
    pub(super) draw: Option<String>,
}

#[derive(Debug)]
enum Effect {
    Status(Reply),
    Kind(Kind),
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Cut,
    Hang,
    BadJson,
    Empty,
    Refuse,
}

const KINDS: [(&str, Kind); 5] = [
    ("cut", Kind::Cut),
    ("hang", Kind::Hang),
    ("bad_json", Kind::BadJson),
    ("empty", Kind::Empty),
    ("refuse", Kind::Refuse),
];

impl Fault {
    /// Reads a `fault`; what is wrong in it is reported.
    pub(super) fn read(reader: &mut Reader<'_>, node: &Node) -> Option<Self> {
        let mut table = Table::new(reader, node, "`fault`")?;
        let effect = read_effect(reader, &mut table);
        let times = table
            .get("times")
            .and_then(|node| reader.whole_u32(node, "`times`", 1));
        let rate = table
            .get("rate")
            .map_or(Some(1.0), |node| reader.number(node, "`rate`", 0.0, 1.0));
        let draw = table
            .get("draw")
            .and_then(|node| reader.text(node, "`draw`"))
            .map(str::to_owned);
        table.finish(reader);
        Some(Self {
            effect: effect?,
            times,
            rate: rate?,
            draw,
        })
    }

    /// Whether a rule with this fault ever comes to its reply.
    pub(super) fn ends(&self) -> bool {
        self.times.is_some() || self.rate < 1.0
    }

    /// What the call gets.
    pub(super) fn outcome(&self, latency: Duration) -> MockOutcome {
        match &self.effect {
            Effect::Status(reply) => MockOutcome::Http {
                reply: reply.clone(),
                latency,
            },
            Effect::Kind(Kind::Cut) => MockOutcome::Cut,
            Effect::Kind(Kind::Hang) => MockOutcome::Hang,
            Effect::Kind(Kind::BadJson) => MockOutcome::BadJson,
            Effect::Kind(Kind::Empty) => MockOutcome::Empty,
            Effect::Kind(Kind::Refuse) => MockOutcome::Refuse,
        }
    }
}

fn read_effect(reader: &mut Reader<'_>, table: &mut Table<'_>) -> Option<Effect> {
    let status = table.get("status");
    let kind = table.get("kind");
    let body = table.get("body");
    let retry_after = table.get("retry_after");
    match (status, kind) {
        (Some(status), None) => read_status(reader, status, body, retry_after),
        (None, Some(kind)) => {
            for node in body.into_iter().chain(retry_after) {
                let message = "`body` and `retry_after` belong to a fault with a `status`";
                let help = "remove it, or write `status` in place of `kind`";
                reader.error(node.span, "fault", message, help);
            }
            reader.word(kind, "`kind`", &KINDS).map(Effect::Kind)
        }
        (Some(_), Some(kind)) => {
            let message = "a fault has either `status` or `kind`, this one has both";
            reader.error(kind.span, "fault", message, "remove one of the two");
            None
        }
        (None, None) => {
            let message = "`fault` has neither `status` nor `kind`";
            let help = "write `status: 429`, or `kind:` with one of cut, hang, bad_json, empty, \
                        refuse";
            reader.error(table.span(), "missing-key", message, help);
            None
        }
    }
}

fn read_status(
    reader: &mut Reader<'_>,
    status: &Node,
    body: Option<&Node>,
    retry_after: Option<&Node>,
) -> Option<Effect> {
    let seconds = retry_after.map(|node| reader.number(node, "`retry_after`", 0.0, f64::MAX));
    reader.number(status, "`status`", 200.0, 599.0)?;
    let status = reader.whole_u32(status, "`status`", 200)?;
    let status = u16::try_from(status).ok()?;
    let body = body.map_or_else(
        || {
            let message = format!("the mock rules answer with status {status}");
            canonical_json(&json!({"error": {"message": message, "type": "mock_fault"}}))
        },
        |node| match node.as_text() {
            Some(text) => text.to_owned(),
            None => canonical_json(&node.to_json()),
        },
    );
    let kind = if serde_json::from_str::<IgnoredAny>(&body).is_ok() {
        "application/json"
    } else {
        "text/plain"
    };
    let mut headers = vec![("content-type", kind.to_owned())];
    if let Some(seconds) = seconds {
        headers.push(("retry-after", seconds?.to_string()));
    }
    let headers = Headers::from_pairs(headers.iter().map(|(name, value)| (*name, value.as_str())));
    Some(Effect::Status(Reply {
        status,
        headers,
        body: body.into_bytes(),
    }))
}
