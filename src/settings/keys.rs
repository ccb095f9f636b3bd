//! The keys of the settings: their names, what they take, their defaults.

use std::time::Duration;

use super::layer::{Given, Layers, Origin};
use crate::base::decode::choices;
use crate::base::time::parse_duration;

/// What a key takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    /// Any text.
    Text,
    /// Several texts; a flag that is repeated.
    Texts,
    /// A path; in `gate.yaml` relative to it.
    Path,
    /// Several paths.
    Paths,
    /// A whole number of at least 1.
    Count,
    /// A whole number.
    Number,
    /// A number above 0.
    Amount,
    /// A duration.
    Duration,
    /// `true` or `false`.
    Switch,
    /// One of some words.
    Word(&'static [&'static str]),
}

/// A key.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// The long flag in `snake_case`; the variable is `GATE_` and the name in capitals.
    pub name: &'static str,
    /// What it takes.
    pub takes: Takes,
    /// The default as text; empty for none.
    pub default: &'static str,
}

const fn key(name: &'static str, takes: Takes, default: &'static str) -> Key {
    Key {
        name,
        takes,
        default,
    }
}

/// All keys that `gate.yaml`, its profiles, the environment and flags can set.
pub const KEYS: [Key; 35] = [
    key("batch", Takes::Switch, "false"),
    key("batch_poll", Takes::Duration, "30s"),
    key("budget", Takes::Amount, ""),
    key("cache", Takes::Word(&["rw", "ro", "off", "refresh"]), "rw"),
    key("cache_max_age", Takes::Duration, ""),
    key("cache_max_size", Takes::Count, ""),
    key("color", Takes::Word(&["auto", "always", "never"]), "auto"),
    key(
        "comment",
        Takes::Word(&["auto", "on-failure", "never"]),
        "auto",
    ),
    key("comment_id", Takes::Text, "gate"),
    key("concurrency", Takes::Count, "32"),
    key("deadline", Takes::Duration, ""),
    key("evals", Takes::Path, "evals"),
    key("fail_fast", Takes::Switch, "false"),
    key(
        "format",
        Takes::Word(&["human", "json", "jsonl", "github"]),
        "human",
    ),
    key("github_comment", Takes::Switch, "false"),
    key("html", Takes::Paths, ""),
    key("json", Takes::Paths, ""),
    key("junit", Takes::Paths, ""),
    key(
        "junit_cases",
        Takes::Word(&["default", "strict", "verdict"]),
        "default",
    ),
    key(
        "junit_profile",
        Takes::Word(&["common", "strict"]),
        "common",
    ),
    key("markdown", Takes::Paths, ""),
    key("offline", Takes::Switch, "false"),
    key("output", Takes::Path, ""),
    key("pr", Takes::Count, ""),
    key("profile", Takes::Text, ""),
    key(
        "progress",
        Takes::Word(&["auto", "bar", "lines", "none"]),
        "auto",
    ),
    key("prompt", Takes::Text, ""),
    key("quiet", Takes::Switch, "false"),
    key("rate", Takes::Amount, ""),
    key("registry", Takes::Path, ""),
    key("retries", Takes::Number, "4"),
    key("suite", Takes::Texts, ""),
    key("timeout", Takes::Duration, "120s"),
    key("token_rate", Takes::Amount, ""),
    key("verbose", Takes::Switch, "false"),
];

/// The key of a name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name)
}

