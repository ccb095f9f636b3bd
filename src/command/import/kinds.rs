//! What promptfoo's types of assertion mean, type by type
//! (<https://www.promptfoo.dev/docs/configuration/expected-outputs/deterministic/>).

use serde_json::{Map, Value as Json, json};

use super::assertion::{Converter, Outcome, Written};
use super::javascript::{self, Scorer};
use super::nunjucks::{self, Piece};
use super::pattern;
use super::scripts;
use crate::base::node::json_number;
use crate::base::{Node, Value};
use crate::score::assertion::catalogue;

/// A scorer of a type with these keys.
pub fn scorer(kind: &str, keys: &[(&str, Json)]) -> Scorer {
    let mut made = Map::new();
    made.insert("type".to_owned(), kind.into());
    for (key, value) in keys {
        made.insert((*key).to_owned(), value.clone());
    }
    made
}

/// Whether this program has a scorer of that type.
pub fn has(kind: &str) -> bool {
    catalogue::find(kind).is_some()
}

/// What an assertion becomes.
pub fn outcome(converter: &mut Converter<'_>, written: &Written<'_>) -> Outcome {
    let made = match written.kind {
        "equals" => equals(converter, written),
        "contains" | "icontains" | "starts-with" | "ends-with" => one_text(converter, written),
        "contains-all" | "contains-any" | "icontains-all" | "icontains-any" => {
            many_texts(converter, written)
        }
        "regex" => regex(converter, written),
        "is-json" | "contains-json" => json_of(converter, written),
        "is-xml" | "contains-xml" => xml(converter, written),
        "word-count" => word_count(written),
        "latency" => limit(written, "latency", "max_ms"),
        "cost" => limit(written, "cost", "max_usd"),
        "levenshtein" => levenshtein(converter, written),
        "rouge-n" | "bleu" | "gleu" => likeness(converter, written),
        "finish-reason" => finish(converter, written),
        "is-refusal" => Ok(Outcome::Differs(
            scorer("is-refusal", &[]),
            "our list of phrases that refuse is another".to_owned(),
        )),
        "is-valid-function-call"
        | "is-valid-openai-function-call"
        | "is-valid-openai-tools-call" => Ok(Outcome::Differs(
            scorer("is-valid-tool-call", &[]),
            "it needs the tools to stand in the prompt (`tools:`)".to_owned(),
        )),
        "tool-call-f1" => tool_calls(converter, written),
        "is-html" | "contains-html" | "is-sql" | "contains-sql" => ours_if_there(written),
        "javascript" => Ok(script(converter, written)),
        "python" => Ok(scripts::python(converter, written)),
        other => Err(nothing(other)),
    };
    made.unwrap_or_else(Outcome::Nothing)
}

fn nothing(kind: &str) -> String {
    let why = match kind {
        "perplexity" | "perplexity-score" => "probabilities of tokens are not read",
        "classifier" | "moderation" | "pi" | "guardrails" | "webhook" => {
            "it asks a service that is not spoken to: write an `exec` scorer"
        }
        "select-best" | "max-score" => {
            "versions are compared over all cases by `gate compare`, not case by case"
        }
        "human" => "a person's grade is no scorer: keep labels and run `gate calibrate`",
        "search-rubric" | "agent-rubric" => "a judge of ours has no tools",
        "meteor" => "there is no such scorer; `rouge-l` and `chrf` are near",
        "ruby" => "write it as an `exec` scorer",
        "skill-used" => "traces are not read",
        _ if kind.starts_with("trace-") || kind.starts_with("trajectory:") => "traces are not read",
        _ if kind.starts_with("similar") => {
            "write `similar` with a `model` that gives embeddings; cosine is the one distance"
        }
        _ if kind.contains("redteam") => "red teaming is not this tool's work",
        _ => return unknown(kind),
    };
    why.to_owned()
}

fn unknown(kind: &str) -> String {
    if super::types::ASSERTIONS.contains(&kind) {
        return "it has no counterpart".to_owned();
    }
    let known = super::types::ASSERTIONS.iter().copied();
    match crate::base::text::suggestion(kind, known) {
        Some(near) => format!("promptfoo knows no such type, did you mean `{near}`?"),
        None => "promptfoo knows no such type".to_owned(),
    }
}

fn ours_if_there(written: &Written<'_>) -> Result<Outcome, String> {
    if !has(written.kind) {
        return Err(format!("this program has no scorer `{}`", written.kind));
    }
    let why = "the parser is another".to_owned();
    Ok(Outcome::Differs(scorer(written.kind, &[]), why))
}

