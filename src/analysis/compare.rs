//! Pairs the arms by case: which pairs have both sides, and columns of numbers for the tests, for
//! the whole table or a part of it, with missing trials left out or filled with the worst or best.

use std::collections::HashMap;

use super::arm::RateSample;
use super::table::{ArmCell, CaseRow, CaseTable};
use crate::stats::mean::Sample;
use crate::stats::paired::PairedCounts;
use crate::stats::ratio::RatioPair;

/// What a case-arm is measured by, from 0 to 1, higher being better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// The share of trials that passed.
    Pass,
    /// The mean score.
    Score,
    /// The mean score of one scorer, by its index.
    Scorer(u16),
    /// The share of trials without one fault of the answer, by its index in `AnswerFault::WORDS`.
    NoFault(usize),
}

/// What a case-arm used, lower being better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Amount {
    /// Money.
    CostUsd,
    /// Time.
    LatencyMs,
    /// Tokens of the question.
    InputTokens,
    /// Tokens of the answer.
    OutputTokens,
}

/// What trials without a result are taken for (statistics.md section 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fill {
    /// Nothing: a pair without both sides is left out.
    LeaveOut,
    /// All against the candidate: its own failed, the baseline's passed.
    Worst,
    /// All for the candidate.
    Best,
}

impl Fill {
    /// What a missing trial of the baseline and one of the candidate count as.
    fn values(self) -> Option<(f64, f64)> {
        match self {
            Self::LeaveOut => None,
            Self::Worst => Some((1.0, 0.0)),
            Self::Best => Some((0.0, 1.0)),
        }
    }
}

/// Whether a pair has both sides, and if not, why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PairState {
    /// Both sides are finished; without a baseline, the candidate's is.
    Complete,
    /// A side has no result though it should.
    Missing,
    /// A side could not be answered offline.
    Offline,
    /// A side was saved by stopping.
    Stopped,
}

/// A table with what holds for all comparisons on it.
#[derive(Debug)]
pub struct Pairing<'t> {
    /// The table.
    pub table: &'t CaseTable<'t>,
    /// The state of each row's pair.
    pub states: Vec<PairState>,
    /// The cluster of each row, where a cluster has two cases or more.
    pub clusters: Option<Vec<usize>>,
    /// Whether cases have repeats.
    pub repeated: bool,
    /// All rows.
    pub all: Vec<u32>,
}

/// Columns of one measure over pairs with both sides.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Pairs {
    /// The baseline's values.
    pub baseline: Vec<f64>,
    /// The candidate's values.
    pub candidate: Vec<f64>,
    /// The cluster of each pair, where cases are grouped.
    pub clusters: Option<Vec<usize>>,
    /// Pairs by what became of them, more than half of the measure being a pass.
    pub counts: PairedCounts,
    /// Trials that passed and trials with a result, of the baseline and of the candidate; without
    /// what a fill adds.
    pub tallies: [(u64, u64); 2],
    /// Pairs without both sides, whatever the reason.
    pub missing: u64,
    /// Pairs with both sides of which one has no value of this measure.
    pub left_out: u64,
}

impl<'t> Pairing<'t> {
    /// Looks over a table once.
    #[must_use]
    pub fn new(table: &'t CaseTable<'t>) -> Self {
        let several = |cell: &ArmCell| cell.planned() > 1;
        Self {
            table,
            states: table.rows.iter().map(state).collect(),
            clusters: number_clusters(table.rows.iter().map(|row| row.cluster)),
            repeated: table.repeat > 1
                || table.rows.iter().any(|row| {
                    several(&row.candidate) || row.baseline.as_ref().is_some_and(several)
                }),
            all: (0u32..).zip(&table.rows).map(|(index, _)| index).collect(),
        }
    }

    /// How many pairs are in a state.
    #[must_use]
    pub fn count(&self, state: PairState) -> u64 {
        self.states.iter().filter(|found| **found == state).count() as u64
    }

    /// Rows with their index, state and cluster.
    fn members<'m>(&'m self, rows: &'m [u32]) -> impl Iterator<Item = Member<'m>> {
        rows.iter().filter_map(|index| {
            let index = *index as usize;
            Some(Member {
                row: self.table.rows.get(index)?,
                state: *self.states.get(index)?,
                cluster: self
                    .clusters
                    .as_ref()
                    .and_then(|clusters| clusters.get(index).copied()),
            })
        })
    }

