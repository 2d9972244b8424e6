//! What the report of a sale reads. Rows are read in pages along the primary key: the report of a large sale takes no more memory than that
//! of a small one.

use diesel::dsl::{count, count_star, sql};
use diesel::expression::SqlLiteral;
use diesel::sql_types::{BigInt, Bool, Nullable};
use diesel::{AggregateExpressionMethods, ExpressionMethods, QueryDsl, Queryable, Selectable, SelectableHelper};
use diesel_async::RunQueryDsl;

use super::super::Conn;
use super::super::schema::{audit_log, catalog_edits, orders, payments, refunds, sale_stock_adds, sales};
use super::catalog::{corrupt, narrow};
use super::outcomes::bounds;
use crate::kernel::{PaymentId, SaleId, TicketId, Timestamp, UserId};
use crate::model::edits::UNKNOWN;
use crate::model::sale_report::{Received, Returned, Row, StockHistory};
use crate::payments::{PaymentState, RefundState};
use crate::store::StoreError;

/// Edits of one sale in SQL that are looked at, the newest.
const EDITS_MAX: i64 = 1_000;

#[derive(Queryable, Selectable)]
#[diesel(table_name = orders)]
struct TicketRow {
    id: TicketId,
    sale_id: SaleId,
    sale_number: i64,
    buyer_id: UserId,
    quantity: i64,
    status: String,
    price_minor: i64,
    currency: String,
    points_price: Option<i64>,
    created_at: Timestamp,
    decided_at: Timestamp,
    paid_at: Option<Timestamp>,
    closed_at: Option<Timestamp>,
}

impl From<TicketRow> for Row {
    fn from(row: TicketRow) -> Self {
        Self {
            ticket: row.id,
            sale: row.sale_id,
            sale_number: row.sale_number,
            buyer: row.buyer_id,
            quantity: row.quantity,
            status: row.status,
            price: row.price_minor,
            currency: row.currency,
            points_price: row.points_price,
            admitted_at: row.created_at,
            decided_at: row.decided_at,
            paid_at: row.paid_at,
            closed_at: row.closed_at,
            payments: Vec::new(),
            refunds: Vec::new(),
        }
    }
}

/// The next tickets of the sale with their money, in the order of their ids; none when there are no more.
pub async fn page(conn: &mut Conn, sale: SaleId, after: Option<TicketId>, max: usize) -> Result<Vec<Row>, StoreError> {
    let (first, last) = bounds(sale);
    // No ticket has the first id: numbers begin with 1.
    let tickets: Vec<TicketRow> = orders::table
        .filter(orders::id.gt(after.unwrap_or(first)))
        .filter(orders::id.le(last))
        .order(orders::id)
        .limit(max as i64)
        .select(TicketRow::as_select())
        .load(conn)
        .await?;
    let mut rows: Vec<Row> = tickets.into_iter().map(Row::from).collect();
    let ([from, ..], [.., to]) = (rows.as_slice(), rows.as_slice()) else { return Ok(rows) };
    let (from, to) = (from.ticket, to.ticket);
    for (ticket, payment) in received(conn, from, to).await? {
        if let Ok(index) = rows.binary_search_by_key(&ticket, |row| row.ticket) {
            rows[index].payments.push(payment);
        }
    }
    for (ticket, refund) in returned(conn, from, to).await? {
        if let Ok(index) = rows.binary_search_by_key(&ticket, |row| row.ticket) {
            rows[index].refunds.push(refund);
        }
    }
    Ok(rows)
}

async fn received(conn: &mut Conn, from: TicketId, to: TicketId) -> Result<Vec<(TicketId, Received)>, StoreError> {
    type Columns = (PaymentId, TicketId, Option<String>, String, i64, i64, i64);
    let rows: Vec<Columns> = payments::table
        .filter(payments::order_id.ge(from))
        .filter(payments::order_id.le(to))
        .order((payments::order_id, payments::id))
        .select((
            payments::id,
            payments::order_id,
            payments::currency,
            payments::status,
            payments::captured,
            payments::refunded,
            payments::refund_pending,
        ))
        .load(conn)
        .await?;
    let brought = rows.into_iter().filter(|(.., captured, refunded, returning)| captured + refunded + returning != 0);
    Ok(brought
        .map(|(id, ticket, currency, status, captured, refunded, returning)| {
            let kept = status == PaymentState::Succeeded.as_str();
            (ticket, Received { id, kept, currency, captured, refunded, returning })
        })
        .collect())
}

async fn returned(conn: &mut Conn, from: TicketId, to: TicketId) -> Result<Vec<(TicketId, Returned)>, StoreError> {
    type Columns = (TicketId, PaymentId, Option<String>, i64, String);
    let rows: Vec<Columns> = refunds::table
        .filter(refunds::order_id.ge(from))
        .filter(refunds::order_id.le(to))
        .order((refunds::order_id, refunds::id))
        .select((refunds::order_id, refunds::payment_id, refunds::currency, refunds::amount, refunds::status))
        .load(conn)
        .await?;
    let counted = rows.into_iter().filter(|row| row.4 != RefundState::Failed.as_str());
    Ok(counted
        .map(|(ticket, payment, currency, amount, status)| {
            (ticket, Returned { payment, currency, amount, done: status == RefundState::Succeeded.as_str() })
        })
        .collect())
}

