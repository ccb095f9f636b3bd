//! Carrying out a prepared run and deciding on it; `gate run` is the one with a single arm.

use std::sync::{Arc, PoisonError};

use camino::{Utf8Path, Utf8PathBuf};
use tokio::sync::mpsc;

use super::definition;
use super::error::CommandError;
use super::failed;
use super::outcome::{Outcome, SuiteResult, SuiteRun, Texts};
use super::prepare::{self, Prepared, Wanted};
use super::project::Project;
use super::suites;
use super::versions::Versions;
use super::{batch, bias, early, selfcheck};
use crate::analysis::CaseTable;
use crate::base::{Diagnostics, Source, json};
use crate::dataset::{Case, Filter};
use crate::plan::Shard;
use crate::record::{Arm, Event, Fold, Run, RunHeader};
use crate::registry::reference::VersionRef;
use crate::report::content::SuiteNote;
use crate::report::number;
use crate::runner::{self, Interrupt, Observer, RunOptions};
use crate::store::cache::{CacheMode, CacheReader, CacheWriter};
use crate::store::runs::{LoadedRun, LogTexts, RunLog};
use crate::suite::Suite;
use crate::verdict::{Decision, DecisionContext, Policy, Verdict, decide};

/// What a command is called for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Aim {
    /// To run.
    #[default]
    Run,
    /// To say what would be sent, and send nothing.
    Forecast,
    /// To name the cases that would be run, and send nothing.
    List,
}

/// What the flags of a gating command say about its runs.
#[derive(Debug, Clone, Default)]
pub struct Flags {
    /// What narrows the run.
    pub filter: Filter,
    /// The part of the run that this machine takes.
    pub shard: Option<Shard>,
    /// Whether a filter may match nothing.
    pub allow_empty: bool,
    /// A seed in place of the suite's.
    pub seed: Option<u64>,
    /// Repeats in place of the suite's.
    pub repeat: Option<u32>,
    /// Report, and never block.
    pub no_gate: bool,
    /// The revision of `--changed-since`.
    pub changed_since: Option<String>,
    /// Go on with an interrupted run, the one named or the newest.
    pub resume: Option<Option<String>>,
    /// Whether anything is sent.
    pub aim: Aim,
    /// Requests an hour in production, for the dry run.
    pub traffic: Option<f64>,
    /// Only the cases that a stored run did not pass: the run named, else the newest.
    pub failed: Option<Option<String>>,
    /// The models that the candidate asks, by name; the baseline keeps the suite's main model.
    pub candidate_models: Vec<String>,
    /// What the versions are compared as.
    pub over: Over,
}

/// What versions are compared as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Over {
    /// As they are.
    #[default]
    Prompt,
    /// Under each tenant's layer.
    Tenants,
}

impl Flags {
    /// The suite with the flags that rewrite it, before it is planned.
    #[must_use]
    pub fn rewrite(&self, suite: &Suite) -> Suite {
        let mut suite = suite.clone();
        suite.seed = self.seed.unwrap_or(suite.seed);
        suite.repeat = self.repeat.unwrap_or(suite.repeat);
        suite
    }
}

/// What the surface gives a running command: signals in, events out.
pub struct Hooks<'h> {
    /// Signals that stop the run.
    pub interrupts: mpsc::Receiver<Interrupt>,
    /// Shows what happens.
    pub observer: &'h mut dyn Observer,
    /// Shows a message before a run, such as the pair chosen or a warning.
    pub say: &'h mut dyn FnMut(&str),
}

/// Runs one version against absolute rules.
///
/// # Errors
/// When the command can not be carried out; what the answers are like is in the outcome.
pub async fn run(
    project: &Project,
    version: Option<&VersionRef>,
    flags: &Flags,
    hooks: &mut Hooks<'_>,
) -> Result<Outcome, CommandError> {
    if let Some(wanted) = &flags.resume {
        return Box::pin(super::resume::resume(
            project,
            wanted.as_deref(),
            flags,
            hooks,
        ))
        .await;
    }
    let (chosen, flags) = &failed::narrowed(project, chosen_suites(project, hooks)?, flags)?;
    if version.is_some() {
        suites::require_one_prompt(chosen)?;
    }
    let mut outcome = Outcome::new("run", flags.no_gate);
    definition::account(project, chosen, None, &mut outcome)?;
    for suite in chosen {
        let suite = flags.rewrite(suite);
        let versions = Versions::of(project, &suite);
        let resolved = versions.resolve(version.unwrap_or(&VersionRef::Worktree))?;
        for model in &suite.models {
            let wanted = Wanted {
                command: "run",
                suite: &suite,
                model,
                arms: vec![(Arm::Candidate, resolved.clone())],
                filter: &flags.filter,
                shard: flags.shard,
                allow_empty: flags.allow_empty,
            };
            let result = Box::pin(one(project, &wanted, flags, hooks, &mut outcome)).await?;
            outcome.suites.push(result);
        }
    }
    super::next::add(project, &mut outcome);
    Ok(outcome)
}

