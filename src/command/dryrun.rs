//! `--dry-run`: what a run would send, cost and be able to show. Nothing is sent or written.

use std::collections::{BTreeMap, BTreeSet};

use super::error::CommandError;
use super::prepare::Prepared;
use super::project::Project;
use super::run::cache_mode;
use crate::base::text::{self, visible_line};
use crate::chat::{Price, Request, Role, Tokenizer};
use crate::dataset::Case;
use crate::plan::estimate::{self, Estimate};
use crate::provider::{Call, Endpoint, Subject, Version};
use crate::report::number;
use crate::runner::{ArmJob, Job};
use crate::score::Kind;
use crate::stats::power::{Risk, paired_mde};
use crate::store::cache::CacheReader;
use crate::verdict::planning::PLANNED_CHURN;

/// What one suite with one model would send.
#[derive(Debug, Clone)]
pub struct Forecast {
    /// The suite, with its model where it has several.
    pub title: String,
    /// Planned trials.
    pub trials: usize,
    /// The requests for answers.
    pub answers: Asked,
    /// The requests for judges, by model; how long their answers are is estimated.
    pub judges: BTreeMap<String, Asked>,
    /// How the tokens of each model's questions are counted, by the model's id.
    pub tokenizers: BTreeMap<String, Tokenizer>,
    /// The probability with which a loss should be found.
    pub power: f64,
    /// The loss that this many cases find with it, as a share, where one can be found.
    pub finds: Option<f64>,
    /// What an edit of this prompt costs in refilled prompt cache at the traffic given.
    pub refill: Option<Refill>,
    /// Whether the answers would come in batches.
    pub batch: bool,
    /// Whether every model's price is known, or nothing by nature.
    pub priced: bool,
}

/// What is asked of one model, or of both arms, and who asks for answers without a limit.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    /// The requests.
    pub estimate: Estimate,
    /// The versions whose answers no `max_tokens` and no known limit of the model bounds.
    pub unlimited: BTreeSet<String>,
    /// Whether a model is among those asked that is paid for.
    pub paid: bool,
}

impl Asked {
    fn add(&mut self, asking: &Asking<'_>, input: f64, most: Option<u32>, price: Option<&Price>) {
        self.estimate.add(input, most, price);
        if most.is_none() {
            self.unlimited.insert(asking.version.to_owned());
        }
        self.paid |= !asking.endpoint.is_free();
    }
}

/// Whose request it is.
struct Asking<'a> {
    version: &'a str,
    endpoint: &'a Endpoint,
}

/// The price of an edit in production.
#[derive(Debug, Clone, Copy)]
pub struct Refill {
    /// Requests an hour.
    pub per_hour: f64,
    /// Tokens of the system messages.
    pub prefix_tokens: f64,
    /// USD; unknown where the price is.
    pub cost_usd: Option<f64>,
}

/// Looks ahead at a prepared run.
///
/// # Errors
/// When the cache can not be read.
pub fn forecast(
    project: &Project,
    prepared: &Prepared,
    alpha: f64,
    power: f64,
    per_hour: Option<f64>,
) -> Result<Forecast, CommandError> {
    let cache = CacheReader::open(&project.state, cache_mode(project))?;
    let job = &prepared.job;
    let mut answers = Asked::default();
    let mut judges: BTreeMap<String, Asked> = BTreeMap::new();
    for trial in &job.order {
        let case = job.cases.get(trial.case as usize);
        let arm = job.arms.iter().find(|arm| arm.arm == trial.arm);
        let Some((case, arm)) = case.zip(arm) else {
            continue;
        };
        if arm.stored.is_some() {
            answers.estimate.cached += 1;
            continue;
        }
        let Some(request) = request_of(arm, case) else {
            continue;
        };
        let version = Version {
            number: arm.prompt.number,
            hash: &arm.hash,
        };
        let subject = Subject {
            case,
            repeat: trial.repeat + arm.repeat_offset,
            scorer: None,
            version,
        };
        let sealed = arm.endpoint.seal(&Call {
            request: &request,
            subject,
        });
        if sealed.is_ok_and(|sealed| cache.contains(&sealed.key())) {
            answers.estimate.cached += 1;
        } else {
            let input = arm.endpoint.tokenizer.request_tokens(&request);
            let most = request.params.max_tokens.or(arm.most_output);
            let asking = Asking {
                version: prepared.header.label(arm.arm),
                endpoint: &arm.endpoint,
            };
            answers.add(&asking, input, most, answer_price(project, arm).as_ref());
        }
        add_scorers(job, trial.case, &request, &mut judges);
    }
    let mde = Risk::new(alpha, power)
        .ok()
        .and_then(|risk| paired_mde(PLANNED_CHURN, job.cases.len() as u64, risk).ok()?);
    Ok(Forecast {
        title: prepared.header.title.clone(),
        trials: job.order.len(),
        answers,
        judges,
        tokenizers: tokenizers(job),
        power,
        finds: mde,
        refill: per_hour.and_then(|per_hour| refill(job, per_hour)),
        batch: project.settings.batch,
        priced: is_priced(project, job),
    })
}

