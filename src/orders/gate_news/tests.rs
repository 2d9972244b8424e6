use std::sync::atomic::{AtomicU8, Ordering};

use bytes::Bytes;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::*;
use crate::gate::{Attempt, Counts, Decision, Loading, PendingTicket};
use crate::kernel::{Currency, Money, SaleId, Seq, Timestamp};
use crate::model::gate::{SaleTerms, SaleVersion};
use crate::model::orders::Order;
use crate::model::results::{ResultBatch, ResultEvent};
use crate::sales::testing::Stall;

const ANSWERS: u8 = 0;
const FAILS: u8 = 1;
const HANGS: u8 = 2;
const PANICS_ONCE: u8 = 3;

/// Remembers what it was told, and does as it is set.
#[derive(Default)]
struct Double {
    mood: AtomicU8,
    settled: Mutex<Vec<TicketId>>,
    released: Mutex<Vec<Vec<Release>>>,
}

impl Double {
    async fn act(&self) -> Result<(), GateError> {
        match self.mood.load(Ordering::SeqCst) {
            FAILS => Err(GateError("away".into())),
            HANGS => std::future::pending().await,
            PANICS_ONCE => {
                self.mood.store(ANSWERS, Ordering::SeqCst);
                panic!("once");
            }
            _ => Ok(()),
        }
    }
}

fn unused<T>() -> Result<T, GateError> {
    Err(GateError("not part of these tests".into()))
}

#[async_trait]
impl Gate for Double {
    async fn admit(&self, _: SaleId, _: SaleVersion, _: Vec<Attempt>) -> Result<Vec<Decision>, GateError> {
        unused()
    }

    async fn begin(&self, _: SaleTerms) -> Result<Option<Box<dyn Loading + '_>>, GateError> {
        unused()
    }

    async fn update(&self, _: SaleTerms) -> Result<(), GateError> {
        unused()
    }

    async fn terms(&self, _: SaleId) -> Result<Option<SaleTerms>, GateError> {
        unused()
    }

    async fn settle(&self, tickets: &[TicketId]) -> Result<(), GateError> {
        self.act().await?;
        self.settled.lock().extend(tickets);
        Ok(())
    }

    async fn release_all(&self, releases: &[Release]) -> Result<usize, GateError> {
        self.act().await?;
        self.released.lock().push(releases.to_vec());
        Ok(releases.len())
    }

    async fn pending(&self, _: SaleId, _: Timestamp, _: Seq, _: usize) -> Result<Vec<PendingTicket>, GateError> {
        unused()
    }

    async fn find_pending(&self, _: TicketId) -> Result<Option<PendingTicket>, GateError> {
        unused()
    }

    async fn find_pending_of(&self, _: SaleId, _: UserId) -> Result<Option<PendingTicket>, GateError> {
        unused()
    }

    async fn counts(&self, _: SaleId) -> Result<Option<Counts>, GateError> {
        unused()
    }

    async fn sales(&self) -> Result<Vec<SaleId>, GateError> {
        unused()
    }

    async fn forget(&self, _: SaleId) -> Result<(), GateError> {
        unused()
    }
}

struct Running {
    news: Arc<GateNews>,
    gate: Arc<Double>,
    metrics: Metrics,
    _stall: Stall,
    _task: tokio_util::task::AbortOnDropHandle<()>,
}

async fn running() -> Running {
    let (stall, gate, metrics) = (Stall::open().await, Arc::new(Double::default()), Metrics::new());
    let news = GateNews::new(gate.clone(), stall.sales.clone(), Rng::seeded(1), metrics.clone());
    let working = news.clone();
    let task: JoinHandle<()> = tokio::spawn(async move { working.run(CancellationToken::new()).await });
    Running { news, gate, metrics, _stall: stall, _task: tokio_util::task::AbortOnDropHandle::new(task) }
}

fn ticket(seq: Seq) -> TicketId {
    TicketId { sale: SaleId::from_bytes([1; 16]), epoch: 1, seq }
}

fn order(seq: Seq, state: OrderState, version: u32) -> Order {
    let now = Timestamp::from_millis(1);
    Order {
        ticket: ticket(seq),
        sale_number: 1,
        buyer: UserId::from_bytes([2; 16]),
        quantity: 1,
        key: None,
        state,
        product_name: "{\"ticket\":7}".into(),
        unit_price: Money { minor: 1, currency: Currency::Cny },
        points_price: None,
        created_at: now,
        decided_at: now,
        pay_before: now,
        paid_at: None,
        closed_at: None,
        version,
    }
}

