//! How well a judge agrees with people, from examples that both have judged: figures on passes and on
//! scores, the judge's leanings, and how steady it is. Numbers only; `verdict` judges them.

use std::collections::BTreeMap;

use serde::Serialize;

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
    /// Agreement on passes.
    pub pass: Agreement,
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
    /// The length of the answer in characters.
    pub length: usize,
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
        pass: (2 * yes != passes.len()).then_some(2 * yes > passes.len()),
        score: (!scores.is_empty()).then(|| scores.iter().sum::<f64>() / scores.len() as f64),
    }
}

impl Figures {
    /// Computes everything from the judged examples.
    #[must_use]
    pub fn of(judged: &[JudgedExample<'_>], threshold: Option<f64>, runs: u32) -> Self {
        Self {
            pass: Agreement::of(judged.iter().map(|one| &one.item), threshold),
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
    let passes = column(|rating| rating.pass.map(|pass| f64::from(u8::from(pass))));
    let scores = column(|rating| rating.score);
    let names: std::collections::BTreeSet<&str> = judged
        .iter()
        .flat_map(|one| &one.example.ratings)
        .filter_map(|rating| rating.rater.as_deref())
        .collect();
    let tied = passes.iter().filter(|unit| {
        let yes = unit.iter().filter(|pass| **pass > 0.5).count();
        !unit.is_empty() && 2 * yes == unit.len()
    });
    Some(People {
        raters: names.len() as u64,
        examples,
        agreement: pair_agreement(&passes),
        alpha: krippendorff_alpha(&passes, Scale::Nominal).ok().flatten(),
        score_alpha: krippendorff_alpha(&scores, Scale::Ordinal).ok().flatten(),
        tied: tied.count() as u64,
    })
}

/// Share of pairs of ratings of one example that are the same, each example counting the same.
fn pair_agreement(units: &[Vec<f64>]) -> Option<f64> {
    let shares: Vec<f64> = units
        .iter()
        .filter(|unit| unit.len() > 1)
        .map(|unit| {
            let (n, yes) = (unit.len() as f64, unit.iter().sum::<f64>());
            let same = yes * (yes - 1.0) + (n - yes) * (n - yes - 1.0);
            same / (n * (n - 1.0))
        })
        .collect();
    (!shares.is_empty()).then(|| shares.iter().sum::<f64>() / shares.len() as f64)
}

/// The values of people and judge that can be held against each other: scores, else passes.
fn both(one: &JudgedExample<'_>, threshold: Option<f64>) -> Option<(f64, f64)> {
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
            .filter_map(|one| Some((value(one)?, one.length as f64)));
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
        said.map(|verdict| f64::from(u8::from(judge_pass(verdict, threshold))))
            .collect()
    };
    let units: Vec<Vec<f64>> = whole.iter().map(|one| passes(one)).collect();
    let scores: Vec<Vec<f64>> = whole
        .iter()
        .map(|one| one.said.iter().map(|verdict| verdict.score).collect())
        .collect();
    let same = units.iter().filter(|unit| {
        let yes = unit.iter().filter(|pass| **pass > 0.5).count();
        yes == 0 || yes == unit.len()
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
mod tests {
    use super::*;
    use crate::base::{CaseId, Digest};
    use crate::dataset::label::Subject;

    fn rating(pass: Option<bool>, score: Option<f64>) -> Rating {
        Rating {
            rater: None,
            pass,
            score,
            preferred: None,
        }
    }

    fn example(ratings: Vec<Rating>) -> Example {
        Example {
            id: CaseId::new("p"),
            line: 1,
            subject: Subject::Answer("x".to_owned()),
            question: None,
            reference: None,
            criteria: None,
            context: None,
            author: None,
            ratings,
        }
    }

    fn judged<'e>(example: &'e Example, said: &[(bool, f64)]) -> JudgedExample<'e> {
        let said: Vec<JudgeVerdict> = said
            .iter()
            .map(|(pass, score)| JudgeVerdict {
                pass: *pass,
                score: *score,
            })
            .collect();
        JudgedExample {
            example,
            item: CalibrationItem {
                id: "p".to_owned(),
                answer: Digest::of_bytes(b"x"),
                criteria: None,
                human: consensus(&example.ratings),
                judge: said[0],
            },
            length: 1,
            said,
            own: None,
        }
    }

    fn items(counts: [usize; 4]) -> Vec<CalibrationItem> {
        let kinds = [(true, true), (true, false), (false, true), (false, false)];
        let mut items = Vec::new();
        for ((human, judge), count) in kinds.into_iter().zip(counts) {
            let said = [(judge, f64::from(u8::from(judge)))];
            let example = example(vec![rating(Some(human), None)]);
            items.extend(std::iter::repeat_n(judged(&example, &said).item, count));
        }
        items
    }

    #[test]
    fn the_table_of_worked_example_11() {
        let found = Agreement::of(&items([46, 4, 15, 35]), None);
        assert_eq!(found.examples, 100);
        assert_eq!(found.agreement, Some(0.81));
        assert!((found.sensitivity.unwrap().rate - 0.92).abs() < 1e-12);
        assert!((found.specificity.unwrap().rate - 0.7).abs() < 1e-12);
        let found = Agreement::of(&items([40, 6, 4, 50]), None);
        assert!((found.kappa.unwrap() - 0.798_061).abs() < 1e-6);
        assert!((found.ac1.unwrap() - 0.801_980).abs() < 1e-6);
    }

    #[test]
    fn a_threshold_decides_for_the_judge_and_for_labels_without_a_pass() {
        let example = example(vec![rating(None, Some(0.5))]);
        let one = judged(&example, &[(false, 0.5)]).item;
        let strict = Agreement::of([&one], None);
        assert_eq!((strict.both_fail, strict.both_pass), (1, 0));
        let mild = Agreement::of([&one], Some(0.5));
        assert_eq!((mild.both_fail, mild.both_pass), (0, 1));
    }

    #[test]
    fn the_majority_of_raters_is_the_reference_and_a_tie_is_none() {
        let (yes, no) = (
            rating(Some(true), Some(1.0)),
            rating(Some(false), Some(0.5)),
        );
        let two = consensus(&[yes.clone(), no.clone()]);
        assert_eq!((two.pass, two.score), (None, Some(0.75)));
        let three = consensus(&[yes.clone(), no, yes]);
        assert_eq!(three.pass, Some(true));
        let nobody = consensus(&[rating(None, Some(0.25))]);
        assert_eq!(nobody.pass, None);
    }

    #[test]
    fn people_and_repeats_are_held_against_each_other() {
        let agreed = example(vec![rating(Some(true), None), rating(Some(true), None)]);
        let split = example(vec![rating(Some(true), None), rating(Some(false), None)]);
        let both = [
            judged(&agreed, &[(true, 1.0), (true, 0.75)]),
            judged(&split, &[(true, 1.0), (false, 0.0)]),
        ];
        let found = Figures::of(&both, None, 2);
        let people = found.people.unwrap();
        assert_eq!((people.examples, people.tied), (2, 1));
        assert_eq!(people.agreement, Some(0.5));
        let repeats = found.repeatability.unwrap();
        assert_eq!((repeats.examples, repeats.same), (2, Some(0.5)));
        assert_eq!(found.pass.examples, 1);
        assert_eq!(found.self_preference, None);
    }

    #[test]
    fn a_judge_that_likes_length_and_itself_is_found_out() {
        let examples: Vec<Example> = (0..40)
            .map(|n| {
                example(vec![rating(
                    None,
                    Some(if n % 2 == 0 { 0.5 } else { 0.25 }),
                )])
            })
            .collect();
        let judged: Vec<JudgedExample<'_>> = examples
            .iter()
            .enumerate()
            .map(|(n, example)| {
                let long = n >= 20;
                let mut one = judged(example, &[(long, if long { 1.0 } else { 0.25 })]);
                one.length = 10 + n;
                one.own = Some(long);
                one
            })
            .collect();
        let found = Figures::of(&judged, None, 1);
        let excess = found.length.excess.unwrap();
        assert!(
            excess.value > 0.7 && excess.interval.unwrap().low > 0.4,
            "{excess:?}"
        );
        assert!(found.length.people.unwrap().value.abs() < 0.2);
        let own = found.self_preference.unwrap();
        assert_eq!((own.own, own.others), (20, 20));
        let excess = own.excess.unwrap();
        assert!((excess.value - 0.75).abs() < 1e-12 && excess.interval.unwrap().low > 0.5);
        let score = found.score.unwrap();
        assert!((score.leniency.unwrap() - 0.25).abs() < 1e-12);
    }
}
