//! What shows a provider that one may ask it: a key in a header, or a signature over the request.

use std::borrow::Cow;

use super::call::CallError;
use crate::http::{Secret, SecretHeader};

/// How a model's requests are let in.
pub enum Auth {
    /// Nothing is asked for.
    Open,
    /// The key stands in a header.
    Key(Box<SecretHeader>),
    /// Each request is signed.
    #[cfg(feature = "bedrock")]
    Signed(Box<super::sigv4::Signer>),
}

/// The access keys of an AWS account, as its environment variables hold them.
#[derive(Debug, Clone)]
pub struct AccessKeys {
    /// `AWS_ACCESS_KEY_ID`.
    pub id: Secret,
    /// `AWS_SECRET_ACCESS_KEY`.
    pub secret: Secret,
    /// `AWS_SESSION_TOKEN`, of keys that expire.
    pub session_token: Option<Secret>,
    /// `eu-central-1` and the like.
    pub region: String,
}

impl Auth {
    /// Requests signed with access keys; `None` where this build can not sign.
    #[must_use]
    pub fn signed(keys: AccessKeys, clock: std::sync::Arc<dyn crate::base::Clock>) -> Option<Self> {
        #[cfg(feature = "bedrock")]
        let auth = Some(Self::Signed(Box::new(super::sigv4::Signer::bedrock(
            keys, clock,
        ))));
        #[cfg(not(feature = "bedrock"))]
        let auth = {
            drop((keys, clock));
            None
        };
        auth
    }

    /// The headers for a request that posts this body.
    #[cfg_attr(
        not(feature = "bedrock"),
        expect(clippy::unnecessary_wraps, reason = "only signing can fail")
    )]
    pub(super) fn headers(
        &self,
        url: &str,
        body: &str,
    ) -> Result<Cow<'_, [SecretHeader]>, CallError> {
        #[cfg(not(feature = "bedrock"))]
        let _ = (url, body);
        Ok(match self {
            Self::Open => Cow::Borrowed(&[]),
            Self::Key(header) => Cow::Borrowed(std::slice::from_ref(header)),
            #[cfg(feature = "bedrock")]
            Self::Signed(signer) => Cow::Owned(signer.headers(url, body)?),
        })
    }
}
