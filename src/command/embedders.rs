//! The models whose embeddings the scorers of a suite compare.

use std::collections::HashMap;

use super::endpoints::Endpoints;
use super::error::CommandError;
use crate::base::{Diagnostic, Diagnostics, Span};
use crate::provider::embedding;
use crate::runner::EmbedderJob;
use crate::score::{Kind, ScorerSpec};
use crate::suite::Suite;

/// The models that scorers `similar` name, by name.
///
/// # Errors
/// When one can not be reached; what is wrong with a scorer goes to `diagnostics`.
pub fn load<'s>(
    endpoints: &mut Endpoints<'_>,
    suite: &Suite,
    scorers: impl Iterator<Item = &'s ScorerSpec>,
    diagnostics: &mut Diagnostics,
) -> Result<HashMap<String, EmbedderJob>, CommandError> {
    let mut embedders = HashMap::new();
    for scorer in scorers {
        let Kind::Similar(similar) = &scorer.kind else {
            continue;
        };
        let name = similar.model.as_str();
        if embedders.contains_key(name) {
            continue;
        }
        let mut error = |rule, message: String, help: &str| {
            let message = format!("scorer `{}`: {message}", scorer.name);
            let found = Diagnostic::error(rule, message).at(&suite.source, Span::default());
            diagnostics.push(found.help(help));
        };
        let mut models = suite.judge_models.iter().chain(&suite.models);
        let Some(model) = models.find(|model| model.name == similar.model) else {
            error(
                "unknown-model",
                format!("there is no model `{name}`"),
                "name an entry of `judge_models` or `models`",
            );
            continue;
        };
        if !embedding::is_offered(model.provider) {
            error(
                "no-embeddings",
                format!("`{}` has no embeddings", model.provider.as_str()),
                "name a model of openai, azure-openai, gemini, ollama or mock",
            );
            continue;
        }
        if let Some(endpoint) = endpoints.embeddings(suite, model, diagnostics)? {
            let price = endpoints.price(model);
            embedders.insert(name.to_owned(), EmbedderJob { endpoint, price });
        }
    }
    Ok(embedders)
}
