//! Policy and decision: what was asked of the candidate, and whether the evidence shows it. The
//! only place where a verdict is formed.

pub mod policy;
pub mod rule;

pub use policy::{Limit, Metric, MetricRule, Mode, OnInconclusive, Policy, Preset, Require};
pub use policy::{SegmentPolicy, Statistic, TestChoice};
pub use rule::{
    Decision, Estimate, FamilyNote, MissingNote, PairsTable, RuleResult, RuleVerdict, TestResult,
    Verdict,
};
