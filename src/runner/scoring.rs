//! Scores an answer with all scorers of its case. A fault of a scorer or a judge makes the trial
//! errored where the scorer gates, and leaves its score out where it does not.

use super::asking::NoAnswer;
use super::executor::Shared;
use super::job::ArmJob;
use super::judging;
use crate::chat::ErrorClass;
use crate::dataset::Case;
use crate::record::event::TrialError;
use crate::record::{ScoreRecord, TrialId};
use crate::score::{Answer, Context, Kind, Score, ScorerError, ScorerSpec};

/// The trial that is scored.
#[derive(Clone, Copy)]
pub struct Seat<'a> {
    /// What all trials share.
    pub shared: &'a Shared,
    /// The trial.
    pub trial: TrialId,
    /// Its side.
    pub arm: &'a ArmJob,
    /// Its case.
    pub case: &'a Case,
}

/// The scores of an answer, in the order of the scorers.
///
/// # Errors
/// When a gating scorer has none.
pub async fn score_all(
    seat: &Seat<'_>,
    answer: &Answer<'_>,
    context: &Context<'_>,
) -> Result<Vec<ScoreRecord>, NoAnswer> {
    let job = &seat.shared.job;
    let mut scores = Vec::new();
    for spec in job.scorers_of(seat.trial.case).iter() {
        let scored = score_one(seat, spec, answer, context).await;
        scores.extend(settle(spec, scored)?);
    }
    Ok(scores)
}

/// What becomes of a scorer's result: a scorer that does not decide leaves its score out where it
/// has none.
fn settle(
    spec: &ScorerSpec,
    scored: Result<Score, NoAnswer>,
) -> Result<Option<ScoreRecord>, NoAnswer> {
    match scored {
        Ok(score) => Ok(Some(ScoreRecord {
            scorer: spec.name.to_string(),
            pass: score.pass,
            score: score.score,
            reason: score.reason,
            parts: score.parts,
            gating: spec.gating,
        })),
        Err(NoAnswer::Errored(_) | NoAnswer::Fault(..)) if !spec.gating => Ok(None),
        Err(other) => Err(other),
    }
}

async fn score_one(
    seat: &Seat<'_>,
    spec: &ScorerSpec,
    answer: &Answer<'_>,
    context: &Context<'_>,
) -> Result<Score, NoAnswer> {
    match &spec.kind {
        Kind::Assertion(_) => {
            let scored = (seat.shared.job.scoring)(spec, answer, context);
            scored.map_err(|error| scorer_fault(&error))
        }
        Kind::Judge(_) => judging::judge(seat, spec, answer, context).await,
        Kind::Panel(panel) => judging::panel(seat, spec, panel, answer, context).await,
    }
}

/// A scorer that could not score: a fault of the case or a bound, never of the answer.
pub(super) fn scorer_fault(error: &ScorerError) -> NoAnswer {
    NoAnswer::Errored(TrialError {
        class: ErrorClass::Internal,
        message: error.to_string(),
    })
}
