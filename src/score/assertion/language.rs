//! `language`: the language that the answer is written in, by its letters and their frequencies.

use whatlang::Lang;

use super::super::answer::Finding;
use super::super::error::Fault;
use super::super::form::{Form, ScorerType};
use super::super::spec::Kind;
use super::super::template::Template;
use super::{Assertion, Input};
use crate::base::decode::choices;
use crate::base::text::byte_prefix;

/// The types of this family.
pub const TYPES: &[ScorerType] = &[ScorerType::new("language", &["value"], decode)];

/// The language that the answer must be in.
#[derive(Debug, Clone)]
pub struct Language {
    value: Template,
}

/// ISO 639-1 codes beside the ISO 639-3 codes of the detector.
const SHORT: [(&str, &str); 66] = [
    ("af", "afr"),
    ("ak", "aka"),
    ("am", "amh"),
    ("ar", "ara"),
    ("az", "aze"),
    ("be", "bel"),
    ("bg", "bul"),
    ("bn", "ben"),
    ("ca", "cat"),
    ("cs", "ces"),
    ("cy", "cym"),
    ("da", "dan"),
    ("de", "deu"),
    ("el", "ell"),
    ("en", "eng"),
    ("eo", "epo"),
    ("es", "spa"),
    ("et", "est"),
    ("fa", "pes"),
    ("fi", "fin"),
    ("fr", "fra"),
    ("gu", "guj"),
    ("he", "heb"),
    ("hi", "hin"),
    ("hr", "hrv"),
    ("hu", "hun"),
    ("hy", "hye"),
    ("id", "ind"),
    ("it", "ita"),
    ("ja", "jpn"),
    ("jv", "jav"),
    ("ka", "kat"),
    ("km", "khm"),
    ("kn", "kan"),
    ("ko", "kor"),
    ("la", "lat"),
    ("lt", "lit"),
    ("lv", "lav"),
    ("mk", "mkd"),
    ("ml", "mal"),
    ("mr", "mar"),
    ("my", "mya"),
    ("nb", "nob"),
    ("ne", "nep"),
    ("nl", "nld"),
    ("or", "ori"),
    ("pa", "pan"),
    ("pl", "pol"),
    ("pt", "por"),
    ("ro", "ron"),
    ("ru", "rus"),
    ("si", "sin"),
    ("sk", "slk"),
    ("sl", "slv"),
    ("sn", "sna"),
    ("sr", "srp"),
    ("sv", "swe"),
    ("ta", "tam"),
    ("te", "tel"),
    ("th", "tha"),
    ("tk", "tuk"),
    ("tl", "tgl"),
    ("tr", "tur"),
    ("uk", "ukr"),
    ("vi", "vie"),
    ("zh", "cmn"),
];

fn decode(form: &mut Form<'_, '_, '_>) -> Option<Kind> {
    let (node, value) = form.nonempty("value")?;
    if let Some(code) = value.fixed()
        && language(code).is_none()
    {
        let known: Vec<&str> = SHORT.iter().map(|(short, _)| *short).collect();
        let message = format!("`{code}` is no language that can be told apart");
        form.reader
            .error(node.span, "unknown-word", message, choices(code, &known));
        return None;
    }
    Some(Kind::Assertion(Assertion::Language(Language { value })))
}

fn language(code: &str) -> Option<Lang> {
    let long = SHORT.iter().find(|(short, _)| *short == code);
    Lang::from_code(long.map_or(code, |(_, long)| long))
}

impl Language {
    pub(super) fn find(&self, input: &Input<'_>) -> Result<Finding, Fault> {
        const ENOUGH: usize = 10_000;
        let code = self.value.nonempty(input.context.case)?;
        let wanted =
            language(&code).ok_or_else(|| Fault::unusable("the code of a language", &code))?;
        let found = whatlang::detect(byte_prefix(input.text, ENOUGH));
        Ok(match found {
            None => Finding::binary(false, "the answer is in no language that can be told"),
            Some(found) => {
                let (lang, sure) = (found.lang(), found.confidence());
                let reason = format!("the answer is in `{}` (confidence {sure:.2})", lang.code());
                Finding::binary(lang == wanted, reason)
            }
        })
    }
}
