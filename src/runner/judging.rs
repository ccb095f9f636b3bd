//! Asks judges. A reply that is no verdict is answered by asking once more; where that does not help
//! either, or the call fails, the judge is at fault and the answer is not scored.

use super::asking::{Asking, NoAnswer, Told};
use super::executor::{endpoint_id, internal, keep};
use super::job::JudgeJob;
use super::scoring::{Seat, scorer_fault};
use crate::chat::{ErrorClass, Request, Response};
use crate::provider::{Call, Subject, Version};
use crate::record::event::TrialError;
use crate::score::answer::Finding;
use crate::score::judge::duel::{self, Side};
use crate::score::judge::{
    Comparing, Duel, Scale, VerdictForm, expected_score, read_verdict, reply,
};
use crate::score::{Answer, Context, JudgeError, Panel, Question, Score, ScorerSpec, Step};

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
    let sitting = Sitting::new(seat, name, None, name)?;
    sitting.judge(spec, answer, context).await
}

/// The comparison of both arms' answers to a case, in both orders. Its calls belong to the
/// candidate's trial.
///
/// # Errors
/// When the judge gives no verdict.
pub async fn duel(
    seat: &Seat<'_>,
    spec: &ScorerSpec,
    answers: Answers<'_>,
    context: &Context<'_>,
) -> Result<Contest, NoAnswer> {
    let name = spec.name.as_str();
    let [one, two] = duel::ORDERS;
    let orders = [
        (one, [answers.baseline, answers.candidate]),
        (two, [answers.candidate, answers.baseline]),
    ];
    let mut preferences = Vec::with_capacity(orders.len());
    for (order, texts) in orders {
        let sitting = Sitting::new(seat, name, Some(order), name)?;
        let asked = sitting.judge.judge.compare(spec, texts, context);
        let question = match asked.map_err(|error| scorer_fault(&error))? {
            Comparing::Ask(question) => question,
            // The first order has the baseline's answer first.
            Comparing::TooLong("first", why) => return Ok(Contest::Without(Side::Baseline, why)),
            Comparing::TooLong(_, why) => return Ok(Contest::Without(Side::Candidate, why)),
        };
        let read = |response: &Response| reply::read_preference(&response.text, &response.finish);
        preferences.push(sitting.hear(&question, 1, read).await?);
    }
    let mut preferences = preferences.into_iter();
    let both = preferences.next().zip(preferences.next());
    let (baseline_first, candidate_first) =
        both.ok_or_else(|| internal("a comparison has two orders"))?;
    Ok(Contest::Held(Duel {
        baseline_first,
        candidate_first,
    }))
}

/// The answers of both arms to a case.
#[derive(Debug, Clone, Copy)]
pub struct Answers<'a> {
    /// The baseline's.
    pub baseline: &'a str,
    /// The candidate's.
    pub candidate: &'a str,
}

/// What became of a comparison.
#[derive(Debug)]
pub enum Contest {
    /// Both orders were judged.
    Held(Duel),
    /// A side is out by its answer, for the reason given.
    Without(Side, String),
}

/// The score of an answer after the panel's transforms: its members are asked one after the other,
/// and one that gives no verdict is the panel's fault.
///
/// # Errors
/// When a member gives no verdict.
pub async fn panel(
    seat: &Seat<'_>,
    spec: &ScorerSpec,
    panel: &Panel,
    answer: &Answer<'_>,
    context: &Context<'_>,
) -> Result<Score, NoAnswer> {
    let mut ballots = Vec::with_capacity(panel.judges.len());
    for member in &panel.judges {
        let (name, own) = (spec.name.as_str(), member.name.as_str());
        let sitting = Sitting::new(seat, name, Some(own), &spec.member(own))?;
        ballots.push(sitting.judge(member, answer, context).await?);
    }
    Ok(panel.conclude(spec, &ballots))
}

