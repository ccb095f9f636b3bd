//! Code of Nunjucks, evaluated for the values of a test: minijinja runs it, whose language is a
//! sister of the same Jinja2, and what Nunjucks does otherwise is done here or refused. Filters are
//! those of <https://mozilla.github.io/nunjucks/templating.html#builtin-filters> that stand below.

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};

use minijinja::value::{Enumerator, Object, ObjectRepr, Rest, Value, ValueKind};
use minijinja::{Environment, Error, ErrorKind, Output, State, UndefinedBehavior};
use serde_json::{Map, Value as Json};

use super::nunjucks::{self, js_text};
use crate::base::text;

const FUEL: u64 = 200_000;
const MOST_CHARACTERS: usize = 1_000_000;
/// Names that are none of a test's variables.
const OTHERS: [&str; 2] = ["env", "_conversation"];

static ENGINE: LazyLock<Environment<'static>> = LazyLock::new(engine);

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

/// A list, which is true even where it is empty, as in JavaScript.
#[derive(Debug)]
struct List(Vec<Json>);

impl Object for List {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Seq
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.0.get(key.as_usize()?).map(value_of)
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Seq(self.0.len())
    }

    fn is_true(self: &Arc<Self>) -> bool {
        true
    }
}

/// A map, which is true even where it is empty, and over which no loop goes.
#[derive(Debug)]
struct Fields(Map<String, Json>);

impl Object for Fields {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.0.get(key.as_str()?).map(value_of)
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::NonEnumerable
    }

    fn is_true(self: &Arc<Self>) -> bool {
        true
    }
}

fn value_of(json: &Json) -> Value {
    match json {
        Json::Array(items) => Value::from_object(List(items.clone())),
        Json::Object(fields) => Value::from_object(Fields(fields.clone())),
        Json::Null => Value::from(()),
        Json::Bool(truth) => Value::from(*truth),
        Json::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => Value::from(whole),
            (None, float) => Value::from(float.unwrap_or(f64::NAN)),
        },
        Json::String(text) => Value::from(text.as_str()),
    }
}

/// A value as JSON; a map of the template's own has none.
fn json_of(value: &Value) -> Result<Json, Error> {
    if let Some(Fields(fields)) = value.downcast_object_ref() {
        return Ok(fields.clone().into());
    }
    match value.kind() {
        ValueKind::Undefined | ValueKind::None => Ok(Json::Null),
        ValueKind::Seq => value.try_iter()?.map(|item| json_of(&item)).collect(),
        ValueKind::Bool | ValueKind::Number | ValueKind::String => {
            serde_json::to_value(value).map_err(|error| refuse(&error.to_string()))
        }
        kind => Err(refuse(&format!("a value of kind {kind} is not printed"))),
    }
}

fn refuse(why: &str) -> Error {
    Error::new(ErrorKind::InvalidOperation, why.to_owned())
}

/// A value as `String()` of JavaScript has it.
fn printed(value: &Value) -> Result<String, Error> {
    match json_of(value)? {
        Json::Object(_) => Err(refuse("it prints a map")),
        Json::Number(number) => {
            let float = number
                .as_f64()
                .filter(|float| float.fract() == 0.0 && float.abs() < 1e15);
            Ok(float.map_or_else(|| number.to_string(), |float| format!("{float:.0}")))
        }
        Json::Array(items) => {
            let items = items.iter().map(|item| printed(&value_of(item)));
            Ok(items.collect::<Result<Vec<_>, _>>()?.join(","))
        }
        other => Ok(js_text(&other)),
    }
}

/// The text that a filter is given; nothing is an empty one.
fn given(value: &Value) -> Result<String, Error> {
    match value.as_str() {
        Some(text) => Ok(text.to_owned()),
        None if value.is_undefined() || value.is_none() => Ok(String::new()),
        None => Err(refuse("a filter of texts is given another value")),
    }
}

fn items(value: &Value) -> Result<Vec<Value>, Error> {
    match value.kind() {
        ValueKind::Seq => Ok(value.try_iter()?.collect()),
        _ => Err(refuse("a filter of lists is given another value")),
    }
}

fn engine() -> Environment<'static> {
    let mut engine = Environment::empty();
    engine.set_undefined_behavior(UndefinedBehavior::Chainable);
    engine.set_fuel(Some(FUEL));
    engine.set_recursion_limit(50);
    engine.set_formatter(
        |output: &mut Output<'_>, _: &mut State<'_, '_>, value: &Value| {
            output.write_str(&printed(value)?).map_err(Error::from)
        },
    );
    add_texts(&mut engine);
    add_lists(&mut engine);
    add_numbers(&mut engine);
    engine.add_filter("default", or_default);
    engine.add_filter("d", or_default);
    engine.add_filter("safe", |value: Value| value);
    engine.add_filter("dump", dump);
    engine.add_test("defined", |value: &Value| !value.is_undefined());
    engine.add_test("undefined", |value: &Value| value.is_undefined());
    engine.add_test("string", |value: &Value| value.as_str().is_some());
    engine.add_test("number", |value: &Value| value.is_number());
    engine
}

fn or_default(value: Value, default: Value, falsy: Option<bool>) -> Value {
    let absent = value.is_undefined() || (falsy == Some(true) && !value.is_true());
    if absent { default } else { value }
}

