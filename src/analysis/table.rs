//! The table of cases with both sides: what every comparison is computed from, whether the results
//! come from a run of ours or from another tool's files.

use std::borrow::Cow;

use smallvec::SmallVec;

use crate::base::Fields;
use crate::chat::AnswerFault;
use crate::record::{Amount, Arm, Outcome, Run, Skip, TrialRecord};

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
    /// Whether it is kept out of every rule, being known to be flaky.
    pub quarantined: bool,
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
    pub scorer_scores: SmallVec<[(u16, f64); 1]>,
    /// Finished repeats with each fault of the answer, in the order of `AnswerFault::WORDS`.
    pub faults: [u16; 5],
    /// Mean cost over the repeats with an answer, in dollars; these four are unknown where one is.
    pub cost_usd: Amount,
    /// Mean latency in milliseconds.
    pub latency_ms: Amount,
    /// Mean tokens of the question.
    pub input_tokens: Amount,
    /// Mean tokens of the answer.
    pub output_tokens: Amount,
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

impl<'a> CaseTable<'a> {
    /// The table of a run of ours.
    #[must_use]
    pub fn of_run(run: &'a Run) -> Self {
        let has_baseline = run.arms().any(|arm| arm == Arm::Baseline);
        let cell = |case, arm| ArmCell::of_trials(run.repeats(case, arm), run.header.scorers.len());
        let rows = run.cases.iter().enumerate().map(|(index, case)| CaseRow {
            id: case.id.as_str(),
            line: case.line,
            segment: &case.segment,
            cluster: case.cluster.as_deref(),
            must_pass: case.must_pass,
            quarantined: case.quarantined,
            baseline: has_baseline.then(|| cell(index, Arm::Baseline)),
            candidate: cell(index, Arm::Candidate),
        });
        Self {
            rows: rows.collect(),
            has_baseline,
            repeat: run.header.repeat,
            graded: run.header.is_graded(),
        }
    }
}

impl<'a> CaseTable<'a> {
    /// The table that the gate judges: without the quarantined cases.
    #[must_use]
    pub fn gated(&self) -> Cow<'_, Self> {
        if !self.rows.iter().any(CaseRow::is_held_out) {
            return Cow::Borrowed(self);
        }
        let rows = self.rows.iter().filter(|row| !row.is_held_out());
        Cow::Owned(Self {
            rows: rows.cloned().collect(),
            has_baseline: self.has_baseline,
            repeat: self.repeat,
            graded: self.graded,
        })
    }

    /// The table as it would be without some scorers, which then decide no pass; `None` where there is
    /// nothing to leave out, or a trial would be left without a scorer that decides.
    #[must_use]
    pub fn of_run_without(run: &'a Run, scorers: &[&str]) -> Option<Self> {
        let names = run.scorers.iter().zip(0u16..);
        let left_out: Vec<u16> = names
            .filter(|(name, _)| scorers.contains(&name.as_ref()))
            .map(|(_, index)| index)
            .collect();
        if left_out.is_empty() {
            return None;
        }
        let mut without = run.clone();
        for trial in &mut without.trials {
            let is_scored = is_finished(trial) && trial.fault.is_none();
            if !is_scored {
                continue;
            }
            let gating = || {
                let scores = trial.scores.iter().filter(|score| score.gating);
                scores.filter(|score| !left_out.contains(&score.scorer))
            };
            gating().next()?;
            trial.outcome = Some(if gating().all(|score| score.pass) {
                Outcome::Passed
            } else {
                Outcome::Failed
            });
        }
        let table = CaseTable::of_run(&without);
        let cells = table.rows.into_iter().zip(CaseTable::of_run(run).rows);
        let rows = cells.map(|(without, row)| CaseRow {
            baseline: without.baseline,
            candidate: without.candidate,
            ..row
        });
        Some(Self {
            rows: rows.collect(),
            has_baseline: table.has_baseline,
            repeat: table.repeat,
            graded: table.graded,
        })
    }
}

