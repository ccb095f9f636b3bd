//! What is known of how well a suite's judges agree with people: the record beside each judge, cut to
//! what counts for the scorer. A run's header keeps it, so that its verdict can be read anywhere.

use std::collections::{BTreeMap, BTreeSet};

use super::record::{find, model_digest, place};
use crate::base::{Digest, text};
use crate::command::judges::{ChosenJudge, registry_of};
use crate::command::{CommandError, Project};
use crate::dataset::Case;
use crate::record::{CalibrationItem, CalibrationRecord, JudgeCalibration};
use crate::score::{JudgeSpec, ScorerSpec};
use crate::suite::Suite;
use crate::suite::digest::Referenced;

/// The scorers of a suite and of its cases, each with the cases that it scores.
pub type Uses<'s> = Vec<(&'s ScorerSpec, Vec<&'s Case>)>;

/// Whether judges without a record are told of where the policy does not ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Untold {
    /// They are.
    Listed,
    /// They are not.
    LeftOut,
}

/// What is known of each judge of a suite.
///
/// # Errors
/// When a record is there and can not be read.
pub fn of_suite(
    project: &Project,
    suite: &Suite,
    judges: &BTreeMap<String, ChosenJudge>,
    uses: &Uses<'_>,
    referenced: &Referenced,
    untold: Untold,
) -> Result<Vec<JudgeCalibration>, CommandError> {
    let asked = suite.policy.require_calibration.is_some() || untold == Untold::Listed;
    let mut known = Vec::new();
    for (name, judge) in judges {
        let one = of_judge(project, suite, (name.as_str(), judge), uses, referenced)?;
        if asked || one.digest.is_some() {
            known.push(one);
        }
    }
    Ok(known)
}

fn of_judge(
    project: &Project,
    suite: &Suite,
    (name, judge): (&str, &ChosenJudge),
    uses: &Uses<'_>,
    referenced: &Referenced,
) -> Result<JudgeCalibration, CommandError> {
    let version = judge.judge.version();
    let named = || {
        uses.iter()
            .flat_map(|(spec, cases)| sittings(spec, cases, name))
    };
    let path = version.number.map(|number| {
        let registry = registry_of(project, Some(suite));
        place(&registry, &version.slug, number, &judge.model)
    });
    let threshold = named().find_map(|sitting| sitting.threshold);
    let mut known = JudgeCalibration {
        scorer: name.to_string(),
        judge: judge.version.clone(),
        model: judge.model.id().to_owned(),
        gating: named().any(|sitting| sitting.gating),
        threshold,
        path: path.clone().unwrap_or_default(),
        digest: None,
        date: None,
        served: Vec::new(),
        fault: None,
        uncovered: 0,
        command: command(suite, judge, threshold),
        items: Vec::new(),
    };
    let Some(path) = path else {
        known.fault = Some("it is no numbered version, so it can have no calibration".to_owned());
        return Ok(known);
    };
    let Some((record, digest)) = find(project, &path)? else {
        known.fault = Some(format!("it has no calibration ({path} is not there)"));
        return Ok(known);
    };
    known.fault = mismatch(&record, judge, referenced);
    if known.fault.is_some() {
        return Ok(known);
    }
    known.digest = Some(digest);
    known.date = Some(record.date);
    known.served.clone_from(&record.model.served);
    let wanted: BTreeSet<String> = named().flat_map(|sitting| criteria(&sitting)).collect();
    let wanted = Some(wanted).filter(|wanted| {
        let takes_criteria = version.variable("criteria").is_some();
        takes_criteria && !wanted.is_empty()
    });
    count(&mut known, record, wanted.as_ref());
    Ok(known)
}

/// Keeps the examples that count for a scorer: all, or those whose labels carry its criteria.
fn count(
    known: &mut JudgeCalibration,
    record: CalibrationRecord,
    wanted: Option<&BTreeSet<String>>,
) {
    let Some(wanted) = wanted else {
        known.items = record.items;
        return;
    };
    let carries = |item: &CalibrationItem| {
        let number = item
            .criteria
            .and_then(|number| usize::try_from(number).ok());
        let text = number.and_then(|number| record.criteria.get(number));
        text.is_some_and(|known| wanted.contains(&known.text))
    };
    let covered = record.criteria.iter();
    let covered = covered.filter(|known| known.examples > 0 && wanted.contains(&known.text));
    known.uncovered = wanted.len().saturating_sub(covered.count()) as u64;
    known.items = record
        .items
        .iter()
        .filter(|item| carries(item))
        .cloned()
        .collect();
}

/// A judge's place in a scorer: the scorer itself, or a member of a panel.
struct Sitting<'s> {
    gating: bool,
    threshold: Option<f64>,
    judge: &'s JudgeSpec,
    cases: &'s [&'s Case],
}

/// The places of a judge of this name in a scorer. Of a panel each member has to agree with people.
fn sittings<'s>(scorer: &'s ScorerSpec, cases: &'s [&'s Case], name: &str) -> Vec<Sitting<'s>> {
    let names = scorer.judges().into_iter();
    let judges = names.zip(scorer.that_judge());
    judges
        .filter(|((own, _), _)| own == name)
        .map(|((_, judge), (member, _))| Sitting {
            gating: scorer.gating,
            threshold: member.threshold,
            judge,
            cases,
        })
        .collect()
}

/// What a scorer asks its judge to judge by, over its cases.
fn criteria(sitting: &Sitting<'_>) -> BTreeSet<String> {
    let Some(template) = &sitting.judge.criteria else {
        return BTreeSet::new();
    };
    let cases = sitting.cases.iter();
    let texts = cases.filter_map(|case| template.text(case).ok());
    texts.map(std::borrow::Cow::into_owned).collect()
}

/// Why a record is not of this judge on this model.
fn mismatch(
    record: &CalibrationRecord,
    judge: &ChosenJudge,
    referenced: &Referenced,
) -> Option<String> {
    let version = judge.judge.version();
    if record.judge.hash != version.hash {
        return Some(format!(
            "its calibration is of other content ({}, and the judge has {})",
            record.judge.hash, version.hash
        ));
    }
    if record.model.digest != model_digest(&judge.model, referenced) {
        return Some(format!(
            "its calibration is of model `{}` as it was set up then, and not as the suite sets it up",
            text::visible_line(&record.model.model)
        ));
    }
    None
}

/// The command that calibrates the judge as the suite asks it.
fn command(suite: &Suite, judge: &ChosenJudge, threshold: Option<f64>) -> String {
    let threshold = threshold.map_or_else(String::new, |least| format!(" --threshold {least}"));
    format!(
        "gate calibrate {} --labels FILE --suite {} --model {}{threshold}",
        judge.version, suite.name, judge.model.name
    )
}

/// The digests of the records that gating judges are trusted by, for the suite's digest: only where the
/// policy asks for them.
#[must_use]
pub fn trusted(suite: &Suite, known: &[JudgeCalibration]) -> BTreeMap<String, Digest> {
    if suite.policy.require_calibration.is_none() {
        return BTreeMap::new();
    }
    let gating = known.iter().filter(|judge| judge.gating);
    gating
        .filter_map(|judge| Some((judge.scorer.clone(), judge.digest?)))
        .collect()
}
