//! `gate prompt list|show|diff`: looking at the versions of prompts.

use std::collections::BTreeMap;

use super::error::CommandError;
use super::project::Project;
use super::suites;
use super::versions::{Resolved, Versions};
use crate::base::Slug;
use crate::registry::lifecycle::State;
use crate::registry::reference::{PromptRef, VersionRef};
use crate::store::registry::{Backend as _, FolderRegistry};

/// A prompt with its versions.
#[derive(Debug, Clone)]
pub struct Listed {
    /// The prompt.
    pub slug: Slug,
    /// The registry's folder.
    pub registry: String,
    /// The versions, lowest first.
    pub versions: Vec<u32>,
    /// What `stable` points to.
    pub stable: Option<u32>,
    /// What is wrong with its log, if something is.
    pub fault: Option<String>,
}

/// The registries of a project: those that its suites name, and the settings' own.
///
/// # Errors
/// When a suite can not be read.
pub fn registries(project: &Project) -> Result<Vec<String>, CommandError> {
    let default = project
        .settings
        .registry
        .clone()
        .unwrap_or_else(|| "prompts".to_owned());
    let mut folders = Vec::new();
    if let Ok((suites, _)) = suites::load_all(project) {
        folders.extend(suites.into_iter().filter_map(|suite| suite.registry));
    }
    folders.push(default);
    folders.sort();
    folders.dedup();
    Ok(folders)
}

/// All prompts of all registries of the project.
///
/// # Errors
/// When a registry can not be read.
pub fn list(project: &Project) -> Result<Vec<Listed>, CommandError> {
    let mut listed = BTreeMap::new();
    for folder in registries(project)? {
        let registry = FolderRegistry::new(&project.root, &folder)?;
        for slug in registry.slugs()? {
            let versions: Vec<u32> = registry
                .versions(&slug)?
                .iter()
                .map(|file| file.number)
                .collect();
            let log = registry.log(&slug);
            let fault = log.as_ref().err().map(|error| super::error::chain(error));
            let stable = log.ok().and_then(|log| State::of(&log).stable());
            let entry = Listed {
                slug: slug.clone(),
                registry: folder.clone(),
                versions,
                stable,
                fault,
            };
            listed.insert((folder.clone(), slug), entry);
        }
    }
    Ok(listed.into_values().collect())
}

/// The version that `slug@reference` means; without a slug the one prompt of the project.
///
/// # Errors
/// When it can not be found.
pub fn find(project: &Project, wanted: &str) -> Result<Resolved, CommandError> {
    if let Some(version) = crate::score::judge::builtin::version(wanted) {
        let label = wanted.to_owned();
        return Ok(Resolved {
            reference: label.clone(),
            label,
            prompt: std::sync::Arc::new(version),
            stored: None,
            status: None,
            head: None,
        });
    }
    let reference: PromptRef =
        wanted
            .parse()
            .map_err(|error: crate::registry::reference::ReferenceError| {
                CommandError::usage(
                    error.to_string(),
                    "write `slug@v7`, `slug@stable`, or a version of the one prompt",
                )
            })?;
    let (folder, slug) = locate(project, reference.slug)?;
    Versions::of_slug(project, &folder, &slug).resolve(&reference.version)
}

/// The registry of a prompt; without a slug the project's one prompt under test.
fn locate(project: &Project, slug: Option<Slug>) -> Result<(String, Slug), CommandError> {
    let all = list(project)?;
    let Some(slug) = slug else {
        let candidates: Vec<&Listed> = all
            .iter()
            .filter(|prompt| !prompt.slug.as_str().starts_with("judges/"))
            .collect();
        return match candidates.as_slice() {
            [one] => Ok((one.registry.clone(), one.slug.clone())),
            several => {
                let names: Vec<&str> = several.iter().map(|prompt| prompt.slug.as_str()).collect();
                Err(CommandError::usage(
                    format!("which prompt? There are: {}", names.join(", ")),
                    "write `slug@version`",
                ))
            }
        };
    };
    let found = all.iter().find(|prompt| prompt.slug == slug);
    found
        .map(|prompt| (prompt.registry.clone(), slug.clone()))
        .ok_or_else(|| {
            let known: Vec<&str> = all.iter().map(|prompt| prompt.slug.as_str()).collect();
            CommandError::usage(
                format!("there is no prompt `{slug}`"),
                crate::base::decode::choices(slug.as_str(), &known),
            )
        })
}

/// Two versions and the difference between them as text.
///
/// # Errors
/// When one of them can not be found.
pub fn diff(
    project: &Project,
    before: &str,
    after: &str,
) -> Result<(Resolved, Resolved, String), CommandError> {
    let before_reference: Result<PromptRef, _> = before.parse();
    let slug = before_reference.ok().and_then(|reference| reference.slug);
    let before = find(project, before)?;
    // `slug@v7 v8` means v8 of the same prompt.
    let bare: Option<VersionRef> = if after.contains('@') {
        None
    } else {
        after.parse().ok()
    };
    let after = match (slug, bare) {
        (Some(slug), Some(version)) => find(project, &format!("{slug}@{version}"))?,
        _ => find(project, after)?,
    };
    let text = crate::prompt::diff::render(&before.prompt, &after.prompt);
    Ok((before, after, text))
}
