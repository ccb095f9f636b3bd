//! Code that minijinja takes and Nunjucks means otherwise, or that would take memory without end: seen
//! in the words and signs of its tags, and refused.

use std::collections::BTreeSet;

use serde_json::{Map, Value as Json};

use super::super::nunjucks;

/// Characters that code may copy about, at most: what its variables hold, for each sign that joins.
const MOST_COPIED: usize = 50_000_000;
/// Words and signs in one tag, and tags in one piece of code: each may be read a level deeper.
const MOST_IN_A_TAG: usize = 200;
const MOST_BRANCHES: usize = 100;
/// What a loop of Nunjucks knows of itself.
const OF_A_LOOP: [&str; 7] = [
    "index",
    "index0",
    "revindex",
    "revindex0",
    "first",
    "last",
    "length",
];

/// Whether code is so long that it can not be read within the stack.
pub(super) fn is_deep(source: &str) -> bool {
    let tags = tags(source);
    let branches = tags.iter().filter(|tag| tag.starts_with("el"));
    let words = |tag: &String| {
        let signs = tag.chars().filter(|c| !is_part(*c) && *c != ' ').count();
        signs + tag.matches('.').count() + tag.split_whitespace().count()
    };
    branches.count() > MOST_BRANCHES || tags.iter().any(|tag| words(tag) > MOST_IN_A_TAG)
}

/// Why code is not evaluated, where it is not; `names` are the variables that it takes.
pub(super) fn refusal(
    source: &str,
    names: &BTreeSet<String>,
    vars: &Map<String, Json>,
) -> Option<&'static str> {
    let tags = tags(source);
    let mut held = Held::default();
    for value in names.iter().filter_map(|name| vars.get(name)) {
        held.add(value);
    }
    let joins = source.matches(['~', '+', ',']).count();
    if held.characters.saturating_mul(joins + 1) > MOST_COPIED {
        return Some("it joins too much");
    }
    tags.iter().find_map(|tag| {
        in_words(tag)
            .or_else(|| in_signs(tag, &held))
            .or_else(|| in_comparisons(tag, names, vars))
    })
}

/// The insides of tags, with nothing within quotes but the signs of escapes that the two read
/// differently.
fn tags(source: &str) -> Vec<String> {
    let mut tags = Vec::new();
    let mut rest = source;
    while let Some(at) = nunjucks::next_tag(rest) {
        let mut tag = String::new();
        let mut quote = None;
        let whole = rest.get(at..).unwrap_or_default();
        let comment = || {
            Some(
                whole
                    .strip_prefix("{#")?
                    .find("#}")
                    .map_or(whole.len(), |end| end + 4),
            )
        };
        let raw = || Some(nunjucks::raw_block(whole)?.0);
        if let Some(length) = comment().or_else(raw) {
            rest = whole.get(length..).unwrap_or_default();
            continue;
        }
        let inside = rest.get(at + 2..).unwrap_or_default();
        let mut chars = inside.char_indices().peekable();
        let mut end = rest.len();
        while let Some((index, c)) = chars.next() {
            let next = chars.peek().map(|(_, next)| *next);
            match quote {
                Some(_) if c == '\\' => {
                    chars.next();
                    if !next.is_some_and(|next| "ntr\\'\"".contains(next)) {
                        tag.push('\\');
                    }
                }
                Some(open) if c == open => {
                    quote = None;
                    tag.push(c);
                }
                Some(_) => {}
                None if matches!((c, next), ('}' | '%', Some('}'))) => {
                    end = at + 2 + index + 2;
                    break;
                }
                None => {
                    quote = (c == '"' || c == '\'').then_some(c);
                    tag.push(c);
                }
            }
        }
        tags.push(tag.trim_matches('-').trim().to_owned());
        rest = rest.get(end..).unwrap_or_default();
    }
    tags
}

fn is_part(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '.'
}

/// Words that are none in JavaScript, and numbers that Nunjucks does not read.
fn in_words(tag: &str) -> Option<&'static str> {
    for word in tag.split(|c| !is_part(c)).filter(|word| !word.is_empty()) {
        let mut fields = word.split('.');
        let first = fields.next().unwrap_or_default();
        let is_number = first.starts_with(|c: char| c.is_ascii_digit());
        let mut fields = fields.peekable();
        if ["True", "False", "None", "recursive"].contains(&word) {
            return Some("`True`, `False`, `None` and `recursive` are no words of Nunjucks");
        }
        if is_number && (word.len() > 15 || !word.bytes().all(|b| b.is_ascii_digit() || b == b'.'))
        {
            return Some("a number that is not written in up to 15 digits");
        }
        if first == "loop"
            && fields
                .peek()
                .is_some_and(|field| !OF_A_LOOP.contains(field))
        {
            return Some("`loop` has no such field");
        }
        if !is_number && fields.any(|field| field.starts_with(|c: char| c.is_ascii_digit())) {
            return Some("an index after a point is none in Nunjucks");
        }
    }
    None
}

