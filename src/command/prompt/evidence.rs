//! What a promotion is decided on: the suites of a prompt as they stand now, and what the stored
//! runs say about a version.

use std::collections::BTreeMap;

use super::look;
use super::place::Place;
use crate::base::{Diagnostics, Digest, Name};
use crate::chat::{ModelSpec, ProviderKind};
use crate::command::calibrate::known;
use crate::command::endpoints::Endpoints;
use crate::command::outcome::{SuiteRun, Texts};
use crate::command::run::{decide_run, decides_alone};
use crate::command::{CommandError, Project, dataset, judges, prepare, suites};
use crate::prompt::PromptVersion;
use crate::record::{Arm, RunHeader};
use crate::registry::evidence::Answers;
use crate::registry::{EvidenceSummary, EvidenceVerdict, Requirement, VersionRef};
use crate::report::content::{ExitNote, SuiteOutcome};
use crate::report::{Report, json};
use crate::store::runs::{self, LogTexts};
use crate::suite::digest::{self, Referenced};
use crate::suite::{PromptLocation, Suite};
use crate::verdict::Verdict;

/// Runs about another content that are looked at to say why there is no evidence.
const OTHERS_LOOKED_AT: usize = 5;

/// Whether the result document of a run is made, to be copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WithText {
    /// It is.
    Yes,
    /// It is not: only whether a promotion would work is asked.
    No,
}

/// Every suite of a prompt with each of its models, as they stand now.
///
/// # Errors
/// When a suite, its dataset or a judge can not be read.
pub fn requirements(
    project: &Project,
    place: &Place,
    versions: &[u32],
) -> Result<Vec<Requirement>, CommandError> {
    let mut found = Vec::new();
    let prompts: Vec<_> = versions
        .iter()
        .filter_map(|number| look::resolve(project, place, &VersionRef::Number(*number)).ok())
        .collect();
    let prompts: Vec<&PromptVersion> = prompts
        .iter()
        .map(|resolved| resolved.prompt.as_ref())
        .collect();
    for suite in suites_of(project, place)? {
        for model in &suite.models {
            found.push(requirement(project, &suite, model, &prompts)?);
        }
    }
    Ok(found)
}

/// The suites that test a prompt of this registry; none where the project has no suite.
///
/// # Errors
/// When a suite can not be read.
pub fn suites_of(project: &Project, place: &Place) -> Result<Vec<Suite>, CommandError> {
    let default = project.settings.registry.as_deref().unwrap_or("prompts");
    let all = match suites::load_all(project) {
        Ok((all, _)) => all,
        // A project without a suite has no evidence, which is said where it is missed.
        Err(CommandError::Usage { .. }) => Vec::new(),
        Err(other) => return Err(other),
    };
    let base = place.slug.tenant().map(|(base, _)| base);
    let tested = base.as_ref().unwrap_or(&place.slug);
    let tests = |suite: &Suite| {
        let registry = suite.registry.as_deref().unwrap_or(default);
        let is_ours = matches!(&suite.prompt, PromptLocation::Registry(slug) if slug == tested);
        is_ours && registry.trim_end_matches('/') == place.registry.location()
    };
    let suites = all.into_iter().filter(tests).map(|suite| Suite {
        prompt: PromptLocation::Registry(place.slug.clone()),
        ..suite
    });
    Ok(suites.collect())
}

fn requirement(
    project: &Project,
    suite: &Suite,
    model: &ModelSpec,
    prompts: &[&PromptVersion],
) -> Result<Requirement, CommandError> {
    let mut found = Diagnostics::new();
    let data = dataset::load(project, suite, prompts, &mut found)?;
    let cases = data.as_ref().map_or(&[][..], |data| data.cases.as_slice());
    let own = prepare::own_scorers(suite, cases, &mut found);
    let scorers = own.values().flatten();
    let judges = judges::load(project, suite, scorers, model, &mut found)?;
    let mut endpoints = Endpoints::new(project);
    let asked = judges.values().map(|judge| &judge.model);
    for spec in std::iter::once(model).chain(asked) {
        // Only these two have files; the others would ask for a key.
        if matches!(spec.provider, ProviderKind::Mock | ProviderKind::Replay) {
            endpoints.get(suite, spec, &mut found)?;
        }
    }
    let (data, _) = found.finish(data)?;
    let hashes: BTreeMap<String, Digest> = judges
        .iter()
        .map(|(name, judge)| (name.clone(), judge.judge.version().hash))
        .collect();
    let by_name = hashes.clone();
    let mut referenced = Referenced {
        judges: hashes,
        files: endpoints.files.clone(),
        calibrations: BTreeMap::new(),
    };
    let scorers = suite.scorers.iter().map(|scorer| (scorer, Vec::new()));
    let mut uses: known::Uses<'_> = scorers.collect();
    uses.extend(own.values().flatten().map(|scorer| (scorer, Vec::new())));
    let untold = known::Untold::LeftOut;
    let calibrations = known::of_suite(project, suite, &judges, &uses, &referenced, untold)?;
    referenced.calibrations = known::trusted(suite, &calibrations);
    let has_rule = decides_alone(suite, &data.cases);
    Ok(Requirement {
        lacks_rule: (!has_rule).then(|| suite.path.clone()),
        suite: suite.name.clone(),
        model: model.name.clone(),
        model_id: model_id(model.provider.as_str(), model.model.as_deref()),
        has_other_models: suite.models.len() > 1,
        suite_digest: digest::suite_digest(suite, &referenced),
        dataset_digest: data.digest,
        judges: by_name,
    })
}

