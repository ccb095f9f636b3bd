//! `gate init`: what was written, what was left and why, and the two commands to go on with.

use std::fmt::Write as _;

use super::args::{Global, InitArgs};
use super::exit::Exit;
use super::import::{account, refuse_drops};
use super::inspect::print;
use super::next;
use super::project::{caller_folder, global_layers, open};
use crate::base::text;
use crate::command::CommandError;
use crate::command::init::{self, Scaffolded, Wanted};

pub(super) fn init(global: &Global, args: &InitArgs) -> Result<Exit, CommandError> {
    let project = open(global, global_layers(global), None)?;
    let caller = caller_folder(global)?;
    let wanted = Wanted {
        file: args.file.as_deref(),
        name: args.name.as_deref(),
        model: args.model.as_deref(),
        no_workflow: args.no_workflow,
        allow_partial: args.allow_partial,
        caller: caller.as_str(),
    };
    let done = init::scaffold(&project, &wanted)?;
    let losses = done.ledger.as_ref().filter(|ledger| ledger.has_drops());
    if let Some(ledger) = losses.filter(|_| !args.allow_partial) {
        print(&account(ledger))?;
        refuse_drops(ledger, args.allow_partial)?;
    }
    let price = init::price(&project, &done.suite);
    print(&account_of(&done, price.as_deref()))?;
    Ok(Exit::Ok)
}

fn account_of(done: &Scaffolded, price: Option<&str>) -> String {
    let mut shown = String::new();
    if let Some(ledger) = &done.ledger {
        shown.push_str(&account(ledger));
        shown.push('\n');
    }
    let width = done.written.iter().map(|(path, _)| path.chars().count());
    let width = width
        .chain(done.kept.iter().map(|kept| kept.path.chars().count()))
        .max();
    let width = width.unwrap_or(0);
    // Writing to a `String` can not fail.
    for (path, what) in &done.written {
        let _ = writeln!(shown, "wrote  {:<width$}  {what}", text::visible_line(path));
    }
    for kept in &done.kept {
        let _ = writeln!(
            shown,
            "kept   {:<width$}  {}",
            text::visible_line(&kept.path),
            kept.why
        );
    }
    for note in &done.notes {
        let _ = writeln!(shown, "found  {}", text::visible_line(note));
    }
    shown + &next_of(done, price)
}

fn next_of(done: &Scaffolded, price: Option<&str>) -> String {
    let suite = &done.suite;
    let price = price.map_or_else(String::new, |price| format!(": {price}"));
    let flags = next::flags(&done.needs);
    let then = if done.versions > 1 {
        format!("gate compare v1 v2 --suite {suite}{flags}   two versions of the prompt")
    } else {
        let prompt = match done.prompt.as_str() {
            "" => "its prompt".to_owned(),
            path => text::visible_line(path),
        };
        format!(
            "gate compare{flags}    after the first edit of {prompt} (commit before it: the baseline is HEAD)"
        )
    };
    let first = format!("gate run --no-gate --suite {suite}{flags}    the answers now{price}");
    let unwritten = done
        .written
        .iter()
        .find(|(_, what)| *what == init::PLACEHOLDERS);
    let write = unwritten.map(|(path, _)| {
        let path = text::visible_line(path);
        format!("write real cases into {path}: until then a pass says nothing")
    });
    let commands: Vec<String> = write.into_iter().chain([first, then]).collect();
    next::lines(&done.needs, &commands)
}
