//! Code of Nunjucks, evaluated for the values of a test: minijinja runs it, whose language is a
//! sister of the same Jinja2, and what Nunjucks does otherwise is done here or refused. Filters are
//! those of <https://mozilla.github.io/nunjucks/templating.html#builtin-filters> that stand below.

mod changed;
mod filters;
mod otherwise;
mod value;

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::sync::LazyLock;

use minijinja::value::Value;
use minijinja::{Environment, Error, ErrorKind, UndefinedBehavior};
use serde_json::{Map, Value as Json};

use self::changed::{as_numbers, as_texts, empty_as_zero, without_nothing, zero_as_text};
use super::nunjucks::{self, js_text};
use crate::base::text;
use filters::engine;
use value::{Fields, refuse};

/// Below it JavaScript has every whole number, and writes it out.
const MOST_EXACT: f64 = 1e15;
const FUEL: u64 = 200_000;
const MOST_CHARACTERS: usize = 1_000_000;
const TOO_LONG: &str = "it gives more than a million characters";
/// Names that are none of a test's variables.
const OTHERS: [&str; 2] = ["env", "_conversation"];

static ENGINE: LazyLock<Environment<'static>> =
    LazyLock::new(|| engine(UndefinedBehavior::Chainable));
/// For `~`, which writes what is not there as `undefined` in JavaScript.
static STRICT: LazyLock<Environment<'static>> =
    LazyLock::new(|| engine(UndefinedBehavior::SemiStrict));

/// The text that a tag or block gives for the variables of a test.
///
/// # Errors
/// In words, when it is beyond what is known to give the same as Nunjucks.
pub fn evaluate(source: &str, vars: &Map<String, Json>) -> Result<String, String> {
    if otherwise::is_deep(source) {
        let source = text::shorten(source, 80);
        return Err(format!("`{source}`: it has too many parts"));
    }
    let prepared = prepared(source);
    let refused = |why: String| format!("`{}`: {why}", text::shorten(source, 80));
    let names = names(source);
    if let Some(name) = names.iter().find(|name| OTHERS.contains(&name.as_str())) {
        return Err(refused(format!("`{name}` is no variable of a test")));
    }
    if let Some(why) = otherwise::refusal(source, &names, vars) {
        return Err(refused(why.to_owned()));
    }
    if compares_a_list(&prepared, vars) {
        return Err(refused("it compares a list or a map".to_owned()));
    }
    let made = rendered(&prepared, vars).map_err(&refused)?;
    // JavaScript compares a text with a number as numbers: where that could matter, it is refused.
    if compares(source) {
        let has_text = source.contains(['"', '\'']);
        let has_empty = source.contains("\"\"") || source.contains("''");
        let changes = [as_numbers as fn(&Json) -> Json, without_nothing]
            .into_iter()
            .chain(has_text.then_some(as_texts as fn(&Json) -> Json))
            .chain([if has_empty {
                zero_as_text
            } else {
                empty_as_zero
            }]);
        for change in changes {
            let Json::Object(other) = change(&vars.clone().into()) else {
                continue;
            };
            if other != *vars && rendered(&prepared, &other).ok().as_ref() != Some(&made) {
                return Err(refused("it compares a text with a number".to_owned()));
            }
        }
    }
    Ok(made)
}

/// The variables that a tag or block takes from outside.
#[must_use]
pub fn names(source: &str) -> BTreeSet<String> {
    let prepared = prepared(source);
    let template = (!otherwise::is_deep(source))
        .then(|| ENGINE.template_from_str(&prepared).ok())
        .flatten();
    let names = template.map(|template| template.undeclared_variables(false));
    let mut names: BTreeSet<String> = names.into_iter().flatten().collect();
    names.remove("range");
    names
}

fn rendered(source: &str, vars: &Map<String, Json>) -> Result<String, String> {
    let engine = if source.contains('~') {
        &STRICT
    } else {
        &ENGINE
    };
    let template = engine
        .template_from_str(source)
        .map_err(|error| in_words(&error))?;
    let vars = Value::from_object(Fields(vars.clone()));
    let mut made = Bounded::default();
    let ended = template.render_captured_to(vars, &mut made).map(drop);
    if made.is_full {
        return Err(TOO_LONG.to_owned());
    }
    ended.map_err(|error| in_words(&error))?;
    String::from_utf8(made.bytes).map_err(|error| error.to_string())
}

