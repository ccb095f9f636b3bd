//! The `Provider` trait; one pure codec per vendor over `http`.

pub mod anthropic;
pub mod azure;
pub mod bedrock;
pub mod call;
pub mod classify;
pub mod codec;
pub mod exec;
pub mod gemini;
pub mod key;
mod lenient;
pub mod mock;
pub mod ollama;
pub mod openai;
pub mod openai_responses;
pub mod replay;
mod usage;

pub use crate::http::Reply;
pub use call::{Call, CallError, EncodeError, Encoded, Subject, Version};
pub use codec::{Codec, codec, own_hosts};
pub use key::{Wire, wire};

#[cfg(test)]
mod tests;
