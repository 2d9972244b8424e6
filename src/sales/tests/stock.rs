//! Adding units.

use std::time::Duration;

use crate::broker::envelope;
use crate::catalog::Reason;
use crate::kernel::SaleId;
use crate::model::results::{RESULTS, RESULTS_VERSION, ResultBatch, ResultEvent};
use crate::model::sales::SaleState;
use crate::sales::StockAdd;
use crate::sales::testing::{Stall, Told, reasons};

fn add(sale: SaleId, units: i64, key: &str) -> StockAdd {
    StockAdd { sale, units, idempotency_key: key.into() }
}

#[tokio::test]
async fn units_are_added_told_and_announced() {
    let stall = Stall::open().await;
    let before = stall.published().await;
    let id = before.sale.id;
    let after = stall.sales.sale_stock_add(stall.operator, add(id, 50, "more-lamps")).await.unwrap();
    assert_eq!((after.stock.left, after.stock.total, after.sale.stock_total), (150, 150, 150));
    assert_eq!((after.stock.version, after.sale.version), (before.stock.version + 1, before.sale.version + 1));
    assert_eq!(stall.gate.told.lock().last(), Some(&Told::Update(after.terms())));
    assert_eq!(stall.sales.snapshot().offer(id), Some(&after));

    let events = stall.outbox().await;
    assert_eq!(events.len(), 2);
    assert_eq!((events[0].topic.as_str(), events[0].key.as_str()), ("purchase-results", id.to_string().as_str()));
    assert_eq!((events[1].topic.as_str(), events[1].key.as_str()), ("gate-changes", id.to_string().as_str()));
    let batch: ResultBatch = envelope::decode(RESULTS, RESULTS_VERSION, &events[0].payload).unwrap();
    assert_eq!(batch.events, [ResultEvent::Stock(after.stock)]);
    let audit = stall.audit(&id).await;
    assert!(audit.iter().any(|(_, act, detail)| act == "sale.stock_add" && detail["units"] == 50), "{audit:?}");
}

#[tokio::test]
async fn the_same_key_adds_once_even_at_the_same_time_and_after_the_end() {
    let stall = Stall::open().await;
    let id = stall.published().await.sale.id;
    let other = stall.other_node(stall.broker.clone()).await;
    let (a, b) = tokio::join!(
        stall.sales.sale_stock_add(stall.operator, add(id, 5, "same-key")),
        other.sale_stock_add(stall.operator, add(id, 5, "same-key")),
    );
    assert_eq!(a.unwrap().stock.total, 105);
    assert_eq!(b.unwrap().stock.total, 105);
    assert_eq!(stall.outbox().await.len(), 2, "for the hubs and for the gate");
    let revision = stall.revision().await;

    stall.sales.sale_end(stall.operator, id).await.unwrap();
    let again = stall.sales.sale_stock_add(stall.operator, add(id, 5, "same-key")).await.unwrap();
    assert_eq!((again.stock.total, again.sale.state), (105, SaleState::Ended));
    let reused = stall.sales.sale_stock_add(stall.operator, add(id, 6, "same-key")).await;
    assert_eq!(reasons(reused), [Reason::IdempotencyKeyReused]);
    let fresh = stall.sales.sale_stock_add(stall.operator, add(id, 6, "other-key")).await;
    assert_eq!(reasons(fresh), [Reason::SaleEnded]);
    assert_eq!(stall.revision().await, revision + 1, "only the end counted");
}

#[tokio::test]
async fn a_key_belongs_to_its_sale() {
    let stall = Stall::open().await;
    let (one, two) = (stall.published().await.sale.id, stall.published().await.sale.id);
    stall.sales.sale_stock_add(stall.operator, add(one, 5, "same-key")).await.unwrap();
    let other = stall.sales.sale_stock_add(stall.operator, add(two, 6, "same-key")).await.unwrap();
    assert_eq!(other.stock.total, 106);
}

#[tokio::test]
async fn limits_hold_for_the_sum() {
    let stall = Stall::open().await;
    let id = stall.published().await.sale.id;
    let most = stall.sales.sale_stock_add(stall.operator, add(id, 9_999_900, "to-the-brim")).await.unwrap();
    assert_eq!(most.stock.total, 10_000_000);
    for (units, key) in
        [(1, "one-more-unit"), (0, "nothing-at-all"), (-5, "less-than-that"), (1 << 31, "very-much-more")]
    {
        let refused = stall.sales.sale_stock_add(stall.operator, add(id, units, key)).await;
        assert_eq!(reasons(refused), [Reason::UnitsInvalid], "{units}");
    }
    assert_eq!(stall.outbox().await.len(), 2, "for the hubs and for the gate");
}

#[tokio::test]
async fn a_paused_sale_takes_units_and_one_that_is_over_does_not() {
    let stall = Stall::open().await;
    let id = stall.published().await.sale.id;
    stall.sales.sale_pause(stall.operator, id).await.unwrap();
    let paused = stall.sales.sale_stock_add(stall.operator, add(id, 1, "while-paused")).await.unwrap();
    assert_eq!((paused.stock.total, paused.sale.state), (101, SaleState::Paused));
    stall.clock.advance(Duration::from_secs(3_600));
    let over = stall.sales.sale_stock_add(stall.operator, add(id, 1, "when-over")).await;
    assert_eq!(reasons(over), [Reason::SessionEnded]);
}
