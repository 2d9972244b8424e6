//! Two nodes, one of which rebuilds a sale's gate while the other has an admission on its way.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_util::task::AbortOnDropHandle;

use super::gate_news::GateNews;
use super::publisher::Publisher;
use super::{Orders, Parts, PurchaseRequest};
use crate::broker::embedded::EmbeddedBroker;
use crate::broker::testing::Double;
use crate::broker::{Broker, Relay};
use crate::gate::{Coalescer, Gate, MemoryGate};
use crate::hub::Hub;
use crate::kernel::{Rng, SaleId, TicketId};
use crate::model::messages::Topic;
use crate::model::orders::Ticket;
use crate::sales::testing::Stall;
use crate::store;
use crate::telemetry::Metrics;
use crate::workers::order_writer::OrderWriter;

const HOUR: Duration = Duration::from_secs(3_600);

struct Nodes {
    stall: Stall,
    sale: SaleId,
    one: Orders,
    two: Orders,
    /// The broker as the first node sees it.
    held: Arc<Double>,
    _writers: Vec<AbortOnDropHandle<()>>,
}

impl Nodes {
    /// An open sale, and a first node whose tickets do not reach the broker for the time being.
    async fn open() -> Self {
        let stall = Stall::open().await;
        let sale = stall.published().await.sale.id;
        stall.sales.refresh().await.unwrap();
        let clock = stall.clock.clock();
        let broker = EmbeddedBroker::open(stall.db.clone(), clock.clone(), Rng::system(), &stall.config.broker).await;
        let broker: Arc<dyn Broker> = Arc::new(broker.unwrap());
        let gate: Arc<dyn Gate> = Arc::new(MemoryGate::new(clock));
        let held = Double::of(broker.clone(), 0..stall.config.broker.partitions);
        let (one, two) = (node(&stall, held.clone(), &gate), node(&stall, broker.clone(), &gate));
        let partitions = 0..broker.partitions(Topic::OrderRequests);
        let writers = partitions.map(|partition| write(&stall, &two, &broker, partition)).collect();
        assert_eq!(two.open_gates(HOUR).await.unwrap().opened, 1);
        Self { stall, sale, one, two, held, _writers: writers }
    }

    fn buy(&self, node: &Orders) -> JoinHandle<Option<TicketId>> {
        let request = PurchaseRequest { sale: Some(self.sale), quantity: 1, key: "key-00001".into() };
        let (node, buyer) = (node.clone(), self.stall.operator);
        tokio::spawn(async move {
            let bought = node.purchase(buyer, request).await;
            bought.ok().and_then(Result::ok).map(|Ticket { id, .. }| id)
        })
    }
}

fn node(stall: &Stall, broker: Arc<dyn Broker>, gate: &Arc<dyn Gate>) -> Orders {
    let (clock, rng, metrics, config) = (stall.clock.clock(), Rng::system(), Metrics::new(), &stall.config);
    let db = stall.db.clone();
    Orders::new(Parts {
        coalescer: Coalescer::new(gate.clone(), &config.gate),
        gate: gate.clone(),
        publisher: Publisher::new(broker.clone(), &config.broker),
        relay: Relay::new(db.clone(), broker.clone(), clock.clone(), rng.clone(), &config.broker),
        broker,
        hub: Hub::new(100),
        gate_news: GateNews::new(gate.clone(), stall.sales.clone(), rng.clone(), metrics.clone()),
        sales: stall.sales.clone(),
        db,
        clock,
        metrics,
    })
}

fn write(stall: &Stall, orders: &Orders, broker: &Arc<dyn Broker>, partition: u32) -> AbortOnDropHandle<()> {
    let writer = OrderWriter {
        orders: orders.clone(),
        broker: broker.clone(),
        config: stall.config.orders.clone().into(),
        metrics: Metrics::new(),
        clock: stall.clock.clock(),
        rng: Rng::system(),
    };
    AbortOnDropHandle::new(tokio::spawn(async move { writer.run(partition).await.unwrap() }))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ticket_that_a_rebuild_has_missed_is_shown_to_nobody() {
    let nodes = Nodes::open().await;
    let late = nodes.buy(&nodes.one);
    // Admitted, and not in the broker yet.
    nodes.held.entered.acquire().await.unwrap().forget();
    assert_eq!(nodes.two.open_gates(HOUR).await.unwrap().opened, 1);
    let ticket = nodes.buy(&nodes.two).await.unwrap().expect("a ticket of the new epoch");
    nodes.held.free();
    let late = late.await.unwrap();
    assert!(late.is_none_or(|late| late == ticket), "one key, two tickets: {late:?} and {ticket}");
    for node in [&nodes.one, &nodes.two] {
        assert_eq!(nodes.buy(node).await.unwrap(), Some(ticket));
    }
    // Both are written down by now, and the key has stayed with the ticket that was shown.
    assert_eq!(nodes.two.open_gates(HOUR).await.unwrap().opened, 1);
    assert_eq!(nodes.buy(&nodes.one).await.unwrap(), Some(ticket));
    let (db, buyer) = (&nodes.stall.db, nodes.stall.operator);
    let rows = store::read!(db, |conn| sql::orders::known_tickets(conn, nodes.sale, true, None, 9).await);
    let rows = rows.unwrap();
    let mut states: Vec<_> = rows.iter().map(|(known, _)| (known.ticket == ticket, known.key.is_some())).collect();
    states.sort_unstable();
    assert_eq!(states, [(false, false), (true, true)], "{rows:?}");
    assert_eq!(nodes.two.ticket_in_sale(buyer, nodes.sale).await.unwrap().unwrap().id, ticket);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ticket_that_a_query_shows_is_in_the_broker() {
    let nodes = Nodes::open().await;
    let admitted = nodes.buy(&nodes.one);
    nodes.held.entered.acquire().await.unwrap().forget();
    let shown = nodes.two.ticket_in_sale(nodes.stall.operator, nodes.sale).await.unwrap().unwrap().id;
    // The node that admitted it is gone before it could publish, and the gate with it.
    admitted.abort();
    assert_eq!(nodes.two.open_gates(HOUR).await.unwrap().opened, 1);
    assert_eq!(nodes.buy(&nodes.two).await.unwrap(), Some(shown));
}
