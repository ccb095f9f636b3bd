//! Paths that stay within the project: whatever a file of the user's names is resolved here, with
//! all links, before it is opened.

use std::io;
use std::path::Path;

use camino::{Utf8Component, Utf8Path, Utf8PathBuf};

use crate::base::text;

/// The folder that no path in a file may leave, with all its links resolved.
#[derive(Debug, Clone)]
pub struct ProjectRoot {
    root: Utf8PathBuf,
    allowed: Vec<Utf8PathBuf>,
}

/// Why a path may not be used.
#[derive(Debug, thiserror::Error)]
pub enum PathError {
    /// The path is empty.
    #[error("a path may not be empty")]
    Empty,
    /// The path holds a control character.
    #[error("the path `{}` holds a control character", text::visible_line(path))]
    Control {
        /// The path.
        path: String,
    },
    /// The path is absolute.
    #[error(
        "the path `{}` is absolute: write it relative to the file it stands in",
        text::visible_line(path)
    )]
    Absolute {
        /// The path.
        path: String,
    },
    /// The path, or a link in it, leads out of the project.
    #[error("the path `{}` leaves the project {root}", text::visible_line(path))]
    Outside {
        /// The path.
        path: String,
        /// The project's root.
        root: Utf8PathBuf,
    },
    /// The path names something that is no regular file: a device, a pipe, a folder.
    #[error("`{}` is {found}, not a file", text::visible_line(path))]
    NotAFile {
        /// The path.
        path: String,
        /// What it is.
        found: &'static str,
    },
    /// The path names something that is no folder.
    #[error("`{}` is no folder", text::visible_line(path))]
    NotAFolder {
        /// The path.
        path: String,
    },
    /// A link leads nowhere, or in a circle.
    #[error("the link `{}` leads nowhere", text::visible_line(path))]
    DanglingLink {
        /// The path.
        path: String,
    },
    /// The operating system refused.
    #[error("failed to resolve `{}`", text::visible_line(path))]
    Io {
        /// The path.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// A folder's real name is no text.
    #[error("the path of `{}` is not UTF-8", text::visible_line(path))]
    NotUtf8 {
        /// The path.
        path: String,
    },
}

impl ProjectRoot {
    /// Takes an existing folder as the root.
    ///
    /// # Errors
    /// When it does not exist, is no folder, or its real path is not UTF-8.
    pub fn new(folder: &Path) -> Result<Self, PathError> {
        let root = canonical(folder)?;
        if !root.is_dir() {
            return Err(PathError::NotAFolder {
                path: root.into_string(),
            });
        }
        Ok(Self {
            root,
            allowed: Vec::new(),
        })
    }

    /// Allows a folder outside the project, as the owner said on the command line.
    ///
    /// # Errors
    /// When it does not exist or its real path is not UTF-8.
    pub fn allow(&mut self, folder: &Path) -> Result<(), PathError> {
        self.allowed.push(canonical(folder)?);
        Ok(())
    }

    /// The root's real path.
    #[must_use]
    pub fn path(&self) -> &Utf8Path {
        &self.root
    }

    /// The real path of a regular file, or of a file that does not exist yet, named relative to
    /// the root; with `..` only where a folder outside is allowed.
    ///
    /// # Errors
    /// When the path is absolute, goes upwards, or leads out of the project by a link, and when
    /// what it names is no regular file.
    pub fn resolve(&self, relative: &str) -> Result<Utf8PathBuf, PathError> {
        check_text(relative)?;
        self.refuse_upwards(relative)?;
        let real = self.confine(relative, &self.root.join(relative))?;
        check_file(relative, &real)?;
        Ok(real)
    }

    /// The real path of a folder that exists or could be made, named relative to the root.
    ///
    /// # Errors
    /// As for [`ProjectRoot::resolve`], and when what it names is no folder.
    pub fn resolve_folder(&self, relative: &str) -> Result<Utf8PathBuf, PathError> {
        check_text(relative)?;
        self.refuse_upwards(relative)?;
        let real = self.confine(relative, &self.root.join(relative))?;
        if real.exists() && !real.is_dir() {
            return Err(PathError::NotAFolder {
                path: relative.to_owned(),
            });
        }
        Ok(real)
    }

