//! Tests of clearing up, on a cache of a few segments.

use super::super::{CacheMode, CacheWriter, CachedReply};
use super::*;
use crate::chat::Response;

const START: i64 = 1_790_000_000_000;

fn state() -> (tempfile::TempDir, Utf8PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = Utf8PathBuf::from_path_buf(folder.path().to_owned()).unwrap();
    (folder, path)
}

fn request(number: usize) -> String {
    format!("{{\"body\":{{\"n\":{number}}}}}")
}

fn key(number: usize) -> Digest {
    Digest::of_bytes(request(number).as_bytes())
}

/// A writer that has stored some answers, at `hours` after the start.
fn write(state: &Utf8Path, name: &str, numbers: std::ops::Range<usize>, hours: i64) -> CacheWriter {
    let mut writer = CacheWriter::new(state, CacheMode::ReadWrite, name);
    let at = Timestamp::from_millis(START + hours * 3_600_000);
    for number in numbers {
        let response = Response {
            text: format!("answer {number}"),
            ..Response::default()
        };
        let reply = CachedReply::of_response(&response, Some(1.0));
        writer
            .put(key(number), &request(number), &reply, at)
            .unwrap();
    }
    writer.finish().unwrap();
    writer
}

fn found(state: &Utf8Path, numbers: std::ops::Range<usize>) -> usize {
    let mut cache = CacheReader::open(state, CacheMode::ReadOnly).unwrap();
    let found = numbers.filter(|number| cache.get(&key(*number), &request(*number)).is_some());
    let found = found.count();
    assert_eq!(cache.corrupt, 0);
    found
}

#[test]
fn an_index_is_of_use_only_when_its_segment_was_finished() {
    let (_folder, state) = state();
    drop(write(&state, "a", 0..10, 0));
    let segment = cache_folder(&state).join("a.jsonl");
    assert_eq!(super::super::read_index(&segment).unwrap().len(), 10);
    let mut going_on = write(&state, "a", 10..12, 0);
    assert_eq!(super::super::read_index(&segment).unwrap().len(), 12);
    let reply = CachedReply::of_response(&Response::default(), None);
    going_on
        .put(key(12), &request(12), &reply, Timestamp::from_millis(START))
        .unwrap();
    going_on.flush().unwrap();
    assert!(super::super::read_index(&segment).is_none());
    assert_eq!(found(&state, 0..20), 13);
}

#[test]
fn a_prune_keeps_the_newest_in_their_order_however_often_it_is_made() {
    let (_folder, state) = state();
    drop(write(&state, "a", 0..50, 0));
    drop(write(&state, "b", 50..100, 2));
    let size = bytes_of(&cache_folder(&state).join("b.jsonl"));
    for name in ["c", "d", "e"] {
        let limits = Limits {
            max_bytes: Some(size),
            ..Limits::default()
        };
        let pruned = prune(&state, limits, name).unwrap();
        assert_eq!(pruned.kept, 50);
        assert_eq!((found(&state, 0..50), found(&state, 50..100)), (0, 50));
    }
    assert_eq!(stats(&state).unwrap().segments, 1);
    let limits = Limits {
        not_before: Some(Timestamp::from_millis(START + 3 * 3_600_000)),
        ..Limits::default()
    };
    assert_eq!(prune(&state, limits, "f").unwrap().dropped, 50);
    assert_eq!(stats(&state).unwrap(), CacheStats::default());
}

#[test]
fn limits_drop_the_oldest_segments_whole_and_rewrite_only_one_that_is_too_large() {
    let (_folder, state) = state();
    for (name, from) in [("a", 0), ("b", 100), ("c", 200)] {
        drop(write(&state, name, from..from + 100, 0));
    }
    let one = bytes_of(&cache_folder(&state).join("a.jsonl"));
    assert_eq!(keep_within(&state, Limits::default(), "d").unwrap(), 0);
    let within = |bytes| Limits {
        max_bytes: Some(bytes),
        ..Limits::default()
    };
    assert_eq!(
        keep_within(&state, within(3 * one + 1_000), "d").unwrap(),
        0
    );
    let freed = keep_within(&state, within(2 * one + 1_000), "d").unwrap();
    assert_eq!(freed, one);
    assert_eq!((found(&state, 0..100), found(&state, 100..300)), (0, 200));
    keep_within(&state, within(one / 2), "d").unwrap();
    let left = found(&state, 200..300);
    assert!((30..=45).contains(&left), "{left}");
    assert_eq!(found(&state, 300 - left..300), left, "the newest stay");
}

#[test]
fn a_segment_that_is_too_old_goes_and_one_under_way_stays() {
    let (_folder, state) = state();
    drop(write(&state, "a", 0..10, 0));
    let under_way = write(&state, "b", 10..20, 0);
    // Both files were written now; the limit lies ahead of that.
    let limits = Limits {
        not_before: newest_of(&cache_folder(&state).join("b.jsonl"))
            .map(|at| Timestamp::from_millis(i64::try_from(at.as_millis()).unwrap() + 1)),
        ..Limits::default()
    };
    assert!(keep_within(&state, limits, "c").unwrap() > 0);
    assert_eq!((found(&state, 0..10), found(&state, 10..20)), (0, 10));
    assert_eq!(prune(&state, limits, "d").unwrap(), Pruned::default());
    assert_eq!(found(&state, 10..20), 10);
    drop(under_way);
    keep_within(&state, limits, "e").unwrap();
    assert_eq!(stats(&state).unwrap(), CacheStats::default());
}
