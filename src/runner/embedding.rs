//! Asks for embeddings: one call for each answer of a scorer `similar`, by the way of every other
//! call. A call that fails, or tells something else, is the model's fault and never the answer's.

use super::asking::{Asking, NoAnswer};
use super::executor::{endpoint_id, internal, keep};
use super::scoring::{Seat, scorer_fault};
use crate::chat::ErrorClass;
use crate::provider::{Call, Subject, Version};
use crate::record::event::TrialError;
use crate::score::{Score, ScorerSpec, Similar};

/// The score of an answer's text by how near its embedding is to others.
///
/// # Errors
/// When the model gives no embeddings.
pub async fn similar(
    seat: &Seat<'_>,
    spec: &ScorerSpec,
    similar: &Similar,
    text: &str,
) -> Result<Score, NoAnswer> {
    let asked = similar.ask(spec, text, seat.case);
    let mut request = match asked.map_err(|error| scorer_fault(&error))? {
        Ok(request) => request,
        Err(score) => return Ok(score),
    };
    let shared = seat.shared;
    let embedder = shared.job.embedders.get(similar.model.as_str());
    let embedder = embedder.ok_or_else(|| internal("the plan has no such embeddings"))?;
    let params = &embedder.endpoint.spec.params;
    request.params.extra.clone_from(&params.extra);
    let gate = shared.gates.get(&endpoint_id(&embedder.endpoint));
    let name = spec.name.as_str();
    let (attempts_before, reply_before) = shared.job.prior_call(seat.trial, Some((name, None)));
    let asking = Asking {
        trial: seat.trial,
        scorer: Some(name),
        name: None,
        call: Call {
            request: &request,
            subject: Subject {
                case: seat.case,
                repeat: seat.trial.repeat + seat.arm.repeat_offset,
                scorer: Some(name),
                version: Version {
                    number: seat.arm.prompt.number,
                    hash: &seat.arm.hash,
                },
            },
        },
        endpoint: &embedder.endpoint,
        gate: gate.ok_or_else(|| internal("the embeddings have no gate"))?,
        price: embedder.price,
        most_output: None,
        attempts_before,
        reply_before,
    };
    let fault = |class, why: &dyn std::fmt::Display| {
        let message = format!("scorer `{name}` got no embeddings: {why}");
        NoAnswer::Errored(TrialError { class, message })
    };
    let told = asking.ask(shared).await.map_err(|no| match no {
        NoAnswer::Skipped(skip) => NoAnswer::Skipped(skip),
        NoAnswer::Fault(_, message) => fault(ErrorClass::BadRequest, &message),
        NoAnswer::Errored(error) => fault(error.class, &error.message),
    })?;
    let score = similar
        .read(spec, &request, &told.response.text)
        .map_err(|error| fault(ErrorClass::BadBody, &error))?;
    keep(shared, told).await?;
    Ok(score)
}
