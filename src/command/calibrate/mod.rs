//! `gate calibrate`: a judge is asked about examples that people have labelled, through the runner as
//! any other run, and what it said becomes a record beside the judge.

mod ask;
mod choose;
pub mod known;
mod labels;
mod record;
mod work;

pub use ask::COMMAND;
pub use record::{find, place};
pub use work::{Calibrated, Calibration, Options, calibrate};
