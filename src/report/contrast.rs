//! Two texts held against each other word by word, for a terminal: as one line, or side by side.
//!
//! Marks are never colour alone: without styles they are `[-…-]` and `{+…+}`, with styles what went
//! is struck through and what came is underlined. Texts are made visible here.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use similar::{ChangeTag, TextDiff};
use unicode_width::UnicodeWidthChar as _;

use super::escape::terminal;

/// How what differs is marked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Marks {
    /// By brackets.
    Plain,
    /// By styles.
    Styled,
}

/// The least width of a screen on which two columns can be read.
pub const LEAST_WIDTH: usize = 60;
const GAP: &str = " \u{2502} ";

/// What a character is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Same,
    Removed,
    Added,
}

type Letters = Vec<(char, Kind)>;

impl Marks {
    /// A heading, bold where styles are shown. The text is safe already.
    #[must_use]
    pub fn heading(self, text: &str) -> String {
        self.styled(Style::new().bold(), text)
    }

    /// `pass` or `fail`, in the colours of verdicts where styles are shown.
    #[must_use]
    pub fn passing(self, pass: bool) -> String {
        let (color, word) = if pass {
            (AnsiColor::Green, "pass")
        } else {
            (AnsiColor::Red, "fail")
        };
        self.styled(color.on_default().bold(), word)
    }

    /// A word that tells of a loss, in the colour of a fail where styles are shown.
    #[must_use]
    pub fn loss(self, word: &str) -> String {
        self.styled(AnsiColor::Red.on_default().bold(), word)
    }

    fn styled(self, style: Style, text: &str) -> String {
        match self {
            Self::Plain => text.to_owned(),
            Self::Styled => format!("{style}{text}{style:#}"),
        }
    }

    fn style(self, kind: Kind) -> Style {
        match (self, kind) {
            (Self::Plain, _) | (Self::Styled, Kind::Same) => Style::new(),
            (Self::Styled, Kind::Removed) => AnsiColor::Red.on_default().strikethrough(),
            (Self::Styled, Kind::Added) => AnsiColor::Green.on_default().underline(),
        }
    }

    fn brackets(self, kind: Kind) -> (&'static str, &'static str) {
        match (self, kind) {
            (Self::Styled, _) | (Self::Plain, Kind::Same) => ("", ""),
            (Self::Plain, Kind::Removed) => ("[-", "-]"),
            (Self::Plain, Kind::Added) => ("{+", "+}"),
        }
    }
}

/// The letters of both texts in one, in the order of an edit.
fn edits(old: &str, new: &str, marks: Marks) -> Letters {
    let (old, new) = (terminal(old), terminal(new));
    let diff = TextDiff::from_words(&*old, &*new);
    let mut letters = Letters::new();
    let mut open = Kind::Same;
    for change in diff.iter_all_changes() {
        let kind = match change.tag() {
            ChangeTag::Equal => Kind::Same,
            ChangeTag::Delete => Kind::Removed,
            ChangeTag::Insert => Kind::Added,
        };
        if kind != open {
            push(&mut letters, marks.brackets(open).1, open);
            push(&mut letters, marks.brackets(kind).0, kind);
            open = kind;
        }
        push(&mut letters, change.value(), kind);
    }
    push(&mut letters, marks.brackets(open).1, open);
    letters
}

fn push(letters: &mut Letters, text: &str, kind: Kind) {
    letters.extend(text.chars().map(|letter| (letter, kind)));
}

/// What turns one text into another, on one line of at most `width` columns.
#[must_use]
pub fn line(old: &str, new: &str, width: usize, marks: Marks) -> String {
    let mut letters = edits(old, new, marks);
    for (letter, _) in &mut letters {
        if matches!(letter, '\n' | '\t') {
            *letter = ' ';
        }
    }
    let mut lines = wrap(&letters, width.max(2)).into_iter();
    let mut first = lines.next().unwrap_or_default();
    if lines.next().is_some() {
        while columns_of(&first) + 1 > width.max(2) {
            first.pop();
        }
        first.push(('\u{2026}', Kind::Same));
    }
    styled(&first, marks)
}

/// What turns one text into another, with its line ends.
#[must_use]
pub fn edit(old: &str, new: &str, marks: Marks) -> String {
    let letters = edits(old, new, marks);
    let lines = letters.split(|(letter, _)| *letter == '\n');
    let lines: Vec<String> = lines.map(|line| styled(line, marks)).collect();
    lines.join("\n")
}

/// A text with its heading.
#[derive(Debug, Clone, Copy)]
pub struct Side<'a> {
    /// What it is.
    pub heading: &'a str,
    /// The text.
    pub text: &'a str,
}

