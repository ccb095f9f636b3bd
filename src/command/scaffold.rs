//! Files that a command writes for the user's own: never over another, all of them or none.

use crate::command::{CommandError, Project};
use crate::store::fs;

/// A file to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewFile {
    /// Its path, relative to the project's root.
    pub path: String,
    /// Its text.
    pub text: String,
}

impl NewFile {
    /// A file of this text.
    #[must_use]
    pub fn new(path: String, text: String) -> Self {
        Self { path, text }
    }
}

/// What is in the place of a file to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InPlace {
    /// Nothing.
    Free,
    /// A file of the same text.
    Same,
    /// Something else.
    Other,
}

/// Looks at the place of a file.
///
/// # Errors
/// When the place leads out of the project.
pub fn look(project: &Project, file: &NewFile) -> Result<InPlace, CommandError> {
    let path = project.root.resolve(&file.path)?;
    if !fs::is_there(path.as_std_path()) {
        return Ok(InPlace::Free);
    }
    let most = file.text.len() as u64 + 1;
    let same = fs::read_text(&path, most).is_ok_and(|text| text == file.text);
    Ok(if same { InPlace::Same } else { InPlace::Other })
}

/// Writes all files, or none where one of them would take the place of another.
///
/// # Errors
/// When a file with another text is in the way, or one can not be written; what was written then is
/// taken back.
pub fn write_all(project: &Project, files: &[NewFile]) -> Result<Vec<String>, CommandError> {
    let mut in_the_way = Vec::new();
    let mut free = Vec::new();
    for file in files {
        match look(project, file)? {
            InPlace::Free => free.push(file),
            InPlace::Same => {}
            InPlace::Other => {
                in_the_way.push(format!("{}: a file with another text is there", file.path));
            }
        }
    }
    if !in_the_way.is_empty() {
        return Err(CommandError::usage(
            format!("nothing was written\n{}", in_the_way.join("\n")),
            "move these files away, or choose another name with --name",
        ));
    }
    let mut written: Vec<String> = Vec::new();
    for file in free {
        let path = project.root.resolve(&file.path)?;
        if let Err(error) = fs::write_new(&path, file.text.as_bytes()) {
            for path in &written {
                if let Ok(path) = project.root.resolve(path) {
                    fs::remove(&path);
                }
            }
            return Err(error.into());
        }
        written.push(file.path.clone());
    }
    Ok(written)
}
