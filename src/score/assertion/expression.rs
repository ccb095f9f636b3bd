//! `expr`: an expression of the minijinja language over the answer and the case. Only filters whose
//! result can not be much larger than their input are there, and fuel bounds the work.

use std::sync::{Arc, LazyLock};

use minijinja::value::Value as Operand;
use minijinja::{Environment, Expression, UndefinedBehavior, context, filters, tests};
use serde::Deserialize as _;
use serde_json::{Value, json};

use super::super::answer::Finding;
use super::super::error::Fault;
use super::super::form::{Form, ScorerType};
use super::super::spec::Kind;
use super::super::template::Reference;
use super::{Assertion, Input};
use crate::base::decode::choices;
use crate::base::text;

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

const MOST_CHARACTERS: usize = 2_000;
const MOST_DEPTH: usize = 32;
const MOST_OUTPUT: usize = 1 << 20;
const FUEL: u64 = 20_000;

static ENGINE: LazyLock<Environment<'static>> = LazyLock::new(engine);

/// An expression.
#[derive(Debug, Clone)]
pub struct Expr {
    expression: Arc<Expression<'static, 'static>>,
    uses_json: bool,
    references: Vec<Reference>,
}

fn engine() -> Environment<'static> {
    let mut engine = Environment::empty();
    engine.set_undefined_behavior(UndefinedBehavior::Strict);
    engine.set_fuel(Some(FUEL));
    engine.set_recursion_limit(50);
    engine.add_filter("abs", filters::abs);
    engine.add_filter("bool", filters::bool);
    engine.add_filter("count", filters::length);
    engine.add_filter("default", filters::default);
    engine.add_filter("first", filters::first);
    engine.add_filter("float", filters::float);
    engine.add_filter("int", filters::int);
    engine.add_filter("items", filters::items);
    engine.add_filter("last", filters::last);
    engine.add_filter("length", filters::length);
    engine.add_filter("lines", filters::lines);
    engine.add_filter("list", filters::list);
    engine.add_filter("lower", filters::lower);
    engine.add_filter("max", filters::max);
    engine.add_filter("min", filters::min);
    engine.add_filter("reverse", filters::reverse);
    engine.add_filter("round", filters::round);
    engine.add_filter("sort", filters::sort);
    engine.add_filter("split", filters::split);
    engine.add_filter("sum", filters::sum);
    engine.add_filter("trim", filters::trim);
    engine.add_filter("unique", filters::unique);
    engine.add_filter("upper", filters::upper);
    engine.add_test("defined", tests::is_defined);
    engine.add_test("divisibleby", tests::is_divisibleby);
    engine.add_test("endingwith", tests::is_endingwith);
    engine.add_test("even", tests::is_even);
    engine.add_test("in", tests::is_in);
    engine.add_test("integer", tests::is_integer);
    engine.add_test("iterable", tests::is_iterable);
    engine.add_test("mapping", tests::is_mapping);
    engine.add_test("none", tests::is_none);
    engine.add_test("number", tests::is_number);
    engine.add_test("odd", tests::is_odd);
    engine.add_test("sequence", tests::is_sequence);
    engine.add_test("startingwith", tests::is_startingwith);
    engine.add_test("string", tests::is_string);
    engine.add_test("undefined", tests::is_undefined);
    engine
}

fn decode(form: &mut Form<'_, '_, '_>) -> Option<Kind> {
    let node = form.require("value")?;
    let source = form.reader.nonempty(node, "`value`")?;
    let mut wrong = |message: String, help: String| {
        form.reader.error(node.span, "expression", message, help);
    };
    if source.chars().count() > MOST_CHARACTERS || nesting(source) > MOST_DEPTH {
        let message = format!(
            "the expression has more than {MOST_CHARACTERS} characters or {MOST_DEPTH} brackets in brackets"
        );
        wrong(message, "split it into several scorers".to_owned());
        return None;
    }
    let expression = match ENGINE.compile_expression_owned(source.to_owned()) {
        Ok(expression) => expression,
        Err(error) => {
            let help = "write a minijinja expression, such as output|length < 80";
            wrong(
                format!("invalid expression: {}", explain(&error)),
                help.to_owned(),
            );
            return None;
        }
    };
    let mut names: Vec<String> = expression.undeclared_variables(true).into_iter().collect();
    names.sort_unstable();
    for name in &names {
        let root = name.split('.').next().unwrap_or(name);
        if !NAMES.contains(&root) {
            wrong(
                format!("the expression names `{root}`, which is not there"),
                choices(root, &NAMES),
            );
            return None;
        }
    }
    if let Err((message, help)) = check_words(source) {
        wrong(message, help);
        return None;
    }
    let uses_json = names
        .iter()
        .any(|name| name.split('.').next() == Some("json"));
    let references = names.iter().filter_map(|name| {
        let mut parts = name.split('.');
        match (parts.next(), parts.next()) {
            (Some("expected"), _) => Some(Reference::expected()),
            (Some("vars"), Some(variable)) => Some(Reference::to_variable(variable)),
            _ => None,
        }
    });
    let references: Vec<Reference> = references.collect();
    form.refer(references.iter().cloned());
    let expression = Arc::new(expression);
    Some(Kind::Assertion(Assertion::Expr(Expr {
        expression,
        uses_json,
        references,
    })))
}

