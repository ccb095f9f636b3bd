//! `gate prompt promote`: a channel moves to a version on the evidence of stored runs, and the
//! evidence goes with it.

use std::collections::BTreeSet;

use super::evidence::{self, WithText};
use super::movement::Moved;
use super::place::{self, Actor, Place};
use crate::base::{Diagnostics, Slug};
use crate::command::outcome::{Outcome, SuiteResult};
use crate::command::{CommandError, Project};
use crate::record::Arm;
use crate::registry::promote::{Force, Missing, Promotion, Question, check_promotion};
use crate::registry::version::Present;
use crate::registry::{Channel, EvidenceSummary, State};
use crate::report::content::NextStep;
use crate::store::registry;
use crate::store::runs;
use crate::verdict::Verdict;

/// What is to be promoted.
#[derive(Debug, Clone)]
pub struct Wanted<'a> {
    /// `slug@v8`, or a version of the one prompt.
    pub version: &'a str,
    /// The channel to move; `stable` by default.
    pub channel: Option<&'a str>,
    /// Whether missing evidence is passed over.
    pub force: Force,
    /// The run that is to be the evidence, where not any will do.
    pub run: Option<&'a str>,
    /// Who acts, and why.
    pub actor: Actor,
}

/// What became of a promotion.
#[derive(Debug, Clone)]
pub enum Promoted {
    /// The channel moved.
    Done(Box<Moved>),
    /// It points there already, so nothing was written.
    Already {
        /// The prompt.
        slug: Slug,
        /// The version.
        number: u32,
        /// The channel.
        channel: Channel,
    },
    /// It did not: this is missing.
    Refused {
        /// The prompt.
        slug: Slug,
        /// The version.
        number: u32,
        /// The channel.
        channel: Channel,
        /// What is missing.
        missing: Vec<Missing>,
    },
}

/// Moves a channel to a version, if its evidence allows that or force passes over it.
///
/// # Errors
/// When there is no such version, a forced promotion has no reason, or another change came first.
pub fn promote(project: &Project, wanted: &Wanted<'_>) -> Result<Promoted, CommandError> {
    let (place, reference) = place::referred(project, wanted.version, &Channel::latest())?;
    let channel = place::channel(wanted.channel)?;
    let state = place.state()?;
    let candidate = candidate(&place, &state, &reference)?;
    if wanted.force == Force::Yes && wanted.actor.why.is_none() {
        return Err(no_reason());
    }
    let stamp = wanted.actor.stamp(project)?;
    let only = match wanted.run {
        Some(run) => Some(runs::find(&project.state, run)?),
        None => None,
    };
    let found = if channel.is_stable() {
        let hash = candidate.hash;
        evidence::stored(project, &place, hash, only.as_ref(), WithText::Yes)
    } else {
        Vec::new()
    };
    let asked = Asked {
        place: &place,
        state: &state,
        candidate,
        channel: &channel,
        force: wanted.force,
    };
    let promotion = match check(project, &asked, &found)? {
        Ok(promotion) => promotion,
        Err(missing) => return Ok(refusal(place.slug, candidate.number, channel, missing)),
    };
    let passed_over = promotion.passed_over.clone();
    let change = promotion.change(stamp).map_err(|_| no_reason())?;
    place.commit(project, &change)?;
    let files = place.registry.versions(&place.slug)?;
    let file = files
        .into_iter()
        .find(|file| file.number == candidate.number);
    let file = file.into_iter().map(|file| file.name).collect();
    let mut written = place.written(project, file);
    if place.registry.is_in_project() {
        written.extend(change.evidence.iter().map(|copy| place.path(&copy.path)));
    }
    Ok(Promoted::Done(Box::new(Moved {
        slug: place.slug,
        from: state.channel(&channel),
        channel,
        to: candidate.number,
        live: Vec::new(),
        passed_over,
        written,
    })))
}

/// What is there already lacks nothing.
fn refusal(slug: Slug, number: u32, channel: Channel, missing: Vec<Missing>) -> Promoted {
    if let [Missing::AlreadyThere { .. }] = missing.as_slice() {
        return Promoted::Already {
            slug,
            number,
            channel,
        };
    }
    Promoted::Refused {
        slug,
        number,
        channel,
        missing,
    }
}

fn no_reason() -> CommandError {
    CommandError::usage(
        "a promotion without evidence needs a reason, which the log keeps for ever",
        "add --why TEXT",
    )
}

