//! From a version's text to a prompt: as it stands, or, of a tenant, as a layer merged over the
//! version that it extends.

use std::sync::Arc;

use super::{Backend, VersionText, find};
use crate::base::{Diagnostic, Diagnostics, Slug, Source, Span};
use crate::prompt::{self, Expected, Form, PromptVersion, layer};
use crate::registry::VersionRef;

/// Reads a version as a prompt. A tenant's is merged with its base, which `backend` holds.
pub fn decode(
    backend: &dyn Backend,
    slug: &Slug,
    version: &VersionText,
    diagnostics: &mut Diagnostics,
) -> Option<PromptVersion> {
    let file = &version.file;
    let source = Source::new(file.name.clone(), &version.text);
    decode_draft(
        backend,
        &source,
        (slug, Some(file.number), file.form),
        diagnostics,
    )
}

/// Reads the text of a version that has no number yet, or one that the caller knows.
pub fn decode_draft(
    backend: &dyn Backend,
    source: &Arc<Source>,
    (slug, number, form): (&Slug, Option<u32>, Form),
    diagnostics: &mut Diagnostics,
) -> Option<PromptVersion> {
    let expected = Expected {
        slug: slug.clone(),
        number,
        form,
    };
    let Some((base, _)) = slug.tenant() else {
        return prompt::decode(source, &expected, diagnostics);
    };
    let layer = layer::decode(source, (&base, number), diagnostics)?;
    let extended = find(backend, &base, &VersionRef::Number(layer.extends));
    let extended = match extended {
        Ok(extended) => extended.version,
        Err(error) => {
            let message = format!("`extends` names v{}: {error}", layer.extends);
            let help = "name a version of the prompt that is there";
            let finding = Diagnostic::error("extends", message);
            diagnostics.push(finding.at(source, Span::default()).help(help));
            return None;
        }
    };
    let text = Source::new(extended.file.name.clone(), &extended.text);
    match layer.merge(&text, extended.file.form) {
        Ok(merged) => {
            let name = format!("{} over v{}", source.name, layer.extends);
            let form = Form::Yaml;
            prompt::decode(
                &Source::new(name, &merged),
                &Expected { form, ..expected },
                diagnostics,
            )
        }
        Err(found) => {
            diagnostics.extend(found);
            None
        }
    }
}
