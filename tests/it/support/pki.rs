//! Authorities and certificates of a test's own, and somebody in the middle who shows one.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, SignatureAlgorithm};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, TlsConnector};
use tokio_util::task::AbortOnDropHandle;

/// Who issues certificates.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate with its issuers, and its key, in PEM form.
#[derive(Clone)]
pub struct Issued {
    pub chain: String,
    pub key: String,
}

impl Authority {
    pub fn new(name: &str) -> Self {
        Self::signing_with(name, &rcgen::PKCS_ECDSA_P256_SHA256)
    }

    /// Its kind of key decides how what it issues is signed.
    pub fn signing_with(name: &str, algorithm: &'static SignatureAlgorithm) -> Self {
        let key = KeyPair::generate_for(algorithm).unwrap();
        Self(CertifiedIssuer::self_signed(authority(name), key).unwrap())
    }

    /// One below it.
    pub fn below(&self, name: &str) -> Self {
        Self(CertifiedIssuer::signed_by(authority(name), KeyPair::generate().unwrap(), &self.0).unwrap())
    }

    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// For these names, the first of them its common name.
    pub fn issue(&self, names: &[&str]) -> Issued {
        self.issue_with(names, |_| ())
    }

    pub fn issue_with(&self, names: &[&str], change: impl FnOnce(&mut CertificateParams)) -> Issued {
        let mut params = CertificateParams::new(names.iter().map(ToString::to_string).collect::<Vec<_>>()).unwrap();
        params.distinguished_name.push(DnType::CommonName, names[0]);
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        Issued { chain: params.signed_by(&key, &self.0).unwrap().pem(), key: key.serialize_pem() }
    }
}

fn authority(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

/// Writes a file into the folder.
pub fn file(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path
}

/// Ends TLS with a certificate of its own, and speaks to the server behind it for its clients.
pub struct Middleman {
    pub address: SocketAddr,
    _task: AbortOnDropHandle<()>,
}

/// How a middleman speaks.
#[derive(Clone)]
pub struct Manners {
    /// What it shows.
    pub shows: Issued,
    /// TLS begins with the first byte, which must say that it is PostgreSQL's.
    pub direct: bool,
    /// It speaks TLS to the server too, and believes this authority.
    pub trusts: Option<String>,
}

impl Middleman {
    /// In front of the server on this port.
    pub async fn before(port: u16, manners: Manners) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let manners = Arc::new(manners);
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let manners = manners.clone();
                tokio::spawn(async move { carry(client, port, &manners).await });
            }
        });
        Self { address, _task: AbortOnDropHandle::new(task) }
    }
}

/// Ends quietly when either side does not want to go on.
async fn carry(mut client: TcpStream, port: u16, manners: &Manners) -> Option<()> {
    if !manners.direct {
        let mut question = [0; 8];
        client.read_exact(&mut question).await.ok()?;
        client.write_all(b"S").await.ok()?;
    }
    let chain: Vec<_> = CertificateDer::pem_slice_iter(manners.shows.chain.as_bytes()).map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_slice(manners.shows.key.as_bytes()).unwrap();
    let versions = rustls::ServerConfig::builder_with_provider(doorbuster::tls::provider());
    let builder = versions.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
    let mut config = builder.with_single_cert(chain, key).unwrap();
    config.alpn_protocols = vec![b"postgresql".to_vec()];
    let mut client = TlsAcceptor::from(Arc::new(config)).accept(client).await.ok()?;
    if manners.direct && client.get_ref().1.alpn_protocol() != Some(b"postgresql") {
        return None;
    }
    let server = TcpStream::connect(("127.0.0.1", port)).await.ok()?;
    let mut server: Box<dyn Wire> = match &manners.trusts {
        None => Box::new(server),
        Some(trusts) => Box::new(speak_tls(server, trusts).await?),
    };
    copy_bidirectional(&mut client, &mut server).await.ok().map(drop)
}

trait Wire: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Wire for T {}

async fn speak_tls(mut server: TcpStream, trusts: &str) -> Option<tokio_rustls::client::TlsStream<TcpStream>> {
    server.write_all(&[0, 0, 0, 8, 4, 210, 22, 47]).await.ok()?;
    let mut answer = [0];
    server.read_exact(&mut answer).await.ok()?;
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(trusts.as_bytes()).unwrap()).unwrap();
    let versions = rustls::ClientConfig::builder_with_provider(doorbuster::tls::provider());
    let builder = versions.with_safe_default_protocol_versions().unwrap();
    let config = builder.with_root_certificates(roots).with_no_client_auth();
    let name = ServerName::try_from("127.0.0.1").unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, server).await.ok()
}
