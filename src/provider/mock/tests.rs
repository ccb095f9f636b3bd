//! Tests of the mock: rules as a user writes them, calls as the runner makes them.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::{MockOutcome, MockRules};
use crate::base::{CaseId, Diagnostic, Diagnostics, Fields, Source};
use crate::chat::{ErrorClass, Finish, Message, Params, Request, Response, ResponseFormat, Role};
use crate::dataset::Case;
use crate::provider::{Call, Subject, Version};

fn case(id: &str, expected: Value, vars: &Value) -> Case {
    let entries = vars.as_object().unwrap().iter();
    Case {
        id: CaseId::new(id),
        line: 1,
        vars: Fields::new(
            entries
                .map(|(key, value)| (Arc::from(key.as_str()), value.clone()))
                .collect(),
        ),
        expected: Some(expected),
        segment: Fields::new(vec![("tier".into(), "enterprise".into())]),
        tags: Box::new(["smoke".into()]),
        must_pass: false,
        quarantined: false,
        cluster: None,
        scorers: Box::default(),
        note: None,
        explicit_defaults: crate::dataset::case::ExplicitDefaults::default(),
    }
}

fn request(system: &str, user: &str) -> Request {
    Request {
        messages: vec![
            Message::new(Role::System, system),
            Message::new(Role::User, user),
        ],
        params: Params::default(),
        tools: Vec::new(),
        response_format: None,
    }
}

fn subject(case: &Case, repeat: u32) -> Subject<'_> {
    Subject {
        case,
        repeat,
        scorer: None,
        version: Version {
            number: Some(2),
            hash: "sha256:00",
        },
    }
}

fn rules(text: &str) -> MockRules {
    let mut diagnostics = Diagnostics::new();
    let rules = MockRules::decode(&Source::new("mock.yaml", text), &mut diagnostics);
    assert!(diagnostics.is_empty(), "{diagnostics}");
    rules.unwrap()
}

fn findings(text: &str) -> String {
    let mut diagnostics = Diagnostics::new();
    let rules = MockRules::decode(&Source::new("mock.yaml", text), &mut diagnostics);
    assert_eq!(rules.is_none(), diagnostics.has_errors());
    diagnostics.to_string()
}

fn ask(rules: &MockRules, request: &Request, case: &Case, repeat: u32) -> MockOutcome {
    let subject = subject(case, repeat);
    rules.answer(&Call { request, subject }, 1)
}

fn response(outcome: MockOutcome) -> Response {
    match outcome {
        MockOutcome::Answer { response, .. } => response,
        other => panic!("no answer: {other:?}"),
    }
}

fn text(rules: &MockRules, case: &Case) -> String {
    response(ask(rules, &request("s", "u"), case, 1)).text
}

const EXAMPLE: &str = include_str!("../../../fixtures/mock/example.yaml");

#[test]
fn the_first_rule_whose_conditions_all_hold_answers() {
    let rules = rules(EXAMPLE);
    let friendly = request("Be FRIENDLY.", "Pay with a Gift Card?");
    let refused = response(ask(
        &rules,
        &friendly,
        &case("refund-017", json!("refund"), &json!({})),
        1,
    ));
    assert_eq!(refused.text, "I am sorry, I cannot help with that.");
    assert_eq!(refused.finish, Finish::Refusal);
    // 33 bytes asked, 36 answered.
    assert_eq!(
        (refused.usage.input_tokens, refused.usage.output_tokens),
        (Some(9), Some(9))
    );
    let other = case("bug-1", json!("bug"), &json!({}));
    let mixed = response(ask(&rules, &friendly, &other, 1));
    assert_eq!(mixed.usage.input_tokens, Some(310));
    let plain = response(ask(&rules, &request("Be brief.", "Pay?"), &other, 1));
    assert_eq!((plain.text.as_str(), plain.finish), ("bug", Finish::Stop));
    assert_eq!(plain.usage.input_tokens, Some(4));
}

