//! The response cache: `.gate/cache/<segment>.jsonl`. Each run appends its replies to a segment of
//! its own, so there is no lock; a torn or false line is a miss. An index beside a segment says
//! where each key stands, and is rebuilt when it does not match.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};

use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::fs;
use crate::base::digest::LINE_SUM_DIGITS;
use crate::base::{Digest, Timestamp};
use crate::chat::{Finish, Response, ToolCall, Usage};

/// A stored answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CachedReply {
    /// The text.
    pub text: String,
    /// Why the model stopped.
    pub finish: Finish,
    /// The calls of tools asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tool_calls: Vec<ToolCall>,
    /// Tokens.
    #[serde(default)]
    pub usage: Usage,
    /// The model that answered, by its own word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub served_model: Option<String>,
    /// The backend configuration, by the vendor's word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    /// How long the answer took when it was made; unknown where it came in a batch.
    #[serde(default)]
    pub latency_ms: Option<f64>,
    /// Whether bytes that are no text were replaced.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub lossy: bool,
}

impl CachedReply {
    /// The answer as it came from the provider.
    #[must_use]
    pub fn into_response(self) -> (Response, Option<f64>) {
        let response = Response {
            text: self.text,
            finish: self.finish,
            tool_calls: self.tool_calls,
            usage: self.usage,
            served_model: self.served_model,
            fingerprint: self.fingerprint,
            lossy: self.lossy,
            ..Response::default()
        };
        (response, self.latency_ms)
    }

    /// The form in which an answer is stored.
    #[must_use]
    pub fn of_response(response: &Response, latency_ms: Option<f64>) -> Self {
        Self {
            text: response.text.clone(),
            finish: response.finish.clone(),
            tool_calls: response.tool_calls.clone(),
            usage: response.usage,
            served_model: response.served_model.clone(),
            fingerprint: response.fingerprint.clone(),
            latency_ms,
            lossy: response.lossy,
        }
    }
}

/// How the cache is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CacheMode {
    /// Read and write.
    ReadWrite,
    /// Read only.
    ReadOnly,
    /// Neither.
    Off,
    /// Write without reading.
    Refresh,
}

impl CacheMode {
    /// The modes by their words.
    pub const WORDS: [(&'static str, Self); 4] = [
        ("rw", Self::ReadWrite),
        ("ro", Self::ReadOnly),
        ("off", Self::Off),
        ("refresh", Self::Refresh),
    ];

    fn reads(self) -> bool {
        matches!(self, Self::ReadWrite | Self::ReadOnly)
    }

    fn writes(self) -> bool {
        matches!(self, Self::ReadWrite | Self::Refresh)
    }
}

/// Why the cache can not be used.
#[derive(Debug, thiserror::Error)]
#[error("failed to {action} {path}")]
pub struct CacheError {
    action: &'static str,
    path: Utf8PathBuf,
    source: std::io::Error,
}

#[derive(Debug, Clone, Copy)]
struct Place {
    segment: u32,
    length: u32,
    offset: u64,
}

/// The answers of earlier runs.
#[derive(Debug, Default)]
pub struct CacheReader {
    places: HashMap<Digest, Place>,
    segments: Vec<(Utf8PathBuf, Option<File>)>,
    /// Entries that were found and did not hold what they should: they count as misses.
    pub corrupt: u64,
}

/// The segment of this run, begun with its first answer.
#[derive(Debug)]
pub struct CacheWriter {
    path: Option<Utf8PathBuf>,
    segment: Option<Segment>,
}

#[derive(Debug)]
struct Segment {
    path: Utf8PathBuf,
    file: BufWriter<File>,
    written: u64,
    index: Vec<(Digest, u64, u32)>,
    /// The line being made.
    line: Vec<u8>,
}

#[derive(Deserialize)]
struct EntryIn<'a> {
    #[serde(borrow)]
    request: &'a RawValue,
    #[serde(borrow)]
    reply: &'a RawValue,
}

const EXTENSION: &str = "jsonl";
const INDEX_EXTENSION: &str = "idx";
const INDEX_RECORD: usize = 44;

impl CacheReader {
    /// Every entry that answers, the newest first.
    fn newest_first(&self) -> Vec<(Digest, Place)> {
        let places = self.places.iter().map(|(key, place)| (*key, *place));
        let mut places: Vec<(Digest, Place)> = places.collect();
        places.sort_by_key(|(_, place)| std::cmp::Reverse((place.segment, place.offset)));
        places
    }

    /// Opens the cache below the state folder.
    ///
    /// # Errors
    /// When a segment is there and can not be read.
    pub fn open(state: &Utf8Path, mode: CacheMode) -> Result<Self, CacheError> {
        let mut cache = Self::default();
        if mode.reads() {
            for path in segment_paths(&cache_folder(state)) {
                cache.add_segment(&path)?;
            }
        }
        Ok(cache)
    }

