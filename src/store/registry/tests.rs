//! What every backend must do, and the folder backend against damage and others at the same time.

mod contract;
mod model;
#[cfg(feature = "postgres")]
mod postgres;

use std::time::Duration;

use super::*;
use crate::base::{Name, Timestamp};
use crate::registry::change::{NewVersion, Stamp};
use crate::registry::promote::{Force, Question};
use crate::registry::version::{add, next_number};
use crate::registry::{Action, Change, Channel, PromptSettings, check_promotion};
use crate::store::ProjectRoot;

fn project() -> (tempfile::TempDir, FolderRegistry) {
    let folder = tempfile::tempdir().unwrap();
    let root = ProjectRoot::new(folder.path()).unwrap();
    let registry = FolderRegistry::new(&root, "prompts").unwrap();
    (folder, registry)
}

fn slug(text: &str) -> Slug {
    Slug::new(text).unwrap()
}

fn stamp(minute: i64) -> Stamp {
    Stamp {
        by: "ann".to_owned(),
        at: Timestamp::from_millis(minute * 60_000),
        why: Some("test".to_owned()),
    }
}

fn prompt_text(content: &str) -> String {
    format!(
        "gate: prompt/1\ndescription: a test\nmessages:\n  - {{ role: user, content: \"{content}\" }}\n"
    )
}

/// Adds a version as `gate prompt add` does.
fn add_version(registry: &dyn Backend, slug: &Slug, content: &str) -> Result<u32, String> {
    add_text(registry, slug, &prompt_text(content))
}

fn add_text(registry: &dyn Backend, slug: &Slug, text: &str) -> Result<u32, String> {
    let log = registry.log(slug).map_err(|error| error.to_string())?;
    let state = State::of(&log);
    let present = present(registry, slug, &state).unwrap();
    let file = VersionFile {
        number: next_number(&present),
        form: Form::Yaml,
        name: "new.yaml".to_owned(),
    };
    let number = file.number;
    let version = VersionText {
        file,
        text: text.to_owned(),
    };
    let version = decode(registry, slug, &version, &mut Diagnostics::new()).unwrap();
    let change = add(
        &state,
        &present,
        &version,
        (text, Form::Yaml),
        stamp(i64::from(number)),
    );
    let change = change.map_err(|error| error.to_string())?;
    registry
        .commit(slug, &change)
        .map_err(|error| error.to_string())?;
    Ok(number)
}

fn promotion(registry: &dyn Backend, slug: &Slug, version: u32) -> Result<Change, String> {
    let state = State::of(&registry.log(slug).unwrap());
    let present = present(registry, slug, &state).unwrap();
    let candidate = present.iter().find(|present| present.number == version);
    let question = Question {
        slug,
        state: &state,
        settings: &PromptSettings::default(),
        candidate: *candidate.ok_or("no such version")?,
        channel: &Channel::stable(),
        suites: &[],
        force: Force::Yes,
        now: Timestamp::from_millis(0),
    };
    let promotion = check_promotion(&question, &[]).map_err(|missing| format!("{missing:?}"))?;
    Ok(promotion.change(stamp(1)).unwrap())
}

#[test]
fn a_version_is_never_written_over_and_a_file_left_behind_gets_its_entry() {
    let (guard, registry) = project();
    let slug = slug("p");
    add_version(&registry, &slug, "one").unwrap();
    // A command that was cut off after the file and before the entry.
    let left = guard.path().join("prompts/p/v2.yaml");
    std::fs::write(&left, prompt_text("two")).unwrap();
    let mut change = Change::of(registry.log(&slug).unwrap().head(), Vec::new());
    change.version = Some(NewVersion {
        number: 2,
        form: Form::Yaml,
        text: "other".to_owned(),
    });
    let refused = registry.commit(&slug, &change);
    assert!(matches!(
        refused,
        Err(RegistryError::Fs(FsError::Exists { .. }))
    ));
    add_version(&registry, &slug, "two").unwrap();
    assert_eq!(std::fs::read_to_string(&left).unwrap(), prompt_text("two"));
    assert_eq!(State::of(&registry.log(&slug).unwrap()).versions().len(), 2);
    assert!(verify(&registry, &slug, None).unwrap().is_empty());
}

#[test]
fn the_flip_of_any_byte_of_a_version_file_or_log_is_found_with_its_line() {
    let (guard, registry) = project();
    let slug = slug("p");
    add_version(&registry, &slug, "one").unwrap();
    add_version(&registry, &slug, "zw\u{f6}lf").unwrap();
    for (name, line) in [("v2.yaml", Some(2)), ("log.jsonl", None)] {
        let path = guard.path().join("prompts/p").join(name);
        let bytes = std::fs::read(&path).unwrap();
        for index in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[index] ^= [1, 0x20, 0x80][index % 3];
            std::fs::write(&path, damaged).unwrap();
            let findings = verify(&registry, &slug, None).unwrap();
            let named = findings.iter().any(|finding| match (finding, line) {
                (Finding::FileEdited { line, .. }, Some(expected)) => *line == expected,
                (Finding::Log(_), None) => true,
                _ => false,
            });
            assert!(named, "byte {index} of {name}: {findings:?}");
        }
        std::fs::write(&path, bytes).unwrap();
    }
    assert!(verify(&registry, &slug, None).unwrap().is_empty());
}

