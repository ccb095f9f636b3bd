//! The schema `gate` of the database: whether it is there, in which format, and how it is made.

use tokio_postgres::{Client, Error};

/// The format that this program reads and writes.
pub(super) const VERSION: i32 = 1;

/// The whole schema. The server runs a text of several statements as one transaction.
const SCHEMA: &str = include_str!("schema.sql");

/// Whether the database holds a registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// It does not.
    Absent,
    /// It does, in the format of this program.
    Present,
}

impl Format {
    /// What a database's format number means.
    pub(super) fn of(found: Option<i32>) -> Result<Self, i32> {
        match found {
            None => Ok(Self::Absent),
            Some(VERSION) => Ok(Self::Present),
            Some(other) => Err(other),
        }
    }
}

/// The format number of the database's registry; none where there is none.
pub(super) async fn found(client: &Client) -> Result<Option<i32>, Error> {
    let there = "SELECT to_regclass('gate.format') IS NOT NULL";
    if !client.query_one(there, &[]).await?.try_get::<_, bool>(0)? {
        return Ok(None);
    }
    let row = client
        .query_one("SELECT version FROM gate.format", &[])
        .await?;
    Ok(Some(row.try_get(0)?))
}

/// How often the schema is tried: roles belong to the server, so others may make them just now.
const TRIES: u32 = 5;
/// What the server says where two make one thing: unique violation, duplicate object, duplicate
/// schema, and a row that was changed meanwhile.
const MEANWHILE: [&str; 4] = ["23505", "42710", "42P06", "XX000"];

/// Makes the schema; false where somebody else made it at the same time.
pub(super) async fn create(client: &Client) -> Result<bool, Error> {
    let mut tries = 1;
    loop {
        let Err(error) = client.batch_execute(SCHEMA).await else {
            return Ok(true);
        };
        if let Ok(Some(VERSION)) = found(client).await {
            return Ok(false);
        }
        let code = error.code().map(tokio_postgres::error::SqlState::code);
        if tries == TRIES || !code.is_some_and(|code| MEANWHILE.contains(&code)) {
            return Err(error);
        }
        tries += 1;
    }
}
