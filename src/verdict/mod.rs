//! Policy and decision: what was asked of the candidate, and whether the evidence shows it. The
//! only place where a verdict is formed.

pub mod calibration;
pub mod decide;
pub mod drift;
pub mod early;
pub mod planning;
pub mod policy;
pub mod quarantine;
mod reason;
pub mod rehearsal;
pub mod rule;
mod rules;
pub mod several;

pub use calibration::{JudgeCheck, Judges, RequireCalibration};
pub use decide::{DecisionContext, decide};
pub use planning::what_can_it_show;
pub use planning::{Foresight, PLANNED_CHURN, PlanWarning, cases_wanted, plan_warnings};
pub use policy::{
    EarlyStop, Limit, Metric, MetricRule, Mode, OnInconclusive, Policy, Preset, Require,
};
pub use policy::{SegmentPolicy, Statistic, TestChoice};
pub use quarantine::Quarantine;
pub use rehearsal::{Rehearsal, rehearse, rehearse_unchanged};
pub use rule::{
    Decision, Estimate, FamilyNote, MissingNote, PairsTable, RuleResult, RuleVerdict, TestResult,
    Verdict,
};
pub use several::Among;

#[cfg(test)]
mod tests;
