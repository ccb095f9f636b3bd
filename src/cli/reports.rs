//! Turns an outcome into its reports: the screen, the files, what GitHub reads.

use std::fmt::Write as _;
use std::io;

use camino::{Utf8Path, Utf8PathBuf};

use super::github;
use super::output::{self, Terminal};
use crate::base::text;
use crate::command::outcome::SuiteResult;
use crate::command::overview::Overview;
use crate::command::prompt::Listed;
use crate::command::{CommandError, Outcome, Project};
use crate::report::content::{ExitNote, SuiteOutcome};
use crate::report::github::Paths;
use crate::report::junit::{CaseMode, Options, Profile};
use crate::report::markdown::Place;
use crate::report::terminal::{Detail, Palette, Screen};
use crate::report::{Report, html, json, junit, markdown, terminal as screen};
use crate::store::{fs, runs};

/// What became of the reports.
#[derive(Debug, Default)]
pub struct Written {
    /// The files, as the caller would name them.
    pub paths: Vec<String>,
    failed: Vec<String>,
    run: Option<String>,
}

impl Written {
    /// Whether all could be written.
    ///
    /// # Errors
    /// When a file or stdout could not be.
    pub fn check(self) -> Result<(), CommandError> {
        if self.failed.is_empty() {
            return Ok(());
        }
        let again = self
            .run
            .map(|run| format!("the run is stored: `gate report {run}` writes its reports again"));
        Err(CommandError::infra(
            "io",
            self.failed.join("; "),
            again.as_deref(),
        ))
    }

    fn note(&mut self, path: &str, result: Result<(), io::Error>) {
        match result {
            Ok(()) if path == STDOUT => {}
            Ok(()) => self.paths.push(path.to_owned()),
            Err(error) => self.failed.push(format!("failed to write {path}: {error}")),
        }
    }
}

const STDOUT: &str = "stdout";

/// Refuses what can be no file, before anything is asked of a model.
///
/// # Errors
/// When a report's path is a folder, or leads through a file.
pub fn check_targets(project: &Project, base: &Utf8Path) -> Result<(), CommandError> {
    let files = Files::of(project);
    files
        .all()
        .try_for_each(|path| check_target(path, &base.join(path)))
}

/// Refuses a path that can be no file of a report.
///
/// # Errors
/// When it is a folder, or leads through a file.
pub fn check_target(path: &str, full: &Utf8Path) -> Result<(), CommandError> {
    if path == "-" {
        return Ok(());
    }
    let path = text::visible_line(path);
    if fs::is_folder(full) || full.as_str().ends_with('/') {
        return Err(CommandError::infra(
            "io",
            format!("`{path}` is a folder, and a report is a file"),
            Some("name a file in it; `--output DIR` writes every report into a folder"),
        ));
    }
    if let Some(found) = fs::in_the_way(full) {
        return Err(CommandError::infra(
            "io",
            format!(
                "`{path}` leads through `{}`, which is no folder",
                text::visible_line(found.as_str())
            ),
            Some("name a file in a folder"),
        ));
    }
    Ok(())
}

/// Writes every report that was asked for: one that can not be written costs no other.
#[must_use]
pub fn write(
    project: &Project,
    outcome: &Outcome,
    note: ExitNote,
    terminal: Terminal,
    base: &Utf8Path,
) -> Written {
    let report = assemble(outcome, note);
    let settings = &project.settings;
    let files = Files::of(project);
    let mut written = write_files(&report, project, &files, base);
    written.run = stored_run(project, outcome);
    let stdout_taken = files.all().any(|path| path == "-");
    let shown = match settings.format.as_str() {
        _ if stdout_taken => Ok(()),
        // The events are there already, as they happened.
        "jsonl" => Ok(()),
        "json" => output::data(|out| json::write(&report, out)),
        "github" => output::data(|out| markdown::write(&report, &Place::Summary, out)),
        _ => output::data(|out| screen::write(&report, screen_of(project, terminal), out)),
    };
    written.note(STDOUT, shown);
    let is_data = stdout_taken || matches!(settings.format.as_str(), "json" | "jsonl");
    let annotations = if is_data {
        github::Annotations::Stderr
    } else {
        github::Annotations::Stdout
    };
    github::write(&report, &files.paths(&written), annotations);
    super::comment::write(project, &report);
    written
}

