//! The one client: sends a request once, to the host it names, and reads the whole reply within a
//! deadline and a size. It follows no redirect and never tries again.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use reqwest::Url;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use tokio::time::{Instant, timeout_at};

use super::fault::chain_text;
use super::host::is_loopback;
use super::reply::Headers;
use super::{HttpError, HttpFault, Reply, Roots, Secret};

/// The most memory set aside by a reply's own word, before its bytes have come.
const FIRST_PIECE: usize = 64 << 10;

/// The limits of a client.
#[derive(Debug, Clone)]
pub struct ClientOptions {
    /// Time allowed for a connection, name lookup and handshake included.
    pub connect_timeout: Duration,
    /// Time allowed between two pieces of a body.
    pub idle_timeout: Duration,
    /// The most bytes of a body, counted after decompression.
    pub max_body: usize,
    /// Whom an encrypted connection trusts.
    pub roots: Arc<Roots>,
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_mins(1),
            max_body: 16 << 20,
            roots: Arc::default(),
        }
    }
}

/// A header: its name in lower case, and its value.
pub type Header = (Cow<'static, str>, String);
/// A header whose value is never printed.
pub type SecretHeader = (Cow<'static, str>, Secret);

/// What a request asks the host to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Hand out.
    Get,
    /// Take in the body.
    Post,
    /// Put the body in place of what is there.
    Put,
    /// Change what is there by the body.
    Patch,
}

impl Method {
    /// The word on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
        }
    }
}

/// A request, borrowed from those who may send it again.
#[derive(Debug, Clone, Copy)]
pub struct HttpRequest<'a> {
    /// The method.
    pub method: Method,
    /// The full address.
    pub url: &'a str,
    /// Headers besides the client's own (`content-type` and `accept` are JSON unless given here).
    pub headers: &'a [Header],
    /// The headers that hold the key, or what proves that one has it; never printed.
    pub auth: &'a [SecretHeader],
    /// The body.
    pub body: &'a [u8],
    /// The most bytes of the reply's body, where they are not those of the client.
    pub max_body: Option<usize>,
}

impl<'a> HttpRequest<'a> {
    /// A request that sends JSON.
    #[must_use]
    pub fn post(url: &'a str, body: &'a [u8]) -> Self {
        Self {
            method: Method::Post,
            url,
            headers: &[],
            auth: &[],
            body,
            max_body: None,
        }
    }
}

/// The client: one for the process, which keeps its connections.
///
/// Plain `http` to this machine goes past the system's proxies, and needs no certificates: they are
/// loaded before the first other request, or by [`Client::prepare`].
#[derive(Debug)]
pub struct Client {
    options: ClientOptions,
    local: reqwest::Client,
    remote: OnceLock<Result<reqwest::Client, HttpError>>,
    /// The addresses used last, as read: a run has one for each model.
    addresses: Mutex<VecDeque<(String, Url)>>,
}

/// How many addresses are kept as read.
const ADDRESSES: usize = 8;

impl Client {
    /// A client with these limits.
    ///
    /// # Errors
    /// When the HTTP library can not be set up.
    pub fn new(options: &ClientOptions) -> Result<Self, HttpError> {
        let local = builder(options).no_proxy().tls_certs_only([]).build();
        Ok(Self {
            options: options.clone(),
            local: local.map_err(|error| HttpError::of(&error))?,
            remote: OnceLock::new(),
            addresses: Mutex::default(),
        })
    }

    /// An address as the library wants it.
    fn address(&self, text: &str) -> Result<Url, HttpFault> {
        let addresses = || {
            self.addresses
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
        };
        if let Some((_, url)) = addresses().iter().find(|(known, _)| known == text) {
            return Ok(url.clone());
        }
        let url = Url::parse(text).map_err(|error| HttpFault::Unsendable {
            detail: format!("{error} in the address `{text}`"),
        })?;
        let mut addresses = addresses();
        addresses.truncate(ADDRESSES - 1);
        addresses.push_front((text.to_owned(), url.clone()));
        Ok(url)
    }

    /// Loads the certificates that it trusts, so that their absence shows before the first request.
    ///
    /// # Errors
    /// When there are none, or the library can not be set up.
    pub fn prepare(&self) -> Result<(), HttpError> {
        self.remote().map(|_| ())
    }

    fn remote(&self) -> Result<&reqwest::Client, HttpError> {
        let build = || {
            let builder = builder(&self.options);
            let builder = match self.options.roots.certificates()? {
                Some(certificates) => builder.tls_certs_only(certificates),
                None => builder,
            };
            builder.build().map_err(|error| HttpError::of(&error))
        };
        self.remote
            .get_or_init(build)
            .as_ref()
            .map_err(Clone::clone)
    }

