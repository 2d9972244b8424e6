//! The database. [`Database`] says which dialect; [`read!`], [`view!`] and [`write!`] run a closure on a connection of
//! it.
//!
//! Queries are written once, in `sql/<slice>.rs`, and compiled for each dialect: `postgres.rs` and `sqlite.rs` each
//! declare a `Conn` type and include `schema.rs` and `sql/` as their own. Inside [`read!`] and [`write!`] the name `sql` means
//! the right one:
//!
//! ```ignore
//! let user = store::read!(db, |conn| sql::accounts::find_user(conn, id).await)?;
//! store::write!(db, |conn| sql::accounts::insert_user(conn, &user).await)?;
//! ```
//!
//! The statements of a `read!` may see different moments, those of a [`view!`] see one.
//! A `write!` is one transaction: `Err` rolls it back, `Ok` is returned only after the commit is durable.
//! On SQLite all writes go through one writer, which commits those that wait at the same moment together.

mod codes;
mod error;
mod migrate;
pub mod postgres;
pub mod sqlite;
#[cfg(test)]
pub(crate) mod testing;
pub mod trouble;
mod types;
mod work;

pub use error::StoreError;

use crate::config;
use crate::kernel::Breaker;
use crate::telemetry::Metrics;

/// A handle on the database; cheap to clone.
#[derive(Clone)]
pub enum Database {
    /// Many nodes share one server.
    Postgres(postgres::Store),
    /// One node, one file.
    Sqlite(sqlite::Store),
}

impl Database {
    /// Opens the database that the URL names (`sqlite://path` or `postgres://…`) without touching its schema.
    pub async fn open(config: &config::Store) -> Result<Self, StoreError> {
        let url = config.url.expose();
        if let Some(path) = url.strip_prefix("sqlite://") {
            return sqlite::Store::open(path, config).await.map(Self::Sqlite);
        }
        postgres::Store::open(url, config).await.map(Self::Postgres)
    }

    /// The same for a command that only reads: a database that is not there is an error, and nothing is made or changed.
    pub async fn look(config: &config::Store) -> Result<Self, StoreError> {
        match config.url.expose().strip_prefix("sqlite://") {
            Some(path) => sqlite::Store::look(path, config).await.map(Self::Sqlite),
            None => Self::open(config).await,
        }
    }

    /// Whether [`Self::open`] could succeed, without asking a server, and without making or changing anything.
    pub fn check(config: &config::Store) -> Result<(), StoreError> {
        match config.url.expose().strip_prefix("sqlite://") {
            Some(path) => sqlite::file::DatabaseFile::check_place(path.as_ref()),
            None => postgres::Store::check(config),
        }
    }

    /// Fails if an SQLite file is not there yet: for commands that need what is in it.
    pub fn must_exist(config: &config::Store) -> Result<(), StoreError> {
        match config.url.expose().strip_prefix("sqlite://") {
            Some(path) => sqlite::file::DatabaseFile::find(path.as_ref()).map(drop),
            None => Ok(()),
        }
    }

    /// Closes the database after everything that was begun. An SQLite file is complete by itself then.
    pub async fn close(&self) {
        if let Self::Sqlite(store) = self {
            store.close().await;
        }
    }

    /// Applies the migrations that are missing, under a lock. A database that programs of this data version can't work with is refused
    /// (see [`crate::model::upgrade`]). Returns the names of those applied.
    pub async fn migrate(&self) -> Result<Vec<String>, StoreError> {
        match self {
            Self::Postgres(store) => store.migrate().await,
            Self::Sqlite(store) => store.migrate().await,
        }
    }

    /// Whether [`Self::migrate`] has nothing to do but to make the tables of an empty database. Refuses what it refuses.
    pub async fn is_current(&self) -> Result<bool, StoreError> {
        match self {
            Self::Postgres(store) => store.is_current().await,
            Self::Sqlite(store) => store.is_current().await,
        }
    }

    /// Answers whether the database can be written to now.
    pub async fn ping(&self) -> Result<(), StoreError> {
        match self {
            Self::Postgres(store) => store.ping().await,
            Self::Sqlite(store) => store.ping().await,
        }
    }
}

