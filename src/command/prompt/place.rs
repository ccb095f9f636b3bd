//! Where a prompt is: the registries of the project, the prompt that an argument names, and who
//! acts.

use std::sync::Arc;

use crate::base::decode::choices;
use crate::base::{Diagnostics, Slug};
use crate::command::suites;
use crate::command::{CommandError, Project};
use crate::registry::reference::{PromptRef, ReferenceError, VersionRef, parse_slug};
use crate::registry::repair::{RepairError, Repaired};
use crate::registry::signature::{self, SigningKey};
use crate::registry::{Change, Channel, Log, PromptSettings, Stamp, State, settings};
use crate::settings::Origin;
use crate::store::git::Git;
use crate::store::registry::{Backend, RegistryError};

/// A prompt in its registry.
#[derive(Debug, Clone)]
pub struct Place {
    /// The prompt.
    pub slug: Slug,
    /// Where it is kept.
    pub registry: Arc<dyn Backend>,
}

/// What the command line says of who acts and why.
#[derive(Debug, Clone, Default)]
pub struct Actor {
    /// Who, by a flag or a variable; else git's user.
    pub by: Option<String>,
    /// Why.
    pub why: Option<String>,
}

impl Place {
    /// What the prompt's log adds up to.
    ///
    /// # Errors
    /// When the log can not be read, or is not intact.
    pub fn state(&self) -> Result<State, CommandError> {
        Ok(State::of(&self.registry.log(&self.slug)?))
    }

    /// What `prompt.yaml` says.
    ///
    /// # Errors
    /// When it can not be read.
    pub fn settings(&self) -> Result<PromptSettings, CommandError> {
        let mut source = self.registry.settings_text(&self.slug)?;
        if let (None, Some((base, _))) = (&source, self.slug.tenant()) {
            // What protects the base protects its layers.
            source = self.registry.settings_text(&base)?;
        }
        let Some(source) = source else {
            return Ok(PromptSettings::default());
        };
        let mut found = Diagnostics::new();
        let settings = settings::decode(&source, &mut found);
        Ok(found.finish(settings)?.0)
    }

    /// The path of one of the prompt's files, relative to the project's root.
    #[must_use]
    pub fn path(&self, file: &str) -> String {
        self.registry.name_of(&self.slug, file)
    }

    /// Carries out a change, and signs its lines where the environment holds a key.
    ///
    /// # Errors
    /// When the key is none, another change came first, or writing failed.
    pub fn commit(&self, project: &Project, change: &Change) -> Result<Log, CommandError> {
        let key = signing_key(project)?;
        let log = self.registry.commit(&self.slug, change)?;
        let before = log.entries().len().saturating_sub(change.drafts.len());
        self.sign(key.as_ref(), &log, before)?;
        Ok(log)
    }

    /// Signs the lines of the log from one on.
    fn sign(&self, key: Option<&SigningKey>, log: &Log, from: usize) -> Result<(), CommandError> {
        let Some(key) = key else {
            return Ok(());
        };
        let new = log.entries().iter().skip(from);
        let lines: String = new
            .map(|entry| key.sign(&self.slug, entry.digest))
            .collect();
        Ok(self.registry.add_signatures(&self.slug, &lines)?)
    }

    /// Chains two merged branches of the log into one, and signs what was chained anew.
    ///
    /// # Errors
    /// When the log is no merge of two branches, or something else is wrong with it.
    pub fn repair_merge(&self, project: &Project, stamp: Stamp) -> Result<Repaired, CommandError> {
        let key = signing_key(project)?;
        let repaired = match self.registry.repair_merge(&self.slug, stamp) {
            Ok(repaired) => repaired,
            Err(RegistryError::Repair(error)) => return Err(repair_error(&error)),
            Err(error) => return Err(error.into()),
        };
        self.sign(key.as_ref(), &repaired.log, repaired.kept)?;
        Ok(repaired)
    }

    /// The files that a change wrote, relative to the project's root: those given, and the ones that
    /// every change writes. None where the registry is no part of the project.
    #[must_use]
    pub fn written(&self, project: &Project, mut files: Vec<String>) -> Vec<String> {
        if !self.registry.is_in_project() {
            return Vec::new();
        }
        files.push(self.path("log.jsonl"));
        if matches!(signing_key(project), Ok(Some(_))) {
            files.push(self.path(signature::FILE));
        }
        files
    }
}

