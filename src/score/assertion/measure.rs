//! Facts about the call that gave the answer: `latency`, `cost`, `finish-reason`. A fact that is
//! not known is an error, not a fail.

use super::super::answer::Finding;
use super::super::error::Fault;
use super::super::form::{Form, ScorerType};
use super::super::spec::Kind;
use super::super::template::Template;
use super::{Assertion, Input};

/// The types of this family.
pub const TYPES: &[ScorerType] = &[
    ScorerType::new("latency", &["max_ms"], |form| {
        let max = limit(form, "max_ms")?;
        Some(Kind::Assertion(Assertion::Measure(Measure::Latency(max))))
    })
    .never_negated(),
    ScorerType::new("cost", &["max_usd"], |form| {
        let max = limit(form, "max_usd")?;
        Some(Kind::Assertion(Assertion::Measure(Measure::Cost(max))))
    })
    .never_negated(),
    ScorerType::new("finish-reason", &["value"], finish),
];

/// The words of `finish-reason`.
const FINISHES: [&str; 5] = ["stop", "length", "tool", "refusal", "filtered"];

/// A fact and what it must be.
#[derive(Debug, Clone)]
pub enum Measure {
    /// The most milliseconds.
    Latency(f64),
    /// The most US dollars.
    Cost(f64),
    /// Why the model stopped.
    Finish(Template),
}

fn limit(form: &mut Form<'_, '_, '_>, key: &'static str) -> Option<f64> {
    form.require(key)?;
    form.number(key, 0.0, f64::INFINITY)
}

fn finish(form: &mut Form<'_, '_, '_>) -> Option<Kind> {
    let (node, value) = form.nonempty("value")?;
    if value.fixed().is_some() {
        let words = FINISHES.map(|word| (word, ()));
        form.reader.word(node, "`value`", &words)?;
    }
    Some(Kind::Assertion(Assertion::Measure(Measure::Finish(value))))
}

impl Measure {
    pub(super) fn find(&self, input: &Input<'_>) -> Result<Finding, Fault> {
        let answer = input.answer;
        match self {
            Self::Latency(max) => {
                let ms = answer.latency_ms.ok_or(Fault::Unknown("latency"))?;
                Ok(not_above(ms, *max, |ms| format!("{ms:.0} ms")))
            }
            Self::Cost(max) => {
                let usd = answer.cost_usd.ok_or(Fault::Unknown("cost"))?;
                Ok(not_above(usd, *max, |usd| format!("{usd} USD")))
            }
            Self::Finish(value) => {
                let wanted = value.nonempty(input.context.case)?;
                if !FINISHES.contains(&wanted.as_ref()) {
                    let words = "one of stop, length, tool, refusal, filtered";
                    return Err(Fault::unusable(words, &wanted));
                }
                let found = answer.finish.as_str();
                Ok(if found == wanted {
                    Finding::binary(true, format!("the model stopped with `{wanted}`"))
                } else {
                    let found = super::super::answer::quote(found);
                    Finding::binary(
                        false,
                        format!("the model stopped with {found}, not `{wanted}`"),
                    )
                })
            }
        }
    }
}

fn not_above(found: f64, max: f64, show: impl Fn(f64) -> String) -> Finding {
    let (found_shown, max_shown) = (show(found), show(max));
    if found <= max {
        let reason = format!("the answer took {found_shown} of {max_shown}");
        return Finding::binary(true, reason);
    }
    let reason = format!("the answer took {found_shown}, more than {max_shown}");
    Finding::binary(false, reason)
}
