//! How well a judge agrees with people, from examples that both have judged: figures on passes and on
//! scores, the judge's leanings, and how steady it is. Numbers only; `verdict` judges them.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::preference::{self, PositionLeaning, PreferenceAgreement};
use crate::dataset::label::{Example, FIVE_SCORES, Rating};
use crate::record::calibration::{CalibrationItem, HumanVerdict, JudgeVerdict};
use crate::stats::Interval;
use crate::stats::agreement::{
    Confusion, Scale, Weights, cohen_kappa, gwet_ac1, kappa_interval, krippendorff_alpha,
};
use crate::stats::association::{Measured, mean_difference, spearman};
use crate::stats::calibration::{JudgeRecord, RateEstimate, sensitivity, specificity};
use crate::stats::proportion::Tally;

/// The level of all intervals of a calibration.
pub const LEVEL: f64 = 0.95;

/// From this score on a label without `pass` counts as a pass, where no threshold says otherwise:
/// by the rubric such an answer falls short in a minor point at most.
pub const PASS_SCORE: f64 = 0.75;

/// Agreement on passes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Agreement {
    /// Examples with a verdict of both.
    pub examples: u64,
    /// Both pass.
    pub both_pass: u64,
    /// People pass, the judge fails.
    pub false_fail: u64,
    /// People fail, the judge passes.
    pub false_pass: u64,
    /// Both fail.
    pub both_fail: u64,
    /// Share of examples on which both say the same.
    pub agreement: Option<f64>,
    /// Cohen's κ.
    pub kappa: Option<f64>,
    /// Its interval.
    pub kappa_ci: Option<Interval>,
    /// Gwet's AC1.
    pub ac1: Option<f64>,
    /// Krippendorff's α, nominal.
    pub alpha: Option<f64>,
    /// Share of what people pass that the judge passes.
    pub sensitivity: Option<RateEstimate>,
    /// Share of what people fail that the judge fails.
    pub specificity: Option<RateEstimate>,
}

/// Whether people pass an example; `None` where they do not say.
#[must_use]
pub fn human_pass(human: &HumanVerdict, threshold: Option<f64>) -> Option<bool> {
    let by_score = human
        .score
        .map(|score| score >= threshold.unwrap_or(PASS_SCORE));
    human.pass.or(by_score)
}

/// Whether a judge passes an example under a scorer's threshold.
#[must_use]
pub fn judge_pass(judge: &JudgeVerdict, threshold: Option<f64>) -> bool {
    threshold.map_or(judge.pass, |least| judge.score >= least)
}

impl Agreement {
    /// The agreement on some examples under a threshold.
    #[must_use]
    pub fn of<'i>(
        items: impl IntoIterator<Item = &'i CalibrationItem>,
        threshold: Option<f64>,
    ) -> Self {
        let pairs: Vec<(bool, bool)> = items
            .into_iter()
            .filter_map(|item| {
                let human = human_pass(&item.human, threshold)?;
                Some((human, judge_pass(&item.judge, threshold)))
            })
            .collect();
        let count = |wanted| pairs.iter().filter(|pair| **pair == wanted).count() as u64;
        let (both_pass, false_fail) = (count((true, true)), count((true, false)));
        let (false_pass, both_fail) = (count((false, true)), count((false, false)));
        let rows = [vec![both_pass, false_fail], vec![false_pass, both_fail]];
        let table = Confusion::from_rows(&rows).ok();
        let examples = pairs.len() as u64;
        let units: Vec<Vec<f64>> = pairs
            .iter()
            .map(|(human, judge)| vec![f64::from(u8::from(*human)), f64::from(u8::from(*judge))])
            .collect();
        let mut found = Self {
            examples,
            both_pass,
            false_fail,
            false_pass,
            both_fail,
            agreement: (examples > 0).then(|| (both_pass + both_fail) as f64 / examples as f64),
            kappa: table
                .as_ref()
                .and_then(|table| cohen_kappa(table, Weights::None)),
            kappa_ci: table
                .as_ref()
                .and_then(|table| kappa_interval(table, LEVEL).ok().flatten()),
            ac1: table.as_ref().and_then(gwet_ac1),
            alpha: krippendorff_alpha(&units, Scale::Nominal).ok().flatten(),
            sensitivity: None,
            specificity: None,
        };
        if let Some(record) = found.record() {
            found.sensitivity = sensitivity(&record, LEVEL).ok();
            found.specificity = specificity(&record, LEVEL).ok();
        }
        found
    }

    /// The judge's errors, for correcting a measured rate.
    #[must_use]
    pub fn record(&self) -> Option<JudgeRecord> {
        Some(JudgeRecord {
            passes: Tally::new(self.both_pass, self.both_pass + self.false_fail).ok()?,
            failures: Tally::new(self.both_fail, self.both_fail + self.false_pass).ok()?,
        })
    }
}

