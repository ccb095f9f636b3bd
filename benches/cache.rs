//! The response cache with a million answers: what it takes on disk, to open, to look up and to clear
//! up. Run with `cargo bench --bench cache`, or with a number of answers as argument.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "a benchmark prints its numbers, and stops where something is wrong"
)]

use std::time::{Duration, Instant};

use camino::Utf8PathBuf;
use promptgate::base::{Digest, Timestamp};
use promptgate::chat::Response;
use promptgate::store::cache::{self, CacheMode, CacheReader, CacheWriter, CachedReply, Limits};

const SEGMENTS: usize = 50;
const LOOKUPS: usize = 20_000;

fn main() {
    let wanted = std::env::args().find_map(|argument| argument.parse().ok());
    let answers: usize = wanted.unwrap_or(1_000_000);
    let folder = tempfile::tempdir().expect("a folder");
    let state = Utf8PathBuf::from_path_buf(folder.path().to_owned()).expect("a path");
    let each = answers / SEGMENTS;
    timed("write", || {
        for segment in 0..SEGMENTS {
            let name = format!("{segment:08}");
            let mut writer = CacheWriter::new(&state, CacheMode::ReadWrite, &name);
            for number in segment * each..(segment + 1) * each {
                let (key, request) = question(number);
                let reply = CachedReply::of_response(&answer(number), Some(812.5));
                let at = Timestamp::from_millis(
                    1_790_000_000_000 + i64::try_from(number).unwrap_or_default(),
                );
                writer.put(key, &request, &reply, at).expect("stored");
            }
            writer.finish().expect("stored");
        }
    });
    let stats = timed("count (gate cache stats)", || cache::stats(&state)).expect("counted");
    println!(
        "{} answers in {} segments, {:.0} MiB",
        stats.answers,
        stats.segments,
        stats.bytes as f64 / 1_048_576.0
    );
    let mut reader =
        timed("open", || CacheReader::open(&state, CacheMode::ReadOnly)).expect("open");
    let begun = Instant::now();
    for number in 0..LOOKUPS {
        let (key, request) = question(number.wrapping_mul(7_919) % answers);
        assert!(reader.get(&key, &request).is_some(), "an answer is found");
    }
    println!(
        "one lookup: {:.1} us",
        begun.elapsed().as_secs_f64() * 1e6 / LOOKUPS as f64
    );
    let half = Limits {
        max_bytes: Some(stats.bytes / 2),
        ..Limits::default()
    };
    let freed = timed("keep within half (end of a run)", || {
        cache::keep_within(&state, half, "90000000")
    });
    println!(
        "freed {:.0} MiB",
        freed.expect("freed") as f64 / 1_048_576.0
    );
    let quarter = Limits {
        max_bytes: Some(stats.bytes / 4),
        ..Limits::default()
    };
    let pruned = timed("prune to a quarter", || {
        cache::prune(&state, quarter, "90000001")
    });
    println!("{:?}", pruned.expect("pruned"));
}

fn timed<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let begun = Instant::now();
    let done = work();
    let took: Duration = begun.elapsed();
    println!("{what}: {:.2} s", took.as_secs_f64());
    done
}

/// A question of a usual size, with its key.
fn question(number: usize) -> (Digest, String) {
    let request = format!(
        "{{\"body\":{{\"messages\":[{{\"content\":\"You sort support tickets of a software company. Answer with one word: billing, bug or other.\",\"role\":\"system\"}},{{\"content\":\"My invoice number {number} shows a charge that I do not understand\",\"role\":\"user\"}}],\"model\":\"bench\",\"temperature\":0}},\"headers\":{{}},\"method\":\"POST\",\"protocol\":1,\"provider\":\"openai\",\"repeat\":1,\"url\":\"http://127.0.0.1/v1/chat/completions\"}}"
    );
    (Digest::of_bytes(request.as_bytes()), request)
}

fn answer(number: usize) -> Response {
    Response {
        text: format!("billing {number}"),
        served_model: Some("bench-2026".to_owned()),
        ..Response::default()
    }
}
