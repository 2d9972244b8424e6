//! What only a server can do to its clients: end their connections, stand still, be killed, be full.

use std::sync::Arc;
use std::time::Duration;

use diesel_async::{AsyncConnection as _, AsyncPgConnection, RunQueryDsl as _, SimpleAsyncConnection as _};
use doorbuster::app::App;
use doorbuster::config::{Config, Span};
use doorbuster::kernel::{ManualClock, Rng, SaleId, UserId};
use doorbuster::model::order_requests::OrderRequest;
use doorbuster::orders::OrdersError;
use doorbuster::store::postgres::{Conn, Store};
use doorbuster::store::{Database, StoreError};
use doorbuster::telemetry::Metrics;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use super::{NOW, buyers, config, published, request};
use crate::support::proxy::{Network, Proxy};
use crate::support::servers::{FreshDatabase, OwnServers, execute};
use crate::support::until;

const BATCH: u64 = 10;

/// A store with its own settings on an empty database, and that database.
async fn store(change: impl FnOnce(&mut doorbuster::config::Store)) -> (Store, FreshDatabase) {
    let database = FreshDatabase::create().await;
    (on(&database.url(), change).await, database)
}

async fn on(url: &str, change: impl FnOnce(&mut doorbuster::config::Store)) -> Store {
    let mut config = config(url).store;
    change(&mut config);
    match Database::open(&config).await.unwrap() {
        Database::Postgres(store) => store,
        Database::Sqlite(_) => panic!("not PostgreSQL"),
    }
}

pub fn millis(millis: u64) -> Span {
    Span(Duration::from_millis(millis))
}

/// Runs statements in a read, each a transaction of its own.
async fn read(store: &Store, statements: &str) -> Result<(), StoreError> {
    let statements = statements.to_owned();
    store.read(|conn: &mut Conn| Box::pin(async move { Ok(conn.batch_execute(&statements).await?) })).await
}

async fn write(store: &Store, statements: &str) -> Result<(), StoreError> {
    let statements = statements.to_owned();
    store.write(|conn: &mut Conn| Box::pin(async move { Ok(conn.batch_execute(&statements).await?) })).await
}

#[derive(diesel::QueryableByName)]
struct Number {
    #[diesel(sql_type = diesel::sql_types::BigInt)]
    n: i64,
}

/// The number that a query names `n`, asked outside of the store.
pub async fn number(url: &str, query: &str) -> i64 {
    let mut conn = AsyncPgConnection::establish(url).await.unwrap();
    diesel::sql_query(query).get_result::<Number>(&mut conn).await.unwrap().n
}

async fn stuck_transactions(url: &str) -> i64 {
    let query = "SELECT COUNT(*) AS n FROM pg_stat_activity WHERE datname = current_database() \
                 AND pid <> pg_backend_pid() AND state LIKE 'idle in transaction%'";
    number(url, query).await
}

