//! The `Sales` service: the snapshot and its updates. Operators' changes are in `operate.rs`.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use async_trait::async_trait;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use quick_cache::sync::Cache;
use tokio::sync::{Mutex, Semaphore, watch};

use crate::broker::{Broker, Relay};
use crate::catalog::{Catalog, CatalogError};
use crate::config;
use crate::gate::Gate;
use crate::kernel::{Clock, Listed, ProductId, Rng, SaleId, SessionId, Timestamp, Wanted, recent};
use crate::model::catalog::{Product, ProductPlace};
use crate::model::sales::{Outcome, OutcomeState, Session};
use crate::model::snapshot::{Offer, Snapshot};
use crate::store::{self, Database, StoreError};

/// Sales whose numbers a node remembers, about.
const REMEMBERED: u64 = 1_000;

/// `sales.time_zone` names no time zone.
#[derive(Debug, Clone, thiserror::Error)]
#[error("unknown time zone {0:?}")]
pub struct UnknownTimeZone(pub String);

/// Products, sessions and sales: reading them, and the acts of operators. Cheap to clone.
#[derive(Clone)]
pub struct Sales(pub(super) Arc<Inner>);

/// The dependencies of [`Sales`].
pub struct Parts {
    /// The truth.
    pub db: Database,
    /// The way to the other nodes.
    pub broker: Arc<dyn Broker>,
    /// Admission: must hear of what operators do.
    pub gate: Arc<dyn Gate>,
    /// Wakes the outbox relay after a commit.
    pub relay: Relay,
    /// Time.
    pub clock: Clock,
    /// Randomness for ids.
    pub rng: Rng,
    /// `[sales]`.
    pub config: config::Section<config::Sales>,
}

pub(super) struct Inner {
    pub(super) parts: Parts,
    /// Operator acts of this node take turns, so that the gate hears of them in the order they were committed.
    pub(super) turn: Mutex<()>,
    zone: TimeZone,
    snapshot: ArcSwap<Snapshot>,
    refreshing: Mutex<()>,
    pub(super) outcomes: Cache<SaleId, Outcome>,
    pub(super) counting: Mutex<()>,
    /// Digests of reports, with what the outcome was then.
    pub(super) digests: Cache<SaleId, (OutcomeState, Arc<str>)>,
    pub(super) digesting: Mutex<()>,
    /// One permit for each report that may be made at the same time.
    pub(super) reports: Arc<Semaphore>,
    version: watch::Sender<u64>,
}

impl Sales {
    /// The service with an empty snapshot: call [`Sales::refresh`] before serving.
    pub fn new(parts: Parts) -> Result<Self, UnknownTimeZone> {
        let (zone, reports_max) = {
            let config = parts.config.now();
            (config.time_zone.clone(), config.reports_max)
        };
        let zone = TimeZone::get(&zone).map_err(|_| UnknownTimeZone(zone))?;
        Ok(Self(Arc::new(Inner {
            parts,
            turn: Mutex::default(),
            zone,
            snapshot: ArcSwap::default(),
            refreshing: Mutex::default(),
            outcomes: recent(REMEMBERED),
            counting: Mutex::default(),
            digests: recent(REMEMBERED),
            digesting: Mutex::default(),
            reports: Arc::new(Semaphore::new(reports_max)),
            version: watch::Sender::new(0),
        })))
    }

    pub(super) fn parts(&self) -> &Parts {
        &self.0.parts
    }