    /// The path relative to the root that a path in a file of `folder` means: `..` is taken as
    /// text, and may not leave the root. It names what lies outside only where that is allowed.
    ///
    /// # Errors
    /// When the path is absolute or leaves the root, unless it lies in an allowed folder.
    pub fn join(&self, folder: &str, written: &str) -> Result<String, PathError> {
        check_text(written)?;
        if Utf8Path::new(written).is_absolute() && self.allowed.is_empty() {
            return Err(PathError::Absolute {
                path: written.to_owned(),
            });
        }
        let mut parts: Vec<&str> = Vec::new();
        let whole = Utf8Path::new(folder).join(written);
        for component in whole.components() {
            match component {
                Utf8Component::Normal(part) => parts.push(part),
                Utf8Component::CurDir => {}
                Utf8Component::ParentDir if parts.pop().is_some() => {}
                Utf8Component::ParentDir | Utf8Component::RootDir | Utf8Component::Prefix(_) => {
                    return self.join_allowed(folder, written);
                }
            }
        }
        Ok(parts.join("/"))
    }

    /// The real path of what lies outside the root, in an allowed folder.
    fn join_allowed(&self, folder: &str, written: &str) -> Result<String, PathError> {
        let real = canonical(self.root.join(folder).join(written).as_std_path())?;
        if self.allowed.iter().any(|allowed| real.starts_with(allowed)) {
            return Ok(real.into_string());
        }
        Err(self.outside(written))
    }

    fn refuse_upwards(&self, relative: &str) -> Result<(), PathError> {
        let path = Utf8Path::new(relative);
        let allowed = |path: &Utf8Path| self.allowed.iter().any(|folder| path.starts_with(folder));
        let upwards = path
            .components()
            .any(|component| component == Utf8Component::ParentDir);
        if upwards && self.allowed.is_empty() {
            return Err(self.outside(relative));
        }
        if upwards {
            // Where it leads is checked with its links.
            return Ok(());
        }
        let plain = path
            .components()
            .all(|component| matches!(component, Utf8Component::Normal(_) | Utf8Component::CurDir));
        if plain || allowed(path) {
            return Ok(());
        }
        Err(PathError::Absolute {
            path: relative.to_owned(),
        })
    }

    /// Resolves all links of the part of a path that exists, and checks where that leads.
    fn confine(&self, written: &str, path: &Utf8Path) -> Result<Utf8PathBuf, PathError> {
        let mut existing = path;
        let mut missing = Vec::new();
        loop {
            match existing.as_std_path().symlink_metadata() {
                Ok(_) => break,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    missing.extend(existing.file_name());
                    existing = existing.parent().ok_or_else(|| self.outside(written))?;
                }
                Err(source) => {
                    return Err(PathError::Io {
                        path: written.to_owned(),
                        source,
                    });
                }
            }
        }
        let mut real = canonical(existing.as_std_path()).map_err(|error| match error {
            PathError::Io { source, .. } if source.kind() == io::ErrorKind::NotFound => {
                PathError::DanglingLink {
                    path: written.to_owned(),
                }
            }
            other => other,
        })?;
        let inside = real.starts_with(&self.root)
            || self.allowed.iter().any(|folder| real.starts_with(folder));
        if !inside {
            return Err(self.outside(written));
        }
        real.extend(missing.iter().rev());
        Ok(real)
    }

    fn outside(&self, path: &str) -> PathError {
        PathError::Outside {
            path: path.to_owned(),
            root: self.root.clone(),
        }
    }
}

fn check_text(path: &str) -> Result<(), PathError> {
    if path.is_empty() {
        return Err(PathError::Empty);
    }
    if path.contains(|c: char| c.is_control() || text::is_deceptive(c)) {
        return Err(PathError::Control {
            path: path.to_owned(),
        });
    }
    Ok(())
}

