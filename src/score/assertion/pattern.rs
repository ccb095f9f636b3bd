//! `regex`: a regular expression found anywhere in the answer. The engine is linear in the answer
//! and its automata are bounded, so a pattern from a pull request can not stall a run.

use std::borrow::Cow;

use regex::{Regex, RegexBuilder};
use regex_syntax::hir::{Hir, HirKind};

use super::super::answer::{Finding, quote};
use super::super::error::Fault;
use super::super::form::{Form, ScorerType};
use super::super::spec::Kind;
use super::super::template::{Part, Reference, Template};
use super::{Assertion, Input};
use crate::base::Node;
use crate::base::decode::Reader;
use crate::dataset::Case;

/// The types of this family.
pub const TYPES: &[ScorerType] = &[ScorerType::new("regex", &["value"], decode)];

/// The most bytes of a compiled pattern: `\w` repeated some 200 times.
const MOST_BYTES: usize = 8 << 20;
/// The most bytes of its cache while it runs.
const MOST_CACHE: usize = 2 << 20;

/// A regular expression.
#[derive(Debug, Clone)]
pub enum Pattern {
    /// Compiled when it was read.
    Fixed(Bounded),
    /// With values of the case, which stand for themselves.
    Template(Template),
}

fn decode(form: &mut Form<'_, '_, '_>) -> Option<Kind> {
    let (node, value) = form.nonempty("value")?;
    let pattern = match value.fixed() {
        Some(source) => Pattern::Fixed(compile_at(form.reader, node, source)?),
        None => {
            // A value of a case is escaped, so a letter in its place shows what is wrong.
            compile_at(form.reader, node, &expand(&value, |_| Ok("x".into())).ok()?)?;
            Pattern::Template(value)
        }
    };
    Some(Kind::Assertion(Assertion::Pattern(pattern)))
}

/// A pattern with its size, which bounds the texts that it is tried on: its work grows with both.
#[derive(Debug, Clone)]
pub struct Bounded {
    regex: Regex,
    copies: usize,
}

impl Bounded {
    /// The pattern, if the text is not too long for it.
    ///
    /// # Errors
    /// When a large pattern would be tried on a long text.
    pub fn on(&self, text: &str) -> Result<&Regex, Fault> {
        /// Patterns up to this size are fast on any text.
        const SMALL: usize = 100;
        const MOST_WORK: usize = 10_000_000;
        if self.copies > SMALL && self.copies.saturating_mul(text.len()) > MOST_WORK {
            let limit = format!(
                "the answer is too long for a pattern whose repetitions make {} parts",
                self.copies
            );
            return Err(Fault::Limit(limit));
        }
        Ok(&self.regex)
    }
}

/// How many characters and classes a pattern has when its counted repetitions are written out.
fn copies(hir: &Hir) -> usize {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => 0,
        HirKind::Literal(literal) => literal.0.len(),
        HirKind::Class(_) => 1,
        HirKind::Capture(capture) => copies(&capture.sub),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => parts
            .iter()
            .fold(0, |sum, part| sum.saturating_add(copies(part))),
        HirKind::Repetition(repetition) => {
            let times = repetition.max.unwrap_or(repetition.min).max(1);
            let times = usize::try_from(times).unwrap_or(usize::MAX);
            copies(&repetition.sub).saturating_mul(times)
        }
    }
}

/// Compiles a pattern with bounds.
///
/// # Errors
/// When the pattern is invalid or too large.
pub fn compile(source: &str) -> Result<Bounded, regex::Error> {
    let regex = RegexBuilder::new(source)
        .size_limit(MOST_BYTES)
        .dfa_size_limit(MOST_CACHE)
        .build()?;
    let copies = regex_syntax::parse(source).map_or(usize::MAX, |hir| copies(&hir));
    Ok(Bounded { regex, copies })
}

/// Compiles a pattern of a suite, and reports what is wrong with it.
pub fn compile_at(reader: &mut Reader<'_>, node: &Node, source: &str) -> Option<Bounded> {
    compile(source)
        .map_err(|error| {
            let message = format!("invalid regular expression: {}", explain(&error));
            let help = "the syntax is that of the regex crate: https://docs.rs/regex/#syntax";
            reader.error(node.span, "regex", message, help);
        })
        .ok()
}

/// The message of the regex crate without the picture around it.
fn explain(error: &regex::Error) -> String {
    let full = error.to_string();
    let last = full.lines().last().unwrap_or(&full);
    last.strip_prefix("error: ").unwrap_or(last).to_owned()
}

/// The pattern's source with every reference replaced by a value that stands for itself.
fn expand<'t>(
    template: &'t Template,
    value: impl Fn(&'t Reference) -> Result<Cow<'t, str>, Fault>,
) -> Result<String, Fault> {
    let mut source = String::new();
    for part in template.parts() {
        match part {
            Part::Literal(literal) => source.push_str(literal),
            Part::Reference(reference) => source.push_str(&regex::escape(&value(reference)?)),
        }
    }
    Ok(source)
}

impl Pattern {
    fn regex<'p>(&'p self, case: &'p Case) -> Result<Cow<'p, Bounded>, Fault> {
        match self {
            Self::Fixed(regex) => Ok(Cow::Borrowed(regex)),
            Self::Template(template) => {
                let source = expand(template, |reference| reference.text(case))?;
                compile(&source).map(Cow::Owned).map_err(|error| {
                    Fault::unusable("a value that fits its pattern", &explain(&error))
                })
            }
        }
    }

    pub(super) fn find(&self, input: &Input<'_>) -> Result<Finding, Fault> {
        let regex = self.regex(input.context.case)?;
        let regex = regex.on(input.text)?;
        let (pattern, answer) = (regex.as_str(), input.text);
        Ok(match regex.find(answer) {
            Some(found) => {
                let found = quote(found.as_str());
                Finding::binary(true, format!("{found} matches {}", quote(pattern)))
            }
            None => {
                let (pattern, answer) = (quote(pattern), quote(answer));
                Finding::binary(false, format!("{pattern} matches nothing in {answer}"))
            }
        })
    }
}
