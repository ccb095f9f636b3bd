//! Edges: nothing, one, all the same, missing, offline, absolute rules, results that lie.

use super::*;
use crate::record::FinishReason;
use crate::verdict::{RuleVerdict, Verdict};

const PROMOTE: &str = "preset: promote";

#[test]
fn no_pair_is_never_a_pass() {
    let decision = compare(&[], &Policy::default());
    assert_eq!(decision.verdict, Verdict::Inconclusive);
    assert!(
        decision.message.contains("nothing to compare"),
        "{}",
        decision.message
    );
    let floor = policy("min_pass_rate: 0.5");
    assert_eq!(run_alone(&[], &floor).verdict, Verdict::Inconclusive);
    assert_eq!(
        run_alone(&counts([50, 0, 0, 0]), &Policy::default()).verdict,
        Verdict::Inconclusive
    );
}

#[test]
fn one_case_is_undecided() {
    for counts_of_one in [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]] {
        let mut rows = counts(counts_of_one);
        assert_eq!(
            compare(&rows, &policy(PROMOTE)).verdict,
            Verdict::Inconclusive
        );
        rows[0].baseline.passed *= 3;
        rows[0].baseline.failed *= 3;
        rows[0].candidate.passed *= 3;
        rows[0].candidate.failed *= 3;
        assert_eq!(
            compare(&rows, &policy(PROMOTE)).verdict,
            Verdict::Inconclusive
        );
    }
    let decision = compare(&counts([1, 0, 0, 0]), &Policy::default());
    assert_eq!(
        decision.message,
        "1 case is too few to tell: the one case comes out the same."
    );
}

#[test]
fn all_pass_and_all_fail_pass_from_enough_cases() {
    assert_eq!(
        compare(&counts([60, 0, 0, 0]), &policy(PROMOTE)).verdict,
        Verdict::Pass
    );
    assert_eq!(
        compare(&counts([0, 0, 0, 60]), &policy(PROMOTE)).verdict,
        Verdict::Pass
    );
}

#[test]
fn repeats_without_variance_pass_by_the_guard_alone() {
    let repeated = |n: usize| {
        let mut rows = counts([n, 0, 0, 0]);
        for row in &mut rows {
            (row.baseline, row.candidate) = (cell(3, 0), cell(3, 0));
        }
        compare(&rows, &policy(PROMOTE)).verdict
    };
    assert_eq!(repeated(20), Verdict::Inconclusive);
    assert_eq!(repeated(200), Verdict::Pass);
}

fn clustered(n: usize, clusters: usize, worse: usize) -> Vec<Row> {
    let mut rows = counts([n - worse, worse, 0, 0]);
    for (index, row) in rows.iter_mut().enumerate() {
        row.cluster = Some(format!("k{}", index % clusters));
    }
    rows
}

#[test]
fn few_clusters_never_pass_and_one_decides_nothing() {
    let decision = compare(&clustered(400, 19, 0), &policy(PROMOTE));
    assert_eq!(decision.verdict, Verdict::Inconclusive);
    assert!(decision.rules[0].reason.contains("19 clusters are too few"));
    assert_eq!(
        compare(&clustered(400, 100, 0), &policy(PROMOTE)).verdict,
        Verdict::Pass
    );
    assert_eq!(
        compare(&clustered(400, 1, 400), &policy(PROMOTE)).verdict,
        Verdict::Inconclusive
    );
    let fail = compare(&clustered(40, 10, 40), &policy(PROMOTE));
    assert_eq!(fail.verdict, Verdict::Fail);
    assert_eq!(fail.rules[0].decided_by, Some("cr1-t"));
    assert_eq!(fail.rules[0].clusters, Some(10));
}

#[test]
fn clusters_of_one_case_are_no_clusters() {
    let decision = compare(&clustered(60, 60, 0), &policy(PROMOTE));
    assert_eq!(decision.rules[0].decided_by, Some("mcnemar-midp"));
}

