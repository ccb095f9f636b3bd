//! The vocabulary that every other module is written in: identifiers, content digests, located
//! values and diagnostics, time, the seeded random stream, and small text rules.
//!
//! Nothing here knows what a prompt or a model is, and nothing here has an effect.

pub mod decode;
pub mod diagnostic;
pub mod digest;
pub mod expression;
pub mod fields;
pub mod id;
pub mod json;
pub mod jsonpath;
pub mod node;
pub mod rng;
pub mod text;
pub mod time;
pub mod yaml;

pub use decode::Table;
pub use diagnostic::{Diagnostic, Diagnostics, Look, Severity};
pub use digest::Digest;
pub use fields::Fields;
pub use id::{CaseId, Name, RunId, Slug};
pub use node::{Entry, Node, Source, Span, Value};
pub use time::{Clock, Timestamp};
