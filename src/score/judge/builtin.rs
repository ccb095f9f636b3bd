//! The judges inside the binary: prompt versions like any other, but that never change.

use crate::base::{Diagnostics, Slug, Source};
use crate::prompt::file::{Expected, Form};
use crate::prompt::{self, PromptVersion};

/// The judge that a suite gets when it names none.
pub const RUBRIC: &str = "gate/rubric@v1";

/// All judges inside the binary.
pub const NAMES: [&str; 1] = [RUBRIC];

/// The text of a judge inside the binary.
#[must_use]
pub fn text(name: &str) -> Option<&'static str> {
    (name == RUBRIC).then_some(include_str!("rubric_v1.yaml"))
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
        let rubric = version(RUBRIC).unwrap();
        assert_eq!(
            rubric.hash.to_string(),
            "sha256:2d223261f7b3be606144f2298aff81142a53222e2ec4396529b0fe8650c02768"
        );
    }

    #[test]
    fn every_name_has_a_text_that_is_a_judge() {
        for name in NAMES {
            let judge = super::super::Judge::new(version(name).unwrap().into());
            assert!(judge.is_ok(), "{name}");
        }
        assert!(version("gate/rubric@v2").is_none());
    }
}