    fn add_segment(&mut self, path: &Utf8Path) -> Result<(), CacheError> {
        let segment = u32::try_from(self.segments.len()).unwrap_or(u32::MAX);
        let index = read_index(path).map_or_else(|| build_index(path), Ok)?;
        self.places.reserve(index.len());
        for (key, offset, length) in index {
            self.places.insert(
                key,
                Place {
                    segment,
                    length,
                    offset,
                },
            );
        }
        self.segments.push((path.to_owned(), None));
        Ok(())
    }

    /// How many answers can be found.
    #[must_use]
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether no answer can be found.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Whether an answer is stored, without reading it.
    #[must_use]
    pub fn contains(&self, key: &Digest) -> bool {
        self.places.contains_key(key)
    }

    /// The answer stored for a key and the request that it is the digest of. An entry whose sum,
    /// request or form is wrong is a miss.
    pub fn get(&mut self, key: &Digest, request: &str) -> Option<CachedReply> {
        let place = *self.places.get(key)?;
        let reply = self
            .read(place)
            .and_then(|line| checked_reply(&line, key, Some(request)));
        if reply.is_none() {
            self.corrupt += 1;
            self.places.remove(key);
        }
        reply
    }

    fn read(&mut self, place: Place) -> Option<Vec<u8>> {
        let (path, file) = self.segments.get_mut(place.segment as usize)?;
        let file = match file {
            Some(file) => file,
            None => file.insert(File::open(&*path).ok()?),
        };
        fs::read_at(file, place.offset, place.length as usize).ok()
    }
}

impl CacheWriter {
    /// A writer of the segment `name` below the state folder.
    #[must_use]
    pub fn new(state: &Utf8Path, mode: CacheMode, name: &str) -> Self {
        let path = cache_folder(state).join(format!("{name}.{EXTENSION}"));
        Self {
            path: mode.writes().then_some(path),
            segment: None,
        }
    }

    /// Stores an answer. `request` is the canonical JSON whose digest is the key.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn put(
        &mut self,
        key: Digest,
        request: &str,
        reply: &CachedReply,
        at: Timestamp,
    ) -> Result<(), CacheError> {
        let Some(path) = &self.path else {
            return Ok(());
        };
        let segment = match &mut self.segment {
            Some(segment) => segment,
            None => self.segment.insert(begin_segment(path)?),
        };
        let io = |source| CacheError {
            action: "write",
            path: path.clone(),
            source,
        };
        let line = &mut segment.line;
        line.clear();
        write_entry(key, request, reply, at, line).map_err(|error| io(error.into()))?;
        segment.file.write_all(line).map_err(io)?;
        let length = u32::try_from(line.len() - 1).unwrap_or(u32::MAX);
        segment.index.push((key, segment.written, length));
        segment.written += line.len() as u64;
        Ok(())
    }

    /// Hands what was stored to the operating system.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn flush(&mut self) -> Result<(), CacheError> {
        let Some(segment) = &mut self.segment else {
            return Ok(());
        };
        let flushed = segment.file.flush();
        flushed.map_err(|source| CacheError {
            action: "write",
            path: segment.path.clone(),
            source,
        })
    }

    /// Hands what was stored to the operating system and writes the segment's index.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn finish(&mut self) -> Result<(), CacheError> {
        self.flush()?;
        let Some(segment) = &self.segment else {
            return Ok(());
        };
        write_index(&segment.path, segment.written, &segment.index)
    }
}

fn cache_folder(state: &Utf8Path) -> Utf8PathBuf {
    state.join("cache")
}

fn begin_segment(path: &Utf8Path) -> Result<Segment, CacheError> {
    let io = |source| CacheError {
        action: "create",
        path: path.to_owned(),
        source,
    };
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(io)?;
    }
    let file = File::options()
        .create(true)
        .append(true)
        .open(path)
        .map_err(io)?;
    let written = file.metadata().map_err(io)?.len();
    let index = if written > 0 {
        build_index(path)?
    } else {
        Vec::new()
    };
    Ok(Segment {
        path: path.to_owned(),
        file: BufWriter::with_capacity(1 << 16, file),
        written,
        index,
        line: Vec::new(),
    })
}

const SUM_KEY: &[u8] = b",\"sum\":\"";

/// Appends the line of an answer: `{"key", "request", "reply", "at", "sum"}`. The request is
/// canonical JSON already, so it is not read and written again.
fn write_entry(
    key: Digest,
    request: &str,
    reply: &CachedReply,
    at: Timestamp,
    into: &mut Vec<u8>,
) -> Result<(), serde_json::Error> {
    // Writing to a `Vec` can not fail.
    let _ = write!(into, "{{\"key\":\"{key}\",\"request\":");
    into.extend_from_slice(request.as_bytes());
    into.extend_from_slice(b",\"reply\":");
    serde_json::to_writer(&mut *into, reply)?;
    let _ = write!(into, ",\"at\":\"{at}\"");
    let sum = Digest::of_bytes(into).line_sum();
    into.extend_from_slice(SUM_KEY);
    into.extend_from_slice(&sum);
    into.extend_from_slice(b"\"}\n");
    Ok(())
}

