//! The definition of a gate (its suites, judges, data, rules and settings) against a change that
//! touches it: what a change touches, and whose definition judges it.

use camino::Utf8Path;

use super::error::CommandError;
use super::outcome::{Outcome, SuiteResult};
use super::project::Project;
use crate::report::content::SuiteNote;
use crate::store::fs;
use crate::store::git::Git;
use crate::suite::{self, PromptLocation, Suite};

/// The most files that a note names.
const NAMED: usize = 10;

/// The files and folders that something is made from, relative to the project's root.
#[derive(Default)]
struct Files {
    files: Vec<String>,
    /// Each with a slash at its end.
    folders: Vec<String>,
}

impl Files {
    fn hold(&self, path: &str) -> bool {
        self.files.iter().any(|file| file == path)
            || self.folders.iter().any(|folder| path.starts_with(folder))
    }
}

/// What a suite judges by: itself, its data, judges, mock rules and cassettes.
fn judging(project: &Project, suite: &Suite) -> Files {
    let registry = registry(project, suite);
    let mut found = Files::default();
    found
        .files
        .extend([suite.path.clone(), suite.dataset.clone()]);
    for model in suite.models.iter().chain(&suite.judge_models) {
        found.files.extend(model.rules.clone());
        found.files.extend(model.cassette.clone());
    }
    for scorer in &suite.scorers {
        for (_, judge) in scorer.judges() {
            found
                .folders
                .push(format!("{registry}/{}/", judge.judge.slug));
        }
    }
    found
}

/// Where a suite's prompt may lie.
fn judged(project: &Project, suite: &Suite) -> Files {
    let registry = registry(project, suite);
    match &suite.prompt {
        PromptLocation::File { path, .. } => Files {
            files: vec![path.clone()],
            folders: Vec::new(),
        },
        PromptLocation::Registry(slug) => Files {
            files: ["yaml", "md", "txt"]
                .map(|extension| format!("{registry}/{slug}.{extension}"))
                .to_vec(),
            folders: vec![format!("{registry}/{slug}/")],
        },
    }
}

fn registry(project: &Project, suite: &Suite) -> String {
    let named = suite.registry.clone();
    named
        .or_else(|| project.settings.registry.clone())
        .unwrap_or_else(|| "prompts".to_owned())
}

/// Whether a changed file is one that the suite uses: its prompt, judges, data, rules or itself.
#[must_use]
pub fn touches(project: &Project, suite: &Suite, changed: &[String]) -> bool {
    let (judging, judged) = (judging(project, suite), judged(project, suite));
    changed
        .iter()
        .any(|path| judging.hold(path) || judged.hold(path))
}

/// Says at the head of an outcome where the definition on disk is not the one it was: under
/// `--gate-from` what differs from the revision that judges, and which suites it lacks; else, of the
/// files that `--changed-since` found, those that a suite judges by.
///
/// # Errors
/// When git can not say what differs.
pub fn account(
    project: &Project,
    chosen: &[Suite],
    changed: Option<&[String]>,
    outcome: &mut Outcome,
) -> Result<(), CommandError> {
    let differing;
    let changed = match (&project.gate_from, changed) {
        (Some(revision), _) => {
            differing = Git::open(project.home.path())?.differing_from(revision)?;
            &differing[..]
        }
        (None, Some(changed)) => changed,
        (None, None) => return Ok(()),
    };
    let definitions: Vec<Files> = chosen.iter().map(|suite| judging(project, suite)).collect();
    let is_settings = |path: &str| path == "gate.yaml";
    let touched: Vec<&str> = changed
        .iter()
        .map(String::as_str)
        .filter(|path| is_settings(path) || definitions.iter().any(|files| files.hold(path)))
        .collect();
    if let Some(files) = listed(&touched) {
        outcome.notes.push(match &project.gate_from {
            Some(revision) => format!(
                "Judged by the gate definition of {revision}; what is here differs and was not used: {files}"
            ),
            None => format!("gate definition changed: {files}"),
        });
    }
    if let Some(revision) = &project.gate_from {
        let lacking = lacking(project, chosen, revision);
        if chosen.is_empty() && lacking.is_empty() {
            return Err(CommandError::usage(
                format!("neither {revision} nor the work tree has a suite to judge by"),
                "write a suite, or leave out --gate-from",
            ));
        }
        outcome.suites.extend(lacking);
    }
    Ok(())
}

fn listed(paths: &[&str]) -> Option<String> {
    let (named, more) = paths.split_at_checked(NAMED).unwrap_or((paths, &[]));
    if named.is_empty() {
        return None;
    }
    let more = if more.is_empty() {
        String::new()
    } else {
        format!(" and {} more", more.len())
    };
    Some(format!("{}{more}", named.join(", ")))
}

/// Whether the revision that judges has no folder of suites, so that nothing can be judged.
#[must_use]
pub fn is_without_suites(project: &Project) -> bool {
    let folder = project.root.resolve_folder(&project.settings.evals);
    folder.is_ok_and(|folder| fs::names(&folder).map_or(true, |names| names.is_empty()))
}

/// The suites on disk that the revision lacks. A suite file that can not be read is not counted: it
/// does not judge, and `gate lint` tells what is wrong with it.
fn lacking(project: &Project, chosen: &[Suite], revision: &str) -> Vec<SuiteResult> {
    let folder = &project.settings.evals;
    let Ok(full) = project.home.resolve_folder(folder) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for name in fs::names(&full).unwrap_or_default() {
        let path = if folder.is_empty() {
            name
        } else {
            format!("{folder}/{name}")
        };
        let is_yaml = matches!(Utf8Path::new(&path).extension(), Some("yaml" | "yml"));
        let known = chosen.iter().any(|suite| suite.path == path);
        let exported = project.root.resolve(&path);
        let at_revision = exported.is_ok_and(|full| fs::is_file(&full));
        if !is_yaml || known || at_revision {
            continue;
        }
        let Some(name) = name_on_disk(project, &path) else {
            continue;
        };
        let wanted = &project.settings.suite;
        if wanted.is_empty() || wanted.contains(&name) {
            found.push(SuiteResult::Skipped(SuiteNote {
                name,
                reason: "skipped".to_owned(),
                message: format!("{revision} has no such suite, and its definition judges"),
            }));
        }
    }
    found
}

fn name_on_disk(project: &Project, path: &str) -> Option<String> {
    const MAX_SUITE: u64 = 8 << 20;
    let full = project.home.resolve(path).ok()?;
    let text = fs::read_text(&full, MAX_SUITE).ok()?;
    let source = crate::base::Source::new(path, &text);
    if suite::kind_of(&source)? != "suite" {
        return None;
    }
    let node = crate::base::yaml::parse(&source).ok()?;
    let named = node.get("name").and_then(|name| name.as_text());
    let stem = Utf8Path::new(path).file_stem()?;
    Some(named.unwrap_or(stem).to_owned())
}