/// Writes the files, each that can be: a path that is wrong costs no other report.
fn write_files(report: &Report<'_>, project: &Project, files: &Files, base: &Utf8Path) -> Written {
    let settings = &project.settings;
    let mut written = Written::default();
    let options = junit_options(&settings.junit_profile, &settings.junit_cases);
    for path in &files.junit {
        put_junit(path, base, &mut written, (report, options));
    }
    for path in &files.json {
        put(path, base, &mut written, |out| json::write(report, out));
    }
    for path in &files.markdown {
        put(path, base, &mut written, |out| {
            markdown::write(report, &Place::Summary, out)
        });
    }
    for path in &files.html {
        put(path, base, &mut written, |out| html::write(report, out));
    }
    written
}

/// The first run of an outcome that can be reported again.
fn stored_run(project: &Project, outcome: &Outcome) -> Option<String> {
    outcome.suites.iter().find_map(|result| match result {
        SuiteResult::Ran(suite) => {
            let run = &suite.run.header.run_id;
            let log = runs::log_path(&project.state, run);
            fs::is_file(&log).then(|| run.to_string())
        }
        SuiteResult::Skipped(_) | SuiteResult::Failed(_) => None,
    })
}

/// Whether a report goes to stdout.
#[must_use]
pub fn takes_stdout(project: &Project) -> bool {
    Files::of(project).all().any(|path| path == "-")
}

/// Whether stdout gets the screen, and no data.
#[must_use]
pub fn is_human(project: &Project) -> bool {
    project.settings.format == "human" && !takes_stdout(project)
}

/// How the screen is made.
fn screen_of(project: &Project, terminal: Terminal) -> Screen {
    Screen {
        palette: if terminal.color {
            Palette::ansi()
        } else {
            Palette::plain()
        },
        width: terminal.width,
        detail: if project.settings.verbose {
            Detail::Verbose
        } else {
            Detail::Normal
        },
    }
}

fn junit_options(profile: &str, cases: &str) -> Options {
    let profile = if profile == "strict" {
        Profile::Strict
    } else {
        Profile::Common
    };
    let cases = match cases {
        "strict" => CaseMode::Strict,
        "verdict" => CaseMode::Verdict,
        _ => CaseMode::Default,
    };
    Options { profile, cases }
}

/// The report files, by what they hold.
struct Files {
    junit: Vec<String>,
    json: Vec<String>,
    markdown: Vec<String>,
    html: Vec<String>,
}

impl Files {
    fn of(project: &Project) -> Self {
        let settings = &project.settings;
        // Paths of gate.yaml are relative to it, those of flags to the caller.
        let from_file = |key: &str, paths: &[String]| -> Vec<String> {
            use crate::settings::Origin;
            let origin = project.layers.get(key).map(|given| &given.origin);
            let in_file = matches!(origin, Some(Origin::ProjectFile | Origin::Profile(_)));
            let place = |path: &String| {
                if in_file && path != "-" {
                    project.home.path().join(path).to_string()
                } else {
                    path.clone()
                }
            };
            paths.iter().map(place).collect()
        };
        let mut files = Self {
            junit: from_file("junit", &settings.junit),
            json: from_file("json", &settings.json),
            markdown: from_file("markdown", &settings.markdown),
            html: from_file("html", &settings.html),
        };
        let folder = settings
            .output
            .as_ref()
            .and_then(|folder| from_file("output", std::slice::from_ref(folder)).pop());
        if let Some(folder) = folder {
            let folder = match folder.trim_end_matches('/') {
                "" if folder.starts_with('/') => "",
                "" => ".",
                trimmed => trimmed,
            };
            files.junit.push(format!("{folder}/gate.xml"));
            files.json.push(format!("{folder}/gate.json"));
            files.markdown.push(format!("{folder}/gate.md"));
            files.html.push(format!("{folder}/gate.html"));
        }
        files
    }

    fn all(&self) -> impl Iterator<Item = &String> {
        let files = [&self.junit, &self.json, &self.markdown, &self.html];
        files.into_iter().flatten()
    }

    /// The first file of each kind that was written.
    fn paths(&self, written: &Written) -> Paths {
        let first = |paths: &[String]| {
            let mut paths = paths.iter();
            paths.find(|path| written.paths.contains(path)).cloned()
        };
        Paths {
            junit: first(&self.junit),
            json: first(&self.json),
            html: first(&self.html),
            markdown: first(&self.markdown),
        }
    }
}