/// A template of the config with the values of the test filled in.
pub fn rendered(converter: &Converter<'_>, text: &str) -> Result<String, String> {
    let pieces = nunjucks::parse_code(text).map_err(|error| error.to_string())?;
    converter.note_code(&pieces);
    nunjucks::render(&pieces, converter.vars)
}

/// A text of the config as a text of a scorer: with references where the test has all the values
/// as text, else with the values filled in.
pub fn template(converter: &Converter<'_>, text: &str) -> Result<String, String> {
    let pieces = nunjucks::parse_code(text).map_err(|error| error.to_string())?;
    converter.note_code(&pieces);
    let plain = pieces.iter().all(|piece| match piece {
        Piece::Text(_) => true,
        Piece::Code(_) => false,
        Piece::Name(path) => {
            let found = nunjucks::find(path, converter.vars);
            found.is_some_and(|value| value.as_str().is_some_and(|text| !text.is_empty()))
        }
    });
    let template = nunjucks::to_scorer(&pieces).filter(|_| plain);
    match template {
        Some(template) => Ok(template),
        None => Ok(nunjucks::escape(&nunjucks::render(
            &pieces,
            converter.vars,
        )?)),
    }
}

/// The value of an assertion as text, its file read where it names one.
pub fn value_text(
    converter: &Converter<'_>,
    written: &Written<'_>,
) -> Result<Option<String>, String> {
    let Some(node) = written.get("value") else {
        return Ok(None);
    };
    match &node.value {
        Value::Text(text) => match text.strip_prefix("file://") {
            Some(path) if !is_program(path) => {
                let source = converter.files.read(path)?;
                Ok(Some(source.text.trim_end_matches('\n').to_owned()))
            }
            Some(_) => Err("its value is made by a program: write the value itself".to_owned()),
            None if text.starts_with("package:") => {
                Err("its value is made by a program: write the value itself".to_owned())
            }
            None => Ok(Some(text.clone())),
        },
        Value::Null => Ok(None),
        Value::Bool(_) | Value::Number(_) | Value::List(_) | Value::Map(_) => {
            Ok(Some(nunjucks::js_text(&node.to_json())))
        }
    }
}

fn is_program(path: &str) -> bool {
    let file = path.split(':').next().unwrap_or(path);
    let ending = file.rsplit_once('.').map(|(_, ending)| ending);
    let programs = ["js", "cjs", "mjs", "ts", "cts", "mts", "py", "rb"];
    ending.is_some_and(|ending| programs.contains(&ending))
}

const NO_VALUE: &str = "it has no `value`";

/// The value as a text of a scorer that is not empty.
fn needed(converter: &Converter<'_>, written: &Written<'_>) -> Result<String, String> {
    let text = value_text(converter, written)?.ok_or(NO_VALUE)?;
    let text = template(converter, &text)?;
    if text.is_empty() {
        return Err("its `value` is empty".to_owned());
    }
    Ok(text)
}

fn equals(converter: &Converter<'_>, written: &Written<'_>) -> Result<Outcome, String> {
    let node = written.get("value").ok_or(NO_VALUE)?;
    let value = match &node.value {
        Value::List(_) | Value::Map(_) => escaped(&node.to_json()),
        _ => {
            let text = value_text(converter, written)?.ok_or(NO_VALUE)?;
            template(converter, &text)?.into()
        }
    };
    Ok(Outcome::Same(scorer("equals", &[("value", value)])))
}

/// A JSON value whose texts are no templates of ours; promptfoo fills in none within maps.
fn escaped(value: &Json) -> Json {
    match value {
        Json::String(text) => nunjucks::escape(text).into(),
        Json::Array(items) => items.iter().map(escaped).collect(),
        Json::Object(fields) => {
            let fields = fields
                .iter()
                .map(|(key, value)| (key.clone(), escaped(value)));
            Json::Object(fields.collect())
        }
        Json::Null | Json::Bool(_) | Json::Number(_) => value.clone(),
    }
}

fn one_text(converter: &Converter<'_>, written: &Written<'_>) -> Result<Outcome, String> {
    let value = needed(converter, written)?;
    Ok(Outcome::Same(scorer(
        written.kind,
        &[("value", value.into())],
    )))
}

