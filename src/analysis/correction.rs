//! Pass rates by a judge, corrected for what the judge gets wrong by its calibration: Rogan and Gladen,
//! or the prediction-powered mean where people have labelled this arm's own answers. They stand beside
//! the rates as judged, and decide nothing.

use std::collections::HashMap;

use super::arm::RateSample;
use super::calibration::{Agreement, LEVEL, human_pass, judge_pass};
use super::compare::number_clusters;
use super::preference;
use crate::base::Digest;
use crate::record::{Arm, CalibrationItem, JudgeCalibration, LogSpan, Run};
use crate::stats::Interval;
use crate::stats::calibration::{LabelledItem, powered_mean, rogan_gladen_rate};
use crate::stats::proportion::level_quantile;

/// Fewest of an arm's own answers with a label for the prediction-powered mean.
const FEWEST_OWN: usize = 10;

/// How a rate was corrected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// By sensitivity and specificity.
    RoganGladen,
    /// By labels of this arm's own answers.
    PredictionPowered,
}

impl Method {
    /// The word in results.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RoganGladen => "rogan-gladen",
            Self::PredictionPowered => "ppi++",
        }
    }

    /// The name in reports.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::RoganGladen => "Rogan\u{2013}Gladen",
            Self::PredictionPowered => "PPI++",
        }
    }
}

/// A pass rate by a judge, as judged and corrected.
#[derive(Debug, Clone, PartialEq)]
pub struct CorrectedRate {
    /// The scorer.
    pub scorer: String,
    /// The side.
    pub arm: Arm,
    /// Cases with a verdict of the judge.
    pub cases: u64,
    /// The rate as judged.
    pub raw: f64,
    /// The rate corrected; `None` where the judge is no better than chance.
    pub corrected: Option<f64>,
    /// Its interval, cut to [0, 1].
    pub interval: Option<Interval>,
    /// How.
    pub method: Method,
    /// Labels behind the correction.
    pub labels: u64,
}

/// The corrected rates of each judge with a calibration. `answer` gives the digest of the answer that a
/// line of the log holds.
pub fn of_run(run: &Run, answer: &dyn Fn(LogSpan) -> Option<Digest>) -> Vec<CorrectedRate> {
    let mut found = Vec::new();
    // What a judge that compares says of one arm rests on the other one too: it has no pass rate of its
    // own that sensitivity and specificity could correct.
    let of_one = |items: &[CalibrationItem]| !items.iter().any(preference::compares);
    let judges = run.header.calibrations.iter();
    for judge in judges.filter(|judge| of_one(&judge.items)) {
        let place = run.scorers.iter().position(|name| **name == *judge.scorer);
        let Some(scorer) = place.and_then(|place| u16::try_from(place).ok()) else {
            continue;
        };
        let agreement = Agreement::of(&judge.items, judge.threshold);
        for arm in run.arms() {
            found.extend(of_arm(run, arm, scorer, (judge, &agreement), answer));
        }
    }
    found
}

fn of_arm(
    run: &Run,
    arm: Arm,
    scorer: u16,
    (judge, agreement): (&JudgeCalibration, &Agreement),
    answer: &dyn Fn(LogSpan) -> Option<Digest>,
) -> Option<CorrectedRate> {
    let (sample, cases) = sample(run, arm, scorer);
    let raw = sample.mean()?;
    let mut rate = CorrectedRate {
        scorer: judge.scorer.clone(),
        arm,
        cases: sample.shares.len() as u64,
        raw,
        corrected: None,
        interval: None,
        method: Method::RoganGladen,
        labels: agreement.examples,
    };
    let labelled = labelled(run, arm, judge, answer);
    if labelled.len() >= FEWEST_OWN && sample.clusters.is_none() {
        let unlabelled: Vec<f64> = sample
            .shares
            .iter()
            .zip(&cases)
            .filter(|(_, case)| !labelled.contains_key(*case))
            .map(|(share, _)| *share)
            .collect();
        let items: Vec<LabelledItem> = cases
            .iter()
            .filter_map(|case| labelled.get(case).copied())
            .collect();
        if let Ok(mean) = powered_mean(&items, &unlabelled, LEVEL) {
            rate.corrected = Some(mean.mean.clamp(0.0, 1.0));
            rate.interval = Some(cut(mean.interval));
            rate.method = Method::PredictionPowered;
            rate.labels = items.len() as u64;
            return Some(rate);
        }
    }
    let record = agreement.record().filter(|_| agreement.examples > 0)?;
    if record.passes.trials() == 0 || record.failures.trials() == 0 {
        return None;
    }
    if let Ok(found) = rogan_gladen_rate(raw, sample.size(), &record) {
        let half = level_quantile(LEVEL).ok()? * found.standard_error;
        rate.corrected = Some(found.rate);
        rate.interval = Some(cut(Interval {
            low: found.uncut - half,
            high: found.uncut + half,
            level: LEVEL,
        }));
    }
    Some(rate)
}

fn cut(interval: Interval) -> Interval {
    Interval {
        low: interval.low.clamp(0.0, 1.0),
        high: interval.high.clamp(0.0, 1.0),
        ..interval
    }
}

/// The share of trials that the judge passes, by case with a verdict of it, and these cases' indices.
fn sample(run: &Run, arm: Arm, scorer: u16) -> (RateSample, Vec<usize>) {
    let names = run.cases.iter().map(|case| case.cluster.as_deref());
    let clusters = number_clusters(names);
    let mut sample = RateSample {
        repeated: run.header.repeat > 1,
        ..RateSample::default()
    };
    let (mut groups, mut cases) = (Vec::new(), Vec::new());
    for (case, _) in run.gated_cases() {
        let trials = run.repeats(case, arm).iter();
        let passes: Vec<bool> = trials
            .filter_map(|trial| trial.scores.iter().find(|score| score.scorer == scorer))
            .map(|score| score.pass)
            .collect();
        if passes.is_empty() {
            continue;
        }
        let passed = passes.iter().filter(|pass| **pass).count();
        sample.shares.push(passed as f64 / passes.len() as f64);
        sample.trials += passes.len() as u64;
        groups.extend(clusters.as_ref().and_then(|list| list.get(case)));
        cases.push(case);
    }
    sample.clusters = clusters.is_some().then_some(groups);
    (sample, cases)
}

/// The cases whose very answer in this arm people have labelled, by index.
fn labelled(
    run: &Run,
    arm: Arm,
    judge: &JudgeCalibration,
    answer: &dyn Fn(LogSpan) -> Option<Digest>,
) -> HashMap<usize, LabelledItem> {
    let items: HashMap<&str, _> = judge
        .items
        .iter()
        .map(|item| (item.id.as_str(), item))
        .collect();
    let mut found = HashMap::new();
    for (index, case) in run.cases.iter().enumerate() {
        let Some(item) = items.get(case.id.as_str()) else {
            continue;
        };
        let first = run.repeats(index, arm).first();
        let span = first.and_then(|trial| trial.answer.reply_at);
        let same = span.and_then(answer) == Some(item.answer);
        if let Some(human) = human_pass(&item.human, judge.threshold).filter(|_| same) {
            let number = |pass: bool| f64::from(u8::from(pass));
            let judge = judge_pass(&item.judge, judge.threshold);
            let item = LabelledItem {
                human: number(human),
                judge: number(judge),
            };
            found.insert(index, item);
        }
    }
    found
}
