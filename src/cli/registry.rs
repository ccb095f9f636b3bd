//! `gate prompt`: what the registry's commands show.

use camino::{Utf8Path, Utf8PathBuf};

use super::args::{ActorArgs, Global, PromptArgs, PromptCommand};
use super::exit::Exit;
use super::inspect::print;
use super::project::{caller_folder, global_layers, open};
use super::{env, output, reports};
use crate::base::{Severity, text};
use crate::command::prompt::movement::{Changed, Moved};
use crate::command::prompt::place::Actor;
use crate::command::prompt::promote::{self, Promoted};
use crate::command::prompt::{add, get, lint, movement};
use crate::command::{self, CommandError, Project};
use crate::registry::Status;
use crate::registry::promote::{Force, Missing};
use crate::settings::Origin;

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
        PromptCommand::Verify { slug, head } => {
            trail::verify(&project, slug.as_deref(), head.as_deref())
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
    if !linted.found.is_empty() {
        output::say(&linted.found.to_string());
    }
    let errors = linted.found.count(Severity::Error);
    print(&format!(
        "{} checked: {}, {}\n",
        text::count(linted.checked.len(), "version"),
        text::count(errors, "error"),
        text::count(linted.found.count(Severity::Warning), "warning")
    ))?;
    let exit = if errors > 0 { Exit::Usage } else { Exit::Ok };
    output::last_line(exit, &text::count(errors, "error"));
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

    fn change(&self, command: &PromptCommand) -> Result<Exit, CommandError> {
        match command {
            PromptCommand::Add {
                file,
                prompt,
                description,
                actor: by,
            } => self.add(file, prompt.as_deref(), description.as_deref(), by),
            PromptCommand::Promote {
                version,
                channel,
                force,
                run,
                actor: by,
            } => self.promote(&promote::Wanted {
                version,
                channel: channel.as_deref(),
                force: if *force { Force::Yes } else { Force::No },
                run: run.as_deref(),
                actor: actor(by),
            }),
            PromptCommand::Rollback { slug: None, .. } => undoable(self.project),
            PromptCommand::Rollback {
                slug: Some(slug),
                to,
                channel,
                actor: by,
            } => {
                let (to, channel) = (to.as_deref(), channel.as_deref());
                let moved = movement::rollback(self.project, slug, to, channel, &actor(by))?;
                self.moved(&moved)
            }
            PromptCommand::Approve {
                version,
                channel,
                actor: by,
            } => {
                let channel = channel.as_deref();
                let changed = movement::approve(self.project, version, channel, &actor(by))?;
                self.changed(&changed)
            }
            PromptCommand::Status {
                version: Some(version),
                status: Some(status),
                actor: by,
            } => {
                let wanted = Status::ALL.into_iter().find(|known| known.word() == status);
                let wanted = wanted.unwrap_or(Status::Testing);
                let changed = movement::set_status(self.project, version, wanted, &actor(by))?;
                self.changed(&changed)
            }
            PromptCommand::Status { version, .. } => {
                trail::status(self.project, version.as_deref())
            }
            PromptCommand::Log {
                slug, actor: by, ..
            } => self.repair(slug.as_deref(), &actor(by)),
            PromptCommand::List
            | PromptCommand::Show { .. }
            | PromptCommand::Diff { .. }
            | PromptCommand::Get { .. }
            | PromptCommand::Which { .. }
            | PromptCommand::Verify { .. }
            | PromptCommand::Lint { .. } => Ok(Exit::Ok),
        }
    }

    fn add(
        &self,
        file: &std::path::Path,
        slug: Option<&str>,
        description: Option<&str>,
        by: &ActorArgs,
    ) -> Result<Exit, CommandError> {
        let file = self.path(file)?;
        let added = add::add(
            self.project,
            &add::Wanted {
                file: &file,
                slug,
                description,
                actor: actor(by),
            },
        )?;
        for note in &added.notes {
            output::say(&format!("note: {}", text::visible_line(note)));
        }
        let did = if added.was_there {
            "put into the log"
        } else {
            "added"
        };
        let (slug, number) = (&added.slug, added.number);
        print(&format!(
            "{slug}@v{number} {did}: {} ({})\n",
            added.file, added.hash
        ))?;
        let message = format!("{slug}: v{number}");
        print(&format!(
            "publish: {}\ntest:    gate compare stable v{number} --prompt {slug}\n",
            self.publish(&added.written, &message)
        ))?;
        Ok(Exit::Ok)
    }

    fn promote(&self, wanted: &promote::Wanted<'_>) -> Result<Exit, CommandError> {
        match promote::promote(self.project, wanted)? {
            Promoted::Done(moved) => self.moved(&moved),
            Promoted::Refused {
                slug,
                number,
                channel,
                missing,
            } => {
                output::say(&format!(
                    "{slug}@v{number} can not become {channel}: {} missing",
                    text::count(missing.len(), "thing")
                ));
                say_missing(&missing);
                let first = missing.first().map_or_else(String::new, Missing::to_string);
                output::last_line(
                    Exit::GateFailed,
                    &format!("{slug}@v{number} was not promoted: {first}"),
                );
                Ok(Exit::GateFailed)
            }
        }
    }

    /// Says what moved and how to publish it.
    fn moved(&self, moved: &Moved) -> Result<Exit, CommandError> {
        let from = moved
            .from
            .map_or_else(|| "nothing".to_owned(), |from| format!("v{from}"));
        let (slug, channel, to) = (&moved.slug, &moved.channel, moved.to);
        let mut said = format!("{slug}: {channel} {from} -> v{to}\n");
        for (since, until) in &moved.live {
            said.push_str(&format!("  v{to} was live from {since} to {until}\n"));
        }
        for file in moved
            .written
            .iter()
            .filter(|file| file.contains("/evidence/"))
        {
            said.push_str(&format!("  evidence: {file}\n"));
        }
        if !moved.passed_over.is_empty() {
            output::say("forced, which the log keeps for ever; passed over:");
            say_missing(&moved.passed_over);
        }
        let message = format!("{slug}: {channel} {from} -> v{to}");
        said.push_str(&format!(
            "publish: {}\n",
            self.publish(&moved.written, &message)
        ));
        print(&said)?;
        Ok(Exit::Ok)
    }

    fn changed(&self, changed: &Changed) -> Result<Exit, CommandError> {
        let (slug, number) = (&changed.slug, changed.number);
        let message = format!("{slug}: v{number} {}", changed.now);
        print(&format!(
            "{slug}@v{number} {}\npublish: {}\n",
            text::visible_line(&changed.now),
            self.publish(&changed.written, &message)
        ))?;
        Ok(Exit::Ok)
    }

    fn repair(&self, slug: Option<&str>, by: &Actor) -> Result<Exit, CommandError> {
        let (place, repaired) = command::prompt::audit::repair_merge(self.project, slug, by)?;
        let mut said = format!(
            "{}: two branches are one log now: {} as before, {} chained anew\n",
            place.slug,
            text::count(repaired.kept, "line"),
            text::count(repaired.rechained, "line")
        );
        for version in &repaired.joined {
            said.push_str(&format!(
                "  both branches had added v{version}: it stays once\n"
            ));
        }
        let message = format!("{}: repair the merged log", place.slug);
        said.push_str(&format!(
            "publish: {}\n",
            self.publish(&[place.path("log.jsonl")], &message)
        ));
        print(&said)?;
        Ok(Exit::Ok)
    }

    /// The git command that publishes these files and no others.
    fn publish(&self, files: &[String], message: &str) -> String {
        let root = self.project.root.path();
        let git = if self.folder == root {
            "git".to_owned()
        } else {
            format!("git -C {}", quoted(root.as_str()))
        };
        let files: Vec<String> = files.iter().map(|file| quoted(file)).collect();
        let files = files.join(" ");
        format!(
            "{git} add -- {files} && {git} commit -m {} -- {files} && {git} push",
            quoted(message)
        )
    }
}

