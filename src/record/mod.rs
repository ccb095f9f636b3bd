//! What happened: the events of a run, their form on disk, and the fold that turns them into a
//! [`Run`]. Every report is a function of that fold, live, resumed, merged or read back.

pub mod calibration;
pub mod codec;
pub mod event;
pub mod fold;
pub mod header;
pub mod known;
pub mod run;

pub use calibration::{CalibrationItem, CalibrationRecord, JudgeCalibration};
pub use event::{
    Arm, AttemptFinished, BatchCost, BatchSubmitted, Event, EventSink, FinishReason, Outcome,
    Reply, ScoreRecord, Skip, TrialFinished, TrialId,
};
pub use fold::Fold;
pub use header::{ArmHeader, DatasetHeader, ModelHeader, RunHeader, ScorerHeader};
pub use known::{Amount, Count};
pub use run::{CallRecord, CallTotals, JudgeCall, LogSpan, Run, TrialRecord, TrialUsage};
