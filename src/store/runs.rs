//! Run logs on disk: `.gate/runs/<run id>/events.jsonl`. One writer appends; readers find a torn
//! tail (cut, with a note) and damage in the middle (refused).

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::sync::{Arc, Mutex, PoisonError};

use camino::{Utf8Path, Utf8PathBuf};

use super::fs;
use crate::base::{RunId, Timestamp};
use crate::dataset::Case;
use crate::record::codec::{self, CaseIndex, CodecError};
use crate::record::{
    AttemptFinished, Event, Fold, LogSpan, Reply, Run, RunHeader, ScoreRecord, TrialId,
};

/// Why a run's log can not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum RunLogError {
    /// The file system refused.
    #[error("failed to {action} {path}")]
    Io {
        /// What was being done.
        action: &'static str,
        /// To what.
        path: Utf8PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// A line in the middle is damaged: what follows can not be trusted.
    #[error("line {line} of {path} is damaged: {source}")]
    Damaged {
        /// The log.
        path: Utf8PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        source: CodecError,
    },
    /// The log does not even have its beginning.
    #[error("{path} has no beginning: {source}")]
    NoBeginning {
        /// The log.
        path: Utf8PathBuf,
        /// What is wrong with its first line.
        source: CodecError,
    },
    /// No run has such an id.
    #[error("there is no run `{0}`")]
    Unknown(String),
    /// Several runs have ids that begin so.
    #[error("`{prefix}` is the beginning of {count} run ids; write more of it")]
    Ambiguous {
        /// What was asked for.
        prefix: String,
        /// How many runs match.
        count: usize,
    },
    /// An event could not be put into a line.
    #[error("failed to write an event")]
    Encode(#[source] CodecError),
}

/// The folder of all runs.
#[must_use]
pub fn runs_folder(state: &Utf8Path) -> Utf8PathBuf {
    state.join("runs")
}

/// The log of a run.
#[must_use]
pub fn log_path(state: &Utf8Path, run: &RunId) -> Utf8PathBuf {
    runs_folder(state).join(run.as_str()).join("events.jsonl")
}

/// The ids of all stored runs, oldest first.
#[must_use]
pub fn list(state: &Utf8Path) -> Vec<RunId> {
    let Ok(folder) = std::fs::read_dir(runs_folder(state)) else {
        return Vec::new();
    };
    let names = folder.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut runs: Vec<RunId> = names.filter_map(|name| RunId::from_folder(&name)).collect();
    runs.sort();
    runs
}

/// How the newest run is named.
pub const LAST: &str = "last";

/// The run that an id, a unique prefix of one, or `last` names.
///
/// # Errors
/// When there is none, or several.
pub fn find(state: &Utf8Path, wanted: &str) -> Result<RunId, RunLogError> {
    let runs = list(state);
    let unknown = || RunLogError::Unknown(wanted.to_owned());
    if wanted == LAST {
        return runs.last().cloned().ok_or_else(unknown);
    }
    let matching: Vec<&RunId> = runs
        .iter()
        .filter(|run| run.as_str().starts_with(wanted))
        .collect();
    match matching.as_slice() {
        [one] => Ok((*one).clone()),
        [] => Err(unknown()),
        several => Err(RunLogError::Ambiguous {
            prefix: wanted.to_owned(),
            count: several.len(),
        }),
    }
}

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

/// A run read back from its log.
#[derive(Debug)]
pub struct LoadedRun {
    /// The log.
    pub path: Utf8PathBuf,
    /// The run.
    pub run: Run,
    /// The bytes of whole, undamaged lines.
    pub bytes: u64,
    /// The number of such lines.
    pub lines: u64,
    /// Whether an unfinished line at the end was left out.
    pub torn: bool,
}

/// The log that a path leads to: of a run folder, or the log itself.
#[must_use]
pub fn log_at(path: &Utf8Path) -> Option<Utf8PathBuf> {
    if path.is_dir() {
        return Some(path.join("events.jsonl"));
    }
    path.is_file().then(|| path.to_owned())
}

/// Reads a run back.
///
/// # Errors
/// When the log is not there, damaged before its end, or of another form.
pub fn load(state: &Utf8Path, run: &RunId) -> Result<LoadedRun, RunLogError> {
    load_events(&log_path(state, run), |_| {})
}

/// Reads what a run is about, and nothing of what came out.
///
/// # Errors
/// When the log is not there or its first line is damaged.
pub fn load_header(state: &Utf8Path, run: &RunId) -> Result<RunHeader, RunLogError> {
    let path = log_path(state, run);
    let io = |source| RunLogError::Io {
        action: "read",
        path: path.clone(),
        source,
    };
    let file = File::open(&path).map_err(io)?;
    let mut line = Vec::new();
    BufReader::with_capacity(1 << 16, file)
        .read_until(b'\n', &mut line)
        .map_err(io)?;
    let line = line.strip_suffix(b"\n").unwrap_or(&line);
    let header = codec::header_of(line).map_err(|source| RunLogError::NoBeginning {
        path: path.clone(),
        source,
    })?;
    Ok(header.1)
}

/// Reads a log and shows every event to `look` on the way.
///
/// # Errors
/// As for [`load`].
pub fn load_events(
    path: &Utf8Path,
    mut look: impl FnMut(&codec::Line),
) -> Result<LoadedRun, RunLogError> {
    let io = |source| RunLogError::Io {
        action: "read",
        path: path.to_owned(),
        source,
    };
    let mut lines = LineReader::new(File::open(path).map_err(io)?);
    let no_beginning = |source| RunLogError::NoBeginning {
        path: path.to_owned(),
        source,
    };
    lines
        .next()
        .map_err(io)?
        .ok_or_else(|| no_beginning(CodecError::Sum))?;
    let (started_at, header) = codec::header_of(lines.bytes()).map_err(no_beginning)?;
    let mut cases = Vec::with_capacity(header.dataset.selected);
    let mut index = CaseIndex::new();
    let (mut fold, mut bad) = (None::<Fold>, None::<(usize, CodecError)>);
    let (mut good_bytes, mut good_lines) = (lines.offset, 1);
    while let Some(span) = lines.next().map_err(io)? {
        let line = match codec::read_line(lines.bytes(), &index) {
            Ok(line) if lines.whole => line,
            Ok(_) => break,
            Err(error) => {
                bad.get_or_insert((lines.number, error));
                continue;
            }
        };
        if let Some((line, source)) = bad {
            return Err(RunLogError::Damaged {
                path: path.to_owned(),
                line,
                source,
            });
        }
        look(&line);
        match line.event {
            Event::CasePlanned(case) if fold.is_none() => {
                let number = u32::try_from(cases.len()).unwrap_or(u32::MAX);
                index.insert(case.id.as_str().into(), number);
                cases.push(*case);
            }
            event => fold
                .get_or_insert_with(|| {
                    let cases = Arc::new(std::mem::take(&mut cases));
                    Fold::new(header.clone(), cases, started_at)
                })
                .take(line.at, &event, span),
        }
        (good_bytes, good_lines) = (lines.offset, good_lines + 1);
    }
    let torn = bad.is_some() || good_bytes != lines.offset;
    let fold = fold.unwrap_or_else(|| Fold::new(header, Arc::new(cases), started_at));
    Ok(LoadedRun {
        path: path.to_owned(),
        run: fold.finish(),
        bytes: good_bytes,
        lines: good_lines,
        torn,
    })
}

/// Reads lines with their places.
struct LineReader {
    input: BufReader<File>,
    line: Vec<u8>,
    offset: u64,
    number: usize,
    whole: bool,
}

impl LineReader {
    fn new(file: File) -> Self {
        Self {
            input: BufReader::with_capacity(1 << 16, file),
            line: Vec::new(),
            offset: 0,
            number: 0,
            whole: true,
        }
    }

    fn next(&mut self) -> std::io::Result<Option<LogSpan>> {
        self.line.clear();
        let read = self.input.read_until(b'\n', &mut self.line)?;
        if read == 0 {
            return Ok(None);
        }
        self.whole = self.line.last() == Some(&b'\n');
        if self.whole {
            self.line.pop();
        }
        let span = LogSpan::new(self.offset, self.line.len());
        self.offset += read as u64;
        self.number += 1;
        Ok(Some(span))
    }

    fn bytes(&self) -> &[u8] {
        &self.line
    }
}

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
            let length = (size - offset).min(FLUSH_ABOVE as u64);
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
