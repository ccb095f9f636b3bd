//! What a whole policy would say on cases like these: simulated tables through the one decision.
//!
//! Owns the making of such tables, from a model of the outcomes or by relabelling two sets of
//! answers of one version. Single tests without a policy are `stats::simulate`'s.

use std::sync::Arc;

use super::decide::{DecisionContext, decide};
use super::policy::{Metric, Policy};
use super::rule::Verdict;
use crate::analysis::{ArmCell, CaseRow, CaseTable};
use crate::base::rng::Stream;
use crate::stats;
use crate::stats::simulate::{CaseSampler, Design};

/// How often a policy said what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rehearsal {
    /// Simulated runs.
    pub draws: usize,
    /// Those that passed.
    pub pass: usize,
    /// Those that failed.
    pub fail: usize,
    /// Those that stayed undecided.
    pub inconclusive: usize,
}

impl Rehearsal {
    /// The share of a count of the runs.
    #[must_use]
    pub fn share(&self, count: usize) -> f64 {
        if self.draws == 0 {
            0.0
        } else {
            count as f64 / self.draws as f64
        }
    }

    fn add(&mut self, verdict: Verdict) {
        self.draws += 1;
        match verdict {
            Verdict::Pass => self.pass += 1,
            Verdict::Fail => self.fail += 1,
            Verdict::Inconclusive | Verdict::Skipped | Verdict::Error => self.inconclusive += 1,
        }
    }
}

/// What a policy says on the cases of a table (ids, segments, repeats) with outcomes drawn from a
/// model. Metrics and must-pass cases, of which the model says nothing, are left out; cases are
/// drawn independently of their clusters.
///
/// # Errors
/// When the model is impossible.
pub fn rehearse(
    shape: &CaseTable<'_>,
    policy: &Policy,
    model: &Design,
    draws: usize,
    seed: u64,
) -> Result<Rehearsal, stats::Error> {
    let policy = Policy {
        metrics: Vec::new(),
        ..policy.clone()
    };
    let mut rehearsal = Rehearsal::default();
    let mut table = shape.clone();
    table.has_baseline = true;
    let trials = model.trials;
    for block in 0..draws {
        let mut sampler = CaseSampler::new(model, seed, block as u64)?;
        for row in &mut table.rows {
            let (baseline, candidate) = sampler.draw();
            row.must_pass = false;
            row.baseline = Some(cell(baseline, trials));
            row.candidate = cell(candidate, trials);
        }
        rehearsal.add(verdict_on(&table, &[], &policy, seed));
    }
    Ok(rehearsal)
}

fn cell(passed: u32, trials: u32) -> ArmCell {
    ArmCell {
        passed,
        failed: trials.saturating_sub(passed),
        score: Some(f64::from(passed) / f64::from(trials.max(1))),
        ..ArmCell::default()
    }
}

/// How often a policy would say what of two sets of answers of one version: cases (or whole
/// clusters) drawn with replacement, and the two sides of each exchanged by chance, so that
/// neither is better. Rules on money, time and tokens are left out.
///
/// A bootstrap under the null hypothesis that the arms are exchangeable; Efron and Tibshirani
/// (1993), *An Introduction to the Bootstrap*, ch. 15 and 16.
#[must_use]
pub fn rehearse_unchanged(
    table: &CaseTable<'_>,
    scorers: &[Arc<str>],
    policy: &Policy,
    draws: usize,
    seed: u64,
) -> Rehearsal {
    let mut policy = policy.clone();
    policy
        .metrics
        .retain(|rule| !matches!(rule.metric, Metric::Amount(_)));
    let units = units(table);
    let mut rehearsal = Rehearsal::default();
    let mut stream = Stream::new(seed, "unchanged");
    for _ in 0..draws {
        let names: Vec<String> = (0..units.len()).map(|unit| unit.to_string()).collect();
        let mut rows = Vec::with_capacity(table.rows.len());
        for name in &names {
            let drawn = units.get(stream.below(units.len()));
            let swapped = stream.below(2) == 1;
            for row in drawn.into_iter().flatten() {
                rows.push(relabelled(row, name, swapped));
            }
        }
        let drawn = CaseTable {
            rows,
            has_baseline: true,
            repeat: table.repeat,
            graded: table.graded,
        };
        rehearsal.add(verdict_on(&drawn, scorers, &policy, seed));
    }
    rehearsal
}

