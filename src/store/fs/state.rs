//! The folder of local state, `.gate`.

use std::io;

use camino::{Utf8Path, Utf8PathBuf};

use super::FsError;
use super::write::write_beside;
use crate::store::path::{PathError, ProjectRoot};

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