impl Database {
    /// Adds the numbers of the pool to the metrics (PostgreSQL).
    pub fn register(&self, metrics: &Metrics) {
        if let Self::Postgres(store) = self {
            store.register(metrics);
        }
    }

    /// Whether the server can be away, and is (PostgreSQL).
    pub fn breaker(&self) -> Option<&Breaker> {
        match self {
            Self::Postgres(store) => Some(store.breaker()),
            Self::Sqlite(_) => None,
        }
    }

    /// Where a test takes it away.
    #[cfg(feature = "sabotage")]
    pub fn trouble(&self) -> &trouble::Trouble {
        match self {
            Self::Postgres(store) => store.trouble(),
            Self::Sqlite(store) => store.trouble(),
        }
    }

    /// The origin of events in the outbox; empty with a single node.
    pub fn origin(&self) -> &str {
        match self {
            Self::Postgres(store) => store.origin(),
            Self::Sqlite(_) => "",
        }
    }

    /// Notifies `news` of what the database tells on a channel, until that does not work any more (PostgreSQL). Returns why, and
    /// whether it ever did. A file tells nothing: there it waits for ever.
    pub async fn listen(&self, channel: &str, news: &tokio::sync::Notify) -> (StoreError, bool) {
        match self {
            Self::Postgres(store) => store.listen(channel, news).await,
            Self::Sqlite(_) => std::future::pending().await,
        }
    }

    /// Whether other processes may write to it too.
    pub const fn is_shared(&self) -> bool {
        matches!(self, Self::Postgres(_))
    }

    /// Whether rows that take their ids from a sequence become visible in the order of their ids. On PostgreSQL the
    /// transaction with the smaller id may commit later.
    pub const fn commits_in_order(&self) -> bool {
        matches!(self, Self::Sqlite(_))
    }
}

/// Runs `$body` on a read connection. `sql` is the dialect's query modules.
macro_rules! read {
    ($db:expr, |$conn:ident| $body:expr) => {
        match $db {
            $crate::store::Database::Postgres(store) => {
                #[allow(unused_imports, reason = "a body may use only its own queries")]
                use $crate::store::postgres::sql;
                store.read(move |$conn: &mut $crate::store::postgres::Conn| Box::pin(async move { $body })).await
            }
            $crate::store::Database::Sqlite(store) => {
                #[allow(unused_imports, reason = "a body may use only its own queries")]
                use $crate::store::sqlite::sql;
                store.read(move |$conn: &mut $crate::store::sqlite::Conn| Box::pin(async move { $body })).await
            }
        }
    };
}

/// Runs `$body` in one transaction; see the module's documentation.
macro_rules! write {
    ($db:expr, |$conn:ident| $body:expr) => {
        match $db {
            $crate::store::Database::Postgres(store) => {
                #[allow(unused_imports, reason = "a body may use only its own queries")]
                use $crate::store::postgres::sql;
                store.write(move |$conn: &mut $crate::store::postgres::Conn| Box::pin(async move { $body })).await
            }
            $crate::store::Database::Sqlite(store) => {
                #[allow(unused_imports, reason = "a body may use only its own queries")]
                use $crate::store::sqlite::sql;
                store.write(move |$conn: &mut $crate::store::sqlite::Conn| Box::pin(async move { $body })).await
            }
        }
    };
}

/// Runs `$body` on a read connection, and all its statements see one moment. Nothing is written.
macro_rules! view {
    ($db:expr, |$conn:ident| $body:expr) => {
        match $db {
            $crate::store::Database::Postgres(store) => {
                #[allow(unused_imports, reason = "a body may use only its own queries")]
                use $crate::store::postgres::sql;
                store.view(move |$conn: &mut $crate::store::postgres::Conn| Box::pin(async move { $body })).await
            }
            $crate::store::Database::Sqlite(store) => {
                #[allow(unused_imports, reason = "a body may use only its own queries")]
                use $crate::store::sqlite::sql;
                store.view(move |$conn: &mut $crate::store::sqlite::Conn| Box::pin(async move { $body })).await
            }
        }
    };
}

pub(crate) use {read, view, write};
