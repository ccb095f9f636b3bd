//! What a repository holds that a gate can start from.

use crate::base::{Name, Source, yaml};
use crate::command::{CommandError, Project};
use crate::store::fs;

/// What a file is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A prompt: Markdown, text, or YAML of ours.
    Prompt,
    /// Examples: CSV or JSONL.
    Examples,
    /// A config of promptfoo.
    Promptfoo,
}

/// Files of each kind, relative to the project's root.
#[derive(Debug, Default)]
pub struct Found {
    /// Prompts, the likeliest first.
    pub prompts: Vec<String>,
    /// Examples.
    pub examples: Vec<String>,
    /// Whether the caller named the examples.
    pub named_examples: bool,
    /// Texts that may be prompts, though nothing about their names says so.
    pub passed: Vec<String>,
    /// Configs of promptfoo.
    pub promptfoo: Vec<String>,
}

/// Where prompts and examples usually lie.
const PROMPT_FOLDERS: [&str; 5] = ["prompts", "prompt", "src/prompts", "app/prompts", "."];
const EXAMPLE_FOLDERS: [&str; 6] = ["fixtures", "data", "evals", "examples", "tests", "."];
const CONFIGS: [&str; 3] = [
    "promptfooconfig.yaml",
    "promptfooconfig.yml",
    "promptfooconfig.json",
];
const MAX_FILE: u64 = 8 << 20;

/// Looks around in the usual places.
#[must_use]
pub fn look(project: &Project) -> Found {
    let mut found = Found::default();
    for folder in PROMPT_FOLDERS {
        let here = folder == ".";
        for path in files_of(project, folder) {
            let named = !here || path.contains("prompt");
            if named && is_prompt_name(&path) && !found.prompts.contains(&path) {
                found.prompts.push(path);
            }
        }
    }
    for folder in EXAMPLE_FOLDERS {
        let examples = files_of(project, folder)
            .into_iter()
            .filter(|path| is_example_name(path));
        found.examples.extend(examples);
    }
    let prose = files_of(project, ".").into_iter();
    found.passed = prose
        .filter(|path| is_prompt_name(path) && !found.prompts.contains(path))
        .collect();
    let configs = CONFIGS.iter().filter(|path| project.has(path));
    found
        .promptfoo
        .extend(configs.map(|path| (*path).to_owned()));
    found
}

fn files_of(project: &Project, folder: &str) -> Vec<String> {
    let Ok(place) = project.root.resolve_folder(folder) else {
        return Vec::new();
    };
    let names = fs::names(&place).unwrap_or_default();
    let path = |name: String| match folder {
        "." => name,
        _ => format!("{folder}/{name}"),
    };
    names
        .into_iter()
        .filter(|name| !name.starts_with('.'))
        .map(path)
        .filter(|path| project.has(path))
        .collect()
}

fn ending(path: &str) -> &str {
    path.rsplit_once('.').map_or("", |(_, ending)| ending)
}

fn is_prompt_name(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path).to_ascii_lowercase();
    let prose = ["readme.", "changelog.", "contributing.", "license"];
    matches!(ending(path), "md" | "txt") && !prose.iter().any(|start| name.starts_with(start))
}

fn is_example_name(path: &str) -> bool {
    matches!(ending(path), "csv" | "jsonl")
        && !path.ends_with(".answers.jsonl")
        && !path.ends_with("log.jsonl")
}

/// What a file that the caller names is for.
///
/// # Errors
/// When it is not there, or nothing that a gate can start from.
pub fn kind_of(project: &Project, path: &str) -> Result<Kind, CommandError> {
    let source = project.read(path, MAX_FILE)?;
    match ending(path).to_ascii_lowercase().as_str() {
        "md" | "txt" => Ok(Kind::Prompt),
        "csv" | "jsonl" => Ok(Kind::Examples),
        "yaml" | "yml" | "json" => of_document(&source),
        _ => Err(unknown(path)),
    }
}

fn of_document(source: &Source) -> Result<Kind, CommandError> {
    let read = Source::new(source.name.clone(), &source.text);
    let node = yaml::parse_foreign(&read)?;
    if node.get("prompts").is_some() || node.get("providers").is_some() {
        return Ok(Kind::Promptfoo);
    }
    let ours = node.get("gate").and_then(crate::base::Node::as_text);
    match ours {
        Some(format) if format.starts_with("prompt/") => Ok(Kind::Prompt),
        _ => Err(unknown(&source.name)),
    }
}

fn unknown(path: &str) -> CommandError {
    CommandError::usage(
        format!("{path} is no prompt, no examples and no promptfoo config"),
        "name a prompt (.md, .txt, .yaml), examples (.csv, .jsonl) or a promptfooconfig.yaml",
    )
}

/// The name of a suite after its prompt's file.
#[must_use]
pub fn name_after(path: &str) -> Name {
    let file = path.rsplit('/').next().unwrap_or(path);
    let stem = file.split('.').next().unwrap_or(file);
    Name::slugify(stem)
}
