//! The command: asks the active version again, compares, looks at the series, and keeps the point.

use camino::Utf8PathBuf;

use super::history::{self, Point, Series};
use super::moved;
use super::pinned::{self, Pinned};
use crate::chat::ModelSpec;
use crate::command::definition;
use crate::command::failed;
use crate::command::outcome::{Outcome, SuiteResult, SuiteRun};
use crate::command::prepare::Wanted;
use crate::command::run::{self, Flags, Hooks, policy_of};
use crate::command::versions::{Resolved, Versions};
use crate::command::{CommandError, Project};
use crate::record::Arm;
use crate::registry::channel::Channel;
use crate::registry::reference::VersionRef;
use crate::report::content::SuiteNote;
use crate::store::runs;
use crate::suite::{PromptLocation, Suite};
use crate::verdict::drift::{conclude, is_strong};
use crate::verdict::{Decision, Verdict};

/// What the flags say.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The prompts; all of them where there is none.
    pub prompts: Vec<String>,
    /// The run in place of the evidence.
    pub baseline: Option<VersionRef>,
    /// The file of the history, in full.
    pub history: Option<Utf8PathBuf>,
}

/// Asks active versions again and compares with what is pinned.
///
/// # Errors
/// When the command can not be carried out; whether answers drifted is in the outcome.
pub async fn drift(
    project: &Project,
    options: &Options,
    flags: &Flags,
    hooks: &mut Hooks<'_>,
) -> Result<Outcome, CommandError> {
    let (all, flags) = &failed::narrowed(project, run::chosen_suites(project, hooks)?, flags)?;
    let slugs: Vec<String> = all
        .iter()
        .map(|suite| suite.prompt.slug().to_string())
        .collect();
    for wanted in &options.prompts {
        if !slugs.contains(wanted) {
            let known: Vec<&str> = slugs.iter().map(String::as_str).collect();
            return Err(CommandError::usage(
                format!("no suite tests a prompt `{wanted}`"),
                crate::base::decode::choices(wanted, &known),
            ));
        }
    }
    let mut outcome = Outcome::new("drift", flags.no_gate);
    definition::account(project, all, None, &mut outcome)?;
    for suite in all {
        let slug = suite.prompt.slug().to_string();
        if !(options.prompts.is_empty() || options.prompts.contains(&slug)) {
            continue;
        }
        let suite = flags.rewrite(suite);
        let versions = Versions::of(project, &suite);
        let Some(active) = active(&versions, &suite)? else {
            if !options.prompts.is_empty() {
                return Err(CommandError::usage(
                    format!("prompt `{slug}` has no stable version"),
                    "promote one with `gate prompt promote`",
                ));
            }
            outcome.suites.push(SuiteResult::Skipped(SuiteNote {
                name: suite.name.to_string(),
                reason: "skipped".to_owned(),
                message: format!("prompt `{slug}` has no stable version to watch"),
            }));
            continue;
        };
        for model in &suite.models {
            let pinned = match &options.baseline {
                Some(reference) => of_run(project, &versions, reference)?,
                None => pinned::of_evidence(project, &versions, &suite, model, &active)?,
            };
            let asked = Asked {
                suite: &suite,
                model,
                active: &active,
                pinned: &pinned,
            };
            Box::pin(one(project, &asked, options, flags, hooks, &mut outcome)).await?;
            if outcome.interrupt.is_some() {
                return Ok(outcome);
            }
        }
    }
    Ok(outcome)
}

/// The stable version; of an unversioned file, the file.
fn active(versions: &Versions<'_>, suite: &Suite) -> Result<Option<Resolved>, CommandError> {
    if matches!(suite.prompt, PromptLocation::File { .. }) {
        return Ok(Some(versions.resolve(&VersionRef::Worktree)?));
    }
    if versions.state()?.stable().is_none() {
        return Ok(None);
    }
    Ok(Some(
        versions.resolve(&VersionRef::Channel(Channel::stable()))?,
    ))
}

fn of_run(
    project: &Project,
    versions: &Versions<'_>,
    reference: &VersionRef,
) -> Result<Pinned, CommandError> {
    let resolved = versions.resolve(reference)?;
    let Some(stored) = &resolved.stored else {
        return Err(CommandError::usage(
            format!("--baseline {reference} names no stored answers"),
            "write --baseline run:ID",
        ));
    };
    let id = stored.run.clone();
    let run = runs::load(&project.state, &id)?.run;
    let hash = resolved.prompt.hash;
    let arms = run.header.arms.iter().rev();
    let arm = arms
        .filter(|arm| arm.hash == hash)
        .map(|arm| arm.arm)
        .next();
    let served = arm.and_then(|arm| run.served.get(&arm)).cloned();
    Ok(Pinned {
        hash: Some(hash),
        dataset: Some(run.header.dataset.digest),
        served: served.unwrap_or_default(),
        run: id.to_string(),
        resolved,
    })
}

