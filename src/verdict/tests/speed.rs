//! The time of a large decision; run with `cargo test --release -- --ignored speed`.

use std::time::Instant;

use super::*;
use crate::base::rng::Stream;

#[test]
#[ignore = "a measurement, for release builds"]
fn a_hundred_thousand_pairs_are_decided_in_three_seconds() {
    let mut stream = Stream::new(1, "speed");
    let mut rows = counts([90_000, 2_000, 2_000, 6_000]);
    for (index, row) in rows.iter_mut().enumerate() {
        let name = format!("s{}", index % 20);
        row.segment = Fields::new(vec![("tier".into(), name.into())]);
        for cell in [&mut row.baseline, &mut row.candidate] {
            cell.scorer_scores = (0..4).map(|scorer| (scorer, stream.unit())).collect();
            cell.cost_usd = Some(stream.unit().exp());
            cell.latency_ms = Some(100.0 * stream.unit().exp());
            cell.input_tokens = Some(10.0 * stream.unit().exp());
            cell.output_tokens = Some(10.0 * stream.unit().exp());
        }
    }
    for row in rows.iter_mut().step_by(1_000) {
        lost(&mut row.candidate);
    }
    let policy = policy(
        "segments: { mode: gate }
metrics:
  - { metric: score.a, margin: 0.05 }
  - { metric: score.b, margin: 0.05 }
  - { metric: score.c, margin: 0.05 }
  - { metric: score.d, margin: 0.05 }
  - { metric: rate.refused, margin: 0.05 }
  - { metric: rate.truncated, margin: 0.05 }
  - { metric: cost_usd, max_ratio: 1.1 }
  - { metric: input_tokens, max_ratio: 1.1 }
  - { metric: output_tokens, max_ratio: 1.1 }
  - { metric: latency_ms, max_ratio: 1.1, statistic: p95 }",
    );
    let names: Vec<Arc<str>> = ["a", "b", "c", "d"].map(Into::into).into();
    with_table(&rows, 1, |table| {
        let start = Instant::now();
        let decision = decide(table, &names, &policy, &context());
        let took = start.elapsed();
        assert_eq!(decision.rules.len(), 31);
        assert!(took.as_secs_f64() < 3.0, "took {took:?}");
    });
}
