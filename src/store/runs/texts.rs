//! Single lines of a log, read when a report wants their texts.

use std::fs::File;
use std::sync::{Mutex, PoisonError};

use camino::Utf8Path;

use super::RunLogError;
use crate::record::codec;
use crate::record::{AttemptFinished, LogSpan, Reply, ScoreRecord, TrialId};
use crate::store::fs;

/// Reads single lines of a log on demand, for the texts of answers and reasons. The lines were
/// checked when they were appended or loaded.
#[derive(Debug)]
pub struct LogTexts {
    file: Option<File>,
    /// What was read last: the lines of a trial stand close together.
    piece: Mutex<Piece>,
}

/// A piece of a log.
#[derive(Debug, Default)]
struct Piece {
    offset: u64,
    bytes: Vec<u8>,
}

/// What is read beyond a line, because the trial's next one probably stands there.
const AHEAD: usize = 1 << 10;

/// How much of a log is copied at once, in bytes.
const PIECE: u64 = 1 << 20;

impl Piece {
    fn line(&self, span: LogSpan) -> Option<&[u8]> {
        let start = usize::try_from(span.offset.checked_sub(self.offset)?).ok()?;
        let end = start.checked_add(span.length())?;
        self.bytes.get(start..end)
    }

    fn read(&mut self, file: &File, span: LogSpan) -> Option<()> {
        self.offset = span.offset;
        let length = span.length() + AHEAD;
        fs::read_up_to(file, span.offset, length, &mut self.bytes).ok()
    }
}

impl LogTexts {
    /// Opens a log for single lines.
    ///
    /// # Errors
    /// When the file can not be opened.
    pub fn open(path: &Utf8Path) -> Result<Self, RunLogError> {
        let file = File::open(path);
        let file = file.map_err(|source| RunLogError::Io {
            action: "open",
            path: path.to_owned(),
            source,
        })?;
        Ok(Self {
            file: Some(file),
            piece: Mutex::default(),
        })
    }

    /// The texts of a run that has no log.
    #[must_use]
    pub fn none() -> Self {
        Self {
            file: None,
            piece: Mutex::default(),
        }
    }

    /// Hands out the whole lines of the log as they are, piece by piece.
    ///
    /// # Errors
    /// When the log can not be read.
    pub fn copy(&self, take: &mut dyn FnMut(&[u8])) -> std::io::Result<()> {
        let Some(file) = &self.file else {
            return Ok(());
        };
        let size = file.metadata()?.len();
        let mut offset = 0;
        let mut piece = Vec::new();
        while offset < size {
            let length = (size - offset).min(PIECE);
            let read = fs::read_at(file, offset, usize::try_from(length).unwrap_or(0))?;
            offset += length;
            piece.extend_from_slice(&read);
            if let Some(end) = piece.iter().rposition(|byte| *byte == b'\n') {
                let rest = piece.split_off(end + 1);
                take(&piece);
                piece = rest;
            }
        }
        Ok(())
    }

    fn line<T>(&self, span: LogSpan, read: impl FnOnce(&[u8]) -> Option<T>) -> Option<T> {
        let file = self.file.as_ref()?;
        let mut piece = self.piece.lock().unwrap_or_else(PoisonError::into_inner);
        if piece.line(span).is_none() {
            piece.read(file, span)?;
        }
        read(piece.line(span)?)
    }

    /// The attempt at a trial whose line stands there; `None` when it can not be read.
    #[must_use]
    pub fn attempt(&self, trial: TrialId, span: LogSpan) -> Option<AttemptFinished> {
        self.line(span, |line| codec::read_attempt(line, trial).ok())
    }

    /// What was answered in the attempt whose line stands there; `None` when it can not be read.
    #[must_use]
    pub fn reply(&self, span: LogSpan) -> Option<Reply> {
        self.line(span, |line| codec::read_reply(line).ok())
    }

    /// The scores of the result whose line stands there; `None` when it can not be read.
    #[must_use]
    pub fn scores(&self, span: LogSpan) -> Option<Vec<ScoreRecord>> {
        self.line(span, |line| codec::read_scores(line).ok())
    }
}
