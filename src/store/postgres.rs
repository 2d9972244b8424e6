//! PostgreSQL: a pool of connections, each used by one read or one transaction at a time. Work runs in tasks of its own, so that
//! a caller who goes away does not leave it half done, and under a deadline, so that a server that does not answer any more
//! is noticed.
//!
//! A transaction is not run again by itself: `work` may be run once only. A deadlock or a failed serialisation is
//! [`StoreError::Unavailable`] like a lost connection, and it is for the caller to know whether once more is right. The order
//! writer, expiry, the relay and the batchers of accounts do it, because running twice does not change what they write;
//! an operator or a buyer gets an error and may try again.

mod bulk;
pub mod dial;
pub mod listen;
mod metrics;
mod policy;
#[path = "schema.rs"]
#[allow(missing_docs, clippy::wildcard_imports, reason = "made by diesel's `table!` macro")]
pub mod schema;
mod session;
#[path = "sql/mod.rs"]
pub mod sql;
pub mod tools;

/// What an id and a flag are in this dialect.
pub mod types {
    pub use diesel::sql_types::{BigInt, Binary, Bool as Flag, Nullable, Text};
    /// Ids are UUIDs.
    pub type Id = diesel::sql_types::Uuid;
}

use std::sync::Arc;
use std::time::Duration;

use bb8::{Pool, PooledConnection, RunError};
use diesel::connection::SimpleConnection;
use diesel_async::async_connection_wrapper::AsyncConnectionWrapper;
use diesel_async::{AsyncPgConnection, SimpleAsyncConnection as _};
use diesel_migrations::{EmbeddedMigrations, embed_migrations};
use futures_util::future::BoxFuture;
use tokio::task::JoinError;
use tokio::time::{Instant, timeout};
use tokio_util::task::AbortOnDropHandle;

use self::metrics::{LinkMetrics, PoolMetrics};
use self::session::{LastError, Manager};
use super::StoreError;
use super::trouble::Trouble;
use super::work::{self, Work};
use crate::config;
use crate::kernel::Breaker;
use crate::telemetry::Metrics;

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations/postgres");

/// Held by the process that migrates; the number is arbitrary but must never change.
const MIGRATION_LOCK: i64 = 0x0064_6f6f_7262_7573;

/// How long a migration waits for a table in use at a time, and how long it then lets everybody else have it. Shorter than the second after
/// which PostgreSQL looks for deadlocks: what a migration could be in a circle with goes on instead of failing.
const MIGRATION_LOCK_WAIT: Duration = Duration::from_millis(500);

/// A connection to the server.
pub type Conn = AsyncPgConnection;

/// A connection in use. It goes back to the pool only if the work ended well enough to say so.
type Pooled = PooledConnection<'static, Manager>;

/// A pool of connections to one PostgreSQL database. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    pool: Pool<Manager>,
    manager: Arc<Manager>,
    last_error: LastError,
    breaker: Breaker,
    work_timeout: Duration,
    migration_wait: Duration,
    origin: Arc<str>,
    trouble: Trouble,
}

impl Store {
    /// Prepares the pool; connections are opened on first use.
    pub async fn open(url: &str, config: &config::Store) -> Result<Self, StoreError> {
        let last_error = LastError::default();
        let manager = Manager::new(url, config, last_error.clone())?;
        let exposed = manager.dialler().exposed();
        if !exposed.is_empty() {
            let hosts = exposed.join(", ");
            tracing::warn!(hosts, "store.url has sslmode=disable: connections to the database are not encrypted");
        }
        let pool = Pool::builder()
            .max_size(config.connections)
            .connection_timeout(*config.acquire_timeout)
            .error_sink(Box::new(last_error.clone()))
            .build(manager.clone())
            .await?;
        let (work_timeout, migration_wait) = (*config.work_timeout, *config.migration_wait);
        let (origin, manager) = (session::origin(config).into(), Arc::new(manager));
        let (breaker, trouble) = (Breaker::new(*config.refuse_after), Trouble::default());
        Ok(Self { pool, manager, last_error, breaker, work_timeout, migration_wait, origin, trouble })
    }

    /// See [`super::Database::trouble`].
    #[cfg(feature = "sabotage")]
    pub fn trouble(&self) -> &Trouble {
        &self.trouble
    }

    /// See [`super::Database::check`].
    pub fn check(config: &config::Store) -> Result<(), StoreError> {
        Manager::new(config.url.expose(), config, LastError::default()).map(drop)
    }

