//! `gate show RUN CASE`: one case of a stored run in full.

use super::error::CommandError;
use super::matrix;
use super::outcome::{SuiteRun, Texts};
use super::project::Project;
use crate::analysis::CaseTable;
use crate::base::decode::choices;
use crate::base::text;
use crate::store::runs::{self, LogTexts, RunLogError};

/// A case of a run.
pub struct Shown {
    /// The run.
    pub suite: SuiteRun,
    /// The index of the case among the planned ones.
    pub case: usize,
}

/// Reads a run back and finds a case of it.
///
/// # Errors
/// When there is no such run, its log is damaged, it has no such case, or none is named.
pub fn show(project: &Project, wanted: &str, case: Option<&str>) -> Result<Shown, CommandError> {
    let id = runs::find(&project.state, wanted).map_err(|error| swapped(project, error, case))?;
    let loaded = runs::load(&project.state, &id)?;
    let ids = || loaded.run.cases.iter().map(|case| case.id.as_str());
    let Some(case) = case else {
        return Err(CommandError::usage(
            "no case is named",
            which(&CaseTable::of_run(&loaded.run)),
        ));
    };
    let Some(index) = ids().position(|id| id == case) else {
        return Err(CommandError::usage(
            format!("run {id} has no case `{}`", text::visible_line(case)),
            nearest(case, ids()),
        ));
    };
    let texts = Texts(LogTexts::open(&loaded.path)?);
    let decision = matrix::decide_stored(project, &loaded.run)?;
    Ok(Shown {
        suite: SuiteRun {
            run: loaded.run,
            texts,
            decision,
            notes: Vec::new(),
        },
        case: index,
    })
}

/// No such run, and the case is the name of one: they stand the wrong way round.
fn swapped(project: &Project, error: RunLogError, case: Option<&str>) -> CommandError {
    if let (RunLogError::Unknown { wanted, .. }, Some(run)) = (&error, case)
        && runs::find(&project.state, run).is_ok()
    {
        let wanted = text::visible_line(wanted);
        return CommandError::usage(
            error.to_string(),
            format!("the run comes first: gate show {run} {wanted}"),
        );
    }
    error.into()
}

/// The cases that are worth a look, else any.
fn which(table: &CaseTable<'_>) -> String {
    const LISTED: usize = 10;
    // An id that is shown with escapes can not be typed.
    let typed = || {
        table
            .rows
            .iter()
            .filter(|row| text::visible_line(row.id) == row.id)
    };
    let lost: Vec<&str> = typed()
        .filter(|row| row.is_lost())
        .map(|row| row.id)
        .collect();
    match (lost.split_first(), typed().next()) {
        (Some((first, [])), _) => format!("the lost case: gate show {first}"),
        (Some((first, others)), _) => {
            let more = others.len().saturating_sub(LISTED);
            let more = if more > 0 {
                format!(" and {more} more")
            } else {
                String::new()
            };
            let others = others
                .iter()
                .take(LISTED)
                .copied()
                .collect::<Vec<_>>()
                .join(", ");
            format!("a lost case: gate show {first} (or {others}{more})")
        }
        (None, Some(row)) => format!("no case is lost; one of all: gate show {}", row.id),
        (None, None) => "the run has no case".to_owned(),
    }
}

fn nearest<'c>(case: &str, ids: impl Iterator<Item = &'c str>) -> String {
    const LISTED: usize = 20;
    // An id that is shown with escapes can not be typed.
    let ids: Vec<&str> = ids.filter(|id| text::visible_line(id) == *id).collect();
    if ids.len() <= LISTED {
        return choices(case, &ids);
    }
    text::suggestion(case, ids.iter().copied()).map_or_else(
        || "write the id of a case of the dataset".to_owned(),
        |near| format!("did you mean `{near}`?"),
    )
}
