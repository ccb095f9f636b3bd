//! The self-check of `gate compare v7 v7`: what a gate says of a version that did not change.

use std::collections::BTreeSet;

use super::error::CommandError;
use super::run::policy_of;
use crate::analysis::{CaseTable, Fill, Measure, Pairing, flaky_cases};
use crate::base::text;
use crate::record::{Arm, Run};
use crate::stats::mean;
use crate::stats::power::{Risk, graded_mde, paired_mde};
use crate::verdict::rehearse_unchanged;

/// Cases times draws: a check takes a moment, whatever the suite's size.
const WORK: usize = 400_000;

/// Flaky cases that are named.
const NAMED: usize = 10;

/// What a run of one version against itself shows; nothing for any other run.
///
/// # Errors
/// When the policy in the log can not be read.
pub fn notes(run: &Run) -> Result<Vec<String>, CommandError> {
    let hash = |arm| run.header.arm(arm).map(|header| header.hash);
    let same = hash(Arm::Baseline).is_some() && hash(Arm::Baseline) == hash(Arm::Candidate);
    let is_stored = run
        .header
        .arms
        .iter()
        .any(|arm| arm.reference.starts_with("run:"));
    if !same || is_stored || !run.is_complete() {
        return Ok(Vec::new());
    }
    let table = CaseTable::of_run(run).gated().into_owned();
    let pairing = Pairing::new(&table);
    let pairs = pairing.pairs(&pairing.all, Measure::Pass, Fill::LeaveOut);
    if pairs.n() == 0 {
        return Ok(Vec::new());
    }
    let policy = policy_of(&run.header)?;
    let draws = (WORK / table.rows.len().max(1)).clamp(100, 1000);
    let rehearsal = rehearse_unchanged(&table, &run.scorers, &policy, draws, run.header.seed);
    let (worse, better) = pairs.moved();
    let n = usize::try_from(pairs.n()).unwrap_or(usize::MAX);
    let moved = usize::try_from(worse + better).unwrap_or(usize::MAX);
    let mut notes = vec![format!(
        "Self-check: both sides are the same version. {} of {} changed all the same (churn {:.1} %).",
        text::thousands(moved),
        text::count(n, "case"),
        100.0 * (worse + better) as f64 / pairs.n() as f64
    )];
    notes.extend(flaky(run, &table));
    notes.push(format!(
        "Of this policy on these cases without a change: {:.1} % of runs fail (false alarms), {:.1} % pass, {:.1} % are undecided ({}).",
        100.0 * rehearsal.share(rehearsal.fail),
        100.0 * rehearsal.share(rehearsal.pass),
        100.0 * rehearsal.share(rehearsal.inconclusive),
        text::count(draws, "simulated run"),
    ));
    let risk = Risk::new(policy.alpha, policy.power).ok();
    let mde = risk.and_then(|risk| {
        if pairing.repeated || pairs.clusters.is_some() {
            let error = mean::estimate(&pairs.differences().ok()?)
                .ok()?
                .standard_error;
            return graded_mde(error * (pairs.n() as f64).sqrt(), pairs.n(), risk).ok()?;
        }
        paired_mde(pairs.counts.planning_churn(), pairs.n(), risk).ok()?
    });
    notes.push(match mde {
        Some(mde) => format!(
            "With this churn {} find a loss of {:.1} points or more in {:.0} of 100 runs.",
            text::count(n, "case"),
            100.0 * mde,
            100.0 * policy.power
        ),
        None => format!(
            "With this churn {} find no loss in {:.0} of 100 runs, however large.",
            text::count(n, "case"),
            100.0 * policy.power
        ),
    });
    Ok(notes)
}

/// The cases whose trials disagree, within a side or between the two.
fn flaky(run: &Run, table: &CaseTable<'_>) -> Option<String> {
    let within = [Arm::Baseline, Arm::Candidate]
        .into_iter()
        .flat_map(|arm| flaky_cases(table, arm))
        .map(|case| case.id.to_owned());
    let mut ids: BTreeSet<String> = within.collect();
    let between = table.rows.iter().filter(|row| {
        let before = row
            .baseline
            .as_ref()
            .and_then(crate::analysis::ArmCell::pass);
        before.is_some_and(|before| row.candidate.pass().is_some_and(|after| before != after))
    });
    ids.extend(between.map(|row| row.id.to_owned()));
    if ids.is_empty() {
        return None;
    }
    let order = run.cases.iter().map(|case| case.id.as_str());
    let named: Vec<String> = order
        .filter(|id| ids.contains(*id))
        .take(NAMED)
        .map(text::visible_line)
        .collect();
    let more = ids.len() - named.len();
    let more = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    Some(format!("Flaky: {}{more}.", named.join(", ")))
}
