//! Transforms of the answer before a scorer looks at it, in the order in which they are written.
//! They change the answer alone, never the values it is compared with.

use std::borrow::Cow;

use crate::base::Node;
use crate::base::decode::Reader;

/// A transform.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transform {
    /// Removes white space at both ends.
    Trim,
    /// Lower case, by Unicode.
    Lowercase,
}

/// The transforms by their words.
const WORDS: [(&str, Transform); 2] = [
    ("trim", Transform::Trim),
    ("lowercase", Transform::Lowercase),
];

/// The words of all transforms.
pub fn words() -> impl Iterator<Item = &'static str> {
    WORDS.iter().map(|(word, _)| *word)
}

/// Reads a list of transforms.
pub fn decode(reader: &mut Reader<'_>, node: &Node) -> Option<Vec<Transform>> {
    let items = reader.list(node, "`transform`")?;
    let transforms: Vec<Transform> = items
        .iter()
        .filter_map(|item| reader.word(item, "a transform", &WORDS))
        .collect();
    (transforms.len() == items.len()).then_some(transforms)
}

/// Applies transforms to a text.
#[must_use]
pub fn apply<'t>(transforms: &[Transform], text: &'t str) -> Cow<'t, str> {
    transforms
        .iter()
        .fold(Cow::Borrowed(text), |text, transform| match transform {
            Transform::Trim => match text {
                Cow::Borrowed(text) => Cow::Borrowed(text.trim()),
                Cow::Owned(text) => Cow::Owned(text.trim().to_owned()),
            },
            Transform::Lowercase => Cow::Owned(text.to_lowercase()),
        })
}
