//! The parts of a run by themselves: `cargo bench --bench parts`. See benches/README.md.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::semicolon_if_nothing_returned,
    clippy::too_many_lines,
    reason = "a bench: what goes wrong ends it, and its setup stands beside it"
)]

use std::hint::black_box;
use std::sync::Arc;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use promptgate::analysis::{ArmSummary, CaseTable};
use promptgate::base::{Diagnostics, Digest, RunId, Slug, Source, Timestamp};
use promptgate::chat::{Finish, Message, ModelSpec, Params, ProviderKind, Request, Role, Usage};
use promptgate::dataset::{Case, Decoder};
use promptgate::http::{Headers, Reply};
use promptgate::prompt::{self, Expected, Form};
use promptgate::provider::{codec, wire};
use promptgate::record::{
    Arm, ArmHeader, AttemptFinished, DatasetHeader, Event, FinishReason, Fold, LogSpan,
    ModelHeader, Outcome, Run, RunHeader, ScoreRecord, ScorerHeader, TrialFinished, TrialId,
    codec as log_codec,
};
use promptgate::report::content::{ExitNote, SuiteOutcome, SuiteReport};
use promptgate::report::{MemoryTexts, Report, json, junit};
use promptgate::verdict::{DecisionContext, Policy, Preset, decide};

const CASES: u32 = 100_000;

fn request() -> Request {
    Request {
        messages: vec![
            Message::new(
                Role::System,
                "You sort support tickets of a software company. Answer with one word: billing, bug or other.",
            ),
            Message::new(
                Role::User,
                "My invoice number 17 shows a charge that I do not understand",
            ),
        ],
        params: Params {
            temperature: Some(0.0),
            ..Params::default()
        },
        tools: Vec::new(),
        response_format: None,
    }
}

fn model() -> ModelSpec {
    ModelSpec {
        name: promptgate::base::Name::slugify("main"),
        provider: ProviderKind::OpenAi,
        model: Some("bench".to_owned()),
        base_url: Some("http://127.0.0.1:1/v1".to_owned()),
        api_key_env: None,
        params: Params::default(),
        price: None,
        timeout: None,
        rules: None,
        cassette: None,
        command: Vec::new(),
        http: None,
    }
}

fn calls(criterion: &mut Criterion) {
    let codec = codec(ProviderKind::OpenAi).expect("a codec");
    let (model, request) = (model(), request());
    criterion.bench_function("encode a chat request", |b| {
        b.iter(|| codec.encode(black_box(&model), black_box(&request)))
    });
    let encoded = codec.encode(&model, &request).expect("a request");
    criterion.bench_function("cache key and body", |b| {
        b.iter(|| wire(black_box(&encoded), ProviderKind::OpenAi, 1))
    });
    let body = r#"{"id":"chatcmpl-1","object":"chat.completion","created":1760000000,"model":"bench-2026","system_fingerprint":null,"choices":[{"index":0,"finish_reason":"stop","logprobs":null,"message":{"role":"assistant","content":"billing","refusal":null}}],"usage":{"prompt_tokens":120,"completion_tokens":2,"total_tokens":122}}"#;
    let reply = Reply {
        status: 200,
        headers: Headers::from_pairs([("content-type", "application/json")]),
        body: body.as_bytes().to_vec(),
    };
    criterion.bench_function("decode a chat completion", |b| {
        b.iter(|| codec.decode(&model, black_box(&reply)))
    });
}

fn render(criterion: &mut Criterion) {
    let text = "gate: prompt/1\nvariables: { ticket: { type: string, max_length: 500 }, plan: { type: enum, values: [free, pro] } }\nmessages:\n  - { role: system, content: \"You sort support tickets.\" }\n  - { role: user, content: \"Plan: {{plan}}. {{ticket}}\" }\n";
    let expected = Expected {
        slug: Slug::new("bench").expect("a slug"),
        number: Some(1),
        form: Form::Yaml,
    };
    let version = prompt::decode(
        &Source::new("v1.yaml", text),
        &expected,
        &mut Diagnostics::new(),
    )
    .expect("a prompt");
    let cases = cases(1, "\"plan\":\"pro\",");
    let case = cases.first().expect("a case");
    criterion.bench_function("render a prompt", |b| {
        b.iter(|| version.render(black_box(&case.vars)))
    });
}