/// Two texts beside each other on a screen of this width, what differs marked in each; with a
/// newline at the end.
#[must_use]
pub fn side_by_side(old: Side<'_>, new: Side<'_>, width: usize, marks: Marks) -> String {
    let column = (width.saturating_sub(GAP.chars().count()) / 2).max(8);
    let all = edits(old.text, new.text, marks);
    let only = |other: Kind| -> Letters {
        let kept = all.iter().filter(|(_, kind)| *kind != other);
        kept.copied().collect()
    };
    let plain = |text: &str| -> Letters {
        terminal(text)
            .chars()
            .map(|letter| (letter, Kind::Same))
            .collect()
    };
    let block = |side: Side<'_>, letters: Letters| -> Vec<Letters> {
        let letters = if side.text.is_empty() {
            plain("(empty)")
        } else {
            letters
        };
        let mut lines = wrap(&plain(side.heading), column);
        lines.push(Letters::new());
        lines.extend(wrap(&letters, column));
        lines
    };
    let left = block(old, only(Kind::Added));
    let right = block(new, only(Kind::Removed));
    let none = Letters::new();
    let mut text = String::new();
    for row in 0..left.len().max(right.len()) {
        let (old, new) = (
            left.get(row).unwrap_or(&none),
            right.get(row).unwrap_or(&none),
        );
        let pad = " ".repeat(column.saturating_sub(columns_of(old)));
        let line = format!("{}{pad}{GAP}{}", styled(old, marks), styled(new, marks));
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

fn columns_of(letters: &[(char, Kind)]) -> usize {
    letters
        .iter()
        .map(|(letter, _)| letter.width().unwrap_or(0))
        .sum()
}

/// Breaks letters into lines of at most `width` columns: at line ends, at spaces where there is
/// one, else anywhere.
fn wrap(letters: &[(char, Kind)], width: usize) -> Vec<Letters> {
    let mut lines = Vec::new();
    for paragraph in letters.split(|(letter, _)| *letter == '\n') {
        let mut line = Letters::new();
        for (letter, kind) in paragraph {
            let letter = if *letter == '\t' { ' ' } else { *letter };
            line.push((letter, *kind));
            if columns_of(&line) > width {
                let space = line.iter().rposition(|(letter, _)| *letter == ' ');
                let end = space
                    .filter(|at| *at > 0)
                    .map_or(line.len() - 1, |at| at + 1);
                let rest = line.split_off(end);
                while line.last().is_some_and(|(letter, _)| *letter == ' ') {
                    line.pop();
                }
                lines.push(std::mem::replace(&mut line, rest));
            }
        }
        lines.push(line);
    }
    lines
}

fn styled(letters: &[(char, Kind)], marks: Marks) -> String {
    let mut text = String::new();
    for run in letters.chunk_by(|one, next| one.1 == next.1) {
        let style = run
            .first()
            .map_or(Style::new(), |(_, kind)| marks.style(*kind));
        let run: String = run.iter().map(|(letter, _)| *letter).collect();
        // Writing to a `String` can not fail.
        let _ = write!(text, "{style}{run}{style:#}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sides(old: &str, new: &str, width: usize, marks: Marks) -> String {
        let (old, new) = (
            Side {
                heading: "v7, passed",
                text: old,
            },
            Side {
                heading: "v8, failed",
                text: new,
            },
        );
        side_by_side(old, new, width, marks)
    }

    #[test]
    fn marks_what_went_and_what_came() {
        assert_eq!(
            line("a bug", "a big bug", 80, Marks::Plain),
            "a {+big +}bug"
        );
        let styled = line("old", "new", 80, Marks::Styled);
        assert!(
            styled.contains("\u{1b}[9m") && styled.contains("\u{1b}[4m"),
            "{styled:?}"
        );
        assert_eq!(
            line("x", "x\ny and so on for long", 9, Marks::Plain)
                .chars()
                .count(),
            9
        );
    }

    #[test]
    fn puts_two_answers_side_by_side_within_the_width() {
        let text = sides(
            "billing",
            "Sure! I would file this under billing, as you say.",
            60,
            Marks::Plain,
        );
        assert!(
            text.lines().all(|line| line.chars().count() <= 60),
            "{text}"
        );
        assert!(
            text.starts_with("v7, passed                   \u{2502} v8, failed\n"),
            "{text}"
        );
        assert!(text.contains("{+Sure! I would"), "{text}");
        let wide = sides("\u{8acb}\u{6c42}\u{8acb}\u{6c42}", "bug", 60, Marks::Plain);
        let row = wide.lines().last().unwrap();
        let (left, _) = row.split_once('\u{2502}').unwrap();
        assert_eq!(unicode_width::UnicodeWidthStr::width(left), 29, "{row}");
    }

    #[test]
    fn shows_hostile_text_and_breaks_long_words() {
        let text = sides(
            "",
            &format!("\u{1b}[31m\u{202e}{}", "x".repeat(90)),
            60,
            Marks::Plain,
        );
        assert!(
            !text.contains(['\u{1b}', '\u{202e}']) && text.contains("(empty)"),
            "{text}"
        );
        assert!(
            text.lines().all(|line| line.chars().count() <= 60),
            "{text}"
        );
    }
}
