//! `gate prompt add`: a file becomes the next version, with what it says about itself written into
//! it; a file that lies in its place already is put into the log as it is.

use std::sync::Arc;

use camino::Utf8Path;

use super::evidence;
use super::place::{self, Actor, Place};
use crate::base::{Diagnostics, Slug, Source, yaml};
use crate::command::run::decides_alone;
use crate::command::{CommandError, Project, dataset};
use crate::prompt::metadata::{self, Field};
use crate::prompt::{Form, PromptVersion};
use crate::registry::promote::with_rule_first;
use crate::registry::version::{self, AddError, Present};
use crate::registry::{Change, Stamp, State};
use crate::store::fs;
use crate::store::registry;
use crate::suite::Suite;

const MAX_PROMPT: u64 = 8 << 20;

/// What is to be added.
#[derive(Debug, Clone)]
pub struct Wanted<'a> {
    /// The file, and how the caller names it.
    pub file: &'a Utf8Path,
    /// The prompt; else the file says it.
    pub slug: Option<&'a str>,
    /// What the version is or changes; else the file says it.
    pub description: Option<&'a str>,
    /// Who acts.
    pub actor: Actor,
}

/// A version that was added.
#[derive(Debug, Clone)]
pub struct Added {
    /// The prompt.
    pub slug: Slug,
    /// The version's number.
    pub number: u32,
    /// Its content hash.
    pub hash: crate::base::Digest,
    /// Its file, relative to the project's root.
    pub file: String,
    /// Whether the file lay in its place before.
    pub was_there: bool,
    /// What a reader should know.
    pub notes: Vec<String>,
    /// Files that were written, relative to the project's root.
    pub written: Vec<String>,
    /// The command that tests it, where a suite does.
    pub test: Option<String>,
}

/// The file as it was given.
struct Given {
    source: Arc<Source>,
    form: Form,
    prompt: PromptVersion,
}

/// Adds a version.
///
/// # Errors
/// When the file is no prompt, has no description, or its content is a version already.
pub fn add(project: &Project, wanted: &Wanted<'_>) -> Result<Added, CommandError> {
    let text = fs::read_text(wanted.file, MAX_PROMPT)?;
    let source = Source::new(wanted.file.to_string(), &text);
    let form = form_of(wanted.file)?;
    let slug = match wanted.slug {
        Some(slug) => registry_slug(slug)?,
        None => slug_of(&source, form, wanted.file)?,
    };
    let place = match place::try_locate(project, &slug)? {
        Some(place) => place,
        None => Place {
            slug: slug.clone(),
            registry: place::registry_for_new(project)?,
        },
    };
    let prompt = decode(&place, &source, None, form)?;
    let given = Given {
        source,
        form,
        prompt,
    };
    let state = place.state()?;
    let present = registry::present(&*place.registry, &slug, &state)?;
    let same = present.iter().find(|other| other.hash == given.prompt.hash);
    match same {
        Some(same) if state.version(same.number).is_none() => {
            record(project, wanted, &place, &state, &given, *same)
        }
        Some(_) | None => write(project, wanted, &place, &state, &present, &given),
    }
}

fn registry_slug(slug: &str) -> Result<Slug, CommandError> {
    let slug = crate::registry::reference::parse_slug(slug).map_err(place::reference_error)?;
    if slug.is_builtin() {
        return Err(CommandError::usage(
            format!("`{slug}`: names that begin with `gate/` belong to the judges in the program"),
            "choose another name",
        ));
    }
    Ok(slug)
}

fn form_of(file: &Utf8Path) -> Result<Form, CommandError> {
    match file.extension() {
        Some("yaml" | "yml") => Ok(Form::Yaml),
        Some("md" | "txt") => Ok(Form::Text),
        Some(_) | None => Err(CommandError::usage(
            format!("{file} is no prompt file"),
            "a prompt is .yaml, or plain text in .md or .txt",
        )),
    }
}

/// The prompt's name by the file's key `prompt`, or by the file's own name.
fn slug_of(source: &Arc<Source>, form: Form, file: &Utf8Path) -> Result<Slug, CommandError> {
    if form == Form::Yaml
        && let Ok(node) = yaml::parse(source)
        && let Some(said) = node.get("prompt").and_then(|node| node.as_text())
    {
        return registry_slug(said);
    }
    let stem = file.file_stem().unwrap_or_default();
    if Slug::new(stem).is_ok() {
        return registry_slug(stem);
    }
    Err(CommandError::usage(
        format!("{file} does not say which prompt it is"),
        "add --prompt SLUG, or `prompt: SLUG` to the file",
    ))
}

fn decode(
    place: &Place,
    source: &Arc<Source>,
    number: Option<u32>,
    form: Form,
) -> Result<PromptVersion, CommandError> {
    let mut found = Diagnostics::new();
    let wanted = (&place.slug, number, form);
    let version = registry::decode_draft(&*place.registry, source, wanted, &mut found);
    Ok(found.finish(version)?.0)
}

fn add_error(error: &AddError) -> CommandError {
    let help = match error {
        AddError::NoDescription { .. } => {
            "say in a sentence what it changes: --description TEXT, or `description:` in the file"
                .to_owned()
        }
        AddError::Twin { slug, twin } => {
            format!("use {slug}@v{twin}; a version never changes, so there is nothing to add")
        }
    };
    CommandError::Usage {
        message: error.to_string(),
        help: Some(help),
    }
}

