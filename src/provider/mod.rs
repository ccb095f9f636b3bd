//! The `Provider` trait; one pure codec per vendor over `http`.

pub mod call;
pub mod exec;
pub mod mock;
pub mod replay;
mod usage;

pub use call::{Call, CallError, EncodeError, Encoded, Reply, Subject, Version};
