//! How a client can fail to be made, and how an exchange can fail to give a whole reply.

use std::error::Error;
use std::io;
use std::time::Duration;

use rustls::CertificateError;

/// Why there is no client.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HttpError {
    /// The system has no root certificates, so no host can be trusted.
    #[error("found no root certificates on this system ({detail}): install ca-certificates")]
    NoRoots {
        /// What the loader said.
        detail: String,
    },
    /// What the user names to be trusted in the system's place holds no certificate.
    #[error("{named}, which gives no authority to trust: {detail}")]
    NamedRoots {
        /// The variable of the environment, and the file or the folders that it names.
        named: String,
        /// What is wrong with it.
        detail: String,
    },
    /// The client could not be set up.
    #[error("failed to set up the HTTP client: {detail}")]
    Setup {
        /// What the library said.
        detail: String,
    },
}

impl HttpError {
    pub(crate) fn of(error: &reqwest::Error) -> Self {
        let detail = chain_text(error);
        let lower = detail.to_lowercase();
        if lower.contains("certificate") || lower.contains("trust anchor") {
            Self::NoRoots { detail }
        } else {
            Self::Setup { detail }
        }
    }
}

/// Why an exchange gave no whole reply.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HttpFault {
    /// The address or a header is none that HTTP allows; nothing was sent.
    #[error("can not send this request: {detail}")]
    Unsendable {
        /// What is wrong.
        detail: String,
    },
    /// No client for encrypted connections; nothing was sent.
    #[error(transparent)]
    Setup(#[from] HttpError),
    /// No connection, or it broke before a byte of the reply came.
    #[error("no connection to {host}: {detail}")]
    Connect {
        /// Host and port.
        host: String,
        /// What the system said.
        detail: String,
    },
    /// The host has no address.
    #[error("found no address for host {host}: {detail}")]
    Dns {
        /// Host and port.
        host: String,
        /// What the resolver said.
        detail: String,
    },
    /// The host could not be trusted or does not speak TLS.
    #[error("no trusted connection to {host}: {detail}")]
    Tls {
        /// Host and port.
        host: String,
        /// What is wrong with its answer or certificate, and what to do.
        detail: String,
    },
    /// No whole reply in time.
    #[error("{host} gave no {} within {} s", if *.replying { "whole reply" } else { "reply" }, .after.as_secs_f64())]
    Timeout {
        /// Host and port.
        host: String,
        /// The time allowed: the deadline, or that for one more piece of the body.
        after: Duration,
        /// Whether a part of the reply had come. The request must be taken as received, and
        /// billed, either way: a deadline does not tell how far it got.
        replying: bool,
    },
    /// The body broke off or could not be decompressed.
    #[error("the reply of {host} broke off after {received} bytes: {detail}")]
    Cut {
        /// Host and port.
        host: String,
        /// Decompressed bytes that came before.
        received: usize,
        /// What went wrong.
        detail: String,
    },
    /// The body is larger than a reply may be.
    #[error("the reply of {host} is larger than {limit} bytes")]
    TooLarge {
        /// Host and port.
        host: String,
        /// The most bytes allowed, after decompression.
        limit: usize,
    },
}

impl HttpFault {
    /// Whether the provider may have received the whole request, and so may bill it.
    #[must_use]
    pub fn may_be_billed(&self) -> bool {
        match self {
            Self::Timeout { .. } | Self::Cut { .. } | Self::TooLarge { .. } => true,
            Self::Unsendable { .. }
            | Self::Setup(_)
            | Self::Connect { .. }
            | Self::Dns { .. }
            | Self::Tls { .. } => false,
        }
    }

    /// The fault of an exchange that ended before the head of a reply.
    pub(crate) fn before_head(error: reqwest::Error, host: String, encrypted: bool) -> Self {
        let error = error.without_url();
        let detail = chain_text(&error);
        if error.is_builder() {
            return Self::Unsendable { detail };
        }
        if error.is_connect() && !error.is_timeout() {
            if sources(&error).any(|source| source.to_string().starts_with("dns error")) {
                return Self::Dns { host, detail };
            }
            if encrypted && !sources(&error).any(is_of_the_line) {
                let detail = mistrust(&error);
                return Self::Tls { host, detail };
            }
        }
        Self::Connect { host, detail }
    }
}

/// Why a host is not trusted, and what to do about it.
pub(crate) fn mistrust(error: &(dyn Error + 'static)) -> String {
    let why = sources(error).last().map(ToString::to_string);
    let mut sources = sources(error);
    let cause = sources.find_map(|source| source.downcast_ref::<rustls::Error>());
    let why = why.unwrap_or_default();
    match cause.and_then(mending) {
        Some(mending) => format!("{why}; {mending}"),
        None => why,
    }
}

fn mending(cause: &rustls::Error) -> Option<&'static str> {
    match cause {
        rustls::Error::InvalidCertificate(why) => match why {
            // An authority made anew has the old one's name, and another key.
            CertificateError::UnknownIssuer | CertificateError::BadSignature => Some(
                "if a proxy or server of your own signs by its own authority, name the file of that authority's certificate in SSL_CERT_FILE",
            ),
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                Some("name the host as its certificate does")
            }
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. } => {
                Some("renew the certificate, or set this machine's clock right")
            }
            // The error of a library below, which is no dependency of ours, by its name.
            CertificateError::Other(other) if other.0.to_string() == "CaUsedAsEndEntity" => Some(
                "it is an authority's, and none of a host: make it anew with basicConstraints=CA:FALSE, or sign another by it",
            ),
            _ => None,
        },
        rustls::Error::InvalidMessage(_) => Some("the port may be one without TLS"),
        _ => None,
    }
}

/// Whether a cause is one of the connection below a handshake: of the system, or of a proxy.
fn is_of_the_line(source: &(dyn Error + 'static)) -> bool {
    let system = source.downcast_ref::<io::Error>();
    let handshake = [io::ErrorKind::InvalidData, io::ErrorKind::Other];
    system.is_some_and(|error| !handshake.contains(&error.kind()))
        || source.to_string().starts_with("tunnel error")
}

/// An error and its causes; what an error of the system wraps is a cause, too.
fn sources<'a>(
    error: &'a (dyn Error + 'static),
) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    let mut next = Some(error);
    std::iter::from_fn(move || {
        let error = next?;
        let wrapped = error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref);
        next = match wrapped {
            Some(wrapped) => Some(wrapped),
            None => error.source(),
        };
        Some(error)
    })
}

/// The innermost two causes, which say what happened without naming the layers above.
pub(crate) fn chain_text(error: &(dyn Error + 'static)) -> String {
    let mut texts: Vec<String> = Vec::new();
    for source in sources(error) {
        let text = source.to_string();
        if texts.last() != Some(&text) {
            texts.push(text);
        }
    }
    let from = texts.len().saturating_sub(2);
    texts.get(from..).unwrap_or_default().join(": ")
}
