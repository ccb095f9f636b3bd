//! Runs the command that was asked for and shows what it returned.

use std::sync::Arc;

use camino::{Utf8Path, Utf8PathBuf};

use super::args::{CacheCommand, Cli, Command, CompareArgs, GateArgs, Global, HowArgs, PromptCommand, ReportArgs, ReportFiles, RunArgs, SelectArgs};
use super::exit::{self, Exit};
use super::output::{self, Terminal};
use super::progress::{Form, Progress};
use super::{env, signals};
use crate::base::time::parse_duration;
use crate::base::{Severity, text};
use crate::command::run::{Flags, Hooks};
use crate::command::{self, CommandError, Outcome, Permissions, Project, Surroundings};
use crate::dataset::Filter;
use crate::registry::reference::VersionRef;
use crate::settings::{Layers, Origin};

use super::reports;

/// Runs a command to its exit code.
pub fn dispatch(args: Cli) -> Exit {
    let Cli { command, global } = args;
    let result = match command {
        None => overview(&global),
        Some(Command::Compare(args)) => compare(&global, &args),
        Some(Command::Run(args)) => run(&global, &args),
        Some(Command::Lint(args)) => lint(&global, &args.select, args.show_settings),
        Some(Command::Report(args)) => report(&global, &args),
        Some(Command::Prompt(args)) => prompt(&global, &args),
        Some(Command::Cache(args)) => cache(&global, &args),
        Some(Command::Schema { name }) => schema(name.as_deref()),
        Some(Command::Completions { shell }) => completions(shell),
    };
    result.unwrap_or_else(|error| show_error(&error))
}

/// Says what went wrong, where, and what to do.
fn show_error(error: &CommandError) -> Exit {
    let exit = Exit::of_error(error);
    match error {
        CommandError::Findings(found) => output::say(&found.to_string()),
        CommandError::Usage { message, help } | CommandError::Infra { message, help, .. } => {
            output::say(&format!("error: {}", text::visible(message)));
            if let Some(help) = help {
                output::say(&format!("  help: {}", text::visible(help)));
            }
        }
    }
    let reason = match error {
        CommandError::Infra { reason, message, .. } => format!("{reason}: {}", message.lines().next().unwrap_or_default()),
        other => other.to_string().lines().next().unwrap_or_default().to_owned(),
    };
    output::last_line(exit, &reason);
    exit
}

fn flag(layers: &mut Layers, key: &'static str, value: Option<&String>) {
    if let Some(value) = value {
        layers.put(key, vec![value.clone()], Origin::Flag);
    }
}

fn flags(layers: &mut Layers, key: &'static str, values: &[String]) {
    if !values.is_empty() {
        layers.put(key, values.to_vec(), Origin::Flag);
    }
}

fn switch(layers: &mut Layers, key: &'static str, on: bool) {
    if on {
        layers.put(key, vec!["true".to_owned()], Origin::Flag);
    }
}

fn global_layers(global: &Global) -> Layers {
    let mut layers = Layers::default();
    env::read_settings(&mut layers);
    flag(&mut layers, "profile", global.profile.as_ref());
    flag(&mut layers, "color", global.color.as_ref());
    switch(&mut layers, "quiet", global.quiet);
    switch(&mut layers, "verbose", global.verbose);
    layers
}

fn select_layers(layers: &mut Layers, select: &SelectArgs) {
    flags(layers, "suite", &select.suite);
    flag(layers, "prompt", select.prompt.as_ref());
    flag(layers, "registry", select.registry.as_ref());
}

fn report_layers(layers: &mut Layers, files: &ReportFiles) {
    flags(layers, "junit", &files.junit);
    flags(layers, "json", &files.json);
    flags(layers, "markdown", &files.markdown);
    flag(layers, "output", files.output.as_ref());
    flag(layers, "junit_profile", files.junit_profile.as_ref());
    flag(layers, "junit_cases", files.junit_cases.as_ref());
    flag(layers, "format", files.format.as_ref());
}

