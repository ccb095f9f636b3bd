//! `gate import`: what became of another tool's files, in words.

use std::fmt::Write as _;

use super::args::{Global, ImportArgs, ImportCommand, PromptfooArgs};
use super::exit::Exit;
use super::inspect::print;
use super::output;
use super::project::{caller_folder, global_layers, open};
use crate::base::{Severity, text};
use crate::command::import::{self, Fate, Imported, Ledger};
use crate::command::{CommandError, Project, scaffold};

pub(super) fn import(global: &Global, args: &ImportArgs) -> Result<Exit, CommandError> {
    let project = open(global, global_layers(global), None)?;
    match &args.command {
        ImportCommand::Promptfoo(args) if args.lint_only => lint(global, &project, args),
        ImportCommand::Promptfoo(args) => promptfoo(global, &project, args),
    }
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
    if imported.ledger.has_drops() && !args.allow_partial {
        let dropped = text::count(imported.ledger.of(Fate::Dropped).count(), "part");
        return Err(CommandError::usage(
            format!("{dropped} of the config would be dropped, so nothing was written"),
            "change them, or write the rest with --allow-partial",
        ));
    }
    let written = scaffold::write_all(project, &imported.files)?;
    print(&next(&imported, &written))?;
    Ok(Exit::Ok)
}

fn lint(global: &Global, project: &Project, args: &PromptfooArgs) -> Result<Exit, CommandError> {
    let caller = caller_folder(global)?;
    let found = import::lint(project, &wanted(args, &caller))?;
    if !found.is_empty() {
        output::say(&found.to_string());
    }
    let errors = found.count(Severity::Error);
    let shown = text::count(errors, "error");
    let warnings = text::count(found.count(Severity::Warning), "warning");
    print(&format!("{shown}, {warnings}\n"))?;
    let exit = if errors > 0 { Exit::Usage } else { Exit::Ok };
    output::last_line(exit, &shown);
    Ok(exit)
}

/// What was carried over, changed and dropped.
fn account(ledger: &Ledger) -> String {
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
    for (fate, title) in [(Fate::Changed, "changed in meaning"), (Fate::Dropped, "dropped")] {
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
    let mut shown = String::new();
    if written.is_empty() {
        shown.push_str("written  nothing: all files are there already, with the same text\n");
    }
    for path in written {
        let _ = writeln!(shown, "written  {path}");
    }
    let allow = if imported.needs_exec { " --allow-exec" } else { "" };
    let suite = &imported.name;
    let _ = writeln!(shown, "\nNext  gate lint --suite {suite}{allow}");
    if imported.versions > 1 {
        let _ = writeln!(shown, "      gate compare v1 v2 --suite {suite}{allow}");
    } else {
        let _ = writeln!(shown, "      gate run v1 --no-gate --suite {suite}{allow}");
    }
    shown
}
