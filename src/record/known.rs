//! Numbers that may be unknown, in no more space than the number takes: a run keeps several of them
//! for each of its trials.

/// A count that may be unknown, as one is that no call can reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count(u32);

/// An amount that may be unknown.
#[derive(Debug, Clone, Copy)]
pub struct Amount(f64);

/// Stands for an unknown count; no call has so many tokens.
const UNKNOWN: u32 = u32::MAX;

impl Count {
    /// The count, where it is known.
    #[must_use]
    pub fn get(self) -> Option<u64> {
        (self.0 != UNKNOWN).then_some(u64::from(self.0))
    }
}

impl Default for Count {
    fn default() -> Self {
        Self(UNKNOWN)
    }
}

impl From<Option<u64>> for Count {
    fn from(count: Option<u64>) -> Self {
        let count = count.and_then(|count| u32::try_from(count).ok());
        Self(count.unwrap_or(UNKNOWN))
    }
}

impl Amount {
    /// The amount, where it is known.
    #[must_use]
    pub fn get(self) -> Option<f64> {
        (!self.0.is_nan()).then_some(self.0)
    }
}

impl Default for Amount {
    fn default() -> Self {
        Self(f64::NAN)
    }
}

impl PartialEq for Amount {
    fn eq(&self, other: &Self) -> bool {
        self.get() == other.get()
    }
}

impl From<Option<f64>> for Amount {
    fn from(amount: Option<f64>) -> Self {
        Self(amount.unwrap_or(f64::NAN))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_comes_back_and_what_is_not_does_not() {
        for count in [None, Some(0), Some(7), Some(4_294_967_294)] {
            assert_eq!(Count::from(count).get(), count);
        }
        assert_eq!(Count::from(Some(u64::from(u32::MAX))).get(), None);
        for amount in [None, Some(0.0), Some(-1.5), Some(f64::MAX)] {
            assert_eq!(Amount::from(amount).get(), amount);
        }
        assert_eq!(
            (Count::default().get(), Amount::default().get()),
            (None, None)
        );
        assert_eq!(Amount::default(), Amount::from(None));
    }
}
