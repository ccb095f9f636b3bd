//! The comment on a pull request (ci-and-cli.md section 4): its text, and whether to write, to change
//! or to keep silent, given the comments that are there. Posting it is left to `command`.

use super::content::Report;
use super::markdown::{self, Place};
use crate::analysis::Transition;
use crate::base::Digest;
use crate::verdict::Verdict;

/// When a comment is made that is not there yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// When it says something: all but a pass that changes no case.
    #[default]
    Auto,
    /// When the command does not end well.
    OnFailure,
}

/// What a pull request should be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comment {
    /// The line by which it is found again.
    pub marker: String,
    /// The whole text, which begins with the marker and a line that holds the digest of what it says.
    pub body: String,
    /// Whether it is worth a comment where there is none.
    pub is_news: bool,
}

/// A comment that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its id.
    pub id: u64,
    /// Who wrote it.
    pub author: String,
    /// Its text.
    pub body: String,
}

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Nothing: it says so already, or there is nothing to say.
    Nothing,
    /// Write one.
    Create,
    /// Change the one with this id.
    Update(u64),
}

impl Comment {
    /// The comment of a report. A pass is one line; all else is told in full.
    #[must_use]
    pub fn of(report: &Report<'_>, id: &str, mode: Mode) -> Self {
        let marker = markdown::marker(id);
        let is_short = match report.verdict {
            Verdict::Pass | Verdict::Skipped => true,
            Verdict::Fail | Verdict::Inconclusive | Verdict::Error => false,
        };
        let (said, text) = if is_short {
            let line = format!("{}\n", markdown::headline(report));
            (line.clone(), line)
        } else {
            let mut text = Vec::new();
            // A `Vec` takes everything.
            let _ = markdown::write(report, &Place::Comment { id: id.to_owned() }, &mut text);
            let text = String::from_utf8_lossy(&text).into_owned();
            let rest = text.split_once('\n').map_or("", |(_, rest)| rest);
            (markdown::essence(report), rest.to_owned())
        };
        let state = Digest::of_bytes(said.as_bytes()).short(16);
        Self {
            body: format!("{marker}\n<!-- gate:state:{state} -->\n{text}"),
            marker,
            is_news: is_news(report, mode),
        }
    }

    /// What to do, given the comments of a pull request and who asks. A comment counts as ours when
    /// we wrote it and it begins with the marker: a marker that someone else writes, or that an
    /// answer holds, is nothing to us.
    #[must_use]
    pub fn action(&self, comments: &[Found], author: &str) -> Action {
        let ours = comments.iter().find(|found| {
            found.author.eq_ignore_ascii_case(author) && head(&found.body, 1) == head(&self.body, 1)
        });
        match ours {
            Some(found) if head(&found.body, 2) == head(&self.body, 2) => Action::Nothing,
            Some(found) => Action::Update(found.id),
            None if self.is_news => Action::Create,
            None => Action::Nothing,
        }
    }
}

/// The first lines of a text, without their ends.
fn head(text: &str, lines: usize) -> Vec<&str> {
    text.lines().take(lines).map(str::trim_end).collect()
}

fn is_news(report: &Report<'_>, mode: Mode) -> bool {
    match (mode, report.verdict) {
        (Mode::OnFailure, _) => report.exit.code != 0,
        (Mode::Auto, Verdict::Fail | Verdict::Error | Verdict::Inconclusive) => true,
        (Mode::Auto, Verdict::Skipped) => false,
        (Mode::Auto, Verdict::Pass) => {
            let mut rows = report.ran().flat_map(|suite| &suite.table.rows);
            let has_flip = rows.any(|row| {
                row.counts_as(Transition::Regression) || row.counts_as(Transition::Fixed)
            });
            has_flip || !report.notes.is_empty()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    fn found(id: u64, author: &str, body: &str) -> Found {
        Found {
            id,
            author: author.into(),
            body: body.into(),
        }
    }

    fn comment(verdict: Verdict, mode: Mode) -> Comment {
        let sample = sample::hostile();
        let mut report = sample.report();
        report.verdict = verdict;
        if verdict == Verdict::Pass {
            report.exit.code = 0;
            report.exit.message = "v9 is not worse than v7.".into();
        }
        Comment::of(&report, "gate", mode)
    }

    #[test]
    fn is_found_by_marker_and_author() {
        let comment = comment(Verdict::Fail, Mode::Auto);
        let theirs = found(1, "someone", &comment.body);
        let quoted = found(
            2,
            "bot[bot]",
            &format!("> {}\n{}", comment.marker, comment.body),
        );
        let other = found(3, "bot[bot]", "<!-- gate:comment:other -->\nx");
        assert_eq!(
            comment.action(&[theirs.clone(), quoted, other], "bot[bot]"),
            Action::Create
        );
        let old = found(
            4,
            "Bot[bot]",
            &format!("{}\r\n<!-- gate:state:0 -->\r\nold", comment.marker),
        );
        assert_eq!(
            comment.action(&[theirs, old], "bot[bot]"),
            Action::Update(4)
        );
    }

    #[test]
    fn is_silent_when_it_would_say_the_same_again() {
        let before = comment(Verdict::Fail, Mode::Auto);
        let sample = sample::hostile();
        let mut report = sample.report();
        report.reproduce = Some("another line".into());
        let after = Comment::of(&report, "gate", Mode::Auto);
        assert_ne!(before.body, after.body);
        let there = found(4, "bot", &before.body.replace('\n', "\r\n"));
        assert_eq!(after.action(&[there], "bot"), Action::Nothing);
    }

    #[test]
    fn a_pass_shrinks_a_fail_to_one_line() {
        let fail = comment(Verdict::Fail, Mode::Auto);
        let pass = comment(Verdict::Pass, Mode::Auto);
        assert!(fail.body.lines().count() > 30);
        assert_eq!(pass.body.lines().count(), 3, "{}", pass.body);
        assert_eq!(
            pass.action(&[found(9, "bot", &fail.body)], "bot"),
            Action::Update(9)
        );
        assert_eq!(
            fail.action(&[found(9, "bot", &pass.body)], "bot"),
            Action::Update(9)
        );
    }

    #[test]
    fn begins_only_where_there_is_something_to_say() {
        assert!(comment(Verdict::Pass, Mode::Auto).is_news, "it flips cases");
        assert!(!comment(Verdict::Pass, Mode::OnFailure).is_news);
        assert!(comment(Verdict::Fail, Mode::OnFailure).is_news);
        let quiet = comment(Verdict::Skipped, Mode::Auto);
        assert_eq!(quiet.action(&[], "bot"), Action::Nothing);
    }

    #[test]
    fn stays_within_its_limit_and_mentions_nobody() {
        let body = comment(Verdict::Fail, Mode::Auto).body;
        assert!(body.chars().count() <= 60_000);
        assert!(!body.contains("@team"), "{body}");
        assert_eq!(body.matches("<!--").count(), 2, "{body}");
    }
}
