//! The table of cases with both sides: what every comparison is computed from, whether the results
//! come from a run of ours or from another tool's files.

use crate::base::Fields;

/// The planned cases with what is known of each side, in the dataset's order.
#[derive(Debug, Clone, PartialEq)]
pub struct CaseTable<'a> {
    /// One row a case.
    pub rows: Vec<CaseRow<'a>>,
    /// Whether there is a baseline to compare with.
    pub has_baseline: bool,
    /// Repeats planned of each case.
    pub repeat: u32,
    /// The metric is graded (`score`), not pass or fail; only outcome files can be so.
    pub graded: bool,
}

/// A case with both sides.
#[derive(Debug, Clone, PartialEq)]
pub struct CaseRow<'a> {
    /// The case's id.
    pub id: &'a str,
    /// The line of the dataset on which it begins, from 1.
    pub line: u32,
    /// What group it is in, by key.
    pub segment: &'a Fields<Box<str>>,
    /// The group whose cases depend on each other.
    pub cluster: Option<&'a str>,
    /// Whether the candidate has to pass it.
    pub must_pass: bool,
    /// The baseline's side; `None` where there is no baseline.
    pub baseline: Option<ArmCell>,
    /// The candidate's side.
    pub candidate: ArmCell,
}

/// What is known of one side of a case: its repeats, summed up.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ArmCell {
    /// Repeats that passed.
    pub passed: u32,
    /// Repeats that failed, answer faults included.
    pub failed: u32,
    /// Repeats that errored.
    pub errored: u32,
    /// Repeats that were not run.
    pub skipped: u32,
    /// Those of them that an offline run could not answer; they are missing without counting
    /// against `max_missing`.
    pub offline: u32,
    /// Those of them that stopping saved; no missing data either.
    pub stopped: u32,
    /// The mean of the finished repeats' scores, 0 to 1.
    pub score: Option<f64>,
    /// The mean score of each scorer over the finished repeats, by index in the run's scorers.
    pub scorer_scores: Box<[(u16, f64)]>,
    /// Finished repeats with each fault of the answer, in the order of `AnswerFault::WORDS`.
    pub faults: [u32; 5],
    /// Means over the repeats with an answer; `None` where one is unknown.
    pub cost_usd: Option<f64>,
    /// Mean latency in milliseconds.
    pub latency_ms: Option<f64>,
    /// Mean tokens of the question.
    pub input_tokens: Option<f64>,
    /// Mean tokens of the answer.
    pub output_tokens: Option<f64>,
}

/// What became of a case from baseline to candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Transition {
    /// Passes on both sides.
    Kept,
    /// Failed, passes now.
    Fixed,
    /// Passed, fails now.
    Regression,
    /// Fails on both sides.
    KnownFailure,
    /// There is no baseline.
    New,
    /// A side is not finished.
    Missing,
}

impl Transition {
    /// The word in results.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::Fixed => "fixed",
            Self::Regression => "regression",
            Self::KnownFailure => "known_failure",
            Self::New => "new",
            Self::Missing => "missing",
        }
    }
}

impl ArmCell {
    /// Repeats with a result.
    #[must_use]
    pub fn finished(&self) -> u32 {
        self.passed + self.failed
    }

    /// Repeats planned.
    #[must_use]
    pub fn planned(&self) -> u32 {
        self.finished() + self.errored + self.skipped
    }

    /// Whether more than half of the repeats have a result (formats.md section 6).
    #[must_use]
    pub fn is_finished(&self) -> bool {
        2 * self.finished() > self.planned()
    }

    /// Whether more than half of the finished repeats passed; `None` where the cell is not finished.
    #[must_use]
    pub fn pass(&self) -> Option<bool> {
        self.is_finished()
            .then(|| 2 * self.passed > self.finished())
    }

    /// The share of finished repeats that passed; `None` where the cell is not finished.
    #[must_use]
    pub fn pass_share(&self) -> Option<f64> {
        self.is_finished()
            .then(|| f64::from(self.passed) / f64::from(self.finished()))
    }

    /// Whether the repeats disagree.
    #[must_use]
    pub fn is_flaky(&self) -> bool {
        self.passed > 0 && self.failed > 0
    }
}

impl CaseRow<'_> {
    /// What became of the case.
    #[must_use]
    pub fn transition(&self) -> Transition {
        let candidate = self.candidate.pass();
        match &self.baseline {
            None if candidate.is_some() => Transition::New,
            None => Transition::Missing,
            Some(baseline) => match (baseline.pass(), candidate) {
                (Some(true), Some(true)) => Transition::Kept,
                (Some(false), Some(true)) => Transition::Fixed,
                (Some(true), Some(false)) => Transition::Regression,
                (Some(false), Some(false)) => Transition::KnownFailure,
                (None, _) | (_, None) => Transition::Missing,
            },
        }
    }
}
