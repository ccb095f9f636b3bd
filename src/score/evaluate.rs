//! Applies a scorer to an answer: transforms, the assertion itself, threshold, negation.

use std::borrow::Cow;

use super::answer::{Answer, Context, Finding, MAX_REASON, Score};
use super::assertion::{Assertion, Input};
use super::error::{Fault, ScorerError};
use super::spec::{Kind, ScorerSpec};
use super::transform::{self, Nothing};
use crate::base::text;
use crate::chat::{Finish, Usage};
use crate::dataset::Case;

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
    if spec.asks() {
        return Err(ScorerError::IsJudge {
            scorer: spec.name.to_string(),
        });
    }
    find(spec, answer, context).map_err(|fault| fault.of(spec.name.as_str(), &context.case.id))
}

/// As [`score`], with the fault of a case or a bound instead of an error that names the scorer.
pub(super) fn find(
    spec: &ScorerSpec,
    answer: &Answer<'_>,
    context: &Context<'_>,
) -> Result<Score, Fault> {
    let transformed = match transform::apply(&spec.transform, answer.text) {
        Ok(text) => text,
        Err(nothing) => return without_text(nothing),
    };
    let shown = transform::shown(&spec.transform, answer.text, &transformed);
    let input = Input {
        text: &transformed,
        shown,
        answer,
        context,
    };
    match &spec.kind {
        Kind::Assertion(assertion) => {
            let mut score = conclude(spec, assertion.find(&input)?);
            if !score.pass && shown != transformed {
                let how = transform::describe(&spec.transform);
                score.reason = shortened(format!("{} ({how})", score.reason));
            }
            Ok(score)
        }
        Kind::Judge(_) | Kind::Panel(_) | Kind::Exec(_) | Kind::Similar(_) => Err(Fault::Limit(
            "a judge has no score without a reply".to_owned(),
        )),
    }
}

/// The answer's text after the scorer's transforms, or the score where one found nothing.
///
/// # Errors
/// When a transform can not be applied, which is no fault of the answer.
pub fn transformed<'a>(
    spec: &ScorerSpec,
    answer: &Answer<'a>,
    context: &Context<'_>,
) -> Result<Result<Cow<'a, str>, Score>, ScorerError> {
    match transform::apply(&spec.transform, answer.text) {
        Ok(text) => Ok(Ok(text)),
        Err(nothing) => without_text(nothing)
            .map(Err)
            .map_err(|fault| fault.of(spec.name.as_str(), &context.case.id)),
    }
}

/// The score where a transform found nothing: a fail, with `not-` too, for what was to be looked at
/// is not there.
pub(super) fn without_text(nothing: Nothing) -> Result<Score, Fault> {
    match nothing {
        Nothing::Fault(fault) => Err(fault),
        Nothing::NotFound(reason) => Ok(Score {
            pass: false,
            score: 0.0,
            reason: shortened(reason),
            parts: Vec::new(),
        }),
    }
}

fn shortened(reason: String) -> String {
    if reason.len() > MAX_REASON {
        text::shorten(&reason, MAX_REASON).into_owned()
    } else {
        reason
    }
}

impl ScorerSpec {
    /// What is wrong with a case for this scorer, whatever the answer: the scorer is tried on an
    /// empty answer. A suite refuses such a case before any request.
    #[must_use]
    pub fn check_case(&self, case: &Case) -> Option<ScorerError> {
        if let Some(reference) = self.missing(case).next() {
            let reference = format!("{{{{{reference}}}}}");
            return Some(Fault::Missing(reference).of(self.name.as_str(), &case.id));
        }
        let answer = Answer {
            text: "",
            finish: &Finish::Stop,
            tool_calls: &[],
            usage: Usage::default(),
            latency_ms: Some(0.0),
            cost_usd: Some(0.0),
        };
        let context = Context {
            case,
            question: "",
            tools: &[],
        };
        let input = Input {
            text: "",
            shown: "",
            answer: &answer,
            context: &context,
        };
        match &self.kind {
            Kind::Judge(_) | Kind::Panel(_) | Kind::Exec(_) => None,
            Kind::Similar(similar) => {
                let fault = similar.values(case).err()?;
                Some(fault.of(self.name.as_str(), &case.id))
            }
            // A program takes nothing from the case that could be missing.
            #[cfg(feature = "javascript")]
            Kind::Assertion(Assertion::Javascript(_)) => None,
            Kind::Assertion(Assertion::Set(set)) => {
                let mut members = set.scorers().iter();
                members.find_map(|scorer| scorer.check_case(case))
            }
            Kind::Assertion(assertion) => {
                let fault = assertion.find(&input).err()?;
                let error = fault.of(self.name.as_str(), &case.id);
                error.is_of_the_case().then_some(error)
            }
        }
    }
}

/// The score that a finding means under the scorer's threshold and negation.
pub(super) fn conclude(spec: &ScorerSpec, finding: Finding) -> Score {
    if finding.absent {
        return Score {
            pass: false,
            score: 0.0,
            reason: shortened(finding.reason),
            parts: Vec::new(),
        };
    }
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
    Score {
        pass: pass != spec.negated,
        score: if spec.negated {
            1.0 - finding.score
        } else {
            finding.score
        },
        reason: shortened(reason),
        parts: Vec::new(),
    }
}
