//! Early stopping as policy: when a run is looked at before its end, and what p pays for the looks.
//!
//! A look is taken when the first so many cases of the plan have ended and no other has begun, so
//! that what it sees depends on the plan and the answers alone. Both methods stop for a loss only.

use std::sync::Arc;

use super::decide::{DecisionContext, decide};
use super::policy::{EarlyStop, Mode, Policy};
use super::rule::{Decision, RuleVerdict, TestResult, Verdict};
use super::rules::evidence::{Barrier, Evidence};
use crate::analysis::{CaseTable, PairState, Pairing};
use crate::stats::paired::PairedCounts;
use crate::stats::sequential::{e_process, five_look_levels};

/// Looks of the e-process: it may be looked at any time, but each look waits for answers under way.
const E_LOOKS: usize = 10;

/// The cases at each look, the last being all of them; empty where the policy never stops early.
#[must_use]
pub fn look_ends(early_stop: EarlyStop, cases: usize) -> Vec<usize> {
    let looks = match early_stop {
        EarlyStop::None => return Vec::new(),
        EarlyStop::ObrienFleming => 5,
        EarlyStop::EProcess => E_LOOKS,
    };
    let mut ends: Vec<usize> = (1..=looks)
        .map(|look| (cases * look).div_ceil(looks))
        .collect();
    ends.dedup();
    ends
}

/// The level of the main rule: all of alpha, or half where other rules can fail the gate (its own
/// share in the weighted Holm correction).
fn main_level(policy: &Policy) -> f64 {
    let others = policy.segments.mode == Mode::Gate
        || policy.metrics.iter().any(|rule| rule.mode == Mode::Gate);
    if others {
        0.5 * policy.alpha
    } else {
        policy.alpha
    }
}

/// Gives the main rule the p that pays for the looks of the policy.
///
/// O'Brien–Fleming: p times level over the look's nominal p, so that it is below the level exactly
/// when p is below the boundary. E-process: its anytime p, on single trials of independent cases.
pub(super) fn pay_for_looks(evidence: &mut Evidence, pairing: &Pairing<'_>, policy: &Policy) {
    let Some(p) = evidence.p_regression else {
        return;
    };
    let paid = match policy.early_stop {
        EarlyStop::None => return,
        EarlyStop::ObrienFleming => {
            let level = main_level(policy);
            let nominal = look_of(pairing).and_then(|look| {
                let levels = five_look_levels(level).ok()?;
                levels.get(look).copied().filter(|nominal| *nominal > 0.0)
            });
            // Not at a look, nothing may be tested.
            let paid = nominal.map_or(1.0, |nominal| (p * (level / nominal)).min(1.0));
            evidence.tests.push(result("obrien-fleming", None, paid));
            paid
        }
        EarlyStop::EProcess => {
            let Some(counts) = single_pairs(evidence, pairing) else {
                let what = "the e-process needs one trial a case and no clusters".to_owned();
                evidence.barrier = Some(Barrier::Undefined(what));
                return;
            };
            let found = e_process(&counts);
            evidence.decided_by = Some("e-process");
            evidence
                .tests
                .push(result("e-process", Some(found.ln_e), found.p_anytime));
            found.p_anytime
        }
    };
    evidence.p_sequential = Some(paid);
}

fn result(name: &'static str, statistic: Option<f64>, p: f64) -> TestResult {
    TestResult {
        name,
        statistic,
        p_two_sided: None,
        p_regression: Some(p),
        note: None,
    }
}

/// Which of the five looks a table is at, from 0; a table without stopped pairs is at the last.
fn look_of(pairing: &Pairing<'_>) -> Option<usize> {
    let cases = pairing.table.rows.len();
    let stopped = usize::try_from(pairing.count(PairState::Stopped)).unwrap_or(usize::MAX);
    if stopped == 0 {
        return Some(4);
    }
    let seen = cases.saturating_sub(stopped);
    (0..4).find(|look| (cases * (look + 1)).div_ceil(5) == seen)
}

fn single_pairs(evidence: &Evidence, pairing: &Pairing<'_>) -> Option<PairedCounts> {
    if pairing.repeated || pairing.clusters.is_some() || pairing.table.graded {
        return None;
    }
    let pairs = evidence.pairs?;
    Some(PairedCounts {
        both_pass: pairs.both_pass,
        regressions: pairs.regressions,
        fixes: pairs.fixes,
        both_fail: pairs.both_fail,
    })
}

