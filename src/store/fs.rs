//! Reading and writing of single files: bounded reads of regular files, writes that are whole or
//! not there. Nothing is ever half written: a file is made beside its place and moved into it.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, IntoInnerError, Read as _, Write};
use std::path::{Path, PathBuf};

use camino::{Utf8Path, Utf8PathBuf};

use super::path::{PathError, ProjectRoot};

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

/// Writes a file whole or not at all, over whatever is there: readers see the old file or the new
/// one, also after a loss of power. Folders on the way are made.
///
/// # Errors
/// When a folder can not be made or the file not be written.
pub fn write_atomic(path: &Utf8Path, bytes: &[u8]) -> Result<(), FsError> {
    let error = |source| FsError::Write {
        path: path.to_owned(),
        source,
    };
    let written = write_beside(path, bytes).map_err(error)?;
    written
        .persist(path)
        .map_err(|failed| error(failed.error))?;
    sync_folder(path).map_err(error)
}

/// Writes a new file whole or not at all, and never over another.
///
/// # Errors
/// When there is a file already, or it can not be written.
pub fn write_new(path: &Utf8Path, bytes: &[u8]) -> Result<(), FsError> {
    let error = |source: io::Error| match source.kind() {
        io::ErrorKind::AlreadyExists => FsError::Exists {
            path: path.to_owned(),
        },
        _ => FsError::Write {
            path: path.to_owned(),
            source,
        },
    };
    let written = write_beside(path, bytes).map_err(error)?;
    let placed = written.persist_noclobber(path);
    placed.map_err(|failed| error(failed.error))?;
    sync_folder(path).map_err(error)
}

/// Takes back a file that a command wrote and can not keep.
pub fn remove(path: &Utf8Path) {
    // It is a courtesy: what failed is said anyway.
    let _ = std::fs::remove_file(path);
}

/// Appends to a file, which is made where it is not there, and waits until it is on the disk. What can
/// not be appended whole is taken back.
///
/// # Errors
/// When it can not be written, or is no regular file.
pub fn append(path: &Utf8Path, bytes: &[u8]) -> Result<(), FsError> {
    let error = |source| FsError::Write {
        path: path.to_owned(),
        source,
    };
    make_folder(path).map_err(error)?;
    let is_other = |found: Metadata| !found.is_file();
    if path.as_std_path().symlink_metadata().is_ok_and(is_other) {
        return Err(FsError::NotRegular {
            path: path.to_owned(),
        });
    }
    let mut options = OpenOptions::new();
    let mut file = options
        .append(true)
        .create(true)
        .open(path)
        .map_err(error)?;
    let before = file.metadata().map_err(error)?.len();
    if let Err(source) = file.write_all(bytes) {
        // The half of a line would make the whole file unreadable.
        let _ = file.set_len(before);
        return Err(error(source));
    }
    file.sync_data().map_err(error)
}

/// How much of a report is gathered before it is handed to the operating system.
const BUFFER: usize = 1 << 16;

/// Whether an output file of this path appears whole or not at all: a pipe or a device takes each
/// byte as it comes.
#[must_use]
pub fn appears_whole(path: &Utf8Path) -> bool {
    std::fs::metadata(path).map_or(true, |found| found.is_file())
}

/// Writes an output file piece by piece. A regular file appears whole or not at all; a pipe or a
/// device is written to as it is.
///
/// # Errors
/// When the file can not be written.
pub fn write_with(
    path: &Utf8Path,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    if !appears_whole(path) {
        let file = OpenOptions::new().write(true).open(path)?;
        let mut output = io::BufWriter::with_capacity(BUFFER, file);
        write(&mut output)?;
        return output.flush();
    }
    let folder = match path.parent() {
        Some(folder) if !folder.as_str().is_empty() => folder,
        _ => Utf8Path::new("."),
    };
    std::fs::create_dir_all(folder)?;
    let file = temporary_in(folder)?;
    let mut output = io::BufWriter::with_capacity(BUFFER, file);
    write(&mut output)?;
    let file = output.into_inner().map_err(IntoInnerError::into_error)?;
    file.persist(path).map_err(|failed| failed.error)?;
    Ok(())
}