fn model_id(provider: &str, model: Option<&str>) -> String {
    model.map_or_else(
        || provider.to_owned(),
        |model| format!("{provider}:{model}"),
    )
}

/// What the stored runs say about a version: all that are about its content, and the newest few
/// about another. A run that can not be read is none.
#[must_use]
pub fn stored(
    project: &Project,
    place: &Place,
    candidate: Digest,
    only: Option<&crate::base::RunId>,
    text: WithText,
) -> Vec<EvidenceSummary> {
    let mut summaries = Vec::new();
    let mut others = 0;
    for id in runs::list(&project.state).into_iter().rev() {
        if only.is_some_and(|only| *only != id) {
            continue;
        }
        let Ok(header) = runs::load_header(&project.state, &id) else {
            continue;
        };
        let arm = header.arm(Arm::Candidate);
        if header.prompt != place.slug.as_str() || arm.is_none() {
            continue;
        }
        let is_about = arm.is_some_and(|arm| arm.hash == candidate);
        if !is_about && others >= OTHERS_LOOKED_AT {
            continue;
        }
        others += usize::from(!is_about);
        let text = if is_about { text } else { WithText::No };
        summaries.extend(load(project, &id).and_then(|run| summary(&run, text)));
    }
    summaries
}

fn load(project: &Project, id: &crate::base::RunId) -> Option<SuiteRun> {
    let loaded = runs::load(&project.state, id).ok()?;
    let texts = Texts(LogTexts::open(&loaded.path).ok()?);
    let decision = decide_run(&loaded.run).ok()?;
    Some(SuiteRun {
        run: loaded.run,
        texts,
        decision,
        notes: Vec::new(),
    })
}

/// What a run says that matters to a promotion; none of one that names no suite or model of ours.
#[must_use]
pub fn summary(suite: &SuiteRun, text: WithText) -> Option<EvidenceSummary> {
    let run = &suite.run;
    let header = &run.header;
    let candidate = header.arm(Arm::Candidate)?;
    let text = match text {
        WithText::Yes if suite.decision.verdict == Verdict::Pass => document(suite)?,
        WithText::Yes | WithText::No => String::new(),
    };
    let judges = header.judges().map(|(name, judge)| (name, judge.hash));
    let is_stored = |arm: &crate::record::ArmHeader| arm.reference.starts_with("run:");
    Some(EvidenceSummary {
        suite: Name::new(&header.suite).ok()?,
        model: Name::new(&header.model.name).ok()?,
        model_id: model_id(&header.model.provider, header.model.model.as_deref()),
        run: header.run_id.to_string(),
        verdict: word(suite.decision.verdict),
        complete: run.is_complete(),
        unfiltered: header.filter.is_none() && header.shard.is_none(),
        unruled: !run.is_comparison() && !has_absolute_rule(suite),
        answers: if header.arms.iter().any(is_stored) {
            Answers::OfAnotherRun
        } else {
            Answers::Own
        },
        candidate: candidate.hash,
        baseline: header.arm(Arm::Baseline).map(|arm| arm.hash),
        suite_digest: header.suite_digest,
        dataset_digest: header.dataset.digest,
        judges: judges.collect(),
        finished_at: run.last_at,
        digest: Digest::of_bytes(text.as_bytes()),
        text,
    })
}

/// A run of one arm gates only by an absolute rule; without one `--no-gate` let it through.
fn has_absolute_rule(suite: &SuiteRun) -> bool {
    let header: &RunHeader = &suite.run.header;
    let policy = header.resolved.get("policy");
    let floor = policy.and_then(|policy| policy.get("min_pass_rate"));
    let has_floor = floor.is_some_and(|floor| !floor.is_null());
    has_floor || suite.run.cases.iter().any(|case| case.must_pass)
}

fn word(verdict: Verdict) -> EvidenceVerdict {
    match verdict {
        Verdict::Pass => EvidenceVerdict::Pass,
        Verdict::Fail => EvidenceVerdict::Fail,
        Verdict::Inconclusive => EvidenceVerdict::Inconclusive,
        Verdict::Error => EvidenceVerdict::Error,
        Verdict::Skipped => EvidenceVerdict::Skipped,
    }
}

/// The result document of one suite that passed.
fn document(suite: &SuiteRun) -> Option<String> {
    let command = if suite.run.is_comparison() {
        "compare"
    } else {
        "run"
    };
    let report = Report {
        command: command.to_owned(),
        tool: suite.run.header.tool.clone(),
        verdict: suite.decision.verdict,
        exit: ExitNote {
            code: 0,
            name: "ok",
            reason: suite.decision.reason.clone(),
            message: suite.decision.message.clone(),
        },
        suites: vec![SuiteOutcome::Ran(Box::new(suite.report()))],
        notes: Vec::new(),
        next: Vec::new(),
        reproduce: None,
    };
    let mut bytes = Vec::new();
    json::write(&report, &mut bytes).ok()?;
    String::from_utf8(bytes).ok()
}
