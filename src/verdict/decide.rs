//! The decision: all rules of a policy on a table of cases, what missing pairs could change, and
//! the verdict. Fails closed: what does not add up is an error, never a pass.

use std::sync::Arc;

use super::calibration::Judges;
use super::policy::{OnInconclusive, Policy};
use super::quarantine::Quarantine;
use super::reason::{self, Account};
use super::rule::{Decision, FamilyNote, MissingNote, RuleVerdict, Verdict};
use super::rules::missing::look;
use super::rules::scenario::Ground;
use super::several::Among;
use crate::analysis::{ArmCell, CaseTable, PairState, Pairing};
use crate::record::{Amount, Arm, FinishReason, Run};

/// What a decision needs to know of a run besides its results.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct DecisionContext<'a> {
    /// The seed of resampling.
    pub seed: u64,
    /// How sentences name the baseline.
    pub baseline: &'a str,
    /// How sentences name the candidate.
    pub candidate: &'a str,
    /// Whether the run did all that was planned, or was stopped because nothing could change.
    pub complete: bool,
    /// How the run ended, where it ended early.
    pub ended: Option<&'a FinishReason>,
    /// Trials planned for each arm, to be found again in the table.
    pub planned_trials: Option<u64>,
    /// What a flag narrowed the run to, in words.
    pub filter: Option<&'a str>,
    /// Whether nothing was allowed to leave the machine.
    pub offline: bool,
    /// What the comparison pays for standing among several of one command.
    pub among: Among,
    /// What is known of the run's judges.
    pub judges: Judges<'a>,
}

/// The reason to end that is no accident: nothing to come could change the verdict.
const STOPPED: &str = "stopped";

impl<'a> DecisionContext<'a> {
    /// The context of a run of ours.
    #[must_use]
    pub fn of_run(run: &'a Run) -> Self {
        let ended = run.finished.as_ref().filter(|end| !end.is_complete());
        let stopped = ended.is_some_and(|end| end.reason == STOPPED);
        Self {
            seed: run.header.seed,
            baseline: run.header.label(Arm::Baseline),
            candidate: run.header.label(Arm::Candidate),
            complete: run.is_complete() || stopped,
            ended: ended.filter(|_| !stopped),
            planned_trials: Some(run.header.trials_per_arm() as u64),
            filter: run.header.filter.as_deref(),
            offline: run.header.offline,
            among: Among::bonferroni(run.header.matrix.len()),
            judges: Judges {
                calibrations: &run.header.calibrations,
                at: Some(run.started_at),
                served: &run.judges_served,
                fails_without: false,
            },
        }
    }
}

/// Why no verdict can be formed.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Unusable {
    /// The run ended early.
    Ended { word: String, message: String },
    /// Too many pairs have no answer.
    Missing { missing: u64, planned: u64 },
    /// The results contradict each other or the plan.
    Internal(&'static str),
}

/// Decides whether the candidate may replace the baseline (statistics.md sections 2 and 4). A table
/// without a baseline is judged by the absolute rules alone.
#[must_use]
pub fn decide(
    table: &CaseTable<'_>,
    scorer_names: &[Arc<str>],
    policy: &Policy,
    context: &DecisionContext<'_>,
) -> Decision {
    let quarantine = Quarantine::of_table(table);
    let broken = check(table, context.planned_trials).err();
    let table = &*table.gated();
    let pairing = Pairing::new(table);
    let planned = table.rows.len() as u64;
    let missing = pairing.count(PairState::Missing);
    let offline = pairing.count(PairState::Offline);
    let stopped = pairing.count(PairState::Stopped);
    let unusable = broken
        .map(Unusable::Internal)
        .or_else(|| unusable(table, policy, context, missing));
    if let Some(Unusable::Internal(_)) = unusable {
        return refused(policy, unusable, context);
    }
    let ground = Ground::new(&pairing, scorer_names, policy, context);
    let outlook = look(&ground, missing);
    let unanswered_offline = offline > 0 || has_unanswered_offline(table);
    let verdict = match outlook.verdict {
        _ if unusable.is_some() => Verdict::Error,
        Verdict::Pass if unanswered_offline || quarantine.is_too_large() => Verdict::Inconclusive,
        verdict => verdict,
    };
    let note = MissingNote {
        planned,
        missing,
        offline,
        stopped,
        without: outlook.without,
    };
    let account = Account {
        policy,
        context,
        scenario: &outlook.scenario,
        missing: note,
        verdict,
        unusable: unusable.as_ref(),
        repeated: pairing.repeated,
        unanswered_offline,
        quarantine,
    };
    let mut rules = account.rules();
    if unusable.is_some() {
        for rule in &mut rules {
            rule.verdict = RuleVerdict::Skipped;
            rule.reason = format!("no verdict on this run; {}", rule.reason);
        }
    }
    Decision {
        verdict,
        reason: account.word(),
        message: account.message(),
        notes: account.notes(),
        rules,
        family: outlook.scenario.family,
        missing: (missing + offline + stopped > 0).then_some(note),
        blocks_inconclusive: policy.on_inconclusive == OnInconclusive::Block
            || unanswered_offline
            || quarantine.is_too_large(),
        preset: policy.preset.as_str(),
    }
}

