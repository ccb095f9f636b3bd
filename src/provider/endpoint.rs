//! A model that can be asked: the one door through which every provider is called, on the wire or
//! not. What is sent is sealed first, so that its key is known before anything leaves.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::auth::Auth;
use super::call::{Call, CallError, EncodeError, Encoded};
use super::codec::Codec;
use super::exec::Exec;
use super::key::{Wire, wire};
use super::mock::{MockOutcome, MockRules};
use super::replay::Cassette;
use super::{classify, embedding, limits};
use crate::chat::{ErrorClass, Finish, ModelSpec, Response, Tokenizer};
use crate::http::{Client, Header, HttpRequest, Method, Redactor, Reply};

/// A model with everything that is needed to ask it.
pub struct Endpoint {
    /// The model.
    pub spec: ModelSpec,
    /// How the tokens of its questions are counted.
    pub tokenizer: Tokenizer,
    pub(super) transport: Transport,
}

/// How an endpoint is reached.
pub enum Transport {
    /// Over the network.
    Remote {
        /// The vendor's form.
        codec: &'static dyn Codec,
        /// The client.
        client: Client,
        /// What shows that one may ask.
        auth: Auth,
        /// Takes known secrets out of messages.
        redactor: Arc<Redactor>,
    },
    /// By the rules of a file.
    Mock(Arc<MockRules>),
    /// By the mock's embeddings, which no rules change.
    MockEmbedding,
    /// From a cassette.
    Replay(Arc<Cassette>),
    /// By a command of the user's own.
    Exec {
        /// The process.
        exec: Arc<Exec>,
        /// Takes known secrets out of messages.
        redactor: Arc<Redactor>,
    },
}

/// An answer and how long it took.
#[derive(Debug, Clone, PartialEq)]
pub struct Answered {
    /// The answer.
    pub response: Response,
    /// From sending to the last byte.
    pub latency: Duration,
    /// How long nothing should be sent, where the provider says that an allowance is used up.
    pub hold: Option<Duration>,
}

/// A call that is ready to be sent.
#[derive(Debug, Clone)]
pub struct Sealed {
    url: String,
    method: Method,
    headers: Vec<Header>,
    wire: Wire,
}

impl Sealed {
    /// The cache key.
    #[must_use]
    pub fn key(&self) -> crate::base::Digest {
        self.wire.key
    }

    /// The canonical JSON that the key is the digest of.
    #[must_use]
    pub fn request(&self) -> &str {
        self.wire.request()
    }

    /// The body as it is sent.
    pub(super) fn body(&self) -> &str {
        self.wire.body()
    }
}

impl Endpoint {
    /// A model reached in some way.
    #[must_use]
    pub fn new(spec: ModelSpec, transport: Transport) -> Self {
        Self {
            tokenizer: Tokenizer::of_model(spec.provider, spec.id()),
            spec,
            transport,
        }
    }

    /// The endpoint of the same model's embeddings, where its provider has some.
    #[must_use]
    pub fn of_embeddings(spec: ModelSpec, transport: Transport) -> Option<Self> {
        let transport = match transport {
            Transport::Remote {
                client,
                auth,
                redactor,
                ..
            } => Transport::Remote {
                codec: embedding::codec(spec.provider)?,
                client,
                auth,
                redactor,
            },
            Transport::Mock(_) | Transport::MockEmbedding => Transport::MockEmbedding,
            Transport::Replay(cassette) => Transport::Replay(cassette),
            Transport::Exec { .. } => return None,
        };
        Some(Self::new(spec, transport))
    }

    /// Whether calls leave this machine, or may.
    #[must_use]
    pub fn leaves_the_machine(&self) -> bool {
        match self.transport {
            Transport::Remote { .. } | Transport::Exec { .. } => true,
            Transport::Mock(_) | Transport::MockEmbedding | Transport::Replay(_) => false,
        }
    }

    /// Whether the price of an answer is nothing by nature.
    #[must_use]
    pub fn is_free(&self) -> bool {
        !self.leaves_the_machine()
    }

    /// Puts a call into the form in which it is sent.
    ///
    /// # Errors
    /// When the vendor can not express something that the request asks for.
    pub fn seal(&self, call: &Call<'_>) -> Result<Sealed, EncodeError> {
        let encoded = match &self.transport {
            Transport::Remote { codec, .. } => codec.encode(&self.spec, call.request)?,
            Transport::Mock(rules) => local("mock:", rules.identity(call)),
            Transport::MockEmbedding => {
                let messages = call.request.messages.iter();
                let texts: Vec<&str> = messages.map(|text| text.content.as_str()).collect();
                local("mock:embeddings", json!({ "input": texts }))
            }
            Transport::Replay(cassette) => {
                let subject = &call.subject;
                let identity = json!({
                    "cassette": cassette.digest(),
                    "case": subject.case.id,
                    "version": subject.version.hash,
                    "scorer": subject.scorer,
                });
                local("replay:", identity)
            }
            Transport::Exec { exec, .. } => local("exec:", exec.identity(call, self.spec.id())),
        };
        let wire = wire(&encoded, self.spec.provider, call.subject.repeat);
        Ok(Sealed {
            method: encoded.method,
            url: encoded.url,
            headers: encoded.headers,
            wire,
        })
    }

