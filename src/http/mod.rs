//! The network: the one client with its timeouts, limits and fault classes, the secrets that it
//! sends, and the rule for which host may get them.
//!
//! What the bytes mean is left to the codecs of `provider`, when to try again to `runner`.

pub mod blocking;
pub mod client;
pub mod fault;
pub mod host;
pub mod reply;
pub mod roots;
pub mod secret;

pub use blocking::ask;
pub use client::{Client, ClientOptions, Header, HttpRequest, Method, SecretHeader};
#[cfg(feature = "postgres")]
pub(crate) use fault::mistrust;
pub use fault::{HttpError, HttpFault};
pub use host::{HostError, check_base_url, check_entry, check_free_form, is_loopback_url};
pub(crate) use host::{allows, is_loopback};
pub use reply::{Headers, Reply};
pub use roots::Roots;
pub(crate) use secret::percent_encoded;
pub use secret::{Redactor, Secret};

#[cfg(test)]
mod tests;
