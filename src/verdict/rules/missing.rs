//! What missing pairs could change: every rule is judged again with their trials counted against
//! the candidate and for it (statistics.md section 4).

use super::scenario::{Ground, Scenario};
use crate::analysis::Fill;
use crate::verdict::rule::{RuleVerdict, Verdict};

/// A reading of the table with what missing pairs could change.
#[derive(Debug, Clone)]
pub(in crate::verdict) struct Outlook<'t> {
    /// The rules with missing pairs left out; those cast into doubt say so.
    pub scenario: Scenario<'t>,
    /// The verdict without a look at the missing pairs.
    pub without: Verdict,
    /// The verdict with it.
    pub verdict: Verdict,
}

/// Judges all rules, and where pairs are missing, what the worst and the best of them would say.
pub(in crate::verdict) fn look<'t>(ground: &Ground<'t>, missing: u64) -> Outlook<'t> {
    let mut scenario = ground.read(Fill::LeaveOut);
    let without = scenario.verdict();
    if missing == 0 {
        return Outlook {
            scenario,
            without,
            verdict: without,
        };
    }
    let (worst, best) = (ground.read(Fill::Worst), ground.read(Fill::Best));
    let readings = worst.judged.iter().zip(&best.judged);
    for (rule, (worst, best)) in scenario.judged.iter_mut().zip(readings) {
        let found = rule.finding.verdict();
        rule.doubted = doubt(found, worst.finding.verdict(), best.finding.verdict());
    }
    let floors = worst.floor.as_ref().zip(best.floor.as_ref());
    if let (Some(floor), Some((worst, best))) = (&mut scenario.floor, floors) {
        floor.doubted = doubt(floor.verdict(), worst.verdict(), best.verdict());
    }
    let verdict = match scenario.verdict() {
        // A segment that the worst case breaks has no say when undecided, and would here.
        Verdict::Pass if worst.verdict() != Verdict::Pass => Verdict::Inconclusive,
        Verdict::Fail if best.verdict() == Verdict::Pass => Verdict::Inconclusive,
        verdict => verdict,
    };
    Outlook {
        scenario,
        without,
        verdict,
    }
}

/// A failure stands unless the best case passes, a pass only if the worst case passes too.
fn doubt(found: RuleVerdict, worst: RuleVerdict, best: RuleVerdict) -> Option<RuleVerdict> {
    let stands = match found {
        RuleVerdict::Fail => best != RuleVerdict::Pass,
        RuleVerdict::Pass => worst == RuleVerdict::Pass,
        RuleVerdict::Inconclusive | RuleVerdict::Skipped => true,
    };
    (!stands).then_some(found)
}
