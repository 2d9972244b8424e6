//! Edits of the catalog that somebody made in SQL. The database's triggers check them, raise the versions of the rows and write them
//! down; here they are applied to the rest of the shop, as an operator's change is: the sales of an edited session get a new version,
//! the gate and the hubs an event in the same transaction, and the catalog a new revision. Then the snapshot is refreshed, the gate
//! updated and the other nodes notified.
//!
//! What no trigger saw (they can be switched off) is found by comparing the whole catalog with the snapshot.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::operate::{gate_event, stock_event};
use super::service::Sales;
use crate::catalog::ActError;
use crate::kernel::{Listed, SaleId, SessionId, Timestamp, Wanted};
use crate::model::catalog::Product;
use crate::model::edits::{Edit, EditOp, EditedRow, Unexplained};
use crate::model::messages::NewEvent;
use crate::model::sales::{Sale, Session};
use crate::model::snapshot::{Contents, Offer, Snapshot};
use crate::store::{self, Database, StoreError};

/// Edits applied in one transaction at most.
const BATCH: usize = 1_000;

/// What was applied.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Applied {
    /// Rows whose edits were applied.
    pub edits: usize,
    /// Sales that the gate must hear of.
    sales: BTreeSet<SaleId>,
    /// Those of them that were published by an edit, and are in no gate yet.
    begun: BTreeSet<SaleId>,
    /// The catalog's revision afterwards.
    revision: u64,
}

impl Applied {
    fn of(edits: usize, offers: &[(Offer, bool)], revision: u64) -> Self {
        let begun = offers.iter().filter(|(_, begins)| *begins).map(|(offer, _)| offer.sale.id).collect();
        Self { edits, sales: offers.iter().map(|(offer, _)| offer.sale.id).collect(), begun, revision }
    }

    fn add(&mut self, more: Self) {
        self.edits += more.edits;
        self.sales.extend(more.sales);
        self.begun.extend(more.begun);
        self.revision = self.revision.max(more.revision);
    }
}

impl Sales {
    /// When the oldest edit was made that is not applied, by the database's clock.
    pub async fn edits_open_since(&self) -> Result<Option<Timestamp>, StoreError> {
        store::read!(&self.parts().db, |conn| sql::edits::open_since(conn).await)
    }

    /// See [`list_edits`].
    pub async fn list_edits(&self, row: Option<EditedRow>, wanted: Wanted<i64>) -> Result<Listed<Edit>, StoreError> {
        list_edits(&self.parts().db, row, wanted).await
    }

    /// Applies all edits that are written down, and returns how many there were. If it fails halfway, the next call goes on; what is
    /// committed reaches the gate and the nodes by the outbox and by polling.
    pub async fn apply_edits(&self) -> Result<usize, ActError> {
        let mut applied = Applied::default();
        loop {
            let batch = self.owned(|sales| async move { Ok(sales.apply_batch().await?) }).await?;
            let more = batch.edits == BATCH;
            applied.add(batch);
            if !more {
                break;
            }
        }
        self.spread(&applied).await;
        Ok(applied.edits)
    }

    async fn apply_batch(&self) -> Result<Applied, StoreError> {
        let now = self.parts().clock.now();
        store::write!(&self.parts().db, |conn| {
            sql::catalog::take_turn(conn).await?;
            let edits = sql::edits::open(conn, BATCH).await?;
            if edits.is_empty() {
                return Ok(Applied::default());
            }
            let (mut edited, sessions) = touched(&edits);
            let mut raised = BTreeSet::new();
            for session in sessions {
                raised.extend(sql::edits::sales_of(conn, session).await?);
            }
            // In the order of their ids, as everywhere.
            for sale in &raised {
                sql::edits::raise_sale(conn, *sale, 0, now).await?;
            }
            edited.extend(raised);
            let offers = sql::edits::offers(conn, edited, now).await?;
            sql::outbox::append(conn, &events_of(&offers)?, now).await?;
            let ids: Vec<i64> = edits.iter().map(|edit| edit.id).collect();
            sql::edits::mark(conn, &ids, now).await?;
            Ok(Applied::of(edits.len(), &offers, sql::catalog::raise_revision(conn).await?))
        })
    }

