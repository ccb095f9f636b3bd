//! The suites of a project: finding, reading and choosing them.

use std::sync::Arc;

use camino::Utf8Path;

use super::error::CommandError;
use super::project::Project;
use crate::base::decode::choices;
use crate::base::{Diagnostic, Diagnostics, Source, Span, Value, yaml};
use crate::registry::reference::parse_slug;
use crate::store::fs;
use crate::suite::{self, PromptLocation, Suite};

const MAX_SUITE: u64 = 8 << 20;
/// The kinds of files that say what they are; only suites are read here.
const KINDS: [&str; 6] = ["suite", "mock", "prompt", "settings", "policy", "registry"];

/// All suites of the project, in the order of their files' names.
///
/// # Errors
/// All findings of all files; a project without a suite.
pub fn load_all(project: &Project) -> Result<(Vec<Suite>, Diagnostics), CommandError> {
    let folder = project.settings.evals.clone();
    let names = names(project, &folder)?;
    let mut diagnostics = Diagnostics::new();
    let mut suites = Vec::new();
    for name in &names {
        let path = if folder.is_empty() {
            name.clone()
        } else {
            format!("{folder}/{name}")
        };
        let source = project.read(&path, MAX_SUITE)?;
        if is_suite(&source, &mut diagnostics) {
            suites.extend(decode(project, &source, &path, &mut diagnostics));
        }
    }
    check_names(&suites, &mut diagnostics);
    if diagnostics.has_errors() {
        return Err(diagnostics.into());
    }
    if suites.is_empty() {
        return Err(CommandError::usage(
            format!("there is no suite in {folder}/"),
            "write a suite there (README.md shows the smallest one), or call gate in your project's folder",
        ));
    }
    Ok((suites, diagnostics))
}

/// The suite of a file of the project.
///
/// # Errors
/// When it is not there, or no suite.
pub fn load_one(project: &Project, path: &str) -> Result<Suite, CommandError> {
    let source = project.read(path, MAX_SUITE)?;
    let mut diagnostics = Diagnostics::new();
    let suite = decode(project, &source, path, &mut diagnostics);
    let (suite, _) = diagnostics.finish(suite)?;
    Ok(suite)
}

fn names(project: &Project, folder: &str) -> Result<Vec<String>, CommandError> {
    let missing = || {
        CommandError::usage(
            format!(
                "there is no folder {folder}/ with suites in {}",
                project.root.path()
            ),
            "call gate in your project's folder, name it with -C, or make a first gate: gate init",
        )
    };
    let full = project.root.resolve_folder(folder)?;
    let mut names = fs::names(&full).map_err(|_| missing())?;
    names.retain(|name| matches!(Utf8Path::new(name).extension(), Some("yaml" | "yml")));
    if names.is_empty() {
        Err(missing())
    } else {
        Ok(names)
    }
}

/// Whether a file of `evals/` is a suite. Other kinds may lie there; a file without `gate:` may not.
fn is_suite(source: &Arc<Source>, diagnostics: &mut Diagnostics) -> bool {
    let node = match yaml::parse(source) {
        Ok(node) => node,
        Err(errors) => {
            diagnostics.extend(errors);
            return false;
        }
    };
    let format = node.get("gate");
    match format.and_then(|node| Some((node, node.as_text()?))) {
        Some((node, format)) => {
            let kind = format.split('/').next().unwrap_or_default();
            if !KINDS.contains(&kind) {
                let message = format!("`{format}` is no kind of file that gate knows");
                let diagnostic = Diagnostic::error("format", message).at(source, node.span);
                diagnostics.push(diagnostic.help(choices(kind, &KINDS)));
            }
            kind == "suite"
        }
        None => {
            let diagnostic = Diagnostic::error("missing-key", "the file does not say what it is")
                .at(source, Span::default())
                .help(
                    "add `gate: suite/1` for a suite, or move the file out of the suites' folder",
                );
            diagnostics.push(diagnostic);
            false
        }
    }
}

fn decode(
    project: &Project,
    source: &Arc<Source>,
    path: &str,
    diagnostics: &mut Diagnostics,
) -> Option<Suite> {
    let schemas = |written: &str| {
        let relative = suite::path::resolve(path, written).map_err(|error| error.to_string())?;
        let source = project
            .read(&relative, MAX_SUITE)
            .map_err(|error| super::error::chain(&error))?;
        let node = crate::base::json::parse(&source).or_else(|_| yaml::parse(&source));
        node.map(|node| node.to_json())
            .map_err(|found| found.to_string())
    };
    check_paths(project, source, path, diagnostics);
    suite::decode(source, path, &schemas, diagnostics)
}

/// The keys of a suite whose values are paths.
const PATHS: [&str; 6] = [
    "dataset", "registry", "prompt", "rules", "cassette", "schema",
];

