//! PostgreSQL: a bb8 pool. Transactions run in tasks of their own, because a transaction that is dropped half-way would
//! leave its connection unusable.

mod bulk;
#[path = "schema.rs"]
#[allow(missing_docs, clippy::wildcard_imports, reason = "made by diesel's `table!` macro")]
pub mod schema;
#[path = "sql/mod.rs"]
pub mod sql;

/// What an id and a flag are in this dialect.
pub mod types {
    pub use diesel::sql_types::{BigInt, Binary, Bool as Flag, Nullable, Text};
    /// Ids are UUIDs.
    pub type Id = diesel::sql_types::Uuid;
}

use diesel_async::AsyncPgConnection;
use diesel_async::SimpleAsyncConnection as _;
use diesel_async::async_connection_wrapper::AsyncConnectionWrapper;
use diesel_async::pooled_connection::AsyncDieselConnectionManager;
use diesel_async::pooled_connection::bb8::{Pool, PooledConnection};
use diesel_migrations::{EmbeddedMigrations, embed_migrations};
use futures_util::future::BoxFuture;

use super::StoreError;
use crate::config;

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations/postgres");

/// Held by the process that migrates; the number is arbitrary but must never change.
const MIGRATION_LOCK: i64 = 0x0064_6f6f_7262_7573;

/// A connection to the server.
pub type Conn = AsyncPgConnection;

/// A pool of connections to one PostgreSQL database. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    pool: Pool<Conn>,
    url: String,
}

impl Store {
    /// Prepares the pool; connections are opened on first use.
    pub async fn open(url: &str, config: &config::Store) -> Result<Self, StoreError> {
        let manager = AsyncDieselConnectionManager::<Conn>::new(url);
        let pool = Pool::builder()
            .max_size(config.connections)
            .connection_timeout(*config.acquire_timeout)
            .build(manager)
            .await
            .map_err(unavailable)?;
        Ok(Self { pool, url: url.to_owned() })
    }

    /// Runs `work` on a pooled connection.
    pub async fn read<R, F>(&self, work: F) -> Result<R, StoreError>
    where
        R: Send + 'static,
        F: for<'c> FnOnce(&'c mut Conn) -> BoxFuture<'c, Result<R, StoreError>> + Send + 'static,
    {
        let mut conn = self.pool.get_owned().await.map_err(unavailable)?;
        let run = async move { work(&mut conn).await };
        tokio::spawn(run).await.map_err(unavailable)?
    }

    /// Runs `work` in a transaction; returns after the commit.
    pub async fn write<R, F>(&self, work: F) -> Result<R, StoreError>
    where
        R: Send + 'static,
        F: for<'c> FnOnce(&'c mut Conn) -> BoxFuture<'c, Result<R, StoreError>> + Send + 'static,
    {
        let conn = self.pool.get_owned().await.map_err(unavailable)?;
        tokio::spawn(transaction(conn, work)).await.map_err(unavailable)?
    }

    /// See [`super::Database::migrate`].
    pub async fn migrate(&self) -> Result<Vec<String>, StoreError> {
        use diesel::connection::SimpleConnection;
        let conn = <Conn as diesel_async::AsyncConnection>::establish(&self.url).await.map_err(unavailable)?;
        let run = move || {
            let mut conn = AsyncConnectionWrapper::<Conn>::from(conn);
            SimpleConnection::batch_execute(&mut conn, &format!("SELECT pg_advisory_lock({MIGRATION_LOCK})"))?;
            super::refuse_newer_schema(&mut conn, MIGRATIONS)?;
            super::run_migrations(&mut conn, MIGRATIONS)
        };
        tokio::task::spawn_blocking(run).await.map_err(unavailable)?
    }

    /// See [`super::Database::ping`].
    pub async fn ping(&self) -> Result<(), StoreError> {
        let mut conn = self.pool.get().await.map_err(unavailable)?;
        Ok(conn.batch_execute("SELECT 1").await?)
    }
}

async fn transaction<R, F>(mut conn: PooledConnection<'static, Conn>, work: F) -> Result<R, StoreError>
where
    F: for<'c> FnOnce(&'c mut Conn) -> BoxFuture<'c, Result<R, StoreError>>,
{
    conn.batch_execute("BEGIN").await?;
    match work(&mut conn).await {
        Ok(value) => {
            conn.batch_execute("COMMIT").await?;
            Ok(value)
        }
        Err(error) => {
            conn.batch_execute("ROLLBACK").await?;
            Err(error)
        }
    }
}

fn unavailable(error: impl std::fmt::Display) -> StoreError {
    StoreError::Unavailable(error.to_string())
}
