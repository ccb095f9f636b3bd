//! Reads the zip form that Inspect writes: stored and deflated entries, no encryption, no zip64.

use std::io::Read as _;

/// Most bytes that an archive may unpack to.
const MAX_UNPACKED: u64 = 2 << 30;

/// Why an archive can not be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum ZipError {
    /// The directory at its end is missing or cut.
    #[error("it is no zip file, or it is cut")]
    Directory,
    /// A part that this program does not read.
    #[error(
        "`{name}` is packed by method {method}; convert the log with `inspect log convert --to json`"
    )]
    Method {
        /// The entry.
        name: String,
        /// The method's number.
        method: u16,
    },
    /// An entry's bytes are not what the directory says.
    #[error("`{0}` is damaged")]
    Damaged(String),
    /// It unpacks to more than is taken for meant.
    #[error("it unpacks to more than {} GiB", MAX_UNPACKED >> 30)]
    TooLarge,
}

/// An entry: its name and its content.
type Unpacked = (String, Vec<u8>);

/// Names and contents of the entries that are wanted, in the directory's order.
pub(super) fn read(bytes: &[u8], wanted: impl Fn(&str) -> bool) -> Result<Vec<Unpacked>, ZipError> {
    let end = end_of_directory(bytes).ok_or(ZipError::Directory)?;
    let count = u16_at(bytes, end + 10).ok_or(ZipError::Directory)?;
    let mut at = u32_at(bytes, end + 16).ok_or(ZipError::Directory)? as usize;
    let mut found = Vec::new();
    let mut unpacked = 0_u64;
    for _ in 0..count {
        let (entry, next) = entry(bytes, at).ok_or(ZipError::Directory)?;
        at = next;
        if !wanted(&entry.name) {
            continue;
        }
        unpacked = unpacked.saturating_add(u64::from(entry.size));
        if unpacked > MAX_UNPACKED {
            return Err(ZipError::TooLarge);
        }
        let content = content(bytes, &entry)?;
        found.push((entry.name, content));
    }
    Ok(found)
}

struct Entry {
    name: String,
    method: u16,
    packed: u32,
    size: u32,
    header: usize,
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    let part = bytes.get(at..at.checked_add(2)?)?;
    Some(u16::from_le_bytes(part.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let part = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_le_bytes(part.try_into().ok()?))
}

/// Where the record that ends the archive begins; a comment of up to 64 KiB may follow it.
fn end_of_directory(bytes: &[u8]) -> Option<usize> {
    let last = bytes.len().checked_sub(22)?;
    let first = last.saturating_sub(usize::from(u16::MAX));
    (first..=last)
        .rev()
        .find(|at| u32_at(bytes, *at) == Some(0x0605_4b50))
}

/// The entry of the directory at a place, and where the next one begins.
fn entry(bytes: &[u8], at: usize) -> Option<(Entry, usize)> {
    if u32_at(bytes, at)? != 0x0201_4b50 {
        return None;
    }
    let length = |offset: usize| Some(usize::from(u16_at(bytes, at + offset)?));
    let name_end = at + 46 + length(28)?;
    let name = std::str::from_utf8(bytes.get(at + 46..name_end)?).ok()?;
    let entry = Entry {
        name: name.to_owned(),
        method: u16_at(bytes, at + 10)?,
        packed: u32_at(bytes, at + 20)?,
        size: u32_at(bytes, at + 24)?,
        header: u32_at(bytes, at + 42)? as usize,
    };
    Some((entry, name_end + length(30)? + length(32)?))
}

fn content(bytes: &[u8], entry: &Entry) -> Result<Vec<u8>, ZipError> {
    let damaged = || ZipError::Damaged(entry.name.clone());
    let packed = packed_bytes(bytes, entry).ok_or_else(damaged)?;
    let content = match entry.method {
        0 => packed.to_vec(),
        8 => {
            let mut content = Vec::new();
            flate2::read::DeflateDecoder::new(packed)
                .take(u64::from(entry.size) + 1)
                .read_to_end(&mut content)
                .map_err(|_| damaged())?;
            content
        }
        method => {
            return Err(ZipError::Method {
                name: entry.name.clone(),
                method,
            });
        }
    };
    if content.len() == entry.size as usize {
        Ok(content)
    } else {
        Err(damaged())
    }
}

fn packed_bytes<'b>(bytes: &'b [u8], entry: &Entry) -> Option<&'b [u8]> {
    if u32_at(bytes, entry.header)? != 0x0403_4b50 {
        return None;
    }
    let name = usize::from(u16_at(bytes, entry.header + 26)?);
    let extra = usize::from(u16_at(bytes, entry.header + 28)?);
    let start = entry.header + 30 + name + extra;
    bytes.get(start..start.checked_add(entry.packed as usize)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made by Python's zipfile: `samples/a.json` stored, `samples/b.json` deflated.
    const ARCHIVE: &[u8] = include_bytes!("../../../fixtures/outcomes/two-samples.zip");

    #[test]
    fn stored_and_deflated_entries_are_read() {
        let found = read(ARCHIVE, |name| name.starts_with("samples/")).unwrap();
        let names: Vec<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["samples/a.json", "samples/b.json"]);
        assert_eq!(found[0].1, b"{\"id\": 1}");
        assert!(found[1].1.starts_with(b"{\"id\": 2, \"text\": \"aaaa"));
        assert!(read(ARCHIVE, |_| false).unwrap().is_empty());
    }

    #[test]
    fn what_is_cut_or_changed_is_an_error_and_never_a_panic() {
        assert!(matches!(read(b"PK", |_| true), Err(ZipError::Directory)));
        for length in 0..ARCHIVE.len() {
            assert!(read(&ARCHIVE[..length], |_| true).is_err());
        }
        for place in 0..ARCHIVE.len() {
            let mut changed = ARCHIVE.to_vec();
            changed[place] ^= 0xff;
            let _ = read(&changed, |_| true);
        }
    }
}
