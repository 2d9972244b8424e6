//! Nodes that work side by side.

use std::collections::{HashMap, HashSet};

use doorbuster::gate::{Coalescer, Counts};
use doorbuster::kernel::TicketId;
use parking_lot::Mutex;
use redis::aio::MultiplexedConnection;

use super::*;

/// What all clients together saw.
#[derive(Default)]
struct Book {
    /// Every ticket ever admitted.
    tickets: HashSet<TicketId>,
    /// The live ticket of a buyer.
    live: HashMap<UserId, TicketId>,
}

impl Book {
    fn admitted(&mut self, buyer: UserId, ticket: TicketId, stock: u32) {
        assert!(self.tickets.insert(ticket), "{ticket} twice");
        let other = self.live.insert(buyer, ticket);
        assert_eq!(other, None, "a second live ticket");
        assert!(self.live.len() <= stock as usize, "more than there is");
    }
}

/// Many clients on two nodes; every third ticket is given back and its unit sold again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_never_sell_a_unit_twice() {
    const STOCK: u32 = 60;
    const BUYERS: usize = 240;
    let (url, prefix) = (servers::redis(), fresh_prefix());
    let nodes = [node(&url, &prefix).await, node(&url, &prefix).await];
    let sale = new_sale();
    nodes[0].rebuild(terms(sale, 1, STOCK), Vec::new()).await.unwrap();
    let coalescers = Arc::new(nodes.clone().map(|node| Coalescer::new(Arc::new(node), &settings(&url, &prefix))));
    let buyers: Arc<Vec<UserId>> = Arc::new((0..BUYERS).map(|_| new_buyer()).collect());
    let book = Arc::new(Mutex::new(Book::default()));
    // Each buyer twice at the same time, once on each node, under different keys.
    let clients = (0..2 * BUYERS).map(|n| {
        let (coalescers, buyers, book, nodes) = (coalescers.clone(), buyers.clone(), book.clone(), nodes.clone());
        tokio::spawn(async move {
            let (buyer, key) = (buyers[n / 2], format!("key-{}", n % 2));
            let attempt = Attempt { buyer, key, quantity: 1 };
            let decision = coalescers[n % 2].admit(sale, SaleVersion::of_epoch(1), &attempt).await.unwrap();
            let Decision::Admitted { ticket, .. } = decision else {
                assert!(matches!(decision, Decision::AlreadyBought | Decision::SoldOut), "{decision:?}");
                return;
            };
            if ticket.seq % 3 == 0 {
                assert!(book.lock().tickets.insert(ticket));
                assert!(nodes[(n + 1) % 2].release(ticket, buyer, true).await.unwrap());
            } else {
                book.lock().admitted(buyer, ticket, STOCK);
            }
            // The other node gives the same answer to the same key.
            let again = coalescers[(n + 1) % 2].admit(sale, SaleVersion::of_epoch(1), &attempt).await.unwrap();
            assert!(matches!(again, Decision::Replayed { ticket: known, .. } if known == ticket), "{again:?}");
        })
    });
    for client in clients.collect::<Vec<_>>() {
        client.await.unwrap();
    }
    let Counts { left, held, seq, .. } = nodes[1].counts(sale).await.unwrap().unwrap();
    let book = book.lock();
    assert_eq!((held as usize, left + held), (book.live.len(), STOCK));
    assert_eq!(seq as usize, book.tickets.len());
    assert!(book.tickets.iter().all(|ticket| (1..=seq).contains(&ticket.seq)), "no seq is left out");
    assert!(held >= STOCK / 2 && seq > u64::from(held), "vacuous: {held} held, seq {seq}");
}

/// Of two nodes that rebuild a sale at once one wins, and what it opened is whole.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rebuilds_at_the_same_time_do_not_mix() {
    let (url, prefix) = (servers::redis(), fresh_prefix());
    let nodes = [node(&url, &prefix).await, node(&url, &prefix).await];
    let sale = new_sale();
    let tickets = many_tickets(sale, 3_000);
    for epoch in 2..6 {
        let rebuilds = nodes.each_ref().map(|node| node.rebuild(terms(sale, epoch, 5_000), tickets.clone()));
        let [first, second] = rebuilds;
        let results: (Result<_, _>, Result<_, _>) = tokio::join!(first, second);
        assert!(results.0.is_ok() || results.1.is_ok(), "{results:?}");
        let counts = nodes[0].counts(sale).await.unwrap().unwrap();
        assert_eq!((counts.held, counts.left), (3_000, 2_000));
        let known = &tickets[2_999];
        let again = buy(&nodes[1], sale, epoch, known.buyer, known.key.as_ref().unwrap()).await;
        assert!(matches!(again, Decision::Replayed { ticket, .. } if ticket == known.ticket), "{again:?}");
    }
    nodes[0].forget(sale).await.unwrap();
    assert_nothing_remains(&url, &prefix).await;
}

/// A rebuild that was overtaken by `forget` does not open the sale behind its back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forgetting_a_sale_ends_its_rebuild() {
    let (url, prefix) = (servers::redis(), fresh_prefix());
    let gate = node(&url, &prefix).await;
    let sale = new_sale();
    let tickets = many_tickets(sale, 20_000);
    let rebuilding = tokio::spawn({
        let gate = gate.clone();
        async move { gate.rebuild(terms(sale, 2, 30_000), tickets).await }
    });
    let mut connection = connect(&url).await;
    crate::support::until("loading", async || {
        redis::cmd("EXISTS").arg(format!("{prefix}:loading")).query_async(&mut connection).await.unwrap()
    })
    .await;
    gate.forget(sale).await.unwrap();
    rebuilding.await.unwrap().unwrap_err();
    assert_eq!(gate.counts(sale).await.unwrap(), None);
    assert_nothing_remains(&url, &prefix).await;
}

