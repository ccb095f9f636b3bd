//! The address of a PostgreSQL registry, `postgres://user@host:port/database`, read strictly: no
//! password, since files that hold the address are shared, and no query, which could name another
//! host. The host may be a socket's folder, percent-encoded: `postgres://me@%2Frun%2Fpostgresql/db`.

use std::fmt;

use crate::base::text;
use crate::http;

/// The port of a server that names none.
const PORT: u16 = 5432;

/// Where a PostgreSQL registry is, and as whom to connect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    text: String,
    /// The database's user; none where the address names none.
    pub user: Option<String>,
    /// The host, or the folder of a socket.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The database.
    pub database: String,
}

/// Why a text is no address of a registry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// It is for another kind of store.
    #[error("`{}://` is no registry", text::visible_line(found))]
    Scheme {
        /// The scheme.
        found: String,
    },
    /// It holds a password.
    #[error(
        "the registry's address for host `{}` holds a password",
        text::visible_line(host)
    )]
    Password {
        /// The host.
        host: String,
    },
    /// It holds a query or a fragment.
    #[error("the registry's address holds `{0}`, and nothing may follow the database's name")]
    Excess(char),
    /// A part is missing or has a character that it may not have.
    #[error("the registry's address has no valid {part}")]
    Part {
        /// Which part.
        part: &'static str,
    },
}

impl AddressError {
    /// What to do.
    #[must_use]
    pub fn help(&self) -> &'static str {
        match self {
            Self::Password { .. } => {
                "take it out, change it where it was shared, and set PGPASSWORD in the environment"
            }
            Self::Scheme { .. } => "name a folder of the project, or postgres://user@host/database",
            Self::Excess(_) | Self::Part { .. } => "write postgres://user@host:port/database",
        }
    }
}

/// Whether a registry is named by an address, and not by a folder.
#[must_use]
pub fn is_address(location: &str) -> bool {
    location.contains("://")
}

impl Address {
    /// Reads an address.
    ///
    /// # Errors
    /// When it is of another form, or holds a password.
    pub fn parse(location: &str) -> Result<Self, AddressError> {
        let (scheme, rest) = location.split_once("://").unwrap_or(("", location));
        if !matches!(scheme, "postgres" | "postgresql") {
            return Err(AddressError::Scheme {
                found: scheme.to_owned(),
            });
        }
        // The last `@` ends the user, so that a password with one in it is seen whole.
        let (user, place) = match rest.rsplit_once('@') {
            Some((user, place)) => (Some(user), place),
            None => (None, rest),
        };
        let (server, database) = place.split_once('/').unwrap_or((place, ""));
        if user.is_some_and(|user| user.contains(':')) {
            return Err(AddressError::Password {
                host: server.to_owned(),
            });
        }
        if let Some(excess) = rest.chars().find(|c| matches!(c, '?' | '#')) {
            return Err(AddressError::Excess(excess));
        }
        let (host, port) = split_port(server)?;
        let user = user.map(|user| part("user", user)).transpose()?;
        let host = part("host", host)?;
        let database = part("database", database)?;
        Ok(Self {
            text: format!("postgres://{}", rest.trim_end_matches('/')),
            user,
            host,
            port,
            database,
        })
    }

    /// Whether the server is this machine.
    #[must_use]
    pub fn is_local(&self) -> bool {
        self.host.starts_with('/') || http::is_loopback(&self.host)
    }

    /// Whether the owner allows the server: this machine always, another by `host` or `host:port`.
    #[must_use]
    pub fn is_allowed(&self, allowed: &[String]) -> bool {
        let mut allowed = allowed.iter();
        self.is_local() || allowed.any(|entry| http::allows(entry, &self.host, Some(self.port)))
    }

