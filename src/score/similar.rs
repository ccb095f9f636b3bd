//! `similar`: how near the answer's meaning is to a text's, by the cosine of their embeddings. Its
//! declared form, the texts to ask about and the reading of the reply stand here; who may ask models
//! asks.

use std::borrow::Cow;

use super::answer::{Finding, Score, quote};
use super::error::{Fault, ScorerError};
use super::evaluate;
use super::form::{Form, ScorerType};
use super::spec::{Kind, ScorerSpec};
use super::template::Operand;
use crate::base::Name;
use crate::chat::{Message, Params, Request, Role};
use crate::dataset::Case;

/// The types of this family.
pub const TYPES: &[ScorerType] = &[ScorerType::new(
    "similar",
    &["value", "model", "threshold"],
    decode,
)];

/// The least cosine that passes, unless the scorer says otherwise: promptfoo's.
const LEAST: f64 = 0.75;

/// A text whose meaning the answer should have.
#[derive(Debug, Clone)]
pub struct Similar {
    /// The model whose embeddings are compared, an entry of `judge_models` or `models`.
    pub model: Name,
    value: Operand,
    least: f64,
}

/// Why a reply holds no cosines.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the reply is not the list of {wanted} cosines from -1 to 1")]
pub struct NoCosines {
    wanted: usize,
}

fn decode(form: &mut Form<'_, '_, '_>) -> Option<Kind> {
    let value = form.alternatives("value");
    let node = form.require("model");
    let least = form.number("threshold", 0.0, 1.0);
    let node = node?;
    let model = form.reader.text(node, "`model`")?;
    let model = match Name::new(model) {
        Ok(model) => model,
        Err(error) => {
            let help = "name an entry of `judge_models` or `models`";
            form.reader
                .error(node.span, "name", error.to_string(), help);
            return None;
        }
    };
    Some(Kind::Similar(Similar {
        model,
        value: value?,
        least: least.unwrap_or(LEAST),
    }))
}

impl Similar {
    /// The texts that the answer is compared with.
    pub(super) fn values<'c>(&'c self, case: &'c Case) -> Result<Vec<Cow<'c, str>>, Fault> {
        let values = self.value.alternatives(case)?;
        if values.iter().any(|value| value.trim().is_empty()) {
            return Err(Fault::unusable("texts that are not empty", "an empty one"));
        }
        Ok(values)
    }

    /// What is asked about an answer, which comes first; nothing of one without text, which is like
    /// no other.
    ///
    /// # Errors
    /// When the case lacks what the scorer refers to.
    pub fn ask(
        &self,
        spec: &ScorerSpec,
        answer: &str,
        case: &Case,
    ) -> Result<Result<Request, Score>, ScorerError> {
        let values = self
            .values(case)
            .map_err(|fault| fault.of(spec.name.as_str(), &case.id))?;
        if answer.trim().is_empty() {
            let finding = Finding::binary(false, "the answer has no text");
            return Ok(Err(evaluate::conclude(spec, finding)));
        }
        let message = |text: &str| Message {
            role: Role::User,
            content: text.to_owned(),
        };
        let texts = std::iter::once(answer).chain(values.iter().map(AsRef::as_ref));
        Ok(Ok(Request {
            messages: texts.map(message).collect(),
            // Embeddings have no tokens of output that would cost anything.
            params: Params {
                max_tokens: Some(0),
                ..Params::default()
            },
            tools: Vec::new(),
            response_format: None,
        }))
    }

