//! `gate prompt copy`: prompts from one registry to another, with hashes, log, evidence, signatures
//! and settings as they are.

use super::place;
use crate::base::Slug;
use crate::command::registry::{Named, open};
use crate::command::{CommandError, Project};
use crate::registry::reference::parse_slug;
use crate::store::registry::{self, Backend, Whole};

/// A prompt that was copied.
#[derive(Debug, Clone)]
pub struct Copied {
    /// The prompt.
    pub slug: Slug,
    /// How many entries its log has.
    pub entries: usize,
    /// How many of them were new.
    pub new: usize,
    /// What a reader should know.
    pub notes: Vec<String>,
}

/// Copies a prompt with its tenants' layers, or all prompts.
///
/// # Errors
/// When a log is not intact, the other registry has another history, or writing failed.
pub fn copy(
    project: &Project,
    (from, to): (&str, &str),
    slug: Option<&str>,
) -> Result<Vec<Copied>, CommandError> {
    let source = open(project, &project.root, (from, Named::ByOwner))?;
    let target = open(project, &project.root, (to, Named::ByOwner))?;
    if source.location() == target.location() {
        return Err(CommandError::usage(
            "a registry is not copied onto itself",
            "name another with --to",
        ));
    }
    let slug = slug.map(parse_slug).transpose();
    let slug = slug.map_err(place::reference_error)?;
    let mut slugs = source.slugs()?;
    if let Some(wanted) = &slug {
        slugs.retain(|slug| {
            let base = slug.tenant().map(|(base, _)| base);
            slug == wanted || base.as_ref() == Some(wanted)
        });
    }
    if slugs.is_empty() {
        return Err(CommandError::usage(
            format!(
                "there is nothing to copy in {}{}",
                source.location(),
                slug.map_or_else(String::new, |slug| format!(" of `{slug}`"))
            ),
            "name the registry that holds the prompts with --from",
        ));
    }
    let copied = slugs.iter().map(|slug| copy_one(&*source, &*target, slug));
    copied.collect()
}

fn copy_one(
    source: &dyn Backend,
    target: &dyn Backend,
    slug: &Slug,
) -> Result<Copied, CommandError> {
    let found = registry::verify(source, slug, None)?;
    if let Some(fault) = found.iter().find(|finding| !finding.is_note()) {
        return Err(CommandError::infra(
            "store_corrupt",
            format!("`{slug}` is not intact in {}: {fault}", source.location()),
            Some("`gate prompt verify` names every fault; nothing of this prompt was copied"),
        ));
    }
    let mut whole = Whole::read(source, slug)?;
    let state = crate::registry::State::of(&whole.log);
    // What was never added has no entry that another registry could hold it by.
    whole
        .versions
        .retain(|version| state.version(version.number).is_some());
    let before = target.log(slug)?.entries().len();
    if !whole.log.entries().is_empty() {
        target.import(slug, &whole)?;
    }
    let entries = whole.log.entries().len();
    let notes = found.iter().map(|note| format!("not copied: {note}"));
    Ok(Copied {
        slug: slug.clone(),
        entries,
        new: entries.saturating_sub(before),
        notes: notes.collect(),
    })
}
