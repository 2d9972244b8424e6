//! The file under the shop goes wrong: purchases say so at once, what can be answered from memory still is, and when the
//! cause is gone everything goes on by itself.

use std::path::{Path, PathBuf};
use std::time::Duration;

use diesel::{Connection as _, RunQueryDsl as _};

use diesel_async::SimpleAsyncConnection as _;
use doorbuster::config::{self, Config, Secret};
use doorbuster::demo::ready;
use doorbuster::demo::seed::{Operator, Terms};
use doorbuster::demo::server::{Launch, LaunchError, Server, get};
use doorbuster::demo::shopper::Account;
use doorbuster::kernel::{Clock, Rng, SaleId};
use doorbuster::model::facts::Facts;
use doorbuster::store::{Database, StoreError};
use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::until;

const READY_WITHIN: Duration = Duration::from_secs(60);

/// The real program on a file of its own, with a sale and buyers.
struct Shop {
    server: Server,
    buyers: Vec<Account>,
    sale: SaleId,
    http: reqwest::Client,
    folder: TempDir,
}

impl Shop {
    async fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let launch = Launch::new(Path::new(env!("CARGO_BIN_EXE_doorbuster")), folder.path()).unwrap();
        let launch = launch.set("store.busy_timeout", "200ms").set("broker.publish_timeout", "1s");
        let db = launch.open_database().await.unwrap();
        let (clock, rng) = (Clock::system(), Rng::system());
        let operator = ready::users(&db, &clock, &rng, "operator", 1, true).await.unwrap().remove(0);
        let buyers = ready::users(&db, &clock, &rng, "buyer", 4, false).await.unwrap();
        drop(db);
        let server = launch.start(READY_WITHIN).await.unwrap();
        let mut operator = Operator::new(launch.address, &operator.token);
        let now = operator.server_time().await.unwrap();
        let (from, to) = (now.minus(Duration::from_secs(60)), now.plus(Duration::from_secs(3600)));
        let session = operator.session("ten", from, to).await.unwrap();
        let product = operator.product("Lamp", "Light", "A lamp.", "/pictures/lamp.svg", "20.00").await.unwrap();
        let pay_within = Duration::from_secs(600);
        let terms = Terms { price: "10.00", stock: 10, limit_per_buyer: 1, pay_within };
        let sale = operator.sale(&session, &product, terms).await.unwrap();
        let http = reqwest::Client::builder().timeout(Duration::from_secs(10)).build().unwrap();
        let shop = Self { server, buyers, sale, http, folder };
        shop.is_bought(0, "key-before").await;
        shop
    }

    async fn ask(&self, buyer: usize, query: &str, variables: Value) -> Value {
        let url = format!("http://{}/graphql", self.server.launch().address);
        let request = self.http.post(url).bearer_auth(&self.buyers[buyer].token);
        request.json(&json!({ "query": query, "variables": variables })).send().await.unwrap().json().await.unwrap()
    }

    /// The whole answer to a purchase.
    async fn buy(&self, buyer: usize, key: &str) -> Value {
        let query = "mutation($s: ID!, $k: String!) { salePurchase(input: { saleId: $s, idempotencyKey: $k, \
                     quantity: 1 }) { ticket { id } userErrors { code } } }";
        self.ask(buyer, query, json!({ "s": self.sale, "k": key })).await
    }

    /// Waits until the purchase is accepted; the ticket.
    async fn is_bought(&self, buyer: usize, key: &str) -> Value {
        let mut answer = Value::Null;
        until("accepted", async || {
            answer = self.buy(buyer, key).await;
            answer["data"]["salePurchase"]["ticket"].is_object()
        })
        .await;
        answer["data"]["salePurchase"]["ticket"]["id"].clone()
    }

    /// A purchase is refused with a code that says that it may work later; the list of sales is still answered.
    async fn is_unavailable(&self, buyer: usize, key: &str) {
        let answer = self.buy(buyer, key).await;
        assert_eq!(answer["errors"][0]["extensions"]["code"], "UNAVAILABLE", "{answer}");
        assert!(answer["errors"][0]["extensions"]["retryAfterSeconds"].as_u64() > Some(0), "{answer}");
        let sale = self.ask(buyer, "query($s: ID!) { sale(id: $s) { id } }", json!({ "s": self.sale })).await;
        assert!(sale["data"]["sale"].is_object(), "{sale}");
    }

    /// Waits until that many of the ten units are sold.
    async fn has_sold(&self, units: u64) {
        let query = "query($s: ID!) { sale(id: $s) { stockRemaining } }";
        until("sold", async || {
            let answer = self.ask(0, query, json!({ "s": self.sale })).await;
            answer["data"]["sale"]["stockRemaining"] == 10 - units
        })
        .await;
    }

    fn store(&self) -> config::Store {
        let mut store = Config::default_embedded().store;
        store.url = Secret::new(format!("sqlite://{}", self.server.launch().database().display()));
        store
    }
}

