//! `gate cache`: what the response cache holds, and clearing it up.

use std::time::Duration;

use super::error::CommandError;
use super::project::Project;
use crate::base::{RunId, Timestamp};
use crate::store::cache::{self, CacheStats, Pruned};

/// Counts what the cache holds.
///
/// # Errors
/// When it can not be read.
pub fn stats(project: &Project) -> Result<CacheStats, CommandError> {
    Ok(cache::stats(&project.state)?)
}

/// Rewrites the cache without entries that are too old, replaced or damaged, and within a size.
///
/// # Errors
/// When it can not be written.
pub fn prune(
    project: &Project,
    older_than: Option<Duration>,
    max_bytes: Option<u64>,
) -> Result<Pruned, CommandError> {
    let now = project.clock.now();
    let limit = older_than.map(|age| {
        let age = u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
        Timestamp::from_millis(i64::try_from(now.as_millis().saturating_sub(age)).unwrap_or(0))
    });
    let name = RunId::new(now, &[0; 10]);
    Ok(cache::prune(
        &project.state,
        limit,
        max_bytes,
        name.as_str(),
    )?)
}
