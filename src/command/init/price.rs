//! What the first look at the answers costs.

use crate::chat::ModelSpec;
use crate::command::prepare::{self, Wanted};
use crate::command::versions::Versions;
use crate::command::{Project, dryrun, suites};
use crate::dataset::Filter;
use crate::plan::estimate::Estimate;
use crate::record::Arm;
use crate::registry::reference::VersionRef;
use crate::suite::Suite;

/// The price of `gate run` on a suite, in words; `None` where it can not be told.
#[must_use]
pub fn price(project: &Project, suite: &str) -> Option<String> {
    let (all, _) = suites::load_all(project).ok()?;
    let suite = all.into_iter().find(|found| found.name.as_str() == suite)?;
    if suite.models.iter().all(|model| !model.provider.is_remote()) {
        return Some("free, nothing leaves the machine".to_owned());
    }
    let estimates: Option<Vec<Estimate>> = suite
        .models
        .iter()
        .map(|model| of_model(project, &suite, model))
        .collect();
    let estimates = estimates?;
    let requests: u64 = estimates.iter().map(|estimate| estimate.requests).sum();
    let costs: Option<Vec<(f64, f64)>> =
        estimates.iter().map(|estimate| estimate.cost_usd).collect();
    let requests = crate::base::text::count(usize::try_from(requests).ok()?, "request");
    Some(match costs {
        Some(costs) => {
            let most: f64 = costs.iter().map(|(_, most)| most).sum();
            format!("{requests}, at most {most:.4} USD")
        }
        None => format!("{requests}, price unknown (no `max_tokens`, or no price for the model)"),
    })
}

fn of_model(project: &Project, suite: &Suite, model: &ModelSpec) -> Option<Estimate> {
    let versions = Versions::of(project, suite);
    let resolved = versions.resolve(&VersionRef::Worktree).ok()?;
    let wanted = Wanted {
        command: "run",
        suite,
        model,
        arms: vec![(Arm::Candidate, resolved)],
        filter: &Filter::default(),
        shard: None,
        allow_empty: true,
    };
    let prepared = prepare::prepare(project, &wanted).ok()??;
    let policy = &suite.policy;
    let forecast = dryrun::forecast(project, &prepared, policy.alpha, policy.power, None).ok()?;
    Some(forecast.answers.estimate)
}