    /// The columns of a measure over some rows.
    #[must_use]
    pub fn pairs(&self, rows: &[u32], measure: Measure, fill: Fill) -> Pairs {
        let mut pairs = Pairs {
            baseline: Vec::with_capacity(rows.len()),
            candidate: Vec::with_capacity(rows.len()),
            ..Pairs::default()
        };
        let mut groups = Vec::new();
        for member in self.members(rows) {
            let used = match member.state {
                PairState::Complete => true,
                PairState::Missing => fill != Fill::LeaveOut,
                PairState::Offline | PairState::Stopped => false,
            };
            if !used {
                pairs.missing += 1;
                continue;
            }
            match pair_value(member.row, measure, fill) {
                Value::Both(baseline, candidate) => {
                    pairs.push(baseline, candidate);
                    pairs.tally(member.row, measure);
                    groups.extend(member.cluster);
                }
                Value::OneSided => pairs.left_out += 1,
                Value::None => {}
            }
        }
        pairs.clusters = self.clusters.is_some().then_some(groups);
        pairs
    }

    /// What both sides used, over the complete pairs of some rows, with their clusters.
    #[must_use]
    pub fn amounts(&self, rows: &[u32], amount: Amount) -> (Vec<RatioPair>, Option<Vec<usize>>) {
        let mut pairs = Vec::with_capacity(rows.len());
        let mut groups = Vec::new();
        let complete = |member: &Member<'_>| member.state == PairState::Complete;
        for member in self.members(rows).filter(complete) {
            let Some(baseline) = &member.row.baseline else {
                continue;
            };
            pairs.push(RatioPair {
                candidate: amount.of(&member.row.candidate),
                baseline: amount.of(baseline),
            });
            groups.extend(member.cluster);
        }
        (pairs, self.clusters.is_some().then_some(groups))
    }

    /// The candidate's finished cases, for its own rate; with a fill, all cases that were not saved
    /// by stopping or out of reach offline.
    #[must_use]
    pub fn candidate_rate(&self, fill: Fill) -> RateSample {
        let filled = fill.values().map(|(_, candidate)| candidate);
        let mut sample = RateSample {
            repeated: self.repeated,
            ..RateSample::default()
        };
        let mut groups = Vec::new();
        for member in self.members(&self.all) {
            let cell = &member.row.candidate;
            let value = match filled {
                None => cell.pass_share(),
                Some(value) if cell.is_finished() || !is_excused(cell) => {
                    cell_value(cell, Measure::Pass, Some(value))
                }
                Some(_) => None,
            };
            if let Some(share) = value {
                sample.shares.push(share);
                sample.trials += u64::from(cell.finished());
                if filled.is_some() {
                    sample.trials += u64::from(cell.lost());
                }
                groups.extend(member.cluster);
            }
        }
        sample.clusters = self.clusters.is_some().then_some(groups);
        sample
    }
}

struct Member<'m> {
    row: &'m CaseRow<'m>,
    state: PairState,
    cluster: Option<usize>,
}

impl Pairs {
    fn push(&mut self, baseline: f64, candidate: f64) {
        self.baseline.push(baseline);
        self.candidate.push(candidate);
        let count = match (baseline > 0.5, candidate > 0.5) {
            (true, true) => &mut self.counts.both_pass,
            (true, false) => &mut self.counts.regressions,
            (false, true) => &mut self.counts.fixes,
            (false, false) => &mut self.counts.both_fail,
        };
        *count += 1;
    }

    fn tally(&mut self, row: &CaseRow<'_>, measure: Measure) {
        let cells = [row.baseline.as_ref(), Some(&row.candidate)];
        for (tally, cell) in self.tallies.iter_mut().zip(cells) {
            if let Some(cell) = cell {
                let finished = cell.finished();
                let passed = match measure {
                    Measure::NoFault(fault) => finished.saturating_sub(faults_of(cell, fault)),
                    Measure::Pass | Measure::Score | Measure::Scorer(_) => cell.passed,
                };
                tally.0 += u64::from(passed);
                tally.1 += u64::from(finished);
            }
        }
    }

    /// Number of pairs.
    #[must_use]
    pub fn n(&self) -> u64 {
        self.baseline.len() as u64
    }

    /// The means of both arms, the baseline's first; `None` without a pair.
    #[must_use]
    pub fn means(&self) -> Option<(f64, f64)> {
        let n = self.baseline.len();
        let mean = |values: &[f64]| values.iter().sum::<f64>() / n as f64;
        (n > 0).then(|| (mean(&self.baseline), mean(&self.candidate)))
    }

    /// Cases on which the candidate is worse, and on which it is better.
    #[must_use]
    pub fn moved(&self) -> (u64, u64) {
        let mut moved = (0, 0);
        for (baseline, candidate) in self.baseline.iter().zip(&self.candidate) {
            moved.0 += u64::from(candidate < baseline);
            moved.1 += u64::from(candidate > baseline);
        }
        moved
    }

