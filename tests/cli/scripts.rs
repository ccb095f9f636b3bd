//! Servers that fail by any script: whatever comes when, each trial ends once, no fault is an answer,
//! the requests stay within bounds, and a resume buys what is missing and nothing else.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed, TestCaseError, TestRunner};
use serde_json::Value;

use crate::matrix::error_body;
use crate::sandbox::Sandbox;
use crate::server::{Answer, Server, completion};

const CASES: usize = 8;
const RETRIES: usize = 1;
/// Threads, and scripts for each.
const SEEDS: u64 = 4;
const SCRIPTS: u32 = 3;

/// How one request is answered.
#[derive(Debug, Clone, Copy)]
enum Step {
    Right,
    PushBack,
    Overloaded,
    Server,
    Cut,
    Reset,
    Hang,
    Page,
    Empty,
    Inner,
    Unfinished,
}

impl Step {
    fn answer(self) -> Answer {
        let wait = || vec![("retry-after-ms", "5".to_owned())];
        match self {
            Self::Right => Answer::Text("ok".into()),
            Self::PushBack => {
                Answer::Status(429, wait(), error_body("slow", "rate_limit_exceeded"))
            }
            Self::Overloaded => Answer::Status(529, wait(), String::new()),
            Self::Server => Answer::Status(500, vec![], "oops".into()),
            Self::Cut => Answer::Cut,
            Self::Reset => Answer::Reset,
            Self::Hang => Answer::Hang,
            Self::Page => Answer::Body("<html>ok</html>".into()),
            Self::Empty => Answer::Body(completion("").replace("\"\"", "null")),
            Self::Inner => Answer::Body(error_body("ok", "server_error")),
            Self::Unfinished => Answer::Body(completion("ok").replace("\"stop\"", "\"error\"")),
        }
    }

    fn is_push_back(self) -> bool {
        matches!(self, Self::PushBack | Self::Overloaded)
    }
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        30 => Just(Step::Right),
        1 => Just(Step::PushBack),
        1 => Just(Step::Overloaded),
        2 => Just(Step::Server),
        2 => Just(Step::Cut),
        2 => Just(Step::Reset),
        1 => Just(Step::Hang),
        2 => Just(Step::Page),
        2 => Just(Step::Empty),
        2 => Just(Step::Inner),
        2 => Just(Step::Unfinished),
    ];
    prop::collection::vec(step, 1..40)
}

/// How often each trial ended, by the log.
fn endings(sandbox: &Sandbox) -> BTreeMap<String, usize> {
    let mut endings = BTreeMap::new();
    for event in sandbox.events() {
        if event["type"] == "trial_finished" {
            *endings.entry(event["trial"].to_string()).or_insert(0) += 1;
        }
    }
    endings
}

fn count(suite: &Value, key: &str) -> usize {
    let arms = ["baseline", "candidate"].iter();
    let counts = arms.map(|arm| suite["arms"][arm][key].as_u64().unwrap());
    usize::try_from(counts.sum::<u64>()).unwrap()
}

fn holds(steps: &[Step]) -> Result<(), TestCaseError> {
    let healthy = Arc::new(AtomicBool::new(false));
    let push_backs = Arc::new(AtomicUsize::new(0));
    let (switch, counter, script) = (
        Arc::clone(&healthy),
        Arc::clone(&push_backs),
        steps.to_vec(),
    );
    let server = Server::start(move |seen| {
        let step = script[seen.number % script.len()];
        if switch.load(Ordering::SeqCst) {
            return Step::Right.answer();
        }
        counter.fetch_add(usize::from(step.is_push_back()), Ordering::SeqCst);
        step.answer()
    });
    let sandbox = Sandbox::remote(&server.base_url(), CASES, "policy: { margin: 0.3 }\n");
    let retries = RETRIES.to_string();
    let limits = [
        "--retries",
        &retries,
        "--timeout",
        "400ms",
        "--json",
        "out.json",
    ];
    let mut arguments = vec!["compare", "v1", "v2"];
    arguments.extend(limits);
    let ran = sandbox.gate(&arguments);
    prop_assert!(matches!(ran.code, 0 | 3), "{}: {}", ran.code, ran.stderr);
    let result = sandbox.json("out.json");
    let suite = &result["suites"][0];
    let [passed, failed, errored, skipped] =
        ["passed", "failed", "errored", "skipped"].map(|key| count(suite, key));
    prop_assert_eq!(passed + errored + skipped, 2 * CASES);
    prop_assert_eq!(failed, 0);
    let ended = endings(&sandbox);
    prop_assert_eq!(ended.len(), 2 * CASES);
    prop_assert!(ended.values().all(|times| *times == 1));

    let sent = server.requests();
    prop_assert_eq!(count(suite, "requests"), sent);
    let most = 2 * CASES * (1 + RETRIES) + push_backs.load(Ordering::SeqCst);
    prop_assert!(sent <= most, "{} requests", sent);
    let missing = errored + skipped;
    if missing > 0 {
        prop_assert_eq!(ran.code, 3, "{} trials have no answer", missing);
    } else {
        prop_assert_eq!(ran.code, 0);
        return Ok(());
    }

    healthy.store(true, Ordering::SeqCst);
    let mut arguments = vec!["compare", "--resume"];
    arguments.extend(limits);
    let resumed = sandbox.gate(&arguments);
    prop_assert_eq!(resumed.code, 0, "{}", resumed.stderr);
    let result = sandbox.json("out.json");
    prop_assert_eq!(count(&result["suites"][0], "passed"), 2 * CASES);
    prop_assert_eq!(server.requests() - sent, missing);
    Ok(())
}

#[test]
fn a_server_that_fails_by_any_script_gives_each_trial_one_end_and_no_false_answer() {
    std::thread::scope(|scope| {
        for seed in 0..SEEDS {
            scope.spawn(move || {
                let config = Config {
                    cases: SCRIPTS,
                    max_shrink_iters: 20,
                    failure_persistence: None,
                    rng_seed: RngSeed::Fixed(seed),
                    ..Config::default()
                };
                let mut runner = TestRunner::new(config);
                runner.run(&steps(), |steps| holds(&steps)).unwrap();
            });
        }
    });
}
