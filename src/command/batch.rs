//! `--batch`: whether a run can be asked for in batches, and what a reader of its result should know.

use super::error::CommandError;
use super::project::Project;
use super::run::policy_of;
use crate::analysis::Amount;
use crate::record::{Run, RunHeader};
use crate::runner::Job;
use crate::verdict::policy::{Metric, Mode};

/// Refuses `--batch` for a run whose model has no batches, or that decides by latency: an answer out of
/// a batch has none.
///
/// # Errors
/// When `--batch` is set and can not be done.
pub fn check(project: &Project, job: &Job, header: &RunHeader) -> Result<(), CommandError> {
    if !project.settings.batch || project.settings.offline {
        return Ok(());
    }
    let asked = job.arms.iter().filter(|arm| arm.stored.is_none());
    for arm in asked {
        let spec = &arm.endpoint.spec;
        if arm.endpoint.batches().is_none() {
            return Err(CommandError::usage(
                format!(
                    "--batch: provider `{}` of model `{}` has no batches here",
                    spec.provider.as_str(),
                    spec.name
                ),
                "leave out --batch, or use openai, openai-responses or anthropic",
            ));
        }
    }
    let own = job.own_scorers.values().flatten();
    let timed = job.scorers.iter().chain(own).find(|scorer| {
        scorer.type_name == "latency" || scorer.resolved().to_string().contains("latency_ms")
    });
    let no_latency = |what: String| {
        CommandError::usage(
            format!("--batch: {what} needs a latency, and an answer out of a batch has none"),
            "leave out --batch for this suite",
        )
    };
    if let Some(scorer) = timed {
        return Err(no_latency(format!("scorer `{}`", scorer.name)));
    }
    let by_latency = policy_of(header)?
        .metrics
        .iter()
        .any(|rule| rule.metric == Metric::Amount(Amount::LatencyMs) && rule.mode == Mode::Gate);
    if by_latency {
        return Err(no_latency("the gating metric `latency_ms`".to_owned()));
    }
    Ok(())
}

/// What batches mean for the numbers of a run.
#[must_use]
pub fn note(run: &Run) -> Option<String> {
    (!run.batches.is_empty()).then(|| {
        "answers came in batches: they have no latency, `cost_usd` is the price of direct answers and \
         `spent_usd` what was paid; judges were asked directly"
            .to_owned()
    })
}