fn many_texts(converter: &Converter<'_>, written: &Written<'_>) -> Result<Outcome, String> {
    let node = written.get("value").ok_or(NO_VALUE)?;
    let texts: Vec<String> = match &node.value {
        Value::List(items) => items
            .iter()
            .map(|item| template(converter, &nunjucks::js_text(&item.to_json())))
            .collect::<Result<_, _>>()?,
        _ => {
            let text = value_text(converter, written)?.ok_or(NO_VALUE)?;
            let split = separated(&rendered(converter, &text)?)?;
            split.iter().map(|text| nunjucks::escape(text)).collect()
        }
    };
    if texts.is_empty() || texts.iter().any(String::is_empty) {
        return Err("one of its texts is empty".to_owned());
    }
    // All of them is a share here, and a share is no fail where scores are added up.
    if converter.weighed && written.kind.ends_with("-all") {
        let kind = if written.kind.starts_with('i') {
            "icontains"
        } else {
            "contains"
        };
        let each = |text: &String| Json::Object(scorer(kind, &[("value", text.as_str().into())]));
        let each: Vec<Json> = texts
            .iter()
            .map(each)
            .map(|made| json!({"type": format!("not-{kind}"), "value": made.get("value")}))
            .collect();
        // None of them is missing: one lack gives 0, as in promptfoo.
        let lacks = scorer("any-of", &[("scorers", each.into())]);
        return Ok(Outcome::Same(javascript::negate(lacks)));
    }
    Ok(Outcome::Same(scorer(
        written.kind,
        &[("value", json!(texts))],
    )))
}

/// Texts separated by commas, in double quotes where they hold one.
fn separated(text: &str) -> Result<Vec<String>, String> {
    let mut texts = Vec::new();
    let mut rest = text.trim_start_matches(|c: char| c.is_whitespace() || c == ',');
    while !rest.is_empty() {
        if let Some(quoted) = rest.strip_prefix('"') {
            let (field, after) = quoted_field(quoted)?;
            texts.push(field);
            rest = after.trim_start();
            if !rest.is_empty() && !rest.starts_with(',') {
                return Err("after a quoted text there is no comma".to_owned());
            }
        } else {
            let (field, after) = rest.split_once(',').unwrap_or((rest, ""));
            texts.push(field.trim().to_owned());
            rest = after;
        }
        rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == ',');
    }
    Ok(texts)
}

fn quoted_field(text: &str) -> Result<(String, &str), String> {
    let mut field = String::new();
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        match (c, chars.peek().map(|(_, c)| *c)) {
            ('\\', Some(next @ ('"' | '\\'))) | ('"', Some(next @ '"')) => {
                field.push(next);
                chars.next();
            }
            ('"', _) => return Ok((field, text.get(at + 1..).unwrap_or_default())),
            (c, _) => field.push(c),
        }
    }
    Err("a quoted text is not closed".to_owned())
}

fn regex(converter: &mut Converter<'_>, written: &Written<'_>) -> Result<Outcome, String> {
    let text = value_text(converter, written)?.ok_or(NO_VALUE)?;
    let source = rendered(converter, &text)?;
    if source.is_empty() {
        return Err("its `value` is empty".to_owned());
    }
    match pattern::translate(&source, "") {
        Ok(translated) => {
            let value = nunjucks::escape(&translated).into();
            Ok(Outcome::Same(scorer("regex", &[("value", value)])))
        }
        // The engine of the scorer `javascript` has look-around and back references.
        Err(_) if scripts::has_javascript() && regex_syntax_is_theirs(&source) => {
            let code = format!("new RegExp({}).test(output)", Json::String(source));
            Ok(Outcome::Same(scorer(
                "javascript",
                &[("value", code.into())],
            )))
        }
        Err(why) => Err(why),
    }
}

/// Whether a pattern uses what only JavaScript has.
fn regex_syntax_is_theirs(source: &str) -> bool {
    ["(?=", "(?!", "(?<=", "(?<!", "\\1", "\\2", "\\k<", "\\B"]
        .iter()
        .any(|sign| source.contains(sign))
}

fn json_of(converter: &Converter<'_>, written: &Written<'_>) -> Result<Outcome, String> {
    let schema = match written.get("value") {
        None => None,
        Some(node) => match &node.value {
            Value::Text(text) if text.trim().is_empty() => None,
            Value::Text(text) if text.starts_with("file://") => {
                Some(converter.files.document(text)?.1.to_json())
            }
            Value::Text(text) => Some(schema_text(&rendered(converter, text)?)?),
            _ => Some(node.to_json()),
        },
    };
    let keys: Vec<(&str, Json)> = schema
        .into_iter()
        .map(|schema| ("schema", schema))
        .collect();
    let made = scorer(written.kind, &keys);
    if written.kind == "contains-json" {
        let why = "promptfoo also takes loose JSON (comments, quotes left out) and objects alone";
        return Ok(Outcome::Differs(made, why.to_owned()));
    }
    Ok(Outcome::Same(made))
}

