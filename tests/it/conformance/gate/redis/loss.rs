//! A server that lost something, or may have: the sale is closed until it is rebuilt, and nothing is admitted twice.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};

use doorbuster::kernel::TicketId;
use parking_lot::Mutex;
use redis::aio::MultiplexedConnection;
use tokio_util::task::AbortOnDropHandle;

use super::servers::OwnServers;
use super::*;
use crate::support::until;

/// Units of the sale: enough for all who come during the test.
const STOCK: u32 = 1_000_000;

/// A server, a node, a sale, and buyers who keep coming.
struct Rush {
    server: OwnServers,
    url: String,
    prefix: String,
    gate: RedisGate,
    sale: SaleId,
    epoch: Arc<AtomicU32>,
    book: Arc<Mutex<Book>>,
    _buyers: Vec<AbortOnDropHandle<()>>,
}

/// What all buyers together were told.
#[derive(Default)]
struct Book {
    tickets: HashMap<TicketId, (UserId, String)>,
    /// Answers of any kind, those that were not: a gate that could not be asked.
    closed: u64,
    unanswered: u64,
    wrong: Vec<String>,
}

impl Book {
    /// Returns whether the buyer has a ticket now.
    fn note(&mut self, answer: Result<Vec<Decision>, GateError>, buyer: UserId, key: &str) -> bool {
        match answer.as_deref() {
            Ok([Decision::Admitted { ticket, .. } | Decision::Replayed { ticket, .. }]) => {
                if self.tickets.insert(*ticket, (buyer, key.to_owned())).is_some() {
                    self.wrong.push(format!("{ticket} was given to two"));
                }
                return true;
            }
            Ok([Decision::WrongEpoch]) => self.closed += 1,
            Ok(other) => self.wrong.push(format!("{other:?}")),
            Err(_) => self.unanswered += 1,
        }
        false
    }
}

impl Rush {
    async fn begin() -> Self {
        let server = OwnServers::up("redis");
        let (url, prefix) = (server.find("DOORBUSTER_TEST_REDIS"), fresh_prefix());
        let (gate, sale) = (node(&url, &prefix).await, new_sale());
        gate.rebuild(terms(sale, 1, STOCK), Vec::new()).await.unwrap();
        let (epoch, book) = (Arc::new(AtomicU32::new(1)), Arc::new(Mutex::new(Book::default())));
        let mut buyers = Vec::new();
        for _ in 0..8 {
            // Of nodes of their own, as they would be.
            let (gate, epoch, book) = (node(&url, &prefix).await, epoch.clone(), book.clone());
            buyers.push(AbortOnDropHandle::new(tokio::spawn(keep_buying(gate, sale, epoch, book))));
        }
        let rush = Self { server, url, prefix, gate, sale, epoch, book, _buyers: buyers };
        rush.until_more_tickets(200).await;
        rush
    }

    fn admitted(&self) -> usize {
        self.book.lock().tickets.len()
    }

    async fn until_more_tickets(&self, more: usize) {
        let enough = self.admitted() + more;
        until("more tickets", async || self.admitted() >= enough).await;
    }

    async fn connect(&self) -> MultiplexedConnection {
        connect(&self.url).await
    }

    /// The sale reads as closed, and stays so while buyers come.
    async fn assert_closed(&self) {
        // On all its connections: the sale's own, and the one that lists the sales.
        until("answered again", async || self.gate.counts(self.sale).await.is_ok() && self.gate.sales().await.is_ok())
            .await;
        assert_eq!(self.gate.counts(self.sale).await.unwrap(), None, "what was lost reads as held");
        let refused = async || {
            let closed = self.book.lock().closed;
            until("refused", async || self.book.lock().closed >= closed + 100).await;
        };
        // What was admitted before is noted by now.
        refused().await;
        let tickets = self.admitted();
        refused().await;
        assert_eq!(self.admitted(), tickets, "admitted into a sale that was lost");
        assert_eq!(self.gate.sales().await.unwrap(), []);
    }

    /// Rebuilt from what was promised, as from a database, it goes on under the next epoch.
    async fn assert_goes_on_when_rebuilt(&self) {
        let epoch = self.epoch.load(Ordering::SeqCst) + 1;
        let tickets: Vec<KnownTicket> = {
            let book = self.book.lock();
            let known = |(ticket, (buyer, key)): (&TicketId, &(UserId, String))| {
                let (ticket, buyer, key, quantity, units) = (*ticket, *buyer, Some(key.clone()), 1, Units::Held);
                KnownTicket { ticket, buyer, key, quantity, units }
            };
            book.tickets.iter().map(known).collect()
        };
        let promised = tickets.len();
        let first = tickets[0].clone();
        self.gate.rebuild(terms(self.sale, epoch, STOCK), tickets).await.unwrap();
        self.epoch.store(epoch, Ordering::SeqCst);
        self.until_more_tickets(100).await;
        let held = self.gate.counts(self.sale).await.unwrap().unwrap().held as usize;
        assert!(held >= promised + 100);
        let again = buy(&self.gate, self.sale, epoch, first.buyer, first.key.as_ref().unwrap()).await;
        assert!(matches!(again, Decision::Replayed { ticket, .. } if ticket == first.ticket), "{again:?}");
        assert_eq!(self.book.lock().wrong, [] as [String; 0]);
    }
}