/// The settings of a command.
#[derive(Debug, Clone, PartialEq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch of the command line"
)]
pub struct Settings {
    /// Answers are asked for in the provider's batches.
    pub batch: bool,
    /// How often a batch is looked at, at most.
    pub batch_poll: Duration,
    /// USD that the command may spend.
    pub budget: Option<f64>,
    /// How the response cache is used: `rw`, `ro`, `off`, `refresh`.
    pub cache: String,
    /// Answers in the cache that are older go at the end of a run.
    pub cache_max_age: Option<Duration>,
    /// MiB that the cache keeps at the end of a run, the newest answers.
    pub cache_max_size: Option<u64>,
    /// When output is coloured.
    pub color: String,
    /// When a comment is made: `auto`, `on-failure`, `never`.
    pub comment: String,
    /// What tells apart the comments of several gates on one pull request.
    pub comment_id: String,
    /// Most requests in flight.
    pub concurrency: u32,
    /// Time for the whole command.
    pub deadline: Option<Duration>,
    /// The folder of the suites, relative to the project's root.
    pub evals: String,
    /// What stdout carries.
    pub format: String,
    /// Whether the pull request gets a comment.
    pub github_comment: bool,
    /// Files for the HTML page.
    pub html: Vec<String>,
    /// Files for the JSON result.
    pub json: Vec<String>,
    /// Files for the JUnit report.
    pub junit: Vec<String>,
    /// How lost cases stand in JUnit.
    pub junit_cases: String,
    /// Which schema JUnit keeps to.
    pub junit_profile: String,
    /// Files for the Markdown report.
    pub markdown: Vec<String>,
    /// Nothing may leave the machine.
    pub offline: bool,
    /// A lost must-pass case ends a run.
    pub fail_fast: bool,
    /// A folder for all reports.
    pub output: Option<String>,
    /// The pull request to comment on, where the event does not say.
    pub pr: Option<u32>,
    /// What progress looks like.
    pub progress: String,
    /// What to compare when there are several prompts.
    pub prompt: Option<String>,
    /// No progress.
    pub quiet: bool,
    /// Requests a minute at most.
    pub rate: Option<f64>,
    /// The registry, where suites name none.
    pub registry: Option<String>,
    /// Retries of ordinary faults.
    pub retries: u32,
    /// The suites chosen.
    pub suite: Vec<String>,
    /// Time for one request.
    pub timeout: Duration,
    /// Tokens a minute at most, questions and longest answers together.
    pub token_rate: Option<f64>,
    /// More on the screen.
    pub verbose: bool,
}

/// Why a setting can not be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("setting `{key}` (from {origin}) {problem}")]
pub struct SettingError {
    /// The key.
    pub key: &'static str,
    /// Where its value comes from.
    pub origin: Origin,
    /// What is wrong.
    pub problem: String,
}

/// Reads the values of all layers.
///
/// # Errors
/// Every value that is not what its key takes.
pub fn decode(layers: &Layers) -> Result<Settings, Vec<SettingError>> {
    let mut reader = Values {
        layers,
        errors: Vec::new(),
    };
    let settings = Settings {
        batch: reader.switch("batch"),
        batch_poll: reader
            .duration("batch_poll")
            .unwrap_or(Duration::from_secs(30)),
        budget: reader.amount("budget"),
        cache: reader.text("cache").unwrap_or_default(),
        cache_max_age: reader.duration("cache_max_age"),
        cache_max_size: reader.whole("cache_max_size", 1).map(u64::from),
        color: reader.text("color").unwrap_or_default(),
        comment: reader.text("comment").unwrap_or_default(),
        comment_id: reader.text("comment_id").unwrap_or_default(),
        concurrency: reader.whole("concurrency", 1).unwrap_or(1),
        deadline: reader.duration("deadline"),
        evals: reader.text("evals").unwrap_or_default(),
        format: reader.text("format").unwrap_or_default(),
        github_comment: reader.switch("github_comment"),
        html: reader.texts("html"),
        json: reader.texts("json"),
        junit: reader.texts("junit"),
        junit_cases: reader.text("junit_cases").unwrap_or_default(),
        junit_profile: reader.text("junit_profile").unwrap_or_default(),
        markdown: reader.texts("markdown"),
        offline: reader.switch("offline"),
        fail_fast: reader.switch("fail_fast"),
        output: reader.text("output"),
        pr: reader.whole("pr", 1),
        progress: reader.text("progress").unwrap_or_default(),
        prompt: reader.text("prompt"),
        quiet: reader.switch("quiet"),
        rate: reader.amount("rate"),
        registry: reader.text("registry"),
        retries: reader.whole("retries", 0).unwrap_or(0),
        suite: reader.texts("suite"),
        timeout: reader.duration("timeout").unwrap_or(Duration::from_mins(2)),
        token_rate: reader.amount("token_rate"),
        verbose: reader.switch("verbose"),
    };
    reader.check_words();
    if reader.errors.is_empty() {
        Ok(settings)
    } else {
        Err(reader.errors)
    }
}

