//! Scorers made of scorers: `all-of`, `any-of`, `not`.

use super::super::answer::{Answer, Finding};
use super::super::error::Fault;
use super::super::evaluate;
use super::super::form::{Form, ScorerType};
use super::super::spec::{Kind, ScorerSpec};
use super::{Assertion, Input};
use crate::base::Node;

/// The types of this family.
pub const TYPES: &[ScorerType] = &[
    ScorerType::new("all-of", &["scorers"], |form| many(form, Need::All)).graded(),
    ScorerType::new("any-of", &["scorers"], |form| many(form, Need::Any)).graded(),
    ScorerType::new("not", &["scorer"], |form| {
        let node = form.require("scorer")?;
        let scorer = member(form, node)?;
        form.resolve("scorer", scorer.resolved().clone());
        Some(kind(vec![scorer], Need::None))
    })
    .never_negated(),
];

/// The deepest that sets may stand in sets.
const MOST_DEPTH: usize = 4;

/// Scorers that are taken together.
#[derive(Debug, Clone)]
pub struct Set {
    scorers: Vec<ScorerSpec>,
    need: Need,
}

/// How many of them must pass.
#[derive(Debug, Clone, Copy)]
enum Need {
    All,
    Any,
    None,
}

fn kind(scorers: Vec<ScorerSpec>, need: Need) -> Kind {
    Kind::Assertion(Assertion::Set(Set { scorers, need }))
}

fn many(form: &mut Form<'_, '_, '_>, need: Need) -> Option<Kind> {
    let node = form.require("scorers")?;
    let items = form.reader.list(node, "`scorers`")?;
    if items.is_empty() {
        let help = "write at least one scorer";
        form.reader
            .error(node.span, "empty", "`scorers` may not be empty", help);
        return None;
    }
    let scorers: Vec<ScorerSpec> = items.iter().filter_map(|item| member(form, item)).collect();
    let resolved = scorers.iter().map(|s| s.resolved().clone()).collect();
    form.resolve("scorers", resolved);
    if scorers.iter().all(|scorer| scorer.weight == 0.0) && !scorers.is_empty() {
        form.error(
            "out-of-range",
            "weighs nothing",
            "give one scorer a `weight`",
        );
        return None;
    }
    (scorers.len() == items.len()).then(|| kind(scorers, need))
}

fn member(form: &mut Form<'_, '_, '_>, node: &Node) -> Option<ScorerSpec> {
    if form.depth >= MOST_DEPTH {
        let message = format!("sets of scorers stand more than {MOST_DEPTH} deep");
        form.reader
            .error(node.span, "too-deep", message, "write fewer sets");
        return None;
    }
    let (schemas, depth) = (form.schemas, form.depth + 1);
    let scorer = ScorerSpec::decode_within(form.reader, node, schemas, depth)?;
    if scorer.asks() {
        let (what, help) = match scorer.kind {
            Kind::Exec(_) => ("a command", "write the command as a scorer of its own"),
            Kind::Similar(_) => (
                "a scorer that asks for embeddings",
                "write `similar` as a scorer of its own",
            ),
            _ => ("a judge", "write the judge as a scorer of its own"),
        };
        let message = format!("{what} can not stand in a set");
        form.reader.error(node.span, "judge", message, help);
        return None;
    }
    form.refer(scorer.references().iter().cloned());
    Some(scorer)
}

impl Set {
    /// The scorers in it.
    #[must_use]
    pub fn scorers(&self) -> &[ScorerSpec] {
        &self.scorers
    }

    pub(super) fn find(&self, input: &Input<'_>) -> Result<Finding, Fault> {
        let answer = Answer {
            text: input.text,
            ..*input.answer
        };
        let (mut passed, mut sum, mut weight, mut best) = (0usize, 0.0, 0.0, 0.0f64);
        let mut failed = None;
        for scorer in &self.scorers {
            let score = evaluate::find(scorer, &answer, input.context)?;
            sum += scorer.weight * score.score;
            weight += scorer.weight;
            best = best.max(score.score);
            if score.pass {
                passed += 1;
            } else {
                failed = failed.or(Some((scorer, score.reason)));
            }
        }
        let all = self.scorers.len();
        let mut reason = format!("{passed} of {all} scorers pass");
        if let (Some((scorer, why)), Need::All) = (failed, self.need) {
            reason = format!("{reason}; `{}`: {why}", scorer.name);
        }
        let mean = if sum >= weight { 1.0 } else { sum / weight };
        let (pass, score) = match self.need {
            Need::All => (passed == all, mean),
            Need::Any => (passed > 0, best),
            Need::None => (passed == 0, 1.0 - best),
        };
        Ok(Finding {
            pass,
            ..Finding::graded(score, reason)
        })
    }
}
