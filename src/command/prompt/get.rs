//! `gate prompt get`: a version as an application wants it, with slug, version and hash to log, and
//! its messages rendered where values are given.

use camino::Utf8Path;
use serde_json::{Value, json};

use super::look;
use super::place::{self, Place};
use crate::base::{Diagnostic, Diagnostics, Fields, Slug, Source, Span, json as documents};
use crate::command::versions::Resolved;
use crate::command::{CommandError, Project};
use crate::registry::{Channel, VersionRef};
use crate::store::fs;

const MAX_VALUES: u64 = 8 << 20;

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// `slug@version`, or a slug alone for its `stable`.
    pub version: &'a str,
    /// The model variant.
    pub variant: Option<&'a str>,
    /// A JSON file of values for the variables.
    pub values: Option<&'a Utf8Path>,
}

/// A version for an application.
#[derive(Debug, Clone)]
pub struct Got {
    /// The document.
    pub document: Value,
    /// What a reader should know, such as a variant that is not there.
    pub note: Option<String>,
}

/// Finds a version and gives it as a document.
///
/// # Errors
/// When it can not be found, or the values do not fit its variables.
pub fn get(project: &Project, wanted: Wanted<'_>) -> Result<Got, CommandError> {
    let (base, version) = place::referred(project, wanted.version, &Channel::stable())?;
    let is_tenant = base.slug.tenant().is_some();
    let (place, resolved, note) = match wanted.variant {
        Some(_) if is_tenant => {
            return Err(CommandError::usage(
                "a tenant's layer has no variants",
                "leave out --variant, or name the variant's own prompt: slug/variant#tenant",
            ));
        }
        Some(variant) => of_variant(project, base, &version, variant)?,
        None if is_tenant && !wanted.version.contains('@') => of_tenant(project, base)?,
        None => {
            let resolved = look::resolve(project, &base, &version)?;
            (base, resolved, None)
        }
    };
    let mut document = crate::prompt::version::to_json(&resolved.prompt);
    let messages = match wanted.values {
        Some(path) => Some(render(&resolved, path)?),
        None => None,
    };
    if let Some(fields) = document.as_object_mut() {
        fields.insert("schema".to_owned(), json!("gate/prompt@1"));
        fields.insert("slug".to_owned(), json!(resolved.prompt.slug.as_str()));
        fields.insert("ref".to_owned(), json!(resolved.reference));
        let status = resolved.status.map(crate::registry::Status::word);
        fields.insert("status".to_owned(), json!(status));
        fields.insert("registry_head".to_owned(), json!(resolved.head));
        fields.insert("rendered".to_owned(), json!(messages.is_some()));
        if let Some(variant) = wanted.variant {
            let found = place.slug.as_str().ends_with(&format!("/{variant}"));
            fields.insert("variant".to_owned(), json!(found.then_some(variant)));
        }
        if let Some(messages) = messages {
            fields.insert("messages".to_owned(), messages);
        }
    }
    Ok(Got { document, note })
}

/// What a tenant's `stable` points to, or its newest layer where none was promoted, with a note.
fn of_tenant(
    project: &Project,
    place: Place,
) -> Result<(Place, Resolved, Option<String>), CommandError> {
    let is_promoted = place.state()?.stable().is_some();
    let channel = if is_promoted {
        Channel::stable()
    } else {
        Channel::latest()
    };
    let resolved = look::resolve(project, &place, &VersionRef::Channel(channel))?;
    let note = (!is_promoted).then(|| {
        format!(
            "no layer of {} was promoted: this is its newest, {}",
            place.slug, resolved.label
        )
    });
    Ok((place, resolved, note))
}

/// The version of a variant, a prompt of its own under the base's name; else that of the base, with
/// a note.
fn of_variant(
    project: &Project,
    base: Place,
    version: &VersionRef,
    variant: &str,
) -> Result<(Place, Resolved, Option<String>), CommandError> {
    let name = format!("{}/{variant}", base.slug);
    let slug = crate::registry::reference::parse_slug(&name).map_err(place::reference_error)?;
    let own = Place {
        slug: Slug::clone(&slug),
        registry: base.registry.clone(),
    };
    let found = match place::try_locate(project, &slug)? {
        Some(own) => look::resolve(project, &own, version).map_err(|error| error.to_string()),
        None => Err(format!("there is no prompt `{slug}`")),
    };
    match found {
        Ok(resolved) => Ok((own, resolved, None)),
        Err(why) => {
            let resolved = look::resolve(project, &base, version)?;
            let note = format!(
                "variant `{variant}`: {why}; this is {}@{} of the base",
                base.slug, resolved.label
            );
            Ok((base, resolved, Some(note)))
        }
    }
}

/// The messages with the values of a file filled in.
fn render(resolved: &Resolved, path: &Utf8Path) -> Result<Value, CommandError> {
    let source = Source::new(path.to_string(), &fs::read_text(path, MAX_VALUES)?);
    let node = documents::parse(&source)?;
    let mut found = Diagnostics::new();
    let Value::Object(values) = node.to_json() else {
        return Err(CommandError::usage(
            format!("{path} holds no JSON object"),
            "write {\"variable\": value}",
        ));
    };
    let entries = values.into_iter().map(|(key, value)| (key.into(), value));
    let values: Fields<Value> = Fields::new(entries.collect());
    for (name, fault) in resolved.prompt.check(&values) {
        let message = format!("variable `{name}` {}", fault.message);
        found.push(
            Diagnostic::error(fault.rule, message)
                .at(&source, Span::default())
                .help(fault.help),
        );
    }
    let known = |name: &str| resolved.prompt.variable(name).is_some();
    for (name, _) in values.iter().filter(|(name, _)| !known(name)) {
        let declared: Vec<&str> = resolved
            .prompt
            .variables
            .iter()
            .map(|variable| variable.name.as_str())
            .collect();
        let message = format!("the prompt has no variable `{name}`");
        found.push(
            Diagnostic::error("unknown-variable", message)
                .at(&source, Span::default())
                .help(crate::base::decode::choices(name, &declared)),
        );
    }
    if found.has_errors() {
        return Err(found.into());
    }
    let messages = resolved
        .prompt
        .render(&values)
        .map_err(|error| CommandError::usage(error.to_string(), "add the value to the file"))?;
    Ok(json!(messages))
}
