//! `gate show RUN CASE`: one case of a stored run in full.

use super::error::CommandError;
use super::matrix;
use super::outcome::{SuiteRun, Texts};
use super::project::Project;
use crate::base::decode::choices;
use crate::base::text;
use crate::store::runs::{self, LogTexts};

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
/// When there is no such run, its log is damaged, or it has no such case.
pub fn show(project: &Project, wanted: &str, case: &str) -> Result<Shown, CommandError> {
    let id = runs::find(&project.state, wanted)?;
    let loaded = runs::load(&project.state, &id)?;
    let ids = || loaded.run.cases.iter().map(|case| case.id.as_str());
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
