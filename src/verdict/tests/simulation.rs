//! The false-alarm rate of a whole policy, simulated.

use super::*;
use crate::base::rng::Stream;
use crate::verdict::Verdict;

const CASES: usize = 200;
const DRAWS: u32 = 600;

fn passes(stream: &mut Stream, rate: f64) -> ArmCell {
    let passed = u32::from(stream.unit() < rate);
    let mut cell = cell(passed, 1 - passed);
    cell.scorer_scores = (0..4)
        .map(|scorer| (scorer, (4.0 * stream.unit()).floor() / 4.0))
        .collect();
    let fault = stream.below(12);
    if let Some(count) = cell.faults.get_mut(fault) {
        *count = 1;
    }
    cell
}

fn rows(stream: &mut Stream) -> Vec<Row> {
    let mut rows = counts([CASES, 0, 0, 0]);
    for (index, row) in rows.iter_mut().enumerate() {
        let segment = |key: &str, values| (key.into(), format!("s{}", index % values).into());
        row.segment = Fields::new(vec![segment("locale", 5), segment("tier", 7)]);
        // Most cases are certain, some are a coin: as with a model at low temperature.
        let rate = [0.98, 0.98, 0.98, 0.95, 0.5][stream.below(5)];
        row.baseline = passes(stream, rate);
        row.candidate = passes(stream, rate);
    }
    rows
}

#[test]
fn a_whole_policy_seldom_alarms_without_a_change() {
    // Limits so tight that each metric fails whenever its loss is significant.
    let policy = policy(
        "segments: { mode: gate }
metrics:
  - { metric: score.a, margin: 0.001 }
  - { metric: score.b, margin: 0.001 }
  - { metric: score.c, margin: 0.001 }
  - { metric: score.d, margin: 0.001 }
  - { metric: rate.refused, margin: 0.001 }
  - { metric: rate.filtered, margin: 0.001 }
  - { metric: rate.truncated, margin: 0.001 }
  - { metric: rate.tool_call, margin: 0.001 }",
    );
    let names: Vec<Arc<str>> = ["a", "b", "c", "d"].map(Into::into).into();
    let mut stream = Stream::new(7, "false alarms");
    let mut alarms = 0_u32;
    for _ in 0..DRAWS {
        let rows = rows(&mut stream);
        let decision = with_table(&rows, 1, |table| decide(table, &names, &policy, &context()));
        assert_eq!(decision.family.rules, 21);
        alarms += u32::from(decision.verdict == Verdict::Fail);
    }
    let rate = f64::from(alarms) / f64::from(DRAWS);
    assert!(rate <= 0.055, "{alarms} of {DRAWS} alarm");
}
