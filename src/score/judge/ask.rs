//! The question to a judge: which values it gets, in fences whose number is a digest of all of
//! them, so that no answer can close its own fence and the same question is always the same text.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::super::answer::{Answer, Context, Finding};
use super::super::error::{Fault, ScorerError};
use super::super::evaluate;
use super::super::spec::{Kind, ScorerSpec};
use super::super::template::{Template, print};
use super::super::transform;
use super::spec::JudgeSpec;
use crate::base::{Digest, Fields, text};
use crate::chat::{Request, ResponseFormat};
use crate::prompt::{PromptVersion, Variable, VariableKind};

/// What a scorer makes of an answer before any judge replied.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// The score; nobody has to be asked.
    Done(super::super::Score),
    /// The question for the judge, whose reply [`super::read_reply`] reads.
    Ask(Box<Question>),
}

/// A question for a judge.
#[derive(Debug, Clone, PartialEq)]
pub struct Question {
    /// What is asked of the judge's model.
    pub request: Request,
}

/// A prompt version that is fit to judge.
#[derive(Debug, Clone)]
pub struct Judge {
    version: Arc<PromptVersion>,
}

/// Why a prompt version can not judge.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JudgeFault {
    /// A variable that no judge is given.
    #[error("a judge is given question, answer, reference, criteria and context, not `{0}`")]
    UnknownVariable(String),
    /// A variable of a type that fenced text can not have.
    #[error("variable `{0}` of a judge must be a `string` without a pattern")]
    NotText(String),
    /// The version does not look at the answer.
    #[error("a judge needs the required variable `answer`")]
    NoAnswer,
    /// A value that the scorer must give.
    #[error("the judge requires `{0}`, which the scorer does not give")]
    NotGiven(&'static str),
    /// A value that the judge has no use for.
    #[error("the scorer gives `{0}`, which the judge does not declare")]
    NotUsed(&'static str),
}

const VARIABLES: [&str; 5] = ["question", "answer", "reference", "criteria", "context"];

impl Judge {
    /// Checks that a prompt version is a judge.
    ///
    /// # Errors
    /// When its variables are not among those that a judge is given.
    pub fn new(version: Arc<PromptVersion>) -> Result<Self, JudgeFault> {
        for variable in &version.variables {
            let name = variable.name.as_str();
            if !VARIABLES.contains(&name) {
                return Err(JudgeFault::UnknownVariable(name.to_owned()));
            }
            let VariableKind::Text { pattern: None, .. } = variable.kind else {
                return Err(JudgeFault::NotText(name.to_owned()));
            };
        }
        if version.variable("answer").is_some_and(|v| v.required) {
            Ok(Self { version })
        } else {
            Err(JudgeFault::NoAnswer)
        }
    }

    /// The prompt version.
    #[must_use]
    pub fn version(&self) -> &PromptVersion {
        &self.version
    }

    /// Checks that a scorer gives the judge what it requires, and nothing that it does not use.
    ///
    /// # Errors
    /// The first of `criteria` and `context` that is lacking or of no use.
    pub fn check(&self, spec: &JudgeSpec) -> Result<(), JudgeFault> {
        let given = [
            ("criteria", spec.criteria.is_some()),
            ("context", spec.context.is_some()),
        ];
        for (name, given) in given {
            match self.version.variable(name) {
                None if given => return Err(JudgeFault::NotUsed(name)),
                Some(variable) if !given && is_needed(variable) => {
                    return Err(JudgeFault::NotGiven(name));
                }
                Some(_) | None => {}
            }
        }
        Ok(())
    }

    /// Whether each case has to say what is expected.
    #[must_use]
    pub fn needs_expected(&self) -> bool {
        self.version.variable("reference").is_some_and(is_needed)
    }

    /// The first step of judging an answer: a failing score where the answer is longer than the
    /// judge takes, else the question.
    ///
    /// # Errors
    /// When the case lacks a value that the judge requires, or has one that is too long for it.
    pub fn ask(
        &self,
        spec: &ScorerSpec,
        answer: &Answer<'_>,
        context: &Context<'_>,
    ) -> Result<Step, ScorerError> {
        let Kind::Judge(declared) = &spec.kind else {
            return evaluate::score(spec, answer, context).map(Step::Done);
        };
        let fault = |fault: Fault| fault.of(spec.name.as_str(), &context.case.id);
        let text = match transform::apply(&spec.transform, answer.text) {
            Ok(text) => text,
            Err(nothing) => {
                let score = evaluate::without_text(nothing);
                return score.map(Step::Done).map_err(fault);
            }
        };
        self.values(declared, &text, context)
            .and_then(|values| match values {
                Values::TooLong(finding) => Ok(Step::Done(evaluate::conclude(spec, finding))),
                Values::All(values) => self
                    .question(values)
                    .map(|question| Step::Ask(Box::new(question))),
            })
            .map_err(fault)
    }

    fn values(
        &self,
        spec: &JudgeSpec,
        answer: &str,
        context: &Context<'_>,
    ) -> Result<Values, Fault> {
        let mut values = Map::new();
        for variable in &self.version.variables {
            let value = match variable.name.as_str() {
                "question" => Some(context.question.into()),
                "answer" => Some(answer.into()),
                "reference" => match &context.case.expected {
                    None | Some(Value::Null) => None,
                    Some(expected) => Some(print(expected)),
                },
                "criteria" => optional(spec.criteria.as_ref(), context)?,
                _ => optional(spec.context.as_ref(), context)?,
            };
            let value = match (value, &variable.default) {
                (Some(value), _) => value,
                (None, Some(default)) => print(default),
                (None, None) if variable.required => {
                    return Err(Fault::Missing(source_of(&variable.name).to_owned()));
                }
                (None, None) => continue,
            };
            let length = value.chars().count();
            if let Some(limit) = max_length(variable).filter(|limit| length as u64 > *limit) {
                if variable.name == "answer" {
                    let reason = format!(
                        "the answer has {length} characters, the judge takes {limit} at most"
                    );
                    return Ok(Values::TooLong(Finding::binary(false, reason)));
                }
                return Err(Fault::unusable("values short enough for its judge", &value));
            }
            values.insert(variable.name.clone(), harmless(&value).into());
        }
        Ok(Values::All(values))
    }

    fn question(&self, values: Map<String, Value>) -> Result<Question, Fault> {
        let values = Value::Object(values);
        let nonce = nonce(&self.version.hash, &values);
        let fenced = values
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, value)| {
                let tag = format!("{}-{nonce}", name.to_uppercase());
                let text = format!("<{tag}>{}</{tag}>", print(value));
                (Arc::from(name.as_str()), text.into())
            })
            .collect();
        let version = &self.version;
        let messages = version
            .render(&Fields::new(fenced))
            .map_err(|error| Fault::Missing(error.to_string()))?;
        Ok(Question {
            request: Request {
                messages,
                params: version.params.clone(),
                tools: version.tools.clone(),
                response_format: Some(ResponseFormat::JsonSchema {
                    name: "verdict".to_owned(),
                    schema: verdict_schema(),
                }),
            },
        })
    }
}

