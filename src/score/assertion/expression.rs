//! `expr`: an expression over the answer and the case.

use minijinja::context;
use minijinja::value::Value as Operand;
use serde::Deserialize as _;
use serde_json::{Value, json};

use super::super::answer::Finding;
use super::super::error::Fault;
use super::super::form::{Form, ScorerType};
use super::super::spec::Kind;
use super::super::template::Reference;
use super::{Assertion, Input};
use crate::base::expression::{Expression, Given};

/// The types of this family.
pub const TYPES: &[ScorerType] = &[ScorerType::new("expr", &["value"], decode).graded()];

/// What an expression can name.
const NAMES: [&str; 11] = [
    "output",
    "json",
    "expected",
    "vars",
    "question",
    "finish_reason",
    "tool_calls",
    "latency_ms",
    "cost_usd",
    "input_tokens",
    "output_tokens",
];

const MOST_OUTPUT: usize = 1 << 20;

/// An expression.
#[derive(Debug, Clone)]
pub struct Expr {
    expression: Expression,
    uses_json: bool,
    references: Vec<Reference>,
}

fn decode(form: &mut Form<'_, '_, '_>) -> Option<Kind> {
    let node = form.require("value")?;
    let source = form.reader.nonempty(node, "`value`")?;
    let expression = match Expression::compile(source, &NAMES) {
        Ok(expression) => expression,
        Err(wrong) => {
            let (message, help) = (wrong.message, wrong.help);
            form.reader.error(node.span, "expression", message, help);
            return None;
        }
    };
    let uses_json = expression.uses("json");
    let references = expression.names.iter().filter_map(|name| {
        let mut parts = name.split('.');
        match (parts.next(), parts.next()) {
            (Some("expected"), _) => Some(Reference::expected()),
            (Some("vars"), Some(variable)) => Some(Reference::to_variable(variable)),
            _ => None,
        }
    });
    let references: Vec<Reference> = references.collect();
    form.refer(references.iter().cloned());
    Some(Kind::Assertion(Assertion::Expr(Expr {
        expression,
        uses_json,
        references,
    })))
}

impl Expr {
    pub(super) fn find(&self, input: &Input<'_>) -> Result<Finding, Fault> {
        if input.text.len() > MOST_OUTPUT {
            let limit = "the answer is too long for an expression".to_owned();
            return Err(Fault::Limit(limit));
        }
        for reference in &self.references {
            reference.require(input.context.case)?;
        }
        let given = self.expression.eval(self.names(input));
        match given.map_err(Fault::Expression)? {
            Given::Truth(is_true) => {
                let word = if is_true { "true" } else { "false" };
                Ok(Finding::binary(
                    is_true,
                    format!("the expression is {word}"),
                ))
            }
            Given::Share(number) => Ok(Finding::graded(
                number,
                format!("the expression is {number}"),
            )),
        }
    }

    fn names(&self, input: &Input<'_>) -> Operand {
        let (case, answer) = (input.context.case, input.answer);
        let json: Option<Value> = if self.uses_json {
            serde_json::from_str(input.text).ok()
        } else {
            None
        };
        let calls: Value = answer
            .tool_calls
            .iter()
            .map(|call| json!({"name": call.name, "arguments": call.arguments}))
            .collect();
        let known = |value: Option<Operand>| value.unwrap_or(Operand::UNDEFINED);
        context! {
            output => input.text,
            json => known(json.as_ref().map(operand)),
            expected => known(case.expected.as_ref().map(operand)),
            vars => operand(&case.vars.to_json()),
            question => input.context.question,
            finish_reason => answer.finish.as_str(),
            tool_calls => operand(&calls),
            latency_ms => known(answer.latency_ms.map(Operand::from)),
            cost_usd => known(answer.cost_usd.map(Operand::from)),
            input_tokens => known(answer.usage.input_tokens.map(Operand::from)),
            output_tokens => known(answer.usage.output_tokens.map(Operand::from)),
        }
    }
}

/// A JSON value as the engine has it.
fn operand(value: &Value) -> Operand {
    Operand::deserialize(value).unwrap_or(Operand::UNDEFINED)
}
