//! JUnit XML (ci-and-cli.md section 2): a suite of the policy's rules, and one of cases for each
//! value of the first segment key.
//!
//! Written with quick-xml as a stream, in passes over the cases: one counts, since counts stand
//! before what they count, the next writes. A crate that builds the report in memory, such as
//! quick-junit, would hold the answers of every lost case at once.

use std::io::{self, Write};

use super::content::Report;

mod case;
mod count;
mod decision;
mod group;
mod mark;
mod xml;

use count::Counts;
use group::Group;
use xml::Xml;

/// Which readers the file is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Profile {
    /// With `file`, `line`, properties of cases, and `skipped` on the root.
    #[default]
    Common,
    /// Valid by the schema of the Jenkins xUnit plugin, `junit-10.xsd`.
    Strict,
}

/// What cases that fail look like (`--junit-cases`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CaseMode {
    /// A lost case is a failure, one that failed before is skipped.
    #[default]
    Default,
    /// One that failed before is a failure too.
    Strict,
    /// When the verdict is Pass, a lost case is passed, its text in `system-out`.
    Verdict,
}

/// How a file is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Options {
    /// Which readers it is for.
    pub profile: Profile,
    /// What cases that fail look like.
    pub cases: CaseMode,
}

/// The largest file: beyond it, common readers refuse or time out.
const FILE_LIMIT: u64 = 10 * 1024 * 1024;

/// What a file leaves out to stay within its limit; each leaves out what those before it do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    Full,
    WithoutPassed,
    WithoutBodies,
    WithoutCases,
}

impl Level {
    const ALL: [Self; 4] = [
        Self::Full,
        Self::WithoutPassed,
        Self::WithoutBodies,
        Self::WithoutCases,
    ];

    /// What the file says about it.
    fn note(self) -> Option<&'static str> {
        match self {
            Self::Full => None,
            Self::WithoutPassed => Some("passed cases, for size"),
            Self::WithoutBodies => Some("passed cases and the texts of the others, for size"),
            Self::WithoutCases => Some("all cases, for size"),
        }
    }
}

/// Writes the file with everything in it, as nearly every file is.
///
/// # Errors
/// Those of the writer, and [`io::ErrorKind::FileTooLarge`] after a part has been written, where
/// readers would not take the whole.
pub fn write_whole(report: &Report<'_>, options: Options, into: &mut dyn Write) -> io::Result<()> {
    let mut bounded = Bounded {
        left: FILE_LIMIT,
        into,
    };
    File::new(report, options, Level::Full).write(&mut bounded)
}

/// Writes the file with as much as readers take; what that is has to be measured first.
///
/// # Errors
/// Those of the writer.
pub fn write(report: &Report<'_>, options: Options, into: &mut dyn Write) -> io::Result<()> {
    write_within(report, options, FILE_LIMIT, into)
}

fn write_within(
    report: &Report<'_>,
    options: Options,
    limit: u64,
    into: &mut dyn Write,
) -> io::Result<()> {
    let fits = |level: &Level| {
        let mut measured = Bounded {
            left: limit,
            into: &mut io::sink(),
        };
        let file = File::new(report, options, *level);
        file.write(&mut measured).is_ok()
    };
    let level = Level::ALL.into_iter().find(fits);
    File::new(report, options, level.unwrap_or(Level::WithoutCases)).write(into)
}

/// Takes so many bytes, and refuses more.
struct Bounded<'a> {
    left: u64,
    into: &'a mut dyn Write,
}

impl Write for Bounded<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let left = self.left.checked_sub(bytes.len() as u64);
        let left = left.ok_or(io::ErrorKind::FileTooLarge)?;
        self.into.write_all(bytes)?;
        self.left = left;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.into.flush()
    }
}

/// A file with its form.
struct File<'a> {
    report: &'a Report<'a>,
    options: Options,
    level: Level,
    groups: Vec<Vec<Group>>,
}

impl<'a> File<'a> {
    fn new(report: &'a Report<'a>, options: Options, level: Level) -> Self {
        let suites = report.suites.iter();
        let groups = suites.map(|suite| match suite.ran() {
            Some(suite) if level < Level::WithoutCases => group::of(suite),
            Some(_) | None => Vec::new(),
        });
        let groups = groups.collect();
        Self {
            report,
            options,
            level,
            groups,
        }
    }

    fn write(&self, into: &mut dyn Write) -> io::Result<()> {
        let mut xml = Xml::new(into);
        xml.declaration()?;
        let root = self.total();
        xml.start("testsuites", &root.attributes("gate", self.options.profile))?;
        let mut names = group::Names::default();
        if self.report.suites.is_empty() {
            decision::write_alone(self, &mut xml)?;
        }
        for (outcome, groups) in self.report.suites.iter().zip(&self.groups) {
            decision::write(self, outcome, &mut names, &mut xml)?;
            if let Some(suite) = outcome.ran() {
                for group in groups {
                    case::write_group(self, suite, group, &mut names, &mut xml)?;
                }
            }
        }
        xml.end("testsuites")?;
        xml.finish()
    }

    fn total(&self) -> Counts {
        let mut total = Counts::default();
        if self.report.suites.is_empty() {
            total.add(&decision::count_alone(self.report));
        }
        for (outcome, groups) in self.report.suites.iter().zip(&self.groups) {
            total.add(&decision::count(outcome));
            if let Some(suite) = outcome.ran() {
                for group in groups {
                    total.add(&case::count(self, suite, group));
                }
            }
        }
        total
    }
}

#[cfg(test)]
mod tests;
