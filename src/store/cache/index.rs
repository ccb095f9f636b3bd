//! The index beside a segment: where each key stands. It is rebuilt when it does not match.

use std::fs::File;
use std::io::{BufRead, BufReader};

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

pub(super) fn write_index(
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
