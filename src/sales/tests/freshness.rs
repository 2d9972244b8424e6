//! How the snapshot follows the database.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::civil::date;

use crate::accounts::testing::{NotingBroker, eventually};
use crate::broker::embedded::EmbeddedBroker;
use crate::broker::{Broker, BrokerError, Consumer};
use crate::catalog::{Catalog, ProductChange};
use crate::config::Span;
use crate::kernel::{ProductId, Rng};
use crate::model::messages::{Received, Topic};
use crate::sales::testing::{NOW, Stall};
use crate::sales::watch_changes;

/// Hears nothing, or that it missed something.
struct Deaf {
    lagged: bool,
}

#[async_trait]
impl Consumer for Deaf {
    async fn receive(&mut self, _: usize, _: Duration) -> Result<Vec<Received>, BrokerError> {
        if std::mem::take(&mut self.lagged) {
            return Err(BrokerError::Lagged(3));
        }
        std::future::pending().await
    }

    async fn ack(&mut self, _: u64) -> Result<(), BrokerError> {
        Ok(())
    }

    async fn rewind(&mut self) -> Result<(), BrokerError> {
        Ok(())
    }
}

#[tokio::test]
async fn other_nodes_follow_the_announcement() {
    let stall = Stall::open().await;
    let embedded =
        EmbeddedBroker::open(stall.db.clone(), stall.clock.clock(), Rng::system(), &stall.config.broker).await;
    let broker: Arc<dyn Broker> = Arc::new(embedded.unwrap());
    let (here, there) = (stall.other_node(broker.clone()).await, stall.other_node(broker.clone()).await);
    let mut consumer = broker.subscribe(Topic::CatalogChanges, 0, "there").await.unwrap();
    let watching = there.clone();
    let task = tokio::spawn(async move { watch_changes(&watching, &mut *consumer).await });
    // Of the poll's ticks only the first comes within the hour: it can bring one of these at most, not all.
    let mut changes = there.changes();
    let product = here.product_create(stall.operator, crate::sales::testing::lamp()).await.unwrap();
    changes.wait_for(|version| *version == 1).await.unwrap();
    for version in [2, 3] {
        here.product_update(stall.operator, product.id, ProductChange::default()).await.unwrap();
        changes.wait_for(|seen| *seen == version).await.unwrap();
    }
    task.abort();
}

#[tokio::test]
async fn polling_finds_what_was_not_announced() {
    let mut stall = Stall::open().await;
    stall.config.sales.poll_every = Span(Duration::from_millis(10));
    let other = stall.other_node(Arc::new(NotingBroker::default())).await;
    assert!(!other.poll().await.unwrap());
    let offer = stall.published().await;
    assert!(other.snapshot().offer(offer.sale.id).is_none());
    assert!(other.poll().await.unwrap());
    assert_eq!(other.snapshot().offer(offer.sale.id), Some(&offer));
    assert!(!other.poll().await.unwrap());

    let watching = other.clone();
    let task = tokio::spawn(async move { watch_changes(&watching, &mut Deaf { lagged: false }).await });
    let paused = stall.sales.sale_pause(stall.operator, offer.sale.id).await.unwrap();
    eventually(|| other.snapshot().offer(offer.sale.id) == Some(&paused)).await;
    task.abort();
}

#[tokio::test]
async fn missed_announcements_are_made_up_for_by_reading() {
    let stall = Stall::open().await;
    let other = stall.other_node(Arc::new(NotingBroker::default())).await;
    stall.product().await;
    let watching = other.clone();
    let task = tokio::spawn(async move { watch_changes(&watching, &mut Deaf { lagged: true }).await });
    eventually(|| other.snapshot().version() == 1).await;
    task.abort();
}

#[tokio::test]
async fn the_snapshot_keeps_what_is_not_long_over_and_the_database_the_rest() {
    let stall = Stall::open().await;
    let offer = stall.published().await;
    assert_eq!(stall.sales.snapshot().sessions().len(), 1);
    stall.clock.advance(*stall.config.sales.history + Duration::from_secs(3_601));
    let snapshot = stall.sales.refresh().await.unwrap();
    assert!(snapshot.sessions().is_empty() && snapshot.offers().is_empty());
    let found = stall.sales.find_offer(offer.sale.id).await.unwrap().unwrap();
    assert_eq!((found.sale, found.session), (offer.sale.clone(), offer.session.clone()));
    assert!(stall.sales.find_session(offer.session.id).await.unwrap().is_some());
    let product = offer.sale.product_id;
    assert!(snapshot.product(product).is_none());
    assert!(stall.sales.find_product(product).await.unwrap().is_some());
    let unknown = ProductId::from_bytes([0; 16]);
    let found = stall.sales.find_many(&[product, unknown]).await.unwrap();
    assert_eq!(found.keys().collect::<Vec<_>>(), [&product]);
}

#[tokio::test]
async fn lists_are_sorted_and_complete() {
    let stall = Stall::open().await;
    let product = stall.product().await.id;
    let (late, early, empty) = (stall.session(60, 90).await, stall.session(0, 30).await, stall.session(30, 60).await);
    let mut created = Vec::new();
    for session in [&late, &early, &late, &early] {
        let input = crate::sales::testing::sale(session.id, product);
        created.push(stall.sales.sale_create(stall.operator, input).await.unwrap().sale.id);
        stall.clock.advance(Duration::from_millis(1));
    }
    let snapshot = stall.sales.snapshot();
    let sessions: Vec<_> = snapshot.sessions().iter().map(|session| session.id).collect();
    assert_eq!(sessions, [early.id, empty.id, late.id]);
    let sales: Vec<_> = snapshot.offers().iter().map(|offer| offer.sale.id).collect();
    assert_eq!(sales, [created[1], created[3], created[0], created[2]]);
    let of_late: Vec<_> = snapshot.offers_of(late.id).iter().map(|offer| offer.sale.id).collect();
    assert_eq!(of_late, [created[0], created[2]]);
    assert!(snapshot.offers_of(empty.id).is_empty());
}

#[tokio::test]
async fn days_begin_at_midnight_of_the_shop() {
    let mut stall = Stall::open().await;
    let hours = |sales: &crate::sales::Sales, day| {
        let (begin, end) = sales.bounds_of(day).unwrap();
        (begin.to_rfc3339(), end.since(begin).as_secs() / 3_600)
    };
    stall.config.sales.time_zone = "Asia/Shanghai".into();
    let shanghai = stall.other_node(stall.broker.clone()).await;
    assert_eq!(hours(&shanghai, date(2026, 11, 23)), ("2026-11-22T16:00:00.000Z".into(), 24));
    // 10:00 in UTC is 18:00 in Shanghai; six hours later it is the next day there.
    assert_eq!(shanghai.today(), date(2026, 11, 23));
    stall.clock.advance(Duration::from_secs(6 * 3_600 - 1));
    assert_eq!(shanghai.today(), date(2026, 11, 23));
    stall.clock.advance(Duration::from_secs(1));
    assert_eq!(shanghai.today(), date(2026, 11, 24));
    assert_eq!(stall.clock.clock().now().since(NOW).as_secs(), 6 * 3_600);

    stall.config.sales.time_zone = "America/New_York".into();
    let york = stall.other_node(stall.broker.clone()).await;
    assert_eq!(hours(&york, date(2026, 3, 8)), ("2026-03-08T05:00:00.000Z".into(), 23));
    assert_eq!(hours(&york, date(2026, 11, 1)), ("2026-11-01T04:00:00.000Z".into(), 25));
    assert_eq!(york.bounds_of(jiff::civil::Date::MAX), None);
}
