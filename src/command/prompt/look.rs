//! `gate prompt list|show|diff`: looking at the versions of prompts.

use std::collections::BTreeMap;

use super::place::{self, Place, registries};
use crate::base::Slug;
use crate::command::versions::{Resolved, Versions};
use crate::command::{CommandError, Project};
use crate::registry::lifecycle::State;
use crate::registry::{Channel, VersionRef};

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

/// All prompts of all registries of the project.
///
/// # Errors
/// When a registry can not be read.
pub fn list(project: &Project) -> Result<Vec<Listed>, CommandError> {
    let mut listed = BTreeMap::new();
    for folder in registries(project) {
        let registry = project.registry(&folder)?;
        for slug in registry.slugs()? {
            let versions: Vec<u32> = registry
                .versions(&slug)?
                .iter()
                .map(|file| file.number)
                .collect();
            let log = registry.log(&slug);
            let fault = log
                .as_ref()
                .err()
                .map(|error| crate::command::error::chain(error));
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

/// The version that `slug@reference` means; without a slug one of the one prompt of the project, and
/// a slug alone means its newest.
///
/// # Errors
/// When it can not be found.
pub fn find(project: &Project, wanted: &str) -> Result<Resolved, CommandError> {
    if let Some(version) = crate::score::judge::builtin::version(wanted) {
        let (_, label) = wanted.rsplit_once('@').unwrap_or(("", wanted));
        let label = label.to_owned();
        return Ok(Resolved {
            reference: wanted.to_owned(),
            label,
            prompt: std::sync::Arc::new(version),
            stored: None,
            status: None,
            head: None,
        });
    }
    let (place, version) = place::referred(project, wanted, &Channel::latest())?;
    resolve(project, &place, &version)
}

/// The version of a prompt that a reference means.
///
/// # Errors
/// When it can not be found.
pub fn resolve(
    project: &Project,
    place: &Place,
    version: &VersionRef,
) -> Result<Resolved, CommandError> {
    Versions::of_slug(project, place.registry.location(), &place.slug).resolve(version)
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
    let (place, version) = place::referred(project, before, &Channel::stable())?;
    let old = resolve(project, &place, &version)?;
    // `slug@v7 v8` means v8 of the same prompt.
    let bare: Option<VersionRef> = if after.contains(['@', '#']) {
        None
    } else {
        after.parse().ok()
    };
    let new = match bare {
        Some(version) => resolve(project, &place, &version)?,
        None => find(project, after)?,
    };
    let text = crate::prompt::diff::render(&old.prompt, &new.prompt);
    Ok((old, new, text))
}
