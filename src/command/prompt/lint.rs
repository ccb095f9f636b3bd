//! `gate prompt lint`: what is allowed in a prompt and probably not meant.

use super::place::{self, Place};
use crate::base::{Diagnostic, Diagnostics, Slug, Span, text};
use crate::command::{CommandError, Project};
use crate::prompt::{PromptVersion, VariableKind};
use crate::registry::{Channel, VersionRef};
use crate::store::registry;

/// Above so many bytes a prompt is long: about 8,000 tokens with every request.
const LONG: usize = 32_000;
/// Versions whose messages share more than this are near-duplicates.
const NEAR: f32 = 0.98;
/// The lowest version whose nearness is looked at: this many below the newest.
const COMPARED: usize = 20;

/// What was checked, and what was found.
pub struct Linted {
    /// The versions checked.
    pub checked: Vec<(Slug, u32)>,
    /// What was found.
    pub found: Diagnostics,
}

/// Checks a version, or `stable` and the newest of every prompt.
///
/// # Errors
/// When a registry can not be read.
pub fn lint(project: &Project, wanted: Option<&str>) -> Result<Linted, CommandError> {
    let mut linted = Linted {
        checked: Vec::new(),
        found: Diagnostics::new(),
    };
    if let Some(wanted) = wanted {
        let (place, reference) = place::referred(project, wanted, &Channel::latest())?;
        lint_version(&place, &reference, &mut linted)?;
        return Ok(linted);
    }
    for prompt in super::list(project)? {
        let place = Place {
            registry: project.registry(&prompt.registry)?,
            slug: prompt.slug,
        };
        let mut numbers: Vec<u32> = prompt.stable.into_iter().collect();
        numbers.extend(prompt.versions.last());
        numbers.dedup();
        for number in numbers {
            lint_version(&place, &VersionRef::Number(number), &mut linted)?;
        }
    }
    Ok(linted)
}

fn lint_version(
    place: &Place,
    reference: &VersionRef,
    linted: &mut Linted,
) -> Result<(), CommandError> {
    let found = registry::find(&*place.registry, &place.slug, reference)?;
    let number = found.version.file.number;
    linted.checked.push((place.slug.clone(), number));
    let prompt = registry::decode(
        &*place.registry,
        &place.slug,
        &found.version,
        &mut linted.found,
    );
    let Some(prompt) = prompt else {
        return Ok(());
    };
    check(&prompt, &mut linted.found);
    near_duplicates(place, number, &prompt, &mut linted.found)
}

/// Warns about one version.
struct Warner<'a> {
    prompt: &'a PromptVersion,
    found: &'a mut Diagnostics,
}

impl Warner<'_> {
    fn warn(&mut self, rule: &'static str, message: String, help: &str) {
        self.warn_at(Span::default(), rule, message, help);
    }

    fn warn_at(&mut self, at: Span, rule: &'static str, message: String, help: &str) {
        let diagnostic = Diagnostic::warning(rule, message).at(&self.prompt.source, at);
        self.found.push(diagnostic.help(help));
    }
}

/// Everything that one version says by itself.
pub fn check(prompt: &PromptVersion, found: &mut Diagnostics) {
    let mut warner = Warner { prompt, found };
    if prompt.meta.description.is_none() {
        let message = "the version has no description".to_owned();
        let help = "say in a sentence what it is or changes: `description:`";
        warner.warn("no-description", message, help);
    }
    check_variables(&mut warner);
    check_text(&mut warner);
    let hint = prompt.model_hint.as_deref();
    if let Some(hint) = hint.filter(|hint| is_floating(hint)) {
        let message = format!("`model_hint` is `{hint}`, which means another model tomorrow");
        let help = "name a dated model, such as gpt-4o-2024-08-06";
        warner.warn("floating-model", message, help);
    }
    let sources = prompt.messages.iter().map(|m| m.content.to_source());
    let bytes: usize = sources.map(|source| source.len()).sum();
    if bytes > LONG {
        let tokens = text::thousands(crate::prompt::diff::tokens(prompt));
        let message = format!("the messages have about {tokens} tokens before any value");
        let help = "every request pays for them; move reference text into a variable";
        warner.warn("long-prompt", message, help);
    }
}

