//! One-line JavaScript assertions as declarative scorers, where the meaning is the same: a comparison
//! or search of `output`, of a field of `JSON.parse(output)`, and what `&&`, `||` and `!` make of them.

use serde_json::{Map, Value, json};

use super::nunjucks;
use super::pattern;
use super::token::{Token, tokens};

/// A scorer without a name.
pub type Scorer = Map<String, Value>;

/// The code says more than a declarative scorer can.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Beyond;

/// What a translation gives.
#[derive(Debug, Clone, PartialEq)]
pub struct Translated {
    /// The scorer.
    pub scorer: Scorer,
    /// What is not quite the same, in words.
    pub caveat: Option<&'static str>,
}

/// Translates the code of an assertion.
///
/// # Errors
/// When the code says more than a declarative scorer can.
pub fn translate(code: &str) -> Result<Translated, Beyond> {
    let code = code.trim_end();
    let code = match code.trim_start().strip_prefix("return ") {
        // Only a body of several lines has a `return` of its own; it may still be one statement.
        Some(rest) if code.contains('\n') => rest,
        Some(_) => return Err(Beyond),
        None if code.contains('\n') => return Err(Beyond),
        None => code,
    };
    let mut parser = Parser {
        tokens: tokens(code.trim().trim_end_matches(';')).ok_or(Beyond)?,
        at: 0,
        depth: 0,
        caveat: None,
    };
    let scorer = parser.either()?.check()?;
    if parser.at != parser.tokens.len() {
        return Err(Beyond);
    }
    Ok(Translated {
        scorer,
        caveat: parser.caveat,
    })
}

/// Translates code that changes the answer before it is looked at.
///
/// # Errors
/// When no transform of ours does the same.
pub fn transform(code: &str) -> Result<Vec<Value>, Beyond> {
    let mut parser = Parser {
        tokens: tokens(code.trim().trim_end_matches(';')).ok_or(Beyond)?,
        at: 0,
        depth: 0,
        caveat: None,
    };
    let part = parser.postfix()?;
    match part {
        _ if parser.at != parser.tokens.len() => Err(Beyond),
        Part::Output(done) => Ok(done.into_iter().map(Value::from).collect()),
        Part::Json(path) if path != "$" => Ok(vec![json!({"json-path": path})]),
        _ => Err(Beyond),
    }
}

