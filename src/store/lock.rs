//! Locks between processes: a file that one process holds at a time, with its number inside, so
//! that who waits can say for whom.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};

/// How often a waiting process looks again.
const INTERVAL: Duration = Duration::from_millis(5);

/// A lock that is held until it is dropped, or the process ends.
#[derive(Debug)]
pub struct Lock {
    file: File,
}

/// Why a lock is not held.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// The lock's file can not be used.
    #[error("failed to lock {path}")]
    Io {
        /// The lock's file.
        path: Utf8PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Another process holds the lock.
    #[error("{path} is held by {}, for more than {} s", holder(*process), waited.as_secs_f64())]
    Held {
        /// The lock's file.
        path: Utf8PathBuf,
        /// The process that holds it, where its number can be read.
        process: Option<u32>,
        /// How long this process waited.
        waited: Duration,
    },
}

fn holder(process: Option<u32>) -> String {
    process.map_or_else(
        || "another process".to_owned(),
        |id| format!("process {id}"),
    )
}

impl Lock {
    /// Takes the lock, and waits for it at most so long. The folder must be there.
    ///
    /// # Errors
    /// When another process holds it all the while, or the file can not be used.
    pub fn acquire(path: &Utf8Path, limit: Duration) -> Result<Self, LockError> {
        let error = |source| LockError::Io {
            path: path.to_owned(),
            source,
        };
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let mut file = options.open(path).map_err(error)?;
        let mut waited = Duration::ZERO;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::Error(source)) => return Err(error(source)),
                Err(TryLockError::WouldBlock) => {}
            }
            if waited >= limit {
                return Err(LockError::Held {
                    path: path.to_owned(),
                    process: read_holder(&mut file),
                    waited: limit,
                });
            }
            // The looks are counted and not timed: this module knows no clock.
            std::thread::park_timeout(INTERVAL);
            waited += INTERVAL;
        }
        write_holder(&mut file).map_err(error)?;
        Ok(Self { file })
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // The lock ends with the file in any case; an error here has nobody to be told to.
        let _ = self.file.set_len(0);
        let _ = self.file.unlock();
    }
}

fn write_holder(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{}", std::process::id())
}

fn read_holder(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.rewind().ok()?;
    file.take(32).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_holds_it_and_the_other_is_told_who() {
        let folder = tempfile::tempdir().unwrap();
        let path = Utf8PathBuf::from_path_buf(folder.path().join("a.lock")).unwrap();
        let held = Lock::acquire(&path, Duration::ZERO).unwrap();
        let other = Lock::acquire(&path, Duration::from_millis(1));
        let Err(LockError::Held { process, .. }) = other else {
            panic!("{other:?}");
        };
        assert_eq!(process, Some(std::process::id()));
        drop(held);
        assert!(Lock::acquire(&path, Duration::ZERO).is_ok());
    }

    #[test]
    fn who_waits_gets_it_when_it_is_free() {
        let folder = tempfile::tempdir().unwrap();
        let path = Utf8PathBuf::from_path_buf(folder.path().join("a.lock")).unwrap();
        let held = Lock::acquire(&path, Duration::ZERO).unwrap();
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| Lock::acquire(&path, Duration::from_mins(1)).is_ok());
            drop(held);
            assert!(waiting.join().unwrap());
        });
    }
}
