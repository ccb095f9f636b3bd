//! HTML in the answer: `is-html`, `contains-html`. Only builds with the cargo feature `html-check`
//! have the parser.

use super::super::form::ScorerType;

#[cfg(feature = "html-check")]
mod markup;

#[cfg(feature = "html-check")]
pub use markup::Html;

const KEYS: &[&str] = &["selector"];

/// The types of this family.
#[cfg(feature = "html-check")]
pub const TYPES: &[ScorerType] = &[
    ScorerType::new("is-html", KEYS, markup::decode_whole),
    ScorerType::new("contains-html", KEYS, markup::decode_within),
];
/// The types of this family.
#[cfg(not(feature = "html-check"))]
pub const TYPES: &[ScorerType] = &[
    ScorerType::lacking("is-html", KEYS, "html-check"),
    ScorerType::lacking("contains-html", KEYS, "html-check"),
];
