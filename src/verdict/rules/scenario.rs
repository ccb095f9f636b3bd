//! All rules of a policy on one reading of the table: with missing pairs left out, or filled with
//! the worst or the best.

use std::sync::Arc;

use super::absolute::{Floor, MustPass, Rate};
use super::evidence::{Barrier, Evidence};
use super::family::{Finding, Judged, Kind, conclude};
use super::metrics::{self, Limited};
use super::pass_rate::{self, Question};
use crate::analysis::{Fill, Measure, Pairing, Segment, segments};
use crate::verdict::calibration::JudgeCheck;
use crate::verdict::decide::DecisionContext;
use crate::verdict::early;
use crate::verdict::policy::{Limit, Metric, MetricRule, Mode, Policy};
use crate::verdict::rule::{FamilyNote, RuleVerdict, Verdict};
use crate::verdict::several::Among;

/// What every scenario on a table shares.
pub(in crate::verdict) struct Ground<'t> {
    pub pairing: &'t Pairing<'t>,
    pub policy: &'t Policy,
    pub seed: u64,
    among: Among,
    segments: Vec<Segment>,
    /// The gating judges, where the policy asks how well they agree with people.
    judges: Vec<JudgeCheck>,
    /// What other scorers find stands, whatever the judges are like.
    fails_without: bool,
    /// The evidence on amounts by name, which missing pairs do not change.
    amounts: Vec<(String, Evidence)>,
    scorers: &'t [Arc<str>],
}

/// What all rules found on one reading.
#[derive(Debug, Clone)]
pub(in crate::verdict) struct Scenario<'t> {
    pub must_pass: Option<MustPass<'t>>,
    /// The pass rate of a candidate alone, watched where no floor decides on it.
    pub rate: Option<Rate>,
    pub floor: Option<Floor>,
    /// The gating judges, where the policy asks how well they agree with people.
    pub judges: Vec<JudgeCheck>,
    /// What other scorers find stands, whatever the judges are like.
    pub fails_without: bool,
    pub judged: Vec<Judged>,
    pub family: FamilyNote,
}

impl<'t> Ground<'t> {
    /// Prepares what does not depend on the reading.
    pub(in crate::verdict) fn new(
        pairing: &'t Pairing<'t>,
        scorers: &'t [Arc<str>],
        policy: &'t Policy,
        context: &DecisionContext<'_>,
    ) -> Self {
        let seed = context.seed;
        let compared = pairing.table.has_baseline;
        let keys = policy.segments.keys.as_deref();
        let amounts = policy.metrics.iter().filter_map(|rule| {
            let limited = limited(rule)?;
            let evidence = metrics::evidence(pairing, limited, policy, seed);
            Some((rule.metric.name(), evidence))
        });
        Self {
            segments: if compared && !pairing.table.graded {
                segments(pairing.table, keys, policy.segments.min_cases)
            } else {
                Vec::new()
            },
            amounts: if compared {
                amounts.collect()
            } else {
                Vec::new()
            },
            pairing,
            policy,
            seed,
            among: context.among,
            judges: JudgeCheck::all(policy, &context.judges),
            fails_without: context.judges.fails_without,
            scorers,
        }
    }