    /// The score that the cosines of a reply mean.
    ///
    /// # Errors
    /// When the reply is anything but one cosine for each text asked about.
    pub fn read(
        &self,
        spec: &ScorerSpec,
        request: &Request,
        reply: &str,
    ) -> Result<Score, NoCosines> {
        let wanted = request.messages.len().saturating_sub(1);
        let cosines: Vec<f64> = serde_json::from_str(reply).map_err(|_| NoCosines { wanted })?;
        let all_good = cosines.iter().all(|cosine| (-1.0..=1.0).contains(cosine));
        if !all_good || cosines.len() != wanted {
            return Err(NoCosines { wanted });
        }
        let texts = request.messages.iter().skip(1);
        let nearest = texts
            .zip(&cosines)
            .max_by(|(_, a), (_, b)| a.total_cmp(b))
            .ok_or(NoCosines { wanted })?;
        let (text, cosine) = (quote(&nearest.0.content), *nearest.1);
        let pass = cosine >= self.least;
        let word = if pass { "at least" } else { "less than" };
        let reason = format!("cosine {cosine:.4} with {text}, {word} {}", self.least);
        let finding = Finding {
            pass,
            ..Finding::graded(cosine, reason)
        };
        Ok(evaluate::conclude(spec, finding))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::decode;
    use super::*;

    fn similar(spec: &ScorerSpec) -> &Similar {
        match &spec.kind {
            Kind::Similar(similar) => similar,
            other => panic!("{other:?}"),
        }
    }

    fn case(expected: &str) -> Case {
        let expected: serde_json::Value = serde_json::from_str(expected).unwrap();
        super::super::tests::case(&serde_json::json!({ "expected": expected }))
    }

    fn read(declared: &str, texts: usize, reply: &str) -> Result<(bool, f64, String), NoCosines> {
        let spec = decode(declared).unwrap();
        let message = |number| Message {
            role: Role::User,
            content: format!("text {number}"),
        };
        let request = Request {
            messages: (0..=texts).map(message).collect(),
            params: Params::default(),
            tools: Vec::new(),
            response_format: None,
        };
        let score = similar(&spec).read(&spec, &request, reply)?;
        Ok((score.pass, score.score, score.reason))
    }

    const PLAIN: &str = "{type: similar, value: a, model: e}";

    #[test]
    fn the_best_cosine_counts_and_must_reach_the_threshold() {
        let (pass, score, reason) = read(PLAIN, 2, "[0.2, 0.8]").unwrap();
        assert!(pass && (score - 0.8).abs() < 1e-12);
        assert_eq!(reason, "cosine 0.8000 with `text 2`, at least 0.75");
        assert!(read(PLAIN, 1, "[0.75]").unwrap().0);
        assert!(!read(PLAIN, 1, "[0.7499]").unwrap().0);
        let below = read(PLAIN, 1, "[-0.5]").unwrap();
        assert_eq!((below.0, below.1), (false, 0.0));
        let low = "{type: similar, value: a, model: e, threshold: 0.1}";
        assert!(read(low, 1, "[0.2]").unwrap().0);
        let turned = "{type: not-similar, value: a, model: e}";
        let (pass, score, _) = read(turned, 1, "[0.2]").unwrap();
        assert!(pass && (score - 0.8).abs() < 1e-12);
        assert!(!read(turned, 1, "[0.9]").unwrap().0);
    }

    #[test]
    fn a_reply_that_is_no_list_of_cosines_is_an_error_and_never_a_fail() {
        let wrong = [
            "",
            "yes",
            "0.9",
            "[]",
            "[0.9, 0.9]",
            "[1.5]",
            "[-1.5]",
            "[null]",
            "[\"0.9\"]",
            "[0.9",
            "{\"cosine\": 0.9}",
            "[1e999]",
        ];
        for reply in wrong {
            assert!(read(PLAIN, 1, reply).is_err(), "{reply}");
        }
    }

    #[test]
    fn the_answer_comes_first_and_one_without_text_is_not_asked_about() {
        let spec = decode("{type: similar, value: '{{expected}}', model: e}").unwrap();
        let both = case(r#"["x", "y"]"#);
        let request = similar(&spec).ask(&spec, "answer", &both).unwrap().unwrap();
        let texts: Vec<&str> = request
            .messages
            .iter()
            .map(|m| m.content.as_str())
            .collect();
        assert_eq!(texts, ["answer", "x", "y"]);
        for empty in ["", " \n\t"] {
            let score = similar(&spec)
                .ask(&spec, empty, &both)
                .unwrap()
                .unwrap_err();
            assert!(!score.pass && score.score == 0.0);
        }
        for wrong in [r#""""#, r#"["x", ""]"#, "[]", "null"] {
            assert!(
                similar(&spec).ask(&spec, "a", &case(wrong)).is_err(),
                "{wrong}"
            );
            assert!(spec.check_case(&case(wrong)).is_some(), "{wrong}");
        }
        assert!(spec.check_case(&both).is_none());
    }

    #[test]
    fn needs_a_value_and_a_model() {
        for wrong in [
            "{type: similar, value: a}",
            "{type: similar, model: e}",
            "{type: similar, value: [], model: e}",
            "{type: similar, value: a, model: 'Not A Name'}",
            "{type: similar, value: a, model: e, threshold: 2}",
            "{type: all-of, scorers: [{type: similar, value: a, model: e}]}",
        ] {
            assert!(decode(wrong).is_err(), "{wrong}");
        }
    }
}
