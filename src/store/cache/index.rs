//! The index beside a segment: where each key stands. It is rebuilt when it does not match.

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Seek as _, SeekFrom, Write as _};

use camino::{Utf8Path, Utf8PathBuf};
use serde::Deserialize;

use super::CacheError;
use crate::base::Digest;

const INDEX_EXTENSION: &str = "idx";
const INDEX_RECORD: usize = 44;

pub(super) fn index_path(segment: &Utf8Path) -> Utf8PathBuf {
    segment.with_extension(INDEX_EXTENSION)
}

/// The index of a segment, if it is there and speaks of the segment as it is now.
pub(super) fn read_index(segment: &Utf8Path) -> Option<Vec<(Digest, u64, u32)>> {
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

/// The index of a segment under way: it goes to disk with the answers, so that it takes no memory.
#[derive(Debug)]
pub(super) struct IndexWriter {
    path: Utf8PathBuf,
    file: BufWriter<File>,
}

impl IndexWriter {
    /// Begins the index of a segment with what the segment holds already.
    pub(super) fn begin(
        segment: &Utf8Path,
        held: &[(Digest, u64, u32)],
    ) -> Result<Self, CacheError> {
        let path = index_path(segment);
        let file = File::create(&path).map_err(|source| CacheError {
            action: "create",
            path: path.clone(),
            source,
        })?;
        let file = BufWriter::with_capacity(1 << 14, file);
        let mut index = Self { path, file };
        // A length that no segment has: until it is finished the index speaks of none.
        index.write(&u64::MAX.to_le_bytes())?;
        for (key, offset, length) in held {
            index.add(key, *offset, *length)?;
        }
        Ok(index)
    }

    /// Adds an answer.
    pub(super) fn add(&mut self, key: &Digest, offset: u64, length: u32) -> Result<(), CacheError> {
        let mut record = [0; INDEX_RECORD];
        let (digest, rest) = record.split_at_mut(32);
        let (place, size) = rest.split_at_mut(8);
        digest.copy_from_slice(key.as_bytes());
        place.copy_from_slice(&offset.to_le_bytes());
        size.copy_from_slice(&length.to_le_bytes());
        self.write(&record)
    }

    /// Ends the index of a segment of so many bytes.
    pub(super) fn finish(&mut self, length: u64) -> Result<(), CacheError> {
        let ended = self
            .file
            .seek(SeekFrom::Start(0))
            .and_then(|_| self.file.write_all(&length.to_le_bytes()))
            .and_then(|()| self.file.seek(SeekFrom::End(0)))
            .and_then(|_| self.file.flush());
        ended.map_err(|source| self.error(source))
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), CacheError> {
        let written = self.file.write_all(bytes);
        written.map_err(|source| self.error(source))
    }

    fn error(&self, source: std::io::Error) -> CacheError {
        CacheError {
            action: "write",
            path: self.path.clone(),
            source,
        }
    }
}

/// Finds the keys of a segment by reading it; lines that are no entries are passed over.
pub(super) fn build_index(segment: &Utf8Path) -> Result<Vec<(Digest, u64, u32)>, CacheError> {
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