fn how_layers(layers: &mut Layers, how: &HowArgs) {
    flag(layers, "concurrency", how.concurrency.as_ref());
    flag(layers, "rate", how.rate.as_ref());
    flag(layers, "timeout", how.timeout.as_ref());
    flag(layers, "retries", how.retries.as_ref());
    flag(layers, "deadline", how.deadline.as_ref());
    flag(layers, "cache", how.cache.as_ref());
    flag(layers, "progress", how.progress.as_ref());
    switch(layers, "offline", how.offline);
    if how.no_cache {
        layers.put("cache", vec!["off".to_owned()], Origin::Flag);
    }
}

fn open(global: &Global, layers: Layers, how: Option<&HowArgs>) -> Result<Project, CommandError> {
    let io = |error: std::io::Error| CommandError::usage(format!("the working folder can not be used: {error}"), "call gate elsewhere, or name a folder with -C");
    let here = env::folder().map_err(io)?;
    let folder = match &global.folder {
        Some(folder) => here.join(folder).canonicalize().map_err(|error| {
            CommandError::usage(format!("-C {}: {error}", folder.display()), "name a folder that exists")
        })?,
        None => here,
    };
    let none = HowArgs::default();
    let how = how.unwrap_or(&none);
    let permissions = Permissions {
        hosts: env::permission_list(&how.allow_host, "GATE_ALLOW_HOST"),
        paths: env::permission_list(&how.allow_path, "GATE_ALLOW_PATH").into_iter().map(Into::into).collect(),
        exec: how.allow_exec || env::switch("GATE_ALLOW_EXEC"),
    };
    Project::open(Surroundings {
        folder,
        layers,
        permissions,
        variables: env::variables(),
        clock: Arc::new(env::SystemClock),
    })
}

fn version(text: &str) -> Result<VersionRef, CommandError> {
    text.parse().map_err(|error: crate::registry::reference::ReferenceError| {
        CommandError::usage(error.to_string(), "write v8, stable, latest, git:REV, worktree, file:PATH, sha256:… or run:ID")
    })
}

fn run_flags(gate: &GateArgs, changed_since: Option<String>) -> Result<Flags, CommandError> {
    let mut segments = Vec::new();
    for segment in &gate.select.segment {
        let (key, value) = segment.split_once('=').ok_or_else(|| {
            CommandError::usage(format!("`{segment}` is no segment"), "write --segment KEY=VALUE")
        })?;
        segments.push((key.to_owned(), value.to_owned()));
    }
    Ok(Flags {
        filter: Filter { cases: gate.select.case.clone(), tags: gate.select.tag.clone(), segments },
        shard: None,
        allow_empty: gate.select.allow_empty,
        seed: gate.select.seed,
        repeat: gate.select.repeat,
        no_gate: gate.no_gate,
        changed_since,
    })
}

fn gate_layers(global: &Global, gate: &GateArgs) -> Layers {
    let mut layers = global_layers(global);
    select_layers(&mut layers, &gate.select);
    report_layers(&mut layers, &gate.reports);
    how_layers(&mut layers, &gate.how);
    layers
}

fn compare(global: &Global, args: &CompareArgs) -> Result<Exit, CommandError> {
    let (baseline, candidate) = match args.versions.as_slice() {
        [] => (None, None),
        [candidate] => (None, Some(version(candidate)?)),
        [baseline, candidate, ..] => (Some(version(baseline)?), Some(version(candidate)?)),
    };
    let flags = run_flags(&args.gate, args.changed_since.clone())?;
    let project = open(global, gate_layers(global, &args.gate), Some(&args.gate.how))?;
    gate(global, &project, &args.gate.reports, async |hooks: &mut Hooks<'_>| {
        command::compare::compare(&project, baseline.as_ref(), candidate.as_ref(), &flags, hooks).await
    })
}

fn run(global: &Global, args: &RunArgs) -> Result<Exit, CommandError> {
    let wanted = args.version.as_deref().map(version).transpose()?;
    let flags = run_flags(&args.gate, None)?;
    let project = open(global, gate_layers(global, &args.gate), Some(&args.gate.how))?;
    gate(global, &project, &args.gate.reports, async |hooks: &mut Hooks<'_>| {
        command::run::run(&project, wanted.as_ref(), &flags, hooks).await
    })
}

