//! Bare `gate`: the project in short, and what `gate compare` would do. Sends nothing.

use std::collections::BTreeMap;

use super::error::CommandError;
use super::project::Project;
use super::prompt::{self, Listed};
use super::selection;
use super::suites;
use super::versions::Versions;
use crate::dataset::DatasetForm;
use crate::store::runs;
use crate::suite::{PromptLocation, Suite};
use crate::verdict::Verdict;

/// The project in short.
pub struct Overview {
    /// The prompts of its registries.
    pub prompts: Vec<Listed>,
    /// The unversioned files that its suites test, by the prompt's name.
    pub files: BTreeMap<String, String>,
    /// Its suites.
    pub suites: Vec<SuiteOverview>,
}

/// A suite in short.
pub struct SuiteOverview {
    /// Its name.
    pub name: String,
    /// The prompt that it tests.
    pub prompt: String,
    /// How many rows its dataset seems to have; unknown where it can not be read.
    pub cases: Option<usize>,
    /// The verdict of its newest run.
    pub last: Option<Verdict>,
    /// The pair that `gate compare` would take, or why it would take none.
    pub pair: Result<(String, String), String>,
}

/// Looks at the project.
///
/// # Errors
/// When suites or registries can not be read.
pub fn overview(project: &Project) -> Result<Overview, CommandError> {
    let (all, _) = suites::load_all(project)?;
    let last = last_verdicts(project);
    let suites = all
        .iter()
        .map(|suite| SuiteOverview {
            name: suite.name.to_string(),
            prompt: suite.prompt.slug().to_string(),
            cases: count_rows(project, suite),
            last: last
                .iter()
                .rev()
                .find(|(name, _)| name == suite.name.as_str())
                .map(|(_, verdict)| *verdict),
            pair: chosen_pair(project, suite),
        })
        .collect();
    Ok(Overview {
        prompts: prompt::list(project)?,
        files: all.iter().filter_map(unversioned).collect(),
        suites,
    })
}

fn unversioned(suite: &Suite) -> Option<(String, String)> {
    match &suite.prompt {
        PromptLocation::File { path, slug } => Some((slug.to_string(), path.clone())),
        PromptLocation::Registry(_) => None,
    }
}

fn chosen_pair(project: &Project, suite: &Suite) -> Result<(String, String), String> {
    let pair = selection::pair(&Versions::of(project, suite), None, None, None)
        .map_err(|error| error.to_string())?;
    match pair.nothing_to_do() {
        Some(why) => Err(why),
        None => Ok((pair.baseline.label, pair.candidate.label)),
    }
}

fn count_rows(project: &Project, suite: &Suite) -> Option<usize> {
    const MOST: u64 = 256 << 20;
    let source = project.read(&suite.dataset, MOST).ok()?;
    let lines = source
        .text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .count();
    match DatasetForm::of_path(&suite.dataset)? {
        DatasetForm::Jsonl => Some(lines),
        DatasetForm::Csv => {
            let mut found = crate::base::Diagnostics::new();
            let mut decoder = crate::dataset::Decoder::new(suite.dataset.clone(), &mut found);
            decoder.csv(&source.text, |_| None);
            Some(decoder.finish().len())
        }
        DatasetForm::Yaml => {
            let mut found = crate::base::Diagnostics::new();
            let mut decoder = crate::dataset::Decoder::new(suite.dataset.clone(), &mut found);
            decoder.yaml(&source);
            Some(decoder.finish().len())
        }
    }
}

/// The verdicts of the newest runs, oldest first; a run that can not be read has none.
fn last_verdicts(project: &Project) -> Vec<(String, Verdict)> {
    const LOOKED_AT: usize = 20;
    let runs = runs::list(&project.state);
    let newest = runs.iter().skip(runs.len().saturating_sub(LOOKED_AT));
    newest
        .filter_map(|id| {
            let loaded = runs::load(&project.state, id).ok()?;
            let decision = super::run::decide_run(&loaded.run).ok()?;
            Some((loaded.run.header.suite, decision.verdict))
        })
        .collect()
}
