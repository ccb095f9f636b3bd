//! AWS Signature Version 4, which Bedrock asks for where there is no API key. The signature itself is
//! that of AWS's own crate; here a request of ours is put into its terms.

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;

use super::auth::AccessKeys;
use super::call::CallError;
use crate::base::Clock;
use crate::chat::ErrorClass;
use crate::http::{Secret, SecretHeader};

/// Signs requests with the access keys of an account.
pub struct Signer {
    credentials: Credentials,
    region: String,
    service: &'static str,
    clock: Arc<dyn Clock>,
}

impl Signer {
    /// A signer of requests to Bedrock.
    pub(super) fn bedrock(keys: AccessKeys, clock: Arc<dyn Clock>) -> Self {
        let token = keys.session_token.as_ref();
        Self {
            credentials: Credentials::new(
                keys.id.expose(),
                keys.secret.expose(),
                token.map(|token| token.expose().to_owned()),
                None,
                "environment",
            ),
            region: keys.region,
            service: "bedrock",
            clock,
        }
    }

    /// The headers that sign the posting of a JSON body.
    pub(super) fn headers(&self, url: &str, body: &str) -> Result<Vec<SecretHeader>, CallError> {
        self.sign("POST", url, &[("content-type", "application/json")], body)
    }

    fn sign(
        &self,
        method: &str,
        url: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Result<Vec<SecretHeader>, CallError> {
        let failed = |detail: String| {
            CallError::new(
                ErrorClass::Auth,
                format!("the request can not be signed: {detail}"),
            )
        };
        let identity = self.credentials.clone().into();
        let since_epoch = Duration::from_millis(self.clock.now().as_millis());
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name(self.service)
            .time(UNIX_EPOCH + since_epoch)
            .settings(SigningSettings::default())
            .build()
            .map_err(|error| failed(error.to_string()))?
            .into();
        let body = SignableBody::Bytes(body.as_bytes());
        let request = SignableRequest::new(method, url, headers.iter().copied(), body)
            .map_err(|error| failed(error.to_string()))?;
        let signed = sign(request, &parameters).map_err(|error| failed(error.to_string()))?;
        let (headers, _) = signed.into_parts().0.into_parts();
        Ok(headers
            .into_iter()
            .map(|header| (header.name().into(), Secret::new(header.value())))
            .collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Timestamp;

    struct Noon;

    impl Clock for Noon {
        /// 2015-08-30T12:36:00Z, the moment of AWS's test suite.
        fn now(&self) -> Timestamp {
            Timestamp::from_millis(1_440_938_160_000)
        }
    }

    fn signer(token: Option<&str>) -> Signer {
        let keys = AccessKeys {
            id: Secret::new("AKIDEXAMPLE"),
            secret: Secret::new("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
            session_token: token.map(Secret::new),
            region: "us-east-1".to_owned(),
        };
        Signer {
            service: "service",
            ..Signer::bedrock(keys, Arc::new(Noon))
        }
    }

    fn authorization(headers: &[SecretHeader]) -> String {
        let found = headers.iter().find(|(name, _)| *name == "authorization");
        found.unwrap().1.expose().to_owned()
    }

    /// The vectors `get-vanilla`, `post-vanilla` and `post-sts-header-before` of AWS's signing test
    /// suite.
    #[test]
    fn signs_as_the_published_vectors_do() {
        let token = "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPfIeoIYRqTflfKD8YUuwthAx7mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+scqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA==";
        let vectors = [
            (
                "GET",
                None,
                "host;x-amz-date",
                "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
            ),
            (
                "POST",
                None,
                "host;x-amz-date",
                "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
            ),
            (
                "POST",
                Some(token),
                "host;x-amz-date;x-amz-security-token",
                "85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead",
            ),
        ];
        for (method, token, names, signature) in vectors {
            let headers = signer(token).sign(method, "https://example.amazonaws.com/", &[], "");
            let expected = format!(
                "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders={names}, Signature={signature}"
            );
            assert_eq!(authorization(&headers.unwrap()), expected);
        }
    }

    /// The vector `post-x-www-form-urlencoded`, without the header for the body's digest that S3 alone
    /// asks for: its canonical request is the published one.
    #[test]
    fn signs_the_body_and_its_type() {
        let headers = [("content-type", "application/x-www-form-urlencoded")];
        let sign = |body| {
            let signed =
                signer(None).sign("POST", "https://example.amazonaws.com/", &headers, body);
            authorization(&signed.unwrap())
        };
        let signed = sign("Param1=value1");
        assert!(
            signed.contains("SignedHeaders=content-type;host;x-amz-date, "),
            "{signed}"
        );
        assert!(
            signed.ends_with(
                "Signature=ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"
            ),
            "{signed}"
        );
        assert_ne!(signed, sign("Param1=value2"));
    }

    #[test]
    fn what_signs_a_request_is_never_printed() {
        let headers =
            signer(Some("token-of-a-session")).headers("https://example.amazonaws.com/", "{}");
        let shown = format!("{:?}", headers.unwrap());
        assert!(
            !shown.contains("token-of") && !shown.contains("AKID"),
            "{shown}"
        );
    }
}
