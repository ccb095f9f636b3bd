//! Files that are right, of the demo and of the documentation, and files that are wrong: schema and
//! reader say the same of both.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::{Kind, validator};
use crate::base::Source;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn text(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

pub(super) fn takes(kind: Kind, name: &str, text: &str) {
    let file = kind.parse(text).unwrap_or_else(|| panic!("{name}"));
    let validator = validator(kind.name());
    let misfits: Vec<String> = validator
        .iter_errors(&file)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert_eq!(misfits, Vec::<String>::new(), "{name}");
    assert_eq!(kind.errors(text), Vec::<String>::new(), "{name}");
}

pub(super) fn refuses(kind: Kind, why: &str, text: &str) {
    let file = kind.parse(text).unwrap_or_else(|| panic!("{why}: {text}"));
    assert!(
        !validator(kind.name()).is_valid(&file),
        "the schema takes {why}"
    );
    assert!(!kind.errors(text).is_empty(), "the reader takes {why}");
}

fn yaml_files(folder: &Path, found: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            yaml_files(&path, found);
        } else if path
            .extension()
            .is_some_and(|extension| extension == "yaml")
        {
            let text = fs::read_to_string(&path).unwrap();
            found.push((path.display().to_string(), text));
        }
    }
}

#[test]
fn the_files_of_the_demo_are_right() {
    let mut files = Vec::new();
    yaml_files(&root().join("evals"), &mut files);
    let mut kinds = Vec::new();
    for (path, text) in files {
        let kind = match super::file::kind_of(&Source::new(path.clone(), &text)).as_deref() {
            Some("suite") => Kind::Suite,
            Some("mock") => Kind::Mock,
            Some("prompt") => Kind::Prompt,
            other => panic!("{path}: {other:?}"),
        };
        takes(kind, &path, &text);
        kinds.push(kind);
    }
    kinds.sort();
    kinds.dedup();
    assert_eq!(kinds, [Kind::Suite, Kind::Prompt, Kind::Mock]);
    let rows = text("fixtures/support-triage.jsonl");
    for (number, row) in rows.lines().enumerate() {
        takes(Kind::Dataset, &format!("row {}", number + 1), row);
    }
}

#[test]
fn the_judges_of_the_binary_and_the_fixtures_are_right() {
    for path in ["fixtures/mock/example.yaml", "fixtures/mock/label.yaml"] {
        takes(Kind::Mock, path, &text(path));
    }
    for name in crate::score::judge::builtin::names() {
        let text = crate::score::judge::builtin::text(name).unwrap();
        takes(Kind::Prompt, name, text);
    }
    for line in text("fixtures/cassette/exactness.jsonl").lines() {
        takes(Kind::Cassette, line, line);
    }
}

const PROMPT: &str = r#"
gate: prompt/1
prompt: support-triage
version: 8
description: answer with the label alone
author: support-ai
created_at: 2026-10-02T09:30:00Z
model_hint: gpt-4o-2024-08-06
params: { temperature: 0, max_tokens: 64 }
variables:
  ticket: { type: string, max_length: 4000 }
  plan: { type: enum, values: [free, pro, enterprise] }
  order_total: { type: number, min: 0, required: false, default: 0 }
messages:
  - role: system
    content: |
      You sort support tickets ...
  - role: user
    content: "Plan: {{plan}}, order total: {{order_total}}\n\n{{ticket}}"
"#;

const LONG_SUITE: &str = r#"
gate: suite/1
name: support-triage
prompt: support-triage
registry: ../prompts
dataset: ../fixtures/support-triage.jsonl
sample: { size: 50, by: tier }
seed: 7
models:
  - name: main
    provider: openai
    model: gpt-4o-2024-08-06
    base_url: http://127.0.0.1:8080/v1
    api_key_env: OPENAI_API_KEY
    params: { temperature: 0 }
    price: { input: 2.5, output: 10.0, cached_input: 1.25 }
judge_models:
  - { name: grader, provider: openai, model: gpt-4o-mini-2024-07-18 }
repeat: 1
score_faults: []
scorers:
  - { type: equals, value: "{{expected}}", transform: [trim, lowercase] }
  - { name: short, type: word-count, max: 3, gating: false }
  - { name: polite, type: judge, judge: judges/politeness@v2, threshold: 0.7, model: grader }