/// The decision at a look, if it ends the run: the pass rate alone is below its own level, and the
/// gate says fail. The trials still to come are marked as stopped in `table`.
#[must_use]
pub fn stops(
    table: &CaseTable<'_>,
    scorers: &[Arc<str>],
    policy: &Policy,
    context: &DecisionContext<'_>,
) -> Option<Decision> {
    let name = match policy.early_stop {
        EarlyStop::None => return None,
        EarlyStop::ObrienFleming | EarlyStop::EProcess => policy.early_stop.as_str(),
    };
    let decision = decide(table, scorers, policy, context);
    let main = decision
        .rules
        .iter()
        .find(|rule| rule.id == "pass-rate" || rule.id == "score")?;
    let paid = main.tests.iter().find(|test| test.name == name)?;
    let shown = paid.p_regression.is_some_and(|p| p < main_level(policy));
    let fails = main.verdict == RuleVerdict::Fail && decision.verdict == Verdict::Fail;
    (shown && fails).then_some(decision)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::{ArmCell, CaseRow};
    use crate::base::Fields;
    use crate::stats::simulate::{CaseSampler, Design};
    use crate::verdict::Preset;

    const CASES: usize = 100;

    fn cell(passed: u32) -> ArmCell {
        ArmCell {
            passed,
            failed: 1 - passed,
            ..ArmCell::default()
        }
    }

    fn context() -> DecisionContext<'static> {
        DecisionContext {
            baseline: "v1",
            candidate: "v2",
            complete: true,
            ..DecisionContext::default()
        }
    }

    /// Runs a whole comparison look by look; the cases asked, and whether it fails.
    fn sequential(policy: &Policy, drop: f64, run: u64) -> (usize, bool) {
        let design = Design {
            cases: 100,
            trials: 1,
            rate: 0.8,
            drop,
            correlation: 0.4,
        };
        let mut sampler = CaseSampler::new(&design, 17, run).unwrap();
        let outcomes: Vec<(u32, u32)> = (0..CASES).map(|_| sampler.draw()).collect();
        let ids: Vec<String> = (0..CASES).map(|index| format!("c{index}")).collect();
        let tiers: Vec<_> = (0..4)
            .map(|tier| Fields::new(vec![("tier".into(), format!("t{tier}").into())]))
            .collect();
        let ends = look_ends(policy.early_stop, CASES);
        for end in ends {
            let stopped = || ArmCell {
                skipped: 1,
                stopped: 1,
                ..ArmCell::default()
            };
            let rows = ids.iter().zip(&outcomes).enumerate();
            let rows = rows.map(|(index, (id, (baseline, candidate)))| CaseRow {
                id,
                line: 1,
                segment: &tiers[index % 4],
                cluster: None,
                must_pass: false,
                quarantined: false,
                baseline: Some(if index < end {
                    cell(*baseline)
                } else {
                    stopped()
                }),
                candidate: if index < end {
                    cell(*candidate)
                } else {
                    stopped()
                },
            });
            let table = CaseTable {
                rows: rows.collect(),
                has_baseline: true,
                repeat: 1,
                graded: false,
            };
            if end == CASES {
                let verdict = decide(&table, &[], policy, &context()).verdict;
                return (CASES, verdict == Verdict::Fail);
            }
            if let Some(decision) = stops(&table, &[], policy, &context()) {
                assert_eq!(decision.verdict, Verdict::Fail);
                return (end, true);
            }
        }
        (CASES, false)
    }

    fn policy(early_stop: EarlyStop, mode: Mode) -> Policy {
        let mut policy = Policy::preset(Preset::Promote);
        policy.early_stop = early_stop;
        policy.segments.mode = mode;
        policy
    }

    #[test]
    fn looking_early_keeps_the_error_rate() {
        for (early_stop, mode) in [
            (EarlyStop::ObrienFleming, Mode::Watch),
            (EarlyStop::ObrienFleming, Mode::Gate),
            (EarlyStop::EProcess, Mode::Watch),
            (EarlyStop::EProcess, Mode::Gate),
        ] {
            let policy = policy(early_stop, mode);
            let runs = 300;
            let fails = (0..runs).filter(|run| sequential(&policy, 0.0, *run).1);
            let rate = fails.count() as f64 / runs as f64;
            assert!(rate <= 0.055, "{early_stop:?} {mode:?}: {rate}");
        }
    }

    #[test]
    fn a_heavy_loss_ends_the_run_early_and_a_late_one_is_still_found() {
        let late = policy(EarlyStop::ObrienFleming, Mode::Watch);
        let found = (0..100).filter(|run| sequential(&late, 0.15, *run).1);
        assert!(found.count() > 80);
        for early_stop in [EarlyStop::ObrienFleming, EarlyStop::EProcess] {
            let policy = policy(early_stop, Mode::Watch);
            let asked: usize = (0..100).map(|run| sequential(&policy, 0.4, run).0).sum();
            assert!(asked < 100 * 60, "{early_stop:?}: {asked}");
        }
    }

    #[test]
    fn looks_rise_to_all_cases() {
        assert_eq!(
            look_ends(EarlyStop::ObrienFleming, 52),
            [11, 21, 32, 42, 52]
        );
        assert_eq!(look_ends(EarlyStop::ObrienFleming, 2), [1, 2]);
        assert_eq!(look_ends(EarlyStop::EProcess, 200).len(), 10);
        assert!(look_ends(EarlyStop::None, 50).is_empty());
    }
}
