//! What the runner is given: the plan with prompts, endpoints, prices and judges.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::{Material, Wanted, model_of};
use crate::base::Diagnostics;
use crate::command::embedders;
use crate::command::endpoints::Endpoints;
use crate::command::error::CommandError;
use crate::command::judges::ChosenJudge;
use crate::dataset::Case;
use crate::plan::trial_order;
use crate::record::Arm;
use crate::runner::{ArmJob, Job, JudgeJob};
use crate::score::ScorerSpec;
use crate::suite::Suite;

pub(super) fn job(
    wanted: &Wanted<'_>,
    cases: &Arc<Vec<Case>>,
    material: Material<'_>,
) -> Result<Job, CommandError> {
    let suite = wanted.suite;
    let Material {
        mut own,
        judges,
        mut endpoints,
        ..
    } = material;
    let arms: Vec<Arm> = wanted.arms.iter().map(|(arm, _)| *arm).collect();
    let arm_jobs = arm_jobs(wanted, &mut endpoints)?;
    let own_scorers: HashMap<u32, Vec<ScorerSpec>> = cases
        .iter()
        .zip(0u32..)
        .filter_map(|(case, index)| Some((index, own.remove(&case.id)?)))
        .collect();
    let all_scorers = suite.scorers.iter().chain(own_scorers.values().flatten());
    let commands = endpoints.scorer_commands(all_scorers.clone())?;
    let mut none = Diagnostics::new();
    let embedders = embedders::load(&mut endpoints, suite, all_scorers, &mut none)?;
    Ok(Job {
        own_scorers,
        order: trial_order(cases.len(), &arms, suite.repeat, suite.seed),
        cases: Arc::clone(cases),
        arms: arm_jobs,
        scorers: suite.scorers.clone(),
        scoring: crate::score::score,
        judges: judge_jobs(suite, judges, &mut endpoints)?,
        commands,
        embedders,
        score_faults: suite.score_faults.clone(),
        looks: None,
        prior: None,
    })
}

fn arm_jobs(
    wanted: &Wanted<'_>,
    endpoints: &mut Endpoints<'_>,
) -> Result<Vec<ArmJob>, CommandError> {
    let suite = wanted.suite;
    let first = wanted.arms.first();
    let first_hash = first.map(|(_, resolved)| resolved.prompt.hash);
    let mut jobs = Vec::with_capacity(wanted.arms.len());
    for (index, (arm, resolved)) in wanted.arms.iter().enumerate() {
        let model = model_of(wanted, *arm);
        let Some(endpoint) = endpoints.get(suite, model, &mut Diagnostics::new())? else {
            continue;
        };
        // The same version of the same model: its repeats are numbered on, to be answers of their own.
        let is_same_version = index > 0 && Some(resolved.prompt.hash) == first_hash;
        let is_same = is_same_version && suite.candidate_model.is_none();
        let stored = resolved.stored.as_ref();
        jobs.push(ArmJob {
            arm: *arm,
            prompt: Arc::clone(&resolved.prompt),
            hash: resolved.prompt.hash.to_string(),
            repeat_offset: if is_same { suite.repeat } else { 0 },
            endpoint,
            price: endpoints.price(model),
            most_output: endpoints.most_output(model),
            stored: stored.map(|stored| Arc::clone(&stored.answers)),
        });
    }
    Ok(jobs)
}

fn judge_jobs(
    suite: &Suite,
    judges: BTreeMap<String, ChosenJudge>,
    endpoints: &mut Endpoints<'_>,
) -> Result<HashMap<String, JudgeJob>, CommandError> {
    let mut jobs = HashMap::new();
    for (name, judge) in judges {
        let mut none = Diagnostics::new();
        let Some(endpoint) = endpoints.get(suite, &judge.model, &mut none)? else {
            continue;
        };
        let job = JudgeJob {
            hash: judge.judge.version().hash.to_string(),
            judge: judge.judge,
            most_verdicts: judge.most_verdicts,
            endpoint,
            price: endpoints.price(&judge.model),
            most_output: endpoints.most_output(&judge.model),
        };
        jobs.insert(name, job);
    }
    Ok(jobs)
}
