//! The size of the answer: `word-count`.

use super::super::answer::Finding;
use super::super::form::{Form, ScorerType};
use super::super::spec::Kind;
use super::{Assertion, Input};
use crate::base::text::count;

/// The types of this family.
pub const TYPES: &[ScorerType] = &[ScorerType::new("word-count", &["min", "max"], |form| {
    limits(form, Unit::Word)
})
.never_negated()];

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
}

fn limits(form: &mut Form<'_, '_, '_>, unit: Unit) -> Option<Kind> {
    let (min, max) = min_max(form)?;
    let length = Length { unit, min, max };
    Some(Kind::Assertion(Assertion::Length(length)))
}

/// The keys `min` and `max`, of which one at least must be there.
pub(super) fn min_max(form: &mut Form<'_, '_, '_>) -> Option<(Option<u64>, Option<u64>)> {
    let written = form.get("min").is_some() || form.get("max").is_some();
    let (min, max) = (form.whole("min", 0), form.whole("max", 0));
    if !written {
        form.error(
            "missing-key",
            "has no `min` and no `max`",
            "add one of them at least",
        );
        return None;
    }
    if let (Some(min), Some(max)) = (min, max)
        && min > max
    {
        let message = format!("can never pass: `min` {min} is above `max` {max}");
        form.error("out-of-range", message, "turn them round");
        return None;
    }
    Some((min, max))
}

impl Length {
    pub(super) fn find(&self, input: &Input<'_>) -> Finding {
        let (size, noun) = match self.unit {
            Unit::Word => (input.text.split_whitespace().count(), "word"),
        };
        within(size, noun, self.min, self.max)
    }
}

/// Whether a count is within its limits.
pub(super) fn within(size: usize, noun: &str, min: Option<u64>, max: Option<u64>) -> Finding {
    let number = u64::try_from(size).unwrap_or(u64::MAX);
    let size = count(size, noun);
    match (min, max) {
        (Some(min), _) if number < min => {
            Finding::binary(false, format!("the answer has {size}, fewer than {min}"))
        }
        (_, Some(max)) if number > max => {
            Finding::binary(false, format!("the answer has {size}, more than {max}"))
        }
        _ => Finding::binary(true, format!("the answer has {size}")),
    }
}