impl Actor {
    /// The stamp of what is done now.
    ///
    /// # Errors
    /// When nothing says who acts, or the words would deceive a reader of the log.
    pub fn stamp(&self, project: &Project) -> Result<Stamp, CommandError> {
        let by = self.name(project).ok_or_else(|| {
            CommandError::usage(
                "nothing says who does this",
                "set git's user.name, the variable GATE_AUTHOR, or --author NAME",
            )
        })?;
        let why = self.why.as_deref().map(str::trim);
        let why = why.filter(|why| !why.is_empty()).map(str::to_owned);
        check_words(&by, "the name")?;
        if let Some(why) = &why {
            check_words(why, "the reason")?;
        }
        Ok(Stamp {
            by,
            at: project.clock.now(),
            why,
        })
    }

    /// Who acts, where anything says it.
    #[must_use]
    pub fn name(&self, project: &Project) -> Option<String> {
        let given = self.by.as_deref().map(str::trim);
        let given = given.filter(|by| !by.is_empty()).map(str::to_owned);
        given.or_else(|| Git::identity(project.root.path()))
    }
}

fn repair_error(error: &RepairError) -> CommandError {
    let help = match error {
        RepairError::NotForked => "there is nothing to do",
        RepairError::Damaged(_) => "restore the log from git, then merge again",
        RepairError::VersionTwice { .. } => {
            "rename the file of one of the two, and take its line out of the log"
        }
    };
    CommandError::usage(error.to_string(), help)
}

/// The key that the environment holds.
fn signing_key(project: &Project) -> Result<Option<SigningKey>, CommandError> {
    let Some(secret) = project.secret("GATE_SIGNING_KEY") else {
        return Ok(None);
    };
    let key = SigningKey::of_seed(secret.expose());
    key.map(Some).map_err(|error| {
        CommandError::usage(
            format!("GATE_SIGNING_KEY: {error}"),
            "make one with: openssl rand -hex 32",
        )
    })
}

/// The log is read by people: its words hold nothing that shows other than it is.
fn check_words(words: &str, what: &str) -> Result<(), CommandError> {
    const LONGEST: usize = 4_000;
    if words.chars().any(crate::base::text::is_deceptive) {
        return Err(CommandError::usage(
            format!("{what} holds a control character"),
            "write plain text",
        ));
    }
    if words.len() > LONGEST {
        return Err(CommandError::usage(
            format!("{what} is longer than {LONGEST} bytes"),
            "write a sentence",
        ));
    }
    Ok(())
}

/// The registries of a project: the one of `--registry`, or those that its suites name and the
/// settings' own.
///
pub fn registries(project: &Project) -> Vec<String> {
    let own = project.settings.registry.clone();
    let own = own.unwrap_or_else(|| "prompts".to_owned());
    let chosen = project.layers.get("registry");
    let is_chosen = chosen.is_some_and(|given| matches!(given.origin, Origin::Flag));
    let mut folders = vec![own];
    if !is_chosen && let Ok((suites, _)) = suites::load_all(project) {
        folders.extend(suites.into_iter().filter_map(|suite| suite.registry));
    }
    folders.sort();
    folders.dedup();
    folders
}

/// The registry that new prompts go to.
///
/// # Errors
/// When there are several, and no flag chooses.
pub fn registry_for_new(project: &Project) -> Result<Arc<dyn Backend>, CommandError> {
    let folders = registries(project);
    let mut used = Vec::new();
    for folder in &folders {
        let registry = project.registry(folder)?;
        if folders.len() == 1 || !registry.slugs()?.is_empty() {
            used.push(registry);
        }
    }
    match used.as_slice() {
        [one] => Ok(Arc::clone(one)),
        [] => {
            let own = project.settings.registry.as_deref().unwrap_or("prompts");
            project.registry(own)
        }
        several => {
            let names: Vec<&str> = several.iter().map(|registry| registry.location()).collect();
            Err(several_registries("a new prompt could go", &names))
        }
    }
}

fn several_registries(what: &str, names: &[&str]) -> CommandError {
    CommandError::usage(
        format!("{what} to several registries: {}", names.join(", ")),
        "choose one with --registry",
    )
}

/// The prompt of that name.
///
/// # Errors
/// When there is none, or several registries have one.
pub fn locate(project: &Project, slug: &Slug) -> Result<Place, CommandError> {
    match try_locate(project, slug)? {
        Some(place) => Ok(place),
        None => {
            let known = super::list(project)?;
            let known: Vec<&str> = known.iter().map(|prompt| prompt.slug.as_str()).collect();
            Err(CommandError::usage(
                format!("there is no prompt `{slug}`"),
                if known.is_empty() {
                    "add a first version: gate prompt add FILE --prompt SLUG --description TEXT"
                        .to_owned()
                } else {
                    choices(slug.as_str(), &known)
                },
            ))
        }
    }
}

