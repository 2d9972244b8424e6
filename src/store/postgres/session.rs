//! How connections are made, and when one must not be used again.

use std::sync::Arc;
use std::time::Duration;

use bb8::{ErrorSink, ManageConnection};
use diesel_async::SimpleAsyncConnection as _;
use diesel_async::pooled_connection::PoolableConnection as _;
use parking_lot::Mutex;
use tokio::time::timeout;

use super::dial::Dialler;
use crate::config;
use crate::kernel::errors::chain;
use crate::store::StoreError;
use diesel_async::AsyncPgConnection as Conn;

/// Errors are told apart by their text where diesel has no kind for them, so the server must speak English.
const ENGLISH: &str = "DO $$ BEGIN
    IF current_setting('lc_messages') !~* '^(c|posix|en.*|c\\..*)?$' THEN
        SET lc_messages = 'C';
    END IF;
EXCEPTION WHEN insufficient_privilege THEN
    RAISE EXCEPTION 'the server must speak English: ALTER ROLE % SET lc_messages = ''C''', quote_ident(current_user);
END $$;";

/// Events of a whole batch are hundreds of kilobytes, written once and read once: what packs them with less work is better than
/// what packs them a little smaller. A server that was built without it keeps its own way.
const PACK_FAST: &str = "DO $$ BEGIN
    SET default_toast_compression = 'lz4';
EXCEPTION WHEN invalid_parameter_value THEN NULL;
END $$;";

/// Statements stay prepared and their plans are kept: making one costs several times what running it does, also for the server's
/// own checks of foreign keys. As one that is kept must be right for tables that grow, none reads a whole table, however small
/// it is now.
const KEEP_PLANS: &str = "SET plan_cache_mode = auto; SET enable_seqscan = off;";

/// A connection of the pool.
pub struct Session {
    /// The connection.
    pub conn: Conn,
    /// Whether it may be used again. Not while work is under way: a panic, a deadline or a lost connection leaves it so.
    pub is_clean: bool,
}

/// The name of this node's connections, and so of the events that it writes.
pub fn origin(config: &config::Store) -> &str {
    if config.node.is_empty() { "doorbuster" } else { &config.node }
}

/// Makes connections.
#[derive(Clone)]
pub struct Manager {
    dialler: Dialler,
    /// Statements for a new connection.
    setup: Arc<str>,
    connect_timeout: Duration,
    last_error: LastError,
}

impl Manager {
    /// For connections to the database at `url`.
    pub fn new(url: &str, config: &config::Store, last_error: LastError) -> Result<Self, StoreError> {
        let mut dialler = Dialler::new(url)?;
        dialler
            .server
            .application_name(origin(config))
            .connect_timeout(*config.connect_timeout)
            .keepalives(true)
            .keepalives_idle(*config.keepalive)
            .keepalives_interval(*config.keepalive / 3)
            .keepalives_retries(3)
            .tcp_user_timeout(*config.work_timeout);
        let setup = format!(
            "{ENGLISH}
             {PACK_FAST}
             SET synchronous_commit = on;
             SET jit = off;
             SET statement_timeout = {};
             SET lock_timeout = {};
             SET idle_in_transaction_session_timeout = {};
             {KEEP_PLANS}",
            config.statement_timeout.as_millis(),
            config.lock_timeout.as_millis(),
            config.idle_in_transaction_timeout.as_millis(),
        );
        Ok(Self { dialler, setup: setup.into(), connect_timeout: *config.connect_timeout, last_error })
    }

    /// Makes the connections to the server.
    pub fn dialler(&self) -> &Dialler {
        &self.dialler
    }

    /// A new connection.
    pub async fn dial(&self) -> Result<Conn, StoreError> {
        let dialled = async {
            let (client, connection) = self.dialler.connect().await?;
            let lost = |error: diesel::ConnectionError| StoreError::unavailable(chain(&error)).caused_by(error);
            let mut conn = Conn::try_from_client_and_connection(client, connection).await.map_err(lost)?;
            conn.batch_execute(&self.setup).await?;
            Ok(conn)
        };
        let late = |_| StoreError::unavailable(format!("no connection within {:?}", self.connect_timeout));
        timeout(self.connect_timeout, dialled).await.map_err(late)?
    }
}

impl ManageConnection for Manager {
    type Connection = Session;
    type Error = StoreError;

    async fn connect(&self) -> Result<Session, StoreError> {
        let conn = self.dial().await?;
        self.last_error.take();
        Ok(Session { conn, is_clean: true })
    }

    /// Without a round trip: the end of a connection is noticed when it comes, and a silent one by the deadline of the work.
    async fn is_valid(&self, session: &mut Session) -> Result<(), StoreError> {
        if session.conn.is_broken() { Err(StoreError::unavailable("the connection was closed")) } else { Ok(()) }
    }

    fn has_broken(&self, session: &mut Session) -> bool {
        !session.is_clean || session.conn.is_broken()
    }
}

/// Why the last connection could not be made, for those who wait for one in vain.
#[derive(Debug, Clone, Default)]
pub struct LastError(Arc<Mutex<Option<StoreError>>>);

impl LastError {
    /// Takes it away.
    pub fn take(&self) -> Option<StoreError> {
        self.0.lock().take()
    }
}

impl ErrorSink<StoreError> for LastError {
    fn sink(&self, error: StoreError) {
        tracing::warn!(%error, "a database connection failed");
        *self.0.lock() = Some(error);
    }

    fn boxed_clone(&self) -> Box<dyn ErrorSink<StoreError>> {
        Box::new(self.clone())
    }
}