#[test]
fn an_edited_version_is_not_handed_out_and_a_cut_tail_is_found_by_the_head() {
    let (guard, registry) = project();
    let slug = slug("p");
    add_version(&registry, &slug, "one").unwrap();
    let change = promotion(&registry, &slug, 1).unwrap();
    let head = registry.commit(&slug, &change).unwrap().head();
    let stable = "stable".parse().unwrap();
    assert!(find(&registry, &slug, &stable).is_ok());
    let log = guard.path().join("prompts/p/log.jsonl");
    let text = std::fs::read_to_string(&log).unwrap();
    std::fs::write(&log, text.split_inclusive('\n').take(1).collect::<String>()).unwrap();
    assert!(verify(&registry, &slug, None).unwrap().is_empty());
    let findings = verify(&registry, &slug, head).unwrap();
    assert!(matches!(findings[..], [Finding::CutTail { .. }]));
    std::fs::write(&log, text).unwrap();
    std::fs::write(guard.path().join("prompts/p/v1.yaml"), prompt_text("other")).unwrap();
    let edited = find(&registry, &slug, &stable);
    assert!(matches!(edited, Err(RegistryError::FileEdited { .. })));
}

#[test]
fn keeps_evidence_beside_the_log_and_nowhere_else() {
    let (guard, registry) = project();
    let slug = slug("p");
    add_version(&registry, &slug, "one").unwrap();
    let path = "evidence/v1/suite.json".to_owned();
    let reference = crate::registry::EvidenceRef {
        suite: Name::new("suite").unwrap(),
        model: Name::new("main").unwrap(),
        run: "0198".to_owned(),
        digest: Digest::of_bytes(b"{}"),
    };
    let mut change = promotion(&registry, &slug, 1).unwrap();
    if let Action::Promote { evidence, .. } = &mut change.drafts[0].action {
        *evidence = Some(vec![reference]);
    }
    let copy = |path: &str| crate::registry::change::EvidenceCopy {
        path: path.to_owned(),
        text: "{}".to_owned(),
    };
    for bad in [
        "evidence/../../x.json",
        "log.jsonl",
        "/tmp/x",
        "evidence/../log.jsonl",
    ] {
        change.evidence = vec![copy(bad)];
        assert!(registry.commit(&slug, &change).is_err(), "{bad}");
    }
    change.evidence = vec![copy(&path)];
    registry.commit(&slug, &change).unwrap();
    assert!(verify(&registry, &slug, None).unwrap().is_empty());
    let file = guard.path().join("prompts/p").join(&path);
    std::fs::write(&file, "{ }").unwrap();
    let findings = verify(&registry, &slug, None).unwrap();
    assert!(matches!(
        findings[..],
        [Finding::EvidenceEdited { line: 2, .. }]
    ));
    std::fs::remove_file(&file).unwrap();
    let findings = verify(&registry, &slug, None).unwrap();
    assert!(matches!(
        findings[..],
        [Finding::EvidenceMissing { line: 2, .. }]
    ));
}

#[test]
fn waits_for_another_process_only_so_long() {
    let (guard, registry) = project();
    let slug = slug("p");
    add_version(&registry, &slug, "one").unwrap();
    let change = promotion(&registry, &slug, 1).unwrap();
    let locks = guard.path().join(".gate/locks").read_dir().unwrap();
    let held: Vec<std::fs::File> = locks
        .map(|entry| std::fs::File::open(entry.unwrap().path()).unwrap())
        .collect();
    for file in &held {
        file.lock().unwrap();
    }
    let impatient = registry.clone().patience(Duration::from_millis(1));
    assert!(matches!(
        impatient.commit(&slug, &change),
        Err(RegistryError::Lock(_))
    ));
    drop(held);
    assert!(impatient.commit(&slug, &change).is_ok());
}

#[test]
fn two_files_of_one_version_are_an_error_and_strangers_are_passed_over() {
    let (guard, registry) = project();
    let slug = slug("p");
    add_version(&registry, &slug, "one").unwrap();
    let folder = guard.path().join("prompts/p");
    for name in [
        "v01.yaml",
        "v0.yaml",
        "v2.yaml.bak",
        "vx.yaml",
        "notes.md",
        ".gate-1.tmp",
    ] {
        std::fs::write(folder.join(name), "x").unwrap();
    }
    std::fs::create_dir_all(guard.path().join("prompts/Bad Name/x")).unwrap();
    std::fs::write(guard.path().join("prompts/Bad Name/v1.yaml"), "x").unwrap();
    assert_eq!(registry.versions(&slug).unwrap().len(), 1);
    assert_eq!(registry.slugs().unwrap(), std::slice::from_ref(&slug));
    std::fs::write(folder.join("v1.md"), "x").unwrap();
    assert!(matches!(
        registry.versions(&slug),
        Err(RegistryError::TwoFiles { .. })
    ));
}

#[cfg(unix)]
#[test]
fn links_that_leave_the_project_are_refused_in_every_step() {
    use std::os::unix::fs::symlink;
    let (guard, registry) = project();
    let slug = slug("p");
    add_version(&registry, &slug, "one").unwrap();
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("v1.yaml"), prompt_text("x")).unwrap();
    let prompts = guard.path().join("prompts");
    symlink(outside.path(), prompts.join("linked")).unwrap();
    let linked = Slug::new("linked").unwrap();
    assert!(registry.versions(&linked).is_err());
    assert!(registry.log(&linked).is_err());
    assert!(add_version(&registry, &linked, "y").is_err());
    assert_eq!(registry.slugs().unwrap(), std::slice::from_ref(&slug));
    std::fs::remove_file(prompts.join("p/v1.yaml")).unwrap();
    symlink(outside.path().join("v1.yaml"), prompts.join("p/v1.yaml")).unwrap();
    assert!(find(&registry, &slug, &"v1".parse().unwrap()).is_err());
    assert_eq!(outside.path().read_dir().unwrap().count(), 1);
}
