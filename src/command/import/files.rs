//! The files that a peer's config names: read within the project, or within the config's own folder
//! where that lies elsewhere. Nothing outside is opened, and nothing is executed.

use std::sync::Arc;

use camino::{Utf8Path, Utf8PathBuf};

use crate::base::{Diagnostics, Entry, Node, Source, Span, Value, json, yaml};
use crate::command::{CommandError, Project};
use crate::store::{ProjectRoot, fs};

const MAX_FILE: u64 = 64 << 20;

/// The files around a config.
pub struct Files {
    root: ProjectRoot,
    folder: String,
}

impl Files {
    /// Opens a config, whose path is the caller's own, and the files around it.
    ///
    /// # Errors
    /// When the config can not be read.
    pub fn open(
        project: &Project,
        caller: &Utf8Path,
        path: &str,
    ) -> Result<(Self, Arc<Source>), CommandError> {
        let whole = caller.join(path);
        let text = fs::read_text(&whole, MAX_FILE)?;
        let folder = match whole.parent() {
            Some(folder) if !folder.as_str().is_empty() => folder.to_owned(),
            _ => Utf8PathBuf::from("."),
        };
        let folder = ProjectRoot::new(folder.as_std_path())?.path().to_owned();
        let name = whole.file_name().unwrap_or(path).to_owned();
        let files = match folder.strip_prefix(project.root.path()) {
            Ok(inside) => Self {
                root: project.root.clone(),
                folder: inside.as_str().replace('\\', "/"),
            },
            Err(_) => Self {
                root: ProjectRoot::new(folder.as_std_path())?,
                folder: String::new(),
            },
        };
        let shown = Utf8Path::new(&files.folder).join(name);
        let source = Source::new(shown.as_str(), &text);
        Ok((files, source))
    }

    /// The path, relative to the files' root, that a config's text means.
    fn resolve(&self, written: &str) -> Result<(String, Utf8PathBuf), String> {
        let bare = written.strip_prefix("file://").unwrap_or(written);
        let found = self
            .root
            .join(&self.folder, bare)
            .and_then(|relative| Ok((self.root.resolve(&relative)?, relative)));
        match found {
            Ok((full, relative)) => Ok((relative, full)),
            Err(error) => Err(crate::command::error::chain(&error)),
        }
    }

    /// Reads a file that the config names.
    ///
    /// # Errors
    /// Why it can not be read, in words.
    pub fn read(&self, written: &str) -> Result<Arc<Source>, String> {
        let (relative, full) = self.resolve(written)?;
        match fs::read_text(&full, MAX_FILE) {
            Ok(text) => Ok(Source::new(relative, &text)),
            Err(error) if error.is_missing() => Err("the file is not there".to_owned()),
            Err(error) => Err(crate::command::error::chain(&error)),
        }
    }

    /// Whether the config's text names a file that is there.
    #[must_use]
    pub fn holds(&self, written: &str) -> bool {
        self.resolve(written)
            .is_ok_and(|(_, full)| fs::is_file(&full))
    }

    /// The path of a file that is there, relative to the project's root.
    #[must_use]
    pub fn relative(&self, written: &str) -> Option<String> {
        self.resolve(written)
            .ok()
            .filter(|(_, full)| fs::is_file(full))
            .map(|(relative, _)| relative)
    }

    /// The files that a pattern names, sorted; the text itself where it is no pattern. Stars stand
    /// in the last step alone.
    ///
    /// # Errors
    /// When the pattern is not understood, or its folder can not be read.
    pub fn matching(&self, written: &str) -> Result<Vec<String>, String> {
        let bare = written.strip_prefix("file://").unwrap_or(written);
        if !bare.contains(['*', '?', '{']) {
            return Ok(vec![bare.to_owned()]);
        }
        let (folder, pattern) = bare.rsplit_once('/').unwrap_or((".", bare));
        if folder.contains(['*', '?', '{']) {
            return Err("a pattern in a folder's name is not followed".to_owned());
        }
        let matcher = globset::Glob::new(pattern)
            .map_err(|error| error.to_string())?
            .compile_matcher();
        let place = self
            .root
            .join(&self.folder, folder)
            .and_then(|relative| {
                let relative = if relative.is_empty() { "." } else { &relative };
                self.root.resolve_folder(relative)
            })
            .map_err(|error| error.to_string())?;
        let names = fs::names(&place).map_err(|error| error.to_string())?;
        let found: Vec<String> = names
            .into_iter()
            .filter(|name| matcher.is_match(name))
            .map(|name| format!("{folder}/{name}"))
            .filter(|path| self.holds(path))
            .collect();
        if found.is_empty() {
            return Err("no file has such a name".to_owned());
        }
        Ok(found)
    }

    /// Reads a YAML or JSON file that the config names.
    ///
    /// # Errors
    /// Why it can not be read, in words.
    pub fn document(&self, written: &str) -> Result<(Arc<Source>, Node), String> {
        let source = self.read(written)?;
        match parse(&source) {
            Ok(node) => Ok((source, node)),
            Err(found) => Err(in_words(&found)),
        }
    }
}

/// The first finding of a file, on one line.
#[must_use]
pub fn in_words(found: &Diagnostics) -> String {
    let Some(first) = found.iter().next() else {
        return "it can not be read".to_owned();
    };
    match first.location() {
        Some((file, line, column)) => format!("{file}:{line}:{column}: {}", first.message),
        None => first.message.clone(),
    }
}

/// Reads a document of another tool by the ending of its name: JSON, else YAML.
///
/// # Errors
/// What is wrong with it.
pub fn parse(source: &Arc<Source>) -> Result<Node, Diagnostics> {
    if Utf8Path::new(&source.name)
        .extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case("json"))
    {
        json::parse(source)
    } else {
        yaml::parse_foreign(source)
    }
}

/// Plain JSON as a value that stands at one place.
#[must_use]
pub fn parse_value(json: &serde_json::Value, span: Span) -> Node {
    let value = match json {
        serde_json::Value::Null => Value::Null,
        serde_json::Value::Bool(value) => Value::Bool(*value),
        serde_json::Value::Number(number) => number.as_f64().map_or(Value::Null, Value::Number),
        serde_json::Value::String(text) => Value::Text(text.clone()),
        serde_json::Value::Array(items) => {
            Value::List(items.iter().map(|item| parse_value(item, span)).collect())
        }
        serde_json::Value::Object(fields) => {
            let entries = fields.iter().map(|(key, value)| Entry {
                key: key.clone(),
                key_span: span,
                value: parse_value(value, span),
            });
            Value::Map(entries.collect())
        }
    };
    Node { span, value }
}