#[test]
fn draws_are_those_of_the_published_check_value() {
    let case = case("c1", json!("right"), &json!({}));
    let at = |rate: f64| {
        let text = format!(
            "gate: mock/1\nseed: 7\nrules:\n  - {{ rate: {rate}, reply: right, otherwise: wrong }}\n"
        );
        super::tests::text(&rules(&text), &case)
    };
    assert_eq!(at(0.700_436_957_171_442_2), "wrong");
    assert_eq!(at(0.700_436_957_171_442_3), "wrong");
    assert_eq!(at(0.700_436_957_171_442_5), "right");
}

#[test]
fn the_share_of_right_answers_is_near_the_rate_in_any_order() {
    let rules = rules(EXAMPLE);
    let friendly = request("friendly", "u");
    let ids: Vec<u32> = (0..2_000).collect();
    let answers = |ids: &[u32]| {
        let mut found: Vec<(u32, String)> = ids
            .iter()
            .map(|&id| {
                let case = case(&format!("c{id}"), json!("bug"), &json!({}));
                (id, response(ask(&rules, &friendly, &case, 1)).text)
            })
            .collect();
        found.sort();
        found
    };
    let forward = answers(&ids);
    let backward = answers(&ids.iter().rev().copied().collect::<Vec<_>>());
    assert_eq!(forward, backward);
    let count = |wanted: &str| forward.iter().filter(|(_, text)| text == wanted).count();
    // 0.85 of 2,000 is 1,700 with a standard deviation of 16, and the rest is shared equally.
    assert!(count("bug").abs_diff(1_700) < 64, "{}", count("bug"));
    assert!(count("other").abs_diff(150) < 50, "{}", count("other"));
    assert_eq!(
        count("bug") + count("other") + count("Sure! This is a bug ticket."),
        2_000
    );
}

#[test]
fn one_stream_fails_on_the_same_cases_and_repeats_and_judges_are_apart() {
    let text = |draw: &str| {
        format!("gate: mock/1\nrules:\n  - {{ draw: {draw}, rate: 0.5, reply: y, otherwise: n }}\n")
    };
    let (one, two) = (rules(&text("one")), rules(&text("two")));
    let series = |rules: &MockRules, repeat, scorer| -> String {
        let answer = |id: usize| {
            let case = case(&format!("c{id}"), json!(1), &json!({}));
            let request = request("s", "u");
            let subject = Subject {
                scorer,
                ..subject(&case, repeat)
            };
            response(rules.answer(
                &Call {
                    request: &request,
                    subject,
                },
                1,
            ))
            .text
        };
        (0..64).map(answer).collect()
    };
    let base = series(&one, 1, None);
    assert_eq!(base, series(&rules(&text("one")), 1, None));
    assert_ne!(base, series(&two, 1, None));
    assert_ne!(base, series(&one, 2, None));
    assert_ne!(base, series(&one, 1, Some("polite")));
    let named = case("c0#polite", json!(1), &json!({}));
    let judge = series(&one, 1, Some("polite"));
    assert!(judge.starts_with(&super::tests::text(&one, &named)));
}

#[test]
fn the_smallest_project_answers_as_published() {
    let rules = rules(include_str!("../../../fixtures/mock/label.yaml"));
    let (v1, v2) = (
        request(
            "Answer with one word: billing, bug or other.",
            "The app crashes",
        ),
        request("Be friendly. Answer with one word: …", "The app crashes"),
    );
    let c1 = case("c1", json!("billing"), &json!({}));
    let c2 = case("c2", json!("bug"), &json!({}));
    let text = |request, case| response(ask(&rules, request, case, 1)).text;
    assert_eq!(text(&v1, &c2), "bug");
    assert_eq!(text(&v2, &c1), "billing");
    assert_eq!(text(&v2, &c2), "Sure! That is a bug.");
}