/// What a judge is given.
enum Values {
    /// The answer is longer than the judge takes.
    TooLong(Finding),
    /// The values by variable.
    All(Map<String, Value>),
}

fn optional<'c>(
    template: Option<&'c Template>,
    context: &Context<'c>,
) -> Result<Option<std::borrow::Cow<'c, str>>, Fault> {
    template.map(|t| t.text(context.case)).transpose()
}

fn is_needed(variable: &Variable) -> bool {
    variable.required && variable.default.is_none()
}

/// Where the value of a judge's variable comes from.
fn source_of(variable: &str) -> &str {
    if variable == "reference" {
        "{{expected}}"
    } else {
        variable
    }
}

fn max_length(variable: &Variable) -> Option<u64> {
    match &variable.kind {
        VariableKind::Text { max_length, .. } => *max_length,
        VariableKind::Integer { .. }
        | VariableKind::Number { .. }
        | VariableKind::Boolean
        | VariableKind::Enum { .. }
        | VariableKind::List { .. }
        | VariableKind::Object { .. } => None,
    }
}

/// The text with every control and bidi character replaced.
fn harmless(value: &str) -> String {
    value
        .chars()
        .map(|c| if text::is_deceptive(c) { '\u{fffd}' } else { c })
        .collect()
}

/// The number in the fences: the first 32 hex digits of SHA-256 over the canonical JSON of a list
/// of the judge's hash and the object of all values by variable.
#[must_use]
pub fn nonce(judge: &Digest, values: &Value) -> String {
    Digest::of_json(&json!([judge.to_string(), values])).short(32)
}

/// The schema of a judge's reply.
#[must_use]
pub fn verdict_schema() -> Value {
    json!({
        "type": "object",
        "properties": {
            "reason": {"type": "string"},
            "pass": {"type": "boolean"},
            "score": {"type": "number", "enum": [0, 0.25, 0.5, 0.75, 1]}
        },
        "required": ["reason", "pass", "score"],
        "additionalProperties": false
    })
}
