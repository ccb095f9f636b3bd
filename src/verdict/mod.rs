//! Policy and decision: what was asked of the candidate, and whether the evidence shows it. The
//! only place where a verdict is formed.

pub mod rule;

pub use rule::{
    Decision, Estimate, FamilyNote, MissingNote, PairsTable, RuleResult, RuleVerdict, TestResult,
    Verdict,
};