/// All segments, oldest first: their names begin with the time of their run.
fn segment_paths(folder: &Utf8Path) -> Vec<Utf8PathBuf> {
    let Ok(entries) = folder.read_dir_utf8() else {
        return Vec::new();
    };
    let mut paths: Vec<Utf8PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.into_path()))
        .filter(|path| path.extension() == Some(EXTENSION))
        .collect();
    paths.sort();
    paths
}

/// The reply that a line (without its newline) holds, if its sum is right and it answers `key`.
///
/// The key is the digest of the request as stored, so a swapped entry is found out: by comparing it
/// with the request that is asked, or where that is not known by computing its digest again.
fn checked_reply(line: &[u8], key: &Digest, asked: Option<&str>) -> Option<CachedReply> {
    let tail = SUM_KEY.len() + LINE_SUM_DIGITS + b"\"}".len();
    let (content, end) = line.split_at_checked(line.len().checked_sub(tail)?)?;
    let sum = end.strip_prefix(SUM_KEY)?.strip_suffix(b"\"}")?;
    if sum != Digest::of_bytes(content).line_sum() {
        return None;
    }
    let entry: EntryIn<'_> = serde_json::from_slice(line).ok()?;
    let request = entry.request.get();
    let is_answer = match asked {
        Some(asked) => asked == request,
        None => Digest::of_bytes(request.as_bytes()) == *key,
    };
    is_answer.then(|| serde_json::from_str(entry.reply.get()).ok())?
}

fn index_path(segment: &Utf8Path) -> Utf8PathBuf {
    segment.with_extension(INDEX_EXTENSION)
}

/// The index of a segment, if it is there and speaks of the segment as it is now.
fn read_index(segment: &Utf8Path) -> Option<Vec<(Digest, u64, u32)>> {
    let bytes = std::fs::read(index_path(segment)).ok()?;
    let (length, records) = bytes.split_first_chunk::<8>()?;
    if u64::from_le_bytes(*length) != std::fs::metadata(segment).ok()?.len() {
        return None;
    }
    let mut index = Vec::with_capacity(records.len() / INDEX_RECORD);
    let mut rest = records;
    while !rest.is_empty() {
        let (key, after) = rest.split_first_chunk::<32>()?;
        let (offset, after) = after.split_first_chunk::<8>()?;
        let (length, after) = after.split_first_chunk::<4>()?;
        index.push((
            Digest::from_bytes(*key),
            u64::from_le_bytes(*offset),
            u32::from_le_bytes(*length),
        ));
        rest = after;
    }
    Some(index)
}

fn write_index(
    segment: &Utf8Path,
    length: u64,
    index: &[(Digest, u64, u32)],
) -> Result<(), CacheError> {
    let mut bytes = Vec::with_capacity(8 + index.len() * INDEX_RECORD);
    bytes.extend_from_slice(&length.to_le_bytes());
    for (key, offset, length) in index {
        bytes.extend_from_slice(key.as_bytes());
        bytes.extend_from_slice(&offset.to_le_bytes());
        bytes.extend_from_slice(&length.to_le_bytes());
    }
    let path = index_path(segment);
    std::fs::write(&path, bytes).map_err(|source| CacheError {
        action: "write",
        path,
        source,
    })
}

/// Finds the keys of a segment by reading it; lines that are no entries are passed over.
fn build_index(segment: &Utf8Path) -> Result<Vec<(Digest, u64, u32)>, CacheError> {
    #[derive(Deserialize)]
    struct KeyOnly {
        key: Digest,
    }
    let io = |source| CacheError {
        action: "read",
        path: segment.to_owned(),
        source,
    };
    let mut input = BufReader::with_capacity(1 << 16, File::open(segment).map_err(io)?);
    let (mut index, mut line, mut offset) = (Vec::new(), Vec::new(), 0u64);
    loop {
        line.clear();
        let read = input.read_until(b'\n', &mut line).map_err(io)?;
        if read == 0 {
            return Ok(index);
        }
        if line.last() == Some(&b'\n')
            && let Ok(entry) = serde_json::from_slice::<KeyOnly>(&line)
        {
            index.push((
                entry.key,
                offset,
                u32::try_from(read - 1).unwrap_or(u32::MAX),
            ));
        }
        offset += read as u64;
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

fn is_recent(line: &[u8], not_before: Option<Timestamp>) -> bool {
    #[derive(Deserialize)]
    struct At {
        at: Timestamp,
    }
    let Some(limit) = not_before else { return true };
    serde_json::from_slice::<At>(line).is_ok_and(|entry| entry.at >= limit)
}
