//! Looking after the cache: what it holds, rewriting it without what is too old, replaced or corrupt,
//! and keeping it within limits.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::time::{Duration, UNIX_EPOCH};

use camino::{Utf8Path, Utf8PathBuf};

use super::entry::{checked_reply, is_recent, written_at};
use super::index::{IndexWriter, build_index, index_path};
use super::{CacheError, CacheReader, EXTENSION, Place, cache_folder, segment_paths};
use crate::base::{Digest, Timestamp};

impl CacheReader {
    /// Every entry that answers, the oldest first.
    fn oldest_first(&self) -> Vec<(Digest, Place)> {
        let places = self.places.iter().map(|(key, place)| (*key, *place));
        let mut places: Vec<(Digest, Place)> = places.collect();
        places.sort_unstable_by_key(|(_, place)| (place.segment, place.offset));
        places
    }
}

/// What the cache may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Limits {
    /// Answers older than this go.
    pub not_before: Option<Timestamp>,
    /// Of the others the newest stay, up to so many bytes.
    pub max_bytes: Option<u64>,
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

/// The bytes of a segment that a prune writes: segments go one by one when the cache has to shrink.
const SEGMENT_BYTES: u64 = 64 << 20;

/// Rewrites the cache without entries that are too old, replaced by a later one, or corrupt; of what
/// is left, the newest entries within the size stay. Segments that a run is writing are left alone.
///
/// # Errors
/// When the file system refuses; the old segments are removed only after the new ones are durable.
pub fn prune(state: &Utf8Path, limits: Limits, name: &str) -> Result<Pruned, CacheError> {
    let folder = cache_folder(state);
    let mut old = segment_paths(&folder);
    old.retain(|path| !is_in_use(path));
    let mut pruned = Pruned::default();
    let mut cache = CacheReader::default();
    let mut total = 0;
    for path in &old {
        cache.add_segment(path)?;
        total += build_index(path)?.len();
        pruned.freed += bytes_of(path);
    }
    let mut places = cache.oldest_first();
    if let Some(limit) = limits.max_bytes {
        let newest_first = places.iter().rev();
        let sizes = newest_first.scan(0, |sum, (_, place)| {
            *sum += u64::from(place.length) + 1;
            Some(*sum)
        });
        let kept = sizes.take_while(|sum| *sum <= limit).count();
        places.drain(..places.len() - kept);
    }
    let mut output = Output::new(&folder, name);
    for (key, place) in places {
        let line = cache
            .read(place)
            .filter(|line| checked_reply(line, &key, None).is_some())
            .filter(|line| is_recent(line, limits.not_before));
        if let Some(line) = line {
            output.put(&key, &line)?;
        }
    }
    let (kept, written) = output.finish(|| {
        for path in &old {
            remove_segment(path)?;
        }
        Ok(())
    })?;
    pruned.kept = kept;
    pruned.dropped = total.saturating_sub(kept);
    pruned.freed = pruned.freed.saturating_sub(written);
    Ok(pruned)
}

/// The segments of a prune under way. They have names that no reader looks at until all are durable.
struct Output<'a> {
    folder: &'a Utf8Path,
    name: &'a str,
    parts: Vec<(Utf8PathBuf, Utf8PathBuf)>,
    part: Option<Part>,
    kept: usize,
    written: u64,
}

struct Part {
    path: Utf8PathBuf,
    file: BufWriter<File>,
    index: Vec<(Digest, u64, u32)>,
    written: u64,
    newest: Option<Timestamp>,
}

impl<'a> Output<'a> {
    fn new(folder: &'a Utf8Path, name: &'a str) -> Self {
        Self {
            folder,
            name,
            parts: Vec::new(),
            part: None,
            kept: 0,
            written: 0,
        }
    }

    fn put(&mut self, key: &Digest, line: &[u8]) -> Result<(), CacheError> {
        let is_full = |part: &Part| part.written >= SEGMENT_BYTES;
        if self.part.as_ref().is_some_and(is_full) {
            self.end_part()?;
        }
        let part = match &mut self.part {
            Some(part) => part,
            None => {
                let number = self.parts.len();
                let final_path = self
                    .folder
                    .join(format!("{}-{number:04}.{EXTENSION}", self.name));
                let path = Utf8PathBuf::from(format!("{final_path}.tmp"));
                let file = File::create(&path).map_err(|error| failed("create", &path, error))?;
                self.parts.push((path.clone(), final_path));
                self.part.insert(Part {
                    path,
                    file: BufWriter::with_capacity(1 << 16, file),
                    index: Vec::new(),
                    written: 0,
                    newest: None,
                })
            }
        };
        let written = part.file.write_all(line);
        written
            .and_then(|()| part.file.write_all(b"\n"))
            .map_err(|error| failed("write", &part.path, error))?;
        let length = u32::try_from(line.len()).unwrap_or(u32::MAX);
        part.index.push((*key, part.written, length));
        part.written += u64::from(length) + 1;
        part.newest = part.newest.max(written_at(line));
        self.kept += 1;
        self.written += u64::from(length) + 1;
        Ok(())
    }

