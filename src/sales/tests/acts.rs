//! Acts: what they change, what they refuse, what they leave behind.

use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::json;

use crate::accounts::testing::eventually;
use crate::broker::envelope;
use crate::catalog::{PriceInput, ProductChange, Reason};
use crate::kernel::{Currency, ProductId, SaleId, SessionId, next_epoch};
use crate::model::messages::Topic;
use crate::model::sales::SaleState;
use crate::model::snapshot::Offer;
use crate::sales::messages::{CATALOG_CHANGE, CATALOG_CHANGE_VERSION, CatalogChange};
use crate::sales::testing::{NOW, Stall, Told, lamp, reasons, sale};
use crate::sales::{Act, Grounds, SaleChange, SessionInput, StockAdd};

/// Does the act, with fitting arguments.
async fn act(stall: &Stall, act: Act, id: SaleId) -> Result<Offer, crate::catalog::ActError> {
    let (sales, operator) = (&stall.sales, stall.operator);
    match act {
        Act::Update => sales.sale_update(operator, id, SaleChange::default()).await,
        Act::Publish => sales.sale_publish(operator, id).await,
        Act::Pause => sales.sale_pause(operator, id).await,
        Act::Resume => sales.sale_resume(operator, id).await,
        Act::End => sales.sale_end(operator, id).await,
        Act::AddStock => {
            let add = StockAdd { sale: id, units: 1, idempotency_key: "key-of-acts".into() };
            sales.sale_stock_add(operator, add).await
        }
    }
}

#[tokio::test]
async fn a_sale_lives_from_draft_to_end_and_the_gate_hears_of_it() {
    let stall = Stall::open().await;
    let draft = stall.draft().await;
    let id = draft.sale.id;
    assert_eq!((draft.sale.state, draft.sale.epoch, draft.sale.version), (SaleState::Draft, 0, 1));
    assert_eq!((draft.stock.left, draft.stock.total, draft.sale.number), (100, 100, 1_001));
    assert!(stall.gate.told.lock().is_empty());

    let first = next_epoch(0, NOW);
    let published = act(&stall, Act::Publish, id).await.unwrap();
    assert_eq!((published.sale.state, published.sale.epoch, published.sale.version), (SaleState::Published, first, 2));
    assert_eq!(act(&stall, Act::Pause, id).await.unwrap().sale.state, SaleState::Paused);
    assert_eq!(act(&stall, Act::Resume, id).await.unwrap().sale.state, SaleState::Published);
    let ended = act(&stall, Act::End, id).await.unwrap();
    assert_eq!((ended.sale.state, ended.sale.epoch, ended.sale.version), (SaleState::Ended, first, 5));

    let told = stall.gate.told.lock().clone();
    assert_eq!(told[0], Told::Rebuild(published.terms(), 0));
    let updates = told[1..].iter().map(|told| match told {
        Told::Update(terms) => (terms.version, terms.epoch, terms.paused, terms.ended),
        Told::Rebuild(..) => panic!("rebuilt twice"),
    });
    assert_eq!(
        updates.collect::<Vec<_>>(),
        [(3, first, true, false), (4, first, false, false), (5, first, false, true)]
    );
    assert_eq!(stall.sales.snapshot().offer(id), Some(&ended), "the node sees its own act at once");
}

