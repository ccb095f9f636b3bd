//! Code within prompts becomes variables: its text is computed for each test and stands in the dataset,
//! since our templates only fill in values.

use std::collections::{BTreeMap, BTreeSet};

use super::computed;
use super::ledger::Ledger;
use super::merged::Test;
use super::nunjucks::{Piece, render};
use super::prompts::{Prompt, tag_place};
use crate::base::text;

/// Replaces the code of all prompts; a prompt whose code is beyond us is dropped.
pub fn derive(prompts: Vec<Prompt>, tests: &mut [Test], ledger: &mut Ledger) -> Vec<Prompt> {
    let mut taken: BTreeSet<String> = tests
        .iter()
        .flat_map(|test| test.vars.keys().cloned())
        .collect();
    taken.extend(prompts.iter().flat_map(Prompt::names).map(str::to_owned));
    let mut made = Made {
        taken,
        known: BTreeMap::new(),
    };
    let derived = prompts.into_iter().filter_map(|mut prompt| {
        let mut values = Vec::new();
        for (_, pieces) in &mut prompt.messages {
            for piece in pieces.iter_mut() {
                let Some(source) = code_of(piece) else {
                    continue;
                };
                let place = tag_place(&prompt.place, &source);
                match made.piece(&source, tests) {
                    Ok((name, texts)) => {
                        let shown = text::shorten(&source, 80);
                        let why = match computed::names(&source).into_iter().collect::<Vec<_>>() {
                            names if names.is_empty() => {
                                format!("`{shown}` is computed at import: it is the same for every case")
                            }
                            names => format!(
                                "`{shown}` is computed at import, as `{{{{{name}}}}}`: change it in the dataset where `{}` changes",
                                names.join("`, `")
                            ),
                        };
                        values.push((name.clone(), texts));
                        ledger.changed(&place, "prompt", why);
                        *piece = Piece::Name(vec![name]);
                    }
                    Err(why) => {
                        let why = format!("{why}: our templates only fill in values");
                        ledger.dropped(&place, "prompt", why);
                        return None;
                    }
                }
            }
        }
        for (name, texts) in values {
            for (test, text) in tests.iter_mut().zip(texts) {
                test.vars.insert(name.clone(), text.into());
            }
        }
        ledger.carried("prompt", &prompt.place);
        Some(prompt)
    });
    derived.collect()
}

/// The code of a piece; a field of a field counts as some, since our templates have none.
fn code_of(piece: &Piece) -> Option<String> {
    match piece {
        Piece::Code(source) => Some(source.clone()),
        Piece::Name(path) if path.len() > 2 => Some(format!("{{{{ {} }}}}", path.join("."))),
        Piece::Name(_) | Piece::Text(_) => None,
    }
}

/// The variables made so far.
struct Made {
    taken: BTreeSet<String>,
    known: BTreeMap<String, String>,
}

impl Made {
    /// The variable of a piece of code, with its value for each test.
    fn piece(&mut self, source: &str, tests: &[Test]) -> Result<(String, Vec<String>), String> {
        let piece = [Piece::Code(source.to_owned())];
        let texts = tests.iter().map(|test| render(&piece, &test.vars));
        let texts = texts.collect::<Result<Vec<_>, _>>()?;
        let name = match self.known.get(source) {
            Some(name) => name.clone(),
            None => self.fresh(source),
        };
        Ok((name, texts))
    }

    fn fresh(&mut self, source: &str) -> String {
        let wanted = name_of(source);
        let numbered = (2..).map(|number| format!("{wanted}_{number}"));
        let free = std::iter::once(wanted.clone())
            .chain(numbered)
            .find(|name| !self.taken.contains(name));
        let name = free.unwrap_or(wanted);
        self.taken.insert(name.clone());
        self.known.insert(source.to_owned(), name.clone());
        name
    }
}

/// What a piece of code is called: the words of its first tag, as far as they are few.
fn name_of(source: &str) -> String {
    const MOST_WORDS: usize = 4;
    const MOST_CHARACTERS: usize = 40;
    let is_block = source.starts_with("{%");
    let close = if is_block { "%}" } else { "}}" };
    let inside = source
        .get(2..)
        .and_then(|rest| rest.split(close).next())
        .unwrap_or_default();
    let mut words = Vec::new();
    let (mut word, mut quote, mut depth) = (String::new(), None, 0_usize);
    for c in inside.chars() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '"' | '\'') => quote = Some(c),
            (None, '(' | '[') => depth += 1,
            (None, ')' | ']') => depth = depth.saturating_sub(1),
            (None, c) if depth == 0 && (c.is_ascii_alphanumeric() || c == '_') => word.push(c),
            (None, _) if !word.is_empty() => words.push(std::mem::take(&mut word)),
            (Some(_) | None, _) => {}
        }
    }
    words.extend((!word.is_empty()).then_some(word));
    let name = words.join("_").to_lowercase();
    let begins = name.starts_with(|c: char| c.is_ascii_alphabetic());
    let fits = begins && words.len() <= MOST_WORDS && name.len() <= MOST_CHARACTERS;
    match (fits, is_block) {
        (true, _) => name,
        (false, true) => "block".to_owned(),
        (false, false) => "computed".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_is_called_by_its_words() {
        for (source, name) in [
            ("{{ name | upper }}", "name_upper"),
            ("{{ items | join(', ') }}", "items_join"),
            ("{{ user.first | default('x') }}", "user_first_default"),
            ("{% if premium %}a{% else %}b{% endif %}", "if_premium"),
            (
                "{% for item in items %}{{ item }}{% endfor %}",
                "for_item_in_items",
            ),
            ("{{ a ~ b ~ c ~ d ~ e }}", "computed"),
            ("{% if a and b or c and d %}x{% endif %}", "block"),
            ("{{ 'x' }}", "computed"),
            ("{{ 3 + n }}", "computed"),
        ] {
            assert_eq!(name_of(source), name, "{source}");
        }
    }
}
