//! `gate cache`: what the response cache holds, and clearing it up.

use std::time::Duration;

use super::error::CommandError;
use super::project::Project;
use crate::base::{RunId, Timestamp};
use crate::store::cache::{self, CacheStats, Limits, Pruned};

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
    let (limits, name) = limits(project, older_than, max_bytes);
    Ok(cache::prune(&project.state, limits, name.as_str())?)
}

/// Keeps the cache within the settings' limits; a message where something went.
///
/// # Errors
/// When it can not be written.
pub fn keep_within_settings(project: &Project) -> Result<Option<String>, CommandError> {
    let settings = &project.settings;
    let max_bytes = settings
        .cache_max_size
        .map(|size| size.saturating_mul(1 << 20));
    let (limits, name) = limits(project, settings.cache_max_age, max_bytes);
    let freed = cache::keep_within(&project.state, limits, name.as_str())?;
    let mib = freed as f64 / 1_048_576.0;
    Ok((freed > 0).then(|| format!("cache: {mib:.1} MiB of the oldest answers were dropped")))
}

fn limits(project: &Project, max_age: Option<Duration>, max_bytes: Option<u64>) -> (Limits, RunId) {
    let now = project.clock.now();
    let not_before = max_age.map(|age| {
        let age = u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
        Timestamp::from_millis(i64::try_from(now.as_millis().saturating_sub(age)).unwrap_or(0))
    });
    let limits = Limits {
        not_before,
        max_bytes,
    };
    (limits, RunId::new(now, &[0; 10]))
}
