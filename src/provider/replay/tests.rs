//! Tests of the cassette.

use super::*;
use crate::base::CaseId;
use crate::chat::{Message, Params, Request, Role};
use crate::dataset::Case;
use crate::provider::Subject;

const V2: &str = "sha256:afdc85597dd0d6be73db2a8df69626569a1c6ddc7d4212729839515ed64f34f4";
const V1: &str = "sha256:f5d597cf51db335f9e031f775caa08db19f778321a86fc917f26a8eda1afa0a0";

fn decode(text: &str) -> (Option<Cassette>, Diagnostics) {
    let mut diagnostics = Diagnostics::new();
    let mut decoder = CassetteDecoder::new("c.jsonl", &mut diagnostics);
    for (line, number) in text.split_inclusive('\n').zip(1..) {
        decoder.line(line, number);
    }
    let cassette = decoder.finish();
    (cassette, diagnostics)
}

fn findings(text: &str) -> String {
    let (cassette, diagnostics) = decode(text);
    assert!(cassette.is_none());
    diagnostics.to_string()
}

fn exactness() -> Cassette {
    decode(include_str!("../../../fixtures/cassette/exactness.jsonl"))
        .0
        .unwrap()
}

fn ask(
    cassette: &Cassette,
    id: &str,
    version: (Option<u32>, &str),
    repeat: u32,
    scorer: Option<&str>,
) -> Result<(Response, Duration), CallError> {
    let case = Case {
        id: CaseId::new(id),
        line: 1,
        vars: crate::base::Fields::default(),
        expected: None,
        segment: crate::base::Fields::default(),
        tags: Box::default(),
        must_pass: false,
        quarantined: false,
        cluster: None,
        scorers: Box::default(),
        note: None,
        explicit_defaults: crate::dataset::case::ExplicitDefaults::default(),
    };
    let request = Request {
        messages: vec![Message::new(Role::User, "u")],
        params: Params::default(),
        tools: Vec::new(),
        response_format: None,
    };
    let (number, hash) = version;
    let version = Version { number, hash };
    let subject = Subject {
        case: &case,
        repeat,
        scorer,
        version,
    };
    cassette.answer(&Call {
        request: &request,
        subject,
    })
}

#[test]
fn the_most_exact_line_answers() {
    let cassette = exactness();
    let text = |version, repeat, scorer| {
        ask(&cassette, "c1", version, repeat, scorer)
            .map_or_else(|error| error.message, |(response, _)| response.text)
    };
    assert_eq!(text((Some(2), V2), 1, None), "long hash");
    assert_eq!(text((None, "sha256:afdc8559ffff"), 1, None), "short hash");
    assert_eq!(text((Some(2), V1), 1, None), "number");
    assert_eq!(text((Some(1), V1), 1, None), "any");
    assert_eq!(text((Some(2), V2), 2, None), "second");
    assert_eq!(text((Some(2), V2), 1, Some("polite")), "judge");
    insta::assert_snapshot!(text((Some(1), V1), 2, None), @"the cassette has no answer for case `c1`, version v1, repeat 2; its lines for the case are of other versions, repeats or scorers");
    insta::assert_snapshot!(text((None, V1), 1, Some("short")), @"the cassette has no answer for case `c1`, version sha256:f5d597cf, repeat 1, scorer `short`; its lines for the case are of other versions, repeats or scorers");
}

#[test]
fn a_case_without_a_line_is_no_recording() {
    let error = ask(&exactness(), "c9", (Some(2), V2), 1, None).unwrap_err();
    assert_eq!(error.class, ErrorClass::NoRecording);
    insta::assert_snapshot!(error.message, @"the cassette has no answer for case `c9`, version v2, repeat 1");
}

#[test]
fn a_line_gives_all_that_it_records() {
    let (response, latency) = ask(&exactness(), "c2", (Some(2), V2), 1, None).unwrap();
    assert_eq!(response.text, "Sure! That is a bug.");
    assert_eq!(response.finish, Finish::Stop);
    assert_eq!(response.served_model.as_deref(), Some("m-1"));
    assert_eq!(response.usage.output_tokens, Some(6));
    assert_eq!(latency, Duration::from_millis(312));
}

#[test]
fn names_both_of_two_equally_exact_lines() {
    insta::assert_snapshot!(
        findings("{\"id\": \"c\", \"output\": \"a\"}\n\n{\"id\": \"c\", \"repeat\": 1, \"output\": \"b\"}\n"),
        @r#"
    error[duplicate-recording]: lines 1 and 3 are equally exact answers for case `c`
     --> c.jsonl:3:1
      |
    3 | {"id": "c", "repeat": 1, "output": "b"}
      | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: remove one, or give them different versions, repeats or scorers
    "#
    );
}

#[test]
fn reports_all_errors_of_a_file_at_once() {
    let text = concat!(
        "{\"id\": \"c\", \"outptu\": \"a\"}\n",
        "{\"id\": \"c\", \"id\": \"d\", \"output\": \"a\"}\n",
        "{\"id\": \"c\", \"output\": 7, \"version\": \"v07\", \"repeat\": 0, \"latency_ms\": -1}\n",
        "{\"id\": \"c\", \"output\": \"\", \"version\": \"sha256:ABCDEF01\", \"usage\": {\"tokens\": 1}}\n",
        "nothing\n",
    );
    let (cassette, diagnostics) = decode(text);
    assert!(cassette.is_none());
    let line = |finding: &Diagnostic| {
        let (_, line, column) = finding.location().unwrap();
        let help = finding.help.as_deref().unwrap_or_default();
        format!("{line}:{column} {}; {help}", finding.message)
    };
    let shown: Vec<String> = diagnostics.iter().map(line).collect();
    insta::assert_snapshot!(shown.join("\n"), @r"
    1:1 the line has no `output`; add `output:`
    1:13 unknown key `outptu` in the line; did you mean `output`?
    2:13 duplicate key `id`; remove one of the two
    3:37 `v07` names no version; write `v7`, or `sha256:` and 8 to 64 lower-case hex digits
    3:54 `repeat` is 0; it must be from 1 to 9007199254740991
    3:23 `output` must be text, this is a number; quote it
    3:71 `latency_ms` is -1; it must be from 0 to 86400000
    4:38 `sha256:ABCDEF01` names no version; write `v7`, or `sha256:` and 8 to 64 lower-case hex digits
    4:67 unknown key `tokens` in `usage`; `usage` takes: input_tokens, cached_input_tokens, cache_write_tokens, output_tokens, reasoning_tokens
    5:2 not valid JSON: expected ident;
    ");
    insta::assert_snapshot!(findings(""), @r"
    error[empty]: the cassette has no line
     --> c.jsonl:1:1
      |
    1 |
      | ^
      |
      = help: record one with `gate cache export RUN`
    ");
}

#[test]
fn the_digest_does_not_see_line_ends() {
    let digest = |text: &str| decode(text).0.unwrap().digest();
    let line = "{\"id\": \"c\", \"output\": \"a\"}";
    assert_eq!(digest(line), digest(&format!("\u{feff}{line}\r\n")));
    assert_eq!(
        digest(line),
        Digest::of_bytes(format!("{line}\n").as_bytes())
    );
    assert_ne!(digest(line), digest(&line.replace('a', "b")));
}

proptest::proptest! {
    #[test]
    fn decoding_never_panics(text in "[ -~\n\u{f6}]{0,80}", version in "[a-f0-9:shv]{0,12}") {
        let _ = decode(&text);
        let _ = decode(&format!("{{\"id\": \"c\", \"output\": \"\", \"version\": \"{version}\"}}"));
    }
}
