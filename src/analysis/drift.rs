//! What moved between two sets of answers of one version: labels, lengths, refusals, reasons to
//! stop, tokens, latency. Advisory: none of it decides.

use std::collections::BTreeMap;

use crate::stats::drift::{chi_square, ks_two_sample, stability_index};

/// Texts of at most so many characters can be labels.
const LABEL_CHARS: usize = 40;

/// More different texts than these are no labels.
const MOST_LABELS: usize = 20;

/// What is compared of an answer.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct AnswerShape {
    /// Its text, where it could be a label.
    pub label: Option<String>,
    /// Its length in characters.
    pub chars: usize,
    /// Why the model stopped.
    pub finish: String,
    /// Whether it is a refusal.
    pub refused: bool,
    /// Its tokens.
    pub output_tokens: Option<f64>,
    /// How long it took.
    pub latency_ms: Option<f64>,
}

impl AnswerShape {
    /// The text as a label, where it is short enough for one.
    #[must_use]
    pub fn label_of(text: &str) -> Option<String> {
        let text = text.trim();
        (text.chars().nth(LABEL_CHARS).is_none()).then(|| text.to_owned())
    }
}

/// A distribution that was compared.
#[derive(Debug, Clone, PartialEq)]
pub struct Shift {
    /// What of: `labels`, `lengths`, …
    pub what: &'static str,
    /// `chi-square` or `ks`.
    pub test: &'static str,
    /// p of no difference.
    pub p: f64,
    /// The stability index, of counted things.
    pub psi: Option<f64>,
    /// Whether the approximation is weak.
    pub weak: bool,
}

/// Compares two sets of answers.
#[must_use]
pub fn shifts(before: &[AnswerShape], after: &[AnswerShape]) -> Vec<Shift> {
    let mut found = Vec::new();
    let label = |answer: &AnswerShape| answer.label.clone();
    let all = before.iter().chain(after);
    if all.clone().all(|answer| answer.label.is_some()) {
        found.extend(
            counted("labels", before, after, label).filter(|(_, bins)| *bins <= MOST_LABELS),
        );
    }
    found.extend(counted("refusals", before, after, |answer| {
        Some(answer.refused.to_string())
    }));
    found.extend(counted("finish reasons", before, after, |answer| {
        Some(answer.finish.clone())
    }));
    let mut found: Vec<Shift> = found.into_iter().map(|(shift, _)| shift).collect();
    found.extend(measured("lengths", before, after, |answer| {
        Some(answer.chars as f64)
    }));
    found.extend(measured("output tokens", before, after, |answer| {
        answer.output_tokens
    }));
    found.extend(measured("latency", before, after, |answer| {
        answer.latency_ms
    }));
    found
}

/// The comparison of counts, with the number of different things counted.
fn counted(
    what: &'static str,
    before: &[AnswerShape],
    after: &[AnswerShape],
    word: impl Fn(&AnswerShape) -> Option<String>,
) -> Option<(Shift, usize)> {
    let mut bins: BTreeMap<String, [u64; 2]> = BTreeMap::new();
    for (side, answers) in [before, after].into_iter().enumerate() {
        for key in answers.iter().filter_map(&word) {
            if let Some(count) = bins.entry(key).or_default().get_mut(side) {
                *count += 1;
            }
        }
    }
    let first: Vec<u64> = bins.values().map(|[first, _]| *first).collect();
    let second: Vec<u64> = bins.values().map(|[_, second]| *second).collect();
    let test = chi_square(&first, &second)?;
    let shift = Shift {
        what,
        test: "chi-square",
        p: test.p,
        psi: stability_index(&first, &second).ok(),
        weak: test.weak,
    };
    Some((shift, bins.len()))
}

fn measured(
    what: &'static str,
    before: &[AnswerShape],
    after: &[AnswerShape],
    value: impl Fn(&AnswerShape) -> Option<f64>,
) -> Option<Shift> {
    let values = |answers: &[AnswerShape]| answers.iter().filter_map(&value).collect::<Vec<_>>();
    let test = ks_two_sample(&values(before), &values(after)).ok()?;
    Some(Shift {
        what,
        test: "ks",
        p: test.p,
        psi: None,
        weak: false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(label: &str, count: usize) -> Vec<AnswerShape> {
        let answer = AnswerShape {
            label: AnswerShape::label_of(label),
            chars: label.len(),
            finish: "stop".to_owned(),
            ..AnswerShape::default()
        };
        vec![answer; count]
    }

    #[test]
    fn labels_that_moved_are_seen_and_equal_ones_are_not() {
        let before = [answers("bug", 30), answers("billing", 30)].concat();
        let after = [answers("bug", 10), answers("billing", 50)].concat();
        let found = shifts(&before, &after);
        let labels = found.iter().find(|shift| shift.what == "labels").unwrap();
        assert!(labels.p < 0.001 && labels.psi.is_some_and(|psi| psi > 0.1));
        let same = shifts(&before, &before);
        assert!(same.iter().all(|shift| shift.p > 0.99));
        assert!(!same.iter().any(|shift| shift.what == "latency"));
    }

    #[test]
    fn long_texts_are_no_labels() {
        let long = "x".repeat(50);
        let found = shifts(&answers(&long, 5), &answers(&long, 5));
        assert!(!found.iter().any(|shift| shift.what == "labels"));
    }
}
