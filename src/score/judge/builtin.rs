//! The judges inside the binary: prompt versions like any other, but that never change.

use crate::base::{Diagnostics, Slug, Source};
use crate::prompt::file::{Expected, Form};
use crate::prompt::{self, PromptVersion};

/// The judge by criteria, which `judge` asks where it names none.
pub const RUBRIC: &str = "gate/rubric@v1";
/// The judge of `factuality`.
pub const FACTUALITY: &str = "gate/factuality@v1";
/// The judge of `answer-relevance`.
pub const ANSWER_RELEVANCE: &str = "gate/answer-relevance@v1";
/// The judge of `faithfulness`.
pub const FAITHFULNESS: &str = "gate/faithfulness@v1";
/// The judge of `g-eval`.
pub const G_EVAL: &str = "gate/g-eval@v1";
/// The judge of `pairwise`.
pub const PAIRWISE: &str = "gate/pairwise@v1";

/// All judges inside the binary, with their texts.
const TEXTS: [(&str, &str); 6] = [
    (RUBRIC, include_str!("builtin/rubric_v1.yaml")),
    (FACTUALITY, include_str!("builtin/factuality_v1.yaml")),
    (
        ANSWER_RELEVANCE,
        include_str!("builtin/answer_relevance_v1.yaml"),
    ),
    (FAITHFULNESS, include_str!("builtin/faithfulness_v1.yaml")),
    (G_EVAL, include_str!("builtin/g_eval_v1.yaml")),
    (PAIRWISE, include_str!("builtin/pairwise_v1.yaml")),
];

/// The names of all judges inside the binary.
pub fn names() -> impl Iterator<Item = &'static str> {
    TEXTS.iter().map(|(name, _)| *name)
}

/// The judges inside the binary that a scorer may name whose default is `default`: those that reply
/// in the same form and need nothing that the scorer does not take.
#[must_use]
pub fn of_type(default: &'static str) -> &'static [&'static str] {
    match default {
        FACTUALITY => &[FACTUALITY],
        ANSWER_RELEVANCE => &[ANSWER_RELEVANCE],
        FAITHFULNESS => &[FAITHFULNESS],
        G_EVAL => &[G_EVAL],
        PAIRWISE => &[PAIRWISE],
        _ => &[RUBRIC, ANSWER_RELEVANCE, FAITHFULNESS],
    }
}

/// The text of a judge inside the binary.
#[must_use]
pub fn text(name: &str) -> Option<&'static str> {
    let found = TEXTS.iter().find(|(known, _)| *known == name);
    found.map(|(_, text)| *text)
}

/// A judge inside the binary, `gate/rubric@v1`.
#[must_use]
pub fn version(name: &str) -> Option<PromptVersion> {
    let (slug, number) = name.split_once("@v")?;
    let expected = Expected {
        slug: Slug::new(slug).ok()?,
        number: number.parse().ok(),
        form: Form::Yaml,
    };
    let source = Source::new(name, text(name)?);
    prompt::decode(&source, &expected, &mut Diagnostics::new())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_judge_in_the_binary_never_changes() {
        let hashes: Vec<String> = names()
            .map(|name| format!("{name} {}", version(name).unwrap().hash))
            .collect();
        assert_eq!(
            hashes,
            [
                "gate/rubric@v1 sha256:2d223261f7b3be606144f2298aff81142a53222e2ec4396529b0fe8650c02768",
                "gate/factuality@v1 sha256:09a2235d6842669132b6710f688b1b177838e18020c179b245c160541635fd8f",
                "gate/answer-relevance@v1 sha256:e5a36a9c8fec7c15811f3c30ef0dfb9614edc56c5037beda6860b53a0e221e54",
                "gate/faithfulness@v1 sha256:d63336969954c1f1ec9085cd4a23cf69d13762ff330a99d4cfdc265810f22314",
                "gate/g-eval@v1 sha256:0e043ff70a5fd336522baeeafba25ffdfcfb0e341bb3421a8d5a23caea96cf4f",
                "gate/pairwise@v1 sha256:a2a835dc9bcf28b7c021228b485a5ac264121f5694ab7fd5c7eef7b7fde1b8f7",
            ]
        );
    }

    #[test]
    fn every_name_has_a_text_that_is_a_judge() {
        for name in names() {
            let judge = super::super::Judge::new(version(name).unwrap().into());
            assert!(judge.is_ok(), "{name}");
        }
        assert!(version("gate/rubric@v2").is_none());
    }
}