fn event(orders: Vec<Order>) -> StoredEvent {
    let stock = crate::model::sales::StockLevel {
        sale: SaleId::from_bytes([1; 16]),
        held: 0,
        left: 1,
        total: 2,
        version: 3,
        at: Timestamp::from_millis(1),
    };
    let events = orders.into_iter().map(ResultEvent::Order).chain([ResultEvent::Stock(stock)]).collect();
    let payload = envelope::encode(RESULTS, RESULTS_VERSION, &ResultBatch { events }).unwrap();
    StoredEvent { id: 1, topic: Topic::PurchaseResults.name().into(), key: String::new(), payload, deliver_at: None }
}

async fn hear(running: &Running, orders: Vec<Order>) {
    running.news.hear(Topic::PurchaseResults, &[event(orders)]).await;
}

async fn until(mut holds: impl FnMut() -> bool) {
    let polling = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(Duration::from_secs(60), polling).await.expect("the condition never held");
}

#[tokio::test]
async fn a_gate_that_answers_has_learned_of_an_event_before_it_is_published() {
    let running = running().await;
    let closed = (2..=1_500).map(|seq| order(seq, OrderState::Expired, 3));
    hear(&running, [order(1, OrderState::AwaitingPayment, Ticket::DECIDED)].into_iter().chain(closed).collect()).await;
    assert_eq!(*running.gate.settled.lock(), [ticket(1)]);
    let released = running.gate.released.lock();
    assert_eq!(released.iter().map(Vec::len).sum::<usize>(), 1_499);
    assert!(released.len() <= 2, "in few calls: {}", released.len());
    assert!(released.iter().flatten().all(|one| one.restock));
    assert_eq!(running.metrics.gate_undelivered.get(), 0);
}

#[tokio::test]
async fn each_state_means_its_own() {
    let running = running().await;
    let states = [OrderState::Paid, OrderState::RefusedSoldOut, OrderState::Voided, OrderState::Refunded];
    hear(&running, (1..).zip(states).map(|(seq, state)| order(seq, state, 3)).collect()).await;
    let released = running.gate.released.lock().concat();
    let seen: Vec<_> = released.iter().map(|one| (one.ticket.seq, one.restock)).collect();
    // The sale of the refunded one is unknown: its unit is not sold again.
    assert_eq!(seen, [(2, false), (3, true), (4, false)]);
    assert_eq!(*running.gate.settled.lock(), []);
}

#[tokio::test]
async fn a_gate_that_does_not_answer_delays_the_first_event_for_a_moment_and_the_others_not_at_all() {
    for mood in [FAILS, HANGS] {
        let running = running().await;
        running.gate.mood.store(mood, Ordering::SeqCst);
        // Not before the database is open: it answers by a thread that a paused clock does not wait for.
        tokio::time::pause();
        let began = Instant::now();
        hear(&running, vec![order(1, OrderState::AwaitingPayment, Ticket::DECIDED)]).await;
        assert!(began.elapsed() <= HEAD_START + Duration::from_millis(5), "{:?}", began.elapsed());
        let began = Instant::now();
        for seq in 2..=100 {
            hear(&running, vec![order(seq, OrderState::Cancelled, 3)]).await;
        }
        assert!(began.elapsed() < Duration::from_millis(5), "{:?}", began.elapsed());
        assert_eq!(running.metrics.gate_undelivered.get(), 100);
        if mood == FAILS {
            running.gate.mood.store(ANSWERS, Ordering::SeqCst);
            until(|| running.metrics.gate_undelivered.get() == 0).await;
            assert_eq!(*running.gate.settled.lock(), [ticket(1)]);
            assert_eq!(running.gate.released.lock().concat().len(), 99);
        }
        tokio::time::resume();
    }
}

#[tokio::test]
async fn a_gate_that_panics_once_learns_of_everything() {
    let running = running().await;
    running.gate.mood.store(PANICS_ONCE, Ordering::SeqCst);
    for seq in 1..=3 {
        hear(&running, vec![order(seq, OrderState::Cancelled, 3)]).await;
    }
    until(|| running.gate.released.lock().concat().len() == 3).await;
    assert_eq!(running.metrics.gate_undelivered.get(), 0);
}

#[tokio::test]
async fn what_is_too_much_is_counted_and_what_is_unreadable_harms_nobody() {
    let running = running().await;
    running.gate.mood.store(FAILS, Ordering::SeqCst);
    running.news.push(vec![News::Decided(ticket(1)); WAITING_MAX - 1]);
    let event = event((0..3).map(|seq| order(seq, OrderState::Cancelled, 3)).collect());
    running.news.hear(Topic::PurchaseResults, std::slice::from_ref(&event)).await;
    assert_eq!(running.metrics.gate_undelivered.get(), WAITING_MAX as i64);
    assert_eq!(running.metrics.gate_undelivered_lost.get(), 2);
    let unreadable = StoredEvent { payload: Bytes::from_static(b"{}"), ..event };
    running.news.hear(Topic::PurchaseResults, &[unreadable]).await;
    assert_eq!(running.metrics.gate_undelivered_lost.get(), 2);
}
