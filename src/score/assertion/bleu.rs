//! Overlap of runs against several references: `bleu` and `chrf` as in sacrebleu, `gleu` as in
//! NLTK.

use std::collections::HashMap;
use std::sync::LazyLock;

use regex::Regex;

use super::super::answer::{Finding, share};
use super::super::error::Fault;
use super::super::form::ScorerType;
use super::super::spec::Kind;
use super::super::template::Operand;
use super::ngram::{counts, number, overlap, total, words};
use super::similarity::best;
use super::{Assertion, Input};

/// The types of this family.
pub const TYPES: &[ScorerType] = &[
    ScorerType::new("bleu", &["value"], |form| {
        kind(form.alternatives("value")?, Metric::Bleu)
    })
    .graded(),
    ScorerType::new("gleu", &["value"], |form| {
        kind(form.alternatives("value")?, Metric::Gleu)
    })
    .graded(),
    ScorerType::new("chrf", &["value"], |form| {
        kind(form.alternatives("value")?, Metric::Chrf)
    })
    .graded(),
];

/// A translation, or one of several, that the answer should be like.
#[derive(Debug, Clone)]
pub struct Bleu {
    value: Operand,
    metric: Metric,
}

#[derive(Debug, Clone, Copy)]
enum Metric {
    Bleu,
    Gleu,
    Chrf,
}

#[expect(clippy::unnecessary_wraps, reason = "the end of a decoder")]
fn kind(value: Operand, metric: Metric) -> Option<Kind> {
    Some(Kind::Assertion(Assertion::Bleu(Bleu { value, metric })))
}

const ORDER: usize = 4;

impl Bleu {
    pub(super) fn find(&self, input: &Input<'_>) -> Result<Finding, Fault> {
        match self.metric {
            Metric::Bleu => {
                let values = self.value.alternatives(input.context.case)?;
                let score = bleu(input.text, values.iter().map(AsRef::as_ref));
                let reason = format!("answer and value are {score:.4} alike by BLEU");
                Ok(Finding::graded(score, reason))
            }
            Metric::Gleu => {
                let answer: Vec<&str> = words(input.text).collect();
                best(&self.value, input, "alike by GLEU", |value| {
                    Ok(gleu(&answer, &words(value).collect::<Vec<_>>()))
                })
            }
            Metric::Chrf => {
                let answer: Vec<char> = words(input.text).flat_map(str::chars).collect();
                best(&self.value, input, "alike by chrF", |value| {
                    Ok(chrf(
                        &answer,
                        &words(value).flat_map(str::chars).collect::<Vec<_>>(),
                    ))
                })
            }
        }
    }
}

/// sacrebleu's sentence BLEU: tokeniser 13a, exponential smoothing, effective order.
fn bleu<'v>(answer: &str, values: impl Iterator<Item = &'v str>) -> f64 {
    let answer = tokenize_13a(answer);
    let references: Vec<Vec<String>> = values.map(tokenize_13a).collect();
    let length = answer.len();
    let closest = references
        .iter()
        .map(Vec::len)
        .min_by_key(|reference| (reference.abs_diff(length), *reference))
        .unwrap_or(0);
    let (mut logs, mut orders, mut smooth, mut any) = (0.0, 0u32, 1.0, false);
    for n in 1..=ORDER {
        let all = total(length, n);
        if all == 0 {
            break;
        }
        let correct = clipped(&answer, &references, n);
        any |= correct > 0;
        let precision = if correct == 0 {
            smooth *= 2.0;
            1.0 / (smooth * number(all))
        } else {
            share(correct, all)
        };
        logs += precision.ln();
        orders += 1;
    }
    if !any {
        return 0.0;
    }
    let brevity = if length < closest {
        (1.0 - number(closest) / number(length)).exp()
    } else {
        1.0
    };
    brevity * (logs / f64::from(orders)).exp()
}

/// Runs of the answer found in the references, each as often as in the one that has most of it.
fn clipped(answer: &[String], references: &[Vec<String>], n: usize) -> usize {
    let mut most: HashMap<&[String], usize> = HashMap::new();
    for reference in references {
        for (run, count) in counts(reference, n) {
            let entry = most.entry(run).or_insert(0);
            *entry = count.max(*entry);
        }
    }
    overlap(&counts(answer, n), &most)
}

fn tokenize_13a(text: &str) -> Vec<String> {
    static RULES: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
        let rules = [
            (r"([\{-\~\[-` -\&\(-\+:-@/])", " $1 "),
            (r"([^0-9])([\.,])", "$1 $2 "),
            (r"([\.,])([^0-9])", " $1 $2"),
            (r"([0-9])(-)", "$1 $2 "),
        ];
        rules
            .into_iter()
            .filter_map(|(pattern, to)| Some((Regex::new(pattern).ok()?, to)))
            .collect()
    });
    let text = text.trim_end();
    let mut line = text
        .replace("<skipped>", "")
        .replace("-\n", "")
        .replace('\n', " ");
    if line.contains('&') {
        for (from, to) in [
            ("&quot;", "\""),
            ("&amp;", "&"),
            ("&lt;", "<"),
            ("&gt;", ">"),
        ] {
            line = line.replace(from, to);
        }
    }
    let mut line = format!(" {line} ");
    for (pattern, to) in RULES.iter() {
        line = pattern.replace_all(&line, *to).into_owned();
    }
    words(&line).map(str::to_owned).collect()
}

/// NLTK's sentence GLEU over runs of one to four words.
fn gleu(answer: &[&str], value: &[&str]) -> f64 {
    let (mut hits, mut of_answer, mut of_value) = (0, 0, 0);
    for n in 1..=ORDER {
        hits += overlap(&counts(answer, n), &counts(value, n));
        of_answer += total(answer.len(), n);
        of_value += total(value.len(), n);
    }
    match of_answer.max(of_value) {
        0 => 0.0,
        all => share(hits, all),
    }
}

/// sacrebleu's chrF2: runs of one to six characters without white space, recall counted twice.
fn chrf(answer: &[char], value: &[char]) -> f64 {
    const CHARACTERS: usize = 6;
    const FACTOR: f64 = 4.0;
    let (mut precision, mut recall, mut orders) = (0.0, 0.0, 0.0);
    for n in 1..=CHARACTERS {
        let (of_answer, of_value) = (total(answer.len(), n), total(value.len(), n));
        if of_answer > 0 && of_value > 0 {
            let hits = overlap(&counts(answer, n), &counts(value, n));
            precision += share(hits, of_answer);
            recall += share(hits, of_value);
            orders += 1.0;
        }
    }
    if precision + recall <= 0.0 {
        return 0.0;
    }
    let (precision, recall) = (precision / orders, recall / orders);
    (1.0 + FACTOR) * precision * recall / (FACTOR * precision + recall)
}
