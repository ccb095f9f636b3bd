//! `choice`: which of a few words the answer chooses.

use super::super::answer::{Finding, quote};
use super::super::error::Fault;
use super::super::form::{Form, ScorerType};
use super::super::spec::Kind;
use super::super::template::{Operand, Template};
use super::fold::fold;
use super::{Assertion, Input};

/// The types of this family.
pub const TYPES: &[ScorerType] = &[ScorerType::new("choice", &["value", "choices"], decode)];

/// The right one of several choices.
#[derive(Debug, Clone)]
pub struct Choice {
    value: Template,
    choices: Operand,
}

fn decode(form: &mut Form<'_, '_, '_>) -> Option<Kind> {
    let value = form.nonempty("value");
    let choices = form.texts("choices");
    let ((node, value), choices) = (value?, choices?);
    if let (Some(value), Operand::Fixed(serde_json::Value::Array(known))) =
        (value.fixed(), &choices)
        && !known.iter().any(|choice| choice == value)
    {
        let known: Vec<&str> = known.iter().filter_map(serde_json::Value::as_str).collect();
        let help = crate::base::decode::choices(value, &known);
        let message = format!("`value` is `{value}`, which is none of `choices`");
        form.reader.error(node.span, "unknown-word", message, help);
        return None;
    }
    Some(Kind::Assertion(Assertion::Choice(Choice {
        value,
        choices,
    })))
}

impl Choice {
    pub(super) fn find(&self, input: &Input<'_>) -> Result<Finding, Fault> {
        let value = self.value.nonempty(input.context.case)?;
        let choices = self.choices.texts(input.context.case)?;
        if !choices.contains(&value) {
            return Err(Fault::unusable(
                "a value that is one of its choices",
                &value,
            ));
        }
        let bare = fold(input.text.trim_matches(|c: char| !c.is_alphanumeric()));
        let whole = |choice: &str| {
            let choice = choice.trim_matches(|c: char| !c.is_alphanumeric());
            !bare.is_empty() && fold(choice) == bare
        };
        let mut chosen: Vec<&str> = choices.iter().map(AsRef::as_ref).collect();
        if chosen.iter().any(|choice| whole(choice)) {
            chosen.retain(|choice| whole(choice));
        } else {
            chosen.retain(|choice| has_word(input.text, choice));
        }
        Ok(match chosen.as_slice() {
            [one] if *one == value => {
                Finding::binary(true, format!("the answer chooses {}", quote(one)))
            }
            [one] => {
                let (one, value) = (quote(one), quote(&value));
                Finding::binary(false, format!("the answer chooses {one}, not {value}"))
            }
            [] => {
                let answer = quote(input.text);
                Finding::binary(false, format!("{answer} names none of the choices"))
            }
            several => {
                let named = several.len();
                let answer = quote(input.text);
                Finding::binary(false, format!("{answer} names {named} of the choices"))
            }
        })
    }
}

/// Whether a text holds a word or words, with no letter or digit beside them.
fn has_word(text: &str, word: &str) -> bool {
    let edge = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric() && c != '_');
    text.match_indices(word).any(|(start, found)| {
        let before = text.get(..start).and_then(|text| text.chars().next_back());
        let after = text.get(start + found.len()..);
        edge(before) && edge(after.and_then(|text| text.chars().next()))
    })
}
