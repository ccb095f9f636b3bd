//! What a run shows of its judges: how often the order of two answers decided a comparison.

use crate::analysis::position_bias;
use crate::base::text;
use crate::record::Run;

/// A note for each scorer that compared answers.
#[must_use]
pub fn notes(run: &Run) -> Vec<String> {
    let biases = position_bias(run);
    let note = biases.iter().map(|bias| {
        let share = |count: u64| 100.0 * count as f64 / bias.pairs as f64;
        format!(
            "Judge `{}`: its choice changed with the order of the answers in {} of {} ({:.1} %; each counts as a tie); it chose the first one both times in {}, the second one in {}.",
            bias.scorer,
            text::thousands(whole(bias.flips())),
            text::count(whole(bias.pairs), "pair"),
            share(bias.flips()),
            text::thousands(whole(bias.first)),
            text::thousands(whole(bias.second)),
        )
    });
    note.collect()
}

fn whole(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}
