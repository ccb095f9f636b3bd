//! `gate compare --tenants`: a change of the base over its tenants. Each tenant's layer is merged over
//! both versions and compared on the suite; the tenants share one error rate, as the comparisons of
//! a matrix do.

use std::collections::BTreeMap;
use std::sync::Arc;

use camino::Utf8Path;

use super::error::CommandError;
use super::matrix::{self, Cell};
use super::outcome::{Outcome, SuiteResult};
use super::project::Project;
use super::prompt::place::Place;
use super::run::{Flags, Hooks};
use super::selection;
use super::versions::{Resolved, Versions};
use crate::base::{Diagnostics, Name, Slug, Source};
use crate::prompt::layer::Layer;
use crate::prompt::{self, Expected, Form, layer};
use crate::registry::reference::VersionRef;
use crate::registry::tenants::{Taken, Tier, Tiers};
use crate::registry::{Channel, State};
use crate::report::content::SuiteNote;
use crate::store::registry::{self, Backend};
use crate::suite::{PromptLocation, Suite};

/// Compares a candidate with a baseline under each tenant's layer.
///
/// # Errors
/// When the prompt has no tenant, a layer does not fit a version, or a comparison can not be carried
/// out.
pub async fn compare(
    project: &Project,
    suite: &Suite,
    (baseline, candidate): (Option<&VersionRef>, Option<&VersionRef>),
    flags: &Flags,
    hooks: &mut Hooks<'_>,
    outcome: &mut Outcome,
) -> Result<(), CommandError> {
    let suite = flags.rewrite(suite);
    let PromptLocation::Registry(slug) = &suite.prompt else {
        return Err(CommandError::usage(
            format!(
                "suite `{}` tests an unversioned file, which has no tenants",
                suite.name
            ),
            "move the prompt into the registry",
        ));
    };
    let versions = Versions::of(project, &suite);
    let pair = selection::pair(&versions, baseline, candidate, None)?;
    let place = Place {
        slug: slug.clone(),
        registry: versions.backend()?,
    };
    let layers = layers(&*place.registry, slug)?;
    let taken = choose(&place.settings()?.tenants, &layers, slug, suite.seed)?;
    (hooks.say)(&said(
        &suite,
        &pair.baseline,
        &pair.candidate,
        &taken,
        layers.len(),
    ));
    let mut found = Diagnostics::new();
    let mut cells = Vec::new();
    for taken in &taken {
        let Some(own) = layers.get(&taken.tenant) else {
            continue;
        };
        let tenant = slug.of_tenant(&taken.tenant);
        let baseline = merge(&pair.baseline, &tenant, own, &mut found);
        let candidate = merge(&pair.candidate, &tenant, own, &mut found);
        let (Some(baseline), Some(candidate)) = (baseline, candidate) else {
            continue;
        };
        if baseline.prompt.hash == candidate.prompt.hash {
            let message = format!("{tenant}: the change does not reach it, its layer replaces it");
            outcome.suites.push(SuiteResult::Skipped(SuiteNote {
                name: suite.name.to_string(),
                reason: "skipped".to_owned(),
                message,
            }));
            continue;
        }
        cells.extend(suite.models.iter().map(|model| Cell {
            suite: Suite {
                prompt: PromptLocation::Registry(tenant.clone()),
                models: vec![model.clone()],
                ..suite.clone()
            },
            baseline: baseline.clone(),
            candidate: candidate.clone(),
        }));
    }
    found.finish(Some(()))?;
    matrix::run_cells(project, &cells, flags, hooks, outcome).await
}

/// A tenant's layer, with the number of its version.
struct Own {
    layer: Layer,
    number: u32,
}

/// The layer that each tenant uses: what its `stable` points to, else its newest.
fn layers(backend: &dyn Backend, slug: &Slug) -> Result<BTreeMap<Name, Own>, CommandError> {
    let mut found = Diagnostics::new();
    let mut layers = BTreeMap::new();
    for tenant in backend.tenants(slug)? {
        let own = slug.of_tenant(&tenant);
        let stable = State::of(&backend.log(&own)?).stable();
        let wanted = stable.map_or_else(
            || VersionRef::Channel(Channel::latest()),
            VersionRef::Number,
        );
        let version = registry::find(backend, &own, &wanted)?.version;
        let source = Source::new(version.file.name.clone(), &version.text);
        let number = version.file.number;
        if let Some(layer) = layer::decode(&source, (slug, Some(number)), &mut found) {
            layers.insert(tenant, Own { layer, number });
        }
    }
    Ok(found.finish(Some(layers))?.0)
}

fn choose(
    tiers: &Tiers,
    layers: &BTreeMap<Name, Own>,
    slug: &Slug,
    seed: u64,
) -> Result<Vec<Taken>, CommandError> {
    if layers.is_empty() {
        return Err(CommandError::usage(
            format!("prompt `{slug}` has no tenant"),
            format!(
                "add a layer with gate prompt add FILE --prompt {slug}#TENANT, or leave out --tenants"
            ),
        ));
    }
    let blocks: BTreeMap<Name, Vec<String>> = layers
        .iter()
        .map(|(name, own)| (name.clone(), own.layer.blocks()))
        .collect();
    if let Some(unknown) = tiers.unknown(&blocks).first() {
        return Err(CommandError::usage(
            format!("`tenants` of `{slug}` calls `{unknown}` critical, and it has no layer"),
            "add its layer, or take it out of prompt.yaml",
        ));
    }
    Ok(tiers.take(&blocks, seed))
}

/// A version as a tenant has it.
fn merge(base: &Resolved, tenant: &Slug, own: &Own, found: &mut Diagnostics) -> Option<Resolved> {
    let source = &base.prompt.source;
    let form = match Utf8Path::new(&source.name).extension() {
        Some("md" | "txt") => Form::Text,
        Some(_) | None => Form::Yaml,
    };
    let merged = match own.layer.merge(source, form) {
        Ok(merged) => merged,
        Err(faults) => {
            found.extend(faults);
            return None;
        }
    };
    let name = tenant
        .tenant()
        .map_or_else(|| tenant.to_string(), |(_, name)| name.to_string());
    let file = format!("{tenant}@v{} over {}", own.number, base.label);
    let expected = Expected {
        slug: tenant.clone(),
        number: None,
        form: Form::Yaml,
    };
    let version = prompt::decode(&Source::new(file, &merged), &expected, found)?;
    Some(Resolved {
        reference: base.reference.clone(),
        label: format!("{} for {name}", base.label),
        prompt: Arc::new(version),
        stored: None,
        status: None,
        head: base.head,
    })
}

fn said(
    suite: &Suite,
    baseline: &Resolved,
    candidate: &Resolved,
    taken: &[Taken],
    all: usize,
) -> String {
    let of = |tier: Tier| {
        let names = taken.iter().filter(|taken| taken.tier == tier);
        names.map(|taken| taken.tenant.as_str()).collect::<Vec<_>>()
    };
    let tiers = [
        ("critical", of(Tier::Critical)),
        ("sampled by what their layers change", of(Tier::Sampled)),
        ("the rest", of(Tier::Rest)),
    ];
    let tiers = tiers.iter().filter(|(_, names)| !names.is_empty());
    let tiers: Vec<String> = tiers
        .map(|(words, names)| format!("{words}: {}", names.join(", ")))
        .collect();
    format!(
        "{}: {} (baseline) against {}, over {} of {all} tenants ({})",
        suite.name,
        baseline.label,
        candidate.label,
        taken.len(),
        tiers.join("; ")
    )
}