/// Carries out a command that runs suites, with signals and progress, and reports it.
fn gate(
    global: &Global,
    project: &Project,
    _files: &ReportFiles,
    work: impl AsyncFnOnce(&mut Hooks<'_>) -> Result<Outcome, CommandError>,
) -> Result<Exit, CommandError> {
    let terminal = Terminal::detect(&project.settings.color);
    let form = Form::choose(&project.settings.progress, project.settings.quiet, terminal.live);
    let mut progress = Progress::new(form);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| CommandError::infra("io", format!("failed to start: {error}"), None))?;
    let outcome = runtime.block_on(async {
        let mut listening = tokio::task::JoinSet::new();
        let interrupts = signals::listen(&mut listening);
        let quiet = project.settings.quiet;
        let mut say = |line: &str| {
            if !quiet {
                output::say(line);
            }
        };
        let mut hooks = Hooks { interrupts, observer: &mut progress, say: &mut say };
        work(&mut hooks).await
    });
    progress.clear();
    finish(global, project, &outcome?, terminal)
}

/// Writes the reports of an outcome and says how it ends.
fn finish(global: &Global, project: &Project, outcome: &Outcome, terminal: Terminal) -> Result<Exit, CommandError> {
    let base = caller_folder(global)?;
    let (exit, note) = exit::conclude(outcome);
    let message = note.message.clone();
    let reason = note.reason.clone();
    let written = reports::write(project, outcome, note, terminal, &base)?;
    for path in &written.paths {
        output::say(&format!("wrote {path}"));
    }
    let said = if reason == message { message } else { format!("{reason}: {message}") };
    output::last_line(exit, &said);
    Ok(exit)
}

/// The folder that paths of the command line are relative to.
fn caller_folder(global: &Global) -> Result<Utf8PathBuf, CommandError> {
    let here = env::folder().map_err(|error| CommandError::usage(format!("the working folder can not be used: {error}"), "call gate elsewhere"))?;
    let folder = global.folder.as_ref().map_or(here.clone(), |folder| here.join(folder));
    Utf8PathBuf::from_path_buf(folder).map_err(|path| CommandError::usage(format!("{} is not UTF-8", path.display()), "call gate in a folder with a plain name"))
}

fn report(global: &Global, args: &ReportArgs) -> Result<Exit, CommandError> {
    let mut layers = global_layers(global);
    report_layers(&mut layers, &args.reports);
    let project = open(global, layers, None)?;
    let outcome = command::report::report(&project, &args.run, args.no_gate)?;
    let terminal = Terminal::detect(&project.settings.color);
    finish(global, &project, &outcome, terminal)
}

fn lint(global: &Global, select: &SelectArgs, show_settings: bool) -> Result<Exit, CommandError> {
    let mut layers = global_layers(global);
    select_layers(&mut layers, select);
    let project = open(global, layers, None)?;
    if show_settings {
        print(&settings_table(&project))?;
    }
    let linted = command::lint::lint(&project)?;
    if !linted.found.is_empty() {
        output::say(&linted.found.to_string());
    }
    let (errors, warnings) = (linted.found.count(Severity::Error), linted.found.count(Severity::Warning));
    let mut summary = String::new();
    for (suite, sentence) in &linted.can_show {
        summary.push_str(&format!("{suite}: {sentence}\n"));
    }
    summary.push_str(&format!("{}, {}\n", text::count(errors, "error"), text::count(warnings, "warning")));
    print(&summary)?;
    let exit = if errors > 0 { Exit::Usage } else { Exit::Ok };
    output::last_line(exit, &text::count(errors, "error"));
    Ok(exit)
}

fn settings_table(project: &Project) -> String {
    let mut table = String::new();
    for key in &crate::settings::keys::KEYS {
        let given = project.layers.get(key.name);
        let value = given.map_or_else(|| key.default.to_owned(), |given| given.texts.join(", "));
        let origin = given.map_or_else(|| "default".to_owned(), |given| given.origin.to_string());
        let shown = if value.is_empty() { "(none)" } else { &value };
        table.push_str(&format!("{:<14} {:<24} {origin}\n", key.name, text::visible_line(shown)));
    }
    table
}

