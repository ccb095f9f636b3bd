//! Applies a scorer to an answer: transforms, the assertion itself, threshold, negation.

use super::answer::{Answer, Context, Finding, MAX_REASON, Score};
use super::assertion::Input;
use super::error::ScorerError;
use super::spec::{Kind, ScorerSpec};
use super::transform;
use crate::base::text;

/// The score of an answer by a deterministic scorer.
///
/// # Errors
/// When the case lacks what the scorer uses, a measured fact is not known, a bound is met, or the
/// scorer is a judge.
pub fn score(
    spec: &ScorerSpec,
    answer: &Answer<'_>,
    context: &Context<'_>,
) -> Result<Score, ScorerError> {
    let transformed = transform::apply(&spec.transform, answer.text);
    let input = Input {
        text: &transformed,
        answer,
        context,
    };
    match &spec.kind {
        Kind::Assertion(assertion) => {
            let finding = assertion
                .find(&input)
                .map_err(|fault| fault.of(spec.name.as_str(), &context.case.id))?;
            Ok(conclude(spec, finding))
        }
        Kind::Judge(_) => Err(ScorerError::IsJudge {
            scorer: spec.name.to_string(),
        }),
    }
}

/// The score that a finding means under the scorer's threshold and negation.
pub(super) fn conclude(spec: &ScorerSpec, finding: Finding) -> Score {
    let pass = spec
        .threshold
        .map_or(finding.pass, |least| finding.score >= least);
    let mut reason = finding.reason;
    if let Some(least) = spec.threshold {
        let word = if pass { "reaches" } else { "is below" };
        reason = format!(
            "{reason} (score {:.4} {word} the threshold {least})",
            finding.score
        );
    }
    if reason.len() > MAX_REASON {
        reason = text::shorten(&reason, MAX_REASON).into_owned();
    }
    Score {
        pass: pass != spec.negated,
        score: if spec.negated {
            1.0 - finding.score
        } else {
            finding.score
        },
        reason,
    }
}
