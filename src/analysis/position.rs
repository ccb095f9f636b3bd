//! The position bias of judges that compare answers: how often the order of two answers decided.

use std::collections::BTreeMap;

use crate::record::{Arm, Run};
use crate::score::judge::Position;

/// How often a judge chose a place and not an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PositionBias {
    /// The scorer.
    pub scorer: String,
    /// Pairs that were judged in both orders.
    pub pairs: u64,
    /// Those of them in which the first answer was chosen both times.
    pub first: u64,
    /// Those of them in which the second answer was chosen both times.
    pub second: u64,
}

impl PositionBias {
    /// Pairs in which the choice changed with the order.
    #[must_use]
    pub fn flips(&self) -> u64 {
        self.first + self.second
    }
}

/// The position bias of each scorer that compared answers, in the order of the scorers.
#[must_use]
pub fn position_bias(run: &Run) -> Vec<PositionBias> {
    let mut found: BTreeMap<u16, PositionBias> = BTreeMap::new();
    // Both sides of a pair carry the same comparison.
    let trials = (0..run.cases.len()).flat_map(|case| run.repeats(case, Arm::Candidate));
    for score in trials.flat_map(|trial| trial.scores.iter()) {
        let Some(position) = score.position else {
            continue;
        };
        let name = run.scorers.get(usize::from(score.scorer));
        let bias = found.entry(score.scorer).or_insert_with(|| PositionBias {
            scorer: name.map(ToString::to_string).unwrap_or_default(),
            pairs: 0,
            first: 0,
            second: 0,
        });
        bias.pairs += 1;
        match position {
            Position::First => bias.first += 1,
            Position::Second => bias.second += 1,
            Position::OneOrder | Position::Neither => {}
        }
    }
    found.into_values().collect()
}
