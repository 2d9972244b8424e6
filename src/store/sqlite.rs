//! SQLite: one writer thread with group commit, a pool of readers. WAL and `synchronous=FULL`: a commit that returned
//! survives a crash of the machine.

mod bulk;
pub mod copies;
pub mod file;
#[path = "schema.rs"]
#[allow(missing_docs, clippy::wildcard_imports, reason = "made by diesel's `table!` macro")]
pub mod schema;
#[path = "sql/mod.rs"]
pub mod sql;
mod writer;

/// The types of IDs and flags in this dialect.
pub mod types {
    pub use diesel::sql_types::{BigInt, Binary, Bool as Flag, Nullable, Text};
    /// Ids are 16-byte blobs.
    pub type Id = Binary;
}

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use diesel::{Connection as _, ConnectionError, SqliteConnection};
use diesel_async::SimpleAsyncConnection as _;
use diesel_async::sync_connection_wrapper::{SpawnBlocking, SyncConnectionWrapper};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness as _, embed_migrations};
use futures_util::future::{BoxFuture, ready};
use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::task::AbortOnDropHandle;

use self::file::{DatabaseFile, Lock};
use super::StoreError;
use super::trouble::Trouble;
use super::work::{self, Work};
use crate::config;

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations/sqlite");

/// Bytes of a page, SQLite's default.
const PAGE: usize = 4_096;

/// Cache of a reader, SQLite's default.
const READER_CACHE_KIB: usize = 2_000;

/// How long closing waits for reads that are under way. A connection that is in use keeps the log from being emptied.
const CLOSE_WITHIN: Duration = Duration::from_secs(5);

/// A connection on which a statement runs at once on the calling thread: callers are on a thread that may block.
pub type Conn = SyncConnectionWrapper<SqliteConnection, Inline>;

/// Runs the "blocking" task where it stands. The writer has a thread of its own and reads run on the blocking pool, so
/// handing each statement to yet another thread would only cost.
#[derive(Clone, Copy)]
pub struct Inline;

impl SpawnBlocking for Inline {
    fn spawn_blocking<'a, R>(
        &mut self,
        task: impl FnOnce() -> R + Send + 'static,
    ) -> BoxFuture<'a, Result<R, Box<dyn std::error::Error + Send + Sync + 'static>>>
    where
        R: Send + 'static,
    {
        Box::pin(ready(Ok(task())))
    }

    fn get_runtime() -> Self {
        Self
    }
}

/// One SQLite file. Cheap to clone.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

struct Inner {
    file: Arc<DatabaseFile>,
    /// Held by the server.
    lock: Option<Lock>,
    pragmas: Pragmas,
    busy_timeout: Duration,
    writer: writer::Writer,
    /// Grows when there may be new ones.
    statistics: Arc<AtomicU64>,
    idle_readers: Mutex<Vec<Reader>>,
    readers: u32,
    reader_permits: Arc<Semaphore>,
    trouble: Trouble,
}

/// A connection that reads. It plans with the statistics that there were when it was opened.
struct Reader {
    conn: Conn,
    statistics: u64,
}

impl Store {
    /// Opens (or creates) the file and starts its writer. With `config.server` the file is this process's alone.
    pub async fn open(path: &str, config: &config::Store) -> Result<Self, StoreError> {
        let file = DatabaseFile::make(Path::new(path))?;
        let claim = || file.lock_for_server(&format!("node {}, {}", config.node, config.server), *config.busy_timeout);
        let lock = if config.server.is_empty() { None } else { Some(claim()?) };
        Self::start(file, lock, config, Pragmas::of_writer(config), Pragmas::of_readers(config))
    }

    /// Opens a file that is there, to read it. Nothing is made, and writing fails.
    pub async fn look(path: &str, config: &config::Store) -> Result<Self, StoreError> {
        let pragmas = Pragmas { only_look: true, ..Pragmas::of_readers(config) };
        Self::start(DatabaseFile::find(Path::new(path))?, None, config, pragmas, pragmas)
    }

    fn start(
        file: DatabaseFile,
        lock: Option<Lock>,
        config: &config::Store,
        of_writer: Pragmas,
        pragmas: Pragmas,
    ) -> Result<Self, StoreError> {
        let file = Arc::new(file);
        let first = connect(&file, &of_writer)?;
        if !of_writer.only_look {
            file.watch();
        }
        let reopen = {
            let file = file.clone();
            move || connect(&file, &of_writer)
        };
        let statistics = Arc::new(AtomicU64::new(0));
        let writer = writer::Writer::start(first, file.clone(), reopen, statistics.clone(), config)?;
        Ok(Self(Arc::new(Inner {
            file,
            lock,
            pragmas,
            busy_timeout: *config.busy_timeout,
            writer,
            statistics,
            idle_readers: Mutex::new(Vec::new()),
            readers: config.readers as u32,
            reader_permits: Arc::new(Semaphore::new(config.readers)),
            trouble: Trouble::default(),
        })))
    }

