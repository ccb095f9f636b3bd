//! Shards: a run split over machines by the hash of the case id, so that each machine knows its
//! part without asking the others.

use std::str::FromStr;

use crate::base::Digest;

/// Part `index` of `count`, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    index: u32,
    count: u32,
}

/// Why a text is no shard.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a shard such as 2/5: part 2 of 5")]
pub struct ShardError(String);

impl Shard {
    /// Which part, from 1.
    #[must_use]
    pub fn index(&self) -> u32 {
        self.index
    }

    /// Of how many.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.count
    }

    /// Whether a case belongs to this part.
    #[must_use]
    pub fn contains(&self, case_id: &str) -> bool {
        let hash = Digest::of_bytes(case_id.as_bytes()).leading_u64();
        hash % u64::from(self.count) == u64::from(self.index - 1)
    }
}

impl FromStr for Shard {
    type Err = ShardError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || ShardError(text.to_owned());
        let (index, count) = text.split_once('/').ok_or_else(error)?;
        let index: u32 = index.trim().parse().map_err(|_| error())?;
        let count: u32 = count.trim().parse().map_err(|_| error())?;
        if index == 0 || index > count {
            return Err(error());
        }
        Ok(Self { index, count })
    }
}

impl std::fmt::Display for Shard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.index, self.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_case_belongs_to_one_part() {
        let shards: Vec<Shard> = (1..=3).map(|k| format!("{k}/3").parse().unwrap()).collect();
        for case in 0..200 {
            let id = format!("case-{case}");
            assert_eq!(shards.iter().filter(|shard| shard.contains(&id)).count(), 1);
        }
        for bad in ["0/3", "4/3", "3", "a/b", "1/0", ""] {
            assert!(bad.parse::<Shard>().is_err(), "{bad}");
        }
    }
}
