//! Assertions that a model grades, as judges of ours. A judge of ours has a prompt and a scale of its
//! own, so every one of them is said to have changed.

use serde_json::{Value as Json, json};

use super::assertion::{Converter, Outcome, Written};
use super::javascript::Scorer;
use super::kinds::{has, scorer, template, value_text};
use crate::base::{Node, Value};

/// The types of ours that ask a model.
pub const IS_JUDGE: [&str; 5] = [
    "judge",
    "factuality",
    "answer-relevance",
    "faithfulness",
    "g-eval",
];

const OTHER_JUDGE: &str = "it is judged by our prompt, with scores 0 to 1 in quarters: compare with labels (gate calibrate)";

/// What a graded assertion becomes; `None` where no model grades it.
pub fn judged(converter: &mut Converter<'_>, written: &Written<'_>) -> Option<Outcome> {
    let made = match written.kind {
        "llm-rubric" | "model-graded-closedqa" => rubric(converter, written),
        "g-eval" => g_eval(converter, written),
        "factuality" | "model-graded-factuality" => factuality(converter, written),
        "answer-relevance" => Ok(relevance(written)),
        "context-faithfulness" => faithfulness(converter, written),
        "context-recall" => context(converter, written, RECALL),
        "context-relevance" => context(converter, written, CONTEXT_RELEVANCE),
        "conversation-relevance" => Err("a case here is one turn".to_owned()),
        _ => return None,
    };
    Some(match made {
        Ok(scorer) => named_model(converter, written, scorer),
        Err(why) => Outcome::Nothing(why),
    })
}

const RECALL: &str = "Every statement of the reference answer can be attributed to the context.";
const CONTEXT_RELEVANCE: &str =
    "The context holds what is needed to answer the question, and little that is not.";
const RELEVANCE: &str = "The answer answers the question that was asked, and nothing else.";
const FAITHFUL: &str = "Every statement of the answer follows from the context.";

/// The criteria of a rubric, turned over in words where the assertion is.
fn criteria(text: &str, negated: bool) -> Json {
    if negated {
        return format!("The answer does not meet the following: {text}").into();
    }
    text.into()
}

fn with_threshold(mut made: Scorer, threshold: Option<f64>) -> Scorer {
    if let Some(threshold) = threshold.filter(|threshold| (0.0..=1.0).contains(threshold)) {
        made.insert("threshold".to_owned(), json!(threshold));
    }
    made
}

fn rubric(converter: &Converter<'_>, written: &Written<'_>) -> Result<Scorer, String> {
    let text = value_text(converter, written)?.filter(|text| !text.trim().is_empty());
    let text = template(converter, &text.ok_or("it has no `value`")?)?;
    let made = scorer("judge", &[("criteria", criteria(&text, written.negated))]);
    let threshold = written.number("threshold").filter(|_| !written.negated);
    Ok(with_threshold(made, threshold))
}

fn g_eval(converter: &Converter<'_>, written: &Written<'_>) -> Result<Scorer, String> {
    let text = match written.get("value").map(|node| &node.value) {
        Some(Value::List(items)) => {
            let items = items.iter().filter_map(Node::as_text);
            items.collect::<Vec<_>>().join("\n")
        }
        _ => value_text(converter, written)?.unwrap_or_default(),
    };
    if text.trim().is_empty() {
        return Err("it has no `value`".to_owned());
    }
    let text = template(converter, &text)?;
    let made = scorer("judge", &[("criteria", criteria(&text, written.negated))]);
    let threshold = written.number("threshold").unwrap_or(0.7);
    Ok(with_threshold(
        made,
        Some(threshold).filter(|_| !written.negated),
    ))
}

fn factuality(converter: &Converter<'_>, written: &Written<'_>) -> Result<Scorer, String> {
    let text = value_text(converter, written)?.filter(|text| !text.trim().is_empty());
    let text = template(converter, &text.ok_or("it has no `value`")?)?;
    if has("factuality") && !written.negated {
        return Ok(scorer("factuality", &[("value", text.into())]));
    }
    let rubric = format!("The answer agrees in its facts with this reference: {text}");
    Ok(scorer(
        "judge",
        &[("criteria", criteria(&rubric, written.negated))],
    ))
}

fn relevance(written: &Written<'_>) -> Scorer {
    let threshold = written.number("threshold");
    let made = if has("answer-relevance") && !written.negated {
        scorer("answer-relevance", &[])
    } else {
        scorer(
            "judge",
            &[("criteria", criteria(RELEVANCE, written.negated))],
        )
    };
    with_threshold(made, threshold.filter(|_| !written.negated))
}

/// The context as a judge gets it: what the assertion's `context` variable holds.
fn context_text(converter: &Converter<'_>) -> Result<String, String> {
    if !converter.vars.contains_key("context") {
        return Err("the test has no variable `context`".to_owned());
    }
    template(converter, "{{context}}")
}

fn faithfulness(converter: &Converter<'_>, written: &Written<'_>) -> Result<Scorer, String> {
    let context = context_text(converter)?;
    let made = if has("faithfulness") && !written.negated {
        scorer("faithfulness", &[("context", context.into())])
    } else {
        let criteria = criteria(FAITHFUL, written.negated);
        scorer(
            "judge",
            &[("criteria", criteria), ("context", context.into())],
        )
    };
    Ok(with_threshold(
        made,
        written.number("threshold").filter(|_| !written.negated),
    ))
}

fn context(
    converter: &Converter<'_>,
    written: &Written<'_>,
    rubric: &str,
) -> Result<Scorer, String> {
    let context = context_text(converter)?;
    let reference = value_text(converter, written)?;
    let rubric = match reference {
        Some(text) => format!("{rubric} The reference: {}", template(converter, &text)?),
        None => rubric.to_owned(),
    };
    let criteria = criteria(&rubric, written.negated);
    let made = scorer(
        "judge",
        &[("criteria", criteria), ("context", context.into())],
    );
    Ok(with_threshold(
        made,
        written.number("threshold").filter(|_| !written.negated),
    ))
}

/// The judge with the model that the assertion or its test names.
fn named_model(converter: &mut Converter<'_>, written: &Written<'_>, mut made: Scorer) -> Outcome {
    let own = written
        .get("provider")
        .map(|node| (super::Place::of(&written.place.source, node), node.clone()));
    if let Some((place, node)) = own.as_ref().or(converter.grader) {
        if let Some(name) = converter.graders.name(place, node, converter.ledger) {
            made.insert("model".to_owned(), name.into());
        }
    } else {
        converter.graders.default_needed(&written.place);
    }
    Outcome::Turned(made, Some(OTHER_JUDGE.to_owned()))
}