/// Takes text as far as it is not too long, so that a loop can not fill the memory.
#[derive(Default)]
struct Bounded {
    bytes: Vec<u8>,
    is_full: bool,
}

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.is_full |= self.bytes.len() + bytes.len() > MOST_CHARACTERS;
        if self.is_full {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A text that a filter made, which others may make longer still.
fn bounded(text: String) -> Result<String, Error> {
    if text.len() > MOST_CHARACTERS {
        return Err(refuse(TOO_LONG));
    }
    Ok(text)
}

fn in_words(error: &Error) -> String {
    let detail = error.detail().unwrap_or_default();
    match error.kind() {
        ErrorKind::UnknownFilter => {
            let name = detail.split_whitespace().nth(1).unwrap_or("?");
            format!("the filter `{name}` has no counterpart")
        }
        ErrorKind::SyntaxError => format!("it is not read: {detail}"),
        ErrorKind::OutOfFuel => "it runs too long".to_owned(),
        kind if detail.is_empty() => kind.to_string(),
        _ => detail.to_owned(),
    }
}

/// The source with what Nunjucks spells otherwise: `===`, `elseif`, `.length`.
fn prepared(source: &str) -> String {
    const SPELLINGS: [(&str, &str); 4] = [
        ("===", "=="),
        ("!==", "!="),
        ("elseif", "elif"),
        (".length", "|_length"),
    ];
    let mut made = String::with_capacity(source.len());
    let (mut in_tag, mut quote) = (false, None);
    let mut rest = source;
    while let Some(c) = rest.chars().next() {
        let mut taken = c.len_utf8();
        let before = made.chars().next_back();
        match quote {
            _ if !in_tag => in_tag = rest.starts_with("{{") || rest.starts_with("{%"),
            Some(open) if c == open && before != Some('\\') => quote = None,
            Some(_) => {}
            None if c == '"' || c == '\'' => quote = Some(c),
            None if rest.starts_with("}}") || rest.starts_with("%}") => in_tag = false,
            None => {
                let follows = |word: &str| {
                    rest.get(word.len()..)
                        .and_then(|after| after.chars().next())
                };
                let ends = |word: &str| {
                    !follows(word).is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '(')
                };
                let spelling = SPELLINGS.iter().find(|(theirs, _)| {
                    let word = theirs.ends_with(char::is_alphabetic);
                    let own = *theirs == ".length" && made.ends_with("loop");
                    rest.starts_with(theirs) && (!word || ends(theirs)) && !own
                });
                if let Some((theirs, ours)) = spelling {
                    made.push_str(ours);
                    rest = rest.get(theirs.len()..).unwrap_or_default();
                    continue;
                }
            }
        }
        // Both signs of a tag's beginning are taken at once.
        if in_tag && quote.is_none() && (rest.starts_with("{{") || rest.starts_with("{%")) {
            taken = 2;
        }
        made.push_str(rest.get(..taken).unwrap_or_default());
        rest = rest.get(taken..).unwrap_or_default();
    }
    made
}

/// Whether a source compares in a way that makes numbers of texts; `===` does not.
fn compares(source: &str) -> bool {
    let source = source.replace("===", "").replace("!==", "");
    ["==", "!=", "<", ">", " in "]
        .iter()
        .any(|sign| source.contains(sign))
}

/// Whether a list or a map stands beside `==` or `!=`: JavaScript makes a text of it first.
fn compares_a_list(source: &str, vars: &Map<String, Json>) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_' || c == '.';
    let is_list = |name: &str| {
        let path: Vec<String> = name.split('.').map(str::to_owned).collect();
        let found = nunjucks::find(&path, vars);
        found.is_some_and(|value| value.is_array() || value.is_object())
    };
    let signs = source.match_indices("==").chain(source.match_indices("!="));
    signs.into_iter().any(|(at, sign)| {
        let before = source.get(..at).unwrap_or_default().trim_end();
        let after = source
            .get(at + sign.len()..)
            .unwrap_or_default()
            .trim_start();
        let before = before.rsplit(|c| !part(c)).next().unwrap_or_default();
        let after = after.split(|c| !part(c)).next().unwrap_or_default();
        is_list(before) || is_list(after)
    })
}

#[cfg(test)]
mod tests;
