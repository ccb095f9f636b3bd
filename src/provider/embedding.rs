//! Embeddings, for the scorer `similar`. The texts are the messages of a request; the text of the
//! response is the JSON list of the cosines between the first text and each of the others, so that
//! cache, log and cassette hold a few numbers in place of long vectors.
//!
//! Protocols: OpenAI `POST /embeddings`, Azure the same under a deployment or the v1 route, Gemini
//! `batchEmbedContents`, Ollama `POST /api/embed`.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::call::{CallError, EncodeError, Encoded};
use super::codec::{Codec, base_url, finish_body, path_segment, put};
use super::lenient::{self, Count, Present, Word};
use super::openai::request_id;
use super::{azure, classify, gemini, ollama, openai};
use crate::chat::{ErrorClass, ModelSpec, ProviderKind, Request, Response, Usage};
use crate::http::{Reply, Secret, SecretHeader};

/// The codec of a vendor's embeddings; none where there are none, or nothing goes over the network.
#[must_use]
pub fn codec(kind: ProviderKind) -> Option<&'static dyn Codec> {
    match kind {
        ProviderKind::OpenAi | ProviderKind::OpenAiResponses => Some(&OpenAi),
        ProviderKind::AzureOpenAi => Some(&Azure),
        ProviderKind::Gemini => Some(&Gemini),
        ProviderKind::Ollama => Some(&Ollama),
        ProviderKind::Anthropic
        | ProviderKind::Bedrock
        | ProviderKind::Mock
        | ProviderKind::Replay
        | ProviderKind::Exec
        | ProviderKind::Http => None,
    }
}

/// Whether a provider has embeddings.
#[must_use]
pub fn is_offered(kind: ProviderKind) -> bool {
    matches!(kind, ProviderKind::Mock | ProviderKind::Replay) || codec(kind).is_some()
}

/// The embeddings of OpenAI and of servers that speak the same.
#[derive(Debug)]
struct OpenAi;

impl Codec for OpenAi {
    fn encode(&self, model: &ModelSpec, request: &Request) -> Result<Encoded, EncodeError> {
        let base = base_url(model)?;
        let body = finish_body(openai_body(model, request), request)?;
        Ok(encoded(format!("{base}/embeddings"), body))
    }

    fn auth(&self, _: &ModelSpec, key: &Secret) -> SecretHeader {
        openai::bearer(key)
    }

    fn decode(&self, _: &ModelSpec, reply: &Reply) -> Result<Response, CallError> {
        decode(reply)
    }
}

/// The embeddings of Azure OpenAI.
#[derive(Debug)]
struct Azure;

impl Codec for Azure {
    fn encode(&self, model: &ModelSpec, request: &Request) -> Result<Encoded, EncodeError> {
        let base = base_url(model)?;
        let mut body = finish_body(openai_body(model, request), request)?;
        let url = azure::address_of(base, "embeddings", &mut body);
        Ok(encoded(url, body))
    }

    fn auth(&self, model: &ModelSpec, key: &Secret) -> SecretHeader {
        azure::Azure.auth(model, key)
    }

    fn decode(&self, _: &ModelSpec, reply: &Reply) -> Result<Response, CallError> {
        decode(reply)
    }
}

/// The embeddings of Gemini.
#[derive(Debug)]
struct Gemini;

impl Codec for Gemini {
    fn encode(&self, model: &ModelSpec, request: &Request) -> Result<Encoded, EncodeError> {
        let base = base_url(model)?;
        let id = model.id().strip_prefix("models/").unwrap_or(model.id());
        let each = |text: &str| {
            let mut one = Map::new();
            put(&mut one, "model", Some(format!("models/{id}")));
            put(
                &mut one,
                "content",
                Some(json!({"parts": [{"text": text}]})),
            );
            // Fields such as `taskType` belong to each text.
            finish_body(one, request)
        };
        let requests = texts(request).map(each).collect::<Result<Vec<_>, _>>()?;
        let url = format!("{base}/models/{}:batchEmbedContents", path_segment(id));
        Ok(encoded(url, json!({"requests": requests})))
    }

    fn auth(&self, model: &ModelSpec, key: &Secret) -> SecretHeader {
        gemini::Gemini.auth(model, key)
    }

    fn decode(&self, _: &ModelSpec, reply: &Reply) -> Result<Response, CallError> {
        decode(reply)
    }
}

/// The embeddings of Ollama.
#[derive(Debug)]
struct Ollama;

impl Codec for Ollama {
    fn encode(&self, model: &ModelSpec, request: &Request) -> Result<Encoded, EncodeError> {
        let base = base_url(model)?;
        let mut body = Map::new();
        put(&mut body, "model", Some(model.id()));
        put(&mut body, "input", Some(texts(request).collect::<Vec<_>>()));
        // Else a text that is too long is cut in silence.
        put(&mut body, "truncate", Some(false));
        let body = finish_body(body, request)?;
        Ok(encoded(format!("{base}/api/embed"), body))
    }

    fn auth(&self, model: &ModelSpec, key: &Secret) -> SecretHeader {
        ollama::Ollama.auth(model, key)
    }

    fn decode(&self, _: &ModelSpec, reply: &Reply) -> Result<Response, CallError> {
        decode(reply)
    }
}

