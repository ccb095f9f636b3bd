//! The order of trials and the digest of a plan. The seed shuffles the cases; the arms of a case
//! and its repeats stay together, so that a provider's drift within the hour hits both arms.

use serde_json::{Value, json};

use crate::base::rng::Stream;
use crate::base::{CaseId, Digest};
use crate::record::{Arm, TrialId};

/// All trials in the order in which they are sent.
#[must_use]
pub fn trial_order(cases: usize, arms: &[Arm], repeat: u32, seed: u64) -> Vec<TrialId> {
    let mut order: Vec<u32> = (0..u32::try_from(cases).unwrap_or(u32::MAX)).collect();
    Stream::new(seed, "order").shuffle(&mut order);
    let mut trials = Vec::with_capacity(cases * arms.len() * repeat as usize);
    for case in order {
        for number in 1..=repeat {
            trials.extend(arms.iter().map(|arm| TrialId {
                case,
                arm: *arm,
                repeat: number,
            }));
        }
    }
    trials
}

/// What a plan's digest covers.
#[derive(Debug, Clone)]
pub struct PlanIdentity<'a> {
    /// The digest of the resolved suite.
    pub suite: Digest,
    /// The digest of the whole dataset.
    pub dataset: Digest,
    /// The ids of the selected cases.
    pub selected: Vec<&'a CaseId>,
    /// The arms with the content hashes of their versions, and for stored answers the run's id.
    pub arms: Vec<(Arm, Digest, Option<String>)>,
    /// The model under test, as in the suite's digest.
    pub model: Value,
    /// The seed.
    pub seed: u64,
    /// The repeats.
    pub repeat: u32,
}

/// The digest of a plan: of everything that decides what is asked and how it is scored.
#[must_use]
pub fn plan_digest(identity: &PlanIdentity<'_>) -> Digest {
    let mut selected = identity.selected.clone();
    selected.sort();
    let arms: Vec<Value> = identity
        .arms
        .iter()
        .map(|(arm, hash, run)| json!({"arm": arm, "hash": hash, "run": run}))
        .collect();
    Digest::of_json(&json!({
        "suite": identity.suite,
        "dataset": identity.dataset,
        "selected": selected,
        "arms": arms,
        "model": identity.model,
        "seed": identity.seed,
        "repeat": identity.repeat,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_arms_of_a_case_together_in_an_order_that_the_seed_fixes() {
        let arms = [Arm::Baseline, Arm::Candidate];
        let order = trial_order(50, &arms, 2, 7);
        assert_eq!(order.len(), 200);
        assert!(order.chunks(4).all(|four| {
            four.iter()
                .all(|trial| Some(trial.case) == four.first().map(|t| t.case))
        }));
        assert_eq!(order, trial_order(50, &arms, 2, 7));
        assert_ne!(order, trial_order(50, &arms, 2, 8));
    }
}
