//! Quarantined cases: no say in any rule, still accounted for, and never so many that a gate is empty.

use super::*;
use crate::verdict::{RuleVerdict, Verdict};

const PROMOTE: &str = "preset: promote";

/// A hundred and twenty cases, the last `held_out` of them quarantined losses.
fn with_losses(held_out: usize) -> Vec<Row> {
    let mut rows = counts([120 - held_out, held_out, 0, 0]);
    for row in rows.iter_mut().skip(120 - held_out) {
        row.quarantined = true;
    }
    rows
}

fn planned(rows: &[Row]) -> DecisionContext<'static> {
    DecisionContext {
        planned_trials: Some(rows.len() as u64),
        ..context()
    }
}

#[test]
fn a_quarantined_loss_has_no_say_in_any_rule() {
    let rows = in_segment(with_losses(12), "tier", "pro");
    let policy = policy("{preset: promote, min_pass_rate: 0.9, segments: {mode: gate}}");
    let decision = compare_in(&rows, &policy, &planned(&rows));
    assert_eq!(decision.verdict, Verdict::Pass, "{decision:?}");
    for id in ["pass-rate", "pass-rate[tier=pro]", "min-pass-rate"] {
        assert_eq!(rule(&decision, id).n, 108, "{id}");
    }
    let mut released = rows;
    for row in &mut released {
        row.quarantined = false;
    }
    let decision = compare_in(&released, &policy, &planned(&released));
    assert_eq!(decision.verdict, Verdict::Fail);
}

#[test]
fn trials_of_quarantined_cases_are_accounted_for_and_their_absence_is_not_missing() {
    let mut rows = with_losses(12);
    for row in rows.iter_mut().filter(|row| row.quarantined) {
        lost(&mut row.candidate);
    }
    let decision = compare_in(&rows, &policy(PROMOTE), &planned(&rows));
    assert_eq!(decision.verdict, Verdict::Pass);
    assert_eq!(decision.missing, None);
    rows.pop();
    let fewer = DecisionContext {
        planned_trials: Some(120),
        ..context()
    };
    let decision = compare_in(&rows, &policy(PROMOTE), &fewer);
    assert_eq!(
        (decision.verdict, decision.reason.as_str()),
        (Verdict::Error, "internal")
    );
}

#[test]
fn above_a_fifth_nothing_passes_and_it_blocks_whatever_the_policy_says() {
    let smoke = "{preset: smoke}";
    for text in [PROMOTE, smoke] {
        let policy = policy(text);
        assert_eq!(compare(&with_losses(24), &policy).verdict, Verdict::Pass);
        let decision = compare(&with_losses(25), &policy);
        assert_eq!(decision.verdict, Verdict::Inconclusive);
        assert!(decision.blocks_inconclusive);
        assert_eq!(
            decision.message,
            "25 of 120 cases are quarantined, too many to pass."
        );
        assert!(decision.notes[0].contains("20 %"), "{:?}", decision.notes);
    }
}

#[test]
fn a_failure_of_the_others_stands_however_many_are_quarantined() {
    let mut rows = with_losses(60);
    for row in rows.iter_mut().take(20) {
        row.candidate = cell(0, 1);
    }
    assert_eq!(compare(&rows, &policy(PROMOTE)).verdict, Verdict::Fail);
}

#[test]
fn with_every_case_quarantined_nothing_passes() {
    let mut rows = counts([60, 0, 0, 0]);
    for row in &mut rows {
        row.quarantined = true;
    }
    let floor = policy("min_pass_rate: 0.5");
    for decision in [
        compare(&rows, &policy(PROMOTE)),
        compare(&rows, &Policy::default()),
        run_alone(&rows, &floor),
    ] {
        assert_eq!(decision.verdict, Verdict::Inconclusive);
        assert!(decision.blocks_inconclusive);
    }
}

#[test]
fn a_case_that_must_pass_is_judged_even_if_a_file_quarantines_it() {
    let mut rows = with_losses(1);
    rows[119].must_pass = true;
    let decision = compare(&rows, &policy(PROMOTE));
    assert_eq!(rule(&decision, "must-pass").verdict, RuleVerdict::Fail);
    assert_eq!(decision.verdict, Verdict::Fail);
}
