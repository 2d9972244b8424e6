//! The gate's copy of a sale's terms, and how acts reach a gate that was away.

use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::mpsc;

use crate::accounts::testing::eventually;
use crate::broker::{BrokerError, Consumer, envelope};
use crate::gate::Gate as _;
use crate::kernel::SaleId;
use crate::model::gate::SaleTerms;
use crate::model::messages::Received;
use crate::sales::messages::{GATE_CHANGE, GATE_CHANGE_VERSION, GateChange};
use crate::sales::testing::{Stall, Told};
use crate::sales::{GateCopy, StockAdd};
use crate::telemetry::Metrics;
use crate::workers::gate_changes;

/// The changes that wait in the outbox for the gate.
async fn changes(stall: &Stall) -> Vec<GateChange> {
    let events = stall.outbox().await.into_iter().filter(|event| event.topic == "gate-changes");
    events.map(|event| envelope::decode(GATE_CHANGE, GATE_CHANGE_VERSION, &event.payload).unwrap()).collect()
}

fn last_told(stall: &Stall) -> Told {
    stall.gate.told.lock().last().unwrap().clone()
}

#[tokio::test]
async fn each_act_on_a_published_sale_is_in_the_outbox_for_the_gate() {
    let stall = Stall::open().await;
    let id = stall.published().await.sale.id;
    assert_eq!(changes(&stall).await, [], "publishing opens the gate; there is nothing to replace");
    stall.sales.sale_pause(stall.operator, id).await.unwrap();
    stall.sales.sale_resume(stall.operator, id).await.unwrap();
    let add = StockAdd { sale: id, units: 1, idempotency_key: "one-more-unit".into() };
    stall.sales.sale_stock_add(stall.operator, add.clone()).await.unwrap();
    stall.sales.sale_stock_add(stall.operator, add).await.unwrap();
    stall.gate.broken.store(true, Ordering::SeqCst);
    stall.sales.sale_end(stall.operator, id).await.unwrap();
    stall.sales.sale_end(stall.operator, id).await.unwrap_err();
    let expected: Vec<_> = [3, 4, 5, 6].map(|version| GateChange { sale: id, version }).into();
    assert_eq!(changes(&stall).await, expected);
}

#[tokio::test]
async fn an_operator_can_see_whether_the_gate_has_heard_of_the_act() {
    let stall = Stall::open().await;
    let draft = stall.draft().await;
    assert_eq!(stall.sales.gate_is_up_to_date(&draft).await, None);
    let offer = stall.sales.sale_publish(stall.operator, draft.sale.id).await.unwrap();
    assert_eq!(stall.sales.gate_is_up_to_date(&offer).await, Some(true));
    stall.gate.broken.store(true, Ordering::SeqCst);
    let ended = stall.sales.sale_end(stall.operator, offer.sale.id).await.unwrap();
    assert_eq!(stall.sales.gate_is_up_to_date(&ended).await, Some(false), "it does not answer");
    stall.gate.broken.store(false, Ordering::SeqCst);
    assert_eq!(stall.sales.gate_is_up_to_date(&ended).await, Some(false), "it still sells");
    stall.sales.deliver_to_gate(offer.sale.id).await;
    assert_eq!(stall.sales.gate_is_up_to_date(&ended).await, Some(true));
    assert_eq!(stall.sales.gate_is_up_to_date(&offer).await, Some(true), "of an older version the gate knows more");
    let rebuilt = SaleTerms { epoch: ended.sale.epoch + 1, ..ended.terms() };
    stall.gate.rebuild(rebuilt, Vec::new()).await.unwrap();
    assert_eq!(stall.sales.gate_is_up_to_date(&ended).await, Some(true), "a rebuild changes the epoch alone");
    stall.gate.told.lock().clear();
    assert_eq!(stall.sales.gate_is_up_to_date(&ended).await, Some(false), "it is being rebuilt");
    stall.clock.advance(Duration::from_secs(7_200));
    assert_eq!(stall.sales.gate_is_up_to_date(&ended).await, None, "over and forgotten");
}