/// The version that a reference means, as it is on disk.
fn candidate(
    place: &Place,
    state: &State,
    reference: &crate::registry::VersionRef,
) -> Result<Present, CommandError> {
    let found = registry::find(&*place.registry, &place.slug, reference)?;
    let mut diagnostics = Diagnostics::new();
    let decoded = registry::decode(
        &*place.registry,
        &place.slug,
        &found.version,
        &mut diagnostics,
    );
    let (decoded, _) = diagnostics.finish(decoded)?;
    let number = found.version.file.number;
    let present = registry::present(&*place.registry, &place.slug, state)?;
    let known = present.iter().find(|known| known.number == number);
    Ok(known.copied().unwrap_or(Present {
        number,
        hash: decoded.hash,
        file: found.version.digest(),
    }))
}

/// A promotion to be checked.
#[derive(Clone, Copy)]
struct Asked<'a> {
    place: &'a Place,
    state: &'a State,
    candidate: Present,
    channel: &'a Channel,
    force: Force,
}

fn check(
    project: &Project,
    asked: &Asked<'_>,
    found: &[EvidenceSummary],
) -> Result<Result<Promotion, Vec<Missing>>, CommandError> {
    let settings = asked.place.settings()?;
    let mut versions: Vec<u32> = asked.state.stable().into_iter().collect();
    versions.push(asked.candidate.number);
    let suites = if asked.channel.is_stable() {
        match evidence::requirements(project, asked.place, &versions) {
            Ok(suites) => suites,
            // A hotfix does not wait for a suite that can not be read: no suite is passed over.
            Err(_) if asked.force == Force::Yes => Vec::new(),
            Err(error) => return Err(error),
        }
    } else {
        Vec::new()
    };
    let question = Question {
        slug: &asked.place.slug,
        state: asked.state,
        settings: &settings,
        candidate: asked.candidate,
        channel: asked.channel,
        suites: &suites,
        force: asked.force,
        now: project.clock.now(),
    };
    Ok(check_promotion(&question, found))
}

/// Offers the promotion of each candidate that passed, where the command would work now.
pub fn offer(project: &Project, outcome: &mut Outcome) {
    let mut offered = BTreeSet::new();
    for suite in &outcome.suites {
        let SuiteResult::Ran(suite) = suite else {
            continue;
        };
        let header = &suite.run.header;
        let is_part = header.filter.is_some() || header.shard.is_some();
        let whole = suite.run.is_complete() && !is_part;
        let number = header.arm(Arm::Candidate).and_then(|arm| arm.version);
        if let (Verdict::Pass, true, Some(number)) = (suite.decision.verdict, whole, number) {
            offered.insert((header.prompt.clone(), number));
        }
    }
    for (slug, number) in offered {
        // What can not be told is not offered.
        if let Ok(true) = would_work(project, outcome, &slug, number) {
            outcome.next.push(NextStep {
                command: format!("gate prompt promote {slug}@v{number}"),
                note: "on the evidence of this result".to_owned(),
            });
        }
    }
}

fn would_work(
    project: &Project,
    outcome: &Outcome,
    slug: &str,
    number: u32,
) -> Result<bool, CommandError> {
    let slug = crate::registry::reference::parse_slug(slug).map_err(place::reference_error)?;
    let Some(place) = place::try_locate(project, &slug)? else {
        return Ok(false);
    };
    let state = place.state()?;
    let channel = Channel::stable();
    let asked = Asked {
        place: &place,
        state: &state,
        candidate: candidate(&place, &state, &crate::registry::VersionRef::Number(number))?,
        channel: &channel,
        force: Force::No,
    };
    let own = outcome.suites.iter().filter_map(|suite| match suite {
        SuiteResult::Ran(suite) => evidence::summary(suite, WithText::No),
        SuiteResult::Skipped(_) | SuiteResult::Failed(_) => None,
    });
    let own: Vec<EvidenceSummary> = own.collect();
    let stable = state.stable().and_then(|number| state.version(number));
    let replaced = stable.map(|version| version.hash);
    if own.iter().all(|result| result.baseline != replaced) {
        // What was compared is not what would be replaced, so no suite has to be read to know.
        return Ok(false);
    }
    // Evidence of earlier runs is not looked for here: reading them all would cost more than the
    // comparison did.
    Ok(check(project, &asked, &own)?.is_ok())
}
