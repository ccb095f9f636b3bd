//! What a vendor's batches have in common: limits, states, and the requests of the protocol itself.

use crate::http::{Header, Method, Reply};
use crate::provider::call::CallError;
use crate::provider::endpoint::Sealed;

/// What a vendor takes in one batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Requests.
    pub requests: usize,
    /// Bytes of all requests together.
    pub bytes: usize,
}

/// How far a batch is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BatchState {
    /// The vendor works on it.
    Working {
        /// The requests that are done, answered or not.
        done: u64,
    },
    /// Nothing more will come; the results stand at these addresses.
    Ended(Vec<String>),
    /// The vendor refused the batch as a whole.
    Refused(String),
}

/// One request of the batch protocol itself.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Step {
    pub(super) method: Method,
    pub(super) url: String,
    pub(super) content_type: String,
    pub(super) body: Vec<u8>,
}

impl Step {
    pub(super) fn get(url: String) -> Self {
        Self {
            method: Method::Get,
            url,
            content_type: "application/json".to_owned(),
            body: Vec::new(),
        }
    }

    pub(super) fn post(url: String, content_type: impl Into<String>, body: Vec<u8>) -> Self {
        Self {
            method: Method::Post,
            url,
            content_type: content_type.into(),
            body,
        }
    }
}

/// One vendor's form of the protocol.
pub(super) trait Protocol: Sync {
    fn limits(&self) -> Limits;

    /// Headers that every request of the protocol carries.
    fn headers(&self) -> Vec<Header>;

    /// What is sent before the batch is made, if anything.
    fn upload(&self, base: &str, calls: &[&Sealed]) -> Option<Step>;

    /// What makes the batch, from the reply to the upload where there was one.
    fn create(
        &self,
        base: &str,
        calls: &[&Sealed],
        uploaded: Option<&Reply>,
    ) -> Result<Step, CallError>;

    fn look(&self, base: &str, id: &str) -> Step;

    fn state(&self, base: &str, id: &str, reply: &Reply) -> Result<BatchState, CallError>;

    /// The reply that a line of the results stands for, with the id of its request; `None` where it
    /// is no line of results.
    fn line(&self, line: &[u8]) -> Option<(String, Result<Reply, CallError>)>;
}
