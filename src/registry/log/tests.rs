//! Every edit, drop and swap of lines is found, with the line named.

use super::*;

const DEMO: &str = include_str!("../../../evals/prompts/support-triage/log.jsonl");

fn found(text: &[u8]) -> Vec<LogFault> {
    let text = String::from_utf8_lossy(text);
    scan(&Source::new("log.jsonl", &text)).faults
}

fn lines(order: &[usize]) -> String {
    let all: Vec<&str> = DEMO.split_inclusive('\n').collect();
    order.iter().map(|index| all[*index]).collect()
}

#[test]
fn reads_the_demo_and_writes_it_back() {
    let log = Log::decode(&Source::new("log.jsonl", DEMO)).unwrap();
    assert_eq!(log.entries().len(), 4);
    assert_eq!(log.encode(), DEMO);
    assert_eq!(
        Log::decode(&Source::new("log.jsonl", "")).unwrap(),
        Log::default()
    );
}

#[test]
fn finds_the_change_of_any_byte_to_any_other_and_names_the_line() {
    // One line of each kind, chained as a log of its own, with text beyond ASCII.
    let log = small();
    let text = log.encode();
    let mut line = 1;
    for (index, byte) in text.bytes().enumerate() {
        for flip in [1, 2, 4, 8, 16, 32, 64, 128, 0x29, 0x2a, 0x2d, 0xff] {
            let mut bytes = text.clone().into_bytes();
            bytes[index] = byte ^ flip;
            let faults = found(&bytes);
            let near = |fault: &LogFault| fault.line() == line || fault.line() == line + 1;
            assert!(faults.iter().any(near), "byte {index} ^ {flip}: {faults:?}");
        }
        if byte == b'\n' {
            line += 1;
        }
    }
}

fn small() -> Log {
    use crate::base::Timestamp;
    use crate::registry::{Action, Channel, Draft};
    let hash = Digest::of_bytes(b"x");
    let draft = |action| Draft {
        at: Timestamp::from_millis(1_790_847_000_123),
        by: "J\u{f6}rg\u{1b}".to_owned(),
        action,
        why: None,
    };
    let mut log = Log::default();
    log.append(draft(Action::Add {
        version: 1,
        hash,
        file: hash,
    }));
    let channel = Channel::stable();
    let evidence = Some(Vec::new());
    log.append(draft(Action::Promote {
        version: 1,
        channel,
        from: None,
        hash,
        evidence,
    }));
    log
}

#[test]
fn finds_dropped_swapped_and_repeated_lines() {
    for (order, line) in [
        (&[1, 2, 3][..], 1),
        (&[0, 2, 3], 2),
        (&[0, 1, 3], 3),
        (&[1, 0, 2, 3], 1),
        (&[0, 2, 1, 3], 2),
        (&[0, 1, 3, 2], 3),
        (&[0, 1, 1, 2, 3], 3),
        (&[0, 1, 2, 3, 0], 5),
    ] {
        let faults = found(lines(order).as_bytes());
        assert_eq!(
            faults.first().map(LogFault::line),
            Some(line),
            "{order:?}: {faults:?}"
        );
    }
    // A cut tail is a whole log: only a head that was written down tells.
    assert!(found(lines(&[0, 1, 2]).as_bytes()).is_empty());
}

#[test]
fn tells_a_torn_end_an_empty_line_and_a_reformatted_line() {
    assert!(matches!(
        found(DEMO.trim_end().as_bytes())[..],
        [LogFault::Torn { line: 4 }]
    ));
    let gap = DEMO.replacen('\n', "\n\n", 1);
    assert!(matches!(
        found(gap.as_bytes())[..],
        [LogFault::Unreadable { line: 2, .. }]
    ));
    let spaced = DEMO.replacen("\"seq\": 0", "\"seq\":  0", 1);
    assert!(matches!(
        found(spaced.as_bytes())[..],
        [LogFault::Reformatted { line: 1 }]
    ));
    assert!(Log::decode(&Source::new("log.jsonl", &spaced)).is_ok());
    assert!(found(DEMO.replace('\n', "\r\n").as_bytes()).is_empty());
}

#[test]
fn tells_a_merge_from_other_damage() {
    let merged = |text: &str| Log::decode(&Source::new("log.jsonl", text)).unwrap_err();
    let marked = DEMO.replacen("\n{\"seq\": 1", "\n<<<<<<< HEAD\n{\"seq\": 1", 1);
    assert!(merged(&marked).is_fork());
    assert!(!merged(&lines(&[0, 2, 3])).is_fork());
    assert!(!merged(&lines(&[0, 2, 1, 3])).is_fork());
}
