//! The response cache: `.gate/cache/<segment>.jsonl`. Each run appends its replies to a segment of
//! its own, so there is no lock; a torn or false line is a miss.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufWriter, Write};

use super::fs;
use crate::base::{Digest, Timestamp};
use camino::{Utf8Path, Utf8PathBuf};

mod entry;
mod index;
mod upkeep;

pub use entry::CachedReply;
use entry::{checked_reply, write_entry};
use index::{IndexWriter, build_index, read_index};
pub use upkeep::{CacheStats, Limits, Pruned, keep_within, prune, stats};

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

    /// Whether answers are stored.
    #[must_use]
    pub fn writes(self) -> bool {
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
    index: IndexWriter,
    /// The line being made.
    line: Vec<u8>,
}

const EXTENSION: &str = "jsonl";
impl CacheReader {
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
        segment.index.add(&key, segment.written, length)?;
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
        let Some(segment) = &mut self.segment else {
            return Ok(());
        };
        segment.index.finish(segment.written)
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
    // Held as long as the segment is written on: clearing up leaves it alone. A file system without
    // locks is used without.
    let _ = file.try_lock_shared();
    let written = file.metadata().map_err(io)?.len();
    let held = if written > 0 {
        build_index(path)?
    } else {
        Vec::new()
    };
    Ok(Segment {
        path: path.to_owned(),
        file: BufWriter::with_capacity(1 << 16, file),
        written,
        index: IndexWriter::begin(path, &held)?,
        line: Vec::new(),
    })
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
