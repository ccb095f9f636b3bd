//! `numeric`: the answer is a number near another.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

use super::super::answer::{Finding, quote};
use super::super::error::Fault;
use super::super::form::{Form, ScorerType};
use super::super::spec::Kind;
use super::super::template::{Operand, print};
use super::diff::numbers;
use super::{Assertion, Input};

/// The types of this family.
pub const TYPES: &[ScorerType] = &[ScorerType::new(
    "numeric",
    &["value", "tolerance", "relative", "find"],
    decode,
)
.graded()];

/// A number that the answer must be near.
#[derive(Debug, Clone)]
pub struct Numeric {
    value: Operand,
    tolerance: f64,
    relative: f64,
    find: Find,
}

/// Which number of the answer counts.
#[derive(Debug, Clone, Copy)]
enum Find {
    Whole,
    First,
    Last,
}

const FINDS: [(&str, Find); 3] = [
    ("whole", Find::Whole),
    ("first", Find::First),
    ("last", Find::Last),
];

fn decode(form: &mut Form<'_, '_, '_>) -> Option<Kind> {
    let value = form.operand("value");
    let mut limit = |key| match form.get(key) {
        Some(_) => form.number(key, 0.0, f64::MAX),
        None => Some(0.0),
    };
    let (tolerance, relative) = (limit("tolerance"), limit("relative"));
    let find = form.get("find").map_or(Some(Find::Whole), |node| {
        form.reader.word(node, "`find`", &FINDS)
    });
    let value = value?;
    if let Operand::Fixed(fixed) = &value
        && to_number(fixed).is_none()
    {
        form.error(
            "wrong-type",
            "has a `value` that is no number",
            "write a number",
        );
        return None;
    }
    Some(Kind::Assertion(Assertion::Numeric(Numeric {
        value,
        tolerance: tolerance?,
        relative: relative?,
        find: find?,
    })))
}

impl Numeric {
    pub(super) fn find(&self, input: &Input<'_>) -> Result<Finding, Fault> {
        let value = self.value.value(input.context.case)?;
        let wanted =
            to_number(&value).ok_or_else(|| Fault::unusable("a number", &print(&value)))?;
        let found = match self.find {
            Find::Whole => parse(input.text.trim()),
            Find::First => NUMBER.find(input.text).and_then(|m| parse(m.as_str())),
            Find::Last => {
                let last = NUMBER.find_iter(input.text).last();
                last.and_then(|m| parse(m.as_str()))
            }
        };
        let Some(found) = found else {
            let reason = format!("no number in {}", quote(input.text));
            return Ok(Finding::binary(false, reason));
        };
        let limit = self.tolerance.max(self.relative * wanted.abs());
        // 1.1 is 0.1 from 1, though not in binary.
        let rounding = 1e-12 * found.abs().max(wanted.abs());
        let near = (found - wanted).abs() <= limit + rounding;
        let word = if near { "near" } else { "too far from" };
        Ok(Finding {
            pass: near,
            ..Finding::graded(
                numbers(found, wanted),
                format!("the answer {found} is {word} {wanted}"),
            )
        })
    }
}

fn to_number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => parse(text.trim()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

static NUMBER: LazyLock<Pattern> = LazyLock::new(|| {
    let digits = r"(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)(?:\.[0-9]+)?";
    let pattern = format!(r"[-+]?(?:{digits}|\.[0-9]+)(?:[eE][-+]?[0-9]+)?");
    Pattern(Regex::new(&pattern).ok())
});

/// A pattern that is known to be valid.
struct Pattern(Option<Regex>);

impl Pattern {
    fn find<'t>(&self, text: &'t str) -> Option<regex::Match<'t>> {
        self.0.as_ref()?.find(text)
    }

    fn find_iter<'t>(&self, text: &'t str) -> impl Iterator<Item = regex::Match<'t>> {
        self.0.iter().flat_map(move |regex| regex.find_iter(text))
    }
}

/// A decimal number, perhaps with a comma between groups of three digits.
fn parse(text: &str) -> Option<f64> {
    let matched = NUMBER.find(text).filter(|m| m.as_str() == text)?;
    let number: f64 = matched.as_str().replace(',', "").parse().ok()?;
    number.is_finite().then_some(number)
}
