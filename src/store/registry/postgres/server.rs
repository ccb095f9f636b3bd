//! For tests: databases of their own on the server that `GATE_TEST_POSTGRES` names; `.ci/postgres`
//! starts one.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio_postgres::{Config, NoTls, SimpleQueryMessage};

use super::PostgresRegistry;
use crate::store::registry::{Address, Backend as _};

/// A database that goes with the test.
pub(crate) struct Database {
    server: Address,
    name: String,
}

/// A new database with an empty registry; none, said loudly, where there is no server.
pub(crate) fn database() -> Option<Database> {
    let empty = empty()?;
    empty.registry("postgres").migrate().unwrap();
    Some(empty)
}

/// A new database without a registry.
#[expect(
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "a test is told of its server by the environment, and says that it was skipped"
)]
pub(crate) fn empty() -> Option<Database> {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let Ok(server) = std::env::var("GATE_TEST_POSTGRES") else {
        eprintln!("SKIPPED: GATE_TEST_POSTGRES names no server; run `.ci/postgres cargo test`");
        return None;
    };
    let server = Address::parse(&server).unwrap();
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let name = format!("unit_{}_{number}", std::process::id());
    let database = Database { server, name };
    let create = format!("CREATE DATABASE {} TEMPLATE template0", database.name);
    ask(&database.server, "postgres", "postgres", &create).unwrap();
    Some(database)
}

impl Database {
    /// The registry, opened by a user.
    pub(crate) fn registry(&self, user: &str) -> PostgresRegistry {
        PostgresRegistry::new(self.address(), user.to_owned(), None, Arc::default())
    }

    /// The address of the database.
    pub(crate) fn address(&self) -> Address {
        let host = self.server.host.replace('/', "%2F");
        let text = format!("postgres://{host}:{}/{}", self.server.port, self.name);
        Address::parse(&text).unwrap()
    }

    /// A login that has a role.
    pub(crate) fn login(&self, role: &str) -> String {
        let user = format!("{role}_{}", self.name);
        self.sql(&format!("CREATE ROLE {user} LOGIN; GRANT {role} TO {user}"));
        user
    }

    /// What the server's owner gets for statements: the first column of each row.
    pub(crate) fn sql(&self, statements: &str) -> Vec<String> {
        self.sql_as("postgres", statements).unwrap()
    }

    /// What a user gets for statements, or why not.
    pub(crate) fn sql_as(&self, user: &str, statements: &str) -> Result<Vec<String>, String> {
        ask(&self.server, &self.name, user, statements)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let drop = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        let _ = ask(&self.server, "postgres", "postgres", &drop);
    }
}

fn ask(
    server: &Address,
    database: &str,
    user: &str,
    statements: &str,
) -> Result<Vec<String>, String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut config = Config::new();
        config.host(&server.host).port(server.port);
        let config = config.user(user).dbname(database);
        let (client, connection) = config.connect(NoTls).await.unwrap();
        let mut driver = tokio::task::JoinSet::new();
        driver.spawn(async move { connection.await.unwrap_or_default() });
        let answer = client.simple_query(statements).await;
        let rows = answer.map_err(|error| match error.as_db_error() {
            Some(said) => said.message().to_owned(),
            None => error.to_string(),
        })?;
        let first = |row: SimpleQueryMessage| match row {
            SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
            _ => None,
        };
        Ok(rows.into_iter().filter_map(first).collect())
    })
}
