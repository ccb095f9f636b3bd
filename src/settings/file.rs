//! Reading `gate.yaml` and its profiles into layers.

use std::sync::Arc;

use super::keys::{self, KEYS, Takes};
use super::layer::{Layers, Origin};
use crate::base::decode::{Reader, choices};
use crate::base::{Diagnostics, Entry, Node, Source, Value, yaml};

/// What only a flag or the environment may say: a file in the repository can come from a stranger.
const OWNERS: [&str; 3] = ["allow_exec", "allow_host", "allow_path"];

/// Reads the settings file and, where one is named, a profile of it.
pub fn decode(
    source: &Arc<Source>,
    profile: Option<&str>,
    layers: &mut Layers,
    diagnostics: &mut Diagnostics,
) {
    let node = match yaml::parse(source) {
        Ok(node) => node,
        Err(errors) => return diagnostics.extend(errors),
    };
    let reader = &mut Reader {
        source: Arc::clone(source),
        diagnostics,
    };
    let Some(entries) = reader.map(&node, "the settings") else {
        return;
    };
    match entries.iter().find(|entry| entry.key == "gate") {
        Some(entry) => {
            reader.check_format(&entry.value, "settings/1");
        }
        None => reader.error(
            node.span,
            "missing-key",
            "the settings have no `gate`",
            "add `gate: settings/1`",
        ),
    }
    let rest = entries
        .iter()
        .filter(|entry| entry.key != "gate" && entry.key != "profiles");
    read_entries(reader, rest, &Origin::ProjectFile, layers);
    let profiles = entries.iter().find(|entry| entry.key == "profiles");
    read_profiles(reader, &node, profiles, profile, layers);
}

fn read_profiles(
    reader: &mut Reader<'_>,
    node: &Node,
    profiles: Option<&Entry>,
    wanted: Option<&str>,
    layers: &mut Layers,
) {
    let entries = profiles
        .and_then(|entry| reader.map(&entry.value, "`profiles`"))
        .unwrap_or_default();
    for entry in entries {
        let Some(inner) = reader.map(&entry.value, "the profile") else {
            continue;
        };
        let mut ignored = Layers::default();
        let target = if wanted == Some(entry.key.as_str()) {
            &mut *layers
        } else {
            &mut ignored
        };
        read_entries(
            reader,
            inner.iter(),
            &Origin::Profile(entry.key.clone()),
            target,
        );
    }
    if let Some(wanted) = wanted
        && !entries.iter().any(|entry| entry.key == wanted)
    {
        let known: Vec<&str> = entries.iter().map(|entry| entry.key.as_str()).collect();
        let span = profiles.map_or(node.span, |entry| entry.key_span);
        reader.error(
            span,
            "unknown-profile",
            format!("there is no profile `{wanted}`"),
            choices(wanted, &known),
        );
    }
}

fn read_entries<'n>(
    reader: &mut Reader<'_>,
    entries: impl Iterator<Item = &'n Entry>,
    origin: &Origin,
    layers: &mut Layers,
) {
    for entry in entries {
        let Some(key) = keys::find(&entry.key).filter(|key| key.name != "profile") else {
            report_unknown(reader, entry);
            continue;
        };
        let what = format!("`{}`", entry.key);
        let texts = match (key.takes, &entry.value.value) {
            (Takes::Texts | Takes::Paths, Value::List(_)) => reader.texts(&entry.value, &what),
            (Takes::Switch, _) => reader
                .boolean(&entry.value, &what)
                .map(|value| vec![value.to_string()]),
            (
                Takes::Count | Takes::Number | Takes::Amount | Takes::Duration,
                Value::Number(number),
            ) => Some(vec![number.to_string()]),
            _ => reader
                .text(&entry.value, &what)
                .map(|text| vec![text.to_owned()]),
        };
        if let Some(texts) = texts {
            layers.put(key.name, texts, origin.clone());
        }
    }
}

fn report_unknown(reader: &mut Reader<'_>, entry: &Entry) {
    let key = entry.key.as_str();
    if OWNERS.contains(&key) {
        let flag = key.replace('_', "-");
        let help = format!(
            "say it with the flag --{flag} or the variable GATE_{}",
            key.to_uppercase()
        );
        reader.error(
            entry.key_span,
            "owner-only",
            format!("`{key}` can not stand in a file of the repository"),
            help,
        );
        return;
    }
    let known: Vec<&str> = KEYS
        .iter()
        .map(|key| key.name)
        .filter(|name| *name != "profile")
        .chain(["gate", "profiles"])
        .collect();
    reader.error(
        entry.key_span,
        "unknown-key",
        format!("unknown setting `{key}`"),
        choices(key, &known),
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, profile: Option<&str>) -> (Layers, String) {
        let (mut layers, mut found) = (Layers::default(), Diagnostics::new());
        decode(
            &Source::new("gate.yaml", text),
            profile,
            &mut layers,
            &mut found,
        );
        let rules: Vec<String> = found
            .iter()
            .map(|d| format!("{}@{:?}", d.rule, d.location().map(|l| (l.1, l.2))))
            .collect();
        (layers, rules.join(" "))
    }

    #[test]
    fn a_profile_lies_over_the_file() {
        let text = "gate: settings/1\nconcurrency: 4\njunit: gate.xml\nprofiles:\n  ci: { concurrency: 64, deadline: 20m }\n";
        let (layers, found) = read(text, Some("ci"));
        assert_eq!(found, "");
        let settings = super::super::settings_of(&layers).unwrap();
        assert_eq!(
            (settings.concurrency, settings.junit),
            (64, vec!["gate.xml".to_owned()])
        );
        let (layers, _) = read(text, None);
        assert_eq!(super::super::settings_of(&layers).unwrap().concurrency, 4);
        assert_eq!(read(text, Some("cd")).1, "unknown-profile@Some((4, 1))");
    }

    #[test]
    fn refuses_unknown_keys_and_what_is_the_owners() {
        let (_, found) = read(
            "gate: settings/1\nconcurency: 4\nallow_exec: true\nprofiles:\n  x: { allow_host: a.example }\n",
            None,
        );
        assert_eq!(
            found,
            "unknown-key@Some((2, 1)) owner-only@Some((3, 1)) owner-only@Some((5, 8))"
        );
    }
}
