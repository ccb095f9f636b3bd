//! Reading a log back: a torn tail is left out, damage in the middle refused.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::sync::Arc;

use camino::{Utf8Path, Utf8PathBuf};

use super::{RunLogError, log_path};
use crate::base::RunId;
use crate::record::codec::{self, CaseIndex, CodecError};
use crate::record::{Event, Fold, LogSpan, Run, RunHeader};

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
