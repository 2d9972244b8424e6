//! TLS for clients: reads roots, certificates and keys from files, and explains in plain language why a server was not trusted.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::{AlertDescription, CertificateError, Error, InvalidMessage, OtherError, RootCertStore};

/// The maximum size of a file with certificates or a key, in bytes. Debian's file of all roots has 220 kB.
const FILE_MAX: u64 = 4 << 20;

/// Why certificates or keys can't be used. Contains no secrets.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct TlsError(String);

/// The cryptography provider of the whole process. Two providers are compiled in, so libraries that use the default of rustls would
/// panic; this must be called before one of them connects.
pub fn provider() -> Arc<CryptoProvider> {
    if let Some(provider) = CryptoProvider::get_default() {
        return provider.clone();
    }
    let provider = Arc::new(aws_lc_rs::default_provider());
    // An error says that another thread was first, with the same one.
    let _first = CryptoProvider::clone(&provider).install_default();
    provider
}

/// The authorities that are trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Roots {
    /// Those of the operating system.
    System,
    /// Those in a file of PEM blocks.
    File(PathBuf),
}

impl Roots {
    /// Reads them. Fails if there is none.
    pub fn read(&self) -> Result<RootCertStore, TlsError> {
        match self {
            Self::System => system_roots(),
            Self::File(path) => {
                let mut roots = RootCertStore::empty();
                for certificate in certificates(path)? {
                    let refused = |error| {
                        TlsError(format!("{} contains a certificate that can't be a root: {error}", path.display()))
                    };
                    roots.add(certificate).map_err(refused)?;
                }
                Ok(roots)
            }
        }
    }
}

/// What does not parse in there is left out: one odd file of many must not keep the others from being used.
fn system_roots() -> Result<RootCertStore, TlsError> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    let (added, _odd) = roots.add_parsable_certificates(found.certs);
    if added == 0 {
        let why = found.errors.first().map(|error| format!(" ({error})")).unwrap_or_default();
        return Err(TlsError(format!("this system has no root certificates{why}: install ca-certificates")));
    }
    Ok(roots)
}

/// Who this program is to a server: the files with its certificate, followed by those of its issuers, and its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// PEM blocks.
    pub certificate: PathBuf,
    /// One PEM block without a passphrase.
    pub key: PathBuf,
}

impl Identity {
    /// Reads both files, but does not check that they match.
    pub fn read(&self) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), TlsError> {
        Ok((certificates(&self.certificate)?, key(&self.key)?))
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let text = read(path)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    let found = found.map_err(|error| TlsError(format!("{} is damaged: {error}", path.display())))?;
    if found.is_empty() {
        return Err(TlsError(format!("{} contains no certificate in PEM format", path.display())));
    }
    Ok(found)
}

fn key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let text = read(path)?;
    PrivateKeyDer::from_pem_slice(&text).map_err(|_| {
        let shown = path.display();
        if text.windows(9).any(|word| word == b"ENCRYPTED") {
            TlsError(format!(
                "the key in {shown} has a passphrase: store it without one, readable only by this program"
            ))
        } else {
            TlsError(format!("{shown} contains no private key in PEM format"))
        }
    })
}

/// The bytes of a file with certificates or a key.
pub fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(FILE_MAX + 1).read_to_end(&mut bytes));
    read.map_err(|error| TlsError(format!("{} can't be read: {error}", path.display())))?;
    if bytes.len() as u64 > FILE_MAX {
        return Err(TlsError(format!("{} is larger than {} MiB", path.display(), FILE_MAX >> 20)));
    }
    Ok(bytes)
}

/// What rustls said, somewhere among the causes of an error.
pub fn cause<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a Error> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        // An I/O error names the cause of what it holds as its own cause, so what it holds must be asked itself.
        if let Some(inner) = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            return cause(inner);
        }
        // So does a shared one.
        if let Some(shared) = error.downcast_ref::<Arc<dyn std::error::Error + Send + Sync>>() {
            return cause(&**shared);
        }
        next = error.source();
    }
    None
}

