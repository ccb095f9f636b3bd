//! The HTML page: one file that needs nothing else, to read, to filter and to print.
//!
//! It is written as a stream: what a reader without JavaScript sees comes first, then the cases of
//! each suite as JSON that is data and no script, each read from the log when its turn comes. The
//! page's own script shows them with `textContent` alone. The page forbids by its policy everything
//! but that script and its style, whose digests the policy names. There is no template crate: the
//! page is mostly data, and every text goes through [`escape::html`](super::escape::html).

use std::io::{self, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::content::{Report, SuiteOutcome, SuiteReport};
use super::escape::html as safe;
use super::words;
use crate::base::Digest;
use crate::record::Arm;

mod axis;
mod cases;
mod distribution;
mod evidence;
mod summary;

use cases::Level;

const STYLE: &str = include_str!("html/page.css");
const SCRIPT: &str = include_str!("html/page.js");

/// The largest page: beyond it, a browser is slow to open it.
const FILE_LIMIT: u64 = 10 * 1000 * 1000;

/// Writes the page.
///
/// # Errors
/// Those of the writer.
pub fn write(report: &Report<'_>, into: &mut dyn Write) -> io::Result<()> {
    write_within(report, FILE_LIMIT, into)
}

fn write_within(report: &Report<'_>, limit: u64, into: &mut dyn Write) -> io::Result<()> {
    let fits = |level: &&Level| page(report, **level, &mut Meter { left: limit }).is_ok();
    let level = Level::ALL.iter().find(fits);
    page(report, *level.unwrap_or(&Level::LEAST), into)
}

/// Takes so many bytes and keeps none; refuses more.
struct Meter {
    left: u64,
}

impl Write for Meter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let left = self.left.checked_sub(bytes.len() as u64);
        self.left = left.ok_or(io::ErrorKind::FileTooLarge)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn page(report: &Report<'_>, level: Level, into: &mut dyn Write) -> io::Result<()> {
    // A browser reads `\r\n` as `\n`, and takes the digest of that.
    let (style, script) = (STYLE.replace("\r\n", "\n"), SCRIPT.replace("\r\n", "\n"));
    write!(
        into,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{}\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <meta name=\"referrer\" content=\"no-referrer\">\n\
         <meta name=\"generator\" content=\"gate {}\">\n\
         <title>{}</title>\n<style>{style}</style>\n</head>\n<body>\n",
        policy(&style, &script),
        safe(&report.tool),
        safe(&title(report)),
    )?;
    into.write_all(b"<a class=\"skip\" href=\"#cases-0\">To the cases</a>\n<main>\n")?;
    into.write_all(summary::head(report).as_bytes())?;
    let several = report.suites.len() > 1;
    for (number, outcome) in report.suites.iter().enumerate() {
        suite(
            into,
            outcome,
            &Part {
                number,
                several,
                level,
            },
        )?;
    }
    into.write_all(summary::foot(report).as_bytes())?;
    write!(
        into,
        "</main>\n<script>{script}</script>\n</body>\n</html>\n"
    )
}

/// Which suite of the page is written, and how much of its cases.
struct Part {
    number: usize,
    several: bool,
    level: Level,
}

fn suite(into: &mut dyn Write, outcome: &SuiteOutcome<'_>, part: &Part) -> io::Result<()> {
    if part.several {
        into.write_all(summary::suite_head(outcome).as_bytes())?;
    }
    if let Some(suite) = outcome.ran() {
        into.write_all(summary::figures(suite).as_bytes())?;
        into.write_all(evidence::render(suite).as_bytes())?;
        cases::write(into, suite, part.number, part.level)?;
        into.write_all(distribution::render(suite).as_bytes())?;
        into.write_all(summary::method(suite).as_bytes())?;
    }
    into.write_all(if part.several { b"</section>\n" } else { b"" })
}

/// What a tab shows: `FAIL support-triage: v7 to v8`.
fn title(report: &Report<'_>) -> String {
    let word = words::shout(report.verdict);
    match report.suites.as_slice() {
        [outcome] => {
            let arms = outcome.ran().map_or_else(String::new, arms);
            format!("{word} {}{arms}", outcome.title())
        }
        several => format!("{word} {} suites", several.len()),
    }
}

fn arms(suite: &SuiteReport<'_>) -> String {
    let new = suite.label(Arm::Candidate);
    match suite.arm(Arm::Baseline) {
        Some(_) => format!(": {} to {new}", suite.label(Arm::Baseline)),
        None => format!(": {new}"),
    }
}

/// The policy of the page: its own style and script, nothing else, from nowhere.
fn policy(style: &str, script: &str) -> String {
    let hash = |text: &str| {
        let digest = Digest::of_bytes(text.as_bytes());
        format!("'sha256-{}'", BASE64.encode(digest.as_bytes()))
    };
    format!(
        "default-src 'none'; style-src {}; script-src {}; base-uri 'none'; form-action 'none'; \
         require-trusted-types-for 'script'; trusted-types 'none'",
        hash(style),
        hash(script)
    )
}

#[cfg(test)]
mod tests;
