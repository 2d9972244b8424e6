//! How gates are filled from the database: each sale by itself, in pages, and as the database is at the end.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use data_encoding::HEXLOWER;
use doorbuster::gate::{
    Attempt, Coalescer, Counts, Decision, Gate, GateError, KnownTicket, Loading, MemoryGate, PendingTicket, Release,
    SaleTerms, SaleVersion,
};
use doorbuster::hub::Hub;
use doorbuster::kernel::{Rng, SaleId, Seq, TicketId, Timestamp, UserId};
use doorbuster::orders::gate_news::GateNews;
use doorbuster::orders::publisher::Publisher;
use doorbuster::orders::rebuild::Rebuilt;
use doorbuster::orders::reconcile::Reconciler;
use doorbuster::orders::{Orders, Parts};
use doorbuster::store::Database;
use doorbuster::telemetry::Metrics;
use futures_util::future::BoxFuture;
use parking_lot::Mutex;

use super::{Place, first_epoch, on_both, request};

on_both!(
    a_sale_that_fails_keeps_no_other_closed,
    tickets_are_loaded_in_pages_and_only_those_of_the_sale,
    a_sale_opens_with_the_terms_that_it_has_by_then,
    an_order_that_is_closed_meanwhile_holds_nothing,
);

const RETENTION: Duration = Duration::from_secs(3_600);

/// What happens while the first tickets of a sale are loaded.
type Meanwhile = Box<dyn Fn() -> BoxFuture<'static, ()> + Send + Sync>;

/// A gate that can fail for one sale, notes how many tickets come at once, and lets something happen while it is loaded.
struct Probe {
    gate: MemoryGate,
    broken: Mutex<Option<SaleId>>,
    pages: Mutex<Vec<usize>>,
    meanwhile: Option<Meanwhile>,
}

struct ProbeLoading<'a> {
    probe: &'a Probe,
    inner: Box<dyn Loading + 'a>,
}

#[async_trait]
impl Loading for ProbeLoading<'_> {
    async fn add(&mut self, tickets: Vec<KnownTicket>) -> Result<(), GateError> {
        self.probe.pages.lock().push(tickets.len());
        self.inner.add(tickets).await?;
        if let Some(meanwhile) = &self.probe.meanwhile {
            meanwhile().await;
        }
        Ok(())
    }

    async fn open(self: Box<Self>) -> Result<(), GateError> {
        self.inner.open().await
    }
}

