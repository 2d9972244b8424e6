//! Pages of all payments and of all refunds. They are looked for by parts, each of which an index gives in the order of the page: what a
//! page costs depends on its length, not on how long the shop has been open.

use diesel::dsl::sql;
use diesel::expression::SqlLiteral;
use diesel::sql_types::Text;
use diesel::{BoolExpressionMethods, ExpressionMethods, QueryDsl, SelectableHelper};
use diesel_async::RunQueryDsl;

use super::super::Conn;
use super::super::schema::{payments, refunds};
use super::{payments::Row as PaymentRow, planned_each_time, refunds::Row as RefundRow};
use crate::kernel::{PaymentId, RefundId};
use crate::model::lists::{MoneyKey, MoneyList, MoneyPage, PaymentFilter, RefundFilter};
use crate::model::payments::{Payment, Refund};
use crate::store::StoreError;

/// What the index `payments_listed` begins with. An expression that no other statement has, so that none takes this index for its own:
/// without statistics SQLite takes the one with the most columns, however little they tell apart.
fn kind_of_payment() -> SqlLiteral<Text> {
    sql("(payments.method || payments.status)")
}

/// The same for a condition beside another index.
fn payment_is() -> SqlLiteral<Text> {
    sql("(payments.method || payments.status || '')")
}

/// What the index `refunds_listed` begins with. See [`kind_of_payment`].
fn kind_of_refund() -> SqlLiteral<Text> {
    sql("(refunds.status || refunds.cause)")
}

fn kinds_of_payments(filter: &PaymentFilter) -> Vec<String> {
    let states = |method: &'static str| filter.states.iter().map(move |state| format!("{method}{}", state.as_str()));
    sorted(filter.methods.iter().flat_map(|method| states(method.as_str())))
}

fn kinds_of_refunds(filter: &RefundFilter) -> Vec<String> {
    let causes = |state: &'static str| filter.causes.iter().map(move |cause| format!("{state}{}", cause.as_str()));
    sorted(filter.states.iter().flat_map(|state| causes(state.as_str())))
}

/// Each once.
fn sorted(kinds: impl Iterator<Item = String>) -> Vec<String> {
    let mut kinds: Vec<_> = kinds.collect();
    kinds.sort_unstable();
    kinds.dedup();
    kinds
}

/// The kinds by which payments are looked for one after the other; `None`: all at once, where a buyer or a mark leaves few of them.
fn parts_of_payments(filter: &PaymentFilter) -> Vec<Option<String>> {
    if filter.buyer.is_some() || filter.flagged == Some(true) {
        return vec![None];
    }
    kinds_of_payments(filter).into_iter().map(Some).collect()
}

/// The payments of a part.
macro_rules! payments_in {
    ($filter:expr, $part:expr, $bounds:expr) => {{
        let (lowest, highest) = $bounds;
        let mut rows = payments::table
            .filter(payments::created_at.ge(lowest).and(payments::created_at.le(highest)))
            .filter(planned_each_time())
            .into_boxed();
        rows = match $part {
            Some(kind) => rows.filter(kind_of_payment().eq(kind)),
            None => rows.filter(payment_is().eq_any(kinds_of_payments($filter))),
        };
        if let Some(buyer) = $filter.buyer {
            rows = rows.filter(payments::buyer_id.eq(buyer));
        }
        match $filter.flagged {
            Some(true) => rows.filter(payments::flag.is_not_null()),
            Some(false) => rows.filter(payments::flag.is_null()),
            None => rows,
        }
    }};
}

/// The refunds of a kind.
macro_rules! refunds_in {
    ($kind:expr, $bounds:expr) => {{
        let (lowest, highest) = $bounds;
        refunds::table
            .filter(refunds::created_at.ge(lowest).and(refunds::created_at.le(highest)))
            .filter(planned_each_time().and(kind_of_refund().eq($kind)))
            .into_boxed()
    }};
}

/// Of these rows those of the page, and one more.
macro_rules! page_of {
    ($rows:expr, $table:ident, $id:ty, $page:expr) => {{
        let mut rows = $rows.limit($page.limit as i64 + 1);
        if let Some(MoneyKey { at, id }) = $page.after {
            rows = rows.filter($table::created_at.lt(at).or($table::id.lt(<$id>::from_bytes(id))));
        }
        if let Some(MoneyKey { at, id }) = $page.before {
            rows = rows.filter($table::created_at.gt(at).or($table::id.gt(<$id>::from_bytes(id))));
        }
        if $page.from_end {
            rows.order(($table::created_at.asc(), $table::id.asc()))
        } else {
            rows.order(($table::created_at.desc(), $table::id.desc()))
        }
    }};
}

/// A page of payments.
pub async fn payments(
    conn: &mut Conn,
    filter: &PaymentFilter,
    page: &MoneyPage,
) -> Result<MoneyList<Payment>, StoreError> {
    let mut found = Vec::new();
    for part in parts_of_payments(filter) {
        let rows = page_of!(payments_in!(filter, part, page.bounds()), payments, PaymentId, page);
        let rows: Vec<PaymentRow> = rows.select(PaymentRow::as_select()).load(conn).await?;
        for row in rows {
            found.push(Payment::try_from(row)?);
        }
    }
    Ok(MoneyList::of(found, page, MoneyKey::of_payment))
}

/// How many payments are within the page's moments, as far as its limit.
pub async fn count_payments(conn: &mut Conn, filter: &PaymentFilter, page: &MoneyPage) -> Result<usize, StoreError> {
    let mut count = 0;
    for part in parts_of_payments(filter) {
        let rows = payments_in!(filter, part, page.bounds()).limit((page.limit - count) as i64);
        // In the order of the index, or PostgreSQL would look for the first ones anywhere in the table.
        let rows = rows.order((payments::created_at.desc(), payments::id.desc()));
        let ids: Vec<PaymentId> = rows.select(payments::id).load(conn).await?;
        count += ids.len();
    }
    Ok(count)
}

/// A page of refunds.
pub async fn refunds(
    conn: &mut Conn,
    filter: &RefundFilter,
    page: &MoneyPage,
) -> Result<MoneyList<Refund>, StoreError> {
    let mut found = Vec::new();
    for kind in kinds_of_refunds(filter) {
        let rows = page_of!(refunds_in!(kind, page.bounds()), refunds, RefundId, page);
        let rows: Vec<RefundRow> = rows.select(RefundRow::as_select()).load(conn).await?;
        for row in rows {
            found.push(Refund::try_from(row)?);
        }
    }
    Ok(MoneyList::of(found, page, MoneyKey::of_refund))
}

/// How many refunds are within the page's moments, as far as its limit.
pub async fn count_refunds(conn: &mut Conn, filter: &RefundFilter, page: &MoneyPage) -> Result<usize, StoreError> {
    let mut count = 0;
    for kind in kinds_of_refunds(filter) {
        let rows = refunds_in!(kind, page.bounds()).limit((page.limit - count) as i64);
        let rows = rows.order((refunds::created_at.desc(), refunds::id.desc()));
        let ids: Vec<RefundId> = rows.select(refunds::id).load(conn).await?;
        count += ids.len();
    }
    Ok(count)
}
