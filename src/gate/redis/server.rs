//! The Redis server: connecting, checking that it can be used, and loading the function library.

use std::fmt;
use std::sync::OnceLock;
use std::time::Duration;

use bb8_redis::RedisConnectionManager;
use parking_lot::Mutex;
use redis::aio::MultiplexedConnection;
use redis::{
    Client, ClientTlsConfig, ConnectionAddr, ConnectionInfo, ErrorKind, IntoConnectionInfo, RedisError,
    TlsCertificates, Value, cmd,
};
use tokio::time::Instant;

use crate::config;
use crate::gate::GateError;
use crate::tls::{self, Identity, Roots, TlsError};

/// The functions, as this version of the program knows them.
pub(super) struct Library {
    pub(super) name: String,
    pub(super) code: String,
}

const CODE: &str = include_str!("library.lua");
const TALLY: &str = include_str!("tally.lua");
const TOKENS: &str = include_str!("tokens.lua");

/// The gate's library that is compiled in.
pub(super) fn library() -> &'static Library {
    static LIBRARY: OnceLock<Library> = OnceLock::new();
    LIBRARY.get_or_init(|| compiled_in(CODE))
}

/// The library of the counters.
pub(super) fn tally() -> &'static Library {
    static LIBRARY: OnceLock<Library> = OnceLock::new();
    LIBRARY.get_or_init(|| compiled_in(TALLY))
}

/// The library of access tokens.
pub(super) fn tokens() -> &'static Library {
    static LIBRARY: OnceLock<Library> = OnceLock::new();
    LIBRARY.get_or_init(|| compiled_in(TOKENS))
}

fn compiled_in(code: &str) -> Library {
    let library = Library { name: name_of(code).to_owned(), code: code.to_owned() };
    #[cfg(feature = "sabotage")]
    let library = sabotaged(library);
    library
}

/// The name that the code gives itself in its first line.
fn name_of(code: &str) -> &str {
    code.lines().next().and_then(|line| line.strip_prefix("#!lua name=")).unwrap_or_default()
}