/// Agreement on scores.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ScoreAgreement {
    /// Examples with a score of both.
    pub examples: u64,
    /// Cohen's κ with quadratic weights, people's mean score at the nearest of the five.
    pub kappa_quadratic: Option<f64>,
    /// Krippendorff's α, ordinal.
    pub alpha: Option<f64>,
    /// The judge's mean score less people's.
    pub leniency: Option<f64>,
}

/// How well people agree with each other.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct People {
    /// Raters with a name.
    pub raters: u64,
    /// Examples that two people or more have labelled.
    pub examples: u64,
    /// Share of pairs of people that say the same of a pass.
    pub agreement: Option<f64>,
    /// Krippendorff's α on passes, nominal.
    pub alpha: Option<f64>,
    /// Krippendorff's α on scores, ordinal.
    pub score_alpha: Option<f64>,
    /// Examples without a majority, which do not count.
    pub tied: u64,
}

/// How a judge's score goes with the length of the answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LengthBias {
    /// Spearman's ρ of the judge's score and the length.
    pub judge: Option<Measured>,
    /// Of people's score and the length.
    pub people: Option<Measured>,
    /// Of the judge's score less people's, and the length: above 0 it favours long answers.
    pub excess: Option<Measured>,
}

/// How steady a judge is when it is asked again.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Repeatability {
    /// How often it was asked.
    pub runs: u32,
    /// Examples with every verdict.
    pub examples: u64,
    /// Share of them with the same pass every time.
    pub same: Option<f64>,
    /// Krippendorff's α over the repeats of a pass, nominal.
    pub alpha: Option<f64>,
    /// Krippendorff's α over the repeats of a score, ordinal.
    pub score_alpha: Option<f64>,
}

/// Whether a judge favours answers of its own model.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SelfPreference {
    /// Examples that its own model wrote.
    pub own: u64,
    /// Examples of other models.
    pub others: u64,
    /// What the judge gives its own beyond what people give them, less the same of others.
    pub excess: Option<Measured>,
}

/// All figures of a calibration.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Figures {
    /// Agreement on passes; none of a judge that compares.
    pub pass: Option<Agreement>,
    /// Agreement on which of two answers is better, of a judge that compares.
    pub preference: Option<PreferenceAgreement>,
    /// The leaning to a place, of a judge that compares.
    pub position: Option<PositionLeaning>,
    /// Agreement on scores, where labels have scores.
    pub score: Option<ScoreAgreement>,
    /// People among themselves, where several labelled an example.
    pub people: Option<People>,
    /// The leaning to long or short answers.
    pub length: LengthBias,
    /// How steady the judge is, where it was asked more than once.
    pub repeatability: Option<Repeatability>,
    /// The leaning to its own answers, where the labels say who wrote what.
    pub self_preference: Option<SelfPreference>,
}

/// An example with what the judge said of it, each time.
#[derive(Debug, Clone)]
pub struct JudgedExample<'e> {
    /// The example.
    pub example: &'e Example,
    /// What people and the judge said, the judge the first time.
    pub item: CalibrationItem,
    /// The length of the answer in characters; of two answers, by how much the second is longer.
    pub length: f64,
    /// What the judge said each time that it said something.
    pub said: Vec<JudgeVerdict>,
    /// Whether the judge's own model wrote the answer; `None` where nobody knows.
    pub own: Option<bool>,
}

/// What people say of an example, several raters together.
#[must_use]
pub fn consensus(ratings: &[Rating]) -> HumanVerdict {
    let passes: Vec<bool> = ratings.iter().filter_map(|rating| rating.pass).collect();
    let yes = passes.iter().filter(|pass| **pass).count();
    let scores: Vec<f64> = ratings.iter().filter_map(|rating| rating.score).collect();
    HumanVerdict {
        preferred: preference::majority(ratings),
        pass: (2 * yes != passes.len()).then_some(2 * yes > passes.len()),
        score: (!scores.is_empty()).then(|| scores.iter().sum::<f64>() / scores.len() as f64),
    }
}