    /// See [`super::Database::trouble`].
    #[cfg(feature = "sabotage")]
    pub fn trouble(&self) -> &Trouble {
        &self.0.trouble
    }

    /// Closes all connections, the writer's last: then the file alone has everything, even if another process has it open. What is asked
    /// afterwards fails.
    pub async fn close(&self) {
        let Inner { idle_readers, readers, reader_permits, writer, lock, .. } = &*self.0;
        let all_read = tokio::time::timeout(CLOSE_WITHIN, reader_permits.acquire_many(*readers)).await;
        if all_read.is_err() {
            tracing::warn!(waited = ?CLOSE_WITHIN, "the database is being closed during a read");
        }
        reader_permits.close();
        idle_readers.lock().clear();
        // Emptying the log makes other processes wait, and only the server may do that to them.
        if let Err(error) = writer.end(lock.is_some()).await {
            let file = self.0.file.path().display();
            tracing::warn!(%error, %file, "the database file is incomplete without its -wal file; keep both");
        }
    }

    /// Runs `work` on a read connection, on the blocking pool.
    pub fn read<R, F>(&self, work: F) -> impl Future<Output = Result<R, StoreError>> + Send
    where
        R: Send + 'static,
        F: for<'c> FnOnce(&'c mut Conn) -> BoxFuture<'c, Result<R, StoreError>> + Send + 'static,
    {
        let (work, outcome) = work::erase(work);
        outcome.of(self.run_reading(work))
    }

    async fn run_reading(&self, work: Work<Conn>) -> Result<(), StoreError> {
        self.0.trouble.around(self.read_here(work)).await
    }

    async fn read_here(&self, work: Work<Conn>) -> Result<(), StoreError> {
        let (inner, permits) = (self.0.clone(), self.0.reader_permits.clone());
        let run =
            async move |permit| tokio::task::spawn_blocking(move || inner.read(permit, work)).await.map_err(stopped)?;
        match permits.clone().try_acquire_owned() {
            Ok(permit) => run(permit).await,
            // Permits are given out in the order of waiting. One that is given to a caller who is not polled now (because its client
            // takes no data, say) would be lost to all others: so a task waits for it.
            Err(_) => {
                let wait = async move { run(permits.acquire_owned().await.map_err(stopped)?).await };
                AbortOnDropHandle::new(tokio::spawn(wait)).await.map_err(stopped)?
            }
        }
    }

    /// Runs `work` on a read connection, on the blocking pool. All its statements see one moment, and nothing is written.
    pub fn view<R, F>(&self, work: F) -> impl Future<Output = Result<R, StoreError>> + Send
    where
        R: Send + 'static,
        F: for<'c> FnOnce(&'c mut Conn) -> BoxFuture<'c, Result<R, StoreError>> + Send + 'static,
    {
        let (work, outcome) = work::erase(work);
        outcome.of(self.run_reading(at_one_moment(work)))
    }

    /// Runs `work` in a transaction of the writer; returns after the commit is on disk.
    pub fn write<R, F>(&self, work: F) -> impl Future<Output = Result<R, StoreError>> + Send
    where
        R: Send + 'static,
        F: for<'c> FnOnce(&'c mut Conn) -> BoxFuture<'c, Result<R, StoreError>> + Send + 'static,
    {
        let (work, outcome) = work::erase(work);
        outcome.of(self.run_writing(work))
    }

    async fn run_writing(&self, work: Work<Conn>) -> Result<(), StoreError> {
        self.0.trouble.around(self.0.writer.run(work)).await
    }

    /// See [`super::Database::migrate`].
    pub async fn migrate(&self) -> Result<Vec<String>, StoreError> {
        let inner = self.0.clone();
        let run = move || {
            let mut conn = connect_sync(&inner.file, &inner.pragmas)?;
            if super::migrate::is_current(&mut conn, || MIGRATIONS)?
                && !conn.has_pending_migration(MIGRATIONS).map_err(super::migrate::failed)?
            {
                return Ok(Vec::new());
            }
            // A server that runs knows the schema as it was.
            let _lock = match &inner.lock {
                Some(_) => None,
                None => Some(inner.file.lock_for_migration(inner.busy_timeout)?),
            };
            // The immediate transaction is a lock, too: a second process waits here, then finds nothing left to do.
            conn.immediate_transaction(|conn| super::migrate::migrate(conn, || MIGRATIONS, |_| false))
        };
        tokio::task::spawn_blocking(run).await.map_err(stopped)?
    }

    /// See [`super::Database::is_current`].
    pub async fn is_current(&self) -> Result<bool, StoreError> {
        let inner = self.0.clone();
        let run = move || super::migrate::is_current(&mut connect_sync(&inner.file, &inner.pragmas)?, || MIGRATIONS);
        tokio::task::spawn_blocking(run).await.map_err(stopped)?
    }

    /// See [`super::Database::ping`].
    pub async fn ping(&self) -> Result<(), StoreError> {
        if let Some(lock) = &self.0.lock {
            lock.keep()?;
        }
        self.write(|conn| {
            Box::pin(async move {
                conn.batch_execute("UPDATE broker_cursors SET acked_through = acked_through WHERE topic = ''").await?;
                Ok(())
            })
        })
        .await
    }
}