/// Prepares, runs and decides one suite with one model.
///
/// # Errors
/// When the run can not begin or can not be recorded.
pub async fn one(
    project: &Project,
    wanted: &Wanted<'_>,
    flags: &Flags,
    hooks: &mut Hooks<'_>,
    outcome: &mut Outcome,
) -> Result<SuiteResult, CommandError> {
    let Some(prepared) = prepare::prepare(project, wanted)? else {
        return Ok(no_case(wanted.suite));
    };
    go(project, wanted, prepared, flags, hooks, outcome).await
}

/// The result of a suite whose filter may match nothing, and does.
#[must_use]
pub fn no_case(suite: &Suite) -> SuiteResult {
    SuiteResult::Skipped(SuiteNote {
        name: suite.name.to_string(),
        reason: "skipped".to_owned(),
        message: "no case matches the filter".to_owned(),
    })
}

/// Runs and decides what is prepared, or says what it would send.
///
/// # Errors
/// When the run can not begin or can not be recorded.
pub async fn go(
    project: &Project,
    wanted: &Wanted<'_>,
    prepared: Prepared,
    flags: &Flags,
    hooks: &mut Hooks<'_>,
    outcome: &mut Outcome,
) -> Result<SuiteResult, CommandError> {
    if flags.aim == Aim::List {
        let ids = prepared.cases.iter().map(|case| case.id.to_string());
        let title = prepared.header.title;
        outcome.listed.push((title.clone(), ids.collect()));
        return Ok(SuiteResult::Skipped(SuiteNote {
            name: title,
            reason: "skipped".to_owned(),
            message: "a list sends nothing".to_owned(),
        }));
    }
    batch::check(project, &prepared.job, &prepared.header)?;
    if prepared.header.arms.len() == 1 && !flags.no_gate {
        require_rule(wanted.suite, &prepared)?;
    }
    say_warnings(&prepared.warnings, hooks);
    if project.settings.budget.is_some() && !super::dryrun::is_priced(project, &prepared.job) {
        return Err(CommandError::usage(
            format!(
                "--budget needs a price for every model of suite `{}`, and one is unknown",
                wanted.suite.name
            ),
            "add `price: { input: …, output: … }` (USD per million tokens) to the model",
        ));
    }
    if flags.aim == Aim::Forecast {
        let policy = &wanted.suite.policy;
        let forecast = super::dryrun::forecast(
            project,
            &prepared,
            policy.alpha,
            policy.power,
            flags.traffic,
        )?;
        outcome.forecasts.push(forecast);
        return Ok(SuiteResult::Skipped(SuiteNote {
            name: prepared.header.title,
            reason: "skipped".to_owned(),
            message: "a dry run sends nothing".to_owned(),
        }));
    }
    let (suite_run, interrupt) = Box::pin(execute(project, prepared, None, hooks)).await?;
    outcome.interrupt = outcome.interrupt.or(interrupt);
    Ok(SuiteResult::Ran(Box::new(suite_run)))
}

/// Whether a suite can decide about one version alone.
#[must_use]
pub fn decides_alone(suite: &Suite, cases: &[Case]) -> bool {
    suite.policy.min_pass_rate.is_some() || cases.iter().any(|case| case.must_pass)
}

/// `gate run` decides by absolute rules, so it needs one.
fn require_rule(suite: &Suite, prepared: &Prepared) -> Result<(), CommandError> {
    if decides_alone(suite, &prepared.cases) {
        return Ok(());
    }
    Err(CommandError::usage(
        format!(
            "suite `{}` has no absolute rule, so `gate run` could not fail",
            suite.name
        ),
        "add `min_pass_rate` to the policy or `must_pass: true` to a case, or look at the answers with --no-gate",
    ))
}

