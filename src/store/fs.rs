//! Reading and writing of single files: bounded reads of regular files, writes that are whole or
//! not there. Nothing is ever half written: a file is made beside its place and moved into it.

use std::fs::{File, Metadata};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use camino::{Utf8Path, Utf8PathBuf};

mod state;
mod write;

pub use state::{StateError, create_state_folder, state_folder};
pub use write::{
    appears_whole, append, remove, remove_leftovers, write_atomic, write_new, write_with,
};

/// Why a file could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum FsError {
    /// Reading failed.
    #[error("failed to read {path}")]
    Read {
        /// The file.
        path: Utf8PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Writing failed.
    #[error("failed to write {path}")]
    Write {
        /// The file.
        path: Utf8PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is larger than what is read.
    #[error("{path} is larger than {} MiB", limit >> 20)]
    TooLarge {
        /// The file.
        path: Utf8PathBuf,
        /// The most bytes that are read.
        limit: u64,
    },
    /// The file holds no text.
    #[error("{path} is not UTF-8 text: byte {offset} begins no character")]
    NotUtf8 {
        /// The file.
        path: Utf8PathBuf,
        /// The first bad byte.
        offset: usize,
    },
    /// The path names no regular file.
    #[error("{path} is not a regular file")]
    NotRegular {
        /// The path.
        path: Utf8PathBuf,
    },
    /// There is a file already.
    #[error("{path} exists already")]
    Exists {
        /// The file.
        path: Utf8PathBuf,
    },
}

impl FsError {
    /// Whether the file is not there.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        match self {
            Self::Read { source, .. } => source.kind() == io::ErrorKind::NotFound,
            Self::Write { .. }
            | Self::TooLarge { .. }
            | Self::NotUtf8 { .. }
            | Self::NotRegular { .. }
            | Self::Exists { .. } => false,
        }
    }
}

/// Reads a regular file of at most `limit` bytes. The path is resolved: a link in its last step is
/// refused, and so is a file that was changed for another between the check and the opening.
///
/// # Errors
/// When it is missing, no regular file, or too large.
pub fn read_bytes(path: &Utf8Path, limit: u64) -> Result<Vec<u8>, FsError> {
    let error = |source| FsError::Read {
        path: path.to_owned(),
        source,
    };
    let file = open_regular(path).map_err(error)?;
    let file = file.ok_or_else(|| FsError::NotRegular {
        path: path.to_owned(),
    })?;
    let mut bytes = Vec::new();
    let read = file
        .take(limit + 1)
        .read_to_end(&mut bytes)
        .map_err(error)?;
    if u64::try_from(read).is_ok_and(|read| read > limit) {
        return Err(FsError::TooLarge {
            path: path.to_owned(),
            limit,
        });
    }
    Ok(bytes)
}

/// Whether something is at a path.
#[must_use]
pub fn is_there(path: &Path) -> bool {
    path.exists()
}

/// Whether a regular file is at a path.
#[must_use]
pub fn is_file(path: &Utf8Path) -> bool {
    path.is_file()
}

/// Whether a folder is at a path.
#[must_use]
pub fn is_folder(path: &Utf8Path) -> bool {
    path.is_dir()
}

/// What stands where a folder above a path would have to be.
#[must_use]
pub fn in_the_way(path: &Utf8Path) -> Option<&Utf8Path> {
    let above = path.ancestors().skip(1).find(|above| above.exists())?;
    (!above.is_dir()).then_some(above)
}

/// A path without links and `..`.
///
/// # Errors
/// When nothing is there.
pub fn resolve(path: &Path) -> io::Result<PathBuf> {
    path.canonicalize()
}

/// The names in a folder, sorted; those that are not UTF-8 are left out.
///
/// # Errors
/// When the folder can not be read.
pub fn names(folder: &Utf8Path) -> io::Result<Vec<String>> {
    let entries = folder.read_dir_utf8()?;
    let mut names: Vec<String> = entries
        .filter_map(|entry| Some(entry.ok()?.file_name().to_owned()))
        .collect();
    names.sort();
    Ok(names)
}

/// Reads so many bytes of an open file from a place.
///
/// # Errors
/// When they can not be read.
#[cfg(unix)]
pub fn read_at(file: &File, offset: u64, length: usize) -> io::Result<Vec<u8>> {
    use std::os::unix::fs::FileExt as _;
    let mut bytes = vec![0; length];
    file.read_exact_at(&mut bytes, offset)?;
    Ok(bytes)
}

/// Reads so many bytes of an open file from a place.
///
/// # Errors
/// When they can not be read.
#[cfg(not(unix))]
pub fn read_at(mut file: &File, offset: u64, length: usize) -> io::Result<Vec<u8>> {
    use std::io::Seek as _;
    let mut bytes = vec![0; length];
    file.seek(io::SeekFrom::Start(offset))?;
    file.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// Fills `into` with what an open file has from a place on, `length` bytes at most.
///
/// # Errors
/// When the file can not be read.
#[cfg(unix)]
pub fn read_up_to(file: &File, offset: u64, length: usize, into: &mut Vec<u8>) -> io::Result<()> {
    use std::os::unix::fs::FileExt as _;
    into.resize(length, 0);
    let mut filled = 0;
    while let Some(rest) = into.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, offset + filled as u64) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    into.truncate(filled);
    Ok(())
}

