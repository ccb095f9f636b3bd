//! The PostgreSQL backend: tables that are only added to, functions that decide by role who may move
//! a channel, and the plain table `gate.live` that an application reads.

mod backend;
mod connection;
mod schema;
#[cfg(test)]
pub(super) mod server;

#[cfg(test)]
pub(super) use backend::BY_CHANNEL;
pub use backend::PostgresRegistry;
