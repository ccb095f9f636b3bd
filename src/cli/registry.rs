//! `gate prompt`: what the registry's commands show.

use std::fmt::Write as _;

use camino::{Utf8Path, Utf8PathBuf};

use super::args::{ActorArgs, Global, PromptArgs, PromptCommand};
use super::exit::Exit;
use super::inspect::print;
use super::project::{caller_folder, global_layers, open};
use super::{env, output, reports};
use crate::base::{Severity, text};
use crate::command::prompt::place::Actor;
use crate::command::prompt::{get, lint};
use crate::command::{self, CommandError, Project};
use crate::settings::Origin;

mod change;
mod place;
mod trail;

pub(super) fn prompt(global: &Global, args: &PromptArgs) -> Result<Exit, CommandError> {
    let mut layers = global_layers(global);
    if let Some(registry) = &args.registry {
        layers.put("registry", vec![registry.clone()], Origin::Flag);
    }
    let project = open(global, layers, None)?;
    let caller = Caller {
        project: &project,
        folder: caller_folder(global)?,
    };
    match &args.command {
        PromptCommand::List => list(&project),
        PromptCommand::Show { version } => show(&project, version),
        PromptCommand::Diff { before, after } => diff(&project, before, after),
        PromptCommand::Get {
            version,
            vars,
            variant,
        } => caller.get(version, vars.as_deref(), variant.as_deref()),
        PromptCommand::Copy { slug, from, to } => {
            place::copy(&project, (from, to), slug.as_deref())
        }
        PromptCommand::Migrate => place::migrate(&project),
        PromptCommand::Lint { version } => lint(&project, version.as_deref()),
        PromptCommand::Which {
            slug,
            hash,
            at,
            channel,
        } => trail::which(
            &project,
            slug.as_deref(),
            (hash.as_deref(), at.as_deref()),
            channel.as_deref(),
        ),
        PromptCommand::Verify { slug, head, signed } => {
            trail::verify(&project, slug.as_deref(), head.as_deref(), signed)
        }
        PromptCommand::Log {
            slug,
            format,
            repair_merge: false,
            ..
        } => trail::log(&project, slug.as_deref(), format),
        PromptCommand::Add { .. }
        | PromptCommand::Promote { .. }
        | PromptCommand::Rollback { .. }
        | PromptCommand::Approve { .. }
        | PromptCommand::Status { .. }
        | PromptCommand::Log { .. } => caller.change(&args.command),
    }
}

/// Whoever calls, and from where.
struct Caller<'a> {
    project: &'a Project,
    folder: Utf8PathBuf,
}

fn actor(args: &ActorArgs) -> Actor {
    Actor {
        by: args.author.clone().or_else(|| env::variable("GATE_AUTHOR")),
        why: args.why.clone(),
    }
}

fn list(project: &Project) -> Result<Exit, CommandError> {
    let listed = command::prompt::list(project)?;
    if listed.is_empty() {
        return Err(CommandError::usage(
            "there is no prompt in the registry",
            "add a first version: gate prompt add FILE --prompt SLUG --description TEXT",
        ));
    }
    print(&reports::prompts(&listed))?;
    Ok(Exit::Ok)
}

fn show(project: &Project, version: &str) -> Result<Exit, CommandError> {
    let found = command::prompt::find(project, version)?;
    let (prompt, source) = (&found.prompt, &found.prompt.source);
    let status = found
        .status
        .map_or(String::new(), |status| format!(", {}", status.word()));
    output::say(&format!(
        "{}@{} {}{status} ({})",
        prompt.slug, found.label, prompt.hash, source.name
    ));
    print(&text::visible(&source.text))?;
    Ok(Exit::Ok)
}

fn diff(project: &Project, before: &str, after: &str) -> Result<Exit, CommandError> {
    let (before, after, difference) = command::prompt::diff(project, before, after)?;
    output::say(&format!(
        "{}@{} -> {}@{}",
        before.prompt.slug, before.label, after.prompt.slug, after.label
    ));
    if before.prompt.hash == after.prompt.hash {
        output::say("the two have the same content");
    }
    print(&difference)?;
    Ok(Exit::Ok)
}

fn lint(project: &Project, version: Option<&str>) -> Result<Exit, CommandError> {
    let linted = lint::lint(project, version)?;
    output::say_findings(&linted.found, output::look(Some(&project.settings.color)));
    let errors = linted.found.count(Severity::Error);
    print(&format!(
        "{} checked: {}, {}\n",
        text::count(linted.checked.len(), "version"),
        text::count(errors, "error"),
        text::count(linted.found.count(Severity::Warning), "warning")
    ))?;
    let exit = if errors > 0 { Exit::Usage } else { Exit::Ok };
    output::last_line(exit, &linted.found.summary());
    Ok(exit)
}

impl Caller<'_> {
    fn path(&self, path: &std::path::Path) -> Result<Utf8PathBuf, CommandError> {
        let path = Utf8Path::from_path(path).ok_or_else(|| {
            CommandError::usage(
                format!("{} is not UTF-8", path.display()),
                "give the file a plain name",
            )
        })?;
        Ok(self.folder.join(path))
    }

    fn get(
        &self,
        version: &str,
        vars: Option<&std::path::Path>,
        variant: Option<&str>,
    ) -> Result<Exit, CommandError> {
        let values = vars.map(|path| self.path(path)).transpose()?;
        let wanted = get::Wanted {
            version,
            variant,
            values: values.as_deref(),
        };
        let got = get::get(self.project, wanted)?;
        if let Some(note) = &got.note {
            output::say(&format!("note: {}", text::visible_line(note)));
        }
        print(&format!(
            "{}\n",
            json_visible(&format!("{:#}", got.document))
        ))?;
        Ok(Exit::Ok)
    }
}

/// JSON with every character that could deceive a terminal as an escape; they stand in texts alone.
fn json_visible(json: &str) -> String {
    let mut shown = String::with_capacity(json.len());
    for c in json.chars() {
        if text::is_deceptive(c) {
            let _ = write!(shown, "\\u{:04x}", u32::from(c));
        } else {
            shown.push(c);
        }
    }
    shown
}
