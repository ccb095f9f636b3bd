//! Texts within the answer: `contains`, `contains-all`, `contains-any`, their forms that ignore
//! case, `starts-with` and `ends-with`.

use std::borrow::Cow;

use super::super::answer::{Finding, quote, share};
use super::super::error::Fault;
use super::super::form::{Form, ScorerType};
use super::super::spec::Kind;
use super::super::template::{Operand, Template};
use super::fold::fold;
use super::{Assertion, Input};

/// The types of this family.
pub const TYPES: &[ScorerType] = &[
    ScorerType::new("contains", &["value"], |form| {
        one(form, Place::Within, Case::Kept)
    }),
    ScorerType::new("icontains", &["value"], |form| {
        one(form, Place::Within, Case::Folded)
    }),
    ScorerType::new("starts-with", &["value"], |form| {
        one(form, Place::Start, Case::Kept)
    }),
    ScorerType::new("ends-with", &["value"], |form| {
        one(form, Place::End, Case::Kept)
    }),
    ScorerType::new("contains-all", &["value"], |form| {
        many(form, Need::All, Case::Kept)
    })
    .graded(),
    ScorerType::new("contains-any", &["value"], |form| {
        many(form, Need::Any, Case::Kept)
    }),
    ScorerType::new("icontains-all", &["value"], |form| {
        many(form, Need::All, Case::Folded)
    })
    .graded(),
    ScorerType::new("icontains-any", &["value"], |form| {
        many(form, Need::Any, Case::Folded)
    }),
];

/// Texts that the answer must hold.
#[derive(Debug, Clone)]
pub struct Contains {
    wanted: Wanted,
    case: Case,
}

#[derive(Debug, Clone)]
enum Wanted {
    One(Template, Place),
    Many(Operand, Need),
}

/// Where a text must stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Within,
    Start,
    End,
}

/// How many of the texts must be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Need {
    All,
    Any,
}

/// Whether upper and lower case differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Case {
    Kept,
    Folded,
}

fn one(form: &mut Form<'_, '_, '_>, place: Place, case: Case) -> Option<Kind> {
    let (_, value) = form.nonempty("value")?;
    let wanted = Wanted::One(value, place);
    Some(Kind::Assertion(Assertion::Contains(Contains {
        wanted,
        case,
    })))
}

fn many(form: &mut Form<'_, '_, '_>, need: Need, case: Case) -> Option<Kind> {
    let wanted = Wanted::Many(form.texts("value")?, need);
    Some(Kind::Assertion(Assertion::Contains(Contains {
        wanted,
        case,
    })))
}

impl Case {
    fn of(self, text: &str) -> Cow<'_, str> {
        match self {
            Self::Kept => Cow::Borrowed(text),
            Self::Folded => Cow::Owned(fold(text)),
        }
    }
}

impl Contains {
    pub(super) fn find(&self, input: &Input<'_>) -> Result<Finding, Fault> {
        let text = self.case.of(input.text);
        match &self.wanted {
            Wanted::One(value, place) => {
                let value = value.nonempty(input.context.case)?;
                let needle = self.case.of(&value);
                Ok(find_one(input.text, &text, *place, &value, &needle))
            }
            Wanted::Many(values, need) => {
                let values = values.texts(input.context.case)?;
                let missing: Vec<&str> = values
                    .iter()
                    .filter(|value| !text.contains(self.case.of(value).as_ref()))
                    .map(AsRef::as_ref)
                    .collect();
                Ok(find_many(input.text, *need, values.len(), &missing))
            }
        }
    }
}

fn find_one(answer: &str, text: &str, place: Place, value: &str, needle: &str) -> Finding {
    let (found, does, does_not) = match place {
        Place::Within => (text.contains(needle), "contains", "is not in"),
        Place::Start => (text.starts_with(needle), "starts with", "does not start"),
        Place::End => (text.ends_with(needle), "ends with", "does not end"),
    };
    if found {
        Finding::binary(true, format!("the answer {does} {}", quote(value)))
    } else {
        let (value, answer) = (quote(value), quote(answer));
        Finding::binary(false, format!("{value} {does_not} {answer}"))
    }
}

fn find_many(answer: &str, need: Need, count: usize, missing: &[&str]) -> Finding {
    let found = count.saturating_sub(missing.len());
    match need {
        Need::Any if found > 0 => Finding::binary(
            true,
            format!("the answer contains {found} of {count} texts"),
        ),
        Need::Any => {
            let answer = quote(answer);
            Finding::binary(false, format!("none of {count} texts is in {answer}"))
        }
        Need::All => {
            let reason = match missing.first() {
                None => format!("the answer contains all {count} texts"),
                Some(first) => {
                    let lacking = missing.len();
                    let (first, answer) = (quote(first), quote(answer));
                    format!("{lacking} of {count} texts, such as {first}, not in {answer}")
                }
            };
            Finding::graded(share(found, count), reason)
        }
    }
}