#[test]
fn reads_the_rules_of_the_demo_without_a_finding() {
    let _ = rules(include_str!("../../../evals/support-triage.mock.yaml"));
}

#[test]
fn conditions_see_segment_tag_json_and_repeat() {
    let rules = rules(
        "gate: mock/1\nrules:\n\
         - { when: { repeat: 2 }, reply: second }\n\
         - { when: { json: true }, reply: json }\n\
         - { when: { tag: safety }, reply: tagged }\n\
         - { when: { segment: { tier: free } }, reply: free }\n\
         - { when: { case: 'a/*-{x,y}' }, reply: glob }\n\
         - { when: { segment: { tier: enterprise }, tag: smoke, json: false }, reply: last }\n",
    );
    let c = case("c", json!(1), &json!({}));
    let plain = request("s", "u");
    let json = Request {
        response_format: Some(ResponseFormat::JsonObject),
        ..plain.clone()
    };
    assert_eq!(response(ask(&rules, &plain, &c, 2)).text, "second");
    assert_eq!(response(ask(&rules, &json, &c, 1)).text, "json");
    assert_eq!(response(ask(&rules, &plain, &c, 1)).text, "last");
    let deep = case("a/b/c-y", json!(1), &json!({}));
    assert_eq!(response(ask(&rules, &plain, &deep, 1)).text, "glob");
}

#[test]
fn templates_fill_in_once_and_print_text_as_it_is() {
    let rules = rules(
        "gate: mock/1\nrules:\n  - when: { user: 'order (?<order>\\d+)(?<rest> now)?' }\n    \
         reply: '{{expected}}|{{ expected.b }}|{{vars.name}}|{{vars.deep.x}}|{{case.id}}|{{match.order}}|{{match.rest}}|{{\"{{\"}}x}}'\n",
    );
    let case = case(
        "c",
        json!({"b": [1, 2.0], "a": null}),
        &json!({"name": "{{case.id}}", "deep": {"x": true}}),
    );
    let answer = response(ask(&rules, &request("s", "see order 17"), &case, 1));
    assert_eq!(
        answer.text,
        "{\"a\":null,\"b\":[1,2]}|[1,2]|{{case.id}}|true|c|17||{{x}}"
    );
}

#[test]
fn a_call_without_a_rule_or_a_value_is_no_recording_and_names_the_case() {
    let rules =
        rules("gate: mock/1\nrules:\n  - { name: a, when: { case: c1 }, reply: '{{vars.x}}' }\n");
    let missing = |id: &str| {
        let case = case(id, json!(1), &json!({}));
        let error = ask(&rules, &request("s", "u"), &case, 1).error().unwrap();
        assert_eq!(error.class, ErrorClass::NoRecording);
        error.message
    };
    insta::assert_snapshot!(missing("c9"), @"no mock rule answers case `c9`, version v2, repeat 1");
    insta::assert_snapshot!(missing("c1"), @"rule `a` replies with {{vars.x}}, which is not there for case `c1`, version v2, repeat 1");
}

