//! What the results of a run say about its arms: the table of cases with both sides, sums per arm,
//! flips, segments. Numbers only; `verdict` judges them.

pub mod arm;
pub mod table;

pub use arm::{ArmSummary, LatencySummary, RateInterval, UsageSummary};
pub use table::{ArmCell, CaseRow, CaseTable, Transition};