/// Signs that mean something else for some values.
fn in_signs(tag: &str, held: &Held) -> Option<&'static str> {
    let has = |sign: char| tag.contains(sign);
    let word = |wanted: &str| tag.split(|c| !is_part(c)).any(|word| word == wanted);
    // A list that is made of variables could be made of lists that are, and so on.
    let over = tag
        .strip_prefix("for ")
        .and_then(|rest| rest.split_once(" in "));
    let over = over.map(|(_, over)| over.replace("range(", ""));
    let is_made = |over: &str| {
        over.contains(['[', '(', '{', '~', '+', '*'])
            && over.contains(|c: char| c.is_alphabetic() || "\"'".contains(c))
    };
    if over.is_some_and(|over| is_made(&over) || word("if")) {
        return Some("a loop goes over a variable, all of it");
    }
    if has('\\') {
        return Some("an escape in a text that Nunjucks reads otherwise");
    }
    if has(':') {
        return Some("a part of a list, or a map, is made");
    }
    if tag.contains("**") {
        return Some("`**` counts otherwise in JavaScript");
    }
    if has('*') && (held.text || has('"') || has('\'')) {
        return Some("`*` stands where a text could be multiplied");
    }
    let below_zero = has('-') || held.below_zero;
    if (has('%') || has('[')) && below_zero {
        return Some("`%` and an index mean something else below zero");
    }
    if has('~') {
        let fractions = held.fraction && tag.contains(['+', '*', '/', '.']);
        let literal = ["true", "false", "none"].into_iter().any(word);
        if held.word || literal || fractions || has('/') || point_in_a_number(tag) {
            return Some("`~` joins what the two write differently");
        }
    }
    None
}

fn point_in_a_number(tag: &str) -> bool {
    let words = tag.split(|c| !is_part(c));
    let mut numbers = words.filter(|word| word.starts_with(|c: char| c.is_ascii_digit()));
    numbers.any(|number| number.contains('.'))
}

/// What stands beside a sign of comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Text,
    Number,
    /// A list, a map, a truth, or nothing at all.
    Other,
    /// What is computed.
    Unknown,
}

/// Comparisons that JavaScript decides in a way of its own.
fn in_comparisons(
    tag: &str,
    names: &BTreeSet<String>,
    vars: &Map<String, Json>,
) -> Option<&'static str> {
    let side = |word: &str, quoted: bool| {
        let path: Vec<String> = word.split('.').map(str::to_owned).collect();
        let root = path.first().map(String::as_str).unwrap_or_default();
        if quoted {
            return Side::Text;
        }
        if root.starts_with(|c: char| c.is_ascii_digit()) {
            return Side::Number;
        }
        if path.last().is_some_and(|field| field == "length") && path.len() > 1 {
            return Side::Number;
        }
        match nunjucks::find(&path, vars).filter(|_| names.contains(root)) {
            // One that is a number is tried as such, too.
            Some(Json::String(text)) if text.trim().parse::<f64>().is_ok() => Side::Unknown,
            Some(Json::String(_)) => Side::Text,
            Some(Json::Number(_)) => Side::Number,
            Some(_) => Side::Other,
            None if names.contains(root) => Side::Other,
            None => Side::Unknown,
        }
    };
    let equals = tag.contains("==") || tag.contains("!=");
    let nothing = |word: &str| word == "none" || word == "null";
    if equals && tag.split(|c| !is_part(c)).any(nothing) {
        return Some("it compares with nothing");
    }
    let mut comparisons = 0_usize;
    for (at, _) in tag.match_indices(['<', '>']) {
        comparisons += 1;
        let before = tag.get(..at).unwrap_or_default().trim_end();
        let after = tag.get(at + 1..).unwrap_or_default();
        let after = after.trim_start_matches('=').trim_start();
        let is_quote = |c: char| c == '"' || c == '\'';
        let left = before.rsplit(|c| !is_part(c)).next().unwrap_or_default();
        let right = after.split(|c| !is_part(c)).next().unwrap_or_default();
        let filtered = before.trim_end_matches(is_part).trim_end().ends_with('|');
        let left = if filtered {
            Side::Unknown
        } else {
            side(left, before.ends_with(is_quote))
        };
        let right = side(right, after.starts_with(is_quote));
        match (left, right) {
            (Side::Other, _)
            | (_, Side::Other)
            | (Side::Text, Side::Number)
            | (Side::Number, Side::Text) => {
                return Some("it compares what is neither two numbers nor two texts");
            }
            _ => {}
        }
    }
    let begun = tag.trim_start_matches("if ").trim_start_matches("elif ");
    let between = begun
        .split(|c| !is_part(c))
        .filter(|word| ["and", "or", "if", "else"].contains(word));
    (comparisons > 1 + between.count()).then_some("comparisons in a chain")
}

/// What the variables of code hold, however deep.
#[derive(Debug, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "four kinds of values, each there or not"
)]
struct Held {
    characters: usize,
    text: bool,
    /// A truth, or nothing.
    word: bool,
    fraction: bool,
    below_zero: bool,
}

impl Held {
    fn add(&mut self, value: &Json) {
        self.characters += 8;
        match value {
            Json::Null | Json::Bool(_) => self.word = true,
            Json::Number(number) => {
                let float = number.as_f64().unwrap_or_default();
                self.fraction |= float.fract() != 0.0;
                self.below_zero |= float < 0.0;
            }
            Json::String(text) => {
                self.text = true;
                self.characters += text.len();
            }
            Json::Array(items) => items.iter().for_each(|item| self.add(item)),
            Json::Object(fields) => fields.values().for_each(|field| self.add(field)),
        }
    }
}
