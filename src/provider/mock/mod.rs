//! The mock provider: answers by the rules file of formats.md section 9 (`gate: mock/1`), without a
//! network and without chance. What it answers is a pure function of the rules, the call and the
//! number of the attempt, the same in any order and at any concurrency; the caller waits and
//! classifies.
//!
//! Where the contract leaves a choice:
//! - `system` and `user` are searched in each message of the role by itself; `{{match.name}}` is of
//!   the first message that matches, and empty where the group took no part.
//! - `*` in `case` also matches `/`; a backslash takes a glob character literally.
//! - `json: true` holds for every call that asks for a form of answer (object or schema),
//!   `json: false` for the others.
//! - A judge's call matches `case`, `segment` and `tag` by the case that is judged; only its draws
//!   have a name of their own.
//! - The rate of a `fault` is drawn on the rule's stream unless the fault names its own (`draw`),
//!   so by default the faults of a rule hit the cases that its `rate` would call right.
//! - `finish_reason` and `usage` hold for both `reply` and `otherwise`;
//!   `otherwise_finish_reason` sets the former apart. A rule's own `latency_ms` stands over the
//!   file's.
//! - A reply that speaks of something the case does not have is no answer, like a missing rule.

mod fault;
mod reply;
mod rules;
mod template;
#[cfg(test)]
mod tests;
mod when;

pub use reply::MockOutcome;
pub use rules::MockRules;