fn check_variables(warner: &mut Warner<'_>) {
    for variable in &warner.prompt.variables {
        let name = &variable.name;
        if let VariableKind::Text {
            max_length: None, ..
        } = &variable.kind
        {
            let message = format!("variable `{name}` has no max_length");
            let help =
                "declare it with `max_length`, so that a long value is found before it costs money";
            let at = warner.prompt.place_of(name);
            warner.warn_at(at, "no-max-length", message, help);
        }
        if variable.allow_control {
            let message = format!("variable `{name}` lets control characters through");
            let help = "remove `allow_control`, unless the values need them";
            warner.warn("allow-control", message, help);
        }
    }
}

fn check_text(warner: &mut Warner<'_>) {
    let source = warner.prompt.source.text.as_str();
    if let Some((start, c)) = source.char_indices().find(|(_, c)| is_suspicious(*c)) {
        let code = u32::from(c);
        let message = format!("the text holds the invisible character U+{code:04X}");
        let end = start + c.len_utf8();
        let help = "remove it, or write it as an escape";
        warner.warn_at(Span { start, end }, "control-character", message, help);
    }
    if let Some((span, what)) = find_secret(source) {
        let message = format!("the text holds what looks like {what}");
        let help = "take it out, and have it replaced: a version never changes, and git keeps it";
        warner.warn_at(span, "secret", message, help);
    }
}

/// A name of a model without a date or a numbered snapshot.
fn is_floating(hint: &str) -> bool {
    let hint = hint.to_ascii_lowercase();
    if hint.ends_with("-latest") || hint.ends_with(":latest") {
        return true;
    }
    let digits = |part: &str, least: usize| {
        part.len() >= least && part.bytes().all(|byte| byte.is_ascii_digit())
    };
    let parts: Vec<&str> = hint.split(['-', '@', ':', '/']).collect();
    let is_dated = parts.iter().any(|part| digits(part, 6) || digits(part, 3));
    let vendors = [
        "gpt", "claude", "gemini", "chatgpt", "o1", "o3", "o4", "mistral", "command",
    ];
    !is_dated && parts.iter().any(|part| vendors.contains(part))
}

/// Characters that show nothing or turn text around.
fn is_suspicious(c: char) -> bool {
    let invisible = [
        '\u{200b}', '\u{200e}', '\u{200f}', '\u{2060}', '\u{feff}', '\u{00ad}',
    ];
    text::is_deceptive(c) || invisible.contains(&c) || ('\u{e0000}'..='\u{e007f}').contains(&c)
}

/// The first thing in a text that looks like a key.
fn find_secret(text: &str) -> Option<(Span, &'static str)> {
    const MARKS: [(&str, usize, &str); 9] = [
        ("sk-", 20, "an API key"),
        ("AKIA", 16, "an AWS key"),
        ("ASIA", 16, "an AWS key"),
        ("AIza", 35, "a Google key"),
        ("ghp_", 30, "a GitHub token"),
        ("github_pat_", 30, "a GitHub token"),
        ("xoxb-", 20, "a Slack token"),
        ("glpat-", 18, "a GitLab token"),
        ("-----BEGIN", 10, "a private key"),
    ];
    for (mark, least, what) in MARKS {
        for (start, _) in text.match_indices(mark) {
            let word_before = text
                .get(..start)
                .and_then(|before| before.chars().next_back())
                .is_some_and(char::is_alphanumeric);
            let rest = text.get(start + mark.len()..).unwrap_or_default();
            let is_block = mark.starts_with('-');
            let length = rest
                .bytes()
                .take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
                .count();
            let fits = if is_block {
                rest.lines()
                    .next()
                    .is_some_and(|line| line.contains("PRIVATE KEY"))
            } else {
                length >= least && rest.bytes().take(length).any(|byte| byte.is_ascii_digit())
            };
            if fits && !word_before {
                let end = start + mark.len() + length;
                return Some((Span { start, end }, what));
            }
        }
    }
    None
}