/// What a part of an expression stands for.
#[derive(Debug, Clone)]
enum Part {
    /// The answer, after transforms.
    Output(Vec<&'static str>),
    /// The length of the answer.
    Length(Vec<&'static str>),
    /// A field of the answer as JSON.
    Json(String),
    /// A text of a scorer, references included.
    Text(String),
    Number(f64),
    Bool(bool),
    Pattern(String),
    List(Vec<String>),
    /// The global `JSON`, `context` and `context.vars`.
    Global(&'static str),
    /// True or false of an answer.
    Check(Scorer),
}

impl Part {
    fn check(self) -> Result<Scorer, Beyond> {
        match self {
            Self::Check(scorer) => Ok(scorer),
            _ => Err(Beyond),
        }
    }
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
    caveat: Option<&'static str>,
}

const MOST_DEPTH: usize = 24;

fn scorer(kind: &str, value: Value, transform: &[&'static str]) -> Part {
    let mut made = Map::new();
    made.insert("type".to_owned(), kind.into());
    made.insert("value".to_owned(), value);
    if !transform.is_empty() {
        made.insert("transform".to_owned(), json!(transform));
    }
    Part::Check(made)
}

fn set(kind: &str, scorers: Vec<Scorer>) -> Part {
    let scorers: Vec<Value> = scorers.into_iter().map(Value::Object).collect();
    let mut made = Map::new();
    made.insert("type".to_owned(), kind.into());
    made.insert("scorers".to_owned(), scorers.into());
    Part::Check(made)
}

/// The scorer turned over.
#[must_use]
pub fn negate(mut made: Scorer) -> Scorer {
    const SIMPLE: [&str; 6] = [
        "equals",
        "contains",
        "starts-with",
        "ends-with",
        "regex",
        "icontains",
    ];
    let kind = made.get("type").and_then(Value::as_str).unwrap_or_default();
    let turned = match kind.strip_prefix("not-") {
        Some(bare) => Some(bare.to_owned()),
        None if SIMPLE.contains(&kind) => Some(format!("not-{kind}")),
        None => None,
    };
    if let Some(kind) = turned {
        made.insert("type".to_owned(), kind.into());
        return made;
    }
    let mut outer = Map::new();
    outer.insert("type".to_owned(), "not".into());
    outer.insert("scorer".to_owned(), Value::Object(made));
    outer
}

/// The scorer with a score of 0 or 1 alone, as JavaScript's true and false are: a set in which all
/// have to pass would score the share that does.
#[must_use]
pub fn without_shares(mut made: Scorer) -> Scorer {
    let inner = |value: Value| match value {
        Value::Object(inner) => without_shares(inner),
        _ => Scorer::new(),
    };
    if let Some(one) = made.remove("scorer") {
        made.insert("scorer".to_owned(), Value::Object(inner(one)));
    }
    let Some(Value::Array(several)) = made.remove("scorers") else {
        return made;
    };
    let several: Vec<Scorer> = several.into_iter().map(inner).collect();
    let all = made.get("type").and_then(Value::as_str) == Some("all-of");
    let list = |several: Vec<Scorer>| several.into_iter().map(Value::Object).collect::<Vec<_>>();
    if !all {
        made.insert("scorers".to_owned(), list(several).into());
        return made;
    }
    let failing = list(several.into_iter().map(negate).collect());
    made.insert("type".to_owned(), "any-of".into());
    made.insert("scorers".to_owned(), failing.into());
    negate(made)
}

impl Parser {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn take(&mut self, sign: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Sign(found)) if *found == sign);
        if found {
            self.at += 1;
        }
        found
    }

    fn either(&mut self) -> Result<Part, Beyond> {
        self.joined("||", "any-of", Self::both)
    }

    fn both(&mut self) -> Result<Part, Beyond> {
        self.joined("&&", "all-of", Self::comparison)
    }

    fn joined(
        &mut self,
        sign: &str,
        kind: &str,
        part: fn(&mut Self) -> Result<Part, Beyond>,
    ) -> Result<Part, Beyond> {
        let first = part(self)?;
        if !matches!(self.peek(), Some(Token::Sign(found)) if *found == sign) {
            return Ok(first);
        }
        let mut scorers = vec![first.check()?];
        while self.take(sign) {
            scorers.push(part(self)?.check()?);
        }
        Ok(set(kind, scorers))
    }

    fn comparison(&mut self) -> Result<Part, Beyond> {
        let left = self.unary()?;
        for sign in ["===", "==", "!==", "!=", "<=", ">=", "<", ">"] {
            if self.take(sign) {
                let right = self.unary()?;
                return self.compare(left, sign, right);
            }
        }
        Ok(left)
    }

    fn compare(&mut self, left: Part, sign: &str, right: Part) -> Result<Part, Beyond> {
        let strict = matches!(sign, "===" | "!==");
        match (left, right) {
            (Part::Output(transform), Part::Text(text))
            | (Part::Text(text), Part::Output(transform)) => {
                equality(sign, text.into(), &transform)
            }
            (Part::Length(transform), Part::Number(number)) => {
                self.caveat = Some("it counts characters, JavaScript counts UTF-16 units");
                length(sign, number, &transform)
            }
            (Part::Json(path), wanted) if strict && sign == "===" => {
                let value = match wanted {
                    Part::Text(text) => text.into(),
                    Part::Number(number) => crate::base::node::json_number(number),
                    Part::Bool(value) => value.into(),
                    _ => return Err(Beyond),
                };
                let made = json!({"type": "json-path", "path": path, "value": value});
                Ok(Part::Check(made.as_object().cloned().unwrap_or_default()))
            }
            (Part::Check(made), Part::Bool(wanted)) if matches!(sign, "===" | "==") => {
                Ok(Part::Check(if wanted { made } else { negate(made) }))
            }
            _ => Err(Beyond),
        }
    }

    fn unary(&mut self) -> Result<Part, Beyond> {
        if self.take("!") {
            self.enter()?;
            let inner = self.unary()?.check()?;
            self.depth -= 1;
            return Ok(Part::Check(negate(inner)));
        }
        self.postfix()
    }

    fn enter(&mut self) -> Result<(), Beyond> {
        self.depth += 1;
        if self.depth > MOST_DEPTH {
            return Err(Beyond);
        }
        Ok(())
    }

    fn postfix(&mut self) -> Result<Part, Beyond> {
        let mut part = self.primary()?;
        while self.take(".") {
            let Some(Token::Word(name)) = self.peek().cloned() else {
                return Err(Beyond);
            };
            self.at += 1;
            part = if self.take("(") {
                let arguments = self.list(")")?;
                call(part, &name, &arguments)?
            } else {
                member(part, &name)?
            };
        }
        Ok(part)
    }

    /// Parts separated by commas up to a closing sign.
    fn list(&mut self, close: &str) -> Result<Vec<Part>, Beyond> {
        let mut parts = Vec::new();
        self.enter()?;
        while !self.take(close) {
            if !parts.is_empty() && !self.take(",") {
                return Err(Beyond);
            }
            parts.push(self.either()?);
        }
        self.depth -= 1;
        Ok(parts)
    }

    fn primary(&mut self) -> Result<Part, Beyond> {
        let token = self.peek().cloned().ok_or(Beyond)?;
        self.at += 1;
        match token {
            Token::Text(text) => {
                let pieces = nunjucks::parse(&text).map_err(|_| Beyond)?;
                Ok(Part::Text(nunjucks::to_scorer(&pieces).ok_or(Beyond)?))
            }
            Token::Number(number) => Ok(Part::Number(number)),
            Token::Pattern(source, flags) => {
                let translated = pattern::translate(&source, &flags).map_err(|_| Beyond)?;
                Ok(Part::Pattern(nunjucks::escape(&translated)))
            }
            Token::Sign("(") => {
                self.enter()?;
                let inner = self.either()?;
                self.depth -= 1;
                if self.take(")") {
                    Ok(inner)
                } else {
                    Err(Beyond)
                }
            }
            Token::Sign("[") => {
                let items = self.list("]")?.into_iter().map(|item| match item {
                    Part::Text(text) => Ok(text),
                    _ => Err(Beyond),
                });
                Ok(Part::List(items.collect::<Result<_, _>>()?))
            }
            Token::Word(word) => match word.as_str() {
                "output" => Ok(Part::Output(Vec::new())),
                "JSON" => Ok(Part::Global("JSON")),
                "context" => Ok(Part::Global("context")),
                "true" => Ok(Part::Bool(true)),
                "false" => Ok(Part::Bool(false)),
                _ => Err(Beyond),
            },
            Token::Sign(_) => Err(Beyond),
        }
    }
}

fn equality(sign: &str, value: Value, transform: &[&'static str]) -> Result<Part, Beyond> {
    match sign {
        "===" | "==" => Ok(scorer("equals", value, transform)),
        "!==" | "!=" => Ok(scorer("not-equals", value, transform)),
        _ => Err(Beyond),
    }
}

fn length(sign: &str, number: f64, transform: &[&'static str]) -> Result<Part, Beyond> {
    if number.fract() != 0.0 || !(0.0..=1e9).contains(&number) {
        return Err(Beyond);
    }
    let bound = |kind: &str, number: f64| {
        if number < 0.0 {
            return Err(Beyond);
        }
        Ok(scorer(
            kind,
            crate::base::node::json_number(number),
            transform,
        ))
    };
    match sign {
        "<" => bound("max-length", number - 1.0),
        "<=" => bound("max-length", number),
        ">" => bound("min-length", number + 1.0),
        ">=" => bound("min-length", number),
        "===" | "==" => {
            let (low, high) = (bound("min-length", number)?, bound("max-length", number)?);
            Ok(set("all-of", vec![low.check()?, high.check()?]))
        }
        _ => Err(Beyond),
    }
}

fn call(part: Part, name: &str, arguments: &[Part]) -> Result<Part, Beyond> {
    match (part, name, arguments) {
        (Part::Output(mut done), "trim", []) => {
            done.push("trim");
            Ok(Part::Output(done))
        }
        (Part::Output(mut done), "toLowerCase", []) => {
            done.push("lowercase");
            Ok(Part::Output(done))
        }
        (Part::Output(done), "includes", [Part::Text(text)]) => searched("contains", text, &done),
        (Part::Output(done), "startsWith", [Part::Text(text)]) => {
            searched("starts-with", text, &done)
        }
        (Part::Output(done), "endsWith", [Part::Text(text)]) => searched("ends-with", text, &done),
        (Part::Pattern(source), "test", [Part::Output(done)]) => {
            Ok(scorer("regex", source.into(), done))
        }
        (Part::List(texts), "includes", [Part::Output(done)]) => {
            let equal = texts
                .into_iter()
                .map(|text| scorer("equals", text.into(), done).check());
            let equal: Vec<Scorer> = equal.collect::<Result<_, _>>()?;
            if equal.is_empty() {
                Err(Beyond)
            } else {
                Ok(set("any-of", equal))
            }
        }
        (Part::Global("JSON"), "parse", [Part::Output(done)]) if done.is_empty() => {
            Ok(Part::Json("$".to_owned()))
        }
        _ => Err(Beyond),
    }
}

/// An empty text is in every answer, and no scorer takes it.
fn searched(kind: &str, text: &str, transform: &[&'static str]) -> Result<Part, Beyond> {
    if text.is_empty() {
        return Err(Beyond);
    }
    Ok(scorer(kind, text.into(), transform))
}

fn member(part: Part, name: &str) -> Result<Part, Beyond> {
    match part {
        Part::Output(done) if name == "length" => Ok(Part::Length(done)),
        Part::Json(path) if name != "length" => Ok(Part::Json(format!("{path}.{name}"))),
        Part::Global("context") if name == "vars" => Ok(Part::Global("vars")),
        Part::Global("vars") => Ok(Part::Text(format!("{{{{vars.{name}}}}}"))),
        _ => Err(Beyond),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(code: &str) -> Value {
        Value::Object(translate(code).unwrap().scorer)
    }

    #[test]
    fn turns_plain_checks_into_scorers() {
        assert_eq!(
            made("output.includes('a b')"),
            json!({"type": "contains", "value": "a b"})
        );
        assert_eq!(
            made("output.trim().toLowerCase() === \"yes\";"),
            json!({"type": "equals", "value": "yes", "transform": ["trim", "lowercase"]})
        );
        assert_eq!(
            made("!output.includes(context.vars.name)"),
            json!({"type": "not-contains", "value": "{{vars.name}}"})
        );
        assert_eq!(
            made("output !== '{{name}}'"),
            json!({"type": "not-equals", "value": "{{vars.name}}"})
        );
        assert_eq!(
            made("/^\\d+$/.test(output)"),
            json!({"type": "regex", "value": "^[0-9]+$"})
        );
        assert_eq!(
            made("['yes', 'no'].includes(output)"),
            json!({"type": "any-of", "scorers": [{"type": "equals", "value": "yes"}, {"type": "equals", "value": "no"}]})
        );
        assert_eq!(
            made("JSON.parse(output).user.age === 30"),
            json!({"type": "json-path", "path": "$.user.age", "value": 30})
        );
        assert_eq!(
            made("return output.startsWith('A')\n  && !(output.endsWith('.') || output == 'A')\n;"),
            json!({"type": "all-of", "scorers": [
                {"type": "starts-with", "value": "A"},
                {"type": "not", "scorer": {"type": "any-of", "scorers": [
                    {"type": "ends-with", "value": "."}, {"type": "equals", "value": "A"}]}}]})
        );
        let bounded = translate("output.length < 80").unwrap();
        assert_eq!(
            Value::Object(bounded.scorer),
            json!({"type": "max-length", "value": 79})
        );
        assert!(bounded.caveat.is_some());
    }

    #[test]
    fn leaves_alone_what_says_more() {
        for code in [
            "output.split(' ').length < 5",
            "Math.random() > 0.5",
            "const x = 1; x",
            "output.length / 10",
            "output",
            "output.includes('a') ? 1 : 0",
            "JSON.parse(output).a !== 'x'",
            "output.includes('')",
            "return output.includes('a')",
            "(output) => true",
            "output.replace(/a/g, '') === ''",
            "require('fs')",
        ] {
            assert_eq!(translate(code), Err(Beyond), "{code}");
        }
    }

    #[test]
    fn turns_plain_changes_of_the_answer_into_transforms() {
        assert_eq!(
            transform("output.trim().toLowerCase()"),
            Ok(vec!["trim".into(), "lowercase".into()])
        );
        assert_eq!(
            transform("JSON.parse(output).a.b;"),
            Ok(vec![json!({"json-path": "$.a.b"})])
        );
        assert_eq!(transform("output"), Ok(vec![]));
        for code in [
            "output.toUpperCase()",
            "JSON.parse(output)",
            "output.split('x')[0]",
            "file://t.js",
        ] {
            assert_eq!(transform(code), Err(Beyond), "{code}");
        }
    }

    proptest::proptest! {
        #[test]
        fn reads_any_code_without_a_panic(code in "[outp.()'a!&|=<>/\\[\\]{},0-9 ]{0,40}") {
            let _ = translate(&code);
        }
    }

    #[test]
    fn deep_code_is_bounded() {
        assert_eq!(
            translate(&format!("{}output", "(".repeat(100_000))),
            Err(Beyond)
        );
        assert_eq!(
            translate(&format!("{}output", "!".repeat(100_000))),
            Err(Beyond)
        );
    }
}