/// Puts a file that lies in its place into the log, byte for byte.
fn record(
    project: &Project,
    wanted: &Wanted<'_>,
    place: &Place,
    state: &State,
    given: &Given,
    same: Present,
) -> Result<Added, CommandError> {
    let mut described = given.prompt.clone();
    if let Some(description) = wanted.description {
        described.meta.description = Some(description.to_owned());
    }
    let mut stamp = stamp(project, wanted, &given.prompt)?;
    // Its file stays as it is, so the log alone can say it.
    stamp.why = stamp.why.or_else(|| wanted.description.map(str::to_owned));
    let text = (given.source.text.as_str(), given.form);
    let change =
        version::add(state, &[same], &described, text, stamp).map_err(|error| add_error(&error))?;
    place.commit(project, &change)?;
    let files = place.registry.versions(&place.slug)?;
    let file = files.into_iter().find(|file| file.number == same.number);
    let file = file.map_or_else(String::new, |file| file.name);
    Ok(Added {
        slug: place.slug.clone(),
        number: same.number,
        hash: same.hash,
        written: place.written(project, vec![file.clone()]),
        file,
        was_there: true,
        notes: Vec::new(),
        test: test(project, place, state, same.number),
    })
}

fn stamp(
    project: &Project,
    wanted: &Wanted<'_>,
    given: &PromptVersion,
) -> Result<Stamp, CommandError> {
    let mut actor = wanted.actor.clone();
    if actor.name(project).is_none() {
        actor.by.clone_from(&given.meta.author);
    }
    actor.stamp(project)
}

/// Writes the next version's file, with its number and what it says about itself.
fn write(
    project: &Project,
    wanted: &Wanted<'_>,
    place: &Place,
    state: &State,
    present: &[Present],
    given: &Given,
) -> Result<Added, CommandError> {
    let stamp = stamp(project, wanted, &given.prompt)?;
    let number = version::next_number(present);
    let mut fields = vec![
        Field::plain("prompt", base_of(&place.slug).to_string()),
        Field::number("version", number),
    ];
    if let Some(description) = wanted.description {
        fields.push(Field::text("description", description.trim()));
    }
    let author = Field::text("author", &stamp.by);
    fields.push(if wanted.actor.by.is_some() {
        author
    } else {
        author.if_absent()
    });
    fields.push(Field::plain("created_at", stamp.at.to_string()));
    let text = metadata::write(&given.source, given.form, &fields)?;
    let name = place.path(&format!("v{number}.{}", extension(given.form)));
    let source = Source::new(name.clone(), &text);
    let version = decode(place, &source, Some(number), given.form)?;
    check_written(&version, wanted, given)?;
    let notes = notes(place, &version, present)?;
    let text = (text.as_str(), given.form);
    let change: Change =
        version::add(state, present, &version, text, stamp).map_err(|error| add_error(&error))?;
    place.commit(project, &change)?;
    Ok(Added {
        slug: place.slug.clone(),
        number,
        hash: version.hash,
        written: place.written(project, vec![name.clone()]),
        file: name,
        was_there: false,
        notes,
        test: test(project, place, state, number),
    })
}

/// The prompt that a version's file names: of a tenant's layer the base.
fn base_of(slug: &Slug) -> Slug {
    slug.tenant().map_or_else(|| slug.clone(), |(base, _)| base)
}

/// The command that tests a new version, where a suite does.
fn test(project: &Project, place: &Place, state: &State, number: u32) -> Option<String> {
    let suites = evidence::suites_of(project, place).ok()?;
    let tested = suites.iter().any(|suite| !suite.models.is_empty());
    let command = match state.stable() {
        Some(_) => format!("gate compare stable v{number} --prompt {}", place.slug),
        None => {
            let run = format!("gate run v{number} --prompt {}", place.slug);
            suites
                .iter()
                .find_map(|suite| lacks_rule(project, suite))
                .map_or_else(|| run.clone(), |file| with_rule_first(&file, &run))
        }
    };
    tested.then_some(command)
}

/// The file of a suite that can not decide about one version alone.
fn lacks_rule(project: &Project, suite: &Suite) -> Option<String> {
    let mut found = Diagnostics::new();
    let data = dataset::load(project, suite, &[], &mut found).ok()??;
    (!decides_alone(suite, &data.cases)).then(|| suite.path.clone())
}

fn extension(form: Form) -> &'static str {
    match form {
        Form::Yaml => "yaml",
        Form::Text => "md",
    }
}

/// Writing about a version may not change what it is.
fn check_written(
    version: &PromptVersion,
    wanted: &Wanted<'_>,
    given: &Given,
) -> Result<(), CommandError> {
    let description = wanted.description.map(str::trim);
    let says = version.meta.description.as_deref();
    if version.hash == given.prompt.hash && (description.is_none() || says == description) {
        return Ok(());
    }
    Err(CommandError::usage(
        format!(
            "{}: number and description can not be written into this form of YAML",
            wanted.file
        ),
        "write `version`, `description`, `author` and `created_at` on a line each",
    ))
}

/// What is allowed and probably not meant.
fn notes(
    place: &Place,
    version: &PromptVersion,
    present: &[Present],
) -> Result<Vec<String>, CommandError> {
    let mut notes = Vec::new();
    let highest = present.iter().map(|other| other.number).max();
    let files = place.registry.versions(&place.slug)?;
    let Some(file) = files.iter().find(|file| Some(file.number) == highest) else {
        return Ok(notes);
    };
    let text = place.registry.read(&place.slug, file)?;
    let mut none = Diagnostics::new();
    if let Some(last) = registry::decode(&*place.registry, &place.slug, &text, &mut none)
        && last.meta.description.is_some()
        && last.meta.description == version.meta.description
    {
        notes.push(format!(
            "the description is that of v{} too: say what this version changes with --description",
            file.number
        ));
    }
    Ok(notes)
}