/// Fresh buyers, one after the other; each asks until there is an answer.
async fn keep_buying(gate: RedisGate, sale: SaleId, epoch: Arc<AtomicU32>, book: Arc<Mutex<Book>>) {
    loop {
        let (buyer, key) = (new_buyer(), "key-0000".to_owned());
        loop {
            let attempt = Attempt { buyer, key: key.clone(), quantity: 1 };
            let answer = gate.admit(sale, SaleVersion::of_epoch(epoch.load(Ordering::SeqCst)), vec![attempt]).await;
            if book.lock().note(answer, buyer, &key) {
                break;
            }
            // So that the server's one processor is left to others, too.
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

/// Runs blocking work on the servers beside the runtime.
fn blocking(work: impl FnOnce()) {
    tokio::task::block_in_place(work);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_restarts_empty() {
    let rush = Rush::begin().await;
    blocking(|| rush.server.kill("redis"));
    until("noticed", async || rush.book.lock().unanswered > 0).await;
    blocking(|| rush.server.restart("redis"));
    rush.assert_closed().await;
    rush.assert_goes_on_when_rebuilt().await;
}

/// The same epoch, older counts: the worst of all, because everything looks right.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_restarts_from_an_old_dump() {
    let rush = Rush::begin().await;
    let _: () = redis::cmd("SAVE").query_async(&mut rush.connect().await).await.unwrap();
    let dump = rush.server.set().join("redis/dump.rdb");
    assert!(dump.exists());
    rush.until_more_tickets(200).await;
    blocking(|| {
        rush.server.kill("redis");
        rush.server.restart("redis");
    });
    let mut connection = rush.connect().await;
    let held: usize =
        redis::cmd("HLEN").arg(format!("{}:keys", rush.prefix)).query_async(&mut connection).await.unwrap();
    assert!(held >= 200 && held < rush.admitted(), "the dump is not what this test needs: {held}");
    rush.assert_closed().await;
    rush.assert_goes_on_when_rebuilt().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_was_emptied() {
    let rush = Rush::begin().await;
    let _: () = redis::cmd("FLUSHALL").query_async(&mut rush.connect().await).await.unwrap();
    rush.assert_closed().await;
    rush.assert_goes_on_when_rebuilt().await;
    // With the functions it loses the witness, too.
    let _: () = redis::cmd("FUNCTION").arg("FLUSH").query_async(&mut rush.connect().await).await.unwrap();
    rush.assert_closed().await;
    rush.assert_goes_on_when_rebuilt().await;
}

/// The data is replaced while the process lives on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_reloads_an_old_dump() {
    let rush = Rush::begin().await;
    let mut connection = rush.connect().await;
    let _: () = redis::cmd("SAVE").query_async(&mut connection).await.unwrap();
    rush.until_more_tickets(100).await;
    let _: () = redis::cmd("DEBUG").arg("RELOAD").arg("NOSAVE").query_async(&mut connection).await.unwrap();
    rush.assert_closed().await;
    rush.assert_goes_on_when_rebuilt().await;
}

async fn replicate(connection: &mut MultiplexedConnection, primary: Option<&str>) {
    let place = primary.map_or("NO:ONE", |url| url.strip_prefix("redis://").unwrap());
    let (host, port) = place.split_once(':').unwrap();
    let _: () = redis::cmd("REPLICAOF").arg(host).arg(port).query_async(connection).await.unwrap();
}

async fn info(connection: &mut MultiplexedConnection, name: &str) -> String {
    let info: String = redis::cmd("INFO").query_async(connection).await.unwrap();
    let line = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).unwrap_or_default();
    line.trim().to_owned()
}

/// A replica is promoted while the old primary goes on serving: the replica's sale is closed, also for the node that was
/// sent there, and when the old primary comes back as its replica and is promoted in turn, so is its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_is_promoted() {
    let rush = Rush::begin().await;
    let other = OwnServers::up("redis");
    let other_url = other.find("DOORBUSTER_TEST_REDIS");
    let (mut first, mut second) = (rush.connect().await, connect(&other_url).await);
    replicate(&mut second, Some(&rush.url)).await;
    until("in step", async || info(&mut second, "master_link_status").await == "up").await;
    let refused = open(&settings(&other_url, &rush.prefix)).await;
    assert!(refused.err().unwrap().to_string().contains("it is a replica"));
    rush.until_more_tickets(100).await;
    replicate(&mut second, None).await;
    // Split in two: tickets that the promoted one has not heard of.
    rush.until_more_tickets(100).await;
    let moved = node(&other_url, &rush.prefix).await;
    let known: u64 = redis::cmd("HLEN").arg(format!("{}:keys", rush.prefix)).query_async(&mut second).await.unwrap();
    assert!(known >= 300, "nothing was replicated");
    assert_eq!(moved.counts(rush.sale).await.unwrap(), None);
    assert_eq!(buy(&moved, rush.sale, 1, new_buyer(), "key-0000").await, Decision::WrongEpoch);
    // The old primary must take all of the new one's data, the library with it.
    replicate(&mut first, Some(&other_url)).await;
    until("in step", async || info(&mut first, "master_link_status").await == "up").await;
    until("noticed", async || rush.book.lock().unanswered > 0).await;
    replicate(&mut first, None).await;
    rush.assert_closed().await;
    rush.assert_goes_on_when_rebuilt().await;
}
