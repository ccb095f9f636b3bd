//! The declared form of `javascript`, what a program is given, and what its value means.

use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::super::super::answer::Finding;
use super::super::super::error::Fault;
use super::super::super::form::Form;
use super::super::super::spec::Kind;
use super::super::{Assertion, Input};
use super::engine::{Given, Halt, Program};
use crate::base::Node;

const MOST_CHARACTERS: usize = 20_000;
const MOST_OUTPUT: usize = 1 << 20;

/// A program that scores.
#[derive(Debug, Clone)]
pub struct Javascript {
    program: Program,
    parse: bool,
    config: Value,
    threshold: Option<f64>,
}

pub(super) fn decode(form: &mut Form<'_, '_, '_>) -> Option<Kind> {
    let node = form.require("value")?;
    let source = form.reader.nonempty(node, "`value`")?;
    let parse = form.flag("parse");
    let config = form.get("config").map_or(Value::Null, Node::to_json);
    let threshold = form.number("threshold", 0.0, 1.0);
    let mut wrong = |message: String, help: &str| {
        form.reader.error(node.span, "javascript", message, help);
    };
    if source.starts_with("file://") {
        let message = "a file of JavaScript is not read".to_owned();
        wrong(message, "write the program itself as `value`");
        return None;
    }
    if source.chars().count() > MOST_CHARACTERS {
        let message = format!("the program has more than {MOST_CHARACTERS} characters");
        wrong(
            message,
            "write a shorter program, or an external one (`exec`)",
        );
        return None;
    }
    let program = match Program::compile(source) {
        Ok(program) => program,
        Err(halt) => {
            let why = match halt {
                Halt::Program(message) => message,
                Halt::Bound(bound) => bound.to_owned(),
                Halt::Stuck => "it can not be read in time".to_owned(),
            };
            let help = "write an expression, or the body of a function with `return`";
            wrong(format!("not a JavaScript program: {why}"), help);
            return None;
        }
    };
    Some(Kind::Assertion(Assertion::Javascript(Javascript {
        program,
        parse,
        config,
        threshold,
    })))
}

impl Javascript {
    pub(in super::super) fn find(&self, input: &Input<'_>) -> Result<Finding, Fault> {
        if input.text.len() > MOST_OUTPUT {
            let limit = "the answer is too long for a program".to_owned();
            return Err(Fault::Limit(limit));
        }
        let given = self.program.run(self.output(input), self.context(input));
        match given {
            Ok(given) => Ok(self.weigh(given)),
            Err(Halt::Program(message)) => Err(Fault::Program(message)),
            Err(Halt::Bound(bound)) => Err(Fault::Limit(bound.to_owned())),
            Err(Halt::Stuck) => Err(Fault::Limit("it did not end".to_owned())),
        }
    }

    /// What the program sees as `output`, as JSON.
    fn output(&self, input: &Input<'_>) -> String {
        let calls = input.answer.tool_calls;
        if input.text.is_empty() && !calls.is_empty() {
            let calls: Value = calls
                .iter()
                .map(|call| {
                    let arguments = call.arguments.to_string();
                    json!({"type": "function", "function": {"name": call.name, "arguments": arguments}})
                })
                .collect();
            return calls.to_string();
        }
        if self.parse && serde_json::from_str::<&RawValue>(input.text).is_ok() {
            return input.text.to_owned();
        }
        Value::from(input.text).to_string()
    }

    /// What the program sees as `context`, as JSON.
    fn context(&self, input: &Input<'_>) -> String {
        let (case, answer) = (input.context.case, input.answer);
        let vars = case.vars.to_json();
        let mut context = json!({
            "vars": vars,
            "test": {"vars": vars},
            "prompt": input.context.question,
            "providerResponse": {
                "output": answer.text,
                "finishReason": answer.finish.as_str(),
                "cost": answer.cost_usd,
                "latencyMs": answer.latency_ms,
                "tokenUsage": {
                    "prompt": answer.usage.input_tokens,
                    "completion": answer.usage.output_tokens,
                },
            },
        });
        let config = Some(&self.config).filter(|config| !config.is_null());
        let optional = [("expected", case.expected.as_ref()), ("config", config)];
        let known = optional
            .into_iter()
            .filter_map(|(key, value)| Some((key.to_owned(), value?.clone())));
        if let Some(context) = context.as_object_mut() {
            context.extend(known);
        }
        context.to_string()
    }

    fn weigh(&self, given: Given) -> Finding {
        let reaches = |score: f64| self.threshold.is_none_or(|least| score >= least);
        match given {
            Given::Boolean(pass) => Finding::binary(pass, format!("the program gives {pass}")),
            Given::Number(number) => {
                let pass = self.threshold.map_or(number > 0.0, |least| number >= least);
                let reason = format!("the program gives {number}");
                Finding {
                    pass,
                    ..Finding::graded(number, self.with_threshold(reason))
                }
            }
            Given::Grade {
                pass,
                score,
                reason,
            } => {
                let score = score.unwrap_or(if pass { 1.0 } else { 0.0 });
                let reason = reason.filter(|reason| !reason.is_empty());
                let reason = reason.unwrap_or_else(|| format!("the program gives `pass: {pass}`"));
                Finding {
                    pass: pass && reaches(score),
                    ..Finding::graded(score, self.with_threshold(reason))
                }
            }
            Given::Threw(message) => Finding::absent(format!("the program threw {message}")),
        }
    }

    fn with_threshold(&self, reason: String) -> String {
        match self.threshold {
            Some(least) => format!("{reason} (threshold {least})"),
            None => reason,
        }
    }
}