/// `JSON.stringify`, with the keys of maps in order.
fn dump(value: &Value, indent: Option<usize>) -> Result<String, Error> {
    let json = json_of(value)?;
    let Some(width) = indent.filter(|width| *width > 0) else {
        return Ok(json.to_string());
    };
    let pad = " ".repeat(width.min(10));
    let formatter = serde_json::ser::PrettyFormatter::with_indent(pad.as_bytes());
    let mut bytes = Vec::new();
    let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, formatter);
    serde::Serialize::serialize(&json, &mut serializer)
        .map_err(|error| refuse(&error.to_string()))?;
    String::from_utf8(bytes).map_err(|error| refuse(&error.to_string()))
}

fn add_texts(engine: &mut Environment<'static>) {
    engine.add_filter("upper", |value: &Value| {
        Ok::<_, Error>(given(value)?.to_uppercase())
    });
    engine.add_filter("lower", |value: &Value| {
        Ok::<_, Error>(given(value)?.to_lowercase())
    });
    engine.add_filter("trim", |value: &Value| {
        Ok::<_, Error>(given(value)?.trim().to_owned())
    });
    engine.add_filter("capitalize", |value: &Value| {
        Ok::<_, Error>(capitalized(&given(value)?))
    });
    engine.add_filter("title", |value: &Value| {
        let text = given(value)?;
        let words: Vec<String> = text.split(' ').map(capitalized).collect();
        Ok::<_, Error>(words.join(" "))
    });
    engine.add_filter("nl2br", |value: &Value| {
        let text = given(value)?.replace("\r\n", "\n");
        Ok::<_, Error>(text.replace('\n', "<br />\n"))
    });
    engine.add_filter("string", |value: &Value| printed(value));
    engine.add_filter("escape", |value: &Value| {
        Ok::<_, Error>(escaped(&printed(value)?))
    });
    engine.add_filter("e", |value: &Value| {
        Ok::<_, Error>(escaped(&printed(value)?))
    });
    engine.add_filter(
        "replace",
        |value: &Value, from: &str, to: &Value, rest: Rest<Value>| {
            if from.is_empty() || !rest.is_empty() {
                return Err(refuse("`replace` takes two texts, the first not empty"));
            }
            Ok(given(value)?.replace(from, &printed(to)?))
        },
    );
}

fn capitalized(text: &str) -> String {
    let lower = text.to_lowercase();
    let mut chars = lower.chars();
    let first = chars.next().map(|c| c.to_uppercase().to_string());
    first.unwrap_or_default() + chars.as_str()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('`', "&#96;")
        .replace('\\', "&#92;")
}

fn add_lists(engine: &mut Environment<'static>) {
    engine.add_filter("length", |value: &Value| {
        if let Some(Fields(fields)) = value.downcast_object_ref() {
            return Ok(fields.len());
        }
        match (value.as_str(), value.kind()) {
            // The units of UTF-16 are what JavaScript counts.
            (Some(text), _) => Ok(text.encode_utf16().count()),
            (None, ValueKind::Undefined | ValueKind::None) => Ok(0),
            (None, _) => Ok(items(value)?.len()),
        }
    });
    engine.add_filter(
        "join",
        |value: &Value, between: Option<&str>, key: Option<&str>| {
            let texts = items(value)?.into_iter().map(|item| match key {
                Some(key) => printed(&item.get_attr(key)?),
                None => printed(&item),
            });
            Ok::<_, Error>(
                texts
                    .collect::<Result<Vec<_>, _>>()?
                    .join(between.unwrap_or_default()),
            )
        },
    );
    engine.add_filter("first", |value: &Value| {
        Ok::<_, Error>(items(value)?.into_iter().next().unwrap_or_default())
    });
    engine.add_filter("last", |value: &Value| {
        Ok::<_, Error>(items(value)?.into_iter().next_back().unwrap_or_default())
    });
    engine.add_filter("reverse", |value: &Value| match value.as_str() {
        Some(text) => Ok(Value::from(text.chars().rev().collect::<String>())),
        None => Ok::<_, Error>(items(value)?.into_iter().rev().collect()),
    });
    engine.add_function(
        "range",
        |first: i64, last: Option<i64>, step: Option<i64>| {
            let (first, last) = last.map_or((0, first), |last| (first, last));
            let step = step.unwrap_or(1);
            if step < 1 || last.saturating_sub(first) > 10_000 {
                return Err(refuse(
                    "`range` goes upwards, over ten thousand numbers at most",
                ));
            }
            let step = usize::try_from(step).unwrap_or(1);
            Ok((first..last)
                .step_by(step)
                .map(Json::from)
                .map(|number| value_of(&number))
                .collect::<Vec<_>>())
        },
    );
}

fn add_numbers(engine: &mut Environment<'static>) {
    let number = |value: &Value| {
        let float = f64::try_from(value.clone());
        float.map_err(|_| refuse("a filter of numbers is given another value"))
    };
    let made = |float: f64| value_of(&crate::base::node::json_number(float));
    engine.add_filter("abs", move |value: &Value| {
        Ok::<_, Error>(made(number(value)?.abs()))
    });
    engine.add_filter(
        "round",
        move |value: &Value, digits: Option<i32>, way: Option<&str>| {
            let scale = 10_f64.powi(digits.unwrap_or(0).clamp(0, 12));
            let scaled = number(value)? * scale;
            let rounded = match way.unwrap_or("common") {
                "ceil" => scaled.ceil(),
                "floor" => scaled.floor(),
                // `Math.round`: a half goes up.
                _ => (scaled + 0.5).floor(),
            };
            Ok::<_, Error>(made(rounded / scale))
        },
    );
}

#[cfg(test)]
mod tests;