#[test]
fn a_fault_with_a_status_hits_the_first_attempts_then_the_reply_comes() {
    let rules = rules(EXAMPLE);
    let case = case("bug-042", json!("bug"), &json!({}));
    let request = request("s", "u");
    let subject = subject(&case, 1);
    let call = Call {
        request: &request,
        subject,
    };
    let MockOutcome::Http { reply, latency } = rules.answer(&call, 1) else {
        panic!("no fault");
    };
    assert_eq!(
        (reply.status, reply.header("retry-after")),
        (429, Some("1"))
    );
    assert_eq!(reply.header("content-type"), Some("application/json"));
    assert_eq!(latency, Duration::ZERO);
    insta::assert_snapshot!(String::from_utf8(reply.body).unwrap(), @r#"{"error":{"message":"the mock rules answer with status 429","type":"mock_fault"}}"#);
    assert_eq!(response(rules.answer(&call, 2)).text, "bug");
}

#[test]
fn a_status_takes_any_body_and_a_fraction_of_a_second() {
    let rules = rules(
        "gate: mock/1\nrules:\n\
         - { when: { case: a }, fault: { status: 503, body: <html>, retry_after: 1.5 } }\n\
         - { fault: { status: 400, body: { error: { code: content_filter } } } }\n",
    );
    let reply = |id| match ask(
        &rules,
        &request("s", "u"),
        &case(id, json!(1), &json!({})),
        9,
    ) {
        MockOutcome::Http { reply, .. } => reply,
        other => panic!("{other:?}"),
    };
    let html = reply("a");
    assert_eq!(html.body, b"<html>");
    assert_eq!(html.header("content-type"), Some("text/plain"));
    assert_eq!(html.header("retry-after"), Some("1.5"));
    assert_eq!(reply("b").body, br#"{"error":{"code":"content_filter"}}"#);
}

#[test]
fn each_kind_of_fault_has_its_class() {
    let class = |kind: &str| {
        let text = format!("gate: mock/1\nrules:\n  - {{ fault: {{ kind: {kind} }} }}\n");
        let case = case("c", json!(1), &json!({}));
        let error = ask(&rules(&text), &request("s", "u"), &case, 1).error();
        error.map(|error| error.class)
    };
    assert_eq!(class("cut"), Some(ErrorClass::BadBody));
    assert_eq!(class("hang"), Some(ErrorClass::Timeout));
    assert_eq!(class("bad_json"), Some(ErrorClass::BadBody));
    assert_eq!(class("empty"), Some(ErrorClass::Empty));
    assert_eq!(class("refuse"), Some(ErrorClass::Connect));
}

#[test]
fn a_fault_with_a_rate_hits_its_share_of_trials() {
    let shares = |draw: &str| {
        let rules = rules(&format!(
            "gate: mock/1\nrules:\n  - {{ rate: 0.5, reply: y, otherwise: n, fault: {{ kind: cut, rate: 0.2{draw} }} }}\n"
        ));
        let (mut faults, mut right) = (0_usize, 0_usize);
        for id in 0..2_000 {
            let case = case(&format!("c{id}"), json!(1), &json!({}));
            match ask(&rules, &request("s", "u"), &case, 1) {
                MockOutcome::Cut => faults += 1,
                other => right += usize::from(response(other).text == "y"),
            }
        }
        (faults, right)
    };
    // On the rule's own stream the faults hit trials that would be right, on another one any.
    let (faults, right) = shares("");
    assert!(
        faults.abs_diff(400) < 72 && right.abs_diff(600) < 84,
        "{faults} {right}"
    );
    let (faults, right) = shares(", draw: wire");
    assert!(
        faults.abs_diff(400) < 72 && right.abs_diff(800) < 88,
        "{faults} {right}"
    );
}

#[test]
fn latency_is_log_normal_and_the_same_for_every_version() {
    let rules = rules(
        "gate: mock/1\nlatency_ms: { median: 120, sigma: 0.5 }\nrules:\n\
         - { when: { system: slow }, reply: x, latency_ms: 900 }\n- { reply: x }\n",
    );
    let wait = |system: &str, id: usize| {
        let case = case(&format!("c{id}"), json!(1), &json!({}));
        match ask(&rules, &request(system, "u"), &case, 1) {
            MockOutcome::Answer { latency, .. } => latency.as_secs_f64() * 1_000.0,
            other => panic!("{other:?}"),
        }
    };
    let mut waits: Vec<f64> = (0..2_000).map(|id| wait("a", id)).collect();
    assert!((0..50).all(|id| wait("a", id).total_cmp(&wait("b", id)).is_eq()));
    assert!((wait("slow", 1) - 900.0).abs() < 1e-6);
    waits.sort_by(f64::total_cmp);
    // Median 120 and 84th percentile 120 e^0.5, each within four standard errors.
    assert!((waits[1_000] - 120.0).abs() < 8.0, "{}", waits[1_000]);
    assert!((waits[1_683] - 197.8).abs() < 16.0, "{}", waits[1_683]);
}

#[test]
fn the_identity_covers_what_the_answer_depends_on_but_not_the_repeat() {
    let rules = rules(EXAMPLE);
    let case_a = case("a", json!("x"), &json!({"v": 1}));
    let mut tagged = case_a.clone();
    tagged.tags = Box::default();
    let ask = request("s", "u");
    let identity = |case, scorer, repeat| {
        let subject = Subject {
            scorer,
            ..subject(case, repeat)
        };
        rules.identity(&Call {
            request: &ask,
            subject,
        })
    };
    insta::assert_snapshot!(identity(&case_a, None, 1).to_string(), @r#"{"case":"a","expected":"x","messages":[{"content":"s","role":"system"},{"content":"u","role":"user"}],"params":{},"rules":"sha256:7eb994e125547de36326fc7cffc5b79a69746312e8287007f8591a70345122b7","segment":{"tier":"enterprise"},"tags":["smoke"],"vars":{"v":1}}"#);
    assert_eq!(identity(&case_a, None, 1), identity(&case_a, None, 2));
    assert_ne!(identity(&case_a, None, 1), identity(&tagged, None, 1));
    assert_ne!(
        identity(&case_a, None, 1),
        identity(&case_a, Some("polite"), 1)
    );
}

#[test]
fn reports_all_errors_of_a_file_at_once() {
    let source = Source::new("m", include_str!("../../../fixtures/mock/broken.yaml"));
    let mut diagnostics = Diagnostics::new();
    assert!(MockRules::decode(&source, &mut diagnostics).is_none());
    let line = |finding: &Diagnostic| {
        let (_, line, column) = finding.location().unwrap();
        let help = finding.help.as_deref().unwrap_or_default();
        format!("{line}:{column} {}; {help}", finding.message)
    };
    let shown: Vec<String> = diagnostics.iter().map(line).collect();
    insta::assert_snapshot!(shown.join("\n"), @r#"
    3:7 `seed` must be a whole number; remove the fraction
    4:13 `latency_ms` is -5; it must be from 0 to 3600000
    8:11 `rate` is 1.5; it must be from 0 to 1
    7:12 `reply` speaks of `{{expcted}}`, which is nothing; a reply sees {{expected}}, {{expected.field}}, {{vars.name}}, {{case.id}} and {{match.name}}
    9:19 `user` is not a valid pattern: unclosed group; write a regular expression of the Rust regex syntax (no look-around, no back-references)
    9:46 `case` is not a valid glob: unclosed character class; missing ']'; use *, ?, [a-z] and {a,b}, with a backslash before one that is meant literally
    9:53 unknown key `sistem` in `when`; did you mean `system`?
    10:12 `reply` must be text, this is a number; quote it
    11:58 segment `tier` must be text, this is a number; quote it
    12:13 `reply` speaks of `{{match.itm}}`, which is nothing; named groups of `user`: did you mean `item`? (one of: item)
    12:30 `reply` speaks of `{{vars}}`, which is nothing; a reply sees {{expected}}, {{expected.field}}, {{vars.name}}, {{case.id}} and {{match.name}}
    12:42 `{{ open` has no closing `}}`; close it; a literal brace pair is written {{"{{"}}
    15:11 a `rate` below 1 needs `otherwise` for the other trials; add `otherwise:` with a text or a list of texts
    14:12 `reply` speaks of `{{match.item}}`, which is nothing; the rule's `user` pattern has no named group: write one as (?<name>...)
    16:20 `kind` can not be `explode`; one of: cut, hang, bad_json, empty, refuse
    17:20 a fault has either `status` or `kind`, this one has both; remove one of the two
    19:38 `body` and `retry_after` belong to a fault with a `status`; remove it, or write `status` in place of `kind`
    20:5 a fault that ends, by `times` or `rate`, needs a `reply` for what comes after it; add `reply:`, or remove `times` and `rate` from the fault
    20:5 rule 8 is never asked; rule 7 has no `when`, so it answers every call: move it to the end
    21:22 `status` is 999; it must be from 200 to 599
    21:34 `times` is 0; it must be from 1 to 9007199254740991
    22:12 `fault` has neither `status` nor `kind`; write `status: 429`, or `kind:` with one of cut, hang, bad_json, empty, refuse
    23:5 a rule has neither `reply` nor `fault`; add `reply:`
    23:5 rule `silent` is never asked; rule 7 has no `when`, so it answers every call: move it to the end
    24:12 `reply` is an empty list; write at least one text
    24:5 rule 12 is never asked; rule 7 has no `when`, so it answers every call: move it to the end
    28:16 `otherwise` is never used without a `rate`; add `rate:` with the share of trials that get `reply`
    29:20 `stopp` is no finish reason, so these trials are errored; did you mean `stop`? (one of: stop, length, tool, refusal, filtered, tool_fault, error)
    25:28 `input_tokens` is -1; it must be from 0 to 9007199254740991
    25:32 unknown key `tokens` in `usage`; `usage` takes: input_tokens, cached_input_tokens, cache_write_tokens, output_tokens, reasoning_tokens
    26:17 `latency_ms` has no `median`; add `median:`
    25:5 rule 13 is never asked; rule 7 has no `when`, so it answers every call: move it to the end
    5:1 unknown key `ruls` in the rules file; did you mean `rules`?
    "#);
}

#[test]
fn refuses_files_of_another_kind_or_without_rules() {
    insta::assert_snapshot!(findings("gate: mock/2\nrules: [{ reply: x }]\n"), @r"
    error[format]: this file has format `mock/2`, this program reads `mock/1`
     --> mock.yaml:1:7
      |
    1 | gate: mock/2
      |       ^^^^^^
      |
      = help: use the version of gate that the file was written for, or convert the file
    ");
    insta::assert_snapshot!(findings("rules: []\n"), @r#"
    error[missing-key]: the rules file has no `gate`
     --> mock.yaml:1:1
      |
    1 | rules: []
      | ^^^^^
      |
      = help: add `gate:`

    error[empty]: `rules` has no rule
     --> mock.yaml:1:8
      |
    1 | rules: []
      |        ^
      |
      = help: write one, such as `- reply: "{{expected}}"`
    "#);
    insta::assert_snapshot!(findings("- reply: x\n"), @r"
    error[wrong-type]: the rules file must be a map, this is a list
     --> mock.yaml:1:1
      |
    1 | - reply: x
      | ^
      |
      = help: write a map
    ");
}

#[test]
fn warns_of_rules_that_are_never_asked() {
    insta::assert_snapshot!(
        findings("gate: mock/1\nrules:\n  - { reply: x }\n  - { name: late, reply: y }\n"),
        @r"
    warning[unreachable]: rule `late` is never asked
     --> mock.yaml:4:5
      |
    4 |   - { name: late, reply: y }
      |     ^
      |
      = help: rule 1 has no `when`, so it answers every call: move it to the end
    "
    );
}

proptest::proptest! {
    #[test]
    fn decoding_and_answering_never_panic(text in "[ -~\n\u{f6}]{0,80}", reply in "[ -~]{0,30}") {
        let mut diagnostics = Diagnostics::new();
        let _ = MockRules::decode(&Source::new("m", &text), &mut diagnostics);
        let quoted = serde_json::to_string(&reply).unwrap();
        let file = format!("gate: mock/1\nrules: [{{\"reply\": {quoted}, \"when\": {{\"user\": {quoted}}}}}]");
        if let Some(rules) = MockRules::decode(&Source::new("m", &file), &mut diagnostics) {
            let case = case("c", json!(1), &json!({}));
            let _ = ask(&rules, &request("s", &reply), &case, 1);
        }
    }
}
