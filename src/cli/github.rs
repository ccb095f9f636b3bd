//! What GitHub Actions reads: the step's summary, its outputs and annotations, written by the binary
//! itself when `GITHUB_ACTIONS` says so.

use super::output;
use crate::command::error::chain;
use crate::report::{Report, github};

/// Where annotations go: the runner reads both streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Annotations {
    /// To stdout.
    Stdout,
    /// To stderr, since stdout carries data.
    Stderr,
}

/// Writes summary, outputs and annotations where the runner names files for them.
pub fn write(report: &Report<'_>, paths: &github::Paths, annotations: Annotations) {
    if super::env::variable("GITHUB_ACTIONS").as_deref() != Some("true") {
        return;
    }
    let mut summary = Vec::new();
    if github::write_summary(report, &mut summary).is_ok() {
        append("GITHUB_STEP_SUMMARY", &summary);
    }
    let mut outputs = Vec::new();
    if github::write_outputs(report, paths, &delimiter(), &mut outputs).is_ok() {
        append("GITHUB_OUTPUT", &outputs);
    }
    let mut lines = Vec::new();
    if github::write_annotations(report, &mut lines).is_err() {
        return;
    }
    match annotations {
        // A closed stdout loses the annotations only.
        Annotations::Stdout => drop(output::data(|out| out.write_all(&lines))),
        Annotations::Stderr => output::say_raw(&String::from_utf8_lossy(&lines)),
    }
}

/// Appends to the file that a variable of the runner names.
fn append(variable: &str, bytes: &[u8]) {
    let Some(path) = super::env::variable(variable).filter(|path| !path.is_empty()) else {
        return;
    };
    if let Err(error) = crate::store::fs::append(camino::Utf8Path::new(&path), bytes) {
        let why = chain(&error);
        output::say(&format!("warning: failed to write {variable}: {why}"));
    }
}

/// A delimiter that no answer can know.
fn delimiter() -> String {
    let unknown = u128::from_be_bytes(crate::base::rng::fresh_bytes());
    format!("gate-{unknown:032x}")
}