#[test]
fn each_test_of_the_policy_decides_by_name() {
    let rows = counts([178, 10, 2, 10]);
    let tests = [
        ("mcnemar-midp", "mcnemar-midp", 0.011_230),
        ("mcnemar-exact", "mcnemar-exact", 0.019_287),
        ("mcnemar-score", "mcnemar-score", 0.010_461),
        ("z", "two-proportion-z", 0.070_184),
    ];
    for (word, name, p) in tests {
        let decision = compare(&rows, &policy(&format!("preset: promote\ntest: {word}")));
        assert_eq!(decision.rules[0].decided_by, Some(name));
        assert_eq!(decision.rules[0].ci.unwrap().method, "tango");
        assert_near(decision.rules[0].p_regression, p);
    }
    let decision = compare(&rows, &policy("preset: promote\ntest: paired-t"));
    assert_eq!(decision.rules[0].decided_by, Some("paired-t"));
    assert_eq!(decision.rules[0].tests[0].name, "two-proportion-z");
    assert!(decision.rules[0].p_guarded.is_some());
}

#[test]
fn too_many_missing_pairs_make_the_run_unusable() {
    let mut rows = counts([100, 0, 0, 0]);
    for row in rows.iter_mut().take(5) {
        lost(&mut row.candidate);
    }
    assert_ne!(compare(&rows, &policy(PROMOTE)).verdict, Verdict::Error);
    lost(&mut rows[5].baseline);
    let decision = compare(&rows, &policy(PROMOTE));
    assert_eq!(
        (decision.verdict, decision.reason.as_str()),
        (Verdict::Error, "missing_over_bound")
    );
    assert_eq!(
        decision.message,
        "No verdict: 6 of 100 cases have no answer on both sides (6 %); at most 5 % may be missing."
    );
    assert!(
        decision
            .rules
            .iter()
            .all(|rule| rule.verdict == RuleVerdict::Skipped)
    );
    for row in &mut rows {
        lost(&mut row.candidate);
    }
    assert_eq!(compare(&rows, &policy(PROMOTE)).verdict, Verdict::Error);
    let all = policy("max_missing: 1");
    assert_eq!(compare(&rows, &all).verdict, Verdict::Inconclusive);
}

#[test]
fn a_pass_needs_the_worst_case_too() {
    let mut rows = counts([100, 0, 0, 0]);
    lost(&mut rows[0].candidate);
    assert_eq!(compare(&rows, &policy(PROMOTE)).verdict, Verdict::Pass);
    for row in rows.iter_mut().take(4) {
        lost(&mut row.candidate);
    }
    let decision = compare(&rows, &policy(PROMOTE));
    assert_eq!(
        (decision.verdict, decision.reason.as_str()),
        (Verdict::Inconclusive, "pass-rate")
    );
    assert_eq!(
        decision.message,
        "4 of 100 pairs have no answer and could change the verdict, which is pass without them."
    );
    assert!(
        decision.notes[1].contains("--resume"),
        "{:?}",
        decision.notes
    );
    let note = decision.missing.unwrap();
    assert_eq!(
        (note.planned, note.missing, note.without),
        (100, 4, Verdict::Pass)
    );
    assert!(decision.rules[0].reason.contains("pass without them"));
}

#[test]
fn a_failure_stands_unless_the_best_case_passes() {
    let mut rows = counts([180, 10, 0, 10]);
    lost(&mut rows[0].candidate);
    assert_eq!(compare(&rows, &policy(PROMOTE)).verdict, Verdict::Fail);
    let mut rows = counts([985, 4, 0, 11]);
    for row in rows.iter_mut().rev().take(10) {
        lost(&mut row.baseline);
        lost(&mut row.candidate);
    }
    assert_eq!(
        compare(&rows, &policy(PROMOTE)).verdict,
        Verdict::Inconclusive
    );
}

#[test]
fn a_segment_that_only_the_worst_case_breaks_holds_back_a_pass() {
    let mut rows = in_segment(counts([40, 0, 0, 0]), "tier", "pro");
    rows.extend(in_segment(counts([1_000, 0, 20, 0]), "tier", "free"));
    for row in rows.iter_mut().take(12) {
        lost(&mut row.candidate);
    }
    let watched = compare(&rows, &policy(PROMOTE));
    assert_eq!(watched.verdict, Verdict::Pass);
    let gated = compare(&rows, &policy("preset: promote\nsegments: { mode: gate }"));
    assert_eq!(gated.verdict, Verdict::Inconclusive);
}

