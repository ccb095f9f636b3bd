//! Decoding of a suite file into a [`Suite`] whose every part is checked by itself.

use std::sync::Arc;

use crate::base::decode::{Reader, Table};
use crate::base::{Diagnostics, Name, Node, Slug, Source, Span, text, yaml};
use crate::chat::{AnswerFault, ModelSpec};
use crate::dataset::Sample;
use crate::score::ScorerSpec;
use crate::score::form::Schemas;
use crate::verdict::Policy;

use super::models;

/// A suite, with short forms resolved and every part checked by itself.
#[derive(Debug, Clone)]
pub struct Suite {
    /// Its name.
    pub name: Name,
    /// Its file, relative to the project's root.
    pub path: String,
    /// Its text, for diagnostics.
    pub source: Arc<Source>,
    /// The prompt under test.
    pub prompt: PromptLocation,
    /// The registry that the suite names, relative to the root, or a `postgres://` address.
    pub registry: Option<String>,
    /// The dataset, relative to the root.
    pub dataset: String,
    /// Where the dataset is named.
    pub dataset_span: Span,
    /// The part of the dataset that is used.
    pub sample: Option<Sample>,
    /// The seed of order, sample and resampling.
    pub seed: u64,
    /// The models under test; the first is the main one.
    pub models: Vec<ModelSpec>,
    /// The model of the candidate where a flag compares two models; the baseline is asked of the one
    /// under test.
    pub candidate_model: Option<ModelSpec>,
    /// Models for judges alone.
    pub judge_models: Vec<ModelSpec>,
    /// Repeats of each case.
    pub repeat: u32,
    /// Ids of cases known to be flaky, each with its place in the file.
    pub quarantine: Vec<(String, Span)>,
    /// Faults of the answer that are scored instead of failing the trial.
    pub score_faults: Vec<AnswerFault>,
    /// The scorers, at least one.
    pub scorers: Vec<ScorerSpec>,
    /// How it is decided.
    pub policy: Policy,
}

/// Where the prompt under test is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PromptLocation {
    /// A prompt of the registry.
    Registry(Slug),
    /// An unversioned file, relative to the root.
    File {
        /// The file.
        path: String,
        /// The prompt's name: the file's stem as a slug.
        slug: Slug,
    },
}

impl PromptLocation {
    /// The prompt's name.
    #[must_use]
    pub fn slug(&self) -> &Slug {
        match self {
            Self::Registry(slug) | Self::File { slug, .. } => slug,
        }
    }
}

/// The word before the slash of a file's `gate:` key, such as `suite` or `mock`; `None` where the
/// file has none or can not be read.
#[must_use]
pub fn kind_of(source: &Arc<Source>) -> Option<String> {
    let node = yaml::parse(source).ok()?;
    let format = node.get("gate")?.as_text()?;
    format.split_once('/').map(|(kind, _)| kind.to_owned())
}

/// What other tools call the keys of a suite.
const FOREIGN: [(&str, &str); 12] = [
    ("assert", "scorers"),
    ("assertions", "scorers"),
    ("asserts", "scorers"),
    ("metrics", "scorers"),
    ("cases", "dataset"),
    ("data", "dataset"),
    ("tests", "dataset"),
    ("prompts", "prompt"),
    ("providers", "models"),
    ("repeats", "repeat"),
    ("threshold", "policy"),
    ("thresholds", "policy"),
];

