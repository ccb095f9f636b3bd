//! Looking after the cache: what it holds, and rewriting it without what is too old, replaced or
//! corrupt.

use std::fs::File;
use std::io::{BufWriter, Write as _};

use camino::Utf8Path;

use super::entry::{checked_reply, is_recent};
use super::index::{build_index, index_path, write_index};
use super::{CacheError, CacheMode, CacheReader, EXTENSION, Place, cache_folder, segment_paths};
use crate::base::{Digest, Timestamp};

impl CacheReader {
    /// Every entry that answers, the newest first.
    fn newest_first(&self) -> Vec<(Digest, Place)> {
        let places = self.places.iter().map(|(key, place)| (*key, *place));
        let mut places: Vec<(Digest, Place)> = places.collect();
        places.sort_by_key(|(_, place)| std::cmp::Reverse((place.segment, place.offset)));
        places
    }
}

/// What the cache holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CacheStats {
    /// Segments.
    pub segments: usize,
    /// Answers that can be found.
    pub answers: usize,
    /// Lines that a later one of the same key replaces, or that are no entries.
    pub stale: usize,
    /// Bytes on disk, indexes included.
    pub bytes: u64,
}

/// Counts what the cache holds.
///
/// # Errors
/// When a segment can not be read.
pub fn stats(state: &Utf8Path) -> Result<CacheStats, CacheError> {
    let folder = cache_folder(state);
    let mut stats = CacheStats::default();
    let mut keys = std::collections::HashSet::new();
    for path in segment_paths(&folder) {
        stats.segments += 1;
        let size = |path: &Utf8Path| std::fs::metadata(path).map_or(0, |data| data.len());
        stats.bytes += size(&path) + size(&index_path(&path));
        for (key, _, _) in build_index(&path)? {
            stats.stale += usize::from(!keys.insert(key));
        }
    }
    stats.answers = keys.len();
    Ok(stats)
}

/// What a prune did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Pruned {
    /// Answers kept.
    pub kept: usize,
    /// Entries dropped: too old, replaced, or corrupt.
    pub dropped: usize,
    /// Bytes freed.
    pub freed: u64,
}

/// Rewrites the cache into one segment without entries that are older than `not_before`, replaced
/// by a later one, or corrupt; of what is left, the newest entries up to `max_bytes` stay.
///
/// # Errors
/// When the file system refuses; the old segments are removed only after the new one is durable.
pub fn prune(
    state: &Utf8Path,
    not_before: Option<Timestamp>,
    max_bytes: Option<u64>,
    name: &str,
) -> Result<Pruned, CacheError> {
    let folder = cache_folder(state);
    let old = segment_paths(&folder);
    let mut pruned = Pruned::default();
    if old.is_empty() {
        return Ok(pruned);
    }
    let mut cache = CacheReader::open(state, CacheMode::ReadOnly)?;
    let mut total = 0;
    for path in &old {
        total += build_index(path)?.len();
        pruned.freed += std::fs::metadata(path).map_or(0, |data| data.len());
    }
    let places = cache.newest_first();
    let target = folder.join(format!("{name}.{EXTENSION}.tmp"));
    let io = |path: &Utf8Path| {
        let path = path.to_owned();
        move |source| CacheError {
            action: "write",
            path,
            source,
        }
    };
    let mut output = BufWriter::new(File::create(&target).map_err(io(&target))?);
    let (mut index, mut written) = (Vec::new(), 0u64);
    for (key, place) in places {
        let line = cache
            .read(place)
            .filter(|line| checked_reply(line, &key, None).is_some());
        let Some(line) = line.filter(|line| is_recent(line, not_before)) else {
            continue;
        };
        let size = line.len() as u64 + 1;
        if max_bytes.is_some_and(|limit| written + size > limit) {
            break;
        }
        output
            .write_all(&line)
            .and_then(|()| output.write_all(b"\n"))
            .map_err(io(&target))?;
        index.push((key, written, place.length));
        written += size;
    }
    let file = output
        .into_inner()
        .map_err(|error| io(&target)(error.into_error()))?;
    file.sync_all().map_err(io(&target))?;
    for path in &old {
        let _ = std::fs::remove_file(index_path(path));
        std::fs::remove_file(path).map_err(io(path))?;
    }
    let path = folder.join(format!("{name}.{EXTENSION}"));
    std::fs::rename(&target, &path).map_err(io(&path))?;
    write_index(&path, written, &index)?;
    pruned.kept = index.len();
    pruned.dropped = total - index.len();
    pruned.freed = pruned.freed.saturating_sub(written);
    Ok(pruned)
}
