//! From what was found to the files of a first gate.

use std::sync::Arc;

use camino::Utf8Path;
use serde_json::{Map, Value};

use super::examples::{self, Case};
use super::found::{self, Found, Kind};
use super::texts::{self, SuiteText};
use crate::base::{Diagnostics, Name, Slug};
use crate::command::scaffold::{self, InPlace, NewFile};
use crate::command::{CommandError, Project, import};
use crate::prompt::{self, Expected, Form};
use crate::store::fs;

/// What the caller says.
#[derive(Debug, Clone, Default)]
pub struct Wanted<'a> {
    /// A prompt, examples or a promptfoo config, relative to `caller`.
    pub file: Option<&'a str>,
    /// The name of the suite.
    pub name: Option<&'a str>,
    /// The model, such as `openai:gpt-4o-2024-08-06`, or `mock`.
    pub model: Option<&'a str>,
    /// Whether the workflow is left out.
    pub no_workflow: bool,
    /// Whether a config is taken although parts of it are dropped.
    pub allow_partial: bool,
    /// The folder that the caller's path is relative to.
    pub caller: &'a str,
}

/// A file that was not written, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The file.
    pub path: String,
    /// Why.
    pub why: &'static str,
}

/// What was written.
#[derive(Debug, Default)]
pub struct Scaffolded {
    /// The suite.
    pub suite: String,
    /// The prompt's file, or its folder.
    pub prompt: String,
    /// Files written, each with what it is.
    pub written: Vec<(String, &'static str)>,
    /// Files that were there.
    pub kept: Vec<Kept>,
    /// What was found and could be used too.
    pub notes: Vec<String>,
    /// What became of a promptfoo config.
    pub ledger: Option<import::Ledger>,
    /// Whether the answers are a mock's.
    pub is_mock: bool,
    /// Whether the prompt has several versions to compare.
    pub versions: usize,
    /// What the owner has to give before the first request.
    pub needs: import::Needs,
}

/// A key in the environment, and the model that is taken with it.
const MODELS: [(&str, &str); 3] = [
    ("OPENAI_API_KEY", "openai:gpt-4o-2024-08-06"),
    ("ANTHROPIC_API_KEY", "anthropic:claude-haiku-4-5-20251001"),
    ("GEMINI_API_KEY", "gemini:gemini-2.5-flash"),
];
const WORKFLOW: &str = ".github/workflows/prompts.yml";
/// What the suite and the workflow are called.
const SUITE: &str = "the suite";
const GATE: &str = "the gate on pull requests";
/// What cases are called that hold nothing yet.
pub const PLACEHOLDERS: &str = "placeholders: write real cases in their place";
const MAX_FILE: u64 = 64 << 20;

/// Writes what is missing for a first gate; nothing where parts of a config would be lost and the caller
/// does not say that they may.
///
/// # Errors
/// When what the caller named can not be used, or a file can not be written.
pub fn scaffold(project: &Project, wanted: &Wanted<'_>) -> Result<Scaffolded, CommandError> {
    let mut found = found::look(project);
    if let Some(file) = wanted.file {
        let path = within(project, wanted.caller, file)?;
        match found::kind_of(project, &path)? {
            Kind::Promptfoo => return from_promptfoo(project, wanted, file),
            Kind::Prompt => found.prompts = vec![path],
            Kind::Examples => {
                found.examples = vec![path];
                found.named_examples = true;
            }
        }
    } else if let (true, Some(config)) = (found.prompts.is_empty(), found.promptfoo.first()) {
        let path = project.root.path().join(config);
        return from_promptfoo(project, wanted, path.as_str());
    }
    plain(project, wanted, &found)
}

/// The caller's path, relative to the root.
fn within(project: &Project, caller: &str, file: &str) -> Result<String, CommandError> {
    let whole = Utf8Path::new(caller).join(file);
    let real = fs::resolve(whole.as_std_path()).map_err(|error| {
        CommandError::usage(format!("{file}: {error}"), "name a file that is there")
    })?;
    let inside = real.strip_prefix(project.root.path()).ok();
    let inside = inside.and_then(|path| path.to_str());
    inside.map(|path| path.replace('\\', "/")).ok_or_else(|| {
        let help = "copy it into the project, or go to its folder";
        CommandError::usage(
            format!("{file} lies outside the project {}", project.root.path()),
            help,
        )
    })
}

fn from_promptfoo(
    project: &Project,
    wanted: &Wanted<'_>,
    file: &str,
) -> Result<Scaffolded, CommandError> {
    let asked = import::Wanted {
        file,
        caller: Utf8Path::new(wanted.caller),
        name: wanted.name,
        model: wanted.model.filter(|model| *model != "mock"),
    };
    let imported = import::convert(project, &asked)?;
    if let Some((message, help)) = imported.refused {
        return Err(CommandError::usage(message, help));
    }
    let name = imported.name.to_string();
    let mut done = Scaffolded {
        prompt: format!("prompts/{name}"),
        versions: imported.versions,
        ledger: Some(imported.ledger),
        suite: name,
        needs: imported.needs,
        ..Scaffolded::default()
    };
    let loses = done.ledger.as_ref().is_some_and(import::Ledger::has_drops);
    if loses && !wanted.allow_partial {
        return Ok(done);
    }
    let mut files: Vec<(NewFile, &'static str)> = imported
        .files
        .into_iter()
        .map(|file| {
            let what = what_is(&file.path);
            (file, what)
        })
        .collect();
    let key = done.needs.keys.keys().next().map(String::as_str);
    let key = key.unwrap_or_else(|| key_of(wanted.model)).to_owned();
    add_workflow(wanted, &key, &mut files);
    write(project, files, &mut done)?;
    Ok(done)
}

fn what_is(path: &str) -> &'static str {
    if path.starts_with("prompts/") {
        "a version of the prompt"
    } else if path.starts_with("evals/") {
        SUITE
    } else {
        "the cases"
    }
}

/// A prompt as the scaffold needs it.
struct Prompt {
    /// Its file, relative to the root.
    path: String,
    /// Its text, where it is still to be written.
    new: Option<&'static str>,
    /// The variables it uses.
    variables: Vec<String>,
}

fn plain(
    project: &Project,
    wanted: &Wanted<'_>,
    found: &Found,
) -> Result<Scaffolded, CommandError> {
    let (rows, unreadable) = read_examples(project, found)?;
    let given = rows
        .as_ref()
        .map(|(path, rows)| (path.as_str(), rows.as_slice()));
    let prompt = choose_prompt(project, found, given)?;
    let name = match wanted.name {
        Some(name) => Name::slugify(name),
        None => found::name_after(&prompt.path),
    };
    let cases = match &rows {
        Some((path, rows)) if rows.is_empty() => {
            return Err(CommandError::usage(
                format!("{path} has no example"),
                "add rows with the values of the prompt's variables, and what is expected",
            ));
        }
        Some((_, rows)) => examples::cases(rows, &prompt.variables),
        None => first_cases(&prompt),
    };
    let model = choose_model(project, wanted);
    let mut done = Scaffolded {
        suite: name.to_string(),
        prompt: prompt.path.clone(),
        is_mock: model.is_none(),
        versions: 1,
        needs: model
            .as_deref()
            .map_or_else(import::Needs::default, |model| {
                import::Needs::named(project, model)
            }),
        notes: notes(found, &prompt, rows.as_ref().map(|(path, _)| path.as_str())),
        ..Scaffolded::default()
    };
    done.notes.extend(unreadable);
    let dataset = rows.as_ref().filter(|(_, rows)| examples::are_cases(rows));
    let dataset = dataset.map(|(path, _)| path.as_str());
    let files = files(wanted, &name, (&prompt, &cases, dataset), model.as_deref());
    write(project, files, &mut done)?;
    Ok(done)
}

/// A file of examples with its rows.
type Given = (String, Vec<examples::Row>);

/// The examples that the caller named, else the first that were found and can be read.
fn read_examples(
    project: &Project,
    found: &Found,
) -> Result<(Option<Given>, Vec<String>), CommandError> {
    let mut notes = Vec::new();
    for path in &found.examples {
        let read = project.read(path, MAX_FILE);
        match read.and_then(|source| examples::read(&source)) {
            Ok(rows) => return Ok((Some((path.clone(), rows)), notes)),
            // Named, it must be one; found, it may be something else.
            Err(error) if found.named_examples => return Err(error),
            Err(_) => notes.push(format!("{path}, which can not be read as examples")),
        }
    }
    Ok((None, notes))
}

fn choose_prompt(
    project: &Project,
    found: &Found,
    rows: Option<(&str, &[examples::Row])>,
) -> Result<Prompt, CommandError> {
    if let Some(path) = found.prompts.first() {
        return Ok(Prompt {
            path: path.clone(),
            new: None,
            variables: variables_of(project, path)?,
        });
    }
    let Some((path, rows)) = rows else {
        return Ok(Prompt {
            path: "prompts/label.md".to_owned(),
            new: Some(texts::PROMPT),
            variables: vec!["ticket".to_owned()],
        });
    };
    let cases = examples::cases(rows, &[]);
    let mut variables: Vec<String> = Vec::new();
    for name in cases.iter().flat_map(|case| case.vars.keys()) {
        if !variables.contains(name) {
            variables.push(name.clone());
        }
    }
    Ok(Prompt {
        path: format!("prompts/{}.md", found::name_after(path)),
        new: None,
        variables,
    })
}

/// The variables that a prompt file uses.
fn variables_of(project: &Project, path: &str) -> Result<Vec<String>, CommandError> {
    let source = project.read(path, MAX_FILE)?;
    let yaml = Utf8Path::new(path).extension() == Some("yaml");
    let stem = Utf8Path::new(path).file_stem().unwrap_or("prompt");
    let expected = Expected {
        slug: Slug::of_stem(stem),
        number: None,
        form: if yaml { Form::Yaml } else { Form::Text },
    };
    let mut diagnostics = Diagnostics::new();
    let version = prompt::decode(&Arc::clone(&source), &expected, &mut diagnostics);
    let (version, _) = diagnostics.finish(version)?;
    Ok(version
        .variables
        .iter()
        .map(|variable| variable.name.clone())
        .collect())
}

/// Ten cases to begin with: of the first prompt, or to be filled in.
fn first_cases(prompt: &Prompt) -> Vec<Case> {
    let case = |(index, (ticket, label)): (usize, &(&str, &str))| {
        let number = index + 1;
        let value = |name: &String| match prompt.new {
            Some(_) => (name.clone(), Value::from(*ticket)),
            None => (name.clone(), examples::placeholder(name, number).into()),
        };
        Case {
            id: format!("c{number:02}"),
            vars: prompt.variables.iter().map(value).collect::<Map<_, _>>(),
            expected: prompt.new.map(|_| (*label).into()),
        }
    };
    texts::CASES.iter().enumerate().map(case).collect()
}

/// The model that is named, else the one whose key is set; none is a mock.
fn choose_model(project: &Project, wanted: &Wanted<'_>) -> Option<String> {
    if let Some(model) = wanted.model {
        return (model != "mock").then(|| model.to_owned());
    }
    let set = MODELS
        .iter()
        .find(|(key, _)| project.variable(key).is_some_and(|value| !value.is_empty()));
    set.map(|(_, model)| (*model).to_owned())
}

fn key_of(model: Option<&str>) -> &'static str {
    let vendor = model
        .and_then(|model| model.split(':').next())
        .unwrap_or("openai");
    let known = MODELS.iter().find(|(_, model)| model.starts_with(vendor));
    known.map_or("OPENAI_API_KEY", |(key, _)| *key)
}