/// What an arm asks about a case; none where the prompt can not be rendered with it.
fn request_of(arm: &ArmJob, case: &Case) -> Option<Request> {
    Some(Request {
        messages: arm.prompt.render(&case.vars).ok()?,
        params: arm.prompt.params.overlaid(&arm.endpoint.spec.params),
        tools: arm.prompt.tools.clone(),
        response_format: arm.prompt.response_format.clone(),
    })
}

/// What the scorers of a case ask.
fn add_scorers(job: &Job, case: u32, request: &Request, asked: &mut BTreeMap<String, Asked>) {
    add_judges(job, request, asked);
    add_embeddings(job, case, request, asked);
}

/// A judge's question holds the case's question and an answer that is not known yet: it is taken to
/// be as long as the question. Whether the cache has it can not be known.
fn add_judges(job: &Job, request: &Request, judges: &mut BTreeMap<String, Asked>) {
    for judge in job.judges.values() {
        let version = judge.judge.version();
        let tokenizer = &judge.endpoint.tokenizer;
        let messages = version.messages.iter();
        let frame: f64 = messages
            .map(|message| tokenizer.text_tokens(&message.content.to_source()))
            .sum();
        let question = request
            .messages
            .iter()
            .rev()
            .find(|message| message.role == Role::User)
            .map_or(0.0, |message| tokenizer.text_tokens(&message.content));
        let params = version.params.overlaid(&judge.endpoint.spec.params);
        let most = params.max_tokens.or(judge.most_output);
        let name = judge.endpoint.spec.name.to_string();
        let asked = judges.entry(name).or_default();
        let asking = Asking {
            version: &format!("{}@{}", version.slug, version.label()),
            endpoint: &judge.endpoint,
        };
        for _ in 0..judge.most_verdicts {
            let price = judge.price.as_ref();
            asked.add(&asking, frame + 2.0 * question, most, price);
        }
    }
}

/// The embeddings of an answer that is not known yet, taken to be as long as its question, and of
/// texts of the same length.
fn add_embeddings(job: &Job, case: u32, request: &Request, judges: &mut BTreeMap<String, Asked>) {
    for scorer in job.scorers_of(case).iter() {
        let Kind::Similar(similar) = &scorer.kind else {
            continue;
        };
        let Some(embedder) = job.embedders.get(similar.model.as_str()) else {
            continue;
        };
        let mut messages = request.messages.iter().rev();
        let question = messages
            .find(|message| message.role == Role::User)
            .map_or(0.0, |message| {
                embedder.endpoint.tokenizer.text_tokens(&message.content)
            });
        let entry = judges.entry(similar.model.to_string()).or_default();
        let asking = Asking {
            version: similar.model.as_str(),
            endpoint: &embedder.endpoint,
        };
        entry.add(&asking, 2.0 * question, Some(0), embedder.price.as_ref());
    }
}

/// How the tokens of each model that would be asked are counted.
fn tokenizers(job: &Job) -> BTreeMap<String, Tokenizer> {
    let arms = job.arms.iter().filter(|arm| arm.stored.is_none());
    let arms = arms.map(|arm| &arm.endpoint);
    let judges = job.judges.values().map(|judge| &judge.endpoint);
    arms.chain(judges)
        .map(|endpoint| (endpoint.spec.id().to_owned(), endpoint.tokenizer))
        .collect()
}

