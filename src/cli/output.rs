//! The standard streams. stdout carries data, stderr the rest; a stream that is closed is no panic.

use std::io::{self, IsTerminal, Write};

use anstyle::AnsiColor;

use super::exit::Exit;
use crate::base::{Diagnostics, Look, text};

/// Which streams show colour, and how wide the terminal is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terminal {
    /// Whether stdout shows colour.
    pub color: bool,
    /// Columns.
    pub width: usize,
    /// Whether stderr shows colour.
    pub live_color: bool,
    /// Whether stderr is a terminal.
    pub live: bool,
    /// What stdout is.
    pub stdout: Sink,
}

/// What a stream leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sink {
    /// A terminal, where somebody reads.
    Terminal,
    /// A file, a pipe, or nothing.
    Elsewhere,
}

impl Terminal {
    /// What the streams can show, by `--color`, `NO_COLOR`, `CLICOLOR_FORCE` and what they are.
    #[must_use]
    pub fn detect(color: &str) -> Self {
        let set = |name: &str| {
            super::env::variable(name).is_some_and(|value| !value.is_empty() && value != "0")
        };
        let stdout_terminal = io::stdout().is_terminal();
        let live = io::stderr().is_terminal();
        let is_dumb = super::env::variable("TERM").as_deref() == Some("dumb");
        let shows = |is_terminal: bool| match color {
            "always" => true,
            "never" => false,
            _ => !set("NO_COLOR") && (set("CLICOLOR_FORCE") || (is_terminal && !is_dumb)),
        };
        let columns = super::env::variable("COLUMNS").and_then(|columns| columns.parse().ok());
        let size = || terminal_size::terminal_size().map(|(width, _)| usize::from(width.0));
        Self {
            color: shows(stdout_terminal),
            width: columns.or_else(size).unwrap_or(100),
            live_color: shows(live),
            live,
            stdout: if stdout_terminal {
                Sink::Terminal
            } else {
                Sink::Elsewhere
            },
        }
    }

    /// Whether stdout and stderr are on the same screen, so that nothing need be on both.
    #[must_use]
    pub fn is_one(self) -> bool {
        self.live && self.stdout == Sink::Terminal
    }
}

/// How errors look on stderr: by `--color`, else by `GATE_COLOR`, for a command may fail before its
/// settings are read.
#[must_use]
pub fn look(color: Option<&str>) -> Look {
    let variable = super::env::variable("GATE_COLOR");
    let color = color.or(variable.as_deref()).unwrap_or("auto");
    if Terminal::detect(color).live_color {
        Look::Colored
    } else {
        Look::Plain
    }
}

/// Says what is wrong, and what to do.
pub fn say_error(message: &str, help: Option<&str>, look: Look) {
    let word = |word: &str, color: AnsiColor| match look {
        Look::Plain => word.to_owned(),
        Look::Colored => {
            let style = color.on_default().bold();
            format!("{style}{word}{style:#}")
        }
    };
    let error = word("error", AnsiColor::Red);
    say(&format!("{error}: {}", text::visible(message)));
    if let Some(help) = help {
        let lead = word("help", AnsiColor::Cyan);
        say(&format!("  {lead}: {}", text::visible(help)));
    }
}

/// Says what was found in files.
pub fn say_findings(found: &Diagnostics, look: Look) {
    if !found.is_empty() {
        say(&found.render_as(look));
    }
}

/// Writes a line to stderr.
pub fn say(line: &str) {
    // Nobody reads a closed stderr.
    let _ = writeln!(io::stderr().lock(), "{line}");
}

/// Writes a text to stderr as it is.
pub fn say_raw(text: &str) {
    let mut stderr = io::stderr().lock();
    let _ = stderr
        .write_all(text.as_bytes())
        .and_then(|()| stderr.flush());
}

/// The last line of every ending that is not 0: `gate: <name>: <reason>`.
pub fn last_line(exit: Exit, reason: &str) {
    if exit != Exit::Ok {
        say(&format!(
            "gate: {}: {}",
            exit.name(),
            text::visible_line(reason)
        ));
    }
}

/// Writes data to stdout. A reader that has gone is no error.
///
/// # Errors
/// When stdout can not be written for another reason, such as a full disk.
pub fn data(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let mut stdout = io::BufWriter::new(io::stdout().lock());
    match write(&mut stdout).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}
