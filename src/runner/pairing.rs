//! Runs the trials of both arms of a case together, where a scorer compares their answers. It is
//! asked when both answers are there; without one of them there is nothing to compare.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::join;

use super::asking::{Message, NoAnswer};
use super::executor::{self, Half, Scored, Shared};
use super::judging::{self, Answers, Contest};
use super::scoring::{Seat, settle};
use crate::record::event::TrialError;
use crate::record::{Event, ScoreRecord, TrialFinished, TrialId};
use crate::score::judge::duel::{Side, uncontested};
use crate::score::{Context, Score, ScorerSpec};

/// The trials of both arms of a case, of one repeat.
#[derive(Debug, Clone, Copy)]
pub struct Pair {
    /// The baseline's.
    pub baseline: TrialId,
    /// The candidate's.
    pub candidate: TrialId,
}

/// Runs the trials of a pair and reports their results.
pub async fn run_pair(shared: Arc<Shared>, pair: Pair) {
    let results = AssertUnwindSafe(conclude(&shared, pair))
        .catch_unwind()
        .await;
    let results = results.unwrap_or_else(|panic| {
        [pair.baseline, pair.candidate].map(|trial| executor::panicked(trial, panic.as_ref()))
    });
    for result in results {
        // Without a dispatcher there is nobody left to tell.
        let _ = shared
            .send(Message::Happened(Event::TrialFinished(Box::new(result))))
            .await;
    }
}

async fn conclude(shared: &Shared, pair: Pair) -> [TrialFinished; 2] {
    let (mut baseline, mut candidate) = join(
        executor::score_alone(shared, pair.baseline),
        executor::score_alone(shared, pair.candidate),
    )
    .await;
    let scorers = shared.job.scorers_of(pair.candidate.case);
    for spec in scorers.iter().filter(|spec| spec.is_pairwise()) {
        let (left, right) = compare(shared, pair, spec, &baseline, &candidate).await;
        baseline = baseline.and_then(|half| added(half, spec, left));
        candidate = candidate.and_then(|half| added(half, spec, right));
    }
    [(pair.baseline, baseline), (pair.candidate, candidate)].map(|(trial, half)| {
        let half = half.map(|half| in_order(half, shared, trial));
        executor::concluded(trial, half)
    })
}

/// What a comparison gives one side.
type Given = Result<Score, NoAnswer>;

/// The scores of both sides by a scorer that compares them.
async fn compare(
    shared: &Shared,
    pair: Pair,
    spec: &ScorerSpec,
    baseline: &Result<Half, NoAnswer>,
    candidate: &Result<Half, NoAnswer>,
) -> (Given, Given) {
    let (Ok(Half::Scored(left)), Ok(Half::Scored(right))) = (baseline, candidate) else {
        // The side with an answer is scored by what its opponent lacks; the other one has no use
        // for a score.
        return (by_opponent(spec, candidate), by_opponent(spec, baseline));
    };
    match ask(shared, pair, spec, left, right).await {
        Ok(Contest::Held(duel)) => (
            Ok(duel.score(Side::Baseline)),
            Ok(duel.score(Side::Candidate)),
        ),
        Ok(Contest::Without(side, why)) => {
            let (left, right) = match side {
                Side::Baseline => (0.0, 1.0),
                Side::Candidate => (1.0, 0.0),
            };
            (Ok(uncontested(left, &why)), Ok(uncontested(right, &why)))
        }
        Err(fault) => (Err(the_same(&fault)), Err(fault)),
    }
}

async fn ask(
    shared: &Shared,
    pair: Pair,
    spec: &ScorerSpec,
    baseline: &Scored,
    candidate: &Scored,
) -> Result<Contest, NoAnswer> {
    let (arm, case) = executor::place(shared, pair.candidate)?;
    let seat = Seat {
        shared,
        trial: pair.candidate,
        arm,
        case,
    };
    let context = Context {
        case,
        question: &candidate.question,
        tools: &[],
    };
    let answers = Answers {
        baseline: &baseline.text,
        candidate: &candidate.text,
    };
    judging::duel(&seat, spec, answers, &context).await
}

/// The score against an opponent without an answer: a fault of its answer loses, and where it has
/// none there is no score.
fn by_opponent(spec: &ScorerSpec, opponent: &Result<Half, NoAnswer>) -> Given {
    let lost = |fault: &str| {
        let why = format!("the other answer has a fault: {fault}");
        Ok(uncontested(1.0, &why))
    };
    match opponent {
        Ok(Half::Faulty(fault)) | Err(NoAnswer::Fault(fault, _)) => lost(fault.as_str()),
        // Only a side without an answer of its own gets here.
        Ok(Half::Scored(_)) => Ok(uncontested(0.0, "there is no answer to compare")),
        Err(NoAnswer::Skipped(skip)) => Err(NoAnswer::Skipped(*skip)),
        Err(NoAnswer::Errored(error)) => Err(NoAnswer::Errored(TrialError {
            class: error.class,
            message: format!(
                "scorer `{}` has no other answer to compare with: {}",
                spec.name, error.message
            ),
        })),
    }
}

fn the_same(fault: &NoAnswer) -> NoAnswer {
    match fault {
        NoAnswer::Skipped(skip) => NoAnswer::Skipped(*skip),
        NoAnswer::Fault(fault, message) => NoAnswer::Fault(*fault, message.clone()),
        NoAnswer::Errored(error) => NoAnswer::Errored(error.clone()),
    }
}

/// A side with the score of a comparison.
fn added(half: Half, spec: &ScorerSpec, given: Given) -> Result<Half, NoAnswer> {
    match half {
        Half::Faulty(fault) => Ok(Half::Faulty(fault)),
        Half::Scored(mut scored) => {
            scored.scores.extend(settle(spec, given)?);
            Ok(Half::Scored(scored))
        }
    }
}

/// A side with its scores in the order of the scorers.
fn in_order(half: Half, shared: &Shared, trial: TrialId) -> Half {
    let Half::Scored(mut scored) = half else {
        return half;
    };
    let scorers = shared.job.scorers_of(trial.case);
    let place = |score: &ScoreRecord| {
        let mut scorers = scorers.iter();
        scorers.position(|spec| spec.name.as_str() == score.scorer)
    };
    scored.scores.sort_by_key(place);
    Half::Scored(scored)
}
