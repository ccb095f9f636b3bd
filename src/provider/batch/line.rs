//! A line of results: the id that joins it to its request, and the reply as the codec would have got
//! it alone.

use crate::base::Digest;
use crate::chat::Response;
use crate::provider::CallError;

/// The id of a request in its batch: the digits of its cache key, so that a run that is resumed finds
/// its own lines. Anthropic allows 64 characters; these are as many.
#[must_use]
pub fn custom_id(key: &Digest) -> String {
    key.hex()
}

/// What became of one request of a batch.
#[derive(Debug, Clone, PartialEq)]
pub struct LineResult {
    /// The id of the request.
    pub id: String,
    /// Its answer.
    pub answer: Result<Response, CallError>,
}