    /// Compares the catalog with the node's snapshot. What differs although no act and no edit explains it is written down as the edit
    /// of somebody unknown, and applied. Returns how many rows there were.
    pub async fn reread(&self) -> Result<usize, ActError> {
        self.poll().await?;
        let (known, now) = (self.snapshot(), self.parts().clock.now());
        let since = now.minus(*self.parts().config.now().history);
        let found = store::read!(&self.parts().db, |conn| sql::sales::load(conn, since, now).await)?;
        if differences(&known, found, since).is_empty() {
            return Ok(0);
        }
        // Once more while nothing else can change the catalog: an act or an edit may have been under way.
        let applied = self.owned(move |sales| async move { Ok(sales.apply_unexplained(since).await?) }).await?;
        self.spread(&applied).await;
        Ok(applied.edits)
    }

    async fn apply_unexplained(&self, since: Timestamp) -> Result<Applied, StoreError> {
        let (known, now) = (self.snapshot(), self.parts().clock.now());
        store::write!(&self.parts().db, |conn| {
            sql::catalog::take_turn(conn).await?;
            if sql::catalog::revision(conn).await? != known.version() {
                return Ok(Applied::default());
            }
            let found = sql::sales::load(conn, since, now).await?;
            // After what it may have changed.
            if sql::edits::open_since(conn).await?.is_some() {
                return Ok(Applied::default());
            }
            let found = differences(&known, found, since);
            if found.is_empty() {
                return Ok(Applied::default());
            }
            sql::edits::note(conn, &found, now).await?;
            let mut edited = BTreeSet::new();
            for one in &found {
                match one.row {
                    EditedRow::Sale(sale) => drop(edited.insert(sale)),
                    EditedRow::Session(session) => edited.extend(sql::edits::sales_of(conn, session).await?),
                    EditedRow::Product(_) => {}
                }
            }
            for sale in &edited {
                // Above what nodes and the gate know, even if the row was set back.
                let version = known.sale(*sale).map_or(0, |sale| sale.version);
                sql::edits::raise_sale(conn, *sale, version, now).await?;
            }
            let offers = sql::edits::offers(conn, edited, now).await?;
            sql::outbox::append(conn, &events_of(&offers)?, now).await?;
            Ok(Applied::of(found.len(), &offers, sql::catalog::raise_revision(conn).await?))
        })
    }

    /// Tells the nodes, the subscribers and the gate.
    async fn spread(&self, applied: &Applied) {
        if applied.edits == 0 {
            return;
        }
        tracing::info!(edits = applied.edits, sales = applied.sales.len(), "applied edits that were made in SQL");
        self.parts().relay.wake();
        self.announce(&"", applied.revision).await;
        let snapshot = self.snapshot();
        for offer in applied.sales.iter().filter_map(|id| snapshot.offer(*id)) {
            let (terms, gate) = (offer.terms(), &self.parts().gate);
            let told = if applied.begun.contains(&offer.sale.id) {
                gate.rebuild(terms, Vec::new()).await
            } else {
                gate.update(terms).await
            };
            if let Err(error) = told {
                tracing::warn!(%error, sale = %offer.sale.id, "an edit is not delivered to the gate yet");
            }
        }
    }
}

/// A page of the edits that are written down, the newest first; of one row, if one is given.
pub async fn list_edits(
    db: &Database,
    row: Option<EditedRow>,
    wanted: Wanted<i64>,
) -> Result<Listed<Edit>, StoreError> {
    store::read!(db, |conn| sql::edits::list(conn, row, &wanted).await)
}

