//! The declared form of a scorer: an entry under `scorers:` of a suite or a case, read and checked.

use serde_json::Value;

use super::assertion::Assertion;
use super::assertion::catalogue;
use super::exec::ExecSpec;
use super::form::{Form, Schemas, ScorerType};
use super::judge::{JudgeSpec, Panel, VerdictForm};
use super::similar::Similar;
use super::template::Reference;
use super::transform::{self, Transform};
use crate::base::decode::Reader;
use crate::base::{Name, Node, text};
use crate::dataset::Case;

/// A scorer.
#[derive(Debug, Clone)]
pub struct ScorerSpec {
    /// What results call it; unique in its suite.
    pub name: Name,
    /// The type as written, `not-` included.
    pub type_name: String,
    /// Whether it decides the pass of a trial.
    pub gating: bool,
    /// What is done to the answer first.
    pub transform: Vec<Transform>,
    /// Whether pass and score are turned over.
    pub negated: bool,
    /// The least score that passes.
    pub threshold: Option<f64>,
    /// What it does.
    pub kind: Kind,
    /// How much it counts in a set of scorers.
    pub(super) weight: f64,
    references: Vec<Reference>,
    resolved: Value,
}

const MOST_WEIGHT: f64 = 1_000_000.0;

/// The kinds of scorer.
#[derive(Debug, Clone)]
pub enum Kind {
    /// A function of the answer.
    Assertion(Assertion),
    /// A question to a model.
    Judge(JudgeSpec),
    /// Questions to several judges.
    Panel(Panel),
    /// A message to a command.
    Exec(ExecSpec),
    /// Texts to a model that gives embeddings.
    Similar(Similar),
}

impl ScorerSpec {
    /// Reads a scorer. Schemas that it names by path are read by `schemas`.
    pub fn decode(reader: &mut Reader<'_>, node: &Node, schemas: Schemas<'_>) -> Option<Self> {
        Self::decode_within(reader, node, schemas, 0)
    }

    /// Reads a scorer that stands within `depth` sets of scorers.
    pub(super) fn decode_within(
        reader: &mut Reader<'_>,
        node: &Node,
        schemas: Schemas<'_>,
        depth: usize,
    ) -> Option<Self> {
        let mut form = Form::new(reader, node, schemas, depth)?;
        let type_node = form.require("type")?;
        let type_name = form.reader.text(type_node, "`type`")?;
        let (scorer_type, negated) = find_type(form.reader, type_node, type_name)?;
        form.name_type(type_name, node);
        form.get("type");
        if let Some(feature) = scorer_type.lacks {
            let message = format!(
                "scorer `{type_name}` needs the cargo feature `{feature}`, which this build lacks"
            );
            let help = format!(
                "use a release build, or build with `cargo install promptgate --features {feature}`"
            );
            form.reader
                .error(type_node.span, "missing-feature", message, help);
            return None;
        }
        let name = decode_name(&mut form, type_name);
        // Within a set the set itself is gating or not, and its members have weights.
        let gating = match depth {
            0 => form
                .get("gating")
                .map_or(Some(true), |node| form.reader.boolean(node, "`gating`")),
            _ => Some(true),
        };
        let weight = match depth {
            0 => None,
            _ => form.number("weight", 0.0, MOST_WEIGHT),
        };
        let transform = form.get("transform").map_or(Some(Vec::new()), |node| {
            transform::decode(form.reader, node)
        });
        let threshold = if scorer_type.graded {
            form.number("threshold", 0.0, 1.0)
        } else {
            None
        };
        let kind = (scorer_type.decode)(&mut form);
        // A decoder that gives up early has not asked for all its keys.
        for key in scorer_type.keys {
            form.get(key);
        }
        let left = form.finish();
        let (name, gating) = (name?, gating?);
        let resolved = resolve(node, &name, gating, left.resolved);
        Some(Self {
            name,
            type_name: type_name.to_owned(),
            gating,
            transform: transform?,
            negated,
            threshold,
            kind: kind?,
            weight: weight.unwrap_or(1.0),
            references: left.references,
            resolved,
        })
    }

    /// Whether a model or a command is asked.
    #[must_use]
    pub fn asks(&self) -> bool {
        match self.kind {
            Kind::Assertion(_) => false,
            Kind::Judge(_) | Kind::Panel(_) | Kind::Exec(_) | Kind::Similar(_) => true,
        }
    }

    /// The judge that looks at one answer by itself, where it is one.
    #[must_use]
    pub fn judge_of_one(&self) -> Option<&JudgeSpec> {
        match &self.kind {
            Kind::Judge(judge) => Some(judge).filter(|_| !self.is_pairwise()),
            Kind::Assertion(_) | Kind::Exec(_) | Kind::Panel(_) | Kind::Similar(_) => None,
        }
    }

    /// Whether it compares the answers of both arms.
    #[must_use]
    pub fn is_pairwise(&self) -> bool {
        matches!(&self.kind, Kind::Judge(judge) if judge.form == VerdictForm::Preference)
    }