fn print(text: &str) -> Result<(), CommandError> {
    output::data(|out| out.write_all(text.as_bytes())).map_err(|error| CommandError::infra("io", format!("failed to write to stdout: {error}"), None))
}

fn overview(global: &Global) -> Result<Exit, CommandError> {
    let project = open(global, global_layers(global), None)?;
    let overview = command::overview::overview(&project)?;
    print(&reports::overview(&overview))?;
    // A CI step that lost its command must not be green.
    output::last_line(Exit::Usage, "no command was given");
    Ok(Exit::Usage)
}

fn prompt(global: &Global, args: &PromptCommand) -> Result<Exit, CommandError> {
    let project = open(global, global_layers(global), None)?;
    match args {
        PromptCommand::List => {
            let listed = command::prompt::list(&project)?;
            if listed.is_empty() {
                return Err(CommandError::usage("there is no prompt in the registry", "write prompts/<slug>/v1.yaml, or test an unversioned file"));
            }
            print(&reports::prompts(&listed))?;
        }
        PromptCommand::Show { version } => {
            let found = command::prompt::find(&project, version)?;
            let source = &found.prompt.source;
            let status = found.status.map_or(String::new(), |status| format!(", {}", status.word()));
            output::say(&format!("{}@{} {}{status} ({})", found.prompt.slug, found.label, found.prompt.hash, source.name));
            print(&text::visible(&source.text))?;
        }
        PromptCommand::Diff { before, after } => {
            let (before, after, difference) = command::prompt::diff(&project, before, after)?;
            output::say(&format!("{}@{} -> {}@{}", before.prompt.slug, before.label, after.prompt.slug, after.label));
            if before.prompt.hash == after.prompt.hash {
                output::say("the two have the same content");
            }
            print(&difference)?;
        }
    }
    Ok(Exit::Ok)
}

fn cache(global: &Global, args: &CacheCommand) -> Result<Exit, CommandError> {
    let project = open(global, global_layers(global), None)?;
    match args {
        CacheCommand::Stats => {
            let stats = command::cache::stats(&project)?;
            print(&format!(
                "{}, {}, {} stale, {:.1} MiB in {}\n",
                text::count(stats.answers, "answer"),
                text::count(stats.segments, "segment"),
                text::thousands(stats.stale),
                stats.bytes as f64 / 1_048_576.0,
                Utf8Path::new(".gate/cache")
            ))?;
        }
        CacheCommand::Prune { older_than, max_size } => {
            let age = older_than.as_deref().map(parse_duration).transpose().map_err(|error| {
                CommandError::usage(error.to_string(), "write an age such as 30d or 12h")
            })?;
            let pruned = command::cache::prune(&project, age, max_size.map(|mib| mib.saturating_mul(1 << 20)))?;
            print(&format!("kept {}, dropped {}, freed {:.1} MiB\n", text::count(pruned.kept, "answer"), text::thousands(pruned.dropped), pruned.freed as f64 / 1_048_576.0))?;
        }
    }
    Ok(Exit::Ok)
}

fn schema(name: Option<&str>) -> Result<Exit, CommandError> {
    let names: Vec<&str> = command::schema::SCHEMAS.iter().map(|(name, _)| *name).collect();
    let Some(name) = name else {
        print(&format!("{}\n", names.join("\n")))?;
        return Ok(Exit::Ok);
    };
    let text = command::schema::find(name).ok_or_else(|| {
        CommandError::usage(format!("there is no schema `{name}`"), crate::base::decode::choices(name, &names))
    })?;
    print(text)?;
    Ok(Exit::Ok)
}

fn completions(shell: clap_complete::Shell) -> Result<Exit, CommandError> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut super::args::description(), "gate", &mut script);
    output::data(|out| out.write_all(&script)).map_err(|error| CommandError::infra("io", format!("failed to write to stdout: {error}"), None))?;
    Ok(Exit::Ok)
}

