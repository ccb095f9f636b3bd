//! The folder backend against a simple model, against damage, and against others at the same time.

use std::time::Duration;

use super::*;
use crate::base::{Name, Timestamp};
use crate::registry::change::{NewVersion, Stamp};
use crate::registry::movement::{rollback, set_status};
use crate::registry::promote::{Force, Question};
use crate::registry::version::{add, next_number};
use crate::registry::{Action, Change, Channel, PromptSettings, Status, check_promotion};
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
    let log = registry.log(slug).map_err(|error| error.to_string())?;
    let state = State::of(&log);
    let present = present(registry, slug, &state).unwrap();
    let text = prompt_text(content);
    let file = VersionFile {
        number: next_number(&present),
        form: Form::Yaml,
        name: "new.yaml".to_owned(),
    };
    let number = file.number;
    let version = VersionText {
        file,
        text: text.clone(),
    };
    let version = decode(registry, slug, &version, &mut Diagnostics::new()).unwrap();
    let change = add(
        &state,
        &present,
        &version,
        (&text, Form::Yaml),
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

/// What the registry must add up to, kept in the simplest way.
#[derive(Default)]
struct Model {
    contents: Vec<u64>,
    statuses: Vec<Status>,
    /// Where `stable` was, without what was withdrawn.
    stack: Vec<u32>,
    ever: Vec<u32>,
}

impl Model {
    fn set(&mut self, version: u32, status: Status) {
        let index = usize::try_from(version - 1).unwrap();
        self.statuses[index] = status;
    }

    fn stable(&self) -> Option<u32> {
        self.stack.last().copied()
    }

    fn status(&self, version: u32) -> Option<Status> {
        let index = usize::try_from(version).unwrap().checked_sub(1)?;
        self.statuses.get(index).copied()
    }

    fn add(&mut self, content: u64) -> bool {
        let is_new = !self.contents.contains(&content);
        if is_new {
            self.contents.push(content);
            self.statuses.push(Status::Draft);
        }
        is_new
    }

    fn promote(&mut self, version: u32) -> bool {
        if self.status(version).is_none() || self.stable() == Some(version) {
            return false;
        }
        if let Some(old) = self.stable() {
            self.set(old, Status::Deprecated);
        }
        self.set(version, Status::Active);
        self.stack.push(version);
        self.ever.push(version);
        true
    }

    fn rollback(&mut self, to: Option<u32>) -> bool {
        let previous = self
            .stack
            .len()
            .checked_sub(2)
            .map(|index| self.stack[index]);
        let Some(to) = to.or(previous).filter(|to| self.ever.contains(to)) else {
            return false;
        };
        if self.stable() == Some(to) {
            return false;
        }
        let old = self.stable().unwrap();
        match self.stack.iter().rposition(|version| *version == to) {
            Some(index) => self.stack.truncate(index + 1),
            None => self.stack.push(to),
        }
        self.set(old, Status::Deprecated);
        self.set(to, Status::Active);
        true
    }

    fn set_status(&mut self, version: u32, to: Status) -> bool {
        let allowed = self.status(version).is_some_and(|from| to > from)
            && to != Status::Active
            && self.stable() != Some(version);
        if allowed {
            self.set(version, to);
        }
        allowed
    }
}

fn step(registry: &FolderRegistry, slug: &Slug, model: &mut Model, draw: &mut Draw) {
    let version = u32::try_from(draw.below(8)).unwrap();
    let commit = |change: Change| registry.commit(slug, &change).is_ok();
    let state = State::of(&registry.log(slug).unwrap());
    let (done, expected) = match draw.below(5) {
        0 => {
            let content = draw.below(12);
            let added = add_version(registry, slug, &format!("text {content}"));
            (added.is_ok(), model.add(content))
        }
        1 => {
            let change = promotion(registry, slug, version);
            (change.is_ok_and(commit), model.promote(version))
        }
        2 => {
            let change = rollback(&state, &Channel::stable(), None, stamp(2));
            (change.is_ok_and(commit), model.rollback(None))
        }
        3 => {
            let change = rollback(&state, &Channel::stable(), Some(version), stamp(2));
            (change.is_ok_and(commit), model.rollback(Some(version)))
        }
        _ => {
            let index = usize::try_from(draw.below(4)).unwrap();
            let status = Status::ALL[index];
            let change = set_status(&state, version, status, stamp(3));
            (change.is_ok_and(commit), model.set_status(version, status))
        }
    };
    assert_eq!(done, expected);
    let state = State::of(&registry.log(slug).unwrap());
    assert_eq!(state.stable(), model.stable());
    let statuses: Vec<Status> = state
        .versions()
        .values()
        .map(|version| version.status)
        .collect();
    assert_eq!(statuses, model.statuses);
}

/// A seeded stream of numbers.
struct Draw(u64);

impl Draw {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 += 1;
        Digest::of_bytes(&self.0.to_be_bytes()).leading_u64() % limit
    }
}

#[test]
fn two_thousand_random_operations_give_the_state_of_a_simple_model() {
    let (_guard, registry) = project();
    for round in 0..40 {
        let slug = slug(&format!("team/prompt-{round}"));
        let mut model = Model::default();
        let mut draw = Draw(round * 1_000_000);
        for _ in 0..50 {
            step(&registry, &slug, &mut model, &mut draw);
        }
        let findings = verify(&registry, &slug, None).unwrap();
        assert!(findings.is_empty(), "{findings:?}");
    }
    assert_eq!(registry.slugs().unwrap().len(), 40);
}

#[test]
fn of_two_promotions_at_once_one_wins_and_the_other_is_told() {
    let (_guard, registry) = project();
    let slug = slug("p");
    for content in ["one", "two", "three"] {
        add_version(&registry, &slug, content).unwrap();
    }
    for round in 0..20 {
        let pair = if round % 2 == 0 { [1, 2] } else { [3, 3] };
        let changes = pair.map(|version| promotion(&registry, &slug, version).unwrap());
        let results = std::thread::scope(|scope| {
            let (registry, slug) = (&registry, &slug);
            let threads = changes
                .each_ref()
                .map(|decided| scope.spawn(move || registry.commit(slug, decided)));
            threads.map(|thread| thread.join().unwrap())
        });
        let told: Vec<_> = results.into_iter().filter_map(Result::err).collect();
        let [RegistryError::Overtaken { last, .. }] = &told[..] else {
            panic!("{told:?}");
        };
        let action = last.as_ref().map(|entry| &entry.draft.action);
        assert!(matches!(action, Some(Action::Promote { .. })));
        assert!(told[0].to_string().contains("by ann"), "{}", told[0]);
    }
    assert!(verify(&registry, &slug, None).unwrap().is_empty());
}

#[test]
fn twins_are_refused_with_the_number_of_the_other() {
    let (_guard, registry) = project();
    let slug = slug("p");
    add_version(&registry, &slug, "one").unwrap();
    let twin = add_version(&registry, &slug, "one").unwrap_err();
    assert!(twin.contains("v1 has the same hash"), "{twin}");
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
