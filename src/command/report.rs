//! `gate report RUN`: a stored run, reported again without a call.

use super::error::CommandError;
use super::matrix;
use super::outcome::{Outcome, SuiteResult, SuiteRun, Texts};
use super::project::Project;
use crate::store::runs::{self, LogTexts};

/// Reads a run back and decides it again by the policy that its log holds.
///
/// # Errors
/// When there is no such run, or its log is damaged.
pub fn report(project: &Project, wanted: &str, no_gate: bool) -> Result<Outcome, CommandError> {
    let id = runs::find(&project.state, wanted)?;
    let loaded = runs::load(&project.state, &id)?;
    let texts = Texts(LogTexts::open(&loaded.path)?);
    let decision = matrix::decide_stored(project, &loaded.run)?;
    let mut notes = super::selfcheck::notes(&loaded.run)?;
    notes.extend(super::bias::notes(&loaded.run));
    if loaded.torn {
        notes.push("the run's log ends in the middle of a line, which was left out".to_owned());
    }
    let command = if loaded.run.is_comparison() {
        "compare"
    } else {
        "run"
    };
    let mut outcome = Outcome::new(command, no_gate);
    outcome.suites.push(SuiteResult::Ran(Box::new(SuiteRun {
        run: loaded.run,
        texts,
        decision,
        notes,
    })));
    super::next::add(project, &mut outcome);
    Ok(outcome)
}