/// JSON with every character that could deceive a terminal as an escape; they stand in texts alone.
fn json_visible(json: &str) -> String {
    let mut shown = String::with_capacity(json.len());
    for c in json.chars() {
        if text::is_deceptive(c) {
            shown.push_str(&format!("\\u{:04x}", u32::from(c)));
        } else {
            shown.push(c);
        }
    }
    shown
}

/// A word for a POSIX shell.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-@:+=".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", text::visible_line(word).replace('\'', "'\\''"))
}

fn say_missing(missing: &[Missing]) {
    let mut said = Vec::new();
    for item in missing {
        output::say(&format!("  - {}", text::visible_line(&item.to_string())));
        if let Some(command) = item.command()
            && !said.contains(&command)
        {
            said.push(command);
        }
    }
    for command in said {
        output::say(&format!("  help: {command}"));
    }
}

fn undoable(project: &Project) -> Result<Exit, CommandError> {
    let found = movement::undoable(project)?;
    if found.is_empty() {
        print("no channel has anything to go back to\n")?;
    }
    for undo in found {
        print(&format!(
            "{}: {} v{} -> v{}: gate prompt rollback {}{}\n",
            undo.slug,
            undo.channel,
            undo.from,
            undo.to,
            undo.slug,
            if undo.channel.is_stable() {
                String::new()
            } else {
                format!(" --channel {}", undo.channel)
            }
        ))?;
    }
    Ok(Exit::Ok)
}
