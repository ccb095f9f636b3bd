//! What the mock answers to a call: the first rule that holds, its draws, and its faults.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::MockRules;
use super::fault::Fault;
use super::rules::{Choice, Rule};
use super::when::Match;
use crate::base::Digest;
use crate::base::rng::{draw, unit_interval};
use crate::base::text::visible_line;
use crate::chat::{ErrorClass, Request, Response, ResponseFormat, TokenChoice, Usage};
use crate::provider::{Call, CallError, Reply, Subject};

/// How a call of the mock ends.
#[derive(Debug, Clone)]
pub enum MockOutcome {
    /// An answer.
    Answer {
        /// The answer.
        response: Response,
        /// The time to wait for it.
        latency: Duration,
    },
    /// A reply with a status, to be classified as one that came over the wire. One below 300 is a
    /// success that can not be read.
    Http {
        /// The reply.
        reply: Reply,
        /// The time to wait for it.
        latency: Duration,
    },
    /// No reply ever: the caller's deadline ends it.
    Hang,
    /// A body that ends too early.
    Cut,
    /// A success that is no JSON.
    BadJson,
    /// A success without an answer.
    Empty,
    /// A connection that is refused.
    Refuse,
    /// No rule has an answer for the call.
    NoRule {
        /// Why, naming the case.
        message: String,
    },
}

impl MockOutcome {
    /// The error that an outcome without a reply means: of [`Self::Hang`] the one after the
    /// deadline, and none of an answer or a reply with a status.
    #[must_use]
    pub fn error(&self) -> Option<CallError> {
        let (class, message) = match self {
            Self::Answer { .. } | Self::Http { .. } => return None,
            Self::Hang => (ErrorClass::Timeout, "the mock gave no reply in time"),
            Self::Cut => (ErrorClass::BadBody, "the mock's reply ends too early"),
            Self::BadJson => (ErrorClass::BadBody, "the mock's reply is not valid JSON"),
            Self::Empty => (ErrorClass::Empty, "the mock's reply has no answer"),
            Self::Refuse => (ErrorClass::Connect, "the mock refused the connection"),
            Self::NoRule { message } => (ErrorClass::NoRecording, message.as_str()),
        };
        Some(CallError::new(class, message))
    }
}

/// The draws of one call: made when they are needed, each once per stream.
struct Draws<'a> {
    seed: u64,
    subject: String,
    repeat: u32,
    last: Option<(&'a str, Digest)>,
}

impl<'a> Draws<'a> {
    fn new(seed: u64, subject: &Subject<'_>) -> Self {
        let id = subject.case.id.as_str();
        Self {
            seed,
            subject: subject
                .scorer
                .map_or_else(|| id.to_owned(), |scorer| format!("{id}#{scorer}")),
            repeat: subject.repeat,
            last: None,
        }
    }

    fn of(&mut self, stream: &'a str) -> Digest {
        if let Some((last, digest)) = &self.last
            && *last == stream
        {
            return *digest;
        }
        let digest = draw(self.seed, stream, &self.subject, self.repeat);
        self.last = Some((stream, digest));
        digest
    }

    /// Whether the draw of a stream is below a rate.
    fn below(&mut self, stream: &'a str, rate: f64) -> bool {
        rate >= 1.0 || unit_interval(self.of(stream).leading_u64()) < rate
    }
}

impl MockRules {
    /// The outcome of an attempt (from 1) of a call.
    #[must_use]
    pub fn answer(&self, call: &Call<'_>, attempt: u32) -> MockOutcome {
        let found = self
            .rules
            .iter()
            .find_map(|rule| Some((rule, rule.when.holds(call)?)));
        let Some((rule, matched)) = found else {
            let message = format!("no mock rule answers {}", call.subject);
            return MockOutcome::NoRule { message };
        };
        let mut draws = Draws::new(self.seed, &call.subject);
        let latency = rule.latency.unwrap_or(self.latency);
        if let Some(fault) = &rule.fault
            && hits(fault, rule, &mut draws, attempt)
        {
            return fault.outcome(latency.of(self.seed, &draws.subject, draws.repeat));
        }
        match rule.respond(call, &matched, &mut draws) {
            Ok(response) => MockOutcome::Answer {
                response,
                latency: latency.of(self.seed, &draws.subject, draws.repeat),
            },
            Err(missing) => {
                let message = format!(
                    "{} replies with {missing}, which is not there for {}",
                    rule.label, call.subject
                );
                let message = visible_line(&message);
                MockOutcome::NoRule { message }
            }
        }
    }