#[async_trait]
impl Gate for Probe {
    async fn begin(&self, terms: SaleTerms) -> Result<Option<Box<dyn Loading + '_>>, GateError> {
        if *self.broken.lock() == Some(terms.sale) {
            return Err(GateError("told to fail".into()));
        }
        let inner = self.gate.begin(terms).await?;
        Ok(inner.map(|inner| Box::new(ProbeLoading { probe: self, inner }) as Box<dyn Loading + '_>))
    }

    async fn admit(
        &self,
        sale: SaleId,
        known: SaleVersion,
        attempts: Vec<Attempt>,
    ) -> Result<Vec<Decision>, GateError> {
        self.gate.admit(sale, known, attempts).await
    }

    async fn update(&self, terms: SaleTerms) -> Result<(), GateError> {
        self.gate.update(terms).await
    }

    async fn terms(&self, sale: SaleId) -> Result<Option<SaleTerms>, GateError> {
        self.gate.terms(sale).await
    }

    async fn settle(&self, tickets: &[TicketId]) -> Result<(), GateError> {
        self.gate.settle(tickets).await
    }

    async fn release_all(&self, releases: &[Release]) -> Result<usize, GateError> {
        self.gate.release_all(releases).await
    }

    async fn pending(
        &self,
        sale: SaleId,
        before: Timestamp,
        after: Seq,
        max: usize,
    ) -> Result<Vec<PendingTicket>, GateError> {
        self.gate.pending(sale, before, after, max).await
    }

    async fn find_pending(&self, ticket: TicketId) -> Result<Option<PendingTicket>, GateError> {
        self.gate.find_pending(ticket).await
    }

    async fn find_pending_of(&self, sale: SaleId, buyer: UserId) -> Result<Option<PendingTicket>, GateError> {
        self.gate.find_pending_of(sale, buyer).await
    }

    async fn counts(&self, sale: SaleId) -> Result<Option<Counts>, GateError> {
        self.gate.counts(sale).await
    }

    async fn sales(&self) -> Result<Vec<SaleId>, GateError> {
        self.gate.sales().await
    }

    async fn forget(&self, sale: SaleId) -> Result<(), GateError> {
        self.gate.forget(sale).await
    }
}

/// The place's orders behind this gate.
fn behind(place: &Place, meanwhile: Option<Meanwhile>) -> (Arc<Probe>, Orders) {
    let clock = place.clock.clock();
    let (broken, pages) = (Mutex::default(), Mutex::default());
    let probe = Arc::new(Probe { gate: MemoryGate::new(clock.clone()), broken, pages, meanwhile });
    let gate: Arc<dyn Gate> = probe.clone();
    let (db, broker, config) = (place.db().clone(), place.app.broker().clone(), &place.config);
    let rng = Rng::system();
    let orders = Orders::new(Parts {
        relay: doorbuster::broker::Relay::new(db.clone(), broker.clone(), clock.clone(), rng.clone(), &config.broker),
        gate_news: GateNews::new(gate.clone(), place.app.sales().clone(), rng.clone(), Metrics::new()),
        coalescer: Coalescer::new(gate.clone(), &config.gate),
        publisher: Publisher::new(broker.clone(), &config.broker),
        db,
        gate,
        broker,
        hub: Hub::new(16),
        sales: place.app.sales().clone(),
        gateway: None,
        payments: config.payments.clone().into(),
        refunds_due: Arc::default(),
        checks_due: Arc::default(),
        tcc: place.app.tcc().clone(),
        clock,
        rng,
        metrics: Metrics::new(),
    });
    (probe, orders)
}

/// Buyers numbered from `first`, written in one statement: a busy machine takes long for thousands.
async fn buyers(place: &Place, first: u64, count: u64) -> Vec<UserId> {
    let buyers: Vec<UserId> = (first..first + count).map(|n| UserId::from_bytes(u128::from(n).to_be_bytes())).collect();
    let blob = if matches!(place.db(), Database::Postgres(_)) { "" } else { "x" };
    let row = |id: &UserId| {
        let hex = HEXLOWER.encode(&id.to_bytes());
        format!("({blob}'{hex}', 'buyer-{hex}', 'Buyer', '!', 'BUYER', 0)")
    };
    let rows = buyers.iter().map(row).collect::<Vec<_>>().join(", ");
    let columns = "id, username, display_name, password_hash, role, created_at";
    place.execute(&format!("INSERT INTO users ({columns}) VALUES {rows}")).await;
    buyers
}

/// Writes down what `count` buyers have bought, one unit each.
async fn sell(place: &Place, sale: SaleId, first: u64, count: u64) -> Vec<(TicketId, UserId)> {
    let buyers = buyers(place, first, count).await;
    let requests: Vec<_> =
        buyers.iter().zip(1..).map(|(buyer, seq)| request(sale, seq, *buyer, "key-00001", 1)).collect();
    for batch in requests.chunks(500) {
        place.app.orders().record(batch.to_vec()).await.unwrap();
    }
    requests.into_iter().map(|request| (request.ticket, request.buyer)).collect()
}

async fn a_sale_that_fails_keeps_no_other_closed(place: Place) {
    let sales = [place.sale(5, 1).await, place.sale(5, 1).await, place.sale(5, 1).await];
    let (probe, orders) = behind(&place, None);
    *probe.broken.lock() = Some(sales[1]);
    assert_eq!(orders.open_gates(RETENTION).await.unwrap(), Rebuilt { opened: 2, failed: 1 });
    let open = async || {
        let mut open = Vec::new();
        for sale in sales {
            open.push(probe.counts(sale).await.unwrap().is_some());
        }
        open
    };
    assert_eq!(open().await, [true, false, true]);
    // The others are not closed again for it.
    let mut reconciler = Reconciler::default();
    let found = reconciler.round(&orders, RETENTION, Duration::ZERO).await.unwrap();
    assert_eq!((found.rebuilt, open().await), (0, vec![true, false, true]));
    *probe.broken.lock() = None;
    let found = reconciler.round(&orders, RETENTION, Duration::ZERO).await.unwrap();
    assert_eq!((found.rebuilt, open().await), (1, vec![true; 3]));
}

async fn tickets_are_loaded_in_pages_and_only_those_of_the_sale(place: Place) {
    let mut sales = [place.sale(5_000, 1).await, place.sale(5_000, 1).await, place.sale(5_000, 1).await];
    sales.sort_unstable();
    sell(&place, sales[0], 0, 3).await;
    let sold = sell(&place, sales[1], 10, 4_100).await;
    sell(&place, sales[2], 5_000, 5).await;
    let (probe, orders) = behind(&place, None);
    orders.open_gates(RETENTION).await.unwrap();
    for (sale, held) in sales.into_iter().zip([3, 4_100, 5]) {
        let counts = probe.counts(sale).await.unwrap().unwrap();
        assert_eq!((counts.held, counts.left), (held, 5_000 - held));
    }
    let mut pages = probe.pages.lock().clone();
    pages.sort_unstable();
    assert_eq!(pages, [3, 5, 100, 2_000, 2_000]);
    let (ticket, buyer) = sold[4_099];
    let again = Attempt { buyer, key: "key-00001".into(), quantity: 1 };
    let decided = probe.admit(sales[1], SaleVersion::of_epoch(first_epoch() + 1), vec![again]).await.unwrap();
    assert!(matches!(&decided[..], [Decision::Replayed { ticket: known, .. }] if *known == ticket), "{decided:?}");
}

async fn a_sale_opens_with_the_terms_that_it_has_by_then(place: Place) {
    let sale = place.sale(5, 1).await;
    let (sales, operator) = (place.app.sales().clone(), place.operator);
    // This gate does not hear of it.
    let pause: Meanwhile = Box::new(move || {
        let sales = sales.clone();
        Box::pin(async move {
            sales.sale_pause(operator, sale).await.unwrap();
        })
    });
    let (probe, orders) = behind(&place, Some(pause));
    assert_eq!(orders.open_gates(RETENTION).await.unwrap(), Rebuilt { opened: 1, failed: 0 });
    let attempt = Attempt { buyer: place.buyers(0, 1).await[0], key: "key-00001".into(), quantity: 1 };
    assert_eq!(
        probe.admit(sale, SaleVersion::of_epoch(first_epoch() + 1), vec![attempt]).await.unwrap(),
        [Decision::Paused]
    );
}

async fn an_order_that_is_closed_meanwhile_holds_nothing(place: Place) {
    let sale = place.sale(5, 1).await;
    let sold = sell(&place, sale, 0, 2).await;
    let (orders, (ticket, buyer)) = (place.app.orders().clone(), sold[0]);
    // Its event comes while the gate is closed.
    let cancel: Meanwhile = Box::new(move || {
        let orders = orders.clone();
        Box::pin(async move {
            orders.cancel(buyer, ticket.order()).await.unwrap();
        })
    });
    let (probe, orders) = behind(&place, Some(cancel));
    orders.open_gates(RETENTION).await.unwrap();
    let counts = probe.counts(sale).await.unwrap().unwrap();
    assert_eq!((counts.held, counts.left), (1, 4));
}