impl Inner {
    /// Blocks.
    fn read(&self, _permit: OwnedSemaphorePermit, work: Work<Conn>) -> Result<(), StoreError> {
        let mut reader = self.reader()?;
        let result = futures_util::FutureExt::now_or_never(work(&mut reader.conn))
            .unwrap_or_else(|| Err(StoreError::internal("a read waited for something other than SQLite")));
        // A connection that saw trouble is not reused: the file behind it may have been replaced.
        if !matches!(result, Err(StoreError::Unavailable { .. })) && !self.reader_permits.is_closed() {
            self.idle_readers.lock().push(reader);
        }
        result
    }

    fn reader(&self) -> Result<Reader, StoreError> {
        let statistics = self.statistics.load(Ordering::Acquire);
        let idle = self.idle_readers.lock().pop();
        if let Some(reader) = idle.filter(|reader| reader.statistics == statistics) {
            return Ok(reader);
        }
        Ok(Reader { conn: connect(&self.file, &self.pragmas)?, statistics })
    }
}

/// `work` in a transaction that writes nothing.
fn at_one_moment(work: Work<Conn>) -> Work<Conn> {
    Box::new(|conn| {
        Box::pin(async move {
            conn.batch_execute("BEGIN").await?;
            let result = work(conn).await;
            // A connection that can't end it is not used again.
            let ended = conn.batch_execute("ROLLBACK").await;
            ended.map_err(StoreError::unavailable_by)?;
            result
        })
    })
}

/// A transaction sees one moment as it is.
#[allow(clippy::unnecessary_wraps, reason = "the twin of PostgreSQL's")]
async fn one_moment(_: &mut Conn) -> Result<(), StoreError> {
    Ok(())
}

fn stopped(_: impl std::error::Error) -> StoreError {
    StoreError::unavailable("the database is closed")
}

/// The settings of a connection, in SQLite's units.
#[derive(Debug, Clone, Copy)]
struct Pragmas {
    busy_timeout_ms: u128,
    cache_kib: usize,
    /// Pages of 4 KiB in the log after which a commit copies them into the file.
    checkpoint_pages: usize,
    /// Whether writing is refused, and the file's mode left as it is.
    only_look: bool,
}

impl Pragmas {
    fn of_writer(config: &config::Store) -> Self {
        Self { cache_kib: *config.writer_cache / 1024, ..Self::of_readers(config) }
    }

    fn of_readers(config: &config::Store) -> Self {
        Self {
            busy_timeout_ms: config.busy_timeout.as_millis(),
            cache_kib: READER_CACHE_KIB,
            checkpoint_pages: *config.checkpoint / PAGE,
            only_look: false,
        }
    }
}

/// A connection with the settings of the writer's, to a file that is there: what the server's writes are compared with must be as
/// durable as they are.
pub fn connect_as_writer(path: &Path, config: &config::Store) -> Result<SqliteConnection, StoreError> {
    connect_sync(&DatabaseFile::find(path)?, &Pragmas::of_writer(config))
}

fn connect(file: &DatabaseFile, pragmas: &Pragmas) -> Result<Conn, StoreError> {
    connect_sync(file, pragmas).map(|conn| Conn::with_runtime(conn, Inline))
}

