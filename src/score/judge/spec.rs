//! The declared form of a judge under `scorers:`. Which version it is, and which model it asks, is
//! for the suite to look up.

use std::fmt;

use super::super::form::{Form, ScorerType};
use super::super::spec::Kind;
use super::super::template::Template;
use super::builtin;
use super::form::{Class, ClassScores, Scale, VerdictForm};
use crate::base::{Name, Node, Slug, Table};

const RUBRIC_KEYS: &[&str] = &["judge", "model", "criteria", "context"];
const FACTUALITY_KEYS: &[&str] = &["judge", "model", "value", "scores"];
const RELEVANCE_KEYS: &[&str] = &["judge", "model"];
const FAITHFULNESS_KEYS: &[&str] = &["judge", "model", "context"];
const G_EVAL_KEYS: &[&str] = &[
    "judge", "model", "criteria", "steps", "context", "logprobs", "samples",
];
const PAIRWISE_KEYS: &[&str] = RUBRIC_KEYS;

/// The replies of which `g-eval` takes the mean by default, and at most: as many as its authors took.
const SAMPLES: (u32, u32) = (5, 20);

/// The types of judges.
pub const TYPES: &[ScorerType] = &[
    ScorerType::new("judge", RUBRIC_KEYS, |form| {
        decode(form, RUBRIC_KEYS, builtin::RUBRIC, VerdictForm::Rubric)
    })
    .graded()
    .never_negated(),
    ScorerType::new("factuality", FACTUALITY_KEYS, |form| {
        let scores = decode_scores(form)?;
        form.resolve("scores", scores.to_json());
        let verdict = VerdictForm::Factuality(scores);
        decode(form, FACTUALITY_KEYS, builtin::FACTUALITY, verdict)
    })
    .graded()
    .never_negated(),
    ScorerType::new("answer-relevance", RELEVANCE_KEYS, |form| {
        let default = builtin::ANSWER_RELEVANCE;
        decode(form, RELEVANCE_KEYS, default, VerdictForm::Rubric)
    })
    .graded()
    .never_negated(),
    ScorerType::new("faithfulness", FAITHFULNESS_KEYS, |form| {
        form.nonempty("context")?;
        let default = builtin::FAITHFULNESS;
        decode(form, FAITHFULNESS_KEYS, default, VerdictForm::Rubric)
    })
    .graded()
    .never_negated(),
    ScorerType::new("g-eval", G_EVAL_KEYS, |form| {
        let scale = decode_scale(form)?;
        form.nonempty("criteria")?;
        decode(
            form,
            G_EVAL_KEYS,
            builtin::G_EVAL,
            VerdictForm::Scale(scale),
        )
    })
    .graded()
    .never_negated(),
    ScorerType::new("pairwise", PAIRWISE_KEYS, |form| {
        form.nonempty("criteria")?;
        decode(
            form,
            PAIRWISE_KEYS,
            builtin::PAIRWISE,
            VerdictForm::Preference,
        )
    })
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
    /// How to go about it, step by step.
    pub steps: Vec<Template>,
    /// What the judge should know besides.
    pub context: Option<Template>,
    /// The good answer; absent: what the case expects.
    pub reference: Option<Template>,
    /// What the judge has to reply.
    pub form: VerdictForm,
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

/// Reads those of `keys` that several types of judges take.
fn decode(
    form: &mut Form<'_, '_, '_>,
    keys: &[&'static str],
    default: &'static str,
    verdict: VerdictForm,
) -> Option<Kind> {
    let written = form.get("judge");
    let judge = match written {
        Some(node) => decode_reference(form, node, builtin::of_type(default)),
        None => parse_reference(default).ok(),
    };
    if let Some(judge) = &judge {
        form.resolve("judge", judge.to_string().into());
    }
    let model = form.get("model").map(|node| decode_model(form, node));
    let has = |form: &mut Form<'_, '_, '_>, key| keys.contains(&key) && form.get(key).is_some();
    let criteria = has(form, "criteria").then(|| form.nonempty("criteria"));
    let context = has(form, "context").then(|| form.text("context"));
    let reference = has(form, "value").then(|| form.nonempty("value"));
    let steps = if has(form, "steps") {
        decode_steps(form)
    } else {
        Some(Vec::new())
    };
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
        criteria: absent_or(criteria)?.map(|(_, template)| template),
        steps: steps?,
        context: absent_or(context)?.map(|(_, template)| template),
        reference: absent_or(reference)?.map(|(_, template)| template),
        form: verdict,
    }))
}

fn decode_scale(form: &mut Form<'_, '_, '_>) -> Option<Scale> {
    let logprobs = form
        .get("logprobs")
        .map_or(Some(true), |node| form.reader.boolean(node, "`logprobs`"));
    let (default, most) = SAMPLES;
    let samples = form.get("samples").map_or(Some(default), |node| {
        let samples = form.reader.whole_u32(node, "`samples`", 1)?;
        if samples > most {
            let message = format!("`samples` is {samples}, at most {most}");
            let help = format!("write a number from 1 to {most}");
            form.reader.error(node.span, "out-of-range", message, help);
            return None;
        }
        Some(samples)
    });
    let (logprobs, samples) = (logprobs?, samples?);
    form.resolve("logprobs", logprobs.into());
    form.resolve("samples", samples.into());
    Some(Scale { logprobs, samples })
}

fn decode_steps(form: &mut Form<'_, '_, '_>) -> Option<Vec<Template>> {
    let node = form.require("steps")?;
    let items = form.reader.list(node, "`steps`")?;
    let steps: Vec<Template> = items
        .iter()
        .filter_map(|item| form.template(item, "a step"))
        .collect();
    (steps.len() == items.len()).then_some(steps)
}

/// The scores of the classes: those given over the defaults.
fn decode_scores(form: &mut Form<'_, '_, '_>) -> Option<ClassScores> {
    let mut scores = ClassScores::default();
    let Some(node) = form.get("scores") else {
        return Some(scores);
    };
    let mut table = Table::new(form.reader, node, "`scores`")?;
    let mut complete = true;
    for (letter, class) in Class::WORDS {
        let Some(node) = table.get(letter) else {
            continue;
        };
        let what = format!("the score of class {letter}");
        match form.reader.number(node, &what, 0.0, 1.0) {
            Some(score) => scores.set(class, score),
            None => complete = false,
        }
    }
    table.finish(form.reader);
    complete.then_some(scores)
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

/// Reads `judge`; of the judges in the program only those of `known` fit the scorer's type.
fn decode_reference(
    form: &mut Form<'_, '_, '_>,
    node: &Node,
    known: &[&str],
) -> Option<JudgeReference> {
    let text = form.reader.text(node, "`judge`")?;
    let reference = match parse_reference(text) {
        Ok(reference) => reference,
        Err(message) => {
            let help = "write prompt and version, such as judges/politeness@v2";
            form.reader.error(node.span, "judge", message, help);
            return None;
        }
    };
    if reference.slug.is_builtin() && !known.contains(&reference.to_string().as_str()) {
        let message = match builtin::text(&reference.to_string()) {
            None => format!("this program has no judge `{reference}`"),
            Some(_) => format!("`{reference}` does not give the reply that this scorer reads"),
        };
        let help = crate::base::decode::choices(&reference.to_string(), known);
        form.reader.error(node.span, "judge", message, help);
        return None;
    }
    Some(reference)
}
