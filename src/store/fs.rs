//! Reading and writing of single files: bounded reads of regular files, writes that are whole or
//! not there.

use std::fs::{File, Metadata};
use std::io::{self, Read as _};

use camino::{Utf8Path, Utf8PathBuf};

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