impl Figures {
    /// Computes everything from the judged examples.
    #[must_use]
    pub fn of(judged: &[JudgedExample<'_>], threshold: Option<f64>, runs: u32) -> Self {
        let items = || judged.iter().map(|one| &one.item);
        let compares = items().any(preference::compares);
        Self {
            pass: (!compares).then(|| Agreement::of(items(), threshold)),
            preference: compares.then(|| PreferenceAgreement::of(items())),
            position: compares.then(|| PositionLeaning::of(items())),
            score: score_agreement(judged),
            people: people(judged),
            length: length_bias(judged, threshold),
            repeatability: (runs > 1).then(|| repeatability(judged, threshold, runs)),
            self_preference: self_preference(judged, threshold),
        }
    }
}

fn score_agreement(judged: &[JudgedExample<'_>]) -> Option<ScoreAgreement> {
    let pairs: Vec<(f64, f64)> = judged
        .iter()
        .filter_map(|one| Some((one.item.human.score?, one.item.judge.score)))
        .collect();
    if pairs.is_empty() {
        return None;
    }
    let steps = |value: f64| {
        let nearest = FIVE_SCORES.iter().enumerate().min_by(|a, b| {
            let distance = |score: f64| (score - value).abs();
            distance(*a.1).total_cmp(&distance(*b.1))
        });
        nearest.map_or(0, |(step, _)| step)
    };
    let (people, judge): (Vec<usize>, Vec<usize>) =
        pairs.iter().map(|(a, b)| (steps(*a), steps(*b))).unzip();
    let table = Confusion::from_labels(&people, &judge, FIVE_SCORES.len()).ok();
    let units: Vec<Vec<f64>> = pairs.iter().map(|(a, b)| vec![*a, *b]).collect();
    let excess: f64 = pairs.iter().map(|(people, judge)| judge - people).sum();
    Some(ScoreAgreement {
        examples: pairs.len() as u64,
        kappa_quadratic: table.and_then(|table| cohen_kappa(&table, Weights::Quadratic)),
        alpha: krippendorff_alpha(&units, Scale::Ordinal).ok().flatten(),
        leniency: Some(excess / pairs.len() as f64),
    })
}

fn people(judged: &[JudgedExample<'_>]) -> Option<People> {
    let several = |one: &&JudgedExample<'_>| one.example.ratings.len() > 1;
    let examples = judged.iter().filter(several).count() as u64;
    if examples == 0 {
        return None;
    }
    let column = |value: fn(&Rating) -> Option<f64>| -> Vec<Vec<f64>> {
        let units = judged.iter().map(|one| one.example.ratings.iter());
        units
            .map(|ratings| ratings.filter_map(value).collect())
            .collect()
    };
    let choices = column(|rating| rating.preferred.map(preference::number));
    if judged.iter().any(|one| preference::compares(&one.item)) {
        let tied = judged
            .iter()
            .filter(|one| one.item.human.preferred.is_none());
        return Some(People {
            raters: names(judged),
            examples,
            agreement: pair_agreement(&choices),
            alpha: krippendorff_alpha(&choices, Scale::Nominal).ok().flatten(),
            score_alpha: None,
            tied: tied.count() as u64,
        });
    }
    let passes = column(|rating| rating.pass.map(|pass| f64::from(u8::from(pass))));
    let scores = column(|rating| rating.score);
    let tied = passes.iter().filter(|unit| {
        let yes = unit.iter().filter(|pass| **pass > 0.5).count();
        !unit.is_empty() && 2 * yes == unit.len()
    });
    Some(People {
        raters: names(judged),
        examples,
        agreement: pair_agreement(&passes),
        alpha: krippendorff_alpha(&passes, Scale::Nominal).ok().flatten(),
        score_alpha: krippendorff_alpha(&scores, Scale::Ordinal).ok().flatten(),
        tied: tied.count() as u64,
    })
}

/// Raters with a name.
fn names(judged: &[JudgedExample<'_>]) -> u64 {
    let ratings = judged.iter().flat_map(|one| &one.example.ratings);
    let names: BTreeSet<&str> = ratings
        .filter_map(|rating| rating.rater.as_deref())
        .collect();
    names.len() as u64
}

/// Share of pairs of ratings of one example that are the same, each example counting the same.
fn pair_agreement(units: &[Vec<f64>]) -> Option<f64> {
    let shares: Vec<f64> = units
        .iter()
        .filter(|unit| unit.len() > 1)
        .map(|unit| {
            let n = unit.len() as f64;
            let equal = |value: &f64| {
                let others = unit.iter().filter(|other| other.total_cmp(value).is_eq());
                others.count() as f64 - 1.0
            };
            unit.iter().map(equal).sum::<f64>() / (n * (n - 1.0))
        })
        .collect();
    (!shares.is_empty()).then(|| shares.iter().sum::<f64>() / shares.len() as f64)
}

/// The values of people and judge that can be held against each other: scores, else passes.
fn both(one: &JudgedExample<'_>, threshold: Option<f64>) -> Option<(f64, f64)> {
    if let Some(judge) = one.item.judge.preferred {
        let human = one.item.human.preferred?;
        return Some((preference::number(human), preference::number(judge)));
    }
    if let Some(score) = one.item.human.score {
        return Some((score, one.item.judge.score));
    }
    let number = |pass: bool| f64::from(u8::from(pass));
    let human = human_pass(&one.item.human, threshold)?;
    Some((
        number(human),
        number(judge_pass(&one.item.judge, threshold)),
    ))
}

fn length_bias(judged: &[JudgedExample<'_>], threshold: Option<f64>) -> LengthBias {
    let rho = |values: Vec<(f64, f64)>| {
        let (values, lengths): (Vec<f64>, Vec<f64>) = values.into_iter().unzip();
        spearman(&values, &lengths, LEVEL).ok().flatten()
    };
    let column = |value: &dyn Fn(&JudgedExample<'_>) -> Option<f64>| {
        let pairs = judged
            .iter()
            .filter_map(|one| Some((value(one)?, one.length)));
        rho(pairs.collect())
    };
    LengthBias {
        judge: column(&|one| Some(one.item.judge.score)),
        people: column(&|one| both(one, threshold).map(|(human, _)| human)),
        excess: column(&|one| both(one, threshold).map(|(human, judge)| judge - human)),
    }
}

fn repeatability(judged: &[JudgedExample<'_>], threshold: Option<f64>, runs: u32) -> Repeatability {
    let whole: Vec<&JudgedExample<'_>> = judged
        .iter()
        .filter(|one| one.said.len() == runs as usize)
        .collect();
    let passes = |one: &JudgedExample<'_>| -> Vec<f64> {
        let said = one.said.iter();
        said.map(|verdict| match verdict.preferred {
            Some(preferred) => preference::number(preferred),
            None => f64::from(u8::from(judge_pass(verdict, threshold))),
        })
        .collect()
    };
    let units: Vec<Vec<f64>> = whole.iter().map(|one| passes(one)).collect();
    let scores: Vec<Vec<f64>> = whole
        .iter()
        .map(|one| one.said.iter().map(|verdict| verdict.score).collect())
        .collect();
    let same = units.iter().filter(|unit| {
        let equal = |other: &f64| unit.first().is_some_and(|one| one.total_cmp(other).is_eq());
        unit.iter().all(equal)
    });
    let same = same.count();
    Repeatability {
        runs,
        examples: whole.len() as u64,
        same: (!whole.is_empty()).then(|| same as f64 / whole.len() as f64),
        alpha: krippendorff_alpha(&units, Scale::Nominal).ok().flatten(),
        score_alpha: krippendorff_alpha(&scores, Scale::Ordinal).ok().flatten(),
    }
}

fn self_preference(judged: &[JudgedExample<'_>], threshold: Option<f64>) -> Option<SelfPreference> {
    let mut groups: BTreeMap<bool, Vec<f64>> = BTreeMap::new();
    for one in judged {
        if let (Some(own), Some((human, judge))) = (one.own, both(one, threshold)) {
            groups.entry(own).or_default().push(judge - human);
        }
    }
    let (own, others) = (groups.remove(&true)?, groups.remove(&false)?);
    Some(SelfPreference {
        own: own.len() as u64,
        others: others.len() as u64,
        excess: mean_difference(&own, &others, LEVEL).ok().flatten(),
    })
}

#[cfg(test)]
mod tests;