/// The condition of the index on live orders. A bound value would keep SQLite from using it.
fn live_order() -> SqlLiteral<Bool> {
    sql("orders.status IN ('AWAITING_PAYMENT', 'PAID', 'REFUNDING')")
}

/// How many buyers have live orders in the sale.
pub async fn live_buyers(conn: &mut Conn, sale: SaleId) -> Result<u64, StoreError> {
    let live = orders::table.filter(orders::sale_id.eq(sale)).filter(live_order());
    let buyers: i64 = live.select(count(orders::buyer_id).aggregate_distinct()).first(conn).await?;
    narrow(buyers)
}

/// Some of the buyers that have more than one live order in the sale.
pub async fn doubled_buyers(conn: &mut Conn, sale: SaleId, max: usize) -> Result<Vec<UserId>, StoreError> {
    let live = orders::table.filter(orders::sale_id.eq(sale)).filter(live_order());
    Ok(live
        .group_by(orders::buyer_id)
        .having(count_star().gt(1_i64))
        .order(orders::buyer_id)
        .limit(max as i64)
        .select(orders::buyer_id)
        .load(conn)
        .await?)
}

/// Free units of a sale now.
pub async fn units_free(conn: &mut Conn, sale: SaleId) -> Result<u64, StoreError> {
    let free: i64 = sales::table.find(sale).select(sales::stock_left).first(conn).await?;
    narrow(free)
}

/// What the records say about the units of a sale, whose limit per buyer is `limit` now.
pub async fn stock_history(conn: &mut Conn, sale: SaleId, limit: u32) -> Result<StockHistory, StoreError> {
    // An act on a draft says all of it.
    let drafted: Vec<String> = audit_log::table
        .filter(audit_log::subject.eq(sale.to_string()))
        .filter(audit_log::act.eq_any(["sale.create", "sale.update"]))
        .order((audit_log::at.desc(), audit_log::id.desc()))
        .limit(1)
        .select(audit_log::detail)
        .load(conn)
        .await?;
    let added: Option<i64> = sale_stock_adds::table
        .filter(sale_stock_adds::sale_id.eq(sale))
        .select(sql::<Nullable<BigInt>>("CAST(SUM(units) AS BIGINT)"))
        .first(conn)
        .await?;
    let mut edits: Vec<Edited> = catalog_edits::table
        .filter(catalog_edits::row_id.eq(sale))
        .order(catalog_edits::id.desc())
        .limit(EDITS_MAX)
        .select((catalog_edits::by_role, catalog_edits::before, catalog_edits::after))
        .load(conn)
        .await?;
    edits.reverse();
    let drafted = told(drafted.into_iter().next().as_ref())?;
    let history =
        StockHistory { added: narrow(added.unwrap_or(0))?, limit_max: u64::from(limit), ..StockHistory::default() };
    with_edits(history, drafted, &edits)
}

type Edited = (Option<String>, Option<String>, Option<String>);

/// What a row of the audit log or of the edits says about a sale.
#[derive(Clone, Copy)]
struct Told {
    version: Option<i64>,
    stock: Option<i64>,
    limit: u64,
}

fn told(row: Option<&String>) -> Result<Option<Told>, StoreError> {
    let Some(row) = row else { return Ok(None) };
    let row: serde_json::Value = serde_json::from_str(row).map_err(|_| corrupt("sale"))?;
    let number = |name: &str| row.get(name).and_then(serde_json::Value::as_i64);
    let limit =
        number("limit_per_buyer").or_else(|| number("limitPerBuyer")).and_then(|limit| u64::try_from(limit).ok());
    let stock = number("stock_total").or_else(|| number("stock"));
    Ok(Some(Told { version: number("version"), stock, limit: limit.unwrap_or(0) }))
}

/// What edits in SQL changed after the last act on the draft. Those that no trigger saw explain nothing, but that the sale was made so.
fn with_edits(history: StockHistory, drafted: Option<Told>, edits: &[Edited]) -> Result<StockHistory, StoreError> {
    let (mut history, mut first) = (history, drafted.and_then(|drafted| drafted.stock));
    let since = drafted.and_then(|drafted| drafted.version).unwrap_or(0);
    for (by_role, before, after) in edits {
        let (before, after) = (told(before.as_ref())?, told(after.as_ref())?);
        let limits = [before, after].into_iter().flatten().map(|told| told.limit).max();
        history.limit_max = history.limit_max.max(limits.unwrap_or(0));
        if first.is_none() {
            first = before.or(after).and_then(|told| told.stock);
        }
        let (Some(before), Some(after)) = (before, after) else { continue };
        let is_known = by_role.as_deref() != Some(UNKNOWN) && after.version.is_none_or(|version| version > since);
        if let (Some(before), Some(after), true) = (before.stock, after.stock, is_known) {
            history.edited += after - before;
        }
    }
    history.at_publication = first.map(narrow).transpose()?;
    Ok(history)
}
