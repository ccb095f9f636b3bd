//! End-to-end tests: the binary as a user runs it, in a project of its own, against the mock and
//! against an HTTP server on loopback.

#![expect(
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::unwrap_used,
    clippy::print_stderr,
    clippy::disallowed_methods,
    clippy::format_collect,
    reason = "a test may panic, say that it was skipped, and a server of a test may wait"
)]

mod ab;
mod authority;
mod bad_input;
mod batch;
mod bedrock;
mod bureau;
mod calibrate;
mod calibrate_pairs;
mod comment;
mod compare;
mod decide;
mod definition;
mod demo;
#[cfg(target_os = "linux")]
mod disk;
mod drift;
mod faults;
mod http_form;
mod first_use;
mod guide;
mod import;
mod import_http;
mod init;
mod inspect;
mod langfuse;
mod judge;
mod live;
mod matrix;
mod models;
mod money;
mod picture;
mod planning;
mod postgres;
#[cfg(all(feature = "postgres", target_os = "linux"))]
mod postgres_tls;
mod quarantine;
mod reference;
mod registry;
mod replies;
mod reports;
mod rescore;
mod resume;
mod sandbox;
mod scorers;
mod scripts;
mod server;
mod similar;
mod stopping;
mod storm;
mod tenants;
mod tls;
mod versions;