/// The suites that the settings choose; what is doubtful in any suite is said.
///
/// # Errors
/// When a suite can not be read, or the settings choose none.
pub fn chosen_suites(project: &Project, hooks: &mut Hooks<'_>) -> Result<Vec<Suite>, CommandError> {
    if project.gate_from.is_some() && definition::is_without_suites(project) {
        return Ok(Vec::new());
    }
    let (all, warnings) = suites::load_all(project)?;
    say_warnings(&warnings, hooks);
    suites::choose(project, all)
}

fn say_warnings(warnings: &Diagnostics, hooks: &mut Hooks<'_>) {
    for warning in prepare::render_warnings(warnings) {
        (hooks.say)(&warning);
    }
}

/// How the cache is used.
#[must_use]
pub fn cache_mode(project: &Project) -> CacheMode {
    let found = CacheMode::WORDS
        .iter()
        .find(|(word, _)| *word == project.settings.cache);
    found.map_or(CacheMode::ReadWrite, |(_, mode)| *mode)
}

/// Carries out a prepared run, from its beginning or on from where it was interrupted, and decides.
///
/// # Errors
/// When the run can not be recorded.
pub async fn execute(
    project: &Project,
    mut prepared: Prepared,
    resumed: Option<LoadedRun>,
    hooks: &mut Hooks<'_>,
) -> Result<(SuiteRun, Option<Interrupt>), CommandError> {
    prepared.job.looks = early::looks(&prepared.header, prepared.cases.len())?;
    let carried = carry_out(project, prepared, resumed, &project.state, hooks);
    let carried = Box::pin(carried).await?;
    let notes = carried
        .notes
        .into_iter()
        .chain(selfcheck::notes(&carried.run)?)
        .chain(bias::notes(&carried.run))
        .collect();
    let texts = Texts(LogTexts::open(&carried.path)?);
    let decision = decide_run(&carried.run)?;
    Ok((
        SuiteRun {
            run: carried.run,
            texts,
            decision,
            notes,
        },
        carried.interrupt,
    ))
}

/// A run that was carried out, without a decision.
pub struct Carried {
    /// The run.
    pub run: Run,
    /// Its log.
    pub path: Utf8PathBuf,
    /// What a reader should know besides.
    pub notes: Vec<String>,
    /// The signal that ended it.
    pub interrupt: Option<Interrupt>,
}

/// Asks and scores everything that was prepared. The log goes to `runs/` of `folder`.
///
/// # Errors
/// When the run can not be recorded.
pub async fn carry_out(
    project: &Project,
    prepared: Prepared,
    resumed: Option<LoadedRun>,
    folder: &Utf8Path,
    hooks: &mut Hooks<'_>,
) -> Result<Carried, CommandError> {
    let Prepared {
        header,
        cases,
        job,
        missing_key,
        ..
    } = prepared;
    if let Some(missing) = missing_key {
        return Err(missing);
    }
    batch::check(project, &job, &header)?;
    project.prepare_state()?;
    let now = project.clock.now();
    let mode = cache_mode(project);
    let (log, fold) = match resumed {
        None => {
            let log = RunLog::create(folder, &header, Arc::clone(&cases), now)?;
            (log, Fold::new(header.clone(), Arc::clone(&cases), now))
        }
        Some(loaded) => go_on(project, loaded)?,
    };
    let path = log.path().to_owned();
    if hooks.observer.wants_lines() {
        let begun = LogTexts::open(&path)?.copy(&mut |lines| hooks.observer.lines(lines));
        begun.map_err(|error| {
            CommandError::infra("io", format!("failed to read {path}: {error}"), None)
        })?;
    }
    let records = runner::dispatcher::Records {
        log,
        fold,
        cache_reader: CacheReader::open(&project.state, mode)?,
        cache_writer: CacheWriter::new(&project.state, mode, header.run_id.as_str()),
    };
    let options = run_options(project, header.seed);
    let before = unconfirmed_usd(project);
    let finished =
        runner::run(job, options, records, &mut hooks.interrupts, hooks.observer).await?;
    keep_cache_small(project, mode, hooks);
    Ok(Carried {
        notes: cache_note(finished.corrupt_cache_entries)
            .into_iter()
            .chain(finished.notes)
            .chain(batch::note(&finished.run))
            .chain(lost_note(unconfirmed_usd(project) - before))
            .collect(),
        run: finished.run,
        path,
        interrupt: finished.interrupt,
    })
}

