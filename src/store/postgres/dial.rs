//! Opens all connections to PostgreSQL, for the pool, migrations and everything else, with TLS as [`super::policy`] decided. The files
//! are read for each connection, so certificates can be replaced while the program runs. TLS sessions are never resumed, so each
//! connection is verified against the current files.

use std::error::Error as _;
use std::io::{self, ErrorKind};
use std::sync::Arc;

use parking_lot::Mutex;
use rustls::{ClientConfig, RootCertStore};
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{Client, Connection, Socket};
use tokio_postgres_rustls::MakeRustlsConnect;

use self::verifier::{Seen, Verifier, expiry};
use super::policy::{Check, Protection, Target, Tls};
use crate::kernel::errors::chain;
use crate::store::StoreError;
use crate::tls;

mod verifier;

/// A connection's other half, which must be driven.
pub type Driver = Connection<Socket, <MakeRustlsConnect as MakeTlsConnect<Socket>>::Stream>;

/// How the newest connection is protected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// `1.2`, `1.3`; `none` for plaintext.
    pub version: &'static str,
    /// How the server is authenticated: `name`, `chain`, `binding` or `no`.
    pub verified: &'static str,
    /// When the server's certificate expires, in seconds since 1970.
    pub server_expires: Option<u64>,
    /// When this program's own does.
    pub client_expires: Option<u64>,
}

/// Makes connections to one server. Cheap to clone.
#[derive(Clone)]
pub struct Dialler {
    /// The address of the server and the parameters of a new session.
    pub server: tokio_postgres::Config,
    protection: Protection,
    plain: MakeRustlsConnect,
    link: Arc<Mutex<Option<Link>>>,
}

impl Dialler {
    /// For the server at `url`. Fails if the parameters of the URL can't be satisfied. Reads files, but opens no connection.
    pub fn new(url: &str) -> Result<Self, StoreError> {
        let refused = |why: String| StoreError::internal(format!("store.url: {why}"));
        let Target { server, protection } = Target::parse(url).map_err(refused)?;
        if let Protection::Tls(tls) = &protection {
            client_config(tls, &Arc::default()).map_err(refused)?;
        }
        let plain = MakeRustlsConnect::new(plain_config().map_err(refused)?);
        Ok(Self { server, protection, plain, link: Arc::default() })
    }

    /// The other machines to which connections are not encrypted.
    pub fn exposed(&self) -> &[String] {
        match &self.protection {
            Protection::Plain { exposed } => exposed,
            Protection::Tls(_) => &[],
        }
    }

    /// How the newest connection is protected; none was made if there is no answer.
    pub fn link(&self) -> Option<Link> {
        self.link.lock().clone()
    }

    /// A new connection, and what drives it.
    pub async fn connect(&self) -> Result<(Client, Driver), StoreError> {
        let Protection::Tls(tls) = &self.protection else {
            let made = self.server.connect(self.plain.clone()).await;
            let made = made.map_err(|error| StoreError::unavailable(explain(&error, None)).caused_by(error))?;
            *self.link.lock() =
                Some(Link { version: "none", verified: "no", server_expires: None, client_expires: None });
            return Ok(made);
        };
        let seen: Arc<Mutex<Seen>> = Arc::default();
        let (asked, shared) = (tls.clone(), seen.clone());
        // Reading the roots of a system takes milliseconds.
        let config = tokio::task::spawn_blocking(move || client_config(&asked, &shared)).await;
        let config = config.map_err(StoreError::internal_by)?;
        let (config, client_expires) = config.map_err(|why| StoreError::unavailable(format!("store.url: {why}")))?;
        let made = self.server.connect(MakeRustlsConnect::new(config)).await;
        let made = made.map_err(|error| StoreError::unavailable(explain(&error, Some(tls))).caused_by(error))?;
        let verified = match tls.check {
            Check::Name => "name",
            Check::Chain => "chain",
            Check::Nothing => "binding",
        };
        let Seen { version, server_expires } = *seen.lock();
        *self.link.lock() = Some(Link { version, verified, server_expires, client_expires });
        Ok(made)
    }
}