fn canonical(path: &Path) -> Result<Utf8PathBuf, PathError> {
    let shown = path.to_string_lossy().into_owned();
    let real = path.canonicalize().map_err(|source| PathError::Io {
        path: shown.clone(),
        source,
    })?;
    Utf8PathBuf::from_path_buf(real).map_err(|_| PathError::NotUtf8 { path: shown })
}

/// Refuses what exists and is no regular file. The path's links are resolved.
fn check_file(written: &str, real: &Utf8Path) -> Result<(), PathError> {
    let Ok(metadata) = real.as_std_path().symlink_metadata() else {
        return Ok(());
    };
    if metadata.is_file() {
        return Ok(());
    }
    Err(PathError::NotAFile {
        path: written.to_owned(),
        found: if metadata.is_dir() {
            "a folder"
        } else {
            "a device or pipe"
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project() -> (tempfile::TempDir, ProjectRoot) {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("root/evals")).unwrap();
        std::fs::write(folder.path().join("root/a.txt"), "inside").unwrap();
        std::fs::write(folder.path().join("secret.txt"), "outside").unwrap();
        let root = ProjectRoot::new(&folder.path().join("root")).unwrap();
        (folder, root)
    }

    #[test]
    fn resolves_files_that_exist_and_files_to_be() {
        let (_folder, root) = project();
        assert_eq!(root.resolve("a.txt").unwrap(), root.path().join("a.txt"));
        assert_eq!(root.resolve("./a.txt").unwrap(), root.path().join("a.txt"));
        let new = root.resolve("x/y/new.txt").unwrap();
        assert_eq!(new, root.path().join("x/y/new.txt"));
    }

    #[test]
    fn refuses_what_leaves_the_root_by_its_text() {
        let (_folder, root) = project();
        let bad = [
            "",
            "../secret.txt",
            "evals/../../secret.txt",
            "/etc/passwd",
            "a\0b",
            "evals",
        ];
        for path in bad {
            assert!(root.resolve(path).is_err(), "{path:?}");
        }
    }

    #[test]
    fn joins_a_path_to_the_folder_of_its_file() {
        let (folder, mut root) = project();
        assert_eq!(root.join("evals", "../a.txt").unwrap(), "a.txt");
        assert_eq!(root.join("", "./a.txt").unwrap(), "a.txt");
        assert!(matches!(
            root.join("evals", "../../secret.txt"),
            Err(PathError::Outside { .. })
        ));
        assert!(root.join("evals", "/etc/passwd").is_err());
        root.allow(folder.path()).unwrap();
        let outside = root.join("evals", "../../secret.txt").unwrap();
        assert!(root.resolve(&outside).is_ok());
        assert!(root.resolve("/etc/passwd").is_err());
    }

    #[cfg(unix)]
    #[test]
    fn refuses_links_that_leave_the_root_lead_nowhere_or_name_devices() {
        use std::os::unix::fs::symlink;
        let (folder, root) = project();
        symlink(folder.path().join("secret.txt"), root.path().join("out")).unwrap();
        symlink(folder.path(), root.path().join("up")).unwrap();
        symlink("nowhere", root.path().join("dangling")).unwrap();
        symlink("circle", root.path().join("circle")).unwrap();
        symlink("/dev/zero", root.path().join("zero")).unwrap();
        symlink("a.txt", root.path().join("link")).unwrap();
        for path in [
            "out",
            "up/secret.txt",
            "up/new",
            "dangling",
            "circle",
            "zero",
        ] {
            assert!(root.resolve(path).is_err(), "{path:?}");
        }
        assert_eq!(root.resolve("link").unwrap(), root.path().join("a.txt"));
        let socket = root.path().join("socket");
        let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        assert!(matches!(
            root.resolve("socket"),
            Err(PathError::NotAFile { .. })
        ));
    }
}
