//! All scorer types, and what each family makes of an answer.

use super::super::answer::{Answer, Context, Finding};
use super::super::error::Fault;
use super::super::form::ScorerType;
use super::super::judge;
use super::{
    bleu, choice, contains, equals, expression, html, javascript, json, language, length, list,
    measure, number, path, pattern, privacy, refusal, rouge, set, similarity, sql, squad, tool,
    xml,
};

/// What an assertion looks at.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a> {
    /// The answer's text after the scorer's transforms.
    pub text: &'a str,
    /// The answer as reasons show it.
    pub shown: &'a str,
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
    /// What a JSONPath selects.
    Path(path::JsonPath),
    /// XML in the answer.
    Xml(xml::Xml),
    /// HTML in the answer.
    #[cfg(feature = "html-check")]
    Html(html::Html),
    /// SQL in the answer.
    #[cfg(feature = "sql")]
    Sql(sql::Sql),
    /// Calls of tools.
    Tool(tool::Tool),
    /// Likeness of characters.
    Similarity(similarity::Similarity),
    /// ROUGE.
    Rouge(rouge::Rouge),
    /// Overlap of runs: `bleu`, `gleu`, `chrf`.
    Bleu(bleu::Bleu),
    /// Short answers.
    Squad(squad::Squad),
    /// A number.
    Numeric(number::Numeric),
    /// A list of texts.
    List(list::ListContains),
    /// One of a few choices.
    Choice(choice::Choice),
    /// A refusal.
    Refusal(refusal::Refusal),
    /// Personal data and keys.
    Privacy(privacy::Privacy),
    /// A natural language.
    Language(language::Language),
    /// An expression.
    Expr(expression::Expr),
    /// A program.
    #[cfg(feature = "javascript")]
    Javascript(javascript::Javascript),
    /// Scorers taken together.
    Set(set::Set),
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
            Self::Json(assertion) => assertion.find(input),
            Self::Length(assertion) => assertion.find(input),
            Self::Measure(assertion) => assertion.find(input),
            Self::Path(assertion) => assertion.find(input),
            Self::Xml(assertion) => assertion.find(input),
            #[cfg(feature = "html-check")]
            Self::Html(assertion) => assertion.find(input),
            #[cfg(feature = "sql")]
            Self::Sql(assertion) => assertion.find(input),
            Self::Tool(assertion) => assertion.find(input),
            Self::Similarity(assertion) => assertion.find(input),
            Self::Rouge(assertion) => assertion.find(input),
            Self::Bleu(assertion) => assertion.find(input),
            Self::Squad(assertion) => assertion.find(input),
            Self::Numeric(assertion) => assertion.find(input),
            Self::List(assertion) => assertion.find(input),
            Self::Choice(assertion) => assertion.find(input),
            Self::Refusal(_) => Ok(refusal::Refusal::find(input)),
            Self::Privacy(assertion) => Ok(assertion.find(input)),
            Self::Language(assertion) => assertion.find(input),
            Self::Expr(assertion) => assertion.find(input),
            #[cfg(feature = "javascript")]
            Self::Javascript(assertion) => assertion.find(input),
            Self::Set(assertion) => assertion.find(input),
        }
    }
}

const FAMILIES: [&[ScorerType]; 24] = [
    equals::TYPES,
    contains::TYPES,
    pattern::TYPES,
    json::TYPES,
    length::TYPES,
    measure::TYPES,
    path::TYPES,
    xml::TYPES,
    html::TYPES,
    sql::TYPES,
    tool::TYPES,
    similarity::TYPES,
    rouge::TYPES,
    bleu::TYPES,
    squad::TYPES,
    number::TYPES,
    list::TYPES,
    choice::TYPES,
    refusal::TYPES,
    privacy::TYPES,
    language::TYPES,
    expression::TYPES,
    javascript::TYPES,
    set::TYPES,
];

/// Every scorer type.
pub fn types() -> impl Iterator<Item = &'static ScorerType> {
    assertions()
        .chain(super::super::exec::TYPES)
        .chain(super::super::similar::TYPES)
        .chain(judge::spec::TYPES)
        .chain(judge::panel::TYPES)
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
