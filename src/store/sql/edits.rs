//! Edits of the catalog in SQL: those that wait to be handled, the whole log, and the prices that they replaced.

use diesel::{ExpressionMethods, QueryDsl};
use diesel_async::RunQueryDsl;

use super::super::Conn;
use super::super::schema::{catalog_edits, products, sale_sessions, sales};
use super::catalog::{corrupt, money};
use super::planned_each_time;
use super::sales::{find_offer, update_state};
use crate::kernel::{Listed, SaleId, SessionId, Timestamp, Wanted, next_epoch};
use crate::model::edits::{Edit, EditOp, EditedRow, UNKNOWN, Unexplained};
use crate::model::order_requests::TicketPrice;
use crate::model::sale_facts::FormerPrice;
use crate::model::sales::Sale;
use crate::model::snapshot::Offer;
use crate::store::StoreError;

/// Numbers in one statement at most.
const CHUNK: usize = 500;

/// Edits of one sale that are searched for former prices at most, the newest.
const PRICES_MAX: i64 = 1_000;

// Ids of all three tables are stored alike: any of the types reads them.
type Row = (
    i64,
    String,
    SaleId,
    String,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<String>,
    Timestamp,
    Option<Timestamp>,
);

fn edit(row: Row) -> Result<Edit, StoreError> {
    let (id, table, row_id, op, before, after, by_role, by_app, by_addr, at, handled_at) = row;
    let row = EditedRow::parse(&table, row_id.to_bytes()).ok_or_else(|| corrupt("table of an edit"))?;
    let op = EditOp::parse(&op).ok_or_else(|| corrupt("kind of an edit"))?;
    Ok(Edit { id, row, op, before, after, by_role, by_app, by_addr, at, handled_at })
}

/// The oldest edits that are not handled.
pub async fn open(conn: &mut Conn, max: usize) -> Result<Vec<Edit>, StoreError> {
    let open = catalog_edits::table.filter(catalog_edits::handled_at.is_null());
    let rows: Vec<Row> = open.order(catalog_edits::id).limit(max as i64).load(conn).await?;
    rows.into_iter().map(edit).collect()
}

/// When the oldest edit was made that is not handled; `None` if all are.
pub async fn open_since(conn: &mut Conn) -> Result<Option<Timestamp>, StoreError> {
    let open = catalog_edits::table.filter(catalog_edits::handled_at.is_null());
    let first: Vec<Timestamp> = open.order(catalog_edits::id).limit(1).select(catalog_edits::at).load(conn).await?;
    Ok(first.into_iter().next())
}

/// These are handled.
pub async fn mark(conn: &mut Conn, ids: &[i64], now: Timestamp) -> Result<(), StoreError> {
    for ids in ids.chunks(CHUNK) {
        let these = catalog_edits::table.filter(catalog_edits::id.eq_any(ids));
        diesel::update(these).set(catalog_edits::handled_at.eq(Some(now))).execute(conn).await?;
    }
    Ok(())
}

/// The sales of a session, by id.
pub async fn sales_of(conn: &mut Conn, session: SessionId) -> Result<Vec<SaleId>, StoreError> {
    let of_session = sales::table.filter(sales::session_id.eq(session));
    let mut ids: Vec<SaleId> = of_session.select(sales::id).load(conn).await?;
    ids.sort_unstable();
    Ok(ids)
}

/// Gives a sale a new version, above `above` at least: something that it is shown or sold by has changed.
pub async fn raise_sale(conn: &mut Conn, sale: SaleId, above: u32, now: Timestamp) -> Result<(), StoreError> {
    let above = i64::from(above);
    let behind = sales::table.filter(sales::id.eq(sale)).filter(sales::version.lt(above));
    diesel::update(behind).set((sales::version.eq(above), sales::updated_at.eq(now))).execute(conn).await?;
    let raised = (
        sales::version.eq(sales::version + 1),
        sales::stock_version.eq(sales::stock_version + 1),
        sales::updated_at.eq(now),
    );
    diesel::update(sales::table.filter(sales::id.eq(sale))).set(raised).execute(conn).await?;
    Ok(())
}

