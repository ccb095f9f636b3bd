//! The `Provider` trait; one pure codec per vendor over `http`.

pub mod call;

pub use crate::http::Reply;
pub use call::{Call, CallError, EncodeError, Encoded, Subject, Version};
