//! SQL in the answer: `is-sql`, `contains-sql`. Only builds with the cargo feature `sql` have the
//! parser.

use super::super::form::ScorerType;

#[cfg(feature = "sql")]
mod allowed;
#[cfg(feature = "sql")]
mod statement;

#[cfg(feature = "sql")]
pub use statement::Sql;

const KEYS: &[&str] = &["dialect", "tables", "columns"];

/// The types of this family.
#[cfg(feature = "sql")]
pub const TYPES: &[ScorerType] = &[
    ScorerType::new("is-sql", KEYS, statement::decode_whole),
    ScorerType::new("contains-sql", KEYS, statement::decode_within),
];
/// The types of this family.
#[cfg(not(feature = "sql"))]
pub const TYPES: &[ScorerType] = &[
    ScorerType::lacking("is-sql", KEYS, "sql"),
    ScorerType::lacking("contains-sql", KEYS, "sql"),
];
