//! A tenant's version of a prompt, `slug#tenant`: its layer over the version that the layer extends,
//! merged, validated and hashed like any other.

use std::sync::Arc;

use camino::Utf8Path;

use super::look;
use super::place::{self, Place};
use crate::base::decode::choices;
use crate::base::{Diagnostics, Name, Source};
use crate::command::versions::Resolved;
use crate::command::{CommandError, Project};
use crate::prompt::{self, Expected, Form, layer};
use crate::registry::VersionRef;
use crate::registry::reference::{parse_number, parse_slug};
use crate::store::registry::{Backend as _, FolderRegistry};

/// The version that `slug#tenant`, or `slug#tenant@v2`, means; none where no tenant is named.
///
/// # Errors
/// When there is no such prompt, tenant or layer, or the layer touches what it may not.
pub fn find(project: &Project, wanted: &str) -> Option<Result<(Place, Resolved), CommandError>> {
    let (slug, rest) = wanted.split_once('#')?;
    Some(resolve(project, slug, rest))
}

fn resolve(project: &Project, slug: &str, rest: &str) -> Result<(Place, Resolved), CommandError> {
    let slug = parse_slug(slug).map_err(place::reference_error)?;
    let (tenant, number) = match rest.split_once('@') {
        Some((tenant, version)) => (tenant, Some(layer_number(version)?)),
        None => (rest, None),
    };
    let name = Name::new(tenant).map_err(|error| {
        CommandError::usage(
            error.to_string(),
            "write `slug#tenant`, or `slug#tenant@v2`",
        )
    })?;
    let place = place::locate(project, &slug)?;
    let resolved = of_tenant(project, &place, &name, number)?;
    Ok((place, resolved))
}

fn layer_number(version: &str) -> Result<u32, CommandError> {
    let digits = version.strip_prefix('v').unwrap_or_default();
    parse_number(digits)
        .filter(|_| !digits.is_empty())
        .ok_or_else(|| {
            CommandError::usage(
                format!(
                    "`{}` is no version of a layer",
                    crate::base::text::visible_line(version)
                ),
                "write `slug#tenant@v2`; the layer says which version of the prompt it extends",
            )
        })
}

/// The merged version of a tenant, by its newest layer or the one of that number.
fn of_tenant(
    project: &Project,
    place: &Place,
    tenant: &Name,
    number: Option<u32>,
) -> Result<Resolved, CommandError> {
    let registry: &FolderRegistry = &place.registry;
    let layers = registry.layers(&place.slug, tenant)?;
    let file = match number {
        Some(number) => layers.iter().find(|file| file.number == number),
        None => layers.last(),
    };
    let file = file.ok_or_else(|| {
        let known = registry.tenants(&place.slug).unwrap_or_default();
        let known: Vec<&str> = known.iter().map(Name::as_str).collect();
        let number = number.map_or_else(String::new, |number| format!(" v{number}"));
        CommandError::usage(
            format!(
                "tenant `{tenant}` has no layer{number} over `{}`",
                place.slug
            ),
            choices(tenant.as_str(), &known),
        )
    })?;
    let text = registry.read(&place.slug, file)?.text;
    let source = Source::new(file.name.clone(), &text);
    let mut found = Diagnostics::new();
    let layer = layer::decode(&source, (&place.slug, file.number), &mut found);
    let (layer, _) = found.finish(layer)?;
    let base = look::resolve(project, place, &VersionRef::Number(layer.extends))?;
    let base_source = &base.prompt.source;
    let extension = Utf8Path::new(&base_source.name).extension();
    let is_text = extension != Some("yaml");
    let form = if is_text { Form::Text } else { Form::Yaml };
    let merged = layer.merge(base_source, form)?;
    let label = format!("{}#{tenant}@v{}", base.label, file.number);
    let source = Source::new(format!("{} over {}", file.name, base.label), &merged);
    let expected = Expected {
        slug: place.slug.clone(),
        number: None,
        form: Form::Yaml,
    };
    let mut found = Diagnostics::new();
    let version = prompt::decode(&source, &expected, &mut found);
    let (version, _) = found.finish(version)?;
    Ok(Resolved {
        reference: format!("{}#{tenant}@v{}", place.slug, file.number),
        label,
        prompt: Arc::new(version),
        stored: None,
        status: base.status,
        head: base.head,
    })
}