/// A judge at work on an answer.
struct Sitting<'a> {
    seat: &'a Seat<'a>,
    judge: &'a JudgeJob,
    /// The scorer, as the log names it.
    scorer: &'a str,
    /// The member of a panel or the order of a comparison, which begins the names of its calls.
    member: Option<&'a str>,
    /// The judge, as mock and cassette name it.
    subject: String,
}

impl<'a> Sitting<'a> {
    /// `judge` is its name in the plan.
    fn new(
        seat: &'a Seat<'a>,
        scorer: &'a str,
        member: Option<&'a str>,
        judge: &str,
    ) -> Result<Self, NoAnswer> {
        let judge = seat.shared.job.judges.get(judge);
        Ok(Self {
            seat,
            judge: judge.ok_or_else(|| internal("the plan has no such judge"))?,
            scorer,
            member,
            subject: match member {
                Some(member) => format!("{scorer}/{member}"),
                None => scorer.to_owned(),
            },
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
        let verdict = match question.form {
            VerdictForm::Scale(scale) => self.expected(&question, scale).await?,
            VerdictForm::Rubric | VerdictForm::Factuality(_) | VerdictForm::Preference => {
                let read = |response: &Response| {
                    read_verdict(&question.form, &response.text, &response.finish)
                };
                self.hear(&question, 1, read).await?
            }
        };
        Ok(reply::conclude(spec, verdict))
    }

    /// The expected score: by the probabilities of tokens where the first reply has them, else the
    /// mean of several replies.
    async fn expected(&self, question: &Question, scale: Scale) -> Result<Finding, NoAnswer> {
        let read = |response: &Response| {
            let verdict = read_verdict(&question.form, &response.text, &response.finish)?;
            let expected = expected_score(&response.token_choices, &response.text);
            Ok((verdict, expected.filter(|_| scale.logprobs)))
        };
        let (first, expected) = self.hear(question, 1, read).await?;
        if let Some(expected) = expected {
            return Ok(reply::by_expected(expected, &first));
        }
        let mut verdicts = vec![first];
        for sample in 2..=scale.samples {
            verdicts.push(self.hear(question, sample, read).await?.0);
        }
        Ok(reply::by_samples(&verdicts))
    }

    /// The verdict on a question. Replies are kept in the cache only when they led to one, so that
    /// the next run asks again.
    async fn hear<T>(
        &self,
        question: &Question,
        sample: u32,
        read: impl Fn(&Response) -> Result<T, JudgeError>,
    ) -> Result<T, NoAnswer> {
        let shared = self.seat.shared;
        let number = (sample, question.form.samples());
        let first = self.ask(number, None, question.request.clone()).await?;
        let error = match read(&first.response) {
            Ok(verdict) => {
                keep(shared, first).await?;
                return Ok(verdict);
            }
            Err(error) => error,
        };
        let again = question.again(&first.response.text, &error);
        let second = self.ask(number, Some(REPAIR), again).await?;
        match read(&second.response) {
            Ok(verdict) => {
                keep(shared, first).await?;
                keep(shared, second).await?;
                Ok(verdict)
            }
            Err(error) => Err(self.at_fault(&format!("{error} (asked twice)"))),
        }
    }

    /// One call, of a sample of so many. Whatever goes wrong on the way is the judge's fault.
    async fn ask(
        &self,
        (sample, samples): (u32, u32),
        name: Option<&str>,
        mut request: Request,
    ) -> Result<Told, NoAnswer> {
        let Seat {
            shared,
            trial,
            arm,
            case,
        } = *self.seat;
        let judge = self.judge;
        request.params = request.params.overlaid(&judge.endpoint.spec.params);
        let number = (sample > 1).then(|| sample.to_string());
        let names = self.member.into_iter().chain(number.as_deref());
        let names: Vec<&str> = names.chain(name).collect();
        let name = (!names.is_empty()).then(|| names.join("/"));
        let name = name.as_deref();
        let subject = Subject {
            case,
            // Each sample of each repeat is an answer of its own.
            repeat: (trial.repeat + arm.repeat_offset - 1) * samples + sample,
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