fn files(
    wanted: &Wanted<'_>,
    name: &Name,
    (prompt, cases, dataset): (&Prompt, &[Case], Option<&str>),
    model: Option<&str>,
) -> Vec<(NewFile, &'static str)> {
    let is_there = dataset.is_some();
    let dataset = dataset.map_or_else(|| format!("fixtures/{name}.jsonl"), str::to_owned);
    let rules = format!("../fixtures/{name}.mock.yaml");
    let has_expected = cases.iter().all(|case| case.expected.is_some());
    let suite = texts::suite(&SuiteText {
        prompt: &format!("../{}", prompt.path),
        dataset: &format!("../{dataset}"),
        model: model.ok_or(&rules),
        scorer: examples::scorer(cases),
        real_model: MODELS.first().map_or("", |(_, model)| *model),
    });
    let mut files = vec![(NewFile::new(format!("evals/{name}.yaml"), suite), SUITE)];
    if let Some(text) = prompt.new {
        files.push((
            NewFile::new(prompt.path.clone(), text.to_owned()),
            "the prompt",
        ));
    } else if prompt_is_missing(prompt) {
        files.push((
            NewFile::new(prompt.path.clone(), prompt_for(&prompt.variables)),
            "the prompt",
        ));
    }
    if !is_there {
        let mut values = cases.iter().flat_map(|case| &case.vars);
        let what = if values.any(|(name, value)| examples::is_placeholder(name, value)) {
            PLACEHOLDERS
        } else {
            "the cases"
        };
        files.push((NewFile::new(dataset, examples::jsonl(cases)), what));
    }
    if model.is_none() {
        let path = format!("fixtures/{name}.mock.yaml");
        files.push((
            NewFile::new(path, texts::mock(has_expected)),
            "what the mock answers",
        ));
    }
    add_workflow(wanted, key_of(model), &mut files);
    files
}