/// Keeps the cache within its limits where this run may write to it. A cache that can not be cleared
/// up is no reason to lose a result.
fn keep_cache_small(project: &Project, mode: CacheMode, hooks: &mut Hooks<'_>) {
    if !mode.writes() {
        return;
    }
    match super::cache::keep_within_settings(project) {
        Ok(Some(message)) => (hooks.say)(&message),
        Ok(None) => {}
        Err(error) => (hooks.say)(&format!(
            "the cache was not kept within its limits: {}",
            super::error::chain(&error)
        )),
    }
}

fn run_options(project: &Project, seed: u64) -> RunOptions {
    let settings = &project.settings;
    RunOptions {
        concurrency: settings.concurrency,
        retries: settings.retries,
        timeout: settings.timeout,
        deadline: settings.deadline,
        rate: settings.rate,
        token_rate: settings.token_rate,
        budget: Arc::clone(&project.money),
        offline: settings.offline,
        fail_fast: settings.fail_fast,
        batch: settings.batch.then_some(settings.batch_poll),
        seed,
        clock: Arc::clone(&project.clock),
    }
}

/// The log of a run that was interrupted, ready to be written on.
fn go_on(project: &Project, loaded: LoadedRun) -> Result<(RunLog, Fold), CommandError> {
    let now = project.clock.now();
    let mut log = RunLog::resume(&loaded)?;
    let mut fold = Fold::resume(loaded.run);
    let event = Event::RunResumed {
        tool: env!("CARGO_PKG_VERSION").to_owned(),
        offline: project.settings.offline,
    };
    let span = log.append(now, &event)?;
    fold.take(now, &event, span);
    log.flush()?;
    log.sync()?;
    Ok((log, fold))
}

/// What was charged for replies that never came.
fn unconfirmed_usd(project: &Project) -> f64 {
    let money = project.money.lock();
    money
        .unwrap_or_else(PoisonError::into_inner)
        .unconfirmed_usd()
}

fn lost_note(usd: f64) -> Option<String> {
    (usd > 0.0).then(|| {
        format!(
            "replies were lost on the way: at most {} more may have been billed, and counts towards --budget",
            number::usd(Some(usd))
        )
    })
}

fn cache_note(corrupt: u64) -> Option<String> {
    let entries = usize::try_from(corrupt).unwrap_or(usize::MAX);
    let entries = crate::base::text::count(entries, "cache entry");
    (corrupt > 0).then(|| {
        format!("damaged cache entries were not used: {entries}; `gate cache prune` drops them")
    })
}

/// The decision on a run by the policy that its own log holds: live and read back it is the same.
///
/// # Errors
/// When the policy in the log can not be read.
pub fn decide_run(run: &Run) -> Result<Decision, CommandError> {
    decide_in(run, &DecisionContext::of_run(run))
}

/// Decides a run in a context of its own, such as that of a comparison among several.
///
/// # Errors
/// When the policy in the log can not be read.
pub fn decide_in(run: &Run, context: &DecisionContext<'_>) -> Result<Decision, CommandError> {
    let policy = policy_of(&run.header)?;
    let table = CaseTable::of_run(run);
    let unfit = crate::verdict::calibration::unfit(&policy, context);
    // A member of a panel stands behind the panel.
    let unfit: Vec<&str> = unfit
        .into_iter()
        .map(|name| name.split('/').next().unwrap_or(name))
        .collect();
    let mut context = *context;
    if let Some(without) = CaseTable::of_run_without(run, &unfit) {
        // Where other scorers alone find the loss, it stands.
        let alone = Policy {
            require_calibration: None,
            ..policy.clone()
        };
        let verdict = decide(&without, &run.scorers, &alone, &context).verdict;
        context.judges.fails_without = verdict == Verdict::Fail;
    }
    Ok(decide(&table, &run.scorers, &policy, &context))
}

/// The policy that a run's log holds.
///
/// # Errors
/// When it can not be read.
pub fn policy_of(header: &RunHeader) -> Result<Policy, CommandError> {
    let text = header
        .resolved
        .get("policy")
        .cloned()
        .unwrap_or_default()
        .to_string();
    let source = Source::row("the run's policy", &text, 1);
    let node = json::parse(&source)?;
    let mut found = Diagnostics::new();
    let mut reader = crate::base::decode::Reader {
        source,
        diagnostics: &mut found,
    };
    let policy = Policy::decode(&mut reader, Some(&node));
    let (policy, _) = found.finish(policy)?;
    Ok(policy)
}
