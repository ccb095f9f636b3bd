//! `gate schema NAME`: the JSON Schemas of our files.

/// The schemas by name.
pub const SCHEMAS: [(&str, &str); 8] = [
    ("cassette", include_str!("../../schema/cassette.json")),
    ("dataset", include_str!("../../schema/dataset.json")),
    ("label", include_str!("../../schema/label.json")),
    ("mock", include_str!("../../schema/mock.json")),
    ("prompt", include_str!("../../schema/prompt.json")),
    ("result", include_str!("../../schema/result.json")),
    ("settings", include_str!("../../schema/settings.json")),
    ("suite", include_str!("../../schema/suite.json")),
];

/// The schema of a name.
#[must_use]
pub fn find(name: &str) -> Option<&'static str> {
    SCHEMAS
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, text)| *text)
}

/// The line that tells an editor which schema a YAML file of ours has.
#[must_use]
pub fn modeline(name: &str) -> String {
    format!(
        "# yaml-language-server: $schema=https://raw.githubusercontent.com/promptgate/gate/v{}/docs/schema/{name}.json\n",
        env!("CARGO_PKG_VERSION")
    )
}
