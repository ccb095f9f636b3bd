//! `prompt.yaml`, the one mutable file of a prompt: owners, the suites that gate it, how old
//! evidence may be, and protected channels.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::channel::Channel;
use super::tenants::Tiers;
use crate::base::decode::{Reader, Table};
use crate::base::{Diagnostics, Name, Node, Source, yaml};

/// What `prompt.yaml` says; the default is a prompt without one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PromptSettings {
    /// Who answers for the prompt; told, and not checked.
    pub owners: Vec<String>,
    /// The suites whose evidence a promotion needs; none said: every suite of the prompt.
    pub gates: Option<Vec<Name>>,
    /// How many days evidence holds; none said: for ever.
    pub max_age_days: Option<u32>,
    /// What a channel needs before it moves.
    pub protected: BTreeMap<Channel, Protection>,
    /// The tenants that a change of the prompt is gated over.
    pub tenants: Tiers,
}

/// What a protected channel needs before it moves to a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Protection {
    /// How many people, each other than the version's author, must have approved it.
    pub approvals: u32,
}

impl PromptSettings {
    /// How many approvals a channel needs.
    #[must_use]
    pub fn approvals(&self, channel: &Channel) -> u32 {
        self.protected
            .get(channel)
            .map_or(0, |protection| protection.approvals)
    }

    /// Whether a suite's evidence is needed.
    #[must_use]
    pub fn requires(&self, suite: &Name) -> bool {
        self.gates
            .as_ref()
            .is_none_or(|gates| gates.contains(suite))
    }
}

/// Reads `prompt.yaml`.
///
/// # Errors
/// Findings go to `diagnostics`; there are no settings where one of them is an error.
pub fn decode(source: &Arc<Source>, diagnostics: &mut Diagnostics) -> Option<PromptSettings> {
    let mut found = Diagnostics::new();
    let settings = match yaml::parse(source) {
        Ok(node) => {
            let mut reader = Reader {
                source: Arc::clone(source),
                diagnostics: &mut found,
            };
            decode_document(&mut reader, &node)
        }
        Err(errors) => {
            found.extend(errors);
            None
        }
    };
    let usable = !found.has_errors();
    diagnostics.extend(found);
    settings.filter(|_| usable)
}

fn decode_document(reader: &mut Reader<'_>, node: &Node) -> Option<PromptSettings> {
    let mut table = Table::new(reader, node, "the prompt's settings")?;
    if let Some(format) = table.require(reader, "gate") {
        reader.check_format(format, "registry/1");
    }
    let owners = table.get("owners");
    let owners = owners.and_then(|node| reader.texts(node, "`owners`"));
    let gates = table
        .get("gates")
        .and_then(|node| decode_gates(reader, node));
    let max_age_days = table.get("max_age_days");
    let max_age_days = max_age_days.and_then(|node| reader.whole_u32(node, "`max_age_days`", 1));
    let protected = table.get("protected");
    let protected = protected.map(|node| decode_protected(reader, node));
    let tenants = table.get("tenants");
    let tenants = tenants.and_then(|node| decode_tenants(reader, node));
    table.finish(reader);
    Some(PromptSettings {
        tenants: tenants.unwrap_or_default(),
        owners: owners.unwrap_or_default(),
        gates,
        max_age_days,
        protected: protected.unwrap_or_default(),
    })
}

fn decode_gates(reader: &mut Reader<'_>, node: &Node) -> Option<Vec<Name>> {
    let items = reader.list(node, "`gates`")?;
    if items.is_empty() {
        let help = "name a suite, or remove the key to take every suite of the prompt";
        reader.error(node.span, "empty", "`gates` names no suite", help);
        return None;
    }
    Some(decode_names(reader, items, "gates", "a suite"))
}

