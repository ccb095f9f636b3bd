//! Rules on the candidate alone: cases that have to pass, and the floor of its pass rate.

use crate::analysis::{Fill, Pairing, RateInterval};
use crate::stats::proportion::zero_failure_bound;
use crate::verdict::rule::RuleVerdict;

/// The must-pass cases by what became of them.
#[derive(Debug, Clone, PartialEq, Default)]
pub(in crate::verdict) struct MustPass<'t> {
    /// How many there are.
    pub cases: u64,
    /// Those with a failing trial.
    pub failed: Vec<&'t str>,
    /// How many of these failed in the baseline too.
    pub pre_existing: u64,
    /// Those without an answer.
    pub unanswered: Vec<&'t str>,
    /// With no failure: the failure rate that is still possible.
    pub bound: Option<f64>,
}

impl<'t> MustPass<'t> {
    /// Looks at the must-pass cases; `None` where there is none. A failing trial fails its case.
    pub(in crate::verdict) fn of(pairing: &Pairing<'t>, fill: Fill, alpha: f64) -> Option<Self> {
        let mut found = Self::default();
        let mut answered = 0;
        for row in pairing.table.rows.iter().filter(|row| row.must_pass) {
            found.cases += 1;
            let cell = &row.candidate;
            answered += u64::from(cell.is_finished());
            let counts_as_failed = fill == Fill::Worst && !cell.is_finished() && cell.lost() > 0;
            if cell.failed > 0 || counts_as_failed {
                found.failed.push(row.id);
                let before = row.baseline.as_ref().is_some_and(|cell| cell.failed > 0);
                found.pre_existing += u64::from(before);
            } else if !(cell.is_finished() || fill == Fill::Best && cell.lost() > 0) {
                found.unanswered.push(row.id);
            }
        }
        if found.failed.is_empty() {
            found.bound = zero_failure_bound(answered, alpha).ok();
        }
        (found.cases > 0).then_some(found)
    }

    /// Failed, or no better than undecided without an answer.
    pub(in crate::verdict) fn verdict(&self) -> RuleVerdict {
        if !self.failed.is_empty() {
            RuleVerdict::Fail
        } else if !self.unanswered.is_empty() {
            RuleVerdict::Inconclusive
        } else {
            RuleVerdict::Pass
        }
    }
}

/// The candidate's pass rate.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::verdict) struct Rate {
    /// Finished cases.
    pub n: u64,
    /// The share of cases that pass.
    pub share: Option<f64>,
    /// Its interval at level 1 - 2 alpha.
    pub interval: Option<RateInterval>,
    /// Clusters, where cases are grouped.
    pub clusters: Option<u64>,
}

impl Rate {
    /// Measures the candidate; graded cases have no pass rate.
    pub(in crate::verdict) fn of(pairing: &Pairing<'_>, fill: Fill, level: f64) -> Self {
        let graded = pairing.table.graded;
        let sample = pairing.candidate_rate(fill);
        Self {
            n: sample.shares.len() as u64,
            share: sample.mean().filter(|_| !graded),
            interval: sample.interval(level).filter(|_| !graded),
            clusters: sample.clusters.is_some().then(|| sample.units() as u64),
        }
    }
}

/// The candidate's pass rate against the floor.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::verdict) struct Floor {
    /// The rate that is required.
    pub required: f64,
    /// The rate that was measured.
    pub measured: Rate,
    /// The cases are graded, so that nothing passes or fails.
    pub graded: bool,
    /// What it concluded without the missing cases, where they cast doubt on it.
    pub doubted: Option<RuleVerdict>,
}

impl Floor {
    /// Measures the candidate against a floor.
    pub(in crate::verdict) fn of(
        pairing: &Pairing<'_>,
        fill: Fill,
        required: f64,
        level: f64,
    ) -> Self {
        Self {
            required,
            measured: Rate::of(pairing, fill, level),
            graded: pairing.table.graded,
            doubted: None,
        }
    }

    /// The verdict, missing cases included.
    pub(in crate::verdict) fn verdict(&self) -> RuleVerdict {
        match self.doubted {
            Some(_) => RuleVerdict::Inconclusive,
            None => self.plain_verdict(),
        }
    }

    /// Passed when the whole interval is at or above the floor, failed when it is below.
    pub(in crate::verdict) fn plain_verdict(&self) -> RuleVerdict {
        match self.measured.interval {
            Some(interval) if interval.low >= self.required => RuleVerdict::Pass,
            Some(interval) if interval.high < self.required => RuleVerdict::Fail,
            Some(_) | None => RuleVerdict::Inconclusive,
        }
    }
}
