//! Expressions of the minijinja language over values that a caller names: for the scorer `expr` and for
//! filters of cases. Only filters whose result can not be much larger than their input are there, and
//! fuel bounds the work.

use std::sync::{Arc, LazyLock};

use minijinja::value::{Value as Operand, ValueKind};
use minijinja::{Environment, Expression as Compiled, UndefinedBehavior, filters, tests};

use super::decode::choices;
use super::text;

const MOST_CHARACTERS: usize = 2_000;
const MOST_DEPTH: usize = 32;
const FUEL: u64 = 20_000;

static ENGINE: LazyLock<Environment<'static>> = LazyLock::new(engine);

/// An expression that is well formed and names only what is there.
#[derive(Debug, Clone)]
pub struct Expression {
    compiled: Arc<Compiled<'static, 'static>>,
    /// What it names, with the path as far as it is written: `vars.plan`; in byte order.
    pub names: Vec<String>,
}

/// Why a text is no expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invalid {
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub help: String,
}

/// What an expression gave.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Given {
    /// True or false.
    Truth(bool),
    /// A number from 0 to 1.
    Share(f64),
}

impl Expression {
    /// Reads an expression that may name `known` things.
    ///
    /// # Errors
    /// When it is too long, not well formed, or names something that is not there.
    pub fn compile(source: &str, known: &[&str]) -> Result<Self, Invalid> {
        let invalid = |message: String, help: &str| Invalid {
            message,
            help: help.to_owned(),
        };
        if source.chars().count() > MOST_CHARACTERS || nesting(source) > MOST_DEPTH {
            let message = format!(
                "the expression has more than {MOST_CHARACTERS} characters or {MOST_DEPTH} brackets in brackets"
            );
            return Err(invalid(message, "split it into several"));
        }
        let compiled = ENGINE
            .compile_expression_owned(source.to_owned())
            .map_err(|error| {
                let help = if has_single_equals(source) {
                    "two values are compared with `==`, as in id == \"c01\""
                } else {
                    "write a minijinja expression, such as output|length < 80"
                };
                invalid(format!("invalid expression: {}", explain(&error)), help)
            })?;
        let mut names: Vec<String> = compiled.undeclared_variables(true).into_iter().collect();
        names.sort_unstable();
        for name in &names {
            let root = root(name);
            if !known.contains(&root) {
                let message = format!("the expression names `{root}`, which is not there");
                return Err(invalid(message, &choices(root, known)));
            }
        }
        check_words(source).map_err(|(message, help)| Invalid { message, help })?;
        Ok(Self {
            compiled: Arc::new(compiled),
            names,
        })
    }

    /// Whether it names something.
    #[must_use]
    pub fn uses(&self, wanted: &str) -> bool {
        self.names.iter().any(|name| root(name) == wanted)
    }

    /// What it gives for the values named.
    ///
    /// # Errors
    /// In words, when it can not be worked out within its bounds, or gives something else.
    pub fn eval(&self, values: Operand) -> Result<Given, String> {
        let result = self
            .compiled
            .eval(values)
            .map_err(|error| explain(&error))?;
        if result.kind() == ValueKind::Bool {
            return Ok(Given::Truth(result.is_true()));
        }
        let number = f64::try_from(result.clone()).ok();
        number
            .filter(|number| (0.0..=1.0).contains(number))
            .map(Given::Share)
            .ok_or_else(|| {
                let kind = result.kind();
                format!("it gives {kind}, not true, false or a number from 0 to 1")
            })
    }
}

/// The first part of a dotted name.
fn root(name: &str) -> &str {
    name.split('.').next().unwrap_or(name)
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

/// The expression with a blank for each quoted text.
fn without_quoted(source: &str) -> String {
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
    bare
}

/// Whether an `=` stands alone, as it does where `==` was meant.
fn has_single_equals(source: &str) -> bool {
    let bare = without_quoted(source);
    let mut rest = bare.replace("==", "");
    for sign in ["!=", "<=", ">="] {
        rest = rest.replace(sign, "");
    }
    rest.contains('=')
}

/// Looks for filters and tests that are not there, which the engine would only find at an answer.
fn check_words(source: &str) -> Result<(), (String, String)> {
    let bare = without_quoted(source);
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
