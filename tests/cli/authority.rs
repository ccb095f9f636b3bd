//! An authority of a test's own, and the certificates that it signs: of another name or time, too.

#![expect(
    clippy::expect_used,
    reason = "a helper of tests: a certificate that can not be made fails the test"
)]

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::PrivateKeyDer;

/// Who signs.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

/// What a server shows, and its key.
pub struct Shown {
    pub certificate: rcgen::Certificate,
    pub key: KeyPair,
}

impl Authority {
    pub fn new() -> Self {
        let mut params = CertificateParams::default();
        let name = "An authority of a test";
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        Self(CertifiedIssuer::self_signed(params, key).expect("an authority"))
    }

    /// The authority's certificate, for those who trust it.
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate for a name, which `change` may make a worse one.
    pub fn sign(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) -> Shown {
        let mut params = CertificateParams::new([name.to_owned()]).expect("a name");
        change(&mut params);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.0).expect("a certificate");
        Shown { certificate, key }
    }
}

impl Shown {
    /// A server that shows the certificate.
    pub fn server(&self) -> ServerConfig {
        let key = PrivateKeyDer::Pkcs8(self.key.serialize_der().into());
        ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![self.certificate.der().clone()], key)
            .expect("a certificate and its key")
    }
}
