//! Stopping the shop: every sale is held, whatever its own state, and each goes back to that state afterwards.

use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::json;

use crate::catalog::Reason;
use crate::kernel::{SaleId, Timestamp};
use crate::model::messages::Topic;
use crate::model::sales::{SaleState, SaleStatus, ShopState};
use crate::sales::testing::{NOW, Stall, Told, reasons};

const WHY: &str = "Wrong prices";

/// What shoppers see of the sale now.
async fn status(stall: &Stall, id: SaleId) -> SaleStatus {
    let offer = stall.sales.find_offer(id).await.unwrap().unwrap();
    offer.sale.status(&offer.session, offer.stock.left, stall.clock.clock().now())
}

/// Whether the gate was told last that the sale is paused.
fn gate_is_paused(stall: &Stall, id: SaleId) -> bool {
    let told = stall.gate.told.lock();
    let mut terms = told.iter().map(|told| match told {
        Told::Rebuild(terms, _) | Told::Update(terms) => terms,
    });
    terms.rfind(|terms| terms.sale == id).unwrap().paused
}

#[tokio::test]
async fn all_sales_are_held_and_go_back_to_their_own_state() {
    let stall = Stall::open().await;
    let (sales, boss) = (&stall.sales, stall.operator);
    let (open, paused, ended) =
        (stall.published().await.sale.id, stall.published().await.sale.id, stall.published().await.sale.id);
    sales.sale_pause(boss, paused).await.unwrap();
    sales.sale_end(boss, ended).await.unwrap();
    let draft = stall.draft().await.sale.id;
    assert!(!sales.snapshot().shop().paused);

    stall.clock.advance(Duration::from_secs(5));
    let since = NOW.plus(Duration::from_secs(5));
    assert_eq!(sales.shop_pause(boss, WHY.into()).await.unwrap(), ShopState { paused: true, since });
    assert_eq!(sales.snapshot().shop(), ShopState { paused: true, since });
    assert_eq!(status(&stall, open).await, SaleStatus::Paused);
    assert!(gate_is_paused(&stall, open), "the gate refuses before the operator is answered");
    assert_eq!((status(&stall, ended).await, status(&stall, draft).await), (SaleStatus::Ended, SaleStatus::Draft));
    // What is published meanwhile does not sell, and neither does what is resumed alone.
    let late = stall.published().await.sale.id;
    assert_eq!(status(&stall, late).await, SaleStatus::Paused);
    assert!(gate_is_paused(&stall, late));
    sales.sale_resume(boss, paused).await.unwrap();
    sales.sale_pause(boss, paused).await.unwrap();
    sales.sale_pause(boss, late).await.unwrap();
    sales.sale_resume(boss, late).await.unwrap();
    assert!(gate_is_paused(&stall, late));
    sales.sale_publish(boss, draft).await.unwrap();

    sales.shop_resume(boss, WHY.into()).await.unwrap();
    assert!(!sales.snapshot().shop().paused);
    for sale in [open, late, draft] {
        assert_eq!(status(&stall, sale).await, SaleStatus::Open);
        assert!(!gate_is_paused(&stall, sale));
    }
    assert_eq!(status(&stall, paused).await, SaleStatus::Paused, "paused by itself");
    assert!(gate_is_paused(&stall, paused));
    let offer = sales.find_offer(ended).await.unwrap().unwrap();
    assert_eq!((offer.sale.state, offer.sale.version), (SaleState::Ended, 3), "over for good");
}

#[tokio::test]
async fn it_is_written_down_and_the_outbox_tells_a_gate_that_is_away() {
    let stall = Stall::open().await;
    let id = stall.published().await.sale.id;
    stall.gate.broken.store(true, Ordering::SeqCst);
    stall.sales.shop_pause(stall.operator, WHY.into()).await.unwrap();
    let events = stall.outbox().await;
    let to_gate: Vec<_> = events.iter().filter(|event| event.topic == Topic::GateChanges.name()).collect();
    assert_eq!(to_gate.iter().map(|event| event.key.clone()).collect::<Vec<_>>(), [id.to_string()]);
    let audit = stall.audit(&"").await;
    assert_eq!(audit, [(stall.operator, "shop.pause".to_owned(), json!({ "reason": WHY, "sales": 1 }))]);
    assert!(!gate_is_paused(&stall, id));
    stall.gate.broken.store(false, Ordering::SeqCst);
    stall.sales.deliver_to_gate(id).await;
    assert!(gate_is_paused(&stall, id));
}

#[tokio::test]
async fn what_is_refused_changes_nothing() {
    let stall = Stall::open().await;
    let id = stall.published().await.sale.id;
    let (sales, boss) = (&stall.sales, stall.operator);
    let picture = async || (sales.find_offer(id).await.unwrap().unwrap().sale.version, stall.revision().await);
    let before = picture().await;
    assert_eq!(reasons(sales.shop_resume(boss, WHY.into()).await), [Reason::ShopNotPaused]);
    for wrong in ["", "  ", "two\nlines", &"x".repeat(501)] {
        assert_eq!(reasons(sales.shop_pause(boss, wrong.into()).await), [Reason::ReasonInvalid], "{wrong:?}");
    }
    assert_eq!(picture().await, before);
    sales.shop_pause(boss, "理".repeat(500)).await.unwrap();
    let (before, since) = (picture().await, sales.snapshot().shop().since);
    stall.clock.advance(Duration::from_secs(9));
    assert_eq!(reasons(sales.shop_pause(boss, WHY.into()).await), [Reason::ShopAlreadyPaused]);
    assert_eq!((picture().await, sales.snapshot().shop().since), (before, since));
    assert!(since > Timestamp::from_millis(0));
}

#[tokio::test]
async fn another_node_and_its_gate_copy_see_it() {
    let stall = Stall::open().await;
    let id = stall.published().await.sale.id;
    let other = stall.other_node(stall.broker.clone()).await;
    stall.sales.shop_pause(stall.operator, WHY.into()).await.unwrap();
    assert!(other.poll().await.unwrap(), "the revision has grown");
    assert!(other.snapshot().shop().paused);
    let offer = other.snapshot().offer(id).cloned().unwrap();
    assert!(offer.terms().paused);
    assert_eq!(other.gate_is_up_to_date(&offer).await, Some(true));
}
