//! `gate import`: files of other tools become a project of ours, with a ledger of what was carried
//! over, what means something else now, and what was dropped.

mod assertion;
mod computed;
mod config;
mod csv_tests;
mod derived;
mod emit;
mod evals;
mod expected;
mod files;
mod http_body;
mod http_form;
mod http_key;
mod javascript;
mod judging;
mod kinds;
mod ledger;
mod lint;
mod merged;
mod models;
mod names;
mod needs;
mod nunjucks;
mod params;
mod pattern;
mod project;
mod prompts;
mod raw_request;
mod reply_path;
mod results;
mod scripts;
mod suite;
mod tests_of;
mod token;
mod types;
mod variables;
mod written;

pub use evals::{Evals, Samples, Template, evals};
pub use ledger::{Fate, Finding, Ledger, Place};
pub use lint::lint;
pub use needs::Needs;
pub use project::{Imported, Wanted, convert};
pub use results::{Recorded, results};