/// Deliberate mistakes, where the code has their names in comments. The name changes with the code, so that a server can
/// hold both.
#[cfg(feature = "sabotage")]
fn sabotaged(mut library: Library) -> Library {
    let mistakes = [
        ("gate.no_buyer_check", "and false"),
        ("gate.release_without_seq_check", "or true"),
        ("gate.trust_restarted_redis", "or true"),
        ("tokens.overwrite_ended", "or true"),
        ("tokens.trust_another_life", "or true"),
    ];
    for (number, (name, mistake)) in mistakes.into_iter().enumerate() {
        if crate::kernel::sabotage::active(name) {
            let wrong = format!("{}_wrong{number}", library.name);
            let code = library.code.replace(&format!("--[[{name}]]"), mistake).replace(&library.name, &wrong);
            library = Library { name: wrong, code };
        }
    }
    library
}

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
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConnectError {
    /// Nobody answers, or not in time; may pass.
    #[error("could not connect to Redis: {0}")]
    Unreachable(String),
    /// The server answers and can't be used as it is.
    #[error("this Redis can't be used: {0}")]
    Unusable(String),
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl Server {
    pub(super) fn new(config: &config::Gate) -> Result<Self, GateError> {
        let shown = config.url.redacted();
        let unreadable = |error: RedisError| GateError(format!("{shown}: {error}"));
        let info = config.url.expose().into_connection_info().map_err(unreadable)?;
        let tls = match info.addr() {
            ConnectionAddr::TcpTls { insecure: true, .. } => {
                return Err(GateError(format!(
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
        let server = Self { info, tls, shown, connect_timeout: *config.connect_timeout, lost: Mutex::default() };
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
    pub(super) fn manager(&self) -> Result<RedisConnectionManager, GateError> {
        let unreadable = |error: RedisError| GateError(format!("{}: {error}", self.shown));
        let Some((roots, identity)) = &self.tls else {
            return RedisConnectionManager::new(self.info.clone()).map_err(unreadable);
        };
        let certificates = certificates(roots, identity.as_ref()).map_err(|error| GateError(error.to_string()))?;
        let client = Client::build_with_tls(self.info.clone(), certificates).map_err(unreadable)?;
        RedisConnectionManager::new(client.get_connection_info().clone()).map_err(unreadable)
    }

    /// Why there is no connection, in plain language if TLS is the reason.
    fn explain(&self, error: RedisError) -> ConnectError {
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
        connecting: impl Future<Output = Result<MultiplexedConnection, RedisError>>,
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
            load_library(&mut connection).await?;
            Ok(connection)
        };
        match tokio::time::timeout(self.connect_timeout, looking).await {
            Ok(result) => result,
            Err(_) => Err(ConnectError::Unreachable(format!("not within {:?}", self.connect_timeout))),
        }
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

impl From<RedisError> for ConnectError {
    fn from(error: RedisError) -> Self {
        let refused = error.kind() == ErrorKind::AuthenticationFailed;
        let busy = matches!(error.code(), Some("LOADING" | "MASTERDOWN" | "BUSY"));
        let passes = error.is_io_error() || error.is_unrecoverable_error() || busy;
        if passes && !refused { Self::Unreachable(error.to_string()) } else { Self::Unusable(error.to_string()) }
    }
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

/// Makes sure that the server has these very libraries.
pub(super) async fn load_library(connection: &mut MultiplexedConnection) -> Result<(), ConnectError> {
    load(connection, library()).await?;
    load(connection, tally()).await?;
    load(connection, tokens()).await
}

async fn load(connection: &mut MultiplexedConnection, library: &Library) -> Result<(), ConnectError> {
    let Library { name, code } = library;
    if listed(connection, name).await?.is_none() {
        let loaded: Result<Value, RedisError> = cmd("FUNCTION").arg("LOAD").arg(code).query_async(connection).await;
        match loaded {
            Ok(_) => return Ok(()),
            // If another node was faster, the library is listed now.
            Err(error) if listed(connection, name).await?.is_none() => return Err(error.into()),
            Err(_) => {}
        }
    }
    let held = listed(connection, name).await?;
    let same = held.is_some_and(|held| contains(&held, code.as_bytes()));
    let other = || {
        let reason = format!("its function library {name} has different contents; a changed library needs a new name");
        ConnectError::Unusable(reason)
    };
    same.then_some(()).ok_or_else(other)
}

/// The library as reported by the server, including its code; `None` if there is none with this name.
async fn listed(connection: &mut MultiplexedConnection, name: &str) -> Result<Option<Value>, RedisError> {
    let list = cmd("FUNCTION").arg("LIST").arg("LIBRARYNAME").arg(name).arg("WITHCODE").query_async(connection).await?;
    Ok(match list {
        Value::Array(libraries) | Value::Set(libraries) => libraries.into_iter().next(),
        _ => None,
    })
}

fn contains(value: &Value, text: &[u8]) -> bool {
    match value {
        Value::BulkString(bytes) => bytes == text,
        Value::VerbatimString { text: verbatim, .. } => verbatim.as_bytes() == text,
        Value::SimpleString(simple) => simple.as_bytes() == text,
        Value::Array(values) | Value::Set(values) => values.iter().any(|value| contains(value, text)),
        Value::Map(pairs) => pairs.iter().any(|(_, value)| contains(value, text)),
        _ => false,
    }
}

/// Whether the server responded that it does not know the function: somebody flushed its libraries. Told by the text, because Redis
/// gives this error no code but the general `ERR`.
pub(super) fn lacks_function(error: &RedisError) -> bool {
    error.to_string().to_lowercase().contains("function not found")
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

    #[test]
    fn a_library_says_its_name_once_for_redis_and_once_for_itself() {
        for (code, begins) in
            [(CODE, "doorbuster_gate_v"), (TALLY, "doorbuster_tally_v"), (TOKENS, "doorbuster_tokens_v")]
        {
            let name = name_of(code);
            assert!(name.starts_with(begins));
            assert!(code.contains(&format!("local LIB = '{name}'\n")));
        }
        for mistake in ["gate.no_buyer_check", "gate.release_without_seq_check", "gate.trust_restarted_redis"] {
            assert_eq!(CODE.matches(&format!("--[[{mistake}]]")).count(), 1, "{mistake}");
        }
    }
}