pub fn unavailable<T: std::fmt::Debug>(result: Result<T, StoreError>) -> String {
    match result {
        Err(StoreError::Unavailable { reason: why, .. }) => why,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_session_has_the_settings() {
    let (store, _database) = store(|config| {
        config.statement_timeout = millis(4_321);
        config.lock_timeout = millis(1_234);
        config.idle_in_transaction_timeout = millis(5_678);
    })
    .await;
    for (setting, value) in [
        ("statement_timeout", "4321ms"),
        ("lock_timeout", "1234ms"),
        ("idle_in_transaction_session_timeout", "5678ms"),
        ("synchronous_commit", "on"),
        ("application_name", "doorbuster"),
        ("plan_cache_mode", "auto"),
        ("enable_seqscan", "off"),
        ("jit", "off"),
    ] {
        let check = format!(
            "DO $$ BEGIN ASSERT current_setting('{setting}') = '{value}', current_setting('{setting}'); END $$"
        );
        read(&store, &check).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_statement_and_a_long_wait_for_a_lock_end_in_time() {
    let (store, database) = store(|config| {
        config.statement_timeout = millis(300);
        config.lock_timeout = millis(100);
        config.connections = 1;
    })
    .await;
    write(&store, "CREATE TABLE things (n BIGINT)").await.unwrap();
    assert!(unavailable(read(&store, "SELECT pg_sleep(30)").await).contains("statement timeout"));
    assert!(unavailable(write(&store, "SELECT pg_sleep(30)").await).contains("statement timeout"));
    let mut other = AsyncPgConnection::establish(&database.url()).await.unwrap();
    other.batch_execute("BEGIN; LOCK TABLE things").await.unwrap();
    assert!(unavailable(write(&store, "INSERT INTO things VALUES (1)").await).contains("lock timeout"));
    other.batch_execute("COMMIT").await.unwrap();
    write(&store, "INSERT INTO things VALUES (2)").await.unwrap();
    assert_eq!(number(&database.url(), "SELECT SUM(n)::BIGINT AS n FROM things").await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exhausted_pool_says_so_in_time_and_recovers() {
    let (store, database) = store(|config| {
        config.connections = 2;
        config.acquire_timeout = millis(300);
    })
    .await;
    write(&store, "CREATE TABLE things (n BIGINT)").await.unwrap();
    let mut other = AsyncPgConnection::establish(&database.url()).await.unwrap();
    other.batch_execute("BEGIN; LOCK TABLE things").await.unwrap();
    let holders = [1, 2].map(|n| {
        let store = store.clone();
        tokio::spawn(async move { write(&store, &format!("INSERT INTO things VALUES ({n})")).await })
    });
    let waiting =
        "SELECT COUNT(*) AS n FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    until("both wait", async || number(&database.url(), waiting).await == 2).await;
    let asked = Instant::now();
    assert_eq!(unavailable(store.ping().await), "all connections are in use");
    let waited = asked.elapsed();
    assert!((Duration::from_millis(250)..Duration::from_secs(2)).contains(&waited), "{waited:?}");
    other.batch_execute("COMMIT").await.unwrap();
    for holder in holders {
        holder.await.unwrap().unwrap();
    }
    read(&store, "SELECT 1").await.unwrap();
    let metrics = Metrics::new();
    Database::Postgres(store).register(&metrics);
    let text = metrics.encode().unwrap();
    for line in [
        "doorbuster_store_connections 2",
        "doorbuster_store_connections_idle 2",
        "doorbuster_store_connections_max 2",
        "doorbuster_store_waiting 0",
        "doorbuster_store_acquire_timeouts_total 1",
        "doorbuster_store_connections_broken_total 0",
    ] {
        assert!(text.lines().any(|found| found == line), "no line {line} in\n{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn work_whose_caller_goes_away_is_finished() {
    let (store, database) = store(|config| config.connections = 1).await;
    write(&store, "CREATE TABLE things (n BIGINT)").await.unwrap();
    let ((begun, has_begun), (go, may_go)) = (oneshot::channel(), oneshot::channel::<()>());
    let caller = {
        let store = store.clone();
        tokio::spawn(async move {
            store
                .write(|conn: &mut Conn| {
                    Box::pin(async move {
                        conn.batch_execute("INSERT INTO things VALUES (1)").await?;
                        begun.send(()).unwrap();
                        may_go.await.unwrap();
                        Ok(conn.batch_execute("INSERT INTO things VALUES (2)").await?)
                    })
                })
                .await
        })
    };
    has_begun.await.unwrap();
    caller.abort();
    assert!(caller.await.unwrap_err().is_cancelled());
    go.send(()).unwrap();
    let sum = "SELECT COALESCE(SUM(n), 0)::BIGINT AS n FROM things";
    until("committed", async || number(&database.url(), sum).await == 3).await;
    read(&store, "SELECT 1").await.unwrap();
    assert_eq!(stuck_transactions(&database.url()).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_statement_that_was_ignored_is_no_commit() {
    let (store, database) = store(|config| config.connections = 1).await;
    write(&store, "CREATE TABLE things (n BIGINT PRIMARY KEY)").await.unwrap();
    let careless = store.write(|conn: &mut Conn| {
        Box::pin(async move {
            conn.batch_execute("INSERT INTO things VALUES (1)").await?;
            let _ignored = conn.batch_execute("INSERT INTO things VALUES (1)").await;
            Ok(())
        })
    });
    assert!(matches!(careless.await, Err(StoreError::Internal { .. })));
    assert_eq!(number(&database.url(), "SELECT COUNT(*) AS n FROM things").await, 0);
    write(&store, "INSERT INTO things VALUES (1)").await.unwrap();
    let twice = write(&store, "INSERT INTO things VALUES (1)").await;
    assert!(matches!(twice, Err(StoreError::Conflict { constraint }) if constraint == "things_pkey"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_costs_its_connection_only() {
    let (store, database) = store(|config| config.connections = 1).await;
    write(&store, "CREATE TABLE things (n BIGINT)").await.unwrap();
    let panicking = store.write(|conn: &mut Conn| {
        Box::pin(async move {
            conn.batch_execute("INSERT INTO things VALUES (1)").await?;
            if true {
                panic!("on purpose");
            }
            Ok(())
        })
    });
    assert!(matches!(panicking.await, Err(StoreError::Internal { .. })));
    write(&store, "INSERT INTO things VALUES (2)").await.unwrap();
    assert_eq!(number(&database.url(), "SELECT SUM(n)::BIGINT AS n FROM things").await, 2);
    assert_eq!(stuck_transactions(&database.url()).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deadlock_is_told_as_unavailable() {
    let (store, database) = store(|_| {}).await;
    write(&store, "CREATE TABLE things (id BIGINT PRIMARY KEY, n BIGINT); INSERT INTO things VALUES (1, 0), (2, 0)")
        .await
        .unwrap();
    execute(&database.url(), &format!("ALTER DATABASE {} SET deadlock_timeout = '100ms'", database.name())).await;
    let fresh = on(&database.url(), |config| config.connections = 4).await;
    let update = |first: u32, second: u32| {
        let fresh = fresh.clone();
        async move {
            fresh
                .write(move |conn: &mut Conn| {
                    Box::pin(async move {
                        for id in [first, second] {
                            let update = format!("UPDATE things SET n = n + 1 WHERE id = {id}; SELECT pg_sleep(0.3)");
                            conn.batch_execute(&update).await?;
                        }
                        Ok(())
                    })
                })
                .await
        }
    };
    let (one, other) = tokio::join!(update(1, 2), update(2, 1));
    let (won, lost) = if one.is_ok() { (one, other) } else { (other, one) };
    won.unwrap();
    assert!(unavailable(lost).contains("deadlock"));
    assert_eq!(number(&database.url(), "SELECT SUM(n)::BIGINT AS n FROM things").await, 2);
}

/// A sale under load: tasks that record batches over and over until they get through, as the order writer does.
struct Load {
    app: App,
    sale: SaleId,
    buyers: Vec<UserId>,
}

impl Load {
    async fn new(config: Config, batches: u64) -> Self {
        let app = App::build(config, ManualClock::at(NOW).clock(), Rng::system()).await.unwrap();
        let operator = app.accounts().create_operator("operator", "password123", "Operator").await.unwrap().unwrap().id;
        let sale = published(&app, operator, (batches * BATCH) as i64 - 5, 1).await.sale.id;
        let buyers = buyers(app.db(), 0, batches * BATCH).await;
        Self { app, sale, buyers }
    }

    fn batch(&self, n: u64) -> Vec<OrderRequest> {
        let ask = |seq: u64| request(self.sale, seq + 1, self.buyers[seq as usize], "key-00001", 1);
        (n * BATCH..(n + 1) * BATCH).map(ask).collect()
    }

    async fn try_batch(&self, n: u64) -> Result<(), StoreError> {
        match self.app.orders().record(self.batch(n)).await {
            Ok(()) => Ok(()),
            Err(OrdersError::Store(error)) if error.is_transient() => Err(error),
            Err(other) => panic!("{other:?}"),
        }
    }

    /// Tries until it is recorded. Returns how long that took since the first failure.
    async fn insist(&self, n: u64) -> Duration {
        let mut failed = None;
        while self.try_batch(n).await.is_err() {
            failed.get_or_insert_with(Instant::now);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        failed.map_or(Duration::ZERO, |since| since.elapsed())
    }

    /// Every ticket has its outcome, and the stock is gone but not oversold.
    async fn check(&self, batches: u64) {
        let facts = doorbuster::model::facts::Facts::read(self.app.db()).await.unwrap();
        assert_eq!(facts.orders.len() as u64, batches * BATCH);
        let sold: i64 = facts.orders.iter().filter(|order| order.state.is_live()).map(|order| order.quantity).sum();
        assert_eq!((facts.sale(self.sale).unwrap().stock_left, sold as u64), (0, batches * BATCH - 5));
    }
}

/// A sale that has just filled is not read as a whole for each batch, whatever the server believes of it.
#[tokio::test(flavor = "multi_thread")]
async fn a_batch_reads_no_orders_but_those_it_asks_for() {
    let batches = 200;
    let database = FreshDatabase::create().await;
    let load = Load::new(config(&database.url()), batches).await;
    for n in 0..batches {
        load.insist(n).await;
    }
    // Sessions say what they did when they have nothing to do.
    let inserted = "SELECT n_tup_ins AS n FROM pg_stat_user_tables WHERE relname = 'orders'";
    until("told", async || number(&database.url(), inserted).await == (batches * BATCH) as i64).await;
    let read = "SELECT (seq_tup_read + idx_tup_fetch)::BIGINT AS n FROM pg_stat_user_tables WHERE relname = 'orders'";
    let read = number(&database.url(), read).await;
    assert!(read < 2 * (batches * BATCH) as i64, "{read} orders read");
}

#[tokio::test(flavor = "multi_thread")]
async fn terminated_connections_heal_and_leave_nothing_behind() {
    let batches = 300;
    let database = FreshDatabase::create().await;
    let mut config = config(&database.url());
    config.store.connections = 4;
    let load = Arc::new(Load::new(config, batches).await);
    let over = CancellationToken::new();
    let killer = {
        let (over, url) = (over.clone(), database.url());
        tokio::spawn(async move {
            let mut conn = AsyncPgConnection::establish(&url).await.unwrap();
            let terminate = "SELECT COUNT(pg_terminate_backend(pid)) AS n FROM pg_stat_activity \
                             WHERE datname = current_database() AND pid <> pg_backend_pid()";
            let mut terminated = 0;
            while !over.is_cancelled() {
                terminated += diesel::sql_query(terminate).get_result::<Number>(&mut conn).await.unwrap().n;
                tokio::time::sleep(Duration::from_millis(40)).await;
            }
            terminated
        })
    };
    let workers = (0..4).map(|worker| {
        let load = load.clone();
        tokio::spawn(async move {
            for n in (worker..batches).step_by(4) {
                load.insist(n).await;
            }
        })
    });
    for worker in workers.collect::<Vec<_>>() {
        worker.await.unwrap();
    }
    over.cancel();
    let terminated = killer.await.unwrap();
    assert!(terminated >= 20, "{terminated}");
    let since = Instant::now();
    until("healed", async || load.app.db().ping().await.is_ok()).await;
    assert!(since.elapsed() < Duration::from_secs(1), "{:?}", since.elapsed());
    load.check(batches).await;
    until("no transaction is left", async || stuck_transactions(&database.url()).await == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_server_comes_back_with_whole_batches_only() {
    let batches = 400;
    let servers = OwnServers::up("postgres");
    let database = FreshDatabase::create_on(&servers.find("DOORBUSTER_TEST_POSTGRES")).await;
    let load = Arc::new(Load::new(config(&database.url()), batches).await);
    let workers = (0..4).map(|worker| {
        let load = load.clone();
        tokio::spawn(async move {
            let mut acknowledged = Vec::new();
            for n in (worker..batches).step_by(4) {
                match load.try_batch(n).await {
                    Ok(()) => acknowledged.push(n),
                    Err(_) => break,
                }
            }
            acknowledged
        })
    });
    let workers: Vec<_> = workers.collect();
    let recorded = "SELECT COUNT(*) AS n FROM orders";
    until("under load", async || number(&database.url(), recorded).await > 40 * BATCH as i64).await;
    servers.kill("postgres");
    let mut acknowledged = Vec::new();
    for worker in workers {
        acknowledged.extend(worker.await.unwrap());
    }
    assert!(acknowledged.len() < batches as usize, "killed too late");
    assert!(load.app.db().ping().await.is_err_and(|error| error.is_transient()));
    let since = Instant::now();
    servers.restart("postgres");
    until("served again", async || load.app.db().ping().await.is_ok()).await;
    eprintln!(
        "PostgreSQL killed, {} batches acknowledged; served again after {:?}",
        acknowledged.len(),
        since.elapsed()
    );
    let facts = doorbuster::model::facts::Facts::read(load.app.db()).await.unwrap();
    for n in 0..batches {
        let there = facts.orders.iter().filter(|order| (order.id.seq - 1) / BATCH == n).count() as u64;
        let expected: &[u64] = if acknowledged.contains(&n) { &[BATCH] } else { &[0, BATCH] };
        assert!(expected.contains(&there), "batch {n}: {there} of {BATCH}");
    }
    for n in 0..batches {
        load.insist(n).await;
    }
    load.check(batches).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stands_still_is_given_up_and_found_again() {
    let servers = OwnServers::up("postgres");
    let database = FreshDatabase::create_on(&servers.find("DOORBUSTER_TEST_POSTGRES")).await;
    let store = on(&database.url(), |config| {
        config.connections = 2;
        config.acquire_timeout = millis(500);
        config.connect_timeout = millis(500);
        config.work_timeout = millis(700);
        config.statement_timeout = millis(600);
        config.lock_timeout = millis(600);
    })
    .await;
    read(&store, "SELECT 1").await.unwrap();
    servers.pause("postgres");
    for _ in 0..4 {
        let asked = Instant::now();
        unavailable(timeout(Duration::from_secs(5), read(&store, "SELECT 1")).await.expect("it does not hang"));
        assert!(asked.elapsed() < Duration::from_secs(3), "{:?}", asked.elapsed());
    }
    servers.resume("postgres");
    until("found again", async || read(&store, "SELECT 1").await.is_ok()).await;
    assert_eq!(stuck_transactions(&database.url()).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_not_there_says_why() {
    let mut config = config("postgres://nobody@127.0.0.1:1/nothing").store;
    config.acquire_timeout = millis(300);
    let db = Database::open(&config).await.unwrap();
    for error in [db.ping().await.unwrap_err(), db.migrate().await.unwrap_err()] {
        assert!(matches!(&error, StoreError::Unavailable { reason: why, .. } if why.contains("refused")), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_away_for_long_is_asked_now_and_then_and_everybody_else_is_told_at_once() {
    let database = FreshDatabase::create().await;
    let proxy = Proxy::before(&database.url()).await;
    let store = on(&proxy.url(), |config| {
        config.refuse_after = millis(100);
        config.acquire_timeout = millis(300);
    })
    .await;
    read(&store, "SELECT 1").await.unwrap();
    proxy.set(Network::Cut);
    until("open", async || {
        // The first may still get through.
        let _ = read(&store, "SELECT 1").await;
        store.breaker().is_open()
    })
    .await;
    let asked = futures_util::future::join_all((0..100).map(|_| read(&store, "SELECT 1"))).await;
    let at_once = asked.iter().filter(
        |answer| matches!(answer, Err(StoreError::Unavailable { reason, .. }) if reason.contains("is not responding")),
    );
    assert!(at_once.count() >= 98, "one may look, and one more if this took long");
    proxy.set(Network::Fine);
    until("well", async || read(&store, "SELECT 1").await.is_ok()).await;
    assert!(!store.breaker().is_open());
    read(&store, "SELECT 1").await.unwrap();
    assert!(read(&store, "SELECT nonsense").await.is_err() && !store.breaker().is_open(), "that was an answer");
}