#[test]
fn offline_and_stopped_pairs_are_left_out_without_counting() {
    let mut rows = counts([100, 0, 0, 0]);
    for row in rows.iter_mut().take(20) {
        row.candidate = ArmCell {
            skipped: 1,
            offline: 1,
            ..ArmCell::default()
        };
    }
    let decision = compare(&rows, &policy("preset: smoke"));
    assert_eq!(decision.verdict, Verdict::Inconclusive);
    assert!(decision.blocks_inconclusive);
    assert_eq!(decision.missing.unwrap().offline, 20);
    assert!(decision.message.contains("offline"), "{}", decision.message);
    for row in rows.iter_mut().take(20) {
        row.candidate.offline = 0;
        row.candidate.stopped = 1;
    }
    assert_eq!(
        compare(&rows, &policy("preset: smoke")).verdict,
        Verdict::Pass
    );
}

#[test]
fn a_must_pass_case_fails_the_gate_by_itself() {
    let mut rows = counts([98, 1, 0, 1]);
    rows[98].must_pass = true;
    rows[99].must_pass = true;
    rows[0].must_pass = true;
    let decision = compare(&rows, &policy(PROMOTE));
    assert_eq!(
        (decision.verdict, decision.reason.as_str()),
        (Verdict::Fail, "must-pass")
    );
    assert_eq!(
        decision.message,
        "v8 fails 2 of 3 must-pass cases: c-099 and c-100 (1 pre-existing: so does v7)."
    );
    assert_eq!(decision.rules[0].case_ids, ["c-099", "c-100"]);
    let mut rows = counts([100, 0, 0, 0]);
    rows[0].must_pass = true;
    lost(&mut rows[0].candidate);
    let decision = compare(&rows, &policy(PROMOTE));
    assert_eq!(
        (decision.verdict, decision.reason.as_str()),
        (Verdict::Inconclusive, "must-pass")
    );
}

#[test]
fn one_failing_repeat_of_a_must_pass_case_is_enough() {
    let mut rows = counts([200, 0, 0, 0]);
    for row in &mut rows {
        (row.baseline, row.candidate) = (cell(3, 0), cell(3, 0));
    }
    rows[7].must_pass = true;
    rows[7].candidate = cell(2, 1);
    assert_eq!(compare(&rows, &policy(PROMOTE)).reason, "must-pass");
}

#[test]
fn must_pass_without_failure_prints_what_is_still_possible() {
    let mut rows = counts([50, 0, 0, 0]);
    for row in &mut rows {
        row.must_pass = true;
    }
    let decision = run_alone(&rows, &Policy::default());
    assert_eq!(decision.verdict, Verdict::Pass);
    assert_eq!(
        decision.rules[0].reason,
        "all 50 must-pass cases pass; a failure rate of 5.8 % is still possible"
    );
}

#[test]
fn the_floor_is_proven_missed_or_open() {
    let floor = policy("min_pass_rate: 0.9");
    let alone =
        |passed: usize, n: usize| run_alone(&counts([passed, 0, 0, n - passed]), &floor).verdict;
    assert_eq!(alone(49, 50), Verdict::Pass);
    assert_eq!(alone(48, 50), Verdict::Inconclusive);
    assert_eq!(alone(142, 150), Verdict::Pass);
    assert_eq!(alone(141, 150), Verdict::Inconclusive);
    assert_eq!(alone(279, 300), Verdict::Pass);
    assert_eq!(alone(278, 300), Verdict::Inconclusive);
    assert_eq!(alone(35, 50), Verdict::Fail);
    let decision = run_alone(&counts([49, 0, 0, 1]), &floor);
    assert_eq!(
        decision.message,
        "v8 passes 98 % of 50 cases: at least 91.5 % (95 % sure), and 90 % is required."
    );
    let mut rows = counts([50, 0, 0, 0]);
    lost(&mut rows[0].candidate);
    lost(&mut rows[1].candidate);
    assert_eq!(run_alone(&rows, &floor).verdict, Verdict::Inconclusive);
}

