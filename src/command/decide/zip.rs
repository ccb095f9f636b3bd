//! Reads the archive that Inspect writes: one JSON file for each sample, stored, deflated or packed by
//! Zstandard, in the plain form or in zip64.

use std::io::{Cursor, Read as _};

use ::zip::ZipArchive;
use ::zip::result::ZipError as Fault;

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
        "entry {0} is packed in a way that this program does not read; convert the log with `inspect log convert --to json`"
    )]
    Method(usize),
    /// An entry's bytes are not what the directory says.
    #[error("entry {0} is damaged")]
    Damaged(usize),
    /// It unpacks to more than is taken for meant.
    #[error("it unpacks to more than {} GiB", MAX_UNPACKED >> 30)]
    TooLarge,
}

/// An entry: its name and its content.
type Unpacked = (String, Vec<u8>);

/// Names and contents of the entries that are wanted, in the directory's order.
pub(super) fn read(bytes: &[u8], wanted: impl Fn(&str) -> bool) -> Result<Vec<Unpacked>, ZipError> {
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(|_| ZipError::Directory)?;
    let mut found = Vec::new();
    let mut left = MAX_UNPACKED;
    for index in 0..archive.len() {
        let name = match archive.name_for_index(index) {
            Some(Ok(name)) => name.into_owned(),
            Some(Err(_)) | None => return Err(ZipError::Damaged(index)),
        };
        if !wanted(&name) {
            continue;
        }
        let entry = archive.by_index(index).map_err(|fault| match fault {
            Fault::UnsupportedArchive(_) => ZipError::Method(index),
            _ => ZipError::Damaged(index),
        })?;
        let mut content = Vec::new();
        // What is unpacked is counted, whatever the directory says.
        let read = entry.take(left + 1).read_to_end(&mut content);
        let size = read.map_err(|_| ZipError::Damaged(index))? as u64;
        left = left.checked_sub(size).ok_or(ZipError::TooLarge)?;
        found.push((name, content));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made by Python's zipfile: `samples/a.json` stored, `samples/b.json` deflated.
    const PLAIN: &[u8] = include_bytes!("../../../fixtures/outcomes/two-samples.zip");
    /// The same two, with `force_zip64=True`.
    const ZIP64: &[u8] = include_bytes!("../../../fixtures/outcomes/zip64.zip");
    /// The same two by method 93, made with `zipfile-zstd`.
    const ZSTANDARD: &[u8] = include_bytes!("../../../fixtures/outcomes/zstd.zip");

    #[test]
    fn each_way_of_packing_that_inspect_uses_is_read() {
        for archive in [PLAIN, ZIP64, ZSTANDARD] {
            let found = read(archive, |name| name.starts_with("samples/")).unwrap();
            let names: Vec<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
            assert_eq!(names, ["samples/a.json", "samples/b.json"]);
            assert_eq!(found[0].1, b"{\"id\": 1}");
            assert!(found[1].1.starts_with(b"{\"id\": 2, \"text\": \"aaaa"));
            assert!(read(archive, |_| false).unwrap().is_empty());
        }
    }

    #[test]
    fn what_is_cut_or_changed_is_an_error_and_never_a_panic() {
        assert!(matches!(read(b"PK", |_| true), Err(ZipError::Directory)));
        for archive in [PLAIN, ZIP64, ZSTANDARD] {
            for length in 0..archive.len() {
                assert!(read(&archive[..length], |_| true).is_err());
            }
            for place in 0..archive.len() {
                let mut changed = archive.to_vec();
                changed[place] ^= 0xff;
                let _ = read(&changed, |_| true);
            }
        }
    }
}