fn near_duplicates(
    place: &Place,
    number: u32,
    prompt: &PromptVersion,
    found: &mut Diagnostics,
) -> Result<(), CommandError> {
    let own = messages(prompt);
    let files = place.registry.versions(&place.slug)?;
    let below = files.iter().rev().filter(|file| file.number < number);
    for file in below.take(COMPARED) {
        let other = place.registry.read(&place.slug, file)?;
        let mut none = Diagnostics::new();
        let other = registry::decode(&*place.registry, &place.slug, &other, &mut none);
        let Some(other) = other else {
            continue;
        };
        let text = messages(&other);
        let message = if other.hash == prompt.hash {
            format!("it has the content of v{}", file.number)
        } else if text != own && is_near(&own, &text) {
            format!("its messages are nearly those of v{}", file.number)
        } else {
            continue;
        };
        found.push(
            Diagnostic::warning("near-duplicate", message)
                .at(&prompt.source, Span::default())
                .help(format!(
                    "gate prompt diff {}@v{} v{number}",
                    place.slug, file.number
                )),
        );
        break;
    }
    Ok(())
}

fn messages(prompt: &PromptVersion) -> String {
    let texts = prompt
        .messages
        .iter()
        .map(|message| message.content.to_source());
    texts.collect::<Vec<_>>().join("\n")
}

fn is_near(one: &str, other: &str) -> bool {
    let (longest, shortest) = (one.len().max(other.len()), one.len().min(other.len()));
    // One word in a short prompt is all of it; only of a long text is a word nothing.
    longest > 400
        && shortest * 100 >= longest * 95
        && similar::TextDiff::from_words(one, other).ratio() > NEAR
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Source;
    use crate::prompt::{Expected, Form, decode};

    fn rules(text: &str) -> Vec<&'static str> {
        let expected = Expected {
            slug: Slug::new("p").unwrap(),
            number: None,
            form: Form::Yaml,
        };
        let source = Source::new("p.yaml", text);
        let prompt = decode(&source, &expected, &mut Diagnostics::new()).unwrap();
        let mut found = Diagnostics::new();
        check(&prompt, &mut found);
        found.iter().map(|found| found.rule).collect()
    }

    fn prompt(extra: &str, content: &str) -> String {
        format!(
            "gate: prompt/1\ndescription: d\n{extra}\nmessages:\n  - {{role: user, content: \"{content}\"}}\n"
        )
    }

    #[test]
    fn warns_of_what_is_probably_not_meant() {
        assert_eq!(rules(&prompt("", "hello")), [""; 0]);
        assert_eq!(rules(&prompt("", "{{q}}")), ["no-max-length"]);
        assert_eq!(
            rules(&prompt("model_hint: gpt-4o", "hello")),
            ["floating-model"]
        );
        let key = format!("use sk-{}", "a1b2".repeat(8));
        assert_eq!(rules(&prompt("", &key)), ["secret"]);
        assert_eq!(rules(&prompt("", "a\u{200b}b")), ["control-character"]);
        assert_eq!(rules(&prompt("", &"word ".repeat(7_000))), ["long-prompt"]);
        assert_eq!(
            rules("gate: prompt/1\nmessages: [{role: user, content: hi}]\n"),
            ["no-description"]
        );
    }

    #[test]
    fn a_dated_model_is_not_floating() {
        for dated in [
            "gpt-4o-2024-08-06",
            "claude-3-5-sonnet-20241022",
            "gemini-1.5-pro-002",
            "mixtral",
        ] {
            assert!(!is_floating(dated), "{dated}");
        }
        for floating in [
            "gpt-4o",
            "claude-3-5-sonnet-latest",
            "gemini-1.5-pro",
            "openai:gpt-4o-mini",
        ] {
            assert!(is_floating(floating), "{floating}");
        }
    }

    #[test]
    fn words_that_only_look_like_keys_are_let_through() {
        for text in [
            "task-management-software-for-teams",
            "ask-me-anything-about-this-topic-now",
            "AKIA is a prefix",
        ] {
            assert_eq!(find_secret(text), None, "{text}");
        }
    }
}
