//! Keys in the config of a peer: which texts are some, and how a header that carries one is written
//! without it.

use super::http_form::shown;

/// A header that carries a key, and the variable that holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// The header, perhaps with a scheme: `authorization: Bearer`.
    pub header: String,
    /// The variable of the environment.
    pub variable: String,
    /// What the owner has to do.
    pub note: Option<String>,
}

impl Key {
    /// Reads a header; a key that stands in it is not kept.
    ///
    /// # Errors
    /// When the value is more than one key.
    pub fn read(name: &str, value: &str) -> Result<Self, String> {
        const VARIABLE: &str = "SERVICE_API_KEY";
        // Any other word may be the first of a key.
        const SCHEMES: [&str; 6] = ["bearer", "token", "basic", "apikey", "api-key", "key"];
        let is_scheme = |word: &str| SCHEMES.contains(&word.to_ascii_lowercase().as_str());
        let is_word = |word: &str| word.bytes().all(|byte| byte.is_ascii_alphabetic());
        let (scheme, key) = match value.trim().split_once(' ') {
            Some((scheme, key))
                if is_scheme(scheme) || (is_word(scheme) && variable_of(key.trim()).is_some()) =>
            {
                (Some(scheme), key.trim())
            }
            _ => (None, value.trim()),
        };
        let header = scheme.map_or_else(|| name.to_owned(), |scheme| format!("{name}: {scheme}"));
        let name = shown(name);
        match variable_of(key) {
            Some(variable) => Ok(Self {
                header,
                variable,
                note: None,
            }),
            None if value.contains("{{") => Err(format!(
                "header `{name}` is more than one variable of the environment"
            )),
            None => Ok(Self {
                header,
                variable: VARIABLE.to_owned(),
                note: Some(format!(
                    "header `{name}` holds a key: it was not copied; put it into {VARIABLE} in the environment"
                )),
            }),
        }
    }
}

/// Whether a text takes something from the environment.
pub fn has_variable(text: &str) -> bool {
    text.contains("env.") && text.contains("{{")
}

/// Whether a text has a word that looks like a key of a known kind.
pub fn holds_a_key(text: &str) -> bool {
    const BEGINNINGS: [&str; 12] = [
        "sk-",
        "sk_",
        "pk_",
        "ghp_",
        "gho_",
        "github_pat_",
        "glpat-",
        "xoxb-",
        "xoxp-",
        "AKIA",
        "AIza",
        "eyJ",
    ];
    let mut words = text.split(|c: char| c.is_whitespace() || "\"'=:,;/?&#()[]{}<>".contains(c));
    words.any(|word| word.len() >= 16 && BEGINNINGS.iter().any(|start| word.starts_with(start)))
}

/// The variable of a text that is `{{env.NAME}}` and no more.
fn variable_of(text: &str) -> Option<String> {
    let inside = text.strip_prefix("{{")?.strip_suffix("}}")?.trim();
    let name = inside.strip_prefix("env.")?;
    let known = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let valid = (1..=80).contains(&name.len()) && name.bytes().all(known);
    valid.then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_of_the_environment_is_named_and_a_key_is_not_kept() {
        let read = |value: &str| Key::read("authorization", value);
        let key = read("Bearer {{ env.BOT_KEY }}").unwrap();
        assert_eq!(
            (key.header.as_str(), key.variable.as_str(), key.note),
            ("authorization: Bearer", "BOT_KEY", None)
        );
        assert_eq!(read("{{env.A}}").unwrap().header, "authorization");
        let literal = read("Token sk-1234").unwrap();
        assert!(!format!("{literal:?}").contains("sk-1234"), "{literal:?}");
        assert!(literal.note.is_some());
        // The first word of a key is no scheme.
        let phrase = read("correct horse battery");
        assert_eq!(phrase.unwrap().header, "authorization");
        for more in [
            "{{env.A}}{{env.B}}",
            "Bearer {{prompt}}",
            "Bearer x{{env.A}}",
            "{{env.A | lower}}",
        ] {
            assert!(read(more).is_err(), "{more}");
        }
    }

    #[test]
    fn words_that_look_like_keys_are_seen() {
        assert!(holds_a_key("id=sk-0123456789abcdef"));
        assert!(holds_a_key("ghp_0123456789abcdef0123"));
        assert!(holds_a_key("https://h/v1/sk-0123456789abcdef/ask"));
        assert!(!holds_a_key("sk-short and a skeleton"));
    }
}
