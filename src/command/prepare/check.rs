//! What is checked before the first request, beside what the readers of files check.

use std::collections::BTreeMap;

use super::{Wanted, model_of};
use crate::base::{Diagnostic, Diagnostics, Source, Span, text};
use crate::chat::Request;
use crate::command::endpoints::Endpoints;
use crate::command::error::CommandError;
use crate::command::init;
use crate::command::judges::ChosenJudge;
use crate::dataset::Case;
use crate::provider::{Call, Subject, Version};
use crate::score::ScorerSpec;
use crate::suite::Suite;
use crate::verdict::EarlyStop;

/// Of one version alone, a scorer that compares two decides nothing; another one has to.
pub(super) fn opponent(wanted: &Wanted<'_>, found: &mut Diagnostics) {
    let decides = |scorer: &&ScorerSpec| scorer.gating && !scorer.is_pairwise();
    if wanted.arms.len() > 1 || wanted.command == "lint" {
        return;
    }
    let scorers = &wanted.suite.scorers;
    if scorers.iter().find(decides).is_none() {
        let message = "every gating scorer compares two versions, and there is one";
        let diagnostic =
            Diagnostic::error("no-scorer", message).at(&wanted.suite.source, Span::default());
        found.push(diagnostic.help("use `gate compare`, or add a scorer that looks at one answer"));
    }
}

/// The e-process counts cases that differ, one independent trial each: with repeats or clusters it has
/// no level, and could never decide.
pub(super) fn early_stop(suite: &Suite, cases: &[Case], found: &mut Diagnostics) {
    if suite.policy.early_stop != EarlyStop::EProcess {
        return;
    }
    let clustered = cases.iter().any(|case| case.cluster.is_some());
    let why = match (suite.repeat > 1, clustered) {
        (true, _) => "several trials of a case",
        (false, true) => "cases in clusters",
        (false, false) => return,
    };
    let message = format!("`early_stop: e-process` can not decide on {why}");
    let diagnostic = Diagnostic::error("early-stop", message).at(&suite.source, Span::default());
    found.push(diagnostic.help("use `early_stop: obrien-fleming`, which can"));
}

/// Cases that `gate init` wrote and nobody has filled in.
pub(super) fn placeholders(suite: &Suite, cases: &[Case], found: &mut Diagnostics) {
    let is_unwritten = |case: &&Case| {
        let mut vars = case.vars.iter();
        vars.any(|(name, value)| init::is_placeholder(name, value))
    };
    let mut unwritten = cases.iter().filter(is_unwritten);
    let Some(first) = unwritten.next() else {
        return;
    };
    let message = format!(
        "{} of {} are placeholders of `gate init`",
        unwritten.count() + 1,
        text::count(cases.len(), "case")
    );
    let id = text::visible_line(first.id.as_str());
    let shown = format!("{{\"id\": \"{id}\", …}}");
    let line = usize::try_from(first.line).unwrap_or(1);
    let source = Source::row(suite.dataset.clone(), &shown, line);
    let span = Span {
        start: 0,
        end: shown.len(),
    };
    let diagnostic = Diagnostic::warning("placeholder", message).at(&source, span);
    found.push(diagnostic.help("write real values in their place: until then a pass says nothing"));
}

/// Cases need `expected` where a judge's prompt needs a reference.
pub(super) fn references(
    suite: &Suite,
    cases: &[Case],
    judges: &BTreeMap<String, ChosenJudge>,
    found: &mut Diagnostics,
) {
    for (name, _) in judges.iter().filter(|(_, judge)| judge.needs_expected) {
        for case in cases.iter().filter(|case| case.expected.is_none()) {
            let message = format!(
                "case `{}` has no `expected`, which judge `{name}` needs as its reference",
                text::visible_line(case.id.as_str())
            );
            let source = Source::row(
                suite.dataset.clone(),
                "",
                usize::try_from(case.line).unwrap_or(1),
            );
            found.push(
                Diagnostic::error("missing-reference", message)
                    .at(&source, Span::default())
                    .help("add `expected` to the case"),
            );
        }
    }
    for scorer in suite.policy.scorers().filter(|name| {
        suite
            .scorers
            .iter()
            .all(|scorer| scorer.name.as_str() != *name)
    }) {
        let known: Vec<&str> = suite
            .scorers
            .iter()
            .map(|scorer| scorer.name.as_str())
            .collect();
        let message =
            format!("the policy has a metric `score.{scorer}`, but there is no such scorer");
        found.push(
            Diagnostic::error("unknown-scorer", message)
                .at(&suite.source, Span::default())
                .help(crate::base::decode::choices(scorer, &known)),
        );
    }
}

/// Puts the first case of each arm into the vendor's form, so that a parameter that the vendor does
/// not take is found before the first request.
pub(super) fn encoding(
    wanted: &Wanted<'_>,
    endpoints: &mut Endpoints<'_>,
    case: Option<&Case>,
) -> Result<(), CommandError> {
    let Some(case) = case else { return Ok(()) };
    let suite = wanted.suite;
    for (side, arm) in wanted.arms.iter().filter(|(_, arm)| arm.stored.is_none()) {
        let model = model_of(wanted, *side);
        let Some(endpoint) = endpoints.get(suite, model, &mut Diagnostics::new())? else {
            continue;
        };
        let Ok(messages) = arm.prompt.render(&case.vars) else {
            continue;
        };
        let request = Request {
            messages,
            params: arm.prompt.params.overlaid(&model.params),
            tools: arm.prompt.tools.clone(),
            response_format: arm.prompt.response_format.clone(),
        };
        let hash = arm.prompt.hash.to_string();
        let version = Version {
            number: arm.prompt.number,
            hash: &hash,
        };
        let subject = Subject {
            case,
            repeat: 1,
            scorer: None,
            version,
        };
        endpoint
            .seal(&Call {
                request: &request,
                subject,
            })
            .map_err(|error| {
                let message = format!(
                    "{} can not be sent to model `{}`: {}",
                    arm.label, model.name, error.message
                );
                let diagnostic =
                    Diagnostic::error("request", message).at(&suite.source, Span::default());
                CommandError::Findings(diagnostic.help(error.help).into())
            })?;
    }
    Ok(())
}
