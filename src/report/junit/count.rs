//! Counts of test cases, which stand before the cases.

use super::Profile;
use super::mark::Mark;

/// Test cases by what became of them, and their time.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Counts {
    /// All of them.
    pub tests: u64,
    failures: u64,
    errors: u64,
    skipped: u64,
    seconds: f64,
}

impl Counts {
    /// Counts one test case.
    pub fn take(&mut self, mark: Mark<'_>, seconds: f64) {
        self.tests += 1;
        self.seconds += seconds;
        match mark {
            Mark::Passed | Mark::Quoted => {}
            Mark::Failure(_) => self.failures += 1,
            Mark::Error(_) => self.errors += 1,
            Mark::Skipped(_) => self.skipped += 1,
        }
    }

    /// Counts those of a suite.
    pub fn add(&mut self, other: &Self) {
        self.tests += other.tests;
        self.failures += other.failures;
        self.errors += other.errors;
        self.skipped += other.skipped;
        self.seconds += other.seconds;
    }

    /// The attributes of the root; the strict schema knows no `skipped` there.
    pub fn attributes(&self, name: &str, profile: Profile) -> Vec<(&'static str, String)> {
        let mut attributes = self.suite_attributes(name);
        match profile {
            Profile::Common => {}
            Profile::Strict => attributes.retain(|(key, _)| *key != "skipped"),
        }
        attributes
    }

    /// The attributes of a suite.
    pub fn suite_attributes(&self, name: &str) -> Vec<(&'static str, String)> {
        vec![
            ("name", name.to_owned()),
            ("tests", self.tests.to_string()),
            ("failures", self.failures.to_string()),
            ("errors", self.errors.to_string()),
            ("skipped", self.skipped.to_string()),
            ("time", seconds(self.seconds)),
        ]
    }
}

/// A time with exactly three decimals.
pub fn seconds(seconds: f64) -> String {
    // An empty sum is negative zero.
    let is_time = seconds.is_finite() && seconds > 0.0;
    let seconds = if is_time { seconds } else { 0.0 };
    format!("{seconds:.3}")
}
