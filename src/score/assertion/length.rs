//! The size of the answer: `word-count`, `max-length`, `min-length`, `tokens`.

use super::super::answer::Finding;
use super::super::error::Fault;
use super::super::form::{Form, ScorerType};
use super::super::spec::Kind;
use super::{Assertion, Input};
use crate::base::text::count;

/// The types of this family.
pub const TYPES: &[ScorerType] = &[
    ScorerType::new("word-count", &["min", "max"], |form| {
        min_max(form, Unit::Word)
    })
    .never_negated(),
    ScorerType::new("max-length", &["value"], |form| {
        let max = value(form)?;
        Some(length(Unit::Character, None, Some(max)))
    })
    .never_negated(),
    ScorerType::new("min-length", &["value"], |form| {
        let min = value(form)?;
        Some(length(Unit::Character, Some(min), None))
    })
    .never_negated(),
    ScorerType::new("tokens", &["min", "max"], |form| min_max(form, Unit::Token)).never_negated(),
];

/// Limits of a size.
#[derive(Debug, Clone)]
pub struct Length {
    unit: Unit,
    min: Option<u64>,
    max: Option<u64>,
}

/// What is counted.
#[derive(Debug, Clone, Copy)]
enum Unit {
    Word,
    Character,
    Token,
}

fn length(unit: Unit, min: Option<u64>, max: Option<u64>) -> Kind {
    Kind::Assertion(Assertion::Length(Length { unit, min, max }))
}

fn value(form: &mut Form<'_, '_, '_>) -> Option<u64> {
    form.require("value")?;
    form.whole("value", 0)
}

/// The keys `min` and `max`, of which one at least must be there.
fn min_max(form: &mut Form<'_, '_, '_>, unit: Unit) -> Option<Kind> {
    let written = [form.get("min").is_some(), form.get("max").is_some()];
    let (min, max) = (form.whole("min", 0), form.whole("max", 0));
    if written == [false, false] {
        form.error(
            "missing-key",
            "has no `min` and no `max`",
            "add one of them at least",
        );
    }
    if let (Some(min), Some(max)) = (min, max)
        && min > max
    {
        let message = format!("can never pass: `min` {min} is above `max` {max}");
        form.error("out-of-range", message, "turn them round");
        return None;
    }
    (written == [min.is_some(), max.is_some()] && written != [false, false])
        .then(|| length(unit, min, max))
}

impl Length {
    pub(super) fn find(&self, input: &Input<'_>) -> Result<Finding, Fault> {
        let size = match self.unit {
            Unit::Word => input.text.split_whitespace().count(),
            Unit::Character => input.text.chars().count(),
            Unit::Token => {
                let tokens = input.answer.usage.output_tokens;
                let tokens = tokens.ok_or(Fault::Unknown("number of output tokens"))?;
                usize::try_from(tokens).unwrap_or(usize::MAX)
            }
        };
        let noun = match self.unit {
            Unit::Word => "word",
            Unit::Character => "character",
            Unit::Token => "token",
        };
        let number = u64::try_from(size).unwrap_or(u64::MAX);
        let size = count(size, noun);
        Ok(match (self.min, self.max) {
            (Some(min), _) if number < min => {
                Finding::binary(false, format!("the answer has {size}, fewer than {min}"))
            }
            (_, Some(max)) if number > max => {
                Finding::binary(false, format!("the answer has {size}, more than {max}"))
            }
            _ => Finding::binary(true, format!("the answer has {size}")),
        })
    }
}
