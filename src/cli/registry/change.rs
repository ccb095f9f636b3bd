//! `gate prompt add|promote|rollback|approve|status` and the repair of a log: what was done, and
//! the git command that publishes it.

use std::fmt::Write as _;

use super::{Caller, actor, trail};
use crate::base::text;
use crate::cli::args::{ActorArgs, PromptCommand};
use crate::cli::exit::Exit;
use crate::cli::inspect::print;
use crate::cli::output;
use crate::command::prompt::movement::{Changed, Moved};
use crate::command::prompt::place::Actor;
use crate::command::prompt::promote::{self, Promoted};
use crate::command::prompt::{add, movement};
use crate::command::{self, CommandError, Project};
use crate::registry::Status;
use crate::registry::promote::{Force, Missing};

impl Caller<'_> {
    pub(super) fn change(&self, command: &PromptCommand) -> Result<Exit, CommandError> {
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
            } => self.rollback(slug, to.as_deref(), channel.as_deref(), &actor(by)),
            PromptCommand::Approve {
                version,
                channel,
                actor: by,
            } => self.approve(version, channel.as_deref(), &actor(by)),
            PromptCommand::Status {
                version: Some(version),
                status: Some(status),
                actor: by,
            } => self.set_status(version, status, &actor(by)),
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
            | PromptCommand::Copy { .. }
            | PromptCommand::Migrate
            | PromptCommand::Lint { .. } => Ok(Exit::Ok),
        }
    }

    fn rollback(
        &self,
        slug: &str,
        to: Option<&str>,
        channel: Option<&str>,
        by: &Actor,
    ) -> Result<Exit, CommandError> {
        self.moved(&movement::rollback(self.project, slug, to, channel, by)?)
    }

    fn approve(
        &self,
        version: &str,
        channel: Option<&str>,
        by: &Actor,
    ) -> Result<Exit, CommandError> {
        self.changed(&movement::approve(self.project, version, channel, by)?)
    }

    fn set_status(&self, version: &str, status: &str, by: &Actor) -> Result<Exit, CommandError> {
        let wanted = Status::ALL.into_iter().find(|known| known.word() == status);
        let wanted = wanted.unwrap_or(Status::Testing);
        self.changed(&movement::set_status(self.project, version, wanted, by)?)
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
        if let Some(test) = &added.test {
            print(&format!("test:    {test}\n"))?;
        }
        print(&self.publish(&added.written, &message))?;
        Ok(Exit::Ok)
    }

    fn promote(&self, wanted: &promote::Wanted<'_>) -> Result<Exit, CommandError> {
        match promote::promote(self.project, wanted)? {
            Promoted::Done(moved) => self.moved(&moved),
            Promoted::Already {
                slug,
                number,
                channel,
            } => {
                print(&format!(
                    "{slug}@v{number} is {channel} already: nothing to do\n"
                ))?;
                Ok(Exit::Ok)
            }
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
                let lacks = text::count(missing.len(), "thing");
                output::last_line(
                    Exit::GateFailed,
                    &format!("{slug}@v{number} was not promoted, {lacks} missing"),
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
            let _ = writeln!(said, "  v{to} was live from {since} to {until}");
        }
        for file in moved
            .written
            .iter()
            .filter(|file| file.contains("/evidence/"))
        {
            let _ = writeln!(said, "  evidence: {file}");
        }
        if !moved.passed_over.is_empty() {
            output::say("forced, which the log keeps for ever; passed over:");
            say_missing(&moved.passed_over);
        }
        let message = format!("{slug}: {channel} {from} -> v{to}");
        said.push_str(&self.publish(&moved.written, &message));
        print(&said)?;
        Ok(Exit::Ok)
    }

    fn changed(&self, changed: &Changed) -> Result<Exit, CommandError> {
        let (slug, number) = (&changed.slug, changed.number);
        let message = format!("{slug}: v{number} {}", changed.now);
        print(&format!(
            "{slug}@v{number} {}\n{}",
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
            let _ = writeln!(said, "  both branches had added v{version}: it stays once");
        }
        let message = format!("{}: repair the merged log", place.slug);
        said.push_str(&self.publish(&[place.path("log.jsonl")], &message));
        print(&said)?;
        Ok(Exit::Ok)
    }

    /// A line with the git command that publishes these files and no others; none where there are none.
    fn publish(&self, files: &[String], message: &str) -> String {
        if files.is_empty() {
            return String::new();
        }
        let root = self.project.root.path();
        let git = if self.folder == root {
            "git".to_owned()
        } else {
            format!("git -C {}", quoted(root.as_str()))
        };
        let files: Vec<String> = files.iter().map(|file| quoted(file)).collect();
        let files = files.join(" ");
        format!(
            "publish: {git} add -- {files} && {git} commit -m {} -- {files} && {git} push\n",
            quoted(message)
        )
    }
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
