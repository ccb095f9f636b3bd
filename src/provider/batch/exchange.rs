//! The steps of a batch, sent: made, looked at, and its results fetched. Nothing is tried twice here.

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;

use super::anthropic::Anthropic;
use super::line::LineResult;
use super::openai::OpenAi;
use super::protocol::{BatchState, Limits, Protocol, Step};
use crate::chat::{ErrorClass, ModelSpec, ProviderKind};
use crate::http::{Client, HttpRequest, Redactor, Reply};
use crate::provider::auth::Auth;
use crate::provider::call::CallError;
use crate::provider::classify;
use crate::provider::codec::{Codec, base_url};
use crate::provider::endpoint::{self, Endpoint, Sealed, Transport};

/// Time for one step: a file may have hundreds of megabytes.
const DEADLINE: Duration = Duration::from_mins(10);
/// The most bytes of results.
const MOST_RESULTS: usize = 1 << 30;

/// A model that takes batches.
pub struct Batches<'e> {
    protocol: &'static dyn Protocol,
    base: &'e str,
    codec: &'static dyn Codec,
    model: &'e ModelSpec,
    client: &'e Client,
    auth: &'e Auth,
    redactor: &'e Arc<Redactor>,
}

/// Why a batch was not made.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{error}")]
pub struct SubmitError {
    /// What happened.
    pub error: CallError,
    /// Whether the vendor may have made it all the same: the request was on its way, and no reply came.
    pub perhaps_made: bool,
}

#[derive(Deserialize)]
struct Made {
    id: String,
}

impl Endpoint {
    /// The way to this model's batches, where its vendor has them and this program speaks them.
    #[must_use]
    pub fn batches(&self) -> Option<Batches<'_>> {
        let Transport::Remote {
            codec,
            client,
            auth,
            redactor,
        } = &self.transport
        else {
            return None;
        };
        let protocol: &'static dyn Protocol = match self.spec.provider {
            ProviderKind::OpenAi => &OpenAi {
                route: "/v1/chat/completions",
            },
            ProviderKind::OpenAiResponses => &OpenAi {
                route: "/v1/responses",
            },
            ProviderKind::Anthropic => &Anthropic,
            ProviderKind::AzureOpenAi
            | ProviderKind::Gemini
            | ProviderKind::Bedrock
            | ProviderKind::Ollama
            | ProviderKind::Http
            | ProviderKind::Mock
            | ProviderKind::Replay
            | ProviderKind::Exec => return None,
        };
        Some(Batches {
            protocol,
            base: base_url(&self.spec).ok()?,
            codec: *codec,
            model: &self.spec,
            client,
            auth,
            redactor,
        })
    }
}

impl Batches<'_> {
    /// What one batch may hold.
    #[must_use]
    pub fn limits(&self) -> Limits {
        self.protocol.limits()
    }

    /// Makes a batch of calls to this model, and gives its id.
    ///
    /// # Errors
    /// When the vendor does not take it, or its reply does not come.
    pub async fn submit(&self, calls: &[&Sealed]) -> Result<String, SubmitError> {
        let not_made = |error| SubmitError {
            error,
            perhaps_made: false,
        };
        let uploaded = match self.protocol.upload(self.base, calls) {
            Some(step) => Some(self.exchange(&step).await.map_err(not_made)?),
            None => None,
        };
        let step = self
            .protocol
            .create(self.base, calls, uploaded.as_ref())
            .map_err(not_made)?;
        let reply = self.exchange(&step).await;
        let made = reply.and_then(|reply| {
            serde_json::from_slice(&reply.body)
                .map(|made: Made| made.id)
                .map_err(|error| classify::bad_body(&reply, &format!("not a batch: {error}")))
        });
        made.map_err(|error| SubmitError {
            perhaps_made: matches!(
                error.class,
                ErrorClass::Timeout | ErrorClass::BadBody | ErrorClass::ReplyTooLarge
            ),
            error: endpoint::redacted(error, self.redactor),
        })
    }

    /// Asks how far a batch is.
    ///
    /// # Errors
    /// When there is no reply, or none that says it.
    pub async fn look(&self, id: &str) -> Result<BatchState, CallError> {
        let step = self.protocol.look(self.base, id);
        let reply = self.exchange(&step).await?;
        self.protocol
            .state(self.base, id, &reply)
            .map_err(|error| endpoint::redacted(error, self.redactor))
    }

    /// Fetches results, in whatever order they stand there; also says how many lines were none.
    ///
    /// # Errors
    /// When they can not be fetched whole.
    pub async fn results(&self, address: &str) -> Result<(Vec<LineResult>, usize), CallError> {
        let step = Step::get(address.to_owned());
        let reply = self.exchange(&step).await?;
        let (mut results, mut unreadable) = (Vec::new(), 0);
        for line in reply.body.split(|byte| *byte == b'\n') {
            if line.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            match self.protocol.line(line) {
                Some((id, reply)) => results.push(LineResult {
                    id,
                    answer: reply
                        .and_then(|reply| self.read(&reply))
                        .map_err(|error| endpoint::redacted(error, self.redactor)),
                }),
                None => unreadable += 1,
            }
        }
        Ok((results, unreadable))
    }

    fn read(&self, reply: &Reply) -> Result<crate::chat::Response, CallError> {
        let mut response = endpoint::decoded(self.codec, self.model, reply, self.redactor)?;
        endpoint::settle(&mut response)?;
        Ok(response)
    }

    async fn exchange(&self, step: &Step) -> Result<Reply, CallError> {
        let mut headers = self.protocol.headers();
        headers.push(("content-type".into(), step.content_type.clone()));
        // No vendor of batches asks for signed requests.
        let auth = self.auth.headers(&step.url, "")?;
        let request = HttpRequest {
            method: step.method,
            url: &step.url,
            headers: &headers,
            auth: &auth,
            body: &step.body,
            max_body: Some(MOST_RESULTS),
        };
        let reply = self.client.send(&request, DEADLINE).await;
        let reply = reply.map_err(|fault| classify::exchange_error(&fault));
        let reply = reply.and_then(|reply| match reply.status {
            200..300 => Ok(reply),
            _ => Err(classify::reply_error(&reply)),
        });
        reply.map_err(|error| endpoint::redacted(error, self.redactor))
    }
}