policy:
  preset: promote
  alpha: 0.05
  power: 0.8
  margin: 0.05
  require: non-inferior
  test: auto
  on_inconclusive: block
  segments: { keys: [tier, locale], mode: gate, min_cases: 20 }
  max_missing: 0.05
  tolerate_within_margin: false
  early_stop: none
  require_calibration: { min_kappa: 0.6, min_labels: 50, max_age_days: 90 }
  min_pass_rate: 0.9
  metrics:
    - { metric: cost_usd, max_ratio: 1.10 }
    - { metric: latency_ms, max_ratio: 1.25, statistic: p95, mode: watch }
    - { metric: output_tokens, max_ratio: 1.20 }
    - { metric: score.polite, margin: 0.03 }
    - { metric: rate.truncated, margin: 0.02 }
"#;

const SHORT_SUITE: &str = r#"
gate: suite/1
dataset: ../fixtures/support-triage.jsonl
model: openai:gpt-4o-2024-08-06
judge_model: openai:gpt-4o-mini-2024-07-18
scorers:
  - { type: equals, value: "{{expected}}", transform: [trim, lowercase] }
  - { type: word-count, max: 3 }
  - { type: judge, criteria: The answer is polite and promises no refund. }
"#;

const MOCK: &str = r#"
gate: mock/1
seed: 7
latency_ms: { median: 120, sigma: 0.5 }
rules:
  - name: friendly-refusal
    when: { system: "(?i)friendly", case: "refund-*", user: "(?i)gift card" }
    reply: "I am sorry, I cannot help with that."
    finish_reason: refusal
  - name: v8-mixed
    when: { system: "(?i)friendly", segment: { tier: enterprise } }
    rate: 0.85
    draw: v8
    reply: "{{expected}}"
    otherwise: ["Sure! This is a {{expected}} ticket.", "other"]
    usage: { input_tokens: 310, output_tokens: 9 }
  - when: { case: "*-042" }
    fault: { status: 429, retry_after: 1, times: 1 }
    reply: "{{expected}}"
  - reply: "{{expected}}"
"#;

const SMALLEST: [(Kind, &str); 6] = [
    (
        Kind::Suite,
        r#"
gate: suite/1
name: label
prompt: label
dataset: ../fixtures/label.jsonl
models: [{ name: main, provider: mock, rules: ../fixtures/label.mock.yaml }]
scorers: [{ type: equals, value: "{{expected}}", transform: [trim] }]
"#,
    ),
    (
        Kind::Prompt,
        r#"
gate: prompt/1
prompt: label
version: 1
params: { temperature: 0 }
variables:
  ticket: { type: string, max_length: 500 }
messages:
  - { role: system, content: "Answer with one word: billing, bug or other." }
  - { role: user, content: "{{ticket}}" }
"#,
    ),
    (
        Kind::Mock,
        r#"
gate: mock/1
rules:
  - { when: { system: friendly, case: c2 }, reply: "Sure! That is a bug." }
  - { reply: "{{expected}}" }
"#,
    ),
    (
        Kind::Dataset,
        r#"{"id": "c1", "vars": {"ticket": "I was charged twice"}, "expected": "billing"}"#,
    ),
    (
        Kind::Dataset,
        r#"{"id": "c2", "vars": {"ticket": "The app crashes at start"}, "expected": "bug"}"#,
    ),
    (
        Kind::Dataset,
        r#"{"id": "c3", "vars": {"ticket": "Do you have a shop in Graz?"}, "expected": "other"}"#,
    ),
];

const CASE: &str = r#"{"id": "refund-017", "vars": {"ticket": "…", "plan": "pro"}, "expected": "refund", "segment": {"tier": "pro", "locale": "en"}, "tags": ["smoke", "safety"], "must_pass": true, "cluster": "conversation-12", "scorers": [{"type": "not-contains", "value": "guarantee"}], "note": "incident of 2 Oct"}"#;

const LINE: &str = r#"{"id": "c2", "version": "v2", "output": "Sure! That is a bug.", "finish_reason": "stop", "usage": {"input_tokens": 21, "output_tokens": 6}, "latency_ms": 312}"#;

// Without `budget`, which the settings do not know yet.
const SETTINGS: &str = "
gate: settings/1
concurrency: 32
prompt: support-triage            # what `compare v7 v8` means when evals/ holds several
junit: gate.xml
profiles:
  ci: { progress: lines, deadline: 20m }
";