    /// The address as text, without anything that is secret.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn split_port(server: &str) -> Result<(&str, u16), AddressError> {
    let invalid = AddressError::Part { part: "port" };
    if server.ends_with(']') {
        return Ok((server, PORT));
    }
    match server.rsplit_once(':') {
        None => Ok((server, PORT)),
        Some((host, digits)) => {
            let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
            let port = digits.parse().ok().filter(|port| plain && *port > 0);
            Ok((host, port.ok_or(invalid)?))
        }
    }
}

/// A part with its percent-encoding taken away; letters, digits and a few signs, nothing that could
/// be taken for another part.
fn part(name: &'static str, written: &str) -> Result<String, AddressError> {
    let invalid = AddressError::Part { part: name };
    let mut bytes = Vec::new();
    let mut rest = written.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(if byte == b'%' {
            let digits = [rest.next().unwrap_or(0), rest.next().unwrap_or(0)];
            let digits = std::str::from_utf8(&digits).unwrap_or_default();
            let is_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
            let decoded = u8::from_str_radix(digits, 16).ok().filter(|_| is_hex);
            decoded.ok_or_else(|| invalid.clone())?
        } else {
            byte
        });
    }
    let decoded = String::from_utf8(bytes).map_err(|_| invalid.clone())?;
    let is_folder = name == "host" && decoded.starts_with('/');
    let is_plain = |c: char| {
        c.is_ascii_alphanumeric()
            || matches!(c, '-' | '_' | '.')
            || (name == "host" && matches!(c, '[' | ']' | ':'))
            || (is_folder && c == '/')
    };
    if decoded.is_empty() || !decoded.chars().all(is_plain) {
        return Err(invalid);
    }
    Ok(decoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_user_host_port_and_database() {
        let address = Address::parse("postgres://gate@db.example.com:6000/prompts").unwrap();
        assert_eq!(address.user.as_deref(), Some("gate"));
        assert_eq!(
            (address.host.as_str(), address.port),
            ("db.example.com", 6000)
        );
        assert_eq!(address.database, "prompts");
        assert!(!address.is_local());
        let socket = Address::parse("postgresql://%2Frun%2Fpostgresql/prompts").unwrap();
        assert_eq!(
            (socket.host.as_str(), socket.user.as_deref()),
            ("/run/postgresql", None)
        );
        assert!(socket.is_local());
        assert!(Address::parse("postgres://me@[::1]/db").unwrap().is_local());
    }

    #[test]
    fn refuses_a_password_and_does_not_repeat_it() {
        for bad in [
            "postgres://me:hunter2@db/prompts",
            "postgres://me:hun@ter2@db/prompts",
            "postgres://:hunter2@db/prompts",
            "postgres://me:hunter2@db/prompts?x=1",
        ] {
            let error = Address::parse(bad).unwrap_err();
            assert!(matches!(error, AddressError::Password { .. }), "{bad}");
            assert!(!error.to_string().contains("hun"), "{error}");
        }
    }

    #[test]
    fn refuses_what_could_lead_elsewhere() {
        for bad in [
            "postgres://me@db/prompts?host=evil",
            "postgres://me@db/prompts#x",
            "postgres://me@db,evil/prompts",
            "postgres://me@db/",
            "postgres://me@/db",
            "postgres://me@db:0/x",
            "postgres://me@db:+1/x",
            "postgres://me@db/a/b",
            "postgres://me@db/%00",
            "postgres://me@db/%zz",
            "mysql://me@db/x",
            "postgres://me@db\n/x",
        ] {
            assert!(Address::parse(bad).is_err(), "{bad:?} was accepted");
        }
    }

    #[test]
    fn another_machine_needs_the_owners_permission() {
        let address = Address::parse("postgres://me@db.example.com/prompts").unwrap();
        assert!(!address.is_allowed(&[]));
        assert!(!address.is_allowed(&["example.com".to_owned()]));
        assert!(!address.is_allowed(&["db.example.com:9".to_owned()]));
        assert!(address.is_allowed(&["db.example.com".to_owned()]));
        assert!(address.is_allowed(&["db.example.com:5432".to_owned()]));
    }
}