fn cases(count: u32, extra: &str) -> Vec<Case> {
    let mut found = Diagnostics::new();
    let mut decoder = Decoder::new("cases.jsonl", &mut found);
    for number in 0..count {
        let tier = ["free", "pro", "enterprise"][number as usize % 3];
        decoder.jsonl_line(&format!("{{\"id\":\"case-{number:06}\",\"vars\":{{{extra}\"ticket\":\"My invoice number {number} shows a charge\"}},\"expected\":\"billing\",\"segment\":{{\"tier\":\"{tier}\"}}}}").into_bytes(), number + 1);
    }
    decoder.finish()
}

fn header(cases: usize) -> RunHeader {
    let digest = Digest::of_bytes(b"bench");
    let arm = |arm, number| ArmHeader {
        arm,
        reference: format!("v{number}"),
        label: format!("v{number}"),
        version: Some(number),
        hash: Digest::of_bytes(&[number as u8]),
        file: String::new(),
        text: String::new(),
    };
    RunHeader {
        gate: "run/1".to_owned(),
        tool: "bench".to_owned(),
        run_id: RunId::new(Timestamp::from_millis(0), &[0; 10]),
        command: "compare".to_owned(),
        suite: "bench".to_owned(),
        title: "bench".to_owned(),
        suite_path: "evals/bench.yaml".to_owned(),
        prompt: "bench".to_owned(),
        suite_digest: digest,
        plan_digest: digest,
        resolved: serde_json::json!({"policy": Policy::preset(Preset::Promote).to_json()}),
        arms: vec![arm(Arm::Baseline, 1), arm(Arm::Candidate, 2)],
        model: ModelHeader {
            name: "main".to_owned(),
            provider: "openai".to_owned(),
            model: Some("bench".to_owned()),
        },
        candidate_model: None,
        matrix: Vec::new(),
        calibrations: Vec::new(),
        scorers: vec![ScorerHeader {
            name: "equals".to_owned(),
            kind: "equals".to_owned(),
            gating: true,
            judge: None,
            members: Vec::new(),
        }],
        dataset: DatasetHeader {
            path: "cases.jsonl".to_owned(),
            digest,
            cases,
            selected: cases,
        },
        seed: 1,
        repeat: 1,
        filter: None,
        shard: None,
        sample: None,
        offline: false,
        registry_head: None,
        notes: Vec::new(),
    }
}

/// The events of a whole run, with a loss in one of a hundred cases.
fn events(count: u32) -> Vec<Event> {
    let key = Digest::of_bytes(b"key");
    let mut events = Vec::with_capacity(count as usize * 6);
    for case in 0..count {
        for arm in [Arm::Baseline, Arm::Candidate] {
            let trial = TrialId {
                case,
                arm,
                repeat: 1,
            };
            let right = arm == Arm::Baseline || case % 100 != 0;
            events.push(Event::AttemptStarted {
                trial,
                scorer: None,
                call: None,
                attempt: 1,
                key,
            });
            events.push(Event::AttemptFinished(Box::new(AttemptFinished {
                trial,
                token_choices: Vec::new(),
                scorer: None,
                call: None,
                attempt: 1,
                key,
                class: None,
                message: None,
                reply: if right { "billing" } else { "other" }.to_owned(),
                finish: Some(Finish::Stop),
                tool_calls: Vec::new(),
                usage: Usage {
                    input_tokens: Some(120),
                    output_tokens: Some(2),
                    ..Usage::default()
                },
                cost_usd: Some(0.0001),
                served_model: Some("bench-2026".to_owned()),
                fingerprint: None,
                latency_ms: Some(100.0 + f64::from(case % 50)),
                cached: false,
                batch: None,
            })));
            let score = ScoreRecord {
                scorer: "equals".to_owned(),
                pass: right,
                score: if right { 1.0 } else { 0.0 },
                reason: "the answer is `billing`".to_owned(),
                parts: Vec::new(),
                gating: true,
            };
            let outcome = if right {
                Outcome::Passed
            } else {
                Outcome::Failed
            };
            events.push(Event::TrialFinished(Box::new(TrialFinished {
                trial,
                outcome,
                fault: None,
                error: None,
                skipped: None,
                scores: vec![score],
            })));
        }
    }
    events.push(Event::RunFinished(FinishReason::complete()));
    events
}