    /// Sends a request once and reads the whole reply, whatever its status.
    ///
    /// # Errors
    /// When no whole reply came within the deadline and the size allowed.
    pub async fn send(
        &self,
        request: &HttpRequest<'_>,
        deadline: Duration,
    ) -> Result<Reply, HttpFault> {
        let end = Instant::now() + deadline;
        let url = self.address(request.url)?;
        let encrypted = url.scheme() == "https";
        let local = !encrypted && url.host_str().is_some_and(is_loopback);
        let client = if local { &self.local } else { self.remote()? };
        let method = match request.method {
            Method::Get => reqwest::Method::GET,
            Method::Post => reqwest::Method::POST,
            Method::Put => reqwest::Method::PUT,
            Method::Patch => reqwest::Method::PATCH,
        };
        let mut message = reqwest::Request::new(method, url);
        fill_headers(message.headers_mut(), request)?;
        if !request.body.is_empty() {
            *message.body_mut() = Some(request.body.to_vec().into());
        }
        let host = || host_of(request.url);
        match timeout_at(end, client.execute(message)).await {
            Ok(Ok(response)) => {
                let limit = request.max_body.unwrap_or(self.options.max_body);
                self.read(response, (end, deadline), limit, host).await
            }
            Ok(Err(error)) => Err(HttpFault::before_head(error, host(), encrypted)),
            Err(_) => Err(HttpFault::Timeout {
                host: host(),
                after: deadline,
                replying: false,
            }),
        }
    }

    async fn read(
        &self,
        mut response: reqwest::Response,
        (end, deadline): (Instant, Duration),
        limit: usize,
        host: impl Fn() -> String,
    ) -> Result<Reply, HttpFault> {
        let too_large = || HttpFault::TooLarge {
            host: host(),
            limit,
        };
        let length = response.content_length().unwrap_or_default();
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if length > limit {
            return Err(too_large());
        }
        let mut body = Vec::with_capacity(length.min(FIRST_PIECE));
        loop {
            let idle_end = Instant::now() + self.options.idle_timeout;
            match timeout_at(end.min(idle_end), response.chunk()).await {
                Ok(Ok(Some(piece))) if body.len() + piece.len() > limit => return Err(too_large()),
                Ok(Ok(Some(piece))) => body.extend_from_slice(&piece),
                Ok(Ok(None)) => break,
                Ok(Err(error)) => {
                    return Err(HttpFault::Cut {
                        host: host(),
                        received: body.len(),
                        detail: chain_text(&error.without_url()),
                    });
                }
                Err(_) => {
                    return Err(HttpFault::Timeout {
                        host: host(),
                        after: if idle_end < end {
                            self.options.idle_timeout
                        } else {
                            deadline
                        },
                        replying: true,
                    });
                }
            }
        }
        Ok(Reply {
            status: response.status().as_u16(),
            headers: Headers::new(std::mem::take(response.headers_mut())),
            body,
        })
    }
}

fn builder(options: &ClientOptions) -> reqwest::ClientBuilder {
    let mut headers = HeaderMap::with_capacity(2);
    let json = HeaderValue::from_static("application/json");
    headers.insert(reqwest::header::CONTENT_TYPE, json.clone());
    headers.insert(reqwest::header::ACCEPT, json);
    reqwest::Client::builder()
        .user_agent(concat!("gate/", env!("CARGO_PKG_VERSION")))
        .default_headers(headers)
        .connect_timeout(options.connect_timeout)
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .gzip(true)
}

fn fill_headers(map: &mut HeaderMap, request: &HttpRequest<'_>) -> Result<(), HttpFault> {
    let unsendable = |name: &str| HttpFault::Unsendable {
        detail: format!("the value of header `{name}` holds a character that no header may"),
    };
    let header = |name: &str| HeaderName::from_bytes(name.as_bytes()).map_err(|_| unsendable(name));
    for (name, value) in request.headers {
        let value = HeaderValue::from_str(value).map_err(|_| unsendable(name))?;
        map.insert(header(name)?, value);
    }
    for (name, secret) in request.auth {
        let mut value = HeaderValue::from_str(secret.expose()).map_err(|_| unsendable(name))?;
        value.set_sensitive(true);
        map.insert(header(name)?, value);
    }
    Ok(())
}

/// Host and port of an address, for messages.
fn host_of(url: &str) -> String {
    let url = Url::parse(url).ok();
    url.map_or_else(String::new, |url| {
        let host = url.host_str().unwrap_or_default();
        url.port()
            .map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    })
}
