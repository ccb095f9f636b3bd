//! Models that can be asked: one pure codec per vendor over `http`, the mock, the cassette and the
//! user's own command, all behind one [`Endpoint`].

pub mod anthropic;
pub mod auth;
pub mod azure;
pub mod batch;
pub mod bedrock;
pub mod call;
pub mod classify;
pub mod codec;
pub mod embedding;
pub mod endpoint;
pub mod exec;
pub mod gemini;
pub mod http_form;
pub mod key;
mod lenient;
pub mod limits;
pub mod mock;
pub mod ollama;
pub mod openai;
pub mod openai_responses;
pub mod replay;
#[cfg(feature = "bedrock")]
mod sigv4;
mod usage;

pub use crate::http::Reply;
pub use auth::Auth;
pub use call::{Call, CallError, EncodeError, Encoded, Subject, Version};
pub use codec::{Codec, codec, own_hosts};
pub use endpoint::{Answered, Endpoint, Sealed, Transport};
pub use key::{Wire, wire};

#[cfg(test)]
mod tests;
