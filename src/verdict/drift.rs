//! The verdict on drift: a version's answers now against those pinned at its promotion.
//!
//! Every week is compared with one pinned run, whose luck all weeks share, so that a plain p below
//! alpha alarms far too often (statistics.md section 4). A loss counts when it is strong and a
//! second run made at once shows it too, or when the weekly series alarms.

use super::rule::{Decision, RuleResult, RuleVerdict, Verdict};
use crate::stats::drift::EwmaPoint;

/// By how much smaller than alpha the p of a loss must be in the first run.
const STRICTER: f64 = 5.0;

/// Whether a first run shows a loss strongly enough to make a second one at once.
#[must_use]
pub fn is_strong(first: &Decision, alpha: f64) -> bool {
    let strong = |rule: &RuleResult| {
        let p = rule.p_regression_adjusted.or(rule.p_regression);
        // A lost must-pass case or a broken floor has no p.
        p.is_none_or(|p| p < alpha / STRICTER)
    };
    let failed = |rule: &&RuleResult| rule.gating && rule.verdict == RuleVerdict::Fail;
    first.verdict == Verdict::Fail && first.rules.iter().filter(failed).any(strong)
}

/// The verdict on drift. `second` is the run made at once after a strong first one; `series` the
/// last point of the weekly series.
#[must_use]
pub fn conclude(
    mut first: Decision,
    second: Option<&Decision>,
    series: Option<&EwmaPoint>,
    alpha: f64,
) -> Decision {
    first.blocks_inconclusive = false;
    if matches!(first.verdict, Verdict::Error | Verdict::Skipped) {
        return first;
    }
    let alarm = series.is_some_and(|point| point.alarm);
    let confirmed =
        is_strong(&first, alpha) && second.is_some_and(|second| second.verdict == Verdict::Fail);
    let shown = std::mem::take(&mut first.message);
    match (alarm, confirmed, first.verdict) {
        (_, true, _) => {
            first.message = format!("drift: {shown} A second run made at once says so too.");
        }
        (true, false, _) => {
            "ewma".clone_into(&mut first.reason);
            first.verdict = Verdict::Fail;
            first.message = format!(
                "drift: the weekly series has fallen below its limit. This week alone: {shown}"
            );
        }
        (false, false, Verdict::Fail) => {
            first.verdict = Verdict::Inconclusive;
            let why = match second {
                Some(_) => "a second run made at once does not show it",
                None => "one week alone is no proof: every week shares the luck of the pinned run",
            };
            first.message = format!("a loss that may be chance: {shown}");
            first.notes.push(format!("Not counted as drift: {why}."));
            for rule in &mut first.rules {
                if rule.verdict == RuleVerdict::Fail {
                    rule.verdict = RuleVerdict::Inconclusive;
                }
            }
        }
        (
            false,
            false,
            Verdict::Pass | Verdict::Inconclusive | Verdict::Skipped | Verdict::Error,
        ) => first.message = shown,
    }
    first
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::FamilyNote;

    fn decision(verdict: Verdict, p: f64) -> Decision {
        let rule = RuleResult {
            id: "pass-rate".to_owned(),
            gating: true,
            verdict: match verdict {
                Verdict::Fail => RuleVerdict::Fail,
                _ => RuleVerdict::Pass,
            },
            p_regression: Some(p),
            p_regression_adjusted: Some(p),
            ..RuleResult::default()
        };
        Decision {
            verdict,
            reason: "pass-rate".to_owned(),
            message: "worse.".to_owned(),
            notes: Vec::new(),
            rules: vec![rule],
            family: FamilyNote::default(),
            missing: None,
            blocks_inconclusive: true,
            preset: "promote",
        }
    }

    fn point(alarm: bool) -> EwmaPoint {
        EwmaPoint {
            value: -0.1,
            limit: -0.05,
            alarm,
        }
    }

    #[test]
    fn a_strong_loss_counts_when_a_second_run_shows_it() {
        let strong = || decision(Verdict::Fail, 0.001);
        assert!(is_strong(&strong(), 0.05));
        let again = decision(Verdict::Fail, 0.03);
        assert_eq!(
            conclude(strong(), Some(&again), None, 0.05).verdict,
            Verdict::Fail
        );
        let gone = decision(Verdict::Pass, 0.4);
        let found = conclude(strong(), Some(&gone), None, 0.05);
        assert_eq!(found.verdict, Verdict::Inconclusive);
        assert!(!found.blocks_inconclusive);
        assert_eq!(found.rules[0].verdict, RuleVerdict::Inconclusive);
    }

    #[test]
    fn a_weak_loss_is_a_note_and_a_series_an_alarm() {
        let weak = || decision(Verdict::Fail, 0.03);
        assert!(!is_strong(&weak(), 0.05));
        assert_eq!(
            conclude(weak(), None, Some(&point(false)), 0.05).verdict,
            Verdict::Inconclusive
        );
        let alarm = conclude(decision(Verdict::Pass, 0.3), None, Some(&point(true)), 0.05);
        assert_eq!(
            (alarm.verdict, alarm.reason.as_str()),
            (Verdict::Fail, "ewma")
        );
        assert_eq!(
            conclude(
                decision(Verdict::Error, 0.3),
                None,
                Some(&point(true)),
                0.05
            )
            .verdict,
            Verdict::Error
        );
        assert_eq!(
            conclude(decision(Verdict::Pass, 0.3), None, None, 0.05).verdict,
            Verdict::Pass
        );
    }
}
