//! Writing of single files: whole or not there.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, IntoInnerError, Write};

use camino::Utf8Path;

use super::FsError;

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
pub(super) fn write_beside(path: &Utf8Path, bytes: &[u8]) -> io::Result<tempfile::NamedTempFile> {
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