/// Fills `into` with what an open file has from a place on, `length` bytes at most.
///
/// # Errors
/// When the file can not be read.
#[cfg(not(unix))]
pub fn read_up_to(
    mut file: &File,
    offset: u64,
    length: usize,
    into: &mut Vec<u8>,
) -> io::Result<()> {
    use std::io::Seek as _;
    into.clear();
    file.seek(io::SeekFrom::Start(offset))?;
    io::Read::take(file, length as u64).read_to_end(into)?;
    Ok(())
}

/// Opens a regular file for reading piece by piece, with the checks of [`read_bytes`].
///
/// # Errors
/// When it is missing or no regular file.
pub fn open(path: &Utf8Path) -> Result<File, FsError> {
    let opened = open_regular(path);
    let opened = opened.map_err(|source| FsError::Read {
        path: path.to_owned(),
        source,
    })?;
    opened.ok_or_else(|| FsError::NotRegular {
        path: path.to_owned(),
    })
}

/// Opens a regular file, and makes sure that it is the one that was looked at: what was put in its
/// place meanwhile, a link or a pipe, is not read.
fn open_regular(path: &Utf8Path) -> io::Result<Option<File>> {
    // A writer may replace the file by a new one between the two looks; not this often.
    const ATTEMPTS: usize = 16;
    for _ in 0..ATTEMPTS {
        let named = path.as_std_path().symlink_metadata()?;
        if !named.is_file() {
            return Ok(None);
        }
        let file = File::open(path)?;
        if is_same(&named, &file.metadata()?) {
            return Ok(Some(file));
        }
    }
    Ok(None)
}

#[cfg(unix)]
fn is_same(named: &Metadata, opened: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    opened.is_file() && named.dev() == opened.dev() && named.ino() == opened.ino()
}

#[cfg(not(unix))]
fn is_same(_named: &Metadata, opened: &Metadata) -> bool {
    opened.is_file()
}

/// Reads a regular text file of at most `limit` bytes.
///
/// # Errors
/// As for [`read_bytes`], and when it is not UTF-8.
pub fn read_text(path: &Utf8Path, limit: u64) -> Result<String, FsError> {
    let bytes = read_bytes(path, limit)?;
    String::from_utf8(bytes).map_err(|error| FsError::NotUtf8 {
        path: path.to_owned(),
        offset: error.utf8_error().valid_up_to(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> (tempfile::TempDir, Utf8PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = Utf8PathBuf::from_path_buf(folder.path().canonicalize().unwrap()).unwrap();
        (folder, path)
    }

    fn names(folder: &Utf8Path) -> Vec<String> {
        let entries = folder.read_dir_utf8().unwrap();
        let mut names: Vec<String> = entries.map(|e| e.unwrap().file_name().to_owned()).collect();
        names.sort();
        names
    }

    #[test]
    fn writes_over_a_file_and_leaves_nothing_beside_it() {
        let (_guard, folder) = folder();
        let path = folder.join("deep/a.txt");
        write_atomic(&path, b"one").unwrap();
        write_atomic(&path, b"two").unwrap();
        assert_eq!(read_text(&path, 10).unwrap(), "two");
        assert_eq!(names(&folder.join("deep")), ["a.txt"]);
    }

    #[test]
    fn never_writes_a_new_file_over_another() {
        let (_guard, folder) = folder();
        let path = folder.join("v1.yaml");
        write_new(&path, b"one").unwrap();
        let again = write_new(&path, b"two");
        assert!(matches!(again, Err(FsError::Exists { .. })));
        assert_eq!(read_text(&path, 10).unwrap(), "one");
        assert_eq!(names(&folder), ["v1.yaml"]);
    }

    #[test]
    fn appends() {
        let (_guard, folder) = folder();
        let path = folder.join("log");
        append(&path, b"one\n").unwrap();
        append(&path, b"two\n").unwrap();
        assert_eq!(read_text(&path, 10).unwrap(), "one\ntwo\n");
    }

    #[test]
    fn refuses_what_is_too_large_or_no_text_or_no_file() {
        let (_guard, folder) = folder();
        let path = folder.join("a");
        write_atomic(&path, b"12345").unwrap();
        assert!(read_text(&path, 5).is_ok());
        assert!(matches!(read_text(&path, 4), Err(FsError::TooLarge { .. })));
        write_atomic(&path, b"ab\xff").unwrap();
        assert!(matches!(
            read_text(&path, 9),
            Err(FsError::NotUtf8 { offset: 2, .. })
        ));
        assert!(matches!(
            read_text(&folder, 9),
            Err(FsError::NotRegular { .. })
        ));
        assert!(read_text(&folder.join("none"), 9).unwrap_err().is_missing());
    }

    #[cfg(unix)]
    #[test]
    fn refuses_a_link_in_the_last_step() {
        let (_guard, folder) = folder();
        write_atomic(&folder.join("secret"), b"x").unwrap();
        std::os::unix::fs::symlink("secret", folder.join("link")).unwrap();
        assert!(matches!(
            read_text(&folder.join("link"), 9),
            Err(FsError::NotRegular { .. })
        ));
        assert!(matches!(
            append(&folder.join("link"), b"y"),
            Err(FsError::NotRegular { .. })
        ));
    }

    #[test]
    fn keeps_local_state_out_of_git() {
        let (_guard, folder) = folder();
        let root = crate::store::path::ProjectRoot::new(folder.as_std_path()).unwrap();
        let locks = state_folder(&root, "locks").unwrap();
        assert!(locks.is_dir());
        assert_eq!(
            read_text(&folder.join(".gate/.gitignore"), 9).unwrap(),
            "*\n"
        );
    }
}
