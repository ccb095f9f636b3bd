//! A panel: several judges of one answer, and how their votes become one score.

use super::super::answer::{MAX_REASON, Part, Score};
use super::super::form::{Form, ScorerType};
use super::super::spec::{Kind, ScorerSpec};
use crate::base::{Node, text};

const KEYS: &[&str] = &["judges", "vote"];

/// The type `panel`.
pub const TYPES: &[ScorerType] = &[ScorerType::new("panel", KEYS, decode)
    .graded()
    .never_negated()];

/// The most judges of a panel.
const MOST: usize = 20;

/// Several judges of one answer.
#[derive(Debug, Clone)]
pub struct Panel {
    /// The judges, each a scorer of a type that asks one.
    pub judges: Vec<ScorerSpec>,
    /// How their votes become one score.
    pub vote: Vote,
}

/// How the votes of a panel become one score.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Vote {
    /// More than half of the weight passes; the score is the share that does.
    Majority,
    /// All pass; the score is the least one.
    Unanimous,
    /// The mean of the scores, by weight, reaches the threshold.
    Mean,
}

impl Vote {
    const WORDS: [(&'static str, Self); 3] = [
        ("majority", Self::Majority),
        ("unanimous", Self::Unanimous),
        ("mean", Self::Mean),
    ];
}

fn decode(form: &mut Form<'_, '_, '_>) -> Option<Kind> {
    let written = form.get("vote").is_some();
    let vote = form.word("vote", &Vote::WORDS);
    let node = form.require("judges")?;
    let items = form.reader.list(node, "`judges`")?;
    if !(2..=MOST).contains(&items.len()) {
        let message = format!("a panel has 2 to {MOST} judges, found {}", items.len());
        let help = "write an odd number of judges, so that there is a majority";
        form.reader.error(node.span, "out-of-range", message, help);
        return None;
    }
    let mut judges: Vec<ScorerSpec> = Vec::with_capacity(items.len());
    for item in items {
        judges.extend(member(form, item, &judges));
    }
    form.resolve(
        "judges",
        judges.iter().map(|j| j.resolved().clone()).collect(),
    );
    if judges.len() < items.len() || (written && vote.is_none()) {
        return None;
    }
    if judges.iter().all(|judge| judge.weight == 0.0) {
        let help = "give one judge a `weight`";
        form.error("out-of-range", "weighs nothing", help);
        return None;
    }
    let vote = vote.unwrap_or(Vote::Majority);
    if vote == Vote::Mean && form.get("threshold").is_none() {
        let help = "add `threshold:`, the least mean score that passes";
        form.error(
            "missing-key",
            "has a `vote` of `mean` and no `threshold`",
            help,
        );
        return None;
    }
    Some(Kind::Panel(Panel { judges, vote }))
}

fn member(form: &mut Form<'_, '_, '_>, node: &Node, earlier: &[ScorerSpec]) -> Option<ScorerSpec> {
    let (schemas, depth) = (form.schemas, form.depth + 1);
    let judge = ScorerSpec::decode_within(form.reader, node, schemas, depth)?;
    let Some(_) = judge.judge_of_one() else {
        let message = format!("`{}` is no judge for a panel", judge.type_name);
        let help = "write a judge, such as `{ type: judge, criteria: … }`";
        form.reader.error(node.span, "judge", message, help);
        return None;
    };
    if earlier.iter().any(|other| other.name == judge.name) {
        let message = format!("two judges of the panel have the name `{}`", judge.name);
        let help = "give each of them a `name`";
        form.reader
            .error(node.span, "duplicate-name", message, help);
        return None;
    }
    form.refer(judge.references().iter().cloned());
    Some(judge)
}

impl Panel {
    /// What the members' scores, in their order, mean together.
    #[must_use]
    pub fn conclude(&self, spec: &ScorerSpec, ballots: &[Score]) -> Score {
        let (mut sum, mut passing, mut weight, mut least) = (0.0, 0.0, 0.0, 1.0f64);
        for (judge, ballot) in self.judges.iter().zip(ballots) {
            weight += judge.weight;
            sum += judge.weight * ballot.score;
            if ballot.pass {
                passing += judge.weight;
            }
            least = least.min(ballot.score);
        }
        let share = |part: f64| if part >= weight { 1.0 } else { part / weight };
        let (pass, score) = match self.vote {
            Vote::Majority => (share(passing) > 0.5, share(passing)),
            Vote::Unanimous => (ballots.iter().all(|ballot| ballot.pass), least),
            Vote::Mean => (sum >= weight, share(sum)),
        };
        let parts = self.judges.iter().zip(ballots).map(|(judge, ballot)| Part {
            name: judge.name.to_string(),
            pass: ballot.pass,
            score: ballot.score,
            reason: ballot.reason.clone(),
        });
        Score {
            pass: spec.threshold.map_or(pass, |least| score >= least),
            score,
            reason: self.reason(ballots),
            parts: parts.collect(),
        }
    }

    fn reason(&self, ballots: &[Score]) -> String {
        let passing = ballots.iter().filter(|ballot| ballot.pass).count();
        let mut reason = format!("{passing} of {} judges pass", ballots.len());
        let mut named = self.judges.iter().zip(ballots);
        if let Some((judge, against)) = named.find(|(_, ballot)| !ballot.pass) {
            reason = format!("{reason}; `{}`: {}", judge.name, against.reason);
        }
        text::shorten(&reason, MAX_REASON).into_owned()
    }
}