#[test]
fn the_examples_of_the_documentation_are_right() {
    takes(Kind::Prompt, "the prompt", PROMPT);
    takes(Kind::Dataset, "the case", CASE);
    takes(Kind::Suite, "the long suite", LONG_SUITE);
    takes(Kind::Suite, "the short suite", SHORT_SUITE);
    takes(Kind::Mock, "the mock rules", MOCK);
    takes(Kind::Cassette, "the cassette", LINE);
    takes(Kind::Settings, "the settings", SETTINGS);
    for (kind, text) in SMALLEST {
        takes(kind, text, text);
    }
}

#[test]
fn labels_are_of_one_answer_or_of_two() {
    let validator = validator("label");
    let fits = |label: Value| validator.is_valid(&label);
    assert!(fits(
        json!({"id": "p-07", "question": "Where is my parcel?", "answer": "Look it up yourself.", "pass": false, "rater": "agent-3"})
    ));
    assert!(fits(
        json!({"id": "p-07", "answer": "No.", "score": 0.25, "note": null})
    ));
    assert!(fits(
        json!({"id": "p-08", "answers": ["a", "b"], "preferred": "tie"})
    ));
    assert!(!fits(json!({"answer": "No.", "pass": true})));
    assert!(!fits(json!({"id": "p", "answer": "No."})));
    assert!(!fits(json!({"id": "p", "answer": "No.", "pass": null})));
    assert!(!fits(json!({"id": "p", "answer": "No.", "score": 0.3})));
    assert!(!fits(
        json!({"id": "p", "answer": "No.", "pass": true, "preferred": "a"})
    ));
    assert!(!fits(
        json!({"id": "p", "answers": ["a"], "preferred": "a"})
    ));
    assert!(!fits(
        json!({"id": "p", "answer": "No.", "pass": true, "verdict": "good"})
    ));
}

/// A suite with one line replaced.
pub(super) fn short_suite(from: &str, to: &str) -> String {
    assert!(SHORT_SUITE.contains(from), "{from}");
    SHORT_SUITE.replace(from, to)
}

#[test]
fn wrong_suites_are_refused_by_both() {
    let wrong = [
        ("no gate", short_suite("gate: suite/1", "")),
        ("another version", short_suite("suite/1", "suite/2")),
        ("an unknown key", format!("{SHORT_SUITE}asserts: []\n")),
        ("text as a number", format!("{SHORT_SUITE}repeat: three\n")),
        ("no repeat", format!("{SHORT_SUITE}repeat: 0\n")),
        ("half a repeat", format!("{SHORT_SUITE}repeat: 1.5\n")),
        ("a capital", format!("{SHORT_SUITE}name: Support\n")),
        (
            "a reserved slug",
            format!("{SHORT_SUITE}prompt: support/v2\n"),
        ),
        (
            "both spellings",
            format!("{SHORT_SUITE}models: ['openai:m']\n"),
        ),
        (
            "both judges",
            format!("{SHORT_SUITE}judge_models: ['openai:m']\n"),
        ),
        (
            "no model",
            short_suite("model: openai:gpt-4o-2024-08-06\n", "\n"),
        ),
        (
            "no colon",
            short_suite("openai:gpt-4o-2024-08-06", "gpt-4o"),
        ),
        (
            "an unknown provider",
            short_suite("model: openai:", "model: opnai:"),
        ),
        ("no dataset", short_suite("dataset:", "name: x #")),
        (
            "a dataset of a kind unknown",
            short_suite(".jsonl", ".parquet"),
        ),
        ("an absolute path", short_suite("../fixtures", "/fixtures")),
    ];
    for (why, text) in wrong {
        refuses(Kind::Suite, why, &text);
    }
}

#[test]
fn wrong_scorers_are_refused_by_both() {
    let scorer = |scorer: &str| short_suite("{ type: word-count, max: 3 }", scorer);
    let wrong = [
        ("an unknown scorer", scorer("{ type: icontain, value: a }")),
        ("no type", scorer("{ value: a }")),
        ("no not- form", scorer("{ type: not-cost, max_usd: 1 }")),
        (
            "another type's key",
            scorer("{ type: contains, value: a, max: 3 }"),
        ),
        ("no limit", scorer("{ type: word-count }")),
        (
            "a threshold of two",
            scorer("{ type: judge, criteria: a, threshold: 2 }"),
        ),
        (
            "a threshold of pass or fail",
            scorer("{ type: regex, value: a, threshold: 1 }"),
        ),
        (
            "a rubric without criteria",
            scorer("{ type: judge, name: j }"),
        ),
        (
            "an unknown transform",
            scorer("{ type: is-json, transform: [upper] }"),
        ),
        (
            "an unknown finish",
            scorer("{ type: finish-reason, value: done }"),
        ),
    ];
    for (why, text) in wrong {
        refuses(Kind::Suite, why, &text);
    }
}

