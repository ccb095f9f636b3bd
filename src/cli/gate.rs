//! The commands that run suites, with signals and progress, and the report of what came out.

use super::args::{
    CompareArgs, DecideArgs, GateArgs, Global, MergeArgs, ReportArgs, RescoreArgs, RunArgs,
};
use super::exit;
use super::exit::{Broken, Exit};
use super::output::{self, Terminal};
use super::progress::{Form, Progress};
use super::project::{
    caller_folder, gate_layers, global_layers, how_layers, open, open_gate, report_layers,
};
use super::stream::{self, Stream};
use super::{reports, signals};
use crate::base::text;
use crate::command::dryrun::Forecast;
use crate::command::run::{Aim, Flags, Hooks, Over};
use crate::command::{self, CommandError, Outcome, Project};
use crate::dataset::Filter;
use crate::dataset::filter::Condition;
use crate::registry::reference::VersionRef;

pub(super) fn version(text: &str) -> Result<VersionRef, CommandError> {
    text.parse()
        .map_err(|error: crate::registry::reference::ReferenceError| {
            let forms = "write v8, stable, latest, git:REV, worktree, file:PATH, sha256:…, run:ID or langfuse:NAME@LABEL";
            let help = if is_git_word(text) {
                format!("for a commit of git write git:{text}")
            } else {
                forms.to_owned()
            };
            CommandError::usage(error.to_string(), help)
        })
}

/// Whether a word is written as git writes a revision: `HEAD`, `HEAD~1`, `ORIG_HEAD^`.
fn is_git_word(text: &str) -> bool {
    let name = text.split(['~', '^']).next().unwrap_or(text);
    let rest = text.get(name.len()..).unwrap_or_default();
    let is_head = matches!(name, "HEAD" | "ORIG_HEAD" | "FETCH_HEAD" | "MERGE_HEAD");
    is_head
        && rest
            .chars()
            .all(|c| matches!(c, '~' | '^') || c.is_ascii_digit())
}

pub(super) fn run_flags(
    gate: &GateArgs,
    changed_since: Option<String>,
) -> Result<Flags, CommandError> {
    let shard = gate.select.shard.as_deref().map(str::parse).transpose();
    let shard = shard.map_err(|error: crate::plan::shard::ShardError| {
        CommandError::usage(
            error.to_string(),
            "write --shard 2/5 for the second of five parts",
        )
    })?;
    let traffic = gate.select.traffic.as_deref().map(per_hour).transpose()?;
    let condition = gate.select.filter.as_deref().map(Condition::parse);
    let condition = condition.transpose().map_err(|invalid| {
        CommandError::usage(format!("--filter: {}", invalid.message), invalid.help)
    })?;
    let mut segments = Vec::new();
    for segment in &gate.select.segment {
        let (key, value) = segment.split_once('=').ok_or_else(|| {
            CommandError::usage(
                format!("`{segment}` is no segment"),
                "write --segment KEY=VALUE",
            )
        })?;
        segments.push((key.to_owned(), value.to_owned()));
    }
    Ok(Flags {
        filter: Filter {
            cases: gate.select.case.clone(),
            tags: gate.select.tag.clone(),
            segments,
            condition,
            failed: None,
            only: None,
        },
        shard,
        allow_empty: gate.select.allow_empty,
        seed: gate.select.seed,
        repeat: gate.select.repeat,
        no_gate: gate.no_gate,
        changed_since,
        resume: gate.select.resume.clone(),
        aim: match (gate.select.list, gate.select.dry_run) {
            (true, _) => Aim::List,
            (false, true) => Aim::Forecast,
            (false, false) => Aim::Run,
        },
        traffic,
        failed: gate.select.failed.clone(),
        candidate_models: Vec::new(),
        over: Over::Prompt,
    })
}

pub(super) fn compare(global: &Global, args: &CompareArgs) -> Result<Exit, CommandError> {
    let versions = args.versions.iter().map(|text| version(text));
    let versions = versions.collect::<Result<Vec<VersionRef>, CommandError>>()?;
    let flags = Flags {
        candidate_models: args.candidate_model.clone(),
        over: if args.tenants {
            Over::Tenants
        } else {
            Over::Prompt
        },
        ..run_flags(&args.gate, args.changed_since.clone())?
    };
    let project = open_gate(global, gate_layers(global, &args.gate), &args.gate)?;
    gate(global, &project, async |hooks: &mut Hooks<'_>| {
        Box::pin(command::compare::compare(
            &project, &versions, &flags, hooks,
        ))
        .await
    })
}

pub(super) fn run(global: &Global, args: &RunArgs) -> Result<Exit, CommandError> {
    let wanted = args.version.as_deref().map(version).transpose()?;
    let flags = run_flags(&args.gate, None)?;
    let project = open_gate(global, gate_layers(global, &args.gate), &args.gate)?;
    gate(global, &project, async |hooks: &mut Hooks<'_>| {
        Box::pin(command::run::run(&project, wanted.as_ref(), &flags, hooks)).await
    })
}

/// Requests an hour, as `10000/h`.
fn per_hour(text: &str) -> Result<f64, CommandError> {
    let number = text
        .strip_suffix("/h")
        .and_then(|number| number.parse::<f64>().ok());
    number
        .filter(|number| number.is_finite() && *number > 0.0)
        .ok_or_else(|| {
            CommandError::usage(format!("`{text}` is no traffic"), "write --traffic 10000/h")
        })
}

