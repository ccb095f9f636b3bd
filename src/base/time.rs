//! Points in time, durations as people write them, and the clock as a value that is passed in, so
//! that nothing below the runner reads the real one.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A point in time, to the millisecond, in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(jiff::Timestamp);

/// Why a text is no point in time.
#[derive(Debug, thiserror::Error)]
#[error("`{text}` is not a time such as 2026-10-02T09:30:00Z")]
pub struct TimestampError {
    text: String,
    source: jiff::Error,
}

impl Timestamp {
    /// The time so many milliseconds after 1970-01-01T00:00:00Z; times out of range are clamped.
    #[must_use]
    pub fn from_millis(millis: i64) -> Self {
        let clamped = if millis < 0 {
            jiff::Timestamp::MIN
        } else {
            jiff::Timestamp::MAX
        };
        Self(jiff::Timestamp::from_millisecond(millis).unwrap_or(clamped))
    }

    /// The time of the operating system's clock reading.
    #[must_use]
    pub fn from_system(time: std::time::SystemTime) -> Self {
        let millis = time
            .duration_since(std::time::UNIX_EPOCH)
            .map_or(0, |d| d.as_millis());
        Self::from_millis(i64::try_from(millis).unwrap_or(i64::MAX))
    }

    /// Milliseconds since 1970-01-01T00:00:00Z; 0 for earlier times.
    #[must_use]
    pub fn as_millis(&self) -> u64 {
        u64::try_from(self.0.as_millisecond()).unwrap_or(0)
    }

    /// The time that has passed since an earlier point; zero if that point is later.
    #[must_use]
    pub fn since(&self, earlier: Self) -> Duration {
        Duration::from_millis(self.as_millis().saturating_sub(earlier.as_millis()))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl FromStr for Timestamp {
    type Err = TimestampError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parsed: Result<jiff::Timestamp, jiff::Error> = text.parse();
        let time = parsed.map_err(|source| TimestampError {
            text: text.to_owned(),
            source,
        })?;
        Ok(Self::from_millis(time.as_millisecond()))
    }
}

/// Where the present time comes from.
pub trait Clock: Send + Sync {
    /// The present time by the wall clock; only for what is recorded, never for waiting.
    fn now(&self) -> Timestamp;
}

/// A clock that stands still, for tests.
#[derive(Debug, Clone, Copy)]
pub struct FixedClock(pub Timestamp);

impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        self.0
    }
}

/// Why a text is no duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a duration such as 90s, 20m, 500ms or 1.5h")]
pub struct DurationError(String);

/// Reads a duration: a number with `ms`, `s`, `m`, `h` or `d`; a bare number is seconds.
///
/// # Errors
/// When the text is not of that form, is negative, or is longer than a thousand years.
pub fn parse_duration(text: &str) -> Result<Duration, DurationError> {
    let error = || DurationError(text.to_owned());
    let trimmed = text.trim();
    let split = trimmed
        .find(|c: char| c.is_ascii_alphabetic())
        .unwrap_or(trimmed.len());
    let (number, unit) = trimmed.split_at_checked(split).ok_or_else(error)?;
    let number: f64 = number.trim().parse().map_err(|_| error())?;
    let seconds = match unit {
        "ms" => number / 1e3,
        "" | "s" => number,
        "m" => number * 60.0,
        "h" => number * 3_600.0,
        "d" => number * 86_400.0,
        _ => return Err(error()),
    };
    if !(0.0..=3.2e10).contains(&seconds) {
        return Err(error());
    }
    Duration::try_from_secs_f64(seconds).map_err(|_| error())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_as_many_digits_as_are_asked_for() {
        let time = Timestamp::from_millis(1530);
        assert_eq!(time.to_string(), "1970-01-01T00:00:01.53Z");
        assert_eq!(format!("{time:.3}"), "1970-01-01T00:00:01.530Z");
    }

    #[test]
    fn reads_durations_as_people_write_them() {
        assert_eq!(parse_duration("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(parse_duration("20m"), Ok(Duration::from_mins(20)));
        assert_eq!(parse_duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(parse_duration("2"), Ok(Duration::from_secs(2)));
        for bad in ["", "m", "-1s", "NaN", "1e999h", "5 weeks"] {
            assert!(parse_duration(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn prints_and_reads_rfc_3339() {
        let time = Timestamp::from_millis(1_790_847_000_123);
        assert_eq!(
            time.to_string()
                .parse::<Timestamp>()
                .map(|t| t.as_millis())
                .ok(),
            Some(1_790_847_000_123)
        );
    }
}