/// The rows that are drawn together: a cluster's, or one alone.
fn units<'t, 'a>(table: &'t CaseTable<'a>) -> Vec<Vec<&'t CaseRow<'a>>> {
    let mut units: Vec<Vec<&CaseRow<'a>>> = Vec::new();
    let mut places = std::collections::HashMap::new();
    for row in &table.rows {
        match row.cluster {
            Some(cluster) => {
                let place = *places.entry(cluster).or_insert(units.len());
                if place == units.len() {
                    units.push(Vec::new());
                }
                if let Some(unit) = units.get_mut(place) {
                    unit.push(row);
                }
            }
            None => units.push(vec![row]),
        }
    }
    units
}

/// A row under the name of its draw, so that one drawn twice counts as two, with its sides
/// exchanged or not.
fn relabelled<'r>(row: &'r CaseRow<'_>, name: &'r str, swapped: bool) -> CaseRow<'r> {
    let (baseline, candidate) = match &row.baseline {
        Some(baseline) if swapped => (row.candidate.clone(), baseline.clone()),
        Some(baseline) => (baseline.clone(), row.candidate.clone()),
        None => (row.candidate.clone(), row.candidate.clone()),
    };
    CaseRow {
        id: row.id,
        line: row.line,
        segment: row.segment,
        cluster: row.cluster.map(|_| name),
        must_pass: row.must_pass,
        quarantined: row.quarantined,
        baseline: Some(baseline),
        candidate,
    }
}

fn verdict_on(table: &CaseTable<'_>, scorers: &[Arc<str>], policy: &Policy, seed: u64) -> Verdict {
    let context = DecisionContext {
        seed,
        baseline: "baseline",
        candidate: "candidate",
        complete: true,
        ..DecisionContext::default()
    };
    decide(table, scorers, policy, &context).verdict
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Fields;
    use crate::verdict::Preset;

    fn with_table<T>(cases: usize, flips: usize, work: impl FnOnce(&CaseTable<'_>) -> T) -> T {
        let segment = Fields::new(Vec::new());
        let ids: Vec<String> = (0..cases).map(|index| format!("c{index}")).collect();
        let rows = ids.iter().enumerate().map(|(index, id)| CaseRow {
            id,
            line: 1,
            segment: &segment,
            cluster: None,
            must_pass: false,
            quarantined: false,
            baseline: Some(cell(1, 1)),
            candidate: cell(u32::from(index >= flips), 1),
        });
        let table = CaseTable {
            rows: rows.collect(),
            has_baseline: true,
            repeat: 1,
            graded: false,
        };
        work(&table)
    }

    #[test]
    fn an_unchanged_version_seldom_fails_and_often_passes_where_cases_suffice() {
        let policy = Policy::preset(Preset::Promote);
        let rehearsal = with_table(300, 18, |table| {
            rehearse_unchanged(table, &[], &policy, 600, 1)
        });
        assert_eq!(rehearsal.draws, 600);
        assert!(rehearsal.share(rehearsal.fail) < 0.08, "{rehearsal:?}");
        assert!(rehearsal.share(rehearsal.pass) > 0.85, "{rehearsal:?}");
    }

    #[test]
    fn a_model_with_a_loss_fails_as_often_as_single_tests_say() {
        let policy = Policy::preset(Preset::Promote);
        let model = Design {
            cases: 200,
            trials: 1,
            rate: 0.9,
            drop: 0.05,
            correlation: 0.6,
        };
        let rehearsal = with_table(200, 0, |table| {
            rehearse(table, &policy, &model, 600, 1).unwrap()
        });
        let found = rehearsal.share(rehearsal.fail);
        assert!((0.72..0.84).contains(&found), "{rehearsal:?}");
        let impossible = Design {
            correlation: 2.0,
            ..model
        };
        with_table(2, 0, |table| {
            assert!(rehearse(table, &policy, &impossible, 1, 1).is_err());
        });
    }
}
