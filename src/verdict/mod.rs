//! Policy and decision: what was asked of the candidate, and whether the evidence shows it. The
//! only place where a verdict is formed.

pub mod decide;
pub mod policy;
mod reason;
pub mod rule;
mod rules;

pub use decide::{DecisionContext, decide};
pub use policy::{Limit, Metric, MetricRule, Mode, OnInconclusive, Policy, Preset, Require};
pub use policy::{SegmentPolicy, Statistic, TestChoice};
pub use rule::{
    Decision, Estimate, FamilyNote, MissingNote, PairsTable, RuleResult, RuleVerdict, TestResult,
    Verdict,
};
