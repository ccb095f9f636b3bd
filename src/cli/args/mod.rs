//! The command line: one file for each family of commands.

mod cache;
mod calibrate;
mod drift;
mod gate;
mod import;
mod init;
mod prompt;
mod rescore;
mod root;
mod statistics;

pub use cache::CacheCommand;
pub use calibrate::CalibrateArgs;
pub use drift::DriftArgs;
pub use gate::{
    CompareArgs, GateArgs, HowArgs, LintArgs, MergeArgs, PermissionArgs, ReportArgs, ReportFiles,
    RunArgs, SelectArgs, ShowArgs, SuiteArgs,
};
pub use import::{ImportArgs, ImportCommand, OpenaiEvalsArgs, PromptfooArgs, ResultsArgs};
pub use init::InitArgs;
pub use prompt::{ActorArgs, PromptArgs, PromptCommand};
pub use rescore::RescoreArgs;
pub use root::{Cli, Command, Global, Stop, description, parse};
pub use statistics::{AbArgs, DecideArgs, PowerArgs, RiskArgs, SimulateArgs};
