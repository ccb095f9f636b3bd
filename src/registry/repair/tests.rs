//! Two branches that git merged become one chain that says so.

use super::*;
use crate::base::Timestamp;
use crate::registry::verify::{Facts, Finding, verify};
use crate::registry::{Channel, Draft, State};

fn draft(minute: i64, action: Action) -> Draft {
    Draft {
        at: Timestamp::from_millis(minute * 60_000),
        by: "ann".to_owned(),
        action,
        why: None,
    }
}

fn add(minute: i64, version: u32, content: &str) -> Draft {
    let hash = Digest::of_bytes(content.as_bytes());
    draft(
        minute,
        Action::Add {
            version,
            hash,
            file: hash,
        },
    )
}

fn promote(minute: i64, version: u32, content: &str) -> Draft {
    draft(
        minute,
        Action::Promote {
            version,
            channel: Channel::stable(),
            from: (version > 1).then_some(1),
            hash: Digest::of_bytes(content.as_bytes()),
            evidence: None,
        },
    )
}

fn with(base: &Log, drafts: &[Draft]) -> Log {
    let mut log = base.clone();
    for draft in drafts {
        log.append(draft.clone());
    }
    log
}

fn base() -> Log {
    with(&Log::default(), &[add(1, 1, "one"), promote(2, 1, "one")])
}

fn tail(log: &Log, from: usize) -> String {
    log.encode().split_inclusive('\n').skip(from).collect()
}

fn source(text: &str) -> Arc<Source> {
    Source::new("log.jsonl", text)
}

fn stamp() -> Stamp {
    Stamp {
        by: "bob".to_owned(),
        at: Timestamp::from_millis(9_000_000),
        why: None,
    }
}

/// The lines of two branches as git leaves them, one after the other, and with its markers.
fn merged() -> (Log, Log, [String; 2]) {
    let ours = with(&base(), &[add(10, 2, "two"), promote(40, 2, "two")]);
    let theirs = with(&base(), &[add(20, 3, "three"), promote(30, 3, "three")]);
    let (one, other) = (tail(&ours, 2), tail(&theirs, 2));
    let plain = format!("{}{one}{other}", base().encode());
    let marked = format!(
        "{}<<<<<<< HEAD\n{one}=======\n{other}>>>>>>> their-branch\n",
        base().encode()
    );
    (ours, theirs, [plain, marked])
}

#[test]
fn chains_two_branches_in_order_of_time_and_says_so() {
    let (ours, theirs, texts) = merged();
    for text in texts {
        assert!(Log::decode(&source(&text)).unwrap_err().is_fork(), "{text}");
        let repaired = repair_merge(&source(&text), stamp()).unwrap();
        assert_eq!((repaired.kept, repaired.rechained), (2, 4));
        let mut heads = vec![ours.head().unwrap(), theirs.head().unwrap()];
        heads.sort();
        assert_eq!(repaired.heads, heads);
        let log = Log::decode(&source(&repaired.log.encode())).unwrap();
        let versions = log
            .entries()
            .iter()
            .map(|entry| entry.draft.action.version());
        let versions: Vec<_> = versions.collect();
        assert_eq!(
            versions,
            [Some(1), Some(1), Some(2), Some(3), Some(3), Some(2), None]
        );
        assert_eq!(State::of(&log).stable(), Some(2));
        // Reports of either branch carry its head, which the repair names.
        for head in heads {
            let facts = Facts {
                head: Some(head),
                ..Facts::default()
            };
            let findings = verify(&source(&log.encode()), &facts);
            let wrong = |finding: &Finding| {
                matches!(
                    finding,
                    Finding::CutTail { .. } | Finding::Log(_) | Finding::WrongFrom { .. }
                )
            };
            assert!(!findings.iter().any(wrong), "{findings:?}");
        }
    }
}

#[test]
fn joins_a_version_that_both_added_alike_and_refuses_two_of_one_number() {
    let ours = with(&base(), &[add(10, 2, "two")]);
    let alike = with(&base(), &[add(20, 2, "two"), promote(30, 2, "two")]);
    let text = format!("{}{}", ours.encode(), tail(&alike, 2));
    let repaired = repair_merge(&source(&text), stamp()).unwrap();
    assert_eq!((repaired.joined, repaired.rechained), (vec![2], 2));
    let unlike = with(&base(), &[add(20, 2, "other")]);
    let text = format!("{}{}", ours.encode(), tail(&unlike, 2));
    let error = repair_merge(&source(&text), stamp()).unwrap_err();
    assert!(
        matches!(
            error,
            RepairError::VersionTwice {
                version: 2,
                first: 3,
                second: 4
            }
        ),
        "{error}"
    );
}

#[test]
fn repairs_no_log_that_is_whole_or_damaged_in_another_way() {
    let whole = repair_merge(&source(&base().encode()), stamp());
    assert!(matches!(whole, Err(RepairError::NotForked)));
    let (_, _, [text, _]) = merged();
    let edited = text.replacen("ann", "eve", 1);
    assert!(matches!(
        repair_merge(&source(&edited), stamp()),
        Err(RepairError::Damaged(_))
    ));
    let dropped: String = text.split_inclusive('\n').skip(1).collect();
    assert!(matches!(
        repair_merge(&source(&dropped), stamp()),
        Err(RepairError::Damaged(_))
    ));
}
