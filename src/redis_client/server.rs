//! The Redis server: connecting, checking that it can be used, and loading the function libraries.

use std::fmt;
use std::time::Duration;

use bb8_redis::RedisConnectionManager;
use parking_lot::Mutex;
use redis::aio::MultiplexedConnection;
use redis::{Client, ClientTlsConfig, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, TlsCertificates, cmd};
use tokio::time::Instant;

use super::error::{ConnectError, RedisError};
use super::library::Library;
use crate::config;
use crate::tls::{self, Identity, Roots, TlsError};

/// Where the server is and how to talk to it.
pub(super) struct Server {
    info: ConnectionInfo,
    /// For TLS: the trusted authorities, and the node's own certificate.
    tls: Option<(Roots, Option<Identity>)>,
    /// Without the password.
    shown: String,
    connect_timeout: Duration,
    /// When a connection to it last turned out to be dead.
    lost: Mutex<Option<Instant>>,
    libraries: Vec<&'static Library>,
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl Server {
    pub(super) fn new(config: &config::Gate, libraries: Vec<&'static Library>) -> Result<Self, RedisError> {
        let shown = config.url.redacted();
        let unreadable = |error: redis::RedisError| RedisError(format!("{shown}: {error}"));
        let info = config.url.expose().into_connection_info().map_err(unreadable)?;
        let tls = match info.addr() {
            ConnectionAddr::TcpTls { insecure: true, .. } => {
                return Err(RedisError(format!(
                    "{shown}: #insecure would trust any server; set gate.tls_roots to the authority instead"
                )));
            }
            ConnectionAddr::TcpTls { .. } => {
                let roots = if config.tls_roots.is_empty() {
                    Roots::System
                } else {
                    Roots::File(config.tls_roots.clone().into())
                };
                let identity = (!config.tls_certificate.is_empty()).then(|| Identity {
                    certificate: config.tls_certificate.clone().into(),
                    key: config.tls_key.clone().into(),
                });
                // The library uses the default provider of the process.
                let _provider = tls::provider();
                Some((roots, identity))
            }
            _ => None,
        };
        let (connect_timeout, lost) = (*config.connect_timeout, Mutex::default());
        let server = Self { info, tls, shown, connect_timeout, lost, libraries };
        server.manager()?;
        Ok(server)
    }

    /// A connection turned out to be dead.
    pub(super) fn lost_connection(&self) {
        *self.lost.lock() = Some(Instant::now());
    }

    /// Whether another connection died at this moment or later. One that last answered before may have died with it: it must
    /// answer a ping before it is used again, or else each of them costs another call.
    pub(super) fn lost_a_connection_since(&self, answered: Instant) -> bool {
        self.lost.lock().is_some_and(|lost| answered <= lost)
    }

    /// Makes connections to the server, with the certificates that the files hold now.
    pub(super) fn manager(&self) -> Result<RedisConnectionManager, RedisError> {
        let unreadable = |error: redis::RedisError| RedisError(format!("{}: {error}", self.shown));
        let Some((roots, identity)) = &self.tls else {
            return RedisConnectionManager::new(self.info.clone()).map_err(unreadable);
        };
        let certificates = certificates(roots, identity.as_ref()).map_err(|error| RedisError(error.to_string()))?;
        let client = Client::build_with_tls(self.info.clone(), certificates).map_err(unreadable)?;
        RedisConnectionManager::new(client.get_connection_info().clone()).map_err(unreadable)
    }

    /// Why there is no connection, in plain language if TLS is the reason.
    fn explain(&self, error: redis::RedisError) -> ConnectError {
        match (tls::cause(&error), &self.tls) {
            (Some(cause), Some((roots, identity))) => {
                ConnectError::Unreachable(tls::explain(cause, Some(roots), identity.is_some()))
            }
            _ => error.into(),
        }
    }

    /// The connection that this comes to, if the server can be used and has the libraries.
    pub(super) async fn look_at(
        &self,
        connecting: impl Future<Output = Result<MultiplexedConnection, redis::RedisError>>,
    ) -> Result<MultiplexedConnection, ConnectError> {
        let looking = async {
            let mut connection = connecting.await.map_err(|error| self.explain(error))?;
            // The whole look has a limit.
            connection.set_response_timeout(self.connect_timeout);
            let info: String =
                cmd("INFO").arg(&["server", "cluster", "memory", "replication"]).query_async(&mut connection).await?;
            if let Some(reason) = unusable(&info) {
                return Err(ConnectError::Unusable(reason));
            }
            self.load_libraries(&mut connection).await?;
            Ok(connection)
        };
        match tokio::time::timeout(self.connect_timeout, looking).await {
            Ok(result) => result,
            Err(_) => Err(ConnectError::Unreachable(format!("not within {:?}", self.connect_timeout))),
        }
    }

    /// Makes sure that the server has these very libraries.
    pub(super) async fn load_libraries(&self, connection: &mut MultiplexedConnection) -> Result<(), ConnectError> {
        for library in &self.libraries {
            library.load(connection).await?;
        }
        Ok(())
    }
}

/// What the library wants of the files, each of which is looked at first.
fn certificates(roots: &Roots, identity: Option<&Identity>) -> Result<TlsCertificates, TlsError> {
    roots.read()?;
    let root_cert = match roots {
        Roots::System => None,
        Roots::File(path) => Some(tls::read(path)?),
    };
    let client_tls = match identity {
        None => None,
        Some(identity) => {
            identity.read()?;
            Some(ClientTlsConfig {
                client_cert: tls::read(&identity.certificate)?,
                client_key: tls::read(&identity.key)?,
            })
        }
    };
    Ok(TlsCertificates { client_tls, root_cert })
}

/// Why the server can't be used, according to its own information.
fn unusable(info: &str) -> Option<String> {
    let value = |name: &str| {
        let line = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.unwrap_or_default().trim()
    };
    let major: u32 = value("redis_version").split('.').next().and_then(|text| text.parse().ok()).unwrap_or(0);
    if major < 7 {
        return Some(format!("it is version {}, and 7.0 or newer is required", value("redis_version")));
    }
    if value("cluster_enabled") == "1" {
        return Some(
            "it is part of a cluster; the keys of a buyer over all sales must be in one place: use one primary, with \
             replicas if you like"
                .to_owned(),
        );
    }
    if value("role") == "slave" {
        return Some("it is a replica; use the address of the primary".to_owned());
    }
    let policy = value("maxmemory_policy");
    if policy.starts_with("allkeys") && value("maxmemory") != "0" {
        return Some(format!("its maxmemory-policy {policy} may evict admissions; set it to noeviction"));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "redis_version:7.0.15\r\ncluster_enabled:0\r\nmaxmemory:0\r\nmaxmemory_policy:noeviction\r\n\
                        role:master\r\n";

    #[test]
    fn servers_that_could_break_promises_are_refused() {
        assert_eq!(unusable(GOOD), None);
        for (good, bad, word) in [
            ("7.0.15", "6.2.14", "version"),
            ("cluster_enabled:0", "cluster_enabled:1", "cluster"),
            ("role:master", "role:slave", "replica"),
            ("maxmemory:0\r\nmaxmemory_policy:noeviction", "maxmemory:9\r\nmaxmemory_policy:allkeys-lru", "evict"),
            ("redis_version:7.0.15", "", "version"),
        ] {
            assert!(unusable(&GOOD.replace(good, bad)).is_some_and(|reason| reason.contains(word)), "{bad}");
        }
        assert_eq!(unusable(&GOOD.replace("maxmemory:0\r\nmaxmemory_policy:noeviction", "maxmemory:9")), None);
    }
}
