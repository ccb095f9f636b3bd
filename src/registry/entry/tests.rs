//! Lines are written and read with their fourteen keys, and nothing else is read.

use super::*;

const DEMO: &str = include_str!("../../../evals/prompts/support-triage/log.jsonl");

fn read(line: &str) -> Result<Decoded, String> {
    decode(&Source::row("log.jsonl", line, 4), Check::Bytes).map_err(|found| {
        let rules: Vec<&str> = found.iter().map(|found| found.rule).collect();
        rules.join(" ")
    })
}

fn demo_line(index: usize) -> &'static str {
    DEMO.lines().nth(index).unwrap()
}

#[test]
fn writes_the_lines_of_the_demo_byte_for_byte() {
    for line in DEMO.lines() {
        let Decoded {
            entry,
            content,
            is_plain,
        } = read(line).unwrap();
        assert_eq!((content, is_plain), (None, true));
        let again = entry.draft.clone().chain(entry.seq, entry.prev);
        assert_eq!(again.text, line);
        assert_eq!(again, entry);
        assert_eq!(entry.to_json(), serde_json::from_str::<Json>(line).unwrap());
    }
}

/// One action of each kind.
fn actions() -> [Action; 7] {
    let digest = Digest::of_bytes(b"x");
    let channel = Channel::new("canary").unwrap();
    let evidence = EvidenceRef {
        suite: Name::new("s").unwrap(),
        model: Name::new("main").unwrap(),
        run: "0198".to_owned(),
        digest,
    };
    let (version, hash, from) = (8, digest, Some(7));
    [
        Action::Add {
            version,
            hash,
            file: digest,
        },
        Action::Promote {
            version,
            channel: channel.clone(),
            from,
            hash,
            evidence: Some(vec![evidence]),
        },
        Action::Promote {
            version,
            channel: Channel::stable(),
            from: None,
            hash,
            evidence: None,
        },
        Action::Rollback {
            version,
            channel: channel.clone(),
            from,
            hash: Some(hash),
        },
        Action::Status {
            version,
            from: Some(Status::Draft),
            to: Status::Testing,
            hash: None,
        },
        Action::Approve {
            version,
            channel,
            hash: None,
        },
        Action::Repair,
    ]
}

#[test]
fn reads_what_it_writes_for_every_action() {
    let digest = Digest::of_bytes(b"x");
    for action in actions() {
        let draft = Draft {
            at: Timestamp::from_millis(1_790_847_000_123),
            by: "J\u{f6}rg \"x\"\n\u{1b}".to_owned(),
            action,
            why: Some("\u{1f600} because".to_owned()),
        };
        let entry = draft.chain(3, Some(digest));
        let Decoded {
            entry: again,
            content,
            is_plain,
        } = read(&entry.text).unwrap();
        assert_eq!((again, content, is_plain), (entry.clone(), None, true));
        let ascii = layout::escape_beyond_ascii(&entry.text);
        assert!(read(&ascii).unwrap().is_plain, "{ascii}");
    }
}

#[test]
fn refuses_keys_it_does_not_know_and_misses_none() {
    let line = demo_line(0);
    assert_eq!(
        read(&line.replace("\"why\"", "\"whys\"")).unwrap_err(),
        "missing-key unknown-key"
    );
    let twice = line.replace("{\"seq\"", "{\"by\": \"x\", \"seq\"");
    assert_eq!(read(&twice).unwrap_err(), "duplicate-key");
    let more = line.replace("{\"seq\"", "{\"note\": null, \"seq\"");
    assert_eq!(read(&more).unwrap_err(), "unknown-key");
    for key in KEYS {
        let other = line.replace(&format!("\"{key}\": "), "\"x\": ");
        assert!(read(&other).is_err(), "{key}");
    }
}

#[test]
fn refuses_values_of_another_type_or_of_another_action() {
    let (add, promote) = (demo_line(0), demo_line(1));
    let table = [
        (add, "\"seq\": 0", "\"seq\": \"0\"", "wrong-type"),
        (add, "\"seq\": 0", "\"seq\": -1", "out-of-range"),
        (add, "\"version\": 7", "\"version\": 0", "out-of-range"),
        (add, "\"version\": 7", "\"version\": 7.5", "wrong-type"),
        (add, "\"by\": \"support-ai\"", "\"by\": \"\"", "empty"),
        (add, "2026-09-01T08:20:00Z", "yesterday", "time"),
        (
            add,
            "\"action\": \"add\"",
            "\"action\": \"ad\"",
            "unknown-word",
        ),
        (
            add,
            "\"channel\": null",
            "\"channel\": \"stable\"",
            "unexpected-value",
        ),
        (
            add,
            "\"digest\": \"sha256:",
            "\"digest\": \"sha256:A",
            "digest",
        ),
        (promote, "\"to\": 7", "\"to\": 8", "version-mismatch"),
        (
            promote,
            "\"channel\": \"stable\"",
            "\"channel\": \"latest\"",
            "channel",
        ),
        (
            promote,
            "\"evidence\": null",
            "\"evidence\": {}",
            "wrong-type",
        ),
        (
            promote,
            "\"evidence\": null",
            "\"evidence\": [{}]",
            "missing-key missing-key missing-key missing-key",
        ),
    ];
    for (line, old, new, rule) in table {
        assert!(line.contains(old), "{old}");
        assert_eq!(
            read(&line.replacen(old, new, 1)).unwrap_err(),
            rule,
            "{new}"
        );
    }
}
