//! `gate init`: finds what a repository has (prompt files, examples, a promptfoo config) and writes
//! what is missing for a first gate. It writes over nothing, and what it writes works at once.

mod examples;
mod found;
mod price;
mod texts;
mod work;

pub use examples::is_placeholder;
pub use price::price;
pub use work::{Kept, PLACEHOLDERS, Scaffolded, Wanted, scaffold};