    fn end_part(&mut self) -> Result<(), CacheError> {
        let Some(part) = self.part.take() else {
            return Ok(());
        };
        let error = |error| failed("write", &part.path, error);
        let file = part
            .file
            .into_inner()
            .map_err(|failed| error(failed.into_error()))?;
        file.sync_all().map_err(error)?;
        if let Some(newest) = part.newest {
            // What a segment's age is read from. Where it can not be set, answers stay longer.
            let time = UNIX_EPOCH + Duration::from_millis(newest.as_millis());
            let _ = file.set_modified(time);
        }
        let number = self.parts.len() - 1;
        if let Some((_, path)) = self.parts.get(number) {
            IndexWriter::begin(path, &part.index)?.finish(part.written)?;
        }
        Ok(())
    }

    /// Lets the new segments take the place of the old ones, which `remove_old` removes.
    fn finish(
        mut self,
        remove_old: impl FnOnce() -> Result<(), CacheError>,
    ) -> Result<(usize, u64), CacheError> {
        self.end_part()?;
        remove_old()?;
        for (path, final_path) in &self.parts {
            std::fs::rename(path, final_path)
                .map_err(|error| failed("rename", final_path, error))?;
        }
        Ok((self.kept, self.written))
    }
}

/// Keeps the cache within limits at the end of a run, at the cost of a look at the folder: segments
/// go whole, the oldest first, and the age of a segment is that of its newest answer. Only one that
/// is too large by itself is rewritten. Gives the bytes freed.
///
/// # Errors
/// When the file system refuses.
pub fn keep_within(state: &Utf8Path, limits: Limits, name: &str) -> Result<u64, CacheError> {
    if limits == Limits::default() {
        return Ok(0);
    }
    let mut freed = 0;
    let mut left = Vec::new();
    for path in segment_paths(&cache_folder(state)) {
        let is_old = limits
            .not_before
            .is_some_and(|limit| newest_of(&path).is_some_and(|newest| newest < limit));
        if is_old && !is_in_use(&path) {
            freed += bytes_of(&path);
            remove_segment(&path)?;
        } else {
            left.push(path);
        }
    }
    let Some(limit) = limits.max_bytes else {
        return Ok(freed);
    };
    let mut total: u64 = left.iter().map(|path| bytes_of(path)).sum();
    let mut others = left.len();
    for path in &left {
        if total <= limit || others <= 1 {
            break;
        }
        if !is_in_use(path) {
            let bytes = bytes_of(path);
            remove_segment(path)?;
            (freed, total) = (freed + bytes, total.saturating_sub(bytes));
            others -= 1;
        }
    }
    if total > limit {
        // Some room below the limit, so that the next run does not rewrite it again.
        let limits = Limits {
            max_bytes: Some(limit / 10 * 8),
            ..limits
        };
        freed += prune(state, limits, name)?.freed;
    }
    Ok(freed)
}

/// Whether a run is writing a segment at the moment. Where locks can not be had, none is.
fn is_in_use(path: &Utf8Path) -> bool {
    File::open(path)
        .is_ok_and(|file| matches!(file.try_lock(), Err(std::fs::TryLockError::WouldBlock)))
}

fn bytes_of(segment: &Utf8Path) -> u64 {
    std::fs::metadata(segment).map_or(0, |data| data.len())
}

fn newest_of(segment: &Utf8Path) -> Option<Timestamp> {
    let written = std::fs::metadata(segment).ok()?.modified().ok()?;
    Some(Timestamp::from_system(written))
}

fn remove_segment(path: &Utf8Path) -> Result<(), CacheError> {
    let _ = std::fs::remove_file(index_path(path));
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(failed("remove", path, error))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

fn failed(action: &'static str, path: &Utf8Path, source: std::io::Error) -> CacheError {
    CacheError {
        action,
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests;