/// Reads a suite file. `path` is relative to the project's root; schemas that scorers name by path
/// are read by `schemas`.
pub fn decode(
    source: &Arc<Source>,
    path: &str,
    schemas: Schemas<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<Suite> {
    let node = match yaml::parse(source) {
        Ok(node) => node,
        Err(errors) => {
            diagnostics.extend(errors);
            return None;
        }
    };
    let mut found = Diagnostics::new();
    let mut reader = Reader {
        source: Arc::clone(source),
        diagnostics: &mut found,
    };
    let suite = decode_document(&mut reader, &node, path, schemas);
    let usable = !found.has_errors();
    diagnostics.extend(found);
    suite.filter(|_| usable)
}

fn decode_document(
    reader: &mut Reader<'_>,
    node: &Node,
    path: &str,
    schemas: Schemas<'_>,
) -> Option<Suite> {
    let mut table = Table::new(reader, node, "the suite")?;
    table.expect_foreign(&FOREIGN);
    if let Some(format) = table.require(reader, "gate") {
        reader.check_format(format, "suite/1");
    }
    let name = decode_suite_name(reader, &mut table, path);
    let prompt = decode_prompt(reader, &mut table, path, name.as_ref());
    let registry = table
        .get("registry")
        .and_then(|node| decode_registry(reader, node, path));
    let dataset_node = table.require(reader, "dataset");
    let dataset = dataset_node.and_then(|node| decode_dataset(reader, node, path));
    let sample = table
        .get("sample")
        .and_then(|node| decode_sample(reader, node));
    let seed = table
        .get("seed")
        .and_then(|node| reader.whole(node, "`seed`", 0));
    let main = models::decode(reader, &mut table, ("models", "model"), "main", path);
    let judges = models::decode(
        reader,
        &mut table,
        ("judge_models", "judge_model"),
        "judge",
        path,
    );
    if main.as_ref().is_some_and(Vec::is_empty) {
        let help = "add `model: openai:gpt-4o-2024-08-06`, or `models:` with provider and model";
        reader.error(table.span(), "no-model", "the suite has no model", help);
    }
    let repeat = table
        .get("repeat")
        .and_then(|node| reader.whole_u32(node, "`repeat`", 1));
    let (quarantine, score_faults) = decode_exceptions(reader, &mut table);
    let scorers = decode_scorers(reader, &mut table, schemas);
    let policy = Policy::decode(reader, table.get("policy"));
    table.finish(reader);
    Some(Suite {
        name: name?,
        path: path.to_owned(),
        source: Arc::clone(&reader.source),
        prompt: prompt?,
        registry,
        dataset: dataset?,
        dataset_span: dataset_node.map(|node| node.span).unwrap_or_default(),
        sample,
        seed: seed.unwrap_or(1),
        models: main?,
        candidate_model: None,
        judge_models: judges?,
        repeat: repeat.unwrap_or(1),
        quarantine,
        score_faults,
        scorers: scorers?,
        policy: policy?,
    })
}

fn decode_dataset(reader: &mut Reader<'_>, node: &Node, path: &str) -> Option<String> {
    let written = reader.nonempty(node, "`dataset`")?;
    if crate::dataset::DatasetForm::of_path(written).is_none() {
        let message = format!("`{written}` is no dataset by its name");
        reader.error(
            node.span,
            "dataset-form",
            message,
            "a dataset is .jsonl, .csv or .yaml",
        );
    }
    models::resolve(reader, node, path, written)
}

fn decode_suite_name(reader: &mut Reader<'_>, table: &mut Table<'_>, path: &str) -> Option<Name> {
    let file = path.rsplit('/').next().unwrap_or(path);
    let stem = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
    let (text, span) = match table.get("name") {
        Some(node) => (reader.nonempty(node, "`name`")?, node.span),
        None => (stem, table.span()),
    };
    match Name::new(text) {
        Ok(name) => Some(name),
        Err(error) => {
            let help = format!("write `name: {}`", Name::slugify(text));
            reader.error(span, "name", error.to_string(), help);
            None
        }
    }
}

fn decode_prompt(
    reader: &mut Reader<'_>,
    table: &mut Table<'_>,
    path: &str,
    name: Option<&Name>,
) -> Option<PromptLocation> {
    let Some(node) = table.get("prompt") else {
        return Slug::new(name?.as_str()).ok().map(PromptLocation::Registry);
    };
    let text = reader.nonempty(node, "`prompt`")?;
    if [".md", ".txt", ".yaml"]
        .iter()
        .any(|extension| text.ends_with(extension))
    {
        let file = models::resolve(reader, node, path, text)?;
        let base = file.rsplit('/').next().unwrap_or(&file);
        let stem = base.rsplit_once('.').map_or(base, |(stem, _)| stem);
        let slug = Slug::of_stem(stem);
        return Some(PromptLocation::File { path: file, slug });
    }
    match Slug::new(text) {
        Ok(slug) => Some(PromptLocation::Registry(slug)),
        Err(error) => {
            reader.error(node.span, "slug", error.to_string(), "write the prompt's folder in the registry, or a path that ends in .md, .txt or .yaml");
            None
        }
    }
}

fn decode_registry(reader: &mut Reader<'_>, node: &Node, path: &str) -> Option<String> {
    let written = reader.nonempty(node, "`registry`")?;
    if written.contains("://") {
        // The store reads addresses, and says what is wrong with one when the registry is opened.
        return Some(written.to_owned());
    }
    models::resolve(reader, node, path, written)
}

fn decode_sample(reader: &mut Reader<'_>, node: &Node) -> Option<Sample> {
    let mut table = Table::new(reader, node, "`sample`")?;
    let size = table
        .require(reader, "size")
        .and_then(|node| reader.whole_u32(node, "`size`", 1));
    let by = table
        .get("by")
        .and_then(|node| reader.nonempty(node, "`by`"))
        .map(str::to_owned);
    table.finish(reader);
    Some(Sample {
        size: size? as usize,
        by,
    })
}

/// What is taken otherwise than usual: known flaky cases, and faults that are scored.
fn decode_exceptions(
    reader: &mut Reader<'_>,
    table: &mut Table<'_>,
) -> (Vec<(String, Span)>, Vec<AnswerFault>) {
    let quarantine = decode_quarantine(reader, table);
    (quarantine, decode_score_faults(reader, table))
}

fn decode_quarantine(reader: &mut Reader<'_>, table: &mut Table<'_>) -> Vec<(String, Span)> {
    let Some(node) = table.get("quarantine") else {
        return Vec::new();
    };
    let mut ids: Vec<(String, Span)> = Vec::new();
    for item in reader.list(node, "`quarantine`").unwrap_or_default() {
        let Some(id) = reader.nonempty(item, "an item of `quarantine`") else {
            continue;
        };
        if ids.iter().any(|(known, _)| known == id) {
            let message = format!("`quarantine` names case `{}` twice", text::visible_line(id));
            reader.error(
                item.span,
                "duplicate-case",
                message,
                "remove one of the two",
            );
        }
        ids.push((id.to_owned(), item.span));
    }
    ids
}

fn decode_score_faults(reader: &mut Reader<'_>, table: &mut Table<'_>) -> Vec<AnswerFault> {
    const SCORABLE: [(&str, AnswerFault); 4] = [
        ("refused", AnswerFault::Refused),
        ("filtered", AnswerFault::Filtered),
        ("truncated", AnswerFault::Truncated),
        ("tool_call", AnswerFault::ToolCall),
    ];
    let Some(node) = table.get("score_faults") else {
        return Vec::new();
    };
    let items = reader.list(node, "`score_faults`").unwrap_or_default();
    items
        .iter()
        .filter_map(|item| reader.word(item, "an item of `score_faults`", &SCORABLE))
        .collect()
}

fn decode_scorers(
    reader: &mut Reader<'_>,
    table: &mut Table<'_>,
    schemas: Schemas<'_>,
) -> Option<Vec<ScorerSpec>> {
    let node = table.require(reader, "scorers")?;
    let items = reader.list(node, "`scorers`")?;
    if items.is_empty() {
        let help = "add one, such as `{ type: equals, value: \"{{expected}}\" }`";
        reader.error(
            node.span,
            "no-scorer",
            "the suite has no scorer, so every answer would pass",
            help,
        );
        return None;
    }
    let mut scorers: Vec<ScorerSpec> = Vec::with_capacity(items.len());
    let mut complete = true;
    for item in items {
        let Some(scorer) = ScorerSpec::decode(reader, item, schemas) else {
            complete = false;
            continue;
        };
        if scorers.iter().any(|earlier| earlier.name == scorer.name) {
            let message = format!("two scorers have the name `{}`", scorer.name);
            reader.error(
                item.span,
                "duplicate-name",
                message,
                "give one of them a `name` of its own",
            );
        }
        scorers.push(scorer);
    }
    if complete && scorers.iter().all(|scorer| !scorer.gating) {
        let help = "remove `gating: false` from a scorer";
        reader.error(
            node.span,
            "no-scorer",
            "no scorer is gating, so every answer would pass",
            help,
        );
    }
    complete.then_some(scorers)
}
