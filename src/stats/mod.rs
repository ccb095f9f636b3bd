//! Statistics: numbers in, numbers out.
//!
//! Owns the tests, intervals, resampling, multiplicity corrections, sequential looks, power,
//! simulation and agreement measures by which a candidate is compared with a baseline. It knows
//! no prompt, no case, no file and no clock. Every function is total: what is undefined comes
//! back as `None` or as an [`Error`], never as NaN.

pub mod agreement;
pub mod association;
pub mod calibration;
mod distribution;
pub mod drift;
mod error;
pub mod experiment;
pub mod mean;
pub mod multiple;
pub mod paired;
pub mod power;
pub mod proportion;
mod random;
pub mod ratio;
pub mod resample;
pub mod sequential;
pub mod simulate;

#[cfg(test)]
mod reference;
#[cfg(test)]
mod totality;

pub use error::Error;
pub use proportion::Interval;