/// A decision without a look at the results, which contradict each other.
fn refused(policy: &Policy, unusable: Option<Unusable>, context: &DecisionContext<'_>) -> Decision {
    let unusable = unusable.unwrap_or(Unusable::Internal("unknown"));
    Decision {
        verdict: Verdict::Error,
        reason: reason::unusable_word(&unusable),
        message: reason::unusable_message(&unusable, policy),
        notes: reason::filter_note(context).into_iter().collect(),
        rules: Vec::new(),
        family: FamilyNote::default(),
        missing: None,
        blocks_inconclusive: policy.on_inconclusive == OnInconclusive::Block,
        preset: policy.preset.as_str(),
    }
}

fn unusable(
    table: &CaseTable<'_>,
    policy: &Policy,
    context: &DecisionContext<'_>,
    missing: u64,
) -> Option<Unusable> {
    if let Some(end) = context.ended {
        return Some(Unusable::Ended {
            word: end.reason.clone(),
            message: end.message.clone().unwrap_or_default(),
        });
    }
    if !context.complete {
        return Some(Unusable::Ended {
            word: "interrupted".to_owned(),
            message: String::new(),
        });
    }
    let planned = table.rows.len() as u64;
    let too_many = missing as f64 > policy.max_missing * planned as f64;
    too_many.then_some(Unusable::Missing { missing, planned })
}

/// Whether an answer is missing that an offline run could not get, in a finished pair too.
fn has_unanswered_offline(table: &CaseTable<'_>) -> bool {
    table.rows.iter().any(|row| {
        row.candidate.offline > 0 || row.baseline.as_ref().is_some_and(|cell| cell.offline > 0)
    })
}

/// Whether the counts of a table add up.
fn check(table: &CaseTable<'_>, planned: Option<u64>) -> Result<(), &'static str> {
    let mut trials = (0, 0);
    for row in &table.rows {
        if row.baseline.is_some() != table.has_baseline {
            return Err("a case has a baseline where others have none");
        }
        if let Some(cell) = &row.baseline {
            check_cell(cell)?;
            trials.0 += u64::from(cell.planned());
        }
        check_cell(&row.candidate)?;
        trials.1 += u64::from(row.candidate.planned());
    }
    let adds_up = |found: u64| planned.is_none_or(|planned| planned == found);
    if adds_up(trials.1) && (!table.has_baseline || adds_up(trials.0)) {
        Ok(())
    } else {
        Err("the trials found are not the trials planned")
    }
}

fn check_cell(cell: &ArmCell) -> Result<(), &'static str> {
    let unit = |value: f64| (0.0..=1.0).contains(&value);
    let amount = |value: Option<f64>| value.is_none_or(|value| value.is_finite() && value >= 0.0);
    if cell
        .offline
        .checked_add(cell.stopped)
        .is_none_or(|sum| sum > cell.skipped)
    {
        return Err("more trials are accounted for as skipped than were skipped");
    }
    if cell
        .faults
        .iter()
        .map(|count| u64::from(*count))
        .sum::<u64>()
        > u64::from(cell.finished())
    {
        return Err("there are more faults of answers than answers");
    }
    let scores = cell.scorer_scores.iter().map(|(_, score)| *score);
    if !scores.chain(cell.score).all(unit) {
        return Err("a score is not between 0 and 1");
    }
    let amounts = [
        cell.cost_usd,
        cell.latency_ms,
        cell.input_tokens,
        cell.output_tokens,
    ];
    if amounts.into_iter().map(Amount::get).all(amount) {
        Ok(())
    } else {
        Err("an amount is negative or no number")
    }
}
