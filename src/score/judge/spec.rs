//! The declared form of a judge under `scorers:`. Which version it is, and which model it asks, is
//! for the suite to look up.

use std::fmt;

use super::super::form::{Form, ScorerType};
use super::super::spec::Kind;
use super::super::template::Template;
use super::builtin;
use crate::base::{Name, Node, Slug};

/// The type `judge`.
pub const TYPES: &[ScorerType] =
    &[
        ScorerType::new("judge", &["judge", "model", "criteria", "context"], decode)
            .graded()
            .never_negated(),
    ];

/// A judge as a suite declares it.
#[derive(Debug, Clone)]
pub struct JudgeSpec {
    /// Which prompt version judges.
    pub judge: JudgeReference,
    /// The entry of `judge_models` or `models` that is asked; absent: the suite's default.
    pub model: Option<Name>,
    /// What a good answer is.
    pub criteria: Option<Template>,
    /// What the judge should know besides.
    pub context: Option<Template>,
}

/// A judge's prompt and version, `judges/politeness@v2`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JudgeReference {
    /// The prompt.
    pub slug: Slug,
    /// The version, in any of the forms of a version reference.
    pub version: String,
}

impl fmt::Display for JudgeReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.slug, self.version)
    }
}

fn decode(form: &mut Form<'_, '_, '_>) -> Option<Kind> {
    let written = form.get("judge");
    let judge = match written {
        Some(node) => decode_reference(form, node),
        None => parse_reference(builtin::RUBRIC).ok(),
    };
    if let Some(judge) = &judge {
        form.resolve("judge", judge.to_string().into());
    }
    let model = form.get("model").map(|node| decode_model(form, node));
    let criteria = form
        .get("criteria")
        .is_some()
        .then(|| form.nonempty("criteria").map(|(_, template)| template));
    let context = form.get("context").map(|_| form.text("context"));
    let judge = judge?;
    if judge.to_string() == builtin::RUBRIC && criteria.is_none() {
        let message = format!("has no `criteria`, which `{}` judges by", builtin::RUBRIC);
        form.error(
            "missing-key",
            message,
            "add `criteria:`, or name a judge of your own",
        );
        return None;
    }
    Some(Kind::Judge(JudgeSpec {
        judge,
        model: absent_or(model)?,
        criteria: absent_or(criteria)?,
        context: absent_or(context)?.map(|(_, template)| template),
    }))
}

/// Turns "absent, wrong or a value" into "wrong, or perhaps a value".
#[expect(
    clippy::option_option,
    reason = "a wrong value differs from an absent one"
)]
fn absent_or<T>(value: Option<Option<T>>) -> Option<Option<T>> {
    match value {
        None => Some(None),
        Some(None) => None,
        Some(value) => Some(value),
    }
}

fn decode_model(form: &mut Form<'_, '_, '_>, node: &Node) -> Option<Name> {
    let text = form.reader.text(node, "`model`")?;
    Name::new(text)
        .map_err(|error| {
            let help = "write the `name` of an entry of `judge_models` or `models`";
            form.reader
                .error(node.span, "name", error.to_string(), help);
        })
        .ok()
}

fn parse_reference(text: &str) -> Result<JudgeReference, String> {
    let (slug, version) = text
        .split_once('@')
        .filter(|(_, version)| !version.is_empty())
        .ok_or_else(|| format!("`{text}` names no version of a judge"))?;
    let slug = Slug::new(slug).map_err(|error| error.to_string())?;
    Ok(JudgeReference {
        slug,
        version: version.to_owned(),
    })
}

fn decode_reference(form: &mut Form<'_, '_, '_>, node: &Node) -> Option<JudgeReference> {
    let text = form.reader.text(node, "`judge`")?;
    let reference = match parse_reference(text) {
        Ok(reference) => reference,
        Err(message) => {
            let help = "write prompt and version, such as judges/politeness@v2";
            form.reader.error(node.span, "judge", message, help);
            return None;
        }
    };
    if reference.slug.is_builtin() && builtin::text(&reference.to_string()).is_none() {
        let message = format!("this program has no judge `{reference}`");
        let known: Vec<&str> = builtin::NAMES.to_vec();
        let help = crate::base::decode::choices(&reference.to_string(), &known);
        form.reader.error(node.span, "judge", message, help);
        return None;
    }
    Some(reference)
}