    /// What the mock "sends": all that its answer depends on, but for the repeat. The cache key is
    /// taken over it.
    #[must_use]
    pub fn identity(&self, call: &Call<'_>) -> Value {
        let Request {
            messages,
            params,
            tools,
            response_format,
        } = call.request;
        let case = call.subject.case;
        let mut sent = Map::new();
        let mut put = |key: &str, value: Value| sent.insert(key.to_owned(), value);
        put("rules", json!(self.digest()));
        put("messages", json!(messages));
        put("params", json!(params));
        if !tools.is_empty() {
            put("tools", json!(tools));
        }
        match response_format {
            None => {}
            Some(ResponseFormat::JsonObject) => {
                put("response_format", json!({"type": "json_object"}));
            }
            Some(ResponseFormat::JsonSchema { name, schema }) => {
                let format = json!({"type": "json_schema", "name": name, "schema": schema});
                put("response_format", format);
            }
        }
        put("case", json!(case.id));
        put("vars", case.vars.to_json());
        if let Some(expected) = &case.expected {
            put("expected", expected.clone());
        }
        put("segment", case.segment_json());
        put("tags", case.tags.iter().map(|tag| json!(tag)).collect());
        if let Some(scorer) = call.subject.scorer {
            put("scorer", json!(scorer));
        }
        sent.into()
    }
}

impl Rule {
    /// The answer, or the reference that there is no value for.
    fn respond<'a>(
        &'a self,
        call: &Call<'_>,
        matched: &Match<'_>,
        draws: &mut Draws<'a>,
    ) -> Result<Response, &'a str> {
        let choice = if draws.below(&self.draw, self.rate) {
            &self.reply
        } else {
            &self.otherwise
        };
        let text = self.choose(choice, draws, call, matched)?;
        let asked = call.request.messages.iter();
        let asked: usize = asked.map(|message| message.content.len()).sum();
        Ok(Response {
            usage: Usage {
                input_tokens: self.usage.input_tokens.or(Some(tokens(asked))),
                output_tokens: self.usage.output_tokens.or(Some(tokens(text.len()))),
                ..self.usage
            },
            token_choices: if call.request.params.logprobs {
                self.token_choices(&text)
            } else {
                Vec::new()
            },
            text,
            finish: choice.finish.clone(),
            ..Response::default()
        })
    }

    /// A text as three tokens, of which the middle one has the choices of the rule.
    fn token_choices(&self, text: &str) -> Vec<TokenChoice> {
        let places = self.logprobs.iter();
        let places = places.filter(|(token, _)| !token.is_empty());
        let first = places
            .filter_map(|(token, _)| Some((text.find(token.as_str())?, token.len())))
            .min();
        let parts = first.and_then(|(at, length)| {
            let (before, rest) = text.split_at_checked(at)?;
            let (token, after) = rest.split_at_checked(length)?;
            Some([before, token, after])
        });
        let Some([before, token, after]) = parts else {
            return Vec::new();
        };
        let choice = |token: &str, top| TokenChoice {
            token: token.to_owned(),
            top,
        };
        let top = self.logprobs.iter();
        let top = top.filter(|(_, probability)| *probability > 0.0);
        let top = top.map(|(token, probability)| (token.clone(), probability.ln()));
        vec![
            choice(before, Vec::new()),
            choice(token, top.collect()),
            choice(after, Vec::new()),
        ]
    }

    fn choose<'a>(
        &'a self,
        choice: &'a Choice,
        draws: &mut Draws<'a>,
        call: &Call<'_>,
        matched: &Match<'_>,
    ) -> Result<String, &'a str> {
        let template = match choice.texts.as_slice() {
            [only] => Some(only),
            texts => {
                let length = texts.len().max(1) as u64;
                let index = draws.of(&self.draw).word(1) % length;
                usize::try_from(index).ok().and_then(|at| texts.get(at))
            }
        };
        // Decoding leaves no choice that can be reached without a text.
        template.map_or(Ok(String::new()), |template| {
            template.render(call.subject.case, matched)
        })
    }
}

fn hits<'a>(fault: &'a Fault, rule: &'a Rule, draws: &mut Draws<'a>, attempt: u32) -> bool {
    fault.times.is_none_or(|times| attempt <= times)
        && draws.below(fault.draw.as_deref().unwrap_or(&rule.draw), fault.rate)
}

/// A quarter of the bytes, rounded up.
fn tokens(bytes: usize) -> u64 {
    bytes.div_ceil(4) as u64
}
