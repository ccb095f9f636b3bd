//! Code of Nunjucks, evaluated for the values of a test: minijinja runs it, whose language is a
//! sister of the same Jinja2, and what Nunjucks does otherwise is done here or refused. Filters are
//! those of <https://mozilla.github.io/nunjucks/templating.html#builtin-filters> that stand below.

mod filters;
mod value;

use std::collections::BTreeSet;
use std::sync::LazyLock;

use minijinja::value::Value;
use minijinja::{Environment, Error, ErrorKind};
use serde_json::{Map, Value as Json};

use super::nunjucks::{self, js_text};
use crate::base::text;
use value::Fields;

const FUEL: u64 = 200_000;
const MOST_CHARACTERS: usize = 1_000_000;
/// Names that are none of a test's variables.
const OTHERS: [&str; 2] = ["env", "_conversation"];

static ENGINE: LazyLock<Environment<'static>> = LazyLock::new(filters::engine);

/// The text that a tag or block gives for the variables of a test.
///
/// # Errors
/// In words, when it is beyond what is known to give the same as Nunjucks.
pub fn evaluate(source: &str, vars: &Map<String, Json>) -> Result<String, String> {
    let prepared = prepared(source);
    let refused = |why: String| format!("`{}`: {why}", text::shorten(source, 80));
    if let Some(name) = names(source)
        .iter()
        .find(|name| OTHERS.contains(&name.as_str()))
    {
        return Err(refused(format!("`{name}` is no variable of a test")));
    }
    if prepared.contains("[-") {
        return Err(refused(
            "an index from the end is none in JavaScript".to_owned(),
        ));
    }
    if compares_a_list(&prepared, vars) {
        return Err(refused("it compares a list or a map".to_owned()));
    }
    let made = rendered(&prepared, vars).map_err(&refused)?;
    // JavaScript compares a text with a number as numbers: where that could matter, it is refused.
    if compares(source) {
        let has_text = source.contains(['"', '\'']);
        let changes = [as_numbers as fn(&Json) -> Json]
            .into_iter()
            .chain(has_text.then_some(as_texts as fn(&Json) -> Json));
        for change in changes {
            let each = vars
                .iter()
                .map(|(name, value)| (name.clone(), change(value)));
            let other: Map<String, Json> = each.collect();
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
    let template = ENGINE.template_from_str(&prepared).ok();
    let names = template.map(|template| template.undeclared_variables(false));
    let mut names: BTreeSet<String> = names.into_iter().flatten().collect();
    names.remove("range");
    names
}

fn rendered(source: &str, vars: &Map<String, Json>) -> Result<String, String> {
    let template = ENGINE
        .template_from_str(source)
        .map_err(|error| in_words(&error))?;
    let vars: Map<String, Json> = vars.clone();
    let made = template
        .render(Value::from_object(Fields(vars)))
        .map_err(|error| in_words(&error))?;
    if made.len() > MOST_CHARACTERS {
        return Err("it gives more than a million characters".to_owned());
    }
    Ok(made)
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
        (".length", "|length"),
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

/// A value with texts that are numbers or truths as such.
fn as_numbers(value: &Json) -> Json {
    each(value, &|value| match value {
        Json::String(text) => {
            let read = serde_json::from_str::<Json>(text).ok();
            let plain = read
                .filter(|read| (read.is_number() || read.is_boolean()) && js_text(read) == *text);
            plain.unwrap_or_else(|| value.clone())
        }
        other => other.clone(),
    })
}

/// A value with numbers and truths as texts.
fn as_texts(value: &Json) -> Json {
    each(value, &|value| match value {
        Json::Number(_) => js_text(value).into(),
        other => other.clone(),
    })
}

fn each(value: &Json, change: &dyn Fn(&Json) -> Json) -> Json {
    match value {
        Json::Array(items) => items.iter().map(|item| each(item, change)).collect(),
        Json::Object(fields) => {
            let fields = fields
                .iter()
                .map(|(key, field)| (key.clone(), each(field, change)));
            Json::Object(fields.collect())
        }
        other => change(other),
    }
}

#[cfg(test)]
mod tests;