fn add_workflow(wanted: &Wanted<'_>, key: &str, files: &mut Vec<(NewFile, &'static str)>) {
    if !wanted.no_workflow {
        let file = NewFile::new(WORKFLOW.to_owned(), texts::workflow(key));
        files.push((file, GATE));
    }
}

/// Whether a prompt was made up for examples; an existing one is found again and kept.
fn prompt_is_missing(prompt: &Prompt) -> bool {
    prompt.new.is_none() && !prompt.variables.is_empty()
}

fn prompt_for(variables: &[String]) -> String {
    let declared: Vec<String> = variables
        .iter()
        .map(|name| format!("  {name}: {{ type: string, max_length: 4000 }}\n"))
        .collect();
    let used: Vec<String> = variables
        .iter()
        .map(|name| format!("{{{{{name}}}}}\n"))
        .collect();
    format!(
        "---\nvariables:\n{}---\nWrite here what the model is to do with the following.\n\n{}",
        declared.concat(),
        used.concat()
    )
}

fn notes(found: &Found, prompt: &Prompt, examples: Option<&str>) -> Vec<String> {
    let mut notes = Vec::new();
    if found.prompts.is_empty() {
        let passed = found.passed.iter().take(5);
        notes.extend(
            passed
                .map(|path| format!("{path}, passed over: if it is the prompt, gate init {path}")),
        );
    }
    let others = found.prompts.iter().filter(|path| **path != prompt.path);
    notes.extend(
        others
            .take(5)
            .map(|path| format!("another prompt: gate init {path}")),
    );
    let others = found
        .examples
        .iter()
        .filter(|path| Some(path.as_str()) != examples);
    notes.extend(
        others
            .take(5)
            .map(|path| format!("other examples: gate init {path}")),
    );
    if let Some(config) = found.promptfoo.first() {
        notes.push(format!(
            "a promptfoo config: gate import promptfoo {config}"
        ));
    }
    notes
}