/// Removes what writers that were cut off left in a folder. Only for whoever holds the lock on
/// everything in it: the file of a writer at work would be gone too.
pub fn remove_leftovers(folder: &Utf8Path) {
    let Ok(entries) = folder.read_dir_utf8() else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        if name.starts_with(".gate-") && name.strip_suffix(".tmp").is_some() {
            // What can not be removed is in nobody's way.
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

/// A new file in the folder of `path`, written and on the disk; gone again unless it is persisted.
fn write_beside(path: &Utf8Path, bytes: &[u8]) -> io::Result<tempfile::NamedTempFile> {
    let folder = make_folder(path)?;
    let mut file = temporary_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    Ok(file)
}

fn temporary_in(folder: &Utf8Path) -> io::Result<tempfile::NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".gate-").suffix(".tmp");
    let made = with_usual_mode(&mut builder).tempfile_in(folder);
    made.map_err(without_path)
}

/// What the system said: the name of a temporary file tells a reader nothing.
fn without_path(error: io::Error) -> io::Error {
    let text = error.to_string();
    match text.split_once(" at path ") {
        Some((said, _)) => io::Error::new(error.kind(), said),
        None => error,
    }
}

/// Temporary files are for their owner alone; these become files of the project like any other.
#[cfg(unix)]
fn with_usual_mode<'a, 'p, 's>(
    builder: &'a mut tempfile::Builder<'p, 's>,
) -> &'a tempfile::Builder<'p, 's> {
    use std::os::unix::fs::PermissionsExt as _;
    builder.permissions(std::fs::Permissions::from_mode(0o666))
}

#[cfg(not(unix))]
fn with_usual_mode<'a, 'p, 's>(
    builder: &'a mut tempfile::Builder<'p, 's>,
) -> &'a tempfile::Builder<'p, 's> {
    builder
}

/// Makes the folder of a path.
fn make_folder(path: &Utf8Path) -> io::Result<&Utf8Path> {
    let folder = path.parent().ok_or(io::ErrorKind::InvalidFilename)?;
    std::fs::create_dir_all(folder)?;
    Ok(folder)
}

/// Makes the name of a new file last: on Unix the folder is a file of its own.
#[cfg(unix)]
fn sync_folder(path: &Utf8Path) -> io::Result<()> {
    let folder = path.parent().ok_or(io::ErrorKind::InvalidFilename)?;
    File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
fn sync_folder(_path: &Utf8Path) -> io::Result<()> {
    Ok(())
}

/// Makes the folder of local state where it is not there, with a `.gitignore` that hides all of it.
///
/// # Errors
/// When it can not be written.
pub fn create_state_folder(state: &Utf8Path) -> io::Result<()> {
    std::fs::create_dir_all(state)?;
    let ignore = state.join(".gitignore");
    if ignore.exists() {
        return Ok(());
    }
    let placed = write_beside(&ignore, b"*\n")?.persist_noclobber(&ignore);
    match placed.map_err(|failed| failed.error) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        Ok(_) | Err(_) => Ok(()),
    }
}

/// The folder `.gate/<name>` of local state, made where it is not there.
///
/// # Errors
/// When it can not be made, or a link leads out of the project.
pub fn state_folder(root: &ProjectRoot, name: &str) -> Result<Utf8PathBuf, StateError> {
    let state = root.resolve_folder(".gate")?;
    let folder = root.resolve_folder(&format!(".gate/{name}"))?;
    let made = create_state_folder(&state).and_then(|()| std::fs::create_dir_all(&folder));
    made.map_err(|source| FsError::Write {
        path: folder.clone(),
        source,
    })?;
    Ok(folder)
}

/// Why the folder of local state can not be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// A link leads out of the project.
    #[error(transparent)]
    Path(#[from] PathError),
    /// It could not be written.
    #[error(transparent)]
    Fs(#[from] FsError),
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
        let root = ProjectRoot::new(folder.as_std_path()).unwrap();
        let locks = state_folder(&root, "locks").unwrap();
        assert!(locks.is_dir());
        assert_eq!(
            read_text(&folder.join(".gate/.gitignore"), 9).unwrap(),
            "*\n"
        );
    }
}
