//! Scores, shares of faults and amounts as gating metrics.

use smallvec::SmallVec;

use super::*;
use crate::verdict::{RuleVerdict, Verdict};

/// 100 equal cases with an amount each, the candidate's times `ratio` with a little noise.
fn with_cost(ratio: f64) -> Vec<Row> {
    let mut rows = counts([100, 0, 0, 0]);
    for (index, row) in rows.iter_mut().enumerate() {
        let base = 1.0 + f64::from(u32::try_from(index % 7).unwrap());
        let noise = 1.0 + 0.02 * (f64::from(u32::try_from(index % 5).unwrap()) - 2.0);
        for (cell, value) in [
            (&mut row.baseline, base),
            (&mut row.candidate, base * ratio * noise),
        ] {
            cell.cost_usd = Some(value).into();
            cell.latency_ms = Some(100.0 * value).into();
        }
    }
    rows
}

const COST: &str = "metrics: [{ metric: cost_usd, max_ratio: 1.10 }]";

#[test]
fn an_amount_passes_within_its_limit_even_when_proven_dearer() {
    let decision = compare(&with_cost(1.05), &policy(COST));
    assert_eq!(decision.verdict, Verdict::Pass);
    let found = rule(&decision, "cost_usd");
    assert_eq!(found.verdict, RuleVerdict::Pass);
    assert!(found.p_regression_adjusted.unwrap() < 0.05);
    assert!((found.estimate.unwrap() - 1.05).abs() < 0.01);
    let (ratio, interval) = found.totals.unwrap();
    assert!((ratio - 1.05).abs() < 0.01 && interval.low < ratio && ratio < interval.high);
    assert!(
        decision
            .notes
            .iter()
            .any(|note| note.starts_with("cost_usd:"))
    );
}

#[test]
fn an_amount_over_its_limit_fails_the_gate() {
    let decision = compare(&with_cost(1.3), &policy(COST));
    assert_eq!(
        (decision.verdict, decision.reason.as_str()),
        (Verdict::Fail, "cost_usd")
    );
    assert_eq!(
        decision.message,
        "v8 costs more than allowed: 1.3 times v7's, and 1.1 is allowed."
    );
    let watched = policy("metrics: [{ metric: cost_usd, max_ratio: 1.10, mode: watch }]");
    assert_eq!(compare(&with_cost(1.3), &watched).verdict, Verdict::Pass);
}

#[test]
fn unknown_amounts_leave_a_metric_undecided() {
    let mut rows = with_cost(1.0);
    for row in rows.iter_mut().take(5) {
        row.candidate.cost_usd = None.into();
    }
    assert_eq!(compare(&rows, &policy(COST)).verdict, Verdict::Pass);
    rows[5].candidate.cost_usd = Some(0.0).into();
    let decision = compare(&rows, &policy(COST));
    assert_eq!(
        (decision.verdict, decision.reason.as_str()),
        (Verdict::Inconclusive, "cost_usd")
    );
    assert_eq!(rule(&decision, "cost_usd").left_out, 6);
    let unknown = compare(&counts([100, 0, 0, 0]), &policy(COST));
    assert_eq!(unknown.verdict, Verdict::Inconclusive);
}

#[test]
fn percentiles_decide_from_twenty_pairs() {
    let p95 = policy("metrics: [{ metric: latency_ms, max_ratio: 1.25, statistic: p95 }]");
    assert_eq!(compare(&with_cost(1.0), &p95).verdict, Verdict::Pass);
    let slow = compare(&with_cost(1.6), &p95);
    assert_eq!(
        (slow.verdict, slow.reason.as_str()),
        (Verdict::Fail, "latency_ms")
    );
    assert_eq!(
        rule(&slow, "latency_ms").decided_by,
        Some("percentile-bootstrap")
    );
    let few = with_cost(1.6).split_off(81);
    let decision = compare(&few, &p95);
    assert_eq!(
        rule(&decision, "latency_ms").verdict,
        RuleVerdict::Inconclusive
    );
}

#[test]
fn few_pairs_of_amounts_can_fail_but_not_pass() {
    let few = |ratio| {
        let rows = with_cost(ratio).split_off(90);
        rule(&compare(&rows, &policy(COST)), "cost_usd").verdict
    };
    assert_eq!(few(1.0), RuleVerdict::Inconclusive);
    assert_eq!(few(1.5), RuleVerdict::Fail);
}