/// What is needed where nothing is encrypted, because the driver's connection is of one type.
fn plain_config() -> Result<ClientConfig, String> {
    let versions = ClientConfig::builder_with_provider(tls::provider()).with_safe_default_protocol_versions();
    let versions = versions.map_err(|error| error.to_string())?;
    Ok(versions.with_root_certificates(RootCertStore::empty()).with_no_client_auth())
}

/// The files of now, and when this program's own certificate expires.
fn client_config(tls: &Tls, seen: &Arc<Mutex<Seen>>) -> Result<(ClientConfig, Option<u64>), String> {
    let provider = tls::provider();
    let algorithms = provider.signature_verification_algorithms;
    let roots = tls.roots.as_ref().map(tls::Roots::read).transpose();
    let roots = roots.map_err(|error| format!("sslrootcert: {error}"))?;
    let verifier = Verifier::new(tls, roots, algorithms, seen.clone());
    let versions = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let versions = versions.map_err(|error| error.to_string())?;
    let builder = versions.dangerous().with_custom_certificate_verifier(Arc::new(verifier));
    let (mut config, own) = match &tls.identity {
        None => (builder.with_no_client_auth(), None),
        Some(identity) => {
            let (chain, key) = identity.read().map_err(|error| format!("sslcert and sslkey: {error}"))?;
            let own = chain.first().and_then(expiry);
            let config = builder.with_client_auth_cert(chain, key).map_err(|error| match error {
                rustls::Error::InconsistentKeys(_) => "sslkey is not the key of sslcert".to_owned(),
                rustls::Error::InvalidCertificate(error) => {
                    format!("the certificate in sslcert {}", tls::explain_certificate(&error, None))
                }
                other => format!("sslcert and sslkey can't be used: {other}"),
            })?;
            (config, own)
        }
    };
    if tls.direct {
        config.alpn_protocols = vec![b"postgresql".to_vec()];
    }
    config.resumption = rustls::client::Resumption::disabled();
    Ok((config, own))
}

/// Whether the server closed the connection instead of responding.
fn was_closed(error: &tokio_postgres::Error) -> bool {
    let kinds =
        [ErrorKind::ConnectionReset, ErrorKind::ConnectionAborted, ErrorKind::BrokenPipe, ErrorKind::UnexpectedEof];
    let mut causes = std::iter::successors(error.source(), |&cause| cause.source());
    error.is_closed()
        || causes.any(|cause| cause.downcast_ref::<io::Error>().is_some_and(|error| kinds.contains(&error.kind())))
}

/// Explains in plain language why there is no connection. Which of its rules an authentication breaks the server says only in its
/// message: they all have the SQLSTATE 28000, and the driver's own reasons have no code. So these hints go by the text.
fn explain(error: &tokio_postgres::Error, tls: Option<&Tls>) -> String {
    let identity = tls.and_then(|tls| tls.identity.as_ref());
    if let Some(cause) = tls::cause(error) {
        return tls::explain(cause, tls.and_then(|tls| tls.roots.as_ref()), identity.is_some());
    }
    let told = chain(error);
    if told.contains("server does not support TLS") {
        return "the server does not support TLS, so nothing was sent: enable ssl on the server, or write sslmode=disable if \
                everybody on the network path may read and change everything"
            .to_owned();
    }
    if told.contains("server did not use channel binding") {
        return "channel_binding=require can't be satisfied: the server does not use SCRAM for the password (see its \
                pg_hba.conf), or a proxy terminates TLS before the server"
            .to_owned();
    }
    // With TLS 1.3, a server may reject a client just by closing the connection.
    let hint = if identity.is_some() && was_closed(error) {
        "; the server may have rejected this program's own certificate"
    } else if told.contains("channel binding check failed") {
        "; the presented certificate is not the server's own: the connection is being intercepted"
    } else if told.contains("requires a valid client certificate") && identity.is_none() {
        "; set sslcert and sslkey"
    } else if tls.is_none() && told.contains("no encryption") {
        "; if the server accepts only encrypted connections, write sslmode=verify-full"
    } else {
        ""
    };
    format!("{told}{hint}")
}
