//! The runner as a whole against the mock: what a fault of this program, and a clock that jumps, do
//! to a run.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use camino::Utf8Path;
use tokio::sync::mpsc;

use super::dispatcher::Records;
use super::*;
use crate::base::time::FixedClock;
use crate::base::{Clock, Diagnostics, Name, Slug, Source, Timestamp};
use crate::chat::{ErrorClass, ModelSpec, Params, ProviderKind};
use crate::prompt::{self, Expected, Form, PromptVersion};
use crate::provider::Endpoint;
use crate::provider::endpoint::Transport;
use crate::provider::mock::MockRules;
use crate::record::{Arm, Event, Fold, Outcome, Run};
use crate::report::sample;
use crate::score::{Answer, Context, Score, ScorerError, ScorerSpec, score};
use crate::store::cache::{CacheMode, CacheReader, CacheWriter};
use crate::store::runs::{self, RunLog};

const CASES: u32 = 4;

struct Silent;

impl Observer for Silent {
    fn event(&mut self, _: &Event, _: &Run) {}

    fn tick(&mut self, _: &Status, _: &Run) {}
}

fn start() -> Timestamp {
    Timestamp::from_millis(1_790_000_000_000)
}

fn endpoint(rules: &str) -> Endpoint {
    let mut found = Diagnostics::new();
    let rules = MockRules::decode(&Source::new("rules.yaml", rules), &mut found);
    let spec = ModelSpec {
        name: Name::new("main").unwrap(),
        provider: ProviderKind::Mock,
        model: None,
        base_url: None,
        api_key_env: None,
        params: Params::default(),
        price: None,
        timeout: None,
        rules: None,
        cassette: None,
        command: Vec::new(),
        http: None,
    };
    Endpoint::new(spec, Transport::Mock(Arc::new(rules.unwrap())))
}

fn version() -> PromptVersion {
    let text = "gate: prompt/1\nvariables: { ticket: { type: string, max_length: 99 } }\nmessages: [{ role: user, content: \"{{ticket}}\" }]\n";
    let expected = Expected {
        slug: Slug::new("label").unwrap(),
        number: Some(1),
        form: Form::Yaml,
    };
    let mut found = Diagnostics::new();
    prompt::decode(&Source::new("v1.yaml", text), &expected, &mut found).unwrap()
}

fn equals() -> ScorerSpec {
    let source = Source::new("suite.yaml", "{ type: equals, value: \"{{expected}}\" }");
    let node = crate::base::yaml::parse(&source).unwrap();
    let mut found = Diagnostics::new();
    let mut reader = crate::base::decode::Reader {
        source,
        diagnostics: &mut found,
    };
    ScorerSpec::decode(&mut reader, &node, &|_| Err("none".to_owned())).unwrap()
}

/// Runs four cases once, and reads the run back from its log.
fn run_cases(state: &Utf8Path, rules: &str, scoring: Scoring, clock: Arc<dyn Clock>) -> Run {
    let ids = ["c-1", "c-2", "c-3", "c-4"].iter().zip(1..);
    let cases = ids.map(|(id, line)| sample::case(id, line, None, "a ticket"));
    let cases = Arc::new(cases.collect::<Vec<_>>());
    let header = sample::header(&[(Arm::Candidate, "v1")], cases.len(), 1);
    let job = Job {
        cases: Arc::clone(&cases),
        order: crate::plan::trial_order(cases.len(), &[Arm::Candidate], 1, 7),
        arms: vec![ArmJob {
            arm: Arm::Candidate,
            prompt: Arc::new(version()),
            hash: "sha256:00".to_owned(),
            repeat_offset: 0,
            endpoint: Arc::new(endpoint(rules)),
            price: None,
            most_output: None,
            stored: None,
        }],
        scorers: vec![equals()],
        own_scorers: std::collections::HashMap::new(),
        scoring,
        commands: std::collections::HashMap::new(),
        embedders: std::collections::HashMap::new(),
        judges: std::collections::HashMap::new(),
        score_faults: Vec::new(),
        looks: None,
        prior: None,
    };
    let options = RunOptions {
        concurrency: 2,
        retries: 0,
        timeout: Duration::from_mins(1),
        deadline: Some(Duration::from_mins(1)),
        rate: None,
        token_rate: None,
        budget: Arc::new(Mutex::new(Budget::new(None))),
        offline: false,
        fail_fast: false,
        batch: None,
        seed: 7,
        clock,
    };
    let records = Records {
        log: RunLog::create(state, &header, Arc::clone(&cases), start()).unwrap(),
        fold: Fold::new(header.clone(), cases, start()),
        cache_reader: CacheReader::default(),
        cache_writer: CacheWriter::new(state, CacheMode::Off, "none"),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let (_signals, mut interrupts) = mpsc::channel(1);
    let mut silent = Silent;
    let running = run(job, options, records, &mut interrupts, &mut silent);
    let finished = runtime.block_on(running).unwrap();
    let read = runs::load(state, &header.run_id).unwrap().run;
    assert_eq!(finished.run.trials, read.trials);
    assert!(read.is_complete());
    read
}

fn folder() -> (tempfile::TempDir, camino::Utf8PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = camino::Utf8PathBuf::from_path_buf(folder.path().to_owned()).unwrap();
    (folder, path)
}

const RIGHT: &str = "gate: mock/1\nrules: [{ reply: \"{{expected}}\" }]\n";

#[test]
fn a_panic_in_a_scorer_is_an_errored_trial_and_the_run_goes_on() {
    fn faulty(
        spec: &ScorerSpec,
        answer: &Answer<'_>,
        context: &Context<'_>,
    ) -> Result<Score, ScorerError> {
        assert!(context.case.id.as_str() != "c-2", "out of bounds");
        score(spec, answer, context)
    }
    let (_folder, state) = folder();
    let run = run_cases(&state, RIGHT, faulty, Arc::new(FixedClock(start())));
    for (case, trial) in run.cases.iter().zip(&run.trials) {
        if case.id.as_str() != "c-2" {
            assert_eq!(trial.outcome, Some(Outcome::Passed));
            continue;
        }
        assert_eq!(trial.outcome, Some(Outcome::Errored));
        let error = trial.error.as_ref().unwrap();
        assert_eq!(error.class, ErrorClass::Internal);
        assert!(error.message.contains("out of bounds"), "{}", error.message);
        // The answer was paid for, and is not lost.
        assert!(trial.answer.answered && trial.answer.reply_at.is_some());
    }
}

/// A clock that is an hour ahead at one look and an hour behind at the next.
struct Jumping(AtomicU64);

impl Clock for Jumping {
    fn now(&self) -> Timestamp {
        let ahead = self.0.fetch_add(1, Ordering::SeqCst).is_multiple_of(2);
        let hours = if ahead { 2 } else { 0 };
        Timestamp::from_millis(1_790_000_000_000 - 3_600_000 + hours * 3_600_000)
    }
}

#[test]
fn a_wall_clock_that_jumps_changes_neither_waits_nor_latencies_nor_the_deadline() {
    let (_folder, state) = folder();
    let rules = RIGHT.replace("rules:", "latency_ms: 3\nrules:");
    let run = run_cases(&state, &rules, score, Arc::new(Jumping(AtomicU64::new(0))));
    assert_eq!(run.trials.len(), CASES as usize);
    for trial in &run.trials {
        assert_eq!(trial.outcome, Some(Outcome::Passed));
        assert_eq!(trial.latency_ms.get(), Some(3.0));
    }
}
