//! Every write of the process goes through one thread. Jobs that wait at the same moment share one transaction, each in
//! a savepoint of its own, and so one flush to disk: under load a commit costs the same however many share it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use diesel::sql_types::BigInt;
use diesel_async::{RunQueryDsl as _, SimpleAsyncConnection as _};
use futures_util::FutureExt as _;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};
use tokio_util::task::AbortOnDropHandle;

use super::Conn;
use super::file::DatabaseFile;
use crate::config;
use crate::store::StoreError;
use crate::store::work::Work;

/// How often the planner's statistics are brought up to date. It takes milliseconds: SQLite looks at a sample of those tables
/// alone whose size has changed a lot.
const OPTIMIZE_EVERY: Duration = Duration::from_secs(3_600);

/// What a new connection that will live long should ask for: all tables, not only those that it has read.
const OPTIMIZE_ALL: &str = "PRAGMA optimize = 0x10002";

/// A write that waits for its turn.
struct Job {
    work: Work<Conn>,
    answer: oneshot::Sender<Result<(), StoreError>>,
}

impl Job {
    /// Does the work. The result is reported when the outcome of the commit is known.
    async fn run(self, conn: &mut Conn) -> Finished {
        Finished { result: (self.work)(conn).await, answer: self.answer }
    }

    /// Tells the caller that the work was not begun.
    fn refuse(self, error: StoreError) {
        let _ = self.answer.send(Err(error));
    }
}

/// A write that was done, or failed and must be taken back.
struct Finished {
    result: Result<(), StoreError>,
    answer: oneshot::Sender<Result<(), StoreError>>,
}

impl Finished {
    /// Tells the caller. It may be gone; the write stands all the same. Its own error says more than that of the commit.
    fn report(self, commit: Result<(), StoreError>) {
        let _ = self.answer.send(self.result.and(commit));
    }
}

/// The messages to the thread.
enum Order {
    Work(Job),
    /// To close the connection, after a checkpoint of the log if the flag is set.
    End(bool, oneshot::Sender<Result<(), StoreError>>),
}

/// The way to the writer thread. The thread ends on request, or when this is dropped and the queue is empty.
pub struct Writer {
    orders: mpsc::Sender<Order>,
}

impl Writer {
    /// Starts the thread. `reopen` makes a fresh connection to `file` after one broke; `statistics` grows when those of the planner may
    /// be new.
    pub fn start(
        conn: Conn,
        file: Arc<DatabaseFile>,
        reopen: impl Fn() -> Result<Conn, StoreError> + Send + 'static,
        statistics: Arc<AtomicU64>,
        config: &config::Store,
    ) -> Result<Self, StoreError> {
        let (orders, waiting) = mpsc::channel(config.writer_queue);
        let batch_max = config.writer_batch;
        std::thread::Builder::new()
            .name("sqlite-writer".into())
            .spawn(move || run(conn, &file, &reopen, waiting, batch_max, &statistics))
            .map_err(StoreError::unavailable_by)?;
        Ok(Self { orders })
    }

    /// Queues `work` (waiting while the queue is full) and returns its result after the commit.
    pub async fn run(&self, work: Work<Conn>) -> Result<(), StoreError> {
        let (answer, answered) = oneshot::channel();
        let stopped = || StoreError::unavailable("the database writer has stopped");
        match self.orders.try_send(Order::Work(Job { work, answer })) {
            Ok(()) => {}
            Err(TrySendError::Closed(_)) => return Err(stopped()),
            // As with the readers' permits, a task waits for the room in the queue.
            Err(TrySendError::Full(order)) => {
                let orders = self.orders.clone();
                let wait = tokio::spawn(async move { orders.send(order).await.map_err(drop) });
                AbortOnDropHandle::new(wait).await.map_err(|_| stopped())?.map_err(|()| stopped())?;
            }
        }
        answered.await.map_err(|_| stopped())?
    }

    /// Finishes what was queued before and closes the connection. With `empty_log` the file has everything then, or this fails.
    pub async fn end(&self, empty_log: bool) -> Result<(), StoreError> {
        let (answer, answered) = oneshot::channel();
        if self.orders.send(Order::End(empty_log, answer)).await.is_err() {
            return Ok(());
        }
        answered.await.unwrap_or(Ok(()))
    }
}