#[tokio::test]
async fn each_act_is_written_down_and_announced() {
    let stall = Stall::open().await;
    let id = stall.published().await.sale.id;
    act(&stall, Act::Pause, id).await.unwrap();
    let audit = stall.audit(&id).await;
    let acts: Vec<_> = audit.iter().map(|(who, act, _)| (*who, act.as_str())).collect();
    let boss = stall.operator;
    // The clock stands still, so that rows of one moment have no order but the first's id.
    assert_eq!(acts.len(), 3);
    for wanted in ["sale.create", "sale.publish", "sale.pause"] {
        assert!(acts.contains(&(boss, wanted)), "{acts:?}");
    }
    let paused = audit.iter().find(|(_, act, _)| act == "sale.pause").unwrap();
    assert_eq!(paused.2, json!({ "from": "PUBLISHED", "to": "PAUSED", "version": 3 }));

    let published = stall.broker.published.lock();
    let changes: Vec<CatalogChange> = published
        .iter()
        .map(|(topic, message)| {
            assert_eq!(*topic, Topic::CatalogChanges);
            envelope::decode(CATALOG_CHANGE, CATALOG_CHANGE_VERSION, &message.payload).unwrap()
        })
        .collect();
    // Product, session, sale, publish, pause.
    assert_eq!(changes.iter().map(|change| change.revision).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
    assert_eq!(changes[4].subject, id.to_string());
}

#[tokio::test]
async fn every_illegal_act_is_refused_and_changes_nothing() {
    for (state, way) in [
        (SaleState::Draft, &[][..]),
        (SaleState::Published, &[Act::Publish]),
        (SaleState::Paused, &[Act::Publish, Act::Pause]),
        (SaleState::Ended, &[Act::Publish, Act::End]),
    ] {
        for over in [false, true] {
            let stall = Stall::open().await;
            let id = stall.draft().await.sale.id;
            for step in way {
                act(&stall, *step, id).await.unwrap();
            }
            if over {
                stall.clock.advance(Duration::from_secs(3_600));
            }
            let before = (stall.sales.find_offer(id).await.unwrap().unwrap().sale, stall.revision().await);
            for tried in Act::ALL {
                let Err(reason) = super::super::state::after(tried, state, over) else { continue };
                assert_eq!(reasons(act(&stall, tried, id).await), [reason], "{tried:?} {state:?} {over}");
                stall.sales.refresh().await.unwrap();
                let now = (stall.sales.find_offer(id).await.unwrap().unwrap().sale, stall.revision().await);
                assert_eq!(now, before, "{tried:?} {state:?} {over}");
            }
        }
    }
}

#[tokio::test]
async fn unknown_ids_are_refused() {
    let stall = Stall::open().await;
    let nobody = SaleId::from_bytes([0; 16]);
    for tried in Act::ALL {
        assert_eq!(reasons(act(&stall, tried, nobody).await), [Reason::SaleNotFound], "{tried:?}");
    }
    let unknown = ProductId::from_bytes([0; 16]);
    let updated = stall.sales.product_update(stall.operator, unknown, ProductChange::default()).await;
    assert_eq!(reasons(updated), [Reason::ProductNotFound]);
    let mut input = sale(SessionId::from_bytes([0; 16]), unknown);
    input.stock = 0;
    let created = stall.sales.sale_create(stall.operator, input).await;
    assert_eq!(reasons(created), [Reason::SessionNotFound, Reason::ProductNotFound, Reason::StockInvalid]);
    let session = SessionInput { name: None, starts_at: NOW, ends_at: Some(NOW) };
    assert_eq!(reasons(stall.sales.session_create(stall.operator, session).await), [Reason::WindowInvalid]);
    assert_eq!(stall.revision().await, 0);
}

#[tokio::test]
async fn a_draft_can_be_changed_whole() {
    let stall = Stall::open().await;
    let draft = stall.draft().await;
    let (session, product) = (stall.session(60, 120).await, stall.product().await);
    let change = SaleChange {
        version: Some(1),
        session_id: Some(session.id),
        product_id: Some(product.id),
        price: Some(PriceInput { amount: "5".into(), currency: Currency::Eur }),
        points_price: Some(Some(500)),
        stock: Some(7),
        limit_per_buyer: Some(3),
        pay_within_seconds: Some(60),
        returns_on_refund: Some(false),
    };
    let changed = stall.sales.sale_update(stall.operator, draft.sale.id, change).await.unwrap();
    let sale = &changed.sale;
    assert_eq!(
        (changed.session.id, sale.product_id, sale.price.to_string()),
        (session.id, product.id, "5.00 EUR".into())
    );
    assert_eq!((sale.points_price, sale.stock_total, changed.stock.left), (Some(500), 7, 7));
    assert_eq!((sale.limit_per_buyer, sale.pay_within.as_secs(), sale.returns_on_refund), (3, 60, false));
    assert_eq!((sale.number, sale.version, sale.created_at), (draft.sale.number, 2, draft.sale.created_at));
    assert!(changed.stock.version > draft.stock.version, "older stock must not win over it");

    let change = SaleChange { points_price: Some(None), limit_per_buyer: Some(0), ..SaleChange::default() };
    let refused = stall.sales.sale_update(stall.operator, draft.sale.id, change).await;
    assert_eq!(reasons(refused), [Reason::LimitPerBuyerInvalid]);
    assert_eq!(stall.sales.snapshot().offer(draft.sale.id), Some(&changed));
}

#[tokio::test]
async fn of_two_edits_of_one_version_one_wins() {
    let stall = Stall::open().await;
    let draft = stall.draft().await;
    let other = stall.other_node(stall.broker.clone()).await;
    let edit = |name: &str| ProductChange { version: Some(1), name: Some(name.into()), ..ProductChange::default() };
    let (a, b) = tokio::join!(
        stall.sales.product_update(stall.operator, draft.sale.product_id, edit("A")),
        other.product_update(stall.operator, draft.sale.product_id, edit("B")),
    );
    let (won, lost) = if a.is_ok() { (a, b) } else { (b, a) };
    assert_eq!(reasons(lost), [Reason::VersionConflict]);
    let stored = stall.sales.refresh().await.unwrap().product(draft.sale.product_id).cloned();
    assert_eq!(stored, won.ok());
    assert_eq!(stall.audit(&draft.sale.product_id).await.len(), 2);

    let edit = |stock| SaleChange { version: Some(1), stock: Some(stock), ..SaleChange::default() };
    let (a, b) = tokio::join!(
        stall.sales.sale_update(stall.operator, draft.sale.id, edit(1)),
        other.sale_update(stall.operator, draft.sale.id, edit(2)),
    );
    let (won, lost) = if a.is_ok() { (a, b) } else { (b, a) };
    assert_eq!(reasons(lost), [Reason::VersionConflict]);
    let stored = stall.sales.refresh().await.unwrap().offer(draft.sale.id).cloned();
    assert_eq!(stored, won.ok());
}

#[tokio::test]
async fn numbers_are_unique_over_nodes() {
    let stall = Stall::open().await;
    let (session, product) = (stall.session(0, 60).await.id, stall.product().await.id);
    let other = stall.other_node(stall.broker.clone()).await;
    let create = |node| async move {
        let offer = crate::sales::Sales::sale_create(node, stall.operator, sale(session, product)).await;
        offer.unwrap().sale.number
    };
    let (a, b, c, d) = tokio::join!(create(&stall.sales), create(&other), create(&stall.sales), create(&other));
    let mut numbers = [a, b, c, d];
    numbers.sort_unstable();
    assert_eq!(numbers, [1_001, 1_002, 1_003, 1_004]);
}

#[tokio::test]
async fn an_act_stands_when_gate_and_broker_fail() {
    let stall = Stall::open().await;
    let id = stall.draft().await.sale.id;
    stall.gate.broken.store(true, Ordering::SeqCst);
    stall.broker.refusals.store(1, Ordering::SeqCst);
    let published = act(&stall, Act::Publish, id).await.unwrap();
    assert_eq!(published.sale.state, SaleState::Published);
    assert_eq!(stall.sales.snapshot().offer(id), Some(&published));
    assert!(stall.gate.told.lock().is_empty());
}

#[tokio::test]
async fn an_act_is_finished_when_nobody_waits_for_it_any_more() {
    let stall = Stall::open().await;
    let id = stall.draft().await.sale.id;
    {
        let mut publishing = Box::pin(stall.sales.sale_publish(stall.operator, id));
        assert!(futures_util::poll!(publishing.as_mut()).is_pending());
    }
    let sales = stall.sales.clone();
    eventually(|| sales.snapshot().offer(id).is_some_and(|offer| offer.sale.state == SaleState::Published)).await;
    let told = stall.gate.clone();
    eventually(|| !told.told.lock().is_empty()).await;
}

#[tokio::test]
async fn an_edit_of_a_product_shows_in_its_sales() {
    let stall = Stall::open().await;
    let offer = stall.published().await;
    let change = ProductChange { name: Some("Torch".into()), ..ProductChange::default() };
    let edited = stall.sales.product_update(stall.operator, offer.sale.product_id, change).await.unwrap();
    assert_eq!((edited.name.as_str(), edited.version), ("Torch", 2));
    assert_eq!(stall.sales.snapshot().product(edited.id), Some(&edited));
    let mut bad = lamp();
    bad.name = String::new();
    assert_eq!(reasons(stall.sales.product_create(stall.operator, bad).await), [Reason::NameInvalid]);
}

#[tokio::test]
async fn an_act_has_its_reason_in_the_audit_log_and_is_refused_for_another_version() {
    let stall = Stall::open().await;
    let (operator, published) = (stall.operator, stall.published().await.sale);
    let (id, seen) = (published.id, i64::from(published.version));
    let grounds = |reason: &str, version| Grounds { reason: Some(reason.into()), version };
    let long = "x".repeat(501);
    for reason in ["", " ", "two\nlines", &long] {
        let refused = stall.sales.sale_act(operator, id, Act::Pause, grounds(reason, None)).await;
        assert_eq!(reasons(refused), [Reason::ReasonInvalid], "{reason:?}");
    }
    let stale = stall.sales.sale_act(operator, id, Act::Pause, grounds("a wrong price", Some(seen - 1))).await;
    assert_eq!(reasons(stale), [Reason::VersionConflict]);
    let paused = stall.sales.sale_act(operator, id, Act::Pause, grounds("a wrong price", Some(seen))).await.unwrap();
    assert_eq!((paused.sale.state, i64::from(paused.sale.version)), (SaleState::Paused, seen + 1));
    // A retry after a lost response learns that the act was done; it is not a version conflict.
    let again = stall.sales.sale_act(operator, id, Act::Pause, grounds("a wrong price", Some(seen))).await;
    assert_eq!(reasons(again), [Reason::SaleAlreadyPaused]);
    let add = StockAdd { sale: id, units: 5, idempotency_key: "key-of-grounds".into() };
    let refused = stall.sales.sale_stock_add_for(operator, add.clone(), grounds("", None)).await;
    assert_eq!(reasons(refused), [Reason::ReasonInvalid]);
    stall.sales.sale_stock_add_for(operator, add, grounds("a second delivery", None)).await.unwrap();
    let audit = stall.audit(&id).await;
    let reason =
        |wanted: &str| audit.iter().find(|(_, act, _)| act == wanted).map(|(_, _, detail)| detail["reason"].clone());
    assert_eq!(reason("sale.pause"), Some(json!("a wrong price")));
    assert_eq!(reason("sale.stock_add"), Some(json!("a second delivery")));
    assert_eq!(reason("sale.publish"), Some(json!(null)), "none was given");
    assert_eq!(audit.len(), 4, "what was refused is not in it");
}
