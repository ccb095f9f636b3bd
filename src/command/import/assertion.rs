//! An assertion of promptfoo as a scorer of ours: the parts that every type shares (negation, weight,
//! metric, transform, sets). What the types themselves mean is in `kinds` and `judging`.

use std::cell::RefCell;
use std::sync::Arc;

use serde_json::{Map, Value as Json, json};

use super::files::Files;
use super::javascript::{self, Scorer};
use super::judging;
use super::kinds;
use super::ledger::{Ledger, Place};
use super::models::Graders;
use super::nunjucks::{self, Piece};
use super::scripts::Scripts;
use super::types;
use crate::base::decode::Reader;
use crate::base::{Diagnostics, Name, Node, Severity, Source, Value, text, yaml};
use crate::score::ScorerSpec;
use crate::score::assertion::catalogue;

/// An assertion, made into a scorer.
#[derive(Debug, Clone, PartialEq)]
pub struct Made {
    /// The scorer, without a name.
    pub scorer: Scorer,
    /// What results call it.
    pub metric: Option<String>,
    /// How much it counts.
    pub weight: f64,
    /// Whether a model answers it.
    pub judged: bool,
}

/// What the conversion of one test's assertions needs.
pub struct Converter<'a> {
    /// The files around the config.
    pub files: &'a Files,
    /// Where findings go.
    pub ledger: &'a mut Ledger,
    /// The models that judge.
    pub graders: &'a mut Graders,
    /// The programs that score.
    pub scripts: &'a mut Scripts,
    /// The test's variables.
    pub vars: &'a Map<String, Json>,
    /// What is done to the answer before every assertion.
    pub transform: &'a [Json],
    /// The grader that the test names.
    pub grader: Option<&'a (Place, Node)>,
    /// Whether scores count, not only passes: a share of what was found is then no pass or fail.
    pub weighed: bool,
    /// The code of templates that was evaluated for the assertion at hand.
    pub code: RefCell<Vec<String>>,
}

/// An assertion while it is read.
pub struct Written<'n> {
    /// Where it stands.
    pub place: Place,
    /// The map.
    pub node: &'n Node,
    /// The type without `not-`.
    pub kind: &'n str,
    /// Whether it is turned over.
    pub negated: bool,
}

impl Written<'_> {
    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.node.get(key).filter(|node| !node.is_null())
    }

    /// The number of a key.
    pub fn number(&self, key: &str) -> Option<f64> {
        match self.get(key)?.value {
            Value::Number(number) => Some(number),
            _ => None,
        }
    }

    /// The name for messages.
    pub fn what(&self) -> String {
        let not = if self.negated { "not-" } else { "" };
        format!("assertion `{not}{}`", text::shorten(self.kind, 60))
    }
}

/// What a type makes of an assertion.
pub enum Outcome {
    /// A scorer with the same meaning, before negation.
    Same(Scorer),
    /// A scorer whose meaning differs, before negation, and how.
    Differs(Scorer, String),
    /// A scorer that is negated already.
    Turned(Scorer, Option<String>),
    /// Nothing, and why.
    Nothing(String),
}