/// Nodes of the next version bring their own library. Both serve the same sales, whoever opened them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_versions_of_the_library_share_the_sales() {
    let server = servers::OwnServers::up("redis");
    let (url, prefix) = (server.find("DOORBUSTER_TEST_REDIS"), fresh_prefix());
    let gate = node(&url, &prefix).await;
    let mut connection = connect(&url).await;
    let name = "doorbuster_gate_v4";
    let next = include_str!("../../../../../src/gate/redis/library.lua").replace(name, "doorbuster_gate_v5");
    let _: String = redis::cmd("FUNCTION").arg("LOAD").arg(next).query_async(&mut connection).await.unwrap();
    let sale = new_sale();
    let sale_name = sale.to_string();
    // The next version opens the sale.
    for (function, arguments) in [
        ("begin", vec!["mark-of-v5", "60000", "1", "1", "0", "9999999999999", "1", "5", "0", "0"]),
        ("open", vec!["mark-of-v5"]),
    ] {
        let mut call = redis::cmd("FCALL");
        call.arg(format!("doorbuster_gate_v5_{function}")).arg(1).arg(&prefix).arg(&sale_name).arg(arguments);
        let done: u64 = call.query_async(&mut connection).await.unwrap();
        assert_eq!(done, 1);
    }
    let buyer = new_buyer();
    assert!(matches!(buy(&gate, sale, 1, buyer, "key-0000").await, Decision::Admitted { .. }));
    assert_eq!(gate.sales().await.unwrap(), [sale]);
    // And it goes on with it.
    let mut count = redis::cmd("FCALL");
    count.arg("doorbuster_gate_v5_counts").arg(1).arg(&prefix).arg(&sale_name);
    let counts: Vec<u64> = count.query_async(&mut connection).await.unwrap();
    assert_eq!(counts, [5, 1, 0, 1, 1]);
    // What the next version opened and nobody has seen since is not taken over.
    let _: () = redis::cmd("FUNCTION").arg("FLUSH").query_async(&mut connection).await.unwrap();
    assert_eq!(buy(&gate, sale, 1, buyer, "key-0000").await, Decision::WrongEpoch);
    assert_eq!(gate.sales().await.unwrap(), []);
    gate.forget(sale).await.unwrap();
    assert_nothing_remains(&url, &prefix).await;
}

fn many_tickets(sale: SaleId, count: u64) -> Vec<KnownTicket> {
    let known = |seq| KnownTicket {
        ticket: TicketId { sale, epoch: 1, seq },
        buyer: new_buyer(),
        key: Some(format!("0191d2c4-5b6f-7000-8000-{seq:012}")),
        quantity: 1,
        units: Units::Held,
    };
    (1..=count).map(known).collect()
}

/// A large sale comes and goes in pieces; what a buyer takes is said in the module's documentation.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_sale_fits_and_goes_again() {
    const BUYERS: u64 = 100_000;
    let server = servers::OwnServers::up("redis");
    let (url, prefix) = (server.find("DOORBUSTER_TEST_REDIS"), fresh_prefix());
    let gate = node(&url, &prefix).await;
    let mut connection = connect(&url).await;
    let mut told = redis::cmd("CONFIG");
    let _: () = told.arg("SET").arg("slowlog-log-slower-than").arg(500).query_async(&mut connection).await.unwrap();
    let before = used_memory(&mut connection).await;
    let sale = new_sale();
    gate.rebuild(terms(sale, 2, BUYERS as u32 + 1), many_tickets(sale, BUYERS)).await.unwrap();
    let per_buyer = (used_memory(&mut connection).await - before) / BUYERS;
    println!("memory of a sale with {BUYERS} buyers: {per_buyer} bytes per buyer");
    assert!(per_buyer < 320, "{per_buyer} bytes per buyer");
    assert_eq!(gate.counts(sale).await.unwrap().unwrap().left, 1);
    let slowest = slowest_call(&mut connection).await;
    gate.forget(sale).await.unwrap();
    assert_eq!(gate.counts(sale).await.unwrap(), None);
    assert_nothing_remains(&url, &prefix).await;
    let sweeping = slowest_call(&mut connection).await;
    println!("slowest call: {slowest:?} while loading, {sweeping:?} with sweeping");
}

async fn used_memory(connection: &mut MultiplexedConnection) -> u64 {
    let info: String = redis::cmd("INFO").arg("memory").query_async(connection).await.unwrap();
    let line = info.lines().find_map(|line| line.strip_prefix("used_memory:")).unwrap();
    line.trim().parse().unwrap()
}

/// By the server's own slow log.
async fn slowest_call(connection: &mut MultiplexedConnection) -> Duration {
    let entries: Vec<Vec<redis::Value>> =
        redis::cmd("SLOWLOG").arg("GET").arg(-1).query_async(connection).await.unwrap();
    let micros = entries.iter().map(|entry| match entry[2] {
        redis::Value::Int(micros) => micros as u64,
        _ => 0,
    });
    Duration::from_micros(micros.max().unwrap_or(0))
}