#[test]
fn wrong_policies_are_refused_by_both() {
    let wrong = [
        (
            "an unknown preset",
            format!("{SHORT_SUITE}policy: {{ preset: strict }}\n"),
        ),
        (
            "a margin of nothing",
            format!("{SHORT_SUITE}policy: {{ margin: 0 }}\n"),
        ),
        (
            "an unknown policy key",
            format!("{SHORT_SUITE}policy: {{ margins: 0.1 }}\n"),
        ),
        (
            "pass as a metric",
            format!("{SHORT_SUITE}policy: {{ metrics: [{{ metric: pass, margin: 0.1 }}] }}\n"),
        ),
        (
            "a ratio of a score",
            format!("{SHORT_SUITE}policy: {{ metrics: [{{ metric: score.a, max_ratio: 2 }}] }}\n"),
        ),
        (
            "a margin of an amount",
            format!("{SHORT_SUITE}policy: {{ metrics: [{{ metric: cost_usd, margin: 0.1 }}] }}\n"),
        ),
        (
            "a fault that is never scored",
            format!("{SHORT_SUITE}score_faults: [context]\n"),
        ),
    ];
    for (why, text) in wrong {
        refuses(Kind::Suite, why, &text);
    }
}

#[test]
fn wrong_models_are_refused_by_both() {
    let wrong = [
        ("no provider", "{ model: m }"),
        ("a mock without rules", "{ provider: mock }"),
        ("a replay without cassette", "{ provider: replay }"),
        ("an exec without command", "{ provider: exec, command: [] }"),
        (
            "rules for another",
            "{ provider: openai, model: m, rules: a.yaml }",
        ),
        ("no model id", "{ provider: openai }"),
        ("no address", "{ provider: azure-openai, model: m }"),
        (
            "a key",
            "{ provider: openai, model: m, api_key_env: sk-a0b1 }",
        ),
        (
            "an unknown parameter",
            "{ provider: openai, model: m, params: { max_token: 3 } }",
        ),
        (
            "half a price",
            "{ provider: openai, model: m, price: { input: 3 } }",
        ),
        (
            "a bad timeout",
            "{ provider: openai, model: m, timeout: soon }",
        ),
    ];
    for (why, model) in wrong {
        refuses(
            Kind::Suite,
            why,
            &short_suite("openai:gpt-4o-2024-08-06", model),
        );
    }
}

#[test]
fn wrong_prompts_are_refused_by_both() {
    let with = |from: &str, to: &str| {
        assert!(PROMPT.contains(from), "{from}");
        PROMPT.replace(from, to)
    };
    let wrong = [
        ("no gate", with("gate: prompt/1", "")),
        ("no messages", with("messages:", "tags: [a]\nmessage:")),
        ("an unknown role", with("role: user", "role: human")),
        ("a version in words", with("version: 8", "version: v8")),
        ("an unknown key", with("author:", "auther:")),
        ("an unknown parameter", with("max_tokens", "max_token")),
        ("too hot", with("temperature: 0", "temperature: 3")),
        ("an unknown type", with("type: string", "type: text")),
        ("no values", with(", values: [free, pro, enterprise]", "")),
        ("a length of a number", with("min: 0", "max_length: 3")),
        (
            "a number for text",
            with("description: answer with the label alone", "description: 7"),
        ),
        ("a wrong default", with("default: 0", "default: none")),
        ("a name with a space", with("ticket: {", "the ticket: {")),
    ];
    for (why, text) in wrong {
        refuses(Kind::Prompt, why, &text);
    }
}