/// Writes the files whose place is free, and says why the others were left.
fn write(
    project: &Project,
    files: Vec<(NewFile, &'static str)>,
    done: &mut Scaffolded,
) -> Result<(), CommandError> {
    let (mut free, mut has_own_suite) = (Vec::new(), false);
    for (file, what) in files {
        match scaffold::look(project, &file)? {
            InPlace::Free => free.push((file, what)),
            InPlace::Same => done.kept.push(Kept {
                path: file.path,
                why: "is there already, the same",
            }),
            InPlace::Other => {
                has_own_suite |= what == SUITE;
                done.kept.push(Kept {
                    path: file.path,
                    why: "is there already, and stays as it is",
                });
            }
        }
    }
    if has_own_suite {
        // What a suite of the user's does not name would only lie about.
        free.retain(|(_, what)| *what == GATE);
        done.prompt.clear();
    }
    let list: Vec<NewFile> = free.iter().map(|(file, _)| file.clone()).collect();
    scaffold::write_all(project, &list)?;
    let root = project.root.path().as_std_path();
    if !root
        .ancestors()
        .any(|folder| fs::is_there(&folder.join(".git")))
    {
        let note = "no git repository: git init, so that an edit has something to be compared with";
        done.notes.push(note.to_owned());
    }
    done.written = free
        .into_iter()
        .map(|(file, what)| (file.path, what))
        .collect();
    Ok(())
}