/// Carries out work that asks models, with signals and progress.
pub(super) fn with_hooks<T>(
    project: &Project,
    work: impl AsyncFnOnce(&mut Hooks<'_>) -> Result<T, CommandError>,
) -> Result<T, CommandError> {
    let terminal = Terminal::detect(&project.settings.color);
    let form = Form::choose(&project.settings, terminal.live);
    let mut progress = Progress::new(form, Stream::of(project), terminal);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime
        .map_err(|error| CommandError::infra("io", format!("failed to start: {error}"), None))?;
    let found = runtime.block_on(async {
        let mut listening = tokio::task::JoinSet::new();
        let interrupts = signals::listen(&mut listening);
        let quiet = project.settings.quiet;
        let mut say = |line: &str| {
            if !quiet {
                output::say(line);
            }
        };
        let mut hooks = Hooks {
            interrupts,
            observer: &mut progress,
            say: &mut say,
        };
        work(&mut hooks).await
    });
    progress.clear();
    progress.stream().end()?;
    found
}

/// Carries out a command that runs suites, with signals and progress, and reports it.
pub(super) fn gate(
    global: &Global,
    project: &Project,
    work: impl AsyncFnOnce(&mut Hooks<'_>) -> Result<Outcome, CommandError>,
) -> Result<Exit, CommandError> {
    reports::check_targets(project, &caller_folder(global)?)?;
    let terminal = Terminal::detect(&project.settings.color);
    let outcome = with_hooks(project, work)?;
    if !outcome.listed.is_empty() || !outcome.forecasts.is_empty() {
        let listed = outcome.listed.iter().flat_map(|(suite, ids)| {
            let line = move |id: &String| format!("{suite} {}", text::visible_line(id));
            ids.iter().map(line)
        });
        let forecast = outcome.forecasts.iter().flat_map(Forecast::lines);
        let lines: Vec<String> = listed.chain(forecast).collect();
        let text = format!("{}\n", lines.join("\n"));
        let written = output::data(|out| out.write_all(text.as_bytes()));
        written.map_err(|error| {
            CommandError::infra("io", format!("failed to write to stdout: {error}"), None)
        })?;
        return Ok(Exit::Ok);
    }
    finish(global, project, &outcome, terminal)
}

/// Writes the reports of an outcome and says how it ends.
fn finish(
    global: &Global,
    project: &Project,
    outcome: &Outcome,
    terminal: Terminal,
) -> Result<Exit, CommandError> {
    let base = caller_folder(global)?;
    let (exit, note) = exit::conclude(outcome);
    let is_on_screen = terminal.is_one() && reports::is_human(project);
    let said = exit::closing(exit, &note, Broken::of(outcome), is_on_screen);
    let written = reports::write(project, outcome, note, terminal, &base);
    for path in &written.paths {
        output::say(&format!("wrote {path}"));
    }
    written.check()?;
    output::last_line(exit, &said);
    Ok(exit)
}

pub(super) fn decide(global: &Global, args: &DecideArgs) -> Result<Exit, CommandError> {
    let mut layers = global_layers(global);
    report_layers(&mut layers, &args.reports);
    let project = open(global, layers, None)?;
    stream::refuse(&project, "decide")?;
    let options = command::decide::Options {
        policy: args.policy.clone(),
        preset: args.preset.clone(),
        pass_at: args.pass_at,
        allow_unmatched: args.allow_unmatched,
        scorer: args.scorer.clone(),
        seed: args.seed,
        no_gate: args.no_gate,
    };
    let folder = caller_folder(global)?;
    reports::check_targets(&project, &folder)?;
    let (baseline, candidate) = (&args.baseline, &args.candidate);
    let outcome = command::decide::decide(&project, &folder, baseline, candidate, &options)?;
    let terminal = Terminal::detect(&project.settings.color);
    finish(global, &project, &outcome, terminal)
}

pub(super) fn report(global: &Global, args: &ReportArgs) -> Result<Exit, CommandError> {
    let mut layers = global_layers(global);
    report_layers(&mut layers, &args.reports);
    let project = open(global, layers, None)?;
    reports::check_targets(&project, &caller_folder(global)?)?;
    let outcome = command::report::report(&project, &args.run, args.no_gate)?;
    let mut events = Stream::of(&project);
    for suite in &outcome.suites {
        if let command::outcome::SuiteResult::Ran(suite) = suite {
            let copied = suite.texts.0.copy(&mut |lines| events.write(lines));
            copied.map_err(|error| {
                CommandError::infra("io", format!("failed to read the run's log: {error}"), None)
            })?;
        }
    }
    events.end()?;
    let terminal = Terminal::detect(&project.settings.color);
    finish(global, &project, &outcome, terminal)
}

pub(super) fn rescore(global: &Global, args: &RescoreArgs) -> Result<Exit, CommandError> {
    let mut layers = global_layers(global);
    report_layers(&mut layers, &args.reports);
    how_layers(&mut layers, &args.how);
    let project = open(global, layers, Some(&args.how.permissions))?;
    let (run, suite) = (args.run.as_str(), args.suite.as_deref());
    gate(global, &project, async |hooks: &mut Hooks<'_>| {
        let outcome = command::rescore::rescore(&project, run, suite, args.no_gate, hooks);
        Box::pin(outcome).await
    })
}

pub(super) fn merge(global: &Global, args: &MergeArgs) -> Result<Exit, CommandError> {
    let mut layers = global_layers(global);
    report_layers(&mut layers, &args.reports);
    let project = open(global, layers, None)?;
    stream::refuse(&project, "merge")?;
    let base = caller_folder(global)?;
    reports::check_targets(&project, &base)?;
    let outcome = command::merge::merge(&project, &args.runs, &base, args.no_gate)?;
    let terminal = Terminal::detect(&project.settings.color);
    finish(global, &project, &outcome, terminal)
}
