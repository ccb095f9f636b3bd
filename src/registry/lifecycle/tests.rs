//! Statuses and channels follow the entries.

use super::*;
use crate::registry::change::Stamp;
use crate::registry::movement::{MoveError, approve, rollback, set_status};
use crate::registry::settings::{PromptSettings, Protection};

fn stamp(by: &str, minute: i64) -> Stamp {
    Stamp {
        by: by.to_owned(),
        at: Timestamp::from_millis(minute * 60_000),
        why: Some(format!("minute {minute}")),
    }
}

/// A log in which v1 to v3 were added, and then promoted one after the other.
fn three() -> Log {
    let mut log = Log::default();
    for version in 1..=3 {
        let hash = Digest::of_bytes(&[u8::try_from(version).unwrap()]);
        let action = Action::Add {
            version,
            hash,
            file: hash,
        };
        log.append(stamp("ann", i64::from(version)).draft(action));
    }
    for version in 1..=3 {
        let state = State::of(&log);
        let action = Action::Promote {
            version,
            channel: Channel::stable(),
            from: state.stable(),
            hash: state.version(version).unwrap().hash,
            evidence: None,
        };
        log.append(stamp("ann", i64::from(version) * 10).draft(action));
    }
    log
}

fn roll(log: &mut Log, to: Option<u32>, minute: i64) -> Result<u32, MoveError> {
    let change = rollback(
        &State::of(log),
        &Channel::stable(),
        to,
        stamp("bob", minute),
    )?;
    assert_eq!(change.expected, log.head());
    for draft in change.drafts {
        log.append(draft);
    }
    Ok(State::of(log).stable().unwrap())
}

#[test]
fn a_promotion_replaces_and_a_rollback_withdraws() {
    let mut log = three();
    let statuses = |log: &Log| -> Vec<&str> {
        State::of(log)
            .versions()
            .values()
            .map(|version| version.status.word())
            .collect()
    };
    assert_eq!(statuses(&log), ["deprecated", "deprecated", "active"]);
    assert_eq!(roll(&mut log, None, 40), Ok(2));
    assert_eq!(statuses(&log), ["deprecated", "active", "deprecated"]);
    let state = State::of(&log);
    assert_eq!(state.version(3).unwrap().why.as_deref(), Some("minute 40"));
    assert_eq!(state.channel(&Channel::latest()), Some(3));
}

#[test]
fn a_second_rollback_goes_further_back_and_never_to_what_was_withdrawn() {
    let mut log = three();
    assert_eq!(roll(&mut log, None, 40), Ok(2));
    assert_eq!(roll(&mut log, None, 41), Ok(1));
    let nothing = roll(&mut log, None, 42);
    let said = nothing.unwrap_err().to_string();
    assert!(said.contains("came back from v2 already, to v1"), "{said}");
    assert_eq!(roll(&mut log, Some(3), 43), Ok(3));
    assert_eq!(roll(&mut log, None, 44), Ok(1));
}

#[test]
fn a_rollback_goes_only_where_the_channel_was() {
    let mut log = three();
    let hash = Digest::of_bytes(b"4");
    log.append(stamp("ann", 35).draft(Action::Add {
        version: 4,
        hash,
        file: hash,
    }));
    let never = roll(&mut log, Some(4), 40);
    assert!(matches!(
        never,
        Err(MoveError::NeverThere { version: 4, .. })
    ));
    let same = roll(&mut log, Some(3), 40);
    assert!(matches!(
        same,
        Err(MoveError::AlreadyThere { version: 3, .. })
    ));
    let latest = rollback(&State::of(&log), &Channel::latest(), None, stamp("bob", 40));
    assert_eq!(latest, Err(MoveError::Latest));
}

#[test]
fn tells_what_was_live_at_a_time() {
    let log = three();
    let state = State::of(&log);
    let live = |minute: i64| {
        let time = Timestamp::from_millis(minute * 60_000);
        state
            .move_at(&Channel::stable(), time)
            .map(|entry| entry.to)
    };
    assert_eq!(
        [live(9), live(10), live(19), live(20), live(99)],
        [None, Some(1), Some(1), Some(2), Some(3)]
    );
    assert_eq!(
        state.last_move(&Channel::stable()).unwrap().kind,
        MoveKind::Forced
    );
}

#[test]
fn approvals_come_from_others_than_the_author_and_once_each() {
    let log = three();
    let state = State::of(&log);
    let mut settings = PromptSettings::default();
    let stable = Channel::stable();
    let free = approve(&state, &settings, 3, &stable, stamp("bob", 50));
    assert!(matches!(free, Err(MoveError::NotProtected { .. })));
    settings
        .protected
        .insert(stable.clone(), Protection { approvals: 2 });
    let own = approve(&state, &settings, 3, &stable, stamp(" Ann", 50));
    assert!(matches!(own, Err(MoveError::OwnVersion { .. })));
    let mut log = log;
    for draft in approve(&state, &settings, 3, &stable, stamp("bob", 50))
        .unwrap()
        .drafts
    {
        log.append(draft);
    }
    let again = approve(&State::of(&log), &settings, 3, &stable, stamp("Bob", 51));
    assert!(matches!(again, Err(MoveError::ApprovedBefore { .. })));
}

#[test]
fn a_status_goes_forward_by_hand_and_never_to_active() {
    let mut log = three();
    let hash = Digest::of_bytes(b"4");
    log.append(stamp("ann", 35).draft(Action::Add {
        version: 4,
        hash,
        file: hash,
    }));
    let state = State::of(&log);
    let set = |version, to| set_status(&state, version, to, stamp("ann", 60)).map(|_| ());
    assert_eq!(set(4, Status::Testing), Ok(()));
    assert_eq!(set(4, Status::Deprecated), Ok(()));
    assert!(matches!(
        set(4, Status::Active),
        Err(MoveError::Status { .. })
    ));
    assert!(matches!(
        set(4, Status::Draft),
        Err(MoveError::Status { .. })
    ));
    assert!(matches!(
        set(1, Status::Testing),
        Err(MoveError::Status { .. })
    ));
    assert_eq!(
        set(3, Status::Deprecated),
        Err(MoveError::InUse { version: 3 })
    );
    assert_eq!(
        set(9, Status::Testing),
        Err(MoveError::Unknown { version: 9 })
    );
}