fn connect_sync(file: &DatabaseFile, pragmas: &Pragmas) -> Result<SqliteConnection, StoreError> {
    let Pragmas { busy_timeout_ms, cache_kib, checkpoint_pages, only_look } = pragmas;
    let unavailable = |error: ConnectionError| {
        StoreError::unavailable(format!("{}: {error}", file.path().display())).caused_by(error)
    };
    // Another file in its place must not be taken for it.
    file.check()?;
    let mut conn = SqliteConnection::establish(&file.url()).map_err(unavailable)?;
    let mode = if *only_look { "query_only = ON" } else { "journal_mode = WAL" };
    // A negative size of the cache is one in KiB, not in pages.
    diesel::connection::SimpleConnection::batch_execute(
        &mut conn,
        &format!(
            "PRAGMA busy_timeout = {busy_timeout_ms};
             PRAGMA {mode};
             PRAGMA synchronous = FULL;
             PRAGMA foreign_keys = ON;
             PRAGMA temp_store = MEMORY;
             PRAGMA cache_size = -{cache_kib};
             PRAGMA wal_autocheckpoint = {checkpoint_pages};
             PRAGMA journal_size_limit = 67108864;"
        ),
    )?;
    Ok(conn)
}

#[cfg(test)]
mod tests {
    use diesel::RunQueryDsl as _;
    use diesel::sql_types::BigInt;

    use super::*;
    use crate::config::{Config, Size};

    #[derive(diesel::QueryableByName)]
    struct Told {
        #[diesel(sql_type = BigInt)]
        value: i64,
    }

    #[derive(diesel::QueryableByName)]
    struct Checkpoint {
        #[diesel(sql_type = BigInt)]
        wal_autocheckpoint: i64,
    }

    fn told(conn: &mut SqliteConnection, pragma: &str) -> i64 {
        let sql = format!("SELECT {pragma} AS value FROM pragma_{pragma}");
        diesel::sql_query(sql).get_result::<Told>(conn).unwrap().value
    }

    #[derive(diesel::QueryableByName)]
    struct Count {
        #[diesel(sql_type = BigInt)]
        count: i64,
    }

    #[tokio::test]
    async fn statistics_are_gathered_when_the_file_is_opened() {
        let folder = tempfile::tempdir().unwrap();
        let config = Config::default_embedded().store;
        let path = folder.path().join("shop.db");
        let open = async || Store::open(&path.to_string_lossy(), &config).await.unwrap();
        open().await.migrate().await.unwrap();
        let file = DatabaseFile::find(&path).unwrap();
        let mut conn = connect_sync(&file, &Pragmas::of_readers(&config)).unwrap();
        let fill = "INSERT INTO login_log (event_id, username, address, outcome, at) \
                    WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < 1000) \
                    SELECT randomblob(16), 'user', '::1', 'signed_in', n FROM s";
        diesel::connection::SimpleConnection::batch_execute(&mut conn, fill).unwrap();
        let mut known = |table: &str| {
            let query = "SELECT COUNT(*) AS count FROM sqlite_schema WHERE name = 'sqlite_stat1'";
            let there = diesel::sql_query(query).get_result::<Count>(&mut conn).unwrap().count == 1;
            let query = format!("SELECT COUNT(*) AS count FROM sqlite_stat1 WHERE tbl = '{table}'");
            there && diesel::sql_query(query).get_result::<Count>(&mut conn).unwrap().count > 0
        };
        assert!(!known("login_log"), "vacuous");
        let store = open().await;
        // The writer's first answer comes after it has looked.
        store.ping().await.unwrap();
        assert!(known("login_log"));
    }

    #[test]
    fn connections_are_told_what_the_settings_say() {
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config::default_embedded().store;
        (config.writer_cache, config.checkpoint) = (Size(3 << 20), Size(1 << 20));
        for (pragmas, cache) in [(Pragmas::of_writer(&config), -3_072), (Pragmas::of_readers(&config), -2_000)] {
            let file = DatabaseFile::make(&folder.path().join("told.db")).unwrap();
            let mut conn = connect_sync(&file, &pragmas).unwrap();
            let found = ["cache_size", "synchronous", "foreign_keys", "page_size"].map(|name| told(&mut conn, name));
            assert_eq!(found, [cache, 2, 1, PAGE as i64]);
            // Not to be had by a SELECT.
            let checkpoint: Checkpoint = diesel::sql_query("PRAGMA wal_autocheckpoint").get_result(&mut conn).unwrap();
            assert_eq!(checkpoint.wal_autocheckpoint, 256);
        }
    }
}
