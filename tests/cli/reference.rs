//! `docs/reference.md` is what `--help` prints. With `UPDATE_DOCS=1` the test writes it anew.

use std::fmt::Write as _;

use crate::sandbox::Sandbox;

const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/reference.md");

/// The help of a command and of all below it, as sections of the reference.
fn sections(sandbox: &Sandbox, words: &[String], into: &mut String) {
    let mut arguments: Vec<&str> = words.iter().map(String::as_str).collect();
    arguments.push("--help");
    let ran = sandbox.gate(&arguments);
    let help = ran.exits(0).stdout.trim_end();
    let title = [&["gate".to_owned()], words].concat().join(" ");
    let _ = write!(into, "\n## {title}\n\n```text\n{help}\n```\n");
    let listed = help.split("\nCommands:\n").nth(1).unwrap_or_default();
    let block = listed.split("\n\n").next().unwrap_or_default();
    let names = block.lines().filter_map(|line| {
        let word = line.strip_prefix("  ")?.split_whitespace().next()?;
        (!line.starts_with("   ")).then(|| word.to_owned())
    });
    for name in names {
        sections(sandbox, &[words, &[name]].concat(), into);
    }
}

#[test]
fn the_reference_is_what_help_prints() {
    let mut reference = "# Commands and flags\n\nAs `--help` prints them.\n".to_owned();
    sections(&Sandbox::empty(), &[], &mut reference);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(PATH, &reference).unwrap();
    }
    let written = std::fs::read_to_string(PATH).unwrap().replace("\r\n", "\n");
    let first = written
        .lines()
        .zip(reference.lines())
        .find(|(old, new)| old != new);
    assert!(
        written == reference,
        "docs/reference.md is not what --help prints; UPDATE_DOCS=1 cargo test --test cli reference writes it anew: {first:?}"
    );
}

#[test]
fn the_published_schemas_are_what_the_program_prints() {
    let folder = std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/schema"));
    let sandbox = Sandbox::empty();
    let names = sandbox.gate(&["schema"]);
    for name in names.exits(0).stdout.lines() {
        let path = folder.join(format!("{name}.json"));
        let printed = sandbox.gate(&["schema", name]).stdout;
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::create_dir_all(folder).unwrap();
            std::fs::write(&path, &printed).unwrap();
        }
        let published = std::fs::read_to_string(&path)
            .unwrap_or_default()
            .replace("\r\n", "\n");
        assert!(
            published == printed,
            "docs/schema/{name}.json is not what `gate schema {name}` prints; UPDATE_DOCS=1 cargo test --test cli reference writes it anew"
        );
    }
}