    /// Reads the table one way and judges every rule.
    pub(in crate::verdict) fn read(&self, fill: Fill) -> Scenario<'t> {
        let policy = self.policy;
        let mut judged = Vec::new();
        if self.pairing.table.has_baseline {
            judged.push(self.main(fill));
            judged.extend(
                self.segments
                    .iter()
                    .map(|segment| self.segment(segment, fill)),
            );
            judged.extend(policy.metrics.iter().map(|rule| self.metric(rule, fill)));
        }
        let family = if judged.is_empty() {
            FamilyNote::default()
        } else {
            conclude(&mut judged, policy, self.among)
        };
        self.bar(&mut judged);
        let table = self.pairing.table;
        let is_watched = !table.has_baseline && !table.graded && policy.min_pass_rate.is_none();
        Scenario {
            must_pass: MustPass::of(self.pairing, fill, policy.alpha),
            rate: is_watched.then(|| Rate::of(self.pairing, fill, policy.level())),
            floor: policy
                .min_pass_rate
                .map(|floor| Floor::of(self.pairing, fill, floor, policy.level())),
            judges: self.judges.clone(),
            fails_without: self.fails_without,
            judged,
            family,
        }
    }

    /// Marks what rests on a judge that may not gate.
    fn bar(&self, judged: &mut [Judged]) {
        let unfit = || self.judges.iter().filter(|judge| !judge.fit);
        for rule in judged {
            let score = rule.metric.strip_prefix("score.");
            let rests = match rule.kind {
                Kind::Main | Kind::Segment => unfit().next().is_some() && !self.fails_without,
                Kind::Measure => unfit().any(|judge| score == judge.scorer.split('/').next()),
                Kind::Amount => false,
            };
            let fails = rule.finding.verdict() == RuleVerdict::Fail;
            rule.barred = rests && rule.gating && fails;
        }
    }

    fn question(&self, margin: f64) -> Question<'_> {
        Question {
            policy: self.policy,
            margin,
            seed: self.seed,
        }
    }

    fn main(&self, fill: Fill) -> Judged {
        let (id, metric, measure) = if self.pairing.table.graded {
            ("score", "score", Measure::Score)
        } else {
            ("pass-rate", "pass", Measure::Pass)
        };
        let margin = self.policy.margin;
        let question = self.question(margin);
        let mut evidence =
            pass_rate::evidence(self.pairing, &self.pairing.all, measure, fill, question);
        bar_left_out(&mut evidence);
        early::pay_for_looks(&mut evidence, self.pairing, self.policy);
        judged(
            id.to_owned(),
            metric.to_owned(),
            Kind::Main,
            margin,
            evidence,
        )
    }

    fn segment(&self, segment: &Segment, fill: Fill) -> Judged {
        let margin = self.policy.margin;
        let question = self.question(margin);
        let measure = Measure::Pass;
        let evidence = pass_rate::evidence(self.pairing, &segment.rows, measure, fill, question);
        let id = format!("pass-rate[{}]", segment.name);
        let too_few_cases = evidence.n < self.policy.segments.min_cases;
        Judged {
            segment: Some(segment.name.clone()),
            gating: self.policy.segments.mode == Mode::Gate,
            too_few_cases,
            ..judged(id, "pass".to_owned(), Kind::Segment, margin, evidence)
        }
    }

    fn metric(&self, rule: &MetricRule, fill: Fill) -> Judged {
        let name = rule.metric.name();
        let (kind, limit) = match rule.limit {
            Limit::Margin(margin) => (Kind::Measure, margin),
            Limit::MaxRatio(ratio, _) => (Kind::Amount, ratio),
        };
        let evidence = match &rule.metric {
            Metric::Score(scorer) => self.scorer(scorer, fill, limit),
            Metric::Fault(fault) => {
                let measure = Metric::no_fault(*fault);
                let question = self.question(limit);
                pass_rate::evidence(self.pairing, &self.pairing.all, measure, fill, question)
            }
            Metric::Amount(_) => {
                let found = self.amounts.iter().find(|(known, _)| *known == name);
                found.map_or_else(
                    || Evidence::barred(Barrier::NoPair),
                    |(_, evidence)| evidence.clone(),
                )
            }
        };
        Judged {
            gating: rule.mode == Mode::Gate,
            ..judged(name.clone(), name, kind, limit, evidence)
        }
    }

    fn scorer(&self, name: &str, fill: Fill, margin: f64) -> Evidence {
        let position = self.scorers.iter().position(|known| known.as_ref() == name);
        let Some(index) = position.and_then(|index| u16::try_from(index).ok()) else {
            return Evidence::barred(Barrier::NoScore);
        };
        let question = self.question(margin);
        let measure = Measure::Scorer(index);
        let rows = &self.pairing.all;
        let mut evidence = pass_rate::evidence(self.pairing, rows, measure, fill, question);
        if evidence.n == 0 && evidence.left_out == 0 && !self.pairing.all.is_empty() {
            evidence.barrier = Some(Barrier::NoScore);
        }
        bar_left_out(&mut evidence);
        evidence
    }
}

/// Above 5 % of pairs with a value on one side alone, nothing is decided.
fn bar_left_out(evidence: &mut Evidence) {
    let (left_out, of) = (evidence.left_out, evidence.n + evidence.left_out);
    if 20 * left_out > of {
        evidence.barrier = Some(Barrier::LeftOut { left_out, of });
    }
}

fn limited(rule: &MetricRule) -> Option<Limited> {
    match (&rule.metric, rule.limit) {
        (Metric::Amount(amount), Limit::MaxRatio(max_ratio, statistic)) => Some(Limited {
            amount: *amount,
            max_ratio,
            statistic,
        }),
        (Metric::Amount(_) | Metric::Score(_) | Metric::Fault(_), _) => None,
    }
}