/// From now on, no file may grow beyond `bytes`.
fn limit_files(server: &Server, bytes: Option<u64>) {
    let pid = Pid::from_raw(server.pid() as i32);
    prlimit(pid, Resource::Fsize, Rlimit { current: bytes, maximum: getrlimit(Resource::Fsize).maximum }).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_unavailable_until_there_is_room() {
    let shop = Shop::open().await;
    limit_files(&shop.server, Some(0));
    shop.is_unavailable(1, "key-during").await;
    shop.is_unavailable(1, "key-during").await;
    limit_files(&shop.server, None);
    let ticket = shop.is_bought(1, "key-during").await;
    assert_eq!(shop.is_bought(1, "key-during").await, ticket);
    shop.has_sold(2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_locked_file_is_unavailable_until_it_is_free() {
    let shop = Shop::open().await;
    let other = Database::open(&shop.store()).await.unwrap();
    let Database::Sqlite(other) = other else { panic!("not a file") };
    let ((locked, is_locked), (free, freed)) = (std::sync::mpsc::channel::<()>(), std::sync::mpsc::channel::<()>());
    let lock = tokio::spawn(async move {
        other
            .write(move |_| {
                Box::pin(async move {
                    locked.send(()).unwrap();
                    // The transaction stays open, and with it the lock, on a thread that may block.
                    let _ = freed.recv();
                    Ok(())
                })
            })
            .await
    });
    tokio::task::block_in_place(|| is_locked.recv()).unwrap();
    shop.is_unavailable(1, "key-during").await;
    free.send(()).unwrap();
    lock.await.unwrap().unwrap();
    shop.is_bought(1, "key-during").await;
    shop.has_sold(2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_corrupt_file_is_refused_and_its_backup_goes_on() {
    let mut shop = Shop::open().await;
    shop.has_sold(1).await;
    shop.server.kill().unwrap();
    let launch = shop.server.launch().clone();
    let log = shop.folder.path().join("log");
    let (file, wal) = (launch.database(), launch.data.join("doorbuster.db-wal"));
    let good = (std::fs::read(&file).unwrap(), std::fs::read(&wal).unwrap());
    std::fs::write(&file, b"this is not a database, whatever its name says".repeat(200)).unwrap();
    let refused = Launch { log: Some(log.clone()), ..launch.clone() }.start(READY_WITHIN).await;
    assert!(matches!(refused, Err(LaunchError::Ended(_))), "it started on garbage");
    let said = std::fs::read_to_string(log).unwrap();
    assert!(said.contains("not a database"), "{said}");
    std::fs::write(&file, good.0).unwrap();
    std::fs::write(&wal, good.1).unwrap();
    shop.server = launch.start(READY_WITHIN).await.unwrap();
    shop.is_bought(1, "key-after").await;
    shop.has_sold(2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_loses_nothing_that_was_committed() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = Config::default_embedded().store;
    config.url = Secret::new(format!("sqlite://{}", folder.path().join("full.db").display()));
    let db = Database::open(&config).await.unwrap();
    db.migrate().await.unwrap();
    let Database::Sqlite(store) = &db else { panic!("not a file") };
    let run = |sql: &'static str| store.write(move |conn| Box::pin(async move { Ok(conn.batch_execute(sql).await?) }));
    run("CREATE TABLE heap (bytes BLOB NOT NULL) STRICT; INSERT INTO heap VALUES (zeroblob(10000));").await.unwrap();
    // The limit is never below the file's present size: from here on there is no free page.
    run("PRAGMA max_page_count = 1").await.unwrap();
    let refused = run("INSERT INTO heap VALUES (zeroblob(1000000))").await;
    assert!(
        matches!(&refused, Err(StoreError::Unavailable { reason: why, .. }) if why.contains("full")),
        "{refused:?}"
    );
    run("PRAGMA max_page_count = 1000000").await.unwrap();
    run("INSERT INTO heap VALUES (zeroblob(1000000))").await.unwrap();
    run("CREATE TABLE proof (rows INTEGER CHECK (rows = 2)) STRICT").await.unwrap();
    run("INSERT INTO proof SELECT count(*) FROM heap").await.expect("two rows");
    db.ping().await.unwrap();
}

/// One of the database's files beside it.
fn companion(file: &Path, suffix: &str) -> PathBuf {
    PathBuf::from(format!("{}{suffix}", file.display()))
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_written_to_a_file_that_was_removed_or_replaced() {
    let shop = Shop::open().await;
    let address = shop.server.launch().address;
    let says = async |head: &str, what: &str| {
        until(what, async || {
            get(address, "/health/ready").await.is_some_and(|told| told.starts_with(head) && told.contains(what))
        })
        .await;
    };
    let file = shop.server.launch().database();
    for path in [file.clone(), companion(&file, "-wal"), companion(&file, "-shm")] {
        let aside = companion(&path, ".aside");
        std::fs::rename(&path, &aside).unwrap();
        shop.is_unavailable(1, "key-during").await;
        says("HTTP/1.1 503", "was removed while").await;
        assert!(!path.exists(), "{} was made again", path.display());
        std::fs::copy(&aside, &path).unwrap();
        shop.is_unavailable(1, "key-during").await;
        says("HTTP/1.1 503", "was replaced while").await;
        std::fs::rename(&aside, &path).unwrap();
        says("HTTP/1.1 200", "database").await;
    }
    shop.is_bought(1, "key-during").await;
    shop.has_sold(2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_clean_stop_the_file_alone_has_everything() {
    let shop = Shop::open().await;
    for buyer in 1..4 {
        shop.is_bought(buyer, "key-of-this-buyer").await;
    }
    shop.has_sold(4).await;
    let store = shop.store();
    let Shop { server, folder, .. } = shop;
    let file = server.launch().database();
    // Somebody else has it open, and so the server is not the last to close it.
    let mut other = diesel::SqliteConnection::establish(&file.to_string_lossy()).unwrap();
    diesel::sql_query("SELECT count(*) FROM orders").execute(&mut other).unwrap();
    assert!(server.stop(READY_WITHIN).await.unwrap());
    let copy = folder.path().join("copy.db");
    std::fs::copy(&file, &copy).unwrap();
    let store = config::Store { url: Secret::new(format!("sqlite://{}", copy.display())), ..store };
    let facts = Facts::read(&Database::open(&store).await.unwrap()).await.unwrap();
    assert_eq!(facts.orders.len(), 4);
    drop(other);
    assert!(!companion(&file, "-wal").exists());
}
