//! `gate prompt copy|migrate`: what moves between registries, and a database made ready for one.

use std::fmt::Write as _;

use crate::base::text;
use crate::cli::exit::Exit;
use crate::cli::inspect::print;
use crate::cli::output;
use crate::command::prompt::copy;
use crate::command::registry::{self, Named};
use crate::command::{CommandError, Project};
use crate::settings::Origin;

pub fn copy(
    project: &Project,
    (from, to): (&str, &str),
    slug: Option<&str>,
) -> Result<Exit, CommandError> {
    let mut said = String::new();
    for copied in copy::copy(project, (from, to), slug)? {
        for note in &copied.notes {
            output::say(&format!("note: {}", text::visible_line(note)));
        }
        let lines = text::count(copied.entries, "log line");
        let _ = writeln!(said, "{}: {lines}, {} new in {to}", copied.slug, copied.new);
    }
    print(&said)?;
    Ok(Exit::Ok)
}

pub fn migrate(project: &Project) -> Result<Exit, CommandError> {
    let given = project.layers.get("registry");
    let location = given.and_then(|given| given.texts.first().cloned());
    let location = location.ok_or_else(|| {
        CommandError::usage(
            "which registry?",
            "name a database: --registry postgres://user@host/database",
        )
    })?;
    let by_owner =
        given.is_some_and(|given| matches!(given.origin, Origin::Flag | Origin::Environment(_)));
    let named = if by_owner {
        Named::ByOwner
    } else {
        Named::InFile
    };
    let is_new = registry::migrate(project, &location, named)?;
    print(&if is_new {
        format!(
            "{location}: the registry is ready\n  grant gate_reader, gate_author or gate_promoter to whoever reads, adds or promotes\n"
        )
    } else {
        format!("{location}: the registry is of this program's format already\n")
    })?;
    Ok(Exit::Ok)
}
