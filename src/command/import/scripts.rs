//! Assertions that are programs: JavaScript for the sandboxed scorer, Python through a small bridge
//! that speaks the protocol of `exec` scorers (formats.md section 9).

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::assertion::{Converter, Outcome, Written};
use super::kinds::{has, rendered, scorer};
use crate::base::Node;
use crate::command::scaffold::NewFile;

/// The bridge between the protocol of `exec` and promptfoo's Python functions and programs.
pub const BRIDGE: &str = include_str!("bridge.py");
/// Where the bridge is written.
pub const BRIDGE_PATH: &str = "evals/promptfoo_bridge.py";

/// The programs that an import needs.
#[derive(Debug, Default)]
pub struct Scripts {
    /// Whether the bridge is used.
    pub bridge: bool,
    /// Code that stood in the config, by the path of the file that takes it.
    pub files: BTreeMap<String, String>,
}

/// Whether this program has the sandboxed `javascript` scorer.
pub fn has_javascript() -> bool {
    has("javascript")
}

/// A program of a config's own text.
pub fn javascript(
    converter: &mut Converter<'_>,
    written: &Written<'_>,
    code: &str,
    threshold: Option<f64>,
) -> Outcome {
    if !has_javascript() {
        return Outcome::Nothing(
            "this build has no `javascript` scorer: use a release build, or write a declarative scorer"
                .to_owned(),
        );
    }
    let code = match rendered(converter, code) {
        Ok(code) => code.trim_end().to_owned(),
        Err(why) => return Outcome::Nothing(why),
    };
    for name in ["require(", "import(", "process.", "fetch("] {
        if code.contains(name) {
            let why = format!("`{name}` reaches out of the sandbox");
            return Outcome::Nothing(why);
        }
    }
    let mut keys = vec![("value", Json::from(code))];
    if let Some(threshold) = threshold.filter(|threshold| (0.0..=1.0).contains(threshold)) {
        keys.push(("threshold", json!(threshold)));
    }
    if let Some(config) = written.get("config") {
        keys.push(("config", config.to_json()));
    }
    Outcome::Same(scorer("javascript", &keys))
}

/// A program in a file.
pub fn javascript_file(
    converter: &Converter<'_>,
    _written: &Written<'_>,
    reference: &str,
) -> Outcome {
    let why = if converter.files.holds(reference) {
        "a module of its own is not run: write its function into `value`, or an `exec` scorer"
    } else {
        "the file is not there"
    };
    Outcome::Nothing(why.to_owned())
}

/// Python code or a Python file, asked through the bridge.
pub fn python(converter: &mut Converter<'_>, written: &Written<'_>) -> Outcome {
    if !has("exec") {
        return Outcome::Nothing(
            "this program has no `exec` scorer: write a declarative scorer".to_owned(),
        );
    }
    let Some(value) = written.get("value").and_then(Node::as_text) else {
        return Outcome::Nothing("it has no `value`".to_owned());
    };
    let (file, function) = match python_file(value) {
        Some((path, function)) => match converter.files.relative(path) {
            Some(path) => (path, function.unwrap_or("get_assert").to_owned()),
            None => return Outcome::Nothing(format!("the file `{path}` is not there")),
        },
        None => match rendered(converter, value) {
            Ok(code) => (converter.scripts.inline(&code), "get_assert".to_owned()),
            Err(why) => return Outcome::Nothing(why),
        },
    };
    converter.scripts.bridge = true;
    let mut command = vec![
        "python3".to_owned(),
        BRIDGE_PATH.to_owned(),
        "assert".to_owned(),
        file,
        function,
    ];
    if let Some(threshold) = written.number("threshold") {
        command.push(threshold.to_string());
    }
    let made = scorer("exec", &[("command", json!(command))]);
    let why = "it runs as a program of its own: only with --allow-exec, on the owner's word";
    Outcome::Differs(made, why.to_owned())
}

/// The path and the function of `file://check.py:name`, or of a bare `check.py`.
fn python_file(value: &str) -> Option<(&str, Option<&str>)> {
    let bare = value.strip_prefix("file://").unwrap_or(value);
    if bare.contains('\n') {
        return None;
    }
    let (path, function) = match bare.rsplit_once(".py:") {
        Some((stem, function)) => (bare.get(..stem.len() + 3)?, Some(function)),
        None => (bare, None),
    };
    (value.starts_with("file://") || !path.contains(' '))
        .then_some((path, function))
        .filter(|(path, _)| camino::Utf8Path::new(path).extension() == Some("py"))
}

impl Scripts {
    /// The file that holds code of the config: an expression, or a body that returns.
    fn inline(&mut self, code: &str) -> String {
        let body = if code.trim().contains('\n') {
            indented(code)
        } else {
            format!("    return {}\n", code.trim())
        };
        let text = format!(
            "# From a `python` assertion of promptfoo.\nimport json  # noqa: F401\n\n\ndef get_assert(output, context):\n{body}"
        );
        let known = self.files.iter().find(|(_, known)| **known == text);
        if let Some((path, _)) = known {
            return path.clone();
        }
        let path = format!("evals/promptfoo_assert_{}.py", self.files.len() + 1);
        self.files.insert(path.clone(), text);
        path
    }
}

fn indented(code: &str) -> String {
    let line = |line: &str| match line.trim_end() {
        "" => "\n".to_owned(),
        line => format!("    {line}\n"),
    };
    code.trim_end()
        .lines()
        .map(line)
        .collect::<Vec<_>>()
        .concat()
}

impl Scripts {
    /// The files that the programs need.
    pub fn into_files(self) -> Vec<NewFile> {
        let mut files: Vec<NewFile> = self
            .files
            .into_iter()
            .map(|(path, text)| NewFile::new(path, text))
            .collect();
        if self.bridge {
            files.push(NewFile::new(BRIDGE_PATH.to_owned(), BRIDGE.to_owned()));
        }
        files
    }
}
