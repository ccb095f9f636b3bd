//! Reading a suite's dataset and choosing the cases of a run.

use std::io::{BufRead, BufReader};

use super::error::CommandError;
use super::project::Project;
use crate::base::{Diagnostics, Digest};
use crate::dataset::{Case, DatasetForm, Decoder, Filter, dataset_digest, select};
use crate::plan::Shard;
use crate::prompt::PromptVersion;
use crate::store::fs;
use crate::suite::{self, Suite};

const MAX_CSV: u64 = 1 << 30;
const MAX_YAML: u64 = 8 << 20;

/// A dataset, read and checked row by row.
pub struct Dataset {
    /// All cases, in the file's order.
    pub cases: Vec<Case>,
    /// The digest of all cases.
    pub digest: Digest,
}

/// Reads a suite's dataset. The variables of CSV columns are read by the types that the prompts
/// declare.
///
/// # Errors
/// When the file can not be read. Findings about its rows go to `diagnostics`, and the rows without
/// are there to be checked further.
pub fn load(
    project: &Project,
    suite: &Suite,
    prompts: &[&PromptVersion],
    diagnostics: &mut Diagnostics,
) -> Result<Option<Dataset>, CommandError> {
    let path = &suite.dataset;
    let full = match project.root.resolve(path) {
        Ok(full) => full,
        Err(error) => {
            return Ok(report_missing(
                suite,
                &super::error::chain(&error),
                diagnostics,
            ));
        }
    };
    let mut found = Diagnostics::new();
    let mut decoder = Decoder::new(path.clone(), &mut found);
    match DatasetForm::of_path(path) {
        Some(DatasetForm::Jsonl) => {
            let file = match fs::open(&full) {
                Ok(file) => file,
                Err(error) => {
                    return Ok(report_missing(
                        suite,
                        &super::error::chain(&error),
                        diagnostics,
                    ));
                }
            };
            read_lines(BufReader::with_capacity(1 << 16, file), path, &mut decoder)?;
        }
        Some(DatasetForm::Csv) => {
            let text = fs::read_text(&full, MAX_CSV)?;
            let kind_of = |name: &str| {
                prompts
                    .iter()
                    .find_map(|prompt| prompt.variable(name))
                    .map(|variable| variable.kind.clone())
            };
            decoder.csv(&text, kind_of);
        }
        Some(DatasetForm::Yaml) | None => decoder.yaml(&project.read(path, MAX_YAML)?),
    }
    let mut cases = decoder.finish();
    diagnostics.extend(found);
    // Of the file as it is: what the suite adds is part of the suite's digest.
    let digest = dataset_digest(&cases);
    suite::quarantine::apply(suite, &mut cases, diagnostics);
    Ok(Some(Dataset { cases, digest }))
}

fn report_missing(suite: &Suite, message: &str, diagnostics: &mut Diagnostics) -> Option<Dataset> {
    let diagnostic = crate::base::Diagnostic::error("dataset", message.to_owned())
        .at(&suite.source, suite.dataset_span)
        .help("write the path of the dataset, relative to the suite's file");
    diagnostics.push(diagnostic);
    None
}

fn read_lines(
    mut input: impl BufRead,
    path: &str,
    decoder: &mut Decoder<'_>,
) -> Result<(), CommandError> {
    let mut line = Vec::new();
    let mut number = 0u32;
    loop {
        line.clear();
        let limit = u64::try_from(crate::dataset::decode::MAX_ROW_BYTES).unwrap_or(u64::MAX) + 2;
        let read = std::io::Read::take(&mut input, limit).read_until(b'\n', &mut line);
        let read = read.map_err(|error| {
            CommandError::infra("io", format!("failed to read {path}: {error}"), None)
        })?;
        if read == 0 {
            return Ok(());
        }
        number = number.saturating_add(1);
        decoder.jsonl_line(&line, number);
    }
}

/// Cases chosen from a dataset, with what chose them in words.
pub struct Selected {
    /// The cases, in the dataset's order.
    pub cases: Vec<Case>,
    /// The sample in words.
    pub sample: Option<String>,
    /// The filter in words.
    pub filter: Option<String>,
}

/// Takes the suite's sample, then what the flags leave of it.
///
/// # Errors
/// When the filter's expression can not be worked out for a case.
pub fn choose(
    suite: &Suite,
    cases: Vec<Case>,
    filter: &Filter,
    shard: Option<Shard>,
) -> Result<Selected, CommandError> {
    let mut cases = cases;
    let mut words = None;
    if let Some(sample) = &suite.sample {
        let chosen = select::sample(&cases, sample, suite.seed);
        let total = cases.len();
        let mut index = 0;
        cases.retain(|_| {
            let keep = chosen.binary_search(&index).is_ok();
            index += 1;
            keep
        });
        let by = sample
            .by
            .as_ref()
            .map_or(String::new(), |key| format!(", by {key}"));
        words = Some(format!(
            "{} of {total} cases{by}, seed {}",
            cases.len(),
            suite.seed
        ));
    }
    let mut wrong = None;
    cases.retain(|case| {
        shard.is_none_or(|shard| shard.contains(case.id.as_str()))
            && filter.accepts(case).unwrap_or_else(|error| {
                wrong.get_or_insert(error);
                false
            })
    });
    if let Some(error) = wrong {
        let help = "cases differ in what they have: write `vars.name is defined and …`";
        return Err(CommandError::usage(error.to_string(), help));
    }
    Ok(Selected {
        cases,
        sample: words,
        filter: (!filter.is_empty()).then(|| filter.describe()),
    })
}

/// How many cases each `key=value` of the segments has.
#[must_use]
pub fn segment_sizes(cases: &[Case]) -> Vec<(String, u64)> {
    let mut sizes = std::collections::BTreeMap::new();
    for case in cases {
        for (key, value) in case.segment.iter() {
            *sizes.entry(format!("{key}={value}")).or_insert(0u64) += 1;
        }
    }
    sizes.into_iter().collect()
}
