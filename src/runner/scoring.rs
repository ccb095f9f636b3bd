//! Scores an answer with all scorers of its case. A fault of a scorer or a judge makes the trial
//! errored where the scorer gates, and leaves its score out where it does not.

use super::asking::NoAnswer;
use super::executor::{Shared, internal};
use super::job::ArmJob;
use super::{embedding, judging};
use crate::chat::ErrorClass;
use crate::dataset::Case;
use crate::record::event::TrialError;
use crate::record::{ScoreRecord, Skip, TrialId};
use crate::score::{self, Answer, Context, ExecSpec, Kind, Score, ScorerError, ScorerSpec};

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

/// The scores of an answer by all scorers that look at it alone, in the order of the scorers.
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
    let scorers = job.scorers_of(seat.trial.case);
    for spec in scorers.iter().filter(|spec| !spec.is_pairwise()) {
        let scored = score_one(seat, spec, answer, context).await;
        scores.extend(settle(spec, scored)?);
    }
    Ok(scores)
}

/// What becomes of a scorer's result: a scorer that does not decide leaves its score out where it
/// has none.
pub(super) fn settle(
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
        Kind::Exec(exec) => {
            let ask = async |text: &str| command(seat, spec, exec, text, context).await;
            on_text(spec, answer, context, ask).await
        }
        Kind::Similar(similar) => {
            let ask = async |text: &str| embedding::similar(seat, spec, similar, text).await;
            on_text(spec, answer, context, ask).await
        }
        Kind::Panel(panel) => {
            let ask = async |text: &str| {
                let answer = Answer { text, ..*answer };
                judging::panel(seat, spec, panel, &answer, context).await
            };
            on_text(spec, answer, context, ask).await
        }
    }
}

/// Asks about the answer's text after the scorer's transforms; where one finds nothing there is
/// nothing to ask.
async fn on_text(
    spec: &ScorerSpec,
    answer: &Answer<'_>,
    context: &Context<'_>,
    ask: impl AsyncFnOnce(&str) -> Result<Score, NoAnswer>,
) -> Result<Score, NoAnswer> {
    match score::transformed(spec, answer, context) {
        Ok(Ok(text)) => ask(&text).await,
        Ok(Err(score)) => Ok(score),
        Err(error) => Err(scorer_fault(&error)),
    }
}

/// The score of an answer by a command. Whatever goes wrong is the command's fault.
async fn command(
    seat: &Seat<'_>,
    spec: &ScorerSpec,
    exec: &ExecSpec,
    text: &str,
    context: &Context<'_>,
) -> Result<Score, NoAnswer> {
    let shared = seat.shared;
    // Nobody knows what a command does.
    if shared.options.offline {
        return Err(NoAnswer::Skipped(Skip::Offline));
    }
    let fault = |class, why: &dyn std::fmt::Display| {
        let message = format!("scorer `{}` gave no score: {why}", spec.name);
        NoAnswer::Errored(TrialError { class, message })
    };
    let command = shared.job.commands.get(&exec.command);
    let command = command.ok_or_else(|| internal("the plan has no such command"))?;
    let asked = command.ask(score::exec::message(text, context));
    let reply = tokio::time::timeout(shared.options.timeout, asked)
        .await
        .map_err(|_| fault(ErrorClass::Timeout, &"no reply in time"))?
        .map_err(|error| fault(error.class, &error))?;
    score::exec::read(spec, &reply.source, &reply.node)
        .map_err(|error| fault(ErrorClass::BadBody, &error))
}

/// A scorer that could not score: a fault of the case or a bound, never of the answer.
pub(super) fn scorer_fault(error: &ScorerError) -> NoAnswer {
    NoAnswer::Errored(TrialError {
        class: ErrorClass::Internal,
        message: error.to_string(),
    })
}
