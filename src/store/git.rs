//! What `gate` asks of git: files as they stand at a revision, and what a change touches. The `git`
//! program is asked, so that the user's configuration holds.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use camino::{Utf8Path, Utf8PathBuf};

/// Why git did not answer.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// The program is not there, or can not be started.
    #[error("failed to run git in {folder}")]
    Start {
        /// Where.
        folder: Utf8PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// Git refused.
    #[error("git {command} failed: {message}")]
    Refused {
        /// What was asked.
        command: String,
        /// What git said.
        message: String,
    },
    /// The folder is in no repository.
    #[error("{0} is in no git repository")]
    NoRepository(Utf8PathBuf),
    /// There is no such revision.
    #[error("git knows no revision `{0}`")]
    UnknownRevision(String),
    /// A revision that git would take for an option or a range.
    #[error("`{0}` is no revision")]
    BadRevision(String),
    /// The project's folder is not there at a revision.
    #[error("the project is not there at {revision}")]
    NotThere {
        /// The revision.
        revision: String,
    },
    /// The files of a revision can not be written to a temporary folder.
    #[error("failed to write the files of {revision} to a temporary folder")]
    Export {
        /// The revision.
        revision: String,
        /// Why not.
        source: std::io::Error,
    },
    /// The file is not text.
    #[error("{path} at {revision} is not UTF-8 text")]
    NotText {
        /// The file.
        path: String,
        /// The revision.
        revision: String,
    },
}

/// A project as it stands at a revision, in a folder that is removed with this value.
#[derive(Debug)]
pub struct Exported {
    _folder: tempfile::TempDir,
    project: PathBuf,
}

impl Exported {
    /// The project's folder.
    #[must_use]
    pub fn project(&self) -> &Path {
        &self.project
    }
}

/// The repository around a project.
#[derive(Debug, Clone)]
pub struct Git {
    folder: Utf8PathBuf,
    /// The project's folder within the repository, with a trailing slash, or empty.
    prefix: String,
}

impl Git {
    /// The repository that holds a folder.
    ///
    /// # Errors
    /// When git is not there or the folder is in no repository.
    pub fn open(folder: &Utf8Path) -> Result<Self, GitError> {
        let mut git = Self {
            folder: folder.to_owned(),
            prefix: String::new(),
        };
        let prefix = git.text(&["rev-parse", "--show-prefix"]);
        let prefix = prefix.map_err(|error| match error {
            GitError::Refused { message, .. } if message.contains("not a git repository") => {
                GitError::NoRepository(folder.to_owned())
            }
            other => other,
        })?;
        prefix.trim_end().clone_into(&mut git.prefix);
        Ok(git)
    }

    /// Who works here by git's configuration, `Name <mail>`; a repository need not be there.
    #[must_use]
    pub fn identity(folder: &Utf8Path) -> Option<String> {
        let git = Self {
            folder: folder.to_owned(),
            prefix: String::new(),
        };
        let get = |key| {
            let value = git.text(&["config", "--get", key]).ok()?;
            let value = value.trim().to_owned();
            (!value.is_empty()).then_some(value)
        };
        match (get("user.name"), get("user.email")) {
            (Some(name), Some(mail)) => Some(format!("{name} <{mail}>")),
            (name, mail) => name.or(mail),
        }
    }

    /// The full commit id of a revision.
    ///
    /// # Errors
    /// When there is no such revision.
    pub fn commit(&self, revision: &str) -> Result<String, GitError> {
        check_revision(revision)?;
        let commit = format!("{revision}^{{commit}}");
        let found = self.text(&[
            "rev-parse",
            "--verify",
            "--quiet",
            "--end-of-options",
            &commit,
        ]);
        match found {
            Ok(id) => Ok(id.trim().to_owned()),
            Err(GitError::Refused { .. }) => Err(GitError::UnknownRevision(revision.to_owned())),
            Err(other) => Err(other),
        }
    }

    /// A file, relative to the project's root, as it stands at a revision; `None` where it is not
    /// there.
    ///
    /// # Errors
    /// When there is no such revision, or the file is not text.
    pub fn file(&self, revision: &str, path: &str) -> Result<Option<String>, GitError> {
        let commit = self.commit(revision)?;
        let object = format!("{commit}:{}{path}", self.prefix);
        let output = self.run(&["cat-file", "blob", &object])?;
        if !output.status.success() {
            return Ok(None);
        }
        let not_text = |_| GitError::NotText {
            path: path.to_owned(),
            revision: revision.to_owned(),
        };
        String::from_utf8(output.stdout).map(Some).map_err(not_text)
    }