/// The sales that were edited, and the sessions whose sales need a new version.
fn touched(edits: &[Edit]) -> (BTreeSet<SaleId>, BTreeSet<SessionId>) {
    let (mut sales, mut sessions) = (BTreeSet::new(), BTreeSet::new());
    for edit in edits {
        match edit.row {
            EditedRow::Sale(sale) => drop(sales.insert(sale)),
            EditedRow::Session(session) => drop(sessions.insert(session)),
            EditedRow::Product(_) => {}
        }
    }
    (sales, sessions)
}

/// What the hubs and the gate must hear of.
fn events_of(offers: &[(Offer, bool)]) -> Result<Vec<NewEvent>, StoreError> {
    let mut events = Vec::with_capacity(2 * offers.len());
    for (offer, _) in offers {
        events.push(stock_event(offer.stock)?);
        events.push(gate_event(&offer.sale)?);
    }
    Ok(events)
}

/// One row's content, known and found.
#[derive(Default)]
struct Compared {
    before: Option<String>,
    after: Option<String>,
}

/// The rows whose content is not what the snapshot has, in the order of tables: sales last. Sessions that ended before `since` are not
/// compared, nor is what moves by itself: the stock and the epoch.
fn differences(known: &Snapshot, found: Contents, since: Timestamp) -> Vec<Unexplained> {
    let found = Snapshot::build(known.version(), found);
    let mut rows: BTreeMap<(u8, [u8; 16]), (EditedRow, Compared)> = BTreeMap::new();
    let mut put = |rank: u8, row: EditedRow, content: String, is_new: bool| {
        let (_, compared) = rows.entry((rank, row.bytes())).or_insert_with(|| (row, Compared::default()));
        *(if is_new { &mut compared.after } else { &mut compared.before }) = Some(content);
    };
    for (snapshot, is_new) in [(known, false), (&found, true)] {
        for session in snapshot.sessions().iter().filter(|session| session.ends_at > since) {
            put(1, EditedRow::Session(session.id), session_content(session), is_new);
        }
        for offer in snapshot.offers().iter().filter(|offer| offer.session.ends_at > since) {
            put(2, EditedRow::Sale(offer.sale.id), sale_content(&offer.sale), is_new);
            if let Some(product) = snapshot.product(offer.sale.product_id) {
                put(0, EditedRow::Product(product.id), product_content(product), is_new);
            }
        }
    }
    let differing = rows.into_values().filter(|(_, compared)| compared.before != compared.after);
    differing
        .map(|(row, Compared { before, after })| {
            let op = match (&before, &after) {
                (None, _) => EditOp::Insert,
                (_, None) => EditOp::Delete,
                _ => EditOp::Update,
            };
            Unexplained { row, op, before, after }
        })
        .collect()
}

fn product_content(product: &Product) -> String {
    let Product { id: _, name, title, description, image_url, price, version, created_at, updated_at } = product;
    json!({
        "name": name, "title": title, "description": description, "image_url": image_url, "price_minor": price.minor,
        "currency": price.currency.code(), "version": version, "created_at": created_at.as_millis(),
        "updated_at": updated_at.as_millis(),
    })
    .to_string()
}

fn session_content(session: &Session) -> String {
    let Session { id: _, name, starts_at, ends_at, created_at } = session;
    json!({
        "name": name, "starts_at": starts_at.as_millis(), "ends_at": ends_at.as_millis(),
        "created_at": created_at.as_millis(),
    })
    .to_string()
}

fn sale_content(sale: &Sale) -> String {
    json!({
        "number": sale.number, "session_id": sale.session_id, "product_id": sale.product_id,
        "price_minor": sale.price.minor, "currency": sale.price.currency.code(), "points_price": sale.points_price,
        "stock_total": sale.stock_total, "limit_per_buyer": sale.limit_per_buyer,
        "pay_within_ms": sale.pay_within.as_millis() as u64, "returns_on_refund": sale.returns_on_refund,
        "status": sale.state.as_str(), "held": sale.held, "version": sale.version,
        "created_at": sale.created_at.as_millis(), "updated_at": sale.updated_at.as_millis(),
        "ended_at": sale.ended_at.map(Timestamp::as_millis),
    })
    .to_string()
}