#[test]
fn a_run_that_ended_early_has_no_verdict() {
    let end = FinishReason {
        reason: "budget".to_owned(),
        message: Some("the budget of $1.00 is used up".to_owned()),
    };
    let early = DecisionContext {
        complete: false,
        ended: Some(&end),
        ..context()
    };
    let decision = compare_in(&counts([0, 50, 0, 0]), &policy(PROMOTE), &early);
    assert_eq!(
        (decision.verdict, decision.reason.as_str()),
        (Verdict::Error, "budget")
    );
    assert_eq!(
        decision.message,
        "No verdict: the run ended early (budget): the budget of $1.00 is used up."
    );
    let open = DecisionContext {
        complete: false,
        ..context()
    };
    let decision = compare_in(&counts([100, 0, 0, 0]), &policy(PROMOTE), &open);
    assert_eq!(
        (decision.verdict, decision.reason.as_str()),
        (Verdict::Error, "interrupted")
    );
}

#[test]
fn what_does_not_add_up_is_an_error() {
    let planned = DecisionContext {
        planned_trials: Some(101),
        ..context()
    };
    let rows = counts([100, 0, 0, 0]);
    let decision = compare_in(&rows, &policy(PROMOTE), &planned);
    assert_eq!(
        (decision.verdict, decision.reason.as_str()),
        (Verdict::Error, "internal")
    );
    let mut rows = counts([100, 0, 0, 0]);
    rows[0].candidate.score = Some(f64::NAN);
    assert_eq!(compare(&rows, &policy(PROMOTE)).reason, "internal");
    rows[0].candidate.score = None;
    rows[0].candidate.offline = 1;
    assert_eq!(compare(&rows, &policy(PROMOTE)).reason, "internal");
}

#[test]
fn a_partial_run_says_so() {
    let partial = DecisionContext {
        filter: Some("tag smoke"),
        ..context()
    };
    let decision = compare_in(&counts([100, 0, 0, 0]), &policy(PROMOTE), &partial);
    assert_eq!(decision.verdict, Verdict::Pass);
    let last = decision.notes.last().unwrap();
    assert_eq!(
        last,
        "This is a partial run (tag smoke): it is no evidence for a promotion."
    );
}

#[test]
fn small_segments_are_shown_but_not_tested() {
    let mut rows = in_segment(counts([9, 10, 0, 0]), "tier", "pro");
    rows.extend(in_segment(counts([300, 0, 0, 0]), "tier", "free"));
    let decision = compare(&rows, &policy("segments: { mode: gate }"));
    let small = rule(&decision, "pass-rate[tier=pro]");
    assert_eq!((small.verdict, small.n), (RuleVerdict::Skipped, 19));
    assert!(small.ci.is_some() && small.p_regression_adjusted.is_none());
    assert!(
        small.reason.contains("fewer than 20 cases"),
        "{}",
        small.reason
    );
}

#[test]
fn a_segment_alone_can_fail_the_gate() {
    let mut rows = in_segment(counts([35, 8, 0, 2]), "tier", "pro");
    rows.extend(in_segment(counts([500, 0, 8, 0]), "tier", "free"));
    let decision = compare(&rows, &policy("segments: { mode: gate }"));
    assert_eq!(decision.reason, "pass-rate[tier=pro]");
    assert_eq!(
        decision.message,
        "v8 is worse than v7 in tier=pro: of 45 cases it loses 8 that v7 gets right, and wins none."
    );
    let decision = compare(&rows, &Policy::default());
    assert_eq!(decision.verdict, Verdict::Pass);
    let watched = rule(&decision, "pass-rate[tier=pro]");
    assert_eq!(
        (watched.verdict, watched.gating),
        (RuleVerdict::Fail, false)
    );
    assert!(
        decision
            .notes
            .iter()
            .any(|note| note.starts_with("Watched, not gating"))
    );
}