fn refill(job: &Job, per_hour: f64) -> Option<Refill> {
    let arm = job.arms.last()?;
    let tokenizer = &arm.endpoint.tokenizer;
    let prefix_tokens = arm
        .prompt
        .messages
        .iter()
        .filter(|message| message.role == Role::System)
        .map(|message| tokenizer.text_tokens(&message.content.to_source()))
        .sum();
    let cost_usd = arm
        .price
        .as_ref()
        .map(|price: &Price| estimate::refill_usd(prefix_tokens, price, per_hour));
    Some(Refill {
        per_hour,
        prefix_tokens,
        cost_usd,
    })
}

/// What an answer costs: in a batch less.
fn answer_price(project: &Project, arm: &ArmJob) -> Option<Price> {
    if project.settings.batch {
        arm.price.and_then(|price| price.in_batch())
    } else {
        arm.price
    }
}

/// Whether every price is known, or nothing by nature; `--budget` needs that.
#[must_use]
pub fn is_priced(project: &Project, job: &Job) -> bool {
    let price = |arm: &ArmJob| answer_price(project, arm);
    job.arms
        .iter()
        .all(|arm| price(arm).is_some() || arm.endpoint.is_free() || arm.stored.is_some())
        && job
            .judges
            .values()
            .all(|judge| judge.price.is_some() || judge.endpoint.is_free())
        && job
            .embedders
            .values()
            .all(|embedder| embedder.price.is_some() || embedder.endpoint.is_free())
}

impl Forecast {
    /// The forecast as lines of text.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let mut lines = vec![format!(
            "{}: {}, {} to send, {} from the cache",
            self.title,
            text::count(self.trials, "trial"),
            text::count(whole(self.answers.estimate.requests), "request"),
            text::thousands(whole(self.answers.estimate.cached))
        )];
        let way = if self.batch { " in batches" } else { "" };
        lines.push(format!("  answers{way}: {}", describe(&self.answers)));
        for (model, judge) in &self.judges {
            lines.push(format!(
                "  judge {model}: {} at most, {}",
                text::count(whole(judge.estimate.requests), "request"),
                describe(judge)
            ));
        }
        for (model, tokenizer) in &self.tokenizers {
            lines.push(format!(
                "  tokens of {}: {}",
                visible_line(model),
                tokenizer.describe()
            ));
        }
        let (power, churn) = (number::level(self.power), number::level(PLANNED_CHURN));
        lines.push(match self.finds {
            Some(loss) => format!(
                "  finds a loss of {:.1} points with {power} power ({churn} of the cases flip without any change)",
                loss * 100.0
            ),
            None => format!("  too few cases to find any loss with {power} power"),
        });
        if let Some(refill) = &self.refill {
            let cost = refill.cost_usd.map_or_else(
                || "cost unknown, as the model's price is".to_owned(),
                |cost| format!("about {cost:.2} USD"),
            );
            lines.push(if refill.prefix_tokens > 0.0 { format!(
                "  an edit at {} requests an hour refills the provider's prompt cache ({} tokens of system messages): {cost}",
                text::thousands(whole_of(refill.per_hour)),
                text::thousands(whole_of(refill.prefix_tokens))
            ) } else {
                "  the prompt has no system message, so an edit refills nothing of the provider's prompt cache".to_owned()
            });
        }
        lines
    }
}

fn describe(asked: &Asked) -> String {
    let estimate = &asked.estimate;
    if estimate.requests == 0 {
        return "nothing to send, nothing to pay".to_owned();
    }
    let most = estimate.most_output.map_or_else(
        || {
            let versions = asked.unlimited.iter().map(|version| visible_line(version));
            let versions = versions.collect::<Vec<_>>().join(" and ");
            format!("unlimited out (no `max_tokens` for {versions})")
        },
        |most| format!("at most {} out", text::thousands(whole_of(most))),
    );
    let cost = match estimate.cost_usd {
        Some((low, high)) => format!("{low:.4} to {high:.4} USD"),
        None if !asked.paid => "free".to_owned(),
        None if estimate.most_output.is_none() => "price unknown, as the length is".to_owned(),
        None => "price unknown (the model has no `price`)".to_owned(),
    };
    format!(
        "{} tokens in, {most}, {cost}",
        text::thousands(whole_of(estimate.input_tokens))
    )
}

fn whole(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "an estimate that is shown, never negative"
)]
fn whole_of(number: f64) -> usize {
    number.max(0.0).round() as usize
}
