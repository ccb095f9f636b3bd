//! Looks at a run before its end, where its policy may stop early.

use super::error::CommandError;
use super::run::policy_of;
use crate::analysis::CaseTable;
use crate::record::{FinishReason, Outcome, Run, RunHeader, Skip};
use crate::runner::job::Looks;
use crate::verdict::early::{look_ends, stops};
use crate::verdict::{DecisionContext, Policy};

/// When a run of so many cases is looked at. A run of one arm has nothing to compare; of a shard's
/// cases the others know nothing, so that only the whole is decided, at the last look's level.
///
/// # Errors
/// When the policy in the header can not be read.
pub fn looks(header: &RunHeader, cases: usize) -> Result<Option<Looks>, CommandError> {
    let policy = policy_of(header)?;
    let mut ends = look_ends(policy.early_stop, cases);
    // At the end the whole run is decided.
    ends.pop();
    if ends.is_empty() || header.arms.len() < 2 || header.shard.is_some() {
        return Ok(None);
    }
    let trials = header.arms.len() * header.repeat as usize;
    let after = ends.iter().map(|end| end * trials).collect();
    let total = ends.len() + 1;
    Ok(Some(Looks {
        after,
        stops: Box::new(move |run| why(run, &policy, &ends, total)),
    }))
}

/// Why a run stops with the answers it has, if it does.
fn why(run: &Run, policy: &Policy, ends: &[usize], total: usize) -> Option<String> {
    let mut seen = run.clone();
    for trial in seen
        .trials
        .iter_mut()
        .filter(|trial| trial.outcome.is_none())
    {
        trial.outcome = Some(Outcome::Skipped);
        trial.skipped = Some(Skip::Stopped);
    }
    seen.finished = Some(FinishReason {
        reason: "stopped".to_owned(),
        message: None,
    });
    let table = CaseTable::of_run(&seen);
    let context = DecisionContext::of_run(&seen);
    stops(&table, &seen.scorers, policy, &context)?;
    let came = table
        .rows
        .iter()
        .filter(|row| row.candidate.stopped == 0)
        .count();
    let look = 1 + ends.iter().filter(|end| **end < came).count();
    Some(format!(
        "the loss was shown at look {look} of {total} (early_stop: {})",
        policy.early_stop.as_str()
    ))
}
