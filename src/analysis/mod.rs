//! What the results of a run say about its arms: the table of cases with both sides, sums per arm,
//! flips, segments. Numbers only; `verdict` judges them.

pub mod arm;
pub mod calibration;
pub mod compare;
pub mod correction;
pub mod drift;
pub mod flaky;
pub mod position;
pub mod preference;
pub mod segment;
pub mod table;

pub use arm::{ArmSummary, LatencySummary, RateInterval, RateSample, UsageSummary};
pub use compare::{Amount, Fill, Measure, PairState, Pairing, Pairs};
pub use flaky::{FlakyCase, Reliability, flaky_cases, reliability};
pub use position::{PositionBias, position_bias};
pub use segment::{Segment, segments};
pub use table::{ArmCell, CaseRow, CaseTable, Transition};

#[cfg(test)]
mod tests;
