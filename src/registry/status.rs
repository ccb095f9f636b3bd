//! The statuses of a version, in the order in which it goes through them.

/// How far a version has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    /// Written, and nothing more.
    Draft,
    /// Being tried.
    Testing,
    /// `stable` points to it.
    Active,
    /// Replaced, or withdrawn.
    Deprecated,
}

impl Status {
    /// Every status, in order.
    pub const ALL: [Self; 4] = [Self::Draft, Self::Testing, Self::Active, Self::Deprecated];

    /// The status as a word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Testing => "testing",
            Self::Active => "active",
            Self::Deprecated => "deprecated",
        }
    }
}
