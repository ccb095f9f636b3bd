//! Providers that push back: waits in every form that servers ask for, storms of 429, and those who
//! refuse at random.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::matrix::{error_body, ran};
use crate::sandbox::Sandbox;
use crate::server::{Answer, Seen, Server};

fn refusal(headers: Vec<(&'static str, String)>) -> Answer {
    let body = error_body("slow down", "rate_limit_exceeded");
    Answer::Status(429, headers, body)
}

/// The seconds between a refusal with these headers and the next request.
fn waits(headers: &[(&'static str, &'static str)]) -> f64 {
    let headers: Vec<_> = headers
        .iter()
        .map(|(name, value)| (*name, (*value).to_owned()))
        .collect();
    let server = Server::start(move |seen| match seen.number {
        0 => refusal(headers.clone()),
        _ => Answer::Text("ok".into()),
    });
    let sandbox = Sandbox::remote(&server.base_url(), 1, "");
    sandbox.gate(&["compare", "v1", "v2", "-j", "1"]).exits(0);
    let seen = server.seen();
    (seen[1].at - seen[0].at).as_secs_f64()
}

#[test]
fn retry_after_in_all_its_forms() {
    let now = ("date", "Fri, 20 Nov 2026 06:00:00 GMT");
    let told: [(&[_], f64); 6] = [
        (&[("retry-after", "1")], 1.0),
        (&[("retry-after", "0.3")], 0.3),
        (&[("retry-after-ms", "300")], 0.3),
        (&[("retry-after-ms", "300"), ("retry-after", "60")], 0.3),
        (
            &[now, ("retry-after", "Fri, 20 Nov 2026 06:00:01 GMT")],
            1.0,
        ),
        // What tells nothing counts as absent: the first step of our own ladder.
        (&[], 2.0),
    ];
    let nonsense: [&[_]; 6] = [
        &[("retry-after", "-1")],
        &[("retry-after", "0")],
        &[("retry-after", "abc")],
        &[("retry-after", "1e308")],
        &[("retry-after-ms", "NaN")],
        &[now, ("retry-after", "Fri, 20 Nov 2026 05:59:00 GMT")],
    ];
    let nonsense = nonsense.into_iter().map(|headers| (headers, 2.0));
    std::thread::scope(|scope| {
        for (headers, wait) in told.into_iter().chain(nonsense) {
            scope.spawn(move || {
                let waited = waits(headers);
                // Up to a quarter more is added, and a busy machine is late.
                assert!(
                    waited >= wait - 0.01 && waited < 1.25 * wait + 1.0,
                    "{headers:?}: {waited} s"
                );
            });
        }
    });
}

#[test]
fn a_wait_that_is_too_long_ends_the_run_and_says_so() {
    let (ran, suite, sent) = ran(30, &[], |_| {
        refusal(vec![("retry-after", "500".to_owned())])
    });
    ran.exits(3)
        .says("gate: infra: rate_limit")
        .says("asks to wait 500 s");
    assert!(sent <= 8, "{sent} requests");
    assert!(suite["arms"]["candidate"]["skipped"].as_u64().unwrap() >= 20);
}

#[test]
fn a_storm_of_429_is_paced_and_ends() {
    let admitted = Arc::new(std::sync::Mutex::new((Instant::now(), 10.0f64)));
    let refused = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&refused);
    let (ran, suite, sent) = ran(60, &[], move |_| {
        let mut bucket = admitted.lock().unwrap();
        let now = Instant::now();
        bucket.1 = (bucket.1 + (now - bucket.0).as_secs_f64() * 60.0).min(10.0);
        bucket.0 = now;
        if bucket.1 < 1.0 {
            count.fetch_add(1, Ordering::SeqCst);
            return refusal(vec![("retry-after-ms", "100".into())]);
        }
        bucket.1 -= 1.0;
        Answer::Text("ok".into())
    });
    ran.exits(0);
    assert_eq!(suite["arms"]["candidate"]["passed"], 60);
    let refused = refused.load(Ordering::SeqCst);
    assert_eq!(sent, 120 + refused);
    assert!(refused <= 120 / 5 + 32, "{refused} of {sent} refused");
}

