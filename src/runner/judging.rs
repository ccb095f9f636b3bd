//! Asks judges. A reply that is no verdict is answered by asking once more; where that does not help
//! either, or the call fails, the judge is at fault and the answer is not scored.

use super::asking::{Asking, NoAnswer, Told};
use super::executor::{endpoint_id, internal, keep};
use super::job::JudgeJob;
use super::scoring::{Seat, scorer_fault};
use crate::chat::{ErrorClass, Request, Response};
use crate::provider::{Call, Subject, Version};
use crate::record::event::TrialError;
use crate::score::judge::{read_verdict, reply};
use crate::score::{self, Answer, Context, JudgeError, Panel, Question, Score, ScorerSpec, Step};

/// The name of the call that asks once more.
const REPAIR: &str = "repair";

/// The score of an answer by a judge.
///
/// # Errors
/// When the judge gives no verdict.
pub async fn judge(
    seat: &Seat<'_>,
    spec: &ScorerSpec,
    answer: &Answer<'_>,
    context: &Context<'_>,
) -> Result<Score, NoAnswer> {
    let name = spec.name.as_str();
    let sitting = Sitting::new(seat, name, None, name.to_owned())?;
    sitting.judge(spec, answer, context).await
}

/// The score of an answer by a panel: its members are asked one after the other, and one that gives
/// no verdict is the panel's fault.
///
/// # Errors
/// When a member gives no verdict, or the answer can not be put before it.
pub async fn panel(
    seat: &Seat<'_>,
    spec: &ScorerSpec,
    panel: &Panel,
    answer: &Answer<'_>,
    context: &Context<'_>,
) -> Result<Score, NoAnswer> {
    let text = match score::transformed(spec, answer, context) {
        Ok(Ok(text)) => text,
        Ok(Err(score)) => return Ok(score),
        Err(error) => return Err(scorer_fault(&error)),
    };
    let answer = Answer {
        text: &text,
        ..*answer
    };
    let mut ballots = Vec::with_capacity(panel.judges.len());
    for member in &panel.judges {
        let (name, own) = (spec.name.as_str(), member.name.as_str());
        let sitting = Sitting::new(seat, name, Some(own), spec.member(own))?;
        ballots.push(sitting.judge(member, &answer, context).await?);
    }
    Ok(panel.conclude(spec, &ballots))
}

/// A judge at work on an answer.
struct Sitting<'a> {
    seat: &'a Seat<'a>,
    judge: &'a JudgeJob,
    /// The scorer, as the log names it.
    scorer: &'a str,
    /// The member of a panel, which begins the names of its calls.
    member: Option<&'a str>,
    /// The judge, as mock and cassette name it.
    subject: String,
}

impl<'a> Sitting<'a> {
    fn new(
        seat: &'a Seat<'a>,
        scorer: &'a str,
        member: Option<&'a str>,
        subject: String,
    ) -> Result<Self, NoAnswer> {
        let judge = seat.shared.job.judges.get(&subject);
        Ok(Self {
            seat,
            judge: judge.ok_or_else(|| internal("the plan has no such judge"))?,
            scorer,
            member,
            subject,
        })
    }

    async fn judge(
        &self,
        spec: &ScorerSpec,
        answer: &Answer<'_>,
        context: &Context<'_>,
    ) -> Result<Score, NoAnswer> {
        let step = self.judge.judge.ask(spec, answer, context);
        let question = match step.map_err(|error| scorer_fault(&error))? {
            Step::Done(score) => return Ok(score),
            Step::Ask(question) => question,
        };
        let read =
            |response: &Response| read_verdict(&question.form, &response.text, &response.finish);
        let verdict = self.hear(&question, read).await?;
        Ok(reply::conclude(spec, verdict))
    }

    /// The verdict on a question. Replies are kept in the cache only when they led to one, so that
    /// the next run asks again.
    async fn hear<T>(
        &self,
        question: &Question,
        read: impl Fn(&Response) -> Result<T, JudgeError>,
    ) -> Result<T, NoAnswer> {
        let shared = self.seat.shared;
        let first = self.ask(None, question.request.clone()).await?;
        let error = match read(&first.response) {
            Ok(verdict) => {
                keep(shared, first).await?;
                return Ok(verdict);
            }
            Err(error) => error,
        };
        let again = question.again(&first.response.text, &error);
        let second = self.ask(Some(REPAIR), again).await?;
        match read(&second.response) {
            Ok(verdict) => {
                keep(shared, first).await?;
                keep(shared, second).await?;
                Ok(verdict)
            }
            Err(error) => Err(self.at_fault(&format!("{error} (asked twice)"))),
        }
    }

    /// One call. Whatever goes wrong on the way is the judge's fault.
    async fn ask(&self, name: Option<&str>, mut request: Request) -> Result<Told, NoAnswer> {
        let Seat {
            shared,
            trial,
            arm,
            case,
        } = *self.seat;
        let judge = self.judge;
        request.params = request.params.overlaid(&judge.endpoint.spec.params);
        let names: Vec<&str> = self.member.into_iter().chain(name).collect();
        let name = (!names.is_empty()).then(|| names.join("/"));
        let name = name.as_deref();
        let subject = Subject {
            case,
            repeat: trial.repeat + arm.repeat_offset,
            scorer: Some(&self.subject),
            version: Version {
                number: judge.judge.version().number,
                hash: &judge.hash,
            },
        };
        let gate = shared.gates.get(&endpoint_id(&judge.endpoint));
        let gate = gate.ok_or_else(|| internal("the judge has no gate"))?;
        let (attempts_before, reply_before) =
            shared.job.prior_call(trial, Some((self.scorer, name)));
        let asking = Asking {
            trial,
            scorer: Some(self.scorer),
            name,
            call: Call {
                request: &request,
                subject,
            },
            endpoint: &judge.endpoint,
            gate,
            price: judge.price,
            most_output: judge.most_output,
            attempts_before,
            reply_before,
        };
        asking.ask(shared).await.map_err(|fault| match fault {
            NoAnswer::Skipped(skip) => NoAnswer::Skipped(skip),
            NoAnswer::Fault(fault, message) => {
                self.at_fault(&format!("{}: {message}", fault.as_str()))
            }
            NoAnswer::Errored(error) => {
                self.at_fault(&format!("{}: {}", error.class.as_str(), error.message))
            }
        })
    }

    fn at_fault(&self, why: &str) -> NoAnswer {
        NoAnswer::Errored(TrialError {
            class: ErrorClass::Judge,
            message: format!("judge `{}` gave no verdict: {why}", self.subject),
        })
    }
}