    /// The names of the files directly in a folder at a revision; none where the folder is not there.
    ///
    /// # Errors
    /// When there is no such revision.
    pub fn list(&self, revision: &str, folder: &str) -> Result<Vec<String>, GitError> {
        let commit = self.commit(revision)?;
        let tree = format!("{commit}:{}{folder}", self.prefix);
        let output = self.run(&["ls-tree", "-z", "--name-only", &tree])?;
        let names = String::from_utf8_lossy(&output.stdout).into_owned();
        Ok(names
            .split('\0')
            .filter(|name| !name.is_empty())
            .map(str::to_owned)
            .collect())
    }

    /// The files, relative to the project's root, that differ between the merge base with a
    /// revision and the working tree, files that git does not track yet included.
    ///
    /// # Errors
    /// When there is no such revision.
    pub fn changed_since(&self, revision: &str) -> Result<Vec<String>, GitError> {
        let commit = self.commit(revision)?;
        // Without a common ancestor (a shallow checkout) the revision itself is compared with.
        let base = self
            .text(&["merge-base", &commit, "HEAD"])
            .map_or(commit, |id| id.trim().to_owned());
        self.differing(&base)
    }

    /// The files, relative to the project's root, that differ between a revision and the working
    /// tree, files that git does not track yet included.
    ///
    /// # Errors
    /// When there is no such revision.
    pub fn differing_from(&self, revision: &str) -> Result<Vec<String>, GitError> {
        let commit = self.commit(revision)?;
        self.differing(&commit)
    }

    /// Writes the project as it stands at a revision to a folder that is removed with the value.
    ///
    /// # Errors
    /// When there is no such revision, the project is not there at it, or it can not be written.
    pub fn export(&self, revision: &str) -> Result<Exported, GitError> {
        let commit = self.commit(revision)?;
        let io = |source| GitError::Export {
            revision: revision.to_owned(),
            source,
        };
        let folder = tempfile::Builder::new()
            .prefix("gate-from-")
            .tempdir()
            .map_err(io)?;
        let index = folder.path().join("index");
        // An index of its own: that of the working tree is neither read nor written.
        let read = self.run_with(&["read-tree", &commit], Some(&index))?;
        if !read.status.success() {
            return Err(io(said(&read)));
        }
        // Called in the project's folder, git writes the files below it and no others.
        let prefix = format!("--prefix={}/tree/", folder.path().display());
        let written = self.run_with(
            &["checkout-index", "--all", "--quiet", &prefix],
            Some(&index),
        )?;
        if !written.status.success() {
            return Err(io(said(&written)));
        }
        let project = folder.path().join("tree").join(&self.prefix);
        if !project.is_dir() {
            return Err(GitError::NotThere {
                revision: revision.to_owned(),
            });
        }
        Ok(Exported {
            _folder: folder,
            project,
        })
    }

    fn differing(&self, base: &str) -> Result<Vec<String>, GitError> {
        let tracked = self.text(&[
            "diff",
            "--name-only",
            "--no-renames",
            "-z",
            "--relative",
            base,
            "--",
        ])?;
        let untracked = self.text(&["ls-files", "--others", "--exclude-standard", "-z"])?;
        let mut files: Vec<String> = tracked
            .split('\0')
            .chain(untracked.split('\0'))
            .filter(|name| !name.is_empty())
            .map(str::to_owned)
            .collect();
        files.sort();
        files.dedup();
        Ok(files)
    }

    fn text(&self, arguments: &[&str]) -> Result<String, GitError> {
        let output = self.run(arguments)?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let message = String::from_utf8_lossy(&output.stderr)
            .lines()
            .next()
            .unwrap_or("no message")
            .to_owned();
        let command = arguments.first().copied().unwrap_or_default().to_owned();
        Err(GitError::Refused { command, message })
    }

    fn run(&self, arguments: &[&str]) -> Result<std::process::Output, GitError> {
        self.run_with(arguments, None)
    }

    fn run_with(
        &self,
        arguments: &[&str],
        index: Option<&Path>,
    ) -> Result<std::process::Output, GitError> {
        let mut command = Command::new("git");
        command
            .arg("-C")
            .arg(&self.folder)
            .args(arguments)
            // What git says is read.
            .env("LC_ALL", "C")
            .stdin(Stdio::null());
        if let Some(index) = index {
            command.env("GIT_INDEX_FILE", index);
        }
        command.output().map_err(|source| GitError::Start {
            folder: self.folder.clone(),
            source,
        })
    }
}

/// What git said when it refused.
fn said(output: &std::process::Output) -> std::io::Error {
    std::io::Error::other(String::from_utf8_lossy(&output.stderr).trim().to_owned())
}

fn check_revision(revision: &str) -> Result<(), GitError> {
    let bad = revision.is_empty()
        || revision.starts_with('-')
        || revision.contains("..")
        || revision.contains(|c: char| c.is_control() || c.is_whitespace() || c == ':');
    if bad {
        Err(GitError::BadRevision(revision.to_owned()))
    } else {
        Ok(())
    }
}