const FILTERS: [&str; 23] = [
    "abs", "bool", "count", "default", "first", "float", "int", "items", "last", "length", "lines",
    "list", "lower", "max", "min", "reverse", "round", "sort", "split", "sum", "trim", "unique",
    "upper",
];
const TESTS: [&str; 15] = [
    "defined",
    "divisibleby",
    "endingwith",
    "even",
    "in",
    "integer",
    "iterable",
    "mapping",
    "none",
    "number",
    "odd",
    "sequence",
    "startingwith",
    "string",
    "undefined",
];

/// Looks for filters and tests that are not there, which the engine would only find at an answer.
fn check_words(source: &str) -> Result<(), (String, String)> {
    let mut bare = String::with_capacity(source.len());
    let (mut quoted, mut escaped) = (None, false);
    for c in source.chars() {
        match quoted {
            Some(_) if escaped => escaped = false,
            Some(_) if c == '\\' => escaped = true,
            Some(quote) if c == quote => quoted = None,
            Some(_) => {}
            None if c == '"' || c == '\'' => {
                quoted = Some(c);
                bare.push(' ');
            }
            None => bare.push(c),
        }
    }
    let word = |text: &str| -> String {
        let is_part = |c: &char| c.is_alphanumeric() || *c == '_';
        text.trim_start().chars().take_while(is_part).collect()
    };
    for (index, _) in bare.match_indices('|') {
        let name = word(bare.get(index + 1..).unwrap_or_default());
        if !FILTERS.contains(&name.as_str()) {
            return Err((
                format!("there is no filter `{name}`"),
                choices(&name, &FILTERS),
            ));
        }
    }
    let words: Vec<&str> = bare.split_whitespace().collect();
    for (index, _) in words.iter().enumerate().filter(|(_, word)| **word == "is") {
        let mut after = words.iter().skip(index + 1).copied();
        let name = match after.next() {
            Some("not") => after.next(),
            name => name,
        };
        let name = word(name.unwrap_or_default());
        if !TESTS.contains(&name.as_str()) {
            return Err((format!("there is no test `{name}`"), choices(&name, &TESTS)));
        }
    }
    Ok(())
}

/// How deep brackets stand in brackets, at most; signs and words that nest count too.
fn nesting(source: &str) -> usize {
    let (mut depth, mut most) = (0usize, 0usize);
    for c in source.chars() {
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        most = most.max(depth);
    }
    let unary = source.matches("not ").count() + source.matches("--").count();
    most + unary + source.matches("- -").count() + source.matches("**").count()
}

fn explain(error: &minijinja::Error) -> String {
    let message = match error.detail() {
        Some(detail) => format!("{}: {detail}", error.kind()),
        None => error.kind().to_string(),
    };
    text::visible_line(&text::shorten(&message, 160))
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
        let result = self
            .expression
            .eval(self.names(input))
            .map_err(|error| Fault::Expression(explain(&error)))?;
        if result.kind() == minijinja::value::ValueKind::Bool {
            let word = if result.is_true() { "true" } else { "false" };
            return Ok(Finding::binary(
                result.is_true(),
                format!("the expression is {word}"),
            ));
        }
        let number = f64::try_from(result.clone()).ok();
        match number.filter(|number| (0.0..=1.0).contains(number)) {
            Some(number) => Ok(Finding::graded(
                number,
                format!("the expression is {number}"),
            )),
            None => {
                let kind = result.kind();
                let message = format!("it gives {kind}, not true, false or a number from 0 to 1");
                Err(Fault::Expression(message))
            }
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