#[tokio::test]
async fn a_copy_that_differs_in_anything_is_replaced_by_one_update() {
    let stall = Stall::open().await;
    let offer = stall.published().await;
    let terms = offer.terms();
    let update = async || {
        let told = stall.gate.told.lock().len();
        let copy = stall.sales.update_gate(&offer).await.unwrap();
        (copy, stall.gate.told.lock()[told..].to_vec())
    };
    assert_eq!(update().await, (GateCopy::Current, vec![]));
    let changes: [fn(&mut SaleTerms); 7] = [
        |terms| terms.version -= 1,
        |terms| terms.starts_at = terms.starts_at.plus(Duration::from_millis(1)),
        |terms| terms.ends_at = terms.ends_at.plus(Duration::from_millis(1)),
        |terms| terms.limit_per_buyer += 1,
        |terms| terms.stock_total += 1,
        |terms| terms.paused = true,
        |terms| terms.ended = true,
    ];
    for change in changes {
        let mut held = terms.clone();
        change(&mut held);
        stall.gate.update(held.clone()).await.unwrap();
        assert_eq!(update().await, (GateCopy::Replaced, vec![Told::Update(terms.clone())]), "{held:?}");
    }
    let newer = SaleTerms { version: terms.version + 1, paused: true, ..terms.clone() };
    let rebuilt = SaleTerms { epoch: terms.epoch + 1, ..terms.clone() };
    for foreign in [newer, rebuilt] {
        stall.gate.update(foreign).await.unwrap();
        assert_eq!(update().await, (GateCopy::Foreign, vec![]));
    }
    stall.gate.told.lock().clear();
    let offered = vec![Told::Update(terms.clone())];
    assert_eq!(update().await, (GateCopy::Missing, offered), "for a rebuild that is under way");
}

/// Hands out what it is sent; tells what is acknowledged.
struct Line {
    messages: mpsc::UnboundedReceiver<Received>,
    acked: mpsc::UnboundedSender<u64>,
}

#[async_trait]
impl Consumer for Line {
    async fn receive(&mut self, _: usize, _: Duration) -> Result<Vec<Received>, BrokerError> {
        self.messages.recv().await.map(|message| vec![message]).ok_or(BrokerError::Closed)
    }

    async fn ack(&mut self, position: u64) -> Result<(), BrokerError> {
        self.acked.send(position).map_err(|_| BrokerError::Closed)
    }

    async fn rewind(&mut self) -> Result<(), BrokerError> {
        Ok(())
    }
}

fn received(position: u64, sale: SaleId, version: u32) -> Received {
    let payload = envelope::encode(GATE_CHANGE, GATE_CHANGE_VERSION, &GateChange { sale, version }).unwrap();
    Received { position, key: "key".into(), payload, redeliveries: 0 }
}

#[tokio::test]
async fn a_change_is_acknowledged_only_once_the_gate_has_it() {
    let stall = Stall::open().await;
    let id = stall.published().await.sale.id;
    stall.gate.broken.store(true, Ordering::SeqCst);
    let ended = stall.sales.sale_end(stall.operator, id).await.unwrap();
    let ((send, messages), (acked, mut acks)) = (mpsc::unbounded_channel(), mpsc::unbounded_channel());
    let (sales, broker, clock) = (stall.sales.clone(), stall.broker.clone(), stall.clock.clock());
    let worker = tokio::spawn(async move {
        let consumer = Box::new(Line { messages, acked });
        gate_changes::run(&sales, consumer, &*broker, &clock, &Metrics::new()).await
    });
    let asked = stall.gate.asked.load(Ordering::SeqCst);
    send.send(received(1, id, 3)).unwrap();
    eventually(|| stall.gate.asked.load(Ordering::SeqCst) > asked + 2).await;
    acks.try_recv().unwrap_err();
    stall.gate.broken.store(false, Ordering::SeqCst);
    assert_eq!(acks.recv().await, Some(1));
    assert_eq!(last_told(&stall), Told::Update(ended.terms()));
    // Late, twice, of a sale that there is not, of one that is in no gate, and unreadable: none of them stops it.
    let told = stall.gate.told.lock().len();
    let draft = stall.draft().await.sale.id;
    send.send(received(2, id, 2)).unwrap();
    send.send(received(3, SaleId::from_bytes([0; 16]), 1)).unwrap();
    send.send(received(4, draft, 1)).unwrap();
    send.send(Received { payload: "garbage".into(), ..received(5, id, 1) }).unwrap();
    for position in 2..=5 {
        assert_eq!(acks.recv().await, Some(position));
    }
    assert_eq!(stall.gate.told.lock().len(), told);
    drop(send);
    worker.await.unwrap().unwrap();
}