struct Values<'a> {
    layers: &'a Layers,
    errors: Vec<SettingError>,
}

impl Values<'_> {
    fn given(&self, name: &str) -> Option<Given> {
        let is_set = |given: &&Given| given.texts.iter().any(|text| !text.trim().is_empty());
        if let Some(given) = self.layers.get(name).filter(is_set) {
            return Some(given.clone());
        }
        let default = find(name)?.default;
        (!default.is_empty()).then(|| Given {
            texts: vec![default.to_owned()],
            origin: Origin::Default,
        })
    }

    fn error(&mut self, name: &'static str, origin: Origin, problem: String) {
        self.errors.push(SettingError {
            key: name,
            origin,
            problem,
        });
    }

    fn text(&self, name: &str) -> Option<String> {
        self.given(name)?
            .texts
            .into_iter()
            .next()
            .filter(|text| !text.is_empty())
    }

    fn texts(&self, name: &str) -> Vec<String> {
        self.given(name)
            .map(|given| given.texts)
            .unwrap_or_default()
    }

    fn parse<T>(
        &mut self,
        name: &'static str,
        wanted: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Option<T> {
        let given = self.given(name)?;
        let text = given.texts.first()?.trim();
        if text.is_empty() {
            return None;
        }
        let value = parse(text);
        if value.is_none() {
            self.error(name, given.origin, format!("is `{text}`, not {wanted}"));
        }
        value
    }

    fn whole(&mut self, name: &'static str, least: u32) -> Option<u32> {
        self.parse(
            name,
            &format!("a whole number of at least {least}"),
            |text| text.parse().ok().filter(|number| *number >= least),
        )
    }

    fn amount(&mut self, name: &'static str) -> Option<f64> {
        self.parse(name, "a number above 0", |text| {
            text.parse()
                .ok()
                .filter(|number: &f64| number.is_finite() && *number > 0.0)
        })
    }

    fn duration(&mut self, name: &'static str) -> Option<Duration> {
        self.parse(name, "a duration such as 90s or 20m", |text| {
            parse_duration(text).ok().filter(|time| !time.is_zero())
        })
    }

    fn switch(&mut self, name: &'static str) -> bool {
        let read = |text: &str| match text {
            "true" | "1" => Some(true),
            "false" | "0" => Some(false),
            _ => None,
        };
        self.parse(name, "true or false", read).unwrap_or(false)
    }

    fn check_words(&mut self) {
        for key in &KEYS {
            let Takes::Word(words) = key.takes else {
                continue;
            };
            let Some(given) = self.given(key.name) else {
                continue;
            };
            let word = given.texts.first().map_or("", String::as_str);
            if !words.contains(&word) {
                self.error(
                    key.name,
                    given.origin,
                    format!("can not be `{word}`: {}", choices(word, words)),
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_valid() {
        let settings = decode(&Layers::default()).unwrap();
        assert_eq!(
            (
                settings.concurrency,
                settings.retries,
                settings.evals.as_str()
            ),
            (32, 4, "evals")
        );
        assert_eq!(settings.timeout, Duration::from_mins(2));
    }

    #[test]
    fn names_every_bad_value_with_its_origin() {
        let mut layers = Layers::default();
        layers.put("concurrency", vec!["0".into()], Origin::Flag);
        layers.put("cache", vec!["of".into()], Origin::ProjectFile);
        layers.put(
            "timeout",
            vec!["soon".into()],
            Origin::Environment("GATE_TIMEOUT".into()),
        );
        let errors: Vec<String> = decode(&layers)
            .unwrap_err()
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(
            errors,
            [
                "setting `concurrency` (from flag) is `0`, not a whole number of at least 1",
                "setting `timeout` (from GATE_TIMEOUT) is `soon`, not a duration such as 90s or 20m",
                "setting `cache` (from gate.yaml) can not be `of`: did you mean `off`? (one of: rw, ro, off, refresh)",
            ]
        );
    }

    #[test]
    fn keys_are_sorted_and_distinct() {
        assert!(
            KEYS.windows(2)
                .all(|pair| pair.first().map(|k| k.name) < pair.last().map(|k| k.name))
        );
    }
}
