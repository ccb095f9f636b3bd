//! One file a subcommand: wires the file system, git, models and the clock to the pure code above,
//! and returns data. Nothing here prints or exits.

pub mod ab;
pub mod batch;
pub mod cache;
pub mod calibrate;
pub mod comment;
pub mod compare;
pub mod dataset;
pub mod definition;
pub mod drift;
pub mod dryrun;
pub mod decide;
pub mod early;
pub mod endpoints;
pub mod error;
pub mod failed;
pub mod import;
pub mod init;
pub mod judges;
pub mod langfuse;
pub mod lint;
pub mod matrix;
pub mod merge;
pub mod next;
pub mod outcome;
pub mod overview;
pub mod power;
pub mod prepare;
pub mod project;
pub mod prompt;
pub mod registry;
pub mod report;
pub mod resume;
pub mod run;
pub mod scaffold;
pub mod schema;
pub mod selfcheck;
pub mod simulate;
pub mod selection;
pub mod show;
pub mod suites;
pub mod tenants;
pub mod versions;

pub use error::CommandError;
pub use outcome::{Outcome, SuiteRun, Texts};
pub use project::{Permissions, Project, Surroundings};
