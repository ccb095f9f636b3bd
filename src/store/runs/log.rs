//! Writing a log: one writer appends whole lines.

use std::fs::File;
use std::io::Write;
use std::sync::Arc;

use camino::{Utf8Path, Utf8PathBuf};

use super::{LoadedRun, RunLogError, log_path};
use crate::base::Timestamp;
use crate::dataset::Case;
use crate::record::codec;
use crate::record::{Event, LogSpan, RunHeader};

/// Appends events to the log of one run.
#[derive(Debug)]
pub struct RunLog {
    path: Utf8PathBuf,
    file: File,
    cases: Arc<Vec<Case>>,
    buffer: Vec<u8>,
    written: u64,
    seq: u64,
    lines_since_sync: usize,
}

impl RunLog {
    /// Begins the log of a new run, durably: when this returns, header and planned cases are on disk.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn create(
        state: &Utf8Path,
        header: &RunHeader,
        cases: Arc<Vec<Case>>,
        at: Timestamp,
    ) -> Result<Self, RunLogError> {
        let path = log_path(state, &header.run_id);
        let io = |action, path: &Utf8Path| {
            let path = path.to_owned();
            move |source| RunLogError::Io {
                action,
                path,
                source,
            }
        };
        let folder = path.parent().unwrap_or(state).to_owned();
        std::fs::create_dir_all(&folder).map_err(io("create", &folder))?;
        let file = File::options()
            .create_new(true)
            .append(true)
            .open(&path)
            .map_err(io("create", &path))?;
        let mut log = Self {
            path,
            file,
            cases,
            buffer: Vec::new(),
            written: 0,
            seq: 0,
            lines_since_sync: 0,
        };
        log.append(at, &Event::RunStarted(Box::new(header.clone())))?;
        for index in 0..log.cases.len() {
            let case = log.cases.get(index).cloned().map(Box::new);
            if let Some(case) = case {
                log.append(at, &Event::CasePlanned(case))?;
            }
            if log.buffer.len() > FLUSH_ABOVE {
                log.flush()?;
            }
        }
        log.flush()?;
        log.sync()?;
        Ok(log)
    }

    /// Goes on with the log of an interrupted run, after its last whole line.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn resume(loaded: &LoadedRun) -> Result<Self, RunLogError> {
        let path = loaded.path.clone();
        let io = |action, path: &Utf8Path| {
            let path = path.to_owned();
            move |source| RunLogError::Io {
                action,
                path,
                source,
            }
        };
        let file = File::options()
            .append(true)
            .open(&path)
            .map_err(io("open", &path))?;
        file.set_len(loaded.bytes)
            .map_err(io("cut the torn end of", &path))?;
        let cases = Arc::clone(&loaded.run.cases);
        Ok(Self {
            path,
            file,
            cases,
            buffer: Vec::new(),
            written: loaded.bytes,
            seq: loaded.lines,
            lines_since_sync: 0,
        })
    }

    /// Adds an event to the buffer and says where its line will stand.
    ///
    /// # Errors
    /// When the event names a case that the plan does not have.
    pub fn append(&mut self, at: Timestamp, event: &Event) -> Result<LogSpan, RunLogError> {
        let start = self.buffer.len();
        codec::write_line(self.seq, at, event, &self.cases, &mut self.buffer)
            .map_err(RunLogError::Encode)?;
        self.seq += 1;
        self.lines_since_sync += 1;
        let length = self.buffer.len() - start - 1;
        Ok(LogSpan::new(self.written + start as u64, length))
    }

    /// The lines that are not yet handed to the operating system.
    #[must_use]
    pub fn buffered(&self) -> &[u8] {
        &self.buffer
    }

    /// Hands the buffered lines to the operating system: what a killed process would have lost is
    /// safe, what a power failure would lose is not yet.
    ///
    /// # Errors
    /// When the file system refuses, such as when the disk is full.
    pub fn flush(&mut self) -> Result<(), RunLogError> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let result = self.file.write_all(&self.buffer);
        result.map_err(|source| RunLogError::Io {
            action: "write",
            path: self.path.clone(),
            source,
        })?;
        self.written += self.buffer.len() as u64;
        self.buffer.clear();
        if self.buffer.capacity() > KEEP_BELOW {
            self.buffer = Vec::new();
        }
        Ok(())
    }

    /// Makes everything flushed durable.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn sync(&mut self) -> Result<(), RunLogError> {
        self.lines_since_sync = 0;
        let result = self.file.sync_data();
        result.map_err(|source| self.not_synced(source))
    }

    /// The error of a sync that failed.
    #[must_use]
    pub fn not_synced(&self, source: std::io::Error) -> RunLogError {
        RunLogError::Io {
            action: "sync",
            path: self.path.clone(),
            source,
        }
    }

    /// A second handle on the file, so that another thread can wait for the disk.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn sync_handle(&self) -> Result<File, RunLogError> {
        let result = self.file.try_clone();
        result.map_err(|source| RunLogError::Io {
            action: "open",
            path: self.path.clone(),
            source,
        })
    }

    /// Lines appended since the last sync was begun.
    #[must_use]
    pub fn lines_since_sync(&self) -> usize {
        self.lines_since_sync
    }

    /// Notes that a sync of everything flushed has begun elsewhere.
    pub fn sync_begun(&mut self) {
        self.lines_since_sync = 0;
    }

    /// The file's path.
    #[must_use]
    pub fn path(&self) -> &Utf8Path {
        &self.path
    }
}

const FLUSH_ABOVE: usize = 1 << 20;
const KEEP_BELOW: usize = 4 << 20;