fn openai_body(model: &ModelSpec, request: &Request) -> Map<String, Value> {
    let mut body = Map::new();
    put(&mut body, "model", Some(model.id()));
    put(&mut body, "input", Some(texts(request).collect::<Vec<_>>()));
    put(&mut body, "encoding_format", Some("float"));
    body
}

fn texts(request: &Request) -> impl Iterator<Item = &str> {
    let messages = request.messages.iter();
    messages.map(|message| message.content.as_str())
}

fn encoded(url: String, body: Value) -> Encoded {
    Encoded::post(url, Vec::new(), body)
}

/// The replies of all vendors, whose keys do not meet.
#[derive(Deserialize)]
#[serde(bound = "'de: 'a")]
struct Embedded<'a> {
    #[serde(borrow, default)]
    model: Word<'a>,
    /// OpenAI's vectors.
    data: Option<Vec<Datum>>,
    /// The vectors of Gemini and Ollama.
    embeddings: Option<Vec<Vector>>,
    usage: Option<OpenAiUsage>,
    #[serde(rename = "usageMetadata")]
    usage_metadata: Option<GeminiUsage>,
    #[serde(default)]
    prompt_eval_count: Count,
    #[serde(default)]
    error: Present,
}

#[derive(Deserialize)]
struct Datum {
    #[serde(default)]
    index: Count,
    embedding: Vec<f64>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Vector {
    Gemini { values: Vec<f64> },
    Ollama(Vec<f64>),
}

#[derive(Deserialize)]
struct OpenAiUsage {
    #[serde(default)]
    prompt_tokens: Count,
}

#[derive(Deserialize)]
struct GeminiUsage {
    #[serde(default, rename = "promptTokenCount")]
    prompt_token_count: Count,
}

fn decode(reply: &Reply) -> Result<Response, CallError> {
    if !(200..300).contains(&reply.status) {
        return Err(classify::reply_error(reply));
    }
    let bad = |what: &str| classify::bad_body(reply, what);
    let mut scratch = Vec::new();
    let (embedded, _) = lenient::read::<Embedded<'_>>(&reply.body, &mut scratch)
        .map_err(|error| bad(&format!("not embeddings: {error}")))?;
    if embedded.error.0 {
        return Err(classify::error_in_success(reply));
    }
    let input_tokens = [
        embedded.usage.and_then(|usage| usage.prompt_tokens.0),
        embedded
            .usage_metadata
            .and_then(|usage| usage.prompt_token_count.0),
        embedded.prompt_eval_count.0,
    ];
    let input_tokens = input_tokens.into_iter().flatten().next();
    let vectors: Vec<Vec<f64>> = if let Some(mut data) = embedded.data {
        data.sort_by_key(|datum| datum.index.0);
        data.into_iter().map(|datum| datum.embedding).collect()
    } else {
        let vectors = embedded.embeddings.into_iter().flatten();
        let vectors = vectors.map(|vector| match vector {
            Vector::Gemini { values } | Vector::Ollama(values) => values,
        });
        vectors.collect()
    };
    let cosines = cosines(&vectors).ok_or_else(|| bad("no vectors of one length"))?;
    Ok(Response {
        text: json!(cosines).to_string(),
        usage: Usage {
            input_tokens,
            output_tokens: input_tokens.map(|_| 0),
            ..Usage::default()
        },
        served_model: embedded.model.into_nonempty(),
        request_id: request_id(reply, "x-request-id", Word::default()),
        ..Response::default()
    })
}

/// The cosines between the first vector and each of the others; none where one has no direction or
/// another length.
fn cosines(vectors: &[Vec<f64>]) -> Option<Vec<f64>> {
    let (first, others) = vectors.split_first()?;
    let all = others.iter().map(|other| cosine(first, other));
    let all: Vec<f64> = all.collect::<Option<_>>()?;
    (!all.is_empty()).then_some(all)
}

fn cosine(a: &[f64], b: &[f64]) -> Option<f64> {
    let dot = |a: &[f64], b: &[f64]| -> f64 { a.iter().zip(b).map(|(a, b)| a * b).sum() };
    let cosine = dot(a, b) / (dot(a, a).sqrt() * dot(b, b).sqrt());
    (a.len() == b.len() && cosine.is_finite()).then(|| cosine.clamp(-1.0, 1.0))
}

/// What the mock makes of texts: the vector of a text counts the runs of three characters in it
/// (lower case, white space collapsed, a blank at each end), in 1,024 places by the hash FNV-1a.
pub(super) fn mock(request: &Request) -> Result<Response, CallError> {
    let vectors: Vec<Vec<f64>> = texts(request).map(trigrams).collect();
    let cosines = cosines(&vectors).ok_or_else(|| {
        CallError::new(ErrorClass::BadRequest, "embeddings of fewer than two texts")
    })?;
    Ok(Response {
        text: json!(cosines).to_string(),
        ..Response::default()
    })
}

fn trigrams(text: &str) -> Vec<f64> {
    const PLACES: usize = 1024;
    let lower = text.to_lowercase();
    let words: Vec<&str> = lower.split_whitespace().collect();
    let padded: Vec<char> = format!(" {} ", words.join(" ")).chars().collect();
    let mut counts = vec![0.0; PLACES];
    for window in padded.windows(3) {
        let run: String = window.iter().collect();
        let hash = run.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        let place = usize::try_from(hash % PLACES as u64).unwrap_or_default();
        if let Some(count) = counts.get_mut(place) {
            *count += 1.0;
        }
    }
    counts
}
