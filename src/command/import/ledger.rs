//! What became of a peer's file: each part is carried over, carried over with another meaning, or
//! dropped, with the place where it stands and why.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::base::{Node, Source, Span, text};

/// What became of a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fate {
    /// It is there and means something else.
    Changed,
    /// It is not there.
    Dropped,
}

/// Where something stands in a peer's file.
#[derive(Debug, Clone)]
pub struct Place {
    /// The file.
    pub source: Arc<Source>,
    /// The part of it.
    pub span: Span,
}

impl Place {
    /// The place of a value.
    #[must_use]
    pub fn of(source: &Arc<Source>, node: &Node) -> Self {
        Self {
            source: Arc::clone(source),
            span: node.span,
        }
    }

    /// File, line and column.
    #[must_use]
    pub fn position(&self) -> (&str, usize, usize) {
        let (line, column) = self.source.position(self.span.start);
        (&self.source.name, line, column)
    }
}

/// A part that was not carried over as it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// The file.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1.
    pub column: usize,
    /// What became of it.
    pub fate: Fate,
    /// The part.
    pub what: String,
    /// Why, and what to do.
    pub why: String,
}

impl Finding {
    /// The finding on one line, safe to print.
    #[must_use]
    pub fn line(&self) -> String {
        let (file, what) = (
            text::visible_line(&self.file),
            text::visible_line(&self.what),
        );
        let why = text::visible_line(&self.why);
        format!("{file}:{}:{}: {what}: {why}", self.line, self.column)
    }
}

/// A file, a line and a column.
type Position = (String, usize, usize);

/// All that an import says about what it did.
#[derive(Debug, Default)]
pub struct Ledger {
    findings: BTreeSet<Finding>,
    carried: BTreeMap<&'static str, BTreeSet<Position>>,
}

impl Ledger {
    /// Notes that a part was carried over with its meaning.
    pub fn carried(&mut self, kind: &'static str, place: &Place) {
        let (file, line, column) = place.position();
        let at = (file.to_owned(), line, column);
        self.carried.entry(kind).or_default().insert(at);
    }

    /// Notes that a part means something else now.
    pub fn changed(&mut self, place: &Place, what: impl Into<String>, why: impl Into<String>) {
        self.note(Fate::Changed, place, what.into(), why.into());
    }

    /// Notes that a part is not carried over.
    pub fn dropped(&mut self, place: &Place, what: impl Into<String>, why: impl Into<String>) {
        self.note(Fate::Dropped, place, what.into(), why.into());
    }

    fn note(&mut self, fate: Fate, place: &Place, what: String, why: String) {
        let (file, line, column) = place.position();
        self.findings.insert(Finding {
            file: file.to_owned(),
            line,
            column,
            fate,
            what,
            why,
        });
    }

    /// The findings of one fate, by place.
    pub fn of(&self, fate: Fate) -> impl Iterator<Item = &Finding> {
        self.findings
            .iter()
            .filter(move |finding| finding.fate == fate)
    }

    /// How many parts of each kind were carried over.
    pub fn counts(&self) -> impl Iterator<Item = (&'static str, usize)> {
        self.carried
            .iter()
            .map(|(kind, places)| (*kind, places.len()))
    }

    /// Whether something was dropped.
    #[must_use]
    pub fn has_drops(&self) -> bool {
        self.of(Fate::Dropped).next().is_some()
    }
}