fn with_scores(drop: f64) -> Vec<Row> {
    let mut rows = counts([100, 0, 0, 0]);
    for (index, row) in rows.iter_mut().enumerate() {
        let base = 0.5 + 0.04 * f64::from(u32::try_from(index % 10).unwrap());
        let noise = 0.01 * (f64::from(u32::try_from(index % 5).unwrap()) - 2.0);
        row.baseline.scorer_scores = [(1, base)].as_slice().into();
        row.candidate.scorer_scores = [(1, base - drop + noise)].as_slice().into();
    }
    rows
}

#[test]
fn scores_of_a_scorer_are_compared_by_their_mean() {
    let polite = policy("metrics: [{ metric: score.polite, margin: 0.03 }]");
    assert_eq!(compare(&with_scores(0.0), &polite).verdict, Verdict::Pass);
    let worse = compare(&with_scores(0.06), &polite);
    assert_eq!(
        (worse.verdict, worse.reason.as_str()),
        (Verdict::Fail, "score.polite")
    );
    assert_eq!(rule(&worse, "score.polite").decided_by, Some("paired-t"));
    assert_eq!(
        worse.message,
        "v8 has a worse score.polite than v7: 6 points lower on average."
    );
    let unknown = policy("metrics: [{ metric: score.nobody, margin: 0.03 }]");
    let decision = compare(&with_scores(0.0), &unknown);
    assert_eq!(decision.verdict, Verdict::Inconclusive);
    assert!(
        decision.message.contains("no case was scored"),
        "{}",
        decision.message
    );
}

#[test]
fn a_score_missing_on_one_side_too_often_is_undecided() {
    let polite = policy("metrics: [{ metric: score.polite, margin: 0.03 }]");
    let mut rows = with_scores(0.0);
    for row in rows.iter_mut().take(6) {
        row.candidate.scorer_scores = SmallVec::new();
    }
    let decision = compare(&rows, &polite);
    assert_eq!(
        (decision.verdict, decision.reason.as_str()),
        (Verdict::Inconclusive, "score.polite")
    );
}

#[test]
fn shares_of_faults_are_turned_over() {
    let refused = policy("metrics: [{ metric: rate.refused, margin: 0.05 }]");
    let mut rows = counts([0, 0, 0, 120]);
    let decision = compare(&rows, &refused);
    assert_eq!(decision.verdict, Verdict::Pass);
    for row in rows.iter_mut().take(9) {
        row.candidate.faults[0] = 1;
    }
    let decision = compare(&rows, &refused);
    assert_eq!(
        (decision.verdict, decision.reason.as_str()),
        (Verdict::Fail, "rate.refused")
    );
    let found = rule(&decision, "rate.refused");
    assert!(found.estimate.unwrap() < 0.0 && found.candidate_value.unwrap() > 0.0);
    assert_eq!(
        decision.message,
        "v8's answers are refusals more often than v7's: 7.5 % instead of 0 %."
    );
}

#[test]
fn graded_cases_are_compared_by_their_scores() {
    let graded = |n: usize, drop: f64| {
        let rows = with_scores(drop).split_off(100 - n);
        with_table(&rows, 1, |table| {
            let mut table = table.clone();
            table.graded = true;
            for row in &mut table.rows {
                let score = |cell: &ArmCell| cell.scorer_scores.first().map(|(_, score)| *score);
                row.candidate.score = score(&row.candidate);
                if let Some(cell) = &mut row.baseline {
                    cell.score = score(cell);
                }
            }
            decide(&table, &[], &policy("preset: promote"), &context())
        })
    };
    let worse = graded(100, 0.06);
    assert_eq!(
        (worse.verdict, worse.reason.as_str()),
        (Verdict::Fail, "score")
    );
    assert_eq!(graded(100, 0.0).verdict, Verdict::Pass);
    let few = graded(12, 0.06);
    assert_eq!(few.rules[0].decided_by, Some("sign-flip"));
    assert_eq!(few.verdict, Verdict::Fail);
    assert!(few.rules[0].p_guarded.is_some());
    assert_eq!(graded(12, 0.0).verdict, Verdict::Inconclusive);
}
