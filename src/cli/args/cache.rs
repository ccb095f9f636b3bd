//! Arguments of `gate cache`.

use clap::Subcommand;

/// `gate cache`.
#[derive(Debug, Subcommand)]
pub enum CacheCommand {
    /// Count what the cache holds.
    Stats,
    /// Drop what is old, replaced or damaged.
    Prune {
        /// Drop answers older than this, such as 30d.
        #[arg(long, value_name = "TIME")]
        older_than: Option<String>,
        /// Keep at most so many MiB, the newest.
        #[arg(long, value_name = "MIB")]
        max_size: Option<u64>,
    },
}
