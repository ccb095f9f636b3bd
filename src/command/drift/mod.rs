//! `gate drift [PROMPT...]`: the active version asked again, against the answers pinned at its
//! promotion.

mod history;
mod moved;
mod pinned;
mod work;

pub use work::{Options, drift};
