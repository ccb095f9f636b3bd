//! The one error of the statistics and the checks of arguments that raise it.
//!
//! Every public function of `stats` that takes floating-point numbers checks them here first,
//! so that the formulas behind never meet NaN, an infinity or a probability outside its range.

/// Why a statistic could not be computed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Error {
    /// An argument is NaN or infinite.
    #[error("{name} must be a finite number")]
    NotFinite {
        /// Name of the argument.
        name: &'static str,
    },
    /// An argument lies outside the range for which the statistic is defined.
    #[error("{name} must be {expected}, not {value}")]
    OutOfRange {
        /// Name of the argument.
        name: &'static str,
        /// The range, in words.
        expected: &'static str,
        /// What was given.
        value: f64,
    },
    /// Two lists that belong together differ in length.
    #[error("{name} has {found} entries where {expected} are needed")]
    LengthMismatch {
        /// Name of the list that does not fit.
        name: &'static str,
        /// Length of the list it belongs to.
        expected: usize,
        /// Its own length.
        found: usize,
    },
    /// There are fewer observations than the statistic needs.
    #[error("{found} {what} are too few, {needed} are needed")]
    TooFew {
        /// What is counted.
        what: &'static str,
        /// The smallest sufficient number.
        needed: usize,
        /// The number given.
        found: usize,
    },
    /// A ratio has nothing below the line.
    #[error("the baseline's {what} is zero, so the ratio to it is undefined")]
    ZeroBaseline {
        /// The quantity below the line.
        what: &'static str,
    },
    /// No two binary variables with these rates have this correlation.
    #[error("correlation {correlation} is impossible at these rates, it lies in [{low}, {high}]")]
    ImpossibleCorrelation {
        /// What was asked for.
        correlation: f64,
        /// The lowest possible correlation.
        low: f64,
        /// The highest possible correlation.
        high: f64,
    },
    /// A judge with sensitivity + specificity ≤ 1 is no better than chance.
    #[error(
        "judge is useless: sensitivity {sensitivity} and specificity {specificity} add up to 1 or less"
    )]
    UselessJudge {
        /// Share of true passes that the judge passes.
        sensitivity: f64,
        /// Share of true failures that the judge fails.
        specificity: f64,
    },
}

/// Accepts a finite number.
pub(super) fn finite(name: &'static str, value: f64) -> Result<f64, Error> {
    if value.is_finite() {
        Ok(value)
    } else {
        Err(Error::NotFinite { name })
    }
}

/// Accepts a list of finite numbers.
pub(super) fn all_finite(name: &'static str, values: &[f64]) -> Result<(), Error> {
    values
        .iter()
        .try_for_each(|&value| finite(name, value).map(drop))
}

/// Accepts a number in the open interval (0, 1).
pub(super) fn open_unit(name: &'static str, value: f64) -> Result<f64, Error> {
    check(name, "between 0 and 1, both excluded", value, |v| {
        v > 0.0 && v < 1.0
    })
}

/// Accepts a number in the closed interval [0, 1].
pub(super) fn unit(name: &'static str, value: f64) -> Result<f64, Error> {
    check(name, "between 0 and 1", value, |v| (0.0..=1.0).contains(&v))
}

/// Accepts a finite number above zero.
pub(super) fn positive(name: &'static str, value: f64) -> Result<f64, Error> {
    check(name, "above 0", value, |v| v > 0.0)
}

/// Accepts a finite number that is not negative.
pub(super) fn non_negative(name: &'static str, value: f64) -> Result<f64, Error> {
    check(name, "0 or more", value, |v| v >= 0.0)
}

/// Accepts a finite number that satisfies `holds`, which `expected` describes.
pub(super) fn check(
    name: &'static str,
    expected: &'static str,
    value: f64,
    holds: impl Fn(f64) -> bool,
) -> Result<f64, Error> {
    finite(name, value)?;
    if holds(value) {
        Ok(value)
    } else {
        Err(Error::OutOfRange {
            name,
            expected,
            value,
        })
    }
}

/// Accepts `found` observations if there are at least `needed`.
pub(super) fn at_least(what: &'static str, needed: usize, found: usize) -> Result<(), Error> {
    if found >= needed {
        Ok(())
    } else {
        Err(Error::TooFew {
            what,
            needed,
            found,
        })
    }
}

/// Accepts two lists of equal length.
pub(super) fn same_length(name: &'static str, expected: usize, found: usize) -> Result<(), Error> {
    if expected == found {
        Ok(())
    } else {
        Err(Error::LengthMismatch {
            name,
            expected,
            found,
        })
    }
}
