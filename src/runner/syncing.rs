//! Makes the log durable while requests go on: one sync at a time, on another thread. What a disk could
//! not keep is said by the next look, since the system tells it once only.

use std::io;
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// Lines after which the log is synced, however young they are.
pub(super) const SYNC_LINES: usize = 50;
const SYNC_EVERY: Duration = Duration::from_secs(1);

/// The sync that goes on, and when it began.
pub(super) struct Syncing {
    going: Option<JoinHandle<io::Result<()>>>,
    begun: Instant,
}

impl Syncing {
    pub fn new() -> Self {
        Self {
            going: None,
            begun: Instant::now(),
        }
    }

    /// Whether so many lines are to be synced now: as soon as fifty or a second have gathered, and
    /// none before has still to end.
    ///
    /// # Errors
    /// When the one before failed.
    pub fn is_due(&mut self, lines: usize) -> io::Result<bool> {
        if let Some(going) = &mut self.going {
            let Some(ended) = going.now_or_never() else {
                return Ok(false);
            };
            self.going = None;
            ended??;
        }
        Ok(lines >= SYNC_LINES || (lines > 0 && self.begun.elapsed() >= SYNC_EVERY))
    }

    /// Begins a sync.
    #[expect(
        clippy::disallowed_methods,
        reason = "one at a time, kept in `going`, which is awaited before the run ends"
    )]
    pub fn begin(&mut self, sync: impl FnOnce() -> io::Result<()> + Send + 'static) {
        self.begun = Instant::now();
        self.going = Some(tokio::task::spawn_blocking(sync));
    }

    /// Waits for the sync that goes on.
    ///
    /// # Errors
    /// When it failed.
    pub async fn end(&mut self) -> io::Result<()> {
        match self.going.take() {
            Some(going) => going.await?,
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_lost(error: &io::Error) -> bool {
        error.raw_os_error() == Some(5)
    }

    #[tokio::test]
    async fn what_a_disk_could_not_keep_is_said_once_and_not_forgotten() {
        let mut syncing = Syncing::new();
        assert!(!syncing.is_due(SYNC_LINES - 1).unwrap());
        assert!(syncing.is_due(SYNC_LINES).unwrap());
        // EIO, by its number.
        syncing.begin(|| Err(io::Error::from_raw_os_error(5)));
        let error = loop {
            match syncing.is_due(SYNC_LINES) {
                Ok(due) => assert!(!due, "a second one at once"),
                Err(error) => break error,
            }
            tokio::task::yield_now().await;
        };
        assert!(is_lost(&error), "{error}");
        assert!(syncing.is_due(SYNC_LINES).unwrap());
        syncing.begin(|| Err(io::Error::from_raw_os_error(5)));
        assert!(is_lost(&syncing.end().await.unwrap_err()));
        syncing.begin(|| Ok(()));
        syncing.end().await.unwrap();
    }
}