fn judged(id: String, metric: String, kind: Kind, limit: f64, evidence: Evidence) -> Judged {
    Judged {
        id,
        metric,
        segment: None,
        kind,
        gating: true,
        limit,
        too_few_cases: false,
        evidence,
        p_adjusted: None,
        finding: Finding::Undecided,
        barred: false,
        doubted: None,
    }
}

/// Which rule something is about, in the order of the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::verdict) enum Part {
    /// The must-pass cases.
    MustPass,
    /// The pass rate of a candidate alone.
    Rate,
    /// The rule on pairs with this index.
    Judged(usize),
    /// The floor.
    Floor,
    /// The gating judge with this index.
    Judge(usize),
}

impl Scenario<'_> {
    /// The rules in the order of formats.md section 6: must-pass, pass rate, segments, floor,
    /// metrics.
    pub(in crate::verdict) fn parts(&self) -> Vec<Part> {
        let metric = |rule: &Judged| matches!(rule.kind, Kind::Measure | Kind::Amount);
        let first = self
            .judged
            .iter()
            .position(metric)
            .unwrap_or(self.judged.len());
        let mut parts = Vec::with_capacity(self.judged.len() + 3);
        parts.extend(self.must_pass.as_ref().map(|_| Part::MustPass));
        parts.extend(self.rate.as_ref().map(|_| Part::Rate));
        parts.extend((0..first).map(Part::Judged));
        parts.extend(self.floor.as_ref().map(|_| Part::Floor));
        parts.extend((0..self.judges.len()).map(Part::Judge));
        parts.extend((first..self.judged.len()).map(Part::Judged));
        parts
    }

    /// What a rule says towards the gate's verdict; `None` where it has no say.
    pub(in crate::verdict) fn vote(&self, part: Part) -> Option<RuleVerdict> {
        match part {
            Part::MustPass => self
                .must_pass
                .as_ref()
                .map(|found| self.unless_barred(found.verdict())),
            // A judge that is fit says nothing about the candidate.
            Part::Judge(index) => {
                let verdict = self.judges.get(index).map(JudgeCheck::verdict);
                verdict.filter(|verdict| *verdict != RuleVerdict::Pass)
            }
            Part::Rate => None,
            Part::Floor => self
                .floor
                .as_ref()
                .map(|found| self.unless_barred(found.verdict())),
            Part::Judged(index) => {
                let rule = self.judged.get(index).filter(|rule| rule.gating)?;
                let verdict = rule.verdict();
                match rule.kind {
                    // Of a segment only a failure counts.
                    Kind::Segment => Some(verdict).filter(|v| *v == RuleVerdict::Fail),
                    Kind::Main | Kind::Measure | Kind::Amount => Some(verdict),
                }
            }
        }
    }

    /// What an absolute rule says: one on passes can not fail by a judge that may not gate.
    pub(in crate::verdict) fn unless_barred(&self, verdict: RuleVerdict) -> RuleVerdict {
        let barred = self.judges.iter().any(|judge| !judge.fit) && !self.fails_without;
        match verdict {
            RuleVerdict::Fail if barred => RuleVerdict::Inconclusive,
            RuleVerdict::Pass
            | RuleVerdict::Fail
            | RuleVerdict::Inconclusive
            | RuleVerdict::Skipped => verdict,
        }
    }

    /// Whether a rule has a say at all.
    pub(in crate::verdict) fn decides(&self) -> bool {
        let mut parts = self.parts().into_iter();
        parts.any(|part| self.vote(part).is_some())
    }

    /// The first rule that says this, in the order of the list.
    pub(in crate::verdict) fn first(&self, wanted: RuleVerdict) -> Option<Part> {
        let mut parts = self.parts().into_iter();
        parts.find(|part| self.vote(*part) == Some(wanted))
    }

    /// The verdict over all gating rules: any failure, else any doubt, else pass. Without a rule
    /// that says something there is no pass.
    pub(in crate::verdict) fn verdict(&self) -> Verdict {
        let votes: Vec<RuleVerdict> = self
            .parts()
            .into_iter()
            .filter_map(|part| self.vote(part))
            .collect();
        if votes.contains(&RuleVerdict::Fail) {
            Verdict::Fail
        } else if votes.is_empty() || votes.iter().any(|vote| *vote != RuleVerdict::Pass) {
            Verdict::Inconclusive
        } else {
            Verdict::Pass
        }
    }
}