#[test]
fn a_server_that_only_pushes_back_in_one_way_and_another_ends_the_run() {
    let (ran, suite, sent) = ran(30, &[], |seen| {
        let wait = vec![("retry-after-ms", "5".to_owned())];
        match seen.number % 2 {
            0 => refusal(wait),
            _ => Answer::Status(529, wait, String::new()),
        }
    });
    ran.exits(3).says("provider_down");
    // Ten pauses: eight at first, two windows of eight sent at once to see, and one or two for each other.
    assert!(sent <= 40, "{sent} requests");
    assert!(suite["arms"]["candidate"]["skipped"].as_u64().unwrap() >= 10);
}

/// Whether the request of this number is refused, `share` of a hundred, as if by chance.
fn is_refused(seen: &Seen, share: u64, seed: u64) -> bool {
    let mut word = (seen.number as u64 + seed).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (word ^ (word >> 31)) % 100 < share
}

const WAIT_MS: u64 = 150;

/// Runs against a server that refuses by chance, and checks that nothing is sent before its time.
fn refused_by_chance(cases: usize, share: u64, seed: u64) -> (i32, Value, Vec<Seen>) {
    let server = Server::start(move |seen| {
        if is_refused(seen, share, seed) {
            refusal(vec![("retry-after-ms", WAIT_MS.to_string())])
        } else {
            Answer::Text("ok".into())
        }
    });
    let sandbox = Sandbox::remote(&server.base_url(), cases, "");
    let ran = sandbox.gate(&["compare", "v1", "v2", "--json", "out.json"]);
    let result = sandbox.json("out.json");
    let suite = result["suites"][0].clone();
    for arm in ["baseline", "candidate"] {
        let count = |key: &str| suite["arms"][arm][key].as_u64().unwrap();
        let ended = count("passed") + count("failed") + count("errored") + count("skipped");
        assert_eq!((count("trials"), ended), (cases as u64, cases as u64));
        assert_eq!(count("failed"), 0, "a refusal is no wrong answer");
    }
    let seen = server.seen();
    let refused = seen.iter().filter(|seen| is_refused(seen, share, seed));
    for refused in refused {
        // What was under way when the refusal came is not held back by it.
        let early = seen.iter().find(|other| {
            let after = other.at.saturating_duration_since(refused.at);
            (Duration::from_millis(60)..Duration::from_millis(WAIT_MS - 5)).contains(&after)
        });
        assert!(early.is_none(), "sent before its time: {}", refused.number);
    }
    (ran.code, suite, seen)
}

#[test]
fn a_server_that_refuses_nine_in_ten_at_random_ends_the_run() {
    std::thread::scope(|scope| {
        for seed in [333, 962, 1_480] {
            scope.spawn(move || {
                let begun = Instant::now();
                let (code, suite, seen) = refused_by_chance(40, 90, seed);
                assert_eq!(code, 3, "{suite}");
                let took = begun.elapsed();
                assert!(took < Duration::from_mins(1), "{took:?}");
                let most = 80 * 21;
                assert!(seen.len() < most, "{} requests", seen.len());
            });
        }
    });
}

#[test]
fn a_server_that_refuses_every_second_at_random_is_asked_to_the_end_at_a_steady_pace() {
    let (code, suite, seen) = refused_by_chance(10, 50, 7);
    assert_eq!(code, 0, "{suite}");
    for arm in ["baseline", "candidate"] {
        assert_eq!(suite["arms"][arm]["passed"], 10);
    }
    // The pace does not sink with every refusal.
    let longest = seen.windows(2).map(|pair| pair[1].at - pair[0].at).max();
    let longest = longest.unwrap();
    assert!(longest < Duration::from_secs(2), "{longest:?}");
}