    /// Sends a sealed call once. `attempt` counts from 1.
    ///
    /// # Errors
    /// When there is no usable answer within the deadline.
    pub async fn send(
        &self,
        sealed: &Sealed,
        call: &Call<'_>,
        attempt: u32,
        deadline: Duration,
    ) -> Result<Answered, CallError> {
        let begun = tokio::time::Instant::now();
        let mut answered = match &self.transport {
            Transport::Remote {
                codec,
                client,
                auth,
                redactor,
            } => {
                let request = HttpRequest {
                    method: sealed.method,
                    headers: &sealed.headers,
                    auth: &auth.headers(&sealed.url, sealed.wire.body())?,
                    ..HttpRequest::post(&sealed.url, sealed.wire.body().as_bytes())
                };
                let reply = client.send(&request, deadline).await;
                let hold = reply.as_ref().ok().and_then(limits::hold);
                let reply =
                    reply.map_err(|fault| redacted(classify::exchange_error(&fault), redactor))?;
                Answered {
                    response: decoded(*codec, &self.spec, &reply, redactor)?,
                    latency: begun.elapsed(),
                    hold,
                }
            }
            Transport::Mock(rules) => mock(rules.answer(call, attempt), deadline).await?,
            Transport::MockEmbedding => Answered {
                response: embedding::mock(call.request)?,
                latency: Duration::ZERO,
                hold: None,
            },
            Transport::Replay(cassette) => {
                let (response, latency) = cassette.answer(call)?;
                Answered {
                    response,
                    latency,
                    hold: None,
                }
            }
            Transport::Exec { exec, redactor } => {
                let answer = exec.answer(call, self.spec.id());
                let answer = tokio::time::timeout(deadline, answer).await;
                let response = answer
                    .map_err(|_| timed_out(deadline))?
                    .map_err(|error| redacted(error, redactor))?;
                Answered {
                    response,
                    latency: begun.elapsed(),
                    hold: None,
                }
            }
        };
        settle(&mut answered.response)?;
        Ok(answered)
    }
}

/// Reads a reply in the vendor's form, without secrets.
pub(super) fn decoded(
    codec: &dyn Codec,
    model: &ModelSpec,
    reply: &Reply,
    redactor: &Redactor,
) -> Result<Response, CallError> {
    let mut response = codec
        .decode(model, reply)
        .map_err(|error| redacted(error, redactor))?;
    if let std::borrow::Cow::Owned(clean) = redactor.redact(&response.text) {
        response.text = clean;
    }
    Ok(response)
}

/// What every answer has to be, whichever way it came.
pub(super) fn settle(response: &mut Response) -> Result<(), CallError> {
    check_finish(&response.finish)?;
    say_refusal(response);
    Ok(())
}

/// A refusal in a field of its own is the answer where there is no other.
fn say_refusal(response: &mut Response) {
    if response.text.is_empty()
        && let Some(refusal) = response.refusal.take()
    {
        response.text = refusal;
    }
}

fn timed_out(deadline: Duration) -> CallError {
    CallError::new(
        ErrorClass::Timeout,
        format!("no answer within {deadline:?}"),
    )
}

fn local(url: &str, body: serde_json::Value) -> Encoded {
    Encoded::post(url.to_owned(), Vec::new(), body)
}

pub(super) fn redacted(mut error: CallError, redactor: &Redactor) -> CallError {
    if let std::borrow::Cow::Owned(clean) = redactor.redact(&error.message) {
        error.message = clean;
    }
    error
}

/// A reason to stop that is none of an answer makes the call an error, never a wrong answer.
fn check_finish(finish: &Finish) -> Result<(), CallError> {
    match finish {
        Finish::Stop
        | Finish::Length
        | Finish::Tool
        | Finish::Refusal
        | Finish::Filtered
        | Finish::ToolFault => Ok(()),
        Finish::Error(word) => Err(CallError::new(
            ErrorClass::Server,
            format!("the provider ended the answer with `{word}`"),
        )),
        Finish::Other(word) => {
            let word = crate::base::text::visible_line(&crate::base::text::shorten(word, 60));
            let message =
                format!("the provider ended the answer with `{word}`, which is not known here");
            Err(CallError::new(ErrorClass::UnknownFinish, message))
        }
    }
}

async fn mock(outcome: MockOutcome, deadline: Duration) -> Result<Answered, CallError> {
    let wait = |latency: Duration| async move {
        if latency > Duration::ZERO {
            tokio::time::sleep(latency.min(deadline)).await;
        }
        if latency >= deadline {
            return Err(CallError::new(
                ErrorClass::Timeout,
                format!("no answer within {deadline:?}"),
            ));
        }
        Ok(())
    };
    match outcome {
        MockOutcome::Answer { response, latency } => {
            wait(latency).await?;
            Ok(Answered {
                response,
                latency,
                hold: None,
            })
        }
        MockOutcome::Http { reply, latency } => {
            wait(latency).await?;
            Err(classify::reply_error(&reply))
        }
        MockOutcome::Hang => {
            wait(deadline).await?;
            Err(CallError::new(
                ErrorClass::Timeout,
                "the mock gave no reply in time",
            ))
        }
        other @ (MockOutcome::Cut
        | MockOutcome::BadJson
        | MockOutcome::Empty
        | MockOutcome::Refuse
        | MockOutcome::NoRule { .. }) => Err(other
            .error()
            .unwrap_or_else(|| CallError::new(ErrorClass::Internal, "the mock has no fault"))),
    }
}
