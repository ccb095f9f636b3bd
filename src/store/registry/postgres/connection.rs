//! One connection, made when it is first needed. The registry's trait blocks, as reading files does:
//! a call runs the connection on a thread of its own until the answer is there.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;
use tokio_postgres::config::SslMode;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Config, Error, NoTls, Row};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::schema::{self, Format};
use crate::http::{self, HttpError, Roots, Secret};
use crate::store::registry::RegistryError;
use crate::store::registry::address::Address;

/// How long the server may take to accept a connection.
const PATIENCE: Duration = Duration::from_secs(10);
/// Raised by the server where another change came first.
pub(super) const OVERTAKEN: &str = "GT001";

/// How the library's errors of a handshake begin; their kind is not public.
const HANDSHAKE: &str = "error performing TLS handshake";

type Parameters<'a> = &'a [&'a (dyn ToSql + Sync)];

/// A registry's server.
pub(super) struct Connection {
    pub(super) address: Address,
    user: String,
    password: Option<Secret>,
    roots: Arc<Roots>,
    session: Mutex<Option<Session>>,
}

/// An open connection.
struct Session {
    /// Taken where the session ends: a runtime may not be dropped where others run.
    runtime: Option<Runtime>,
    client: Client,
    driver: JoinSet<()>,
    format: Format,
}

impl Drop for Session {
    fn drop(&mut self) {
        self.driver.abort_all();
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

type Answer<T> = Result<T, Fault>;

impl Connection {
    pub(super) fn new(
        address: Address,
        user: String,
        password: Option<Secret>,
        roots: Arc<Roots>,
    ) -> Self {
        Self {
            address,
            user,
            password,
            roots,
            session: Mutex::new(None),
        }
    }

    /// The rows of a query; none where the database holds no registry yet.
    pub(super) fn rows(
        &self,
        doing: &'static str,
        sql: &str,
        parameters: Parameters<'_>,
    ) -> Result<Vec<Row>, RegistryError> {
        self.with(doing, |session| {
            if session.format == Format::Absent {
                return Ok(Vec::new());
            }
            session.wait(|client| client.query(sql, parameters))
        })
    }

    /// Carries out a statement, in a registry that is made where there is none.
    pub(super) fn change(
        &self,
        doing: &'static str,
        sql: &str,
        parameters: Parameters<'_>,
    ) -> Result<(), RegistryError> {
        self.migrate()?;
        self.with(doing, |session| {
            session
                .wait(|client| client.execute(sql, parameters))
                .map(|_| ())
        })
    }

    /// Makes the schema where there is none; whether there was none.
    pub(super) fn migrate(&self) -> Result<bool, RegistryError> {
        self.with("create the registry", |session| {
            if session.format == Format::Present {
                return Ok(false);
            }
            let made = session.wait(schema::create)?;
            session.format = Format::Present;
            Ok(made)
        })
    }

    fn with<T>(
        &self,
        doing: &'static str,
        work: impl FnOnce(&mut Session) -> Answer<T>,
    ) -> Result<T, RegistryError> {
        let mut held = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        if held.as_ref().is_none_or(|open| open.client.is_closed()) {
            *held = Some(self.open()?);
        }
        let done = match held.as_mut() {
            Some(session) => work(session),
            None => Err(Fault::Undriven),
        };
        done.map_err(|fault| self.failed(doing, fault))
    }

    fn open(&self) -> Result<Session, RegistryError> {
        let runtime = Builder::new_current_thread().enable_all().build();
        let doing = "connect";
        let runtime = runtime.map_err(|_| self.failed(doing, Fault::Undriven))?;
        let mut driver = JoinSet::new();
        let config = self.config();
        let remote = (!self.address.is_local()).then_some(&*self.roots);
        let connecting = connect(&config, remote, &mut driver);
        let client = block(&runtime, connecting);
        let client = client.map_err(|fault| self.failed(doing, fault))?;
        let mut session = Session {
            runtime: Some(runtime),
            client,
            driver,
            format: Format::Absent,
        };
        let found = session.wait(schema::found);
        let found = found.map_err(|error| self.failed("read the registry", error))?;
        session.format = Format::of(found).map_err(|found| RegistryError::Format {
            address: self.address.to_string(),
            found,
            known: schema::VERSION,
        })?;
        Ok(session)
    }

    fn config(&self) -> Config {
        let mut config = Config::new();
        config
            .application_name("gate")
            .host(&self.address.host)
            .port(self.address.port)
            .user(&self.user)
            .dbname(&self.address.database)
            .connect_timeout(PATIENCE)
            // On this machine there is nobody between; elsewhere the server proves who it is.
            .ssl_mode(if self.address.is_local() {
                SslMode::Disable
            } else {
                SslMode::Require
            });
        if let Some(password) = &self.password {
            config.password(password.expose());
        }
        config
    }

    fn failed(&self, doing: &'static str, fault: Fault) -> RegistryError {
        let address = self.address.to_string();
        let unreachable = |address, source: &str| RegistryError::Database {
            doing,
            address,
            source: source.into(),
        };
        let error = match fault {
            Fault::Said(error) => error,
            Fault::NoRoots(error) => {
                return RegistryError::Untrusted {
                    address,
                    detail: error.to_string(),
                };
            }
            Fault::Undriven => return unreachable(address, "the connection could not be driven"),
        };
        if error.to_string().starts_with(HANDSHAKE) {
            let detail = http::mistrust(&error);
            return RegistryError::Untrusted { address, detail };
        }
        let Some(said) = error.as_db_error() else {
            let source = Box::new(error);
            return RegistryError::Database {
                doing,
                address,
                source,
            };
        };
        let message = said.message().to_owned();
        match said.code().code() {
            OVERTAKEN => RegistryError::OvertakenThere { address },
            // Insufficient privilege, and what a login is refused for.
            "42501" | "28000" | "28P01" => RegistryError::Denied {
                doing,
                address,
                message,
            },
            _ => unreachable(address, &message),
        }
    }
}

impl Session {
    fn wait<'a, F, T>(&'a self, ask: impl FnOnce(&'a Client) -> F) -> Answer<T>
    where
        F: Future<Output = Result<T, Error>> + Send,
        T: Send,
    {
        let runtime = self.runtime.as_ref().ok_or(Fault::Undriven)?;
        block(runtime, ask(&self.client)).map_err(Fault::Said)
    }
}

/// Why there is no answer.
enum Fault {
    /// The server, or the way to it, said so.
    Said(Error),
    /// No server proves who it is without roots.
    NoRoots(HttpError),
    /// The connection could not be driven.
    Undriven,
}

/// Connects; with another machine, which is to prove who it is to the roots.
async fn connect(
    config: &Config,
    remote: Option<&Roots>,
    driver: &mut JoinSet<()>,
) -> Answer<Client> {
    let Some(roots) = remote else {
        let (client, connection) = config.connect(NoTls).await.map_err(Fault::Said)?;
        // What ends a connection is said by the next call on it.
        driver.spawn(async move { connection.await.unwrap_or_default() });
        return Ok(client);
    };
    let tls = MakeRustlsConnect::new(roots.encryption().map_err(Fault::NoRoots)?);
    let (client, connection) = config.connect(tls).await.map_err(Fault::Said)?;
    driver.spawn(async move { connection.await.unwrap_or_default() });
    Ok(client)
}

/// Runs a future to its end on a thread of its own: where others run, no runtime may block.
fn block<F>(runtime: &Runtime, future: F) -> F::Output
where
    F: Future + Send,
    F::Output: Send,
{
    std::thread::scope(
        |scope| match scope.spawn(|| runtime.block_on(future)).join() {
            Ok(output) => output,
            Err(panic) => std::panic::resume_unwind(panic),
        },
    )
}