/// A schema written as text, JSON or YAML.
fn schema_text(text: &str) -> Result<Json, String> {
    let source = crate::base::Source::new("the schema", text);
    match crate::base::yaml::parse_foreign(&source) {
        Ok(node) => Ok(node.to_json()),
        Err(found) => Err(super::files::in_words(&found)),
    }
}

fn xml(converter: &Converter<'_>, written: &Written<'_>) -> Result<Outcome, String> {
    let listed = match written.get("value") {
        Some(node) if node.get("requiredElements").is_some() => node.get("requiredElements"),
        other => other,
    };
    let elements: Vec<String> = match listed.map(|node| &node.value) {
        None => Vec::new(),
        Some(Value::List(items)) => items
            .iter()
            .map(|i| nunjucks::js_text(&i.to_json()))
            .collect(),
        Some(_) => {
            let text = value_text(converter, written)?.unwrap_or_default();
            let text = rendered(converter, &text)?;
            let parts = text.split(',').map(|part| part.trim().to_owned());
            parts.filter(|part| !part.is_empty()).collect()
        }
    };
    let nested = elements.iter().any(|element| element.contains('.'));
    // A path asks for each of its elements; that they lie in one another is not asked.
    let mut names: Vec<&str> = elements.iter().flat_map(|path| path.split('.')).collect();
    names.retain(|name| !name.is_empty() && name.parse::<u32>().is_err());
    names.dedup();
    let keys: Vec<(&str, Json)> = if names.is_empty() {
        Vec::new()
    } else {
        vec![("elements", json!(names))]
    };
    let made = scorer(written.kind, &keys);
    Ok(if nested {
        let why = "the elements of a path are asked for, not that they lie in one another";
        Outcome::Differs(made, why.to_owned())
    } else {
        Outcome::Same(made)
    })
}

fn word_count(written: &Written<'_>) -> Result<Outcome, String> {
    let node = written.get("value").ok_or(NO_VALUE)?;
    let whole = |node: &Node| match &node.value {
        Value::Number(number) if number.fract() == 0.0 && *number >= 0.0 => {
            Some(json_number(*number))
        }
        Value::Text(text) => text.trim().parse::<u64>().ok().map(Json::from),
        _ => None,
    };
    let wrong = || "its `value` is no number of words".to_owned();
    let (min, max) = match &node.value {
        Value::Map(_) => {
            let bound = |key: &str| match node.get(key) {
                None => Ok(None),
                Some(node) => whole(node).map(Some).ok_or_else(wrong),
            };
            (bound("min")?, bound("max")?)
        }
        _ => {
            let number = whole(node).ok_or_else(wrong)?;
            (Some(number.clone()), Some(number))
        }
    };
    let keys: Vec<(&str, Json)> = [("min", min), ("max", max)]
        .into_iter()
        .filter_map(|(key, bound)| Some((key, bound?)))
        .collect();
    if keys.is_empty() {
        return Err(wrong());
    }
    Ok(Outcome::Same(scorer("word-count", &keys)))
}

fn limit(written: &Written<'_>, kind: &str, key: &str) -> Result<Outcome, String> {
    let most = written.number("threshold").ok_or("it has no `threshold`")?;
    if most < 0.0 {
        return Err("its `threshold` is below 0".to_owned());
    }
    Ok(Outcome::Same(scorer(kind, &[(key, json_number(most))])))
}

/// A distance in characters becomes a share of the text's length: the same for answers that are
/// not longer than the text.
fn levenshtein(converter: &Converter<'_>, written: &Written<'_>) -> Result<Outcome, String> {
    let text = value_text(converter, written)?.ok_or(NO_VALUE)?;
    let length = rendered(converter, &text)?.chars().count();
    let most = written.number("threshold").unwrap_or(5.0);
    let value = template(converter, &text)?;
    if length == 0 {
        return Err("its `value` is empty".to_owned());
    }
    let share = (1.0 - most.floor() / length as f64).clamp(0.0, 1.0);
    // Rounded down, so that the distance itself still passes.
    let share = (share * 1e6).floor() / 1e6;
    let made = scorer(
        "levenshtein",
        &[("value", value.into()), ("threshold", json!(share))],
    );
    let why = format!(
        "a distance of {most} is a likeness of {share} here; longer answers may be further off"
    );
    Ok(Outcome::Differs(made, why))
}

