//! The file system's one owner: paths that stay in the project, atomic writes, locks, and what is
//! kept in files.

pub mod cache;
pub mod fs;
pub mod git;
pub mod lock;
pub mod path;
pub mod registry;
pub mod runs;

pub use fs::FsError;
pub use lock::{Lock, LockError};
pub use path::{PathError, ProjectRoot};