    /// Open while the server has not answered for `store.refuse_after`.
    pub fn breaker(&self) -> &Breaker {
        &self.breaker
    }

    /// See [`super::Database::origin`].
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Runs `work` on a pooled connection. Each of its statements is a transaction.
    pub fn read<R, F>(&self, work: F) -> impl Future<Output = Result<R, StoreError>> + Send
    where
        R: Send + 'static,
        F: for<'c> FnOnce(&'c mut Conn) -> BoxFuture<'c, Result<R, StoreError>> + Send + 'static,
    {
        let (work, outcome) = work::erase(work);
        outcome.of(self.run(Scope::Statements, work))
    }

    /// Runs `work` on a pooled connection. All its statements see one moment, and nothing is written.
    pub fn view<R, F>(&self, work: F) -> impl Future<Output = Result<R, StoreError>> + Send
    where
        R: Send + 'static,
        F: for<'c> FnOnce(&'c mut Conn) -> BoxFuture<'c, Result<R, StoreError>> + Send + 'static,
    {
        let (work, outcome) = work::erase(work);
        outcome.of(self.run(Scope::Moment, work))
    }

    /// Runs `work` in a transaction; returns after the commit.
    pub fn write<R, F>(&self, work: F) -> impl Future<Output = Result<R, StoreError>> + Send
    where
        R: Send + 'static,
        F: for<'c> FnOnce(&'c mut Conn) -> BoxFuture<'c, Result<R, StoreError>> + Send + 'static,
    {
        let (work, outcome) = work::erase(work);
        outcome.of(self.run(Scope::Transaction, work))
    }

    async fn run(&self, scope: Scope, work: Work<Conn>) -> Result<(), StoreError> {
        self.trouble.around(self.on_session(scope, work)).await
    }

    /// Waits for a connection, then finishes `work` on it. A task waits: a connection that is given to a caller who is not polled now
    /// (because its client takes no data, say) would be lost to all others.
    async fn on_session(&self, scope: Scope, work: Work<Conn>) -> Result<(), StoreError> {
        let store = self.clone();
        let wait = tokio::spawn(async move {
            let session = store.acquire().await?;
            store.within_deadline(scope.run(session, work)).await
        });
        joined(AbortOnDropHandle::new(wait).await)
    }

    /// Finishes `work`, whether or not the caller waits for it. Late work is dropped, and its connection with it.
    async fn within_deadline(
        &self,
        work: impl Future<Output = Result<(), StoreError>> + Send + 'static,
    ) -> Result<(), StoreError> {
        let deadline = self.work_timeout;
        let breaker = self.breaker.clone();
        let run = async move {
            let Ok(result) = timeout(deadline, work).await else {
                breaker.fails();
                return Err(StoreError::unavailable(format!("the database did not respond within {deadline:?}")));
            };
            // What the server refuses, it has answered; a lost connection says nothing yet.
            if !matches!(result, Err(StoreError::Unavailable { .. })) {
                breaker.works();
            }
            result
        };
        joined(tokio::spawn(run).await)
    }

    async fn acquire(&self) -> Result<Pooled, StoreError> {
        if !self.breaker.lets_through() {
            return Err(StoreError::unavailable("the server is not responding"));
        }
        self.pool.get_owned().await.map_err(|error| match error {
            RunError::User(error) => error,
            RunError::TimedOut => match self.last_error.take() {
                Some(error) => {
                    self.breaker.fails();
                    StoreError::unavailable(format!("no connection: {error}")).caused_by(error)
                }
                None => StoreError::unavailable("all connections are in use"),
            },
        })
    }

    /// See [`super::Database::migrate`].
    pub async fn migrate(&self) -> Result<Vec<String>, StoreError> {
        let wait = self.migration_wait;
        self.alone(move |conn| {
            // Whoever needs the same table waits behind a migration that waits for it. So it waits briefly, and comes again.
            let briefly = format!("SET lock_timeout = {}", MIGRATION_LOCK_WAIT.min(wait).as_millis());
            SimpleConnection::batch_execute(conn, &briefly)?;
            let until = Instant::now() + wait;
            super::migrate::migrate(
                conn,
                || MIGRATIONS,
                |error| {
                    let again = error.is_transient() && Instant::now() < until;
                    if again {
                        tracing::info!(%error, "a migration could not have a table in use; it is tried again");
                        std::thread::sleep(MIGRATION_LOCK_WAIT);
                    }
                    again
                },
            )
        })
        .await
    }

    /// See [`super::Database::is_current`].
    pub async fn is_current(&self) -> Result<bool, StoreError> {
        self.alone(|conn| super::migrate::is_current(conn, || MIGRATIONS)).await
    }

    /// Runs `work` on a connection of its own while no other process migrates.
    async fn alone<R: Send + 'static>(
        &self,
        work: impl FnOnce(&mut AsyncConnectionWrapper<Conn>) -> Result<R, StoreError> + Send + 'static,
    ) -> Result<R, StoreError> {
        let conn = self.manager.dial().await?;
        let wait = self.migration_wait.as_millis();
        let run = move || {
            let mut conn = AsyncConnectionWrapper::<Conn>::from(conn);
            let begin = format!(
                "SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0; SET lock_timeout = {wait};
                 SELECT pg_advisory_lock({MIGRATION_LOCK})"
            );
            SimpleConnection::batch_execute(&mut conn, &begin)?;
            work(&mut conn)
        };
        let stopped = |error: tokio::task::JoinError| StoreError::internal_by(error);
        tokio::task::spawn_blocking(run).await.map_err(stopped)?
    }

    /// See [`super::Database::ping`].
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.write(|conn| {
            Box::pin(async move {
                // Fails where nothing can be written: on a standby, say.
                conn.batch_execute("SELECT id FROM catalog_revision FOR NO KEY UPDATE SKIP LOCKED").await?;
                Ok(())
            })
        })
        .await
    }

    /// See [`super::Database::register`].
    pub fn register(&self, metrics: &Metrics) {
        let (pool, link) = (PoolMetrics(self.pool.clone()), LinkMetrics(self.manager.dialler().clone()));
        metrics.register(|registry| {
            registry.register_collector(Box::new(pool));
            registry.register_collector(Box::new(link));
        });
    }
}

