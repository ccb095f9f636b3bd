//! A reply as it came over the wire: status, headers and the decompressed body.

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

/// The headers of a reply, as the client read them.
#[derive(Debug, Clone, Default)]
pub struct Headers(HeaderMap);

impl Headers {
    /// The headers that the client read.
    #[must_use]
    pub(crate) fn new(map: HeaderMap) -> Self {
        Self(map)
    }

    /// Headers from names and values; those that HTTP does not allow are left out.
    #[must_use]
    pub fn from_pairs<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut map = HeaderMap::new();
        for (name, value) in pairs {
            let name = HeaderName::from_bytes(name.as_bytes());
            if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(value)) {
                map.append(name, value);
            }
        }
        Self(map)
    }

    /// The first value of a (lower-case) name, if it is visible ASCII.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.to_str().ok()
    }

    /// Names in lower case with their values, without those that are no text.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)))
    }
}

/// A reply as it came over the wire.
#[derive(Debug, Clone, Default)]
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// The headers.
    pub headers: Headers,
    /// The body, decompressed.
    pub body: Vec<u8>,
}

impl Reply {
    /// The first header of this (lower-case) name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)
    }
}