fn fold(cases: &Arc<Vec<Case>>, events: &[Event]) -> Run {
    let at = Timestamp::from_millis(0);
    let mut fold = Fold::new(header(cases.len()), Arc::clone(cases), at);
    for (event, offset) in events.iter().zip(0..) {
        fold.take(at, event, LogSpan::new(offset, 1));
    }
    fold.finish()
}

fn reports(criterion: &mut Criterion) {
    let cases = Arc::new(cases(CASES, ""));
    let events = events(CASES);
    let mut group = criterion.benchmark_group("100,000 cases x 2");
    group.sample_size(10);
    group.throughput(Throughput::Elements(u64::from(CASES) * 2));
    group.bench_function("write the log", |b| {
        b.iter(|| {
            let mut bytes = Vec::new();
            for (event, seq) in events.iter().zip(0..) {
                log_codec::write_line(seq, Timestamp::from_millis(0), event, &cases, &mut bytes)
                    .expect("a line");
                if bytes.len() > 1 << 20 {
                    bytes.clear();
                }
            }
        });
    });
    group.bench_function("fold the events", |b| {
        b.iter_batched(|| (), |()| fold(&cases, &events), BatchSize::PerIteration)
    });
    let run = fold(&cases, &events);
    group.bench_function("decide", |b| {
        b.iter(|| {
            decide(
                &CaseTable::of_run(&run),
                &run.scorers,
                &Policy::preset(Preset::Promote),
                &DecisionContext::of_run(&run),
            )
        })
    });
    let mut texts = MemoryTexts::default();
    for (event, offset) in events.iter().zip(0u64..) {
        match event {
            Event::AttemptFinished(attempt) => {
                drop(texts.replies.insert(offset, (**attempt).clone()))
            }
            Event::TrialFinished(result) => drop(texts.results.insert(offset, (**result).clone())),
            _ => {}
        }
    }
    let report = || {
        let table = CaseTable::of_run(&run);
        let decision = decide(
            &table,
            &run.scorers,
            &Policy::preset(Preset::Promote),
            &DecisionContext::of_run(&run),
        );
        let arms = run
            .arms()
            .map(|arm| ArmSummary::of_run(&run, arm))
            .collect();
        let suite = SuiteReport {
            run: &run,
            table,
            arms,
            decision,
            corrected: Vec::new(),
            texts: &texts,
            spent_usd: Some(0.0),
            notes: Vec::new(),
        };
        let exit = ExitNote {
            code: 1,
            name: "gate_failed",
            reason: "pass-rate".to_owned(),
            message: "worse".to_owned(),
        };
        Report {
            command: "compare".to_owned(),
            tool: "bench".to_owned(),
            verdict: suite.decision.verdict,
            exit,
            suites: vec![SuiteOutcome::Ran(Box::new(suite))],
            notes: Vec::new(),
            next: Vec::new(),
            reproduce: None,
        }
    };
    group.bench_function("write the JSON result", |b| {
        b.iter_batched(
            report,
            |report| json::write(&report, &mut std::io::sink()),
            BatchSize::PerIteration,
        )
    });
    group.bench_function("write JUnit", |b| {
        b.iter_batched(
            report,
            |report| junit::write(&report, junit::Options::default(), &mut std::io::sink()),
            BatchSize::PerIteration,
        )
    });
    group.finish();
}

criterion_group!(benches, calls, render, reports);
criterion_main!(benches);