impl Converter<'_> {
    /// Keeps in mind what is computed of a template.
    pub fn note_code(&self, pieces: &[Piece]) {
        let code = pieces.iter().filter_map(|piece| match piece {
            Piece::Code(source) => Some(source.clone()),
            Piece::Text(_) | Piece::Name(_) => None,
        });
        self.code.borrow_mut().extend(code);
    }

    /// Converts an assertion or a set of them.
    pub fn convert(&mut self, place: &Place, node: &Node) -> Option<Made> {
        let Some(written) = node.get("type").and_then(Node::as_text) else {
            self.ledger.dropped(place, "assertion", "it has no `type`");
            return None;
        };
        let known = match written {
            "assert-set" => types::SET.as_slice(),
            _ => types::ASSERTION.as_slice(),
        };
        self.report_keys(place, node, known);
        let metric = self.metric(node);
        let weight = match node.get("weight").map(|node| &node.value) {
            Some(Value::Number(weight)) => weight.max(0.0),
            _ => 1.0,
        };
        if written == "assert-set" {
            let (scorer, judged) = self.set(place, node)?;
            return Some(Made {
                scorer,
                metric,
                weight,
                judged,
            });
        }
        let (kind, negated) = match written.strip_prefix("not-") {
            Some(kind) => (kind, true),
            None => (written, false),
        };
        let assertion = Written {
            place: place.clone(),
            node,
            kind,
            negated,
        };
        let scorer = self.scorer(&assertion)?;
        let judged = is_judged(&scorer);
        Some(Made {
            scorer,
            metric,
            weight,
            judged,
        })
    }

    fn report_keys(&mut self, place: &Place, node: &Node, known: &[&str]) {
        let Value::Map(entries) = &node.value else {
            return;
        };
        for entry in entries {
            let key = text::shorten(&entry.key, 60);
            let place = Place {
                source: place.source.clone(),
                span: entry.key_span,
            };
            if !known.contains(&entry.key.as_str()) {
                let near = text::suggestion(&entry.key, known.iter().copied());
                let near = near.map_or(String::new(), |near| format!(", did you mean `{near}`?"));
                let why = format!("promptfoo passes over a key that it does not know{near}");
                self.ledger
                    .changed(&place, format!("`{key}` of assertion"), why);
            } else if ["rubricPrompt", "contextTransform"].contains(&entry.key.as_str()) {
                let why = "it has no counterpart: write a judge of your own (docs/judges.md)";
                self.ledger
                    .dropped(&place, format!("`{key}` of assertion"), why);
            }
        }
    }

    fn metric(&self, node: &Node) -> Option<String> {
        let written = node.get("metric")?.as_text()?;
        let pieces = nunjucks::parse_code(written).ok();
        let rendered = pieces.and_then(|pieces| nunjucks::render(&pieces, self.vars).ok());
        let rendered = rendered.unwrap_or_else(|| written.to_owned());
        (!rendered.trim().is_empty()).then(|| Name::slugify(&rendered).as_str().to_owned())
    }

    /// A set of assertions: all pass, or with a threshold the mean of their scores reaches it.
    fn set(&mut self, place: &Place, node: &Node) -> Option<(Scorer, bool)> {
        let Some(Value::List(items)) = node.get("assert").map(|node| &node.value) else {
            self.ledger
                .dropped(place, "`assert-set`", "its `assert` is no list");
            return None;
        };
        let threshold = match node.get("threshold").map(|node| &node.value) {
            Some(Value::Number(threshold)) => Some(*threshold),
            _ => None,
        };
        let before = self.weighed;
        self.weighed = before || threshold.is_some();
        let made: Vec<Made> = items
            .iter()
            .filter_map(|item| self.convert(&Place::of(&place.source, item), item))
            .collect();
        self.weighed = before;
        let scorer = together(made, threshold);
        match scorer {
            Ok(scorer) => {
                self.ledger.carried("assertion set", place);
                Some((scorer, false))
            }
            Err(why) => {
                self.ledger.dropped(place, "`assert-set`", why);
                None
            }
        }
    }

    fn scorer(&mut self, written: &Written<'_>) -> Option<Scorer> {
        let transform = match own_transform(written) {
            Ok(transform) => transform,
            Err(why) => {
                self.ledger.dropped(&written.place, written.what(), why);
                return None;
            }
        };
        self.code.take();
        let outcome = match judging::judged(self, written) {
            Some(outcome) => outcome,
            None => kinds::outcome(self, written),
        };
        let (mut scorer, caveat) = match outcome {
            Outcome::Same(scorer) => (turned(scorer, written.negated), None),
            Outcome::Differs(scorer, why) => (turned(scorer, written.negated), Some(why)),
            Outcome::Turned(scorer, why) => (scorer, why),
            Outcome::Nothing(why) => {
                self.ledger.dropped(&written.place, written.what(), why);
                return None;
            }
        };
        prepend_transform(&mut scorer, self.transform, &transform);
        if let Err(why) = check(&scorer) {
            self.ledger.dropped(&written.place, written.what(), why);
            return None;
        }
        let code = self.code.take();
        for source in &code {
            let source = text::shorten(source, 80);
            let why = format!(
                "`{source}` is computed at import: change the value when the variables change"
            );
            self.ledger.changed(&written.place, written.what(), why);
        }
        match caveat {
            Some(why) => self.ledger.changed(&written.place, written.what(), why),
            None if code.is_empty() => self.ledger.carried("assertion", &written.place),
            None => {}
        }
        Some(scorer)
    }
}

