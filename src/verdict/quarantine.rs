//! How much of a suite may be kept out of its gate as flaky (`flaky: quarantine`): the share that is
//! warned of, and the share above which nothing passes. The bounds are ours, chosen so that a gate
//! can not be emptied case by case.

use crate::analysis::CaseTable;
use crate::base::text;

/// One part in so many is worth a warning: 5 %.
const WARNED: u64 = 20;

/// Above one part in so many nothing passes: 20 %.
const MOST: u64 = 5;

/// How many cases of how many are quarantined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Quarantine {
    /// Quarantined cases.
    pub cases: u64,
    /// All cases.
    pub of: u64,
}

impl Quarantine {
    /// The quarantine of a table.
    #[must_use]
    pub fn of_table(table: &CaseTable<'_>) -> Self {
        let held_out = table.rows.iter().filter(|row| row.is_held_out());
        Self {
            cases: held_out.count() as u64,
            of: table.rows.len() as u64,
        }
    }

    /// Whether an author should hear of it.
    #[must_use]
    pub fn is_large(self) -> bool {
        self.cases * WARNED > self.of
    }

    /// Whether so little is left that nothing may pass.
    #[must_use]
    pub fn is_too_large(self) -> bool {
        self.cases * MOST > self.of
    }

    /// `30 of 100 cases are quarantined`.
    #[must_use]
    pub fn phrase(self) -> String {
        let thousands = |count| text::thousands(usize::try_from(count).unwrap_or(usize::MAX));
        let are = if self.cases == 1 { "is" } else { "are" };
        let noun = if self.of == 1 { "case" } else { "cases" };
        format!(
            "{} of {} {noun} {are} quarantined",
            thousands(self.cases),
            thousands(self.of)
        )
    }
}