/// Explains in plain language why there is no connection. `roots` are those that were trusted, if any had to be; `with_identity` says
/// whether this program had a certificate to show.
pub fn explain(error: &Error, roots: Option<&Roots>, with_identity: bool) -> String {
    match error {
        Error::InvalidCertificate(error) => format!("the server's certificate {}", explain_certificate(error, roots)),
        Error::AlertReceived(alert) => explain_alert(*alert, with_identity),
        Error::InvalidMessage(InvalidMessage::InvalidContentType) => "the server does not speak TLS".to_owned(),
        Error::General(told) => told.clone(),
        other => format!("the TLS handshake failed: {other}"),
    }
}

/// What is wrong with a certificate, to be read after whose it is.
pub fn explain_certificate(error: &CertificateError, roots: Option<&Roots>) -> String {
    match error {
        CertificateError::NotValidForNameContext { expected, presented } => {
            let names: Vec<&str> = presented.iter().map(|name| bare_name(name)).collect();
            let (expected, names) = (expected.to_str(), names.join(", "));
            if names.is_empty() {
                format!("has no host name (subjectAltName), so it is not valid for {expected}")
            } else {
                format!("is for {names}, not {expected}")
            }
        }
        CertificateError::ExpiredContext { not_after, .. } => format!("expired on {}", day(*not_after)),
        CertificateError::Expired => "has expired".to_owned(),
        CertificateError::NotValidYetContext { not_before, .. } => {
            format!("is not valid before {}; or this machine's clock is wrong", day(*not_before))
        }
        CertificateError::NotValidYet => "is not valid yet; or this machine's clock is wrong".to_owned(),
        CertificateError::UnknownIssuer => {
            let trusted = match roots {
                Some(Roots::File(path)) => format!("any authority in {}", path.display()),
                _ => "any authority that this system trusts".to_owned(),
            };
            format!("was not issued by {trusted}; or the server does not send its intermediate certificates")
        }
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            "was not issued for a server (extendedKeyUsage)".to_owned()
        }
        CertificateError::Other(other) => explain_unnamed(other),
        other => format!("can't be trusted: {other}"),
    }
}

/// The errors that rustls has no name for.
fn explain_unnamed(error: &OtherError) -> String {
    match error.0.downcast_ref() {
        Some(webpki::Error::UnsupportedCertVersion) => {
            "is of the old version 1 of X.509: issue it with extensions, which makes it version 3".to_owned()
        }
        Some(webpki::Error::CaUsedAsEndEntity) => {
            "is an authority's own (CA:TRUE), which can't be used by a server: issue one for the server".to_owned()
        }
        _ => format!("can't be trusted: {error}"),
    }
}

fn explain_alert(alert: AlertDescription, with_identity: bool) -> String {
    use AlertDescription as Alert;
    match alert {
        Alert::CertificateRequired => "the server requires a client certificate".to_owned(),
        Alert::BadCertificate
        | Alert::UnsupportedCertificate
        | Alert::CertificateRevoked
        | Alert::CertificateExpired
        | Alert::CertificateUnknown
        | Alert::UnknownCA
        | Alert::DecryptError
            if with_identity =>
        {
            format!("the server rejected this program's own certificate ({alert:?})")
        }
        other => format!("the server ended the TLS handshake ({other:?})"),
    }
}

/// `DnsName("db.internal")`, as rustls says it, without the wrapping.
fn bare_name(name: &str) -> &str {
    let inner = name.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')')).unwrap_or(name);
    inner.trim_matches('"')
}

/// The day, and the time as hours matter when a certificate has just expired.
fn day(time: UnixTime) -> String {
    let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    jiff::Timestamp::from_second(seconds)
        .map_or_else(|_| "a day that no calendar has".to_owned(), |at| at.strftime("%Y-%m-%d %H:%M UTC").to_string())
}

#[cfg(test)]
mod tests;