    /// The node's current snapshot.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.0.snapshot.load_full()
    }

    /// Wakes each time the snapshot was replaced; the value is its version.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.0.version.subscribe()
    }

    /// Reads everything again and replaces the snapshot.
    pub async fn refresh(&self) -> Result<Arc<Snapshot>, StoreError> {
        // One at a time: a slow old read must not replace the result of a newer one.
        let _one = self.0.refreshing.lock().await;
        let parts = self.parts();
        let mut snapshot = read_snapshot(&parts.db, &parts.config.now(), &parts.clock).await?;
        snapshot.count_on(&self.snapshot());
        let snapshot = Arc::new(snapshot);
        self.0.snapshot.store(snapshot.clone());
        self.0.version.send_replace(snapshot.version());
        Ok(snapshot)
    }

    /// Replaces the snapshot if the database is ahead of it. Returns whether it was.
    pub async fn poll(&self) -> Result<bool, StoreError> {
        let revision = store::read!(&self.parts().db, |conn| sql::catalog::revision(conn).await)?;
        let stale = self.snapshot().version() != revision;
        if stale {
            self.refresh().await?;
        }
        Ok(stale)
    }

    /// When to [`Sales::poll`].
    pub fn poll_ticks(&self) -> config::Ticker {
        self.parts().config.ticker(|sales| *sales.poll_every)
    }

    /// A sale, however old: from the snapshot, else from the database.
    pub async fn find_offer(&self, id: SaleId) -> Result<Option<Offer>, StoreError> {
        if let Some(offer) = self.snapshot().offer(id) {
            return Ok(Some(offer.clone()));
        }
        let now = self.parts().clock.now();
        store::read!(&self.parts().db, |conn| sql::sales::find_offer(conn, id, now).await)
    }

    /// A session, however old: from the snapshot, else from the database.
    pub async fn find_session(&self, id: SessionId) -> Result<Option<Arc<Session>>, StoreError> {
        if let Some(session) = self.snapshot().session(id) {
            return Ok(Some(session.clone()));
        }
        let found = store::read!(&self.parts().db, |conn| sql::sales::find_session(conn, id).await)?;
        Ok(found.map(Arc::new))
    }

    /// A product: from the snapshot, else from the database.
    pub async fn find_product(&self, id: ProductId) -> Result<Option<Arc<Product>>, StoreError> {
        if let Some(product) = self.snapshot().product(id) {
            return Ok(Some(product.clone()));
        }
        let found = store::read!(&self.parts().db, |conn| sql::catalog::find_product(conn, id).await)?;
        Ok(found.map(Arc::new))
    }

    /// A page of all products by name: those in whose name or title `search` stands, in any case of ASCII letters.
    pub async fn list_products(
        &self,
        search: Option<String>,
        wanted: Wanted<ProductPlace>,
    ) -> Result<Listed<Product>, StoreError> {
        let search = search.map(|text| text.to_ascii_lowercase());
        store::read!(&self.parts().db, |conn| sql::catalog::list_products(conn, search.as_deref(), &wanted).await)
    }

    /// The calendar day that it is now in the shop's time zone.
    pub fn today(&self) -> Date {
        let now = jiff::Timestamp::from_millisecond(self.parts().clock.now().as_millis()).unwrap_or_default();
        now.to_zoned_datetime(self.0.zone.clone()).date()
    }

    /// First moment of the day in the shop's time zone, and of the day after it; `None` at the end of the calendar.
    pub fn bounds_of(&self, day: Date) -> Option<(Timestamp, Timestamp)> {
        let start = |day: Date| {
            let first = day.to_zoned_datetime(self.0.zone.clone()).ok()?;
            Some(Timestamp::from_millis(first.timestamp().as_millisecond()))
        };
        Some((start(day)?, start(day.tomorrow().ok()?)?))
    }
}

/// A snapshot of the current state of the database.
pub async fn read_snapshot(db: &Database, config: &config::Sales, clock: &Clock) -> Result<Snapshot, StoreError> {
    let now = clock.now();
    let since = now.minus(*config.history);
    let (revision, contents) = store::read!(db, |conn| {
        // The revision first: what is read after it is as new or newer, and then read once more at the next poll.
        let revision = sql::catalog::revision(conn).await?;
        Ok((revision, sql::sales::load(conn, since, now).await?))
    })?;
    Ok(Snapshot::build(revision, contents))
}

#[async_trait]
impl Catalog for Sales {
    async fn find_many(&self, ids: &[ProductId]) -> Result<HashMap<ProductId, Arc<Product>>, CatalogError> {
        let snapshot = self.snapshot();
        let mut found: HashMap<_, _> =
            ids.iter().filter_map(|id| snapshot.product(*id).map(|product| (*id, product.clone()))).collect();
        let absent: Vec<ProductId> = ids.iter().copied().filter(|id| !found.contains_key(id)).collect();
        if !absent.is_empty() {
            let read = store::read!(&self.parts().db, |conn| sql::catalog::find_products(conn, &absent).await);
            let read = read.map_err(|error| CatalogError(error.to_string()))?;
            found.extend(read.into_iter().map(|product| (product.id, Arc::new(product))));
        }
        Ok(found)
    }
}
