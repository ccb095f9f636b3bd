//! The commands that look and do not run: overview, lint, cache, schemas, completions.

use std::fmt::Write as _;

use camino::Utf8Path;

use super::args::{CacheCommand, Global, LintArgs, ShowArgs};
use super::exit::Exit;
use super::output;
use super::project::{global_layers, open, suite_layers};
use super::reports;
use crate::base::time::parse_duration;
use crate::base::{Severity, text};
use crate::command::{self, CommandError, Project};
use crate::report::contrast::Marks;
use crate::report::sheet;
use crate::store::runs::LAST;

pub(super) fn lint(global: &Global, args: &LintArgs) -> Result<Exit, CommandError> {
    let mut layers = global_layers(global);
    suite_layers(&mut layers, &args.suites);
    let project = open(global, layers, Some(&args.permissions))?;
    if args.show_settings {
        print(&settings_table(&project))?;
    }
    let linted = command::lint::lint(&project)?;
    output::say_findings(&linted.found, output::look(Some(&project.settings.color)));
    let (errors, warnings) = (
        linted.found.count(Severity::Error),
        linted.found.count(Severity::Warning),
    );
    // Writing to a `String` can not fail.
    let mut summary = String::new();
    for (suite, sentence) in &linted.can_show {
        let _ = writeln!(summary, "{suite}: {sentence}");
    }
    let errors_found = text::count(errors, "error");
    let _ = writeln!(
        summary,
        "{errors_found}, {}",
        text::count(warnings, "warning")
    );
    print(&summary)?;
    let exit = if errors > 0 { Exit::Usage } else { Exit::Ok };
    output::last_line(exit, &linted.found.summary());
    Ok(exit)
}

pub(super) fn show(global: &Global, args: &ShowArgs) -> Result<Exit, CommandError> {
    let project = open(global, global_layers(global), None)?;
    let (run, case) = match (&args.run, &args.case) {
        (Some(run), Some(case)) => (run.as_str(), Some(case.as_str())),
        (Some(case), None) if case != LAST => (LAST, Some(case.as_str())),
        (_, _) => (LAST, None),
    };
    let shown = command::show::show(&project, run, case)?;
    let terminal = output::Terminal::detect(&project.settings.color);
    let marks = if terminal.color {
        Marks::Styled
    } else {
        Marks::Plain
    };
    let report = shown.suite.report();
    print(&sheet::render(&report, shown.case, terminal.width, marks))?;
    Ok(Exit::Ok)
}

fn settings_table(project: &Project) -> String {
    let mut table = String::new();
    for key in &crate::settings::keys::KEYS {
        let given = project.layers.get(key.name);
        let value = given.map_or_else(|| key.default.to_owned(), |given| given.texts.join(", "));
        let origin = given.map_or_else(|| "default".to_owned(), |given| given.origin.to_string());
        let shown = if value.is_empty() { "(none)" } else { &value };
        let shown = text::visible_line(shown);
        // Writing to a `String` can not fail.
        let _ = writeln!(table, "{:<14} {shown:<24} {origin}", key.name);
    }
    table
}

pub(super) fn print(text: &str) -> Result<(), CommandError> {
    output::data(|out| out.write_all(text.as_bytes())).map_err(|error| {
        CommandError::infra("io", format!("failed to write to stdout: {error}"), None)
    })
}

pub(super) fn overview(global: &Global) -> Result<Exit, CommandError> {
    let project = open(global, global_layers(global), None)?;
    let overview = command::overview::overview(&project)?;
    print(&reports::overview(&overview))?;
    // A CI step that lost its command must not be green.
    output::last_line(Exit::Usage, "no command was given");
    Ok(Exit::Usage)
}

pub(super) fn cache(global: &Global, args: &CacheCommand) -> Result<Exit, CommandError> {
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
        CacheCommand::Prune {
            older_than,
            max_size,
        } => {
            let age = older_than
                .as_deref()
                .map(parse_duration)
                .transpose()
                .map_err(|error| {
                    CommandError::usage(error.to_string(), "write an age such as 30d or 12h")
                })?;
            let pruned = command::cache::prune(
                &project,
                age,
                max_size.map(|mib| mib.saturating_mul(1 << 20)),
            )?;
            print(&format!(
                "kept {}, dropped {}, freed {:.1} MiB\n",
                text::count(pruned.kept, "answer"),
                text::thousands(pruned.dropped),
                pruned.freed as f64 / 1_048_576.0
            ))?;
        }
    }
    Ok(Exit::Ok)
}

pub(super) fn schema(name: Option<&str>) -> Result<Exit, CommandError> {
    let names: Vec<&str> = command::schema::SCHEMAS
        .iter()
        .map(|(name, _)| *name)
        .collect();
    let Some(name) = name else {
        print(&format!("{}\n", names.join("\n")))?;
        return Ok(Exit::Ok);
    };
    let text = command::schema::find(name).ok_or_else(|| {
        CommandError::usage(
            format!("there is no schema `{name}`"),
            crate::base::decode::choices(name, &names),
        )
    })?;
    print(text)?;
    Ok(Exit::Ok)
}

pub(super) fn completions(shell: clap_complete::Shell) -> Result<Exit, CommandError> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut super::args::description(), "gate", &mut script);
    output::data(|out| out.write_all(&script)).map_err(|error| {
        CommandError::infra("io", format!("failed to write to stdout: {error}"), None)
    })?;
    Ok(Exit::Ok)
}