fn run(
    mut conn: Conn,
    file: &DatabaseFile,
    reopen: &dyn Fn() -> Result<Conn, StoreError>,
    mut waiting: mpsc::Receiver<Order>,
    batch_max: usize,
    statistics: &AtomicU64,
) {
    optimize(&mut conn, file, OPTIMIZE_ALL);
    let mut optimized = Instant::now();
    while let Some(first) = waiting.blocking_recv() {
        let (mut batch, mut next, mut end) = (Vec::new(), Some(first), None);
        while let Some(order) = next.take() {
            match order {
                Order::Work(job) => batch.push(job),
                Order::End(empty_log, answer) => end = Some((empty_log, answer)),
            }
            if end.is_none() && batch.len() < batch_max {
                next = waiting.try_recv().ok();
            }
        }
        // Nothing in a job waits for anything but SQLite, which answers on this thread: one poll finishes it. A panic
        // drops the batch's reporters, so its callers get an error; the connection goes, and its transaction with it.
        let healthy = catch_unwind(AssertUnwindSafe(|| commit_together(&mut conn, file, batch).now_or_never()));
        if !matches!(healthy, Ok(Some(true))) {
            match reopen() {
                Ok(fresh) => conn = fresh,
                Err(error) => tracing::warn!(%error, "the database file can't be reopened yet"),
            }
        }
        if let Some((empty_log, answer)) = end {
            optimize(&mut conn, file, "PRAGMA optimize");
            let emptied = if empty_log { self::empty_log(&mut conn) } else { Ok(()) };
            // Before the answer: the waiting caller may end the process.
            drop(conn);
            let _ = answer.send(emptied);
            return;
        }
        if optimized.elapsed() >= OPTIMIZE_EVERY {
            optimize(&mut conn, file, OPTIMIZE_ALL);
            optimized = Instant::now();
            statistics.fetch_add(1, Ordering::Release);
        }
    }
    optimize(&mut conn, file, "PRAGMA optimize");
}

/// Lets SQLite gather statistics where they are missing or old. Without them it still answers, only slower.
fn optimize(conn: &mut Conn, file: &DatabaseFile, pragma: &str) {
    // Not for those who only look, and not into a file that is gone.
    if !file.is_watched() || file.check().is_err() {
        return;
    }
    match conn.batch_execute(pragma).now_or_never() {
        Some(Ok(())) => {}
        failed => tracing::warn!(?failed, "could not update the statistics of the database"),
    }
}

/// The result of a checkpoint.
#[derive(diesel::QueryableByName)]
struct Checkpoint {
    #[diesel(sql_type = BigInt)]
    log: i64,
    #[diesel(sql_type = BigInt)]
    checkpointed: i64,
}

/// Copies the log into the file and cuts it to nothing. While another process reads an older state, less may be possible.
fn empty_log(conn: &mut Conn) -> Result<(), StoreError> {
    let query = diesel::sql_query("PRAGMA wal_checkpoint(TRUNCATE)").get_result(conn);
    let Checkpoint { log, checkpointed } =
        query.now_or_never().unwrap_or(Err(diesel::result::Error::BrokenTransactionManager))?;
    if log == checkpointed {
        return Ok(());
    }
    Err(StoreError::unavailable(format!("another process reads the file: {checkpointed} of {log} pages were copied")))
}

/// Runs the batch in one transaction. Returns whether the connection is still good.
async fn commit_together(conn: &mut Conn, file: &DatabaseFile, batch: Vec<Job>) -> bool {
    if batch.is_empty() {
        return true;
    }
    let mut finished = Vec::with_capacity(batch.len());
    let mut broken = match file.check() {
        Ok(()) => conn.batch_execute("BEGIN IMMEDIATE").await.map_err(StoreError::from).err(),
        lost => lost.err(),
    };
    for job in batch {
        match &broken {
            Some(error) => job.refuse(error.clone()),
            None => broken = in_savepoint(conn, job, &mut finished).await.err(),
        }
    }
    let commit = match broken {
        // A commit to a deleted file is not reported as a success.
        None => conn.batch_execute("COMMIT").await.map_err(StoreError::from).and_then(|()| file.check()),
        Some(error) => Err(error),
    };
    if let Err(error) = &commit {
        tracing::warn!(%error, jobs = finished.len(), "a database commit failed");
        // SQLite may have rolled back by itself already; then this fails and changes nothing.
        let _ = conn.batch_execute("ROLLBACK").await;
    }
    for done in finished {
        done.report(commit.clone());
    }
    commit.is_ok()
}

/// Runs one job so that its failure takes back its own writes and nobody else's. `Err` when even that is impossible
/// because SQLite gave up the whole transaction, as it does when the disk is full.
async fn in_savepoint(conn: &mut Conn, job: Job, finished: &mut Vec<Finished>) -> Result<(), StoreError> {
    if let Err(error) = conn.batch_execute("SAVEPOINT job").await {
        let error = StoreError::from(error);
        job.refuse(error.clone());
        return Err(error);
    }
    let done = job.run(conn).await;
    let close = if done.result.is_err() { "ROLLBACK TO job; RELEASE job" } else { "RELEASE job" };
    finished.push(done);
    let given_up = |error: diesel::result::Error| {
        StoreError::unavailable(format!("the transaction was abandoned: {error}")).caused_by(error)
    };
    conn.batch_execute(close).await.map_err(given_up)
}
