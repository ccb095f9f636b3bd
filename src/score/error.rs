//! Why an answer could not be scored. None of these says anything about the answer: the trial is
//! errored, never failed.

use crate::base::CaseId;

/// Why a deterministic scorer gave no score.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ScorerError {
    /// The case lacks what the scorer's text refers to.
    #[error("case `{case}` has no `{reference}`, which scorer `{scorer}` uses")]
    MissingReference {
        /// The scorer's name.
        scorer: String,
        /// The reference as written.
        reference: String,
        /// The case.
        case: CaseId,
    },
    /// The case has a value that the scorer can not use.
    #[error("scorer `{scorer}` needs {wanted} for case `{case}`, found {found}")]
    UnusableValue {
        /// The scorer's name.
        scorer: String,
        /// What the scorer can use.
        wanted: &'static str,
        /// What the case has, shortened.
        found: String,
        /// The case.
        case: CaseId,
    },
    /// A fact about the call that the scorer measures is not known.
    #[error("scorer `{scorer}` needs the {fact}, which is not known for this answer")]
    Unknown {
        /// The scorer's name.
        scorer: String,
        /// What is not known.
        fact: &'static str,
    },
    /// Looking at the answer took more than the scorer may use.
    #[error("scorer `{scorer}` stopped: {limit}")]
    Limit {
        /// The scorer's name.
        scorer: String,
        /// Which bound was met.
        limit: String,
    },
    /// An expression failed on this answer.
    #[error("the expression of scorer `{scorer}` failed: {message}")]
    Expression {
        /// The scorer's name.
        scorer: String,
        /// What the expression engine says.
        message: String,
    },
    /// A program of the suite is wrong, or did what no answer asks for.
    #[error("the program of scorer `{scorer}` failed: {message}")]
    Program {
        /// The scorer's name.
        scorer: String,
        /// What its engine says.
        message: String,
    },
    /// The scorer is a judge: its score comes from a model's reply.
    #[error("scorer `{scorer}` has no score without a reply")]
    IsJudge {
        /// The scorer's name.
        scorer: String,
    },
}

impl ScorerError {
    /// Whether the case is at fault, whatever the answer: such a case is refused before any request.
    #[must_use]
    pub fn is_of_the_case(&self) -> bool {
        match self {
            Self::MissingReference { .. } | Self::UnusableValue { .. } => true,
            Self::Unknown { .. }
            | Self::Limit { .. }
            | Self::Expression { .. }
            | Self::Program { .. }
            | Self::IsJudge { .. } => false,
        }
    }
}

/// Why a value of a scorer can not be had for a case; the scorer's name is added on the way out.
#[derive(Debug, Clone, PartialEq)]
pub enum Fault {
    /// The case lacks what is referred to.
    Missing(String),
    /// What the case has is of no use.
    Unusable {
        /// What could be used.
        wanted: &'static str,
        /// What was found.
        found: String,
    },
    /// A fact about the call is not known.
    Unknown(&'static str),
    /// A bound was met.
    Limit(String),
    /// An expression failed.
    Expression(String),
    /// A program failed.
    Program(String),
}

impl Fault {
    /// A value of the case that can not be used.
    #[must_use]
    pub fn unusable(wanted: &'static str, found: &str) -> Self {
        Self::Unusable {
            wanted,
            found: super::answer::quote(found),
        }
    }

    /// The error as the scorer of this name reports it.
    #[must_use]
    pub fn of(self, scorer: &str, case: &CaseId) -> ScorerError {
        let scorer = scorer.to_owned();
        match self {
            Self::Missing(reference) => ScorerError::MissingReference {
                scorer,
                reference,
                case: case.clone(),
            },
            Self::Unusable { wanted, found } => ScorerError::UnusableValue {
                scorer,
                wanted,
                found,
                case: case.clone(),
            },
            Self::Unknown(fact) => ScorerError::Unknown { scorer, fact },
            Self::Limit(limit) => ScorerError::Limit { scorer, limit },
            Self::Expression(message) => ScorerError::Expression { scorer, message },
            Self::Program(message) => ScorerError::Program { scorer, message },
        }
    }
}