    /// The differences of the cases, candidate less baseline.
    ///
    /// # Errors
    /// If a value is not finite.
    pub fn differences(&self) -> Result<Sample, crate::stats::Error> {
        let pairs = self.candidate.iter().zip(&self.baseline);
        let differences: Vec<f64> = pairs
            .map(|(candidate, baseline)| candidate - baseline)
            .collect();
        match &self.clusters {
            None => Sample::independent(&differences),
            Some(groups) => Sample::clustered(&differences, groups),
        }
    }
}

impl Amount {
    /// What a case-arm used; `None` where it is unknown.
    #[must_use]
    pub fn of(self, cell: &ArmCell) -> Option<f64> {
        match self {
            Self::CostUsd => cell.cost_usd.get(),
            Self::LatencyMs => cell.latency_ms.get(),
            Self::InputTokens => cell.input_tokens.get(),
            Self::OutputTokens => cell.output_tokens.get(),
        }
    }
}

/// Whether a case-arm would be finished had offline and stopped trials not been asked for.
fn is_excused(cell: &ArmCell) -> bool {
    cell.offline + cell.stopped > 0 && 2 * cell.lost() < cell.planned()
}

fn state(row: &CaseRow<'_>) -> PairState {
    let mut state = PairState::Complete;
    for cell in row.baseline.iter().chain([&row.candidate]) {
        if cell.is_finished() {
            continue;
        }
        if !is_excused(cell) {
            return PairState::Missing;
        }
        if cell.offline > 0 {
            state = PairState::Offline;
        } else if state == PairState::Complete {
            state = PairState::Stopped;
        }
    }
    state
}

enum Value {
    Both(f64, f64),
    OneSided,
    None,
}

fn pair_value(row: &CaseRow<'_>, measure: Measure, fill: Fill) -> Value {
    let Some(baseline) = &row.baseline else {
        return Value::None;
    };
    let fills = fill.values();
    let applies = known_value(baseline, measure).is_some()
        || known_value(&row.candidate, measure).is_some()
        || !(baseline.is_finished() && row.candidate.is_finished());
    let first = cell_value(baseline, measure, fills.map(|(value, _)| value));
    let second = cell_value(&row.candidate, measure, fills.map(|(_, value)| value));
    match (first, second) {
        _ if !applies => Value::None,
        (Some(first), Some(second)) => Value::Both(first, second),
        (Some(_), None) | (None, Some(_)) => Value::OneSided,
        (None, None) => Value::None,
    }
}

/// Finished repeats with a fault of the answer, by its place in `AnswerFault::WORDS`.
fn faults_of(cell: &ArmCell, fault: usize) -> u32 {
    cell.faults.get(fault).map_or(0, |count| u32::from(*count))
}

/// The mean of a measure over the finished repeats of a case-arm.
fn known_value(cell: &ArmCell, measure: Measure) -> Option<f64> {
    let finished = f64::from(cell.finished());
    if finished <= 0.0 {
        return None;
    }
    match measure {
        Measure::Pass => Some(f64::from(cell.passed) / finished),
        Measure::Score => cell.score,
        Measure::Scorer(scorer) => {
            let found = cell
                .scorer_scores
                .iter()
                .find(|(index, _)| *index == scorer);
            found.map(|(_, score)| *score)
        }
        Measure::NoFault(fault) => {
            let faults = faults_of(cell, fault);
            Some(1.0 - f64::from(faults.min(cell.finished())) / finished)
        }
    }
}

/// As [`known_value`], with lost repeats filled; without a fill only for finished case-arms.
fn cell_value(cell: &ArmCell, measure: Measure, fill: Option<f64>) -> Option<f64> {
    let known = known_value(cell, measure);
    let Some(fill) = fill else {
        return known.filter(|_| cell.is_finished());
    };
    let weight = known.map_or(0.0, |_| f64::from(cell.finished()));
    let mut filled = f64::from(cell.lost());
    if known.is_none() {
        filled += f64::from(cell.finished());
    }
    let total = weight + filled;
    (total > 0.0).then(|| (known.unwrap_or(0.0) * weight + fill * filled) / total)
}

/// Numbers clusters from 0 in the order of their first case; a case without one is a cluster of its
/// own. `None` where no cluster has two cases: then the cases are independent.
#[must_use]
pub fn number_clusters<'a>(names: impl Iterator<Item = Option<&'a str>>) -> Option<Vec<usize>> {
    let mut numbers: HashMap<&str, usize> = HashMap::new();
    let mut clusters = Vec::new();
    let mut next = 0;
    let mut grouped = false;
    for name in names {
        let known = name.and_then(|name| numbers.get(name).copied());
        grouped |= known.is_some();
        clusters.push(known.unwrap_or(next));
        if known.is_none() {
            if let Some(name) = name {
                numbers.insert(name, next);
            }
            next += 1;
        }
    }
    grouped.then_some(clusters)
}
