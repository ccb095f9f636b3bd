//! Runs of tokens or characters, counted: what the overlap metrics are made of.

use std::collections::HashMap;
use std::hash::Hash;

/// How often each run of `n` items occurs.
#[must_use]
pub(super) fn counts<T: Eq + Hash>(items: &[T], n: usize) -> HashMap<&[T], usize> {
    let mut counts = HashMap::new();
    if n > 0 {
        for run in items.windows(n) {
            *counts.entry(run).or_insert(0) += 1;
        }
    }
    counts
}

/// How many runs there are of `n` items.
#[must_use]
pub(super) fn total(items: usize, n: usize) -> usize {
    (items + 1).saturating_sub(n)
}

/// The runs that both have, each as often as in the one that has fewer.
#[must_use]
pub(super) fn overlap<T: Eq + Hash>(a: &HashMap<&[T], usize>, b: &HashMap<&[T], usize>) -> usize {
    a.iter()
        .map(|(run, count)| b.get(run).map_or(0, |other| *count.min(other)))
        .sum()
}

/// White space as Python's `str.split` has it, for metrics that are defined by Python programs.
pub(super) fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c))
        .filter(|word| !word.is_empty())
}

/// The harmonic mean of precision and recall.
#[must_use]
pub(super) fn f1(precision: f64, recall: f64) -> f64 {
    if precision + recall > 0.0 {
        2.0 * precision * recall / (precision + recall)
    } else {
        0.0
    }
}

/// A count as a number.
#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
#[must_use]
pub(super) fn number(count: usize) -> f64 {
    count as f64
}
