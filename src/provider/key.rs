//! The cache key of a call, formats.md section 10: the digest of exactly what goes on the wire, plus
//! what is not on it but tells answers apart. The body is put into canonical form once, for both.

use std::fmt::Write as _;

use serde_json::Value;

use super::call::Encoded;
use crate::base::Digest;
use crate::base::digest::{push_canonical, push_text};
use crate::chat::ProviderKind;
use crate::http::Header;

/// Raised whenever the same request would be sent in another way, or the same reply read in another:
/// no answer from before is then taken for one of now.
pub const PROTOCOL_VERSION: u32 = 1;

/// What goes on the wire, and the key of its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wire {
    /// The cache key.
    pub key: Digest,
    /// The canonical JSON that the key is the digest of.
    request: String,
    body: Body,
}

/// The body as it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Body {
    /// So many bytes of the request, after [`BODY_KEY`].
    Json(usize),
    /// A text of its own.
    Text(String),
}

const BODY_KEY: &str = "{\"body\":";
/// What most requests take, in bytes.
const USUAL_LENGTH: usize = 1024;

impl Wire {
    /// The canonical JSON that the key is the digest of: the cache keeps it beside the answer.
    #[must_use]
    pub fn request(&self) -> &str {
        &self.request
    }

    /// The body as it is sent.
    #[must_use]
    pub fn body(&self) -> &str {
        match &self.body {
            Body::Json(length) => {
                let end = BODY_KEY.len() + length;
                self.request.get(BODY_KEY.len()..end).unwrap_or_default()
            }
            Body::Text(text) => text,
        }
    }
}

/// Seals an encoded call. `repeat` is its number, from 1: N repeats are N answers.
///
/// The key is SHA-256 over the canonical JSON of
/// `{"body", "headers", "method", "protocol", "provider", "repeat", "url"}`, and of `"reading"` where
/// the suite says how the reply is read.
#[must_use]
pub fn wire(encoded: &Encoded, provider: ProviderKind, repeat: u32) -> Wire {
    let mut headers: Vec<&Header> = encoded.headers.iter().collect();
    headers.sort();
    let mut request = String::with_capacity(USUAL_LENGTH);
    request.push_str(BODY_KEY);
    push_canonical(&encoded.body, &mut request);
    let sent = match &encoded.body {
        Value::Null => Body::Text(String::new()),
        Value::String(text) => Body::Text(text.clone()),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            Body::Json(request.len() - BODY_KEY.len())
        }
    };
    request.push_str(",\"headers\":{");
    for (index, (name, value)) in headers.into_iter().enumerate() {
        if index > 0 {
            request.push(',');
        }
        push_text(name, &mut request);
        request.push(':');
        push_text(value, &mut request);
    }
    // Writing to a `String` can not fail.
    let _ = write!(
        request,
        "}},\"method\":\"{}\",\"protocol\":{PROTOCOL_VERSION},\"provider\":\"{}\"",
        encoded.method.as_str(),
        provider.as_str(),
    );
    if !encoded.reading.is_null() {
        request.push_str(",\"reading\":");
        push_canonical(&encoded.reading, &mut request);
    }
    let _ = write!(request, ",\"repeat\":{repeat},\"url\":");
    push_text(&encoded.url, &mut request);
    request.push('}');
    Wire {
        key: Digest::of_bytes(request.as_bytes()),
        request,
        body: sent,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn encoded() -> Encoded {
        Encoded::post(
            "https://api.anthropic.com/v1/messages".to_owned(),
            vec![
                ("anthropic-version".into(), "2023-06-01".to_owned()),
                ("anthropic-beta".into(), "a\"b".to_owned()),
            ],
            json!({"model": "m", "temperature": 1.0, "messages": ["\u{20ac}\n"]}),
        )
    }

    #[test]
    fn is_the_digest_of_canonical_json() {
        let call = encoded();
        let expected = json!({
            "body": call.body,
            "headers": {"anthropic-beta": "a\"b", "anthropic-version": "2023-06-01"},
            "method": "POST",
            "protocol": PROTOCOL_VERSION,
            "provider": "anthropic",
            "repeat": 3,
            "url": call.url,
        });
        let wire = wire(&call, ProviderKind::Anthropic, 3);
        assert_eq!(wire.key, Digest::of_json(&expected));
        assert_eq!(
            wire.body(),
            "{\"messages\":[\"\u{20ac}\\n\"],\"model\":\"m\",\"temperature\":1}"
        );
    }

    #[test]
    fn differs_by_whatever_changes_the_meaning() {
        let base = wire(&encoded(), ProviderKind::Anthropic, 1).key;
        assert_eq!(wire(&encoded(), ProviderKind::Anthropic, 1).key, base);
        assert_ne!(wire(&encoded(), ProviderKind::Anthropic, 2).key, base);
        assert_ne!(wire(&encoded(), ProviderKind::OpenAi, 1).key, base);
        let changes: [fn(&mut Encoded); 5] = [
            |call| call.url.push('x'),
            |call| call.headers.truncate(1),
            |call| call.body["model"] = json!("n"),
            |call| call.method = crate::http::Method::Put,
            |call| call.reading = json!({"answer": "$.a"}),
        ];
        for change in changes {
            let mut call = encoded();
            change(&mut call);
            assert_ne!(wire(&call, ProviderKind::Anthropic, 1).key, base);
        }
    }
}