/// The prompt of that name, where there is one.
///
/// # Errors
/// When several registries have one.
pub fn try_locate(project: &Project, slug: &Slug) -> Result<Option<Place>, CommandError> {
    let mut found = Vec::new();
    for folder in registries(project) {
        let place = Place {
            slug: slug.clone(),
            registry: project.registry(&folder)?,
        };
        if place.registry.has(slug)? {
            found.push(place);
        }
    }
    if found.len() > 1 {
        let names: Vec<&str> = found
            .iter()
            .map(|place| place.registry.location())
            .collect();
        return Err(several_registries(
            &format!("prompt `{slug}` belongs"),
            &names,
        ));
    }
    Ok(found.pop())
}

/// The project's one prompt that is no judge.
///
/// # Errors
/// When there is none, or several.
pub fn the_one(project: &Project) -> Result<Place, CommandError> {
    let all = super::list(project)?;
    let mut own = all
        .iter()
        .filter(|prompt| !prompt.slug.as_str().starts_with("judges/"))
        .filter(|prompt| prompt.slug.tenant().is_none());
    match (own.next(), own.next()) {
        (Some(one), None) => Ok(Place {
            slug: one.slug.clone(),
            registry: project.registry(&one.registry)?,
        }),
        (None, _) => Err(CommandError::usage(
            "there is no prompt in the registry",
            "add a first version: gate prompt add FILE --prompt SLUG --description TEXT",
        )),
        (Some(_), Some(_)) => {
            let names: Vec<&str> = all.iter().map(|prompt| prompt.slug.as_str()).collect();
            Err(CommandError::usage(
                format!("which prompt? There are: {}", names.join(", ")),
                "write `slug@version`, or the slug",
            ))
        }
    }
}

/// The prompt that an argument without a version names; without one the project's own.
///
/// # Errors
/// When there is no such prompt.
pub fn named(project: &Project, slug: Option<&str>) -> Result<Place, CommandError> {
    match slug {
        None => the_one(project),
        Some(text) => locate(project, &parse_slug(text).map_err(reference_error)?),
    }
}

/// The prompt and version that `slug@version` names; a version alone is one of the one prompt, and
/// a slug alone means its channel `channel`.
///
/// # Errors
/// When it is no reference, or there is no such prompt.
pub fn referred(
    project: &Project,
    wanted: &str,
    channel: &Channel,
) -> Result<(Place, VersionRef), CommandError> {
    if !wanted.contains('@')
        && let Ok(slug) = parse_slug(wanted)
        && let Some(place) = try_locate(project, &slug)?
    {
        return Ok((place, VersionRef::Channel(channel.clone())));
    }
    let reference: PromptRef = wanted.parse().map_err(reference_error)?;
    if let (None, VersionRef::Langfuse { name, .. }) = (&reference.slug, &reference.version) {
        let place = Place {
            slug: Slug::of_stem(name),
            registry: registry_for_new(project)?,
        };
        return Ok((place, reference.version));
    }
    let place = match reference.slug {
        Some(slug) => locate(project, &slug)?,
        None => {
            let one = the_one(project);
            // A word that is no channel is a misspelt prompt.
            if let VersionRef::Channel(channel) = &reference.version
                && !channel.is_stable()
                && !channel.is_latest()
            {
                let state = one.as_ref().ok().and_then(|place| place.state().ok());
                if state.is_none_or(|state| state.channel(channel).is_none()) {
                    let slug = parse_slug(channel.as_str()).map_err(reference_error)?;
                    locate(project, &slug)?;
                }
            }
            one?
        }
    };
    Ok((place, reference.version))
}

/// Says how a reference is written.
#[must_use]
#[expect(
    clippy::needless_pass_by_value,
    reason = "it is the last that sees the error"
)]
pub fn reference_error(error: ReferenceError) -> CommandError {
    CommandError::usage(
        error.to_string(),
        "write `slug@v7`, `slug@stable`, or a version of the one prompt",
    )
}

/// A channel by its name.
///
/// # Errors
/// When it is no name of a channel.
pub fn channel(name: Option<&str>) -> Result<Channel, CommandError> {
    let Some(name) = name else {
        return Ok(Channel::stable());
    };
    Channel::new(name).map_err(|error| {
        CommandError::usage(
            error.to_string(),
            "write a word such as stable, canary or staging",
        )
    })
}