fn decode_tenants(reader: &mut Reader<'_>, node: &Node) -> Option<Tiers> {
    let mut table = Table::new(reader, node, "`tenants`")?;
    let critical = table.get("critical");
    let critical = critical.and_then(|node| {
        let items = reader.list(node, "`critical`")?;
        Some(decode_names(reader, items, "critical", "a tenant"))
    });
    let sample = table.get("sample");
    let sample = sample.and_then(|node| reader.whole_u32(node, "`sample`", 0));
    table.finish(reader);
    Some(Tiers {
        critical: critical.unwrap_or_default(),
        sample,
    })
}

/// Names of a list, each once.
fn decode_names(reader: &mut Reader<'_>, items: &[Node], key: &str, what: &str) -> Vec<Name> {
    let mut names = Vec::new();
    for item in items {
        let Some(text) = reader.text(item, &format!("an item of `{key}`")) else {
            continue;
        };
        match Name::new(text) {
            Ok(name) if names.contains(&name) => {
                let message = format!("`{key}` names `{name}` twice");
                let help = "remove one of the two";
                reader.error(item.span, "duplicate-item", message, help);
            }
            Ok(name) => names.push(name),
            Err(error) => {
                let help = format!("write the name of {what}");
                reader.error(item.span, "name", error.to_string(), help);
            }
        }
    }
    names
}

fn decode_protected(reader: &mut Reader<'_>, node: &Node) -> BTreeMap<Channel, Protection> {
    let mut protected = BTreeMap::new();
    for entry in reader.map(node, "`protected`").unwrap_or_default() {
        let channel = match Channel::new(&entry.key) {
            Ok(channel) if channel.is_latest() => {
                let help = "protect the channels that people move";
                reader.error(entry.key_span, "channel", "`latest` moves by itself", help);
                continue;
            }
            Ok(channel) => channel,
            Err(error) => {
                let help = "write the name of a channel";
                reader.error(entry.key_span, "channel", error.to_string(), help);
                continue;
            }
        };
        let Some(mut table) = Table::new(reader, &entry.value, "a protected channel") else {
            continue;
        };
        let approvals = table.require(reader, "approvals");
        let approvals = approvals.and_then(|node| reader.whole_u32(node, "`approvals`", 1));
        table.finish(reader);
        if let Some(approvals) = approvals {
            protected.insert(channel, Protection { approvals });
        }
    }
    protected
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<PromptSettings, Vec<&'static str>> {
        let mut diagnostics = Diagnostics::new();
        let settings = decode(&Source::new("prompt.yaml", text), &mut diagnostics);
        settings.ok_or_else(|| diagnostics.iter().map(|found| found.rule).collect())
    }

    #[test]
    fn reads_the_example_of_the_format() {
        let settings = read(
            "{gate: registry/1, owners: [support-ai], gates: [support-triage], max_age_days: 30, \
             protected: {stable: {approvals: 1}}}",
        )
        .unwrap();
        assert_eq!(settings.owners, ["support-ai"]);
        assert_eq!(settings.max_age_days, Some(30));
        assert_eq!(settings.approvals(&Channel::stable()), 1);
        assert!(settings.requires(&Name::new("support-triage").unwrap()));
        assert!(!settings.requires(&Name::new("other").unwrap()));
        let default = read("gate: registry/1").unwrap();
        assert_eq!(default, PromptSettings::default());
        assert!(default.requires(&Name::new("other").unwrap()));
    }

    #[test]
    fn refuses_what_it_does_not_know_all_at_once() {
        let found = read(
            "gate: registry/2\nowner: x\nmax_age_days: 0\ngates: [A, b, b]\n\
             protected: {latest: {approvals: 1}, v8: {approvals: 1}, stable: {approval: 1}}\n",
        );
        let expected = [
            "format",
            "name",
            "duplicate-item",
            "out-of-range",
            "channel",
            "channel",
            "missing-key",
            "unknown-key",
            "unknown-key",
        ];
        assert_eq!(found, Err(expected.to_vec()));
        assert_eq!(read("gates: []"), Err(vec!["missing-key", "empty"]));
    }
}