fn likeness(converter: &Converter<'_>, written: &Written<'_>) -> Result<Outcome, String> {
    let default = if written.kind == "rouge-n" { 0.75 } else { 0.5 };
    let threshold = written.number("threshold").unwrap_or(default);
    if !(0.0..=1.0).contains(&threshold) {
        return Err(format!("its threshold {threshold} is not from 0 to 1"));
    }
    let value = match written.get("value").map(|node| &node.value) {
        Some(Value::List(items)) => {
            let texts = items.iter().filter_map(Node::as_text);
            let texts: Vec<String> = texts
                .map(|text| template(converter, text))
                .collect::<Result<_, _>>()?;
            json!(texts)
        }
        _ => needed(converter, written)?.into(),
    };
    let made = scorer(
        written.kind,
        &[("value", value), ("threshold", json!(threshold))],
    );
    let why = "words are told apart, and runs smoothed, in another way: scores differ a little";
    Ok(Outcome::Differs(made, why.to_owned()))
}

fn finish(converter: &Converter<'_>, written: &Written<'_>) -> Result<Outcome, String> {
    let text = value_text(converter, written)?.ok_or(NO_VALUE)?;
    let value = match rendered(converter, &text)?.as_str() {
        "stop" => "stop",
        "length" => "length",
        "content_filter" => "filtered",
        "tool_calls" | "function_call" => "tool",
        other => return Err(format!("`{other}` is no reason to stop that is told apart")),
    };
    Ok(Outcome::Same(scorer(
        "finish-reason",
        &[("value", value.into())],
    )))
}

fn tool_calls(converter: &Converter<'_>, written: &Written<'_>) -> Result<Outcome, String> {
    let node = written.get("value").ok_or(NO_VALUE)?;
    let names: Json = match &node.value {
        Value::List(_) => node.to_json(),
        _ => {
            let text = value_text(converter, written)?.ok_or(NO_VALUE)?;
            json!(separated(&rendered(converter, &text)?)?)
        }
    };
    let threshold = written.number("threshold").unwrap_or(1.0);
    let made = scorer(
        "tool-call-f1",
        &[("value", names), ("threshold", json!(threshold))],
    );
    Ok(Outcome::Same(made))
}

/// JavaScript: a declarative check where the meaning is the same, else the sandboxed program.
fn script(converter: &mut Converter<'_>, written: &Written<'_>) -> Outcome {
    let Some(code) = written.get("value").and_then(Node::as_text) else {
        return Outcome::Nothing(NO_VALUE.to_owned());
    };
    if code.starts_with("file://") || code.starts_with("package:") {
        return scripts::javascript_file(converter, written, code);
    }
    let threshold = written.number("threshold");
    if let Ok(translated) = javascript::translate(code)
        && referenced(converter, code)
    {
        let made = if converter.weighed {
            javascript::without_shares(translated.scorer)
        } else {
            translated.scorer
        };
        return match translated.caveat {
            Some(why) => Outcome::Differs(made, why.to_owned()),
            None => Outcome::Same(made),
        };
    }
    scripts::javascript(converter, written, code, threshold)
}

/// Whether the test has as text every value that the code names.
fn referenced(converter: &Converter<'_>, code: &str) -> bool {
    let translated = javascript::translate(code).map(|made| Json::Object(made.scorer).to_string());
    let Ok(text) = translated else { return false };
    text.split("{{vars.").skip(1).all(|after| {
        let name = after.split("}}").next().unwrap_or_default();
        let path: Vec<String> = name.split('.').map(str::to_owned).collect();
        nunjucks::find(&path, converter.vars)
            .is_some_and(|value| value.as_str().is_some_and(|text| !text.is_empty()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_texts_as_promptfoo_does() {
        assert_eq!(separated("a, b ,,c").unwrap(), ["a", "b", "c"]);
        assert_eq!(
            separated("\"a, b\", \"say \"\"x\"\"\", c\\d").unwrap(),
            ["a, b", "say \"x\"", "c\\d"]
        );
        assert!(separated("\"a").is_err());
        assert!(separated("\"a\" b").is_err());
        assert!(separated("").unwrap().is_empty());
    }
}
