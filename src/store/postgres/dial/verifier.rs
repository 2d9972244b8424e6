//! Looks at a server's certificate: as much of it as `sslmode` says, and what the metrics tell of it.

use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use tokio_postgres::config::ChannelBinding;
use x509_cert::Certificate;
use x509_cert::der::Decode as _;

use crate::store::postgres::policy::{Check, Tls};

/// Signatures of certificates that `tokio-postgres-rustls` has a hash for, as RFC 5929 wants it: RSA with SHA-1, SHA-256, SHA-384
/// and SHA-512, ECDSA with SHA-256 and SHA-384.
const BINDABLE: [&str; 6] = [
    "1.2.840.113549.1.1.5",
    "1.2.840.113549.1.1.11",
    "1.2.840.113549.1.1.12",
    "1.2.840.113549.1.1.13",
    "1.2.840.10045.4.3.2",
    "1.2.840.10045.4.3.3",
];

/// Those that it has none for, by name.
const UNBINDABLE: [(&str, &str); 3] =
    [("1.3.101.112", "Ed25519"), ("1.2.840.10045.4.3.4", "ECDSA with SHA-512"), ("1.2.840.113549.1.1.10", "RSA-PSS")];

/// What was seen of a server.
#[derive(Debug, Clone, Copy)]
pub struct Seen {
    /// `1.2` or `1.3`.
    pub version: &'static str,
    /// When its certificate expires, in seconds since 1970.
    pub server_expires: Option<u64>,
}

impl Default for Seen {
    fn default() -> Self {
        Self { version: "unknown", server_expires: None }
    }
}

/// When a certificate expires, in seconds since 1970; `None` if it can't be read.
pub fn expiry(certificate: &CertificateDer<'static>) -> Option<u64> {
    Certificate::from_der(certificate).ok().map(|read| expires(&read))
}

fn expires(certificate: &Certificate) -> u64 {
    certificate.tbs_certificate.validity.not_after.to_unix_duration().as_secs()
}

/// Looks at the certificate of one server.
pub struct Verifier {
    check: Check,
    must_bind: bool,
    roots: Option<RootCertStore>,
    algorithms: WebPkiSupportedAlgorithms,
    seen: Arc<Mutex<Seen>>,
}

impl Verifier {
    /// For one connection. `roots` are those that `tls` names.
    pub fn new(
        tls: &Tls,
        roots: Option<RootCertStore>,
        algorithms: WebPkiSupportedAlgorithms,
        seen: Arc<Mutex<Seen>>,
    ) -> Self {
        Self { check: tls.check, must_bind: tls.binding == ChannelBinding::Require, roots, algorithms, seen }
    }

    /// Notes what the metrics tell, and refuses a certificate that can't be bound to the password if it must be.
    fn look_at(&self, certificate: &CertificateDer<'_>) -> Result<(), Error> {
        let read = Certificate::from_der(certificate).ok();
        self.seen.lock().server_expires = read.as_ref().map(expires);
        let algorithm = read.map(|read| read.signature_algorithm.oid.to_string()).unwrap_or_default();
        if self.must_bind && !BINDABLE.contains(&algorithm.as_str()) {
            let name = UNBINDABLE.iter().find(|(id, _)| *id == algorithm).map_or(algorithm.as_str(), |(_, name)| *name);
            return Err(Error::General(format!(
                "channel_binding=require can't be satisfied: the server's certificate is signed with {name}, for which there is \
                 no binding; use one that is signed with RSA or ECDSA and SHA-256, or verify-full without channel_binding"
            )));
        }
        Ok(())
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Verifier({:?})", self.check)
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let certificate = ParsedCertificate::try_from(end_entity)?;
        if self.check != Check::Nothing {
            let none = RootCertStore::empty();
            let roots = self.roots.as_ref().unwrap_or(&none);
            verify_server_cert_signed_by_trust_anchor(&certificate, roots, intermediates, now, self.algorithms.all)?;
        }
        if self.check == Check::Name {
            verify_server_name(&certificate, server_name)?;
        }
        self.look_at(end_entity)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.seen.lock().version = "1.2";
        verify_tls12_signature(message, cert, dss, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.seen.lock().version = "1.3";
        verify_tls13_signature(message, cert, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
