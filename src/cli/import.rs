//! `gate import`: what became of another tool's files, in words.

use std::fmt::Write as _;

use super::args::{Global, ImportArgs, ImportCommand, OpenaiEvalsArgs, PromptfooArgs, ResultsArgs};
use super::exit::Exit;
use super::gate::{gate, version};
use super::inspect::print;
use super::next;
use super::output;
use super::project::{caller_folder, global_layers, open, suite_layers};
use crate::base::{Severity, text};
use crate::command::import::{self, Fate, Imported, Ledger};
use crate::command::run::Hooks;
use crate::command::{CommandError, Project, scaffold};

pub(super) fn import(global: &Global, args: &ImportArgs) -> Result<Exit, CommandError> {
    let project = open(global, global_layers(global), None)?;
    match &args.command {
        ImportCommand::Promptfoo(args) if args.lint_only => lint(global, &project, args),
        ImportCommand::Promptfoo(args) => promptfoo(global, &project, args),
        ImportCommand::Results(args) => results(global, args),
        ImportCommand::OpenaiEvals(args) => openai_evals(global, &project, args),
    }
}

fn results(global: &Global, args: &ResultsArgs) -> Result<Exit, CommandError> {
    let mut layers = global_layers(global);
    suite_layers(&mut layers, &args.suites);
    let project = open(global, layers, None)?;
    let caller = caller_folder(global)?;
    let wanted = import::Recorded {
        file: &args.file,
        caller: &caller,
        version: version(&args.version)?,
        scorer: args.scorer.as_deref(),
    };
    gate(global, &project, async |hooks: &mut Hooks<'_>| {
        Box::pin(import::results(&project, &wanted, hooks)).await
    })
}

fn openai_evals(
    global: &Global,
    project: &Project,
    args: &OpenaiEvalsArgs,
) -> Result<Exit, CommandError> {
    let caller = caller_folder(global)?;
    let template = match args.template.as_str() {
        "includes" => import::Template::Includes,
        "fuzzy-match" => import::Template::FuzzyMatch,
        "model-graded" => import::Template::ModelGraded,
        _ => import::Template::Match,
    };
    let wanted = import::Samples {
        file: &args.file,
        caller: &caller,
        template,
        name: args.name.as_deref(),
        model: &args.model,
    };
    let imported = import::evals(&wanted)?;
    print(&account(&imported.ledger))?;
    refuse_drops(&imported.ledger, args.allow_partial)?;
    let written = scaffold::write_all(project, &imported.files)?;
    let suite = &imported.name;
    let commands = [
        format!("gate lint --suite {suite}"),
        format!("gate run v1 --no-gate --suite {suite}"),
    ];
    let needs = import::Needs::named(project, &args.model);
    let shown = written_files(&written) + &next::lines(&needs, &commands);
    print(&shown)?;
    Ok(Exit::Ok)
}

/// Nothing is written where something would be lost, unless the caller says so.
pub(super) fn refuse_drops(ledger: &Ledger, allow_partial: bool) -> Result<(), CommandError> {
    if !ledger.has_drops() || allow_partial {
        return Ok(());
    }
    let dropped = text::count(ledger.of(Fate::Dropped).count(), "part");
    Err(CommandError::usage(
        format!("{dropped} would be dropped, so nothing was written"),
        "change them, or write the rest with --allow-partial",
    ))
}

fn written_files(written: &[String]) -> String {
    if written.is_empty() {
        return "written  nothing: all files are there already, with the same text\n".to_owned();
    }
    let line = |path: &String| format!("written  {path}\n");
    written.iter().map(line).collect::<Vec<_>>().concat()
}

fn wanted<'a>(args: &'a PromptfooArgs, caller: &'a camino::Utf8Path) -> import::Wanted<'a> {
    import::Wanted {
        file: &args.file,
        caller,
        name: args.name.as_deref(),
        model: args.model.as_deref(),
    }
}

fn promptfoo(
    global: &Global,
    project: &Project,
    args: &PromptfooArgs,
) -> Result<Exit, CommandError> {
    let caller = caller_folder(global)?;
    let imported = import::convert(project, &wanted(args, &caller))?;
    print(&account(&imported.ledger))?;
    if let Some((message, help)) = &imported.refused {
        return Err(CommandError::usage(message, help));
    }
    refuse_drops(&imported.ledger, args.allow_partial)?;
    let written = scaffold::write_all(project, &imported.files)?;
    print(&next(&imported, &written))?;
    Ok(Exit::Ok)
}

fn lint(global: &Global, project: &Project, args: &PromptfooArgs) -> Result<Exit, CommandError> {
    let caller = caller_folder(global)?;
    let found = import::lint(project, &wanted(args, &caller))?;
    output::say_findings(&found, output::look(Some(&project.settings.color)));
    let errors = found.count(Severity::Error);
    let shown = text::count(errors, "error");
    let warnings = text::count(found.count(Severity::Warning), "warning");
    print(&format!("{shown}, {warnings}\n"))?;
    let exit = if errors > 0 { Exit::Usage } else { Exit::Ok };
    output::last_line(exit, &found.summary());
    Ok(exit)
}

/// What was carried over, changed and dropped.
pub(super) fn account(ledger: &Ledger) -> String {
    let mut shown = String::new();
    let counts: Vec<String> = ledger
        .counts()
        .map(|(kind, count)| text::count(count, kind))
        .collect();
    let counts = if counts.is_empty() {
        "nothing".to_owned()
    } else {
        counts.join(", ")
    };
    // Writing to a `String` can not fail.
    let _ = writeln!(shown, "carried over  {counts}");
    for (fate, title) in [
        (Fate::Changed, "changed in meaning"),
        (Fate::Dropped, "dropped"),
    ] {
        let lines: Vec<String> = ledger.of(fate).map(import::Finding::line).collect();
        if !lines.is_empty() {
            let _ = writeln!(shown, "{title}  {}", lines.len());
        }
        for line in lines {
            let _ = writeln!(shown, "  {line}");
        }
    }
    shown
}

fn next(imported: &Imported, written: &[String]) -> String {
    let suite = &imported.name;
    let needs = &imported.needs;
    let exec = if needs.exec { " --allow-exec" } else { "" };
    let flags = next::flags(needs);
    let answers = if imported.versions > 1 {
        format!("gate compare v1 v2 --suite {suite}{flags}")
    } else {
        format!("gate run v1 --no-gate --suite {suite}{flags}")
    };
    let commands = [format!("gate lint --suite {suite}{exec}"), answers];
    written_files(written) + &next::lines(needs, &commands)
}