struct Asked<'a> {
    suite: &'a Suite,
    model: &'a ModelSpec,
    active: &'a Resolved,
    pinned: &'a Pinned,
}

async fn one(
    project: &Project,
    asked: &Asked<'_>,
    options: &Options,
    flags: &Flags,
    hooks: &mut Hooks<'_>,
    outcome: &mut Outcome,
) -> Result<(), CommandError> {
    let mut now = asked.active.clone();
    now.label = format!("{} now", now.label);
    let wanted = Wanted {
        command: "drift",
        suite: asked.suite,
        model: asked.model,
        arms: vec![
            (Arm::Baseline, asked.pinned.resolved.clone()),
            (Arm::Candidate, now),
        ],
        filter: &flags.filter,
        shard: None,
        allow_empty: flags.allow_empty,
    };
    let first = Box::pin(run::one(project, &wanted, flags, hooks, outcome)).await?;
    let SuiteResult::Ran(mut suite) = first else {
        outcome.suites.push(first);
        return Ok(());
    };
    let alpha = policy_of(&suite.run.header)?.alpha;
    let mut second = None;
    if outcome.interrupt.is_none() && is_strong(&suite.decision, alpha) {
        (hooks.say)("a loss was found: asking a second time, to be sure");
        let again = Box::pin(run::one(project, &wanted, flags, hooks, outcome)).await?;
        if let SuiteResult::Ran(again) = again {
            suite
                .notes
                .push(format!("Second run: {}", again.decision.message));
            second = Some(again.decision);
        }
    }
    let mut notes = moved::notes(&suite, asked.pinned);
    suite.notes.append(&mut notes);
    conclude_with_series(project, asked, options, &mut suite, second.as_ref(), alpha)?;
    outcome.suites.push(SuiteResult::Ran(suite));
    Ok(())
}

fn conclude_with_series(
    project: &Project,
    asked: &Asked<'_>,
    options: &Options,
    suite: &mut SuiteRun,
    second: Option<&Decision>,
    alpha: f64,
) -> Result<(), CommandError> {
    let path = match &options.history {
        Some(path) => path.clone(),
        None => project.state.join("history").join("drift.jsonl"),
    };
    let all = history::read(&path)?;
    // A part of the suite is another series, and no point of this one.
    let whole = suite.run.header.filter.is_none();
    let mut point = point(asked, suite).filter(|_| whole);
    let mut points: Vec<&Point> = match &point {
        Some(point) => all
            .iter()
            .filter(|known| known.series == point.series)
            .collect(),
        None => Vec::new(),
    };
    points.extend(&point);
    let last = history::chart(&points);
    if points.len() > 1 {
        let weeks = points.len();
        let limit = last.map_or("the series decides from its fifth run".to_owned(), |last| {
            format!(
                "smoothed change {:+.1} points, limit {:+.1}",
                100.0 * last.value,
                100.0 * last.limit
            )
        });
        suite.notes.push(format!(
            "Series of {weeks} runs: {} ({limit}).",
            history::plot(&points)
        ));
    }
    suite.decision = conclude(suite.decision.clone(), second, last.as_ref(), alpha);
    "drift".clone_into(&mut suite.run.header.command);
    let verdict = suite.decision.verdict;
    if let Some(point) = point.as_mut().filter(|_| verdict != Verdict::Error) {
        verdict.as_str().clone_into(&mut point.verdict);
        history::append(&path, point)?;
    }
    Ok(())
}

fn point(asked: &Asked<'_>, suite: &SuiteRun) -> Option<Point> {
    let header = &suite.run.header;
    let main = ["pass-rate", "score"]
        .iter()
        .find_map(|id| suite.decision.rules.iter().find(|rule| rule.id == *id))?;
    let pairs = main.pairs.filter(|pairs| pairs.n > 0)?;
    Some(Point {
        gate: history::FORMAT.to_owned(),
        at: suite.run.last_at,
        series: Series {
            prompt: header.prompt.clone(),
            suite: header.suite.clone(),
            model: header.model.name.clone(),
            hash: asked.active.prompt.hash.to_string(),
            pinned: asked.pinned.run.clone(),
            dataset: header.dataset.digest.to_string(),
        },
        run: header.run_id.to_string(),
        served: suite
            .run
            .served
            .get(&Arm::Candidate)
            .cloned()
            .unwrap_or_default(),
        effect: main.estimate?,
        churn: (pairs.regressions + pairs.fixes) as f64 / pairs.n as f64,
        pairs: pairs.n,
        p_regression: main.p_regression,
        pass_rate: main.candidate_value,
        cost_usd: moved::mean_cost(&suite.run, Arm::Candidate),
        verdict: String::new(),
    })
}
