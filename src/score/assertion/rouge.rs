//! `rouge-n` and `rouge-l` as in Google's rouge-score without stemming: Lin, ROUGE: A Package for
//! Automatic Evaluation of Summaries, 2004.

use super::super::answer::{Finding, share};
use super::super::error::Fault;
use super::super::form::{Form, ScorerType};
use super::super::spec::Kind;
use super::super::template::Operand;
use super::distance::common;
use super::ngram::{counts, f1, overlap, total};
use super::similarity::best;
use super::{Assertion, Input};

/// The types of this family.
pub const TYPES: &[ScorerType] = &[
    ScorerType::new("rouge-n", &["value", "n", "measure"], |form| {
        let node = form.get("n");
        let n = node.map_or(Some(1), |node| form.reader.whole(node, "`n`", 1));
        if n.is_some_and(|n| n > 9) {
            form.error(
                "out-of-range",
                "takes `n` from 1 to 9",
                "write a smaller `n`",
            );
            return None;
        }
        decode(form, n.and_then(|n| usize::try_from(n).ok())?)
    })
    .graded(),
    ScorerType::new("rouge-l", &["value", "measure"], |form| decode(form, 0)).graded(),
];

const MEASURES: [(&str, Measure); 3] = [
    ("f1", Measure::F1),
    ("precision", Measure::Precision),
    ("recall", Measure::Recall),
];

/// Words that the answer should share with a text.
#[derive(Debug, Clone)]
pub struct Rouge {
    value: Operand,
    /// The length of the runs compared, or 0 for the longest common subsequence.
    n: usize,
    measure: Measure,
}

/// Which of the three numbers is the score.
#[derive(Debug, Clone, Copy)]
enum Measure {
    F1,
    Precision,
    Recall,
}

fn decode(form: &mut Form<'_, '_, '_>, n: usize) -> Option<Kind> {
    let value = form.alternatives("value");
    let node = form.get("measure");
    let measure = node.map_or(Some(Measure::F1), |node| {
        form.reader.word(node, "`measure`", &MEASURES)
    });
    Some(Kind::Assertion(Assertion::Rouge(Rouge {
        value: value?,
        n,
        measure: measure?,
    })))
}

impl Rouge {
    pub(super) fn find(&self, input: &Input<'_>) -> Result<Finding, Fault> {
        let answer = tokens(input.text);
        best(&self.value, input, "alike by ROUGE", |value| {
            let value = tokens(value);
            let (hits, of_answer, of_value) = if self.n == 0 {
                (common(&answer, &value)?, answer.len(), value.len())
            } else {
                let (a, b) = (counts(&answer, self.n), counts(&value, self.n));
                let totals = (total(answer.len(), self.n), total(value.len(), self.n));
                (overlap(&a, &b), totals.0, totals.1)
            };
            let precision = share(hits, of_answer.max(1));
            let recall = share(hits, of_value.max(1));
            Ok(match self.measure {
                Measure::F1 => f1(precision, recall),
                Measure::Precision => precision,
                Measure::Recall => recall,
            })
        })
    }
}

/// Runs of `a-z` and `0-9` of the text in lower case.
fn tokens(text: &str) -> Vec<String> {
    text.to_lowercase()
        .split(|c: char| !c.is_ascii_lowercase() && !c.is_ascii_digit())
        .filter(|token| !token.is_empty())
        .map(str::to_owned)
        .collect()
}
