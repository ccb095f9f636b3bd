//! Deterministic scorers by themselves: `cargo bench --bench scoring` scores 100,000 answers with
//! ten of them on one thread and prints the seconds. See benches/README.md.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a bench: what goes wrong ends it, and its result is what it prints"
)]

use std::time::Instant;

use promptgate::base::decode::Reader;
use promptgate::base::{Diagnostics, Source, yaml};
use promptgate::chat::{Finish, Usage};
use promptgate::dataset::Decoder;
use promptgate::score::{Answer, Context, ScorerSpec, score};

const ANSWERS: u32 = 100_000;

/// One scorer of each common kind; the slowest are those that compare texts.
const SCORERS: [&str; 10] = [
    "{ type: equals, value: '{{expected}}', transform: [trim, lowercase] }",
    "{ type: icontains, value: invoice }",
    "{ type: regex, value: '\\b\\d{4,6}\\b' }",
    "{ type: is-json, schema: { type: object, required: [label] }, transform: [extract-json] }",
    "{ type: json-path, path: $.label, value: billing, transform: [extract-json] }",
    "{ type: word-count, max: 80 }",
    "{ type: levenshtein, value: '{{expected}}', threshold: 0.5 }",
    "{ type: rouge-l, value: '{{expected}}', threshold: 0.3 }",
    "{ type: not-pii }",
    "{ type: expr, value: 'output|length < 400 and \"charge\" in output' }",
];

fn scorer(text: &str) -> ScorerSpec {
    let source = Source::new("bench.yaml", text);
    let node = yaml::parse(&source).expect("YAML");
    let mut diagnostics = Diagnostics::new();
    let mut reader = Reader {
        source,
        diagnostics: &mut diagnostics,
    };
    ScorerSpec::decode(&mut reader, &node, &|_| Err("no file".to_owned())).expect("a scorer")
}

fn main() {
    let scorers = SCORERS.map(scorer);
    let mut found = Diagnostics::new();
    let mut decoder = Decoder::new("cases.jsonl", &mut found);
    let expected = "Your invoice shows a charge for the plan that you changed on the third of May.";
    let line = format!("{{\"id\":\"c\",\"vars\":{{}},\"expected\":\"{expected}\"}}");
    decoder.jsonl_line(line.as_bytes(), 1);
    let cases = decoder.finish();
    let case = cases.first().expect("a case");
    let answers: Vec<String> = (0..ANSWERS)
        .map(|number| {
            format!(
                "The invoice {number} shows a charge for a plan that you changed in May, so nothing was \
                 paid twice. {{\"label\": \"billing\", \"confidence\": 0.{}}}",
                number % 100
            )
        })
        .collect();
    let begun = Instant::now();
    let mut passed = 0_u64;
    for text in &answers {
        let answer = Answer {
            text,
            finish: &Finish::Stop,
            tool_calls: &[],
            usage: Usage::default(),
            latency_ms: Some(1.0),
            cost_usd: Some(0.0),
        };
        let context = Context {
            case,
            question: "Why this charge?",
            tools: &[],
        };
        for scorer in &scorers {
            let scored = score(scorer, &answer, &context).expect("a score");
            passed += u64::from(scored.pass);
        }
    }
    let seconds = begun.elapsed().as_secs_f64();
    println!(
        "{ANSWERS} answers x {} scorers: {seconds:.2} s ({passed} passes)",
        scorers.len()
    );
}
