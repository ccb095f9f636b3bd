//! Whom an encrypted connection trusts: the authorities of the system, or those in the files that its
//! user names in `SSL_CERT_FILE` and `SSL_CERT_DIR`, which OpenSSL and what is built on it read too.

use std::path::PathBuf;

use reqwest::Certificate;
use rustls::RootCertStore;

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

    /// The certificates in the files named; none where none is named. One that can not be read as
    /// that of an authority is passed over where others can.
    ///
    /// # Errors
    /// When the file can not be read, or nothing named holds a certificate.
    pub(super) fn certificates(&self) -> Result<Option<Vec<Certificate>>, HttpError> {
        let mut found = Vec::new();
        let mut wrong = Vec::new();
        let files = self.file.iter().map(|file| (Some(file.as_path()), None));
        let folders = self.folders.iter();
        let folders = folders.map(|folder| (None, Some(folder.as_path())));
        for (file, folder) in files.chain(folders) {
            let loaded = rustls_native_certs::load_certs_from_paths(file, folder);
            let errors: Vec<String> = loaded.errors.iter().map(ToString::to_string).collect();
            let usable = loaded.certs.into_iter().filter(|certificate| {
                let mut store = RootCertStore::empty();
                store.add(certificate.clone()).is_ok()
            });
            let usable: Vec<_> = usable.collect();
            if usable.is_empty() && file.is_some() {
                return Err(self.useless(errors));
            }
            found.extend(usable);
            wrong.extend(errors);
        }
        if self == &Self::default() {
            return Ok(None);
        }
        if found.is_empty() {
            return Err(self.useless(wrong));
        }
        let certificates = found.iter().map(|der| Certificate::from_der(der));
        let certificates: Result<Vec<_>, _> = certificates.collect();
        certificates
            .map(Some)
            .map_err(|error| self.useless(vec![error.to_string()]))
    }

    fn useless(&self, why: Vec<String>) -> HttpError {
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
            detail: why.into_iter().next().unwrap_or_else(|| {
                "there is no certificate of an authority in PEM form in it".to_owned()
            }),
        }
    }
}