/// Reports each path of a suite that leaves the project without the owner's leave.
fn check_paths(project: &Project, source: &Arc<Source>, path: &str, diagnostics: &mut Diagnostics) {
    let Ok(node) = yaml::parse(source) else {
        return;
    };
    let mut left = vec![&node];
    while let Some(node) = left.pop() {
        match &node.value {
            Value::List(items) => left.extend(items),
            Value::Map(entries) => {
                for entry in entries
                    .iter()
                    .filter(|entry| PATHS.contains(&entry.key.as_str()))
                {
                    let found = entry
                        .value
                        .as_text()
                        .map(|text| leaves(project, path, text));
                    if let Some(message) = found.flatten() {
                        let diagnostic = Diagnostic::error("path", message);
                        let diagnostic = diagnostic.at(source, entry.value.span);
                        diagnostics.push(diagnostic.help(super::error::ALLOW_PATH));
                    }
                }
                left.extend(entries.iter().map(|entry| &entry.value));
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Text(_) => {}
        }
    }
}

/// Why a path that is written in a file may not be used, where it leads out of the project.
fn leaves(project: &Project, file: &str, written: &str) -> Option<String> {
    let path = suite::path::resolve(file, written).ok()?;
    let found = path
        .starts_with("../")
        .then(|| project.root.resolve(&path).err());
    Some(super::error::chain(&found.flatten()?))
}

fn check_names(suites: &[Suite], diagnostics: &mut Diagnostics) {
    for (index, suite) in suites.iter().enumerate() {
        if let Some(first) = suites
            .iter()
            .take(index)
            .find(|earlier| earlier.name == suite.name)
        {
            let message = format!("the suite `{}` is already in {}", suite.name, first.path);
            let diagnostic =
                Diagnostic::error("duplicate-name", message).at(&suite.source, Span::default());
            diagnostics.push(diagnostic.help("give one of them another `name`"));
        }
    }
}

/// The suites that `--suite` and `--prompt` choose.
///
/// # Errors
/// When a name is not there.
pub fn choose(project: &Project, suites: Vec<Suite>) -> Result<Vec<Suite>, CommandError> {
    let settings = &project.settings;
    let suites = for_tenant(settings.prompt.as_deref(), suites)?;
    let names: Vec<&str> = suites.iter().map(|suite| suite.name.as_str()).collect();
    for wanted in &settings.suite {
        if !names.contains(&wanted.as_str()) {
            // The revision whose suites judge may lack it: that is said, and is no mistake.
            if project.gate_from.is_some() {
                continue;
            }
            let help = choices(wanted, &names);
            return Err(CommandError::usage(
                format!("there is no suite `{wanted}`"),
                help,
            ));
        }
    }
    let slugs: Vec<&str> = suites
        .iter()
        .map(|suite| suite.prompt.slug().as_str())
        .collect();
    if let Some(wanted) = &settings.prompt
        && !slugs.contains(&wanted.as_str())
        && project.gate_from.is_none()
    {
        let help = choices(wanted, &slugs);
        return Err(CommandError::usage(
            format!("no suite tests a prompt `{wanted}`"),
            help,
        ));
    }
    let chosen = suites.into_iter().filter(|suite| {
        (settings.suite.is_empty()
            || settings
                .suite
                .iter()
                .any(|name| name == suite.name.as_str()))
            && settings
                .prompt
                .as_ref()
                .is_none_or(|slug| slug == suite.prompt.slug().as_str())
    });
    let chosen: Vec<Suite> = chosen.collect();
    if chosen.is_empty() && project.gate_from.is_none() {
        return Err(CommandError::usage(
            "--suite and --prompt together choose no suite",
            "leave out one of the two",
        ));
    }
    Ok(chosen)
}

/// The suites of a prompt for the tenant that `--prompt slug#tenant` names: they test its layers.
fn for_tenant(wanted: Option<&str>, suites: Vec<Suite>) -> Result<Vec<Suite>, CommandError> {
    let Some(wanted) = wanted.filter(|wanted| wanted.contains('#')) else {
        return Ok(suites);
    };
    let slug = parse_slug(wanted).map_err(super::prompt::place::reference_error)?;
    let base = slug.tenant().map(|(base, _)| base);
    let rewrite = |mut suite: Suite| {
        if matches!(&suite.prompt, PromptLocation::Registry(own) if Some(own) == base.as_ref()) {
            suite.prompt = PromptLocation::Registry(slug.clone());
        }
        suite
    };
    Ok(suites.into_iter().map(rewrite).collect())
}

/// Checks that the suites all test one prompt, for a command that names versions.
///
/// # Errors
/// When they test several; the message lists them.
pub fn require_one_prompt(suites: &[Suite]) -> Result<(), CommandError> {
    let mut slugs: Vec<&str> = suites
        .iter()
        .map(|suite| suite.prompt.slug().as_str())
        .collect();
    slugs.sort_unstable();
    slugs.dedup();
    if slugs.len() <= 1 {
        return Ok(());
    }
    let message = format!("the suites test several prompts: {}", slugs.join(", "));
    Err(CommandError::usage(
        message,
        "choose one with --prompt SLUG or --suite NAME",
    ))
}
