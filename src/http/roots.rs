//! Whom an encrypted connection trusts: the authorities of the system, or those in the files that its
//! user names in `SSL_CERT_FILE` and `SSL_CERT_DIR`, which OpenSSL and what is built on it read too.

use std::path::PathBuf;
#[cfg(feature = "postgres")]
use std::sync::Arc;

use reqwest::Certificate;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;

use super::HttpError;

/// Files that take the place of the system's authorities; where none is named, the system's are trusted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Roots {
    file: Option<PathBuf>,
    folders: Vec<PathBuf>,
}

impl Roots {
    /// What an environment names.
    #[must_use]
    pub fn of_environment(variable: impl Fn(&str) -> Option<String>) -> Self {
        let given = |name| variable(name).filter(|value: &String| !value.is_empty());
        let folders = given("SSL_CERT_DIR").unwrap_or_default();
        Self {
            file: given("SSL_CERT_FILE").map(PathBuf::from),
            folders: folders
                .split(if cfg!(windows) { ';' } else { ':' })
                .filter(|folder| !folder.is_empty())
                .map(PathBuf::from)
                .collect(),
        }
    }

    /// The certificates in the files named, for the client; none where none is named.
    ///
    /// # Errors
    /// When the file can not be read, or nothing named holds a certificate.
    pub(super) fn certificates(&self) -> Result<Option<Vec<Certificate>>, HttpError> {
        let named = self.named()?;
        let read = |der: &CertificateDer<'_>| {
            let certificate = Certificate::from_der(der);
            certificate.map_err(|error| self.useless(error.to_string()))
        };
        named
            .map(|named| named.iter().map(read).collect())
            .transpose()
    }

    /// What a connection that is not the client's own is encrypted by.
    ///
    /// # Errors
    /// When there is nobody to trust.
    #[cfg(feature = "postgres")]
    pub(crate) fn encryption(&self) -> Result<rustls::ClientConfig, HttpError> {
        let setup = |error: rustls::Error| HttpError::Setup {
            detail: error.to_string(),
        };
        let trusted = match self.named()? {
            Some(named) => named,
            None => rustls_native_certs::load_native_certs().certs,
        };
        let mut store = RootCertStore::empty();
        let (added, _) = store.add_parsable_certificates(trusted);
        if added == 0 {
            return Err(HttpError::NoRoots {
                detail: "none could be read".to_owned(),
            });
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider);
        let config = config
            .with_safe_default_protocol_versions()
            .map_err(setup)?;
        Ok(config.with_root_certificates(store).with_no_client_auth())
    }

    /// The certificates in the files named; none where none is named. One that can not be an
    /// authority's is passed over where others can.
    fn named(&self) -> Result<Option<Vec<CertificateDer<'static>>>, HttpError> {
        if self.file.is_none() && self.folders.is_empty() {
            return Ok(None);
        }
        let mut found = Vec::new();
        let mut wrong = None;
        let files = self.file.iter().map(|file| (Some(file.as_path()), None));
        let folders = self.folders.iter();
        let folders = folders.map(|folder| (None, Some(folder.as_path())));
        for (file, folder) in files.chain(folders) {
            let loaded = rustls_native_certs::load_certs_from_paths(file, folder);
            found.extend(loaded.certs.into_iter().filter(is_of_an_authority));
            wrong = wrong.or_else(|| loaded.errors.first().map(ToString::to_string));
            if file.is_some() && found.is_empty() {
                break;
            }
        }
        if found.is_empty() {
            let nothing = "there is no certificate of an authority in PEM form in it";
            return Err(self.useless(wrong.unwrap_or_else(|| nothing.to_owned())));
        }
        Ok(Some(found))
    }

    fn useless(&self, detail: String) -> HttpError {
        let (variable, places) = match &self.file {
            Some(file) => ("SSL_CERT_FILE", vec![file.display().to_string()]),
            None => {
                let folders = self.folders.iter();
                let folders = folders.map(|folder| folder.display().to_string());
                ("SSL_CERT_DIR", folders.collect())
            }
        };
        HttpError::NamedRoots {
            named: format!("{variable} names {}", places.join(", ")),
            detail,
        }
    }
}

fn is_of_an_authority(certificate: &CertificateDer<'static>) -> bool {
    RootCertStore::empty().add(certificate.clone()).is_ok()
}