#[test]
fn wrong_rows_are_refused_by_both() {
    let wrong = [
        ("no id", r#"{"vars": {}}"#),
        ("an id of no text", r#"{"id": 7}"#),
        ("an unknown key", r#"{"id": "a", "expect": 1}"#),
        (
            "a segment of no text",
            r#"{"id": "a", "segment": {"tier": 3}}"#,
        ),
        ("a word for a flag", r#"{"id": "a", "must_pass": "yes"}"#),
        ("tags in one text", r#"{"id": "a", "tags": "a;b"}"#),
        (
            "an unknown scorer",
            r#"{"id": "a", "scorers": [{"type": "equal", "value": 1}]}"#,
        ),
    ];
    for (why, text) in wrong {
        refuses(Kind::Dataset, why, text);
    }
    let wrong = [
        ("no output", r#"{"id": "a"}"#),
        (
            "a version of neither form",
            r#"{"id": "a", "output": "", "version": "v07"}"#,
        ),
        ("a repeat of 0", r#"{"id": "a", "output": "", "repeat": 0}"#),
        (
            "an unknown key",
            r#"{"id": "a", "output": "", "text": "a"}"#,
        ),
        (
            "an unknown count",
            r#"{"id": "a", "output": "", "usage": {"tokens": 1}}"#,
        ),
    ];
    for (why, text) in wrong {
        refuses(Kind::Cassette, why, text);
    }
}

#[test]
fn wrong_mock_rules_are_refused_by_both() {
    let wrong = [
        ("no gate", "rules: [{ reply: a }]"),
        ("no rule", "{ gate: mock/1, rules: [] }"),
        (
            "an unknown key",
            "{ gate: mock/1, rules: [{ reply: a, wen: {} }] }",
        ),
        (
            "an unknown condition",
            "{ gate: mock/1, rules: [{ reply: a, when: { id: c1 } }] }",
        ),
        (
            "no reply",
            "{ gate: mock/1, rules: [{ when: { case: a } }] }",
        ),
        (
            "a rate without otherwise",
            "{ gate: mock/1, rules: [{ reply: a, rate: 0.5 }] }",
        ),
        (
            "a fault of two kinds",
            "{ gate: mock/1, rules: [{ fault: { status: 500, kind: cut } }] }",
        ),
        (
            "a body without status",
            "{ gate: mock/1, rules: [{ fault: { kind: cut, body: a } }] }",
        ),
        (
            "a fault that ends in nothing",
            "{ gate: mock/1, rules: [{ fault: { status: 500, times: 1 } }] }",
        ),
        (
            "an unknown kind",
            "{ gate: mock/1, rules: [{ fault: { kind: slow } }] }",
        ),
        (
            "a status of none",
            "{ gate: mock/1, rules: [{ fault: { status: 42 } }] }",
        ),
    ];
    for (why, text) in wrong {
        refuses(Kind::Mock, why, text);
    }
}

#[test]
fn wrong_settings_are_refused_by_both() {
    let wrong = [
        ("no gate", "concurrency: 3"),
        ("an unknown key", "{ gate: settings/1, concurency: 3 }"),
        ("the owner's key", "{ gate: settings/1, allow_exec: true }"),
        (
            "no request in flight",
            "{ gate: settings/1, concurrency: 0 }",
        ),
        ("an unknown word", "{ gate: settings/1, cache: on }"),
        ("a bad duration", "{ gate: settings/1, deadline: 5 weeks }"),
        (
            "an unknown key of a profile",
            "{ gate: settings/1, profiles: { ci: { evls: a } } }",
        ),
        (
            "profiles in a profile",
            "{ gate: settings/1, profiles: { ci: { profiles: {} } } }",
        ),
    ];
    for (why, text) in wrong {
        refuses(Kind::Settings, why, text);
    }
}

#[test]
fn the_examples_of_the_scorers_documentation_are_right() {
    let documentation = text("docs/scorers.md");
    let examples: Vec<String> = documentation
        .split('`')
        .filter(|span| span.starts_with("{type: ") && !span.starts_with("{type: \""))
        .map(|span| span.replace("\\|", "|"))
        .collect();
    assert!(examples.len() > 40, "only {} examples", examples.len());
    for example in examples {
        let text = short_suite("{ type: word-count, max: 3 }", &example);
        // A type that the suite has already needs a name of its own.
        let text = text.replace("{ type: equals", "{ name: a, type: equals");
        let text = text.replace("{ type: judge", "{ name: b, type: judge");
        let lacks = |name: &String| example.starts_with(&format!("{{type: {name}"));
        if super::places::lacking_types().iter().any(lacks) {
            let file = Kind::Suite.parse(&text).unwrap();
            assert!(validator("suite").is_valid(&file), "{example}");
        } else {
            takes(Kind::Suite, &example, &text);
        }
    }
}
