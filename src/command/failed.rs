//! `--failed`: the cases that a stored run did not pass, to be run again.

use super::error::CommandError;
use super::project::Project;
use super::run::Flags;
use crate::analysis::CaseTable;
use crate::base::text;
use crate::dataset::Filter;
use crate::dataset::filter::Failed;
use crate::store::runs;
use crate::suite::Suite;

/// The suites and flags of a command, narrowed to the suite and the lost cases of a stored run where
/// the flags ask for that. A case whose candidate has no result counts as not passed.
///
/// # Errors
/// When there is no such run, its suite is not chosen, or the run passed every case.
pub fn narrowed(
    project: &Project,
    mut suites: Vec<Suite>,
    flags: &Flags,
) -> Result<(Vec<Suite>, Flags), CommandError> {
    let Some(wanted) = &flags.failed else {
        return Ok((suites, flags.clone()));
    };
    let id = runs::find(&project.state, wanted.as_deref().unwrap_or("last"))?;
    let loaded = runs::load(&project.state, &id)?;
    let name = &loaded.run.header.suite;
    suites.retain(|suite| suite.name.as_str() == name);
    if suites.is_empty() {
        return Err(CommandError::usage(
            format!("run {id} is about suite `{name}`, which is not chosen here"),
            "name another run with --failed RUN, or choose the suite with --suite",
        ));
    }
    let table = CaseTable::of_run(&loaded.run);
    let lost = table
        .rows
        .iter()
        .filter(|row| row.candidate.pass() != Some(true));
    let ids = lost.map(|row| row.id.to_owned()).collect();
    let failed = Failed {
        run: text::byte_prefix(id.as_str(), 13).to_owned(),
        ids,
    };
    if failed.ids.is_empty() && !flags.allow_empty {
        return Err(CommandError::usage(
            format!("run {id} passed every case"),
            "leave out --failed, or say --allow-empty",
        ));
    }
    let filter = Filter {
        failed: Some(failed),
        ..flags.filter.clone()
    };
    let flags = Flags {
        filter,
        ..flags.clone()
    };
    Ok((suites, flags))
}