impl ArmCell {
    /// Sums up the repeats of a case in an arm. The first `suite_scorers` scorers belong to the
    /// suite; an answer with a fault scores 0 with each of them that did not see it.
    #[must_use]
    pub fn of_trials(trials: &[TrialRecord], suite_scorers: usize) -> Self {
        let mut cell = Self::default();
        let mut scorers: Vec<(u16, Mean)> = Vec::new();
        let mut score = Mean::default();
        for trial in trials {
            match trial.outcome {
                Some(Outcome::Passed) => cell.passed += 1,
                Some(Outcome::Failed) => cell.failed += 1,
                Some(Outcome::Errored) => cell.errored += 1,
                Some(Outcome::Skipped) | None => cell.skip(trial.skipped),
            }
            if let Some(value) = trial.score() {
                score.add(value);
            }
            for summary in &trial.scores {
                add_score(&mut scorers, summary.scorer, summary.score);
            }
            if let Some(fault) = trial.fault.filter(|_| is_finished(trial)) {
                cell.count_fault(fault);
                for scorer in (0..suite_scorers).filter_map(|index| u16::try_from(index).ok()) {
                    if !trial.scores.iter().any(|score| score.scorer == scorer) {
                        add_score(&mut scorers, scorer, 0.0);
                    }
                }
            }
        }
        cell.score = score.value();
        scorers.sort_unstable_by_key(|(scorer, _)| *scorer);
        cell.scorer_scores = scorers
            .into_iter()
            .filter_map(|(scorer, mean)| Some((scorer, mean.value()?)))
            .collect();
        #[expect(clippy::cast_precision_loss, reason = "token counts are below 2^53")]
        let tokens = |count: Option<u64>| count.map(|count| count as f64);
        cell.cost_usd = mean_known(trials, |trial| trial.answer.cost_usd.get());
        cell.latency_ms = mean_known(trials, |trial| trial.latency_ms.get());
        cell.input_tokens = mean_known(trials, |trial| tokens(trial.usage.input_tokens.get()));
        cell.output_tokens = mean_known(trials, |trial| tokens(trial.usage.output_tokens.get()));
        cell
    }

    fn skip(&mut self, why: Option<Skip>) {
        self.skipped += 1;
        match why {
            Some(Skip::Offline) => self.offline += 1,
            Some(Skip::Stopped) => self.stopped += 1,
            Some(Skip::Budget | Skip::Deadline | Skip::Cancelled | Skip::Infra) | None => {}
        }
    }

    fn count_fault(&mut self, fault: AnswerFault) {
        let words = AnswerFault::WORDS.iter();
        for ((_, word), count) in words.zip(&mut self.faults) {
            *count = count.saturating_add(u16::from(*word == fault));
        }
    }

    /// Repeats that ended without a result although they should have had one: neither saved by
    /// stopping nor out of reach offline.
    #[must_use]
    pub fn lost(&self) -> u32 {
        (self.errored + self.skipped).saturating_sub(self.offline + self.stopped)
    }

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
    /// One side of the case.
    #[must_use]
    pub fn arm(&self, arm: Arm) -> Option<&ArmCell> {
        match arm {
            Arm::Baseline => self.baseline.as_ref(),
            Arm::Candidate => Some(&self.candidate),
        }
    }

    /// Whether it has no say in any rule: quarantined, and not one that must pass.
    #[must_use]
    pub fn is_held_out(&self) -> bool {
        self.quarantined && !self.must_pass
    }

    /// Whether it counts as one that became this: a quarantined case counts as none.
    #[must_use]
    pub fn counts_as(&self, transition: Transition) -> bool {
        !self.is_held_out() && self.transition() == transition
    }

    /// Whether the candidate lost it: it fails what the baseline passes, or what it alone is asked. A
    /// quarantined case is never lost.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        self.counts_as(Transition::Regression)
            || (self.counts_as(Transition::New) && self.candidate.pass() == Some(false))
    }

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

/// A running mean.
#[derive(Debug, Clone, Copy, Default)]
struct Mean {
    sum: f64,
    count: u32,
}

impl Mean {
    fn add(&mut self, value: f64) {
        self.sum += value;
        self.count += 1;
    }

    fn value(self) -> Option<f64> {
        (self.count > 0).then(|| self.sum / f64::from(self.count))
    }
}

fn add_score(means: &mut Vec<(u16, Mean)>, scorer: u16, score: f64) {
    if let Some((_, mean)) = means.iter_mut().find(|(index, _)| *index == scorer) {
        mean.add(score);
        return;
    }
    let mut mean = Mean::default();
    mean.add(score);
    means.push((scorer, mean));
}

fn is_finished(trial: &TrialRecord) -> bool {
    matches!(trial.outcome, Some(Outcome::Passed | Outcome::Failed))
}

/// The mean over the repeats with an answer; unknown without an answer, or where one is unknown.
fn mean_known(trials: &[TrialRecord], value: impl Fn(&TrialRecord) -> Option<f64>) -> Amount {
    let mut mean = Mean::default();
    for trial in trials.iter().filter(|trial| trial.answer.answered) {
        let Some(known) = value(trial) else {
            return Amount::default();
        };
        mean.add(known);
    }
    mean.value().into()
}