/// Writes down what was found without an edit that explains it, as handled, and raises the versions of products and sessions.
pub async fn note(conn: &mut Conn, found: &[Unexplained], now: Timestamp) -> Result<(), StoreError> {
    for one in found {
        diesel::insert_into(catalog_edits::table)
            .values((
                catalog_edits::tab.eq(one.row.table()),
                catalog_edits::row_id.eq(SaleId::from_bytes(one.row.bytes())),
                catalog_edits::op.eq(one.op.as_str()),
                catalog_edits::before.eq(&one.before),
                catalog_edits::after.eq(&one.after),
                catalog_edits::by_role.eq(UNKNOWN),
                catalog_edits::at.eq(now),
                catalog_edits::handled_at.eq(Some(now)),
            ))
            .execute(conn)
            .await?;
        match one.row {
            EditedRow::Product(id) => {
                let row = diesel::update(products::table.filter(products::id.eq(id)));
                row.set((products::version.eq(products::version + 1), products::updated_at.eq(now)))
                    .execute(conn)
                    .await?;
            }
            EditedRow::Session(id) => {
                let row = diesel::update(sale_sessions::table.filter(sale_sessions::id.eq(id)));
                row.set(sale_sessions::version.eq(sale_sessions::version + 1)).execute(conn).await?;
            }
            EditedRow::Sale(_) => {}
        }
    }
    Ok(())
}

/// A page of the log, the newest first; of one row, if one is given.
pub async fn list(conn: &mut Conn, row: Option<EditedRow>, wanted: &Wanted<i64>) -> Result<Listed<Edit>, StoreError> {
    // A bound at each end makes the list a range also for SQLite.
    let (first, last) = (wanted.before.unwrap_or(0), wanted.after.unwrap_or(i64::MAX));
    let mut query = catalog_edits::table
        .filter(catalog_edits::id.gt(first))
        .filter(catalog_edits::id.lt(last))
        .filter(planned_each_time())
        .limit(wanted.read() as i64)
        .into_boxed();
    if let Some(row) = row {
        query = query.filter(catalog_edits::row_id.eq(SaleId::from_bytes(row.bytes())));
    }
    query = if wanted.from_end { query.order(catalog_edits::id.asc()) } else { query.order(catalog_edits::id.desc()) };
    let rows: Vec<Row> = query.load(conn).await?;
    let read = rows.into_iter().map(edit).collect::<Result<_, _>>()?;
    let total = if wanted.count { count(conn, row).await? } else { 0 };
    Ok(Listed::of(read, wanted, total))
}

async fn count(conn: &mut Conn, row: Option<EditedRow>) -> Result<usize, StoreError> {
    let mut query = catalog_edits::table.count().filter(catalog_edits::id.gt(0)).into_boxed();
    if let Some(row) = row {
        query = query.filter(catalog_edits::row_id.eq(SaleId::from_bytes(row.bytes())));
    }
    let count: i64 = query.get_result(conn).await?;
    Ok(count as usize)
}

/// The prices that edits took away from a sale, the oldest first.
pub async fn former_prices(conn: &mut Conn, sale: SaleId) -> Result<Vec<FormerPrice>, StoreError> {
    let edits = catalog_edits::table.filter(catalog_edits::row_id.eq(sale));
    let rows: Vec<(Timestamp, Option<String>, Option<String>)> = edits
        .order(catalog_edits::id.desc())
        .limit(PRICES_MAX)
        .select((catalog_edits::at, catalog_edits::before, catalog_edits::after))
        .load(conn)
        .await?;
    let mut found = Vec::new();
    for (until, before, after) in rows.into_iter().rev() {
        let (Some(before), Some(after)) = (price_in(before)?, price_in(after)?) else { continue };
        if before != after {
            found.push(FormerPrice { until, price: before });
        }
    }
    Ok(found)
}

/// The price in a row that was written down.
fn price_in(row: Option<String>) -> Result<Option<TicketPrice>, StoreError> {
    let Some(row) = row else { return Ok(None) };
    let row: serde_json::Value = serde_json::from_str(&row).map_err(|_| corrupt("edit"))?;
    let minor = row.get("price_minor").and_then(serde_json::Value::as_i64);
    let currency = row.get("currency").and_then(serde_json::Value::as_str);
    let (Some(minor), Some(currency)) = (minor, currency) else { return Ok(None) };
    let points = row.get("points_price").and_then(serde_json::Value::as_u64);
    Ok(Some(TicketPrice { unit: money(minor, currency)?, points: points.map(|points| points as u32) }))
}

/// The sales that were edited, as they are now and without drafts; those that are gone are left out. One that was published by its edit
/// gets its first epoch, and is returned with `true`. The caller has the operators' turn.
pub async fn offers(
    conn: &mut Conn,
    edited: impl IntoIterator<Item = SaleId>,
    now: Timestamp,
) -> Result<Vec<(Offer, bool)>, StoreError> {
    let mut found = Vec::new();
    for id in edited {
        let Some(mut offer) = find_offer(conn, id, now).await?.filter(|offer| !offer.is_draft()) else { continue };
        let begins = offer.sale.epoch == 0;
        if begins {
            let (epoch, version) = (next_epoch(0, now), offer.sale.version + 1);
            let sale = Sale { epoch, version, updated_at: now, ..(*offer.sale).clone() };
            update_state(conn, &sale).await?;
            offer.sale = sale.into();
        }
        found.push((offer, begins));
    }
    Ok(found)
}
