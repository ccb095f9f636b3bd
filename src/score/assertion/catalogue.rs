//! All scorer types, and what each family makes of an answer.

use super::super::answer::{Answer, Context, Finding};
use super::super::error::Fault;
use super::super::form::ScorerType;
use super::super::judge;
use super::{contains, equals, json, length, measure, pattern};

/// What an assertion looks at.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a> {
    /// The answer's text after the scorer's transforms.
    pub text: &'a str,
    /// The answer as it came.
    pub answer: &'a Answer<'a>,
    /// What it is measured against.
    pub context: &'a Context<'a>,
}

/// An assertion, by family.
#[derive(Debug, Clone)]
pub enum Assertion {
    /// Equality with a text or a JSON value.
    Equals(equals::Equals),
    /// Texts within the answer.
    Contains(contains::Contains),
    /// A regular expression.
    Pattern(pattern::Pattern),
    /// JSON in the answer.
    Json(json::Json),
    /// The size of the answer.
    Length(length::Length),
    /// Facts about the call.
    Measure(measure::Measure),
}

impl Assertion {
    /// What the assertion finds in an answer.
    ///
    /// # Errors
    /// When the answer can not be measured, which is no fault of the answer.
    pub fn find(&self, input: &Input<'_>) -> Result<Finding, Fault> {
        match self {
            Self::Equals(assertion) => assertion.find(input),
            Self::Contains(assertion) => assertion.find(input),
            Self::Pattern(assertion) => assertion.find(input),
            Self::Json(assertion) => Ok(assertion.find(input)),
            Self::Length(assertion) => Ok(assertion.find(input)),
            Self::Measure(assertion) => assertion.find(input),
        }
    }
}

const FAMILIES: [&[ScorerType]; 6] = [
    equals::TYPES,
    contains::TYPES,
    pattern::TYPES,
    json::TYPES,
    length::TYPES,
    measure::TYPES,
];

/// Every scorer type.
pub fn types() -> impl Iterator<Item = &'static ScorerType> {
    assertions().chain(judge::spec::TYPES)
}

/// Every type that is an assertion.
pub fn assertions() -> impl Iterator<Item = &'static ScorerType> {
    FAMILIES.into_iter().flatten()
}

/// The type of a name, without `not-`.
#[must_use]
pub fn find(name: &str) -> Option<&'static ScorerType> {
    types().find(|scorer_type| scorer_type.name == name)
}