fn joined(ended: Result<Result<(), StoreError>, JoinError>) -> Result<(), StoreError> {
    match ended {
        Ok(result) => result,
        Err(error) if error.is_panic() => Err(StoreError::internal("work on the database panicked")),
        Err(_) => Err(StoreError::unavailable("the process is shutting down")),
    }
}

/// What the statements of some work have in common.
#[derive(Clone, Copy)]
enum Scope {
    /// Nothing: each is a transaction.
    Statements,
    /// The moment that they see.
    Moment,
    /// A transaction.
    Transaction,
}

impl Scope {
    async fn run(self, session: Pooled, work: Work<Conn>) -> Result<(), StoreError> {
        match self {
            Self::Statements => statements(session, work).await,
            Self::Moment => moment(session, work).await,
            Self::Transaction => transaction(session, work).await,
        }
    }
}

async fn statements(mut session: Pooled, work: Work<Conn>) -> Result<(), StoreError> {
    session.is_clean = false;
    let result = work(&mut session.conn).await;
    session.is_clean = true;
    result
}

async fn moment(mut session: Pooled, work: Work<Conn>) -> Result<(), StoreError> {
    session.is_clean = false;
    session.conn.batch_execute("BEGIN").await?;
    one_moment(&mut session.conn).await?;
    let result = work(&mut session.conn).await;
    session.conn.batch_execute("ROLLBACK").await?;
    session.is_clean = true;
    result
}

async fn transaction(mut session: Pooled, work: Work<Conn>) -> Result<(), StoreError> {
    session.is_clean = false;
    session.conn.batch_execute("BEGIN").await?;
    let result = work(&mut session.conn).await;
    let ended = match &result {
        // After a failed statement that `work` has ignored, COMMIT alone would roll back and say nothing. SELECT fails then.
        Ok(()) => session.conn.batch_execute("SELECT 1; COMMIT").await,
        Err(_) => session.conn.batch_execute("ROLLBACK").await,
    };
    match (result, ended) {
        (result, Ok(())) => {
            session.is_clean = true;
            result
        }
        (Ok(()), Err(error)) => Err(match StoreError::from(error) {
            StoreError::Unavailable { reason, cause } => {
                let reason = format!("whether the transaction was committed is unknown: {reason}");
                StoreError::Unavailable { reason, cause }
            }
            error => error,
        }),
        (Err(error), Err(_)) => Err(error),
    }
}

/// Begins a transaction that sees one moment; the first statement after its BEGIN.
async fn one_moment(conn: &mut Conn) -> Result<(), StoreError> {
    Ok(conn.batch_execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY").await?)
}