/// Writes a JUnit file in one go, and only where it turns out too large once more, measured.
fn put_junit(
    path: &str,
    base: &Utf8Path,
    written: &mut Written,
    (report, options): (&Report<'_>, Options),
) {
    let full = base.join(path);
    if path != "-" && fs::appears_whole(&full) {
        let whole = fs::write_with(&full, |out| junit::write_whole(report, options, out));
        let too_large = |error: &io::Error| error.kind() == io::ErrorKind::FileTooLarge;
        if !whole.as_ref().is_err_and(too_large) {
            written.note(path, whole);
            return;
        }
    }
    put(path, base, written, |out| {
        junit::write(report, options, out)
    });
}

fn put(
    path: &str,
    base: &Utf8Path,
    written: &mut Written,
    write: impl FnOnce(&mut dyn io::Write) -> io::Result<()>,
) {
    if path == "-" {
        written.note(STDOUT, output::data(write));
        return;
    }
    let full: Utf8PathBuf = base.join(path);
    let result = fs::write_with(&full, write);
    written.note(path, result);
}

/// The report of an outcome, borrowing its runs.
fn assemble(outcome: &Outcome, note: ExitNote) -> Report<'_> {
    let suites = outcome.suites.iter();
    let suites = suites
        .map(|result| suite(result, outcome.no_gate))
        .collect();
    Report {
        command: outcome.command.to_owned(),
        tool: env!("CARGO_PKG_VERSION").to_owned(),
        verdict: outcome.verdict(),
        exit: note,
        suites,
        notes: outcome.notes.clone(),
        next: outcome.next.clone(),
        reproduce: outcome.reproduce.clone(),
    }
}

fn suite(result: &SuiteResult, no_gate: bool) -> SuiteOutcome<'_> {
    match result {
        SuiteResult::Skipped(note) => SuiteOutcome::Skipped(note.clone()),
        SuiteResult::Failed(note) => SuiteOutcome::Failed(note.clone()),
        SuiteResult::Ran(suite) => {
            let mut report = suite.report();
            if no_gate {
                report.decision.report_only();
            }
            SuiteOutcome::Ran(Box::new(report))
        }
    }
}

/// The screen of bare `gate`.
#[must_use]
pub fn overview(overview: &Overview) -> String {
    let mut screen = String::from("Prompts\n");
    screen.push_str(&prompts(&overview.prompts));
    for (slug, path) in &overview.files {
        let path = text::visible_line(path);
        // Writing to a `String` can not fail.
        let _ = writeln!(screen, "  {slug}: the file {path}, without versions");
    }
    screen.push_str("\nSuites\n");
    for suite in &overview.suites {
        let cases = suite.cases.map_or_else(
            || "dataset not readable".to_owned(),
            |cases| text::count(cases, "case"),
        );
        let last = suite.last.map_or_else(
            || "never run".to_owned(),
            |verdict| format!("last: {}", verdict.as_str()),
        );
        // Writing to a `String` can not fail.
        let _ = writeln!(
            screen,
            "  {}: {}, {cases}, {last}",
            suite.name, suite.prompt
        );
        let _ = match &suite.pair {
            Ok((baseline, candidate)) => {
                writeln!(screen, "    gate compare: {baseline} against {candidate}")
            }
            Err(why) => writeln!(
                screen,
                "    gate compare: nothing to do ({})",
                text::visible_line(why)
            ),
        };
    }
    screen.push_str("\nCommands\n  gate compare [[BASE] CAND]   gate run [VERSION]   gate lint   gate drift [PROMPT...]\n  gate report [RUN]   gate show [RUN] CASE   gate rescore RUN   gate merge RUN...\n  gate decide BASE CAND   gate ab A=x/n B=y/m   gate power   gate simulate   gate calibrate JUDGE\n  gate prompt …   gate init   gate import …   gate cache …   gate schema NAME   gate --help\n");
    screen
}

/// The list of prompts.
#[must_use]
pub fn prompts(listed: &[Listed]) -> String {
    let mut table = String::new();
    for prompt in listed {
        let highest = prompt.versions.last().map_or_else(
            || "no version".to_owned(),
            |number| format!("latest v{number}"),
        );
        let stable = prompt.stable.map_or_else(
            || "no stable".to_owned(),
            |number| format!("stable v{number}"),
        );
        let fault = prompt.fault.as_ref().map_or(String::new(), |fault| {
            format!(", log not usable: {}", text::visible_line(fault))
        });
        let _ = writeln!(
            table,
            "  {}: {stable}, {highest} ({}){fault}",
            prompt.slug, prompt.registry
        );
    }
    table
}