    /// The judges that are asked, by the names under which their calls are drawn, recorded and
    /// reported: the scorer's own, or of a panel `panel/member`.
    #[must_use]
    pub fn judges(&self) -> Vec<(String, &JudgeSpec)> {
        let name = |judge: &Self| match self.kind {
            Kind::Panel(_) => self.member(judge.name.as_str()),
            Kind::Assertion(_) | Kind::Judge(_) | Kind::Exec(_) | Kind::Similar(_) => {
                self.name.to_string()
            }
        };
        let judges = self.that_judge().into_iter();
        judges
            .map(|(scorer, judge)| (name(scorer), judge))
            .collect()
    }

    /// The scorers that ask a judge each: this one, or the members of a panel.
    #[must_use]
    pub fn that_judge(&self) -> Vec<(&Self, &JudgeSpec)> {
        match &self.kind {
            Kind::Assertion(_) | Kind::Exec(_) | Kind::Similar(_) => Vec::new(),
            Kind::Judge(judge) => vec![(self, judge)],
            Kind::Panel(panel) => panel.judges.iter().flat_map(Self::that_judge).collect(),
        }
    }

    /// The name of a member of a panel.
    #[must_use]
    pub fn member(&self, name: &str) -> String {
        format!("{}/{name}", self.name)
    }

    /// What the scorer's texts refer to, each once.
    #[must_use]
    pub fn references(&self) -> &[Reference] {
        &self.references
    }

    /// The references that a case does not have.
    pub fn missing<'s>(&'s self, case: &'s Case) -> impl Iterator<Item = &'s Reference> {
        self.references
            .iter()
            .filter(|reference| reference.find(case).is_none())
    }

    /// The scorer with defaults filled in and schemas in place of their paths, for the digest of
    /// the suite.
    #[must_use]
    pub fn resolved(&self) -> &Value {
        &self.resolved
    }
}

fn decode_name(form: &mut Form<'_, '_, '_>, type_name: &str) -> Option<Name> {
    let Some(node) = form.get("name") else {
        return Name::new(type_name).ok();
    };
    let name = form.reader.text(node, "`name`")?;
    match Name::new(name) {
        Ok(name) => Some(name),
        Err(error) => {
            let help = format!("write `name: {}`", Name::slugify(name));
            form.reader
                .error(node.span, "name", error.to_string(), help);
            None
        }
    }
}

fn find_type(
    reader: &mut Reader<'_>,
    node: &Node,
    name: &str,
) -> Option<(&'static ScorerType, bool)> {
    if let Some(found) = catalogue::find(name) {
        return Some((found, false));
    }
    let base = name.strip_prefix("not-").and_then(catalogue::find);
    match base {
        Some(base) if base.negatable => return Some((base, true)),
        Some(base) => {
            let message = format!("scorer `{}` has no `not-` form", base.name);
            let help = format!("write `type: {}`", base.name);
            reader.error(node.span, "unknown-scorer", message, help);
            return None;
        }
        None => {}
    }
    let help = suggest_type(name);
    reader.error(
        node.span,
        "unknown-scorer",
        format!("there is no scorer type `{}`", text::shorten(name, 60)),
        help,
    );
    None
}

/// Names near a misspelt one, nearest first; without one, where all are listed.
fn suggest_type(name: &str) -> String {
    const LEAST: f64 = 0.75;
    let (prefix, bare) = match name.strip_prefix("not-") {
        Some(bare) => ("not-", bare),
        None => ("", name),
    };
    let bare: String = bare.chars().take(60).flat_map(char::to_lowercase).collect();
    let mut near: Vec<(f64, &str)> = catalogue::types()
        .filter(|scorer_type| prefix.is_empty() || scorer_type.negatable)
        .map(|scorer_type| {
            let similarity = strsim::jaro_winkler(&bare, scorer_type.name);
            (similarity, scorer_type.name)
        })
        .filter(|(similarity, _)| *similarity >= LEAST)
        .collect();
    near.sort_by(|a, b| b.0.total_cmp(&a.0));
    let names: Vec<String> = near
        .iter()
        .take(4)
        .map(|(_, name)| format!("`{prefix}{name}`"))
        .collect();
    if names.is_empty() {
        return "docs/scorers.md lists all scorer types".to_owned();
    }
    format!("did you mean {}?", names.join(" or "))
}

fn resolve(
    node: &Node,
    name: &Name,
    gating: bool,
    replaced: serde_json::Map<String, Value>,
) -> Value {
    let Value::Object(mut resolved) = node.to_json() else {
        return Value::Null;
    };
    resolved.retain(|_, value| !value.is_null());
    resolved.extend(replaced);
    resolved.insert("name".to_owned(), name.as_str().into());
    resolved.insert("gating".to_owned(), gating.into());
    resolved
        .entry("transform")
        .or_insert_with(|| Value::Array(Vec::new()));
    resolved.into()
}