/// What the assertion itself does to the answer first.
fn own_transform(written: &Written<'_>) -> Result<Vec<Json>, String> {
    const WHY: &str = "its `transform` is code that no transform of ours does";
    match written.get("transform") {
        None => Ok(Vec::new()),
        Some(node) => node
            .as_text()
            .and_then(|code| javascript::transform(code).ok())
            .ok_or_else(|| WHY.to_owned()),
    }
}

/// Whether a suite takes the scorer.
///
/// # Errors
/// What is wrong with it, in words.
fn check(scorer: &Scorer) -> Result<(), String> {
    let text = super::emit::inline(&Json::Object(scorer.clone()));
    let source = Source::new("the scorer", &text);
    let mut found = Diagnostics::new();
    match yaml::parse(&source) {
        Ok(node) => {
            let mut reader = Reader {
                source: Arc::clone(&source),
                diagnostics: &mut found,
            };
            ScorerSpec::decode(&mut reader, &node, &|_| Err("no file".to_owned()));
        }
        Err(errors) => found.extend(errors),
    }
    match found
        .iter()
        .find(|finding| finding.severity == Severity::Error)
    {
        None => Ok(()),
        Some(finding) => Err(match &finding.help {
            Some(help) => format!("{}: {help}", finding.message),
            None => finding.message.clone(),
        }),
    }
}

fn is_judged(scorer: &Scorer) -> bool {
    let kind = scorer
        .get("type")
        .and_then(Json::as_str)
        .unwrap_or_default();
    judging::IS_JUDGE.contains(&kind)
}

/// The scorer, turned over where the assertion says so.
fn turned(scorer: Scorer, negated: bool) -> Scorer {
    if !negated {
        return scorer;
    }
    let kind = scorer
        .get("type")
        .and_then(Json::as_str)
        .unwrap_or_default();
    match catalogue::find(kind) {
        Some(found) if found.negatable => {
            let kind = format!("not-{kind}");
            let mut scorer = scorer;
            scorer.insert("type".to_owned(), kind.into());
            scorer
        }
        _ => javascript::negate(scorer),
    }
}

fn prepend_transform(scorer: &mut Scorer, first: &[Json], second: &[Json]) {
    let own = scorer.get("transform").and_then(Json::as_array).cloned();
    let all: Vec<Json> = first
        .iter()
        .chain(second)
        .cloned()
        .chain(own.into_iter().flatten())
        .collect();
    if !all.is_empty() {
        scorer.insert("transform".to_owned(), all.into());
    }
}

/// Several scorers as one: all of them pass, or with a threshold their weighted mean reaches it.
///
/// # Errors
/// Why that can not be, in words.
pub fn together(made: Vec<Made>, threshold: Option<f64>) -> Result<Scorer, String> {
    if made.iter().any(|made| made.judged) {
        return Err("a judge can not stand in a set: write it as a scorer of its own".to_owned());
    }
    // What weighs nothing neither passes nor fails there.
    let counted: Vec<Made> = made.into_iter().filter(|made| made.weight > 0.0).collect();
    if counted.is_empty() {
        return Err("nothing is left in it that counts".to_owned());
    }
    let mut names = super::names::Names::default();
    let scorers: Vec<Json> = counted
        .into_iter()
        .map(|made| {
            let mut scorer = made.scorer;
            if let Some(metric) = &made.metric {
                scorer.insert("name".to_owned(), names.fresh(metric).into());
            }
            if (made.weight - 1.0).abs() > f64::EPSILON {
                scorer.insert("weight".to_owned(), json!(made.weight));
            }
            scorer.into()
        })
        .collect();
    let mut set = Map::new();
    set.insert("type".to_owned(), "all-of".into());
    set.insert("scorers".to_owned(), scorers.into());
    match threshold {
        None => {}
        Some(threshold) if (0.0..=1.0).contains(&threshold) => {
            set.insert("threshold".to_owned(), json!(threshold));
        }
        Some(threshold) => return Err(format!("its threshold {threshold} is not from 0 to 1")),
    }
    Ok(set)
}
